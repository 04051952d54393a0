"""Slack's Web API: one call, and what its `ok: false` means."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from responder.action import Access, Identity
from responder.answer import Response
from responder.durations import Duration, duration
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.redaction import Secret
from responder.settings import BaseUrl

_PAGE = "200"
_MOST_PAGES = 50
_ACCEPTED = 200
_SCOPE = re.compile(r"[a-z][\w.-]*(?::[a-z][\w.-]*)+")
_NOT_SLACKS = frozenset({401, 403, 429, *range(500, 600)})
"""Slack refuses a token with 200 and a word; whoever answers so is busy, broken, or a proxy, and shows nothing."""

_BUSY = frozenset({"ratelimited", "rate_limited", "team_added_to_org", "service_unavailable"})
_FAILED = frozenset({"internal_error", "fatal_error", "request_timeout"})
"""After these a write may have happened."""
_DENIED = frozenset(
    {
        "access_denied", "account_inactive", "cannot_reset_primary_owner", "ekm_access_denied",
        "enterprise_is_restricted", "feature_not_enabled", "invalid_auth", "missing_scope", "no_permission",
        "not_allowed_token_type", "not_an_admin", "not_authed", "not_in_channel", "org_login_required",
        "permission_denied", "plan_upgrade_required", "restricted_action", "team_access_not_granted",
        "token_expired", "token_revoked", "two_factor_setup_required", "user_is_restricted",
    }
)  # fmt: skip
_WAYS_IN = {
    "not_in_channel": "invite the app to the channel",
    "feature_not_enabled": "Slack has this on Enterprise plans alone: without one, a person does it",
    "plan_upgrade_required": "Slack has this on paid plans alone: without one, a person does it",
    "not_an_admin": "use the token of an owner or admin of the organisation",
    "not_allowed_token_type": "no bot has it: use a person's token",
    "cannot_reset_primary_owner": "only the primary owner ends the primary owner's sessions",
    "permission_denied": "let everybody change user groups in the workspace's settings, or use an admin's token",
}
"""What gives us the right that we lack; where nothing stands here, the app is installed again with it."""
_REMEDIES = {
    "cant_kick_self": "let a person take the app out of the channel",
    "cant_kick_from_general": "nobody can be taken out of the workspace's general channel: deactivate the account",
    "cannot_reset_bot": "a bot has no sessions: revoke its token with credential.revoke",
    "no_users_provided": "a user group cannot be emptied: let a person switch it off",
    "channel_not_found": "check the channel's name, and invite the app if it is private",
    "is_archived": "choose a channel that is not archived",
    "name_taken": "choose another name: somebody else's channel has this one",
    "invalid_name_specials": "use lower-case letters, digits, - and _",
    "msg_too_long": "shorten the text",
    "users_not_found": "check the mail address: nobody in this workspace has it",
    "user_not_found": "check the person's Slack id",
    "cant_update_message": "only messages that this app sent can be updated",
}


_NOBODY = frozenset({"user_not_found", "users_not_found", "user_not_visible"})


class Nobody(ProviderError):
    """Nobody in the workspace has that id or address."""


class Options(BaseModel):
    """A workspace; the connection's `secret` is the app's bot token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl = "https://slack.com/api/"
    propagation: Duration = duration("30s")
    """How long a revoked token may still be taken. Slack names no time; its answer means that it was revoked."""

    @field_validator("base_url")
    @classmethod
    def _is_whole(cls, base_url: str) -> str:
        return base_url + "/"


class WhoIs(NamedTuple):
    """What Slack says about a token."""

    told: Mapping[str, Any] = {}
    error: str = ""
    """The word with which it is refused, or what answered instead of Slack; empty where it is taken."""
    scopes: tuple[str, ...] | None = None
    """None where Slack does not say."""

    @property
    def is_taken(self) -> bool:
        """Whether the token works."""
        return self.told.get("ok") is True

    def name(self, field: str) -> str:
        """Return one of the ids and names that Slack tells; empty where it does not."""
        return str(self.told.get(field) or "")


class Client:
    """One app in one workspace."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options
        self.asked_to_wait = 0.0
        """Seconds for which Slack wants to be left alone, as its last answers said."""

    def who_is(self, token: Secret) -> WhoIs:
        """Present a token to `auth.test`, once; whatever is not Slack's own word shows nothing."""
        answer = self.access.wire.request(
            "GET", self.options.base_url + "auth.test", write=False, bearer=token, expect=_NOT_SLACKS
        )
        self.asked_to_wait = max(self.asked_to_wait, _number(answer.headers.get("retry-after", "")))
        data = _data(answer) if answer.status == _ACCEPTED else None
        if data is None:
            return WhoIs(error=f"status {answer.status}")
        scopes = answer.headers.get("x-oauth-scopes")
        return WhoIs(data, str(data.get("error", "")), None if scopes is None else tuple(_words(scopes)))

    def revoke(self, token: Secret) -> dict[str, Any]:
        """Let a token end itself, and return what Slack says. Of its refusals only those are raised that matter."""
        answer = self.access.wire.request("POST", self.options.base_url + "auth.revoke", write=True, bearer=token)
        data = _data(answer)
        if data is None:
            raise OutcomeUnknown("Slack's answer to auth.revoke is not understood", remedy="read back")
        code = str(data.get("error", ""))
        if code in _FAILED:
            raise OutcomeUnknown(f"Slack says {code} to auth.revoke", where="auth.revoke", remedy="read back")
        if code in _BUSY:
            raise Unavailable(f"Slack says {code} to auth.revoke", where="auth.revoke")
        return data

    def our_token(self) -> Secret:
        """Return the connection's own token."""
        return self.access.own("token")

    def read(self, method: str, permission: str, **arguments: str) -> dict[str, Any]:
        """Call a method that only reads; some of those take no JSON, so the arguments go into the query."""
        return self._call("GET", method, permission, write=False, params=arguments)

    def write(self, method: str, permission: str, **arguments: Any) -> dict[str, Any]:
        """Call a method that changes something."""
        return self._call("POST", method, permission, write=True, body=arguments)

    def pages(self, method: str, permission: str, items: str, most: int, **arguments: str) -> Iterator[Any]:
        """Yield the items of a list, page by page, at most `most` pages."""
        cursor: dict[str, str] = {}
        for _ in range(most):
            answer = self.read(method, permission, limit=_PAGE, **arguments, **cursor)
            yield from answer.get(items) or ()
            following = (answer.get("response_metadata") or {}).get("next_cursor")
            if not following:
                return
            cursor = {"cursor": str(following)}

    def channel(self, wanted: str, permission: str = "channels:read") -> dict[str, Any] | None:
        """Find a channel by its name or id, archived ones too; None where we see none."""
        listed = self.pages(
            "conversations.list", permission, "channels", _MOST_PAGES, types="public_channel,private_channel"
        )
        return next((one for one in listed if wanted in {one.get("id"), one.get("name")}), None)

    def _call(
        self,
        verb: str,
        method: str,
        permission: str,
        *,
        write: bool,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        answer = self.access.wire.request(
            verb,
            self.options.base_url + method,
            write=write,
            bearer=self.our_token(),
            headers={"content-type": "application/json; charset=utf-8"} if body is not None else None,
            params=params or None,
            body=body,
            permission=permission,
        )
        data = _data(answer)
        if data is None:
            if write:
                raise OutcomeUnknown(f"Slack's answer to {method} is not understood", remedy="read back")
            raise Unavailable(f"Slack's answer to {method} is not understood", where=method)
        if data["ok"] is not True:
            raise _refusal(data, method, permission, write=write)
        return data


def identify(client: Client) -> Identity:
    """Read which workspace the token is for. A bot's id names the bot: a token of the app's next install has it too."""
    found = client.read("auth.test", "a valid bot token")
    return Identity(str(found.get("team_id", "")), str(found.get("bot_id") or found.get("user_id") or ""))


def lacking(client: Client, permissions: Sequence[str]) -> list[str]:
    """Return which permissions name a scope that our own token has not; what names no scope nobody tells."""
    found = client.who_is(client.our_token())
    if found.scopes is None:
        raise Unavailable("Slack does not say which scopes our token has", where="auth.test")
    return [one for one in permissions if set(_SCOPE.findall(one)) - set(found.scopes)]


def _data(answer: Response) -> dict[str, Any] | None:
    """Return what Slack says; None where it is not Slack that speaks."""
    try:
        data = answer.json()
    except (Unavailable, OutcomeUnknown):
        return None
    return data if isinstance(data, dict) and "ok" in data else None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _refusal(data: Mapping[str, Any], method: str, permission: str, *, write: bool) -> ProviderError | OutcomeUnknown:
    """Turn `ok: false`, which comes with status 200, into what may be done next."""
    code = str(data.get("error", "unknown"))
    said = f"Slack says {code} to {method}"
    if code in _DENIED:
        needed = str(data.get("needed") or permission)
        remedy = _WAYS_IN.get(code, "reinstall the app with it")
        return Denied(said, where=method, remedy=f"our token needs: {needed}; {remedy}")
    if code in _FAILED and write:
        return OutcomeUnknown(said, where=method, remedy="read back")
    if code in _BUSY | _FAILED:
        return Unavailable(said, where=method)
    kind = Nobody if code in _NOBODY else ProviderError
    return kind(said, where=method, remedy=_REMEDIES.get(code, f"see {code} in Slack's documentation"))
