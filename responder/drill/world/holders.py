"""The holders: who read their mail after a while, and claim the token that was made for them."""

import heapq
import http.client
import random
import re
import threading
from datetime import datetime, timedelta

from responder.drill.world.caller import Caller
from responder.drill.world.mail import Mail
from responder.drill.world.system import Ground
from responder.drill.world.values import Holder

_CLAIM = re.compile(r"/claim/[A-Za-z0-9]+")
_CLAIMED = 200
_OVER = (_CLAIMED, 403, 404, 410)
"""Answers after which a person does not try again."""


class Holders(threading.Thread):
    """All holders in one thread, each claiming after a delay of their own, one after the other."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(name="holders", daemon=True)
        self._ground = ground
        self._people = {holder.email: holder for holder in ground.inventory.holders}
        self._due: list[tuple[datetime, str, str]] = []
        self._seen: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._stopped = False
        self.claimed = 0

    @property
    def pending(self) -> int:
        """How many claims are still to be made."""
        with self._changed:
            return len(self._due)

    def receive(self, mail: Mail) -> None:
        """Read a mail, and plan a claim where it holds an address for one; a second copy changes nothing."""
        holder, found = self._people.get(mail.to), _CLAIM.search(mail.body)
        if holder is None or found is None or (holder.email, found.group()) in self._seen:
            return
        delay = self._ground.spec.claim_delay
        draw = random.Random(f"{self._ground.spec.seed}:claims:{holder.id}")
        at = self._ground.clock.now() + timedelta(seconds=draw.uniform(delay.least, delay.most))
        with self._changed:
            self._seen.add((holder.email, found.group()))
            heapq.heappush(self._due, (at, holder.email, found.group()))
            self._changed.notify()

    def run(self) -> None:
        """Make each claim when it is due, until stopped."""
        with Caller(self._ground.inner["issuer"], "holder") as caller:
            while (due := self._next()) is not None:
                at, email, path = due
                if not self._claim(caller, self._people[email], path):
                    with self._changed:
                        heapq.heappush(self._due, (at + timedelta(seconds=30), email, path))

    def stop(self) -> None:
        """Make no further claims."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self.is_alive():
            self.join(2.0)

    def _next(self) -> tuple[datetime, str, str] | None:
        with self._changed:
            while not self._stopped:
                if not self._due:
                    self._changed.wait()
                    continue
                wait = (self._due[0][0] - self._ground.clock.now()).total_seconds()
                if wait <= 0:
                    return heapq.heappop(self._due)
                self._changed.wait(self._ground.clock.real_seconds(wait))
        return None

    def _claim(self, caller: Caller, holder: Holder, path: str) -> bool:
        password = self._ground.labels[f"holder-{holder.id[2:]}-password"]
        try:
            status, _ = caller.call("POST", path, body={"login": holder.login, "password": password})
        except (OSError, http.client.HTTPException):
            return False
        self.claimed += status == _CLAIMED
        return status in _OVER
