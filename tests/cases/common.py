"""What cases share: a clock that stands still, a gate in front of a fake, and a fake of the drill by itself."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cases.contracts import Contract

from responder.clock import ScaledClock
from responder.drill.world import World, WorldSpec, inventory_of
from responder.drill.world.ledger import Labels, Ledger
from responder.drill.world.system import Ground, System
from responder.drill.world.trouble import Trouble as Misfortune
from responder.redaction import Secret
from responder.settings import Connection
from responder.testing.loopback import Loopback, Trouble, forwarding

ORIGIN = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
Take = Callable[[str], Secret]


@dataclass(frozen=True)
class HandClock(ScaledClock):
    """A clock that stands still until a case moves it."""

    moved: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.origin + timedelta(seconds=sum(self.moved))

    def move(self, seconds: float) -> None:
        self.moved.append(seconds)


@dataclass
class Gated:
    """A system behind a gate."""

    gate: Loopback
    connection: Connection
    clock: HandClock
    account: str = ""
    secret: str | None = None
    control: str | None = None
    world: Any = None

    def writes(self) -> int:
        return len(self.gate.effective)

    def misbehave(self, trouble: Trouble) -> None:
        self.gate.trouble = trouble

    def value(self, label: str) -> str:
        return str(self.world.ground.labels[label])


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    """Run a world with a silent public, on a clock that stands still."""
    with tempfile.TemporaryDirectory() as folder:
        made = ScaledClock.create(Path(folder) / "clock.json", ORIGIN, 1000.0)
        clock = HandClock(made.origin_real, made.origin, made.speed)
        spec = WorldSpec(dir=Path(folder) / "world", clock=Path(folder) / "clock.json", holders=3, public_rate=0)
        with World(spec, clock) as world:
            yield world


def connection(provider: str, **options: Any) -> Connection:
    """Make a connection as responder.yaml would describe it."""
    return Connection.model_validate({"name": provider, "provider": provider, "secret": "env:OURS", **options})


# ---- a system of the drill by itself


@contextlib.contextmanager
def a_ground(**values: str) -> Iterator[Ground]:
    """Yield what a system of the drill stands on, with secrets by their labels, and a clock that stands still."""
    with tempfile.TemporaryDirectory() as folder:
        made = ScaledClock.create(Path(folder) / "clock.json", ORIGIN, 1000.0)
        clock = HandClock(made.origin_real, made.origin, made.speed)
        spec = WorldSpec(dir=Path(folder), clock=Path(folder) / "clock.json")
        ledger = Ledger(Path(folder) / "ledger.jsonl", clock)
        yield Ground(
            spec=spec, clock=clock, ledger=ledger, labels=Labels(Path(folder) / "secrets.json", values),
            trouble=Misfortune((), clock), inventory=inventory_of(7, 1),
        )  # fmt: skip
        ledger.close()


@contextlib.contextmanager
def standing(system: System, contract: Contract | None = None, **gate: Any) -> Iterator[Loopback]:
    """Open a system, and put a gate in front of it that notes requests and misbehaves when told.

    In the end every request that was made is validated by the system's official description.
    """
    system.open()
    try:
        with Loopback(forwarding(f"http://127.0.0.1:{system.door.port}"), **gate) as made:
            yield made
            wrong = contract.problems(made.seen) if contract is not None else []
            assert not wrong, "\n".join(wrong)
    finally:
        system.close()
