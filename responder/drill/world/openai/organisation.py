"""What an organisation holds: its projects, the keys in them, its people, and the log of all that was changed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn

PROPAGATION = 20.0
"""Seconds for which a deleted key is still accepted; OpenAI documents none, so this one is the drill's own."""


@dataclass
class Account:
    """A user or a service account; `role` is the one in the organisation, for users."""

    id: str
    name: str
    kind: str
    created_at: int
    email: str = ""
    role: str = "member"
    project: str = ""
    """The project of a service account."""


@dataclass
class Key:
    """A key; its value is known by its label alone."""

    id: str
    label: str
    name: str
    owner: Account
    created_at: int
    project: str = ""
    """Its project; none for a key of administration."""
    scopes: tuple[str, ...] = ()
    """What it may do; everything where none is named."""
    last_used_at: int | None = None
    deleted: bool = False
    refused_from: datetime | None = None


@dataclass
class Project:
    """A project: who is a member of it, and what may be spent in it."""

    id: str
    name: str
    created_at: int
    archived: bool = False
    members: dict[str, str] = field(default_factory=dict)
    """The role of each user by their id."""
    limit: int | None = None
    """The hard spend limit in cents a month."""


@dataclass
class Invite:
    """An invitation into the organisation."""

    id: str
    email: str
    status: str
    created_at: int


@dataclass
class Spent:
    """Calls of one key in one hour."""

    key_id: str
    at: int
    kind: str
    requests: int
    input_tokens: int = 0
    output_tokens: int = 0


class Organisation:
    """The state, empty until it is populated. Callers hold the system's lock."""

    def __init__(self, ground: Ground, name: str, propagation: float) -> None:
        self.ground = ground
        self.name = name
        self.propagation = propagation
        self.projects: dict[str, Project] = {}
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, Key] = {}
        self.invites: dict[str, Invite] = {}
        self.events: list[dict[str, Any]] = []
        self.spent: list[Spent] = []
        self._robots = 0

    def now(self) -> int:
        """Return the moment in seconds, as OpenAI writes times."""
        return int(self.ground.clock.now().timestamp())

    # ---- populating

    def add_project(self, project: str, name: str = "") -> Project:
        """Add a project."""
        made = Project(project, name or project, self.now())
        self.projects[project] = made
        return made

    def add_user(self, user: str, email: str, role: str = "reader", projects: tuple[str, ...] = ()) -> Account:
        """Add a person, and make them a member of projects."""
        made = Account(user, email.partition("@")[0], "user", self.now(), email, role)
        self.accounts[user] = made
        for project in projects:
            self.projects[project].members[user] = "member"
        return made

    def add_service_account(self, project: str, name: str, account: str = "") -> Account:
        """Add a service account to a project."""
        self._robots += 1  # an id is never used again, also not after its account was deleted
        made_id = account or f"user-sa{drawn(self.ground.spec.seed, f'openai-sa:{name}:{self._robots}', 8)}"
        made = Account(made_id, name, "service_account", self.now(), project=project)
        self.accounts[made.id] = made
        return made

    def add_key(
        self, label: str, owner: Account, project: str = "", *, key_id: str = "", scopes: tuple[str, ...] = ()
    ) -> Key:
        """Add a key whose value is that of the label; without a project it is one of administration."""
        made_id = key_id or f"key_{drawn(self.ground.spec.seed, f'openai-key:{label}', 12)}"
        made = Key(made_id, label, label, owner, self.now(), project, scopes)
        self.keys[made.id] = made
        return made

    def add_invite(self, invite: str, email: str, status: str = "pending") -> Invite:
        """Add an invitation."""
        made = Invite(invite, email, status, self.now())
        self.invites[invite] = made
        return made

    def add_usage(self, key_id: str, at: datetime, requests: int, kind: str = "completions", **tokens: int) -> None:
        """Add calls that were made with a key."""
        self.spent.append(Spent(key_id, int(at.timestamp()), kind, requests, **tokens))

    def add_event(
        self, kind: str, at: datetime | None = None, *, key: str = "", address: str = "", user: str = ""
    ) -> None:
        """Add an event to the audit log: by a key, or in the session of a user."""
        person = {"id": user, "email": self.accounts[user].email if user in self.accounts else ""}
        session = {"type": "session", "session": {"user": person, "ip_address": address}}
        by_key = {"type": "api_key", "api_key": {"id": key, "type": "user", "user": person}}
        self._log(kind, int(at.timestamp()) if at else self.now(), by_key if key else session, {})

    # ---- asking

    def value(self, key: Key) -> str:
        """Return a key's value."""
        return self.ground.labels[key.label]

    def presented(self, value: str | None) -> Key | None:
        """Return the key of a presented value, while it is accepted."""
        now = self.ground.clock.now()
        for key in self.keys.values():
            if value and self.value(key) == value and (key.refused_from is None or now < key.refused_from):
                return key
        return None

    def enabled(self, project: str) -> list[Key]:
        """Return the keys of a project that nobody deleted; none of administration."""
        return [key for key in self.keys.values() if key.project == project and not key.deleted]

    def has_access(self, key: Key) -> bool:
        """Tell whether the owner of a key still has access to its project."""
        if key.owner.kind == "service_account":
            return key.owner.id in self.accounts
        return key.owner.id in self.accounts and key.owner.id in self.projects[key.project].members

    # ---- changing

    def delete_key(self, key: Key, by: Key) -> Effect:
        """Delete one key; it is accepted until that has spread."""
        key.deleted = True
        key.refused_from = self.ground.clock.now() + timedelta(seconds=self.propagation)
        self.log("api_key.deleted", by, {"id": key.id})
        return Effect("key_revoked", key.id, key.owner.id)

    def delete_account(self, account: Account, by: Key) -> tuple[Effect, ...]:
        """Delete a service account with all its keys."""
        keys = [key for key in self.keys.values() if key.owner.id == account.id and not key.deleted]
        ended = tuple(self.delete_key(key, by) for key in keys)
        self.accounts.pop(account.id)
        self.log("service_account.deleted", by, {"id": account.id})
        return (*ended, Effect("service_account_deleted", account.id, account.name))

    def issue(self, account: Account, name: str, by: Key, scopes: tuple[str, ...] = ()) -> tuple[Key, Effect]:
        """Make a key for a service account."""
        seed, nth = self.ground.spec.seed, len(self.keys)
        label = f"openai-issued:{account.name}:{nth}"
        self.ground.labels.add({label: "sk-svcacct-" + drawn(seed, label, 40)})
        key = self.add_key(label, account, account.project, scopes=scopes)
        key.name = name
        self.log("api_key.created", by, {"id": key.id, "data": {"scopes": list(scopes)}})
        return key, Effect("key_issued", account.name, account.id, {"id": key.id})

    def log(self, kind: str, by: Key, about: dict[str, Any]) -> None:
        """Write a change into the audit log."""
        who = {"id": by.owner.id, "email": by.owner.email}
        actor = {"type": "api_key", "api_key": {"id": by.id, "type": "user", "user": who}}
        self._log(kind, self.now(), actor, about)

    def _log(self, kind: str, at: int, actor: dict[str, Any], about: dict[str, Any]) -> None:
        made = {"id": f"audit_log-{len(self.events):06d}", "type": kind, "effective_at": at, "actor": actor}
        self.events.append({**made, kind: about})
