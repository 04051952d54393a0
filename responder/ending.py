"""How steps, sub-playbooks and runs end: summed up from what is inside them, and judged by their exit criteria."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from responder import schedule
from responder.gate import ABORTED, Verdict, judge_criterion, may_run, waits_for_children
from responder.means import Means
from responder.state import RunState
from responder.step import Step, waits_for_end_only, watched_by
from responder.unit import ENDED, Unit
from responder.waves import not_moved

Told = tuple[str, dict[str, Any]]
"""An event and its facts."""

_SHOWN = 5
_UNMET = "what it needs did not end well"


def sum_up_items(step: Step, state: RunState, *, stopped: bool = False) -> Told:
    """Return how a `for_each` ends, as its items ended. `stopped`: a person let no further wave begin."""
    units = {key: state.unit(f"{step.id}[{key}]") for key in state.items[step.id].values}
    if stopped:
        left = not_moved(step, state)
        told = f"stopped at the gate: {len(left)} of {len(units)} were not moved ({', '.join(left)})"
        return "failed", {"error": told, "kind": "declined", "not_moved": left}
    bad = {key: unit for key, unit in units.items() if unit.status in {"failed", "declined"}}
    if not bad:
        return "done", {"facts": {}, "items": len(units)}
    shown = ", ".join(list(bad)[:_SHOWN]) + (", ..." if len(bad) > _SHOWN else "")
    ways = {unit.status for unit in bad.values()}
    what = "failed or were declined" if len(ways) > 1 else "failed" if "failed" in ways else "were declined"
    first = min(bad.values(), key=lambda unit: unit.status != "failed")
    told = f"{len(bad)} of {len(units)} items {what} ({shown}): {first.error}"
    return "failed", {"error": told, "kind": first.error_kind or "declined"}


def sum_up_part(step: Step, state: RunState, means: Means) -> Told | None:
    """Return how a sub-playbook ends; None while a step of it may still move."""
    inner = state.playbook.inside(step.id)
    stuck = _stuck(inner, state)
    if any(state.status(one.id) not in ENDED and one.id not in stuck for one in inner):
        return None
    if any(
        one.on_error == "undo" and state.status(one.id) == "failed" and one.id not in state.undoing for one in inner
    ):
        return None  # what it changed is taken back first
    bad = [one for one in inner if state.status(one.id) in ENDED and not state.ended_well(one.id)]
    if bad:
        unit = state.unit(min(bad, key=lambda one: state.status(one.id) == "undone").id)
        return "failed", {"error": f"{unit.address} {unit.status}: {unit.error}", "kind": unit.error_kind or "declined"}
    if any(state.status(one.id) not in ENDED for one in inner):
        return None  # the run is being aborted, and skips them
    if any(state.status(one.id) == "skipped" and state.unit(one.id).error == ABORTED for one in inner):
        return "skipped", {"reason": ABORTED}
    criteria = judged(state.playbook.parts[step.id].exit, state, means, step.id)
    missed = [one for one in criteria if not one["held"]]
    if missed:
        told = f"its exit criterion does not hold: {missed[0]['criterion']} {missed[0]['why']}".rstrip()
        return "failed", {"error": told, "kind": "verification", "exit": criteria}
    return "done", {"facts": {}, "exit": criteria}


def _stuck(steps: list[Step], state: RunState) -> set[str]:
    """Return the steps that only a person's `retry` can move: barred by what failed, or waiting for such a step."""
    waiting = [step for step in steps if state.status(step.id) == "waiting" and not schedule.will_come(step, state)]
    stuck = {step.id for step in waiting if _barred(step, state)}
    while more := {step.id for step in waiting if stuck & set(state.playbook.needs[step.id])} - stuck:
        stuck |= more
    return stuck


def _barred(step: Step, state: RunState) -> bool:
    """Tell whether a waiting step cannot start, by how the others stand; its own `if` is judged at its own turn."""
    barred = may_run(step, state)
    if barred is not None:
        return barred.verdict is Verdict.BLOCKED
    needs = state.playbook.needs[step.id]
    bad = any(state.status(need) in ENDED and not state.ended_well(need) for need in needs)
    return bad and not waits_for_end_only(step)


def judged(texts: tuple[str, ...], state: RunState, means: Means, scope: str = "") -> list[dict[str, Any]]:
    """Return every exit criterion, whether it holds, and why it could not be judged if so."""
    found = [judge_criterion(text, state, means, scope) for text in texts]
    return [{"criterion": text, "held": held, "why": why} for text, held, why in found]


def failed_for_good(state: RunState) -> list[str]:
    """Return the steps whose failure halts the run until a person says what next."""
    return [
        step.id
        for step in state.playbook.steps
        if not step.scope and state.status(step.id) == "failed" and step.on_error in {"block", "undo"}
    ]


def starting_over(step: str, state: RunState) -> list[str]:
    """Return what starts over when a person has a step tried again: of a sub-playbook, what ended badly in it."""
    inner = state.playbook.inside(step)
    bad = [one.id for one in inner if state.status(one.id) in ENDED and not state.ended_well(one.id)]
    return [found for one in bad for found in starting_over(one, state)] or [step]


def waits_again(step: str, state: RunState) -> list[str]:
    """Return what was skipped because it needs a step, at first or at last, that a person has tried again."""
    playbook, gone = state.playbook, set(_with_scopes(step))
    unmet = [one for one in playbook.steps if state.status(one.id) == "skipped" and state.unit(one.id).error == _UNMET]
    found: dict[str, None] = {}
    while more := [one.id for one in unmet if one.id not in found and not gone.isdisjoint(playbook.needs[one.id])]:
        for name in more:
            found |= dict.fromkeys(inner.id for inner in playbook.whole(name) if state.status(inner.id) == "skipped")
        gone |= found.keys()
    return list(found)


def _with_scopes(step: str) -> list[str]:
    """Return a step, and the steps whose sub-playbooks it belongs to."""
    parts = step.partition("[")[0].split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def starts_in_vain(state: RunState, address: str) -> bool:
    """Tell whether a step that starts over goes no further, for an abort; what may have happened is read back."""
    step = state.playbook.by_id.get(address.partition("[")[0])
    return state.stops(step) and not state.unit(address).in_flight


def under_way(state: RunState) -> list[tuple[Step, Unit]]:
    """Return the steps that were begun and have not ended: they are never skipped for having nothing to do."""
    pairs = [(step, state.unit(step.id)) for step in state.playbook.steps]
    return [(step, unit) for step, unit in pairs if unit.status not in ENDED and unit.status != "waiting"]


def next_skipped(state: RunState) -> list[Step]:
    """Return which of the steps that will never start by themselves are skipped first: what hangs on no other of them.

    With a step that is kept from starting goes all that needs it, so that none of that starts because it was skipped;
    but what only waits for an end starts then, and so does what needs a step that has just nothing to do. A
    sub-playbook that was begun ends by what is inside it.
    """
    open_ones = [step for step in state.playbook.steps if state.status(step.id) not in ENDED]
    left = {step.id: step for step in open_ones if not step.playbook or state.status(step.id) == "waiting"}
    for watching in (True, False):
        first = [step for step in left.values() if not left.keys() & _awaited(step, state, watching=watching)]
        if first:
            gone = {step.id for step in first if not _watched_in_vain(step, state)}
            while more := {one for one, step in left.items() if _follows(step, gone, state)} - gone:
                gone |= more
            return [step for step in left.values() if step in first or step.id in gone]
    return []


def _follows(step: Step, gone: set[str], state: RunState) -> bool:
    return not waits_for_end_only(step) and not gone.isdisjoint(state.playbook.needs[step.id])


def _watched_in_vain(step: Step, state: RunState) -> bool:
    return step.start is not None and bool(step.start.when) and not _barred(step, state)


def _awaited(step: Step, state: RunState, *, watching: bool) -> set[str]:
    """Return the steps that a step waits for; with those that it watches where `watching`."""
    awaited = {*state.playbook.needs[step.id], step.scope}
    return awaited | (watched_by(step) if watching else set())


def left_over(step: Step, state: RunState, *, aborting: bool) -> str:
    """Return why a step that never began is skipped when the run ends."""
    if aborting:
        return ABORTED
    if step.start is not None and step.start.when:
        return "what it watched for never became true"
    if not all(state.ended_well(need) for need in state.playbook.needs[step.id]):
        return _UNMET
    if step.start is not None and state.unit(step.id).schedule.get("pending"):
        return f"its time never came to be known: {step.start.not_before}"
    return "another leaked credential of this incident is not dead" if waits_for_children(step) else _UNMET


def past_limit(step: Step, unit: Unit, now: datetime) -> bool:
    """Tell whether a step has taken longer than it may."""
    return step.limit is not None and unit.began_at is not None and now >= unit.began_at + step.limit


def wake_at(
    state: RunState,
    now: datetime,
    parked: Callable[[str], Iterable[str]],
    stands_still: Callable[[Step, Unit], bool],
) -> datetime | None:
    """Return the next moment at which something of a run is due by itself; None where only others can move it."""
    moments: list[datetime] = []
    for step in state.playbook.steps:
        unit = state.unit(step.id)
        if unit.status in ENDED:
            continue
        if unit.status == "waiting":
            moments += schedule.moments(step, state, now) if step.start is not None else []
            continue
        units = [unit, *(state.unit(address) for address in parked(step.id))]
        moments += [one.next_at for one in units if one.next_at is not None and not stands_still(step, one)]
        if step.limit is not None and unit.began_at is not None and not past_limit(step, unit, now):
            moments.append(unit.began_at + step.limit)
    moments += [ask.due_at for ask in state.asks() if ask.due_at is not None]
    return min(moments, default=None)
