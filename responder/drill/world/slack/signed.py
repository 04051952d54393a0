"""Deliveries by HTTP, signed as Slack signs them (docs.slack.dev, "Verifying requests from Slack")."""

import hashlib
import hmac
import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

_STALE = 6 * 60
FORGERIES = ("forged", "stale", "replayed", "unsigned")
"""Requests that a real Slack does not send, and that an app must refuse."""


@dataclass(frozen=True)
class Post:
    """A request to the app."""

    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """What the app answered: a status, or 0 and the reason why there is none."""

    status: int
    text: str
    headers: dict[str, str]
    problem: str = ""

    def content(self) -> Any:
        """Return the JSON in the body, or its text."""
        try:
            return json.loads(self.text) if self.text else None
        except ValueError:
            return self.text


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the value of X-Slack-Signature: an HMAC-SHA256 over version, time and body."""
    base = b"v0:%d:" % timestamp + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def compose(url: str, secret: str, kind: str, payload: dict[str, Any], more: dict[str, str]) -> Post:
    """Return a signed request: a form for commands and interactions, JSON for events."""
    if kind == "events_api":
        body, media = json.dumps(payload, ensure_ascii=False).encode(), "application/json"
    else:
        form = payload if kind == "slash_commands" else {"payload": json.dumps(payload, ensure_ascii=False)}
        body, media = urlencode(form).encode(), "application/x-www-form-urlencoded"
    # The app compares with its own clock, which is the machine's.
    now = int(time.time())
    return Post(url, body, {"Content-Type": media, **more, **_signed(secret, now, body)})


def forge(post: Post, secret: str, how: str) -> Post:
    """Return a request that an app must refuse: forged, stale, replayed after its time, or unsigned."""
    bare = {name: value for name, value in post.headers.items() if not name.startswith("X-Slack-S")}
    now = int(time.time())
    if how == "unsigned":
        bare.pop("X-Slack-Request-Timestamp", None)
        return Post(post.url, post.body, bare)
    if how == "forged":
        return Post(post.url, post.body, bare | _signed(secret[::-1] + "x", now, post.body))
    if how == "stale":
        return Post(post.url, post.body, bare | _signed(secret, now - _STALE, post.body))
    return post


def send(post: Post, seconds: float) -> Reply:
    """Send a request, and wait for the answer no longer than that."""
    parts = urlsplit(post.url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=seconds)
    began = time.monotonic()
    try:
        connection.request("POST", parts.path or "/", body=post.body, headers=post.headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except TimeoutError:
        return Reply(0, "", {}, "http_timeout")
    except (OSError, http.client.HTTPException):
        return Reply(0, "", {}, "connection_failed")
    finally:
        connection.close()
    if time.monotonic() - began > seconds:
        return Reply(0, "", {}, "http_timeout")
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, text, headers, "" if 200 <= answer.status < 300 else "http_error")  # noqa: PLR2004


def _signed(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature(secret, timestamp, body)}
