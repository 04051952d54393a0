"""Brings commands, interactions and events to the app, over a WebSocket or by signed HTTP, and waits three seconds."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from responder.drill.world.slack.app import App, Pace
from responder.drill.world.slack.diary import Delivery, Diary, Sent
from responder.drill.world.slack.signed import Post, Reply, compose, forge, send
from responder.drill.world.slack.sockets import Message, Socket, Switchboard

_RESPONDS = {"slash_commands", "interactive"}


class Courier:
    """Delivers, and writes down how it went.

    An event is tried up to three times more; a command and an interaction never are (docs.slack.dev, "The Events API").
    """

    def __init__(self, app: App, pace: Pace, diary: Diary, now: Callable[[], str]) -> None:
        self.board = Switchboard(app, pace)
        self._app = app
        self._pace = pace
        self._diary = diary
        self._now = now
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Delivery, threading.Event, float]] = {}
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._last: Post | None = None
        self.carried: Callable[[str], None] = lambda _: None
        """Told of every text that the app sent on a WebSocket."""
        self.may_deliver: Callable[[], bool] = lambda: True
        """Whether Slack is up and the app is installed."""

    @property
    def knows_app(self) -> bool:
        """Tell whether there ever was an app to deliver to."""
        return bool(self._app.request_url) or self.board.was_used

    def hand(self, kind: str, payload: dict[str, Any], attempt: int = 0, reason: str = "") -> Delivery:
        """Deliver once, and return when it was acknowledged or too late."""
        delivery = Delivery(str(uuid.uuid4()), kind, payload, attempt=attempt, reason=reason)
        self._diary.deliver(delivery)
        if not self.may_deliver():
            delivery.outcome, delivery.problem = "nobody", "connection_failed"
        elif self._app.request_url:
            self._post(delivery)
        else:
            self._push(delivery)
        return delivery

    def announce(self, payload: dict[str, Any]) -> None:
        """Deliver an event beside what else happens, and again where it is not acknowledged."""
        if not self.knows_app or self._closing.is_set():
            return
        thread = threading.Thread(target=self._deliver_event, args=(payload,), daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def receive(self, source: Socket, message: Message, text: str) -> None:
        """Take what the app sent on a WebSocket: acknowledgements."""
        envelope = str(message.get("envelope_id", ""))
        kind = "acknowledgement" if envelope else "socket"
        self._diary.add(Sent(kind, envelope or f"connection {source.number}", message, text, self._now()))
        self.carried(text)
        with self._lock:
            delivery, arrived, began = self._waiting.get(envelope, (None, None, 0.0))
            if delivery is None or arrived is None:
                return
            milliseconds = (time.monotonic() - began) * 1000
            if delivery.outcome != "waiting":
                delivery.late_milliseconds = milliseconds
                return
            delivery.outcome, delivery.milliseconds = "acknowledged", milliseconds
            delivery.answer = message.get("payload")
        arrived.set()

    def verify_url(self, challenge: str = "challenge") -> bool:
        """Send the challenge that a request URL must answer before Slack uses it; tell whether it did."""
        payload = {"token": "unused", "challenge": challenge, "type": "url_verification"}
        reply = send(self._composed("events_api", payload, {}), self._pace.acknowledge)
        found = reply.content()
        return reply.status == 200 and challenge in (found, found.get("challenge") if isinstance(found, dict) else "")  # noqa: PLR2004

    def send_forged(self, how: str, kind: str = "", payload: dict[str, Any] | None = None) -> Reply:
        """Send a request that the app must refuse: with a wrong, an old or no signature, or the last one again."""
        if how == "replayed" and payload is None:
            if self._last is None:
                raise ValueError("nothing was posted yet that could be replayed")
            return send(self._last, self._pace.acknowledge)
        post = self._composed(kind or "slash_commands", payload or {}, {})
        return send(forge(post, self._app.signing_secret, how), self._pace.acknowledge)

    def settle(self, seconds: float = 5.0) -> bool:
        """Wait until no event is on its way; tell whether that came to be in time."""
        until = time.monotonic() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def close(self) -> None:
        """Try nothing again, and end every connection."""
        self._closing.set()
        self.board.drop()
        self.settle(1.0)

    def _deliver_event(self, payload: dict[str, Any]) -> None:
        delivery = self.hand("events_api", payload)
        for attempt, seconds in enumerate(self._pace.retries, 1):
            if delivery.outcome == "acknowledged" or delivery.no_retry or self._closing.wait(seconds):
                return
            delivery = self.hand("events_api", payload, attempt, delivery.problem or "timeout")

    def _push(self, delivery: Delivery) -> None:
        arrived, began = threading.Event(), time.monotonic()
        with self._lock:
            self._waiting[delivery.id] = (delivery, arrived, began)
        while (chosen := self.board.choose()) is not None:
            delivery.connection = chosen.number
            if chosen.send(_envelope(delivery)):
                break
        if chosen is None:
            delivery.connection, delivery.outcome, delivery.problem = None, "nobody", "connection_failed"
            return
        if not arrived.wait(self._pace.acknowledge):
            with self._lock:
                if delivery.outcome == "waiting":
                    delivery.outcome, delivery.problem = "timed_out", "timeout"

    def _post(self, delivery: Delivery) -> None:
        delivery.url = self._app.request_url
        again = {"X-Slack-Retry-Num": str(delivery.attempt), "X-Slack-Retry-Reason": delivery.reason}
        post = self._composed(delivery.kind, delivery.payload, again if delivery.attempt else {})
        self._last = post
        began = time.monotonic()
        reply = send(post, self._pace.acknowledge)
        milliseconds = (time.monotonic() - began) * 1000
        if reply.text:
            self._diary.add(Sent("acknowledgement", delivery.id, {"body": reply.content()}, reply.text, self._now()))
            self.carried(reply.text)
        delivery.status, delivery.answer = reply.status, reply.content()
        delivery.no_retry = reply.headers.get("x-slack-no-retry") == "1"
        if not reply.problem:
            delivery.outcome, delivery.milliseconds = "acknowledged", milliseconds
            return
        delivery.outcome = {"http_timeout": "timed_out", "connection_failed": "nobody"}.get(reply.problem, "failed")
        delivery.problem = reply.problem

    def _composed(self, kind: str, payload: dict[str, Any], more: dict[str, str]) -> Post:
        return compose(self._app.request_url, self._app.signing_secret, kind, payload, more)


def _envelope(delivery: Delivery) -> Message:
    told: Message = {"envelope_id": delivery.id, "type": delivery.kind, "payload": delivery.payload}
    told["accepts_response_payload"] = delivery.kind in _RESPONDS
    if delivery.kind == "events_api":
        told |= {"retry_attempt": delivery.attempt, "retry_reason": delivery.reason}
    return told
