"""Modes: what the containment mode of an incident forbids, and when it may be which."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from responder.action import changes
from responder.errors import PlanRefused, Problem
from responder.guards.case import Case
from responder.modes import GUARD, KILL, check_mode
from responder.state import RunState
from responder.unit import ENDED_WELL

if TYPE_CHECKING:
    from responder.providers.incident import Mode

NAME = GUARD
_ENDINGS = frozenset({"disable", "revoke"})


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse to end a credential too early for the mode, and to switch to a mode that does not fit."""
    from responder.providers.incident import Mode  # noqa: PLC0415 - only where something is changed

    if isinstance(case.resolved.action, Mode):
        yield from _of_switch(case, case.resolved.action)
        return
    ends = case.on_credential and changes(case.resolved.action)
    if not ends or case.resolved.name.rpartition(".")[2] not in _ENDINGS:
        return
    standing = case.state.standing
    waiting = _not_moved(case)
    way_out = f"deliver and test there first; or `responder set {case.state.run} mode=A1 --reason TEXT`"
    if standing.mode == "B" and waiting:
        told = f"the mode is overlap (B), and not seen working with a new credential: {', '.join(waiting)}"
        yield Problem(told, case.place, way_out)
    stop = standing.hard_stop
    if standing.mode == "A2" and standing.fenced and waiting and stop and case.now() < datetime.fromisoformat(stop):
        told = f"the mode is fence (A2), the fence holds until {stop}, and these have not moved: {', '.join(waiting)}"
        yield Problem(told, case.place, way_out)


def _of_switch(case: Case, mode: "Mode") -> Iterator[Problem]:
    approval = case.step.approval
    if mode.to != KILL and (approval is None or approval.on_timeout == "proceed"):
        yield Problem(
            f"switching to {mode.to} needs people's agreement, and silence is none",
            case.place,
            "add `approval:` with `on_timeout: abort`; only A1 is switched to at once",
        )
    facts = {"to": mode.to, "uncovered": mode.uncovered}
    if mode.within is not None:
        facts["hard_stop"] = (case.now() + mode.within).isoformat()
    try:
        check_mode(case.state, facts, case.now())
    except PlanRefused as refused:
        yield from refused.problems


def _not_moved(case: Case) -> list[str]:
    """Return the consumers that nobody has seen working with a new credential."""
    state = case.state
    proof = "credential.test_consumer"
    if not any(step.action == proof for step in state.playbook.steps):
        proof = "credential.deliver"
    moved = {
        str(unit.planned["with"]["consumer"]["id"])
        for unit in state.each()
        if unit.planned.get("action") == proof and unit.status in ENDED_WELL - {"skipped"}
    }
    if proof == "credential.deliver":
        moved |= _moved_by_hand(state)
    return [one.id for one in state.credential.consumers if one.id not in moved]


def _moved_by_hand(state: RunState) -> set[str]:
    """Return the consumers whose owners have said so, where no API makes or delivers a new credential."""
    tasks = [step.id for step in state.playbook.steps if step.action == "human.task" and step.phase == "recovery"]
    return {
        str(item["id"])
        for task in tasks
        if task in state.items
        for key, item in state.items[task].values.items()
        if isinstance(item, Mapping) and "id" in item and state.status(f"{task}[{key}]") == "done"
    }
