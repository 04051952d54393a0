"""The methods of pins and reactions."""

from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, ok
from responder.drill.world.slack.app import BOT
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.desk import Desk
from responder.drill.world.slack.workspace import Message, Workspace
from responder.drill.world.web import Answer


class Marks(Desk):
    """Pins of a channel, and reactions to a message."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {
            "pins.add": self.pin,
            "pins.remove": self.unpin,
            "pins.list": self.pins,
            "reactions.add": self.react,
            "reactions.remove": self.unreact,
            "reactions.get": self.reactions,
        }

    def pin(self, asked: Asked) -> Answer:
        """Pin a message."""
        channel, message = self._message(asked)
        if message["ts"] in channel.pins:
            raise NotOk("already_pinned")
        channel.pins.append(message["ts"])
        item = {"type": "message", "channel": channel.id, "message": message}
        self.workspace.happened("pin_added", channel, user=BOT, channel_id=channel.id, item=item)
        return ok(Effect("message_pinned", message["ts"], channel.name))

    def unpin(self, asked: Asked) -> Answer:
        """Take a pin away."""
        channel, message = self._message(asked)
        if message["ts"] not in channel.pins:
            raise NotOk("no_pin")
        channel.pins.remove(message["ts"])
        item = {"type": "message", "channel": channel.id, "message": message}
        self.workspace.happened("pin_removed", channel, user=BOT, channel_id=channel.id, item=item)
        return ok(Effect("message_unpinned", message["ts"], channel.name))

    def pins(self, asked: Asked) -> Answer:
        """List what is pinned, the last first."""
        channel = self.channel(asked, member=True)
        return ok(items=pinned(channel))

    def react(self, asked: Asked) -> Answer:
        """Add a reaction of the bot."""
        channel, message = self._message(asked)
        add_reaction(self.workspace, channel, message, BOT, _name(asked))
        return ok(Effect("reaction_added", message["ts"], channel.name))

    def unreact(self, asked: Asked) -> Answer:
        """Take a reaction of the bot away."""
        channel, message = self._message(asked)
        take_reaction(self.workspace, channel, message, BOT, _name(asked))
        return ok(Effect("reaction_removed", message["ts"], channel.name))

    def reactions(self, asked: Asked) -> Answer:
        """Show a message with its reactions."""
        channel, message = self._message(asked)
        return ok(type="message", channel=channel.id, message=message)

    def _message(self, asked: Asked) -> tuple[Channel, Message]:
        channel = self.channel(asked, member=True)
        message = channel.message(asked.get("timestamp"))
        if message is None:
            raise NotOk("message_not_found" if asked.get("timestamp") else "no_item_specified")
        return channel, message


def pinned(channel: Channel) -> list[dict[str, Any]]:
    """Return the pinned messages as Slack lists them."""
    found = [message for ts in reversed(channel.pins) if (message := channel.message(ts))]
    return [{"type": "message", "channel": channel.id, "created_by": BOT, "message": each} for each in found]


def add_reaction(workspace: Workspace, channel: Channel, message: Message, user: str, name: str) -> None:
    """Add somebody's reaction; raises NotOk."""
    reactions = message.setdefault("reactions", [])
    entry = next((each for each in reactions if each["name"] == name), None)
    if entry is None:
        entry = {"name": name, "users": [], "count": 0}
        reactions.append(entry)
    if user in entry["users"]:
        raise NotOk("already_reacted")
    entry["users"].append(user)
    entry["count"] = len(entry["users"])
    workspace.happened("reaction_added", channel, **_told(channel, message, user, name))


def take_reaction(workspace: Workspace, channel: Channel, message: Message, user: str, name: str) -> None:
    """Take somebody's reaction away; raises NotOk."""
    entry = next((each for each in message.get("reactions", []) if each["name"] == name), None)
    if entry is None or user not in entry["users"]:
        raise NotOk("no_reaction")
    entry["users"].remove(user)
    entry["count"] = len(entry["users"])
    message["reactions"] = [each for each in message["reactions"] if each["users"]]
    workspace.happened("reaction_removed", channel, **_told(channel, message, user, name))


def _told(channel: Channel, message: Message, user: str, name: str) -> dict[str, Any]:
    item = {"type": "message", "channel": channel.id, "ts": message["ts"]}
    return {"user": user, "reaction": name, "item": item, "item_user": message.get("user", "")}


def _name(asked: Asked) -> str:
    name = str(asked.get("name") or "").strip(":")
    if not name:
        raise NotOk("invalid_name")
    return name
