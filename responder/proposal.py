"""What a step proposes to change: as people agree to it, as the timeline writes it, and as it is read again."""

from collections.abc import Mapping
from typing import Any

from responder.action import Change, Identity
from responder.resolve import Resolved
from responder.step import Step
from responder.unit import Unit


def signed(change: Change, resolved: Resolved, unit: Unit | None = None) -> Change:
    """Return a change with all that an approval signs: until when it may start, and what it goes instead of."""
    conditions = dict(change.preconditions)
    latest = unit.schedule.get("latest") if unit else None
    if latest is not None:
        conditions["latest start"] = latest or "any time"
    switched = resolved.record.get("switched")
    if not switched:
        return change._replace(preconditions=conditions)
    conditions["instead of"] = switched["from"]
    told = f"switched from {switched['from']} to {switched['to']}, because {switched['why']}"
    return change._replace(before=f"{change.before}; {told}", preconditions=conditions)


def proposed(change: Change, resolved: Resolved, step: Step, identity: Identity, seconds: float) -> dict[str, Any]:
    """Return the facts of a `planned` entry. `seconds`: how long reading took, in real time."""
    effect = resolved.action.effect
    return {
        **resolved.record,
        "declared": step.action,
        "account": identity.account,
        "effect": effect.value,
        "target": change.target,
        "before": change.before,
        "after": change.after,
        "breaks": change.breaks,
        "preconditions": dict(change.preconditions),
        "digest": change.digest(resolved.name, identity.account, effect),
        "io_seconds": seconds,
    }


def change_of(planned: Mapping[str, Any]) -> Change:
    """Return the change that was planned, from the timeline."""
    breaks, preconditions = planned.get("breaks", ""), planned.get("preconditions", {})
    return Change(planned["target"], planned["before"], planned["after"], breaks, preconditions)
