"""The queue beside a shared record: a job is a hint, the sweep queues what the record says is due, and the trap."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from typing import Any

import procrastinate
import psycopg
import pytest
from conftest import OpenApp
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.schema import SchemaManager
from test_run import begun, written

from responder.app import App
from responder.fleet.jobs import PEOPLE, SCHEMA, TIMES, Jobs
from responder.store import Head, Row, Writing

pytestmark = pytest.mark.parametrize("record", ["postgres"], indirect=True)

ASK = "  - {id: a, phase: analysis, action: human.task, with: {role: commander, instructions: i, on_timeout: abort}}\n"


@pytest.fixture
def app(opened: OpenApp) -> App:
    app = opened()
    assert app.attendance.jobs is not None
    app.attendance.jobs.make(SchemaManager.get_schema())
    return app


@pytest.fixture
def database(app: App) -> Iterator[psycopg.Connection[Any]]:
    assert app.attendance.jobs is not None
    with psycopg.connect(**Jobs.parameters(app.attendance.jobs.location)) as connection:
        yield connection


def waiting(database: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return database.execute(
        "SELECT args ->> 'run', priority, scheduled_at IS NOT NULL FROM procrastinate_jobs WHERE status = 'todo'"
        " ORDER BY id"
    ).fetchall()


def emptied(database: psycopg.Connection[Any]) -> None:
    database.execute("DELETE FROM procrastinate_jobs")


def due(app: App, run: str, seconds: float, **more: Any) -> None:
    """Let a run's row say that it is due in so many seconds."""
    at = (app.means.clock.now() + timedelta(seconds=seconds)).isoformat()
    with app.means.store.write() as writing:
        row = writing.run(run)
        assert row is not None
        writing.put_run(row._replace(wake_at=at, **more))


def swept(app: App) -> list[str]:
    assert app.attendance.jobs is not None
    return app.attendance.jobs.sweep()


def test_a_run_is_queued_when_it_begins_and_once_only(app: App, place: Any, database: Any) -> None:
    run = begun(app, written(place, ASK))
    app.note(run, "hurry")
    app.note(run, "please")

    assert [(run, PEOPLE, False)] == waiting(database)
    assert [] == swept(app)


def test_what_the_record_says_is_due_and_has_no_job_is_queued(app: App, place: Any, database: Any) -> None:
    run = begun(app, written(place, ASK))
    emptied(database)

    assert [run] == swept(app)
    assert [(run, TIMES, False)] == waiting(database)
    assert [] == swept(app)


def test_what_is_due_soon_is_queued_for_its_time_and_brought_at_once_when_somebody_answers(
    app: App, place: Any, database: Any
) -> None:
    run = begun(app, written(place, ASK))
    emptied(database)
    due(app, run, 2.0)

    swept(app)
    before = waiting(database)
    app.note(run, "an answer")

    assert [(run, TIMES, True)] == before
    assert [(run, PEOPLE, False)] == waiting(database)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"seconds": 60.0}, id="due later"),
        pytest.param({"seconds": -9.0, "state": "ended"}, id="ended"),
        pytest.param({"seconds": -9.0, "executor": "elsewhere:1:ab", "heartbeat": 1.0}, id="somebody works on it"),
    ],
)
def test_what_is_not_due_is_not_queued(app: App, place: Any, database: Any, state: dict[str, Any]) -> None:
    run = begun(app, written(place, ASK))
    emptied(database)
    more = {**state, "heartbeat": app.means.store.now()} if "executor" in state else state
    due(app, run, **more)

    assert [] == swept(app)


@pytest.mark.parametrize("beat", [-4, 3600], ids=["it stopped", "the clock was set back since"])
def test_a_run_whose_executor_stopped_beating_is_queued(app: App, place: Any, database: Any, beat: int) -> None:
    run = begun(app, written(place, ASK))
    emptied(database)
    due(app, run, -9.0, executor="elsewhere:1:ab", heartbeat=app.means.store.now() + beat)

    assert [run] == swept(app)


def test_a_queue_that_is_gone_is_no_matter(opened: OpenApp, place: Any) -> None:
    app = opened()

    run = begun(app, written(place, ASK))  # nobody ever made the queue

    assert "open" == app.row(run).state
    assert [] == app.attendance.workers()


def test_the_queue_may_be_dropped_at_any_time(app: App, place: Any, database: Any) -> None:
    assert app.attendance.jobs is not None
    run = begun(app, written(place, ASK))
    database.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    app.note(run, "nothing is lost")

    app.attendance.jobs.make(SchemaManager.get_schema())

    assert [run] == swept(app)


def test_a_worker_is_alive_while_it_beats(app: App, database: Any) -> None:
    assert app.attendance.jobs is not None
    app.attendance.jobs.beat("one:1", 4)
    app.attendance.jobs.beat("two:2", 8)
    database.execute("UPDATE workers SET beat = now() - interval '4 seconds' WHERE worker = 'one:1'")

    assert [("two:2", 8)] == [(one.worker, one.concurrency) for one in app.attendance.workers()]
    app.attendance.jobs.leave("two:2")
    assert [] == app.attendance.workers()


def test_connections_that_were_cut_off_while_they_were_idle_are_no_matter(app: App, place: Any, database: Any) -> None:
    assert app.attendance.jobs is not None
    app.attendance.jobs.beat("one:1", 4)

    hung_up(database)
    assert ["one:1"] == [one.worker for one in app.attendance.workers()]
    hung_up(database)
    run = begun(app, written(place, ASK))

    assert [(run, PEOPLE, False)] == waiting(database)


def hung_up(database: psycopg.Connection[Any]) -> None:
    """Let the server end every other connection to it."""
    database.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


# One job, many runs --------------------------------------------------------------------------------------------------


def fetched(app: App, count: int = 1) -> list[Job]:
    """Let a worker that lives fetch so many jobs, as Procrastinate does; fewer where there are no more."""
    jobs: list[Job | None] = []

    async def fetch(bringer: procrastinate.App) -> None:
        worker = await bringer.job_manager.register_worker()
        jobs.extend([await bringer.job_manager.fetch_job(["runs"], worker) for _ in range(count)])

    brought(app, fetch)
    return [job for job in jobs if job is not None]


def fetched_one(app: App) -> int:
    (job,) = fetched(app)
    assert job.id is not None
    return job.id


def goes_on(app: App, job: int) -> str | None:
    assert app.attendance.jobs is not None
    return app.attendance.jobs.go_on(job)


def hint(app: App, *runs: str, priority: int = PEOPLE) -> None:
    assert app.attendance.jobs is not None
    for run in runs:
        app.attendance.jobs.hint([run], priority)


def test_a_job_goes_on_with_what_waits_in_the_order_in_which_procrastinate_would_bring_it(
    app: App, database: Any
) -> None:
    hint(app, "first", "second")
    job = fetched_one(app)
    hint(app, "timed", priority=TIMES)
    hint(app, "third")
    database.execute(
        "UPDATE procrastinate_jobs SET attempts = 1 WHERE lock = 'second'"
    )  # it lies behind the others now

    went = [goes_on(app, job) for _ in range(4)]

    assert ["second", "third", "timed", None] == went
    assert [] == waiting(database)


def test_a_job_that_went_on_is_the_next_run_s_in_every_way(app: App, database: Any) -> None:
    """A hint for the run that it left is brought at once; one for the run that it has waits; and it can be finished."""
    hint(app, "left", "next")
    job = fetched_one(app)
    goes_on(app, job)
    hint(app, "next", "left")

    brought_now = fetched(app, 2)

    assert [{"run": "left"}] == [one.task_kwargs for one in brought_now]
    rows = database.execute(
        "SELECT lock, queueing_lock, args ->> 'run', status FROM procrastinate_jobs WHERE id = %s", (job,)
    )
    assert [("next", "next", "next", Status.DOING.value)] == rows.fetchall()

    async def finish(bringer: procrastinate.App) -> None:
        await bringer.job_manager.finish_job_by_id_async(job_id=job, status=Status.SUCCEEDED, delete_job=True)

    brought(app, finish)
    assert [{"run": "next"}] == [one.task_kwargs for one in fetched(app)]


def test_a_job_goes_on_with_its_own_run_where_somebody_spoke_in_the_meantime(app: App) -> None:
    hint(app, "one")
    job = fetched_one(app)
    hint(app, "one")

    assert "one" == goes_on(app, job)
    assert goes_on(app, job) is None


def test_a_job_does_not_go_on_with_what_is_not_due_or_is_being_worked_on(app: App, database: Any) -> None:
    assert app.attendance.jobs is not None
    hint(app, "one", "two")
    job, _ = (found.id for found in fetched(app, 2))
    assert job is not None
    hint(app, "two")
    app.attendance.jobs.later("three", 60)
    database.execute("INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('other', 'advance', '{}')")
    database.execute("INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('runs', 'other', '{}')")

    assert goes_on(app, job) is None
    assert 4 == len(waiting(database))


def test_a_job_that_was_ended_as_stalled_takes_nothing(app: App, database: Any) -> None:
    hint(app, "one", "two")
    job = fetched_one(app)
    database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '4 seconds'")
    swept(app)

    assert goes_on(app, job) is None
    assert [("two", PEOPLE, False)] == waiting(database)


def test_the_run_that_a_job_went_on_with_is_queued_again_when_its_worker_dies(
    app: App, place: Any, database: Any
) -> None:
    run = begun(app, written(place, ASK))
    emptied(database)
    hint(app, "another", run)
    assert run == goes_on(app, fetched_one(app))
    database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '4 seconds'")

    assert [run] == swept(app)


def test_jobs_that_go_on_at_once_share_what_waits(app: App, database: Any) -> None:
    """No run twice, none left; and nobody waits for the others' transactions."""
    hint(app, *(f"run-{number:02}" for number in range(44)))
    jobs = [found.id for found in fetched(app, 4)]

    def drain(job: int | None) -> list[str]:
        assert job is not None
        return list(iter(lambda: goes_on(app, job) or "", ""))

    with ThreadPoolExecutor(4) as pool:
        taken = [run for runs in pool.map(drain, jobs) for run in runs]

    assert [f"run-{number:02}" for number in range(4, 44)] == sorted(taken)
    assert [] == waiting(database)


def test_what_another_is_just_taking_is_passed_over(app: App, database: Any) -> None:
    hint(app, "one", "two", "three")
    job = fetched_one(app)
    with database.transaction():
        database.execute("SELECT FROM procrastinate_jobs WHERE lock = 'two' FOR UPDATE")

        assert "three" == goes_on(app, job)


def test_a_job_that_is_not_under_way_takes_nothing(app: App, database: Any) -> None:
    hint(app, "one", "two")
    job = fetched_one(app)
    database.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (job,))

    assert goes_on(app, job) is None


def test_how_many_wait_is_no_matter_to_a_job_that_goes_on(app: App, database: Any) -> None:
    """It reads the first of them in the index, not all, though the server does not know yet that there are many."""
    hint(app, "one")
    job = fetched_one(app)

    def seconds(least: int, most: int) -> float:
        database.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
            f" SELECT 'runs', 'advance', 'run-' || n, 'run-' || n, '{{}}' FROM generate_series({least}, {most}) n"
        )
        goes_on(app, job)
        taken = []
        for _ in range(31):
            began = time.monotonic()
            assert goes_on(app, job) is not None
            taken.append(time.monotonic() - began)
        return median(taken)

    many = seconds(1000, 20000)
    database.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    database.execute("VACUUM procrastinate_jobs")

    assert many < 10 * seconds(1, 40)


def test_where_the_queue_is_gone_a_job_does_not_go_on(app: App, database: Any) -> None:
    hint(app, "one", "two")
    job = fetched_one(app)
    database.execute(f"DROP SCHEMA {SCHEMA} CASCADE")

    assert goes_on(app, job) is None


# The trap ------------------------------------------------------------------------------------------------------------


def brought(app: App, what: Callable[[procrastinate.App], Awaitable[None]]) -> None:
    """Do something with Procrastinate's own means."""
    assert app.attendance.jobs is not None
    parameters = Jobs.parameters(app.attendance.jobs.location)
    del parameters["autocommit"]

    async def go() -> None:
        bringer = procrastinate.App(connector=procrastinate.PsycopgConnector(kwargs=parameters))
        async with bringer.open_async():
            await what(bringer)

    asyncio.run(go())


def stall(app: App, database: Any, run: str) -> None:
    """Let a worker fetch the run's job and die; then let somebody queue the run again."""

    async def fetch(bringer: procrastinate.App) -> None:
        worker = await bringer.job_manager.register_worker()
        job = await bringer.job_manager.fetch_job(["runs"], worker)
        assert job is not None
        assert job.task_kwargs == {"run": run}

    brought(app, fetch)
    database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '4 seconds'")
    app.note(run, "an answer, while it was being worked on")


def test_trying_a_stalled_job_again_blocks_the_run_for_ever_where_another_waits(
    app: App, place: Any, database: Any
) -> None:
    """The trap itself, as Procrastinate has it: should this fail one day, it is gone, and the sweep may be simpler."""
    run = begun(app, written(place, ASK))
    stall(app, database, run)

    async def retry(bringer: procrastinate.App) -> None:
        manager = bringer.job_manager
        (stalled,) = await manager.get_stalled_jobs(seconds_since_heartbeat=3)
        for _ in range(2):
            with pytest.raises(UniqueViolation):
                await manager.retry_job(stalled)
        assert await manager.fetch_job(["runs"], await manager.register_worker()) is None

    brought(app, retry)


def test_the_sweep_ends_a_stalled_job_as_failed_and_the_waiting_one_starts(app: App, place: Any, database: Any) -> None:
    run = begun(app, written(place, ASK))
    stall(app, database, run)
    fetched: list[Job | None] = []

    swept(app)

    async def fetch(bringer: procrastinate.App) -> None:
        fetched.append(await bringer.job_manager.fetch_job(["runs"], await bringer.job_manager.register_worker()))

    brought(app, fetch)
    assert [{"run": run}] == [job.task_kwargs for job in fetched if job is not None]
    states = database.execute("SELECT status FROM procrastinate_jobs").fetchall()
    assert [(Status.DOING.value,)] == states


def test_a_stalled_job_without_another_is_replaced_by_the_sweep(app: App, place: Any, database: Any) -> None:
    run = begun(app, written(place, ASK))
    stall(app, database, run)
    database.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")

    assert [run] == swept(app)


# What waiting costs --------------------------------------------------------------------------------------------------


def test_runs_that_wait_for_people_cost_a_sweep_nothing(app: App, place: Any, database: Any) -> None:
    """The sweep reads the index of what is due, and not ten thousand rows."""
    database.execute(
        "INSERT INTO responder.runs (run, incident, playbook, state, epoch, wake_at, executor, heartbeat)"
        " SELECT 'run-' || n, 'inc-' || n, 'p', 'open', 1,"
        " CASE WHEN n % 2 = 0 THEN '' ELSE '2999-01-01T00:00:00+00:00' END, '', 0 FROM generate_series(1, 10000) n"
    )
    database.execute("ANALYZE responder.runs")
    database.commit()

    found = database.execute(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT run FROM responder.runs WHERE wake_at <> ''"
        " AND wake_at COLLATE \"C\" <= '2026-01-01' AND state <> 'ended'"
    ).fetchone()
    began = time.monotonic()
    for _ in range(10):
        assert [] == swept(app)
    seconds = (time.monotonic() - began) / 10

    assert "runs_due" in json.dumps(found)
    assert seconds < 0.05


def test_ten_thousand_that_are_due_at_once_are_queued_without_comparing_each_with_each(app: App, database: Any) -> None:
    """The server does not know yet how many there are."""
    database.execute(
        "INSERT INTO responder.runs (run, incident, playbook, state, epoch, wake_at, executor, heartbeat)"
        " SELECT 'run-' || n, 'inc-' || n, 'p', 'open', 1, '2020-01-01T00:00:00+00:00', '', 0"
        " FROM generate_series(1, 10000) n"
    )

    queued = [len(swept(app)) for _ in range(10)]
    began = time.monotonic()
    none = swept(app)
    seconds = time.monotonic() - began

    assert ([1000] * 10, []) == (queued, none)
    assert seconds < 0.5  # about 0.005; about 2 where each is compared with each


def test_more_threads_than_connections_never_wait_for_one_another(app: App) -> None:
    """Each turn has threads of its own; whoever waits for a connection holds nothing that another needs."""
    store = app.means.store
    store._clock = (float("-inf"), 0.0)  # type: ignore[attr-defined]

    def work(number: int) -> None:
        for turn in range(20):
            store.version(f"inc-{number}-{turn}")
            with store.write() as writing:
                writing.head(f"inc-{number}")
                store.now()
                put(writing, number, turn)

    began = time.monotonic()
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(work, range(24)))

    assert time.monotonic() - began < 15


def put(writing: Writing, number: int, turn: int) -> None:
    row = Row(f"inc-{number}", turn + 1, "", "noted", "", "ann", "", 0, "{}", "", "", "", "", "")
    writing.put_entries([row], Head(turn + 1, "", ""))
