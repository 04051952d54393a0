"""What the runner costs, as ratios against a floor that is measured in the same run: `make bench`.

Floors: a bare SQLite journal (WAL, synchronous FULL) with two commits a step and nothing else; the physical limit of
sleeping; `python -c "import boto3"` for the start. Figures are medians of several rounds, with least and most; the
floor and the measured thing take turns, so that a machine that changes its speed changes both.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import clockwork

from responder.app import App, open_app
from responder.finding import Exposure, Finding
from responder.registry import Registry

HEAD = "playbook: p\ntitle: t\nversion: 1\nsteps:\n"
STEPS = 12
ITEMS, WIDTH, NAP = 500, 50, 0.05
SETTINGS = (
    "people: {{ann: {{name: Ann, roles: [oncall]}}}}\n"
    "connections: {{cw: {{provider: clockwork, account: acct-1, folder: {folder}}}}}\n"
)


def opened(place: Path) -> App:
    (place / "responder.yaml").write_text(SETTINGS.format(folder=place))
    (place / "playbooks").mkdir(exist_ok=True)
    app = open_app(
        config=place / "responder.yaml",
        store=str(place / "r.db"),
        environment={"HOME": str(place)},
        registry=Registry({"clockwork": clockwork.PROVIDER}),
    )
    app.person = "ann"
    return app


def timed_run(steps: str) -> float:
    """Run a playbook in a new store; return the seconds from its adoption to its end."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        app = opened(place)
        (place / "playbooks" / "p.yaml").write_text(HEAD + steps)
        finding = Finding(value=app.means.sealer.secret("some-value-" + "x" * 20), exposure=Exposure(kind="public"))
        run = app.begin(app.library.load("p"), finding, {}).run
        started = time.perf_counter()
        pause = app.drive(run)
        seconds = time.perf_counter() - started
        assert pause.state == "ended", app.state(run).units
        app.close()
    return seconds


def journal(steps: int, work: Callable[[], None] = lambda: None, width: int = 1) -> float:
    """Do the work of each step between two synchronous commits of a bare journal."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "j.db", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=WAL", "synchronous=FULL"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE j (step INTEGER, event TEXT, at REAL)")

        def step(number: int) -> None:
            database.execute("INSERT INTO j VALUES (?, 'started', ?)", (number, time.time()))
            work()
            database.execute("INSERT INTO j VALUES (?, 'done', ?)", (number, time.time()))

        started = time.perf_counter()
        if width == 1:
            for number in range(steps):
                step(number)
        else:
            with ThreadPoolExecutor(width) as pool:
                list(pool.map(step, range(steps)))
        seconds = time.perf_counter() - started
        database.close()
    return seconds


def chain(count: int) -> str:
    lines = [
        f"  - {{id: s{n}, phase: analysis, action: clockwork.nothing" + (f", needs: [s{n - 1}]" if n else "") + "}\n"
        for n in range(count)
    ]
    return "".join(lines)


def dag() -> str:
    """Twelve steps of 200 ms whose longest path has four."""
    lines = []
    for level in range(4):
        for lane in range(3):
            needs = f", needs: [s{level - 1}-{lane}, s{level - 1}-{(lane + 1) % 3}]" if level else ""
            lines.append(
                f"  - {{id: s{level}-{lane}, phase: analysis, action: clockwork.nothing, "
                f"with: {{seconds: 0.2}}{needs}}}\n"
            )
    return "".join(lines)


def fan_out() -> str:
    items = ", ".join(str(n) for n in range(ITEMS))
    return (
        "  - {id: each, phase: analysis, action: clockwork.nothing, "
        f"for_each: [{items}], max_parallel: {WIDTH}, with: {{seconds: {NAP}}}}}\n"
    )


def process(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


CASES: dict[str, tuple[Callable[[], float], Callable[[], float], float, int, str]] = {
    "12 no-op steps": (
        lambda: timed_run(chain(STEPS)),
        lambda: journal(STEPS),
        4.0,
        15,
        "a bare journal with two synchronous commits a step",
    ),
    "12-step DAG of 200 ms": (lambda: timed_run(dag()), lambda: 0.8, 1.15, 5, "its longest path, 0.8 s"),
    f"{ITEMS} x 50 ms, {WIDTH} at once": (
        lambda: timed_run(fan_out()),
        lambda: ITEMS * NAP / WIDTH,
        1.4,
        7,
        "the limit, 0.5 s",
    ),
    "responder --help": (
        lambda: process("-m", "responder", "--help"),
        lambda: process("-c", "import boto3"),
        0.5,
        9,
        'python -c "import boto3"',
    ),
}


def main() -> int:
    rows = []
    for name, (measure, floor, most, rounds, against) in CASES.items():
        try:
            measure(), floor()  # warm
        except subprocess.CalledProcessError:
            print(f"{name:<26} skipped: {against} does not run here")
            continue
        pairs = [(measure(), floor()) for _ in range(rounds)]
        ratios = [one / other for one, other in pairs]
        seconds = [one for one, _ in pairs]
        row = {
            "case": name, "against": against, "rounds": rounds,
            "seconds": statistics.median(seconds), "least": min(seconds), "most": max(seconds),
            "floor": statistics.median(other for _, other in pairs),
            "ratio": statistics.median(ratios), "ratio_least": min(ratios), "ratio_most": max(ratios), "at_most": most,
        }  # fmt: skip
        rows.append(row)
        verdict = "ok" if row["ratio"] <= most else "TOO SLOW"
        print(
            f"{name:<26} {row['seconds'] * 1000:8.1f} ms  ratio {row['ratio']:.2f} "
            f"({row['ratio_least']:.2f} to {row['ratio_most']:.2f}) of {against}; at most {most}: {verdict}",
            flush=True,
        )
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=2))
    return 0 if all(row["ratio"] <= row["at_most"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
