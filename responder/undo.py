"""What a failed step and its needs have changed, as the steps that take it back, newest first."""

from collections.abc import Mapping
from typing import Any

from responder.action import Change, Invertible
from responder.errors import ResponderError
from responder.means import Means
from responder.resolve import plain, rebuild
from responder.state import RunState
from responder.step import Step
from responder.subject import CredentialAction
from responder.unit import ENDED, Unit

_NEVER = "it was done to the leaked credential, and nothing leads back to that"


def taking_back(failed: Step, state: RunState, means: Means) -> dict[str, Any]:
    """Return the facts of an undoing: the steps that take back what was changed, and what stays, with its reason."""
    steps: list[dict[str, Any]] = []
    kept: list[dict[str, str]] = []
    changed = [(step, _changed(step, state)) for step in _concerned(failed, state) if not _under_way(step, state)]
    for step, units in sorted(changed, key=lambda pair: _newest(pair[1]), reverse=True):
        records: dict[str, Mapping[str, Any]] = {}
        for unit in units:
            record, reason = _inverse(step, unit, state, means)
            if record is None:
                kept.append({"step": unit.address, "reason": reason})
            else:
                records[unit.address] = record
        if records:
            steps.append(_step(step, state, records, after=steps[-1]["step"]["id"] if steps else ""))
    return {"steps": steps, "kept": kept}


def _concerned(failed: Step, state: RunState) -> list[Step]:
    needed = [step for need in state.playbook.needs[failed.id] for step in state.playbook.whole(need)]
    return list({step.id: step for step in (failed, *needed) if not step.id.endswith("~undo")}.values())


def _under_way(step: Step, state: RunState) -> bool:
    """Tell whether a step is being taken back already, for another that failed."""
    return f"{step.id}~undo" in state.playbook.by_id and state.status(f"{step.id}~undo") not in ENDED


def _changed(step: Step, state: RunState) -> list[Unit]:
    """Return what of a step was sent: itself, or its items."""
    addresses = [step.id]
    if step.id in state.items:
        addresses = [f"{step.id}[{key}]" for key in state.items[step.id].values]
    units = [state.units[address] for address in addresses if address in state.units]
    return [unit for unit in units if (unit.changed or unit.in_flight) and unit.status != "undone"]


def _newest(units: list[Unit]) -> float:
    return max((unit.intended_at.timestamp() for unit in units if unit.intended_at), default=0.0)


def _inverse(step: Step, unit: Unit, state: RunState, means: Means) -> tuple[Mapping[str, Any] | None, str]:
    """Return how the timeline writes the action that takes a change back; or why there is none."""
    if unit.in_flight:
        return None, "nobody knows whether it took effect"
    try:
        resolved = rebuild(unit.planned, step, state, means)
    except ResponderError as error:
        return None, str(error)
    if isinstance(resolved.action, CredentialAction) and step.action in _ENDINGS:
        return None, _NEVER
    if not isinstance(resolved.action, Invertible):
        return None, "this action cannot be taken back"
    planned = unit.planned
    change = Change(planned["target"], planned["before"], planned["after"], preconditions=planned["preconditions"])
    action = resolved.action.inverse(change)
    if action is None:
        return None, "this change stays: its provider knows no way back from it"
    given = action.model_dump(mode="python", exclude={"subject"}, exclude_defaults=True)
    return {"action": action.name, "connection": resolved.connection.name, "with": plain(given)}, ""


_ENDINGS = frozenset({"credential.disable", "credential.revoke", "credential.end_sessions", "credential.fence"})


def _step(step: Step, state: RunState, records: Mapping[str, Mapping[str, Any]], after: str) -> dict[str, Any]:
    """Return a step that takes another back, as the timeline writes it."""
    one = step.model_copy(
        update={
            "id": f"{step.id}~undo",
            "title": f"take back: {step.title or step.id}",
            "action": str(next(iter(records.values()))["action"]),
            "needs": (after,) if after else (),
            "with_": {},
            "connection": "",
            "as_": "",
            "condition": "",
            "start": None,
            "waves": (),
            "gate": "",
            "meets": None,
            "on_error": "continue",
        }
    )
    told = {"step": one.model_dump(mode="json", by_alias=True)}
    if step.id in state.items:
        return {**told, "items": {address.partition("[")[2][:-1]: record for address, record in records.items()}}
    return {**told, "record": records[step.id]}
