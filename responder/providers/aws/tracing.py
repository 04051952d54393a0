"""Who used a key, and who depends on it, as CloudTrail's event history tells it."""

from datetime import timedelta
from typing import Any, ClassVar

from responder.action import Outcome
from responder.credential import Consumers, CredentialAction, Interval, Records, Use, Used
from responder.errors import Denied
from responder.providers.aws.client import Client
from responder.providers.aws.keys import FINDING, find, key_of
from responder.providers.aws.policies import simulated
from responder.providers.aws.sessions import DELAY, events

_KEPT = timedelta(days=90)
"""CloudTrail guide, "Working with CloudTrail event history": the past 90 days of management events in a region."""
_ERASING = ("cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:PutEventSelectors")
_BLIND = "data events, such as s3:GetObject, dynamodb:GetItem and lambda:Invoke; regions that were not asked"
_NEEDS = ("cloudtrail:LookupEvents", *FINDING, "iam:GetUser", "iam:SimulatePrincipalPolicy")


def usage(action: CredentialAction, client: Client, span: Interval) -> Records:
    """Read the event history of every region that the connection names."""
    key_id = key_of(action, client)
    now = client.access.clock.now()
    oldest, newest = now - _KEPT, now - DELAY
    since, until = max(span.since, oldest), min(span.until, now)
    rows, since = events(client, key_id, since, until) if since < until else ([], since)
    return Records(
        uses=[_use(row) for row in rows],
        covered=[Interval(since, min(until, newest))] if since < min(until, newest) else [],
        sources=[f"CloudTrail event history of {region}, management events" for region in client.all_regions()],
        trusted=not _could_erase(client, key_id),
        kept_since=oldest,
        kept_for=_KEPT,
    )


class ReadUses(Used):
    """Read from CloudTrail who used the key, in every region that the connection names.

    The event history holds management events of 90 days, about 15 minutes late. It holds no data events: that nobody
    is listed does not mean that no object was read. `not_seen` says so; `covered` is about management events alone. Of
    very many rows the newest 3000 of each region are read, and `covered` begins there.
    `trusted` is false where the key's user may stop a trail, or where IAM does not tell us whether it may.
    """

    permissions: ClassVar[tuple[str, ...]] = _NEEDS

    def usage(self, client: Client, span: Interval) -> Records:
        """Read the event history."""
        return usage(self, client, span)

    def read(self, client: Client) -> Outcome:
        """Read the history, and say what it cannot show."""
        outcome = super().read(client)
        return Outcome({**outcome.facts, "not_seen": _BLIND}, evidence=outcome.evidence)


class ReadConsumers(Consumers):
    """Compare the consumers of the inventory with those that CloudTrail shows; data events it does not show."""

    permissions: ClassVar[tuple[str, ...]] = _NEEDS

    def usage(self, client: Client, span: Interval) -> Records:
        """Read the event history."""
        return usage(self, client, span)


def _use(row: dict[str, Any]) -> Use:
    product = row["source"].removesuffix(".amazonaws.com")
    failed = f" ({row['errorCode']})" if row.get("errorCode") else ""
    return Use(
        at=row["at"],
        what=f"{product}:{row['eventName']}{failed}",
        address=str(row.get("sourceIPAddress", "")),
        agent=str(row.get("userAgent", "")),
    )


def _could_erase(client: Client, key_id: str) -> bool:
    """Tell whether the key's user may blind a trail; a user that cannot be found could have.

    The event history itself cannot be edited, and no setting of a trail applies to it (CloudTrail guide, "Working with
    CloudTrail event history"); but whoever may do this was out to hide, and may have worked where it does not look.
    """
    try:
        held = find(client, key_id)
        return held is None or bool(simulated(client, held.user, _ERASING))
    except Denied:
        return True
