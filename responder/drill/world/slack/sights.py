"""What a person sees in Slack: channels, messages, pins, the modal on top, the App Home, and errors."""

import copy
from typing import Any

from responder.drill.world.slack.acts import House
from responder.drill.world.slack.channels import Channel

Seen = dict[str, Any]


class Sights:
    """Each method is a look of one person; everything is a copy."""

    def __init__(self, house: House) -> None:
        self._house = house

    def channels(self, person: str) -> Seen:
        """Return the channels that the person sees: the public ones, and those that they are a member of."""
        with self._house.lock:
            every = self._house.workspace.channels.values()
            seen = [each.shown(person) for each in every if each.kind == "public_channel" or person in each.members]
        return {"channels": seen}

    def messages(self, person: str, channel: str, thread_ts: str = "") -> Seen:
        """Return a channel's messages outside threads, or a thread's, oldest first, with those only they see."""
        with self._house.lock:
            where = self._house.seen(person, channel)
            own = [
                {**each.message, "is_ephemeral": True}
                for each in self._house.workspace.ephemerals
                if (each.person, each.channel) == (person, where.id) and each.message.get("thread_ts", "") == thread_ts
            ]
            found = [*(where.thread(thread_ts) if thread_ts else _outside_threads(where)), *own]
            return {"messages": copy.deepcopy(sorted(found, key=lambda each: float(each["ts"])))}

    def pins(self, person: str, channel: str) -> Seen:
        """Return the pinned messages of a channel."""
        with self._house.lock:
            where = self._house.seen(person, channel)
            found = [where.message(ts) for ts in where.pins]
            return {"messages": copy.deepcopy([each for each in found if each])}

    def view(self, person: str) -> Seen:
        """Return the modal on top with the errors under its inputs; nothing where none is open."""
        with self._house.lock:
            screen, app = self._house.views.screen(person), self._house.workspace.app
            top = screen.stack[-1].shown(app) if screen.stack else None
            return {"view": copy.deepcopy(top), "errors": dict(screen.errors), "depth": len(screen.stack)}

    def home(self, person: str) -> Seen:
        """Return the App Home; nothing where none was published."""
        with self._house.lock:
            found = self._house.views.screen(person).home
            return {"view": copy.deepcopy(found.shown(self._house.workspace.app)) if found else None}

    def errors(self, person: str) -> Seen:
        """Return the errors that Slack showed this person, the oldest first."""
        with self._house.lock:
            return {"errors": list(self._house.shown.get(person, ()))}


def _outside_threads(channel: Channel) -> list[Seen]:
    return [
        each
        for each in channel.messages
        if each.get("thread_ts", each["ts"]) == each["ts"] or each.get("subtype") == "thread_broadcast"
    ]
