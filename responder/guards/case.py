"""What a guard looks at: one step's action, with what the record and the settings say about it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from responder.action import Identity, Telling
from responder.means import Means
from responder.playbook import Step
from responder.redaction import Secret
from responder.resolve import Resolved
from responder.settings import Connection
from responder.state import RunState
from responder.subject import CredentialAction

_NOBODY = Identity("")


class Moment(StrEnum):
    """When guards are asked."""

    START = "at the start"
    PLAN = "at plan"
    CHANGE = "before every change"
    READING = "before every reading"
    CLOSE = "at close"


class Case(NamedTuple):
    """One action, ready to be taken, and whatever may speak against it."""

    step: Step
    resolved: Resolved
    state: RunState
    moment: Moment = Moment.CHANGE
    identity: Identity = _NOBODY
    """Whom the provider takes us for; empty where nothing is changed."""
    ours: Secret | None = None
    """The credential that we act with."""
    connections: Mapping[str, Connection] = MappingProxyType({})
    """Every connection, by its name."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The present moment on the run's clock."""
    listeners: Callable[[], Sequence[str]] = tuple
    """Everybody who would hear a message, by ids and names, where its provider tells."""
    leaked: Callable[[], frozenset[str]] = frozenset
    """The identifiers of every credential that a finding names, in any incident."""
    locked: Callable[[], bool] = lambda: True
    """Whether the run holds the lock on its credential."""

    @property
    def issuer(self) -> Connection | None:
        """The connection of the run's own credential."""
        return self.connections.get(self.state.credential.connection)

    @property
    def place(self) -> str:
        """How a refusal names the step."""
        return f"step {self.step.id}"

    @property
    def on_credential(self) -> bool:
        """Whether it acts on the run's own credential, or presents it."""
        return isinstance(self.resolved.action, CredentialAction)


def case_of(
    step: Step,
    resolved: Resolved,
    state: RunState,
    means: Means,
    moment: Moment,
    *,
    identity: Identity = _NOBODY,
    ours: Secret | None = None,
    client: Any = None,
) -> Case:
    """Return what the guards are asked about; `identity`, `ours` and `client` where something would be changed."""

    def locked() -> bool:
        names = state.credential.identifiers
        return bool(names) and means.store.holder(names) == state.run

    def listeners() -> Sequence[str]:
        action = resolved.action
        return action.listeners(client) if isinstance(action, Telling) and client is not None else ()

    return Case(
        step,
        resolved,
        state,
        moment,
        identity,
        ours,
        means.settings.connections,
        means.clock.now,
        listeners,
        partial(_leaked, state, means),
        locked,
    )


def _leaked(state: RunState, means: Means) -> frozenset[str]:
    return means.leaks.named(means.store) | frozenset(state.credential.identifiers)


def named_value(value: Secret) -> str:
    """Return under which identifier a value would be known, had it leaked."""
    return value.fingerprint


def named_key(connection: str, key_id: str) -> str:
    """Return under which identifier a key id of a connection would be known, had it leaked."""
    return f"{connection}:{key_id}"
