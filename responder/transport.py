"""The only place that connects to anything or reveals a secret; it also decides *nothing changed* or *unknown*."""

import contextlib
import json
import math
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from responder import __version__
from responder.clock import monotonic
from responder.errors import Denied, OutcomeUnknown, PermitExpired, ProviderError, Unavailable
from responder.redaction import Secret
from responder.sealing import Sealer

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

PERMIT_SECONDS = 2.0
"""How long an intent permits sending, counted from before its commit."""
REQUEST_SECONDS = 10.0
"""How long one request may take before its answer counts as lost."""
_MOST_BODY = 8 * 1024 * 1024
_LONGEST_PAUSE = 600.0  # a server's wish counts for so many seconds; a leak does not wait for an hour


@dataclass(frozen=True)
class Permit:
    """The right to send writes for one intent, until a moment on the clock that never steps back."""

    until: float

    @classmethod
    def starting_now(cls) -> "Permit":
        """Permit sending for the next PERMIT_SECONDS; call it before the intent is committed."""
        return cls(monotonic() + PERMIT_SECONDS)


@dataclass(frozen=True)
class Response:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    url: str
    _sealer: Sealer = field(repr=False)
    complete: bool = True
    """Whether the body was read to its end."""
    method: str = "GET"
    write: bool = False
    """Whether it answers a request that may have changed something."""

    def json(self) -> Any:
        """Return the body as data. Where it is no JSON, a proxy or an error page answered, and the answer is lost."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            name = f"it answered {self.status} with something that is not JSON"
            raise _lost(self.method, self.url, name, write=self.write) from None

    def secret(self, *path: str) -> Secret | None:
        """Take a secret out of the answer: from here on the Redactor knows it. None where there is none."""
        found: Any = self.json()
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return self._sealer.secret(found) if isinstance(found, str) and found else None


class Transport:
    """The process's connections, pooled; `wire` ties them to one step."""

    def __init__(self, sealer: Sealer, *, request_seconds: float = REQUEST_SECONDS) -> None:
        self.sealer = sealer
        self.request_seconds = request_seconds
        self._http: httpx.Client | None = None
        self._lock = threading.Lock()

    def wire(self, run: str, step: str, permit: Permit | None = None) -> "Wire":
        """Return the connection of one step. Without a permit it can only read."""
        return Wire(self, f"responder/{__version__} ({run}; {step})", permit)

    def client(self) -> "httpx.Client":
        """Return the pooled HTTP client; no redirects, no proxies from the environment, certificates checked.

        It keeps no cookies: a session of one credential must not open a door for another, least of all for a leaked
        one that is presented to prove that it is dead.
        """
        import httpx  # noqa: PLC0415 - slow to import

        with self._lock:
            if self._http is None:
                limits = httpx.Limits(max_connections=100, max_keepalive_connections=64, keepalive_expiry=4.0)
                self._http = httpx.Client(
                    timeout=self.request_seconds,
                    limits=limits,
                    follow_redirects=False,
                    trust_env=False,
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                )
            return self._http

    def close(self) -> None:
        """Close what is open."""
        if self._http is not None:
            self._http.close()


class Wire:
    """What an action sends through: it knows the step, holds the permit, and counts the time on the network."""

    def __init__(self, transport: Transport, agent: str, permit: Permit | None) -> None:
        self._transport = transport
        self.agent = agent
        self._permit = permit
        self.seconds = 0.0
        """Real seconds spent waiting for servers."""
        self.changed = False
        """Whether a write was accepted already; what fails after it does not mean that nothing changed."""

    def with_value(self, secret: Secret, factory: Callable[[str], T]) -> T:
        """Call a provider's factory with a secret's value: a session of an SDK, a sealed box."""
        return factory(secret.reveal())

    def take_in(self, value: str) -> Secret:
        """Make a secret of a value that arrived from outside; the Redactor knows it from here on."""
        return self._transport.sealer.secret(value)

    def request(
        self,
        method: str,
        url: str,
        *,
        write: bool,
        bearer: Secret | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        expect: frozenset[int] = frozenset(),
        permission: str = "",
        most_bytes: int | None = None,
        seconds: float | None = None,
    ) -> Response:
        """Send one request and return its answer.

        `write` tells whether it may change anything; `expect` names statuses outside 2xx that the caller wants to
        see; `permission` is named in the remedy when we are denied. Unavailable and Denied mean that nothing
        changed; OutcomeUnknown that a write was sent and what came of it is not known. Who gives `most_bytes`
        is content with that much of the body, and with what arrives in `seconds`; for everybody else an answer
        that does not end is lost.
        """
        import httpx  # noqa: PLC0415 - slow to import

        sent = {"user-agent": self.agent, **{k: _text(v) for k, v in (headers or {}).items()}}
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer.reveal()}"
        content = _encode(body)
        if content is not None:
            sent.setdefault("content-type", "application/json")
        client = self._transport.client()
        wait = min(seconds or self._transport.request_seconds, self._transport.request_seconds)
        try:
            request = client.build_request(
                method, url, headers=sent, params=params, content=content, data=form, timeout=wait
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise _unsendable(method, url, _name(error)) from None
        request.extensions["trace"] = partial(self._before_send, url, write)
        self._check_permit(url, write=write)
        started = time.perf_counter()
        try:
            answer = client.send(request, stream=True)
            read, complete = _read(answer, most_bytes or _MOST_BODY, started + wait)
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            raise Unavailable(
                f"{_host(url)} cannot be reached: {_name(error)}", where=_place(method, url)
            ) from None
        except httpx.LocalProtocolError as error:
            raise _unsendable(method, url, _name(error)) from None
        except httpx.RequestError as error:
            raise _lost(method, url, _name(error), write=write) from None
        finally:
            self.seconds += time.perf_counter() - started
        if not complete and most_bytes is None:
            raise _lost(method, url, "the answer does not end", write=write)
        response = Response(
            answer.status_code,
            dict(answer.headers),
            read,
            url,
            self._transport.sealer,
            complete,
            method,
            write,
        )
        judged = _judge(response, method, write=write, expect=expect, permission=permission)
        self.changed = self.changed or (write and judged.status < 300)  # noqa: PLR2004 - accepted
        return judged

    def send_mail(
        self,
        host: str,
        port: int,
        message: EmailMessage,
        *,
        user: str = "",
        password: Secret | None = None,
        tls: str = "starttls",
    ) -> None:
        """Hand one message to a mail server. `tls` is `starttls`, `implicit` or `none` (loopback only).

        Unavailable and Denied mean that it was not taken; OutcomeUnknown that it was handed over and no answer came.
        """
        place = f"smtp://{host}:{port}"
        started = time.perf_counter()
        try:
            with _parting(self._mail_server(host, port, tls)) as server:
                if password is not None:
                    server.login(user, password.reveal())
                self._check_permit(place, write=True)
                _deliver(server, message, place, partial(self._check_permit, place, write=True))
                self.changed = True
        except smtplib.SMTPAuthenticationError as error:
            raise Denied(
                f"{host} refuses our login ({error.smtp_code})",
                where=place,
                remedy="check the connection's user and secret",
            ) from None
        except smtplib.SMTPResponseException as error:
            raise _mail_refusal(error.smtp_code, place) from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{host} cannot be reached: {_name(error)}", where=place) from None
        finally:
            self.seconds += time.perf_counter() - started

    def _mail_server(self, host: str, port: int, tls: str) -> smtplib.SMTP:
        seconds = self._transport.request_seconds
        if tls == "implicit":
            return smtplib.SMTP_SSL(
                host, port, timeout=seconds, local_hostname="localhost", context=ssl.create_default_context()
            )
        if tls != "starttls" and host not in {"127.0.0.1", "::1", "localhost"}:
            raise Denied(
                "Mail without TLS is sent on loopback only",
                where=f"smtp://{host}:{port}",
                remedy="set tls: starttls",
            )
        server = smtplib.SMTP(host, port, timeout=seconds, local_hostname="localhost")
        if tls == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server

    def _before_send(self, url: str, write: bool, event: str, _: object) -> None:
        """Check the permit once more when the connection stands: connecting may have taken longer than it holds."""
        if event == "http11.send_request_headers.started":
            self._check_permit(url, write=write)

    def _check_permit(self, url: str, *, write: bool) -> None:
        """Refuse to send a write without a permit that still holds; this is the last thing before the send."""
        if not write:
            return
        place = _host(url) or url
        if self._permit is None:
            raise PermitExpired("A write was tried where only reading is allowed", where=place)
        if monotonic() >= self._permit.until:
            if self.changed:
                raise OutcomeUnknown(
                    "The permit to send ran out in the middle of a change", where=place, remedy="read back"
                )
            raise PermitExpired(
                "The permit to send ran out before the request left; nothing was sent", where=place
            )


@contextlib.contextmanager
def _parting(server: smtplib.SMTP) -> Iterator[smtplib.SMTP]:
    """Part from a mail server; what it answers to the farewell says nothing about the message before."""
    try:
        yield server
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _deliver(server: smtplib.SMTP, message: EmailMessage, place: str, permitted: Callable[[], None]) -> None:
    """Send MAIL, RCPT and DATA; from the end of the data on, a missing answer means unknown."""
    recipients = [address.addr_spec for address in message["To"].addresses]
    sender = message["From"].addresses[0].addr_spec
    for code, text in (server.mail(sender), *(server.rcpt(recipient) for recipient in recipients)):
        if not 200 <= code < 300:  # noqa: PLR2004 - RFC 5321, 4.2.1; -1 for what is no reply at all
            raise smtplib.SMTPResponseException(code, text)
    permitted()
    try:
        code, text = server.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
    except smtplib.SMTPDataError:
        raise
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise OutcomeUnknown(
            f"A message was handed over and no answer came: {_name(error)}",
            where=place,
            remedy="look in the mail server's log",
        ) from None
    if code >= 400:  # noqa: PLR2004
        raise smtplib.SMTPResponseException(code, text)
    if not 200 <= code < 300:  # noqa: PLR2004
        raise OutcomeUnknown(
            "A message was handed over, and what came back is no answer",
            where=place,
            remedy="look in the mail server's log",
        )


def _mail_refusal(code: int, place: str) -> ProviderError:
    """Turn a mail server's refusal into what may be done next; 4yz is for now, 5yz for good (RFC 5321)."""
    if code < 500:  # noqa: PLR2004
        return Unavailable(f"The mail server says {code}: not now", where=place)
    return Denied(
        f"The mail server refuses the message ({code})", where=place, remedy="check sender and recipient"
    )


def _judge(
    response: Response, method: str, *, write: bool, expect: frozenset[int], permission: str
) -> Response:
    """Return the answer where it is one, else raise what may be done next."""
    status = response.status
    if 200 <= status < 300 or status in expect:  # noqa: PLR2004
        return response
    place = _place(method, response.url)
    host = _host(response.url)
    if status == 429:  # noqa: PLR2004
        raise Unavailable(f"{host} is asked too often (429)", where=place, retry_after=_retry_after(response))
    if status in {408, 425}:
        raise Unavailable(
            f"{host} did not take the request ({status})", where=place, retry_after=_retry_after(response)
        )
    if status in {401, 403}:
        need = (
            f"our credential needs: {permission}"
            if permission
            else "check the connection's secret and its rights"
        )
        raise Denied(f"{host} refuses us ({status})", where=place, remedy=need)
    if status >= 500:  # noqa: PLR2004
        if write:
            raise OutcomeUnknown(
                f"{host} failed ({status}) while it changed something", where=place, remedy="read back"
            )
        raise Unavailable(f"{host} fails ({status})", where=place, retry_after=_retry_after(response))
    if write and status in {
        300,
        301,
        302,
        303,
    }:  # many servers redirect once they have done it; 307 and 308 say: not here
        raise OutcomeUnknown(
            f"{host} sends us elsewhere ({status}) after a change", where=place, remedy="read back"
        )
    raise ProviderError(
        f"{host} does not accept the request ({status})",
        where=place,
        remedy="check the connection's settings",
    )


def _read(answer: "httpx.Response", most: int, until: float) -> tuple[bytes, bool]:
    """Read a body as far as it goes in bytes and time; a server that never ends cannot hold us."""
    body = bytearray()
    with contextlib.closing(answer):
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > most or time.perf_counter() > until:
                return bytes(body[:most]), False
    return bytes(body), True


def _lost(method: str, url: str, name: str, *, write: bool) -> OutcomeUnknown | Unavailable:
    if write:
        return OutcomeUnknown(
            f"A change was sent to {_host(url)} and no answer came: {name}",
            where=_place(method, url),
            remedy="read back",
        )
    return Unavailable(f"{_host(url)} did not answer: {name}", where=_place(method, url))


def _unsendable(method: str, url: str, name: str) -> ProviderError:
    return ProviderError(
        f"The request to {_host(url)} cannot be sent: {name}",
        where=_place(method, url),
        remedy="check the connection's address and secret for characters that do not belong there",
    )


def _retry_after(response: Response) -> float | None:
    """Return after how many seconds we may come again (RFC 9110, 10.2.3: seconds or a date); bounded, whatever is said."""
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), _LONGEST_PAUSE) if math.isfinite(seconds) else None


def _encode(body: Any) -> bytes | None:
    """Encode a JSON body; here, and only here, a secret in it becomes its value."""
    if body is None:
        return None
    return json.dumps(body, default=_text, ensure_ascii=False, separators=(",", ":")).encode()


def _text(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _host(url: str) -> str:
    """Return host and port; never what may stand before them."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _place(method: str, url: str) -> str:
    """Return method, host and path; never a query, where values stand."""
    try:
        return f"{method} {_host(url)}{urlsplit(url).path}"
    except ValueError:
        return method


def _name(error: Exception) -> str:
    """Name an error without its text, which may quote what was sent."""
    return type(error).__name__
