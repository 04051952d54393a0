"""How far each step of a run is, and what it waits for, in words."""

from datetime import datetime, timedelta
from typing import NamedTuple

from responder.clock import show_time
from responder.playbook import Step, dependencies
from responder.state import RunState
from responder.unit import ENDED, Unit


class ItemsView(NamedTuple):
    """How far a `for_each` has come."""

    total: int
    ended: int
    failed: int


class StepView(NamedTuple):
    """One step, as the record says it."""

    id: str
    title: str
    phase: str
    action: str
    status: str
    """`waiting, running, done, unchanged, skipped, declined, failed, unknown, undone`."""
    note: str
    """What it waits for, or why it ended as it did."""
    items: ItemsView | None
    meets: str
    """The deadline that it fulfils."""
    began_at: datetime | None
    ended_at: datetime | None
    next_at: datetime | None
    """When it is tried or looked at again."""


def step_view(state: RunState, step: Step, now: datetime) -> StepView:
    """Return one step, as the record says it."""
    unit = state.units.get(step.id) or Unit(step.id)
    return StepView(
        id=step.id,
        title=step.title,
        phase=step.phase,
        action=step.does,
        status="running" if unit.status == "applied" else unit.status,
        note=_note(state, step, unit, now),
        items=_items(state, step.id),
        meets=step.meets or "",
        began_at=unit.began_at,
        ended_at=unit.ended_at if unit.status in ENDED else None,
        next_at=unit.next_at,
    )


def _items(state: RunState, step: str) -> ItemsView | None:
    items = state.items.get(step)
    if items is None:
        return None
    bad = sum(state.status(f"{step}[{key}]") in {"failed", "declined"} for key in items.values)
    return ItemsView(len(items.values), items.ended, bad)


def _note(state: RunState, step: Step, unit: Unit, now: datetime) -> str:
    """Return in a few words what a step waits for, what it has come to, or why it ended as it did."""
    if unit.status == "waiting":
        return (f"asks {unit.ask.role}; " if unit.ask else "") + _waits_for(state, step, unit)
    if unit.status == "undone":
        return "taken back"
    if unit.status in {"skipped", "declined", "failed", "unknown"}:
        return first_line(unit.error)
    if unit.status in {"done", "unchanged"}:
        return _came_to(unit)
    if unit.ask is not None:
        return f"waits for {unit.ask.role}"
    again = f", again in {span(unit.next_at - now)}" if unit.next_at and unit.next_at > now else ""
    if unit.looks:
        return f"look {len(unit.looks)}: {unit.looks[-1].verdict}{again}"
    if unit.tries:
        return f"try {unit.tries + 1}: {first_line(unit.error)}{again}"
    return str(unit.planned.get("target") or "")


def _came_to(unit: Unit) -> str:
    """Return what a step that ended well came to; of a message, where it went."""
    told = next((unit.facts[name] for name in ("verdict", "choice", "state") if unit.facts.get(name)), "")
    shown = "target" if unit.planned.get("effect") == "message" else "after"
    return str(told or unit.planned.get(shown) or "")


def _waits_for(state: RunState, step: Step, unit: Unit) -> str:
    known = {name: unit.schedule.get(key) for name, key in (("not before", "not_before"), ("by", "hard_stop"))}
    begins = [f"{name} {show_time(datetime.fromisoformat(moment))}" for name, moment in known.items() if moment]
    if begins or (step.start is not None and step.start.when):
        return ", ".join([*begins, *(["once its `when` is true"] if step.start and step.start.when else [])])
    needs = sorted(dependencies(step))
    bad = [need for need in needs if state.status(need) in ENDED and not state.ended_well(need)]
    if bad:
        return f"blocked: {bad[0]} {state.status(bad[0])}"
    left = [need for need in needs if state.status(need) not in ENDED]
    return f"after {', '.join(left)}" if left else ""


def first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.partition("\n")[0]


def span(time: timedelta) -> str:
    """Show a length of time as people say it: `45s`, `12m`, `3h 20m`, `2d 4h`."""
    seconds = int(abs(time.total_seconds()))
    if seconds < 60:  # noqa: PLR2004 - plain units of time
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not hours:
        return f"{minutes}m" if minutes >= 10 or not seconds % 60 else f"{minutes}m {seconds % 60}s"  # noqa: PLR2004 - plain units of time
    if not days:
        return f"{hours}h {minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{days}d {hours % 24}h" if hours % 24 else f"{days}d"
