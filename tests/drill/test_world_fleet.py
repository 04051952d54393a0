"""Many programs: they read their store before long, unless they are stuck, and the world sees when one is out."""

from collections.abc import Iterator

import pytest
from cases.common import a_ground

from responder.drill.report import read_ledger
from responder.drill.world.fleet import Fleet, Judgement, Program, Stored
from responder.drill.world.system import Ground


class Store:
    """What each program's store holds, and what the issuer accepts."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.held = {name: Stored("old", ground.clock.now()) for name in ("one", "two")}
        self.accepted = {"old"}
        programs = [Program(name, lambda name=name: self.held[name], stuck=name == "two") for name in self.held]
        self.fleet = Fleet(ground, programs, lambda value: Judgement(value in self.accepted, f"id of {value}"))

    def put(self, name: str, value: str) -> None:
        self.held[name] = Stored(value, self.ground.clock.now())
        self.accepted.add(value)

    def kinds(self) -> list[tuple[str, str]]:
        lines = read_ledger(self.ground.spec.dir / "ledger.jsonl")
        return [(line["effect"]["kind"], line["effect"]["key"]) for line in lines if line["effect"]]


@pytest.fixture
def store() -> Iterator[Store]:
    with a_ground() as ground:
        made = Store(ground)
        yield made
        made.fleet.close()


def test_a_service_reads_its_store_before_long_and_a_stuck_one_does_not(store: Store) -> None:
    for name in ("one", "two"):
        store.put(name, "new")
    store.accepted.discard("old")
    assert store.fleet.look() == ["one", "two"]
    store.ground.clock.move(3)  # type: ignore[attr-defined]

    assert store.fleet.look() == ["two"]


def test_every_outage_is_noted_once_and_its_end_too(store: Store) -> None:
    store.accepted.clear()
    for _ in range(3):
        store.fleet.look()
    store.accepted.add("old")
    store.fleet.look()

    assert store.kinds() == [("outage", "one"), ("outage", "two"), ("outage_over", "one"), ("outage_over", "two")]
