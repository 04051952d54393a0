"""The addresses at which an app answers a command or a click: five times, within thirty minutes."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, NotOk, ok, truth
from responder.drill.world.slack.app import BOT, TEAM, Pace
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.chat import content_of
from responder.drill.world.slack.elements import named_blocks
from responder.drill.world.slack.workspace import Ephemeral, Workspace
from responder.drill.world.web import Answer

MOST_USES = 5
"""By docs.slack.dev, "Handling user interaction"."""


@dataclass
class Hook:
    """One address: for whom, where, and on which message it was made."""

    path: str
    person: str
    channel: Channel
    until: datetime
    original: str = ""
    """The time stamp of the message that it may replace."""
    uses: int = 0


class Hooks:
    """Makes addresses, and does what is posted to them."""

    def __init__(self, workspace: Workspace, pace: Pace) -> None:
        self._workspace = workspace
        self._pace = pace
        self._made: dict[str, Hook] = {}
        self.base = ""
        """Where Slack listens, without a slash at the end."""

    def make(self, kind: str, person: str, channel: Channel, original: str = "") -> str:
        """Return a new response_url of a kind: commands, actions or app."""
        path = f"/{kind}/{TEAM}/{len(self._made) + 1}/{secrets.token_hex(12)}"
        until = self._workspace.ground.clock.now() + timedelta(seconds=self._pace.response)
        self._made[path] = Hook(path, person, channel, until, original)
        return self.base + path

    def post(self, path: str, asked: Asked) -> Answer:
        """Do what is posted to an address; errors have status 404 once it is used up or too old."""
        hook = self._made.get(path)
        if hook is None or self._workspace.ground.clock.now() > hook.until:
            return _gone("expired_url")
        if hook.uses >= MOST_USES:
            return _gone("used_url")
        hook.uses += 1
        try:
            self.answer(hook.person, hook.channel, asked, hook.original)
        except NotOk as refused:
            answer = refused.answer
            answer.status = 400
            return answer
        return ok(Effect("response_posted", hook.channel.name or hook.channel.direct, hook.person))

    def answer(self, person: str, channel: Channel, asked: Asked, original: str = "") -> None:
        """Show an answer of the app: to the person alone unless `response_type` says in_channel; raises NotOk."""
        if truth(asked.get("delete_original")) and original:
            self._delete(channel, person, original)
            return
        content = content_of(asked)
        if truth(asked.get("replace_original")) and original:
            self._replace(channel, person, original, content)
            return
        more = {"thread_ts": str(asked.get("thread_ts") or "")}
        message = self._workspace.compose(BOT, content["text"], content["blocks"], **more)
        if asked.get("response_type") == "in_channel":
            self._workspace.post(channel, message)
        else:
            self._workspace.whisper(person, channel, message)

    def _delete(self, channel: Channel, person: str, original: str) -> None:
        ephemeral, message = self._ephemeral(channel, person, original), channel.message(original)
        if ephemeral is not None:
            self._workspace.ephemerals.remove(ephemeral)
        elif message is not None and message["user"] == BOT:
            self._workspace.remove(channel, message)

    def _replace(self, channel: Channel, person: str, original: str, content: dict[str, Any]) -> None:
        ephemeral, message = self._ephemeral(channel, person, original), channel.message(original)
        if ephemeral is not None:
            new = content | {"blocks": named_blocks(content["blocks"])}
            ephemeral.message.update({name: value for name, value in new.items() if value})
            self._workspace.keep(channel, ephemeral.message)
        elif message is not None and message["user"] == BOT:
            self._workspace.change(channel, message, content)

    def _ephemeral(self, channel: Channel, person: str, ts: str) -> Ephemeral | None:
        for each in self._workspace.ephemerals:
            if (each.person, each.channel, each.message["ts"]) == (person, channel.id, ts):
                return each
        return None


def _gone(error: str) -> Answer:
    return Answer(404, {"ok": False, "error": error}, outcome="invalid")
