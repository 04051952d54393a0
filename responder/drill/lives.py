"""A process of a drill that may be killed: whenever a fault has killed it, another takes its place."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from responder.drill.faults import Fault, show_fault
from responder.errors import RequestError

_MOST_RESTARTS = 20
_POLL_SECONDS = 0.05
_FAREWELL_SECONDS = 8.0


def _never() -> bool:
    return False


@dataclass
class Lives:
    """The lives of one process, one after the other."""

    name: str
    """What it is, in words: the runner, the listener."""
    words: Callable[[int], Sequence[str]]
    """What `responder.drill.runner` is told in a life, the first of which is 0; the points of kills come behind it."""
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    faults: Sequence[Fault]
    tell: Callable[[str], None]
    restart: bool = True
    struck: list[str] = field(default_factory=list)
    """The crashes that happened, as they are written."""
    restarts: int = 0

    def live(self, deadline: Callable[[], float], enough: Callable[[], bool] = _never) -> int:
        """Live until the process ends by itself, or until it is enough; return its last exit code.

        RequestError past the deadline (real time).
        """
        pending = [fault for fault in self.faults if fault.name == "crash"]
        code = 0
        for life in range(_MOST_RESTARTS):
            kills = [f"{fault.where}:{fault.point}" for fault in pending[:1]]
            code = _wait(self._born(life, kills), deadline, enough)
            if code != -signal.SIGKILL or enough():
                break
            struck = [show_fault(fault) for fault in pending[:1]]
            self.struck += struck
            pending = pending[1:]
            why = struck[0] if struck else "by somebody, not by a fault"
            self.tell(f"The {self.name} was killed ({why}). Nothing is lost: the record is on disk.")
            if not self.restart:
                self.tell("It is not restarted: what it left undone stays undone, and the score says so.")
                break
            self.restarts += 1
            self.tell("A new process takes the run over.")
        return code

    def _born(self, life: int, kills: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "responder.drill.runner", *self.words(life), *kills]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self.environment)  # noqa: S603 - our own command


def _wait(process: subprocess.Popen[bytes], deadline: Callable[[], float], enough: Callable[[], bool]) -> int:
    """Wait for a process; end it when it is enough, when the drill takes too long, or is interrupted."""
    try:
        while True:
            try:
                return process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if enough():
                    return _end(process)
                if time.time() > deadline():
                    raise RequestError(
                        "The drill took too long and was given up",
                        where=f"pid {process.pid}",
                        remedy="read output/run.log",
                    ) from None
    finally:
        if process.stdin is not None:
            process.stdin.close()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to end, and make it end where it does not; return its exit code."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
