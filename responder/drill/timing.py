"""The shortest time that a run could have taken: what the world, people and clocks took, along the longest path."""

from collections.abc import Sequence
from datetime import datetime

from responder.clock import Clock
from responder.entry import Entry
from responder.playbook import Step, dependencies
from responder.state import RunState
from responder.unit import Unit


def critical_path(state: RunState, entries: Sequence[Entry], clock: Clock) -> float:
    """Return the real seconds of the longest path through the steps, counting only waiting for others.

    A step weighs what its requests took on the network, how long people took to answer, and how long it had to wait
    for a moment that its provider or its `retry` named. An item-by-item step weighs its longest item, or all of them
    divided by how many run at once.
    """
    waits = _waits(state.run, entries, clock)
    ends: dict[str, float] = {}
    for step in _in_order(state):
        begins = max((ends.get(need, 0.0) for need in dependencies(step)), default=0.0)
        ends[step.id] = begins + _weight(step, state, waits)
    return max(ends.values(), default=0.0)


def _in_order(state: RunState) -> list[Step]:
    """Return the steps so that each stands after what it depends on."""
    left = {step.id: step for step in state.playbook.steps}
    ordered: list[Step] = []
    while left:
        free = [step for step in left.values() if not dependencies(step) & left.keys()]
        ordered += free
        for step in free:
            del left[step.id]
    return ordered


def _weight(step: Step, state: RunState, waits: dict[str, float]) -> float:
    own = _unit_weight(state.unit(step.id), waits)
    if step.id not in state.items:
        return own
    items = [_unit_weight(state.unit(f"{step.id}[{key}]"), waits) for key in state.items[step.id].values]
    return own + max(max(items, default=0.0), sum(items) / step.max_parallel)


def _unit_weight(unit: Unit, waits: dict[str, float]) -> float:
    return unit.io_seconds + waits.get(unit.address, 0.0)


def _waits(run: str, entries: Sequence[Entry], clock: Clock) -> dict[str, float]:
    """Return, per step or item, the real seconds spent waiting for people's answers and for named moments."""
    waits: dict[str, float] = {}
    asked: dict[str, datetime] = {}
    for entry in entries:
        if entry.run != run:
            continue
        if entry.event == "asked":
            asked[entry.step] = entry.at
        elif entry.event in {"agreed", "declined", "decided", "expired", "answered"} and entry.step in asked:
            _add(waits, entry.step, asked.pop(entry.step), entry.at, clock)
        elif entry.event in {"observed", "retrying", "unknown"} and entry.facts.get("next_at"):
            _add(waits, entry.step, entry.at, datetime.fromisoformat(entry.facts["next_at"]), clock)
    return waits


def _add(waits: dict[str, float], step: str, start: datetime, end: datetime, clock: Clock) -> None:
    waits[step] = waits.get(step, 0.0) + clock.real_seconds(max(0.0, (end - start).total_seconds()))
