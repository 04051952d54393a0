"""The fold: independent entries may arrive in any order, in any parts, and nothing is evaluated."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from conftest import OpenApp
from graphs import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import played
from test_properties import MORE, usual

from responder.entry import Entry
from responder.errors import PlaybookError
from responder.expressions import evaluate
from responder.fold import apply, fold
from responder.playbook import Playbook
from responder.state import RunState

IMPOSSIBLE = "${{ 1 / 0 }}"


def public(state: RunState) -> dict[str, Any]:
    """Return what anybody can see of a state, as plain data; the order of independent undoings is no part of it."""
    seen = {name: value for name, value in vars(state).items() if name not in {"playbook", "seq", "units", "items"}}
    told = {name: vars(value) if name == "standing" else value for name, value in seen.items()}
    told["units"] = {address: asdict(unit) for address, unit in state.units.items()}
    told["items"] = {step: asdict(items) for step, items in state.items.items()}
    told["steps"] = state.playbook.by_id
    told["asks"] = state.asks()
    return told


def related(playbook: Playbook) -> dict[str, set[str]]:
    """Return, for each step, itself and all that it waits for or whose sub-playbook it is in, directly or not."""
    found: dict[str, set[str]] = {}
    left = list(playbook.steps)
    while left:
        for step in list(left):
            nearest = {*playbook.needs[step.id], step.scope, step.id.removesuffix("~undo")} - {"", step.id}
            if all(need in found for need in nearest):
                found[step.id] = {step.id}.union(*(found[need] for need in nearest))
                left.remove(step)
    return found


def independent(one: Entry, other: Entry, before: Mapping[str, set[str]]) -> bool:
    """Tell whether two entries are of different steps or items, of which neither had to wait for the other."""
    if not one.step or not other.step or "undoing" in {one.event, other.event}:
        return False  # of the whole run; or it adds steps for others
    first, second = one.step.partition("[")[0], other.step.partition("[")[0]
    if first == second:
        return one.step != other.step and "[" in one.step and "[" in other.step
    return first not in before[second] and second not in before[first]


def recorded(opened: OpenApp, place: Path, case: Case) -> tuple[str, list[Entry]]:
    outcome = played(opened(), place, case, dies=True)
    return outcome.final.run, outcome.entries


def renumbered(entries: Sequence[Entry]) -> list[Entry]:
    return [entry._replace(seq=number) for number, entry in enumerate(entries, 1)]


@pytest.mark.timeout(0)
@given(case=cases(), data=st.data())
@settings(usual, max_examples=MORE or 25)
def test_entries_of_steps_that_do_not_wait_for_each_other_may_arrive_in_any_order(
    opened: OpenApp, place: Path, case: Case, data: st.DataObject
) -> None:
    run, entries = recorded(opened, place, case)
    straight = fold(run, entries)
    before = related(straight.playbook)
    shuffled = list(entries)
    randomness = data.draw(st.randoms(use_true_random=False))
    for _ in range(data.draw(st.integers(1, 6)) * len(entries)):
        at = randomness.randrange(len(shuffled) - 1)
        if independent(shuffled[at], shuffled[at + 1], before):
            shuffled[at], shuffled[at + 1] = shuffled[at + 1], shuffled[at]

    assert public(straight) == public(fold(run, renumbered(shuffled)))


@pytest.mark.timeout(0)
@given(case=cases(), data=st.data())
@settings(usual, max_examples=MORE or 25)
def test_a_record_folds_to_the_same_again_and_in_parts_and_without_evaluating_anything(
    opened: OpenApp, place: Path, case: Case, data: st.DataObject
) -> None:
    run, entries = recorded(opened, place, case)
    whole = public(fold(run, entries))

    assert whole == public(fold(run, entries))

    part = fold(run, entries[: data.draw(st.integers(0, len(entries)))])
    for entry in entries[part.seq :]:
        apply(part, entry)
    assert whole == public(part)

    hollow = fold(run, [impossible(entry) for entry in entries])
    assert {**whole, "steps": 0, "started": 0} == {**public(hollow), "steps": 0, "started": 0}


def impossible(entry: Entry) -> Entry:
    """Return the entry in which a run's playbook has expressions that nobody could evaluate."""
    if entry.event != "started":
        return entry
    return entry._replace(facts={**entry.facts, "playbook": spoilt(entry.facts["playbook"])})


def spoilt(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{\{.*?\}\}", IMPOSSIBLE, value)
    if isinstance(value, Mapping):
        return {name: spoilt(inner) for name, inner in value.items()}
    return [spoilt(inner) for inner in value] if isinstance(value, list) else value


def test_what_stands_in_for_expressions_cannot_be_evaluated() -> None:
    with pytest.raises(PlaybookError):
        evaluate(IMPOSSIBLE, {})
