"""The only place that connects to anything or reveals a secret; it also decides *nothing changed* or *unknown*."""

import contextlib
import json
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
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

    def json(self) -> Any:
        """Return the body as data. Unavailable where it is no JSON: a proxy or an error page answered."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            raise Unavailable(
                f"{_host(self.url)} answered {self.status} with something that is not JSON", where=self.url
            ) from None

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
        """Return the pooled HTTP client; no redirects, no proxies from the environment, certificates checked."""
        import httpx  # noqa: PLC0415 - slow to import

        with self._lock:
            if self._http is None:
                limits = httpx.Limits(max_connections=100, max_keepalive_connections=64, keepalive_expiry=4.0)
                self._http = httpx.Client(
                    timeout=self.request_seconds, limits=limits, follow_redirects=False, trust_env=False
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
        request = client.build_request(
            method, url, headers=sent, params=params, content=content, data=form, timeout=wait
        )
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
        except httpx.TransportError as error:
            raise _lost(method, url, _name(error), write=write) from None
        finally:
            self.seconds += time.perf_counter() - started
        if not complete and most_bytes is None:
            raise _lost(method, url, "the answer does not end", write=write)
        response = Response(
            answer.status_code, dict(answer.headers), read, url, self._transport.sealer, complete
        )
        return _judge(response, method, write=write, expect=expect, permission=permission)

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
                _deliver(server, message, place)
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
        server = smtplib.SMTP(host, port, timeout=seconds, local_hostname="localhost")
        if tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        elif host not in {"127.0.0.1", "::1", "localhost"}:
            server.close()
            raise Denied(
                "Mail without TLS is sent on loopback only",
                where=f"smtp://{host}:{port}",
                remedy="set tls: starttls",
            )
        return server

    def _check_permit(self, url: str, *, write: bool) -> None:
        """Refuse to send a write without a permit that still holds; this is the last thing before the send."""
        if not write:
            return
        if self._permit is None:
            raise PermitExpired("A write was tried where only reading is allowed", where=url)
        if monotonic() >= self._permit.until:
            raise PermitExpired(
                "The permit to send ran out before the request left; nothing was sent", where=url
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


def _deliver(server: smtplib.SMTP, message: EmailMessage, place: str) -> None:
    """Send MAIL, RCPT and DATA; from the end of the data on, a missing answer means unknown."""
    recipients = [address.addr_spec for address in message["To"].addresses]
    sender = message["From"].addresses[0].addr_spec
    for code, text in (server.mail(sender), *(server.rcpt(recipient) for recipient in recipients)):
        if code >= 400:  # noqa: PLR2004 - RFC 5321, 4.2.1
            raise smtplib.SMTPResponseException(code, text)
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


def _retry_after(response: Response) -> float | None:
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None


def _encode(body: Any) -> bytes | None:
    """Encode a JSON body; here, and only here, a secret in it becomes its value."""
    if body is None:
        return None
    return json.dumps(body, default=_text, ensure_ascii=False, separators=(",", ":")).encode()


def _text(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _place(method: str, url: str) -> str:
    parts = urlsplit(url)
    return f"{method} {parts.netloc}{parts.path}"


def _name(error: Exception) -> str:
    """Name an error without its text, which may quote what was sent."""
    return type(error).__name__
