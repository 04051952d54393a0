"""`start`: never before a time, at once when something is so, and at the latest whatever the needs."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import OpenApp
from replies import replying
from test_run import begun, driven, effects, statuses, written

from responder.app import App
from responder.appointed import local_time
from responder.entry import Entry
from responder.errors import PlaybookError
from responder.reading import parse_playbook
from responder.schedule import Times
from responder.view import view


def of(app: App, run: str, event: str) -> list[Entry]:
    return [entry for entry in app.timeline(app.row(run).incident) if entry.event == event]


def test_never_before_its_time_and_then_by_itself(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {not_before: incident.aware_at + 1.2s}}
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert {"a": "done", "b": "done"} == statuses(state)
    assert ["b", "a"] == effects(place)
    aware = datetime.fromisoformat(state.incident["aware_at"])
    (due,) = of(app, run, "came_due")
    assert timedelta(seconds=1.2) <= due.at - aware < timedelta(seconds=3)
    assert {"why": "its time has come", "not_ended_well": {}} == due.facts


def test_a_watched_condition_starts_it_at_once(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a},
     start: {when: "${{ steps.look.state == 'live' }}", hard_stop: incident.aware_at + 30s}}
  - {id: look, phase: analysis, action: clockwork.look, with: {key: look}}
""",
    )
    run = begun(app, name)
    started = time.monotonic()
    state = driven(app, run)

    assert {"a": "done", "look": "done"} == statuses(state)
    assert time.monotonic() - started < 10
    assert "`when` became true" == of(app, run, "came_due")[0].facts["why"]


def test_what_a_step_watched_for_in_vain_is_said(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {when: "${{ steps.look.state == 'no' }}"}}
  - {id: look, phase: analysis, action: clockwork.look, with: {key: look}}
""",
    )
    state = driven(app, begun(app, name))

    assert {"a": "skipped", "look": "done"} == statuses(state)
    assert "what it watched for never became true" == state.unit("a").error
    assert [] == effects(place)


def test_what_needs_a_step_that_watched_in_vain_runs_when_that_is_skipped(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: look}}
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {when: "${{ steps.look.state == 'no' }}"}}
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}, needs: [a]}
  - {id: c, phase: analysis, action: clockwork.turn, with: {key: c}, start: {when: "${{ steps.b.status == 'done' }}"}}
""",
    )
    state = driven(app, begun(app, name))

    assert {"look": "done", "a": "skipped", "b": "done", "c": "done"} == statuses(state)
    assert ["b", "c"] == effects(place)


def test_at_its_hard_stop_it_starts_whatever_its_needs_and_names_who_was_not_moved(
    opened: OpenApp, place: Path
) -> None:
    app = opened()
    (place / "world" / "denied-x").write_text("9")
    (place / "world" / "refuse-m2").write_text("99")
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: move, phase: recovery, action: clockwork.turn, for_each: [m1, m2], retry: {attempts: 1},
     with: {key: "${{ item }}"}}
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: kill}, needs: [look, move],
     start: {hard_stop: incident.aware_at + 1.5s}}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert "done" == state.status("kill")
    assert ["m1", "kill"] == effects(place)
    (due,) = of(app, run, "came_due")
    assert {"why": "hard stop", "not_ended_well": {"look": "failed", "move": ["m2"]}} == due.facts
    assert "halted" == state.state


def test_at_its_hard_stop_it_starts_although_what_it_reads_is_still_under_way(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: ask, phase: analysis, action: human.decide,
     with: {question: q, options: {wait: w, go: g}, role: commander, within: 3s, on_timeout: abort}}
  - {id: kill, phase: containment, action: clockwork.turn, if: "${{ steps.ask.choice != 'wait' }}",
     with: {key: kill, note: "${{ steps.ask.choice or 'nobody' }}"}, start: {hard_stop: incident.aware_at + 1s}}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert ["kill"] == effects(place)
    assert {"ask": "declined", "kill": "done"} == statuses(state)
    assert [{"why": "hard stop", "not_ended_well": {"ask": "running"}}] == [
        one.facts for one in of(app, run, "came_due")
    ]


def test_an_if_that_is_false_skips_it_at_the_hard_stop_too(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: kill}, if: "${{ steps.look.state == 'dead' }}",
     start: {not_before: incident.aware_at + 9s, hard_stop: incident.aware_at + 1s}}
""",
    )
    state = driven(app, begun(app, name))

    assert {"look": "done", "kill": "skipped"} == statuses(state)


def test_its_approval_is_asked_when_it_is_planned_and_signs_the_latest_time(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: kill},
     start: {not_before: incident.aware_at + 2s, hard_stop: incident.aware_at + 60s},
     approval: {role: commander, within: 1m, on_timeout: abort}}
""",
    )
    run = begun(app, name)
    thread = replying(opened, run, "kill", [lambda other, ask: other.approve(run, "kill", ask.digest)])
    state = driven(app, run)
    thread.join()

    assert "done" == state.status("kill")
    (asked,), (due,), (planned,) = of(app, run, "asked"), of(app, run, "came_due"), of(app, run, "planned")
    assert asked.at < due.at
    aware = datetime.fromisoformat(state.incident["aware_at"])
    assert (aware + timedelta(seconds=60)).isoformat() == planned.facts["preconditions"]["latest start"]
    (intended,) = of(app, run, "intended")
    assert asked.facts["digest"] == intended.facts["digest"]


def test_moving_it_later_asks_again_and_moving_it_earlier_does_not(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: kill},
     start: {not_before: incident.aware_at + 3s, hard_stop: incident.aware_at + 60s},
     approval: {role: commander, within: 1m, on_timeout: abort}}
""",
    )
    run = begun(app, name)
    digests: list[str] = []

    def approve(other: App, ask: object) -> None:
        digests.append(ask.digest)  # type: ignore[attr-defined]
        other.approve(run, "kill")
        aware = datetime.fromisoformat(other.state(run).incident["aware_at"])
        moved = aware + timedelta(seconds=1 if len(digests) == 1 else -1)
        other.set(run, "aware_at", moved.isoformat())

    thread = replying(opened, run, "kill", [approve, approve])
    state = driven(app, run)
    thread.join()

    assert "done" == state.status("kill")
    assert 2 == len(set(digests))
    assert 2 == len(of(app, run, "asked"))
    assert ["kill"] == effects(place)


def test_what_could_not_be_planned_early_is_planned_again_before_its_time(opened: OpenApp, place: Path) -> None:
    app = opened()
    (place / "world" / "unavailable-kill").write_text("1")
    name = written(
        place,
        """
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: kill}, retry: {first: 0.05s},
     start: {not_before: incident.aware_at + 1h}, approval: {role: commander, within: 1h, on_timeout: abort}}
""",
    )
    run = begun(app, name)
    app.dispatcher.advance(run)

    assert ["kill"] == [ask.unit for ask in app.state(run).asks()]


class Ticking:
    """A clock that goes on by 10 ms whenever somebody looks at it, and waits for nobody."""

    def __init__(self) -> None:
        self._at = datetime.now(UTC)

    def now(self) -> datetime:
        self._at += timedelta(seconds=0.01)
        return self._at

    def real_seconds(self, seconds: float) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


def test_a_time_that_comes_between_two_looks_at_the_clock_is_not_missed(opened: OpenApp, place: Path) -> None:
    for hundredths in range(12, 40):
        app = opened(store=str(place / f"{hundredths}.db"), clock=Ticking())
        name = written(
            place,
            "  - {id: a, phase: analysis, action: clockwork.nothing,"
            f" start: {{not_before: incident.aware_at + {hundredths / 100:.2f}s}}}}\n",
        )
        run = begun(app, name)
        app.dispatcher.advance(run)

        assert ("ended", {"a": "done"}) == (app.state(run).state, statuses(app.state(run))), hundredths


def test_it_waits_for_its_time_across_a_restart(opened: OpenApp, place: Path) -> None:
    name = written(
        place,
        """
  - {id: b, phase: analysis, action: clockwork.turn, with: {key: b}}
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {not_before: incident.aware_at + 1s}}
""",
    )
    app = opened()
    run = begun(app, name)

    def stop_after_b(point: str, step: str) -> None:
        if (point, step) == ("after-record", "b"):
            first.dispatcher.stop()

    first = opened(hook=stop_after_b)
    first.drive(run)
    assert ["b"] == effects(place)

    assert {"a": "done", "b": "done"} == statuses(driven(opened(), run))
    assert ["b", "a"] == effects(place)


def test_a_time_whose_anchor_has_not_happened_is_pending(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a},
     start: {not_before: incident.public_coverage_at + 1s, hard_stop: incident.aware_at + 1s}}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert "done" == state.status("a")
    assert of(app, run, "scheduled")[0].facts["pending"]
    assert "hard stop" == of(app, run, "came_due")[0].facts["why"]


def test_where_a_run_ends_before_a_time_is_known_that_is_the_reason(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a},
     start: {not_before: incident.public_coverage_at + 1s}}
""",
    )
    state = driven(app, begun(app, name))

    assert ("ended", "skipped") == (state.state, state.status("a"))
    assert "its time never came to be known: incident.public_coverage_at + 1s" == state.unit("a").error


def test_a_time_that_another_step_says_is_pending_until_that_has_ended(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: asks, phase: analysis, action: clockwork.nothing, with: {seconds: 0.3, says: "2020-01-01T00:00:00+00:00"}}
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {not_before: "${{ steps.asks.says }}"}}
""",
    )
    run = begun(app, name)
    state = driven(app, run)

    assert {"asks": "done", "a": "done"} == statuses(state)
    assert [True, False] == [entry.facts["pending"] for entry in of(app, run, "scheduled")]


@pytest.mark.parametrize(("when", "ends"), [("true", "done"), ("false", "skipped")])
def test_a_time_that_a_sub_playbook_is_given_is_read_when_that_begins(
    opened: OpenApp, place: Path, when: str, ends: str
) -> None:
    app = opened()
    head = "playbook: p\ntitle: t\nversion: 1\ninputs: {at: {}}\n"
    takes = """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {not_before: "${{ inputs.at }}"}}
"""
    written(place, takes, "inner", head)
    name = written(
        place,
        """
  - {id: asks, phase: analysis, action: clockwork.nothing, with: {says: "2020-01-01T00:00:00+00:00"}}
  - {id: part, phase: analysis, playbook: inner, with: {at: "${{ steps.asks.says }}"}, if: "${{ WHEN }}"}
""".replace("WHEN", when),
    )
    state = driven(app, begun(app, name))

    assert {"asks": "done", "part": ends, "part/a": ends} == statuses(state)


def test_a_time_that_is_none_fails_the_step_with_a_way_out(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}, start: {not_before: "${{ 'tomorrow at noon' }}"}}
""",
    )
    state = driven(app, begun(app, name))

    assert "failed" == state.status("a")
    assert "'tomorrow at noon' is not a time" in state.unit("a").error
    assert "2026-12-01 09:00 Europe/Berlin" in state.unit("a").error


def test_local_times_have_a_zone_or_that_of_the_organisation() -> None:
    assert datetime(2026, 12, 1, 8, tzinfo=UTC) == local_time("2026-12-01 09:00 Europe/Berlin", "UTC")
    assert datetime(2026, 7, 1, 7, tzinfo=UTC) == local_time("2026-07-01 09:00", "Europe/Berlin")
    assert datetime(2026, 12, 1, 10, tzinfo=UTC) == local_time("2026-12-01T09:00:00-01:00", "Europe/Berlin")
    assert datetime(2027, 3, 28, 1, tzinfo=UTC) == local_time("2027-03-28 02:30 Europe/Berlin", "UTC")  # it is skipped
    with pytest.raises(ValueError, match="not known"):
        local_time("2026-12-01 09:00 Mars/Base", "UTC")


def test_what_was_signed_is_kept_when_the_time_moves_earlier() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    signed = Times(None, late).facts(None)["latest"]

    assert late.isoformat() == signed
    assert signed == Times(None, early).facts(signed)["latest"]
    assert "" == Times(None, None).facts(signed)["latest"]
    assert "" == Times(None, early).facts("")["latest"]


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("{}", "`start` says nothing"),
        ("{when: soon}", "`when` is an expression"),
        ('{when: "${{ now > incident.aware_at }}"}', "a clock is not watched"),
        ("{not_before: \"${{ after(now, '1h') }}\"}", "moves on with every look"),
        ("{hard_stop: \"${{ after(now, '1h') }}\"}", "moves on with every look"),
        ("{hard_stop: incident.awre_at + 1h}", "did you mean 'aware_at'?"),
        ("{hard_stop: incident.aware_at + soon}", "'incident.aware_at + soon' is not a time"),
        ("{not_before: tomorrow at noon}", "'tomorrow at noon' is not a time"),
        ("{not_before: 2026-12-01 09:00 Mars/Base}", "the time zone 'Mars/Base' is not known"),
        ('{not_before: "${{ steps.nowhere.at }}"}', "there is no step 'nowhere'"),
        ("{not_after: x}", "not_after"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(start: str, told: str) -> None:
    text = f"playbook: p\ntitle: t\nversion: 1\nsteps:\n  - {{id: a, phase: review, action: x.y, start: {start}}}\n"
    with pytest.raises(PlaybookError) as refused:
        parse_playbook(text, "p.yaml")

    assert told in str(refused.value)
    assert "p.yaml:5:" in str(refused.value)


def test_the_view_says_what_a_step_with_a_start_waits_for(opened: OpenApp, place: Path) -> None:
    app = opened()
    name = written(
        place,
        """
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: kill},
     start: {not_before: 2031-01-01 09:00 Europe/Berlin, hard_stop: "2031-01-02 09:00 UTC",
     when: "${{ steps.look.happened }}"}, approval: {role: commander, within: 1h, on_timeout: abort}}
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
""",
    )
    run = begun(app, name)
    app.dispatcher.advance(run)
    shown = next(one for one in view(app.state(run), app.clock_line()).steps if one.id == "kill")

    assert "waiting" == shown.status
    told = "asks commander; not before 2031-01-01 08:00:00 UTC, by 2031-01-02 09:00:00 UTC, once its `when` is true"
    assert told == shown.note
