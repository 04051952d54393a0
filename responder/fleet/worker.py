"""A worker: a process that Procrastinate brings runs to, and that advances each as far as it goes now."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker as Bringer
from psycopg_pool import AsyncConnectionPool

from responder.dispatch import Dispatcher
from responder.errors import RecordError, RequestError, ResponderError, StaleExecutor
from responder.fleet.jobs import QUEUE, SWEEP_SECONDS, TASK, Jobs
from responder.lease import HEARTBEAT_SECONDS, host_of
from responder.means import Means
from responder.store import MOVED, STALE_SECONDS, Location, RunRow, Turn, gone

CONCURRENCY = 8
"""How many runs a worker advances at once, unless told otherwise."""
_POLL_SECONDS = 1.0
_AGAIN_SECONDS = 30.0
"""How long a run rests at whose advance something went wrong that is not on its record."""
_SOON_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
"""How long Procrastinate waits for a connection before it begins anew: it tries ever more rarely as it waits."""
_MOVED_SECONDS = 5.0
"""For how long a record must have gone elsewhere before a worker leaves it: a copy that fails takes it back."""
_log = logging.getLogger(__name__)

Told = Callable[[str], None]
"""Called with a line for whoever watches the worker."""


@dataclass
class Turns:
    """What a worker did."""

    taken: int = 0
    handed_on: list[str] = field(default_factory=list)
    """The runs that it gave back because it was stopped; another worker goes on with them."""


class Worker:
    """Advances runs that are brought to it, until it is stopped."""

    def __init__(self, means: Means, dispatcher: Dispatcher, jobs: Jobs, *, concurrency: int, tell: Told) -> None:
        self._means = means
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._concurrency = concurrency
        self._tell = tell
        self._pool = ThreadPoolExecutor(2 * concurrency, thread_name_prefix="turn")
        """Procrastinate brings as many runs as are wanted at once; besides there are those that it was cut off from."""
        self._stopping = asyncio.Event()
        self._turns = Turns()
        self._interrupted = False
        self._went = ""
        """Where the record went, if it did: there is nothing more to do here."""
        self._lock = threading.Lock()
        self.name = host_of(dispatcher.leases.presence.name)

    def work(self) -> tuple[Turns, bool]:
        """Work until SIGTERM or SIGINT; return what was done, and whether it was SIGINT.

        RecordMoved where the record goes on elsewhere: whoever starts it again gives it the new place.
        """
        make_queue(self._jobs)
        for output in logging.getLogger().handlers:
            output.addFilter(_is_news)
        turns = asyncio.run(self._work())
        if self._went:
            raise gone(self._means.store.place, self._went)
        return turns, self._interrupted

    async def _work(self) -> Turns:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        beating = asyncio.create_task(self._sweep_for_ever())
        try:
            while not self._stopping.is_set():
                try:
                    await self._be_brought_runs()
                except (ConnectorException, psycopg.Error) as error:
                    told = str(error.__cause__ or error).partition("\n")[0]
                    self._tell(f"The queue cannot be reached, trying again: {told}")
                if not self._stopping.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), _SOON_SECONDS)
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            await loop.run_in_executor(None, self._pool.shutdown)  # the loop must hear of a second signal meanwhile
            self._jobs.leave(self.name)
            self._jobs.hint(self._turns.handed_on)
        return self._turns

    async def _be_brought_runs(self) -> None:
        """Let Procrastinate bring runs until the worker is stopped, or the database is gone."""
        app = procrastinate.App(connector=connector(self._jobs.location))
        app.task(name=TASK, queue=QUEUE, pass_context=True)(self._brought)
        async with app.open_async():
            bringer = Bringer(app, install_signal_handlers=False, **work_settings(self.name, self._concurrency))
            bringing = asyncio.create_task(bringer.run())  # type: ignore[no-untyped-call]
            stopped = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({bringing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                bringer.shutdown_graceful_timeout = None
            # It forgets a stop that it hears of before it runs: it is told here, when it surely does.
            bringer.stop()  # type: ignore[no-untyped-call]
            stopped.cancel()
            await bringing

    async def _brought(self, context: procrastinate.JobContext, run: str) -> None:
        """Do with a job what there is to do, in a thread. Cut off from the queue, the thread ends the turn it has."""
        over = threading.Event()
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._take_turns, context.job.id, run, over)
        finally:
            over.set()

    def _take_turns(self, job: int | None, run: str, over: threading.Event) -> None:
        """Advance the run that a job brought, then one after the other of those that wait, while there are any."""
        due: str | None = run
        while due is not None:
            self._advance(due)
            due = None if job is None or over.is_set() or self._stopping.is_set() else self._jobs.go_on(job)

    def _advance(self, run: str) -> None:
        """Advance a run that is due; whatever goes wrong, the record keeps that it is."""
        if self._stopping.is_set():
            self._hand_on(run)
        seen = self._due(run)
        if seen is None:
            return
        try:
            pause = self._dispatcher.advance(run, seen)
        except (RequestError, StaleExecutor):
            return  # somebody else works on it, or it has ended
        except RecordError as error:
            self._rest(run, str(error))
        except Exception as error:  # noqa: BLE001 - one run's defect must not end the others
            told = error if isinstance(error, ResponderError) else f"{type(error).__name__}: {error}"
            self._rest(run, f"A defect while {run} was advanced: {told}")
        else:
            with self._lock:
                self._turns.taken += 1
            if self._stopping.is_set() and pause.state == "waiting":
                self._hand_on(run)
            self._tell(f"{run}: {pause.state}" + (f" until {pause.wake_at:%H:%M:%S}" if pause.wake_at else ""))

    def _due(self, run: str) -> RunRow | Turn | None:
        """Return what must be known to advance a run, if it still wants to be: a job is a hint, and may come late."""
        if self._stopping.is_set():
            return None
        try:
            seen = self._dispatcher.look(run)
        except RecordError:
            return None
        row = seen.row if isinstance(seen, Turn) else seen
        now = self._means.clock.now().isoformat()
        return seen if row is not None and row.state != "ended" and "" != row.wake_at <= now else None

    def _hand_on(self, run: str) -> None:
        with self._lock:
            self._turns.handed_on.append(run)

    def _rest(self, run: str, told: str) -> None:
        self._tell(told)
        self._jobs.later(run, _AGAIN_SECONDS)

    async def _sweep_for_ever(self) -> None:
        """Show that this worker is alive, and queue what is due, about every second."""
        loop = asyncio.get_running_loop()
        here = loop.time()
        while True:
            try:
                went = await loop.run_in_executor(None, self._sweep)
            except RecordError as error:
                _log.info("%s", error)
            else:
                here = here if went else loop.time()
                if loop.time() - here > _MOVED_SECONDS:
                    self._went = went
                    self._leave()
            await asyncio.sleep(SWEEP_SECONDS)

    def _sweep(self) -> str:
        """Show that this worker is alive, and queue what is due; return where the record went, if it did."""
        self._jobs.beat(self.name, self._concurrency)
        self._jobs.sweep()
        return self._means.store.meta(MOVED) or ""

    def _stop(self, number: int) -> None:
        """Take no more runs, let the steps under way end; a second signal leaves at once."""
        if self._stopping.is_set():
            os._exit(128 + number)
        self._interrupted = number == signal.SIGINT
        self._tell("Stopping: the steps under way end first. Once more leaves at once; the runs are safe either way.")
        self._leave()

    def _leave(self) -> None:
        self._stopping.set()
        self._dispatcher.stop()


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of the log says more than that the queue cannot be reached: that is told in one, by us."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return True
    error = record.exc_info[1] if record.exc_info else None
    return record.name != "psycopg.pool" and not isinstance(error, ConnectorException)


def make_queue(jobs: Jobs) -> None:
    """Make the queue's tables where there are none."""
    jobs.make(SchemaManager.get_schema())


class _Connections(AsyncConnectionPool[psycopg.AsyncConnection[Any]]):
    """Procrastinate's connections. Who waits for the first one hears as soon as who waits for another."""

    async def open(self, wait: bool = False, timeout: float = _PATIENCE_SECONDS) -> None:  # noqa: ASYNC109 - its own
        await super().open(wait, timeout)


def connector(location: Location) -> procrastinate.PsycopgConnector:
    """Return how Procrastinate connects to the queue."""
    parameters = Jobs.in_order(location)
    del parameters["autocommit"]  # the one that listens is given it by Procrastinate
    return procrastinate.PsycopgConnector(
        pool_factory=_Connections,
        kwargs=parameters,
        configure=_alone,
        min_size=1,
        max_size=4,
        timeout=_PATIENCE_SECONDS,
    )


def work_settings(name: str, concurrency: int) -> dict[str, Any]:
    """Return the settings of Procrastinate's part of a worker."""
    return {
        "queues": [QUEUE],
        "name": name,
        "concurrency": concurrency,
        "fetch_job_polling_interval": _POLL_SECONDS,
        "abort_job_polling_interval": 3600.0,
        "delete_jobs": "always",
        "update_heartbeat_interval": HEARTBEAT_SECONDS,
        "stalled_worker_timeout": STALE_SECONDS,
        # Only who is told to leave waits for the steps under way; who was cut off from the queue must not.
        "shutdown_graceful_timeout": 0.0,
    }


async def _alone(connection: psycopg.AsyncConnection[Any]) -> None:
    """Let each statement be a transaction by itself: a third of the way to the server and back."""
    await connection.set_autocommit(True)
