"""Captured pages: bytes, headers, hash and time, whatever the server does."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from provider_bench import bench_of

from responder.errors import ProviderError, Unavailable
from responder.providers.evidence import CapturePage
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen

PAGE = b"<h1>An open letter</h1>\n\xff\xfe\x00raw"


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("evidence") as made:
        yield made


def capture(bench: Bench, answer: Any, path: str = "/page", **fields: Any) -> Any:
    bench.live.gate._answer = answer
    return CapturePage(url=bench.live.gate.url + path, **fields).read(bench.client())


def test_a_page_is_kept_as_it_is(bench: Bench) -> None:
    outcome = capture(bench, lambda seen: Reply(200, PAGE, {"Content-Type": "text/html", "Etag": "x1"}))
    [kept] = outcome.evidence

    assert kept.data.endswith(b"\r\n\r\n" + PAGE)
    assert b"etag: x1" in kept.data
    assert outcome.facts["sha256"] == hashlib.sha256(PAGE).hexdigest()
    assert outcome.facts["captured_at"] == bench.live.clock.now().isoformat()
    assert outcome.facts["headers"]["etag"] == "x1"
    assert outcome.facts["complete"] is True


SUNSET = "Mon, 30 Nov 2026 12:00:00 GMT"
SOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
S3 = 'expiry-date="Tue, 01 Dec 2026 00:00:00 GMT", rule-id="Pages%20of%20a%20week"'


@pytest.mark.parametrize(
    ("headers", "gone_at"),
    [
        pytest.param({"Sunset": SUNSET}, SOON, id="a sunset"),
        pytest.param({"Sunset": "Mon, 30 Nov 2026 14:00:00 +0200"}, SOON, id="a sunset in another zone"),
        pytest.param({"Sunset": "Mon, 30 Nov 2026 12:00:00 -0000"}, SOON, id="a sunset without a zone"),
        pytest.param({"X-Amz-Expiration": S3}, datetime(2026, 12, 1, tzinfo=UTC), id="an object that a rule deletes"),
        pytest.param({"X-Amz-Expiration": S3, "Sunset": SUNSET}, SOON, id="the earlier of both"),
        pytest.param({"X-Amz-Expiration": S3, "Sunset": "soon"}, datetime(2026, 12, 1, tzinfo=UTC), id="one of them"),
        pytest.param({}, None, id="nothing"),
        pytest.param({"Expires": SUNSET}, None, id="how long a cache may keep it"),
        pytest.param({"X-Amz-Expiration": 'expiry-date="", rule-id="x"'}, None, id="a rule without a date"),
        pytest.param({"Sunset": "Fri, 31 Dec 9999 23:59:59 -1400"}, None, id="after the end of all years"),
    ],
)
def test_a_page_is_kept_for_as_long_as_its_server_says(
    bench: Bench, headers: dict[str, str], gone_at: datetime | None
) -> None:
    outcome = capture(bench, lambda seen: Reply(200, PAGE, headers))

    assert [gone_at] == [one.kept_until for one in outcome.evidence]
    assert (gone_at.isoformat() if gone_at else "") == outcome.facts["kept_until"]


def test_a_stranger_fetches_it_without_any_credential(bench: Bench) -> None:
    bench.live.secret = "ours-" + "x9Yz" * 5
    capture(bench, lambda seen: Reply(200, PAGE))
    [seen] = bench.live.gate.seen

    assert not {"authorization", "cookie"} & set(seen.headers)
    assert seen.headers["user-agent"].startswith("responder/")
    assert seen.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [204, 301, 404, 410, 451, 500, 503])
def test_every_answer_is_evidence_if_it_stays_so(bench: Bench, status: int) -> None:
    assert capture(bench, lambda seen: Reply(status, b"" if status == 204 else b"gone")).facts["status"] == status


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_shows_nothing_just_now_is_asked_again_and_its_answer_is_on_record(
    bench: Bench, status: int
) -> None:
    bench.live.gate._answer = lambda seen: Reply(status, b"busy", {"Retry-After": "7"})
    action = CapturePage(url=bench.live.gate.url + "/page")
    later = bench.failing(Unavailable, lambda: action.read(bench.client()._replace(tries_left=1)))
    last = action.read(bench.client()._replace(tries_left=0))

    assert later.retry_after == 7
    assert f"HTTP {status}" in later.message
    assert hashlib.sha256(b"busy").hexdigest() in later.message
    assert last.facts["status"] == status
    assert last.evidence[0].data.endswith(b"busy")


@pytest.mark.parametrize(("said", "seconds"), [("3600", 60), ("soon", None), ("", None)])
def test_a_server_cannot_put_us_off_for_long(bench: Bench, said: str, seconds: float | None) -> None:
    bench.live.gate._answer = lambda seen: Reply(503, b"", {"Retry-After": said})
    action = CapturePage(url=bench.live.gate.url + "/page")

    error = bench.failing(Unavailable, lambda: action.read(bench.client()._replace(tries_left=1)))
    assert error.retry_after == seconds


@pytest.mark.parametrize("status", [404, 410, 451])
def test_an_answer_that_says_how_it_is_is_kept_at_once(bench: Bench, status: int) -> None:
    bench.live.gate._answer = lambda seen: Reply(status, b"gone")
    facts = CapturePage(url=bench.live.gate.url + "/page").read(bench.client()._replace(tries_left=3)).facts

    assert facts["status"] == status
    assert len(bench.live.gate.seen) == 1


def test_a_page_without_an_end_is_cut(bench: Bench) -> None:
    outcome = capture(bench, lambda seen: Reply(200, b"x" * 100_000), most_bytes=1000)

    assert (outcome.facts["bytes"], outcome.facts["complete"]) == (1000, False)


def test_a_server_that_says_nothing_is_unavailable_in_time(bench: Bench) -> None:
    def slow(seen: Seen) -> Reply:
        time.sleep(1.5)
        return Reply(200, b"late")

    started = time.perf_counter()
    with pytest.raises(Unavailable):
        capture(bench, slow, within="0.2s")
    assert time.perf_counter() - started < 1.4


def test_redirects_of_the_same_host_are_followed(bench: Bench) -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(200, PAGE) if seen.path == "/new" else Reply(302, b"", {"Location": "/new"})

    outcome = capture(bench, answer)
    assert outcome.facts["url"] == f"{bench.live.gate.url}/new"
    assert outcome.facts["redirects"] == [f"{bench.live.gate.url}/new"]


@pytest.mark.parametrize(
    "location",
    ["https://elsewhere.example/x", "http://169.254.169.254/latest/meta-data", "ftp://127.0.0.1/x"],
)
def test_other_places_are_named_and_not_visited(bench: Bench, location: str) -> None:
    outcome = capture(bench, lambda seen: Reply(302, b"", {"Location": location}))

    assert (outcome.facts["status"], outcome.facts["redirects"]) == (302, [location])
    assert len(bench.live.gate.seen) == 1


@pytest.mark.parametrize("location", ["http://[", "http://h:99999/", "\xff\xfe", "/new page\t"])
def test_a_redirect_that_leads_nowhere_is_evidence_as_it_is(bench: Bench, location: str) -> None:
    outcome = capture(bench, lambda seen: Reply(302, PAGE, {"Location": location}))

    assert 302 == outcome.facts["status"]
    assert outcome.evidence[0].data.endswith(PAGE)


@pytest.mark.parametrize("url", ["http://[", "http://[x]/", "http://h:99999/"])
def test_an_address_that_is_none_is_refused(bench: Bench, url: str) -> None:
    with pytest.raises((ProviderError, Unavailable)):
        CapturePage(url=url).read(bench.client())


def test_a_circle_ends(bench: Bench) -> None:
    outcome = capture(bench, lambda seen: Reply(302, b"", {"Location": "/page"}))

    assert outcome.facts["status"] == 302
    assert len(bench.live.gate.seen) == 4


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/latest",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://user:pw@127.0.0.1/",
    ],
)
def test_a_finding_cannot_make_us_read_our_own_metadata(bench: Bench, url: str) -> None:
    with pytest.raises(ProviderError) as caught:
        CapturePage(url=url).read(bench.client())

    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.example/", "gopher://a.example/", "a.example"])
def test_only_web_pages_are_captured(url: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        CapturePage(url=url)


def test_it_needs_no_account(bench: Bench) -> None:
    assert bench.provider.identify(bench.client()).account == ""
