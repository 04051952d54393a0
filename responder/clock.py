"""Time enters here: the real clock, and the scaled clock that a drill's world and runner share."""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits. All times are aware and in UTC."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""

    def real_seconds(self, seconds: float) -> float:
        """Return how many real seconds pass while this clock advances by `seconds`."""

    def sleep(self, seconds: float) -> None:
        """Wait until this clock has advanced by `seconds`."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def real_seconds(self, seconds: float) -> float:
        """Return `seconds`: this clock is not scaled."""
        return max(0.0, seconds)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(self.real_seconds(seconds))


@dataclass(frozen=True)
class ScaledClock:
    """A clock that runs `speed` times as fast as the real one, from a start that is kept in a file.

    Every process of a drill reads the same file, so that world and runner agree, after a restart too.
    """

    origin_real: float
    origin: datetime
    speed: float

    @classmethod
    def create(cls, path: Path, origin: datetime, speed: float) -> "ScaledClock":
        """Start a clock at `origin` now, running `speed` times as fast as the real one, and keep it in `path`."""
        clock = cls(origin_real=time.time(), origin=origin, speed=speed)
        text = json.dumps({"origin_real": clock.origin_real, "origin": origin.isoformat(), "speed": speed})
        path.write_text(text + "\n", encoding="utf-8")
        return clock

    @classmethod
    def load(cls, path: Path) -> "ScaledClock":
        """Read the clock that `create` kept in `path`."""
        kept = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            origin_real=float(kept["origin_real"]),
            origin=datetime.fromisoformat(kept["origin"]),
            speed=float(kept["speed"]),
        )

    def now(self) -> datetime:
        """Return the drill's present moment in UTC."""
        return self.origin + timedelta(seconds=(time.time() - self.origin_real) * self.speed)

    def real_seconds(self, seconds: float) -> float:
        """Return the real seconds in which this clock advances by `seconds`."""
        return max(0.0, seconds) / self.speed

    def sleep(self, seconds: float) -> None:
        """Wait until this clock has advanced by `seconds`."""
        time.sleep(self.real_seconds(seconds))


def clock_from(environment: dict[str, str] | os._Environ[str]) -> Clock:
    """Return the drill's clock where RESPONDER_CLOCK names its file, else the machine's own."""
    path = environment.get("RESPONDER_CLOCK")
    return ScaledClock.load(Path(path)) if path else SystemClock()


def monotonic() -> float:
    """Return seconds that never step back and go on while the machine sleeps, where the system has such a clock.

    A permit to send must run out while a laptop lid is closed, too; CLOCK_MONOTONIC stands still then.
    """
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)

Ids = Callable[[str], str]
"""Makes a new id with the given prefix; seeded in drills, random otherwise."""


def random_ids() -> Ids:
    """Return a maker of ids such as `run-3f9a1c20b7d4`: the prefix and 48 random bits."""
    return lambda prefix: f"{prefix}-{os.urandom(6).hex()}"


class SeededIds:
    """Makes the same ids in the same order for the same seed, so that a drill can be repeated."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self, prefix: str) -> str:
        """Return the next id with this prefix."""
        with self._lock:
            self._count += 1
            number = (self._seed * 1_000_003 + self._count * 7_919) % (1 << 48)
        return f"{prefix}-{number:012x}"


def show_time(moment: datetime) -> str:
    """Show a moment as people read it in notices and on the timeline: `2026-05-02 09:20:05 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
