"""The methods of messages: chat.*, and what may be in a message."""

import hashlib
import json
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, ok, parsed, truth
from responder.drill.world.slack.app import BOT
from responder.drill.world.slack.blocks import problems_of
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.desk import Desk
from responder.drill.world.web import Answer

MOST_TEXT = 40_000
"""Slack cuts longer texts (docs.slack.dev, chat.postMessage)."""
_MOST_UPDATED = 4_000
"""chat.update refuses longer texts with msg_too_long."""


class Chat(Desk):
    """Messages: posted, shown to one person, changed, deleted."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {
            "chat.postMessage": self.post,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.update": self.update,
            "chat.delete": self.delete,
        }

    def post(self, asked: Asked) -> Answer:
        """Post a message to a channel, or to a person: a user's id stands for the direct message with them."""
        channel = self._place(asked)
        content = content_of(asked)
        root = self._root(channel, asked)
        more: dict[str, Any] = {"metadata": metadata_of(asked), "thread_ts": root}
        if root and truth(asked.get("reply_broadcast")):
            more["subtype"] = "thread_broadcast"
        marker = _marker(more["metadata"], content)
        message = self.workspace.compose(BOT, content["text"], content["blocks"], **more)
        self.workspace.post(channel, message)
        effect = Effect("message_posted", marker, channel.name or channel.direct, _template(more["metadata"]))
        return ok(effect, channel=channel.id, ts=message["ts"], message=message)

    def post_ephemeral(self, asked: Asked) -> Answer:
        """Show a message to one member of a channel; it cannot be updated or found afterwards."""
        channel, user = self._place(asked), self.user(asked.get("user"))
        if user not in channel.members:
            raise NotOk("user_not_in_channel")
        content = content_of(asked)
        more = {"thread_ts": self._root(channel, asked)}
        message = self.workspace.compose(BOT, content["text"], content["blocks"], **more)
        self.workspace.whisper(user, channel, message)
        return ok(Effect("message_whispered", user, channel.name), message_ts=message["ts"])

    def update(self, asked: Asked) -> Answer:
        """Change a message of ours; without `blocks`, those that it has stay where only metadata is given."""
        channel = self.channel(asked, member=True)
        message = self._own(channel, asked, "cant_update_message")
        text = str(asked["text"]) if "text" in asked else None
        if len(text or "") > _MOST_UPDATED:
            raise NotOk("msg_too_long")
        new: dict[str, Any] = {"metadata": metadata_of(asked)} if asked.get("metadata") else {}
        if "blocks" in asked and asked["blocks"] is not None:
            new["blocks"] = blocks_of(asked["blocks"])
        new |= {"text": text} if text is not None else {}
        changed = self.workspace.change(channel, message, new)
        effects = (Effect("message_updated", message["ts"], channel.name),) if changed else ()
        return ok(*effects, channel=channel.id, ts=message["ts"], text=message["text"], message=message)

    def delete(self, asked: Asked) -> Answer:
        """Delete a message of ours."""
        channel = self.channel(asked, member=True)
        message = self._own(channel, asked, "cant_delete_message")
        self.workspace.remove(channel, message)
        return ok(Effect("message_deleted", str(asked["ts"]), channel.name), channel=channel.id, ts=asked["ts"])

    def _place(self, asked: Asked) -> Channel:
        wanted = str(asked.get("channel", ""))
        if wanted in self.workspace.people:
            if wanted in self.workspace.gone:
                raise NotOk("user_disabled")
            return self.workspace.direct(wanted)
        return self.channel(asked, member=True, live=True)

    def _root(self, channel: Channel, asked: Asked) -> str:
        wanted = str(asked.get("thread_ts") or "")
        found = channel.message(wanted)
        if wanted and found is None:
            raise NotOk("thread_not_found")
        # An answer to an answer lands in the same thread.
        return str(found.get("thread_ts") or wanted) if found else ""

    def _own(self, channel: Channel, asked: Asked, error: str) -> dict[str, Any]:
        message = channel.message(asked.get("ts"))
        if message is None or message.get("subtype") == "tombstone":
            raise NotOk("message_not_found")
        if message["user"] != BOT:
            raise NotOk(error)
        return message


def content_of(asked: Asked) -> dict[str, Any]:
    """Return text and blocks of a new message; raises NotOk."""
    text, blocks = str(asked.get("text") or "")[:MOST_TEXT], blocks_of(asked.get("blocks"))
    if not text and not blocks and not asked.get("attachments"):
        raise NotOk("no_text")
    return {"text": text, "blocks": blocks}


def blocks_of(given: Any) -> list[dict[str, Any]]:
    """Return the blocks of a message; raises NotOk that says where they are wrong."""
    blocks = parsed(given, "invalid_blocks_format")
    if not isinstance(blocks, list | None) or not all(isinstance(each, dict) for each in blocks or ()):
        raise NotOk("invalid_blocks_format")
    problems = problems_of(blocks or [], "message")
    if problems:
        raise NotOk("invalid_blocks", messages=problems, errors=[each.removeprefix("[ERROR] ") for each in problems])
    return list(blocks or ())


def metadata_of(asked: Asked) -> dict[str, Any]:
    """Return the metadata of a message, if it has some; raises NotOk."""
    metadata = parsed(asked.get("metadata"), "invalid_metadata_format")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise NotOk("invalid_metadata_format")
    return metadata


def _marker(metadata: dict[str, Any], content: dict[str, Any]) -> str:
    payload = metadata.get("event_payload", {})
    if payload.get("marker"):
        upto = payload.get("upto")  # messages of one kind that tell how far they go are one thing each
        return f"{payload['marker']}:{upto}" if upto else str(payload["marker"])
    told = metadata or [content["text"], content["blocks"] or None]
    return "sha256:" + hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _template(metadata: dict[str, Any]) -> dict[str, Any]:
    template = metadata.get("event_payload", {}).get("template")
    return {"template": str(template)} if template else {}
