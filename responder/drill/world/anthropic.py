"""An Anthropic organisation that stands in for the real one: keys with a status, people, invites and a report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Act, Answer, Rejected, Request, Route, route

_INVALID, _UNKNOWN_KEY, _FORBIDDEN, _MISSING, _LIMITED = 400, 401, 403, 404, 429
_TYPES = {
    _INVALID: "invalid_request_error",
    _UNKNOWN_KEY: "authentication_error",
    _FORBIDDEN: "permission_error",
    _MISSING: "not_found_error",
    _LIMITED: "rate_limit_error",
}
_MOST_LISTED = 1000
_MOST_BUCKETS = 168
PROPAGATION = 20.0
"""Seconds for which a key that was switched off is still accepted; Anthropic documents none."""
_SHOWN_FIRST, _SHOWN_LAST = 16, 4


@dataclass
class Key:
    """A key; its value is known by its label alone. `admin` keys are in no list."""

    id: str
    label: str
    maker: str
    created_at: datetime
    admin: bool = False
    status: str = "active"
    refused_from: datetime | None = None
    workspace: str = ""
    forbidden: bool = False
    """Whether it may not list models; it lives all the same."""


@dataclass
class Person:
    """Somebody of the organisation, or invited into it."""

    id: str
    email: str
    status: str = ""


@dataclass
class Spent:
    """Tokens of one key at one time."""

    key_id: str
    at: datetime
    tokens: int


class Anthropic(System):
    """One organisation, empty until it is populated."""

    name = "anthropic"

    def __init__(self, ground: Ground, organisation: str, propagation: float = PROPAGATION) -> None:
        self.organisation = organisation
        self.propagation = propagation
        self.keys: dict[str, Key] = {}
        self.people: dict[str, Person] = {}
        self.invites: dict[str, Person] = {}
        self.spent: list[Spent] = []
        super().__init__(ground)

    # ---- populating

    def add_key(self, label: str, key_id: str, maker: str = "user_01", *, admin: bool = False) -> Key:
        """Add a key whose value is that of the label."""
        made = Key(key_id, label, maker, self.ground.clock.now(), admin)
        self.keys[key_id] = made
        return made

    def add_person(self, user: str, email: str) -> None:
        """Add a member."""
        self.people[user] = Person(user, email)

    def add_invite(self, invite: str, email: str, status: str = "pending") -> None:
        """Add an invitation."""
        self.invites[invite] = Person(invite, email, status)

    def add_usage(self, key_id: str, at: datetime, tokens: int) -> None:
        """Add tokens that were spent with a key."""
        self.spent.append(Spent(key_id, at, tokens))

    # ---- who asks

    def limited(self) -> Answer:
        """Return what a client gets that asks too often."""
        answer = _refusal(_LIMITED, "Too many requests").answer
        answer.headers = {"Retry-After": "1"}
        return answer

    def presented(self, request: Request) -> str | None:
        """Return the value in `x-api-key`."""
        return request.headers.get("x-api-key")

    def accepts(self, label: str) -> bool:
        """Tell whether the credential of a label would be accepted now."""
        with self.lock:
            return self._accepted(self.ground.labels[label]) is not None

    def _accepted(self, value: str | None) -> Key | None:
        now = self.ground.clock.now()
        for key in self.keys.values():
            live = key.refused_from is None or now < key.refused_from
            if value and live and self.ground.labels[key.label] == value:
                return key
        return None

    def _key(self, request: Request) -> Key:
        if "anthropic-version" not in request.headers:
            raise _refusal(_INVALID, "anthropic-version: header is required")
        key = self._accepted(self.presented(request))
        if key is None:
            raise _refusal(_UNKNOWN_KEY, "invalid x-api-key")
        return key

    def _with_admin(self, act: Callable[[Request, dict[str, str]], Answer]) -> Act:
        """Let Admin API keys in, and nobody else."""

        def asked(request: Request, parts: dict[str, str]) -> Answer:
            if not self._key(request).admin:
                raise _refusal(_FORBIDDEN, "This endpoint requires an Admin API key")
            return act(request, parts)

        return asked

    def routes(self) -> tuple[Route, ...]:
        """Return the part of the API that a leak concerns."""
        org = "/v1/organizations"
        return (
            route("GET", "/v1/models", self.models),
            route("GET", f"{org}/me", self._with_admin(self.me)),
            route("GET", f"{org}/api_keys", self._with_admin(self.list_keys)),
            route("GET", f"{org}/api_keys/{{key}}", self._with_admin(self.get_key)),
            route("POST", f"{org}/api_keys/{{key}}", self._with_admin(self.change_key)),
            route("GET", f"{org}/users/{{user}}", self._with_admin(self.get_user)),
            route("DELETE", f"{org}/users/{{user}}", self._with_admin(self.remove_user)),
            route("GET", f"{org}/invites/{{invite}}", self._with_admin(self.get_invite)),
            route("DELETE", f"{org}/invites/{{invite}}", self._with_admin(self.delete_invite)),
            route("GET", f"{org}/usage_report/messages", self._with_admin(self.usage)),
        )

    def models(self, request: Request, _: dict[str, str]) -> Answer:
        """List models."""
        key = self._key(request)
        if key.admin or key.forbidden:
            raise _refusal(_FORBIDDEN, "This key may not list models")
        return Answer(body={"data": [{"type": "model", "id": "claude-x"}], "has_more": False})

    def me(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell which organisation it is."""
        return Answer(body={"id": self.organisation, "name": "Lumen Labs", "type": "organization"})

    # ---- keys

    def list_keys(self, request: Request, _: dict[str, str]) -> Answer:
        """List the keys, archived ones too; Admin API keys are not among them."""
        limit = int(request.query.get("limit", "20"))
        if not 1 <= limit <= _MOST_LISTED:
            raise _refusal(_INVALID, "limit: must be between 1 and 1000")
        keys = [self._shown(key) for key in self.keys.values() if not key.admin]
        ids = [one["id"] for one in keys]
        after = request.query.get("after_id")
        start = ids.index(after) + 1 if after in ids else 0
        page = keys[start : start + limit]
        last = page[-1]["id"] if page else None
        return Answer(body={"data": page, "has_more": start + limit < len(keys), "last_id": last})

    def get_key(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show a key."""
        return Answer(body=self._shown(self._listed(parts)))

    def change_key(self, request: Request, parts: dict[str, str]) -> Answer:
        """Set a key's status; what was archived stays so."""
        key, wanted = self._listed(parts), request.fields.get("status")
        if wanted not in {"active", "inactive", "archived"}:
            raise _refusal(_INVALID, "status: must be active, inactive or archived")
        if key.status == "archived" and wanted != "archived":
            raise _refusal(_INVALID, "archived keys cannot be changed")
        effects: tuple[Effect, ...] = ()
        if key.status != wanted:
            kind = {"active": "key_enabled", "inactive": "key_disabled", "archived": "key_revoked"}[wanted]
            effects = (Effect(kind, key.id, key.maker),)
        if wanted == "active":
            key.refused_from = None
        elif key.refused_from is None:
            key.refused_from = self.ground.clock.now() + timedelta(seconds=self.propagation)
        key.status = wanted
        return Answer(body=self._shown(key), effects=effects)

    def _listed(self, parts: dict[str, str]) -> Key:
        found = self.keys.get(parts["key"])
        if found is None or found.admin:
            raise _refusal(_MISSING, "API key not found")
        return found

    def _shown(self, key: Key) -> dict[str, Any]:
        value = self.ground.labels[key.label]
        return {
            "type": "api_key",
            "id": key.id,
            "name": key.label,
            "status": key.status,
            "partial_key_hint": f"{value[:_SHOWN_FIRST]}...{value[-_SHOWN_LAST:]}",
            "created_at": key.created_at.isoformat(),
            "created_by": {"id": key.maker, "type": "user"},
            "expires_at": None,
            "workspace_id": key.workspace or None,
        }

    # ---- people

    def get_user(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show a member."""
        found = _found(self.people, parts["user"])
        return Answer(body={"type": "user", "id": found.id, "email": found.email, "role": "developer"})

    def remove_user(self, _: Request, parts: dict[str, str]) -> Answer:
        """Take a member out; their keys belong to the organisation, and stay."""
        found = _found(self.people, parts["user"])
        self.people.pop(found.id)
        effect = Effect("person_removed", found.id, self.organisation)
        return Answer(body={"type": "user_deleted", "id": found.id}, effects=(effect,))

    def get_invite(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show an invitation."""
        found = _found(self.invites, parts["invite"])
        return Answer(body={"type": "invite", "id": found.id, "email": found.email, "status": found.status})

    def delete_invite(self, _: Request, parts: dict[str, str]) -> Answer:
        """Withdraw an invitation; it stays, as a deleted one."""
        found = _found(self.invites, parts["invite"])
        if found.status == "accepted":
            raise _refusal(_INVALID, "accepted invites cannot be deleted")
        found.status = "deleted"
        effect = Effect("invite_deleted", found.id, found.email)
        return Answer(body={"type": "invite_deleted", "id": found.id}, effects=(effect,))

    # ---- the report

    def usage(self, request: Request, _: dict[str, str]) -> Answer:
        """List hours; without grouping nobody can tell whose tokens they were."""
        query = request.query
        limit = int(query.get("limit", "24"))
        if query.get("bucket_width") != "1h" or not 1 <= limit <= _MOST_BUCKETS:
            raise _refusal(_INVALID, "this stand-in knows hours alone, 168 at most")
        start = datetime.fromisoformat(query.get("page", "").removeprefix("page_") or query["starting_at"])
        end = datetime.fromisoformat(query["ending_at"])
        hour = timedelta(hours=1)
        starts = [start + hour * number for number in range(int((end - start) / hour))]
        wanted, grouped = query.get("api_key_ids[]"), query.get("group_by[]") == "api_key_id"
        spent = [one for one in self.spent if wanted in {None, one.key_id}]
        data = [
            {
                "starting_at": at.astimezone(UTC).isoformat(),
                "ending_at": (at + hour).astimezone(UTC).isoformat(),
                "results": _results([one for one in spent if at <= one.at < at + hour], grouped=grouped),
            }
            for at in starts[:limit]
        ]
        following = f"page_{starts[limit]:%Y-%m-%dT%H:%M:%SZ}" if len(starts) > limit else None
        return Answer(body={"data": data, "has_more": bool(following), "next_page": following})


def _results(spent: Sequence[Spent], *, grouped: bool) -> list[dict[str, Any]]:
    groups: list[str | None] = [*sorted({one.key_id for one in spent})] if grouped else [None] if spent else []
    return [
        {"api_key_id": group, "output_tokens": sum(one.tokens for one in spent if group in {None, one.key_id})}
        for group in groups
    ]


def _found(people: dict[str, Person], which: str) -> Person:
    if which not in people:
        raise _refusal(_MISSING, "not found")
    return people[which]


def _refusal(status: int, message: str) -> Rejected:
    """Return an error as the API words it."""
    made = Rejected(status, _TYPES[status])
    made.answer = Answer(status, {"type": "error", "error": {"type": _TYPES[status], "message": message}})
    return made
