"""Turns at a run: who is proven dead, what stands in the run's row, and that no wish to go on is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import BOTH, OpenApp
from test_run import HEAD, begun, effects, written

from responder.app import App
from responder.clock import SystemClock
from responder.errors import RequestError, StaleExecutor
from responder.lease import Presence, host_of
from responder.store import Turn
from responder.upkeep import refuse_live

TURN = "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n"
ASK = "  - {id: a, phase: analysis, action: human.task, with: {role: commander, instructions: i, on_timeout: abort}}\n"
LIVE = """
import sys, time
from pathlib import Path
from responder.lease import Presence
presence = Presence(Path(sys.argv[1]))
presence.show()
print(presence.name, flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LIVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)


def test_a_file_lock_proves_death_and_neither_life_nor_sleep(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    assert other.stdout is not None
    name = other.stdout.readline().strip()
    mine = Presence(tmp_path)

    live = mine.proves_dead(name)
    os.kill(other.pid, signal.SIGSTOP)
    stopped = mine.proves_dead(name)
    os.kill(other.pid, signal.SIGKILL)
    other.wait(10)
    other.stdout.close()

    assert [False, False, True] == [live, stopped, mine.proves_dead(name)]
    assert mine.proves_dead(name), "a second run of the same dead executor"


@pytest.mark.parametrize("name", ["", "host", "host:1", "host:1:", "host:1:../x", "elsewhere:1:0123456789ab"])
def test_whose_lock_is_not_in_the_folder_is_not_proven_dead(tmp_path: Path, name: str) -> None:
    Presence(tmp_path).show()

    assert not Presence(tmp_path).proves_dead(name)


def test_whoever_leaves_in_good_order_leaves_no_file(tmp_path: Path) -> None:
    presence = Presence(tmp_path)
    presence.show()
    assert 1 == len(list((tmp_path / "locks").iterdir()))

    presence.end()

    assert [] == list((tmp_path / "locks").iterdir())


def test_a_run_wants_to_be_advanced_from_its_first_entry_to_its_last(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, TURN))
    first = app.row(run).wake_at

    app.drive(run)

    assert first <= app.means.clock.now().isoformat()
    assert first != ""
    assert ("ended", "", "") == (app.row(run).state, app.row(run).wake_at, app.row(run).executor)


def test_a_run_that_waits_for_people_wants_nothing_until_one_answers(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, ASK))
    pause = app.dispatcher.advance(run)
    waiting = app.row(run)

    opened("carl").done(run, "a", "done")

    assert ("waiting", "") == (pause.state, waiting.executor)
    assert app.means.clock.now().isoformat() < waiting.wake_at, "the question's own time is up later"
    assert "" != app.row(run).wake_at <= app.means.clock.now().isoformat()
    assert "ended" == app.dispatcher.advance(run).state


def test_what_concerns_all_runs_of_an_incident_wakes_them_all(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, ASK))
    app.dispatcher.advance(run)

    app.set(run, "severity", "P3")

    assert "" != app.row(run).wake_at <= app.means.clock.now().isoformat()


def test_whoever_had_the_last_turn_goes_on_without_an_entry(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, ASK))
    for _ in range(3):
        app.dispatcher.advance(run)
    one = [entry.facts["epoch"] for entry in app.timeline(app.row(run).incident) if entry.event == "adopted"]

    opened().dispatcher.advance(run)
    app.dispatcher.advance(run)

    adopted = [entry for entry in app.timeline(app.row(run).incident) if entry.event == "adopted"]
    assert [1] == one
    assert [1, 2, 3] == [entry.facts["epoch"] for entry in adopted]
    assert [True, True, True] == [entry.facts["handed_on"] for entry in adopted]


def test_whoever_is_faster_keeps_the_run_and_the_slower_sends_nothing(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened()
    run = begun(app, written(place, TURN))
    seen = app.dispatcher.look(run)
    other.dispatcher.adopt(run)

    with pytest.raises(StaleExecutor):
        app.dispatcher.advance(run, seen)

    assert [] == effects(place)
    assert [1] == [entry.facts["epoch"] for entry in app.timeline(app.row(run).incident) if entry.event == "adopted"]
    assert other.row(run).executor == other.dispatcher.leases.presence.name


def test_who_drives_a_run_that_waits_has_its_turn_written(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    run = begun(other, written(place, ASK))
    other.dispatcher.advance(run)
    thread = threading.Thread(target=app.drive, args=(run,))
    thread.start()

    time.sleep(0.5)
    executor = other.row(run).executor
    other.done(run, "a", "done")
    thread.join(10)

    assert executor == app.dispatcher.leases.presence.name
    assert other.row(run).state == "ended"


def test_whoever_goes_on_without_an_entry_keeps_the_run_as_well(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened()
    run = begun(app, written(place, ASK))
    other.dispatcher.advance(run)
    seen = app.dispatcher.look(run)
    other.dispatcher.leases.adopt(other.row(run), "its turn", handed_on=True)
    assert isinstance(seen, Turn)

    with pytest.raises(StaleExecutor):
        app.dispatcher.leases.adopt(seen.row, "resumed")

    assert other.row(run).executor == other.dispatcher.leases.presence.name


def test_a_turn_that_was_given_back_at_once_is_nobodys_afterwards(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, TURN))

    app.dispatcher.leases.give_back(app.dispatcher.leases.adopt(app.row(run), "its turn", soon=True))
    app.note(run, "somebody writes something")

    assert app.row(run).executor == ""


@pytest.mark.parametrize("goes_on", ["advance", "drive"])
def test_a_turn_stands_in_the_record_while_something_long_is_read(opened: OpenApp, place: Path, goes_on: str) -> None:
    app, other = opened(), opened()
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.nothing, with: {seconds: 1.0}}\n"))
    thread = threading.Thread(target=getattr(app.dispatcher, goes_on), args=(run,))
    thread.start()

    time.sleep(0.5)
    row, events = other.row(run), [entry.event for entry in other.timeline(other.row(run).incident)]
    thread.join()

    assert app.dispatcher.leases.presence.name == row.executor
    assert ["adopted", "began"] == events[-2:]


def test_an_answer_that_comes_while_a_run_is_given_back_is_seen(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, ASK))
    lease = app.dispatcher.adopt(run)
    seen = len(app.timeline(lease.incident))
    opened("carl").note(run, "I am on it")

    given_back = app.dispatcher.leases.settle(lease, "", seen, leave=True)

    assert not given_back
    assert app.row(run).executor
    assert "" != app.row(run).wake_at <= app.means.clock.now().isoformat()


def test_a_process_does_not_work_twice_on_one_run(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, TURN))
    app.dispatcher.adopt(run)

    with pytest.raises(RequestError, match="already"):
        app.dispatcher.advance(run)

    assert [] == effects(place)


def test_a_run_that_goes_on_at_once_is_not_given_back_in_between(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: w, phase: analysis, action: clockwork.watch, with: {looks: 5}}\n"))

    assert "ended" == app.dispatcher.advance(run).state


def test_a_run_that_goes_on_later_says_when(opened: OpenApp, place: Path) -> None:
    app = opened()
    approval = "approval: {role: commander, within: 1h, on_timeout: abort}"
    steps = f"  - {{id: a, phase: analysis, action: clockwork.turn, with: {{key: a}}, {approval}}}\n"
    run = begun(app, written(place, steps))

    pause = app.dispatcher.advance(run)

    assert pause.wake_at is not None
    assert pause.wake_at.isoformat() == app.row(run).wake_at


def test_a_child_s_end_wakes_its_parent(opened: OpenApp, place: Path) -> None:
    app = opened()
    written(place, TURN, "leaked-credential", HEAD + "match: [{exposure: public}]\n")
    find = "  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: '@planted'}}\n"
    run = begun(app, written(place, find + """exit: ["${{ children('look').dead }}"]\n"""))
    app.dispatcher.advance(run)
    before = app.row(run).wake_at
    child = next(row.run for row in app.runs() if row.run != run)

    app.dispatcher.advance(child)

    assert "" == before
    assert "" != app.row(run).wake_at <= app.means.clock.now().isoformat()
    assert "ended" == app.dispatcher.advance(run).state


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_what_is_wanted_at_once_is_due_by_every_clock(opened: OpenApp, place: Path) -> None:
    """The host whose clock is ahead must not make the others wait until theirs has come so far."""
    app, behind = opened(clock=Ahead(60.0)), opened("carl").means.clock
    run = begun(app, written(place, ASK))
    begun_for = app.row(run).wake_at
    app.dispatcher.advance(run)
    opened("carl", clock=Ahead(60.0)).done(run, "a", "done")

    answered_for = app.row(run).wake_at
    app.dispatcher.adopt(run)

    for wanted in (begun_for, answered_for, app.row(run).wake_at):
        assert "" != wanted <= behind.now().isoformat()


class Ahead(SystemClock):
    """The clock of a host that is wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._by


def test_a_stop_keeps_the_wish_to_go_on(opened: OpenApp, place: Path) -> None:
    app = opened()
    steps = "".join(
        f"  - {{id: s{n}, phase: analysis, action: clockwork.nothing, with: {{seconds: 0.2}}"
        + (f", needs: [s{n - 1}]}}\n" if n else "}\n")
        for n in range(9)
    )
    run = begun(app, written(place, steps))

    thread = stopped_soon(app)
    app.dispatcher.advance(run)
    thread.join()

    row = app.row(run)
    assert ("open", "") == (row.state, row.executor)
    assert "" != row.wake_at <= app.means.clock.now().isoformat()


def stopped_soon(app: App) -> threading.Thread:
    def stop() -> None:
        time.sleep(0.3)
        app.dispatcher.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


@pytest.mark.parametrize(("ahead", "alive"), [(1.0, True), (-1.0, True), (-10.0, False), (3600.0, False)])
def test_who_died_before_the_clock_was_set_back_is_not_alive(
    opened: OpenApp, place: Path, ahead: float, alive: bool
) -> None:
    """Its last sign of life lies ahead: nobody would go on with the run until the clock has come there again."""
    app = opened()
    run = begun(app, written(place, TURN))
    with app.means.store.write() as writing:
        writing.put_run(app.row(run)._replace(executor="elsewhere:7:dead", heartbeat=app.means.store.now() + ahead))

    assert alive == app.dispatcher.alive(app.row(run))
    if alive:
        with pytest.raises(RequestError, match="Somebody works on"):
            refuse_live(app.means.store)
        return
    refuse_live(app.means.store)
    assert "ended" == app.dispatcher.advance(run).state


def test_an_executor_is_shown_as_its_host_and_process() -> None:
    assert ["host:1", "host:1", ""] == [host_of("host:1:abc"), host_of("host:1"), host_of("")]
