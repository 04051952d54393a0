"""Who advances which run, and when: this process drives it to its end, or as far as it goes now."""

import threading
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from responder.errors import RecordError, RequestError, StaleExecutor
from responder.lease import HEARTBEAT_SECONDS, Lease, Leases
from responder.means import Means
from responder.run import Pause, Runner
from responder.store import RunRow, Turn
from responder.timeline import Timeline

_POLL_SECONDS = 0.03
_LINGER_SECONDS = 1.0
"""A run that wants to go on so soon (real seconds) is not given back in between."""
_MOST_TIMELINES = 256
_MOST_RUNNERS = 64
"""How many runs that wait stay folded in memory, for when they go on."""


class Dispatcher:
    """Adopts runs for this process, and drives or advances them."""

    def __init__(self, means: Means, folder: Path) -> None:
        self._means = means
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        self._runners: OrderedDict[str, tuple[Lease, Runner]] = OrderedDict()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._unwritable: RecordError | None = None
        """Why the last sign of life could not be written."""
        self._beating = False
        self.leases = Leases(means.store, self.timeline, folder)

    def timeline(self, incident: str) -> Timeline:
        """Return the one timeline of an incident in this process, as long as it is used now and then."""
        with self._lock:
            if incident not in self._timelines:
                self._timelines[incident] = Timeline(self._means.store, self._means.sealer, self._means.clock, incident)
            self._timelines.move_to_end(incident)
            while len(self._timelines) > _MOST_TIMELINES:
                self._timelines.popitem(last=False)
            return self._timelines[incident]

    def row(self, run: str) -> RunRow:
        """Return a run's row. RequestError where there is no such run."""
        found = self._means.store.run(run)
        if found is None:
            raise RequestError("There is no such run", where=run, remedy="`responder status` lists them")
        return found

    def alive(self, row: RunRow) -> bool:
        """Tell whether some executor works on a run now."""
        return self.leases.alive(row)

    def adopt(self, run: str, reason: str = "started") -> Lease:
        """Take a run over: from nobody, from a dead executor, or from one that has stopped beating."""
        return self.leases.adopt(self.row(run), reason)

    # To the end --------------------------------------------------------------------------------------------------

    def drive(self, run: str, reason: str = "started") -> Pause:
        """Advance a run, and the runs that it opens, until it has ended or cannot go on without a person's `retry`."""
        lease = self.leases.adopt(self.row(run), reason, soon=True)
        self._keep_beating()
        try:
            return self._drive(lease)
        finally:
            self.leases.give_back(lease)

    def _drive(self, lease: Lease) -> Pause:
        timeline = self.timeline(lease.incident)
        runner = Runner(self._means, timeline, lease.fence, others_dead=lease.others_dead)
        threads: dict[str, threading.Thread] = {}
        while not self._stop.is_set():
            pause = runner.advance(self._stop.is_set)
            timeline.flush()
            self._start_children(runner, threads)
            if pause.state in {"halted", "ended"}:
                for thread in threads.values():
                    thread.join()
                if pause.state == "halted":  # with its end a run has lost its turn
                    self._settle(lease, runner, pause)
                return pause
            if self._failures:
                raise self._failures.pop(0)
            self._refuse_unwritable()
            calm = self._settle(lease, runner, pause)
            idle = pause.wake_at is None and not runner.state.asks() and not self._awaits_link(runner)
            if calm and idle and not any(thread.is_alive() for thread in threads.values()) and not runner.behind():
                return Pause("halted")
            self._wait(runner, timeline, pause)
        return Pause("waiting")

    def _awaits_link(self, runner: Runner) -> bool:
        """Tell whether somebody works on a run for whose end this one waits before it delivers anything more."""
        links = [link.run for link in runner.state.links.values() if link.state != "ended"]
        return any(self.alive(row) for row in self._means.store.runs(runner.incident) if row.run in links)

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
        while not (self._stop.is_set() or self._failures or self._unwritable) and timeline.count() == seen:
            left = _POLL_SECONDS
            if pause.wake_at is not None:
                until = self._real_seconds(pause.wake_at)
                if until <= 0:
                    return
                left = min(left, until)
            time.sleep(left)

    def _refuse_unwritable(self) -> None:
        if self._unwritable is not None:
            raise self._unwritable

    def _real_seconds(self, moment: datetime) -> float:
        return self._means.clock.real_seconds((moment - self._means.clock.now()).total_seconds())

    def _settle(self, lease: Lease, runner: Runner, pause: Pause, *, leave: bool = False) -> bool:
        """Keep in the run's row when it wants to be advanced, for `status` and for whoever goes on with it."""
        wake_at = pause.wake_at.isoformat() if pause.wake_at else ""
        return self.leases.settle(lease, wake_at, runner.position, leave=leave)

    # As far as it goes -------------------------------------------------------------------------------------------

    def look(self, run: str) -> RunRow | Turn | None:
        """Return what must be read to advance a run: its row alone where this process still knows the rest."""
        with self._lock:
            known = run in self._runners
        return self._means.store.run(run) if known else self._means.store.turn(run)

    def advance(self, run: str, seen: RunRow | Turn | None = None) -> Pause:
        """Advance a run as far as it goes now, and give it back; when it goes on stands in its row.

        `seen` is what `look` has just found. RequestError where it has ended or somebody works on it, StaleExecutor
        where another took it over.
        """
        row = seen.row if isinstance(seen, Turn) else seen or self.row(run)
        turn = seen if isinstance(seen, Turn) else None
        lease = self.leases.adopt(row, "its turn", handed_on=True, soon=True, seen=turn)
        self._keep_beating()
        try:
            runner = self._runner(lease)
            pause = self._advance(lease, runner)
            if pause.state == "waiting":
                self._remember(lease, runner)
        except BaseException:
            self.leases.give_back(lease)
            raise
        if self._stop.is_set():
            self.leases.give_back(lease)
        else:
            self.leases.forget(lease)
        return pause

    def _advance(self, lease: Lease, runner: Runner) -> Pause:
        timeline = self.timeline(lease.incident)
        while True:
            pause = runner.advance(self._stop.is_set)
            timeline.flush()
            if pause.state == "ended" or self._stop.is_set():
                return pause
            self._refuse_unwritable()
            if pause.wake_at is not None and self._real_seconds(pause.wake_at) < _LINGER_SECONDS:
                self._wait(runner, timeline, pause)
            elif self._settle(lease, runner, pause, leave=True):
                return pause
            else:
                timeline.entries()  # somebody wrote

    def _runner(self, lease: Lease) -> Runner:
        """Return who advances a run: where the turn is the one that this process had last, with what it knew then."""
        with self._lock:
            known = self._runners.pop(lease.run, None)
        if known is not None and known[0] == lease:
            return known[1]
        timeline = self.timeline(lease.incident)
        return Runner(self._means, timeline, lease.fence, others_dead=lease.others_dead)

    def _remember(self, lease: Lease, runner: Runner) -> None:
        with self._lock:
            self._runners[lease.run] = lease, runner
            while len(self._runners) > _MOST_RUNNERS:
                self._runners.popitem(last=False)

    # Being there -------------------------------------------------------------------------------------------------

    def _keep_beating(self) -> None:
        """See to it that exactly one thread shows that this process lives, whoever drives first."""
        with self._lock:
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def _beat(self) -> None:
        """Show every second that this process lives, for as long as it has turns."""
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            with self._lock:
                if not self.leases.held():
                    self._beating = False
                    self._unwritable = None  # nobody looks from here on whether that lasts
                    return
            try:
                self.leases.beat()
                self._unwritable = None
            except RecordError as error:  # whoever waits hears of it now, not when there is something to write
                self._unwritable = error

    def stop(self) -> None:
        """Let every drive return as soon as its running steps have ended."""
        self._stop.set()

    def close(self) -> None:
        """Stop; and give the proof of life back where no turn is left."""
        self.stop()
        if not self.leases.held():
            self.leases.presence.end()
