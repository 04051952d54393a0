"""How soon Slack is answered while we are busy: `make bench-slack`.

A person types a command at the world's Slack, which measures until the acknowledgement comes back by Socket Mode:
first while nothing goes on, then while 50 runs are advanced in the same process. What is printed is the ratio of the
medians, and the longest acknowledgement of all, which may not be longer than a second.
"""

import statistics
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "drill"), str(ROOT / "tests" / "slack")]

import httpx  # noqa: E402 - the tests' own bench
from guests import Guest  # noqa: E402
from town import COMMAND, Town  # noqa: E402

from responder.app import App  # noqa: E402
from responder.clock import ScaledClock  # noqa: E402
from responder.drill.world import World, WorldSpec  # noqa: E402
from responder.finding import Exposure, Finding  # noqa: E402
from responder.slack.reception import Reception  # noqa: E402

RUNS = 50
ROUNDS = 40
AT_MOST_MILLISECONDS = 1000.0
BUSY = "".join(
    f"  - {{id: s{number}, phase: analysis, action: clockwork.nothing, with: {{seconds: 0.05}}"
    + (f", needs: [s{number - 1}]" if number else "")
    + "}\n"
    for number in range(400)
)
"""A run that goes on for twenty seconds, with an entry on disk every fiftieth of a second."""


def acknowledged(town: Town) -> float:
    """Return the milliseconds until a command was acknowledged."""
    outcome = town.person("ruth").command(COMMAND, "status")
    assert outcome.ok, outcome
    assert outcome.milliseconds is not None
    return outcome.milliseconds


def begin(app: App) -> None:
    """Begin runs, each for a credential of its own."""
    book = app.library.load("busy")
    for number in range(RUNS):
        value = app.means.sealer.secret(f"some-value-{number:06d}-" + "x" * 20)
        app.begin(book, Finding(value=value, exposure=Exposure(kind="public")), {})


def busy(reception: Reception) -> int:
    """Return how many of the runs have not ended."""
    return sum(row.state != "ended" and row.playbook == "busy" for row in reception.app.runs())


def main() -> int:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock = ScaledClock.create(place / "clock.json", datetime.now(UTC), 1.0)
        spec = WorldSpec(dir=place / "w", clock=place / "clock.json", holders=5, public_rate=0)
        world = stack.enter_context(World(spec, clock))
        guest = Guest(world, stack.enter_context(httpx.Client(timeout=10)), place / "w" / "ledger.jsonl")
        town = Town(guest, place, "socket")
        town.playbook(BUSY, "busy")
        reception = stack.enter_context(town.listening())
        acknowledged(town)  # warm
        idle = [acknowledged(town) for _ in range(ROUNDS)]
        begin(reception.desk.speaking_for("ruth"))
        loaded = [acknowledged(town) for _ in range(ROUNDS)]
        still = busy(reception)
    ratio = statistics.median(loaded) / statistics.median(idle)
    print(
        f"acknowledged after {statistics.median(idle):.1f} ms idle ({min(idle):.1f} to {max(idle):.1f}), "
        f"{statistics.median(loaded):.1f} ms with {still} to {RUNS} runs ({min(loaded):.1f} to {max(loaded):.1f}): "
        f"ratio {ratio:.2f}; the longest {max(loaded):.0f} ms, at most {AT_MOST_MILLISECONDS:.0f}"
    )
    return 0 if max(loaded) <= AT_MOST_MILLISECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
