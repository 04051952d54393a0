"""Who drives a run, and what no timing may do to it: no livelock, lost abort or secret in another process's words."""

import copy
import hashlib
import hmac
import time
from pathlib import Path

import pytest
from conftest import BOTH, OpenApp, leaked_value
from test_run import begun, driven, effects, statuses, when_asked, written
from test_timeline import tamper

from responder import dispatch
from responder.app import App
from responder.clock import SystemClock
from responder.entry import Draft
from responder.errors import RecordError, RequestError, StaleExecutor
from responder.lease import Lease
from responder.timeline import Timeline

pytestmark = pytest.mark.parametrize("record", BOTH, indirect=True)

APPROVAL = "approval: {role: commander, within: %s, on_timeout: %s}"


def each(approval: str = "", more: str = "") -> str:
    return f"""
  - id: each
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c]
    with: {{key: "${{{{ item }}}}"}}
    {approval}
    {more}
"""


@pytest.mark.parametrize(
    ("on_timeout", "status", "done"),
    [
        pytest.param("proceed", "done", {"a", "b", "c"}, id="proceed"),
        pytest.param("abort", "declined", set(), id="abort"),
        pytest.param("escalate(comms)", "declined", set(), id="escalate, and nobody there either"),
    ],
)
def test_silence_on_an_approval_for_many_does_what_the_playbook_says(
    opened: OpenApp, place: Path, on_timeout: str, status: str, done: set[str]
) -> None:
    app = opened()

    state = driven(app, begun(app, written(place, each(APPROVAL % ("0.1s", on_timeout)))))

    assert status == state.status("each")
    assert done == set(effects(place))


def test_an_escalated_approval_for_many_signs_the_same_items(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, each(APPROVAL % ("0.3s", "escalate(comms)"))))

    def approve(_: App) -> None:
        other = opened("cora")
        while other.state(run).unit("each").ask.role != "comms":  # type: ignore[union-attr]
            time.sleep(0.02)
        other.approve(run, "each")

    thread = when_asked(opened, run, "each", approve)
    state = driven(app, run)
    thread.join()

    assert "done" == state.status("each")
    assert {"a", "b", "c"} == set(effects(place))


def test_an_item_that_was_planned_after_the_question_is_asked_about_by_itself(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "unavailable-c").write_text("1")
    run = begun(app, written(place, each(APPROVAL % ("1h", "abort"), "retry: {first: 0.5s}")))
    signed: list[dict[str, str]] = []

    def approve(other: App) -> None:
        for count in (1, 2):
            while len(asks := asked(other, run)) < count:
                time.sleep(0.02)
            if count == 1:
                time.sleep(0.8)  # the third item is planned by now
            signed.append(asks[-1])
            other.approve(run, "each")

    thread = when_asked(opened, run, "each", approve)
    state = driven(app, run)
    thread.join()

    assert [{"a", "b"}, {"c"}] == [set(one) for one in signed]
    assert "done" == state.status("each")


def asked(app: App, run: str) -> list[dict[str, str]]:
    return [entry.facts["digests"] for entry in app.timeline(app.row(run).incident) if entry.event == "asked"]


def test_an_abort_stops_what_was_not_sent_yet(opened: OpenApp, place: Path) -> None:
    app = opened()
    steps = """
  - {id: each, phase: analysis, action: clockwork.nothing, for_each: [1, 2, 3, 4, 5, 6, 7, 8], max_parallel: 1,
     with: {seconds: 0.15}}
  - {id: pick, phase: analysis, action: human.task, with: {role: commander, instructions: "do it", on_timeout: abort}}
  - {id: watch, phase: analysis, action: clockwork.watch, with: {looks: 100000}}
  - {id: clean, phase: review, action: clockwork.turn, with: {key: clean}, if: "${{ always() }}"}
"""
    run = begun(app, written(place, steps))
    thread = when_asked(opened, run, "pick", lambda other: other.abort(run, "enough"))

    state = driven(app, run)
    thread.join()

    assert ("ended", False) == (state.state, state.contained)
    assert {"each": "skipped", "pick": "skipped", "watch": "skipped", "clean": "done"} == statuses(state)
    assert sum(unit.status == "done" for address, unit in state.units.items() if address.startswith("each[")) < 8


def test_a_limit_stops_a_step_with_many_items(opened: OpenApp, place: Path) -> None:
    app = opened()
    steps = """
  - {id: each, phase: analysis, action: clockwork.nothing, for_each: [ITEMS], max_parallel: 2,
     with: {seconds: 0.2}, limit: 0.3s}
""".replace("ITEMS", ", ".join(map(str, range(50))))  # five seconds without a limit

    started = time.monotonic()
    state = driven(app, begun(app, written(place, steps)))

    assert "failed" == state.status("each")
    assert "limit" in state.unit("each").error
    assert time.monotonic() - started < 2.5


def test_a_failed_proof_that_is_retried_is_looked_at_again_and_not_skipped(opened: OpenApp, place: Path) -> None:
    app = opened()
    steps = """
  - {id: look, phase: analysis, action: clockwork.watch, with: {looks: 30}, limit: 0.2s}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [look]}
"""
    run = begun(app, written(place, steps))
    assert "failed" == driven(app, run).status("look")

    app.retry(run, "look")
    state = driven(app, run)

    assert "failed" == state.status("look")  # it runs into its limit once more; it was not passed over
    assert "halted" == state.state


def test_a_write_that_fails_for_ever_is_asked_of_a_person_and_not_repeated_for_ever(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    (place / "world" / "always-a").write_text("")
    steps = "  - {id: a, phase: analysis, action: clockwork.broken, with: {key: a}, retry: {attempts: 3}}\n"
    run = begun(app, written(place, steps))
    thread = when_asked(opened, run, "a", lambda other: other.decide(run, "a", "happened"))

    state = driven(app, run)
    thread.join()

    intents = [entry for entry in app.timeline(app.row(run).incident) if entry.event == "intended"]
    assert 3 == len(intents)
    assert "done" == state.status("a")


@pytest.mark.parametrize("value", ["${{ 3 }}", "${{ 'abc' }}", "${{ none }}", "${{ [{'id': 1}, {'id': 1}] }}"])
def test_what_is_no_list_fails_its_step_with_a_reason(opened: OpenApp, place: Path, value: str) -> None:
    app = opened()

    state = driven(
        app,
        begun(
            app,
            written(place, f'  - {{id: a, phase: analysis, action: clockwork.nothing, for_each: "{value}"}}\n'),
        ),
    )

    assert ("failed", "refused") == (state.status("a"), state.unit("a").error_kind)


def test_an_executor_that_was_overtaken_while_it_waits_for_people_stops(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(
        app,
        written(
            place,
            "  - {id: a, phase: analysis, action: human.task, "
            "with: {role: commander, instructions: i, on_timeout: abort}}\n",
        ),
    )

    def overtake(other: App) -> None:
        with other.means.store.write() as writing:
            row = writing.run(run)
            assert row is not None
            writing.put_run(row._replace(epoch=row.epoch + 1))
        other.dispatcher.timeline(app.row(run).incident).append(
            Draft("adopted", {"epoch": 2, "executor": "elsewhere"}, run)
        )

    thread = when_asked(opened, run, "a", overtake)
    with pytest.raises(StaleExecutor):
        app.drive(run)
    thread.join()


def test_two_first_runs_at_once_have_a_heartbeat(opened: OpenApp, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "HEARTBEAT_SECONDS", 0.05)
    app = opened()
    steps = "  - {id: a, phase: analysis, action: clockwork.nothing, with: {seconds: 0.6}}\n"
    run = begun(app, written(place, steps))
    leases = app.dispatcher.leases
    leases._held["another"] = Lease("another", "", 1, "", others_dead=True)  # as if a second thread had come in between
    before = app.row(run).heartbeat

    app.drive(run)
    del leases._held["another"]

    assert app.row(run).heartbeat > before + 0.4


def test_a_sign_of_life_that_could_not_be_written_once_stops_nothing_later(
    opened: OpenApp, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record was away for a moment, and nobody had a turn when it came back: nothing showed life meanwhile."""
    monkeypatch.setattr(dispatch, "HEARTBEAT_SECONDS", 0.05)
    app = opened()
    steps = """
  - {id: a, phase: analysis, action: clockwork.nothing, with: {seconds: 0.4}}
  - {id: b, phase: analysis, action: human.task, needs: [a],
     with: {role: commander, instructions: i, on_timeout: abort}}
"""
    run = begun(app, written(place, steps))

    def away() -> None:
        raise RecordError("The record cannot be read or written: the server is away")

    with monkeypatch.context() as gone:
        gone.setattr(app.dispatcher.leases, "beat", away)
        with pytest.raises(RecordError, match="away"):
            app.dispatcher.advance(run)
        time.sleep(0.2)

    assert "waiting" == app.dispatcher.advance(run).state


# What people say in a process that has met no secret ------------------------------------------------------------------


def test_what_people_say_elsewhere_holds_no_secret_of_the_incident(opened: OpenApp, place: Path) -> None:
    """Whoever answers does it in a process of their own, whose Redactor has seen neither the leaked nor new value."""
    app = opened()
    steps = """
  - {id: new, phase: recovery, action: credential.issue, with: {label: next}}
  - {id: a, phase: analysis, action: human.task, needs: [new],
     with: {role: commander, instructions: i, on_timeout: abort}}
"""
    run = begun(app, written(place, steps))
    issued = f"new-value-next-{'x' * 20}"

    def talk(_: App) -> None:
        other = opened("carl")
        other.means.environment.clear()  # type: ignore[attr-defined]
        other.note(run, f"the token was {leaked_value()}, and the new one is {issued}")
        other.set(run, "remark", f"see {leaked_value()}")
        other.done(run, "a", f"I put {issued} in place")

    thread = when_asked(opened, run, "a", talk)
    driven(app, run)
    thread.join()

    stored = "".join(str(row) for row in app.means.store.rows(app.row(run).incident))
    assert 2 == stored.count('"text":"the token was <secret') + stored.count('"said":"I put <secret')
    assert leaked_value() not in stored
    assert issued not in stored


def test_a_run_whose_record_was_tampered_with_is_not_driven(opened: OpenApp, place: Path, record: str) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n"))
    app.close()
    tamper(record, "UPDATE entries SET payload = replace(payload, 'acct', 'acme') WHERE event = 'started'")
    tamper(record, "UPDATE entries SET actor = 'mallory' WHERE event = 'started'")

    with pytest.raises(RecordError, match="tampered"):
        opened().drive(run)

    assert [] == effects(place)


def test_an_agreement_written_by_hand_is_not_obeyed(opened: OpenApp, place: Path) -> None:
    """Whoever can write the file lacks the key: the forged row ends the run, and its change is not made."""
    app = opened()
    approval = "approval: {role: commander, within: 1h, on_timeout: abort}"
    run = begun(
        app, written(place, f"  - {{id: a, phase: analysis, action: clockwork.turn, with: {{key: a}}, {approval}}}\n")
    )

    def forge(other: App) -> None:
        digest = other.state(run).units["a"].ask.digest  # type: ignore[union-attr]
        sealer = copy.copy(other.means.sealer)
        sealer._sign = hmac.new(b"another key", digestmod=hashlib.sha256)
        forger = Timeline(other.means.store, sealer, SystemClock(), other.row(run).incident)
        forger.append(Draft("agreed", {"digest": digest, "role": "commander"}, run, "a", "carl"))

    thread = when_asked(opened, run, "a", forge)
    with pytest.raises(RecordError, match="tampered"):
        app.drive(run)
    thread.join()

    assert [] == effects(place)


def test_a_run_that_has_ended_is_not_taken_over(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.nothing}\n"))
    app.drive(run)
    count = len(app.timeline(app.row(run).incident))

    with pytest.raises(RequestError, match="has ended"):
        app.drive(run)

    assert count == len(app.timeline(app.row(run).incident))
