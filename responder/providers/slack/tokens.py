"""A leaked Slack token: whose it is, its end, the proof of it, and whether the app has a new one."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method the change, needed or not

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from responder.action import Change, Effect, Observation, Observed, Outcome, Unchanged, Verdict
from responder.credential import CredentialAction, Inspect, Inspection, Probe, ProveDead, Revoke, check_replaced
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.slack.client import Client, WhoIs
from responder.redaction import Secret

SHAPE = (
    r"\b(?:xapp-\d+-(?P<key_id>A[A-Z0-9]{6,})-[A-Za-z0-9-]{20,}"
    r"|(?:xoxe\.)?xox[abeprs]-[A-Za-z0-9-]{20,})"
)
"""Tokens of apps, bots and people, those that expire, and what renews them."""
_TOKEN = re.compile(SHAPE)
_DEAD = frozenset({"token_revoked", "account_inactive", "token_expired"})
"""The only words that mean death. `invalid_auth` does not: Slack says it of a live token, too, when the address
that it is used from is not allowed (docs.slack.dev, auth.test)."""
_NONE = "none: the leaked token speaks for itself"
_OURS = "a valid bot token"

_State = Literal["live", "dead", "unknown"]


class InspectToken(Inspect):
    """Present the leaked token to `auth.test` once: is it live, whose is it, and which scopes does it have.

    Dead is only what Slack calls token_revoked, account_inactive or token_expired. It says invalid_auth of a token
    that never was, and of a live one that may not be used from this address: that is unknown, and counts as live.
    `key_id` is the id of the bot, person or app; Slack has no id for the token itself.
    """

    permissions: ClassVar[tuple[str, ...]] = (_NONE,)

    def read(self, client: Client) -> Outcome:
        """Ask who the token is; without its value, or where Slack does not say, the state is unknown."""
        if self.subject.value is None:
            return Outcome(Inspection(state="unknown").model_dump(mode="json"))
        found = client.who_is(self.subject.value)
        inspection = Inspection(
            state=_state(found),
            owner=found.name("user") or found.name("app_name"),
            reach=(found.scopes or ()) if found.is_taken else (),
            key_id=_id(found),
        )
        told = {"team": found.name("team_id"), "user_id": found.name("user_id"), "answer": found.error or "ok"}
        return Outcome({**inspection.model_dump(mode="json"), **told})


class RevokeToken(Revoke):
    """Let the token revoke itself, for good. It needs its value, and nothing of ours.

    A bot's token takes the bot along: its user is deactivated and leaves every channel, and must be invited again
    after the app was installed again (docs.slack.dev, auth.revoke). What renews an expiring token (`xoxe-`) cannot
    be revoked so: a person revokes the app's tokens.
    """

    permissions: ClassVar[tuple[str, ...]] = ("none: a token revokes itself",)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return where a person ends it."""
        return (
            "Choose the app at https://api.slack.com/apps and revoke its tokens under OAuth & Permissions (an "
            "app-level token: under Basic Information); or take the app out of the workspace, under Manage apps."
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Ask who the token is; only a word that means death says that nothing is left to do."""
        found = client.who_is(_value(self, client))
        state = _state(found)
        if state == "dead":
            return Unchanged(f"Slack refuses the token already ({found.error})", {"state": state})
        who = found.name("user") or found.name("app_name")
        bot = " of a bot, which is deactivated and leaves every channel" if found.name("bot_id") else ""
        return Change(
            target=f"Slack token {self.subject.fingerprint or _value(self, client).fingerprint}",
            before=f"live, of {who}" if state == "live" else f"unknown (Slack says {found.error})",
            after="revoked for good",
            breaks=f"everything that uses the token{bot}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Let it revoke itself; what Slack answers is noted, and not believed."""
        told = client.revoke(_value(self, client))
        return Outcome({"revoked": told.get("revoked") is True, "answer": str(told.get("error", "ok"))})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Present the token again."""
        try:
            state = _state(client.who_is(_value(self, client)))
        except Unavailable:
            return Verdict.UNKNOWN
        return {"dead": Verdict.HOLDS, "live": Verdict.DOES_NOT_HOLD}.get(state, Verdict.UNKNOWN)


class ProveTokenDead(ProveDead):
    """Present the token to `auth.test` until Slack has called it dead three times, beside one that works.

    Only token_revoked, account_inactive and token_expired count; invalid_auth and silence prove nothing.
    """

    permissions: ClassVar[tuple[str, ...]] = (_NONE,)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the one method that takes every token."""
        return ("auth.test",)

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once."""
        try:
            state = _state(client.who_is(value))
        except ProviderError:
            return Probe.UNKNOWN
        return {"dead": Probe.REFUSED, "live": Probe.ACCEPTED}.get(state, Probe.UNKNOWN)

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()

    def observe(self, client: Client, history: Sequence[Observed]) -> Observation:
        """Look once, and wait as long as Slack wants to be left alone."""
        look = super().observe(client, history)
        return look if look.last else look._replace(wait=max(look.wait, client.asked_to_wait))


class CheckInstalled(CredentialAction):
    """Check that the app was installed again: the connection's own token works, and is not the leaked one.

    It stands behind the task of the person who installs it, and fails until that is done; Slack has no API to make
    a token. Facts: `account`, `user`, `key_id`, `scopes` (null where Slack does not say).
    """

    verb: ClassVar[str] = "check_installed"
    name: ClassVar[str] = "slack.check_installed"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (_OURS,)

    def read(self, client: Client) -> Outcome:
        """Present the connection's own token once. ProviderError where it is the old one, Denied where it is dead."""
        place = f"connections.{client.access.connection.name}"
        check_replaced(
            self.subject, client.our_token(), place, "install the app again, and give the connection its new token"
        )
        found = client.who_is(client.our_token())
        if not found.is_taken:
            if found.error.startswith("status"):
                raise Unavailable(f"Slack does not answer ({found.error})", where="auth.test")
            raise Denied(
                f"Slack says {found.error} to the connection's token",
                where=place,
                remedy=f"our token needs: {_OURS}; install the app again, and give the connection its new token",
            )
        facts: dict[str, Any] = {"account": found.name("team_id"), "user": found.name("user"), "key_id": _id(found)}
        return Outcome({**facts, "scopes": None if found.scopes is None else list(found.scopes)})


def recognise(value: str) -> str | None:
    """Read the app's id out of an app-level token; other tokens bear no id that Slack's API knows."""
    found = _TOKEN.fullmatch(value.strip())
    return found.group("key_id") if found else None


def _state(found: WhoIs) -> _State:
    if found.is_taken:
        return "live"
    return "dead" if found.error in _DEAD else "unknown"


def _id(found: WhoIs) -> str:
    return found.name("bot_id") or found.name("user_id") or found.name("app_id")


def _value(action: CredentialAction, client: Client) -> Secret:
    value = action.subject.value
    if value is None:
        raise ProviderError(
            "A Slack token is revoked by its value alone, and nobody has it",
            remedy="give the value with the finding, or let a person revoke the app's tokens",
        )
    if client.access.wire.with_value(value, lambda text: text.startswith("xoxe-")):
        raise ProviderError(
            "This only renews a token: it cannot be presented or revoked by itself",
            remedy="let a person revoke the app's tokens at https://api.slack.com/apps",
        )
    return value
