"""Waves: how many items of a `for_each` may be begun, and whether the next wave may start."""

import json
import math
from typing import Any

from responder.asking import question
from responder.errors import InputError
from responder.expressions import evaluate
from responder.means import Means
from responder.naming import names
from responder.state import RunState
from responder.step import Step
from responder.unit import ENDED, ENDED_WELL

ANSWERS = {
    "continue": "let the next wave begin all the same",
    "again": "judge the gate once more",
    "stop": "begin no further wave; who was not moved is listed",
}
"""What people may say at a gate that is not true."""


def released_at_first(step: Step, total: int) -> int:
    """Return how many items the first wave takes; all where there are no waves."""
    return next_release(step, total, 0) if step.waves else total


def next_release(step: Step, total: int, released: int) -> int:
    """Return how many items may be begun once the next wave starts."""
    reached = 0
    for wave in step.waves:
        reached = min(total, reached + _size(wave, total))
        if reached > released:
            return reached
    return min(total, released + _size(step.waves[-1], total))


def _size(wave: int | str, total: int) -> int:
    return wave if isinstance(wave, int) else max(1, math.ceil(total * int(wave[:-1]) / 100))


def wave_over(step: Step, state: RunState) -> bool:
    """Tell whether every item that may be begun has ended, while others wait for their wave."""
    items = state.items[step.id]
    if items.released >= len(items.values):
        return False
    begun = list(items.values)[: items.released]
    return all(state.unit(f"{step.id}[{key}]").status in ENDED for key in begun)


def not_moved(step: Step, state: RunState) -> list[str]:
    """Return the keys of the items that did not end well, or were never begun."""
    items = state.items[step.id].values
    return [key for key in items if state.unit(f"{step.id}[{key}]").status not in ENDED_WELL]


def judge_gate(step: Step, state: RunState, means: Means) -> tuple[bool, str]:
    """Return whether the next wave may start, and why; what cannot be judged is not true.

    Without an expression, every item so far must have ended well.
    """
    if not step.gate:
        items = state.items[step.id]
        bad = [key for key in list(items.values)[: items.released] if key in set(not_moved(step, state))]
        return not bad, f"{', '.join(bad)} did not end well" if bad else "all so far ended well"
    shown = step.gate.replace("${{", "").replace("}}", "").strip()
    try:
        value = evaluate(step.gate, names(state, means, scope=step.scope))
    except InputError as error:
        return False, f"{shown} cannot be judged: {error}"
    return value is True, f"{shown} is {json.dumps(value, default=str)}"


def gate_question(step: Step, state: RunState, reason: str) -> dict[str, Any]:
    """Return the facts of the question that people are asked at a gate."""
    items = state.items[step.id]
    role = step.approval.role if step.approval else next(iter(state.playbook.roles), "")
    left = len(items.values) - items.released
    text = f"The gate before the next wave of {step.id} is not true: {reason}. {left} of {len(items.values)} wait."
    return question("gate", role, due_at=None, digest=f"wave after {items.released}", text=text, options=dict(ANSWERS))
