"""`on_error: undo`: what a failed step and its needs changed is taken back, newest first, by ordinary steps."""

from pathlib import Path

from conftest import OpenApp
from replies import replying
from test_run import begun, driven, effects, statuses, written

from responder.app import App
from responder.modes import read_mode, switched
from responder.view import view

FAILS = """
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one, two, deaf], on_error: undo}
"""
STEPS = """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one}}
  - {id: two, phase: analysis, action: clockwork.swing, with: {key: two}, needs: [one]}
  - {id: deaf, phase: analysis, action: clockwork.turn, with: {key: deaf}, needs: [two]}
"""


def failing(place: Path, often: int = 1) -> None:
    (place / "world" / "denied-x").write_text(str(often))


def test_needs_are_taken_back_newest_first_and_what_stays_is_said(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    run = begun(app, written(place, STEPS + FAILS))
    state = driven(app, run)

    assert ["one", "two", "deaf", "two back", "one back"] == effects(place)
    assert {
        "one": "undone", "two": "undone", "deaf": "done", "last": "failed", "two~undo": "done", "one~undo": "done",
    } == statuses(state)  # fmt: skip
    undoing = next(entry for entry in app.timeline(app.row(run).incident) if entry.event == "undoing")
    assert [{"step": "deaf", "reason": "this action cannot be taken back"}] == undoing.facts["kept"]
    assert "halted" == state.state
    steps = [entry.event for entry in app.timeline(app.row(run).incident) if entry.step == "two~undo"]
    assert ["planned", "intended", "applied", "verified"] == steps


def test_nothing_is_taken_back_where_nothing_failed(opened: OpenApp, place: Path) -> None:
    app = opened()
    state = driven(app, begun(app, written(place, STEPS + FAILS)))

    assert ["one", "two", "deaf"] == effects(place)
    assert "ended" == state.state


def test_a_step_without_the_key_takes_nothing_back(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    state = driven(app, begun(app, written(place, STEPS + FAILS.replace("undo", "block"))))

    assert ["one", "two", "deaf"] == effects(place)
    assert "halted" == state.state


def test_what_took_agreement_to_do_takes_agreement_to_take_back(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    run = begun(
        app,
        written(
            place,
            """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one},
     approval: {role: commander, within: 1m, on_timeout: abort}}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one], on_error: undo}
""",
        ),
    )
    seen: list[str] = []
    first = replying(opened, run, "one", [lambda other, ask: other.approve(run, "one")])
    second = replying(
        opened, run, "one~undo", [lambda other, ask: (seen.append(ask.digest), other.decline(run, "one~undo", "no"))]
    )
    state = driven(app, run)
    first.join()
    second.join()

    assert ["one"] == effects(place)
    assert seen
    assert {"one": "done", "last": "failed", "one~undo": "declined"} == statuses(state)


def test_items_are_taken_back_one_by_one(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "refuse-c").write_text("9")
    state = driven(
        app,
        begun(
            app,
            written(
                place,
                """
  - {id: each, phase: analysis, action: clockwork.swing, for_each: [a, b, c], max_parallel: 1, retry: {attempts: 1},
     with: {key: "${{ item }}"}, on_error: undo}
""",
            ),
        ),
    )

    assert ["a", "b"] == effects(place)[:2]
    assert {"a back", "b back"} == set(effects(place)[2:])
    assert {"each": "failed", "each~undo": "done"} == statuses(state)
    assert ["undone", "undone", "failed"] == [state.status(f"each[{key}]") for key in "abc"]


def test_a_way_back_that_is_stuck_does_not_keep_the_others(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    (place / "world" / "stuck-two").write_text("9")
    state = driven(app, begun(app, written(place, STEPS + FAILS)))

    assert ["one", "two", "deaf", "one back"] == effects(place)
    assert ("failed", "done", "undone") == (
        state.status("two~undo"), state.status("one~undo"), state.status("one"),
    )  # fmt: skip


def test_after_a_retry_of_what_was_undone_it_is_done_anew(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    run = begun(
        app,
        written(
            place,
            """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one}}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one], on_error: undo}
""",
        ),
    )
    driven(app, run)
    (place / "world" / "effects.jsonl").unlink()  # the world is as it was
    app.retry(run, "one")
    app.retry(run, "last")
    app.resume(run)
    state = app.state(run)

    assert ["one"] == effects(place)
    assert {"one": "done", "last": "done"} == statuses(state)
    assert "ended" == state.state


AGREED = """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one}}
  - {id: two, phase: analysis, action: clockwork.swing, with: {key: two}, needs: [one],
     approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one, two], on_error: undo}
"""


def asking_for_the_way_back(opened: OpenApp, place: Path) -> tuple[App, App, str]:
    """Return an executor, a person and a run that asks whether the newest change is to be taken back."""
    app, other = opened(), opened("carl")
    failing(place)
    run = begun(app, written(place, AGREED))
    app.dispatcher.advance(run)
    other.approve(run, "two")
    app.dispatcher.advance(run)
    assert ["two~undo"] == [ask.unit for ask in other.state(run).asks()]
    return app, other, run


def test_a_way_back_that_is_declined_does_not_keep_the_others(opened: OpenApp, place: Path) -> None:
    app, other, run = asking_for_the_way_back(opened, place)
    other.decline(run, "two~undo", "it may stay")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["one", "two", "one back"] == effects(place)
    assert "halted" == state.state
    assert {
        "one": "undone", "two": "done", "last": "failed", "two~undo": "declined", "one~undo": "done",
    } == statuses(state)  # fmt: skip


def test_after_a_retry_of_what_failed_nothing_more_is_taken_back(opened: OpenApp, place: Path) -> None:
    app, other, run = asking_for_the_way_back(opened, place)
    other.retry(run, "last")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["one", "two"] == effects(place)
    assert ("ended", {"one": "done", "two": "done", "last": "done"}) == (state.state, statuses(state))


def test_inside_a_sub_playbook_all_is_taken_back_before_that_fails(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    written(place, STEPS + FAILS, "inner")
    state = driven(app, begun(app, written(place, "  - {id: part, phase: analysis, playbook: inner}\n")))

    assert ["one", "two", "deaf", "two back", "one back"] == effects(place)
    assert ("halted", "failed") == (state.state, state.status("part"))
    assert "part/last failed" in state.unit("part").error


def test_what_a_sub_playbook_changed_that_a_failed_step_needs_is_taken_back(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    written(place, STEPS, "inner")
    steps = """
  - {id: part, phase: analysis, playbook: inner}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [part], on_error: undo}
"""
    run = begun(app, written(place, steps))
    state = driven(app, run)

    assert ["one", "two", "deaf", "two back", "one back"] == effects(place)
    assert {
        "part": "undone", "part/one": "undone", "part/two": "undone", "part/deaf": "done", "last": "failed",
        "part/two~undo": "done", "part/one~undo": "done",
    } == statuses(state)  # fmt: skip
    undoing = next(entry for entry in app.timeline(app.row(run).incident) if entry.event == "undoing")
    assert [{"step": "part/deaf", "reason": "this action cannot be taken back"}] == undoing.facts["kept"]

    (place / "world" / "effects.jsonl").unlink()  # the world is as it was
    app.retry(run, "part")
    app.retry(run, "last")
    app.resume(run)
    state = app.state(run)
    assert ["one", "two"] == effects(place)
    assert ("ended", "done", "done") == (state.state, state.status("part"), state.status("last"))


def test_what_two_failures_would_take_back_is_taken_back_once(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place, often=2)
    name = written(
        place,
        """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one}}
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one], on_error: undo}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one], on_error: undo}
""",
    )
    state = driven(app, begun(app, name))

    assert ["one", "look", "last", "one~undo"] == [step.id for step in state.playbook.steps]
    assert ["one", "one back"] == effects(place)


def test_a_change_that_says_it_stays_stays(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    run = begun(
        app,
        written(
            place,
            """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one, note: for good}}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one], on_error: undo}
""",
        ),
    )
    state = driven(app, run)

    assert {"one": "done", "last": "failed"} == statuses(state)


def test_nothing_leads_back_to_the_leaked_credential(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    run = begun(
        app,
        written(
            place,
            """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [kill], on_error: undo}
""",
        ),
    )
    state = driven(app, run)

    undoing = next(entry for entry in app.timeline(app.row(run).incident) if entry.event == "undoing")
    assert [] == undoing.facts["steps"]
    assert "nothing leads back" in undoing.facts["kept"][0]["reason"]
    assert {"kill": "done", "last": "failed"} == statuses(state)


def test_a_way_back_that_was_declined_can_be_tried_again(opened: OpenApp, place: Path) -> None:
    app, other, run = asking_for_the_way_back(opened, place)
    other.decline(run, "two~undo", "it may stay")
    app.dispatcher.advance(run)
    other.retry(run, "two~undo")
    app.dispatcher.advance(run)
    assert ["two~undo"] == [ask.unit for ask in other.state(run).asks()]
    other.approve(run, "two~undo")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["one", "two", "one back", "two back"] == effects(place)
    assert ("halted", "undone", "done") == (state.state, state.status("two"), state.status("two~undo"))


def test_a_way_back_that_failed_can_be_tried_again(opened: OpenApp, place: Path) -> None:
    app = opened()
    failing(place)
    (place / "world" / "stuck-two").write_text("9")
    run = begun(app, written(place, STEPS + FAILS))
    assert ("last", "two~undo") == view(driven(app, run), app.means.clock.now()).failed
    (place / "world" / "stuck-two").unlink()
    app.retry(run, "two~undo")
    app.resume(run)
    state = app.state(run)

    assert ["one", "two", "deaf", "one back", "two back"] == effects(place)
    assert ("halted", "undone", "done") == (state.state, state.status("two"), state.status("two~undo"))


def test_of_items_only_what_failed_to_be_taken_back_is_tried_again(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "refuse-c").write_text("9")
    (place / "world" / "stuck-a~undo").write_text("9")
    each = """
  - {id: each, phase: analysis, action: clockwork.swing, for_each: ["a~undo", b, c], max_parallel: 1,
     retry: {attempts: 1}, with: {key: "${{ item }}"}, on_error: undo}
"""
    run = begun(app, written(place, each))
    before = driven(app, run)
    assert ("failed", "done") == (before.status("each~undo"), before.status("each[a~undo]"))
    (place / "world" / "stuck-a~undo").unlink()
    app.retry(run, "each~undo")
    app.resume(run)
    state = app.state(run)

    assert ["a~undo", "b", "b back", "a~undo back"] == effects(place)
    assert ["undone", "undone", "failed"] == [state.status(f"each[{key}]") for key in ("a~undo", "b", "c")]
    assert ("halted", "done") == (state.state, state.status("each~undo"))


def test_items_whose_answer_was_lost_while_they_were_taken_back_are_read_back(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "refuse-c").write_text("9")
    (place / "world" / "lost-a back").write_text("1")
    (place / "world" / "lost-b back").write_text("1")
    each = """
  - {id: each, phase: analysis, action: clockwork.swing, for_each: [a, b, c], max_parallel: 1,
     retry: {attempts: 2}, with: {key: "${{ item }}"}, on_error: undo}
"""
    state = driven(app, begun(app, written(place, each)))

    assert ["a", "b", "a back", "b back"] == effects(place)
    assert ["undone", "undone", "failed"] == [state.status(f"each[{key}]") for key in "abc"]
    assert ("halted", "done") == (state.state, state.status("each~undo"))


def test_a_way_back_that_is_asked_for_is_asked_for_again_when_the_mode_changes(opened: OpenApp, place: Path) -> None:
    app, other, run = asking_for_the_way_back(opened, place)
    facts = read_mode("A2 until 4h", other.means.clock.now())
    other.dispatcher.timeline(other.row(run).incident).append(switched(other.state(run), facts, "300 holders", "carl"))
    app.dispatcher.advance(run)
    assert ["two~undo"] == [ask.unit for ask in other.state(run).asks()]
    other.approve(run, "two~undo")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["one", "two", "two back", "one back"] == effects(place)
    assert {
        "one": "undone", "two": "undone", "last": "failed", "two~undo": "done", "one~undo": "done",
    } == statuses(state)  # fmt: skip


def test_a_way_back_whose_outcome_nobody_knows_is_asked_about_after_a_retry_too(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    failing(place)
    (place / "world" / "lost-one back").write_text("1")
    steps = """
  - {id: one, phase: analysis, action: clockwork.swing, with: {key: one}, retry: {attempts: 1}}
  - {id: last, phase: analysis, action: clockwork.look, with: {key: x}, needs: [one], on_error: undo}
"""
    run = begun(app, written(place, steps))
    app.dispatcher.advance(run)
    assert [("one~undo", "unknown")] == [(ask.unit, ask.kind) for ask in other.state(run).asks()]
    other.retry(run, "last")
    app.dispatcher.advance(run)
    assert [("one~undo", "unknown")] == [(ask.unit, ask.kind) for ask in other.state(run).asks()]
    other.decide(run, "one~undo", "happened")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["one", "one back"] == effects(place)
    assert ("undone", "done") == (state.status("one"), state.status("one~undo"))
