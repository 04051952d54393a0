"""Loopback ports: a thread for each connection; a port can be shut for a while and opened again."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

_MOST_CONNECTIONS = 512
_IDLE_SECONDS = 120.0


def drop(connection: socket.socket) -> None:
    """End a connection at once, without a farewell, as a system that goes down does."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


class Door:
    """A port on 127.0.0.1 whose number stays ours while nobody listens: connecting is refused then."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self._closed = False
        # Holds the number without listening, so that nobody else gets it while the door is shut.
        self._keeper = _bound(0)
        self.port = int(self._keeper.getsockname()[1])

    @property
    def is_open(self) -> bool:
        """Tell whether somebody listens."""
        return self._listener is not None

    def open(self) -> None:
        """Listen, until the door is shut."""
        with self._lock:
            if self._closed or self._listener is not None:
                return
            self._listener = _bound(self.port)
            self._listener.listen(256)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self, real_seconds: float | None = None) -> None:
        """Refuse connections and drop the open ones, for some real seconds or, without them, for good."""
        with self._lock:
            listener, self._listener = self._listener, None
            if listener is None:
                return
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # close alone would not wake the thread in accept
            listener.close()
            connections = list(self._open)
            if real_seconds is not None:
                self._timer = threading.Timer(real_seconds, self.open)
                self._timer.daemon = True
                self._timer.start()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Shut for good, give the number back, and wait for the connections' threads to end."""
        self.shut()
        with self._lock:
            self._closed = True
            threads = list(self._open.values())
            if self._timer is not None:
                self._timer.cancel()
        self._keeper.close()
        for thread in threads:
            thread.join(1.0)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
            with self._lock:
                welcome = len(self._open) < _MOST_CONNECTIONS and self._listener is listener
                if welcome:
                    self._open[connection] = thread
                    thread.start()
            if not welcome:
                drop(connection)

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(_IDLE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection)
        except (OSError, ValueError):
            drop(connection)  # the other side left, or the door was shut
        finally:
            with self._lock:
                self._open.pop(connection, None)
            connection.close()


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made
