"""A server on loopback in front of a fake: it notes every request, and misbehaves when told."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})
_FORWARD_SECONDS = 20


class Trouble(StrEnum):
    """What goes wrong from now on."""

    NONE = "none"
    DENIED = "denied"
    """Every request is refused for want of a permission."""
    UNAVAILABLE = "unavailable"
    """Every request fails before anything changes."""
    ANSWER_LOST = "answer lost"
    """Every write takes effect, and its answer is lost."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    target: str
    """Path and query as they were sent."""

    def json(self) -> Any:
        """Return the body as data; None where there is none."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: Any = field(default_factory=dict)
    """Bytes and text as they are; anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


def changes(seen: Seen) -> bool:
    """Tell whether a request asks for a change, as plain HTTP has it."""
    return seen.method not in {"GET", "HEAD"}


class Loopback:
    """A context manager; `url` is where it listens."""

    def __init__(
        self,
        answer: Callable[[Seen], Reply],
        *,
        writes: Callable[[Seen], bool] = changes,
        denial: Reply | None = None,
    ) -> None:
        self._answer = answer
        self._writes = writes
        self._denial = denial or Reply(403, {"error": "forbidden"})
        self.trouble = Trouble.NONE
        self.seen: list[Seen] = []
        self.effective: list[Seen] = []
        """The writes that reached the fake."""
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, seen: Seen) -> Reply | None:
        """Answer a request, or misbehave; None where the connection is to end without an answer."""
        self.seen.append(seen)
        if self.trouble is Trouble.DENIED:
            return self._denial
        write = self._writes(seen)
        if self.trouble is Trouble.UNAVAILABLE:
            # Busy rather than failing: 429 says for certain that nothing changed, also after a write.
            return Reply(429, {"error": "busy"}, {"Retry-After": "1"})
        if write:
            self.effective.append(seen)
        reply = self._answer(seen)
        return None if write and self.trouble is Trouble.ANSWER_LOST else reply


def forwarding(upstream: str) -> Callable[[Seen], Reply]:
    """Answer by asking the real thing, as it was asked."""
    parts = urlsplit(upstream)

    def ask(seen: Seen) -> Reply:
        connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=_FORWARD_SECONDS)
        headers = {name: value for name, value in seen.headers.items() if name not in _HOP_BY_HOP}
        with contextlib.closing(connection):
            connection.request(seen.method, seen.target, seen.body or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        return Reply(answer.status, body, kept)

    return ask


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that left is what some tests are about."""


class _Talk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        seen = Seen(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
            target=self.path,
        )
        reply = self.server.owner.reply(seen)
        if reply is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = reply.content()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that http.server asks for

    def log_message(self, *_: object) -> None:
        """Stay silent."""
