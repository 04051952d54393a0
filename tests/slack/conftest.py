"""A town for a test: `town()` makes one; most tests run with Socket Mode and with signed HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from guests import Guest
from town import Build, Town

from responder.clock import ScaledClock
from responder.drill.world import World, WorldSpec


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes a town whose Slack is told of events again soon, so that tests are short."""
    with ExitStack() as stack:

        def made(mode: str = "socket", speed: float = 1.0) -> Town:
            clock = ScaledClock.create(tmp_path / "clock.json", datetime.now(UTC), speed)
            spec = WorldSpec(dir=tmp_path / "w", clock=tmp_path / "clock.json", holders=5, public_rate=0)
            world = stack.enter_context(World(spec, clock))
            guest = Guest(world, stack.enter_context(httpx.Client(timeout=10)), tmp_path / "w" / "ledger.jsonl")
            return Town(guest, tmp_path, mode)

        yield made


@pytest.fixture(params=["socket", "http"])
def town(build: Build, request: pytest.FixtureRequest) -> Town:
    """A town, once for each way in which Slack reaches us."""
    return build(request.param)
