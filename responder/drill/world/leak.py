"""The cast of a leak at a provider: its system, services with secrets in a store, and strangers who use what leaked."""

import http.client
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from responder.drill.world.caller import Caller
from responder.drill.world.cast import Cast
from responder.drill.world.fleet import Fleet, Judgement, Service, Stored, Watch
from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground, System
from responder.drill.world.vault import Vault
from responder.drill.world.web import Rejected

_PAUSE_REAL_SECONDS = 0.15
_STORED = range(200, 300)

Use = Callable[[Caller], int]
"""How a stranger uses what leaked: one request, whose status is returned."""
Errand = Callable[[Caller, Mapping[str, Any]], tuple[int, dict[str, Any]]]
"""What a person does at the issuer, by the fields that say what."""


class Strangers(threading.Thread):
    """Whoever found the value; they use it again and again, over real HTTP, until the drill is over."""

    def __init__(self, ground: Ground, system: str, use: Use) -> None:
        super().__init__(name="strangers", daemon=True)
        self._ground, self._system, self._use = ground, system, use
        self._leaving = threading.Event()

    def run(self) -> None:
        """Try once, pause, and try again."""
        with Caller(self._ground.inner[self._system], "public") as caller:
            while not self._leaving.wait(_PAUSE_REAL_SECONDS):
                try:
                    self._use(caller)
                except (OSError, http.client.HTTPException):
                    continue

    def stop(self) -> None:
        """Go home."""
        self._leaving.set()
        if self.is_alive():
            self.join(2.0)


def bearing(value: str, path: str) -> Use:
    """Return the use of a value behind `Bearer`."""

    def use(caller: Caller) -> int:
        return caller.call("GET", path, headers={"Authorization": f"Bearer {value}"})[0]

    return use


class Leak(Cast):
    """One leaked credential, the services that used it, and strangers.

    `services`: the label of the value that each begins with. `leaked`: the labels of what leaked. `accepts` says of a
    label whether its credential is accepted now, `names` which id it bears. `makes` lets a person make a credential
    for a service on the issuer's page, where no API does it, and returns its label. `issuer` names the system that
    issued what leaked; it is the first of `systems` unless it is said. `elsewhere`: what the services read that keep
    their credential in another store than the vault. `label_of` says which label a stored value has.
    """

    def __init__(
        self,
        ground: Ground,
        systems: Iterable[System],
        *,
        services: Mapping[str, str],
        leaked: Sequence[str],
        accepts: Callable[[str], bool],
        names: Callable[[str], str],
        use: Use | None = None,
        sessions: Callable[[], int] = lambda: 0,
        makes: Callable[[str], str] | None = None,
        issuer: str = "",
        elsewhere: Mapping[str, Callable[[], Stored | None]] | None = None,
        label_of: Callable[[str], str] | None = None,
        errand: Errand | None = None,
    ) -> None:
        super().__init__(ground)
        outside = list(systems)
        self._leaked, self._accepts, self._names, self._sessions = leaked, accepts, names, sessions
        self._makes, self._errand = makes, errand
        self.issuer = issuer or outside[0].name
        self._label_of = label_of or (lambda value: ground.labels.of(value) or "")
        read = {name: self._reading(name) for name in services} | dict(elsewhere or {})
        kept = {name: label for name, label in services.items() if name not in (elsewhere or {})}
        self.vault = Vault(ground, {f"{name}-key": ground.labels[label] for name, label in kept.items()})
        self.fleet = Fleet(ground, [Service(name, read[name]) for name in services], self.judge)
        self.systems = (*outside, self.vault, self.fleet)
        strangers = (Strangers(ground, self.issuer, use),) if use is not None else ()
        self.actors = (Watch(self.fleet), *strangers)

    def judge(self, value: str) -> Judgement:
        """Say whether the issuer takes a value now, and which id it bears."""
        label = self._label_of(value)
        known = label not in ("", "unknown")
        return Judgement(known and self._accepts(label), self._names(label) if known else "")

    def act(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """`store`: make a credential for a `service` by hand, and put it into its secret, as a person would."""
        if name != "store" or self._makes is None:
            return super().act(name, asked)
        service = str(asked.get("service"))
        label = self._makes(service)
        with Caller(self.ground.inner["vault"], "person") as caller:
            headers = {"Authorization": f"Bearer {self.ground.labels['vault-token']}"}
            status, _ = caller.call(
                "PUT", f"/v1/secrets/{service}-key", headers=headers, body={"value": self.ground.labels[label]}
            )
        if status not in _STORED:
            raise Rejected(409, "not_stored")
        return {"stored": label}

    def made(self, label: str, service: str) -> str:
        """Note that a person made a credential for somebody on the issuer's page; return its label."""
        self.did(self.issuer, Effect("key_issued", label, service, {"id": label}))
        return label

    def errand(self, fields: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Let a person do something at the issuer."""
        if self._errand is None:
            return super().errand(fields)
        with Caller(self.ground.inner[self.issuer], "person") as caller:
            return self._errand(caller, fields)

    def state(self) -> dict[str, Any]:
        """Tell which services are out."""
        return super().state() | {"out": self.fleet.look()}

    def probe(self) -> list[dict[str, Any]]:
        """Look whether what leaked is accepted, count sessions, and look at every service."""
        states = {label: "alive" if self._accepts(label) else "dead" for label in self._leaked}
        found = [self.found(label, self.issuer, state=state, **self.known_of(label)) for label, state in states.items()]
        found.append(self.found("sessions", self.issuer, open=self._sessions()))
        return [*found, self.found("services", "site", out=self.fleet.look())]

    def known_of(self, label: str) -> Mapping[str, Any]:  # noqa: ARG002 - others need it
        """Return what the final probe tells of what leaked besides its state."""
        return {}

    def _reading(self, name: str) -> Callable[[], Stored | None]:
        def read() -> Stored | None:
            newest = self.vault.newest(f"{name}-key")
            return Stored(newest.value, newest.at) if newest else None

        return read
