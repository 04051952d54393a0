"""Members of an organisation: their roles, and the resource groups that a change of role takes along."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, get_args
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.huggingface.client import ADMIN, Client, Name

_MANAGES = f"{ADMIN}, with a token that may write its settings"
_SEES = f"{ADMIN}, with a token that may read its settings"

Role = Literal["no_access", "read", "contributor", "write", "admin"]


class GroupRole(BaseModel):
    """A member's role in one resource group."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$")]
    role: Annotated[str, Field(min_length=1, max_length=100)]
    """One of the five roles, or the name of a role that the organisation made."""


class _Standing(BaseModel):
    """What a member is in an organisation."""

    role: str
    groups: tuple[GroupRole, ...]
    names: dict[str, str]
    """What the groups are called."""

    def shown(self, groups: Sequence[GroupRole]) -> str:
        """Name groups with their roles, for whoever approves it."""
        return ", ".join(f"{self.names.get(one.id, one.id)} ({one.role})" for one in groups) or "no resource group"


class SetMemberRole(Action):
    """Set a member's role in an organisation; their resource groups stay as they are unless `groups` says otherwise.

    The Hub takes role and groups together: whoever sends no groups takes the member out of all of them (hub-docs,
    programmatic-user-access-control). So the groups are read first and sent along, and where they have changed since
    the plan, nothing is written. `no_access` ends what the organisation gives, and not what a group gives: read the
    plan, which names the groups. No API removes a member; a person does it. A paid plan is needed.
    """

    name: ClassVar[str] = "huggingface.set_member_role"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_MANAGES,)

    organization: Name
    member: Name
    """Their user name."""
    role: Role
    groups: tuple[GroupRole, ...] | None = None
    """All the resource groups that they are in afterwards; default: the same as before; `[]`: none."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read what they are now."""
        if self.member == client.access.connection.account:
            raise ProviderError(
                f"{self.member} is whom we act as ourselves",
                where=f"connections.{client.access.connection.name}",
                remedy="let another admin's connection do it, with `as:`",
            )
        now = self._standing(client)
        wanted = self._wanted(now.groups)
        if now.role == self.role and _line(now.groups) == _line(wanted):
            return Unchanged(f"{self.member} is {now.role} already, in {now.shown(now.groups)}", {"role": now.role})
        return Change(
            target=f"member {self.member} of {self.organization}",
            before=f"{now.role}; {now.shown(now.groups)}",
            after=f"{self.role}; {now.shown(wanted)}",
            breaks=f"what {self.member} does in {self.organization}, and their tokens",
            preconditions={"role": now.role, "groups": _line(now.groups)},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write role and groups, unless they are others by now."""
        now = self._standing(client)
        if {"role": now.role, "groups": _line(now.groups)} != _held(change):
            raise ProviderError(
                f"What {self.member} is in {self.organization} has changed since the plan; nothing was written",
                where="members",
                remedy="plan the step again",
            )
        wanted = [one.model_dump() for one in self._wanted(now.groups)]
        path = f"/api/organizations/{self.organization}/members/{self.member}/role"
        body = {"role": self.role, "resourceGroups": wanted}
        answer = client.ask("PUT", path, permission=_MANAGES, write=True, body=body)
        return Outcome({"status": answer.status, "role": self.role, "groups": len(wanted)})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read both again."""
        try:
            now = self._standing(client)
        except Unavailable:
            return Verdict.UNKNOWN
        wanted = self._wanted(_groups(change.preconditions["groups"]))
        same = now.role == self.role and _line(now.groups) == _line(wanted)
        return Verdict.HOLDS if same else Verdict.DOES_NOT_HOLD

    def inverse(self, change: Change) -> "SetMemberRole | None":
        """Return the action that gives back role and groups; None where the role was one that the house made."""
        before = change.preconditions["role"]
        if before not in get_args(Role):
            return None
        groups = _groups(change.preconditions["groups"])
        return SetMemberRole(organization=self.organization, member=self.member, role=before, groups=groups)

    def _wanted(self, before: tuple[GroupRole, ...]) -> tuple[GroupRole, ...]:
        return before if self.groups is None else self.groups

    def _standing(self, client: Client) -> _Standing:
        # `search` finds parts of names, too: the one with exactly this name is meant.
        path = f"/api/organizations/{self.organization}/members?search={quote(self.member, safe='')}"
        found = next((one for one in client.pages(path, permission=_MANAGES) if one.get("user") == self.member), None)
        if found is None:
            raise ProviderError(
                f"{self.organization} has no member {self.member} that we are shown",
                where="members",
                remedy="check both names, and that our token is an admin's",
            )
        if "role" not in found or "resourceGroups" not in found:
            # Without them, what would be sent takes the member out of groups that nobody saw.
            raise Denied(
                f"The Hub does not tell us role and resource groups of {self.member}",
                where="members",
                remedy=f"our credential needs: {_MANAGES}",
            )
        groups = found["resourceGroups"] or ()
        try:
            held = tuple(GroupRole(id=one.get("id"), role=one.get("role")) for one in groups)
        except ValidationError:
            raise Unavailable(f"The resource groups of {self.member} are not understood", where="members") from None
        names = {str(one["id"]): str(one.get("name", "")) for one in groups}
        return _Standing(role=str(found["role"]), groups=held, names=names)


class ListResourceGroups(Action):
    """List an organisation's resource groups, and who is in them.

    Facts: `groups`, each with `id`, `name`, `members` (name and role) and `repositories`; only those that our token
    sees: an admin's sees all.
    """

    name: ClassVar[str] = "huggingface.list_resource_groups"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (_SEES,)

    organization: Name

    def read(self, client: Client) -> Outcome:
        """Read the list."""
        path = f"/api/organizations/{self.organization}/resource-groups"
        found = client.ask("GET", path, permission=_SEES).json()
        if not isinstance(found, list):
            raise Unavailable("The Hub's answer holds no resource groups", where=self.organization)
        return Outcome({"groups": [_shown(one) for one in found]})


def _shown(group: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": group.get("id"),
        "name": group.get("name"),
        "members": [{"name": one.get("name"), "role": one.get("role")} for one in group.get("users") or ()],
        "repositories": [one.get("name") for one in group.get("repos") or ()],
    }


def _line(groups: Sequence[GroupRole]) -> str:
    return json.dumps(sorted([one.id, one.role] for one in groups))


def _groups(line: str) -> tuple[GroupRole, ...]:
    return tuple(GroupRole(id=id_, role=role) for id_, role in json.loads(line))


def _held(change: Change) -> dict[str, str]:
    return {name: change.preconditions[name] for name in ("role", "groups")}
