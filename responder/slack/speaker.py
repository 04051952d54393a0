"""The one door to Slack's Web API: what leaves is scrubbed, and what comes back says what may be done next."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from responder.redaction import Redactor, Secret
from responder.transport import Transport

_SECONDS = 10
_LIMITED = 429
_AGAIN_SECONDS = 2.0
_BROKEN = 500
_FAILED = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})
"""Slack's words for its own trouble: after these, what was asked may have happened all the same."""
_MOST_PAGES = 10
_GONE = frozenset({"token_revoked", "invalid_auth", "account_inactive", "token_expired", "not_authed"})


class Refused(Exception):
    """Slack says no, and why, in a word of its own."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code

    @property
    def ours_is_dead(self) -> bool:
        """Whether our own token is not accepted any more."""
        return self.code in _GONE


class Later(Exception):
    """Slack cannot be reached, or wants to be left alone for some seconds."""

    def __init__(self, method: str, seconds: float, *, limited: bool = False) -> None:
        """`limited`: Slack has this method asked less often, and did nothing; else nobody knows what it did."""
        super().__init__(f"{method}: again in {seconds:g} s")
        self.seconds = seconds
        self.limited = limited


class Speaker:
    """Calls Slack as our app; nothing passes that the Redactor knows."""

    def __init__(self, client: WebClient, redactor: Redactor) -> None:
        self.client = client
        self._redactor = redactor
        self._limits: dict[str, Patience] = {}
        """What Slack wants to be asked less often, each by itself: a message waits for no edit, nor the other way."""

    @classmethod
    def with_token(cls, token: Secret, base_url: str, transport: Transport, redactor: Redactor) -> "Speaker":
        """Return a speaker for a bot token; the library repeats nothing by itself: a message must not come twice."""

        def client(value: str) -> WebClient:
            return WebClient(token=value, base_url=base_url, timeout=_SECONDS, retry_handlers=[])

        return cls(transport.wire("slack", "").with_value(token, client), redactor)

    def read(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method that only reads. Refused or Later where it does not answer what was asked."""
        return self._call(method, "GET", {"params": arguments})

    def write(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method that shows or changes something."""
        return self._call(method, "POST", {"json": self.clean(arguments)})

    def clean(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may leave."""
        clean: dict[str, Any] = self._redactor.scrub_data(dict(data))
        return clean

    def pages(self, method: str, items: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page by page."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = self.read(method, limit=200, **arguments, **({"cursor": cursor} if cursor else {}))
            yield from answer.get(items) or ()
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    def _call(self, method: str, verb: str, parts: dict[str, Any]) -> dict[str, Any]:
        # Each method is counted by itself, but for messages, of which each channel takes about one a second.
        place = str(parts.get("json", {}).get("channel", "")) if method == "chat.postMessage" else ""
        limit = self._limits.setdefault(f"{method} {place}", Patience())
        if limit.left:
            raise Later(method, limit.left, limited=True)
        try:
            data = self.client.api_call(method, http_verb=verb, **parts).data
        except SlackApiError as error:
            if error.response.status_code == _LIMITED:
                later = Later(method, float(error.response.headers.get("Retry-After") or 1), limited=True)
                limit.wait_for(later)
                raise later from None
            code = error.response.get("error") if isinstance(error.response.data, dict) else "unreadable"
            if code in _FAILED or error.response.status_code >= _BROKEN:
                raise Later(method, _AGAIN_SECONDS) from None
            raise Refused(method, str(code)) from None
        except Exception as error:
            raise Later(method, _AGAIN_SECONDS) from error
        return data if isinstance(data, dict) else {}


class Patience:
    """When Slack may be spoken to again, after it said that it wants to be left alone."""

    def __init__(self) -> None:
        self._until = 0.0

    def wait_for(self, error: Later) -> None:
        """Take note of how long it wants."""
        self._until = max(self._until, time.monotonic() + error.seconds)

    @property
    def left(self) -> float:
        """How many seconds are left."""
        return max(0.0, self._until - time.monotonic())
