"""An exposure is removed only after its bytes are stored."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import clockwork
import pytest
from guard_bench import assert_refused, case, effects, ran, refusals, state_of

from responder.chain import GENESIS
from responder.entry import Entry
from responder.notice import DraftNotice
from responder.standing import Standing

SEEN = "https://hub.example/spaces/acme/site"
CAPTURE = (
    "  - {id: keep, phase: analysis, action: evidence.capture_page, with: {url: '${{ incident.exposure.url }}'}}\n"
)
HIDE = "  - {id: hide, phase: eradication, action: clockwork.hide, with: {key: h, page: acme/site}%s}\n"


def entry(event: str, step: str = "", run: str = "run-1", **facts: Any) -> Entry:
    return Entry(1, datetime.now(UTC), "inc-1", run, event, step, "responder", facts, 0, GENESIS, GENESIS)


def standing(*entries: Entry) -> Standing:
    one = Standing()
    for line in (entry("opened", run="", exposure={"url": SEEN}), *entries):
        one.apply(line)
    return one


def kept(about: str = SEEN, run: str = "run-1") -> Entry:
    return entry("done", "keep", run, facts={"evidence": [{"about": about, "sha256": "0"}]})


ASKED = entry("began", "keep", **{"with": {"url": SEEN}})
HIDING = clockwork.Hide(key="h", page="acme/site")
TAKEDOWN = DraftNotice(template="takedown-request")


@pytest.mark.parametrize(
    ("action", "entries", "count"),
    [
        pytest.param(HIDING, [], 1, id="nobody has kept it"),
        pytest.param(HIDING, [kept()], 0, id="its bytes are stored"),
        pytest.param(HIDING, [kept(SEEN + "/")], 0, id="its bytes, by an address that means the same"),
        pytest.param(HIDING, [kept(run="run-2")], 0, id="another run of the incident has kept it"),
        pytest.param(HIDING, [kept("https://hub.example/login")], 1, id="another page was kept"),
        pytest.param(HIDING, [ASKED, kept("https://hub.example/login")], 0, id="it was asked for, and led elsewhere"),
        pytest.param(HIDING, [entry("done", "keep", facts={"sha256": "0"})], 1, id="no bytes were stored"),
        pytest.param(HIDING, [kept(), entry("joined", exposure={"url": SEEN + "/app.py"})], 1, id="seen once more"),
        pytest.param(TAKEDOWN, [], 1, id="a request to remove it"),
        pytest.param(TAKEDOWN, [kept()], 0, id="a request after it was kept"),
        pytest.param(DraftNotice(template="partner-notice"), [], 0, id="a text that asks for nothing"),
        pytest.param(clockwork.Turn(key="t"), [], 0, id="an action that hides nothing"),
    ],
)
def test_what_is_kept_before_it_goes(action: Any, entries: list[Entry], count: int) -> None:
    state = state_of(exposure={"url": SEEN})
    state.standing = standing(*entries)

    assert count == len(refusals("evidence", case(action, state=state)))


@pytest.fixture
def page() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"an open letter")

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/spaces/acme/site"
    server.shutdown()
    thread.join()
    server.server_close()


def test_from_the_command_line_nothing_is_hidden_before_it_is_kept(place: Path, page: str) -> None:
    result = ran(place, HIDE % "", url=page)

    assert_refused(
        result, "evidence", what="nobody has kept what stands there", place="step hide", way_out="capture it first"
    )
    assert [] == effects(place)


def test_once_it_is_kept_it_may_go(place: Path, page: str) -> None:
    ran(place, CAPTURE + HIDE % ", needs: [keep]", url=page)

    assert ["h"] == effects(place)
