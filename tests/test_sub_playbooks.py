"""Sub-playbooks: inlined as `step/their-id`, one run, one lock, names of their own; a failed child fails the parent."""

from pathlib import Path

import pytest
from conftest import OpenApp
from replies import replying
from test_run import DECLINED_FIRST, HEAD, begun, driven, effects, statuses, when_asked, written

from responder.errors import PlaybookError
from responder.reading import load_playbook
from responder.view import view

INNER = """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: turn, phase: analysis, action: clockwork.turn, with: {key: "${{ inputs.what }} ${{ steps.look.state }}"}}
"""
TAKES = 'inputs: {what: {type: string, help: "what to turn"}, often: {type: integer, default: 3}}\n'


def inner(place: Path, steps: str = INNER, more: str = TAKES) -> None:
    written(place, steps, "inner", HEAD + more)


def test_its_steps_stand_among_the_others_with_names_and_inputs_of_their_own(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: outer}}
  - {id: part, phase: analysis, playbook: inner, with: {what: "${{ steps.look.state }} it"}}
  - {id: after, phase: analysis, action: clockwork.turn, needs: [part],
     with: {key: "after ${{ steps['part/look'].state }}"}}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert ["look", "part", "part/look", "part/turn", "after"] == list(statuses(state))
    assert {"done"} == set(statuses(state).values())
    assert ["live it live", "after live"] == effects(place)
    entered = next(entry for entry in app.timeline(app.row(run).incident) if entry.event == "entered")
    assert {"what": "live it", "often": 3} == entered.facts["inputs"]
    assert 1 == len(app.runs())


def test_where_the_parent_is_skipped_so_is_everything_in_it(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    name = written(
        place,
        """
  - {id: part, phase: analysis, playbook: inner, with: {what: x}, if: "${{ 1 == 2 }}"}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [part]}
""",
    )
    state = driven(app, begun(app, name))

    assert {"part": "skipped", "part/look": "skipped", "part/turn": "skipped", "after": "done"} == statuses(state)
    assert "part was skipped" == state.unit("part/look").error
    assert not view(state, app.means.clock.now()).incomplete, "what its own `if` left out is not missing"
    assert ["after"] == effects(place)


def test_a_failed_child_fails_the_parent_and_a_retry_takes_both_up_again(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    (place / "world" / "denied-x").write_text("1")
    name = written(
        place,
        """
  - {id: part, phase: analysis, playbook: inner, with: {what: x}}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [part]}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert "halted" == state.state
    assert {"part": "failed", "part/look": "failed", "part/turn": "waiting", "after": "waiting"} == statuses(state)
    assert "part/look failed" in state.unit("part").error

    app.retry(run, "part/look")
    app.resume(run)
    state = app.state(run)
    assert {"done"} == set(statuses(state).values())
    assert ["x live", "after"] == effects(place)


def test_a_retry_of_the_parent_lets_what_failed_inside_it_start_over(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    (place / "world" / "denied-x").write_text("1")
    written(place, "  - {id: part, phase: analysis, playbook: inner, with: {what: x}}\n", "outer")
    run = begun(app, written(place, "  - {id: whole, phase: analysis, playbook: outer}\n"))
    assert ("halted", "failed") == ((state := driven(app, run)).state, state.status("whole"))

    app.retry(run, "whole")
    app.resume(run)
    state = app.state(run)
    assert {"done"} == set(statuses(state).values())
    assert ["x live"] == effects(place)
    assert 1 == sum(entry.event == "entered" and entry.step == "whole" for entry in app.timeline(state.incident["id"]))


def test_what_failed_and_did_not_matter_can_be_retried_inside_a_sub_playbook_that_ended_well(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    (place / "world" / "denied-x").write_text("1")
    (place / "world" / "denied-y").write_text("1")
    inner(place, "  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}, on_error: continue}\n", "")
    name = written(
        place,
        """
  - {id: part, phase: analysis, playbook: inner}
  - {id: other, phase: analysis, action: clockwork.look, with: {key: y}}
""",
    )
    run = begun(app, name)
    assert {"part": "done", "part/look": "failed", "other": "failed"} == statuses(driven(app, run))

    app.retry(run, "part/look")
    app.retry(run, "other")
    state = driven(app, run)

    assert "ended" == state.state
    assert {"part": "done", "part/look": "done", "other": "done"} == statuses(state)


def test_a_parent_that_may_fail_does_not_halt_the_run(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    (place / "world" / "denied-x").write_text("1")
    name = written(
        place,
        """
  - {id: part, phase: analysis, playbook: inner, with: {what: x}, on_error: continue}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [part]}
""",
    )
    state = driven(app, begun(app, name))

    assert "ended" == state.state
    assert {"part": "failed", "part/look": "failed", "part/turn": "skipped", "after": "done"} == statuses(state)


def test_its_exit_criteria_decide_whether_it_ended_well(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place, more=TAKES + "exit: [\"${{ steps.look.state == 'dead' and inputs.often == 3 }}\"]\n")
    state = driven(
        app,
        begun(
            app,
            written(
                place,
                """
  - {id: part, phase: analysis, playbook: inner, with: {what: x}}
""",
            ),
        ),
    )

    assert "failed" == state.status("part")
    assert "its exit criterion does not hold" in state.unit("part").error
    assert ["x live"] == effects(place)


@pytest.mark.parametrize(
    ("steps", "ended", "inside"),
    [
        pytest.param(
            """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: turn, phase: analysis, action: clockwork.turn, with: {key: turn}, needs: [look]}
  - {id: clean, phase: analysis, action: clockwork.turn, with: {key: clean}, needs: [turn], if: "${{ always() }}"}
""",
            "halted",
            {"part": "failed", "part/look": "failed", "part/turn": "waiting", "part/clean": "waiting"},
            id="one that waits for a step that cannot start",
        ),
        pytest.param(
            """
  - {id: turn, phase: analysis, action: clockwork.turn, with: {key: turn}}
  - {id: vain, phase: analysis, action: clockwork.turn, with: {key: vain},
     start: {when: "${{ steps.turn.status == 'failed' }}"}}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [vain]}
""",
            "ended",
            {"part": "done", "part/turn": "done", "part/vain": "skipped", "part/after": "done"},
            id="one that watches in vain",
        ),
        pytest.param(
            """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: kill, phase: analysis, action: clockwork.turn, with: {key: kill}, needs: [look],
     start: {hard_stop: incident.aware_at + 1s}}
""",
            "halted",
            {"part": "failed", "part/look": "failed", "part/kill": "done"},
            id="one that starts at its hard stop whatever its needs",
        ),
        pytest.param(
            """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: ok}}
  - {id: turn, phase: analysis, action: clockwork.turn, with: {key: turn}, if: "${{ steps.look.nothing > 2 }}",
     on_error: continue}
""",
            "ended",
            {"part": "done", "part/look": "done", "part/turn": "failed"},
            id="one whose condition cannot be judged",
        ),
    ],
)
def test_it_ends_when_nothing_in_it_moves_any_more_and_not_before(
    opened: OpenApp, place: Path, steps: str, ended: str, inside: dict[str, str]
) -> None:
    app = opened()
    (place / "world" / "denied-x").write_text("9")
    inner(place, steps, "")
    state = driven(app, begun(app, written(place, "  - {id: part, phase: analysis, playbook: inner}\n")))

    assert (ended, inside) == (state.state, statuses(state))


def test_where_an_abort_skips_a_part_of_it_it_is_skipped_and_what_cleans_up_inside_runs(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    inner(place, DECLINED_FIRST, "")
    run = begun(app, written(place, "  - {id: part, phase: analysis, playbook: inner}\n"))
    thread = when_asked(opened, run, "part/a", lambda other: other.abort(run, "enough"))
    state = driven(app, run)
    thread.join()

    assert {
        "part": "skipped", "part/a": "skipped", "part/b": "skipped", "part/clean": "done", "part/after": "skipped",
        "part/never": "skipped",
    } == statuses(state)  # fmt: skip


def test_playbooks_nest_and_keep_their_names_apart(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.nothing, with: {says: middle}}
  - {id: deep, phase: analysis, playbook: inner, with: {what: "${{ inputs.word }} of ${{ steps.look.says }}"}}
""",
        "middle",
        HEAD + "inputs: {word: {type: string}}\n",
    )
    state = driven(
        app,
        begun(
            app,
            written(
                place,
                """
  - {id: one, phase: analysis, playbook: middle, with: {word: first}}
  - {id: two, phase: analysis, playbook: middle, with: {word: second}, needs: [one]}
""",
            ),
        ),
    )

    assert "done" == state.status("two/deep/turn")
    assert ["first of middle live", "second of middle live"] == effects(place)


def test_people_are_asked_at_a_step_of_it_with_the_roles_of_both(opened: OpenApp, place: Path) -> None:
    app = opened()
    written(
        place,
        """
  - {id: turn, phase: analysis, action: clockwork.turn, with: {key: x},
     approval: {role: comms, within: 1m, on_timeout: abort}}
""",
        "inner",
        "playbook: inner\ntitle: t\nversion: 1\nroles: {comms: {}}\n",
    )
    run = begun(
        app,
        written(
            place,
            """
  - {id: part, phase: analysis, playbook: inner}
""",
            head="playbook: p\ntitle: t\nversion: 1\n",
        ),
    )
    thread = replying(opened, run, "part/turn", [lambda other, ask: other.approve(run, "part/turn")], "cora")
    state = driven(app, run)
    thread.join()

    assert {"comms"} == set(state.playbook.roles)
    assert "done" == state.status("part")


def test_what_was_begun_is_finished_as_it_was_when_the_file_has_changed(opened: OpenApp, place: Path) -> None:
    app = opened()
    inner(place)
    name = written(
        place,
        """
  - {id: part, phase: analysis, playbook: inner, with: {what: x}}
""",
    )
    run = begun(app, name)
    (place / "playbooks" / "inner.yaml").unlink()
    state = driven(app, run)

    assert ["x live"] == effects(place)
    assert "done" == state.status("part")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("playbook: inner", "needs the input 'what'"),
        ("playbook: inner, with: {what: x, wat: y}", "has no input 'wat'"),
        ("playbook: innner, with: {what: x}", "there is no playbook 'innner'"),
        ("playbook: p", "would contain itself: p > p"),
        ("playbook: inner, action: x.y, with: {what: x}", "either `action` or `playbook`"),
        ("playbook: inner, with: {what: x}, for_each: [1]", "takes no for_each"),
        ("playbook: inner, with: {what: x}, start: {hard_stop: incident.aware_at}", "takes no start"),
        ("title: neither", "either `action` or `playbook`"),
        ("playbook: inner, with: {what: x}, needs: [part/nothing]", "there is no step 'part/nothing'"),
    ],
)
def test_a_sub_playbook_that_cannot_be_taken_is_refused(place: Path, step: str, told: str) -> None:
    inner(place)
    name = written(place, f"  - {{id: part, phase: analysis, {step}}}\n")
    with pytest.raises(PlaybookError) as refused:
        load_playbook(place / "playbooks" / f"{name}.yaml")

    assert told in str(refused.value)
    assert "p.yaml:6:" in str(refused.value)


@pytest.mark.parametrize("name", ["a/b", "a~undo"])
def test_a_file_gives_no_id_that_only_the_whole_has(place: Path, name: str) -> None:
    written(place, f"  - {{id: {name}, phase: analysis, action: clockwork.look, with: {{key: x}}}}\n")
    with pytest.raises(PlaybookError, match="not one that a file may give"):
        load_playbook(place / "playbooks" / "p.yaml")


def test_a_cycle_through_a_sub_playbook_is_found(place: Path) -> None:
    inner(place)
    written(
        place,
        """
  - {id: part, phase: analysis, playbook: inner, with: {what: x}, needs: [after]}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: a}, needs: [part/look]}
""",
    )
    with pytest.raises(PlaybookError, match="wait for each other: part, after"):
        load_playbook(place / "playbooks" / "p.yaml")
