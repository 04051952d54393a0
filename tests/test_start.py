"""How runs begin, and what a step may pass on: no id twice, no lock shared, no reference that somebody else wrote."""

from pathlib import Path

import pytest
from conftest import OpenApp, leaked_value
from test_run import HEAD, begun, driven, effects, when_asked, written

from responder.app import App
from responder.errors import FindingError, OutcomeUnknown, PlaybookError, RequestError, Unavailable
from responder.finding import Exposure, Finding
from responder.offspring import children_of
from responder.resolve import _opened

SECOND = "second-" + "w3Xk" * 6
TURN = "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n"


def test_a_value_that_stands_in_the_playbook_begins_nothing(opened: OpenApp, place: Path) -> None:
    """Struck out of the record, it would leave a playbook that nobody can read again."""
    app = opened()
    name = written(place, TURN.replace("key: a", f"key: {leaked_value()}"))

    with pytest.raises(FindingError, match="stands in the playbook itself"):
        begun(app, name)

    assert [] == app.runs()
    assert [] == app.means.store.incidents()


SEND = "  - {id: a, phase: communication, action: notice.send, with: {template: %s, to: a@example.org}}\n"
DRAFT = "  - {id: a, phase: communication, action: notice.draft, with: {template: takedown-request}}\n"


@pytest.mark.parametrize(
    ("steps", "carried"),
    [
        pytest.param(TURN, {"postmortem"}, id="none"),
        pytest.param(SEND % "internal-alert", {"internal-alert", "postmortem"}, id="sent"),
        pytest.param(DRAFT, {"takedown-request", "postmortem"}, id="drafted"),
        pytest.param(SEND % '"${{ facts.which }}"', None, id="whichever a step computes"),
    ],
)
def test_a_run_carries_the_templates_in_whose_words_it_speaks(
    opened: OpenApp, place: Path, steps: str, carried: set[str] | None
) -> None:
    app = opened()
    run = begun(app, written(place, steps))

    templates = app.state(run).started["templates"]

    assert (app.library.templates().keys() if carried is None else carried) == templates.keys()
    assert all(text == app.library.templates()[name] for name, text in templates.items())


def test_an_id_is_never_given_twice(opened: OpenApp, place: Path) -> None:
    app = opened(ids=lambda prefix: f"{prefix}-1")
    name = written(place, TURN)
    run = begun(app, name)
    app.drive(run)

    with pytest.raises(RequestError, match="a run of this id already"):
        begun(app, name)

    assert ("ended", 1) == (app.row(run).state, app.row(run).epoch)


def test_a_found_credential_that_another_run_took_in_the_same_moment_opens_no_second_one(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    written(place, TURN, "other", HEAD + "match: [{exposure: public, credential: second}]\n")
    run = begun(app, written(place, TURN))
    state = app.state(run)
    value = app.means.sealer.secret(SECOND)
    offspring = children_of(
        [Finding(value=value, exposure=Exposure(kind="public"))], state, app.means, state.incident["id"], "look"
    )
    assert 1 == len(offspring.starts)
    with app.means.store.write() as writing:
        writing.lock([value.fingerprint], "run-9")

    with pytest.raises(Unavailable, match="run-9 has just begun"), app.means.store.write() as writing:
        offspring.store(writing)

    assert [run] == [row.run for row in app.runs()]


def test_found_credentials_without_values_are_each_found(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, TURN))
    state = app.state(run)
    findings = [Finding(key_id=key, connection="cw", exposure=Exposure(kind="public")) for key in ("k7", "k8", "k7")]

    offspring = children_of(findings, state, app.means, state.incident["id"], "look")

    assert ["k7", "k8"] == [draft.facts["credential"] for draft in offspring.drafts]


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("leaked:{run}", id="the leaked value"),
        pytest.param("issued:run-9:new:k2", id="what another run was issued"),
        pytest.param("evidence:inc-1:00", id="evidence"),
        pytest.param("issued:{run}x:new:k2", id="a run whose name begins alike"),
    ],
)
def test_what_a_server_answers_opens_no_secret(opened: OpenApp, place: Path, reference: str) -> None:
    app = opened()
    run = begun(app, written(place, TURN))
    given = {"body": [{"$secret": reference.format(run=run), "fingerprint": "fp:0"}]}

    with pytest.raises(PlaybookError, match="only what this run was issued"):
        _opened(given, app.means, f"issued:{run}:")


def test_a_change_that_failed_half_way_is_read_back_and_not_taken_for_unsent(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "half-a").write_text("1")
    run = begun(app, written(place, TURN.replace("clockwork.turn", "clockwork.two_parts")))

    state = driven(app, run)

    events = [entry.event for entry in app.timeline(app.row(run).incident) if entry.step == "a"]
    assert "done" == state.status("a"), state.unit("a").error
    assert ["a"] == effects(place)
    assert "not_sent" not in events
    assert "unknown" in events


def test_a_change_that_cannot_be_read_back_and_failed_half_way_is_asked_of_a_person(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    (place / "world" / "half-a").write_text("1")
    run = begun(app, written(place, TURN.replace("clockwork.turn", "clockwork.two_words")))
    thread = when_asked(opened, run, "a", lambda other: other.decide(run, "a", "happened"))

    state = driven(app, run)
    thread.join()

    assert "done" == state.status("a"), state.unit("a").error
    assert ["a"] == effects(place)


def test_who_speaks_for_nobody_begins_nothing(opened: OpenApp, place: Path) -> None:
    app: App = opened("")

    with pytest.raises(RequestError, match="may only look"):
        begun(app, written(place, TURN))


def test_an_outcome_that_is_unknown_is_an_error_of_its_own() -> None:
    assert not issubclass(OutcomeUnknown, Unavailable)
