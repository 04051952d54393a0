"""The bot token with which we tell our own people stands in a public paste; strangers read along where we respond."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes.house import CHAT_ACCOUNT
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.bots import OwnBotLeak
from responder.drill.world.system import Ground
from responder.drill.world.values import SECRET_SHAPE, Leaked, drawn

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

_LETTERS = 48
"""How long the secret part of another app's token is here; that of our own bot is shorter."""
_OWN_LETTERS = 36
_TOLD = ("ines@lumen.example", "leo@lumen.example", "ruth@lumen.example")
"""Whoever has a role in the playbook, where the audience is a channel and the channel leaked."""


class _OwnBot(LeakScene):
    """Our own bot, in the channel in which our people are told; another app of ours ends it."""

    playbook: ClassVar[str] = "responder-own-credential"
    title: ClassVar[str] = "The bot token with which responder tells our own people stands in a public paste."
    issuer: ClassVar[str] = "slack"
    leaked: ClassVar[str] = "slack-bot"
    programs: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[Mapping[str, str]] = {"SPARE_BOT": "spare-bot"}
    watched: ClassVar[re.Pattern[str]] = re.compile(
        f"{SECRET_SHAPE.pattern}|xoxb-[A-Za-z0-9]{{{_LETTERS}}}|xoxb-[A-Za-z0-9]{{{_OWN_LETTERS}}}"
    )

    def minted(self, seed: int) -> dict[str, str]:
        """Return the token of the app that acts instead."""
        return {"spare-bot": "xoxb-" + drawn(seed, "spare-bot", _LETTERS)}

    def populate(self, ground: Ground) -> OwnBotLeak:
        """Put the other app into the workspace, and strangers at our token."""
        return OwnBotLeak(ground, self.leaked, "spare-bot")

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the workspace once more, as the app sees it that acts where our own leaked."""
        return {
            "spare": {
                "provider": "slack", "account": CHAT_ACCOUNT, "secret": "env:SPARE_BOT", "control": "env:SPARE_BOT",
                "base_url": stage.urls["slack"],
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return our own token; Slack has no id for it."""
        return {"id": "responder-bot", "connection": "chat", "kind": "bot-token", "known_by": "env:SLACK_BOT"}

    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Let those who respond be told in a channel, and nowhere else."""
        made = super().settings(stage, live=live)
        return {**made, "audiences": {**made["audiences"], "responders": ["#incidents"]}}

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return the connection that acts instead."""
        return {"other": "spare"}

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Install our app again, where a task asks for that."""
        return ("/cast/install", {}) if ask.unit == "renew" else super().act(state, ask, person)

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the token, by the name under which the world tells of its end."""
        return [Leaked(self.leaked, self.leaked, (self.issuer,))]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return the token's end, the new one, and a mail to each of those who would have read the channel."""
        told = [Expected("mail_sent", one, "internal-alert") for one in _TOLD]
        return [Expected("token_revoked", CHAT_ACCOUNT, self.leaked), Expected("key_issued", "responder"), *told]


SCENE = _OwnBot()
