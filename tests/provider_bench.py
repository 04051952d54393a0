"""What the providers' own tests share: a bench around a case's fake."""

import contextlib
from collections.abc import Iterator

from cases.every import case_of

from responder.testing.bench import Bench


@contextlib.contextmanager
def bench_of(provider: str) -> Iterator[Bench]:
    """Run a provider's fake."""
    case = case_of(provider)
    with case.open() as live:
        bench = Bench(case.provider, live)
        try:
            yield bench
        finally:
            bench.transport.close()
