"""A leaked token: whose it is, ending it, what else leads to its user, and proving that it is dead."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from responder.action import Change, KeySeen, Outcome, Unchanged, Verdict
from responder.credential import CredentialAction, Door, Doors, Inspect, Inspection, Probe, ProveDead, Revoke
from responder.errors import ProviderError, Unavailable
from responder.providers.gitlab.client import OTHERS, Client, Shown, shown
from responder.redaction import Secret

_NONE = "none: a token may ask about itself, and end itself"


class InspectToken(Inspect):
    """Say whether a token is live, whose it is, and what it may do: it is asked itself, or else looked up by its id.

    Facts besides the common ones: `name`, `expires_at`, `why` (`revoked`, `expired`, `not known here`). Asking a
    token counts as a use of it: `last_used_at` is as of then.
    """

    permissions: ClassVar[tuple[str, ...]] = (_NONE, OTHERS)

    def read(self, client: Client) -> Outcome:
        """Ask."""
        found = look(self, client)
        inspection = Inspection(
            state="live" if found.accepted else found.state,
            owner=f"user {found.user_id}" if found.user_id is not None else "",
            reach=found.scopes,
            last_used_at=found.last_used_at,
            key_id=found.key_id or self.subject.key_id,
        )
        more = {"name": found.name, "expires_at": found.expires_at, "why": found.why}
        return Outcome({**inspection.model_dump(mode="json"), **more})


class RevokeToken(Revoke):
    """Revoke a personal, project or group access token for good.

    One whose value is at hand ends itself: every token may, since GitLab 15.4. One that is known by its id alone, or
    whose user is blocked, is ended with our own token. It is never rotated: rotating one that is revoked already
    makes GitLab revoke the whole family, the replacement included.
    """

    permissions: ClassVar[tuple[str, ...]] = (_NONE, OTHERS)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the request that an administrator sends, and what its user does."""
        base = getattr(options, "base_url", "")
        return (
            f"Send DELETE {base}/personal_access_tokens/{key_id or 'ID'} as an administrator; or its user revokes it "
            "under Preferences, Access tokens."
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Look; only GitLab's own word that it is dead means that nothing is left to do."""
        found = look(self, client)
        if found.state == "dead":
            return Unchanged(f"the token is {found.why} already", {"state": "dead", "why": found.why})
        scopes = f", which may {', '.join(found.scopes)}" if found.scopes else ""
        return Change(
            target=f"GitLab token {self.subject.key_id or self.subject.value}",
            before=f"live, {found.name!r} of user {found.user_id}"
            if found.state == "live"
            else f"unknown: {found.why}",
            after="revoked for good",
            breaks=f"everything that uses the token{scopes}; tokens that were made by rotating it stay",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Revoke exactly this token."""
        value, key_id = self.subject.value, self.subject.key_id
        # A blocked user's token cannot end itself, and works again once the user is let in.
        if value is not None and (not key_id or client.present(value).accepted):
            path, permission = "/personal_access_tokens/self", _NONE
        else:
            path, permission, value = f"/personal_access_tokens/{key_id}", OTHERS, None
        answer = client.ask("DELETE", path, permission=permission, write=True, token=value)
        return Outcome({"status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look again."""
        try:
            state = look(self, client).state
        except Unavailable:
            return Verdict.UNKNOWN
        return {"dead": Verdict.HOLDS, "live": Verdict.DOES_NOT_HOLD}.get(state, Verdict.UNKNOWN)


class UserDoors(Doors):
    """List the other tokens and the SSH keys of a token's user; whoever had it may have rotated it into another.

    A token whose id is known is looked up even when it is dead; one whose value alone is known only while it lives.
    """

    permissions: ClassVar[tuple[str, ...]] = (OTHERS,)

    def open_doors(self, client: Client) -> Iterable[Door]:
        """Yield every live token and every key of the user."""
        found = self._token(client)
        if found.user_id is None:
            return
        listed = client.pages("/personal_access_tokens", permission=OTHERS, user_id=str(found.user_id), state="active")
        for one in listed:
            token = shown(one)
            # The filter is GitLab's; what it lists beside what was asked for is no door of this user.
            if token.state == "live" and token.user_id == found.user_id and token.key_id != found.key_id:
                yield _door("token", token.key_id, token.name, one)
        for one in client.pages(f"/users/{found.user_id}/keys", permission=OTHERS):
            yield _door("SSH key", f"ssh-{one.get('id')}", str(one.get("title") or ""), one)

    def unseen(self, client: Client) -> Sequence[str]:
        """Say what no API lists."""
        hidden = "the applications that the user has let in, and the user's own password"
        gone = self._token(client).user_id is None
        return ("the user: the token is dead, and its id is not known",) if gone else (hidden,)

    def _token(self, client: Client) -> Shown:
        return client.by_id(self.subject.key_id) if self.subject.key_id else look(self, client)


class ProveTokenDead(ProveDead):
    """Present the token until it was refused three times as revoked, expired or unknown, beside one that works.

    It only asks about itself: that does not set off GitLab's detection of reuse, which rotating would.
    """

    permissions: ClassVar[tuple[str, ...]] = (_NONE,)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the one place that takes every token."""
        return ("self",)

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; a blocked account, too many questions, failures and silence prove nothing."""
        try:
            found = client.present(value)
        except ProviderError:
            return Probe.UNKNOWN
        if found.accepted:  # it is taken still, though its record may say that it is revoked
            return Probe.ACCEPTED
        return Probe.REFUSED if found.state == "dead" else Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()


def look(action: CredentialAction, client: Client) -> Shown:
    """Ask a token itself, or look it up by its id. ProviderError where value and id are two tokens.

    A token that gets no clear answer, such as one of a blocked user, is looked up by its id where we may.
    """
    value, key_id = action.subject.value, action.subject.key_id
    if value is None and not key_id:
        raise ProviderError("Nobody knows which token it is", remedy="give its value, or its number as `key_id`")
    if value is None:
        return client.by_id(key_id)
    found = client.present(value)
    if key_id and found.key_id and found.key_id != key_id:
        raise ProviderError(
            f"The leaked value is token {found.key_id}, not {key_id}",
            where="key_id",
            remedy="correct the key id in the finding or the inventory",
        )
    if found.state == "unknown" and key_id:
        with contextlib.suppress(ProviderError):
            return client.by_id(key_id)
    return found


def keys(client: Client) -> Iterator[KeySeen]:
    """Yield every token that we are shown: all of the GitLab for an administrator, else our user's own."""
    for one in client.pages("/personal_access_tokens", permission=OTHERS):
        token = shown(one)
        owner = str(token.user_id if token.user_id is not None else "")
        yield KeySeen(token.key_id, token.state, token.name, owner, token.last_used_at)


def _door(kind: str, door_id: str, about: str, found: dict[str, Any]) -> Door:
    try:
        moment = datetime.fromisoformat(str(found.get("created_at")))
    except ValueError:
        return Door(kind=kind, id=door_id, about=about)
    return Door(kind=kind, id=door_id, about=about, opened_at=moment if moment.tzinfo else None)
