"""Whether a step may start: what it needs, what its `if` says, and whether other leaks must be dead first."""

import hashlib
import json
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from responder.errors import InputError, PlaybookError
from responder.expressions import evaluate
from responder.means import Means
from responder.naming import can, names
from responder.playbook import Step, waits_for_end_only
from responder.state import RunState
from responder.unit import ENDED

ABORTED = "the run was aborted"


class Verdict(Enum):
    """What a step may do now."""

    GO = auto()
    WAIT = auto()
    BLOCKED = auto()
    """What it needs did not end well; only a person's `retry` can change that."""
    SKIP = auto()


class Judged(NamedTuple):
    """A verdict with its reason."""

    verdict: Verdict
    reason: str = ""


def gate(step: Step, state: RunState, means: Means, *, whatever_its_needs: bool = False) -> Judged:
    """Judge whether a waiting step may start now."""
    barred = may_run(step, state)
    if barred is not None:
        return barred
    if whatever_its_needs:
        return _condition(step, state, means, early=True)
    unmet = awaited(step, state)
    if unmet:
        return Judged(Verdict.WAIT, f"waits for {unmet}")
    if not waits_for_end_only(step):
        needs = state.playbook.needs[step.id]
        bad = [need for need in needs if not state.ended_well(need)]
        if bad:
            return Judged(Verdict.BLOCKED, f"{bad[0]} {state.status(bad[0])}")
    if paused(step, state):
        return Judged(Verdict.WAIT, "another run is about a credential that is being delivered here")
    if waits_for_children(step) and any(
        not (child.state == "ended" and child.contained) for child in state.children.values()
    ):
        return Judged(Verdict.WAIT, "another leaked credential of this incident is not dead yet")
    looking = _still_looking(state) if step.action == "notice.send" else ""
    if looking:
        return Judged(Verdict.WAIT, f"waits for {looking}: what the credential reaches may be listening")
    return _condition(step, state, means)


def awaited(step: Step, state: RunState) -> str:
    """Return a step that this one needs and that has not ended; empty where there is none."""
    for need in state.playbook.needs[step.id]:
        if state.status(need) not in ENDED:
            return need
    return ""


def may_run(step: Step, state: RunState) -> Judged | None:
    """Return what keeps a step from running whatever its needs: an abort, or the sub-playbook that it belongs to."""
    if state.stops(step):
        return Judged(Verdict.SKIP, ABORTED)  # at once: what cleans up may wait for its end
    if not step.scope or step.id.endswith("~undo"):  # what is taken back may belong to one that has ended
        return None
    around = state.status(step.scope)
    if around == "waiting":
        return Judged(Verdict.WAIT, f"waits for {step.scope} to begin")
    if around == "skipped":
        return Judged(Verdict.SKIP, f"{step.scope} was skipped")
    return None if around == "running" else Judged(Verdict.BLOCKED, f"{step.scope} {around}")


def paused(step: Step, state: RunState) -> bool:
    """Tell whether a step must not deliver now: a credential that this run was issued has been found leaked."""
    delivers = step.action in {"credential.issue", "credential.deliver"}
    return delivers and any(link.state != "ended" for link in state.links.values())


def _still_looking(state: RunState) -> str:
    """Return the step that is just reading what the credential reaches: nothing is said until it has.

    One that waits for others itself, or is stuck, holds nothing up.
    """
    for step in state.playbook.steps:
        status = state.status(step.id)
        ready = status == "waiting" and all(state.ended_well(need) for need in state.playbook.needs[step.id])
        if step.action == "credential.inspect" and (ready or status == "running"):
            return step.id
    return ""


def waits_for_children(step: Step) -> bool:
    """Tell whether a step restores, replaces or removes: with another leak open, that would be too early."""
    if step.action in {"credential.issue", "credential.deliver"} or step.phase == "recovery":
        return True
    return step.action.startswith("notice.") and str(step.with_.get("template", "")).startswith("takedown")


def _condition(step: Step, state: RunState, means: Means, *, early: bool = False) -> Judged:
    verb = step.action.partition(".")[2] if step.action.startswith("credential.") else ""
    names_can = isinstance(step.condition, str) and "credential.can." in step.condition
    if step.condition != "":
        value: Any = step.condition
        if isinstance(step.condition, str):
            value = evaluate(step.condition, names(state, means, scope=step.scope, early=early))
        if not value:
            return Judged(Verdict.SKIP, f"{_shown(step.condition)} is {json.dumps(value, default=str)}")
    if names_can and verb and not step.with_.get("consumer") and not can(state, means, verb):
        return Judged(Verdict.SKIP, f"the issuer cannot {verb}")
    return Judged(Verdict.GO)


def _shown(condition: str | bool) -> str:
    return str(condition).replace("${{", "").replace("}}", "").strip()


def keyed(value: Any, step: str) -> dict[str, Any]:
    """Return what a `for_each` is for, by keys.

    PlaybookError where it is neither list nor mapping, or a key stands twice.
    """
    if not isinstance(value, Mapping | list | tuple):
        raise PlaybookError(f"`for_each` is not a list or mapping but {type(value).__name__}", where=f"step {step}")
    pairs = value.items() if isinstance(value, Mapping) else ((item_key(item), item) for item in value)
    items: dict[str, Any] = {}
    for key, item in pairs:
        if str(key) in items:
            raise PlaybookError(
                f"two items of {step} have the key {key!r}", where=f"step {step}", remedy="give each an `id` of its own"
            )
        items[str(key)] = item
    return items


def item_key(item: Any) -> str:
    """Return the key of a `for_each` item: its id, itself where it is a short plain text, else its digest."""
    if isinstance(item, Mapping) and item.get("id"):
        return str(item["id"])
    if isinstance(item, str | int) and 0 < len(str(item)) <= 64 and not set(str(item)) & set("[]\n "):  # noqa: PLR2004
        return str(item)
    return hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()[:12]


def judge_criterion(text: str, state: RunState, means: Means, scope: str = "") -> tuple[str, bool, str]:
    """Return an exit criterion, whether it holds, and why it could not be judged if so."""
    try:
        return text, evaluate(text, names(state, means, scope=scope)) is True, ""
    except InputError as error:
        return text, False, str(error)
