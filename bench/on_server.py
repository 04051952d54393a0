"""What is measured on PostgreSQL: queued runs beside Procrastinate alone, and many items on one chain.

workers.py and chains.py say how, and measure more when they are started by themselves.
"""

import importlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.comparison import Case, Entrant, Missing

if TYPE_CHECKING:
    from postgresql import Server

COUNT = 1000
_NAPS = (0.05, 0.2)


def _measured(module: str) -> Any:
    """Return a module that measures. Missing where it needs what is not installed."""
    try:
        return importlib.import_module(f"bench.{module}")
    except ImportError as error:
        raise Missing(f"{error}: pip install 'responder[postgres]'") from None


def cases(until_the_end: ExitStack, peers: dict[str, Sequence[Entrant]]) -> Sequence[Case]:
    """Return the cases; their server is started when the first of them is measured."""

    @cache
    def server() -> "Server":
        postgresql = importlib.import_module("postgresql")  # in tests, whose folder is on the path by now
        if reason := postgresql.missing():
            raise Missing(reason)
        running: Server = until_the_end.enter_context(postgresql.server())
        return running

    def queued(name: str) -> Callable[[], float]:
        def measure() -> float:
            running = server()
            rate: float = getattr(_measured("workers"), name)(running, COUNT)
            return COUNT / rate

        return measure

    def items(nap: float, *, own_chains: bool) -> Callable[[], float]:
        def measure() -> float:
            running, chains = server(), _measured("chains")
            seconds: float = chains.timed(running, chains.ITEMS if own_chains else 1, chains.WIDTH, nap)
            return seconds

        return measure

    queue = f"{COUNT} queued runs of one step, two workers on PostgreSQL"
    return (
        Case(
            queue,
            Entrant(f"Procrastinate alone, {COUNT} empty jobs", queued("empty_jobs")),
            (Entrant("responder", queued("runs"), at_most=2.5), *peers.get(queue, ())),  # at least 0.4 of its rate
            rounds=3,
            kinds=("queue",),
        ),
        *(
            Case(
                f"300 items of {nap * 1000:g} ms on PostgreSQL, 64 at once",
                Entrant("each on a chain of its own", items(nap, own_chains=True)),
                (Entrant("all on the chain of one incident", items(nap, own_chains=False), at_most=1.25),),
                rounds=5,
                kinds=("chains",),
            )
            for nap in _NAPS
        ),
    )
