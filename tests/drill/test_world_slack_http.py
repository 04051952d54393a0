"""Deliveries by signed HTTP: what an app verifies, how long Slack waits, and what it tries again."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from guests import Start
from slack_apps import serving, slack_of
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from responder.drill.world.slack import Person, Slack

Reply = Callable[[dict[str, str], bytes], tuple[int, str]]


class Site:
    """Where an app listens: keeps what it got, answers what the test says."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.reply: Reply = lambda *_: (200, "")
        self.headers: list[tuple[str, str]] = []
        self.pause = 0.0
        """Between the letters of an answer."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        headers["content-type"] = environ["CONTENT_TYPE"]
        self.got.append((headers, body))
        status, text = self.reply(headers, body)
        media = "application/json" if text.startswith("{") else "text/plain"
        start_response(f"{status} Said", [("Content-Type", media), *self.headers])
        for each in text:
            time.sleep(self.pause)
            yield each.encode()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def slack(start: Start, site: Site) -> Iterator[Slack]:
    made = slack_of(start())
    made.pace.acknowledge = 0.3
    made.pace.retries = (0.0, 0.02, 0.02)
    made.app.events = frozenset({"message"})
    with serving(site) as port:
        made.app.request_url = f"http://127.0.0.1:{port}/slack/events"
        yield made
        made.courier.settle()


@pytest.fixture
def ines(slack: Slack) -> Person:
    found = slack.person("ines")
    found.join("incidents")
    return found


def valid(slack: Slack, got: tuple[dict[str, str], bytes]) -> bool:
    return SignatureVerifier(slack.app.signing_secret).is_valid_request(got[1], got[0])


def test_a_command_is_a_signed_form(slack: Slack, site: Site, ines: Person) -> None:
    site.reply = lambda *_: (200, '{"text": "seen", "response_type": "in_channel"}')
    done = ines.command("/respond", "to <this> & that", channel="incidents")
    headers, body = site.got[0]

    assert (True, 200) == (done.ok, done.status)
    assert valid(slack, site.got[0])
    assert "application/x-www-form-urlencoded" == headers["content-type"]
    assert ["to <this> & that"] == parse_qs(body.decode())["text"]
    assert ["seen"] == [each["text"] for each in slack.person("ruth").messages("incidents")]


def test_an_interaction_is_json_in_a_form(slack: Slack, site: Site, ines: Person) -> None:
    assert ines.shortcut("open").ok
    payload = json.loads(parse_qs(site.got[0][1].decode())["payload"][0])

    assert valid(slack, site.got[0])
    assert ("shortcut", "open", "UINES") == (payload["type"], payload["callback_id"], payload["user"]["id"])


def test_an_event_is_json(slack: Slack, site: Site, ines: Person) -> None:
    ines.say("incidents", "hello")
    assert slack.courier.settle()
    headers, body = site.got[0]

    assert valid(slack, site.got[0])
    assert "application/json" == headers["content-type"]
    assert "x-slack-retry-num" not in headers
    assert ("event_callback", "hello") == (json.loads(body)["type"], json.loads(body)["event"]["text"])


@pytest.mark.parametrize(
    ("status", "reason"),
    [pytest.param(500, "http_error", id="the app fails"), pytest.param(0, "http_timeout", id="the app is late")],
)
def test_an_event_is_tried_again_and_says_why(slack: Slack, site: Site, ines: Person, status: int, reason: str) -> None:
    def fail(*_: Any) -> tuple[int, str]:
        time.sleep(0 if status else 0.4)
        return status or 200, ""

    site.reply = fail
    ines.say("incidents", "hello")

    assert slack.courier.settle()
    again = [(headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason")) for headers, _ in site.got]
    assert [(None, None), ("1", reason), ("2", reason), ("3", reason)] == again
    assert 1 == len({json.loads(body)["event_id"] for _, body in site.got})


def test_an_app_can_ask_not_to_be_tried_again(slack: Slack, site: Site, ines: Person) -> None:
    site.reply = lambda *_: (500, "")
    site.headers = [("X-Slack-No-Retry", "1")]
    ines.say("incidents", "hello")

    assert slack.courier.settle()
    assert 1 == len(site.got)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param((404, ""), ("dispatch_failed", 404), id="an unknown command"),
        pytest.param((500, ""), ("dispatch_failed", 500), id="an error"),
        pytest.param(None, ("operation_timeout", 0), id="too late"),
    ],
)
def test_a_person_sees_that_a_command_failed(
    slack: Slack, site: Site, ines: Person, reply: tuple[int, str] | None, error: tuple[str, int]
) -> None:
    def answer(*_: Any) -> tuple[int, str]:
        time.sleep(0 if reply else 0.4)
        return reply or (200, "")

    site.reply = answer
    done = ines.command("/respond")

    assert error == (done.error, done.status)
    assert 1 == len(site.got), "a command is never sent again"


def test_an_answer_that_drips_in_is_late_too(slack: Slack, site: Site, ines: Person) -> None:
    site.reply, site.pause = (lambda *_: (200, "slowly")), 0.1

    assert "operation_timeout" == ines.command("/respond").error
    assert [] == ines.messages("general")


def test_an_app_without_a_token_gets_nothing_more(slack: Slack, site: Site, ines: Person) -> None:
    WebClient(token=slack.ground.labels["slack-bot"], base_url=slack.ground.urls["slack"]).auth_revoke()

    assert "dispatch_failed" == ines.command("/respond").error
    assert [] == site.got
    slack.reinstall()
    assert ines.command("/respond").ok


def test_a_request_url_must_answer_the_challenge(slack: Slack, site: Site) -> None:
    assert not slack.courier.verify_url()
    site.reply = lambda _, body: (200, json.loads(body)["challenge"])
    assert slack.courier.verify_url("c-1")
    assert "url_verification" == json.loads(site.got[-1][1])["type"]


@pytest.mark.parametrize(
    ("how", "is_valid"),
    [
        pytest.param("forged", False, id="another secret"),
        pytest.param("stale", False, id="six minutes old"),
        pytest.param("unsigned", False, id="no signature"),
        pytest.param("replayed", True, id="the last one again, which only memory can refuse"),
    ],
)
def test_forged_requests_can_be_sent(slack: Slack, site: Site, ines: Person, how: str, is_valid: bool) -> None:
    ines.command("/respond", "once")
    slack.courier.send_forged(how)

    assert [True, is_valid] == [valid(slack, got) for got in site.got]
    if how == "replayed":
        assert site.got[0][1] == site.got[1][1]
        assert site.got[0][0]["x-slack-signature"] == site.got[1][0]["x-slack-signature"]


def test_a_stale_request_is_signed_well(slack: Slack, site: Site) -> None:
    slack.courier.send_forged("stale", "slash_commands", {"command": "/respond"})
    headers, body = site.got[0]
    made = SignatureVerifier(slack.app.signing_secret).generate_signature(
        timestamp=headers["x-slack-request-timestamp"], body=body
    )

    assert headers["x-slack-signature"] == made
    assert time.time() - int(headers["x-slack-request-timestamp"]) > 5 * 60


@pytest.mark.parametrize("url", ["https://127.0.0.1/x", "http://responder.example/x", "ftp://127.0.0.1"])
def test_nothing_is_posted_beyond_loopback(slack: Slack, url: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        slack.app.request_url = url


def test_what_the_app_answered_is_kept(slack: Slack, site: Site, ines: Person) -> None:
    site.reply = lambda *_: (200, '{"text": "a canary"}')
    ines.command("/respond")

    assert ["acknowledgement"] == [each.kind for each in slack.diary.sent(containing="canary")]
