"""What a server answered, and what may be done next: *nothing changed* and *unknown* are told apart here."""

import contextlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.redaction import Secret
from responder.sealing import Sealer

if TYPE_CHECKING:
    import httpx

_LONGEST_PAUSE = 600.0  # a server's wish counts for so many seconds; a leak does not wait for an hour


@dataclass(frozen=True, eq=False, repr=False)  # nobody compares it, and it must never be shown
class Response:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    url: str
    _sealer: Sealer
    complete: bool = True
    """Whether the body was read to its end."""
    method: str = "GET"
    write: bool = False
    """Whether it answers a request that may have changed something."""

    def json(self) -> Any:
        """Return the body as data; where it is no JSON, a proxy or an error page answered, and it is lost."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            name = f"it answered {self.status} with something that is not JSON"
            raise lost(self.method, self.url, name, write=self.write) from None

    def secret(self, *path: str) -> Secret | None:
        """Take a secret out of the answer: from here on the Redactor knows it. None where there is none."""
        found: Any = self.json()
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return self._sealer.secret(found) if isinstance(found, str) and found else None


def judge(response: Response, method: str, *, write: bool, expect: frozenset[int], permission: str) -> Response:
    """Return the answer where it is one, else raise what may be done next."""
    status = response.status
    if 200 <= status < 300 or status in expect:  # noqa: PLR2004
        return response
    place = place_of(method, response.url)
    host = host_of(response.url)
    if status == 429:  # noqa: PLR2004
        raise Unavailable(f"{host} is asked too often (429)", where=place, retry_after=retry_after(response))
    if status in {408, 425}:
        raise Unavailable(f"{host} did not take the request ({status})", where=place, retry_after=retry_after(response))
    if status in {401, 403}:
        need = f"our credential needs: {permission}" if permission else "check the connection's secret and its rights"
        raise Denied(f"{host} refuses us ({status})", where=place, remedy=need)
    if status >= 500:  # noqa: PLR2004
        if write:
            raise OutcomeUnknown(
                f"{host} failed ({status}) while it changed something", where=place, remedy="read back"
            )
        raise Unavailable(f"{host} fails ({status})", where=place, retry_after=retry_after(response))
    if write and status in {
        300,
        301,
        302,
        303,
    }:  # many servers redirect once they have done it; 307 and 308 say: not here
        raise OutcomeUnknown(f"{host} sends us elsewhere ({status}) after a change", where=place, remedy="read back")
    raise ProviderError(
        f"{host} does not accept the request ({status})",
        where=place,
        remedy="check the connection's settings",
    )


def read_bounded(answer: "httpx.Response", most: int, until: float) -> tuple[bytes, bool]:
    """Read a body as far as it goes in bytes and time; a server that never ends cannot hold us."""
    body = bytearray()
    with contextlib.closing(answer):
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > most or time.perf_counter() > until:
                return bytes(body[:most]), False
    return bytes(body), True


def lost(method: str, url: str, name: str, *, write: bool) -> OutcomeUnknown | Unavailable:
    """Return the error for a request whose answer did not come: after a write its outcome is unknown."""
    if write:
        return OutcomeUnknown(
            f"A change was sent to {host_of(url)} and no answer came: {name}",
            where=place_of(method, url),
            remedy="read back",
        )
    return Unavailable(f"{host_of(url)} did not answer: {name}", where=place_of(method, url))


def unsendable(method: str, url: str, name: str) -> ProviderError:
    """Return the error for a request that could not be put on the wire; certainly nothing changed."""
    return ProviderError(
        f"The request to {host_of(url)} cannot be sent: {name}",
        where=place_of(method, url),
        remedy="check the connection's address and secret for characters that do not belong there",
    )


def mail_refusal(code: int, place: str) -> ProviderError:
    """Turn a mail server's refusal into what may be done next; 4yz is for now, 5yz for good (RFC 5321)."""
    if code < 500:  # noqa: PLR2004
        return Unavailable(f"The mail server says {code}: not now", where=place)
    return Denied(f"The mail server refuses the message ({code})", where=place, remedy="check sender and recipient")


def retry_after(response: Response) -> float | None:
    """Return after how many seconds we may come again (RFC 9110, 10.2.3: seconds or a date); bounded."""
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, and few answers need it

        try:
            seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), _LONGEST_PAUSE) if math.isfinite(seconds) else None


def host_of(url: str) -> str:
    """Return host and port; never what may stand before them."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def place_of(method: str, url: str) -> str:
    """Return method, host and path; never a query, where values stand."""
    try:
        return f"{method} {host_of(url)}{urlsplit(url).path}"
    except ValueError:
        return method


def name_of(error: Exception) -> str:
    """Name an error without its text, which may quote what was sent."""
    return type(error).__name__
