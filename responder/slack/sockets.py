"""Connections by Socket Mode: each is read from its first moment to its last, and has a successor before it ends.

What a person did is sent once, on any open connection, and must be acknowledged within three seconds (docs.slack.dev,
"Using Socket Mode"). With slack_sdk's own client that cannot be kept: it opens the successor, and reads it only when a
read of the old connection has ended, up to three seconds later; and where a connection breaks off without a farewell,
it notices after a minute.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from slack_bolt import App as Bolt
from slack_bolt.adapter.socket_mode.internals import run_bolt_app, send_response
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from responder.clock import monotonic
from responder.slack.speaker import Later, Refused, Speaker

_SOCKETS = 2
"""Where one breaks off without a word, the other still hears."""
_THREADS = 10
_AGAIN_SECONDS = 2.0
_PING_SECONDS = 10.0
"""How often Slack is asked whether it is there, and how long it may take to answer."""
_FAREWELL_SECONDS = 15.0
"""How long a connection is read that Slack wants to end; it ends it itself about ten seconds later."""
_CLOSE_SECONDS = 1.0
_MOST_BYTES = 16 * 1024 * 1024
_REFRESHED = frozenset({"warning", "refresh_requested"})
"""The reasons for which Slack ends a connection that may be replaced at once."""
_log = logging.getLogger(__name__)
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.INFO)  # else every frame is logged while debugging, with what people paste into it

Message = dict[str, Any]


class Socket(BaseSocketModeClient):
    """One connection."""

    def __init__(self, url: str, proxy: str | None, take: Callable[["Socket", Message], None]) -> None:
        self.logger = _log
        self.done = threading.Event()
        """Set once nothing more is to come on it."""
        self.is_refreshed = False
        """Whether Slack asked for a successor."""
        self._url = url
        self._proxy = proxy
        self._take = take
        self._connection: ClientConnection | None = None
        self._closing = False

    @property
    def is_held(self) -> bool:
        """Whether something may come on it."""
        return self._connection is not None and not self.done.is_set()

    @property
    def was_held(self) -> bool:
        """Whether it was ever made."""
        return self._connection is not None

    def hold(self) -> None:
        """Connect, and read to the end."""
        try:
            with connect(
                self._url,
                proxy=self._proxy,
                compression=None,
                max_size=_MOST_BYTES,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PING_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                logger=_wire,
            ) as connection:
                self._connection = connection
                if not self._closing:
                    self._read(connection)
        except ConnectionClosed as error:
            if not (self._closing or self.is_refreshed):
                _log.warning("a connection to Slack broke off: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, another connection is made
            _log.warning("Slack cannot be heard: %s", type(error).__name__)
        finally:
            self.done.set()

    def send_message(self, message: str) -> None:
        """Send; raises ConnectionClosed where nothing can be sent here yet, or any more."""
        if self._connection is None:
            raise ConnectionClosedError(None, None)
        self._connection.send(message)

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._closing = True
        if self._connection is not None:
            self._connection.close()

    def _read(self, connection: ClientConnection) -> None:
        """Read until the other side ends it; after its farewell not for ever."""
        until: float | None = None
        with suppress(TimeoutError):
            while True:
                message = _read(connection.recv(None if until is None else max(0.0, until - monotonic())))
                if message.get("type") != "disconnect":
                    self._take(self, message)
                elif until is None:
                    until = monotonic() + _FAREWELL_SECONDS
                    self.is_refreshed = message.get("reason") in _REFRESHED
                    self.done.set()


class Sockets:
    """The connections that are held, and the answers to what arrives on them."""

    def __init__(self, bolt: Bolt, speaker: Speaker) -> None:
        """Make them; the speaker has the app-level token."""
        self._bolt = bolt
        self._speaker = speaker
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="envelope")
        self._open: dict[Socket, threading.Thread] = {}
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why nobody is heard; empty while a connection is held, and while one is made anew without trouble."""
        with self._lock:
            return "" if any(each.is_held for each in self._open) else self._trouble

    def start(self) -> None:
        """Connect, in threads, and again where Slack is away."""
        for _ in range(_SOCKETS):
            threading.Thread(target=self._keep, name="connect", daemon=True).start()

    def close(self) -> None:
        """Take nothing more, acknowledge what arrived, and end the connections."""
        with self._lock:
            self._closing.set()
            held = dict(self._open)
        self._pool.shutdown()
        for socket in held:
            socket.close()
        for thread in held.values():
            thread.join(_CLOSE_SECONDS)

    def _keep(self) -> None:
        """Hold one connection after the other; the next one is made once nothing more comes on the last."""
        while not self._closing.is_set():
            began, pause = monotonic(), _AGAIN_SECONDS
            try:
                url = str(self._speaker.write("apps.connections.open").get("url"))
            except (Later, Refused) as error:
                _log.warning("Slack cannot be heard: %s", error)
                self._trouble = str(error)
                pause = max(pause, error.seconds if isinstance(error, Later) else 0.0)
            else:
                socket = self._opened(url)
                socket.done.wait()
                self._trouble = "" if socket.was_held else "its WebSocket cannot be reached"
                pause = 0.0 if socket.is_refreshed else pause
            self._closing.wait(max(0.0, began + pause - monotonic()))

    def _opened(self, url: str) -> Socket:
        """Return a connection that is made and read in a thread of its own, beside what is left of the one before."""
        socket = Socket(url, self._speaker.client.proxy, self._take)

        def hold() -> None:
            socket.hold()
            with self._lock:
                self._open.pop(socket, None)

        thread = threading.Thread(target=hold, name="socket", daemon=True)
        with self._lock:
            if self._closing.is_set():
                socket.done.set()
                return socket
            self._open[socket] = thread
            thread.start()
        return socket

    def _take(self, socket: Socket, message: Message) -> None:
        with self._lock:  # nothing is begun that could not be acknowledged any more
            if not self._closing.is_set():
                self._pool.submit(self._answer, socket, message)

    def _answer(self, socket: Socket, message: Message) -> None:
        """Do what an envelope says and acknowledge it, elsewhere where its own connection ended meanwhile."""
        try:
            request = SocketModeRequest.from_dict(message)
            if request is None:
                return
            began = time.time()
            response = run_bolt_app(self._bolt, request)
            with self._lock:
                others = [each for each in self._open if each is not socket and not each.done.is_set()]
            for each in (socket, *others):
                with suppress(ConnectionClosed):
                    send_response(each, request, response, began)
                    return
            _log.warning("an acknowledgement could not be sent: no connection to Slack is open")
        except Exception:  # noqa: BLE001 - one bad envelope must not cost the connection
            _log.exception("a defect while something from Slack was taken in")


def _read(text: str | bytes) -> Message:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
