"""The contract of an action: what a provider's author writes, and all that the runner knows of it."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Protocol, TypeGuard, runtime_checkable

from pydantic import BaseModel, ConfigDict

from responder.clock import Clock
from responder.errors import Denied, Unavailable
from responder.finding import Finding
from responder.redaction import Secret
from responder.settings import Connection
from responder.transport import Wire


class Effect(StrEnum):
    """What an action does to the world; plans show it, guards use it."""

    READ = "read"
    REVERSIBLE = "reversible"
    """It changes something, and the change can be taken back."""
    FINAL = "final"
    """It cannot be taken back; it needs an approval."""
    MESSAGE = "message"
    """It tells people something; it cannot be unsaid."""


class Verdict(StrEnum):
    """Whether a change holds, by reading back."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    UNKNOWN = "unknown"


def read_back(holds: Callable[[], bool]) -> Verdict:
    """Look whether a change holds; a system that does not answer shows nothing."""
    try:
        return Verdict.HOLDS if holds() else Verdict.DOES_NOT_HOLD
    except Unavailable:
        return Verdict.UNKNOWN


class Change(NamedTuple):
    """What an action would do, read from the live system; this is what a person approves."""

    target: str
    before: str
    after: str
    breaks: str = ""
    """What stops working because of it, in words for the approver."""
    preconditions: Mapping[str, str] = {}
    """What must still be so when it is applied; part of the digest."""

    def digest(self, action: str, account: str, effect: Effect) -> str:
        """Return what an approval signs: everything that the change does, and nothing volatile."""
        signed = [action, account, effect.value, self.target, self.after, dict(self.preconditions)]
        text = json.dumps(signed, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Issued(NamedTuple):
    """A new credential: its id, and either its value or the page where its holder claims it."""

    key_id: str
    value: Secret | None = None
    claim: str | None = None


class Lifespan(NamedTuple):
    """How long something works that ends by itself."""

    seconds: float
    """At the longest, from when it was made, on the clock of the system that made it."""
    source: str
    """Where its maker says so."""


@dataclass(frozen=True, eq=False, repr=False)  # nobody compares it, and it must never be shown
class Evidence:
    """Bytes to keep sealed, and what they are."""

    data: bytes
    about: str
    kept_until: datetime | None = None
    """When its source drops the first part of it, where that is known; of several, what goes first is sealed first."""


class Outcome(NamedTuple):
    """What came of reading or applying."""

    facts: Mapping[str, Any] = {}
    """Plain data for the timeline, and for the expressions of later steps."""
    issued: Issued | None = None
    findings: Sequence[Finding] = ()
    evidence: Sequence[Evidence] = ()


class Unchanged(NamedTuple):
    """The change is not needed: it is so already. Never without its reason."""

    reason: str
    facts: Mapping[str, Any] = {}
    issued: Issued | None = None


class Observation(NamedTuple):
    """One look: a verdict, and when to look again unless it is the last."""

    verdict: str
    last: bool
    ok: bool = False
    """Whether the last verdict is the hoped-for one; the step fails otherwise."""
    wait: float = 0.0
    """Seconds until the next look."""
    facts: Mapping[str, Any] = {}


class Observed(NamedTuple):
    """An earlier look, as the timeline holds it."""

    at: datetime
    verdict: str
    facts: Mapping[str, Any]


class Identity(NamedTuple):
    """Whom a provider takes us for."""

    account: str
    key_id: str = ""
    """The id of the credential that we act with, where the provider tells."""
    derives_from: tuple[str, ...] = ()
    """The ids of the credentials that it was made from (a session's key, a parent token), where the provider tells."""


class Access(NamedTuple):
    """What a provider gets to build its client from."""

    connection: Connection
    wire: Wire
    clock: Clock
    secret: Secret | None = None
    """Our own credential for this connection."""
    control: Secret | None = None
    """A known-good credential of the leaked one's kind, for proofs of death."""
    marker: str = ""
    """Run and step, the same for every try of the step: creates bear it, so that an orphan is found again."""
    tries_left: int = 0
    """How often the step may still be tried after this try."""

    def own(self, called: str = "secret") -> Secret:
        """Return our own credential; `called` is what it is. Denied where the connection has none."""
        if self.secret is None:
            raise Denied(
                f"The connection has no {called}",
                where=f"connections.{self.connection.name}",
                remedy="set `secret: env:NAME`",
            )
        return self.secret


class Action(BaseModel):
    """One thing that a provider can do. The fields are the step's `with:`, the docstring is the documentation.

    A subclass has either `plan`, `apply` and `verify`, or `read`, or `observe`.
    """

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True
    )

    name: ClassVar[str]
    """`provider.verb`, as playbooks call it."""
    effect: ClassVar[Effect]
    permissions: ClassVar[tuple[str, ...]] = ()
    """What our own credential needs."""
    idempotent: ClassVar[bool] = True
    """Whether applying it twice is the same as once; false for creates and messages."""
    readback: ClassVar[bool] = True
    """Whether `plan` can tell for certain that an earlier try took effect."""
    orphan: ClassVar[Lifespan | None] = None
    """For a create that nobody can recognise: how long the orphan of a lost answer works before it ends by itself.

    Such a create is made again without asking anybody, and the record says until when an orphan may live.
    """

    def tells(self) -> tuple[str, ...]:
        """Return whom it tells something: addresses, channels, people. By itself, what its fields of those names say.

        Nothing about an incident goes to anybody who is suspect in it.
        """
        told = (getattr(self, name, ()) for name in ("to", "cc", "bcc", "channel", "invite"))
        return tuple(str(one) for value in told for one in ((value,) if isinstance(value, str) else value or ()))

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:  # noqa: ARG003 - for those who can say more
        """Return how a person does it at the provider, while we cannot; empty: as the docstring says.

        `options` are the connection's own fields, `key_id` the credential's id there, where that is known.
        """
        return ""

    def removes(self) -> str:
        """Return the place that it takes out of sight, as the provider names it; empty where it hides nothing.

        What an exposure shows is stored before it goes.
        """
        return ""


@runtime_checkable
class Changing(Protocol):
    """An action that changes something."""

    def plan(self, client: Any) -> Change | Unchanged:
        """Read, and say what would change; never write."""

    def apply(self, client: Any, change: Change) -> Outcome:
        """Write, once per intent."""

    def verify(self, client: Any, change: Change) -> Verdict:
        """Say whether the change holds, by reading back."""


@runtime_checkable
class Invertible(Protocol):
    """A change that can be taken back, by another action on the same connection."""

    def inverse(self, change: Change) -> "Action | None":
        """Return the action that takes a change back; None where it must stay."""


@runtime_checkable
class Telling(Protocol):
    """An action that speaks in a place where others listen."""

    def listeners(self, client: Any) -> Sequence[str]:
        """Return everybody who would hear it: the place's own ids and names, and the ids of its members."""


@runtime_checkable
class Reading(Protocol):
    """An action that only reads."""

    def read(self, client: Any) -> Outcome:
        """Read, and return the facts."""


@runtime_checkable
class Observing(Protocol):
    """An action that looks again and again, one look a call, never a sleep."""

    def observe(self, client: Any, history: Sequence[Observed]) -> Observation:
        """Look once."""


_MANNERS: dict[tuple[Any, str], bool] = {}
"""What was found of each class: a protocol's own check looks at every member, every time."""


def _has(action: object, *methods: str) -> bool:
    """Tell whether the class of an action has all of these methods."""
    key = (type(action), methods[0])
    if key not in _MANNERS:
        _MANNERS[key] = all(callable(getattr(type(action), method, None)) for method in methods)
    return _MANNERS[key]


def changes(action: object) -> TypeGuard[Changing]:
    """Tell whether an action changes something."""
    return _has(action, "plan", "apply", "verify")


def observes(action: object) -> TypeGuard[Observing]:
    """Tell whether an action looks again and again."""
    return _has(action, "observe")


def reads(action: object) -> TypeGuard[Reading]:
    """Tell whether an action only reads."""
    return _has(action, "read")


class Traits(NamedTuple):
    """Facts about a kind of credential that guards, plans and proofs need."""

    propagation: float = 30.0
    """Seconds after which a disabled or revoked credential must be refused everywhere."""
    reversible: bool = False
    """Whether it can be disabled."""


class KeySeen(NamedTuple):
    """A credential as its issuer lists it."""

    key_id: str
    state: str
    """`live`, `disabled`, `dead` or `unknown`."""
    name: str = ""
    owner: str = ""
    last_used_at: str = ""


class PlaceSeen(NamedTuple):
    """A consumer's place in a secret store, as the store shows it; never its value."""

    exists: bool
    updated_at: str = ""
    exposed: bool = False
    """Whether the store itself shows that outsiders can read it."""


class Provider(NamedTuple):
    """What a provider's module exports as PROVIDER."""

    name: str
    actions: tuple[type[Action], ...]
    connect: Callable[[Access], Any]
    """Builds the client that the actions' methods get; must not send anything."""
    identify: Callable[[Any], Identity]
    """Reads whom the provider takes us for."""
    options: type[BaseModel]
    """The shape of a connection in responder.yaml, besides provider, account and secret."""
    offers: Callable[[Any], frozenset[str]] | None = None
    """Which `credential` verbs a connection with these options has; default: all that the actions implement."""
    fits: Callable[[Any, type[Action]], bool] = lambda _options, _action: True
    """Chooses, by a connection's options, between actions that have one verb and differ in what is known of them."""
    traits: Callable[[Any], Traits] = lambda _options: Traits()
    recognise: Callable[[Any, str], str | None] = lambda _options, _value: None
    """Reads a key id out of a value, offline; None where the value is not of this kind or bears none."""
    shape: Callable[[Any], str] = lambda _options: ""
    """A regular expression that finds this kind of credential in text; empty where there is none."""
    keys: Callable[[Any], Iterable[KeySeen] | None] | None = None
    """Lists every credential of the account, for `inventory check`; None where the provider, or this connection to it,
    has no such list."""
    place: Callable[[Any, str], PlaceSeen | None] | None = None
    """Looks at a consumer's `secret`, for `inventory check`; None where nothing is stored, or nothing is shown."""
    lacking: Callable[[Any, Sequence[str]], Sequence[str]] | None = None
    """Returns which of these permissions our own credential lacks, for `doctor`; None where nobody tells."""
