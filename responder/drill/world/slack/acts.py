"""What people do in Slack, as far as an app notices: they write, run commands and shortcuts, and react."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from responder.drill.world.slack.answers import NotOk
from responder.drill.world.slack.app import BOT
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.courier import Courier
from responder.drill.world.slack.diary import Delivery
from responder.drill.world.slack.hooks import Hooks
from responder.drill.world.slack.marks import add_reaction, take_reaction
from responder.drill.world.slack.payloads import Payloads
from responder.drill.world.slack.views import Triggers, View, Views
from responder.drill.world.slack.workspace import Message, Workspace

Done = dict[str, Any]
"""What came of an act: `error` is what Slack showed the person, empty where all went well."""


@dataclass(frozen=True)
class House:
    """All that acts of people touch."""

    workspace: Workspace
    views: Views
    triggers: Triggers
    hooks: Hooks
    payloads: Payloads
    courier: Courier
    lock: threading.RLock
    shown: dict[str, list[str]]
    """The errors that Slack showed each person."""
    is_up: Callable[[], bool]

    def doors(self, kind: str, person: str, channel: Channel, original: str = "") -> dict[str, str]:
        """Return a fresh trigger and a fresh response_url."""
        url = self.hooks.make(kind, person, channel, original)
        return {"response_url": url, "trigger_id": self.triggers.make(person)}

    def seen(self, person: str, wanted: str) -> Channel:
        """Return a channel that this person sees; raises NotOk."""
        if wanted in ("app", "@responder", self.workspace.app.bot_id):
            return self.workspace.direct(person)
        channel = self.workspace.find(wanted)
        if channel.kind != "public_channel" and person not in channel.members:
            raise NotOk("channel_not_found")
        return channel

    def message(self, person: str, channel: Channel, ts: str) -> tuple[Message, bool]:
        """Return a message that this person sees, and whether nobody else does; raises NotOk."""
        for each in self.workspace.ephemerals:
            if (each.person, each.channel, each.message["ts"]) == (person, channel.id, ts):
                return each.message, True
        found = channel.message(ts)
        if found is None:
            raise NotOk("message_not_found")
        return found, False

    def came(self, person: str, delivery: Delivery) -> Done:
        """Return what the person saw of a delivery."""
        error = {"acknowledged": "", "timed_out": "operation_timeout"}.get(delivery.outcome, "dispatch_failed")
        if error:
            with self.lock:
                self.shown.setdefault(person, []).append(error)
        return {
            "error": error,
            "status": delivery.status,
            "milliseconds": delivery.milliseconds,
            "delivery": delivery.id,
            "answer": delivery.answer,
        }


class Acts:
    """Each method is an act of one person, named by their id at Slack; raises NotOk where Slack would not let them."""

    def __init__(self, house: House) -> None:
        self._house = house

    def command(self, person: str, command: str, text: str = "", channel: str = "general") -> Done:
        """Run a slash command; an answer in the acknowledgement is shown as one at the response_url would be."""
        house = self._house
        with house.lock:
            known = house.workspace.app.commands
            if known is not None and command not in known:
                raise NotOk("invalid_command")
            where = house.seen(person, channel)
            payload = house.payloads.command(person, where, (command, text), house.doors("commands", person, where))
        delivery = house.courier.hand("slash_commands", payload)
        done = house.came(person, delivery)
        answer = {"text": delivery.answer} if isinstance(delivery.answer, str) else delivery.answer
        if not done["error"] and isinstance(answer, dict) and (answer.get("text") or answer.get("blocks")):
            with house.lock:
                try:
                    house.hooks.answer(person, where, answer)
                except NotOk as refused:
                    done["error"] = refused.error
        return done

    def shortcut(self, person: str, callback_id: str) -> Done:
        """Run a global shortcut."""
        house = self._house
        with house.lock:
            doors = {"trigger_id": house.triggers.make(person)}
            payload = house.payloads.shortcut(person, callback_id, doors)
        return house.came(person, house.courier.hand("interactive", payload))

    def message_shortcut(self, person: str, callback_id: str, channel: str, ts: str) -> Done:
        """Run a shortcut on a message."""
        house = self._house
        with house.lock:
            where = house.seen(person, channel)
            message, _ = house.message(person, where, ts)
            doors = house.doors("app", person, where)
            payload = house.payloads.message_shortcut(person, callback_id, (where, message), doors)
        return house.came(person, house.courier.hand("interactive", payload))

    def say(self, person: str, channel: str, text: str, thread_ts: str = "") -> Done:
        """Post a message as a member of the channel."""
        house = self._house
        with house.lock:
            where = self._member(person, channel)
            if thread_ts and where.message(thread_ts) is None:
                raise NotOk("thread_not_found")
            message = house.workspace.compose(person, text, None, thread_ts=thread_ts)
            house.workspace.post(where, message)
        return {"error": "", "ts": message["ts"]}

    def edit(self, person: str, channel: str, ts: str, text: str) -> Done:
        """Change a message of one's own."""
        with self._house.lock:
            where, message = self._own(person, channel, ts)
            self._house.workspace.change(where, message, {"text": text})
        return {"error": ""}

    def delete(self, person: str, channel: str, ts: str) -> Done:
        """Delete a message of one's own."""
        with self._house.lock:
            self._house.workspace.remove(*self._own(person, channel, ts))
        return {"error": ""}

    def react(self, person: str, channel: str, ts: str, name: str, *, take: bool = False) -> Done:
        """Add a reaction, or take it away."""
        with self._house.lock:
            where = self._member(person, channel)
            message, ephemeral = self._house.message(person, where, ts)
            if ephemeral:
                raise NotOk("bad_timestamp")
            change = take_reaction if take else add_reaction
            change(self._house.workspace, where, message, person, name.strip(":"))
        return {"error": ""}

    def join(self, person: str, channel: str) -> Done:
        """Join a public channel."""
        with self._house.lock:
            self._house.workspace.join(self._house.seen(person, channel), person)
        return {"error": ""}

    def leave(self, person: str, channel: str) -> Done:
        """Leave a channel."""
        with self._house.lock:
            self._house.workspace.leave(self._member(person, channel), person)
        return {"error": ""}

    def invite(self, person: str, channel: str, user: str) -> Done:
        """Invite somebody, or the bot, to a channel that one is a member of."""
        with self._house.lock:
            where = self._member(person, channel)
            chosen = BOT if user in (BOT, "app") else self._house.workspace.person(user).chat_id
            self._house.workspace.join(where, chosen, person)
        return {"error": ""}

    def create(self, person: str, name: str, *, private: bool = False) -> Done:
        """Make a channel in which the bot is no member."""
        with self._house.lock:
            if any(each.name == name for each in self._house.workspace.channels.values()):
                raise NotOk("name_taken")
            made = self._house.workspace.add(name, members=[person], private=private)
        return {"error": "", "channel": made.id}

    def open_home(self, person: str) -> Done:
        """Look at the app's home."""
        house = self._house
        with house.lock:
            home: View | None = house.views.screen(person).home
            shown = {"view": home.shown(house.workspace.app)} if home else {}
            channel = house.workspace.direct(person).id
            house.workspace.happened("app_home_opened", user=person, channel=channel, tab="home", **shown)
        return {"error": ""}

    def reload(self, person: str) -> Done:
        """Load Slack again: what only this person saw is gone, and so is every open modal."""
        with self._house.lock:
            space = self._house.workspace
            space.ephemerals = [each for each in space.ephemerals if each.person != person]
            self._house.views.screen(person).stack.clear()
        return {"error": ""}

    def _member(self, person: str, channel: str) -> Channel:
        where = self._house.seen(person, channel)
        if person not in where.members:
            raise NotOk("not_in_channel")
        if where.archived:
            raise NotOk("is_archived")
        return where

    def _own(self, person: str, channel: str, ts: str) -> tuple[Channel, Message]:
        where = self._member(person, channel)
        message = where.message(ts)
        if message is None or message["user"] != person:
            raise NotOk("cant_update_message")
        return where, message
