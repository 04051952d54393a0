"""Temporary keys that were opened with the leaked one, and ending them.

No call lists sessions. CloudTrail shows who opened them, about 15 minutes later; a policy that denies whatever was
issued before a moment ends them (IAM guide, "Revoking IAM role temporary security credentials").
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import EndSessions, Sessions
from responder.errors import ProviderError, Unavailable
from responder.providers.aws.client import Client, time_of
from responder.providers.aws.keys import FINDING, Held, confirm_gone, find, key_of, not_our_own
from responder.providers.aws.policies import CUTOFF, arn_of, trusting, write, written

_OPENERS = {"GetSessionToken": "User", "GetFederationToken": "User", "AssumeRole": "Role"}
_LONGEST = timedelta(hours=36)  # GetSessionToken and GetFederationToken; a role's are 12 hours at most
_FORMS = ("%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%SZ")
READING = ("cloudtrail:LookupEvents", *FINDING, "iam:GetUserPolicy", "iam:GetRolePolicy")


class Opened(NamedTuple):
    """A session, as CloudTrail shows its opening."""

    key_id: str
    kind: str
    """`User` or `Role`."""
    owner: str
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
    of AWS services cannot be changed, and are refused. A policy takes some minutes to be felt. Without CloudTrail the
    roles are those whose trust policy names the user.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *READING, "iam:PutUserPolicy", "iam:PutRolePolicy", "iam:GetUser", "iam:ListRoles", "sts:GetCallerIdentity",
    )  # fmt: skip

    def plan(self, client: Client) -> Change | Unchanged:
        """Read which sessions there were, and from when on our policies end them."""
        key_id = key_of(self, client)
        held = find(client, key_id)
        if held is not None:
            not_our_own(client, held.user, "Ending the sessions")
        opened = openings(client, key_id) if client.options.cloudtrail else []
        owners = _owners(client, held, opened)
        if not owners:
            return Unchanged(confirm_gone(client, key_id) + ", and CloudTrail shows no session of it", {"open": 0})
        missing = [owner for owner in owners if not _is_ended(client, owner, opened)]
        if not missing:
            return Unchanged(f"what was issued before is denied to {_named(owners)}", {"open": 0})
        told = _named(missing)
        return Change(
            target=f"sessions of {told}",
            before=f"{len(opened)} that CloudTrail shows" if client.options.cloudtrail else "nobody can tell",
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
    rows = [row for row in events(client, key_id, now - _LONGEST, now) if row["eventName"] in _OPENERS]
    return [one for row in rows if (one := _opened(row)) is not None and one.until > now]


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
    """Return whose sessions may have been opened: the key's user, and the roles, sorted."""
    owners = {(one.kind, one.owner) for one in opened}
    if held is not None:
        owners.add(("User", held.user))
        if not client.options.cloudtrail:
            owners |= {("Role", role) for role in trusting(client, arn_of(client, held.user))}
    return sorted(owners)


def _named(owners: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{kind.lower()} {name}" for kind, name in owners)


def events(client: Client, key_id: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return the rows of CloudTrail about a key, from every region that the connection names, oldest first."""
    found: list[dict[str, Any]] = []
    for region in client.all_regions():
        rows = client.items(
            "cloudtrail", "LookupEvents", "Events", region=region, StartTime=since, EndTime=until,
            LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": key_id}],
        )  # fmt: skip
        for row in rows:
            shown = json.loads(row.get("CloudTrailEvent") or "{}")
            found.append({**shown, "at": row["EventTime"].astimezone(UTC), "eventName": str(row.get("EventName", "")),
                          "user": str(row.get("Username", "")), "source": str(row.get("EventSource", ""))})  # fmt: skip
    return sorted(found, key=lambda row: row["at"])


def _opened(row: Mapping[str, Any]) -> Opened | None:
    """Read a row as the opening of a session; None where it failed."""
    given = (row.get("responseElements") or {}).get("credentials") or {}
    if not given:
        return None
    kind = _OPENERS[row["eventName"]]
    arn = str((row.get("requestParameters") or {}).get("roleArn", ""))
    owner = arn.rpartition("/")[2] if kind == "Role" else row["user"]
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
    found = written(client, owner[0], owner[1], CUTOFF)
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
