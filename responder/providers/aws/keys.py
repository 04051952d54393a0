"""Whose an access key is, and what state IAM says that it is in."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from responder.action import KeySeen
from responder.credential import CredentialAction
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.aws.client import Client, user_in
from responder.providers.aws.pair import account_in, key_id_in
from responder.providers.aws.refusals import Gone

State = Literal["live", "disabled", "dead", "unknown"]
FINDING = ("iam:GetAccessKeyLastUsed", "iam:ListAccessKeys", "iam:ListUsers", "iam:GetAccountSummary")
"""What it takes to find a key's owner, or to know that it has none; and `sts:GetAccessKeyInfo` for an old id."""
_STATES: Mapping[str, State] = {"Active": "live", "Inactive": "disabled", "Expired": "disabled"}


class Held(NamedTuple):
    """A key as IAM lists it."""

    key_id: str
    user: str
    state: State
    created_at: datetime
    last_used: str = ""

    @property
    def shown(self) -> str:
        """The key in words."""
        return f"{self.key_id} ({self.state})"


def key_of(action: CredentialAction, client: Client) -> str:
    """Return the id of the run's key: as the run froze it, else read out of the value, offline."""
    subject = action.subject
    found: str | None = subject.key_id
    if not found and subject.value is not None:
        found = client.access.wire.with_value(subject.value, key_id_in)
    if not found:
        raise ProviderError("Nobody knows the key's id", remedy="give `key_id` in the finding or the inventory")
    if not found.startswith("AKIA"):
        raise ProviderError(
            f"{found} is a temporary key: IAM keeps no such key, it ends by itself",
            remedy="end the sessions of the user or the role that it belongs to, and the key that opened it",
        )
    return found


def held_by(client: Client, user: str) -> list[Held]:
    """Return every key of a user; none where there is no such user."""
    try:
        listed = list(client.items("iam", "ListAccessKeys", "AccessKeyMetadata", UserName=user))
    except Gone:
        return []
    return [
        Held(str(one["AccessKeyId"]), user, _STATES.get(str(one["Status"]), "unknown"), one["CreateDate"])
        for one in listed
    ]


def find(client: Client, key_id: str) -> Held | None:
    """Return a key by its exact id, wherever in the account it is; None only after every user was looked at.

    IAM tells a key's owner together with its last use. Of a key that is not there it says that we may not ask, as of
    one of another account; so a refusal shows nothing, and the users are searched.
    """
    user, last_used = last_use(client, key_id)
    if user:
        for held in held_by(client, user):
            if held.key_id == key_id:
                return held._replace(last_used=last_used)
    return next((held for name in users(client) for held in held_by(client, name) if held.key_id == key_id), None)


def owned(client: Client, key_id: str) -> Held:
    """Return a key that must be there. ProviderError where no user of the account has it."""
    held = find(client, key_id)
    if held is None:
        raise ProviderError(
            f"No user of the account has the key {key_id}",
            remedy="it was deleted, or it is of another account, or of the root user, whose keys IAM does not list",
        )
    return held


def account_of(client: Client, key_id: str) -> str:
    """Return the account of a key id, read from the id or told by STS; empty where neither tells."""
    if found := account_in(key_id):
        return found
    try:
        return str(client.ask("sts", "GetAccessKeyInfo", AccessKeyId=key_id).get("Account", ""))
    except Unavailable:
        raise
    except ProviderError:
        return ""


def confirm_gone(client: Client, key_id: str) -> str:
    """Say that a key that no user has is gone. ProviderError where it may be elsewhere: then it may well be live."""
    account, ours = account_of(client, key_id), client.whoami()["Account"]
    if account != ours:
        raise ProviderError(
            f"The key {key_id} is of the account {account or 'that nobody can tell'}, and we act in {ours}",
            remedy="take the connection of that account; a key of somebody else's is theirs to end",
        )
    summary = client.ask("iam", "GetAccountSummary").get("SummaryMap") or {}
    if summary.get("AccountAccessKeysPresent", 1):
        raise ProviderError(
            f"No user has the key {key_id}, and the root user has keys, which IAM does not list",
            remedy="sign in as the root user, and look under Security credentials",
        )
    return f"no user of the account {ours} has the key {key_id}, and its root user has no keys"


def last_use(client: Client, key_id: str) -> tuple[str, str]:
    """Return owner and time of the last use of a key; both empty where IAM does not tell."""
    try:
        answer = client.ask("iam", "GetAccessKeyLastUsed", AccessKeyId=key_id)
    except (Gone, Denied):
        return "", ""
    used = (answer.get("AccessKeyLastUsed") or {}).get("LastUsedDate")
    return str(answer.get("UserName", "")), shown_time(used)


def users(client: Client) -> Iterator[str]:
    """Yield the account's users. ProviderError where there are more than may be searched."""
    for number, user in enumerate(client.items("iam", "ListUsers", "Users")):
        if number >= client.options.most_users:
            raise ProviderError(
                f"The key was not found among the first {number} users of the account",
                where="most_users",
                remedy="raise the connection's `most_users`, or look in IAM by hand",
            )
        yield str(user["UserName"])


def every_key(client: Client) -> Iterator[KeySeen]:
    """Yield every key of every user; those of the root user IAM does not list."""
    for user in users(client):
        for held in held_by(client, user):
            yield KeySeen(held.key_id, held.state, held.key_id, user, last_use(client, held.key_id)[1])


def not_our_own(client: Client, user: str, what: str) -> None:
    """Refuse what would tie our own hands: a policy on the very user whom we act as."""
    if user and user_in(client.whoami()["Arn"]) == user:
        raise ProviderError(
            f"{what} would bind our own credential, which is of the user {user}, too",
            remedy="act with a credential of another principal: `as:`",
        )


def shown_time(moment: Any) -> str:
    """Return a time for the record; empty where there is none."""
    return moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else ""
