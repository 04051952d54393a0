"""The only place that connects to anything or reveals a secret; it also decides *nothing changed* or *unknown*."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from responder import __version__
from responder.answer import (
    Response,
    host_of,
    judge,
    lost,
    mail_refusal,
    name_of,
    place_of,
    read_bounded,
    unsendable,
)
from responder.clock import monotonic
from responder.errors import Denied, OutcomeUnknown, PermitExpired, ProviderError, Unavailable
from responder.redaction import Secret
from responder.sealing import Sealer

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

    import httpx

    from responder.programs import Said

T = TypeVar("T")

PERMIT_SECONDS = 2.0
"""How long an intent permits sending, counted from before its commit."""
REQUEST_SECONDS = 10.0
"""How long one request may take before its answer counts as lost."""
_MOST_BODY = 8 * 1024 * 1024


class Permit(NamedTuple):
    """The right to send writes for one intent, until a moment on the clock that never steps back."""

    until: float

    @classmethod
    def starting_now(cls) -> "Permit":
        """Permit sending for the next PERMIT_SECONDS; call it before the intent is committed."""
        return cls(monotonic() + PERMIT_SECONDS)


class Transport:
    """The process's connections, pooled; `wire` ties them to one step."""

    def __init__(self, sealer: Sealer, *, request_seconds: float = REQUEST_SECONDS) -> None:
        self.sealer = sealer
        self.request_seconds = request_seconds
        self._http: httpx.Client | None = None
        self._lock = threading.Lock()

    def wire(self, run: str, step: str, permit: Permit | None = None, seconds: float | None = None) -> "Wire":
        """Return the connection of one try of a step. Without a permit it can only read.

        `seconds` is how long all its requests may take together; a single one never takes longer than the
        transport's own bound.
        """
        return Wire(self, f"responder/{__version__} ({run}; {step})", permit, seconds)

    def client(self) -> "httpx.Client":
        """Return the pooled HTTP client; no redirects, no proxies from the environment, certificates checked.

        It keeps no cookies: a session of one credential must not open a door for another, least of all for a leaked
        one that is presented to prove that it is dead.
        """
        from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - slow to import

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

    def __init__(self, transport: Transport, agent: str, permit: Permit | None, seconds: float | None = None) -> None:
        self._transport = transport
        self._until = monotonic() + seconds if seconds is not None else None
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
        content: bytes | None = None,
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
        that does not end is lost. `content` is a body that is encoded, and perhaps signed, already.
        """
        wait = self._patience(url, seconds)
        sent = {"user-agent": self.agent, **{name: _text(value) for name, value in (headers or {}).items()}}
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer.reveal()}"
        content = _encode(body) if content is None else content
        if body is not None:
            sent.setdefault("content-type", "application/json")
        parts = {"headers": sent, "params": params, "content": content, "data": form, "timeout": wait}
        answer, read, complete = self._exchange(method, url, parts, most_bytes or _MOST_BODY, wait, write=write)
        if not complete and most_bytes is None:
            raise lost(method, url, "the answer does not end", write=write)
        sealer = self._transport.sealer
        response = Response(answer.status_code, dict(answer.headers), read, url, sealer, complete, method, write)
        judged = judge(response, method, write=write, expect=expect, permission=permission)
        self.changed = self.changed or (write and judged.status < 300)  # noqa: PLR2004 - accepted
        return judged

    def _exchange(
        self, method: str, url: str, parts: dict[str, Any], most: int, wait: float, *, write: bool
    ) -> tuple["httpx.Response", bytes, bool]:
        """Send one request, and read its answer within bounds; tell apart what was never sent and what was lost."""
        import httpx  # noqa: PLC0415 - slow to import

        client = self._transport.client()
        try:
            request = client.build_request(method, url, **parts)
        except (httpx.InvalidURL, ValueError) as error:
            raise unsendable(method, url, name_of(error)) from None
        request.extensions["trace"] = partial(self._before_send, url, write)
        self._check_permit(url, write=write)
        started = time.perf_counter()
        try:
            answer = client.send(request, stream=True)
            return answer, *read_bounded(answer, most, started + wait)
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            told = f"{host_of(url)} cannot be reached: {name_of(error)}"
            raise Unavailable(told, where=place_of(method, url)) from None
        except httpx.LocalProtocolError as error:
            raise unsendable(method, url, name_of(error)) from None
        except httpx.RequestError as error:
            raise lost(method, url, name_of(error), write=write) from None
        finally:
            self.seconds += time.perf_counter() - started

    def send_mail(
        self,
        host: str,
        port: int,
        message: "EmailMessage",
        *,
        user: str = "",
        password: Secret | None = None,
        tls: str = "starttls",
    ) -> None:
        """Hand one message to a mail server. `tls` is `starttls`, `implicit` or `none` (loopback only).

        Unavailable and Denied mean that it was not taken; OutcomeUnknown that it was handed over and no answer came.
        """
        import smtplib  # noqa: PLC0415 - slow to import

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
            raise mail_refusal(error.smtp_code, place) from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{host} cannot be reached: {name_of(error)}", where=place) from None
        finally:
            self.seconds += time.perf_counter() - started

    def _mail_server(self, host: str, port: int, tls: str) -> "smtplib.SMTP":
        import smtplib  # noqa: PLC0415 - slow to import
        import ssl  # noqa: PLC0415 - slow to import

        seconds = self._patience(f"smtp://{host}:{port}", None)
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

    @contextlib.contextmanager
    def sending(self, place: str) -> Iterator[None]:
        """Guard a write that leaves by another way than HTTP and mail: a file, a program, an SDK's own connection.

        The permit is checked first. Whoever writes inside says by their errors whether anything changed.
        """
        self._check_permit(place, write=True)
        started = time.perf_counter()
        try:
            yield
            self.changed = True
        finally:
            self.seconds += time.perf_counter() - started

    def run(
        self,
        argv: Sequence[str],
        *,
        write: bool,
        given: Secret | None = None,
        hidden: Secret | None = None,
        environment: Mapping[str, str | Secret],
        seconds: float,
        permission: str = "",
    ) -> "Said":
        """Run a program, and return what it said. `given` goes to its standard input, and nothing else does.

        Neither a secret that is known to us goes into its arguments, nor what it says of `given` or `hidden` any
        further. `judged` tells what its end means: by itself OutcomeUnknown for a write, Unavailable for a look.
        """
        from responder import programs  # noqa: PLC0415 - few need it, and it is slow to import

        scrub = self._transport.sealer.redactor.scrub
        place = scrub(f"program {argv[0]}")
        if any(scrub(word) != word for word in argv):
            raise ProviderError(
                "A secret stands among a program's arguments, where everybody on the host could read it",
                where=place,
                remedy="let the program read the value from its standard input",
            )
        sent = {name: _text(value) for name, value in environment.items()}
        wait = self._patience(place, seconds, most=seconds)
        value = given.reveal().encode(errors="surrogatepass") if given is not None else b""
        with self.sending(place) if write else contextlib.nullcontext():
            started = time.perf_counter()
            try:
                ended = programs.run_program(argv, value, sent, wait)
            finally:
                self.seconds += 0.0 if write else time.perf_counter() - started
            values = [secret.reveal() for secret in (given, hidden) if secret is not None]
            said = programs.Said(*(programs.told_of(text, values, scrub) for text in (ended.out, ended.errors)))
            return programs.judged(place, ended, said, write=write, permission=permission)

    def _patience(self, url: str, seconds: float | None, *, most: float | None = None) -> float:
        """Return how many seconds the next request may take. Unavailable when the step's `timeout` is used up."""
        bound = self._transport.request_seconds if most is None else most
        bounds = [bound, seconds or bound, *([self._until - monotonic()] if self._until is not None else [])]
        if min(bounds) > 0:
            return min(bounds)
        told = "The try took longer than the step's `timeout`"
        if self.changed:
            raise OutcomeUnknown(told, where=host_of(url) or url, remedy="read back")
        raise Unavailable(told, where=host_of(url) or url)

    def _before_send(self, url: str, write: bool, event: str, _: object) -> None:
        """Check the permit once more when the connection stands: connecting may have taken longer than it holds."""
        if event == "http11.send_request_headers.started":
            self._check_permit(url, write=write)

    def _check_permit(self, url: str, *, write: bool) -> None:
        """Refuse to send a write without a permit that still holds; this is the last thing before the send."""
        if not write:
            return
        place = host_of(url) or url
        if self._permit is None:
            raise PermitExpired("A write was tried where only reading is allowed", where=place)
        if monotonic() >= self._permit.until:
            if self.changed:
                raise OutcomeUnknown(
                    "The permit to send ran out in the middle of a change", where=place, remedy="read back"
                )
            raise PermitExpired("The permit to send ran out before the request left; nothing was sent", where=place)


@contextlib.contextmanager
def _parting(server: "smtplib.SMTP") -> Iterator["smtplib.SMTP"]:
    """Part from a mail server; what it answers to the farewell says nothing about the message before."""
    import smtplib  # noqa: PLC0415 - slow to import

    try:
        yield server
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _deliver(server: "smtplib.SMTP", message: "EmailMessage", place: str, permitted: Callable[[], None]) -> None:
    """Send MAIL, RCPT and DATA; from the end of the data on, a missing answer means unknown."""
    import smtplib  # noqa: PLC0415 - slow to import

    headers = [message[name] for name in ("To", "Cc") if message[name] is not None]
    recipients = [address.addr_spec for header in headers for address in header.addresses]
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
            f"A message was handed over and no answer came: {name_of(error)}",
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


def _encode(body: Any) -> bytes | None:
    """Encode a JSON body; here, and only here, a secret in it becomes its value."""
    if body is None:
        return None
    return json.dumps(body, default=_text, ensure_ascii=False, separators=(",", ":")).encode()


def _text(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)
