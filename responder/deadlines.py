"""How a run's deadlines stand: pending, running, overdue, met or late."""

from dataclasses import dataclass
from datetime import datetime

from responder.errors import InputError
from responder.expressions import evaluate
from responder.naming import incident_facts
from responder.playbook import Deadline
from responder.state import RunState
from responder.unit import ENDED_WELL


@dataclass(frozen=True)
class ClockView:
    """A deadline, and how it stands."""

    name: str
    role: str
    state: str
    """`pending, running, overdue, met, late, off`."""
    since: str
    """The field of the incident at which it starts."""
    due_at: datetime | None
    left_seconds: int | None
    met_at: datetime | None
    met_by: str


def clock_view(name: str, deadline: Deadline, state: RunState, now: datetime) -> ClockView:
    """Return how one deadline of a run stands at a moment."""
    anchor = incident_facts(state).get(deadline.anchor)
    due_at = anchor + deadline.within if isinstance(anchor, datetime) else None
    met_at, met_by = _met(name, state)
    kind = _clock_state(due_at, met_at, now) if _applies(deadline, state, now) else "off"
    left = seconds_left(due_at, now) if kind in {"running", "overdue"} else None
    return ClockView(name, deadline.role, kind, deadline.anchor, due_at, left, met_at, met_by)


def _clock_state(due_at: datetime | None, met_at: datetime | None, now: datetime) -> str:
    if met_at is not None:
        return "late" if due_at is not None and met_at > due_at else "met"
    if due_at is None:
        return "pending"
    return "overdue" if now > due_at else "running"


def _met(name: str, state: RunState) -> tuple[datetime | None, str]:
    """Return when a deadline was first met, and by which step."""
    met = [
        (unit.ended_at, step.id)
        for step in state.playbook.steps
        if step.meets == name
        and (unit := state.units.get(step.id))
        and unit.status in ENDED_WELL - {"skipped"}
        and unit.ended_at
    ]
    return min(met, default=(None, ""))


def _applies(deadline: Deadline, state: RunState, now: datetime) -> bool:
    """Tell whether a deadline's condition holds; one that cannot be judged yet counts as holding."""
    if not deadline.condition:
        return True
    started = state.started
    names = {
        "inputs": started.get("inputs", {}),
        "incident": incident_facts(state),
        "facts": {**started.get("facts", {}), **state.given},
        "people": state.people,
        "audiences": started.get("audiences", {}),
        "organisation": started.get("organisation", {}),
        "now": now,
    }
    try:
        return bool(evaluate(deadline.condition, names))
    except InputError:
        return True


def seconds_left(due_at: datetime | None, now: datetime) -> int | None:
    """Return the seconds until a moment, negative once it is past; None where there is no such moment."""
    return None if due_at is None else round((due_at - now).total_seconds())
