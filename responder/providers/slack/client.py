"""Slack's Web API: one call, and what its `ok: false` means."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

from responder.action import Access, Identity
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PAGE = "200"
_MOST_PAGES = 50

_BUSY = frozenset({"ratelimited", "rate_limited", "team_added_to_org", "service_unavailable"})
_FAILED = frozenset({"internal_error", "fatal_error", "request_timeout"})
"""After these a write may have happened."""
_DENIED = frozenset(
    {
        "access_denied", "account_inactive", "ekm_access_denied", "enterprise_is_restricted", "invalid_auth",
        "missing_scope", "no_permission", "not_allowed_token_type", "not_authed", "not_in_channel",
        "org_login_required", "restricted_action", "team_access_not_granted", "token_expired",
        "token_revoked", "two_factor_setup_required", "user_is_restricted",
    }
)  # fmt: skip
_REMEDIES = {
    "channel_not_found": "check the channel's name, and invite the app if it is private",
    "is_archived": "choose a channel that is not archived",
    "name_taken": "choose another name: somebody else's channel has this one",
    "invalid_name_specials": "use lower-case letters, digits, - and _",
    "msg_too_long": "shorten the text",
    "users_not_found": "check the mail address: nobody in this workspace has it",
    "user_not_found": "check the person's Slack id",
    "cant_update_message": "only messages that this app sent can be updated",
}


class Options(BaseModel):
    """A workspace; the connection's `secret` is the app's bot token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str = "https://slack.com/api/"

    @field_validator("base_url")
    @classmethod
    def _is_safe(cls, base_url: str) -> str:
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("must be https (http is for loopback only)")
        return base_url.rstrip("/") + "/"


class Client:
    """One app in one workspace."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options

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
        if self.access.secret is None:
            raise Denied(
                "The connection has no token",
                where=f"connections.{self.access.connection.name}",
                remedy="set `secret: env:NAME`",
            )
        answer = self.access.wire.request(
            verb,
            self.options.base_url + method,
            write=write,
            bearer=self.access.secret,
            headers={"content-type": "application/json; charset=utf-8"} if body is not None else None,
            params=params or None,
            body=body,
            permission=permission,
        )
        try:
            data = answer.json()
        except Unavailable:
            data = None
        if not isinstance(data, dict) or "ok" not in data:
            if write:
                raise OutcomeUnknown(f"Slack's answer to {method} is not understood", remedy="read back")
            raise Unavailable(f"Slack's answer to {method} is not understood", where=method)
        if data["ok"] is not True:
            raise _refusal(data, method, permission, write=write)
        return data


def identify(client: Client) -> Identity:
    """Read which workspace the token is for."""
    found = client.read("auth.test", "a valid bot token")
    return Identity(str(found.get("team_id", "")), str(found.get("bot_id") or ""))


def _refusal(data: Mapping[str, Any], method: str, permission: str, *, write: bool) -> ProviderError | OutcomeUnknown:
    """Turn `ok: false`, which comes with status 200, into what may be done next."""
    code = str(data.get("error", "unknown"))
    said = f"Slack says {code} to {method}"
    if code in _DENIED:
        needed = str(data.get("needed") or permission)
        remedy = "invite the app to the channel" if code == "not_in_channel" else "reinstall the app with it"
        return Denied(said, where=method, remedy=f"our token needs: {needed}; {remedy}")
    if code in _FAILED and write:
        return OutcomeUnknown(said, where=method, remedy="read back")
    if code in _BUSY | _FAILED:
        return Unavailable(said, where=method)
    return ProviderError(said, where=method, remedy=_REMEDIES.get(code, f"see {code} in Slack's documentation"))
