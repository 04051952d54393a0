"""A plan is read from the live systems; it writes nothing anywhere, and leaves nothing behind."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from conftest import OpenApp, leaked_value
from test_run import effects, written

from responder.app import App
from responder.errors import PlanRefused
from responder.finding import Exposure, Finding
from responder.plan import Plan, PlannedStep

STEPS = """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: kill, phase: containment, action: credential.disable}
  - {id: turn, phase: containment, action: clockwork.turn, with: {key: a}, needs: [kill]}
  - {id: later, phase: containment, action: clockwork.turn, with: {key: "${{ steps.look.state }}"}}
  - {id: bare, phase: containment, action: clockwork.final, with: {key: f}}
  - {id: agreed, phase: containment, action: clockwork.final, with: {key: g},
     approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: each, phase: containment, action: clockwork.turn, for_each: [a, b], with: {key: "${{ item }}"}}
  - {id: many, phase: containment, action: clockwork.turn, for_each: [1, 2, 3, 4, 5, 6, 7], with: {key: "${{ item }}"}}
  - {id: wrong, phase: containment, action: clockwork.turn, for_each: "${{ 3 }}", with: {key: x}}
  - {id: ask, phase: analysis, action: human.task, with: {role: commander, instructions: do it, on_timeout: abort}}
"""


def finding(app: App, **more: Any) -> Finding:
    return Finding(value=app.means.sealer.secret(leaked_value()), exposure=Exposure(kind="public"), **more)


def planned(app: App, place: Path, steps: str = STEPS) -> dict[str, PlannedStep]:
    plan: Plan = app.plan(app.library.load(written(place, steps)), finding(app), {})
    return {step.id: step for step in plan.steps}


def everything(place: Path, app: App) -> dict[str, str]:
    """Return what lies in the world and what the store holds; the store's own files may be touched by looking."""
    files = {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (place / "world").rglob("*")
        if path.is_file()
    }
    tables = {
        table: str(app.means.store._all(f"SELECT * FROM {table}"))
        for table in ("entries", "heads", "runs", "locks", "blobs")
    }  # type: ignore[attr-defined]
    return {**files, **tables, "names": str(sorted(path.name for path in (place / "state").iterdir()))}


def test_a_plan_writes_nothing_and_leaves_nothing(opened: OpenApp, place: Path) -> None:
    app = opened()
    before = everything(place, app)

    planned(app, place)
    planned(app, place)

    assert before == everything(place, app)
    assert [] == effects(place)
    assert [] == app.runs()


def test_a_run_can_begin_after_its_plan(opened: OpenApp, place: Path) -> None:
    app = opened()
    planned(app, place)

    begun = app.begin(app.library.load("p"), finding(app), {})

    assert not begun.joined


def test_what_each_step_would_do(opened: OpenApp, place: Path) -> None:
    lines = planned(opened(), place)

    assert ("a", "still", "turned", "reversible", ("kill",)) == (
        lines["turn"].target, lines["turn"].before, lines["turn"].after, lines["turn"].effect, lines["turn"].needs,
    )  # fmt: skip
    assert "depends on look" == lines["later"].deferred
    assert lines["later"].digest is None
    assert ["a final change needs an approval"] == [problem.what for problem in lines["bare"].problems]
    assert () == lines["agreed"].problems
    assert (2, True) == (lines["each"].items, lines["each"].digest is not None)
    assert (7, None) == (lines["many"].items, lines["many"].digest)
    assert "not a list or mapping" in lines["wrong"].deferred
    assert "asks commander" == lines["ask"].target


def test_a_digest_depends_on_what_would_be_done_and_on_no_time(opened: OpenApp, place: Path) -> None:
    app = opened()
    first, again = planned(app, place)["turn"].digest, planned(app, place)["turn"].digest
    (place / "world" / "note").write_text(" twice")

    assert first == again
    assert first != planned(app, place)["turn"].digest


def test_what_is_done_already_is_unchanged(opened: OpenApp, place: Path) -> None:
    (place / "world" / "effects.jsonl").write_text('{"key": "a"}\n')

    assert "unchanged" == planned(opened(), place)["turn"].after


def test_a_provider_that_is_busy_defers_its_step_alone(opened: OpenApp, place: Path) -> None:
    (place / "world" / "unavailable-a").write_text("1")

    lines = planned(opened(), place)

    assert "cannot be read now: the world is busy" in lines["turn"].deferred
    assert lines["agreed"].digest is not None


def test_a_wrong_account_is_a_problem_of_every_change(opened: OpenApp, place: Path) -> None:
    (place / "world" / "account").write_text("acct-other")

    lines = planned(opened(), place)

    assert "acct-other" in lines["turn"].problems[0].what
    assert "acct-other" in lines["kill"].problems[0].what


def test_what_is_not_ours_is_not_planned(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(place, STEPS)

    with pytest.raises(PlanRefused):
        app.plan(app.library.load(name), Finding(value=app.means.sealer.secret("a stranger's value 12345")), {})


def test_a_plan_shows_no_secret(opened: OpenApp, place: Path) -> None:
    app = opened()
    plan = app.plan(app.library.load(written(place, STEPS)), finding(app), {})

    assert leaked_value() not in str(plan.document())
