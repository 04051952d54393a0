"""A way to a server that can be cut: before what commits reaches it, or before its answer comes back."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

COMMITS = (b"COMMIT", b"WITH moved")
"""What commits: the end of a transaction, and the one statement that writes to a chain whose end is known."""


class Way:
    """Passes bytes on between clients and a server, until it is told to cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
        self.cut = ""
        """`before`: what commits next does not reach the server. `after`: its answer does not come back."""
        self.closed = False
        """Whether nobody gets through any more."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.closed:
                    client.close()
                    continue
                server = socket.create_connection(self._server)
                self._open += [client, server]
                lost = threading.Event()
                for source, target, asks in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(source, target, lost, asks), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, lost: threading.Event, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if asks and self.cut and any(word in data for word in COMMITS):
                    before, self.cut = self.cut == "before", ""
                    lost.set()
                    if before:
                        break
                elif not asks and lost.is_set():
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Cut every connection that there is; new ones get through."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything, for good."""
        self._listener.close()
        self.hang_up()
        for end in self._open:
            end.close()
