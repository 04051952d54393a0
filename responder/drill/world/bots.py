"""The cast of a bot's leaked token, in the workspace that every world has; its app is installed again by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from responder.drill.world.leak import Leak, bearing
from responder.drill.world.slack import Slack
from responder.drill.world.system import Ground
from responder.drill.world.web import Rejected

_SCOPES = frozenset({"channels:history", "channels:read", "chat:write"})
_TAKEN_SECONDS = 4.0
"""How long a revoked token is still taken; Slack names no time."""


class BotLeak(Leak):
    """A bot whose token leaked, in some channels of our workspace."""

    def __init__(
        self, ground: Ground, leaked: str, bot: str, channels: tuple[str, ...], *, programs: Sequence[str]
    ) -> None:
        self._first, self._bot, self._channels, self._present = leaked, bot, channels, leaked
        self._chat: Slack | None = None
        super().__init__(
            ground, [], issuer="slack", programs=dict.fromkeys(programs, leaked), leaked=[leaked],
            accepts=self._is_taken, names=lambda label: label, use=bearing(ground.labels[leaked], "/api/auth.test"),
            makes=self._newest,
        )  # fmt: skip

    def meet(self, chat: Slack) -> None:
        """Add the bot, and one that only watches."""
        self._chat = chat
        chat.access.propagation = _TAKEN_SECONDS
        chat.add_bot(self._first, self._bot, scopes=_SCOPES, channels=self._channels)
        chat.add_bot("watch-bot", "watch", scopes=frozenset())

    def act(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """`install`: install the app again, whose bot gets one new token, and invite it to its channels again."""
        if name != "install" or self._chat is None:
            return super().act(name, asked)
        label = f"{self._first}-2"
        self._chat.add_bot(label, self._bot, scopes=_SCOPES, channels=self._channels)
        self._present = self.made(label, self._bot)
        return {"installed": label}

    def _newest(self, _: str) -> str:
        if self._present == self._first:
            raise Rejected(409, "not_installed")
        return self._present

    def _is_taken(self, label: str) -> bool:
        return self._chat is not None and self._chat.accepts(label)


class OwnBotLeak(Leak):
    """The bot with which responder itself speaks; its token leaked, and another app only acts and watches."""

    def __init__(self, ground: Ground, leaked: str, other: str) -> None:
        self._other = other
        self._chat: Slack | None = None
        super().__init__(
            ground, [], issuer="slack", programs={}, leaked=[leaked], accepts=self._is_taken,
            names=lambda label: label, use=bearing(ground.labels[leaked], "/api/auth.test"),
        )  # fmt: skip

    def meet(self, chat: Slack) -> None:
        """Add the other app, which sees no channel."""
        self._chat = chat
        chat.add_bot(self._other, "spare", scopes=frozenset())

    def act(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """`install`: install our app again, which gets a new token."""
        if name != "install" or self._chat is None:
            return super().act(name, asked)
        self._chat.reinstall()
        return {"installed": self.made(self._chat.app.bot_label, self._chat.app.name)}

    def _is_taken(self, label: str) -> bool:
        return self._chat is not None and self._chat.accepts(label)
