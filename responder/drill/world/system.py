"""What every system of the world has in common: a door, faults on the way in, a line on the way out."""

import socket
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from responder.clock import ScaledClock
from responder.drill.world.doors import Door, drop
from responder.drill.world.ledger import Labels, Ledger, Line
from responder.drill.world.spec import WorldSpec
from responder.drill.world.trouble import Trouble
from responder.drill.world.values import Inventory
from responder.drill.world.web import Answer, Rejected, Request, Route, find_route, read_request

_REFUSED = (401, 403)
_LIMITED = 429
_INVALID = 400
_FAILED = 500


@dataclass
class Ground:
    """What the systems stand on together."""

    spec: WorldSpec
    clock: ScaledClock
    ledger: Ledger
    labels: Labels
    trouble: Trouble
    inventory: Inventory
    urls: dict[str, str] = field(default_factory=dict)
    """Where the responder finds each system."""
    inner: dict[str, int] = field(default_factory=dict)
    """The port of each system for the world's own people, which no fault shuts."""


class System(ABC):
    """One system: answers requests under its lock, so that the ledger's order is the order of its changes."""

    name: ClassVar[str]
    recorded: ClassVar[bool] = True
    """Whether its requests are lines of the ledger."""

    def __init__(self, ground: Ground, lock: "threading.RLock | None" = None) -> None:
        self.ground = ground
        self.lock = lock or threading.RLock()
        self.door = Door(self._converse)
        self.inner = Door(self._converse)
        self._routes = self.routes()

    @abstractmethod
    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked here."""

    def writes(self, request: Request) -> bool:
        """Tell whether the request asks for a change."""
        return request.method not in ("GET", "HEAD")

    def presented(self, request: Request) -> str | None:
        """Return the value of the credential that the request presents."""
        return request.bearer

    def limited(self) -> Answer:
        """Return what a client gets that asks too often."""
        return Rejected(_LIMITED, "too_many_requests", headers={"Retry-After": "1"}).answer

    def upgrade(self, connection: socket.socket, request: Request) -> None:  # noqa: ARG002 - Slack's needs it
        """Serve a connection that is to be a WebSocket from here on; most systems know none."""
        connection.sendall(Rejected(_INVALID, "not_understood").answer.bytes())

    def open(self) -> None:
        """Begin to listen on both doors."""
        self.door.open()
        self.inner.open()

    def close(self) -> None:
        """End both doors and their connections."""
        self.door.close()
        self.inner.close()

    def answer(self, request: Request) -> Answer:
        """Do what the request asks; a rejection is an answer, too."""
        try:
            act, parts = find_route(self._routes, request)
            return act(request, parts)
        except Rejected as rejected:
            return rejected.answer

    def exchange(self, request: Request) -> bytes | None:
        """Return the bytes to send back, or None where the connection is to end without an answer."""
        early: Answer | None = None
        if self.recorded and request.actor == "responder":
            if self.goes_down():
                self._record(request, Answer(0, outcome="down"))
                return None
            time.sleep(self.ground.trouble.delay(self.name))
            early = self._turned_away()
        with self.lock:
            answer = early or self.answer(request)
            lost = early is None and self._loses(request, answer)
            self._record(request, answer, lost=lost)
        return None if lost else answer.bytes(head=request.method == "HEAD")

    def goes_down(self) -> bool:
        """Shut the door where a fault says that the system is down now; tell whether it does."""
        seconds = self.ground.trouble.down(self.name)
        if seconds is None:
            return False
        self.door.shut(self.ground.clock.real_seconds(seconds) if seconds else None)
        return True

    def _turned_away(self) -> Answer | None:
        status = self.ground.trouble.rejects(self.name)
        if status is None:
            return None
        return self.limited() if status == _LIMITED else Rejected(status, "internal_error").answer

    def _loses(self, request: Request, answer: Answer) -> bool:
        if request.actor != "responder" or not self.writes(request):
            return False
        return outcome_of(answer) == "served" and self.ground.trouble.loses_answer(request.origin[1])

    def _record(self, request: Request, answer: Answer, *, lost: bool = False) -> None:
        if not self.recorded:
            return
        run, step = request.origin
        labels = self.ground.labels
        line = Line(
            system=self.name,
            method=request.method,
            path=request.path,
            actor=request.actor,
            run=run,
            step=step,
            credential=labels.of(self.presented(request)),
            carried=labels.within(request.everything()),
            status=answer.status,
            outcome="lost" if lost else outcome_of(answer),
            write=self.writes(request),
            began=request.began,
        )
        self.ground.ledger.write(line, *answer.effects)

    def _converse(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            while True:
                try:
                    request = read_request(reader, self.ground.clock.now)
                except ValueError:
                    connection.sendall(Rejected(_INVALID, "not_understood").answer.bytes())
                    return
                if request is None:
                    return
                if request.headers.get("upgrade", "").lower() == "websocket":
                    self.upgrade(connection, request)
                    return
                content = self.exchange(request)
                if content is None:
                    drop(connection)
                    return
                connection.sendall(content)
                if request.headers.get("connection", "").lower() == "close":
                    return


def outcome_of(answer: Answer) -> str:
    """Name an answer for the ledger: served, refused, limited, invalid or error."""
    if answer.outcome:
        return answer.outcome
    if answer.status in _REFUSED:
        return "refused"
    if answer.status == _LIMITED:
        return "limited"
    if answer.status >= _FAILED:
        return "error"
    return "invalid" if answer.status >= _INVALID else "served"
