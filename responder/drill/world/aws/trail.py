"""CloudTrail's event history: management events alone, a region at a time, late, and for ninety days."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from responder.drill.world.aws.account import Account
from responder.drill.world.aws.model import Event
from responder.drill.world.aws.protocol import Call, Done, Refused

_KEPT = timedelta(days=90)
_PAGE = 50


def lookup_events(account: Account, call: Call) -> Done:
    """Return events, newest first, by one attribute."""
    attributes = call.fields.get("LookupAttributes") or []
    if len(attributes) != 1:
        raise Refused(400, "InvalidLookupAttributesException", "You must specify one lookup attribute.")
    kind, value = attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]
    if kind != "AccessKeyId":
        raise Refused(400, "InvalidLookupAttributesException", f"the drill's trail does not look up by {kind}")
    first, last = (_time(call.fields.get(name)) for name in ("StartTime", "EndTime"))
    seen = account.now - timedelta(seconds=account.trail_seconds)
    found = [
        event
        for event in reversed(account.events)
        if event.key_id == value
        and event.region == call.region
        and account.now - _KEPT <= event.at <= seen
        and (first is None or first <= event.at)
        and (last is None or event.at <= last)
    ]
    start = int(call.fields.get("NextToken") or 0)
    more = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(found) else {}
    return Done({"Events": [_shown(one) for one in found[start : start + _PAGE]]} | more)


def _time(value: Any) -> datetime | None:
    return datetime.fromtimestamp(float(value), UTC) if value is not None else None


def _shown(event: Event) -> dict[str, Any]:
    return {
        "EventName": event.name,
        "EventTime": event.at,
        "EventSource": f"{event.product}.amazonaws.com",
        "AccessKeyId": event.key_id,
        "Username": event.user,
        "CloudTrailEvent": json.dumps(event.shown),
    }


OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {"cloudtrail:LookupEvents": lookup_events}
