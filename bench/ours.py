"""The runner, in this process: a playbook is run in a new store, as `responder run` would run it."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import floors, idle
from bench.comparison import Case, Entrant, constant, fresh, stopwatch
from bench.work import (
    CHAIN,
    CHANGES,
    FAN_OUT,
    FAN_OUT_SECONDS,
    GRAPH,
    ITEM_NAP,
    ITEMS,
    LANES,
    LEVELS,
    NAP,
    PATH_SECONDS,
    STEPS,
    WIDTH,
    needs,
)
from responder.app import App, open_app
from responder.finding import Exposure, Finding
from responder.registry import Registry

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

import clockwork  # noqa: E402 - the tests' own provider, which asks nothing of the network

HEAD = "playbook: p\ntitle: Measured\nversion: 1\nsteps:\n"
SETTINGS = (
    "people: {{ann: {{name: Ann, roles: [oncall], os_user: {login}}}}}\n"
    "connections:\n"
    "  idle: {{provider: idle, account: acct-1}}\n"
    "  cw: {{provider: clockwork, account: acct-1, folder: {folder}}}\n"
)


def furnish(place: Path, steps: str, login: str = "ann") -> None:
    """Put a configuration and a playbook `p` into a folder."""
    (place / "responder.yaml").write_text(SETTINGS.format(folder=place, login=login))
    (place / "playbooks").mkdir(exist_ok=True)
    (place / "playbooks" / "p.yaml").write_text(HEAD + steps)


@contextmanager
def opened(place: Path, registry: Registry | None = None) -> Iterator[App]:
    """Open the installation of a folder as somebody who may begin runs; with these providers unless told."""
    app = open_app(
        config=place / "responder.yaml",
        store=str(place / "responder.db"),
        environment={"HOME": str(place)},
        registry=registry or Registry({"idle": idle.PROVIDER, "clockwork": clockwork.PROVIDER}),
    )
    app.person = "ann"
    try:
        yield app
    finally:
        app.close()


def finding(app: App) -> Finding:
    """Return a finding of a value that nobody has seen yet."""
    value = f"leaked-value-{fresh()}-" + "x" * 20
    return Finding(value=app.means.sealer.secret(value), exposure=Exposure(kind="public"))


def run(steps: str, *, whole: bool = False) -> float:
    """Return the seconds from a run's adoption to its end; with `whole`, reading and planning the playbook, too."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        furnish(place, steps)
        with opened(place) as app:
            took = stopwatch()
            begun = app.begin(app.library.load("p"), finding(app), {}).run
            if not whole:
                took = stopwatch()
            pause = app.drive(begun)
            seconds = took()
            assert pause.state == "ended", app.state(begun).units
    return seconds


def chain(count: int = STEPS) -> str:
    """Return no-op steps, one after another."""
    lines = [
        f"  - {{id: s{n}, phase: analysis, action: idle.nothing" + (f", needs: [s{n - 1}]" if n else "") + "}\n"
        for n in range(count)
    ]
    return "".join(lines)


def changes() -> str:
    """Return steps that plan a change, make it, and read it back, one after another; nothing changes anywhere."""
    lines = [
        f"  - {{id: s{n}, phase: containment, action: clockwork.pretend, with: {{key: k{n}}}"
        + (f", needs: [s{n - 1}]" if n else "")
        + "}\n"
        for n in range(STEPS)
    ]
    return "".join(lines)


def graph() -> str:
    """Return the steps of the graph."""
    lines = []
    for level in range(LEVELS):
        for lane in range(LANES):
            names = ", ".join(f"s{one}-{other}" for one, other in needs(level, lane))
            lines.append(
                f"  - {{id: s{level}-{lane}, phase: analysis, action: idle.nothing, "
                f"with: {{seconds: {NAP}}}" + (f", needs: [{names}]" if names else "") + "}\n"
            )
    return "".join(lines)


def fan_out() -> str:
    """Return one step for each of many items."""
    items = ", ".join(str(number) for number in range(ITEMS))
    return (
        "  - {id: each, phase: analysis, action: idle.nothing, "
        f"for_each: [{items}], max_parallel: {WIDTH}, with: {{seconds: {ITEM_NAP}}}}}\n"
    )


def cases(_: ExitStack, peers: dict[str, Sequence[Entrant]]) -> Sequence[Case]:
    """Return the runner's cases, with those who do the same work beside it."""
    ours, whole = "responder", "responder, playbook read and run begun, too"
    return (
        Case(
            CHAIN,
            Entrant("bare SQLite journal, two synchronous commits a step", floors.chain),
            (
                Entrant(ours, lambda: run(chain()), at_most=2.0),
                Entrant(whole, lambda: run(chain(), whole=True)),
                *peers.get(CHAIN, ()),
            ),
            rounds=25,
            kinds=("steps",),
        ),
        Case(
            CHANGES,
            Entrant("bare SQLite journal, two synchronous commits a step", floors.chain),
            (Entrant("responder: plan, guards, intent, outcome, reading back", lambda: run(changes())),),
            rounds=25,
            kinds=("steps",),
        ),
        Case(
            GRAPH,
            constant(f"the longest path: {PATH_SECONDS:g} s of sleep", PATH_SECONDS),
            (
                Entrant("bare SQLite journal, a thread a step", floors.graph),
                Entrant(ours, lambda: run(graph()), at_most=1.05),
                Entrant(whole, lambda: run(graph(), whole=True)),
                *peers.get(GRAPH, ()),
            ),
            rounds=9,
            kinds=("steps",),
        ),
        Case(
            FAN_OUT,
            constant(f"the limit: {FAN_OUT_SECONDS:g} s of sleep", FAN_OUT_SECONDS),
            (
                Entrant(f"bare SQLite journal, {WIDTH} threads", floors.fan_out),
                Entrant(ours, lambda: run(fan_out()), at_most=1.25),
                Entrant(whole, lambda: run(fan_out(), whole=True)),
                *peers.get(FAN_OUT, ()),
            ),
            rounds=9,
            kinds=("steps",),
        ),
    )
