"""Workers: any number of processes that advance the runs of one shared record, and die at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import OpenApp, leaked_value
from cutting import Way
from procrastinate.schema import SchemaManager
from test_run import HEAD, begun, effects, written

from responder.app import App
from responder.finding import Exposure, Finding
from responder.fleet.jobs import Jobs

pytestmark = pytest.mark.parametrize("record", ["postgres"], indirect=True)

SECONDS = 20.0
"""How long anything may take."""
ASK = "  - {id: a, phase: analysis, action: human.task, with: {role: commander, instructions: i, on_timeout: abort}}\n"

Start = Callable[..., subprocess.Popen[bytes]]


def turns(count: int, more: str = "") -> str:
    return "".join(
        f"  - {{id: s{n}, phase: analysis, action: clockwork.turn, with: {{key: k{n}}}{more}"
        + (f", needs: [s{n - 1}]}}\n" if n else "}\n")
        for n in range(count)
    )


@pytest.fixture
def start(place: Path, record: str) -> Iterator[Start]:
    """Start workers; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(*kill: str, at: str = record, **more: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, "LEAKED": leaked_value(), "SECOND": "second-" + "w3Xk" * 6, "HOME": str(place), **more,
        }  # fmt: skip
        command = [sys.executable, str(Path(__file__).parent / "working.py"), str(place), at, *kill]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield start_one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def until(holds: Callable[[], Any], seconds: float = SECONDS) -> float:
    """Wait until something holds; return after how many seconds it did."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it took too long"
        time.sleep(0.02)
    return time.monotonic() - began


def two(app: App, start: Start) -> list[subprocess.Popen[bytes]]:
    workers = [start(), start()]
    until(lambda: len(app.attendance.workers()) == 2)
    return workers


def working(app: App, run: str, workers: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Return the worker that has a run."""
    until(lambda: app.row(run).executor)
    return next(one for one in workers if app.row(run).executor.split(":")[1] == str(one.pid))


def ended(app: App, run: str) -> Callable[[], bool]:
    return lambda: app.row(run).state == "ended"


def test_a_worker_advances_what_was_begun_before_it_and_what_is_begun_after(
    opened: OpenApp, place: Path, start: Start
) -> None:
    app = opened()
    first = begun(app, written(place, turns(3)))
    start()

    until(ended(app, first))
    seconds = until(ended(app, begun(app, written(place, turns(2)))))

    assert [f"k{n}" for n in (0, 1, 2)] == effects(place)  # the second run finds everything turned already
    assert seconds < 3


def test_what_people_answer_goes_on_at_once_and_a_waiting_run_costs_no_turn(
    opened: OpenApp, place: Path, start: Start
) -> None:
    app = opened()
    start()
    run = begun(app, written(place, ASK))
    until(lambda: app.state(run).asks() and not app.row(run).executor)

    opened("carl").done(run, "a", "done")

    assert until(ended(app, run)) < 2


def test_a_person_s_time_that_is_up_is_seen_without_anybody(opened: OpenApp, place: Path, start: Start) -> None:
    app = opened()
    start()
    until(app.attendance.workers)
    approval = "approval: {role: commander, within: 3s, on_timeout: proceed}"
    steps = f"  - {{id: a, phase: analysis, action: clockwork.turn, with: {{key: a}}, {approval}}}\n"
    run = begun(app, written(place, steps))

    seconds = until(ended(app, run))

    assert ["a"] == effects(place)
    assert 3 <= seconds < 8  # at most two seconds late, on an idle machine


def test_a_child_run_and_its_parent_take_turns(opened: OpenApp, place: Path, start: Start) -> None:
    app = opened()
    written(
        place,
        """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill]}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
""",
        "leaked-credential",
        HEAD + "match: [{exposure: public}]\n",
    )
    (place / "world" / "found").write_text("second-" + "w3Xk" * 6)
    find = "  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: '@found'}}\n"
    start()
    start()

    run = begun(app, written(place, find + """exit: ["${{ children('look').dead }}"]\n"""))

    until(ended(app, run))
    assert app.state(run).contained
    assert 2 == len(app.runs())


def test_from_a_worker_s_death_to_the_next_one_at_work_takes_seconds(
    opened: OpenApp, place: Path, start: Start
) -> None:
    app = opened()
    workers = two(app, start)
    long = "  - {id: long, phase: analysis, action: clockwork.nothing, with: {seconds: 2}}\n"
    run = begun(app, written(place, long + turns(3)))
    busy = working(app, run, workers)
    until(lambda: effects(place))

    busy.kill()
    seconds = until(lambda: app.row(run).epoch == 2)
    until(ended(app, run))

    assert seconds < 8, "about 4 s on an idle machine"
    assert ["k0", "k1", "k2"] == effects(place)


@pytest.mark.parametrize("point", ["before-apply", "after-apply", "after-record"])
def test_killed_in_the_middle_of_an_effect_another_worker_finishes_and_nothing_is_doubled(
    opened: OpenApp, place: Path, start: Start, point: str
) -> None:
    app = opened()
    first = start("SIGKILL", point, "s1")
    until(app.attendance.workers)
    run = begun(app, written(place, turns(3)))
    first.wait(SECONDS)
    start()

    until(ended(app, run))

    assert ["k0", "k1", "k2"] == effects(place)
    assert [] == app.verify(app.row(run).incident)


def test_a_stopped_worker_that_continues_does_nothing_after_its_epoch(
    opened: OpenApp, place: Path, start: Start
) -> None:
    app = opened()
    first = start("SIGSTOP", "before-apply", "s1")
    until(app.attendance.workers)
    run = begun(app, written(place, turns(6)))
    until(lambda: stopped(first))
    start()
    until(ended(app, run), 40)
    done = effects(place)

    os.kill(first.pid, signal.SIGCONT)
    again = begun(opened("cora"), written(place, turns(2).replace("key: k", "key: n")))
    until(ended(app, again))
    first.send_signal(signal.SIGTERM)

    assert 0 == first.wait(SECONDS)
    assert [f"k{n}" for n in range(6)] == done
    assert [*done, "n0", "n1"] == effects(place)
    assert [] == app.verify(app.row(run).incident)


def stopped(process: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0] == "T"


def several(app: App, playbook: str, count: int) -> list[str]:
    """Begin runs, each for a credential of its own."""
    book = app.library.load(playbook)
    values = [app.means.sealer.secret(f"value-{number}-" + "x" * 20) for number in range(count)]
    return [app.begin(book, Finding(value=value, exposure=Exposure(kind="public")), {}).run for value in values]


def test_one_place_takes_many_runs_one_after_the_other(opened: OpenApp, place: Path, start: Start) -> None:
    app = opened()
    assert app.attendance.jobs is not None
    app.attendance.jobs.make(SchemaManager.get_schema())
    runs = several(app, written(place, turns(1)), 12)
    start(CONCURRENCY="1")

    until(lambda: all(app.row(run).state == "ended" for run in runs))

    until(lambda: [] == jobs_left(app))
    assert [] == [problem for run in runs for problem in app.verify(app.row(run).incident)]


@pytest.mark.parametrize("point", ["before-apply", "after-apply", "after-record"])
def test_killed_at_a_run_that_its_job_went_on_with_another_worker_finishes_it_and_all_that_wait(
    opened: OpenApp, place: Path, start: Start, point: str
) -> None:
    app = opened()
    assert app.attendance.jobs is not None
    app.attendance.jobs.make(SchemaManager.get_schema())
    key = "${{ incident.id }}"
    one = f"  - {{id: one, phase: analysis, action: clockwork.turn, with: {{key: '{key}'}}}}\n"
    runs = several(app, written(place, one), 6)
    first = start("SIGKILL", point, "one", CONCURRENCY="1", TIME="3")
    assert -signal.SIGKILL == first.wait(SECONDS)
    assert ["ended", "ended", "open", "open", "open", "open"] == [app.row(run).state for run in runs]

    start()

    until(lambda: all(app.row(run).state == "ended" for run in runs))
    incidents = [app.row(run).incident for run in runs]
    assert sorted(incidents) == sorted(effects(place))
    assert [] == [problem for incident in incidents for problem in app.verify(incident)]
    until(lambda: [] == jobs_left(app))


def test_a_worker_that_is_told_to_leave_leaves_what_waits_to_others(opened: OpenApp, place: Path, start: Start) -> None:
    app = opened()
    assert app.attendance.jobs is not None
    app.attendance.jobs.make(SchemaManager.get_schema())
    long = "  - {id: long, phase: analysis, action: clockwork.nothing, with: {seconds: 1.0}}\n"
    runs = several(app, written(place, long), 8)
    worker = start(CONCURRENCY="1")
    working(app, runs[0], [worker])

    worker.send_signal(signal.SIGTERM)

    assert 0 == worker.wait(SECONDS)
    assert [*runs[1:], runs[0]] == jobs_left(app)  # only the one that it had was touched


def jobs_left(app: App) -> list[str]:
    """Return the runs that have jobs, in the order in which they were queued."""
    assert app.attendance.jobs is not None
    with psycopg.connect(**Jobs.parameters(app.attendance.jobs.location)) as database:
        rows = database.execute("SELECT args ->> 'run' FROM procrastinate_jobs ORDER BY id").fetchall()
    return [run for (run,) in rows]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_worker_that_is_told_to_leave_ends_its_step_and_hands_the_run_on(
    opened: OpenApp, place: Path, start: Start, number: int, code: int
) -> None:
    app = opened()
    workers = two(app, start)
    long = "  - {id: long, phase: analysis, action: clockwork.nothing, with: {seconds: 1.5}}\n"
    after = "  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [long]}\n"
    run = begun(app, written(place, long + after))
    first = working(app, run, workers)
    time.sleep(0.3)  # the step is under way

    first.send_signal(number)

    assert code == first.wait(SECONDS)
    assert 1 == len(app.attendance.workers())
    assert until(ended(app, run)) < 2.5
    assert 1 == sum(entry.event == "began" and entry.step == "long" for entry in app.timeline(app.row(run).incident))
    assert ["after"] == effects(place)


@pytest.fixture
def way(record: str) -> Iterator[Way]:
    opened = Way(record)
    yield opened
    opened.close()


def cut_off(way: Way, seconds: float) -> None:
    """Let nobody through for a while."""
    way.closed = True
    way.hang_up()
    time.sleep(seconds)


LONG = "  - {id: long, phase: analysis, action: clockwork.nothing, with: {seconds: 25}}\n"


def test_a_worker_takes_runs_as_soon_as_the_server_is_back_whatever_step_is_under_way(
    opened: OpenApp, place: Path, way: Way, start: Start
) -> None:
    app = opened()
    worker = start(at=way.url)
    until(app.attendance.workers)
    (long,) = several(app, written(place, LONG, "long"), 1)
    working(app, long, [worker])
    cut_off(way, 8)
    run = begun(app, written(place, turns(2)))

    way.closed = False

    assert until(ended(app, run)) < 6, "about 2 s on an idle machine"
    assert "ended" != app.row(long).state


def test_a_worker_tells_in_a_line_that_the_server_is_away(
    opened: OpenApp, way: Way, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    app = opened()
    start(at=way.url)
    until(app.attendance.workers)
    told: list[str] = []

    def lines() -> set[str]:
        told.append(capfd.readouterr().err)
        return {line.partition(":")[0] for line in "".join(told).splitlines()}

    cut_off(way, 6)
    until(lines)
    way.closed = False
    time.sleep(3)  # it connects again, and says no more

    assert {"The queue cannot be reached, trying again"} == lines()


def test_a_worker_that_is_told_to_leave_while_the_server_is_away_leaves(
    opened: OpenApp, way: Way, start: Start
) -> None:
    app = opened()
    worker = start(at=way.url)
    until(app.attendance.workers)
    cut_off(way, 3)

    worker.send_signal(signal.SIGTERM)

    assert 0 == worker.wait(12)


def test_a_second_signal_ends_a_worker_at_once_although_the_server_is_away(
    opened: OpenApp, place: Path, way: Way, start: Start
) -> None:
    app = opened()
    worker = start(at=way.url)
    until(app.attendance.workers)
    (long,) = several(app, written(place, LONG, "long"), 1)
    working(app, long, [worker])
    cut_off(way, 8)
    worker.send_signal(signal.SIGTERM)
    time.sleep(8)
    assert worker.poll() is None, "its step is still under way"

    worker.send_signal(signal.SIGTERM)

    assert 128 + signal.SIGTERM == worker.wait(2)
