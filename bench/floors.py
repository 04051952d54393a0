"""What nobody can beat: two synchronous commits a step, sleeping as long as the work sleeps, a bare process."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.comparison import Missing, stopwatch
from bench.work import ITEM_NAP, ITEMS, LANES, LEVELS, NAP, STEPS, WIDTH, needs


class Journal:
    """A bare SQLite journal: WAL, synchronous FULL, one commit when a step starts and one when it is done."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._lock = threading.Lock()
        for setting in ("journal_mode=WAL", "synchronous=FULL"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE journal (step TEXT, event TEXT, at REAL)")

    def step(self, name: str, work: Callable[[], None]) -> None:
        """Do the work of a step between its two commits."""
        self._write(name, "started")
        work()
        self._write(name, "done")

    def _write(self, name: str, event: str) -> None:
        with self._lock:
            self._database.execute("INSERT INTO journal VALUES (?, ?, ?)", (name, event, time.time()))

    def close(self) -> None:
        self._database.close()


@contextmanager
def journal() -> Iterator[Journal]:
    """Open a new journal, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Journal(Path(folder) / "journal.db")
        try:
            yield opened
        finally:
            opened.close()


def chain() -> float:
    """Return the seconds that a bare journal takes for no-op steps, one after another."""
    with journal() as written:
        took = stopwatch()
        for number in range(STEPS):
            written.step(f"s{number}", lambda: None)
        return took()


def graph() -> float:
    """Return the seconds of the graph with a bare journal, each step in a thread of its own."""
    with journal() as written, ThreadPoolExecutor(STEPS) as pool:
        done: dict[tuple[int, int], Future[None]] = {}

        def step(level: int, lane: int) -> None:
            for need in needs(level, lane):
                done[need].result()
            written.step(f"s{level}-{lane}", lambda: time.sleep(NAP))

        took = stopwatch()
        for level in range(LEVELS):
            for lane in range(LANES):
                done[level, lane] = pool.submit(step, level, lane)
        for future in done.values():
            future.result()
        return took()


def fan_out() -> float:
    """Return the seconds of the fan-out with a bare journal and as many threads as may be at work at once."""
    with journal() as written, ThreadPoolExecutor(WIDTH) as pool:
        took = stopwatch()
        list(pool.map(lambda number: written.step(f"s{number}", lambda: time.sleep(ITEM_NAP)), range(ITEMS)))
        return took()


def clean(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process as it is where software is installed: with its bytecode kept."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **(more or {})}


def process(command: list[str], environment: Mapping[str, str] | None = None, codes: tuple[int, ...] = (0,)) -> float:
    """Return the seconds of a whole process, from its start to its end. Missing where it cannot be run."""
    try:
        took = stopwatch()
        ended = subprocess.run(
            command,
            env=clean() if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=False,
        )
        seconds = took()
    except OSError as error:
        raise Missing(f"{command[0]} does not run: {type(error).__name__}") from None
    if ended.returncode not in codes:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["nothing was said"]
        raise Missing(f"it ended with {ended.returncode}: {last[0]}")
    return seconds


def python(program: str) -> float:
    """Return the seconds of `python -c PROGRAM`."""
    return process([sys.executable, "-c", program])
