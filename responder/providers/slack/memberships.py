"""Who is where: taking somebody out of a channel or a user group, and ending their sessions."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method the change, needed or not

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict
from responder.errors import ProviderError, Unavailable
from responder.providers.slack.client import Client
from responder.providers.slack.messages import channel_id

_MANAGE = "channels:manage, groups:write"
_SEEN = "channels:read, groups:read"
_GROUPS_READ = "usergroups:read"
_GROUPS_WRITE = "usergroups:write"
_PEOPLE = "users:read"
_SESSIONS_READ = "admin.users:read"
_SESSIONS_WRITE = "admin.users:write"
_MOST_PAGES = 50

_User = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,}$", max_length=30)]


class RemoveFromChannel(Action):
    """Take somebody out of a channel; they can be invited again.

    A public channel stays open to every member of the workspace: they read it, and may join again.
    """

    name: ClassVar[str] = "slack.remove_from_channel"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_MANAGE, _SEEN)

    channel: Annotated[str, Field(min_length=1, max_length=100)]
    """Its id, or its name."""
    user: _User
    """Their Slack id."""

    def tells(self) -> tuple[str, ...]:
        """Return nobody: the channel is where somebody is taken out, not where something is said."""
        return ()

    def plan(self, client: Client) -> Change | Unchanged:
        """Read who is in the channel."""
        channel = channel_id(client, self.channel)
        if self.user not in _members(client, channel):
            return Unchanged(f"{self.user} is not in {self.channel}", {"channel": channel})
        return Change(
            target=f"{self.user} in channel {self.channel}",
            before="a member",
            after="no member",
            breaks=f"{self.user} no longer reads the channel where it is private",
            preconditions={"channel": channel},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Take them out."""
        channel = change.preconditions["channel"]
        client.write("conversations.kick", _MANAGE, channel=channel, user=self.user)
        return Outcome({"channel": channel})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read again who is in it."""
        try:
            inside = self.user in _members(client, change.preconditions["channel"])
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.DOES_NOT_HOLD if inside else Verdict.HOLDS


class RemoveFromGroup(Action):
    """Take somebody out of a user group, such as @oncall.

    Slack takes the whole list of members and puts it in the old one's place (docs.slack.dev,
    usergroups.users.update). So the list is read for the plan and once more just before it is written; where
    somebody else changed it in between, nothing is written. A group cannot be left empty.
    """

    name: ClassVar[str] = "slack.remove_from_group"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_GROUPS_WRITE, _GROUPS_READ)

    group: Annotated[str, Field(pattern=r"^@?[\w.-]+$", max_length=100)]
    """Its id, or its handle."""
    user: _User
    """Their Slack id."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the whole list, and show what it becomes."""
        group = self._id(client)
        before = _listed(client, group)
        after = [one for one in before if one != self.user]
        if after == before:
            return Unchanged(f"{self.user} is not in {self.group}", {"group": group, "members": len(before)})
        if not after:
            raise ProviderError(
                f"{self.user} is the only member of {self.group}, and Slack lets no group be empty",
                where="usergroups.users.update",
                remedy="let a person put somebody else in first, or switch the group off",
            )
        return Change(
            target=f"user group {self.group}",
            before=f"{len(before)} members: {', '.join(before)}",
            after=f"without {self.user}, {len(after)} members: {', '.join(after)}",
            breaks=f"{self.user} is no longer notified, and leaves what the group opens",
            preconditions={"group": group, "members": " ".join(before)},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write the rest of the list, unless it is another one by now."""
        group = change.preconditions["group"]
        before = _listed(client, group)
        after = [one for one in before if one != self.user]
        if " ".join(before) != change.preconditions["members"] or not after:
            raise ProviderError(
                f"The members of {self.group} have changed since the plan; nothing was written",
                where="usergroups.users.update",
                remedy="plan the step again",
            )
        client.write("usergroups.users.update", _GROUPS_WRITE, usergroup=group, users=",".join(after))
        return Outcome({"group": group, "members": len(after)})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Compare the list: they are gone, and nobody else is."""
        try:
            now = set(_listed(client, change.preconditions["group"]))
        except Unavailable:
            return Verdict.UNKNOWN
        kept = set(change.preconditions["members"].split()) - {self.user}
        return Verdict.HOLDS if self.user not in now and kept <= now else Verdict.DOES_NOT_HOLD

    def _id(self, client: Client) -> str:
        wanted = self.group.removeprefix("@")
        listed = client.read("usergroups.list", _GROUPS_READ, include_disabled="true").get("usergroups") or ()
        found = [str(one["id"]) for one in listed if wanted in {one.get("id"), one.get("handle")}]
        if len(found) != 1:
            raise ProviderError(
                f"There is not exactly one user group {self.group}",
                where="usergroups.list",
                remedy="give its id, which begins with S",
            )
        return found[0]


class ResetSessions(Action):
    """End somebody's sessions at all their devices, so that they sign in again. Slack has it on Enterprise plans alone.

    It needs the token of an owner or admin of the organisation; a bot's token cannot do it. Slack ends the sessions
    a while after it has answered, so they are listed until none is left; whoever signs in again at once is listed,
    too. Tokens of apps live on: they are no sessions.
    """

    name: ClassVar[str] = "slack.reset_sessions"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_SESSIONS_WRITE, _SESSIONS_READ, _PEOPLE)

    user: _User
    """Their Slack id."""
    team: Annotated[str, Field(pattern=r"^(T[A-Z0-9]+)?$", max_length=30)] = ""
    """The workspace whose sessions are listed; default: the connection's account."""

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return where a person does it."""
        return "Open Manage members in the organisation's settings, and sign the member out of all sessions."

    def plan(self, client: Client) -> Change | Unchanged:
        """Read who it is, and count their open sessions."""
        person = client.read("users.info", _PEOPLE, user=self.user).get("user") or {}
        if person.get("is_bot"):
            raise ProviderError(
                f"{self.user} is a bot, and has no sessions",
                where="users.info",
                remedy="revoke its token with credential.revoke",
            )
        found = self._sessions(client)
        if not found:
            return Unchanged(f"no session of {self.user} is open", {"open": 0})
        return Change(
            target=f"sessions of {person.get('name') or self.user} ({self.user})",
            before=f"{len(found)} open",
            after="ended",
            breaks=f"{person.get('name') or self.user} must sign in again at every device",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Ask for it; that Slack says yes does not mean that they have ended."""
        client.write("admin.users.session.reset", _SESSIONS_WRITE, user_id=self.user)
        return Outcome({"user": self.user})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Count again."""
        try:
            left = self._sessions(client)
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS

    def _sessions(self, client: Client) -> list[Any]:
        # Slack takes the two ids together, or neither (docs.slack.dev, admin.users.session.list).
        team = self.team or client.access.connection.account
        method, items = "admin.users.session.list", "active_sessions"
        return list(client.pages(method, _SESSIONS_READ, items, _MOST_PAGES, user_id=self.user, team_id=team))


def _members(client: Client, channel: str) -> set[str]:
    found = client.pages("conversations.members", _SEEN, "members", _MOST_PAGES, channel=channel)
    return {str(one) for one in found}


def _listed(client: Client, group: str) -> list[str]:
    """Return everybody in a group, those of a switched-off one too."""
    answer = client.read("usergroups.users.list", _GROUPS_READ, usergroup=group, include_disabled="true")
    return sorted(str(one) for one in answer.get("users") or ())
