"""Evidence: a page as it is now, fetched like any stranger would, with its bytes, headers, hash and time.

No page is kept for a documented time; but a server may say itself when it will be gone, and then `kept_until` is that.
"""

import hashlib
import ipaddress
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access, Action, Effect, Evidence, Identity, Outcome, Provider
from responder.answer import Response, retry_after
from responder.durations import Duration
from responder.errors import ProviderError, Unavailable

_EVERY_STATUS = frozenset(range(100, 600))
_NOT_NOW = frozenset({429, *range(500, 600)})
_LONGEST_PAUSE = 60.0
"""Seconds for which a server may put us off: whoever published the page may take it away meanwhile."""
_REDIRECTS = range(300, 400)
_MOST_REDIRECTS = 3
_S3_EXPIRY = re.compile(r'expiry-date="([^"]*)"')
_SHOWN = ("content-type", "content-length", "date", "last-modified", "etag", "server", "location")


class CapturePage(Action):
    """Fetch a page without any credential, and keep its headers and bytes sealed.

    Facts: `url`, `status`, `sha256` (of the body), `bytes`, `complete`, `captured_at`, `headers` (some), `redirects`,
    and `kept_until` (when the server says that the page will be gone: `Sunset`, or S3's `x-amz-expiration`). An answer
    of any status is evidence; but after 429 and 5xx, by which a server says that it shows the page to nobody just now,
    it is asked again as often as the step's `retry` allows, after the pause that the server wants (a minute at most).
    Each such answer is on record; if it stays so, the last one is kept. Redirects are followed on the same host only.
    """

    name: ClassVar[str] = "evidence.capture_page"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = ("none: the page is fetched as a stranger sees it",)

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=4000)]
    within: Duration = timedelta(seconds=30)
    """How long one request may take; never more than the transport allows."""
    most_bytes: Annotated[int, Field(ge=1, le=64 * 1024 * 1024)] = 8 * 1024 * 1024

    def read(self, access: Access) -> Outcome:
        """Fetch once, following a few redirects of the same host."""
        redirects: list[str] = []
        url = self.url
        answer = self._fetch(access, url)
        while answer.status in _REDIRECTS and "location" in answer.headers:
            redirects.append(_leads_to(url, answer.headers["location"]))
            if len(redirects) > _MOST_REDIRECTS or not _same_place(url, redirects[-1]):
                break
            url = redirects[-1]
            answer = self._fetch(access, url)
        if answer.status in _NOT_NOW and access.tries_left:
            raise Unavailable(
                f"The page is not shown just now (HTTP {answer.status}, {len(answer.body)} bytes, "
                f"sha256 {hashlib.sha256(answer.body).hexdigest()})",
                where=url,
                retry_after=_pause(answer),
            )
        return _outcome(access, url, answer, redirects)

    def _fetch(self, access: Access, url: str) -> Response:
        _refuse_inner_places(url)
        return access.wire.request(
            "GET",
            url,
            write=False,
            headers={"accept-encoding": "identity"},  # the bytes as they are, and no bomb of zeros
            expect=_EVERY_STATUS,
            most_bytes=self.most_bytes,
            seconds=self.within.total_seconds(),
        )


def _pause(answer: Response) -> float | None:
    """Return for how many seconds the server wants to be left alone; None where it does not say so."""
    said = retry_after(answer)
    return None if said is None else min(said, _LONGEST_PAUSE)


def _outcome(access: Access, url: str, answer: Response, redirects: list[str]) -> Outcome:
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    facts: dict[str, Any] = {
        "url": url,
        "status": answer.status,
        "sha256": hashlib.sha256(answer.body).hexdigest(),
        "bytes": len(answer.body),
        "complete": answer.complete,
        "captured_at": access.clock.now().isoformat(),
        "headers": {name: answer.headers[name] for name in _SHOWN if name in answer.headers},
        "redirects": redirects,
    }
    kept_until = _gone_at(answer.headers)
    facts["kept_until"] = kept_until.isoformat() if kept_until else ""
    kept = f"HTTP {answer.status} {url}\r\n{head}\r\n".encode() + answer.body
    return Outcome(facts, evidence=[Evidence(kept, url, kept_until)])


def _gone_at(headers: Mapping[str, str]) -> datetime | None:
    """Return when a server says that a page will be gone, the earliest of what it says; None where it says nothing.

    `Sunset` is RFC 8594. S3 says in `x-amz-expiration` when a rule of the bucket's life cycle deletes an object (S3's
    reference of GetObject). `Expires` is about caches, and tells nothing of the page.
    """
    said = [headers.get("sunset", ""), *_S3_EXPIRY.findall(headers.get("x-amz-expiration", ""))]
    return min((moment for text in said if (moment := _moment(text)) is not None), default=None)


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):  # whoever published the page may write what they like
        return None


def _leads_to(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:  # whoever published the page may write what they like
        return location


def _same_place(url: str, other: str) -> bool:
    try:
        here, there = urlsplit(url), urlsplit(other)
    except ValueError:
        return False
    return (here.scheme, here.netloc) == (there.scheme, there.netloc)


def _refuse_inner_places(url: str) -> None:
    """Refuse what leads to a cloud's metadata: a finding is written by strangers, and may name any address.

    The name is looked up once more when it is fetched: a server that changes its answer in between is a known
    limit.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ProviderError("This is not the address of a public page", where=url, remedy="give http(s)://host/...")
    try:
        port = parts.port or 0
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise Unavailable(f"{parts.hostname} is not known: {type(error).__name__}", where=url) from None
    for address in {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}:
        inner = getattr(address, "ipv4_mapped", None) or address
        if inner.is_link_local or inner.is_multicast or inner.is_unspecified:
            raise ProviderError(
                f"{parts.hostname} leads to {inner}, which no public page has",
                where=url,
                remedy="look at the finding: somebody may want us to read our own metadata",
            )


class Options(BaseModel):
    """Nothing is to be set: no account is needed to see what everybody sees."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)


def _connect(access: Access) -> Access:
    return access


def _nobody(_: Access) -> Identity:
    return Identity("")


PROVIDER = Provider(name="evidence", actions=(CapturePage,), connect=_connect, identify=_nobody, options=Options)
