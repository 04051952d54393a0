"""Who advances which run, and when: here, this process does, and one file of locks tells whose turn it is."""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from responder.errors import RecordError, RequestError, StaleExecutor
from responder.means import Means
from responder.run import Pause, Runner
from responder.store import RunRow, Writing
from responder.timeline import Draft, Timeline, tampered, verify

HEARTBEAT_SECONDS = 1.0
STALE_SECONDS = 4.0
"""An executor that has not beaten for so long (real seconds) is taken for stopped, and may be replaced."""
_POLL_SECONDS = 0.03


@dataclass
class Lease:
    """This process's turn at a run."""

    run: str
    epoch: int
    others_dead: bool
    """Whether a file lock proves that no earlier executor lives."""
    lock: int
    """The file descriptor that holds the lock, or -1."""

    def release(self) -> None:
        """Give the turn back."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


class Dispatcher:
    """Adopts runs for this process and drives them, each in a thread of its own."""

    def __init__(self, means: Means, folder: Path, *, clock_now: Callable[[], float] = time.time) -> None:
        self._means = means
        self._folder = folder
        self._now = clock_now
        self._timelines: dict[str, Timeline] = {}
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._beating = False

    def timeline(self, incident: str) -> Timeline:
        """Return the one timeline of an incident in this process."""
        with self._lock:
            if incident not in self._timelines:
                self._timelines[incident] = Timeline(self._means.store, self._means.sealer, self._means.clock, incident)
            return self._timelines[incident]

    def row(self, run: str) -> RunRow:
        """Return a run's row. RequestError where there is no such run."""
        found = next((row for row in self._means.store.runs() if row.run == run), None)
        if found is None:
            raise RequestError("There is no such run", where=run, remedy="`responder status` lists them")
        return found

    def alive(self, row: RunRow) -> bool:
        """Tell whether some executor works on a run now."""
        return bool(row.executor) and self._now() - row.heartbeat < STALE_SECONDS

    def adopt(self, run: str, reason: str = "started") -> Lease:
        """Take a run over: from nobody, from a dead executor, or from one that has stopped beating."""
        row = self.row(run)
        if row.state == "ended":
            raise RequestError("The run has ended", where=run, remedy=f"`responder status {run}` tells how")
        problems = verify(self._means.store, self._means.sealer, row.incident)
        if problems:
            raise tampered(problems)
        descriptor, locked = self._file_lock(run)
        # A file lock proves death on this machine only.
        others_dead = locked and row.executor.partition(":")[0] in {"", socket.gethostname()}
        if not others_dead and self.alive(row):
            raise RequestError(f"{row.executor} is working on this run", where=run, remedy=f"`responder watch {run}`")
        epoch = row.epoch + 1
        executor = f"{socket.gethostname()}:{os.getpid()}"

        def claim(writing: Writing) -> None:
            now = writing.run(run)
            if now is None or now.epoch != row.epoch:
                raise StaleExecutor("Another executor was faster", where=run, remedy=f"`responder watch {run}`")
            writing.put_run(replace(now, epoch=epoch, executor=executor, heartbeat=self._now()))

        facts = {"epoch": epoch, "executor": executor, "reason": reason, "proven_dead": others_dead}
        try:
            self.timeline(row.incident).append(Draft("adopted", facts, run), also=claim)
        except BaseException:
            if descriptor >= 0:
                os.close(descriptor)
            raise
        return Lease(run, epoch, others_dead, descriptor)

    def _file_lock(self, run: str) -> tuple[int, bool]:
        """Try to get the lock that an executor on this machine holds for as long as it lives."""
        folder = self._folder / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / f"{run}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RecordError(
                f"The lock of the run cannot be made: {error}", where=str(folder), remedy="mend the folder's rights"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1, False
        return descriptor, True

    def drive(self, run: str, reason: str = "started") -> Pause:
        """Advance a run, and the runs that it opens, until it has ended or cannot go on without a person's `retry`."""
        lease = self.adopt(run, reason)
        self._leases[run] = lease
        self._keep_beating()
        try:
            return self._drive(lease)
        finally:
            self._leases.pop(run, None)
            self._rest(lease)

    def _drive(self, lease: Lease) -> Pause:
        timeline = self.timeline(self.row(lease.run).incident)
        runner = Runner(self._means, timeline, lease.run, lease.epoch, others_dead=lease.others_dead)
        threads: dict[str, threading.Thread] = {}
        while not self._stop.is_set():
            pause = runner.advance(self._stop.is_set)
            self._start_children(runner, threads)
            if pause.state in {"halted", "ended"}:
                for thread in threads.values():
                    thread.join()
                return pause
            if self._failures:
                raise self._failures.pop(0)
            idle = pause.wake_at is None and not runner.state.asks()
            if idle and not any(thread.is_alive() for thread in threads.values()) and not runner.behind():
                return Pause("halted")
            self._note_wake(lease, pause)
            self._wait(runner, timeline, pause)
        return Pause("waiting")

    def _start_children(self, runner: Runner, threads: dict[str, threading.Thread]) -> None:
        """Drive each open child run in a thread; one that ended its thread is not started again here."""
        for child in runner.state.children.values():
            if child.state == "open" and child.run not in threads:
                thread = threading.Thread(target=self._drive_child, args=(child.run,), name=child.run, daemon=True)
                threads[child.run] = thread
                thread.start()

    def _drive_child(self, run: str) -> None:
        try:
            with suppress(RequestError, StaleExecutor):  # somebody else works on it, already or by now
                self.drive(run, "opened by a finding")
        except BaseException as error:  # noqa: BLE001 - the parent's thread raises it
            self._failures.append(error)

    def _wait(self, runner: Runner, timeline: Timeline, pause: Pause) -> None:
        """Wait until something is due or somebody has written."""
        seen = runner.position
        while not self._stop.is_set() and timeline.count() == seen and not self._failures:
            left = _POLL_SECONDS
            if pause.wake_at is not None:
                until = (pause.wake_at - self._means.clock.now()).total_seconds()
                if until <= 0:
                    return
                left = min(left, self._means.clock.real_seconds(until))
            time.sleep(left)

    def _note_wake(self, lease: Lease, pause: Pause) -> None:
        """Keep in the run's row when it wants to be advanced, for `status` and for other processes."""
        wake_at = pause.wake_at.isoformat() if pause.wake_at else ""
        with self._means.store.write() as writing:
            row = writing.run(lease.run)
            if row is not None and row.epoch == lease.epoch and row.wake_at != wake_at:
                writing.put_run(replace(row, wake_at=wake_at))

    def _keep_beating(self) -> None:
        """See to it that exactly one thread shows that this process lives, whoever drives first."""
        with self._lock:
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _beat(self) -> None:
        """Show every second that this process lives, for as long as it has leases."""
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            with self._lock:
                if not self._leases:
                    self._beating = False
                    return
            for lease in list(self._leases.values()):
                with suppress(RecordError):
                    self._means.store.beat(lease.run, lease.epoch, self._now())

    def _rest(self, lease: Lease) -> None:
        """Note that nobody works on the run any more, and give the lock back."""
        with suppress(RecordError), self._means.store.write() as writing:
            row = writing.run(lease.run)
            if row is not None and row.epoch == lease.epoch:
                writing.put_run(replace(row, executor=""))
        lease.release()

    def stop(self) -> None:
        """Let every drive return as soon as its running steps have ended."""
        self._stop.set()
