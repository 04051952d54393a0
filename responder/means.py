"""The means with which runs are planned and advanced: what the wiring puts together, handed on as one value."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.action import Access, Identity, Provider
from responder.clock import Clock, Ids, monotonic
from responder.errors import PlaybookError, Problem, SettingsError
from responder.leaks import Leaks
from responder.redaction import Secret
from responder.registry import Registry
from responder.sealing import Sealer
from responder.settings import Connection, Settings, open_secret
from responder.source import nearest
from responder.store import Store
from responder.threads import Threads
from responder.transport import Permit, Transport

_IDENTITY_SECONDS = 30.0
"""For how long the answer to *whom do you take us for* is believed."""

WITHOUT_ACCOUNT = frozenset({"evidence", "finding", "human", "incident"})
"""Providers that need no entry under `connections`."""

Hook = Callable[[str, str], None]
"""Called with a point (`before-apply`, `after-apply`, `after-record`) and a step: a drill may kill there."""


def other_account(connection: Connection, account: str) -> Problem | None:
    """Return what is wrong where a connection leads to another account than responder.yaml says."""
    if not connection.account:
        return Problem(
            f"it is account {account}, and responder.yaml does not say which it must be",
            remedy=f"add `account: {account}` if that is right",
        )
    if account != connection.account:
        return Problem(
            f"it is account {account}, and responder.yaml says {connection.account}",
            remedy="use the right credential, or correct `account:`",
        )
    return None


def no_hook(point: str, step: str) -> None:
    """Do nothing: outside of drills nobody waits at these points."""


@dataclass(frozen=True, eq=False, repr=False)  # nobody compares it, and it must never be shown
class Means:
    """Everything that planning and running need from outside."""

    store: Store
    sealer: Sealer
    registry: Registry
    transport: Transport
    settings: Settings
    clock: Clock
    ids: Ids
    environment: Mapping[str, str]
    templates: Mapping[str, str] = field(default_factory=dict)
    playbooks: Callable[[], Mapping[str, Any]] = dict
    hook: Hook = no_hook
    leaks: Leaks = field(default_factory=Leaks)
    threads: Threads = field(default_factory=Threads)
    _identities: dict[str, tuple[float, Identity]] = field(default_factory=dict)
    _secrets: dict[str, Secret] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def secret(self, reference: str | None) -> Secret | None:
        """Return the secret behind a reference of responder.yaml; None for none."""
        if reference is None:
            return None
        if reference not in self._secrets:
            self._secrets[reference] = open_secret(reference, self.sealer, self.environment)
        return self._secrets[reference]

    def connection(self, name: str, provider: str = "") -> Connection:
        """Return a connection by name, else the only one of a provider. PlaybookError where that is not clear.

        Of several to Slack it is the one with which `slack:` says that we speak.
        """
        known = self.settings.connections
        if name:
            if name not in known and name in WITHOUT_ACCOUNT:
                return Connection(name=name, provider=name)
            if name not in known:
                near = nearest(name, list(known))
                raise PlaybookError(
                    f"There is no connection {name!r} in responder.yaml",
                    remedy=f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}",
                )
            return known[name]
        fitting = [connection for connection in known.values() if connection.provider == provider]
        if len(fitting) > 1 and self.settings.slack is not None:
            fitting = [one for one in fitting if one.name == self.settings.slack.connection] or fitting
        if len(fitting) == 1:
            return fitting[0]
        if not fitting and provider in WITHOUT_ACCOUNT:
            return Connection(name=provider, provider=provider)
        found = ", ".join(connection.name for connection in fitting) or "none"
        raise PlaybookError(
            f"A step needs one connection of {provider}, and responder.yaml has: {found}",
            remedy="name it with `connection:`",
        )

    def access(
        self,
        connection: Connection,
        run: str,
        step: str,
        permit: Permit | None = None,
        seconds: float | None = None,
        *,
        tries_left: int = 0,
    ) -> Access:
        """Return what a provider's client is built from; without a permit it can only read.

        `seconds`: how long all requests of this try may take together. `tries_left`: how many tries follow it.
        """
        return Access(
            connection=connection,
            wire=self.transport.wire(run, step, permit, seconds),
            clock=self.clock,
            secret=self.secret(connection.secret),
            control=self.secret(connection.control),
            marker=f"{run}/{step}",
            tries_left=tries_left,
        )

    def client(self, access: Access) -> Any:
        """Return a provider's client for a connection."""
        return self.registry.provider(access.connection.provider).connect(access)

    def identity(self, provider: Provider, access: Access) -> Identity:
        """Return whom a provider takes us for; asked anew every half minute."""
        name = access.connection.name
        with self._lock:
            asked, known = self._identities.get(name, (float("-inf"), Identity("")))
        if monotonic() - asked > _IDENTITY_SECONDS:
            known = provider.identify(self.client(access))
            with self._lock:
                self._identities[name] = (monotonic(), known)
        return known

    def clock_seconds(self, real: float) -> float:
        """Return by how many seconds the clock advances in `real` seconds."""
        one = self.clock.real_seconds(1.0)
        return real / one if one else real

    def fingerprint_of_secret(self, reference: str | None) -> str:
        """Return the fingerprint of the value behind a reference; empty where it cannot be read here."""
        try:
            secret = self.secret(reference)
        except SettingsError:
            return ""
        return secret.fingerprint if secret else ""
