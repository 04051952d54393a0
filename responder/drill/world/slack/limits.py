"""How often an app may ask (docs.slack.dev, "Rate limits"): off unless somebody switches it on."""

import math
import time
from dataclasses import dataclass, field

TIERS = {1: 1, 2: 20, 3: 50, 4: 100}
"""Requests a minute in each of Slack's tiers."""
_TIER_OF = {
    "apps.connections.open": 1, "conversations.archive": 2, "conversations.create": 2, "conversations.list": 2,
    "conversations.setTopic": 2, "pins.add": 2, "pins.list": 2, "pins.remove": 2, "reactions.remove": 2,
    "users.list": 2, "usergroups.list": 2, "usergroups.users.list": 2, "usergroups.users.update": 2,
    "admin.users.session.list": 2, "admin.users.session.reset": 2, "auth.revoke": 3, "chat.delete": 3,
    "chat.update": 3, "conversations.history": 3, "conversations.info": 3,
    "conversations.invite": 3, "conversations.join": 3, "conversations.kick": 3, "conversations.open": 3,
    "conversations.replies": 3, "reactions.add": 3, "reactions.get": 3, "users.lookupByEmail": 3,
    "chat.postEphemeral": 4, "conversations.members": 4, "users.info": 4, "views.open": 4, "views.publish": 4,
    "views.push": 4, "views.update": 4,
}  # fmt: skip


@dataclass
class _Bucket:
    left: float
    at: float


@dataclass
class Limits:
    """Buckets that fill again with real time."""

    messages: bool = False
    """Whether a channel takes about one message a second."""
    burst: int = 3
    """How many messages a channel takes at once after a rest."""
    tiers: dict[int, int] = field(default_factory=dict)
    """Requests a minute by tier; a tier that is not here has no limit. `TIERS` are Slack's own."""
    storm: int = 0
    """How many of the next requests are turned away whatever they are."""
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def wait(self, method: str, place: str) -> int:
        """Return how many seconds a request has to wait: 0 where it may pass."""
        if self.storm > 0:
            self.storm -= 1
            return 1
        if method == "chat.postMessage":
            return self._take(f"message {place}", self.burst, 1.0) if self.messages else 0
        minute = self.tiers.get(_TIER_OF.get(method, 4))
        return self._take(method, minute, minute / 60) if minute else 0

    def _take(self, key: str, most: float, per_second: float) -> int:
        now = time.monotonic()
        bucket = self._buckets.setdefault(key, _Bucket(most, now))
        bucket.left = min(most, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return 0
        return max(1, math.ceil((1 - bucket.left) / per_second))
