"""Who is there for a run: an executor at work on it now, or workers that go on with it as soon as it wants to."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from responder.clock import Clock, monotonic
from responder.dispatch import Dispatcher
from responder.lease import host_of
from responder.means import Means
from responder.state import RunState
from responder.store import AT_ONCE, Location, RunRow, Store

if TYPE_CHECKING:
    from responder.fleet.jobs import Jobs, WorkerRow

_COUNT_SECONDS = 1.0
"""How old the answer to *is any worker alive* may be where it is only shown."""


def queue_beside(record: Location, store: Store, clock: Clock) -> "Jobs | None":
    """Return the queue beside a record that many hosts share; None where the record is a file."""
    if record.path is not None:
        return None
    from responder.fleet.jobs import beside  # noqa: PLC0415 - an extra, and slow to import

    return beside(record, store, clock)


class Attendance:
    """Who is there, as one process sees it."""

    def __init__(
        self,
        means: Means,
        folder: Path,
        dispatcher: Dispatcher,
        state: Callable[[str], RunState],
        jobs: "Jobs | None",
    ) -> None:
        self._means = means
        self._folder = folder
        self.jobs = jobs
        """The queue beside a record that many hosts share; None where the record is a file."""
        self._dispatcher = dispatcher
        self._state = state
        self._any_worker = False
        self._counted = float("-inf")

    def workers(self) -> "list[WorkerRow]":
        """Return the workers that are alive; none where the record is a file."""
        return self.jobs.workers() if self.jobs is not None else []

    def attended(self, row: RunRow) -> bool:
        """Tell whether somebody works on a run now, or a worker will as soon as there is something to do."""
        if monotonic() - self._counted > _COUNT_SECONDS:
            self._any_worker, self._counted = bool(self.workers()), monotonic()
        return self._dispatcher.alive(row) or self._any_worker

    def executor(self, row: RunRow) -> str:
        """Return where a run is being worked on, `host:pid`; empty where nobody is, and where there is one host."""
        return host_of(row.executor) if self.jobs is not None and self._dispatcher.alive(row) else ""

    def still(self, run: str) -> bool:
        """Tell whether a run goes no further, be it that somebody answers or that time passes."""
        if self._at_rest(run) and self._dispatcher.row(run).state != "ended":
            # First what was asked, then the rows, a parent's last: each may be woken in the meantime.
            state = self._state(run)
            family = [*(self._state(one.run) for one in state.children.values() if one.state == "open"), state]
            return not any(one.asks() for one in family) and all(self._at_rest(one.run) for one in family)
        return self._dispatcher.row(run).state == "ended"

    def hand_over(self, run: str) -> bool:
        """Let a worker go on with a run, where one is alive; tell whether one is."""
        if not self.workers():
            return False
        with self._means.store.write() as writing:
            writing.wake(run, AT_ONCE)
        return True

    def detach(self, run: str, arguments: list[str]) -> int:
        """Hand a run to a background process of this machine; return its process id."""
        import subprocess  # noqa: PLC0415 - only where it is needed

        log = self._folder / "logs"
        log.mkdir(parents=True, exist_ok=True)
        with (log / f"{run}.log").open("ab") as output:
            command = [sys.executable, "-m", "responder", *arguments, "resume", run]
            process = subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        return process.pid

    def _at_rest(self, run: str) -> bool:
        row = self._dispatcher.row(run)
        return not row.executor and not row.wake_at

    def close(self) -> None:
        """Give the queue back."""
        if self.jobs is not None:
            self.jobs.close()
