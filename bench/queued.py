"""A thousand queued runs, two workers, one PostgreSQL, beside Procrastinate alone; see workers.py for how."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from bench.comparison import Case, Entrant, Missing

if TYPE_CHECKING:
    from postgresql import Server  # type: ignore[import-not-found]

COUNT = 1000


def cases(until_the_end: ExitStack, peers: dict[str, Sequence[Entrant]]) -> Sequence[Case]:
    """Return the one case; its server is started when it is first measured."""

    @cache
    def running() -> "Server":
        try:
            import postgresql  # noqa: PLC0415 - in tests, whose folder is on the path by now
        except ImportError as error:
            raise Missing(str(error)) from None
        if postgresql.missing():
            raise Missing(postgresql.missing())
        return until_the_end.enter_context(postgresql.server())

    def seconds(name: str) -> Callable[[], float]:
        def measure() -> float:
            server = running()
            try:
                from bench import workers  # noqa: PLC0415 - what it needs may be missing
            except ImportError as error:
                raise Missing(f"{error}: pip install 'responder[postgres]'") from None
            return COUNT / float(getattr(workers, name)(server, COUNT))

        return measure

    case = f"{COUNT} queued runs of one step, two workers on PostgreSQL"
    floor = Entrant(f"Procrastinate alone, {COUNT} empty jobs", seconds("empty_jobs"))
    ours = Entrant("responder", seconds("runs"), at_most=2.5)  # at least 0.4 of its rate
    return (Case(case, floor, (ours, *peers.get(case, ())), rounds=3, kinds=("queue",)),)
