"""How a run's deadlines stand: pending, running, overdue, met or late."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from responder.anchors import CLOCKS, Submission
from responder.due import Deadline
from responder.errors import InputError
from responder.expressions import evaluate
from responder.moments import clock, due, met
from responder.naming import incident_facts
from responder.state import RunState


class ClockView(NamedTuple):
    """A deadline, and how it stands."""

    name: str
    role: str
    owners: tuple[str, ...]
    """The ids of those who have the role."""
    state: str
    """`pending, running, overdue, met, late, off`."""
    since: str
    """From what it is counted, as the playbook writes it."""
    awaits: tuple[str, ...]
    """What has not happened: a pending clock hangs on it, and one that runs may be due earlier once it does."""
    due_at: datetime | None
    proposed_due_at: datetime | None
    """When it would be due after a correction that its owner has not agreed to."""
    left_seconds: int | None
    met_at: datetime | None
    met_by: str


def clock_view(name: str, deadline: Deadline, state: RunState, now: datetime) -> ClockView:
    """Return how one deadline of a run stands at a moment. SettingsError where its zone is not known here."""
    found = due(state, deadline)
    met_at, met_by = met(state, name)
    kind = "off" if is_off(name, state, now) else judged(found.at, met_at, now)
    return ClockView(
        name=name,
        role=deadline.role,
        owners=tuple(one for one, person in state.people.items() if deadline.role in person["roles"]),
        state=kind,
        since=str(deadline.from_),
        awaits=tuple(map(str, found.awaits)) if kind in {"pending", "running", "overdue"} else (),
        due_at=found.at,
        proposed_due_at=_proposed(name, state),
        left_seconds=seconds_left(found.at, now) if kind in {"running", "overdue"} else None,
        met_at=met_at,
        met_by=met_by,
    )


def judged(due_at: datetime | None, met_at: datetime | None, now: datetime) -> str:
    """Return how a deadline stands that counts."""
    if met_at is not None:
        return "late" if due_at is not None and met_at > due_at else "met"
    if due_at is None:
        return "pending"
    return "overdue" if now > due_at else "running"


def _proposed(name: str, state: RunState) -> datetime | None:
    """Return the latest due time that open corrections would give a deadline."""
    moves = (move for one in state.corrections.values() for move in one.moves)
    own = (move for move in moves if (move.run, move.deadline) == (state.run, name))
    return max((move.new for move in own if move.new), default=None)


def is_off(name: str, state: RunState, now: datetime, instead: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a deadline does not count: by its condition, or for what it waits for will never be submitted.

    `instead`: moments of the incident as they would be, by name.
    """
    deadline = state.playbook.deadlines[name]
    if not _applies(name, deadline, state, now, instead or {}):
        return True
    found = due(state, deadline, instead)
    waiting = [one.deadline for one in found.awaits if isinstance(one, Submission)]
    return found.at is None and any(is_off(other, state, now, instead) for other in waiting)


def _applies(name: str, deadline: Deadline, state: RunState, now: datetime, instead: Mapping[str, Any]) -> bool:
    """Tell whether a deadline's condition holds; one that cannot be judged yet counts as holding."""
    if not deadline.condition:
        return True
    started = state.started
    names = {
        "inputs": state.inputs_of(name.rpartition("/")[0]),
        "incident": {**incident_facts(state), **{one: clock(state, one, instead) for one in CLOCKS}},
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
