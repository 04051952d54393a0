"""The bot token of another app of ours stands in a public paste; strangers read along with it."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes.house import CHAT_ACCOUNT
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.bots import BotLeak
from responder.drill.world.system import Ground
from responder.drill.world.values import SECRET_SHAPE, Leaked, drawn

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

_LETTERS = 48
"""How long the secret part of a token is here; that of responder's own bot is shorter."""


class _Bot(LeakScene):
    """The token of a bot that tells of deployments."""

    playbook: ClassVar[str] = "slack-token"
    title: ClassVar[str] = "The token of our deployment bot at Slack stands in a public paste."
    issuer: ClassVar[str] = "slack"
    leaked: ClassVar[str] = "deploy-bot"
    own: ClassVar[Mapping[str, str]] = {"WATCH_BOT": "watch-bot", "KNOWN_BOT": "deploy-bot"}
    watched: ClassVar[re.Pattern[str]] = re.compile(f"{SECRET_SHAPE.pattern}|xoxb-[A-Za-z0-9]{{{_LETTERS}}}")

    def minted(self, seed: int) -> dict[str, str]:
        """Return the token that leaked, and that of a bot which does nothing but show that Slack answers."""
        return {label: "xoxb-" + drawn(seed, label, _LETTERS) for label in ("deploy-bot", "watch-bot")}

    def populate(self, ground: Ground) -> BotLeak:
        """Put the bot into the workspace, and strangers at its token."""
        return BotLeak(ground, self.leaked, "deploy", ("incidents", "general"), programs=self.programs)

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the workspace as the app of the bot that only watches sees it."""
        return {
            "issuer": {
                "provider": "slack", "account": CHAT_ACCOUNT, "secret": "env:WATCH_BOT", "control": "env:WATCH_BOT",
                "base_url": stage.urls["slack"],
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the bot's token; Slack has no id for it."""
        return {"id": "deploy-bot", "kind": "bot-token", "known_by": "env:KNOWN_BOT"}

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Install the app again, and bring its one new token to each program."""
        return ("/cast/install", {}) if ask.unit == "contain/prepare" else super().act(state, ask, person)

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the token, by the name under which the world tells of its end."""
        return [Leaked(self.leaked, self.leaked, (self.issuer,))]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return the token's end, the new one, and a new secret for each program."""
        stored = [Expected("secret_written", f"{name}-key") for name in self.programs]
        return [Expected("token_revoked", CHAT_ACCOUNT, self.leaked), Expected("key_issued", "deploy"), *stored]


SCENE = _Bot()
