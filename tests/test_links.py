"""Runs that have to do with each other, and acting with another connection's credential."""

from pathlib import Path

import pytest
from conftest import OpenApp, leaked_value
from replies import replying
from test_run import begun, driven, effects, statuses, written

from responder.app import App
from responder.errors import PlanRefused
from responder.finding import Exposure, Finding
from responder.state import RunState

ISSUES = """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: issue, phase: recovery, action: credential.issue, needs: [kill], with: {label: fresh}}
  - {id: pause, phase: recovery, action: human.task, needs: [issue],
     with: {role: oncall, instructions: wait, within: 1m, on_timeout: abort}}
  - {id: deliver, phase: recovery, action: credential.deliver, needs: [pause],
     with: {consumer: {id: site, connection: cw, secret: S}, value: "${{ steps.issue.value }}"}}
  - {id: watch, phase: recovery, action: clockwork.watch, needs: [pause]}
"""
ENDS = """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill]}
"""
CONTAINED = "exit: [\"${{ steps.dead.verdict == 'dead' }}\"]\n"


def fresh(app: App) -> Finding:
    value = app.means.sealer.secret("new-value-fresh-" + "x" * 20)
    return Finding(value=value, exposure=Exposure(kind="public", url="https://paste.example/1"))


def test_a_finding_of_what_a_run_is_delivering_pauses_it_and_its_watches_go_on(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "acting-key").write_text("ours")
    run = begun(app, written(place, ISSUES))
    ends = written(place, ENDS, "ends")
    (place / "playbooks" / "ends.yaml").write_text((place / "playbooks" / "ends.yaml").read_text() + CONTAINED)
    second: list[str] = []
    seen: list[RunState] = []

    def found(other: App, ask: object) -> None:
        begun_now = other.begin(other.library.load(ends), fresh(other), {})
        second.append(begun_now.run)
        assert other.row(run).incident == begun_now.incident
        assert not begun_now.joined
        other.done(run, "pause", "go on")
        for _ in range(200):
            if other.state(run).status("watch") == "done":
                break
            other.means.clock.sleep(0.02)
        seen.append(other.state(run))
        other.drive(second[0])

    thread = replying(opened, run, "pause", [found])
    app.drive(run)
    thread.join()
    assert app.row(run).wake_at  # whoever advances runs for others hears that it may go on
    app.resume(run)
    state = app.state(run)

    assert ("done", "waiting") == (seen[0].status("watch"), seen[0].status("deliver"))
    assert "ended" == app.state(second[0]).state
    assert app.state(second[0]).contained
    assert "failed" == state.status("deliver")  # it was planned again, and what leaked meanwhile is not delivered
    assert not any(effect.startswith("delivered") for effect in effects(place))
    assert "was issued it" in str(app.state(second[0]).started["ownership"]["reason"])


def test_the_lock_on_what_was_issued_ends_with_the_run(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(
        app,
        written(
            place,
            """
  - {id: issue, phase: recovery, action: credential.issue, with: {label: fresh}}
""",
        ),
    )
    driven(app, run)

    with pytest.raises(PlanRefused, match="Nothing shows that this credential is ours"):
        app.begin(app.library.load(written(place, ENDS, "ends")), fresh(app), {})


AS = """
  - {id: turn, phase: containment, action: clockwork.turn, with: {key: x}, connection: cw, as: other,
     approval: {role: commander, quorum: 2, within: 1m, on_timeout: abort}}
"""


def with_other(place: Path, account: str = "acct-1") -> None:
    text = (place / "responder.yaml").read_text()
    line = f"  other: {{provider: clockwork, account: {account}, folder: {place / 'world'}}}\n"
    (place / "responder.yaml").write_text(text.replace("inventory:\n", f"{line}inventory:\n", 1))


def test_as_acts_with_another_connection_once_two_people_agreed(opened: OpenApp, place: Path) -> None:
    with_other(place)
    app = opened()
    run = begun(app, written(place, AS))
    first = replying(opened, run, "turn", [lambda other, ask: other.approve(run, "turn")], "carl")
    first.join(0.0)
    second = replying(opened, run, "turn", [lambda other, ask: other.approve(run, "turn")], "cora")
    state = driven(app, run)
    first.join()
    second.join()

    assert {"turn": "done"} == statuses(state)
    assert ("other", "cw") == (state.unit("turn").planned["connection"], state.unit("turn").planned["instead_of"])


def test_as_of_another_account_is_refused(opened: OpenApp, place: Path) -> None:
    with_other(place, "acct-2")
    app = opened()
    state = driven(app, begun(app, written(place, AS)))

    assert "failed" == state.status("turn")
    assert "`as: other` is clockwork account 'acct-2'" in state.unit("turn").error
    assert [] == effects(place)


def test_as_with_one_approver_is_refused(opened: OpenApp, place: Path) -> None:
    with_other(place)
    app = opened()
    run = begun(app, written(place, AS.replace("quorum: 2, ", "")))
    state = driven(app, run)

    assert "failed" == state.status("turn")
    assert "two people" in state.unit("turn").error
    assert [] == effects(place)
    assert leaked_value() not in str(app.timeline(app.row(run).incident))
