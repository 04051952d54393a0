"""A page that is kept."""

import contextlib
from collections.abc import Iterator

from cases.common import ORIGIN, Gated, HandClock

from responder.providers import evidence
from responder.settings import Connection
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, Seen


@contextlib.contextmanager
def a_page() -> Iterator[Gated]:
    def answer(seen: Seen) -> Reply:
        return Reply(200, "<h1>An open letter</h1>", {"Content-Type": "text/html"})

    with Loopback(answer) as gate:
        nobody = Connection(name="evidence", provider="evidence")
        yield Gated(gate, nobody, HandClock(0.0, ORIGIN, 1.0))


CASE = ProviderCase(
    evidence.PROVIDER,
    a_page,
    (
        ActionCase(
            lambda live, _: evidence.CapturePage(url=f"{live.gate.url}/page"),
            "capture_page",
            can_be_denied=False,
        ),
    ),
    tells_account=False,
)
