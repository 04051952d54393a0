"""Random playbooks with faults, skips, approvals and crashes end as the same run does without the crashes."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import OpenApp
from graphs import Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import Outcome, played, played_by_processes

from responder.step import waits_for_end_only
from responder.unit import ENDED

MORE = int(os.environ.get("RESPONDER_PROPERTIES", "0"))
"""How many examples to draw at random; without it, a few that are always the same."""
usual = settings(
    max_examples=MORE or 40,
    derandomize=not MORE,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


@pytest.mark.timeout(0)
@given(case=cases())
@usual
def test_a_run_with_crashes_ends_as_the_same_run_without_them(opened: OpenApp, place: Path, case: Case) -> None:
    pattern = opened()

    straight = played(pattern, place, case, dies=False)
    crashed = played(pattern, place, case, dies=True)

    for outcome in (straight, crashed):
        holds(outcome)
    same(straight, crashed)


@pytest.mark.timeout(0)
@given(case=cases(), point=st.sampled_from(["before-apply", "after-apply", "after-record"]), data=st.data())
@settings(usual, max_examples=max(3, MORE // 20))
def test_a_run_whose_process_was_killed_ends_as_the_same_run_without_that(
    opened: OpenApp, place: Path, case: Case, point: str, data: st.DataObject
) -> None:
    case = replace(case, mends=0)
    straight = played(opened(), place, case, dies=False)

    killed = played_by_processes(opened, place, case, point, data.draw(st.sampled_from(case.addresses)))

    holds(killed)
    same(straight, killed)


def same(straight: Outcome, crashed: Outcome) -> None:
    """Hold that two runs of a case came to the same."""
    assert (straight.state, straight.contained) == (crashed.state, crashed.contained)
    assert straight.units == crashed.units
    assert straight.effects == crashed.effects


def holds(outcome: Outcome) -> None:
    """Hold what is so of every run, however often it died."""
    assert [] == outcome.problems
    assert [] == [marker for marker, often in Counter(outcome.markers).items() if often > 1]
    intended = {f"{entry.run}/{entry.step}" for entry in outcome.entries if entry.event == "intended"}
    assert set(outcome.markers) <= intended
    assert outcome.state in {"ended", "halted"}
    allowed = ENDED if outcome.state == "ended" else ENDED | {"waiting", "running"}
    for address, unit in outcome.final.units.items():
        if "[" not in address:
            assert unit.status in allowed, f"{address} is {unit.status}"
        if unit.status in {"skipped", "failed"}:
            assert unit.error, f"{address} {unit.status} without a reason"
        if unit.takes_back:
            assert unit.error_kind != "refused", f"{address}: {unit.error}"  # it is known what takes it back
    for step in outcome.final.playbook.steps:
        ran = outcome.final.status(step.id) in {"done", "unchanged", *(() if step.start else ("failed",))}
        if ran and not waits_for_end_only(step) and not (step.start and step.start.hard_stop):
            bad = [need for need in outcome.final.playbook.needs[step.id] if kept_from_starting(outcome, need)]
            assert [] == bad, f"{step.id} ran although {bad} did not end well"


def kept_from_starting(outcome: Outcome, need: str) -> bool:
    """Tell whether nothing that needs a step may have started."""
    unit = outcome.final.unit(need)
    lets_go = outcome.final.playbook.by_id[need].on_error == "continue"
    return (
        unit.status in {"waiting", "declined"}
        or (unit.status == "failed" and not lets_go)
        or (unit.status == "skipped" and unit.error in {"what it needs did not end well", "the run was aborted"})
    )
