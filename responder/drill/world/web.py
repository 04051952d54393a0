"""HTTP/1.1 as far as the world needs it: requests with a length, JSON, forms, one buffer an answer."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote

from responder.drill.world.ledger import Effect

_MOST_LINE = 16384
_MOST_HEADERS = 100
_MOST_BODY = 4 * 1024 * 1024
_AGENT = re.compile(r"responder/\S+ \((?P<run>[^;()]*); (?P<step>[^()]*)\)")


class Rejected(Exception):
    """The request is answered with this status and code instead of what it asked for."""

    def __init__(self, status: int, code: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.answer = Answer(status, {"code": code, "error": code.replace("_", " ")}, headers=headers or {})


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    began: datetime

    @property
    def actor(self) -> str:
        """Who asks: `responder`, unless the world's own people say who they are."""
        return self.headers.get("x-world-actor", "responder")

    @cached_property
    def origin(self) -> tuple[str | None, str | None]:
        """The run and the step that the responder named as its agent."""
        found = _AGENT.search(self.headers.get("user-agent", ""))
        return (found["run"].strip(), found["step"].strip()) if found else (None, None)

    @property
    def bearer(self) -> str | None:
        """The value behind `Bearer`, if there is one."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() if kind.lower() == "bearer" and value else None

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The JSON object or the form in the body; raises Rejected (400) where it is neither."""
        if not self.body:
            return {}
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            found = json.loads(self.body)
        except ValueError:
            raise Rejected(400, "not_json") from None
        if not isinstance(found, dict):
            raise Rejected(400, "not_an_object")
        return found

    def text(self, name: str) -> str:
        """Return a field that must be a text with something in it; raises Rejected (400) else."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise Rejected(400, f"{name}_missing")
        return value

    def everything(self) -> str:
        """Return all that the request carried, to search it for values that should not be there."""
        headers = "\n".join(self.headers.values())
        query = "\n".join(self.query.values())
        return f"{self.path}\n{query}\n{headers}\n{self.body.decode('utf-8', 'replace')}"


@dataclass
class Answer:
    """What is sent back, and what the request changed."""

    status: int = 200
    body: dict[str, Any] | list[Any] | str = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"
    outcome: str = ""
    """How the ledger names the outcome, where the status does not tell it."""

    def bytes(self, *, head: bool = False) -> bytes:
        """Return status line, headers and body in one buffer."""
        content = self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
        body = content.encode()
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.media}; charset=utf-8",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head else body)


Act = Callable[[Request, dict[str, str]], Answer]


@dataclass(frozen=True)
class Route:
    """A method and a path, such as `/admin/v1/keys/{id}`, and what is done there."""

    method: str
    pattern: re.Pattern[str]
    act: Act


def route(method: str, path: str, act: Act) -> Route:
    """Make a route; `{name}` is one part of the path, `{name*}` the whole rest."""
    pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return Route(method, re.compile(pattern), act)


def find_route(routes: tuple[Route, ...], request: Request) -> tuple[Act, dict[str, str]]:
    """Return what is to be done and the parts of the path; raises Rejected (404, 405)."""
    method = "GET" if request.method == "HEAD" else request.method
    known = False
    for each in routes:
        found = each.pattern.fullmatch(request.path)
        if found and each.method == method:
            return each.act, {name: unquote(part) for name, part in found.groupdict().items()}
        known = known or found is not None
    raise Rejected(405, "method_not_allowed") if known else Rejected(404, "not_found")


def read_request(reader: BinaryIO, now: Callable[[], datetime]) -> Request | None:
    """Read one request; None where the other side is done. Raises ValueError where it is not HTTP."""
    first = reader.readline(_MOST_LINE)
    if not first:
        return None
    began = now()
    method, target, _ = first.decode("latin-1").split()
    headers = _read_headers(reader)
    path, _, query = target.partition("?")
    length = int(headers.get("content-length", "0"))
    if "transfer-encoding" in headers or not 0 <= length <= _MOST_BODY:
        raise ValueError("a body must have a length, and not be too long")
    body = reader.read(length) if length else b""
    if len(body) < length:
        return None
    return Request(method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, body, began)


def _read_headers(reader: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = reader.readline(_MOST_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            break
        headers[name.strip().lower()] = value.strip()
    raise ValueError("the headers do not end")
