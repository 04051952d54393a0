"""The channel of an incident: opened once, and recognised by its first message."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.slack.client import Client, Nobody
from responder.providers.slack.messages import EVENT, listeners, marker_of, messages

_MANAGE = "channels:manage, groups:write"
_PEOPLE = "users:read.email"
_ACCOUNTS = "users:read"
_SOON = 3600
_OPENING = "This channel was opened for an incident. What is decided here is recorded."


class OpenChannel(Action):
    """Open a channel and invite people. Facts: `channel` (its id), `name`.

    Whose account is closed, or whom nobody knows there, is not invited: that costs nobody the channel. `doctor` names
    such people beforehand.

    Its first message bears our marker. A channel of the same name without it is somebody else's, and is left
    alone; one that an earlier try opened and did not get to mark is empty, and is taken up.
    """

    name: ClassVar[str] = "slack.open_channel"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (
        "channels:manage, groups:write", "channels:read", "channels:history", "chat:write", _PEOPLE, _ACCOUNTS
    )  # fmt: skip

    channel: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,80}$")]
    """Its name."""
    private: bool = True
    invite: tuple[str, ...] = ()
    """Slack ids or mail addresses."""

    def listeners(self, client: Client) -> list[str]:
        """Return whom it invites, by id, and who is in the channel already, where there is one."""
        found = client.channel(self.channel)
        inside = listeners(client, str(found["id"])) if found is not None else []
        return [*sorted(_people(client, self.invite)), *inside]

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for the channel, whose it is, and who is missing in it."""
        people = _people(client, self.invite)
        found = client.channel(self.channel)
        if found is not None:
            _refuse_strangers(client, found)
        missing = people if found is None else _missing(client, found, people)
        marked = found is not None and _is_marked(client, found)
        if found is not None and marked and not missing:
            facts = {"channel": found["id"], "name": self.channel}
            return Unchanged("an earlier try opened it, and everybody is in", facts)
        kind = "private" if self.private else "public"
        return Change(
            target=f"channel {self.channel}",
            before="absent" if found is None else "opened by an earlier try",
            after=f"{kind}, with {', '.join(sorted(people)) or 'nobody invited'}",
            preconditions={"people": " ".join(sorted(people))},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Create, mark and fill the channel; whatever an earlier try did is not done again."""
        done: list[str] = []
        try:
            return self._open(client, frozenset(change.preconditions["people"].split()), done)
        except ProviderError as error:
            if not done:
                raise
            raise OutcomeUnknown(
                f"The channel was {' and '.join(done)}, and then: {error.message}",
                where=error.where,
                remedy="read back",
            ) from None

    def _open(self, client: Client, people: frozenset[str], done: list[str]) -> Outcome:
        # As few requests as can be: they share one permit. What was just made needs no look into it.
        found = client.channel(self.channel)
        if found is None:
            made = client.write("conversations.create", _MANAGE, name=self.channel, is_private=self.private)
            found = dict(made["channel"])
            done.append("created")
        else:
            _refuse_strangers(client, found)
        if done or not _is_marked(client, found):
            mark = {"event_type": EVENT, "event_payload": {"marker": client.access.marker}}
            client.write("chat.postMessage", "chat:write", channel=found["id"], text=_OPENING, metadata=mark)
            done.append("marked")
        missing = people if "created" in done else _missing(client, found, people)
        if missing:
            _invite(client, str(found["id"]), missing)
        return Outcome({"channel": found["id"], "name": self.channel})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for the channel, its mark and its people."""
        try:
            found = client.channel(self.channel)
            holds = (
                found is not None
                and _is_marked(client, found)
                and not _missing(client, found, frozenset(change.preconditions["people"].split()))
            )
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD


def _people(client: Client, invited: tuple[str, ...]) -> frozenset[str]:
    """Return Slack ids, looking mail addresses up; one that nobody has is left out."""
    return frozenset(filter(None, (_user(client, one) if "@" in one else one for one in invited)))


def _user(client: Client, address: str) -> str:
    try:
        found = client.read("users.lookupByEmail", _PEOPLE, email=address)
    except Nobody:
        return ""
    return str((found.get("user") or {}).get("id", ""))


def _missing(client: Client, channel: dict[str, Any], people: frozenset[str]) -> frozenset[str]:
    if not people:
        return people
    inside = client.pages("conversations.members", "channels:read", "members", 50, channel=channel["id"])
    return _reachable(client, people - set(inside))


def _invite(client: Client, channel: str, people: frozenset[str]) -> None:
    """Invite people; Slack refuses all where it refuses one, so that who cannot come is left out then."""
    try:
        client.write("conversations.invite", _MANAGE, channel=channel, users=",".join(sorted(people)))
    except ProviderError:
        left = _reachable(client, people)
        if left == people:
            raise
        if left:
            client.write("conversations.invite", _MANAGE, channel=channel, users=",".join(sorted(left)))


def _reachable(client: Client, people: frozenset[str]) -> frozenset[str]:
    """Return those who have an account there that is not closed."""
    return frozenset(one for one in sorted(people) if _can_come(client, one))


def _can_come(client: Client, user: str) -> bool:
    try:
        info = client.read("users.info", _ACCOUNTS, user=user).get("user") or {}
    except Nobody:
        return False
    return not info.get("deleted")


def _is_marked(client: Client, channel: dict[str, Any]) -> bool:
    return any(marker_of(one) == client.access.marker for one in _first_messages(client, channel))


def _refuse_strangers(client: Client, channel: dict[str, Any]) -> None:
    """Refuse a channel that is not ours: archived, or talked in without our mark."""
    problem = ""
    if channel.get("is_archived"):
        problem = "is archived"
    elif channel.get("is_member") is False:
        problem = "is somebody else's"
    else:
        said = [one for one in _first_messages(client, channel) if not one.get("subtype")]
        if said and all(marker_of(one) != client.access.marker for one in said):
            problem = "is in use by somebody else"
    if problem:
        raise ProviderError(
            f"The channel {channel.get('name')} exists and {problem}",
            where="conversations.list",
            remedy="choose another name; nothing was posted there",
        )


def _first_messages(client: Client, channel: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages around the opening, where Slack tells when that was; else the newest ones."""
    created = channel.get("created")
    bounds = {"latest": str(int(created) + _SOON)} if isinstance(created, int) and created else {}
    return list(messages(client, str(channel["id"]), **bounds))
