"""The workers of a drill on a shared record: several processes, killed or stopped and continued as asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from responder.app import App
from responder.drill.faults import Fault, show_fault
from responder.errors import RequestError
from responder.lease import host_of

_LOOK_SECONDS = 0.05
_RUNNING_AGAIN_SECONDS = 0.5
"""How long after it was replaced a stopped worker is continued: its successor is at work by then."""
_PATIENCE_SECONDS = 20.0
_SIGNALS = {"crash": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass
class Crew:
    """The workers, and what has struck them."""

    app: App
    run: str
    folder: Path
    """The drill's own folder."""
    environment: Mapping[str, str] = field(repr=False)
    faults: Sequence[Fault]
    size: int
    tell: Callable[[str], None]
    restart: bool = True
    struck: list[str] = field(default_factory=list)
    """The faults that happened, as they are written."""
    restarts: int = 0
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _stopped: dict[int, tuple[dict[str, int], float | None]] = field(default_factory=dict)
    """Per stopped worker the runs that it had, with its epochs, and when it was replaced (monotonic)."""

    def work_to_the_end(self, deadline: float) -> None:
        """Keep the workers at work until the run goes no further; RequestError past `deadline` (real time)."""
        try:
            for _ in range(self.size):
                self._start()
            while not self.app.attendance.still(self.run) or self._stopped:
                self._look_after_the_dead()
                self._look_after_the_stopped()
                if time.time() > deadline:
                    raise RequestError("The drill took too long and was given up", remedy="read output/run.log")
                time.sleep(_LOOK_SECONDS)
        finally:
            self._send_home()

    def _start(self) -> None:
        command = [sys.executable, "-m", "responder.drill.runner", "--worker", str(self.folder)]
        command += [show_fault(fault) for fault in self.faults if fault.name in _SIGNALS]
        with (self.folder / "output" / "run.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self.environment)  # noqa: S603 - our own command
        self._workers.append(process)

    def _strikes(self) -> None:
        """Note which faults have struck since the last look."""
        for fault in self.faults:
            told = show_fault(fault)
            if fault.name in _SIGNALS and told not in self.struck and mark(self.folder, told).exists():
                self.struck.append(told)

    def _look_after_the_dead(self) -> None:
        for process in [one for one in self._workers if one.poll() is not None]:
            self._workers.remove(process)
            _let_go(process)
            self._strikes()
            if process.returncode != -signal.SIGKILL:
                raise RequestError(f"A worker left with {process.returncode}", remedy="read output/run.log")
            self.restarts += 1
            self.tell(f"A worker was killed ({self.struck[-1]}). Nothing is lost: another goes on.")
            if self.restart:
                self._start()

    def _look_after_the_stopped(self) -> None:
        for process in self._workers:
            if process.pid not in self._stopped:
                if _state(process.pid) == "T":
                    self._strikes()
                    self._stopped[process.pid] = self._held_by(process.pid), None
                    self.tell(f"A worker was stopped ({self.struck[-1]}). It goes on once another has taken over.")
                continue
            held, since = self._stopped[process.pid]
            if since is None and not any(self.app.row(run).epoch == epoch for run, epoch in held.items()):
                self._stopped[process.pid] = held, time.monotonic()
            elif since is not None and time.monotonic() - since > _RUNNING_AGAIN_SECONDS:
                os.kill(process.pid, signal.SIGCONT)
                del self._stopped[process.pid]
                self.restarts += 1
                self.tell("The stopped worker goes on, and finds that it was replaced.")

    def _held_by(self, pid: int) -> dict[str, int]:
        """Return the runs that a worker has a turn at, with its epochs; a found credential's run is one of its own."""
        return {row.run: row.epoch for row in self.app.runs() if host_of(row.executor).endswith(f":{pid}")}

    def _send_home(self) -> None:
        """Ask every worker to leave; end those that do not."""
        for process in self._workers:
            for number in (signal.SIGCONT, signal.SIGTERM):
                if process.poll() is None:
                    os.kill(process.pid, number)
        until = time.monotonic() + _PATIENCE_SECONDS
        for process in self._workers:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _let_go(process)


def mark(folder: Path, fault: str) -> Path:
    """Return the file that shows that a fault has struck; whichever worker makes it is the one that is struck."""
    return folder / "world" / f"struck-{fault.replace('/', '_')}"


def strike(folder: Path, faults: Sequence[Fault], point: str, address: str) -> None:
    """Kill or stop this process where a fault says so, once in a drill."""
    for fault in faults:
        if fault.point == point and fault.strikes_step(address):
            try:
                os.close(os.open(mark(folder, show_fault(fault)), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            sys.stdout.flush()
            os.kill(os.getpid(), _SIGNALS[fault.name])


def _state(pid: int) -> str:
    """Return the state of a process by one letter, `T` where it was stopped; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
    except OSError:
        return ""


def _let_go(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
