"""The cast of the founding case: a gateway, a hub with a Space, a store and a site, holders, and a public."""

from typing import Any

from responder.drill.world.caller import Caller
from responder.drill.world.cast import Cast
from responder.drill.world.gateway import Edge
from responder.drill.world.holders import Holders
from responder.drill.world.hub import Hub
from responder.drill.world.issuer import Issuer
from responder.drill.world.keys import Keys
from responder.drill.world.public import Public
from responder.drill.world.system import Ground
from responder.drill.world.vault import Site, Vault

_PROBES = (
    ("shared-token", "issuer", "/v1/me"),
    ("shared-token", "edge", "/v1/me"),
    ("space-token", "hub", "/api/whoami-v2"),
)
_STATES = {200: "alive", 401: "dead"}


class Founding(Cast):
    """One token that hundreds share, published behind a Space."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.keys = Keys(ground)
        self.issuer, self.edge = Issuer(ground, self.keys), Edge(ground, self.keys)
        self.hub, self.vault = Hub(ground), Vault(ground)
        self.site = Site(ground, self.vault)
        self.holders, self.public = Holders(ground), Public(ground, self.keys)
        self.systems = (self.issuer, self.edge, self.hub, self.vault, self.site)
        self.actors = (self.public, self.holders)
        self.listeners = (self.holders.receive,)

    def state(self) -> dict[str, Any]:
        """Tell how the shared key, its sessions, the Spaces and the holders are doing."""
        with self.keys.lock:
            shared = self.keys.get(self.ground.inventory.shared_key_id)
            known = {
                "shared_key": shared.status,
                "sessions_open": self._open_sessions(),
                "live_keys": self.keys.live_by_owner(),
            }
        return known | {
            "spaces": {space.id: space.stage for space in self.hub.spaces.values()},
            "claims_pending": self.holders.pending,
            "claimed": self.holders.claimed,
            "public_served": self.public.served,
        }

    def probe(self) -> list[dict[str, Any]]:
        """Present both leaked values from outside on every surface, and count sessions."""
        found = [self._present(*probe) for probe in _PROBES]
        with self.keys.lock:
            still_open = self._open_sessions()
        shown = self.found("sessions", self.ground.inventory.shared_key_id, open=still_open)
        return [*found, shown]

    def _present(self, label: str, system: str, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.ground.labels[label]}"}
        with Caller(self.ground.inner[system], "score") as caller:
            status, _ = caller.call("GET", path, headers=headers)
        return self.found(label, system, state=_STATES.get(status, "unknown"))

    def _open_sessions(self) -> int:
        shared = self.keys.get(self.ground.inventory.shared_key_id)
        return sum(self.keys.is_open(session) for session in self.keys.sessions(shared))
