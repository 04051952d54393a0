"""The one workspace: who is in it, its channels and what was said there, and the events of every change."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.drill.world.slack.answers import NotOk
from responder.drill.world.slack.app import BOT, TEAM, App
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.elements import named_blocks
from responder.drill.world.system import Ground
from responder.drill.world.values import Staff

Event = dict[str, Any]
Message = dict[str, Any]


@dataclass
class Ephemeral:
    """A message that one person sees, until they load Slack again."""

    person: str
    channel: str
    message: Message


@dataclass
class Group:
    """A user group: people whom one handle names."""

    id: str
    handle: str
    users: list[str]
    enabled: bool = True

    def shown(self) -> dict[str, Any]:
        """Return the group as Slack shows it."""
        off = 0 if self.enabled else 1
        return {"id": self.id, "handle": self.handle, "name": self.handle, "user_count": len(self.users),
                "date_delete": off}  # fmt: skip


@dataclass
class Session:
    """Somebody's sign-in at one device."""

    number: int
    user: str
    kind: str = "web"
    """`web` or `mobile`."""
    address: str = "192.0.2.1"
    ends_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Tell whether it is open."""
        return self.ends_at is None or now < self.ends_at


@dataclass
class Workspace:
    """People, channels and messages; whoever changes something holds Slack's lock."""

    ground: Ground
    app: App
    channels: dict[str, Channel] = field(default_factory=dict)
    people: dict[str, Staff] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    """Whose account is deactivated."""
    guests: set[str] = field(default_factory=set)
    """Who is a guest: restricted, in Slack's words."""
    bots: set[str] = field(default_factory=set)
    """Who is the bot of another app."""
    groups: dict[str, Group] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    primary_owner: str = ""
    teams: dict[str, str] = field(default_factory=dict)
    """The workspace of those who come from another one."""
    ephemerals: list[Ephemeral] = field(default_factory=list)
    revisions: dict[tuple[str, str], list[Message]] = field(default_factory=dict)
    """Every message as it was posted and after each change, by channel and time stamp."""
    announce: Callable[[Event, Channel | None], None] = lambda *_: None
    """Told of every event; the channel is the one in which it happened."""
    _stamp: int = 0

    def begin(self) -> None:
        """Fill the workspace with the company's people and three channels."""
        more = (Staff(each.id, each.name, each.email, f"U{each.id.upper()}") for each in self.ground.spec.people)
        self.people = {each.chat_id: each for each in (*self.ground.inventory.staff, *more)}
        for name, here in (("incidents", True), ("press", True), ("general", False)):
            self.add(name, members=[BOT] if here else [])

    def add(self, name: str, *, members: list[str], private: bool = False, direct: str = "") -> Channel:
        """Make a channel, or the direct message with a person."""
        now = int(self.ground.clock.now().timestamp())
        letter = "D" if direct else "C"
        creator = members[0] if members else ""
        made = Channel(f"{letter}{len(self.channels) + 1:08d}", name, private, members)
        made.created, made.creator, made.direct = now, creator, direct
        self.channels[made.id] = made
        return made

    def person(self, wanted: str) -> Staff:
        """Return somebody by their id at Slack, their id in the company, or their mail address; raises NotOk."""
        for each in self.people.values():
            if wanted in (each.chat_id, each.id, each.email):
                return each
        raise NotOk("user_not_found")

    def team_of(self, user: str) -> str:
        """Return the workspace that a user belongs to."""
        return self.teams.get(user, TEAM)

    def find(self, wanted: Any) -> Channel:
        """Return a channel by its id or name; raises NotOk."""
        name = str(wanted or "").lstrip("#")
        for channel in self.channels.values():
            if name in (channel.id, channel.name) and name:
                return channel
        raise NotOk("channel_not_found")

    def place(self, wanted: Any) -> str:
        """Return one name for a channel, however it was named; what is unknown names itself."""
        try:
            return self.find(wanted).id
        except NotOk:
            return str(wanted)

    def direct(self, user: str) -> Channel:
        """Return the direct message of the app with a person, and make it where there is none."""
        for channel in self.channels.values():
            if channel.direct == user:
                return channel
        return self.add("", members=[BOT, user], direct=user)

    def next_stamp(self) -> str:
        """Return a time stamp; two messages of one moment get different ones: they are how a message is named."""
        micro = int(self.ground.clock.now().timestamp() * 1_000_000)
        self._stamp = max(self._stamp + 1, micro)
        return f"{self._stamp // 1_000_000}.{self._stamp % 1_000_000:06d}"

    def compose(self, author: str, text: str, blocks: Any, **more: Any) -> Message:
        """Return a message that is not posted yet; blocks and elements without an id get one, as at Slack."""
        message: Message = {"type": "message", "user": author, "ts": self.next_stamp(), "text": text}
        message |= {"team": self.team_of(author)}
        if author == BOT:
            message |= {"bot_id": self.app.bot_id, "app_id": self.app.id}
            message |= {"bot_profile": {"id": self.app.bot_id, "app_id": self.app.id, "name": self.app.name}}
        else:
            message["client_msg_id"] = hashlib.sha256(f"{author} {message['ts']}".encode()).hexdigest()[:32]
        if blocks:
            message["blocks"] = named_blocks(blocks)
        return message | {name: value for name, value in more.items() if value}

    def post(self, channel: Channel, message: Message) -> Message:
        """Add a message to its channel, count it in its thread, and tell."""
        root = channel.message(message.get("thread_ts"))
        if root is not None:
            thread = channel.thread(root["ts"])[1:]
            writers = [*dict.fromkeys([*(each["user"] for each in thread), message["user"]])]
            root |= {"thread_ts": root["ts"], "reply_count": len(thread) + 1, "reply_users": writers}
            root |= {"reply_users_count": len(writers), "latest_reply": message["ts"]}
        channel.messages.append(message)
        self.keep(channel, message)
        self._tell(channel, message)
        return message

    def keep(self, channel: Channel, message: Message) -> None:
        """Keep the message as it is now, for clicks on an older version of it."""
        self.revisions.setdefault((channel.id, message["ts"]), []).append(copy.deepcopy(message))

    def change(self, channel: Channel, message: Message, new: dict[str, Any]) -> bool:
        """Change a message; tell whether it is another one now."""
        if new.get("blocks"):
            new["blocks"] = named_blocks(new["blocks"])
        if all((message.get(name) or None) == (value or None) for name, value in new.items()):
            return False
        before = copy.deepcopy(message)
        message.update(new)
        for name in [name for name, value in new.items() if name != "text" and not value]:
            del message[name]
        message["edited"] = {"user": message["user"], "ts": self.next_stamp()}
        self.keep(channel, message)
        change = {"subtype": "message_changed", "message": message, "previous_message": before}
        self._tell(channel, {"type": "message", "ts": self.next_stamp(), "hidden": True, **change})
        return True

    def remove(self, channel: Channel, message: Message) -> None:
        """Delete a message; where others answered it, Slack leaves a tombstone in its place."""
        before = copy.deepcopy(message)
        if len(channel.thread(message["ts"])) > 1:
            gone = {"subtype": "tombstone", "text": "This message was deleted.", "hidden": True, "user": "USLACKBOT"}
            kept = {name: message[name] for name in message if name in ("ts", "thread_ts", "type", "reply_count")}
            message.clear()
            message.update(kept | gone)
        else:
            channel.messages.remove(message)
        channel.pins = [ts for ts in channel.pins if ts != before["ts"]]
        change = {"subtype": "message_deleted", "deleted_ts": before["ts"], "previous_message": before}
        self._tell(channel, {"type": "message", "ts": self.next_stamp(), "hidden": True, **change})

    def whisper(self, user: str, channel: Channel, message: Message) -> Message:
        """Show a message to one person only."""
        self.ephemerals.append(Ephemeral(user, channel.id, message))
        return message

    def happened(self, kind: str, place: Channel | None = None, /, **facts: Any) -> None:
        """Tell of an event that is no message."""
        self.announce({"type": kind, **facts, "event_ts": self.next_stamp()}, place)

    def join(self, channel: Channel, user: str, inviter: str = "") -> bool:
        """Make somebody a member; tell whether they were none."""
        if user in channel.members:
            return False
        channel.members.append(user)
        facts = {"user": user, "channel": channel.id, "channel_type": channel.kind[:1].upper(), "team": TEAM}
        self.happened("member_joined_channel", channel, **facts, **({"inviter": inviter} if inviter else {}))
        return True

    def leave(self, channel: Channel, user: str) -> None:
        """End somebody's membership."""
        channel.members.remove(user)
        self.happened("member_left_channel", channel, user=user, channel=channel.id, team=TEAM)

    def retire(self, bot: str) -> None:
        """Take a bot out of every channel, as Slack does when its token is revoked; nobody is told."""
        for channel in self.channels.values():
            if bot in channel.members and not channel.direct:
                channel.members.remove(bot)

    def deactivate(self, user: str) -> None:
        """End somebody's account: they stay known, as deleted."""
        self.gone.add(user)
        self.happened("user_change", user=self.shown_person(user))

    def shown_person(self, user: str) -> dict[str, Any]:
        """Return a user as Slack shows them."""
        if user == BOT:
            return self._shown_bot()
        person, guest = self.people[user], user in self.guests
        shown = {
            "id": user,
            "team_id": self.team_of(user),
            "name": person.id,
            "real_name": person.name,
            "deleted": user in self.gone,
            "is_bot": user in self.bots,
            "is_restricted": guest,
            "is_ultra_restricted": False,
            "profile": {"email": person.email, "real_name": person.name, "display_name": person.id},
        }
        # Slack leaves the zone out for somebody who is deactivated.
        return shown | ({} if user in self.gone else {"tz": "Etc/UTC", "tz_label": "UTC", "tz_offset": 0})

    def _shown_bot(self) -> dict[str, Any]:
        profile = {"real_name": self.app.name, "bot_id": self.app.bot_id, "api_app_id": self.app.id}
        known = {"id": BOT, "team_id": TEAM, "name": self.app.name, "real_name": self.app.name, "is_bot": True}
        return known | {"deleted": False, "profile": profile}

    def _tell(self, channel: Channel, message: Message) -> None:
        place = {"im": "im", "private_channel": "group", "public_channel": "channel"}[channel.kind]
        event = {**copy.deepcopy(message), "channel": channel.id, "channel_type": place, "event_ts": message["ts"]}
        self.announce(event, channel)
        mention = f"<@{BOT}>" in str(message.get("text", "")) and message["user"] != BOT if "user" in message else False
        if mention and not message.get("subtype") and not channel.direct:
            self.announce({**event, "type": "app_mention"}, channel)
