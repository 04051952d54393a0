"""Waves: items begin wave after wave, a gate stands between, and people are asked where it is not true."""

from pathlib import Path

import pytest
from conftest import OpenApp
from replies import Reply, replying
from test_run import begun, driven, effects, statuses, written

from responder.app import App
from responder.errors import PlaybookError, RequestError
from responder.reading import parse_playbook
from responder.step import Step
from responder.unit import Ask
from responder.waves import next_release


def step(waves: str) -> Step:
    given = [one if "%" in one else int(one) for one in waves.split()]
    return Step.model_validate({"id": "s", "phase": "recovery", "action": "x.y", "for_each": [1], "waves": given})


@pytest.mark.parametrize(
    ("waves", "total", "reached"),
    [
        ("1 5 25%", 40, [1, 6, 16, 26, 36, 40]),
        ("1", 3, [1, 2, 3]),
        ("50%", 3, [2, 3]),
        ("10", 3, [3]),
        ("1%", 3, [1, 2, 3]),
        ("100%", 7, [7]),
    ],
)
def test_waves_reach_all_items_and_the_last_number_goes_on(waves: str, total: int, reached: list[int]) -> None:
    found = [next_release(step(waves), total, 0)]
    while found[-1] < total:
        found.append(next_release(step(waves), total, found[-1]))

    assert reached == found


def test_no_item_of_a_wave_begins_before_those_of_the_wave_before_have_ended(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - id: move
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c, d, e, f]
    waves: [1, 2]
    with: {key: "${{ item }}"}
""",
    )

    run = begun(app, name)
    state = driven(app, run)

    assert "done" == state.status("move")
    waves = [entry for entry in app.timeline(app.row(run).incident) if entry.event == "wave"]
    assert [3, 5, 6] == [entry.facts["released"] for entry in waves]
    order = effects(place)
    assert ("a", {"b", "c"}, {"d", "e"}, "f") == (order[0], set(order[1:3]), set(order[3:5]), order[5])
    begun_after = {entry.step: entry.seq for entry in app.timeline(app.row(run).incident) if entry.event == "intended"}
    assert begun_after["move[d]"] > waves[1].seq > begun_after["move[c]"]


def test_a_false_gate_starts_no_further_wave_and_asks_who_may_let_it_go_on(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: look}}
  - id: move
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c]
    needs: [look]
    waves: [1]
    gate: ${{ steps.look.happened }}
    with: {key: "${{ item }}"}
""",
    )
    run = begun(app, name)
    seen: list[tuple[str, list[str]]] = []

    def say(option: str) -> Reply:
        def reply(other: App, ask: Ask) -> None:
            seen.append((ask.text, effects(place)))
            other.decide(run, "move", option)

        return reply

    thread = replying(opened, run, "move", [say("again"), say("continue"), say("stop")])
    state = driven(app, run)
    thread.join()

    assert "steps.look.happened is false" in seen[0][0]
    assert [["a"], ["a"], ["a", "b"]] == [done for _, done in seen]
    assert "failed" == state.status("move")
    assert "1 of 3 were not moved (c)" in state.unit("move").error
    assert "halted" == state.state


def test_without_a_gate_an_item_that_failed_holds_the_next_wave_back(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "refuse-b").write_text("9")
    name = written(
        place,
        """
  - id: move
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c]
    waves: [2]
    retry: {attempts: 1}
    with: {key: "${{ item }}"}
""",
    )
    run = begun(app, name)
    texts: list[str] = []
    thread = replying(
        opened, run, "move", [lambda other, ask: (texts.append(ask.text), other.decide(run, "move", "stop"))]
    )
    state = driven(app, run)
    thread.join()

    assert "b did not end well" in texts[0]
    assert ["a"] == effects(place)
    assert ["b", "c"] == app.timeline(app.row(run).incident)[-2].facts["not_moved"]
    assert "failed" == state.status("move")


def test_the_requester_may_not_open_a_gate(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: look}}
  - {id: move, phase: analysis, action: clockwork.turn, for_each: [a, b], waves: [1],
     gate: "${{ steps.look.happened }}", with: {key: "${{ item }}"}}
""",
        head="playbook: p\ntitle: t\nversion: 1\nroles: {oncall: {}}\n",
    )
    run = begun(app, name)
    refusals: list[str] = []

    def reply(other: App, ask: Ask) -> None:
        other.person = "ann"
        with pytest.raises(RequestError) as refused:
            other.decide(run, "move", "continue")
        refusals.append(str(refused.value))
        other.person = "carl"
        other.decide(run, "move", "stop")

    thread = replying(opened, run, "move", [reply])
    driven(app, run)
    thread.join()

    assert "ann asked for this run" in refusals[0]


def test_one_approval_comes_before_the_first_wave_and_signs_all_items(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - id: move
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c]
    waves: [1]
    approval: {role: commander, within: 1m, on_timeout: abort}
    with: {key: "${{ item }}"}
""",
    )
    run = begun(app, name)
    counts: list[int] = []
    thread = replying(
        opened, run, "move", [lambda other, ask: (counts.append(len(ask.digests)), other.approve(run, "move"))]
    )
    state = driven(app, run)
    thread.join()

    assert [3] == counts
    assert ["a", "b", "c"] == effects(place)
    assert "done" == state.status("move")
    events = [(entry.event, entry.step) for entry in app.timeline(app.row(run).incident)]
    assert events.index(("verified", "move[a]")) < events.index(("intended", "move[b]"))


def test_a_run_that_was_stopped_between_waves_goes_on_where_it_was(opened: OpenApp, place: Path) -> None:
    name = written(
        place,
        """
  - id: move
    phase: analysis
    action: clockwork.turn
    for_each: [a, b, c]
    waves: [1]
    with: {key: "${{ item }}"}
""",
    )
    app = opened()
    run = begun(app, name)

    def stop_after_b(point: str, step: str) -> None:
        if (point, step) == ("after-record", "move[b]"):
            first.dispatcher.stop()

    first = opened(hook=stop_after_b)
    first.drive(run)
    assert ["a", "b"] == effects(place)

    state = driven(opened(), run)

    assert ["a", "b", "c"] == effects(place)
    assert {"move": "done"} == statuses(state)


def test_an_item_that_could_not_be_planned_at_first_is_asked_for_while_others_wait_for_their_wave(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    (place / "world" / "unavailable-a").write_text("1")
    name = written(
        place,
        """
  - id: move
    phase: analysis
    action: clockwork.turn
    for_each: [a, b]
    waves: [1]
    retry: {first: 1s}
    approval: {role: commander, within: 1m, on_timeout: abort}
    with: {key: "${{ item }}"}
""",
    )
    run = begun(app, name)
    asked: list[set[str]] = []

    def approve(other: App, ask: Ask) -> None:
        asked.append(set(ask.digests))
        other.approve(run, "move")

    thread = replying(opened, run, "move", [approve, approve])
    state = driven(app, run)
    thread.join()

    assert [{"b"}, {"a"}] == asked
    assert ["a", "b"] == effects(place)
    assert "done" == state.status("move")


def test_an_item_that_is_tried_again_while_the_gate_asks_goes_before_the_next_wave(
    opened: OpenApp, place: Path
) -> None:
    app, other = opened(), opened("carl")
    (place / "world" / "refuse-b").write_text("1")
    name = written(
        place,
        """
  - {id: move, phase: analysis, action: clockwork.turn, for_each: [a, b, c], waves: [2], retry: {attempts: 1},
     with: {key: "${{ item }}"}}
""",
    )
    run = begun(app, name)
    app.dispatcher.advance(run)
    assert [("move", "gate")] == [(ask.unit, ask.kind) for ask in other.state(run).asks()]
    other.retry(run, "move[b]")
    app.dispatcher.advance(run)
    state = app.state(run)

    assert ["a", "b", "c"] == effects(place)
    assert ("ended", []) == (state.state, state.asks())


def test_a_retry_after_a_stop_at_the_gate_judges_the_gate_again(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: move, phase: analysis, action: clockwork.turn, for_each: [a, b], waves: [1], gate: "${{ false }}",
     with: {key: "${{ item }}"}}
""",
    )
    run = begun(app, name)
    thread = replying(opened, run, "move", [lambda other, ask: other.decide(run, "move", "stop")])
    assert "halted" == driven(app, run).state
    thread.join()

    app.retry(run, "move")
    thread = replying(opened, run, "move", [lambda other, ask: other.decide(run, "move", "continue")])
    state = driven(app, run)
    thread.join()

    assert "ended" == state.state
    assert ["a", "b"] == effects(place)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("waves: [1]", "`waves` belong to a step with `for_each`"),
        ('gate: "${{ true }}", for_each: [a]', "`gate` stands between `waves`"),
        ("waves: [0], for_each: [a]", "waves"),
        ('waves: ["101%"], for_each: [a]', "waves"),
        ("waves: [1], for_each: [a], gate: yes", "`gate` is an expression"),
    ],
)
def test_waves_that_make_no_sense_are_refused(keys: str, told: str) -> None:
    text = f"playbook: p\ntitle: t\nversion: 1\nsteps:\n  - {{id: a, phase: review, action: x.y, {keys}}}\n"
    with pytest.raises(PlaybookError) as refused:
        parse_playbook(text, "p.yaml")

    assert told in str(refused.value)
    assert "p.yaml:5:" in str(refused.value)
