"""The gateway's keys and sessions: what is accepted where, and until when."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground
from responder.drill.world.values import Holder, drawn, key_id, token
from responder.drill.world.web import Rejected

SURFACES = ("api", "edge")
_SESSION_ENDS_AFTER = 2.0
_SESSION_LISTED_AFTER = 3.0
_ADMIN_REACH = ("gateway:admin",)
_SHARED_REACH = ("gateway:generate", "gateway:read", "early-access:models")


@dataclass
class Key:
    """A key of the gateway."""

    id: str
    name: str
    owner: str
    value: str
    delivery: str
    created_at: datetime
    reach: tuple[str, ...]
    status: str = "active"
    claim_code: str = ""
    claimed: bool = False
    last_used_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was revoked."""
    refused_from: dict[str, datetime] = field(default_factory=dict)
    """From when each surface refuses the key; empty while it is active."""


@dataclass
class Session:
    """A session that was opened with a key; it lives on when its key is ended."""

    id: str
    key_id: str
    value: str
    opened_at: datetime
    ends_at: datetime | None = None
    last_used_at: datetime | None = None


class Keys:
    """All keys and sessions. Callers hold `lock` while they ask or change."""

    def __init__(self, ground: Ground) -> None:
        self.lock = threading.RLock()
        self._ground = ground
        self._by_id: dict[str, Key] = {}
        self._by_value: dict[str, Key] = {}
        self._by_code: dict[str, Key] = {}
        self._sessions: dict[str, Session] = {}
        self.admins: dict[str, Key] = {}
        """Keys of administration that can be ended as others can, by their labels."""
        self._people = {
            known: holder for holder in ground.inventory.holders for known in (holder.id, holder.email, holder.login)
        }
        self._begin()

    def holder(self, known_as: str) -> Holder | None:
        """Return the holder with this id, address or login."""
        return self._people.get(known_as)

    def subject(self, owner: str) -> str:
        """Return how effects name an owner: a holder's id, however they were called, else the owner."""
        holder = self.holder(owner)
        return holder.id if holder else owner

    def get(self, key: str) -> Key:
        """Return a key by its id; raises Rejected (404)."""
        if key not in self._by_id:
            raise Rejected(404, "key_not_found")
        return self._by_id[key]

    def page(self, name: str | None, after: str | None, size: int) -> tuple[list[Key], str | None]:
        """Return keys in the order of their making, from behind `after`, and where the next page begins."""
        found = [key for key in self._by_id.values() if name is None or key.name == name]
        ids = [key.id for key in found]
        start = ids.index(after) + 1 if after in ids else 0
        page = found[start : start + size]
        return page, page[-1].id if start + size < len(found) else None

    def by_code(self, code: str) -> Key:
        """Return the key of a claim code; raises Rejected (404)."""
        if code not in self._by_code:
            raise Rejected(404, "claim_unknown")
        return self._by_code[code]

    def live_by_owner(self) -> dict[str, int]:
        """Return how many active keys each owner has."""
        counts: dict[str, int] = {}
        for key in self._by_id.values():
            if key.status == "active":
                subject = self.subject(key.owner)
                counts[subject] = counts.get(subject, 0) + 1
        return counts

    def present(self, value: str | None, surface: str) -> Key:
        """Return the key of a presented value; raises Rejected (401) where the surface no longer takes it."""
        key = self._by_value.get(value or "")
        if key is None:
            raise Rejected(401, "key_unknown")
        return self.accepted(key, surface)

    def accepted(self, key: Key, surface: str) -> Key:
        """Return a key that is presented; raises Rejected (401) where the surface no longer takes it."""
        now = self._ground.clock.now()
        if surface in key.refused_from and now >= key.refused_from[surface]:
            raise Rejected(401, f"key_{key.status}")
        key.last_used_at = now
        return key

    def issue(self, name: str, owner: str, delivery: str, reach: tuple[str, ...]) -> tuple[Key, Effect]:
        """Make a key; asking twice makes two."""
        seed = self._ground.spec.seed
        nth = sum(1 for key in self._by_id.values() if key.name == name)
        made = self._keep(name, owner, delivery, reach, label=f"issued:{name}:{nth}")
        if delivery == "claim":
            made.claim_code = drawn(seed, f"claim:{name}" + (f":{nth}" if nth else ""), 20)
            self._by_code[made.claim_code] = made
        self._ground.labels.add({f"issued:{made.id}": made.value})
        effect = Effect("key_issued", name, self.subject(owner), {"id": made.id, "delivery": delivery})
        return made, effect

    def add_admin(self, label: str, owner: str) -> Key:
        """Add a key of administration whose value has this label; nothing but the admin API takes it."""
        made_id = key_id(self._ground.spec.seed, label)
        made = Key(made_id, label, owner, self._ground.labels[label], "value", self._ground.clock.now(), _ADMIN_REACH)
        self._by_id[made_id] = self.admins[label] = made
        return made

    def revoked_before(self, key: Key, at: datetime) -> None:
        """Let a key have been revoked at a moment before the world began."""
        key.status, key.ended_at = "revoked", at
        key.refused_from = dict.fromkeys(SURFACES, at)
        for session in self.sessions(key):
            session.ends_at = at

    def disable(self, key: Key) -> tuple[Effect, ...]:
        """Switch a key off; nothing changes where it is off already."""
        return self._end(key, "disabled") if key.status == "active" else ()

    def revoke(self, key: Key) -> tuple[Effect, ...]:
        """End a key for good; nothing changes where that was done already."""
        return self._end(key, "revoked") if key.status != "revoked" else ()

    def enable(self, key: Key) -> tuple[Effect, ...]:
        """Switch a key on again; raises Rejected (409) where it was revoked."""
        if key.status == "revoked":
            raise Rejected(409, "key_revoked")
        if key.status == "active":
            return ()
        key.status = "active"
        key.refused_from.clear()
        return (Effect("key_enabled", key.id, self.subject(key.owner)),)

    def open_session(self, key: Key) -> Session:
        """Open a session with a key."""
        number = len(self._sessions) + 1
        value = "ses_" + drawn(self._ground.spec.seed, f"session:{number}", 32)
        self._ground.labels.add({f"session-{number}": value})
        made = Session(f"s-{number:04d}", key.id, value, self._ground.clock.now())
        self._sessions[value] = made
        return made

    def session(self, value: str) -> Session:
        """Return the session of a presented value; raises Rejected (401) where it has ended."""
        found = self._sessions.get(value)
        if found is None:
            raise Rejected(401, "session_unknown")
        if not self.is_open(found):
            raise Rejected(401, "session_ended")
        found.last_used_at = self._ground.clock.now()
        return found

    def is_open(self, session: Session) -> bool:
        """Tell whether a session is still accepted."""
        return session.ends_at is None or self._ground.clock.now() < session.ends_at

    def sessions(self, key: Key) -> list[Session]:
        """Return every session that was opened with a key, ended ones too."""
        return [session for session in self._sessions.values() if session.key_id == key.id]

    def listed_sessions(self, key: Key) -> list[Session]:
        """Return the sessions of a key as the list shows them: it lags behind what is accepted."""
        lag = timedelta(seconds=_SESSION_LISTED_AFTER)
        now = self._ground.clock.now()
        return [each for each in self.sessions(key) if each.ends_at is None or now < each.ends_at + lag]

    def end_sessions(self, key: Key) -> tuple[Effect, ...]:
        """Let every session of a key end shortly; nothing changes where all are ending already."""
        at = self._ground.clock.now() + timedelta(seconds=_SESSION_ENDS_AFTER)
        going = [session for session in self.sessions(key) if session.ends_at is None]
        for session in going:
            session.ends_at = at
        if not going:
            return ()
        return (Effect("sessions_ended", key.id, self.subject(key.owner), {"sessions": len(going)}),)

    def _end(self, key: Key, status: str) -> tuple[Effect, ...]:
        now = self._ground.clock.now()
        for surface in SURFACES:
            promised = self._ground.spec.propagation_seconds.of(surface)
            after = timedelta(seconds=self._ground.trouble.propagation(promised))
            # A key that was disabled before it is revoked does not come back to life in between.
            key.refused_from.setdefault(surface, now + after)
        key.status = status
        key.ended_at = now if status == "revoked" else None
        return (Effect(f"key_{status}", key.id, self.subject(key.owner)),)

    def _keep(self, name: str, owner: str, delivery: str, reach: tuple[str, ...], *, label: str) -> Key:
        seed = self._ground.spec.seed
        made_id = key_id(seed, label)
        while made_id in self._by_id:
            label += "+"
            made_id = key_id(seed, label)
        now = self._ground.clock.now()
        made = Key(made_id, name, owner, token(seed, label, made_id), delivery, now, reach)
        self._by_id[made.id] = made
        self._by_value[made.value] = made
        return made

    def _begin(self) -> None:
        name = self._ground.inventory.shared_key_name
        shared = self._keep(name, "early-access", "value", _SHARED_REACH, label="shared-token")
        self._keep("uptime-probe", "platform", "value", ("gateway:read",), label="control-token")
        for key in self._by_id.values():
            key.created_at = self._ground.clock.origin - timedelta(days=90)
        for number in range(self._ground.spec.open_sessions):
            session = self.open_session(shared)
            session.opened_at = self._ground.clock.origin - timedelta(minutes=14 - number % 10)
