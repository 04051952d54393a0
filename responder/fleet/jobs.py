"""The queue beside the record: one waiting job a run at most, and a sweep that queues what the record says is due.

The record decides; a job is a hint. Everything here may be lost or dropped: the next sweep puts it back.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from responder.clock import Clock
from responder.errors import RecordError
from responder.postgres import PostgresStore
from responder.postgres.connections import Connection, Pool, named, parameters
from responder.store import AHEAD_SECONDS, STALE_SECONDS, Location, Store

SCHEMA = "responder_queue"
"""The database schema of the queue; the record's own is another, so that the queue may be dropped at any time."""
QUEUE = "runs"
TASK = "advance"
PEOPLE, TIMES = 10, 0
"""Priorities: what people wait for goes before what a clock brings."""
SWEEP_SECONDS = 1.0
_AHEAD_SECONDS = 2.5
"""How far ahead of its time a run is queued; what is due later stands in its row alone, where it costs nothing."""
_MOST_A_SWEEP = 1000

_log = logging.getLogger(__name__)

WORKERS = """
CREATE TABLE workers (worker text PRIMARY KEY, concurrency integer NOT NULL,
    since timestamptz NOT NULL DEFAULT now(), beat timestamptz NOT NULL DEFAULT now());
"""
_ADD = (
    "INSERT INTO procrastinate_jobs"  # noqa: S608 - constants
    " (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)"
    f" SELECT '{QUEUE}', '{TASK}', %s, run, run, jsonb_build_object('run', run), at"
    " FROM unnest(%s::text[], %s::timestamptz[]) AS due (run, at) ON CONFLICT DO NOTHING"
)
_LATER = "DELETE FROM procrastinate_jobs WHERE queueing_lock = ANY(%s) AND status = 'todo' AND scheduled_at > now()"
_END_STALLED = (
    "SELECT procrastinate_finish_job_v1(job.id, 'failed', true) FROM procrastinate_jobs job"
    " LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id WHERE job.status = 'doing'"
    " AND (worker.id IS NULL OR worker.last_heartbeat < clock_timestamp() - %s * interval '1 second')"
)
_GO_ON = (
    "WITH mine AS (SELECT id FROM procrastinate_jobs WHERE id = %(job)s AND status = 'doing' FOR UPDATE),"  # noqa: S608
    " next AS (SELECT waiting.id FROM mine, procrastinate_jobs waiting"
    f" WHERE waiting.status = 'todo' AND waiting.queue_name = '{QUEUE}' AND waiting.task_name = '{TASK}'"
    " AND (waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now())"
    " AND NOT EXISTS (SELECT FROM procrastinate_jobs other"
    " WHERE other.lock = waiting.lock AND other.status = 'doing' AND other.id <> mine.id)"
    " ORDER BY waiting.priority DESC, waiting.id LIMIT 1 FOR UPDATE OF waiting SKIP LOCKED),"
    " taken AS (DELETE FROM procrastinate_jobs USING next WHERE procrastinate_jobs.id = next.id"
    " RETURNING lock, queueing_lock, priority, args)"
    " UPDATE procrastinate_jobs SET lock = taken.lock, queueing_lock = taken.queueing_lock,"
    " priority = taken.priority, args = taken.args"
    " FROM taken WHERE procrastinate_jobs.id = %(job)s RETURNING procrastinate_jobs.lock"
)
"""As Procrastinate itself chooses a job, but without a job of its own for each run: the one that is done goes on."""
_DUE = (
    "SELECT run, wake_at FROM responder.runs WHERE wake_at <> '' AND wake_at COLLATE \"C\" <= %s"
    " AND state <> 'ended'"
    " AND (executor = '' OR NOT heartbeat - extract(epoch FROM clock_timestamp()) BETWEEN -%s AND %s)"
    " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = runs.run AND status = 'todo')"
    " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE lock = runs.run AND status = 'doing')"
    ' ORDER BY wake_at COLLATE "C" LIMIT %s'
)


@dataclass(frozen=True)
class WorkerRow:
    """A worker that is alive."""

    worker: str
    """`host:pid`."""
    concurrency: int
    since: datetime


class Jobs:
    """The queue of one shared record, from any process."""

    def __init__(self, location: Location, clock: Clock) -> None:
        self.location = location
        self._place = str(location)
        self._clock = clock
        self._pool = Pool(self.parameters(location), self._place)
        self._next = Pool(self.in_order(location), self._place, most=4)
        """For who asks what comes next: that is soon answered, and a server has not many connections to give."""
        self._there = False

    @staticmethod
    def parameters(location: Location) -> dict[str, Any]:
        """Return how to connect to the queue: as to the record, with the queue's schema in sight."""
        found = parameters(location)
        return {**found, "options": f"{found['options']} -c search_path={SCHEMA}"}

    @classmethod
    def in_order(cls, location: Location) -> dict[str, Any]:
        """Return how to connect for asking which job is next: it comes from the index that holds them in order.

        Until the server has looked at how full the queue is, up to a minute, it believes that there are few jobs, and
        reads and sorts all of them for each one that it gives out.
        """
        found = cls.parameters(location)
        return {**found, "options": f"{found['options']} -c enable_sort=off -c enable_bitmapscan=off"}

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with named(self._place), self._pool.taken() as connection:
            yield connection

    def there(self) -> bool:
        """Tell whether any worker ever made the queue."""
        if not self._there:
            with self._connected() as connection:
                found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.workers",)).fetchone()
            self._there = bool(found and found[0])
        return self._there

    def hint(self, runs: Iterable[str], priority: int = PEOPLE) -> None:
        """Bring runs to a worker now. A failure is no matter: the record says that they are due."""
        wanted = sorted(set(runs))
        with suppress(RecordError):
            if self.there():
                self._add(dict.fromkeys(wanted), priority, sooner=True)

    def later(self, run: str, seconds: float) -> None:
        """Bring a run to a worker again after a while (real seconds): something was wrong, and may not last."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        with suppress(RecordError):
            self._add({run: at}, TIMES, sooner=False)

    def _add(self, runs: Mapping[str, datetime | None], priority: int, *, sooner: bool) -> None:
        with self._connected() as connection:
            if sooner:
                connection.execute(_LATER, (list(runs),))
            self._insert(connection, runs, priority)

    def _insert(self, connection: Connection, runs: Mapping[str, datetime | None], priority: int) -> None:
        connection.execute(_ADD, (priority, list(runs), list(runs.values())))

    def go_on(self, job: int) -> str | None:
        """Let a job whose run has had its turn go on with the run that waits longest; return that run.

        None where none waits, or the job is not ours any more. In the queue it is that run's job from here on: a hint
        for it waits until the job is done with it, and if this process dies its run is queued again. To be brought
        each run by a job of its own costs as much as a short turn at it.
        """
        with suppress(RecordError), named(self._place), self._next.taken() as connection:
            found = connection.execute(_GO_ON, {"job": job}).fetchone()
            return str(found[0]) if found else None
        return None

    def sweep(self) -> list[str]:
        """Queue what the record says is due and has no live job; return the runs. Any process may, at any time.

        A job whose worker died is ended as failed, never tried again: where a second job for the run waits already,
        trying the first again would break the rule of one waiting job a run, and block the run for ever.
        """
        until = (self._clock.now() + timedelta(seconds=_AHEAD_SECONDS * self._pace())).isoformat()
        with self._connected() as connection, connection.transaction():
            if not _alone(connection):
                return []
            ended = connection.execute(_END_STALLED, (STALE_SECONDS,)).rowcount
            if ended:
                _log.info("%s jobs of workers that died were ended", ended)
            due = connection.execute(_DUE, (until, STALE_SECONDS, AHEAD_SECONDS, _MOST_A_SWEEP)).fetchall()
            if due:
                self._insert(connection, {run: self._when(wake_at) for run, wake_at in due}, TIMES)
        return [str(run) for run, _ in due]

    def _pace(self) -> float:
        """Return how fast the clock of this installation runs."""
        real = self._clock.real_seconds(1.0)
        return 1 / real if real else 1.0

    def _when(self, wake_at: str) -> datetime | None:
        """Return the real moment at which a run is due; None for now."""
        left = self._clock.real_seconds((datetime.fromisoformat(wake_at) - self._clock.now()).total_seconds())
        return datetime.now(UTC) + timedelta(seconds=left) if left > 0 else None

    # Workers -----------------------------------------------------------------------------------------------------

    def workers(self) -> list[WorkerRow]:
        """Return the workers that are alive, the oldest first."""
        if not self.there():
            return []
        query = (
            "SELECT worker, concurrency, since FROM workers"
            " WHERE beat > clock_timestamp() - %s * interval '1 second' ORDER BY since, worker"
        )
        with self._connected() as connection:
            return [WorkerRow(*row) for row in connection.execute(query, (STALE_SECONDS,)).fetchall()]

    def beat(self, worker: str, concurrency: int) -> None:
        """Show that a worker is alive."""
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO workers (worker, concurrency) VALUES (%s, %s)"
                " ON CONFLICT (worker) DO UPDATE SET beat = clock_timestamp()",
                (worker, concurrency),
            )

    def leave(self, worker: str) -> None:
        """Take a worker off the list, and with it those that have been silent for a day."""
        with suppress(RecordError), self._connected() as connection:
            connection.execute(
                "DELETE FROM workers WHERE worker = %s OR beat < now() - interval '1 day'",
                (worker,),
            )

    def make(self, statements: str) -> None:
        """Make the queue's tables where there are none; two workers may begin at the same time."""
        with self._connected() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (SCHEMA,))
            found = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.workers",)).fetchone()
            if found is None or found[0] is None:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
                connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
                connection.execute(statements)
                connection.execute(WORKERS)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()
        self._next.close()


def beside(location: Location, store: Store, clock: Clock) -> Jobs:
    """Return the queue beside a shared record; whatever wakes a run there sends its job, too."""
    jobs = Jobs(location, clock)
    if isinstance(store, PostgresStore):
        store.on_wake = jobs.hint
    return jobs


def _alone(connection: Any) -> bool:
    """Tell whether nobody else sweeps at this moment.

    What the sweep asks is never answered by comparing each run with each job, either, however few of them the server
    still believes that there are: ten thousand that are due would take it two seconds, every second.
    """
    found = connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)), set_config('enable_nestloop', 'off', true)",
        (f"{SCHEMA}.sweep",),
    )
    return bool(found.fetchone()[0])
