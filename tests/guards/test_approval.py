"""What is final, or leaves the house, has the agreement of people; silence is none."""

import time
from pathlib import Path
from typing import Any

import pytest
from cli_bench import advanced, agreed, as_person, begun, typed
from guard_bench import assert_refused, case, effects, playbook, ran, refusals, step

from responder.action import Effect
from responder.entry import Draft
from responder.guards import step_problems
from responder.notice import SendNotice
from responder.run import Runner
from responder.timeline import Timeline

FINAL = "  - {id: end, phase: eradication, action: clockwork.final, with: {key: end}%s}\n"


def approving(on_timeout: str) -> dict[str, Any]:
    return {"role": "commander", "within": "1h", "on_timeout": on_timeout}


@pytest.mark.parametrize(
    ("effect", "given", "external", "count"),
    [
        pytest.param(Effect.READ, None, False, 0, id="a read needs nobody"),
        pytest.param(Effect.REVERSIBLE, None, False, 0, id="what can be taken back needs nobody"),
        pytest.param(Effect.FINAL, None, False, 1, id="what is final needs somebody"),
        pytest.param(Effect.MESSAGE, None, False, 0, id="a message to ourselves needs nobody"),
        pytest.param(Effect.MESSAGE, None, True, 1, id="a message that leaves needs somebody"),
        pytest.param(Effect.REVERSIBLE, "proceed", False, 0, id="silence may do what can be taken back"),
        pytest.param(Effect.FINAL, "proceed", False, 1, id="silence agrees to nothing final"),
        pytest.param(Effect.MESSAGE, "proceed", False, 1, id="silence agrees to no message"),
        pytest.param(Effect.FINAL, "abort", True, 0, id="agreed, or not at all"),
        pytest.param(Effect.FINAL, "escalate(comms)", False, 0, id="agreed by the next"),
    ],
)
def test_what_an_effect_needs(effect: Effect, given: str | None, *, external: bool, count: int) -> None:
    one = step(approval=approving(given)) if given else step()

    assert count == len(step_problems(one, effect, external=external))


def test_a_notice_is_a_message() -> None:
    assert Effect.MESSAGE is SendNotice.effect


def test_the_runner_refuses_what_lint_did_not_see() -> None:
    assert ["a text that leaves the house needs an approval"] == refusals("approval", case(record={"external": True}))


@pytest.mark.parametrize(
    ("quorum", "count"),
    [
        pytest.param(0, 1, id="nobody is asked"),
        pytest.param(1, 1, id="one person"),
        pytest.param(2, 0, id="two people"),
    ],
)
def test_acting_as_another_needs_two_people(quorum: int, count: int) -> None:
    approval = {"approval": {**approving("abort"), "quorum": quorum}} if quorum else {}
    one = step("credential.disable", **{"as": "other"}, **approval)

    assert count == len(refusals("approval", case(one=one)))


@pytest.mark.parametrize(
    ("approval", "what", "way_out"),
    [
        pytest.param("", "a final change needs an approval", "add `approval:`", id="nobody is asked"),
        pytest.param(
            ", approval: {role: commander, within: 1s, on_timeout: proceed}",
            "silence is no agreement",
            "use abort or escalate(role)",
            id="silence would agree",
        ),
    ],
)
def test_from_the_command_line_nothing_is_begun(place: Path, approval: str, what: str, way_out: str) -> None:
    result = ran(place, FINAL % approval)

    assert_refused(result, "approval", what=what, place="g.yaml:6", way_out=way_out)
    assert not (place / "state").exists()


def test_from_the_command_line_a_run_that_began_some_other_way_is_refused_as_well(place: Path) -> None:
    playbook(place, FINAL % "")

    result = typed(place, "resume", begun(place, "g"))

    assert_refused(result, "approval", what="a final change", place="step end", way_out="add `approval:`")
    assert [] == effects(place)


def test_what_people_agreed_to_is_done(place: Path) -> None:
    playbook(place, FINAL % ", approval: {role: commander, within: 1h, on_timeout: abort}")
    run = begun(place, "g")
    advanced(place, run)
    agreed(place, run, "end")

    advanced(place, run)

    assert ["end"] == effects(place)


EACH = """\
  - id: turn
    phase: containment
    action: clockwork.turn
    for_each: [a, b]
    with: {key: "${{ item }}"}
    approval: {role: commander, within: 1h, on_timeout: abort}
"""


def test_an_item_that_was_not_sent_and_would_be_another_change_is_asked_about_again(place: Path) -> None:
    playbook(place, EACH)
    run = begun(place, "g")
    advanced(place, run)
    agreed(place, run, "turn")
    app = as_person(place, "ann")
    lease = app.dispatcher.adopt(run)
    timeline = app.dispatcher.timeline(app.row(run).incident)
    intended = Draft("intended", {"digest": app.state(run).unit("turn[a]").planned["digest"]}, run, "turn[a]")
    timeline.append(intended, fence=lease.fence)  # and the process dies
    app.dispatcher.leases.give_back(lease)
    (place / "world" / "note").write_text(" twice")

    lease = app.dispatcher.adopt(run)
    until = time.monotonic() + 5
    Runner(app.means, timeline, lease.fence, others_dead=True).advance(lambda: time.monotonic() > until)
    app.dispatcher.leases.give_back(lease)
    planned = [entry.step for entry in timeline.entries()[intended_at(timeline) :] if entry.event == "planned"]
    question = app.state(run).question("turn")
    app.close()

    assert ["turn[a]", "turn[b]"] == sorted(planned)
    assert question is not None
    agreed(place, run, "turn")
    advanced(place, run)
    assert ["a", "b"] == sorted(effects(place))


def intended_at(timeline: Timeline) -> int:
    return next(entry.seq for entry in timeline.entries() if entry.event == "intended")
