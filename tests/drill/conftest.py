"""A world for a test, on a clock that the test moves by hand or that runs fast."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from guests import ORIGIN, Guest, HandClock, Start

from responder.clock import ScaledClock
from responder.drill.world import World, WorldSpec


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a world with a silent public; `speed=0` is a clock that the test moves by hand."""
    with ExitStack() as stack:

        def begin(*faults: str, speed: float = 0, **spec: Any) -> Guest:
            path = tmp_path / "clock.json"
            clock = ScaledClock.create(path, ORIGIN, speed or 1000.0)
            if not speed:
                clock = HandClock(clock.origin_real, clock.origin, clock.speed)
            given = {"holders": 5, "public_rate": 0, "seed": 7} | spec
            told = WorldSpec(dir=tmp_path / "world", clock=path, faults=faults, **given)
            world = stack.enter_context(World(told, clock))
            client = stack.enter_context(httpx.Client(timeout=10))
            return Guest(world, client, tmp_path / "world" / "ledger.jsonl")

        yield begin
