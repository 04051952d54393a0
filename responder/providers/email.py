"""Mail: one message to one person, with an id by which a server's log can tell whether it was taken."""

# ruff: noqa: ARG002 - the contract hands every method client and change, needed or not

import email.policy
import hashlib
import re
import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from responder.action import Access, Action, Change, Effect, Identity, Outcome, Provider, Verdict
from responder.errors import Denied, ProviderError, Unavailable
from responder.redaction import looks_like_credential
from responder.settings import LOOPBACK

_LOGIN_SECONDS = 10.0
_OWN_HEADERS = re.compile(r"Reply-To|References|In-Reply-To|X-(?!Responder-)[A-Za-z0-9-]+")
_LINE = re.compile(r"[^\r\n\x00]*")


def _address(text: str) -> str:
    try:
        address = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError):
        address = None
    if address is None or not address.domain or not text.isascii() or not _LINE.fullmatch(text):
        raise ValueError("is not a mail address")
    return text


class Options(BaseModel):
    """A mail server that takes our messages."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str
    port: int = Field(587, ge=1, le=65535)
    sender: str
    """The address that messages come from."""
    sender_name: str = Field("", max_length=100, pattern=r"^[^\r\n]*$")
    user: str = ""
    """The login; the connection's `secret` is its password."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """`none` is for loopback only."""

    _is_an_address = field_validator("sender")(_address)


class Client:
    """One mail account."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options

    @property
    def message_id(self) -> str:
        """The same for every try of a step, so that a message that was sent twice is one to its reader."""
        digest = hashlib.sha256(self.access.marker.encode()).hexdigest()[:32]
        return f"<{digest}@{self.options.sender.rpartition('@')[2]}>"


class SendMessage(Action):
    """Send one message to one address, or to a few who may know of one another. Facts: `message_id`, `to`, `sha256`.

    SMTP cannot be read: a server's answer to the whole message is all that there is, and where that is lost,
    a person looks for the Message-ID in the server's log.
    """

    name: ClassVar[str] = "email.send_message"
    effect: ClassVar[Effect] = Effect.MESSAGE
    permissions: ClassVar[tuple[str, ...]] = ("to send as the connection's `sender`",)
    idempotent: ClassVar[bool] = False
    readback: ClassVar[bool] = False

    to: str
    subject: Annotated[str, Field(min_length=1, max_length=300)]
    body: Annotated[str, Field(min_length=1, max_length=500_000)]
    template: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)] = ""
    """The template that it was rendered from."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Reply-To, References, In-Reply-To, or any X- header."""

    cc: tuple[Annotated[str, AfterValidator(_address)], ...] = Field((), max_length=50)
    """Others who get the same message; each reads everybody's address. The server takes it for all, or for none."""

    _is_an_address = field_validator("to")(_address)

    @field_validator("subject")
    @classmethod
    def _is_one_line(cls, subject: str) -> str:
        if not _LINE.fullmatch(subject):
            raise ValueError("must be one line: a line break would begin another header")
        return subject

    @field_validator("headers")
    @classmethod
    def _are_harmless(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _OWN_HEADERS.fullmatch(name):
                raise ValueError(f"{name!r} cannot be set here")
            if not _LINE.fullmatch(value):
                raise ValueError(f"{name} must be one line")
        return headers

    def plan(self, client: Client) -> Change:
        """Say what would be sent; there is nothing that could be read."""
        found = looks_like_credential(f"{self.subject}\n{self.body}")
        if found:
            raise ProviderError(f"The message seems to hold a credential ({found})", remedy="take it out")
        return Change(
            target=f"mail to {', '.join((self.to, *self.cc))}",
            before="not sent",
            after=f"{self.subject} [sha256:{self._digest()}]",
            breaks="it cannot be unsaid",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Hand it to the server, once."""
        options = client.options
        try:
            client.access.wire.send_mail(
                options.host,
                options.port,
                self._message(client),
                user=options.user,
                password=client.access.secret,
                tls=options.tls,
            )
        except Denied as error:
            remedy = f"our login needs: {self.permissions[0]}; {error.remedy}"
            raise Denied(error.message, where=error.where, remedy=remedy) from None
        return Outcome(
            {"message_id": client.message_id, "to": ", ".join((self.to, *self.cc)), "sha256": self._digest()}
        )

    def verify(self, client: Client, change: Change) -> Verdict:
        """Return HOLDS: it is asked once the server took the message, and no server tells more."""
        return Verdict.HOLDS

    def _message(self, client: Client) -> EmailMessage:
        message = EmailMessage(policy=email.policy.SMTP)
        run, _, step = client.access.marker.partition("/")
        message["From"] = Address(client.options.sender_name, addr_spec=client.options.sender)
        message["To"] = Address(addr_spec=self.to)
        if self.cc:
            message["Cc"] = [Address(addr_spec=one) for one in self.cc]
        message["Subject"] = self.subject
        message["Date"] = format_datetime(client.access.clock.now())
        message["Message-ID"] = client.message_id
        message["Auto-Submitted"] = "auto-generated"
        message["X-Responder-Step"] = f"{run}; {step}"
        if self.template:
            message["X-Responder-Template"] = self.template
        for name, value in self.headers.items():
            message[name] = value
        message.set_content(self.body, cte="quoted-printable")
        return message

    def _digest(self) -> str:
        whole = [
            self.body,
            self.template,
            *(f"{name}: {value}" for name, value in sorted(self.headers.items())),
        ]
        return hashlib.sha256("\n".join(whole).encode()).hexdigest()


def identify(client: Client) -> Identity:
    """Sign in, and send nothing; a mail server does not say more than yes."""
    options, password = client.options, client.access.secret
    if password is None:
        _sign_in(options, "")
    else:
        client.access.wire.with_value(password, lambda value: _sign_in(options, value))
    return Identity(client.access.connection.account or options.host)


def _sign_in(options: Options, password: str) -> None:
    place = f"smtp://{options.host}:{options.port}"
    refusal: tuple[type[ProviderError], str] | None = None
    try:
        with _server(options) as server:
            server.ehlo_or_helo_if_needed()
            if password:
                server.login(options.user, password)
    except smtplib.SMTPAuthenticationError as error:
        refusal = (Denied, f"{options.host} refuses our login ({error.smtp_code})")
    except (smtplib.SMTPException, OSError) as error:
        refusal = (Unavailable, f"{options.host} cannot be reached: {type(error).__name__}")
    if refusal:  # raised out here, so that no frame of the error holds the password
        del password
        kind, message = refusal
        raise kind(message, where=place, remedy="check `user` and `secret`: they must be allowed to send")


def _server(options: Options) -> smtplib.SMTP:
    arguments: dict[str, Any] = {"timeout": _LOGIN_SECONDS, "local_hostname": "localhost"}
    if options.tls == "implicit":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(options.host, options.port, context=context, **arguments)
    if options.tls == "none" and options.host not in LOOPBACK:
        raise Denied("Mail without TLS is sent on loopback only", remedy="set `tls: starttls`")
    server = smtplib.SMTP(options.host, options.port, **arguments)
    if options.tls == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


PROVIDER = Provider(name="email", actions=(SendMessage,), connect=_connect, identify=identify, options=Options)
