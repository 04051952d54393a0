"""A person at Slack, for tests and for the drill's people: in this process, or through the world's control door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.drill.world.caller import Caller

Act = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]
"""Does an act of a person with its arguments; raises Impossible."""


class Impossible(Exception):
    """Slack gives this person no way to do that: what they mean is not there, or not theirs."""


@dataclass(frozen=True)
class Outcome:
    """What came of an act, as the person saw it."""

    error: str = ""
    """`operation_timeout`, `dispatch_failed`, or what else Slack showed; empty where all went well."""
    errors: dict[str, str] = field(default_factory=dict)
    """What stands under the inputs of a modal, by block_id."""
    sent: bool = True
    """Whether the app was told: Slack itself refuses a modal with an empty input, and keeps what is filled in."""
    status: int = 0
    """The app's answer by HTTP, if there was one."""
    milliseconds: float | None = None
    """Until the app acknowledged."""
    ts: str = ""
    """The message that was posted."""
    channel: str = ""
    """The channel that was made."""
    delivery: str = ""
    answer: Any = None

    @property
    def ok(self) -> bool:
        """Tell whether the person saw no error."""
        return not self.error and not self.errors


class Person:
    """Somebody with Slack open; raises Impossible where Slack would not let them do or see it."""

    def __init__(self, user: str, act: Act) -> None:
        self.user = user
        self._act = act

    # ---- what they do

    def command(self, command: str, text: str = "", *, channel: str = "general") -> Outcome:
        """Run a slash command in a channel."""
        return self._do("command", command=command, text=text, channel=channel)

    def shortcut(self, callback_id: str) -> Outcome:
        """Run a global shortcut."""
        return self._do("shortcut", callback_id=callback_id)

    def message_shortcut(self, callback_id: str, channel: str, ts: str) -> Outcome:
        """Run a shortcut on a message."""
        return self._do("message_shortcut", callback_id=callback_id, channel=channel, ts=ts)

    def say(self, channel: str, text: str, *, thread_ts: str = "") -> Outcome:
        """Post a message; `app` stands for the direct message with the app."""
        return self._do("say", channel=channel, text=text, thread_ts=thread_ts)

    def edit(self, channel: str, ts: str, text: str) -> Outcome:
        """Change a message of one's own."""
        return self._do("edit", channel=channel, ts=ts, text=text)

    def delete(self, channel: str, ts: str) -> Outcome:
        """Delete a message of one's own."""
        return self._do("delete", channel=channel, ts=ts)

    def react(self, channel: str, ts: str, name: str, *, take: bool = False) -> Outcome:
        """Add a reaction, or take it away."""
        return self._do("react", channel=channel, ts=ts, name=name, take=take)

    def join(self, channel: str) -> Outcome:
        """Join a public channel."""
        return self._do("join", channel=channel)

    def leave(self, channel: str) -> Outcome:
        """Leave a channel."""
        return self._do("leave", channel=channel)

    def invite(self, channel: str, user: str) -> Outcome:
        """Invite somebody to a channel; `app` is the app's bot."""
        return self._do("invite", channel=channel, user=user)

    def create(self, name: str, *, private: bool = False) -> Outcome:
        """Make a channel in which the app is no member; `channel` of the outcome is its id."""
        return self._do("create", name=name, private=private)

    def click(
        self,
        action_id: str,
        *,
        channel: str = "",
        ts: str = "",
        value: str | None = None,
        block_id: str = "",
        revision: int | None = None,
        home: bool = False,
    ) -> Outcome:
        """Click a button: in a message, in the modal on top, or in the App Home.

        `value` tells buttons with the same action_id apart. With `revision`, the click was made on an older version of
        the message (0 for the first one) and arrives only now.
        """
        where = {"channel": channel, "ts": ts, "revision": revision, "home": home}
        return self._do("click", action_id=action_id, value=value, block_id=block_id, **where)

    def choose(
        self, action_id: str, value: Any, *, channel: str = "", ts: str = "", block_id: str = "", home: bool = False
    ) -> Outcome:
        """Choose in a select, menu or picker: an option's value, a list of them, a user's or channel's id, a date."""
        where = {"channel": channel, "ts": ts, "home": home}
        return self._do("click", action_id=action_id, value=value, block_id=block_id, **where)

    def fill(self, action_id: str, value: Any, *, block_id: str = "") -> Outcome:
        """Fill an input of the modal on top in."""
        return self._do("fill", action_id=action_id, value=value, block_id=block_id)

    def suggest(self, action_id: str, text: str) -> list[dict[str, Any]]:
        """Type into a select whose options the app knows, and return those that it offers, for `choose`."""
        answer = self._do("suggest", action_id=action_id, text=text).answer or {}
        return list(answer.get("options", ()))

    def submit(self) -> Outcome:
        """Submit the modal on top."""
        return self._do("submit")

    def close(self, *, everything: bool = False) -> Outcome:
        """Close the modal on top, or all of them."""
        return self._do("close", everything=everything)

    def open_home(self) -> Outcome:
        """Open the App Home."""
        return self._do("open_home")

    def reload(self) -> Outcome:
        """Load Slack again: ephemeral messages and open modals are gone."""
        return self._do("reload")

    # ---- what they see

    def channels(self) -> list[dict[str, Any]]:
        """Return the channels that they see."""
        return list(self._see("channels")["channels"])

    def messages(self, channel: str, *, thread_ts: str = "") -> list[dict[str, Any]]:
        """Return the messages of a channel or a thread, oldest first; what only they see has `is_ephemeral`."""
        return list(self._see("messages", channel=channel, thread_ts=thread_ts)["messages"])

    def pins(self, channel: str) -> list[dict[str, Any]]:
        """Return the pinned messages."""
        return list(self._see("pins", channel=channel)["messages"])

    def view(self) -> dict[str, Any] | None:
        """Return the modal on top."""
        found = self._see("view")["view"]
        return dict(found) if found else None

    def view_errors(self) -> dict[str, str]:
        """Return what stands under the inputs of the modal on top, by block_id."""
        return dict(self._see("view")["errors"])

    def home(self) -> dict[str, Any] | None:
        """Return the App Home."""
        found = self._see("home")["view"]
        return dict(found) if found else None

    def errors(self) -> list[str]:
        """Return every error that Slack showed them."""
        return list(self._see("errors")["errors"])

    def _do(self, act: str, **given: Any) -> Outcome:
        return Outcome(**self._act(self.user, act, given))

    def _see(self, sight: str, **given: Any) -> dict[str, Any]:
        return self._act(self.user, sight, given)


def through_control(port: int, actor: str = "person") -> Act:
    """Return what does acts through the control door of a world in another process."""

    def act(user: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        with Caller(port, actor) as caller:
            status, body = caller.call("POST", f"/slack/people/{user}/{name}", body=dict(given))
        if status != 200:  # noqa: PLR2004
            raise Impossible(str(body.get("error", status)))
        return body

    return act
