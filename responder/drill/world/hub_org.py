"""An organisation at the hub: its members, resource groups and audit log, and tokens that it shuts out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.system import Ground
from responder.drill.world.web import Answer, Rejected, Request, Route, route

ROLES = ("admin", "write", "contributor", "read", "no_access")
_PLANS = {"": 0, "team": 1, "enterprise": 2}
_FILTERS = {"author": lambda event: event["author"]["user"], "type": lambda event: event["type"]}


@dataclass
class Account:
    """A token, and the user whom it speaks for."""

    label: str
    user: str
    role: str
    """What the token may: read or write."""
    dead: bool = False
    shut_out_by: set[str] = field(default_factory=set)
    """The organisations that have revoked it for themselves; elsewhere it lives on."""


@dataclass
class Member:
    """Somebody in an organisation."""

    user: str
    role: str
    groups: dict[str, str] = field(default_factory=dict)
    """Their role in each resource group that they are in, by its id."""


@dataclass
class Organisation:
    """An organisation."""

    name: str
    plan: str = "enterprise"
    """`team`, `enterprise`, or nothing."""
    members: dict[str, Member] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """The names of the resource groups, by their ids of 24 hexadecimal digits."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The audit log, oldest first."""
    most_events: int = 100_000
    """How many of the newest events an export holds."""

    def seat(self, account: Account) -> dict[str, Any] | None:
        """Return what whoami says of the organisation to a member's token; None to anybody else's."""
        member = self.members.get(account.user)
        if member is None:
            return None
        groups = [{"id": id_, "name": self.groups[id_], "role": role} for id_, role in member.groups.items()]
        seat = {"type": "org", "name": self.name, "roleInOrg": member.role, "resourceGroups": groups}
        return seat | ({"securityRestrictions": ["token-revoked"]} if self.name in account.shut_out_by else {})

    def may(self, account: Account, *roles: str) -> bool:
        """Tell whether a token reaches the organisation in one of these roles."""
        member = self.members.get(account.user)
        return member is not None and self.name not in account.shut_out_by and member.role in roles


class Front:
    """What the hub's API does with organisations."""

    def __init__(self, ground: Ground, accounts: list[Account], account: Callable[[Request], Account]) -> None:
        self.organisations: dict[str, Organisation] = {}
        self._ground = ground
        self._accounts = accounts
        self._account = account

    def routes(self) -> tuple[Route, ...]:
        """Return the part of the API that concerns a leak."""
        api = "/api/organizations/{org}"
        return (
            route("POST", api + "/settings/tokens/revoke", self.revoke),
            route("GET", api + "/members", self.members),
            route("PUT", api + "/members/{user}/role", self.set_role),
            route("GET", api + "/resource-groups", self.groups),
            route("GET", api + "/audit-log/export", self.export),
        )

    def revoke(self, request: Request, parts: dict[str, str]) -> Answer:
        """Shut a member's token out of the organisation for good; admins may, but not their own."""
        org, admin = self._entered(request, parts, "enterprise", "admin")
        value = request.text("token")
        if not value.startswith("hf_"):
            raise Rejected(400, "token_invalid")
        label = self._ground.labels.of(value)
        found = next((each for each in self._accounts if each.label == label and not each.dead), None)
        if found is None or found.user not in org.members:
            raise Rejected(404, "token_not_found")
        if found.user == admin.user:
            raise Rejected(403, "cannot_revoke_own_token")
        new = org.name not in found.shut_out_by
        found.shut_out_by.add(org.name)
        self.note(org, "org.token_approval.authorization_request.revoked", admin)
        return Answer(body={}, effects=(Effect("token_shut_out", found.user, org.name),) if new else ())

    def members(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the members; their roles and groups are for admins. `search` finds parts of names, too."""
        org = self._organisation(parts)
        sees = org.may(self._account(request), "admin")
        found = [each for each in org.members.values() if request.query.get("search", "") in each.user]
        return Answer(body=[_shown(org, each, sees=sees) for each in found])

    def set_role(self, request: Request, parts: dict[str, str]) -> Answer:
        """Set a member's role, and with it all their groups: those that are not given, they leave."""
        org, _ = self._entered(request, parts, "team", "admin", "write")
        member = org.members.get(parts["user"])
        if member is None:
            raise Rejected(404, "user_not_found")
        role, groups = request.text("role"), request.fields.get("resourceGroups") or []
        if role not in ROLES or any(each.get("role") not in ROLES for each in groups):
            raise Rejected(400, "role_invalid")
        if any(each.get("id") not in org.groups for each in groups):
            raise Rejected(403, "resource_group_not_in_organization")
        before = (member.role, dict(member.groups))
        member.role, member.groups = role, {each["id"]: each["role"] for each in groups}
        changed = before != (member.role, member.groups)
        effect = Effect("member_role", member.user, org.name, {"role": role, "groups": len(member.groups)})
        return Answer(body={"success": True}, effects=(effect,) if changed else ())

    def groups(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the resource groups: admins see all, others those that they are in."""
        org, account = self._entered(request, parts, "team", *ROLES)
        inside = None if org.may(account, "admin") else org.members[account.user].groups
        return Answer(
            body=[
                {"id": id_, "name": name, "users": _users(org, id_), "repos": []}
                for id_, name in org.groups.items()
                if inside is None or id_ in inside
            ]
        )

    def export(self, request: Request, parts: dict[str, str]) -> Answer:
        """Give the newest events of the audit log, newest first; admins may."""
        org, _ = self._entered(request, parts, "team", "admin")
        name, _, wanted = request.query.get("q", "").partition(":")
        found = [each for each in org.events if name not in _FILTERS or _FILTERS[name](each) == wanted]
        return Answer(body=[*reversed(found)][: org.most_events])

    def note(self, org: Organisation, kind: str, account: Account, **more: Any) -> dict[str, Any]:
        """Write an event into the audit log; a token is named by its last four letters alone."""
        number = len(org.events) + 1
        token = {"type": "access_token", "id": f"{number:024x}", "role": account.role, "deleted": False}
        event = {
            "_id": f"{number:024x}",
            "createdAt": shown_time(self._ground.clock.now()).replace("+00:00", "Z"),
            "type": kind,
            "message": kind.replace(".", " "),
            "ip": "192.0.2.0",
            "userAgent": "python-requests/2.32",
            "author": {"_id": "0" * 24, "user": account.user, "avatarUrl": "", "type": "user"},
            "token": token | {"last4": self._ground.labels[account.label][-4:]},
            **more,
        }
        org.events.append(event)
        return event

    def _organisation(self, parts: dict[str, str]) -> Organisation:
        org = self.organisations.get(parts["org"])
        if org is None:
            raise Rejected(404, "organization_not_found")
        return org

    def _entered(self, request: Request, parts: dict[str, str], plan: str, *roles: str) -> tuple[Organisation, Account]:
        account, org = self._account(request), self._organisation(parts)
        if not org.may(account, *roles):
            raise Rejected(403, "forbidden")
        if _PLANS[org.plan] < _PLANS[plan]:
            raise Rejected(402, "payment_required")
        return org, account


def _shown(org: Organisation, member: Member, *, sees: bool) -> dict[str, Any]:
    shown = {"user": member.user, "fullname": member.user, "type": "user", "_id": "0" * 24, "isPro": False}
    groups = [
        {"id": id_, "name": org.groups[id_], "role": role, "numUsers": len(_users(org, id_))}
        for id_, role in member.groups.items()
    ]
    return {**shown, "avatarUrl": ""} | ({"role": member.role, "resourceGroups": groups} if sees else {})


def _users(org: Organisation, group: str) -> list[dict[str, Any]]:
    inside = [each for each in org.members.values() if group in each.groups]
    return [{"type": "user", "name": each.user, "fullname": each.user, "role": each.groups[group]} for each in inside]
