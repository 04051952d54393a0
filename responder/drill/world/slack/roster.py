"""The methods of user groups and of sessions: usergroups.*, admin.users.session.*."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, listed, ok, paged, truth
from responder.drill.world.slack.app import TEAM
from responder.drill.world.slack.desk import Desk
from responder.drill.world.slack.workspace import Group, Session, Workspace
from responder.drill.world.web import Answer


@dataclass
class Terms:
    """What the workspace's plan and settings allow, and how long a reset takes."""

    enterprise: bool = False
    """Whether the methods of sessions are there at all."""
    groups_open: bool = True
    """Whether everybody may change user groups; a bot may only then."""
    reset_seconds: float = 0.0
    """From the answer to a reset until its sessions have ended, on the world's clock."""


class Roster(Desk):
    """User groups, whose members are given whole; and sessions, on an Enterprise plan alone."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self.terms = Terms()

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {
            "usergroups.list": self.list_groups,
            "usergroups.users.list": self.list_members,
            "usergroups.users.update": self.update_members,
            "admin.users.session.list": self.list_sessions,
            "admin.users.session.reset": self.reset,
        }

    def list_groups(self, asked: Asked) -> Answer:
        """List the groups; switched-off ones where they are asked for."""
        self.app.need("usergroups:read")
        off = truth(asked.get("include_disabled"))
        return ok(usergroups=[each.shown() for each in self.workspace.groups.values() if off or each.enabled])

    def list_members(self, asked: Asked) -> Answer:
        """List who is in a group."""
        self.app.need("usergroups:read")
        return ok(users=list(self._group(asked).users))

    def update_members(self, asked: Asked) -> Answer:
        """Replace all members of a group by those that are given; nobody is no answer."""
        self.app.need("usergroups:write")
        if not self.terms.groups_open:
            raise NotOk("permission_denied")
        group, users = self._group(asked), listed(asked.get("users"))
        if not users:
            raise NotOk("no_users_provided")
        barred = self.workspace.guests | set(self.workspace.bots) | self.workspace.gone
        if any(each not in self.workspace.people or each in barred for each in users):
            raise NotOk("invalid_users")
        gone, group.users = [each for each in group.users if each not in users], users
        return ok(*(Effect("person_removed", each, group.handle) for each in gone), usergroup=group.shown())

    def list_sessions(self, asked: Asked) -> Answer:
        """List the open sessions; `user_id` and `team_id` go together."""
        self._administer(asked)
        user, team = asked.get("user_id"), asked.get("team_id")
        if bool(user) != bool(team):
            raise NotOk("invalid_arguments")
        now = self.workspace.ground.clock.now()
        found = [each for each in self.workspace.sessions if each.is_open(now) and user in (None, each.user)]
        page, following = paged([_shown(each) for each in found], asked)
        return ok(active_sessions=page, response_metadata={"next_cursor": following})

    def reset(self, asked: Asked) -> Answer:
        """End somebody's sessions, which takes a while; a bot has none."""
        self._administer(asked)
        user = self.user(asked.get("user_id"))
        if user not in self.workspace.people or user in self.workspace.bots:
            raise NotOk("cannot_reset_bot")
        if user == self.workspace.primary_owner:
            raise NotOk("cannot_reset_primary_owner")
        web, mobile = truth(asked.get("web_only")), truth(asked.get("mobile_only"))
        if web and mobile:
            raise NotOk("invalid_arguments")
        kinds = {"web"} if web else {"mobile"} if mobile else {"web", "mobile"}
        end = self.workspace.ground.clock.now() + timedelta(seconds=self.terms.reset_seconds)
        for each in self.workspace.sessions:
            if each.user == user and each.kind in kinds:
                each.ends_at = each.ends_at or end
        return ok(Effect("sessions_reset", user, TEAM))

    def _administer(self, asked: Asked) -> None:
        token = self.app.others.get(str(asked.get("token")))
        if token is None:  # ours is a bot's, and no bot has a scope of `admin.`
            raise NotOk("not_allowed_token_type")
        if not self.terms.enterprise:
            raise NotOk("feature_not_enabled")
        if not token.is_admin:
            raise NotOk("not_an_admin")

    def _group(self, asked: Asked) -> Group:
        found = self.workspace.groups.get(str(asked.get("usergroup", "")))
        if found is None:
            raise NotOk("no_such_subteam")
        return found


def _shown(session: Session) -> dict[str, Any]:
    about = {"device_hardware": "", "os": session.kind, "ip": session.address}
    return {"user_id": session.user, "team_id": TEAM, "session_id": session.number, "created": about}
