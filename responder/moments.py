"""When a run's deadlines are due, from its record alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from responder.anchors import PROVEN, Found, Moments
from responder.due import Deadline
from responder.state import RunState
from responder.unit import ENDED_WELL


def clock(state: RunState, name: str, instead: Mapping[str, Any] | None = None) -> datetime | None:
    """Return a moment of the incident as a run sees it; None where it has not happened.

    `instead`: moments of the incident as they would be, by name.
    """
    if name == PROVEN:
        return state.contained_at
    # A credential that was found on the way has its own time of awareness.
    own = state.started if state.started.get("parent") and name == "aware_at" else {**state.incident, **(instead or {})}
    value = own.get(name)
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


def met(state: RunState, name: str) -> tuple[datetime | None, str]:
    """Return when a deadline was first met, and by which step."""
    found = [
        (unit.ended_at, step.id)
        for step in state.playbook.steps
        if step.meets == name
        and (unit := state.units.get(step.id))
        and unit.status in ENDED_WELL - {"skipped"}
        and unit.ended_at
    ]
    return min(found, default=(None, ""))


def due(state: RunState, deadline: Deadline, instead: Mapping[str, Any] | None = None) -> Found:
    """Return when a deadline of a run is due, as far as is known. SettingsError where its zone is not known here."""
    moments = Moments(lambda name: clock(state, name, instead), lambda name: met(state, name)[0])
    organisation = state.started.get("organisation") or {}
    time_zone, holidays = str(organisation.get("time_zone") or "UTC"), state.started.get("holidays") or {}
    return deadline.due(moments, time_zone, holidays)
