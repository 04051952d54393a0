"""Killed at any point, or stopped and overtaken: nothing is lost, nothing is doubled."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from conftest import BOTH, OpenApp, leaked_value
from test_run import HEAD, begun, effects, statuses, when_asked, written

from responder.app import App
from responder.errors import RecordError, RequestError
from responder.run import Runner
from responder.transport import PERMIT_SECONDS

pytestmark = pytest.mark.parametrize("record", BOTH, indirect=True)

STEPS = """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: turn, phase: containment, action: clockwork.turn, with: {key: a}, needs: [look]}
  - {id: agreed, phase: containment, action: clockwork.final, with: {key: f}, needs: [turn],
     approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: watch, phase: containment, action: clockwork.watch, needs: [turn]}
  - {id: new, phase: recovery, action: credential.issue, needs: [watch], with: {label: next}}
  - {id: each, phase: recovery, action: clockwork.turn, for_each: [i, j, k], max_parallel: 2,
     with: {key: "${{ item }}"}, needs: [look]}
  - {id: skip, phase: recovery, action: clockwork.turn, if: "${{ steps.look.happened }}", with: {key: never}}
  - {id: say, phase: communication, action: clockwork.say, with: {key: said}, needs: [turn]}
"""
POINTS = ("before-apply", "after-apply", "after-record")


def spawn(place: Path, record: str, run: str, *kill: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "LEAKED": leaked_value(),
        "SECOND": "second-" + "w3Xk" * 6,
        "HOME": str(place),
        "PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parent.parent))),
    }
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "crashing.py"), str(place), record, run, *kill],
        env=environment,
    )


def answer_all(app: App, run: str, place: Path, until: subprocess.Popen[bytes]) -> None:
    """Answer whatever is asked, truthfully, until the process ends."""
    while until.poll() is None:
        for ask in app.state(run).asks():
            try:
                if ask.kind == "approval":
                    app.approve(run, ask.unit)
                elif ask.kind == "unknown":
                    app.decide(run, ask.unit, "happened" if "said" in effects(place) else "not-happened")
            except RequestError:
                continue  # the process was faster
        time.sleep(0.02)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("step", ["look", "turn", "agreed", "watch", "new", "each[i]", "skip", "say"])
def test_killed_at_a_point_and_resumed_the_end_is_the_same(
    opened: OpenApp, place: Path, record: str, step: str, point: str
) -> None:
    app = opened()
    run = begun(app, written(place, STEPS))
    other = opened("carl")

    first = spawn(place, record, run, point, step)
    answer_all(other, run, place, first)
    second = spawn(place, record, run)
    answer_all(other, run, place, second)

    assert -signal.SIGKILL == first.returncode, "the kill point was never reached"
    assert 0 == second.returncode
    state = other.state(run)
    assert {"skip": "skipped"} == {
        name: status for name, status in statuses(state).items() if status not in {"done", "unchanged"}
    }
    assert sorted(["a", "f", "i", "j", "k", "said", "key next"]) == sorted(effects(place))
    assert [] == other.verify(state.incident["id"])


def test_what_nobody_can_recognise_is_made_again_after_a_kill_and_the_record_says_until_when_an_orphan_may_live(
    opened: OpenApp, place: Path, record: str
) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: a, phase: recovery, action: clockwork.hourly, with: {key: a}}\n"))

    first = spawn(place, record, run, "after-apply", "a")
    first.wait(60)
    second = spawn(place, record, run)
    second.wait(60)

    assert (-signal.SIGKILL, 0) == (first.returncode, second.returncode)
    assert ["a", "a"] == effects(place)
    assert app.state(run).unit("a").facts["orphan_until"]


def test_a_stopped_executor_is_overtaken_and_does_nothing_after_its_epoch(
    opened: OpenApp, place: Path, record: str
) -> None:
    app = opened()
    steps = "".join(
        f"  - {{id: s{n}, phase: analysis, action: clockwork.turn, with: {{key: k{n}}}"
        + (f", needs: [s{n - 1}]" if n else "")
        + "}\n"
        for n in range(40)
    )
    steps = steps.replace(
        "  - {id: s20,",
        "  - {id: pause, phase: analysis, action: clockwork.nothing, with: {seconds: 1}, needs: [s19]}\n  - {id: s20,",
    ).replace("needs: [s19]}\n  - {id: s21", "needs: [pause]}\n  - {id: s21")
    run = begun(app, written(place, steps.replace("key: k20}, needs: [s19]", "key: k20}, needs: [pause]")))

    first = spawn(place, record, run)
    while len(effects(place)) < 5:
        time.sleep(0.005)
    stop_outside_a_transaction(first, record)
    stopped_with = len(effects(place))
    time.sleep(4.5)
    second = spawn(place, record, run)
    second.wait(60)
    os.kill(first.pid, signal.SIGCONT)
    first.wait(30)

    assert 0 == second.returncode
    assert stopped_with < 40, "it was stopped too late to show anything"
    assert 70 == first.returncode
    assert sorted(f"k{n}" for n in range(40)) == sorted(effects(place))


def stop_outside_a_transaction(process: subprocess.Popen[bytes], record: str) -> None:
    """Stop it where it holds no lock: inside a transaction, it makes everybody wait who writes the same."""
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0] != "T":
            time.sleep(0.001)  # the signal takes effect a moment after it was sent
        if outside_a_transaction(record):
            return
        os.kill(process.pid, signal.SIGCONT)


def outside_a_transaction(record: str) -> bool:
    if "://" in record:
        with psycopg.connect(record) as database:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'responder' AND state <> 'idle'"
            return database.execute(query).fetchone() == (0,)
    database = sqlite3.connect(record, timeout=0.05, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()
    return True


def test_a_live_executor_is_not_replaced(opened: OpenApp, place: Path, record: str) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.nothing, with: {seconds: 2}}\n"))
    process = spawn(place, record, run)
    while not app.runs()[0].executor:
        time.sleep(0.02)

    with pytest.raises(RequestError, match="is working on this run"):
        app.drive(run)

    assert 0 == process.wait(20)


def test_a_changed_change_asks_again(opened: OpenApp, place: Path) -> None:
    app = opened()
    approval = "approval: {role: commander, within: 1h, on_timeout: abort}"
    run = begun(
        app,
        written(
            place, f"  - {{id: a, phase: analysis, action: clockwork.turn, with: {{key: a}}, {approval}}}\n", head=HEAD
        ),
    )
    (place / "world" / "account").write_text("acct-1")
    asked: list[str] = []

    def approve(other: App) -> None:
        """Agree to the first change, and let the world change before it is applied: the digest is another then."""
        ask = other.state(run).unit("a").ask
        assert ask is not None
        asked.append(ask.digest)
        clockwork_note(place)
        other.approve(run, "a")
        for _ in range(200):
            again = other.state(run).unit("a").ask
            if again is not None and again.digest != asked[0]:
                asked.append(again.digest)
                other.approve(run, "a")
                return
            time.sleep(0.02)

    thread = when_asked(opened, run, "a", approve)
    app.drive(run)
    thread.join()

    assert 2 == len(set(asked))
    assert ["a"] == effects(place)


def clockwork_note(place: Path) -> None:
    (place / "world" / "note").write_text(" twice")


@pytest.mark.parametrize("action", ["say", "turn"])
def test_whoever_takes_over_from_somebody_who_may_live_looks_when_nothing_can_be_on_its_way_any_more(
    opened: OpenApp, place: Path, record: str, action: str
) -> None:
    def stop(point: str, step: str) -> None:
        if point == "before-apply":
            raise RecordError("stopped between the intent and the send")

    first = opened(hook=stop)
    run = begun(
        first, written(place, f"  - {{id: a, phase: analysis, action: clockwork.{action}, with: {{key: x}}}}\n")
    )
    with pytest.raises(RecordError):
        first.drive(run)
    second = opened()
    second.means.transport.request_seconds = 0.5
    incident = second.row(run).incident
    lease = second.dispatcher.adopt(run)

    Runner(second.means, second.dispatcher.timeline(incident), lease.fence, others_dead=False).advance()

    (intended, *_), (after, *_) = (
        [entry.at for entry in second.timeline(incident) if entry.event in events]
        for events in ({"intended"}, {"unknown", "reconciled", "applied"})
    )
    assert (after - intended).total_seconds() >= PERMIT_SECONDS + 0.5
