"""One request that a connection describes: its address, its body, and what may stand in them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from responder.durations import Duration
from responder.settings import LOOPBACK

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
REQUEST = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) (\S+)")
_FORM = "Bearer {secret}"

Path = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Where something stands in a JSON answer: names and list numbers with dots between."""


def _seconds(value: object) -> object:
    return timedelta(seconds=value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Span = Annotated[Duration, BeforeValidator(_seconds)]
"""A span of time: `30s`, `2m`, or a number of seconds."""


class Described(BaseModel):
    """A part of a description: frozen, and strict about what it does not know."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)


def safe_url(url: str) -> str:
    """Return an absolute URL to which a secret may be sent; ValueError where it could be overheard."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError(f"{url!r} is not a web address")
    if "@" in parts.netloc:
        raise ValueError("the address holds a login; name the secret with `secret: env:NAME`")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{url!r} would carry a secret unencrypted; use https (http is for loopback only)")
    return url


def _in_form(form: str) -> str:
    if PLACEHOLDER.findall(form) != ["secret"]:
        raise ValueError("must hold {secret} once, and no other placeholder")
    return form


class Form(Described):
    """How a secret is presented: the header, and its text around `{secret}`."""

    header: str = Field("Authorization", pattern=r"^[A-Za-z0-9-]+$")
    form: str = _FORM

    _holds_the_secret = field_validator("form")(_in_form)


class Call(Described):
    """One request. `{...}` is percent-encoded in its address; alone in the body it keeps its type."""

    known: ClassVar[frozenset[str]] = frozenset({"key_id"})
    """The placeholders that mean something here."""
    secret: ClassVar[frozenset[str]] = frozenset()
    """Those whose value is a secret: in the body only, and alone."""
    elsewhere: ClassVar[bool] = False
    """Whether it may name another host than the connection's; our own credential never goes there."""

    request: str
    body: Any = None
    permission: str = ""
    """What our credential needs for it; named when we are denied."""

    @property
    def method(self) -> str:
        """GET, POST, ..."""
        return self.request.split(" ", 1)[0]

    @property
    def address(self) -> str:
        """The path with its query, or a whole URL; placeholders are not filled in yet."""
        return self.request.split(" ", 1)[1]

    @field_validator("request")
    @classmethod
    def _is_a_request(cls, request: str) -> str:
        match = REQUEST.fullmatch(request)
        if not match:
            raise ValueError("must be a method and an address, such as `GET /admin/v1/keys/{key_id}`")
        check_placeholders(request, cls.known - cls.secret, cls.secret)
        address = match[2]
        if address.startswith("/"):
            return request
        if not cls.elsewhere:
            raise ValueError("must begin with /: it carries our credential, which goes to `base_url` only")
        safe_url(PLACEHOLDER.sub("x", address))
        if PLACEHOLDER.search(urlsplit(address).netloc):
            raise ValueError("must name its host without a placeholder")
        return request

    @field_validator("body")
    @classmethod
    def _body_is_understood(cls, body: Any) -> Any:
        for text in texts(body):
            check_placeholders(text, cls.known, frozenset())
            inside = cls.secret & set(PLACEHOLDER.findall(text))
            if inside and text != f"{{{min(inside)}}}":
                raise ValueError(f"{{{min(inside)}}} is a secret: it must stand alone as a whole value")
        return body


def texts(body: Any) -> Iterator[str]:
    """Yield every text in a body."""
    if isinstance(body, str):
        yield body
    for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from texts(inner)


def check_placeholders(text: str, known: frozenset[str], secret: frozenset[str]) -> None:
    """Raise ValueError for a placeholder that means nothing here, or may not stand here."""
    for name in PLACEHOLDER.findall(text):
        if name in secret:
            raise ValueError(f"{{{name}}} is a secret, and a secret never goes into an address")
        if name not in known:
            meant = ", ".join(f"{{{one}}}" for one in sorted(known)) or "none"
            raise ValueError(f"unknown placeholder {{{name}}}; known here: {meant}")
