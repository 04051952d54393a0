"""What the containment mode forbids is not done, and no mode is entered that does not fit."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import clockwork
import pytest
from cli_bench import advanced, agreed, as_person, begun, leaked_value, typed
from guard_bench import assert_refused, case, effects, playbook, ran, refusals, report, settings, state_of

from responder.entry import Draft, Entry
from responder.errors import PlanRefused, RequestError
from responder.expressions import evaluate
from responder.finding import Exposure, Finding, read_finding
from responder.modes import check_mode, read_mode
from responder.naming import names
from responder.playbook import Playbook
from responder.settings import Consumer
from responder.standing import Standing
from responder.state import RunState
from responder.unit import Items

NOW = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
LATER, EARLIER = (NOW + timedelta(hours=4)).isoformat(), (NOW - timedelta(hours=4)).isoformat()
KILL = "  - {id: kill, phase: containment, action: credential.disable%s}\n"
ASKED = ", approval: {role: commander, within: 1h, on_timeout: abort}"
SWITCH = "  - {id: switch, phase: containment, action: incident.mode, with: {to: %s, reason: fence failed}%s}\n"


def rotating(mode: str, *moved: str, proof: str = "credential.test_consumer", **standing: Any) -> RunState:
    """Return a run whose credential two consumers use, of which some have moved."""
    state = state_of()
    consumers = tuple(Consumer(id=name, connection="gate", secret=name) for name in ("site", "jobs"))
    state.credential = state.credential.model_copy(update={"consumers": consumers})
    test = {"id": "t", "phase": "recovery", "action": proof, "with": {"consumer": {"id": "site"}}}
    state.playbook = Playbook.model_validate({"playbook": "p", "title": "t", "version": 1, "steps": [test]})
    state.standing.mode = mode
    for name, value in standing.items():
        setattr(state.standing, name, value)
    for name in moved:
        unit = state.unit(f"t[{name}]")
        unit.status, unit.planned = "done", {"action": proof, "with": {"consumer": {"id": name}}}
    return state


def by_hand(*moved: str) -> RunState:
    """Return a run in an overlap where owners make new credentials by hand, and some have said that theirs works."""
    state = rotating("B", proof="credential.deliver")
    task = {
        "id": "hand", "phase": "recovery", "action": "human.task", "for_each": "${{ incident.credential.consumers }}",
        "with": {"role": "owner", "instructions": "i", "within": "1h", "on_timeout": "abort"},
    }  # fmt: skip
    state.playbook = Playbook.model_validate({"playbook": "p", "title": "t", "version": 1, "steps": [task]})
    state.items["hand"] = Items({name: {"id": name} for name in ("site", "jobs")})
    for name in moved:
        state.unit(f"hand[{name}]").status = "done"
    return state


@pytest.mark.parametrize(
    ("state", "count"),
    [
        pytest.param(rotating("A1"), 0, id="kill waits for nobody"),
        pytest.param(rotating("B"), 1, id="overlap, and nobody has moved"),
        pytest.param(rotating("B", "site"), 1, id="overlap, and one has not moved"),
        pytest.param(rotating("B", "site", "jobs"), 0, id="overlap, and all work"),
        pytest.param(rotating("B", "site", "jobs", proof="credential.deliver"), 0, id="where nothing can be tested"),
        pytest.param(by_hand("site"), 1, id="overlap, and one has not moved by hand"),
        pytest.param(by_hand("site", "jobs"), 0, id="overlap, and all have moved by hand"),
        pytest.param(rotating("A2", fenced=True, hard_stop=LATER), 1, id="the fence holds"),
        pytest.param(rotating("A2", "site", "jobs", fenced=True, hard_stop=LATER), 0, id="the fence, and all moved"),
        pytest.param(rotating("A2", fenced=False, hard_stop=LATER), 0, id="the fence does not hold"),
        pytest.param(rotating("A2", fenced=True, hard_stop=EARLIER), 0, id="the hard stop has come"),
        pytest.param(rotating("C"), 0, id="close"),
    ],
)
def test_when_the_old_key_may_end(state: RunState, count: int) -> None:
    assert count == len(refusals("modes", case(clockwork.DisableKey(), state=state, now=lambda: NOW)))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        pytest.param("A1", {"to": "A1"}, id="kill"),
        pytest.param("A2 until 4h", {"to": "A2", "hard_stop": LATER}, id="fence, for a while"),
        pytest.param("A2 until 2026-05-02T13:00+00:00", {"to": "A2", "hard_stop": LATER}, id="fence, until"),
        pytest.param("B", {"to": "B"}, id="overlap"),
        pytest.param("C without the first week", {"to": "C", "uncovered": "the first week"}, id="close"),
    ],
)
def test_how_a_mode_is_written(text: str, facts: dict[str, str]) -> None:
    assert facts == read_mode(text, NOW)


@pytest.mark.parametrize(
    ("switches", "fenced", "lived_on"),
    [
        pytest.param([], False, False, id="kill from the beginning"),
        pytest.param(["B"], False, True, id="overlap"),
        pytest.param(["B", "A1"], False, True, id="an overlap that is over"),
        pytest.param(["A2", "A1"], True, True, id="a fence that is over"),
        pytest.param(["A2", "A1"], False, False, id="a fence that never held"),
        pytest.param(["C"], False, False, id="close"),
    ],
)
def test_whether_it_lived_on_is_known_afterwards(*, switches: list[str], fenced: bool, lived_on: bool) -> None:
    standing = Standing()
    standing.fenced = fenced
    standing.apply(written("run-1", "started", {}))
    for mode in switches:
        standing.apply(written("", "mode", {"to": mode}))
    standing.apply(written("run-2", "started", {}))

    assert ({"run-1"} if lived_on else set()) == standing.left_alive


def test_a_credential_that_is_found_later_lives_on_only_where_people_agree_to_it_again() -> None:
    standing = Standing()
    switches = [("run-1", "started", {}), ("", "mode", {"to": "B"}), ("run-2", "started", {})]
    for switch in (*switches, ("", "mode", {"to": "B"}), ("run-3", "started", {}), ("", "mode", {"to": "A1"})):
        standing.apply(written(*switch))

    assert {"run-1", "run-2"} == standing.left_alive


def written(run: str, event: str, facts: Mapping[str, Any]) -> Entry:
    return Entry(1, NOW, "inc-1", run, event, "", "ada", facts, 1, "", "")


@pytest.mark.parametrize("text", ["", "D", "kill", "B until 4h", "A2 until later", "A2 until 2026-05-02T13:00"])
def test_what_is_no_mode(text: str) -> None:
    with pytest.raises(RequestError):
        read_mode(text, NOW)


def seen(kind: Any = "private", exposed_at: datetime | None = NOW) -> Exposure:
    return Exposure(url="https://x.example/", kind=kind, exposed_at=exposed_at)


@pytest.mark.parametrize(
    ("text", "exposures", "verdict", "inspected", "said"),
    [
        pytest.param("A1", [seen("public")], "ours", {}, "", id="kill fits always"),
        pytest.param("A2", [seen()], "ours", {}, "without a hard stop", id="a fence for ever"),
        pytest.param("A2 until 4h", [seen("public")], "ours", {}, "", id="a fence"),
        pytest.param("B", [seen()], "ours", {}, "", id="overlap of what was private"),
        pytest.param("B", [seen(), seen("public")], "ours", {}, "for private exposures", id="overlap in public"),
        pytest.param("C", [seen()], "ours", {}, "nothing shows that it was dead", id="closed without a proof"),
        pytest.param("C", [seen()], "canary", {}, "", id="a canary"),
        pytest.param("C without the first week", [seen()], "ours", {}, "", id="with what is uncovered"),
        pytest.param("C", [seen()], "ours", {"state": "dead", "dead_since": EARLIER}, "", id="dead before"),
        pytest.param("C", [seen()], "ours", {"state": "dead", "dead_since": LATER}, "nothing shows", id="dead after"),
        pytest.param("C", [seen()], "ours", {"state": "dead"}, "nothing shows", id="dead, nobody knows since when"),
        pytest.param(
            "C", [seen(exposed_at=None)], "ours", {"state": "dead", "dead_since": EARLIER}, "nothing shows",
            id="dead, and nobody knows since when it was exposed",
        ),
    ],
)  # fmt: skip
def test_which_mode_fits(text: str, exposures: Any, verdict: str, inspected: Any, said: str) -> None:
    state = rotating("A1")
    state.started = {"ownership": {"verdict": verdict}}
    state.standing.exposures = exposures
    state.unit("look").planned, state.unit("look").facts = {"action": "credential.inspect"}, inspected

    if not said:
        check_mode(state, read_mode(text, NOW), NOW)
        return
    with pytest.raises(PlanRefused, match=said) as caught:
        check_mode(state, read_mode(text, NOW), NOW)
    assert all(one.guard == "modes" and one.where and one.remedy for one in caught.value.problems)


UNUSED: Mapping[str, Any] = {
    "sources": ["the log"], "since": NOW.isoformat(), "trusted": True, "missing": [], "foreign": 0,
}  # fmt: skip
HOLE = [{"since": NOW.isoformat(), "until": LATER}]


@pytest.mark.parametrize(
    ("facts", "exposures", "fits"),
    [
        pytest.param({}, [seen()], True, id="nobody unknown, over the whole exposure, as outsiders could not alter"),
        pytest.param({"since": EARLIER}, [seen()], True, id="read from before the exposure"),
        pytest.param({"missing_before": HOLE}, [seen()], True, id="a gap before the exposure"),
        pytest.param({"trusted": False}, [seen()], False, id="outsiders could have altered them"),
        pytest.param({"trusted": None}, [seen()], False, id="nobody knows whether they could"),
        pytest.param({"missing": HOLE}, [seen()], False, id="a gap"),
        pytest.param({"foreign": 1}, [seen()], False, id="a foreign use"),
        pytest.param({"foreign": None}, [seen()], False, id="nobody has counted"),
        pytest.param({"sources": []}, [seen()], False, id="no log was read"),
        pytest.param({"since": LATER}, [seen()], False, id="read from after its beginning"),
        pytest.param({"since": ""}, [seen()], False, id="nobody knows from when on"),
        pytest.param({}, [], False, id="exposed nowhere that is known"),
        pytest.param({}, [seen(exposed_at=None)], False, id="nobody knows since when it was exposed"),
        pytest.param({}, [seen(), seen(exposed_at=NOW - timedelta(hours=1))], False, id="elsewhere before"),
    ],
)  # fmt: skip
def test_use_records_close_a_case(facts: Mapping[str, Any], exposures: list[Exposure], fits: bool) -> None:
    state = rotating("A1")
    state.started = {"ownership": {"verdict": "ours"}}
    state.standing.exposures = exposures
    state.unit("traces").planned, state.unit("traces").facts = {"action": "credential.used"}, {**UNUSED, **facts}

    if fits:
        check_mode(state, read_mode("C", NOW), NOW)
        return
    with pytest.raises(PlanRefused, match="nothing shows that it was dead, or unused"):
        check_mode(state, read_mode("C", NOW), NOW)


@pytest.mark.parametrize(("newest", "fits"), [pytest.param(0, True, id="no use"), pytest.param(1, False, id="a use")])
def test_the_newest_use_records_count(newest: int, fits: bool) -> None:
    state = rotating("A1")
    state.standing.exposures = [seen()]
    for name, minutes, foreign in (("later", 5, newest), ("earlier", 0, 1 - newest)):
        unit = state.unit(name)
        unit.planned, unit.facts = {"action": "credential.used"}, {**UNUSED, "foreign": foreign}
        unit.ended_at = NOW + timedelta(minutes=minutes)

    try:
        check_mode(state, read_mode("C", NOW), NOW)
    except PlanRefused:
        assert not fits
    else:
        assert fits


def mode_of(place: Path, run: str) -> str:
    app = as_person(place, "ann")
    state = app.state(run)
    read = evaluate("${{ incident.mode }}", names(state, app.means))
    app.close()
    return str(read)


@pytest.fixture
def run(place: Path) -> str:
    playbook(place, KILL % ASKED)
    run = begun(place, "g")
    advanced(place, run)
    return run


def test_from_the_command_line_a_mode_that_does_not_fit_is_refused(place: Path, run: str) -> None:
    result = typed(place, "set", run, "mode=B", "--reason", "it is quieter")

    assert_refused(result, "modes", what="overlap is for private", place="incident.mode", way_out="fence it (A2)")
    assert "A1" == mode_of(place, run)


def test_away_from_kill_needs_a_commander_and_plans_again(place: Path, run: str) -> None:
    agreed(place, run, "kill")
    asked = typed(place, "set", run, "mode=A2 until 4h", "--reason", "300 holders")
    before = mode_of(place, run)
    agreed(place, run, "incident.mode")
    after = mode_of(place, run)
    advanced(place, run)

    assert (0, "A1", "A2") == (asked.exit_code, before, after)
    assert [] == effects(place), "what was approved before the switch is asked again"
    agreed(place, run, "kill")
    advanced(place, run)
    assert 1 == len(effects(place))


def test_towards_kill_at_once_and_by_a_commander_only(place: Path, run: str) -> None:
    typed(place, "set", run, "mode=A2 until 4h", "--reason", "300 holders")
    agreed(place, run, "incident.mode")
    refused = typed(place, "set", run, "mode=A1", "--reason", "foreign use")
    app = as_person(place, "carl")
    app.set(run, "mode", "A1", "foreign use")
    app.close()

    assert "ann does not have the role commander" in refused.stderr
    assert "A1" == mode_of(place, run)
    assert ["A2", "A1"] == [one["facts"]["to"] for one in timeline(place, run) if one["event"] == "mode"]


def timeline(place: Path, run: str) -> list[dict[str, Any]]:
    app = as_person(place, "ann")
    found = [entry.document() for entry in app.timeline(app.row(run).incident)]
    app.close()
    return found


def test_from_the_command_line_overlap_does_not_end_the_old_key_too_early(place: Path) -> None:
    settings(place, "    shared: true\n", "    shared: true\n    consumers: [{id: site, connection: cw, secret: s}]\n")
    (place / "private.json").write_text((Path(report(place))).read_text().replace('"public"', '"private"'))
    playbook(place, SWITCH % ("B", ASKED) + KILL % ", needs: [switch]")
    app = as_person(place, "ann")
    finding = read_finding((place / "private.json").read_text(), "f", app.means.sealer)
    run = app.begin(app.library.load("g"), finding, {}).run
    app.close()
    advanced(place, run)
    agreed(place, run, "switch")

    result = typed(place, "resume", run)

    assert_refused(
        result, "modes", what="working with a new credential: site", place="step kill", way_out="deliver and"
    )
    assert "B" == mode_of(place, run)
    assert [] == effects(place)


def test_from_the_command_line_a_playbook_switches_away_with_approval_only(place: Path) -> None:
    result = ran(place, SWITCH % ("C", ", retry: {attempts: 1}"))

    assert_refused(result, "modes", what="needs people's agreement", place="step switch", way_out="add `approval:`")


def test_a_declared_event_kills_at_once(place: Path, run: str) -> None:
    playbook(place, SWITCH % ("A1", ""), "h")
    app = as_person(place, "ann")
    other = app.means.sealer.secret("second-" + "w3Xk" * 6)
    second = app.begin(app.library.load("h"), Finding(value=other), {}, app.row(run).incident).run
    app.close()
    typed(place, "set", run, "mode=A2 until 4h", "--reason", "300 holders")
    agreed(place, run, "incident.mode")

    advanced(place, second)

    assert "A1" == mode_of(place, run)


def test_what_does_not_fit_any_more_is_not_entered_when_the_last_agrees(place: Path) -> None:
    settings(place, "    shared: true\n", "    shared: true\n    consumers: [{id: site, connection: cw, secret: s}]\n")
    playbook(place, KILL % ASKED)
    app = as_person(place, "ann")
    quiet = Exposure(url="https://wiki.lumen.example/", kind="private")
    finding = Finding(value=app.means.sealer.secret(leaked_value()), exposure=quiet)
    run = app.begin(app.library.load("g"), finding, {}).run
    app.set(run, "mode", "B", "nobody has seen it")
    loud = quiet.model_copy(update={"url": "https://x.example/", "kind": "public"})
    app.begin(app.library.load("g"), finding.model_copy(update={"exposure": loud}), {})
    app.close()

    app = as_person(place, "carl")
    with pytest.raises(PlanRefused, match="overlap is for private exposures"):
        app.approve(run, "incident.mode")
    app.close()
    assert "A1" == mode_of(place, run)


def test_a_switch_that_was_asked_about_in_another_mode_is_not_made(place: Path, run: str) -> None:
    typed(place, "set", run, "mode=A2 until 4h", "--reason", "300 holders")
    agreed(place, run, "incident.mode")
    typed(place, "set", run, "mode=A2 until 8h", "--reason", "still moving")
    app = as_person(place, "carl")
    app.set(run, "mode", "A1", "foreign use")
    with pytest.raises(RequestError, match="Nothing is asked at incident"):
        app.approve(run, "incident.mode")
    app.close()

    assert "A1" == mode_of(place, run)


def test_what_is_declined_in_the_same_moment_is_not_done(place: Path, run: str) -> None:
    typed(place, "set", run, "mode=A2 until 4h", "--reason", "300 holders")
    app = as_person(place, "carl")
    original = app.take_in_secrets

    def late() -> Any:
        app.take_in_secrets = original  # type: ignore[method-assign] - once is enough
        cora = as_person(place, "cora")
        cora.decline(run, "incident.mode", "kill it")
        cora.close()
        return original()

    app.take_in_secrets = late  # type: ignore[method-assign] - Cora is faster by a moment
    with pytest.raises(RequestError, match="Nothing is asked"):
        app.approve(run, "incident.mode")
    app.close()

    assert "A1" == mode_of(place, run)


def test_no_holder_agrees_by_way_of_a_run_for_another_credential(place: Path, run: str) -> None:
    app = as_person(place, "ann")
    other = app.means.sealer.secret("second-" + "w3Xk" * 6)
    second = app.begin(app.library.load("g"), Finding(value=other), {}, app.row(run).incident).run
    app.set(run, "mode", "A2 until 4h", "300 holders")
    app.close()

    app = as_person(place, "hal")
    with pytest.raises(RequestError, match="hal holds a credential of this incident"):
        app.approve(second, "incident.mode")
    app.close()

    assert "A1" == mode_of(place, run)


def test_a_switch_that_was_not_made_before_somebody_chose_to_kill_is_asked_about_again(place: Path) -> None:
    playbook(place, (SWITCH % ("A2, within: 4h", ASKED)))
    run = begun(place, "g")
    advanced(place, run)
    agreed(place, run, "switch")
    app = as_person(place, "carl")
    lease = app.dispatcher.adopt(run)
    intended = Draft("intended", {"digest": app.state(run).unit("switch").planned["digest"]}, run, "switch")
    app.dispatcher.timeline(app.row(run).incident).append(intended, fence=lease.fence)  # and the process dies
    app.dispatcher.leases.give_back(lease)
    app.set(run, "mode", "A2 until 1h", "they move")
    agreed(place, run, "incident.mode", person="cora")
    app.set(run, "mode", "A1", "foreign use")
    app.close()

    advanced(place, run)
    first = mode_of(place, run)
    agreed(place, run, "switch")
    advanced(place, run)

    assert ("A1", "A2") == (first, mode_of(place, run))
