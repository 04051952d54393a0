"""All that passed between the app and Slack: what the app sent, word for word, and what was delivered to it."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from responder.drill.world.web import Request


@dataclass
class Sent:
    """Something that the app sent to Slack."""

    kind: str
    """call, response_url, acknowledgement or socket."""
    name: str
    """The method, the path of the response_url, or the envelope."""
    arguments: dict[str, Any]
    raw: str
    """All of it as it came, without the token in the header."""
    at: str
    """On the world's clock."""
    real: float = field(default_factory=time.time)
    outcome: str = ""
    """ok, or Slack's word for the error."""
    request: Request | None = None

    def shown(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        kept = {name: getattr(self, name) for name in ("kind", "name", "arguments", "raw", "at", "real", "outcome")}
        return dict(kept)


@dataclass
class Delivery:
    """One try to deliver something to the app."""

    id: str
    """The envelope in Socket Mode, else a number of ours."""
    kind: str
    """slash_commands, interactive or events_api."""
    payload: dict[str, Any]
    connection: int | None = None
    """The number of the WebSocket; None for signed HTTP, or where there was nobody."""
    url: str = ""
    attempt: int = 0
    """0 for the first try."""
    reason: str = ""
    """Why it is tried again, where it is."""
    problem: str = ""
    """Why it was not acknowledged: timeout, http_timeout, http_error, connection_failed."""
    outcome: str = "waiting"
    """acknowledged, timed_out, nobody, failed."""
    status: int = 0
    milliseconds: float | None = None
    """Until it was acknowledged."""
    late_milliseconds: float | None = None
    """When an acknowledgement came that was too late."""
    answer: Any = None
    """What the acknowledgement carried."""
    no_retry: bool = False

    def shown(self) -> dict[str, Any]:
        """Return the try as plain data."""
        return asdict(self)


class Diary:
    """Keeps everything, in order; nothing is ever dropped, so that a search over it is complete."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: list[Sent] = []
        self._deliveries: list[Delivery] = []

    def add(self, sent: Sent) -> Sent:
        """Keep what the app sent."""
        with self._lock:
            self._sent.append(sent)
        return sent

    def deliver(self, delivery: Delivery) -> Delivery:
        """Keep a try to deliver; whoever delivers writes into it how it went."""
        with self._lock:
            self._deliveries.append(delivery)
        return delivery

    def sent(self, kind: str = "", name: str = "", containing: str = "") -> list[Sent]:
        """Return what the app sent: of a kind, of a method, and with a text anywhere in it."""
        with self._lock:
            found = list(self._sent)
        return [
            each
            for each in found
            if kind in ("", each.kind)
            and name in ("", each.name)
            and (not containing or containing in each.raw or containing in _text(each.arguments))
        ]

    def deliveries(self, kind: str = "", outcome: str = "") -> list[Delivery]:
        """Return every try to deliver, of a kind or with an outcome."""
        with self._lock:
            found = list(self._deliveries)
        return [each for each in found if kind in ("", each.kind) and outcome in ("", each.outcome)]


def _text(arguments: Any) -> str:
    return "\n".join(_leaves(arguments))


def _leaves(given: Any) -> Iterator[str]:
    """Yield every name and value, those of JSON inside a text too: nothing is hidden by being escaped."""
    if isinstance(given, dict):
        for name, value in given.items():
            yield str(name)
            yield from _leaves(value)
    elif isinstance(given, list):
        for each in given:
            yield from _leaves(each)
    else:
        yield str(given)
        if isinstance(given, str) and given[:1] in ("{", "["):
            with contextlib.suppress(ValueError):
                yield from _leaves(json.loads(given))
