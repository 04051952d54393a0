"""What is configured for the app at Slack: its ids, tokens and scopes, and where its deliveries go."""

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from responder.drill.world.ledger import Labels
from responder.drill.world.slack.answers import NotOk
from responder.drill.world.slack.tokens import Token

BOT = "UBOT"
TEAM = "T0LUMEN"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

SCOPES = frozenset(
    {
        "app_mentions:read", "channels:history", "channels:join", "channels:manage", "channels:read", "chat:write",
        "commands", "groups:history", "groups:read", "groups:write", "im:history", "im:read", "im:write", "pins:read",
        "pins:write", "reactions:read", "reactions:write", "users:read", "users:read.email",
    }
)  # fmt: skip
"""The scopes of the bot token unless a test takes some away."""

EVENTS = frozenset(
    {
        "app_home_opened", "app_mention", "member_joined_channel", "member_left_channel", "message", "pin_added",
        "pin_removed", "reaction_added", "reaction_removed", "user_change",
    }
)  # fmt: skip
"""The events that the app is subscribed to."""

_NEEDED: dict[str, str] = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "conversations.join": "channels:join",
    "pins.add": "pins:write",
    "pins.remove": "pins:write",
    "pins.list": "pins:read",
    "reactions.add": "reactions:write",
    "reactions.remove": "reactions:write",
    "reactions.get": "reactions:read",
    "users.info": "users:read",
    "users.list": "users:read",
    "users.lookupByEmail": "users:read.email",
}
"""The one scope of a method, by its page in Slack's reference; the conversations' depends on the kind of channel."""


@dataclass
class Pace:
    """How long Slack waits, in real seconds, and how often the app may ask."""

    acknowledge: float = 3.0
    """For an acknowledgement (docs.slack.dev, "Using Socket Mode": three seconds)."""
    trigger: float = 3.0
    """A trigger_id is good for three seconds after it was made."""
    ticket: float = 30.0
    """For the one use of a WebSocket's address."""
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)
    """Before each further try of an event: at once, after a minute, after five."""
    ping: float = 10.0
    farewell: float = 10.0
    """From a `disconnect` to the end of the connection."""
    response: float = 1800.0
    """How long a response_url works; on the world's clock."""


@dataclass
class App:
    """The app in the one workspace; everything may be changed while it runs, as on its configuration pages."""

    labels: Labels
    scopes: frozenset[str] = SCOPES
    app_scopes: frozenset[str] = frozenset({"connections:write"})
    events: frozenset[str] = EVENTS
    commands: frozenset[str] | None = None
    """The commands that are registered; None: whatever a person types is delivered to the app."""
    revoked: set[str] = field(default_factory=set)
    """Labels of tokens that were revoked."""
    others: dict[str, Token] = field(default_factory=dict)
    """Tokens of other apps and of people, by their labels."""
    bot_label: str = "slack-bot"
    id: str = "A0RESPONDER"
    bot_id: str = "B0RESPONDER"
    name: str = "responder"
    domain: str = "lumen"
    team_name: str = "Lumen"
    _request_url: str = ""

    @property
    def request_url(self) -> str:
        """Where deliveries are posted; nothing where the app uses Socket Mode."""
        return self._request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        if url and (urlsplit(url).scheme != "http" or urlsplit(url).hostname not in _LOOPBACK):
            raise ValueError("a request URL must be http on loopback: nothing leaves this machine")
        self._request_url = url

    @property
    def signing_secret(self) -> str:
        """What requests to the app are signed with."""
        return self.labels["slack-signing"]

    def permit(self, method: str, token: str | None, now: datetime) -> None:
        """Refuse a wrong, revoked or too narrow token; raises NotOk."""
        label = self.labels.of(token)
        if label is None:
            raise NotOk("not_authed")
        if label in self.others:
            self.others[label].permit(method, now)
            return
        if label in self.revoked:
            raise NotOk("token_revoked")
        if label not in (self.bot_label, "slack-app"):
            raise NotOk("invalid_auth")
        if label == "slack-app":
            self._permit_app_token(method)
        elif method == "apps.connections.open":
            raise NotOk("not_allowed_token_type")
        elif method in _NEEDED:
            self.need(_NEEDED[method])

    def scope_headers(self, method: str, token: str | None) -> dict[str, str]:
        """Return the headers that say which scopes the token has, and which the method takes."""
        label = self.labels.of(token)
        other = self.others.get(label or "")
        own = self.app_scopes if label == "slack-app" else self.scopes
        told = {"x-oauth-scopes": ",".join(sorted(other.scopes if other else own))}
        return told | ({"x-accepted-oauth-scopes": _NEEDED[method]} if method in _NEEDED else {})

    def _permit_app_token(self, method: str) -> None:
        if method in ("auth.test", "auth.revoke"):
            return
        if method != "apps.connections.open":
            raise NotOk("not_allowed_token_type")
        if "connections:write" not in self.app_scopes:
            raise NotOk("missing_scope", needed="connections:write", provided=",".join(sorted(self.app_scopes)))

    def need(self, *scopes: str) -> None:
        """Refuse a bot token that has none of these scopes; raises NotOk that names them and what there is."""
        if not self.scopes.intersection(scopes):
            raise NotOk("missing_scope", needed=",".join(scopes), provided=",".join(sorted(self.scopes)))
