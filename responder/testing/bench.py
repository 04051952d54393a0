"""A provider at work against a fake of its system, as the runner would have it, and what a case must give."""

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from responder.action import Access, Action, Outcome, Provider, Unchanged
from responder.clock import Clock
from responder.errors import ResponderError
from responder.redaction import Redactor, Secret, forms_of
from responder.sealing import Sealer
from responder.settings import Connection
from responder.testing.loopback import Trouble
from responder.transport import Permit, Transport, Wire

E = TypeVar("E", bound=BaseException)
_RUN, _STEP = "run-1f2e3d4c5b6a", "step[item]"
_SHORTEST = 6


class ContractBroken(AssertionError):
    """A provider does not keep the contract; the message says which part."""


class Live(Protocol):
    """A fake that is running: where it is, what opens it, what it saw."""

    connection: Connection
    clock: Clock
    secret: str | None
    """The value of our own credential."""
    control: str | None
    account: str
    """The account that our credential really belongs to."""

    def writes(self) -> int:
        """Return how many requests changed something."""

    def misbehave(self, trouble: Trouble) -> None:
        """Go wrong from now on; `Trouble.NONE` ends it."""


Make = Callable[[Any, Callable[[str], Secret]], Action]
"""Makes an action for a live fake; the second argument takes a value in."""


@dataclass(frozen=True)
class ActionCase:
    """One action against the fake."""

    make: Make
    label: str = ""
    """Tells two cases of one action apart."""
    gone: Make | None = None
    """The same for a thing that is as wanted already."""
    can_be_denied: bool = True
    """Whether it needs a permission of ours at all."""
    leaves_orphan: bool = False
    """Whether a lost answer leaves something that the next plan must name, instead of calling it done."""
    spares: Callable[[Any], Any] | None = None
    """Reads from the fake what must be the same before and after: every other credential. Ending one needs it."""
    living: Callable[[Any], Any] | None = None
    """Reads from the fake which credentials work now, as a set. An action that says how long its orphan lives needs it,
    and `wait`."""
    wait: Callable[[Any, float], None] | None = None
    """Lets so many seconds pass on the fake's clock."""
    settle: Callable[[Any], None] | None = None
    """Lets the fake's time pass until a write can be read back."""


@dataclass(frozen=True)
class ProviderCase:
    """A provider, a fake of its system, and a case for each action."""

    provider: Provider
    open: Callable[[], AbstractContextManager[Any]]
    actions: Sequence[ActionCase]
    tells_account: bool = True
    """Whether the system says who we are."""


@dataclass
class Bench:
    """A provider at work against its fake, as the runner would have it."""

    provider: Provider
    live: Live
    sealer: Sealer = field(default_factory=lambda: Sealer(bytes(range(32)), Redactor()))
    values: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transport = Transport(self.sealer, request_seconds=5.0)
        self.values += [value for value in (self.live.secret, self.live.control) if value]

    def secret(self, value: str) -> Secret:
        """Take a value in, and look for it in everything that leaves."""
        self.values.append(value)
        return self.sealer.secret(value)

    def client(self, *, may_write: bool = False) -> Any:
        """Build the provider's client, for reading only unless it may write."""
        permit = Permit.starting_now() if may_write else None
        wire: Wire = self.transport.wire(_RUN, _STEP, permit)
        secret, control = (
            self.sealer.secret(value) if value else None for value in (self.live.secret, self.live.control)
        )
        access = Access(self.live.connection, wire, self.live.clock, secret, control, f"{_RUN}/{_STEP}")
        return self.provider.connect(access)

    def nowhere(self, *things: Any) -> None:
        """Fail if any value, in any form, stands in what would leave."""
        for thing in things:
            text = "\n".join(_shown(thing))
            for value in self.values:
                if any(form in text for form in forms_of(value) if len(form) >= _SHORTEST):
                    raise ContractBroken(f"a secret stands in {type(thing).__name__}")

    def failing(self, expected: type[E], act: Callable[[], Any]) -> E:
        """Return the error that `act` must raise."""
        try:
            found = act()
        except expected as error:
            self.nowhere(error)
            return error
        except ResponderError as error:
            raise ContractBroken(f"expected {expected.__name__}, got {type(error).__name__}: {error}") from error
        raise ContractBroken(f"expected {expected.__name__}, got {found!r}")


def _shown(thing: Any) -> Iterator[str]:
    if isinstance(thing, Outcome):
        yield "\n".join(one.about for one in thing.evidence)
        thing = thing._replace(evidence=())  # evidence is raw, and sealed before anybody sees it
    yield repr(thing)
    yield str(thing)
    if isinstance(thing, Outcome | Unchanged):
        yield json.dumps(dict(thing.facts), default=str)
    if isinstance(thing, Outcome):
        yield repr([finding.model_dump(mode="json") for finding in thing.findings])
    if isinstance(thing, Action):
        yield thing.model_dump_json()
    if isinstance(thing, ResponderError):
        yield f"{thing.where}\n{thing.remedy}\n{thing.args!r}"
    if isinstance(thing, BaseException):
        yield "".join(traceback.format_exception(thing))
