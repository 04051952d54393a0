"""The cast of a rotation: a gateway whose one key forty programs use, each with a secret of its own in a store."""

from typing import Any

from responder.drill.world.cast import Cast
from responder.drill.world.fleet import Fleet, Judgement, Program, Stored, Watch
from responder.drill.world.gateway import Edge
from responder.drill.world.issuer import Issuer
from responder.drill.world.keys import Keys
from responder.drill.world.system import Ground
from responder.drill.world.values import key_id_of
from responder.drill.world.vault import Vault
from responder.drill.world.web import Rejected


class Rotation(Cast):
    """Forty programs, three of which keep an old key until they are restarted."""

    def __init__(self, ground: Ground, programs: tuple[str, ...], stuck: tuple[str, ...]) -> None:
        super().__init__(ground)
        self.keys = Keys(ground)
        self.issuer, self.edge = Issuer(ground, self.keys), Edge(ground, self.keys)
        self.vault = Vault(ground, {f"{name}-key": ground.labels["shared-token"] for name in programs})
        self.fleet = Fleet(ground, [self._program(name, stuck=name in stuck) for name in programs], self.judge)
        self.systems = (self.issuer, self.edge, self.vault, self.fleet)
        self.actors = (Watch(self.fleet),)

    def judge(self, value: str) -> Judgement:
        """Say whether both surfaces take a value now."""
        with self.keys.lock:
            try:
                for surface in ("api", "edge"):
                    self.keys.present(value, surface)
            except Rejected:
                return Judgement(False, key_id_of(value) or "")
        return Judgement(True, key_id_of(value) or "")

    def state(self) -> dict[str, Any]:
        """Tell how the shared key and the programs are doing."""
        shared = self.keys.get(self.ground.inventory.shared_key_id)
        return super().state() | {"shared_key": shared.status, "out": self.fleet.look(), "looks": self.fleet.looks}

    def probe(self) -> list[dict[str, Any]]:
        """Present the old key on both surfaces, count its sessions, and look at every program."""
        label, found = "shared-token", []
        for system, surface in (("issuer", "api"), ("edge", "edge")):
            found.append(self.found(label, system, state="alive" if self._accepts(label, surface) else "dead"))
        shared = self.keys.get(self.ground.inventory.shared_key_id)
        still = sum(self.keys.is_open(session) for session in self.keys.sessions(shared))
        return [
            *found,
            self.found("sessions", shared.id, open=still),
            self.found("programs", "site", out=self.fleet.look()),
        ]

    def _accepts(self, label: str, surface: str) -> bool:
        try:
            self.keys.present(self.ground.labels[label], surface)
        except Rejected:
            return False
        return True

    def _program(self, name: str, *, stuck: bool) -> Program:
        def read() -> Stored | None:
            newest = self.vault.newest(f"{name}-key")
            return Stored(newest.value, newest.at) if newest else None

        return Program(name, read, stuck)
