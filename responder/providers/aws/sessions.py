"""Temporary keys that were opened with the leaked one, and ending them.

No call lists sessions. CloudTrail shows who opened them, about 15 minutes later; a policy that denies whatever was
issued before a moment ends them (IAM guide, "Revoking IAM role temporary security credentials").
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import EndSessions, Sessions
from responder.errors import ProviderError, Unavailable
from responder.providers.aws.client import Client, Endless, time_of
from responder.providers.aws.keys import FINDING, Held, confirm_gone, find, key_of, not_our_own
from responder.providers.aws.policies import CUTOFF, arn_of, trusting, write, written
from responder.providers.aws.refusals import Gone

_OPENERS = {"GetSessionToken": "User", "GetFederationToken": "User", "AssumeRole": "Role"}
_LONGEST = timedelta(hours=36)  # GetSessionToken and GetFederationToken; a role's are 12 hours at most
_MOST_PAGES = 60  # of 50 rows each; CloudTrail answers twice a second
_FORMS = ("%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%SZ")
READING = (
    "cloudtrail:LookupEvents", *FINDING, "iam:GetUser", "iam:GetRole", "iam:GetUserPolicy", "iam:GetRolePolicy",
)  # fmt: skip


_FOREIGN = "Foreign"


class Opened(NamedTuple):
    """A session, as CloudTrail shows its opening."""

    key_id: str
    kind: str
    """`User` or `Role`; `Foreign` for a role of another account."""
    owner: str
    """A name; of a foreign role its ARN."""
    at: datetime
    until: datetime


class ListSessions(Sessions):
    """List the temporary keys that were opened with the key and have neither expired nor been ended by our policy.

    Facts: `open`, and `sessions`, each with `key_id`, `owner`, `opened_at` and `until`. CloudTrail shows an opening
    after about 15 minutes; `seen_until` is the moment up to which it shows them all. Sessions that were opened from
    within a session are not shown.
    """

    permissions: ClassVar[tuple[str, ...]] = READING

    def read(self, client: Client) -> Outcome:
        """Read CloudTrail and our own policies."""
        found = still_open(client, key_of(self, client))
        shown = [
            {"key_id": one.key_id, "owner": f"{one.kind.lower()} {one.owner}", "opened_at": one.at.isoformat(),
             "until": one.until.isoformat()}
            for one in found
        ]  # fmt: skip
        until = client.access.clock.now() - DELAY
        return Outcome({"open": len(found), "sessions": shown, "seen_until": until.isoformat()})


class EndUserSessions(EndSessions):
    """Deny whatever was issued before to the key's user, and to each role that was taken on with it.

    The policy is `responder-end-sessions`, and its moment is AWS's own time, not ours. It ends every session of that
    user and of those roles, whoever opened it; long-lived keys are not touched, as they have no time of issue. Roles
    that AWS keeps itself (`/aws-service-role/`) cannot be changed, and are refused. A policy takes some minutes to be
    felt. Without CloudTrail the roles are those whose trust policy names the user.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *READING, "iam:PutUserPolicy", "iam:PutRolePolicy", "iam:ListRoles", "sts:GetCallerIdentity",
    )  # fmt: skip

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:  # noqa: ARG003 - it is the same for every key
        """Return what a person clicks or types."""
        return (
            "in the console: IAM, Roles, NAME, Revoke sessions, for each role that was taken on; for the user "
            "`aws iam put-user-policy` with a Deny of everything where aws:TokenIssueTime is before now"
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Read which sessions there were, and from when on our policies end them."""
        key_id = key_of(self, client)
        held = find(client, key_id)
        if held is not None:
            not_our_own(client, held.user, "Ending the sessions")
        opened = openings(client, key_id) if client.options.cloudtrail else []
        owners = _owners(client, held, opened)
        if not owners:
            told = confirm_gone(client, key_id) + ", and CloudTrail shows no session of it in this account"
            return Unchanged(told, {"open": len(opened)})
        missing = [owner for owner in owners if not _is_ended(client, owner, opened)]
        if not missing:
            return Unchanged(f"what was issued before is denied to {_named(owners)}", {"open": 0})
        told = _named(missing)
        foreign = sorted({one.owner for one in opened if one.kind == _FOREIGN})
        abroad = f"; those of {', '.join(foreign)} only the owners of these roles can end" if foreign else ""
        return Change(
            target=f"sessions of {told}",
            before=f"{len(opened)} that CloudTrail shows{abroad}" if client.options.cloudtrail else "nobody can tell",
            after=f"the policy {CUTOFF} denies what was issued before",
            breaks=f"every session of {told}, whoever opened it; whoever needs one opens it again",
            preconditions={"owners": json.dumps(missing)},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write the policies, with the time of AWS's last answer."""
        owners = [(str(kind), str(name)) for kind, name in json.loads(change.preconditions["owners"])]
        # AWS tells its time in whole seconds: what was issued in the same one is to end, too.
        now = time_of(client.ask("sts", "GetCallerIdentity")) + timedelta(seconds=1)
        for kind, name in owners:
            write(client, kind, name, CUTOFF, _cutoff(now))
        return Outcome({"before": now.isoformat(), "owners": [_named([owner]) for owner in owners]})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the policies again: each must end whatever the trail shows."""
        owners = [(str(kind), str(name)) for kind, name in json.loads(change.preconditions["owners"])]
        try:
            opened = openings(client, key_of(self, client)) if client.options.cloudtrail else []
            held = all(_is_ended(client, owner, opened) for owner in owners)
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD


DELAY = timedelta(minutes=15)
"""How long CloudTrail may take until it shows an event (CloudTrail guide, "Event history")."""


def openings(client: Client, key_id: str) -> list[Opened]:
    """Return the sessions that were opened with a key and have not expired. ProviderError without CloudTrail."""
    if not client.options.cloudtrail:
        raise ProviderError("Without CloudTrail nobody can tell sessions", where="cloudtrail")
    now = client.access.clock.now()
    rows, since = events(client, key_id, now - _LONGEST, now)
    if since > now - _LONGEST:
        raise ProviderError(
            f"CloudTrail holds more rows about the key than may be read: openings before {since} are not known",
            remedy="end the sessions of its user and of every role that it may take on",
        )
    account = client.whoami()["Account"]
    opened = [_opened(row, account) for row in rows if row["eventName"] in _OPENERS]
    living = [one for one in opened if one is not None and one.until > now]
    gone = {owner for owner in {(one.kind, one.owner) for one in living} if not _exists(client, *owner)}
    return [one for one in living if (one.kind, one.owner) not in gone]


def _exists(client: Client, kind: str, name: str) -> bool:
    """Tell whether a user or a role is there still: the sessions of one that was deleted can do nothing."""
    if kind == _FOREIGN:
        return True
    try:
        client.ask("iam", f"Get{kind}", **{f"{kind}Name": name})
    except Gone:
        return False
    return True


def still_open(client: Client, key_id: str) -> list[Opened]:
    """Return the sessions that no policy of ours has ended."""
    opened = openings(client, key_id)
    cutoffs = {owner: _cutoff_of(client, owner) for owner in {(one.kind, one.owner) for one in opened}}
    return [one for one in opened if not _ends(cutoffs[one.kind, one.owner], one)]


def count_open(client: Client, key_id: str) -> int | None:
    """Count the sessions that are open still; without CloudTrail they are none, or nobody can tell."""
    if client.options.cloudtrail:
        return len(still_open(client, key_id))
    owners = _owners(client, find(client, key_id), [])
    return 0 if owners and all(_is_ended(client, owner, []) for owner in owners) else None


def _owners(client: Client, held: Held | None, opened: Sequence[Opened]) -> list[tuple[str, str]]:
    """Return whose sessions may have been opened: the user first, as no trouble with a role may delay that."""
    owners = {(one.kind, one.owner) for one in opened if one.kind != _FOREIGN}
    if held is not None:
        owners.add(("User", held.user))
        if not client.options.cloudtrail:
            owners |= {("Role", role) for role in trusting(client, arn_of(client, held.user))}
    return sorted(owners, key=lambda owner: (owner[0] != "User", owner))


def _named(owners: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{kind.lower()} {name}" for kind, name in owners)


def user_of(client: Client, key_id: str) -> str:
    """Return whose a key is, or was, by CloudTrail, where it is deleted. ProviderError where nobody tells."""
    held = find(client, key_id)
    if held is not None:
        return held.user
    told = confirm_gone(client, key_id)
    now = client.access.clock.now()
    rows, _ = events(client, key_id, now - timedelta(days=90), now) if client.options.cloudtrail else ([], now)
    names = {row["user"] for row in rows if row["user"]}
    if len(names) != 1:
        raise ProviderError(f"Nobody can tell whose the key was: {told}", remedy="do it before the key is deleted")
    return str(names.pop())


def events(client: Client, key_id: str, since: datetime, until: datetime) -> tuple[list[dict[str, Any]], datetime]:
    """Return the rows of CloudTrail about a key, oldest first, and from when on they are all that there are."""
    found: list[dict[str, Any]] = []
    complete = since
    for region in client.all_regions():
        rows = client.items(
            "cloudtrail", "LookupEvents", "Events", region=region, pages=_MOST_PAGES, StartTime=since, EndTime=until,
            LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": key_id}],
        )  # fmt: skip
        read: list[dict[str, Any]] = []
        try:
            read.extend(_row(row) for row in rows)
        except Endless:  # the newest come first
            complete = max(complete, read[-1]["at"] + timedelta(seconds=1)) if read else until
        found += read
    return sorted(found, key=lambda row: row["at"]), complete


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = json.loads(row.get("CloudTrailEvent") or "{}")
    told = {"eventName": "EventName", "user": "Username", "source": "EventSource"}
    return {**shown, "at": row["EventTime"].astimezone(UTC), **{to: str(row.get(of, "")) for to, of in told.items()}}


def _opened(row: Mapping[str, Any], account: str) -> Opened | None:
    """Read a row as the opening of a session; None where it failed."""
    given = (row.get("responseElements") or {}).get("credentials") or {}
    if not given:
        return None
    kind = _OPENERS[row["eventName"]]
    arn = str((row.get("requestParameters") or {}).get("roleArn", ""))
    owner = arn.rpartition("/")[2] if kind == "Role" else row["user"]
    if kind == "Role" and arn.split(":")[4] != account:
        kind, owner = _FOREIGN, arn
    return Opened(str(given.get("accessKeyId", "")), kind, owner, row["at"], _expiry(given, row["at"]))


def _expiry(given: Mapping[str, Any], at: datetime) -> datetime:
    """Read when a session expires; what cannot be read lives as long as any does."""
    for form in _FORMS:
        try:
            return datetime.strptime(str(given.get("expiration", "")), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return at + _LONGEST


def _cutoff(moment: datetime) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ResponderEndSessions",
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}},
            }
        ],
    }


def _cutoff_of(client: Client, owner: tuple[str, str]) -> datetime | None:
    """Return the moment before which our policy ends what was issued; None without one, or where somebody edited it."""
    found: Any = written(client, owner[0], owner[1], CUTOFF) if owner[0] != _FOREIGN else None
    try:
        said = found["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]
        moment = datetime.fromisoformat(said)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return moment if found == _cutoff(moment) else None


def _ends(cutoff: datetime | None, session: Opened) -> bool:
    return cutoff is not None and session.at < cutoff


def _is_ended(client: Client, owner: tuple[str, str], opened: Sequence[Opened]) -> bool:
    """Tell whether our policy is on a user or a role, and ends all of its sessions that the trail shows."""
    cutoff = _cutoff_of(client, owner)
    return cutoff is not None and all(_ends(cutoff, one) for one in opened if (one.kind, one.owner) == owner)
