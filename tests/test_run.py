"""The runner: order, conditions, items, approvals, failures, children, and what survives a restart."""

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from conftest import OpenApp, leaked_value

from responder.app import App
from responder.approval import agree
from responder.errors import HostExhausted, PlanRefused, RecordError, RequestError, SettingsError
from responder.finding import Exposure, Finding
from responder.fold import fold
from responder.state import RunState
from responder.testing.loopback import Loopback, Reply

HEAD = "playbook: p\ntitle: t\nversion: 1\nroles: {commander: {}, comms: {}, oncall: {}}\n"


def written(place: Path, steps: str, name: str = "p", head: str = HEAD) -> str:
    (place / "playbooks" / f"{name}.yaml").write_text(
        head.replace("playbook: p", f"playbook: {name}") + "steps:\n" + steps
    )
    return name


def begun(app: App, playbook: str, **inputs: Any) -> str:
    value = app.means.sealer.secret(leaked_value())
    finding = Finding(value=value, exposure=Exposure(kind="public", url="https://x.example/"))
    return app.begin(app.library.load(playbook), finding, inputs).run


def driven(app: App, run: str) -> RunState:
    app.drive(run)
    return app.state(run)


def effects(place: Path) -> list[str]:
    path = place / "world" / "effects.jsonl"
    return [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.exists() else []


def statuses(state: RunState) -> dict[str, str]:
    return {step.id: state.status(step.id) for step in state.playbook.steps}


def when_asked(opened: OpenApp, run: str, step: str, answer: Any) -> threading.Thread:
    """Answer, from another opening of the store, as soon as a step asks."""

    def wait() -> None:
        app = opened("carl")
        for _ in range(400):
            unit = app.state(run).units.get(step)
            if unit and unit.ask:
                answer(app)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_steps_run_in_the_order_of_what_they_need_and_read(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: c, phase: analysis, action: clockwork.turn, with: {key: "c ${{ steps.b.says }}"}}
  - {id: b, phase: analysis, action: clockwork.nothing, needs: [a], with: {says: "of b"}}
  - {id: a, phase: containment, action: clockwork.turn, with: {key: a}}
""",
    )

    state = driven(app, begun(app, name))

    assert {"a": "done", "b": "done", "c": "done"} == statuses(state)
    assert ["a", "c of b"] == effects(place)


def test_a_false_condition_skips_with_its_reason_and_the_next_step_runs(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, if: "${{ steps.look.state == 'dead' }}"}
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}, needs: [a]}
""",
    )

    state = driven(app, begun(app, name))

    assert {"look": "done", "a": "skipped", "b": "done"} == statuses(state)
    assert "steps.look.state == 'dead' is false" == state.unit("a").error


def test_failure_blocks_what_depends_on_it_and_halts_the_run_until_retried(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "denied-x").write_text("1")
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [look]}
  - {id: alone, phase: analysis, action: clockwork.turn, with: {key: alone}}
  - {id: mend, phase: analysis, action: clockwork.turn, with: {key: mend}, if: "${{ failed('look') }}"}
""",
    )

    run = begun(app, name)
    state = driven(app, run)

    assert "halted" == state.state
    assert {"look": "failed", "after": "waiting", "alone": "done", "mend": "done"} == statuses(state)
    assert "world:Look" in state.unit("look").error

    app.retry(run, "look")
    state = driven(app, run)

    assert "ended" == state.state
    assert "done" == state.status("after")


def test_on_error_continue_counts_as_ended_well(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "denied-x").write_text("1")
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}, on_error: continue}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [look]}
""",
    )

    state = driven(app, begun(app, name))

    assert {"look": "failed", "after": "done"} == statuses(state)
    assert "ended" == state.state


def test_on_error_abort_starts_only_what_waits_for_failure(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "denied-x").write_text("1")
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}, on_error: abort}
  - {id: slow, phase: analysis, action: clockwork.nothing, with: {seconds: 0.3}}
  - {id: later, phase: analysis, action: clockwork.turn, with: {key: later}, needs: [slow]}
  - {id: clean, phase: analysis, action: clockwork.turn, with: {key: clean}, needs: [slow], if: "${{ always() }}"}
""",
    )

    state = driven(app, begun(app, name))

    assert {"look": "failed", "slow": "done", "later": "skipped", "clean": "done"} == statuses(state)
    assert ("ended", False) == (state.state, state.contained)


DECLINED_FIRST = """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a},
     approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}, needs: [a]}
  - {id: clean, phase: analysis, action: clockwork.turn, with: {key: clean}, needs: [b], if: "${{ always() }}"}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [clean]}
  - {id: never, phase: analysis, action: clockwork.turn, with: {key: never}, needs: [b]}
"""


def test_what_waits_for_an_end_only_starts_when_a_declined_step_kept_what_it_needs_from_starting(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    run = begun(app, written(place, DECLINED_FIRST))
    thread = when_asked(opened, run, "a", lambda other: other.decline(run, "a", "no"))
    state = driven(app, run)
    thread.join()

    assert {"a": "declined", "b": "skipped", "clean": "done", "after": "done", "never": "skipped"} == statuses(state)
    assert "ended" == state.state


def test_what_waits_for_an_end_only_starts_when_an_abort_kept_what_it_needs_from_starting(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    run = begun(app, written(place, DECLINED_FIRST))
    thread = when_asked(opened, run, "a", lambda other: other.abort(run, "enough"))
    state = driven(app, run)
    thread.join()

    assert {"a": "skipped", "b": "skipped", "clean": "done", "after": "skipped", "never": "skipped"} == statuses(state)
    assert "the run was aborted" == state.unit("b").error
    assert ["clean"] == effects(place)


ASKS_TO_CLEAN = """
  - {id: clean, phase: analysis, action: clockwork.turn, with: {key: clean}, if: "${{ always() }}",
     approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: other, phase: analysis, action: clockwork.turn, with: {key: other},
     approval: {role: commander, within: 1h, on_timeout: abort}}
"""


def test_what_cleans_up_is_asked_for_all_the_same_when_a_run_is_aborted(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    run = begun(app, written(place, ASKS_TO_CLEAN))
    app.dispatcher.advance(run)
    other.abort(run, "enough")
    app.dispatcher.advance(run)
    assert ["clean"] == [ask.unit for ask in other.state(run).asks()]
    other.approve(run, "clean")
    app.dispatcher.advance(run)

    assert {"clean": "done", "other": "skipped"} == statuses(app.state(run))
    assert ["clean"] == effects(place)


def test_what_is_asked_in_the_moment_of_an_abort_is_not_asked(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, ASKS_TO_CLEAN))
    app.dispatcher.advance(run)
    entries = app.timeline(app.row(run).incident)
    started = next(entry for entry in entries if entry.event == "started")
    late = [entry for entry in entries if entry.event == "asked"]
    first = [entry for entry in entries if entry.event != "asked"]
    state = fold(run, [*first, started._replace(event="aborted", facts={"reason": "enough"}), *late])

    assert ["clean"] == [ask.unit for ask in state.asks()]


def test_a_failure_that_aborts_lets_nobody_be_asked_for_what_starts_no_more(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    (place / "world" / "denied-x").write_text("1")
    (place / "world" / "refuse-b").write_text("1")
    steps = """
  - {id: move, phase: analysis, action: clockwork.turn, for_each: [a, b, c], waves: [2], retry: {attempts: 1},
     with: {key: "${{ item }}"}}
  - {id: wait, phase: analysis, action: human.task,
     with: {role: commander, instructions: i, within: 1h, on_timeout: abort}}
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}, needs: [wait], on_error: abort}
"""
    run = begun(app, written(place, steps))
    app.dispatcher.advance(run)
    assert {"move": "gate", "wait": "task"} == {ask.unit: ask.kind for ask in other.state(run).asks()}
    other.done(run, "wait", "I did")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert {"move": "skipped", "wait": "done", "look": "failed"} == statuses(state)
    assert ("ended", []) == (state.state, state.asks())


def test_what_an_abort_keeps_from_starting_is_not_tried_again_and_stays_failed(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    (place / "world" / "refuse-b").write_text("1")
    (place / "world" / "refuse-clean").write_text("1")
    steps = """
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}, retry: {attempts: 1}, on_error: abort}
  - {id: clean, phase: analysis, action: clockwork.turn, with: {key: clean}, retry: {attempts: 1}, needs: [b],
     if: "${{ always() }}"}
  - {id: task, phase: analysis, action: human.task, if: "${{ always() }}",
     with: {role: commander, instructions: i, within: 1h, on_timeout: abort}}
"""
    run = begun(app, written(place, steps))
    app.dispatcher.advance(run)
    with pytest.raises(RequestError, match="The run is being aborted, and b does not start any more"):
        other.retry(run, "b")
    other.retry(run, "clean")
    other.done(run, "task", "I did")
    app.dispatcher.advance(run)

    assert {"b": "failed", "clean": "done", "task": "done"} == statuses(app.state(run))


def test_a_person_is_asked_about_what_was_sent_not_about_the_name_of_its_step(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "lost-the door").write_text("1")
    step = "  - {id: say, phase: analysis, action: clockwork.say, with: {key: the door}}\n"
    run = begun(app, written(place, step))
    app.dispatcher.advance(run)

    assert ["Did this happen: the door? the answer was lost"] == [ask.text for ask in app.state(run).asks()]


SAID_TWICE = """
  - {id: say, phase: analysis, action: clockwork.say, with: {key: say}%s}
  - {id: after, phase: analysis, action: clockwork.turn, with: {key: after}, needs: [say]}
"""


@pytest.mark.parametrize(
    ("more", "done", "status"), [("", 1, "skipped"), (', if: "${{ always() }}"', 2, "done")], ids=["any", "cleans up"]
)
def test_what_did_not_happen_is_not_sent_once_more_when_the_run_was_aborted(
    opened: OpenApp, place: Path, more: str, done: int, status: str
) -> None:
    app, other = opened(), opened("carl")
    (place / "world" / "lost-say").write_text("1")
    run = begun(app, written(place, SAID_TWICE % more))
    app.dispatcher.advance(run)
    other.abort(run, "the text is wrong")
    other.decide(run, "say", "not-happened")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["say"] * done == effects(place)
    assert ("ended", status, "skipped") == (state.state, state.status("say"), state.status("after"))


def test_what_cleans_up_after_an_abort_waits_for_no_question_about_something_else(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    (place / "world" / "lost-say").write_text("1")
    say = "  - {id: say, phase: analysis, action: clockwork.say, with: {key: say}}\n"
    run = begun(app, written(place, say + DECLINED_FIRST))
    app.dispatcher.advance(run)
    other.abort(run, "enough")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert {"a": "skipped", "b": "skipped", "clean": "done", "after": "skipped", "never": "skipped"}.items() <= (
        statuses(state).items()
    )
    assert ("aborting", "unknown") == (state.state, state.status("say"))


def test_what_can_be_read_back_is_not_sent_once_more_when_the_run_was_aborted(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.broken, with: {key: a}}\n"))
    thread = threading.Thread(target=app.drive, args=(run,))
    thread.start()
    until(other, run, lambda state: state.status("a") == "unknown")
    other.abort(run, "enough")
    thread.join(20)
    entries = [entry.event for entry in other.timeline(other.row(run).incident)]

    assert ("ended", "skipped") == ((state := other.state(run)).state, state.status("a"))
    assert "intended" not in entries[entries.index("aborted") :]


def test_what_was_skipped_for_what_it_needs_waits_again_when_that_is_tried_again(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    written(place, "  - {id: turn, phase: analysis, action: clockwork.turn, with: {key: inside}}\n", "inner")
    steps = """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a},
     approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}, needs: [a]}
  - {id: part, phase: analysis, playbook: inner, needs: [b]}
  - {id: other, phase: analysis, action: clockwork.turn, with: {key: other}, if: "${{ false }}"}
  - {id: task, phase: analysis, action: human.task, if: "${{ always() }}", needs: [b],
     with: {role: commander, instructions: i, within: 1h, on_timeout: abort}}
"""
    run = begun(app, written(place, steps))
    app.dispatcher.advance(run)
    other.decline(run, "a", "not yet")
    app.dispatcher.advance(run)
    state = other.state(run)
    assert {"b": "skipped", "part": "skipped", "part/turn": "skipped"} == {
        step: state.status(step) for step in ("b", "part", "part/turn")
    }
    other.retry(run, "a")
    app.dispatcher.advance(run)
    other.approve(run, "a")
    app.dispatcher.advance(run)
    other.done(run, "task", "I did")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["a", "b", "inside"] == effects(place)
    assert ("ended", "done", "skipped") == (state.state, state.status("part"), state.status("other"))


def test_unavailable_is_tried_again_until_it_answers(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "unavailable-a").write_text("2")
    (place / "world" / "refuse-a").write_text("1")
    name = written(
        place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, retry: {first: 0.01s}}\n"
    )

    state = driven(app, begun(app, name))

    assert {"a": "done"} == statuses(state)
    assert ["a"] == effects(place)


def test_items_are_done_each_by_itself_at_most_so_many_at_once(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - id: each
    phase: analysis
    action: clockwork.turn
    for_each: ${{ incident.credential.holders }}
    max_parallel: 1
    with: {key: "of ${{ item.id }}"}
  - {id: after, phase: analysis, action: clockwork.nothing, with: {says: "${{ steps.each.all_done }}"}}
""",
    )

    state = driven(app, begun(app, name))

    assert ["of h1", "of h2"] == effects(place)
    assert state.unit("after").facts["says"] is True


def test_an_item_that_cannot_be_prepared_fails_alone_and_what_others_sent_is_followed_up(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    (place / "world" / "lost-a").write_text("1")
    each = """
  - {id: each, phase: analysis, action: clockwork.turn, for_each: [{id: a, key: a}, {id: b}, {id: c, key: c}],
     with: {key: "${{ item.key }}"}}
"""
    state = driven(app, begun(app, written(place, each)))

    assert {"a", "c"} == set(effects(place))
    assert ["done", "failed", "done"] == [state.status(f"each[{key}]") for key in "abc"]
    assert "1 of 3 items failed (b): 'item.key' reads something that does not exist" in state.unit("each").error
    assert "halted" == state.state


def test_a_run_has_at_most_sixty_four_steps_under_way(opened: OpenApp, place: Path) -> None:
    app = opened()
    step = "  - {{id: s{}, phase: analysis, action: clockwork.nothing, with: {{seconds: 0.5}}}}\n"
    run = begun(app, written(place, "".join(step.format(number) for number in range(70))))

    state = driven(app, run)

    assert {"done"} == set(statuses(state).values())
    moves = {"began": 1, "done": -1}
    entries = [entry for entry in app.timeline(app.row(run).incident) if entry.event in moves]
    under_way = list(accumulate(moves[entry.event] for entry in sorted(entries, key=lambda entry: entry.at)))
    assert max(under_way) <= 64


def test_a_step_for_which_the_host_has_no_thread_has_not_failed(opened: OpenApp, place: Path) -> None:
    app = opened()
    steps = "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n"
    run = begun(app, written(place, steps))

    def refuse(call: Callable[[], None]) -> None:
        raise HostExhausted("No more steps can be begun")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.means.threads, "do", refuse)
        with pytest.raises(HostExhausted):
            app.drive(run)

    assert "waiting" == app.state(run).status("a")
    app.resume(run)
    assert ["a"] == effects(place)


def test_one_approval_for_all_items_is_bound_to_what_each_will_do(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - id: each
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c]
    with: {key: "${{ item }}"}
    approval: {role: commander, within: 1h, on_timeout: abort}
""",
    )
    run = begun(app, name)
    thread = when_asked(opened, run, "each", lambda other: other.approve(run, "each"))

    state = driven(app, run)
    thread.join()

    assert {"a", "b", "c"} == set(effects(place))
    asked = [entry for entry in app.timeline(app.row(run).incident) if entry.event == "asked"]
    assert 1 == len(asked)
    assert {"each": "done"} == statuses(state)


def test_requester_and_holder_may_not_approve_and_a_stranger_may_only_look(opened: OpenApp, place: Path) -> None:
    app = opened("carl")
    name = written(
        place,
        """
  - id: a
    phase: analysis
    action: clockwork.turn
    with: {key: a}
    approval: {role: commander, within: 1h, on_timeout: abort}
""",
    )
    run = begun(app, name)
    refused: list[str] = []

    def answers(other: App) -> None:
        for person in ("carl", "hal", "ann", ""):
            other.person = person
            with pytest.raises(RequestError) as caught:
                other.approve(run, "a")
            refused.append(caught.value.message)
        other.person = "cora"
        other.approve(run, "a")

    thread = when_asked(opened, run, "a", answers)
    state = driven(app, run)
    thread.join()

    assert "carl asked for this run and may not approve" == refused[0]
    assert "hal holds the credential and may not approve" == refused[1]
    assert "ann does not have the role commander" == refused[2]
    assert "may only look" in refused[3]
    assert {"a": "done"} == statuses(state)


@pytest.mark.parametrize(
    ("on_timeout", "status", "done"),
    [
        pytest.param("proceed", "done", ["a"], id="proceed"),
        pytest.param("abort", "declined", [], id="abort"),
        pytest.param("escalate(comms)", "declined", [], id="escalate, and nobody there either"),
    ],
)
def test_silence_does_what_the_playbook_says(
    opened: OpenApp, place: Path, on_timeout: str, status: str, done: list[str]
) -> None:
    app = opened()
    approval = f"{{role: commander, within: 0.1s, on_timeout: {on_timeout}}}"
    name = written(
        place, f"  - {{id: a, phase: analysis, action: clockwork.turn, with: {{key: a}}, approval: {approval}}}\n"
    )

    state = driven(app, begun(app, name))

    assert status == state.status("a")
    assert done == effects(place)


def test_a_for_each_that_nobody_answered_for_says_that_its_items_were_declined(opened: OpenApp, place: Path) -> None:
    app = opened()
    asks = "with: {role: commander, instructions: i, within: 0.1s, on_timeout: abort}"
    name = written(place, f"  - {{id: each, phase: analysis, action: human.task, for_each: [a, b], {asks}}}\n")

    state = driven(app, begun(app, name))

    assert state.unit("each").error.startswith("2 of 2 items were declined (a, b): ")
    assert "declined" == state.unit("each").error_kind


def test_an_agreement_that_comes_when_another_role_was_asked_does_not_count(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    step = """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a},
     approval: {role: commander, within: 1s, on_timeout: escalate(comms)}}
  - {id: task, phase: analysis, action: human.task,
     with: {role: commander, instructions: i, within: 1h, on_timeout: abort}}
"""
    run = begun(app, written(place, step))
    threading.Thread(target=app.drive, args=(run,), daemon=True).start()
    for role in ("commander", "comms"):
        until(other, run, lambda state, role=role: any(ask.role == role for ask in state.asks() if ask.unit == "a"))
        if role == "commander":
            late = agree(other.state(run), "a", "carl")
    other.say(other.row(run), late)
    app.dispatcher.stop()
    ask = other.state(run).question("a")

    assert ask is not None
    assert ("comms", []) == (ask.role, ask.agreed)
    assert [] == effects(place)


def until(app: App, run: str, holds: Callable[[RunState], bool]) -> None:
    """Wait until something holds of a run."""
    for _ in range(400):
        if holds(app.state(run)):
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def test_a_decision_and_a_task_wait_for_people(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - id: pick
    phase: analysis
    action: human.decide
    with: {role: commander, question: "which?", options: {one: first, two: second}, on_timeout: abort}
  - id: act
    phase: analysis
    action: human.task
    if: ${{ steps.pick.choice == 'two' }}
    with: {role: oncall, instructions: "do it", on_timeout: abort}
""",
    )
    run = begun(app, name)
    first = when_asked(opened, run, "pick", lambda other: other.decide(run, "pick", "two"))
    second = when_asked(opened, run, "act", lambda other: other.done(run, "act", "did it"))

    state = driven(app, run)
    first.join()
    second.join()

    assert {"pick": "done", "act": "done"} == statuses(state), state.unit("pick").error
    assert "did it" == state.unit("act").facts["said"]


def test_an_answer_that_was_lost_is_read_back_and_nothing_is_doubled(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "lost-a").write_text("1")
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n")

    state = driven(app, begun(app, name))

    assert ["a"] == effects(place)
    assert "done" == state.status("a")
    assert "reconciled" in [entry.event for entry in app.timeline(state.incident["id"])]


@pytest.mark.parametrize(("answer", "count"), [("happened", 1), ("not-happened", 2)])
def test_what_cannot_be_read_back_is_asked_of_a_person(opened: OpenApp, place: Path, answer: str, count: int) -> None:
    app = opened()
    (place / "world" / "lost-a").write_text("1")
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.say, with: {key: a}}\n")
    run = begun(app, name)
    thread = when_asked(opened, run, "a", lambda other: other.decide(run, "a", answer))

    state = driven(app, run)
    thread.join()

    assert count == len(effects(place))
    assert "done" == state.status("a")


def test_what_nobody_can_recognise_is_made_again_where_its_orphan_ends_by_itself(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "lost-a").write_text("2")
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.hourly, with: {key: a}}\n")

    state = driven(app, begun(app, name))
    told = app.timeline(state.incident["id"])
    asked = [entry for entry in told if entry.event == "asked"]
    first, *_, last = [entry for entry in told if entry.event == "intended"]
    until = datetime.fromisoformat(state.unit("a").facts["orphan_until"])

    assert ["a", "a", "a"] == effects(place)
    assert ("done", []) == (state.status("a"), asked)
    assert "orphan_until" not in first.facts
    assert last.facts["orphan_until"] == state.unit("a").facts["orphan_until"]
    assert timedelta(hours=1) < until - first.at < timedelta(hours=3)
    assert all("an orphan may live until" in entry.facts["reason"] for entry in told if entry.event == "unknown")


def test_a_later_sweep_does_not_ask_again_about_a_door_that_was_decided(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "doors").write_text("k2")
    run = begun(
        app,
        written(
            place,
            """
  - {id: sweep, phase: analysis, action: credential.doors}
  - id: door
    phase: analysis
    action: human.decide
    for_each: "${{ steps.sweep.doors }}"
    with:
      role: commander
      question: "${{ item.id }}?"
      options: {shut: s, leave-open: l}
      within: 1h
      on_timeout: abort
  - {id: again, phase: analysis, action: credential.doors, needs: [door]}
""",
        ),
    )
    thread = when_asked(opened, run, "door[k2]", lambda other: other.decide(run, "door[k2]", "leave-open"))

    state = driven(app, run)
    thread.join()
    first, again = state.unit("sweep").facts, state.unit("again").facts

    assert (["k2"], []) == (first["unresolved"], first["decided"])
    assert ([], [], ["k2"]) == (again["unresolved"], again["doors"], again["decided"])


@pytest.mark.parametrize(
    ("busy", "kept", "asked"),
    [
        pytest.param(2, 200, 3, id="it shows the page in the end"),
        pytest.param(9, 503, 3, id="it stays so"),
    ],
)
def test_a_page_is_asked_for_again_within_bounds_while_its_server_is_busy(
    opened: OpenApp, place: Path, busy: int, kept: int, asked: int
) -> None:
    app = opened()
    left = [Reply(503, b"busy", {"Retry-After": "0"})] * busy
    step = (
        "  - {id: a, phase: analysis, action: evidence.capture_page, with: {url: %s/page},"
        " retry: {attempts: 3, first: 1s, factor: 1.0}}\n"
    )
    with Loopback(lambda seen: left.pop() if left else Reply(200, b"here it is")) as server:
        state = driven(app, begun(app, written(place, step % server.url)))
        told = [entry.facts["error"] for entry in app.timeline(state.incident["id"]) if entry.event == "retrying"]

        assert asked == len(server.seen)
    assert ("done", kept) == (state.status("a"), state.unit("a").facts["status"])
    assert 2 == len(told)
    assert all("HTTP 503" in error for error in told)


def test_a_found_credential_opens_a_run_of_its_own_and_the_exit_waits_for_it(opened: OpenApp, place: Path) -> None:
    app = opened()
    written(
        place,
        """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill]}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
""",
        "leaked-credential",
        HEAD + "match: [{exposure: public}]\n",
    )
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: "@planted"}}
  - {id: kill, phase: containment, action: credential.disable}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill]}
  - {id: new, phase: recovery, action: credential.issue, needs: [dead, look], with: {label: next}}
exit: ["${{ steps.dead.verdict == 'dead' and children('look').dead }}"]
""",
    )

    state = driven(app, begun(app, name))

    assert ("ended", True) == (state.state, state.contained)
    assert 2 == sum(effect.startswith("disabled ") for effect in effects(place))
    assert "key next" == effects(place)[-1]
    assert 2 == len(app.runs())


def test_what_waits_for_a_found_credential_to_die_says_so_when_it_lives_on(opened: OpenApp, place: Path) -> None:
    app = opened()
    head = HEAD + "match: [{exposure: public}]\n"
    written(place, "  - {id: a, phase: analysis, action: clockwork.nothing}\n", "leaked-credential", head)
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: "@planted"}}
  - {id: new, phase: recovery, action: clockwork.turn, needs: [look], with: {key: new}}
""",
    )

    state = driven(app, begun(app, name))

    assert {"look": "done", "new": "skipped"} == statuses(state)
    assert "another leaked credential of this incident is not dead" == state.unit("new").error


def test_a_found_credential_of_ours_that_no_playbook_fits_keeps_the_run_from_being_contained(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    written(place, "  - {id: a, phase: analysis, action: clockwork.nothing}\n", "leaked-credential")
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: "@planted"}}
exit: ["${{ children('look').dead }}"]
""",
    )

    state = driven(app, begun(app, name))

    assert ("ended", False) == (state.state, state.contained)
    assert "left_alone" in [entry.event for entry in app.timeline(state.incident["id"])]


def test_a_run_that_has_ended_meanwhile_is_not_joined(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.nothing}\n"))
    driven(app, run)
    count = len(app.timeline(app.row(run).incident))

    with pytest.raises(RequestError, match="has just ended"):
        app._join(run, Finding(key_id="k1", exposure=Exposure(kind="public")))

    assert count == len(app.timeline(app.row(run).incident))


def test_a_second_run_for_the_same_credential_joins(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n")
    first = begun(app, name)
    finding = Finding(value=app.means.sealer.secret(leaked_value()))

    second = opened("carl").begin(app.library.load(name), finding, {})

    assert (first, True) == (second.run, second.joined)
    assert "joined" in [entry.event for entry in app.timeline(second.incident)]


@pytest.mark.parametrize("key_id", ["canary-1", "somebody-elses"])
def test_what_is_not_ours_is_refused_before_anything_is_sent(opened: OpenApp, place: Path, key_id: str) -> None:
    app = opened()
    name = written(place, "  - {id: look, phase: analysis, action: credential.inspect}\n")
    finding = Finding(value=app.means.sealer.secret("a stranger's value 12345"), key_id=key_id)

    with pytest.raises(PlanRefused):
        app.begin(app.library.load(name), finding, {})

    assert [] == app.runs()


def test_a_wrong_account_refuses_the_change(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "account").write_text("acct-other")
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n")

    state = driven(app, begun(app, name))

    assert [] == effects(place)
    assert "acct-other" in state.unit("a").error


def test_a_final_change_without_approval_is_refused(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.final, with: {key: a}}\n")

    state = driven(app, begun(app, name))

    assert [] == effects(place)
    assert "approval" in state.unit("a").error


def test_a_step_that_takes_longer_than_its_limit_fails(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.watch, with: {looks: 1000}, limit: 0.2s}\n")

    state = driven(app, begun(app, name))

    assert "failed" == state.status("a")
    assert "limit" in state.unit("a").error


def test_nobody_is_asked_about_an_item_of_a_step_that_took_longer_than_its_limit(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened("carl")
    each = """
  - {id: each, phase: analysis, action: human.decide, for_each: [a, b], limit: 1s,
     with: {question: "q ${{ item }}", role: commander, options: {x: x, y: y}, within: 1h, on_timeout: abort}}
"""
    run = begun(app, written(place, each))
    state = driven(app, run)
    assert ("halted", "failed", []) == (state.state, state.status("each"), state.asks())
    assert "it took longer than its limit" in state.unit("each").error

    other.retry(run, "each")
    app.dispatcher.advance(run)
    assert ["each[a]", "each[b]"] == sorted(ask.unit for ask in other.state(run).asks())


def test_an_issued_value_is_sealed_and_stands_nowhere(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: new, phase: recovery, action: credential.issue, with: {label: next}}
  - {id: use, phase: recovery, action: clockwork.nothing, with: {says: "${{ steps.new.value }}"}}
""",
    )

    driven(app, begun(app, name))

    assert "new-value" not in "".join(str(entry.facts) for entry in app.timeline(app.runs()[0].incident))
    blob = next(blob for blob in app.means.store.blobs(app.runs()[0].incident) if blob.kind == "issued")
    assert "new-value-next" in app.means.sealer.unseal(blob.sealed, blob.blob).reveal()


def test_without_our_own_credentials_nothing_begins_and_nothing_is_taken_over(opened: OpenApp, place: Path) -> None:
    text = (place / "responder.yaml").read_text()
    app = opened()
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n")
    run = begun(app, name)
    (place / "responder.yaml").write_text(
        text.replace("provider: clockwork,", "provider: clockwork, secret: env:OURS,")
    )

    with pytest.raises(SettingsError, match="env:OURS"):
        opened().resume(run)
    with pytest.raises(SettingsError, match="env:OURS"):
        begun(opened(), name)

    assert "adopted" not in [entry.event for entry in app.timeline(app.row(run).incident)]


def test_the_leaked_credential_never_acts_for_us(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "acting-key").write_text("k1")
    name = written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n")

    state = driven(app, begun(app, name))

    assert [] == effects(place)
    assert "leaked credential itself" in state.unit("a").error


def test_a_value_that_was_delivered_cannot_be_opened_here_any_more(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: new, phase: recovery, action: credential.issue, with: {label: next}}
  - id: deliver
    phase: recovery
    action: credential.deliver
    with: {consumer: {id: site, connection: cw, secret: site}, value: "${{ steps.new.value }}"}
""",
    )

    state = driven(app, begun(app, name))

    assert {"new": "done", "deliver": "done"} == statuses(state)
    blob = next(blob for blob in app.means.store.blobs(state.incident["id"]) if blob.kind == "issued")
    with pytest.raises(RecordError, match="shredded"):
        app.means.sealer.unseal(blob.sealed, blob.blob)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("plain text", "plain text", id="text"),
        pytest.param('["a", "b"]', "['a', 'b']", id="a list"),
        pytest.param(
            "unknown(the log is being read, 2030-01-02T03:04:00+00:00)",
            "not known yet (the log is being read; next update by 2030-01-02 03:04 UTC)",
            id="nobody knows yet",
        ),
    ],
)
def test_a_fact_that_a_person_sets_is_what_expressions_read(
    opened: OpenApp, place: Path, said: str, shown: str
) -> None:
    app = opened()
    step = '  - {id: a, phase: analysis, action: clockwork.nothing, with: {says: "it is ${{ facts.it }}"}}\n'
    run = begun(app, written(place, step))
    app.set(run, "it", said)

    state = driven(app, run)

    assert f"it is {shown}" == state.unit("a").facts["says"]


def test_a_fact_that_begins_like_json_and_is_none_is_refused(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, "  - {id: a, phase: analysis, action: clockwork.nothing}\n"))

    with pytest.raises(RequestError, match="JSON"):
        app.set(run, "it", "[1, 2")
