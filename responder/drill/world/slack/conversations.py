"""The methods of channels: conversations.*."""

import math
import re
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, listed, ok, paged, stamp, truth
from responder.drill.world.slack.app import BOT
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.desk import Desk
from responder.drill.world.web import Answer

_NAME = re.compile(r"[\w-]{1,80}")
_PREFIXES = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
_MOST_TOPIC = 250


class Conversations(Desk):
    """Channels: made, found, filled, read and archived."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {
            "conversations.archive": self.archive,
            "conversations.create": self.create,
            "conversations.history": self.history,
            "conversations.info": self.info,
            "conversations.invite": self.invite,
            "conversations.join": self.join,
            "conversations.kick": self.kick,
            "conversations.list": self.list_all,
            "conversations.members": self.members,
            "conversations.open": self.open,
            "conversations.replies": self.replies,
            "conversations.setTopic": self.set_topic,
        }

    def create(self, asked: Asked) -> Answer:
        """Make a channel; names are lower-case and belong to one channel, hidden ones too."""
        private = truth(asked.get("is_private"))
        self.app.need("groups:write" if private else "channels:manage")
        name = str(asked.get("name", "")).lstrip("#")
        if name != name.lower() or not _NAME.fullmatch(name):
            raise NotOk("invalid_name_specials")
        if any(channel.name == name for channel in self.workspace.channels.values()):
            raise NotOk("name_taken")
        made = self.workspace.add(name, members=[BOT], private=private)
        return ok(Effect("channel_created", name, made.id), channel=made.shown(BOT))

    def list_all(self, asked: Asked) -> Answer:
        """List the channels of the types that are asked for; without `types`, the public ones only."""
        types = listed(asked.get("types")) or ["public_channel"]
        if any(each not in _PREFIXES for each in types):
            raise NotOk("invalid_types")
        for each in types:
            self.app.need(f"{_PREFIXES[each]}:read")
        hidden = truth(asked.get("exclude_archived"))
        seen = [
            channel
            for channel in self.workspace.channels.values()
            if channel.kind in types
            and (channel.kind == "public_channel" or BOT in channel.members)
            and not (hidden and channel.archived)
        ]
        found, following = paged(seen, asked)
        return ok(channels=[each.shown(BOT) for each in found], response_metadata={"next_cursor": following})

    def info(self, asked: Asked) -> Answer:
        """Show a channel."""
        channel = self.channel(asked)
        self.app.need(f"{channel.prefix}:read")
        return ok(channel=channel.shown(BOT))

    def members(self, asked: Asked) -> Answer:
        """List the members' ids."""
        channel = self.channel(asked)
        self.app.need(f"{channel.prefix}:read")
        found, following = paged(channel.members, asked)
        return ok(members=found, response_metadata={"next_cursor": following})

    def invite(self, asked: Asked) -> Answer:
        """Make people members; whoever is deactivated cannot be invited."""
        channel = self._managed(asked)
        wanted = listed(asked.get("users"))
        if not wanted or any(user not in self.workspace.people for user in wanted):
            raise NotOk("user_not_found")
        if any(user in self.workspace.gone for user in wanted):
            raise NotOk("cant_invite")
        fresh = [user for user in wanted if self.workspace.join(channel, user, BOT)]
        if not fresh:
            raise NotOk("already_in_channel")
        effects = (Effect("member_invited", user, channel.name) for user in fresh)
        return ok(*effects, channel=channel.shown(BOT))

    def kick(self, asked: Asked) -> Answer:
        """Remove somebody."""
        channel, user = self._managed(asked), self.user(asked.get("user"))
        if user == BOT:
            raise NotOk("cant_kick_self")
        if user not in channel.members:
            raise NotOk("not_in_channel")
        self.workspace.leave(channel, user)
        return ok(Effect("member_removed", user, channel.name))

    def archive(self, asked: Asked) -> Answer:
        """Archive a channel; nothing is posted there any more."""
        channel = self.channel(asked, member=True)
        self._manage(channel)
        if channel.archived:
            raise NotOk("already_archived")
        channel.archived = True
        return ok(Effect("channel_archived", channel.name, channel.id))

    def join(self, asked: Asked) -> Answer:
        """Make the bot a member of a public channel."""
        channel = self.channel(asked, live=True)
        if channel.kind != "public_channel":
            raise NotOk("method_not_supported_for_channel_type")
        if not self.workspace.join(channel, BOT):
            return ok(channel=channel.shown(BOT), warning="already_in_channel")
        return ok(Effect("channel_joined", channel.name, BOT), channel=channel.shown(BOT))

    def open(self, asked: Asked) -> Answer:
        """Open the direct message with one person."""
        self.app.need("im:write")
        users = listed(asked.get("users"))
        if not users and not asked.get("channel"):
            raise NotOk("users_list_not_supplied")
        if not users:
            return ok(channel={"id": self.channel(asked).id})
        if len(users) > 1:
            raise NotOk("method_not_supported_for_channel_type")  # this workspace knows no group messages
        user = self.user(users[0])
        if user in self.workspace.gone:
            raise NotOk("user_disabled")
        known = set(self.workspace.channels)
        channel = self.workspace.direct(user)
        shown = channel.shown(BOT) if truth(asked.get("return_im")) else {"id": channel.id}
        before = channel.id in known
        return ok(channel=shown, **({"no_op": True, "already_open": True} if before else {}))

    def set_topic(self, asked: Asked) -> Answer:
        """Set a channel's topic."""
        channel, topic = self._managed(asked), str(asked.get("topic", ""))
        if len(topic) > _MOST_TOPIC:
            raise NotOk("too_long")
        changed, channel.topic = channel.topic != topic, topic
        effects = (Effect("topic_set", channel.name, channel.id),) if changed else ()
        return ok(*effects, channel=channel.shown(BOT))

    def history(self, asked: Asked) -> Answer:
        """List a channel's messages, newest first, without the answers in threads."""
        channel = self._read(asked)
        oldest, latest = stamp(asked.get("oldest"), 0.0), stamp(asked.get("latest"), math.inf)
        ends = truth(asked.get("inclusive"))
        newest_first = [
            message
            for message in reversed(channel.messages)
            if message.get("thread_ts", message["ts"]) == message["ts"] or message.get("subtype") == "thread_broadcast"
            if oldest < float(message["ts"]) < latest or (ends and float(message["ts"]) in (oldest, latest))
        ]
        found, following = paged(newest_first, asked)
        return _messages(found, following, asked)

    def replies(self, asked: Asked) -> Answer:
        """List a thread, its first message first."""
        channel, root = self._read(asked), asked.get("ts")
        thread = channel.thread(root)
        if not thread:
            raise NotOk("thread_not_found")
        found, following = paged(thread, asked)
        return _messages(found, following, asked)

    def _read(self, asked: Asked) -> Channel:
        channel = self.channel(asked, member=True)
        self.app.need(f"{channel.prefix}:history")
        return channel

    def _managed(self, asked: Asked) -> Channel:
        channel = self.channel(asked, member=True, live=True)
        self._manage(channel)
        return channel

    def _manage(self, channel: Channel) -> None:
        if channel.direct:
            raise NotOk("method_not_supported_for_channel_type")
        self.app.need("groups:write" if channel.private else "channels:manage")


def _messages(found: list[dict[str, Any]], following: str, asked: Asked) -> Answer:
    if not truth(asked.get("include_all_metadata")):
        found = [{name: each[name] for name in each if name != "metadata"} for each in found]
    return ok(messages=found, has_more=bool(following), response_metadata={"next_cursor": following})
