"""Tokens of other apps and people in the workspace: whom each speaks for, and how each ends."""

from dataclasses import dataclass
from datetime import datetime

from responder.drill.world.slack.answers import NotOk

_ANYBODY = frozenset({"auth.test", "auth.revoke"})
_SCOPE_OF = {
    "admin.users.session.list": "admin.users:read",
    "admin.users.session.reset": "admin.users:write",
    "users.info": "users:read",
}


@dataclass
class Token:
    """One token; a bot's has a `bot_id`, a person's has none."""

    label: str
    user: str
    bot_id: str = ""
    scopes: frozenset[str] = frozenset()
    is_admin: bool = False
    """Whether its person is an owner or admin of the organisation."""
    end: str = ""
    """How Slack refuses it: token_revoked, account_inactive, token_expired; empty while it lives."""
    ends_at: datetime | None = None
    """From when on it is refused."""
    is_welcome: bool = True
    """Whether it may be used from here; from a forbidden address Slack says invalid_auth of a live token, too."""

    def refusal(self, now: datetime) -> str:
        """Return the word with which Slack refuses the token now; empty where it is taken."""
        if not self.is_welcome:
            return "invalid_auth"
        return self.end if self.end and (self.ends_at is None or now >= self.ends_at) else ""

    def permit(self, method: str, now: datetime) -> None:
        """Refuse what the token may not call; raises NotOk."""
        refusal = self.refusal(now)
        if refusal:
            raise NotOk(refusal)
        needed = _SCOPE_OF.get(method)
        if method.startswith("admin.") and self.bot_id:
            raise NotOk("not_allowed_token_type")
        if method not in _ANYBODY and needed not in self.scopes:
            raise NotOk("missing_scope", needed=needed or "", provided=",".join(sorted(self.scopes)))
