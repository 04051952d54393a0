"""The public, who use what leaked until it is refused, and go on trying now and then."""

import http.client
import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from responder.drill.world.caller import Caller
from responder.drill.world.keys import Keys
from responder.drill.world.system import Ground

_TRY_AGAIN = timedelta(seconds=5)
_BORED_REAL_SECONDS = 0.25
_HOPE = 0.1
_REFUSED = 400
_PROMPTS = ("a paper boat in the rain", "a fox that reads", "the sea, but made of glass")


@dataclass
class _Use:
    """One way to use what leaked: a token on a surface, or a session."""

    system: str
    headers: dict[str, str]
    refused_at: datetime | None = None
    served: int = 0


class Public(threading.Thread):
    """Strangers who found the Space; their requests go over real HTTP and are lines of the ledger."""

    def __init__(self, ground: Ground, keys: Keys) -> None:
        super().__init__(name="public", daemon=True)
        self._ground = ground
        self._draw = random.Random(f"{ground.spec.seed}:public")
        self._leaving = threading.Event()
        bearer = {"Authorization": f"Bearer {ground.labels['shared-token']}"}
        sessions = keys.sessions(keys.get(ground.inventory.shared_key_id))
        self._uses = [_Use("issuer", bearer), _Use("edge", bearer)]
        self._uses += [_Use("edge", {"X-Session": session.value}) for session in sessions]

    @property
    def served(self) -> int:
        """How many requests of the public were served."""
        return sum(use.served for use in self._uses)

    def run(self) -> None:
        """Use one thing after another, at the specified rate, until stopped."""
        rate = self._ground.spec.public_rate
        callers = {name: Caller(self._ground.inner[name], "public") for name in ("issuer", "edge")}
        while rate and not self._leaving.is_set():
            use = self._choose()
            if use is not None:
                self._try(use, callers[use.system])
            pause = self._draw.uniform(0.7, 1.3) / rate
            self._leaving.wait(pause if use else max(pause, _BORED_REAL_SECONDS))
        for caller in callers.values():
            caller.close()

    def stop(self) -> None:
        """Let the public go home."""
        self._leaving.set()
        if self.is_alive():
            self.join(2.0)

    def _choose(self) -> _Use | None:
        now = self._ground.clock.now()
        refused = [use for use in self._uses if use.refused_at and now - use.refused_at > _TRY_AGAIN]
        welcome = [use for use in self._uses if use.refused_at is None]
        # What was refused is tried seldom while something else still works.
        pool = refused if refused and (not welcome or self._draw.random() < _HOPE) else welcome
        return self._draw.choice(pool) if pool else None

    def _try(self, use: _Use, caller: Caller) -> None:
        prompt = {"prompt": self._draw.choice(_PROMPTS)}
        try:
            status, _ = caller.call("POST", "/v1/generations", headers=use.headers, body=prompt)
        except (OSError, http.client.HTTPException):
            return
        accepted = status < _REFUSED
        use.served += accepted
        use.refused_at = None if accepted else self._ground.clock.now()
