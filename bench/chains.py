"""Whether one chain holds up many items: `make bench-chains`, on a private PostgreSQL server.

300 items are under way at once. Each writes what a change writes: planned; intended; after a nap, applied; verified.
Once they all write to the chain of one incident, as a run does, and once each to an empty chain of its own; both times
through the same store, and checked for the same epoch. The two take turns, and the ratio is that of each pair. Then a
whole run with as many items is compared with its naps.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import clockwork
import postgresql

from responder.app import open_app
from responder.clock import SystemClock
from responder.entry import Draft, Fence
from responder.finding import Exposure, Finding
from responder.installation import open_store
from responder.redaction import Redactor
from responder.registry import Registry
from responder.sealing import Sealer
from responder.store import Location, RunRow, Store
from responder.timeline import Timeline

ITEMS = 300
NAPS = (0.05, 0.1, 0.2)
ROUNDS = 5
AT_MOST = 1.25
WIDTH = 64
"""How many items a run has under way at once."""
FACTS = {"target": "account/key", "before": "active", "after": "inactive", "digest": "0" * 64}


def item(timeline: Timeline, run: str, number: int, nap: float) -> None:
    """Write what a change writes, as its thread does."""
    fence, step = Fence(run, 1), f"each[{number}]"
    timeline.append(Draft("planned", FACTS, run, step), fence=fence)
    timeline.append(Draft("intended", FACTS, run, step), fence=fence)
    time.sleep(nap)
    timeline.append(Draft("applied", FACTS, run, step), fence=fence)
    timeline.append(Draft("verified", FACTS, run, step), fence=fence)


def timed(server: postgresql.Server, chains: int, width: int, nap: float) -> float:
    """Return the seconds that all items take, spread over as many chains."""
    store = open_store(Location(url=server.emptied()))
    sealer = Sealer(b"k" * 32, Redactor())
    timelines = [Timeline(store, sealer, SystemClock(), f"inc-{number}") for number in range(chains)]
    for number, timeline in enumerate(timelines):
        begin(timeline, number)
    ready = threading.Barrier(width + 1)
    with ThreadPoolExecutor(width) as pool:
        list_of_waits = [pool.submit(ready.wait) for _ in range(width)]  # every thread is there before the clock runs
        ready.wait()
        for wait in list_of_waits:
            wait.result()
        started = time.perf_counter()
        done = [
            pool.submit(item, timelines[number % chains], f"run-{number % chains}", number, nap)
            for number in range(ITEMS)
        ]
        for one in done:
            one.result()
        seconds = time.perf_counter() - started
    check(store, chains)
    store.close()
    return seconds


def begin(timeline: Timeline, number: int) -> None:
    row = RunRow(f"run-{number}", timeline.incident, "p", epoch=1)
    timeline.append(Draft("started", run=row.run), also=lambda writing: writing.put_run(row))


def check(store: Store, chains: int) -> None:
    entries = sum(head.seq for one in store.incidents() if (head := store.head(one)) is not None)
    assert entries == chains + 4 * ITEMS, entries


STEPS = """\
playbook: p
title: t
version: 1
steps:
  - {{id: each, phase: analysis, action: clockwork.nothing, for_each: [{items}], max_parallel: {width},
     with: {{seconds: {nap}}}}}
"""


def whole_run(server: postgresql.Server, nap: float) -> float:
    """Run a playbook with as many items, from its adoption to its end."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "playbooks").mkdir()
        items = ", ".join(map(str, range(ITEMS)))
        (place / "playbooks" / "p.yaml").write_text(STEPS.format(items=items, width=WIDTH, nap=nap))
        (place / "responder.yaml").write_text(
            "people: {ann: {name: Ann, roles: [oncall]}}\n"
            f"connections: {{cw: {{provider: clockwork, account: acct-1, folder: {folder}}}}}\n"
        )
        app = open_app(
            config=place / "responder.yaml",
            store=server.emptied(),
            environment={"HOME": folder},
            registry=Registry({"clockwork": clockwork.PROVIDER}),
        )
        app.person = "ann"
        value = app.means.sealer.secret("value-" + "x" * 24)
        run = app.begin(app.library.load("p"), Finding(value=value, exposure=Exposure(kind="public")), {}).run
        started = time.perf_counter()
        assert app.drive(run).state == "ended"
        seconds = time.perf_counter() - started
        app.close()
    return seconds


def compared(name: str, one: Callable[[], float], other: Callable[[], float], at_most: float) -> dict[str, object]:
    """Measure two things in turns; print and return medians, least and most of both and of their ratio."""
    one(), other()  # warm
    pairs = [(one(), other()) if turn % 2 else (other(), one())[::-1] for turn in range(ROUNDS)]
    ratios = [left / right for left, right in pairs]
    row: dict[str, object] = {"case": name, "rounds": ROUNDS, "at_most": at_most}
    for key, values in (
        ("seconds", [pair[0] for pair in pairs]),
        ("against", [pair[1] for pair in pairs]),
        ("ratio", ratios),
    ):
        row |= {key: statistics.median(values), f"{key}_least": min(values), f"{key}_most": max(values)}
    verdict = "ok" if statistics.median(ratios) <= at_most else "TOO SLOW"
    print(
        f"{name:<52} {row['seconds']:7.3f} s against {row['against']:7.3f} s: ratio {row['ratio']:.2f}"
        f" ({row['ratio_least']:.2f} to {row['ratio_most']:.2f}), at most {at_most}: {verdict}",
        flush=True,
    )
    return row


def main() -> int:
    if reason := postgresql.missing():
        print(f"skipped: {reason}")
        return 0
    rows: list[dict[str, object]] = []
    with postgresql.server() as server:
        rows += [
            compared(
                f"{ITEMS} items, {width} at once, {nap * 1000:.0f} ms: one chain / own chains",
                lambda width=width, nap=nap: timed(server, 1, width, nap),
                lambda width=width, nap=nap: timed(server, ITEMS, width, nap),
                AT_MOST,
            )
            for width in (WIDTH, ITEMS)
            for nap in NAPS
        ]
        rows += [
            compared(
                f"a run of {ITEMS} items, {WIDTH} at once, {nap * 1000:.0f} ms / the naps",
                lambda nap=nap: whole_run(server, nap),
                lambda nap=nap: -(-ITEMS // WIDTH) * nap,
                float("inf"),
            )
            for nap in NAPS
        ]
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=2))
    return 0 if all(row["ratio"] <= row["at_most"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
