"""Executors that die inside one process, at a chosen point, as suddenly as a killed process does: nothing after it."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clockwork

from responder.action import Access
from responder.app import App
from responder.clock import ScaledClock, SeededIds
from responder.errors import OutcomeUnknown, PermitExpired, ResponderError
from responder.registry import Registry
from responder.sqlite import SQLiteStore
from responder.store import Head, Row
from responder.threads import Threads
from responder.transport import Transport

SPEED = 1000.0
"""How fast the clock of these runs goes: a second of a playbook takes a millisecond."""
_PATIENCE_SECONDS = 30.0
_MOST_WRITES = 4_000


class Killed(BaseException):
    """The process is dead; no code of it runs on."""


class Endless(AssertionError):
    """A run that does not come to an end."""


@dataclass(frozen=True)
class Death:
    """Where an executor dies: at a point of a step or item, when it comes by there for the `nth` time."""

    point: str
    """`before-write` and `after-write` of the record; `before-effect` and `after-effect` in the world; or a hook's."""
    address: str
    nth: int = 1


@dataclass
class Life:
    """Whether one executor still lives. Dead, it writes nothing, reads nothing and changes nothing in the world."""

    death: Death | None = None
    dead: bool = False
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def passes(self, point: str, address: str) -> None:
        """Note that the executor comes by a point, and let it die there if this is the one."""
        with self._lock:
            self.must_live()
            death = self.death
            if death is None or (death.point, death.address) != (point, address):
                return
            self._seen[point] += 1
            if self._seen[point] == death.nth:
                self.dead = True
        self.must_live()

    def must_live(self) -> None:
        if self.dead:
            raise Killed


class Memory(SQLiteStore):
    """A record in memory that several executors of one process share; it survives each of them."""

    def __init__(self) -> None:
        self.writes = 0
        self.since = time.monotonic()
        super().__init__(Path(":memory:"))

    @contextmanager
    def write(self) -> Iterator["SQLiteStore"]:
        with super().write():
            yield self
        self.writes += 1
        if self.writes > _MOST_WRITES or time.monotonic() - self.since > _PATIENCE_SECONDS:
            raise Endless(f"{self.writes} writes")

    def version(self, incident: str) -> int:
        if time.monotonic() - self.since > _PATIENCE_SECONDS:
            raise Endless(f"looked at for too long, after {self.writes} writes")
        return self.writes


class MortalStore:
    """A store as one executor sees it: with its death, the connection is gone."""

    def __init__(self, memory: Memory, life: Life) -> None:
        self._memory = memory
        self._life = life
        self._rows: list[Row] = []

    def __getattr__(self, name: str) -> Any:
        self._life.must_live()
        return getattr(self._memory, name)

    @contextmanager
    def write(self) -> Iterator["MortalStore"]:
        self._life.must_live()
        with self._memory._lock:
            self._rows = []
            with self._memory.write():
                yield self
                rows = self._rows
                for row in rows:
                    self._life.passes("before-write", row.step)
                self._life.must_live()
            for row in rows:
                self._life.passes("after-write", row.step)

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        self._life.must_live()
        self._rows = [*self._rows, *rows]
        self._memory.put_entries(rows, head)

    def now(self) -> float:
        return self._memory.now()  # a heartbeat asks for it, and is no part of what dies

    def beat(self, run: str, executor: str, at: float) -> None:
        if not self._life.dead:
            self._memory.beat(run, executor, at)

    def close(self) -> None:
        """Leave it open: others go on with it."""


@dataclass
class World:
    """What the provider's world holds, and what it will do wrong; it outlives every executor."""

    empty: Path
    faults: dict[tuple[str, str], int] = field(default_factory=dict)
    """By kind and key, how often it happens; `kind` as in clockwork."""
    effects: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def happened(self, key: str) -> bool:
        return any(effect["key"] == key for effect in self.effects)


class Client(clockwork.World):
    """The world as one executor reaches it."""

    def __init__(self, access: Access, world: World, life: Life) -> None:
        self.access = access
        self.folder = world.empty
        self._world = world
        self._life = life

    def effects(self) -> list[dict[str, Any]]:
        self._life.must_live()
        return list(self._world.effects)

    def happened(self, key: str) -> bool:
        self._life.must_live()
        return self._world.happened(key)

    def write(self, key: str) -> None:
        address = self.access.marker.partition("/")[2]
        self._life.passes("before-effect", address)
        if self.access.wire._permit is None:
            raise PermitExpired("no permit")
        self.access.wire._check_permit("test://world", write=True)
        with self._world.lock:
            self._life.must_live()
            self._world.effects.append({"key": key, "marker": self.access.marker})
        self._life.passes("after-effect", address)
        if self.fault("lost", key):
            raise OutcomeUnknown("the answer was lost")

    def fault(self, kind: str, key: str) -> bool:
        self._life.must_live()
        with self._world.lock:
            left = self._world.faults.get((kind, key), 0)
            self._world.faults[kind, key] = left - 1
            return left > 0


class _Threads(Threads):
    """The threads of executors that may die in one of them: it is no defect, and need not be told."""

    def do(self, call: Callable[[], None]) -> None:
        def until_killed() -> None:
            with suppress(Killed):
                call()

        super().do(until_killed)


class House:
    """One installation whose executors come and go: the record and the world stay."""

    def __init__(self, pattern: App, place: Path, faults: dict[tuple[str, str], int]) -> None:
        self.memory = Memory()
        self.world = World(place / "nothing", faults)
        self._pattern = pattern
        self._place = place
        self._clock = ScaledClock(time.time(), datetime.now(UTC), SPEED)
        self._ids = SeededIds(7)
        self._threads = _Threads()

    def opened(self, person: str = "ann", death: Death | None = None) -> tuple[App, Life]:
        """Return a new executor, or a person's own process, and its life."""
        life = Life(death)

        def connect(access: Access) -> Client:
            return Client(access, self.world, life)

        provider = clockwork.PROVIDER._replace(connect=connect)
        means = replace(
            self._pattern.means,
            store=MortalStore(self.memory, life),  # type: ignore[arg-type]
            registry=Registry({"clockwork": provider}),
            transport=Transport(self._pattern.means.sealer),
            clock=self._clock,
            ids=self._ids,
            threads=self._threads,
            hook=life.passes,
            _identities={},
            _secrets={},
            _lock=threading.Lock(),
        )
        return App(means, self._place / "state", person, self._pattern.library), life

    def mend(self, most: int) -> None:
        """Let the world do nothing wrong any more that would last for ever: `most` times and more, at the start."""
        for name, often in list(self.world.faults.items()):
            if often > most / 2:
                self.world.faults[name] = 0

    def close(self) -> None:
        self._threads.close()
        self.memory.close()


def until_death(app: App, life: Life, work: Callable[[], Any]) -> Any:
    """Let an executor work, and return what came of it; None where it died at it. The others can prove that it did."""
    try:
        return work()
    except (Killed, ResponderError):
        if not life.dead:
            raise
    finally:
        if life.dead:
            _bury(app)
    return None


def _bury(app: App) -> None:
    """Take away what the system takes away from a dead process: its file locks, and its threads' work."""
    presence = app.dispatcher.leases.presence
    with suppress(OSError):
        os.close(presence._descriptor)
    presence._descriptor = -1
    app.dispatcher.stop()
    app.dispatcher.leases._held.clear()
