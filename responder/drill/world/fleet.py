"""Many services, each with a credential from a store of its own; the world looks whether theirs works, all the time."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from responder.drill.world.ledger import Effect, Line
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_READ_AFTER = timedelta(seconds=2)
"""After how long a service has read what was put into its store."""
_LOOK_REAL_SECONDS = 0.05
"""How often the world looks at every service."""


class Stored(NamedTuple):
    """What a store holds for a service."""

    value: str
    at: datetime


class Judgement(NamedTuple):
    """What the issuer says of a credential."""

    accepted: bool
    key_id: str


@dataclass(frozen=True)
class Service:
    """One service: how it is called, and how it reads its store."""

    id: str
    read: Callable[[], Stored | None]
    stuck: bool = False
    """Whether it keeps what it has until somebody restarts it."""


class Fleet(System):
    """All services behind one address: `/health/ID` tells whether a service's credential is accepted."""

    name = "site"

    def __init__(self, ground: Ground, services: Iterable[Service], judge: Callable[[str], Judgement]) -> None:
        super().__init__(ground)
        self._services = {one.id: one for one in services}
        self._judge = judge
        self._values: dict[str, str] = {}
        self._restarted: set[str] = set()
        self._out: set[str] = set()
        self.looks = 0
        """How often the world has looked at the whole fleet."""
        for service in self._services.values():
            self._load(service, force=True)

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked of a service."""
        return (route("GET", "/health/{id}", self.health), route("POST", "/restart/{id}", self.restart))

    def health(self, _: Request, parts: dict[str, str]) -> Answer:
        """Tell whether the service's present credential is accepted."""
        service = self._service(parts)
        self._load(service)
        judgement = self._judge(self._values.get(service.id, ""))
        return Answer(body={"ok": judgement.accepted, "key_id": judgement.key_id})

    def restart(self, _: Request, parts: dict[str, str]) -> Answer:
        """Let a service read its store anew; from then on it does so by itself."""
        service = self._service(parts)
        self._restarted.add(service.id)
        self._load(service, force=True)
        return Answer(202, {"id": service.id}, (Effect("service_restarted", service.id, service.id),))

    def look(self) -> list[str]:
        """Look at every service now; return those whose credential is refused, and note who began to be so."""
        with self.lock:
            out = {one.id for one in self._services.values() if not self._works(one)}
            self.looks += 1
            for name in sorted(out - self._out):
                self._note("outage", name)
            for name in sorted(self._out - out):
                self._note("outage_over", name)
            self._out = out
        return sorted(out)

    def _works(self, service: Service) -> bool:
        self._load(service)
        return self._judge(self._values.get(service.id, "")).accepted

    def _load(self, service: Service, *, force: bool = False) -> None:
        stored = service.read()
        if stored is None or (service.stuck and service.id not in self._restarted and not force):
            return
        if force or self.ground.clock.now() - stored.at >= _READ_AFTER:
            self._values[service.id] = stored.value

    def _service(self, parts: dict[str, str]) -> Service:
        if parts["id"] not in self._services:
            raise Rejected(404, "service_unknown")
        return self._services[parts["id"]]

    def _note(self, kind: str, name: str) -> None:
        self.ground.ledger.write(Line(self.name, actor="world", outcome="seen"), Effect(kind, name, name))


class Watch(threading.Thread):
    """Looks at a fleet every fifty milliseconds, until stopped."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(name="watch", daemon=True)
        self._fleet = fleet
        self._leaving = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._leaving.wait(_LOOK_REAL_SECONDS):
            self._fleet.look()

    def stop(self) -> None:
        """Go home."""
        self._leaving.set()
        if self.is_alive():
            self.join(2.0)
