"""Only the run that holds a credential's lock acts on it."""

from pathlib import Path

import pytest
from cli_bench import as_person, begun, typed
from guard_bench import assert_refused, case, effects, playbook, refusals

from responder.providers.human import Task

STEPS = "  - {id: kill, phase: containment, action: credential.disable}\n"


@pytest.mark.parametrize(
    ("locked", "count"),
    [pytest.param(True, 0, id="it holds the lock"), pytest.param(False, 1, id="it does not")],
)
def test_who_holds_the_lock(*, locked: bool, count: int) -> None:
    assert count == len(refusals("lock", case(locked=lambda: locked)))


def test_what_does_not_touch_the_credential_needs_no_lock() -> None:
    other = Task(role="oncall", instructions="look", on_timeout="abort")

    assert [] == refusals("lock", case(other, locked=lambda: False))


def test_from_the_command_line_a_run_that_lost_its_lock_does_nothing(place: Path) -> None:
    playbook(place, STEPS)
    run = begun(place, "g")
    app = as_person(place, "ann")
    with app.means.store.write() as writing:
        writing.unlock(run)
        writing.lock([f"fp:{'0' * 16}"], run)
    app.close()

    result = typed(place, "resume", run)

    assert_refused(
        result, "lock", what="does not hold the lock on shared", place="step kill", way_out="`responder status`"
    )
    assert [] == effects(place)


def test_a_run_with_its_lock_acts(place: Path) -> None:
    playbook(place, STEPS)

    typed(place, "resume", begun(place, "g"))

    assert 1 == len(effects(place))
