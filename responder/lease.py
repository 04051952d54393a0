"""A process's turn at a run: how it gets one, what proves that the executor before it is dead, how it gives it back."""

import fcntl
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from responder.chain import tampered
from responder.entry import Draft, Fence
from responder.errors import RecordError, RequestError, StaleExecutor
from responder.store import AT_ONCE, RunRow, Store, Turn, Writing, shows_life
from responder.timeline import Timeline

HEARTBEAT_SECONDS = 1.0
_MOST_REMEMBERED = 1024
"""Of how many runs a process remembers that it had the last turn."""


def host_of(executor: str) -> str:
    """Return on which host an executor is, and as which process: `host:pid`."""
    return ":".join(executor.split(":")[:2])


class Presence:
    """That this process lives: a lock on a file of its own, which the system takes away when the process ends.

    The file's name is in the executor's name. Whoever shares the folder can therefore prove an executor dead; on
    another host there is no such file, and nothing is proven.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "locks"
        self._mark = os.urandom(6).hex()
        self._descriptor = -1
        self._showing = threading.Lock()
        """Runs are begun by several threads, and the file's lock is taken by one."""
        self.name = f"{os.uname().nodename}:{os.getpid()}:{self._mark}"
        """The executor's name: host, process, mark."""
        self.owes = False
        """Whether a turn could not be given back: the file then stays, so that our death can be proven."""

    def show(self) -> None:
        """Take the lock, once. RecordError where it cannot be made: nobody could prove our death then."""
        with self._showing:
            if self._descriptor < 0:
                self._descriptor = self._made()

    def _made(self) -> int:
        try:
            descriptor = self._opened()
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RecordError(
                f"The lock of this process cannot be made: {error}",
                where=str(self._folder),
                remedy="mend the folder's rights",
            ) from None
        return descriptor

    def _opened(self) -> int:
        path, flags = self._path(self._mark), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:  # the first executor that uses this folder
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)

    def proves_dead(self, executor: str) -> bool:
        """Tell whether an executor is certainly dead: the lock that it held for its life is free."""
        mark = executor.rpartition(":")[2]
        if executor.count(":") < 2 or not mark.isalnum():  # noqa: PLR2004 - host, process, mark
            return False
        try:
            descriptor = os.open(self._path(mark), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def end(self) -> None:
        """Give the lock back, and remove its file: whoever leaves in good order leaves no turn behind."""
        if self._descriptor >= 0:
            if not self.owes:
                with suppress(OSError):
                    self._path(self._mark).unlink()
            os.close(self._descriptor)
            self._descriptor = -1

    def _path(self, mark: str) -> Path:
        return self._folder / f"{mark}.lock"


class Lease(NamedTuple):
    """This process's turn at a run."""

    run: str
    incident: str
    epoch: int
    executor: str
    """This process; until it stands in the run's row, somebody else may be faster."""
    others_dead: bool
    """Whether no earlier executor can be alive: each gave its turn back, or a file lock proves its death."""

    @property
    def fence(self) -> Fence:
        """The right to write for the run that comes with it."""
        return Fence(self.run, self.epoch, self.executor)

    def holds(self, row: RunRow | None) -> bool:
        """Tell whether a run's row says that the turn is ours."""
        return row is not None and (row.epoch, row.executor) == (self.epoch, self.executor)


class Leases:
    """The turns that this process has, and those that it had."""

    def __init__(self, store: Store, timeline: Callable[[str], Timeline], folder: Path) -> None:
        self._store = store
        self._timeline = timeline
        self.presence = Presence(folder)
        self._held: dict[str, Lease] = {}
        self._had: OrderedDict[str, Lease] = OrderedDict()
        self._lock = threading.Lock()

    def alive(self, row: RunRow) -> bool:
        """Tell whether some executor works on a run now."""
        return shows_life(row, self._store.now())

    def held(self) -> list[Lease]:
        """Return the turns that this process has."""
        with self._lock:
            return list(self._held.values())

    def adopt(
        self, row: RunRow, reason: str, *, handed_on: bool = False, soon: bool = False, seen: Turn | None = None
    ) -> Lease:
        """Take a run: from nobody, from a dead executor, or from one that has stopped beating.

        `handed_on` where runs pass from one executor to the next as a matter of course: whoever had the last turn
        goes on with it then, without an entry. `soon`: where nobody has a turn, that it was taken is written together
        with the first that comes of it. Nothing is sent before, and whoever is faster makes that fail. `seen`: what
        the store said of the run just now. RequestError where it has ended or somebody works on it; StaleExecutor
        where another was faster.
        """
        self._refuse(row)
        timeline = self._timeline(row.incident)
        problems = timeline.examine(seen)
        if problems:
            raise tampered(problems)
        self.presence.show()
        dead = not row.executor or self.presence.proves_dead(row.executor)
        if not dead and self.alive(row):
            raise RequestError(
                f"{host_of(row.executor)} is working on this run", where=row.run, remedy=f"`responder watch {row.run}`"
            )
        with self._lock:
            had = self._had.pop(row.run, None)
        if handed_on and had is not None and had.epoch == row.epoch and not row.executor:
            lease = had
            with self._store.write() as writing:
                writing.head(row.incident)
                self._claim(writing, row, lease.epoch)
        else:
            lease = Lease(row.run, row.incident, row.epoch + 1, self.presence.name, others_dead=dead)
            facts = {
                "epoch": lease.epoch,
                "executor": host_of(self.presence.name),
                "reason": reason,
                "proven_dead": dead,
                "handed_on": handed_on and not row.executor,
            }
            adopted = Draft("adopted", facts, row.run)
            claim = partial(self._claim, row=row, epoch=lease.epoch)
            if soon and not row.executor:
                timeline.know_secrets(seen.secrets if seen is not None else None)
                timeline.soon(adopted, also=claim)
            else:
                timeline.append(adopted, also=claim)
        with self._lock:
            self._held[row.run] = lease
        return lease

    def _refuse(self, row: RunRow) -> None:
        if row.state == "ended":
            raise RequestError("The run has ended", where=row.run, remedy=f"`responder status {row.run}` tells how")
        if row.run in self._held:
            raise RequestError("This process is working on this run already", where=row.run)

    def _claim(self, writing: Writing, row: RunRow, epoch: int) -> None:
        """Put this process into the run's row; the chain is locked."""
        now = writing.run(row.run)
        if now is None or (now.epoch, now.executor) != (row.epoch, row.executor):
            raise StaleExecutor("Another executor was faster", where=row.run, remedy=f"`responder watch {row.run}`")
        beat = self._store.now()  # due until it is settled: this process may die any moment
        writing.put_run(now._replace(epoch=epoch, executor=self.presence.name, heartbeat=beat, wake_at=AT_ONCE))

    def settle(self, lease: Lease, wake_at: str, seen: int, *, leave: bool) -> bool:
        """Note when a run wants to be advanced again, and give the turn back where `leave`.

        `seen` is the number of the last entry that was taken into account. Where there are more by now, nothing is
        noted and the turn is kept: False. True also where the run has ended, or another executor has taken it over.
        """
        with self._store.write() as writing:
            head = writing.head(lease.incident)
            row = writing.run(lease.run)
            if row is None or not lease.holds(row):
                return True
            if head is None or head.seq != seen:
                return False
            wanted = row._replace(wake_at=wake_at, executor="" if leave else row.executor)
            if wanted != row:
                writing.put_run(wanted)
        return True

    def give_back(self, lease: Lease) -> None:
        """Give a turn back, whatever came of it; what the run wants next stays as it was noted."""
        try:
            self._timeline(lease.incident).flush()  # else a turn that nobody has any more would be written some day
            with self._store.write() as writing:
                writing.head(lease.incident)
                row = writing.run(lease.run)
                if row is not None and lease.holds(row):
                    writing.put_run(row._replace(executor=""))
        except RecordError:  # the record will say that we have it; the lock must be there to prove that we do not
            self.presence.owes = True
        self.forget(lease)

    def forget(self, lease: Lease) -> None:
        """Hold a turn no longer; remember that it was ours."""
        with self._lock:
            self._held.pop(lease.run, None)
            self._had[lease.run] = lease
            while len(self._had) > _MOST_REMEMBERED:
                self._had.popitem(last=False)

    def beat(self) -> None:
        """Show that this process lives, for each turn that it has. RecordError where that cannot be written."""
        for lease in self.held():
            self._store.beat(lease.run, lease.executor, self._store.now())
