"""A new access key for the same user: noted before, so that the orphan of a lost answer is known from all others."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from responder.action import Change, Issued, Outcome, Unchanged, Verdict
from responder.credential import Issue
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.aws.client import Client, time_of
from responder.providers.aws.keys import FINDING, Held, held_by, key_of, last_use
from responder.providers.aws.refusals import LimitReached
from responder.providers.aws.sessions import user_of

_MOST = 2
_NOTE = "responder-issuing"
_MARK = 12
_EARLIER, _LATER = timedelta(seconds=5), timedelta(seconds=60)  # a create leaves within seconds of its note


class _Note(NamedTuple):
    """What an earlier try wrote down before it made a key."""

    at: datetime
    before: tuple[str, ...]


class IssueKey(Issue):
    """Make one more access key for one consumer; its value is sealed until it is delivered.

    It is a key of the IAM user whom the connection's `users` names for the consumer, else of the leaked key's user.

    A key has no name at IAM, so the user gets the tag `responder-issuing` first, with the step's mark, the time, and
    the ids of the keys that there are. Where the answer is lost, the one key that is not among them, that was made
    within a minute of that, and that was never used, is the orphan: it is deleted, and another made. A user has two
    keys at most, those that are switched off included. A key has no rights of its own: narrow those of the user.
    Facts: `key_id`, `user`, `keys` (all that the user has now), `strangers` (keys that somebody else made meanwhile).
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *FINDING, "cloudtrail:LookupEvents", "iam:ListUserTags", "iam:TagUser", "iam:CreateAccessKey",
        "iam:DeleteAccessKey", "sts:GetCallerIdentity",
    )  # fmt: skip

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the user's keys and the note of an earlier try."""
        if self.consumer is None:
            raise ProviderError(
                "AWS has no page where a holder claims a key",
                remedy="give `consumer`, or let the holder make their own",
            )
        if self.scopes:
            raise ProviderError(
                "An access key has no scopes: it may do what its user may",
                where="scopes",
                remedy="leave `scopes` out; narrow the user's policies",
            )
        user = client.options.users.get(self.consumer.id) or user_of(client, key_of(self, client))
        held = held_by(client, user)
        orphan = _orphan(client, user, held)
        kept = sorted(one.key_id for one in held if one.key_id != orphan)
        if len(kept) >= _MOST:
            raise _full(user, held, key_of(self, client))
        return Change(
            target=f"one more access key of the user {user}",
            before=", ".join(sorted(one.shown for one in held)) + (f"; orphan {orphan}" if orphan else ""),
            after=f"one key for {self.consumer.id}, sealed until it is delivered",
            breaks=f"the orphan {orphan} is deleted first; nobody has its value" if orphan else "",
            preconditions={"user": user, "keys": " ".join(kept)} | ({"orphan": orphan} if orphan else {}),
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Delete the orphan that was agreed on, write the note, and make the key, once."""
        user, kept = change.preconditions["user"], change.preconditions["keys"].split()
        orphan = change.preconditions.get("orphan", "")
        if orphan:
            client.ask("iam", "DeleteAccessKey", UserName=user, AccessKeyId=orphan)
        try:
            self._note(client, user, kept)
            made = client.ask("iam", "CreateAccessKey", UserName=user)["AccessKey"]
        except ProviderError as error:
            if orphan:
                raise OutcomeUnknown(
                    f"The orphan was deleted, and the new key not made: {error.message}", remedy="plan the step again"
                ) from None
            if isinstance(error, LimitReached):
                raise _full(user, held_by(client, user), key_of(self, client)) from None
            raise
        key_id = str(made["AccessKeyId"])
        value = client.access.wire.take_in(f"{key_id}:{made['SecretAccessKey']}")
        facts = {"key_id": key_id, "user": user, **_relisted(client, user, [*kept, key_id])}
        return Outcome(facts, issued=Issued(key_id, value=value))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for exactly one key that was not there before."""
        known = {*change.preconditions["keys"].split(), change.preconditions.get("orphan", "")}
        try:
            new = [one for one in held_by(client, change.preconditions["user"]) if one.key_id not in known]
        except Unavailable:
            return Verdict.UNKNOWN
        if len(new) > 1:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if new else Verdict.DOES_NOT_HOLD

    def _note(self, client: Client, user: str, kept: Sequence[str]) -> None:
        """Write down what is there before the key is made, with AWS's own time."""
        now = time_of(client.ask("sts", "GetCallerIdentity")).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = " ".join([_mark(client), now, *kept])
        client.ask("iam", "TagUser", UserName=user, Tags=[{"Key": _NOTE, "Value": value}])


def _mark(client: Client) -> str:
    return hashlib.sha256(client.access.marker.encode()).hexdigest()[:_MARK]


def _note_of(client: Client, user: str) -> _Note | None:
    """Return the note of an earlier try of this very step."""
    tags = {one["Key"]: one["Value"] for one in client.items("iam", "ListUserTags", "Tags", UserName=user)}
    parts = str(tags.get(_NOTE, "")).split()
    if len(parts) < 2 or parts[0] != _mark(client):  # noqa: PLR2004 - a mark and a time at least
        return None
    try:
        at = datetime.fromisoformat(parts[1]).astimezone(UTC)
    except ValueError:
        return None
    return _Note(at, tuple(parts[2:]))


def _orphan(client: Client, user: str, held: Sequence[Held]) -> str:
    """Return the key that an earlier try made and whose value is lost; ProviderError where it cannot be told."""
    note = _note_of(client, user)
    new = [one for one in held if one.key_id not in note.before] if note else []
    if note is None or not new:
        return ""
    told = ", ".join(one.shown for one in new)
    mine = [one for one in new if note.at - _EARLIER <= one.created_at <= note.at + _LATER]
    if len(new) > 1 or not mine or any(last_use(client, one.key_id)[1] for one in mine):
        raise ProviderError(
            f"An earlier try may have made a key of {user}, and these were made since: {told}",
            remedy="find out whose they are; delete the one that nobody has, by aws.delete_access_key, and try again",
        )
    return mine[0].key_id


def _full(user: str, held: Sequence[Held], leaked: str) -> ProviderError:
    others = ", ".join(one.shown for one in held if one.key_id != leaked) or "none"
    return ProviderError(
        f"The user {user} has two keys already, and AWS allows no third; besides the leaked one: {others}",
        remedy="name a user of its own for each consumer in the connection's `users`; or delete the other one by "
        "aws.delete_access_key if it is switched off and nobody uses it; or contain the leaked key first, and delete "
        "it before the new one is made",
    )


def _relisted(client: Client, user: str, expected: Sequence[str]) -> dict[str, object]:
    """List the keys once more: several that are made at once have got past the limit (terraform-provider-aws#39693)."""
    try:
        now = [one.key_id for one in held_by(client, user)]
    except (ProviderError, OutcomeUnknown):  # the new value is at hand: nothing may lose it now
        return {"keys": len(expected), "strangers": [], "relisted": False}
    return {"keys": len(now), "strangers": sorted(set(now) - set(expected)), "relisted": True}
