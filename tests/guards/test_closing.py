"""No incident is closed while a run, an outcome, a deadline or a credential is open, or the review is missing."""

from pathlib import Path
from typing import Any

import pytest
from cli_bench import advanced, agreed, as_person, begun, leaked_value, typed
from guard_bench import assert_refused, settings, state_of

from responder.closing import close
from responder.errors import PlanRefused, RequestError
from responder.finding import Finding
from responder.guards import Closing, check_close
from responder.installation import login
from responder.state import RunState


def over(**more: Any) -> RunState:
    """Return a run that ended well, and whose review was rendered."""
    state = state_of(**more.pop("started", {}))
    state.state, state.contained, state.standing.rendered = "ended", True, True
    for name, value in more.items():
        setattr(state, name, value)
    return state


def unknown() -> RunState:
    state = over()
    state.unit("kill").status = "unknown"
    return state


def done_again() -> RunState:
    state = over()
    state.unit("kill").status = "done"
    return state


def left_alone(*names: str) -> RunState:
    return over(unanswered={"look": tuple(frozenset({name}) for name in names)})


def unrendered() -> RunState:
    state = over()
    state.standing.rendered = False
    return state


UNCONTAINED = {"contained": False, "ended": {"exit": [{"criterion": "dead", "held": False}]}}


@pytest.mark.parametrize(
    ("closing", "said"),
    [
        pytest.param({"runs": (over(),)}, [], id="all is well"),
        pytest.param({"runs": (over(), over(state="open"))}, ["the run is open"], id="a run is open"),
        pytest.param({"runs": (over(state="halted"),)}, ["the run is halted"], id="a run is halted"),
        pytest.param({"runs": (over(**UNCONTAINED),)}, ["not count as contained: dead"], id="not contained"),
        pytest.param({"runs": (over(**UNCONTAINED),), "uncontained": "sold"}, [], id="not contained, and said so"),
        pytest.param(
            {"runs": (over(contained=False, started={"purpose": "notice"}),)}, [], id="a notice contains nothing"
        ),
        pytest.param({"runs": (left_alone("gate:k2"),)}, ["no run was opened"], id="a credential left alone"),
        pytest.param({"runs": (left_alone("gate:k1"), over())}, [], id="a run was begun for it"),
        pytest.param(
            {"runs": (left_alone("gate:k2", "gate:k1"), over())}, ["no run was opened"], id="for one of two"
        ),
        pytest.param({"runs": (over(**UNCONTAINED), over())}, [], id="contained by a second run"),
        pytest.param({"runs": (over(), over(**UNCONTAINED))}, ["not count as contained"], id="not by the second"),
        pytest.param(
            {"runs": (over(**UNCONTAINED), over(started={"purpose": "notice"}))}, ["not count as"], id="by no notice"
        ),
        pytest.param({"runs": (unknown(), done_again())}, [], id="an unknown outcome, and done again"),
        pytest.param({"runs": (unknown(), over())}, ["nobody knows whether"], id="an unknown outcome, not done again"),
        pytest.param({"runs": (unknown(),)}, ["nobody knows whether"], id="an unknown outcome"),
        pytest.param({"runs": (over(),), "clocks": {"dsar": "pending"}}, ["deadline dsar is pending"], id="pending"),
        pytest.param({"runs": (over(),), "clocks": {"dsar": "late", "other": "off"}}, [], id="met late, or off"),
        pytest.param({"runs": (over(),), "clocks": {"dsar": "overdue"}, "left": {"dsar": "none"}}, [], id="left"),
        pytest.param({"runs": (over(),), "clocks": {"dsar": "overdue"}, "left": {"dsar": " "}}, ["dsar"], id="blank"),
        pytest.param({"runs": (unrendered(),)}, ["postmortem has not been rendered"], id="no review"),
        pytest.param(
            {"runs": (over(state="open"), unrendered()), "clocks": {"a": "running"}}, ["run is", "a is"], id="all"
        ),
    ],
)  # fmt: skip
def test_what_stands_open(closing: dict[str, Any], said: list[str]) -> None:
    if not said:
        check_close(Closing("inc-1", **closing))
        return
    with pytest.raises(PlanRefused) as caught:
        check_close(Closing("inc-1", **closing))

    problems = caught.value.problems
    assert len(said) == len(problems)
    assert all(part in one.what for part, one in zip(said, problems, strict=True))
    assert all(one.guard == "closing" and one.where and one.remedy for one in problems)


@pytest.fixture
def run(place: Path) -> str:
    """A run that has ended, contained, with Carl at the terminal."""
    run = begun(place)
    advanced(place, run)
    agreed(place, run, "kill")
    typed(place, "resume", run)
    settings(place, f"os_user: {login()},", "")
    settings(place, "email: carl@lumen.example,", f"email: carl@lumen.example, os_user: {login()},")
    return run


def test_from_the_command_line_it_is_not_closed_too_early(place: Path, run: str) -> None:
    result = typed(place, "close", run)

    assert_refused(
        result, "closing", what="the deadline after is running", place="inc-", way_out="--leave after=REASON"
    )
    assert "the postmortem has not been rendered" in result.stderr
    assert 1 == len(values(place, run))


def values(place: Path, run: str) -> list[Any]:
    """Return the leaked values that can still be opened."""
    app = as_person(place, "carl")
    found = [one for one in app.means.store.blobs(app.row(run).incident, "leaked") if one.sealed.wrapped_key]
    app.close()
    return found


def closed(place: Path, run: str) -> Any:
    typed(place, "postmortem", run, "-o", str(place / "review.md"))
    return typed(place, "close", run, "--leave", "after=nobody waits for it")


def test_closed_its_leaked_values_are_gone_and_the_record_verifies(place: Path, run: str) -> None:
    result = closed(place, run)

    assert 0 == result.exit_code, result.output
    assert [] == values(place, run)
    assert 0 == typed(place, "verify", run).exit_code
    assert "shredded" in typed(place, "verify", run, "--live").output


def test_afterwards_it_takes_afterthoughts_only_and_a_finding_reopens_it(place: Path, run: str) -> None:
    closed(place, run)
    app = as_person(place, "carl")
    incident = app.row(run).incident
    app.note(run, "what we learned later")
    app.set(run, "severity", "P2", "it was less than we thought")
    with pytest.raises(RequestError, match="closed"):
        app.set(run, "suspect", "person:ann", "late")
    finding = as_finding(app)
    app.begin(app.library.load("p"), finding, {}, incident)
    events = [entry.event for entry in app.timeline(incident)]
    still = app.is_closed(incident)
    app.close()

    assert not still
    assert events.index("closed") < events.index("noted") < events.index("reopened")


def as_finding(app: Any) -> Any:
    return Finding(value=app.means.sealer.secret("second-" + "w3Xk" * 6))


def test_uncontained_two_others_sign(place: Path) -> None:
    settings(place, "roles: [oncall]}", "roles: [oncall, commander]}")
    (place / "playbooks" / "q.yaml").write_text(
        "playbook: q\ntitle: t\nversion: 1\nsteps: [{id: look, phase: analysis, action: clockwork.nothing}]\n"
    )
    run = begun(place, "q")
    typed(place, "resume", run)
    typed(place, "postmortem", run, "-o", str(place / "review.md"))
    refused = typed(place, "close", run)
    asked = typed(place, "close", run, "--uncontained", "the company was sold")
    agreed(place, run, "incident.close", person="carl")
    app = as_person(place, "carl")
    half = app.is_closed(app.row(run).incident)
    app.close()
    agreed(place, run, "incident.close", person="cora")
    app = as_person(place, "carl")
    whole = app.is_closed(app.row(run).incident)
    app.close()

    assert (3, 0, False, True) == (refused.exit_code, asked.exit_code, half, whole)
    assert [] == values(place, run)


def meanwhile(app: Any, say: Any) -> None:
    """Let somebody say something in the moment between what the next call reads and what it writes."""
    original = app.take_in_secrets

    def late() -> Any:
        app.take_in_secrets = original
        say()
        return original()

    app.take_in_secrets = late


def test_of_two_who_agree_at_once_the_last_closes_it(place: Path) -> None:
    settings(place, "roles: [oncall]}", "roles: [oncall, commander]}")
    (place / "playbooks" / "q.yaml").write_text(
        "playbook: q\ntitle: t\nversion: 1\nsteps: [{id: look, phase: analysis, action: clockwork.nothing}]\n"
    )
    run = begun(place, "q")
    typed(place, "resume", run)
    typed(place, "postmortem", run, "-o", str(place / "review.md"))
    typed(place, "close", run, "--uncontained", "the company was sold")
    app = as_person(place, "carl")
    meanwhile(app, lambda: agreed(place, run, "incident.close", person="cora"))
    app.approve(run, "incident.close")
    closed = app.is_closed(app.row(run).incident)
    app.close()

    assert closed


def test_what_is_begun_while_it_is_being_closed_keeps_it_open(place: Path, run: str) -> None:
    typed(place, "postmortem", run, "-o", str(place / "review.md"))
    app = as_person(place, "carl")
    incident = app.row(run).incident

    check = app.check_closing

    def late(name: str, facts: Any) -> None:
        app.check_closing = check  # type: ignore[method-assign] - the next call looks at what there is then
        check(name, facts)
        other = as_person(place, "ann")
        other.begin(other.library.load("p"), as_finding(other), {}, incident)
        other.close()

    app.check_closing = late  # type: ignore[method-assign] - somebody begins a run in this very moment
    with pytest.raises(PlanRefused, match="the run is open"):
        close(app, incident, {"after": "nobody waits for it"}, "")
    still = app.is_closed(incident)
    app.close()

    assert not still


def test_what_is_begun_while_somebody_closes_it_reopens_it(place: Path, run: str) -> None:
    typed(place, "postmortem", run, "-o", str(place / "review.md"))
    app = as_person(place, "ann")
    incident = app.row(run).incident
    looked = app.is_closed

    def late(name: str) -> bool:
        app.is_closed = looked  # type: ignore[method-assign] - the next call looks at what there is then
        found = looked(name)
        typed(place, "close", run, "--leave", "after=nobody waits for it")
        return found

    app.is_closed = late  # type: ignore[method-assign] - somebody closes it in this very moment
    app.begin(app.library.load("p"), as_finding(app), {}, incident)
    closed = app.is_closed(incident)
    events = [entry.event for entry in app.timeline(incident)]
    app.close()

    assert "closed" in events
    assert not closed


def test_a_deadline_is_open_as_long_as_it_is_in_any_run(place: Path) -> None:
    settings(place, "roles: [oncall]}", "roles: [oncall, commander]}")
    app = as_person(place, "ann")
    first = app.begin(app.library.load("p"), as_finding(app), {}).run
    app.abort(first, "it was dead long before")
    app.resume(first)
    finding = Finding(value=app.means.sealer.secret(leaked_value()))
    second = app.begin(app.library.load("p"), finding, {}, app.row(first).incident).run
    app.close()
    advanced(place, second)
    agreed(place, second, "kill")
    typed(place, "resume", second)

    result = typed(place, "close", first)

    assert "the deadline contained is running" in result.stderr


def test_a_deadline_that_a_second_run_for_the_same_credential_has_met_is_not_open(place: Path) -> None:
    settings(place, "roles: [oncall]}", "roles: [oncall, commander]}")
    first = begun(place)
    app = as_person(place, "ann")
    app.abort(first, "the wrong inputs")
    app.resume(first)
    finding = Finding(value=app.means.sealer.secret(leaked_value()))
    second = app.begin(app.library.load("p"), finding, {}, app.row(first).incident).run
    app.close()
    advanced(place, second)
    agreed(place, second, "kill")
    typed(place, "resume", second)

    result = typed(place, "close", first)

    assert "the deadline after is running" in result.stderr
    assert "contained" not in result.stderr
