"""The cast of a false alarm: the gateway, and a key that it ended long before anybody published it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from responder.drill.world.gateway import Edge
from responder.drill.world.issuer import Issuer
from responder.drill.world.keys import Keys
from responder.drill.world.leak import Leak
from responder.drill.world.ledger import shown_time
from responder.drill.world.system import Ground
from responder.drill.world.web import Rejected

_DEAD_FOR = timedelta(days=40)


class Expired(Leak):
    """A key that was dead before it was exposed."""

    def __init__(self, ground: Ground, label: str) -> None:
        self.keys = Keys(ground)
        self._key = self.keys.get(ground.inventory.shared_key_id)
        self.keys.revoked_before(self._key, ground.clock.origin - _DEAD_FOR)
        systems = [Issuer(ground, self.keys), Edge(ground, self.keys)]
        super().__init__(
            ground, systems, services={}, leaked=[label], accepts=self._is_taken, names=lambda _: self._key.id,
            sessions=self._open,
        )  # fmt: skip

    def known_of(self, label: str) -> Mapping[str, Any]:  # noqa: ARG002 - there is one
        """Tell since when the key is dead."""
        return {"since": shown_time(self._key.ended_at)} if self._key.ended_at else {}

    def _is_taken(self, label: str) -> bool:
        with self.keys.lock:
            try:
                self.keys.present(self.ground.labels[label], "api")
            except Rejected:
                return False
        return True

    def _open(self) -> int:
        with self.keys.lock:
            return sum(self.keys.is_open(one) for one in self.keys.sessions(self._key))
