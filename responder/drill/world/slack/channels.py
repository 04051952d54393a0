"""Channels and direct messages, and how they are shown."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Channel:
    """A channel, its members and its messages, oldest first."""

    id: str
    name: str
    private: bool = False
    members: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    archived: bool = False
    topic: str = ""
    creator: str = ""
    created: int = 0
    pins: list[str] = field(default_factory=list)
    direct: str = ""
    """The person whom this is a direct message with; nothing for a channel."""

    @property
    def kind(self) -> str:
        """How Slack names the type: public_channel, private_channel or im."""
        return "im" if self.direct else "private_channel" if self.private else "public_channel"

    @property
    def prefix(self) -> str:
        """What the scopes for this type begin with: channels, groups or im."""
        return "im" if self.direct else "groups" if self.private else "channels"

    def message(self, ts: Any) -> dict[str, Any] | None:
        """Return the message of a time stamp."""
        return next((each for each in self.messages if each["ts"] == ts), None)

    def thread(self, root: Any) -> list[dict[str, Any]]:
        """Return a thread's messages, its first one included."""
        return [each for each in self.messages if root in (each["ts"], each.get("thread_ts"))]

    def shown(self, eyes: str) -> dict[str, Any]:
        """Return the channel as the user `eyes` gets it."""
        if self.direct:
            return {"id": self.id, "is_im": True, "user": self.direct, "created": self.created, "is_archived": False}
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.private,
            "is_group": self.private,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_member": eyes in self.members,
            "created": self.created,
            "creator": self.creator,
            "topic": {"value": self.topic, "creator": self.creator if self.topic else "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
            "num_members": len(self.members),
        }
