"""The cast of a leaked key of administration: the gateway, whose other admins act instead, and strangers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from responder.drill.world.caller import Caller
from responder.drill.world.issuer import Issuer
from responder.drill.world.keys import Keys
from responder.drill.world.leak import Leak
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn
from responder.drill.world.web import Rejected

_LETTERS = 40


class AdminLeak(Leak):
    """Keys of administration, of which one leaked; somebody has opened a session with it."""

    def __init__(self, ground: Ground, leaked: str, others: Sequence[str], owner: str) -> None:
        self.keys, self._first, self._owner = Keys(ground), leaked, owner
        for label in (leaked, *others):
            self.keys.add_admin(label, owner)
        self.issuer_system = Issuer(ground, self.keys)
        self._session = self.keys.open_session(self.keys.admins[leaked]).value
        self._turn = itertools.cycle((self._administer, self._work))
        super().__init__(
            ground, [self.issuer_system], services={}, leaked=[leaked], accepts=self._is_taken,
            names=lambda label: self.keys.admins[label].id, use=self._use,
            sessions=self._open,
        )  # fmt: skip

    def act(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """`renew`: make one more key of administration, as a person does on the gateway's page."""
        if name != "renew":
            return super().act(name, asked)
        label = f"{self._first}-2"
        with self.keys.lock:
            self.ground.labels.add({label: "lumadmin_" + drawn(self.ground.spec.seed, label, _LETTERS)})
            made = self.keys.add_admin(label, self._owner)
        return {"made": self.made(made.id, self._owner)}

    def _use(self, caller: Caller) -> int:
        return next(self._turn)(caller)

    def _administer(self, caller: Caller) -> int:
        headers = {"Authorization": f"Bearer {self.ground.labels[self._first]}"}
        return caller.call("GET", "/admin/v1/keys", headers=headers)[0]

    def _work(self, caller: Caller) -> int:
        return caller.call("GET", "/v1/session/me", headers={"X-Session": self._session})[0]

    def _is_taken(self, label: str) -> bool:
        with self.keys.lock:
            try:
                self.keys.accepted(self.keys.admins[label], "api")
            except Rejected:
                return False
        return True

    def _open(self) -> int:
        with self.keys.lock:
            return sum(self.keys.is_open(one) for one in self.keys.sessions(self.keys.admins[self._first]))
