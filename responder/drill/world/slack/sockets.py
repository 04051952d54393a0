"""Socket Mode: one-use addresses, WebSockets that are kept open, and envelopes that each go to one of them.

By docs.slack.dev, "Using Socket Mode": up to ten connections; an envelope goes to any one of them; after a `disconnect`
nothing more is sent on that connection.
"""

import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from responder.drill.world.slack.app import App, Pace
from responder.drill.world.web import Rejected, Request

if TYPE_CHECKING:
    from wsproto import WSConnection

MOST_CONNECTIONS = 10
LINK = "/link/"
_READ = 65536
_LOOK = 0.25

Message = dict[str, Any]
Receive = Callable[["Socket", Message, str], None]
"""Given what the app sent on a connection, read and as it came."""


class Socket:
    """One WebSocket of the app."""

    def __init__(self, number: int, connection: socket.socket, pace: Pace) -> None:
        self.number = number
        self.leaving = ""
        """Why the app was told to go; nothing more is sent then."""
        self._connection = connection
        self._pace = pace
        self._lock = threading.RLock()
        self._ends_at: float | None = None
        self._ws = _websocket()
        self._text = ""
        self.pongs = 0

    def accept(self, request: Request) -> None:
        """Answer the upgrade; raises OSError where the other side is gone, ValueError where it is none."""
        from wsproto.events import AcceptConnection  # noqa: PLC0415 - an extra
        from wsproto.utilities import ProtocolError  # noqa: PLC0415 - an extra

        headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        try:
            self._ws.initiate_upgrade_connection(headers, request.path)
            next(iter(self._ws.events()))
        except (ProtocolError, StopIteration) as error:
            raise ValueError("this is no WebSocket") from error
        self._transmit(AcceptConnection())

    def send(self, message: Message) -> bool:
        """Send a message; tell whether it could be written."""
        from wsproto.events import TextMessage  # noqa: PLC0415 - an extra

        with self._lock:
            if self.leaving:
                return False
            try:
                self._transmit(TextMessage(json.dumps(message, ensure_ascii=False)))
            except OSError:
                self.drop()  # what was written of it cannot be taken back
                return False
        return True

    def disconnect(self, reason: str, app: App) -> None:
        """Tell the app to go, and end the connection a while later where it does not."""
        about = {"host": "applink-lumen-1"}
        with self._lock:
            sent = self.send({"type": "disconnect", "reason": reason, "debug_info": about, "app_id": app.id})
            self.leaving = reason
            self._ends_at = time.monotonic() + (self._pace.farewell if sent else 0.0)

    def drop(self) -> None:
        """End the connection without a word."""
        self.leaving = self.leaving or "dropped"
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def converse(self, receive: Receive) -> None:
        """Read until the connection ends; answer pings, and send some."""
        self._connection.settimeout(_LOOK)
        last_ping = time.monotonic()
        while self._ends_at is None or time.monotonic() < self._ends_at:
            try:
                data = self._connection.recv(_READ)
            except TimeoutError:
                if time.monotonic() - last_ping > self._pace.ping and not self.leaving:
                    last_ping = time.monotonic()
                    self.ping()
                continue
            if not data or not self._understand(data, receive):
                return

    def _understand(self, data: bytes, receive: Receive) -> bool:
        from wsproto.events import CloseConnection, Ping, Pong, TextMessage  # noqa: PLC0415 - an extra
        from wsproto.utilities import ProtocolError  # noqa: PLC0415 - an extra

        with self._lock:
            try:
                self._ws.receive_data(data)
                events = list(self._ws.events())
            except ProtocolError:
                return False
        for event in events:
            if isinstance(event, CloseConnection):
                self.leaving = self.leaving or "closed"
                with contextlib.suppress(OSError):
                    self._transmit(event.response())
                return False
            if isinstance(event, Ping):
                self._transmit(event.response())
            elif isinstance(event, Pong):
                self.pongs += 1
            elif isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    text, self._text = self._text, ""
                    receive(self, _read(text), text)
        return True

    def ping(self) -> None:
        """Ask whether the app is there; raises OSError where it is gone."""
        from wsproto.events import Ping  # noqa: PLC0415 - an extra

        self._transmit(Ping(b"Ping from applink-lumen-1"))

    def _transmit(self, event: Any) -> None:
        from wsproto.utilities import ProtocolError  # noqa: PLC0415 - an extra

        with self._lock:
            try:
                content = self._ws.send(event)
            except ProtocolError as error:
                raise ConnectionError("the other side said farewell") from error
            # A client that stopped reading must not hold up whoever delivers.
            self._connection.settimeout(self._pace.acknowledge)
            try:
                self._connection.sendall(content)
            finally:
                self._connection.settimeout(_LOOK)


class Switchboard:
    """Admits WebSockets by their tickets, and chooses one for each envelope, in turn."""

    def __init__(self, app: App, pace: Pace) -> None:
        self._app = app
        self._pace = pace
        self._lock = threading.Lock()
        self._tickets: dict[str, float] = {}
        self._sockets: list[Socket] = []
        self._count = 0
        self._turn = 0
        self.link_enabled = True
        self.was_used = False
        """Whether the app ever asked for an address."""

    @property
    def open(self) -> list[Socket]:
        """The connections on which something may be sent."""
        with self._lock:
            return [each for each in self._sockets if not each.leaving]

    def ticket(self) -> str:
        """Return a ticket that admits one connection, soon."""
        made = secrets.token_hex(16)
        with self._lock:
            self.was_used = True
            self._tickets[made] = time.monotonic() + self._pace.ticket
        return made

    def serve(self, connection: socket.socket, request: Request, receive: Receive) -> None:
        """Serve one WebSocket to its end."""
        ticket = request.query.get("ticket", "")
        with self._lock:
            until = self._tickets.pop(ticket, 0.0)
            self._count += 1
            made = Socket(self._count, connection, self._pace)
        if request.path != LINK or time.monotonic() > until:
            connection.sendall(Rejected(403, "invalid_ticket").answer.bytes())
            return
        made.accept(request)
        if not self.link_enabled or len(self.open) >= MOST_CONNECTIONS:
            made.disconnect("too_many_websockets" if self.link_enabled else "link_disabled", self._app)
            return
        with self._lock:
            self._sockets.append(made)
        try:
            made.send(self._hello())
            made.converse(receive)
        finally:
            made.leaving = made.leaving or "closed"
            with self._lock:
                self._sockets.remove(made)

    def choose(self) -> Socket | None:
        """Return the connection whose turn it is."""
        found = self.open
        with self._lock:
            self._turn += 1
            return found[self._turn % len(found)] if found else None

    def disconnect(self, reason: str = "refresh_requested", number: int | None = None) -> int:
        """Tell connections to go, or one of them; return how many there were."""
        found = [each for each in self.open if number in (None, each.number)]
        for each in found:
            each.disconnect(reason, self._app)
        return len(found)

    def drop(self, number: int | None = None) -> int:
        """End connections without a word, or one of them; return how many there were."""
        with self._lock:
            found = [each for each in self._sockets if number in (None, each.number)]
        for each in found:
            each.drop()
        return len(found)

    def _hello(self) -> Message:
        about = {"host": "applink-lumen-1", "build_number": 1, "approximate_connection_time": 18060}
        with self._lock:
            number = sum(not each.leaving for each in self._sockets)
        told = {"type": "hello", "num_connections": number, "debug_info": about}
        return told | {"connection_info": {"app_id": self._app.id}}


def _websocket() -> "WSConnection":
    from wsproto import ConnectionType, WSConnection  # noqa: PLC0415 - an extra, and not for drills without an app

    return WSConnection(ConnectionType.SERVER)


def _read(text: str) -> Message:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
