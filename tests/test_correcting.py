"""A corrected moment: more time for a deadline is asked of its owner, less counts at once; both values stay."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.app import App
from responder.clock import SystemClock
from responder.correcting import correct
from responder.deadlines import ClockView, clock_view
from responder.documents import Templates
from responder.entry import Draft, Entry
from responder.errors import FindingError, RequestError, SettingsError
from responder.figures import figures
from responder.finding import Exposure, Finding
from responder.fold import fold
from responder.narrative import rows
from responder.reading import parse_playbook
from responder.review import postmortem
from responder.run import Pause
from responder.view import view

AWARE = datetime(2026, 11, 20, 15, tzinfo=UTC)
PLAYBOOK = """\
playbook: duties
title: t
version: 1
roles: {commander: {}, comms: {}, oncall: {}}
deadlines:
  told: {from: incident.aware_at, within: 24h, role: commander}
  public: {from: incident.public_coverage_at, within: 1h, role: comms}
  early: {from: "min(incident.classified_at + 4h, incident.aware_at + 24h)", role: comms}
  notified: {from: incident.aware_at, within: 72h, role: commander, if: "${{ incident.severity != 'P4' }}"}
  final: {from: submitted(notified), within: 1 month, zone: Europe/Berlin, role: commander}
steps:
  - id: look
    phase: review
    action: human.task
    with: {role: oncall, instructions: do it, within: 30d, on_timeout: abort}
    meets: told
  - id: notify
    phase: communication
    action: human.task
    with: {role: oncall, instructions: notify, within: 30d, on_timeout: abort}
    meets: notified
"""


class Standing(SystemClock):
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = AWARE

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        del seconds


class Duties:
    """A run with deadlines, and what people do to it."""

    def __init__(self, opened: Callable[..., App], text: str = PLAYBOOK) -> None:
        self.clock = Standing()
        self.opened = opened
        self.app = opened("ann", clock=self.clock)
        finding = Finding(exposure=Exposure(kind="public"), key_id="k1", connection="cw", aware_at=AWARE)
        begun = self.app.begin(parse_playbook(text, "duties.yaml")[0], finding, {})
        self.run, self.incident = begun.run, begun.incident
        self.advance()

    def advance(self) -> Pause:
        return self.app.dispatcher.advance(self.run)

    def as_(self, person: str) -> App:
        return self.opened(person, clock=self.clock)

    def after(self, hours: float) -> "Duties":
        self.clock.at = AWARE + timedelta(hours=hours)
        return self

    def deadline(self, name: str) -> ClockView:
        state = self.app.state(self.run)
        return clock_view(name, state.playbook.deadlines[name], state, self.clock.now())

    def set(self, name: str, hours: float, person: str = "ann", reason: str = "") -> Any:
        return self.as_(person).set(self.run, name, (AWARE + timedelta(hours=hours)).isoformat(), reason)

    def events(self) -> list[Entry]:
        return self.app.timeline(self.incident)


@pytest.fixture
def duties(opened: Callable[..., App]) -> Duties:
    return Duties(opened)


def at(hours: float) -> datetime:
    return AWARE + timedelta(hours=hours)


# At once ------------------------------------------------------------------------------------------


def test_less_time_counts_at_once_and_both_values_stay(duties: Duties) -> None:
    assert duties.set("aware_at", -2, reason="the mail was older") is None

    assert duties.deadline("told").due_at == at(22)
    [entry] = [entry for entry in duties.events() if entry.event == "set"]
    assert (entry.facts["old"], entry.facts["new"]) == (AWARE.isoformat(), at(-2).isoformat())
    assert entry.facts["reason"] == "the mail was older"
    assert {move["deadline"]: move["new"] for move in entry.facts["moves"]}["told"] == at(22).isoformat()


def test_a_moment_that_had_not_happened_starts_its_clocks_at_once(duties: Duties) -> None:
    assert ("pending", ("incident.public_coverage_at",)) == (
        duties.deadline("public").state,
        duties.deadline("public").awaits,
    )

    assert duties.set("public_coverage_at", 3) is None

    assert ("running", at(4)) == (duties.deadline("public").state, duties.deadline("public").due_at)


def test_the_earliest_of_two_runs_on_what_is_known(duties: Duties) -> None:
    assert (at(24), ("incident.classified_at",)) == (duties.deadline("early").due_at, duties.deadline("early").awaits)

    assert duties.set("classified_at", 2) is None
    assert (at(6), ()) == (duties.deadline("early").due_at, duties.deadline("early").awaits)


def test_what_moves_no_deadline_is_not_asked(duties: Duties) -> None:
    assert duties.set("exposed_at", 3) is None
    assert duties.set("exposed_at", 9) is None
    assert duties.app.state(duties.run).incident["exposed_at"] == at(9).isoformat()


# More time ----------------------------------------------------------------------------------------


def test_more_time_counts_when_the_owner_agrees(duties: Duties) -> None:
    duties.set("public_coverage_at", 3)

    asked = duties.set("public_coverage_at", 5, reason="the first article was a draft")

    assert asked is not None
    assert (asked.address, asked.roles) == ("set:public_coverage_at", ["comms"])
    assert (at(4), at(6)) == (duties.deadline("public").due_at, duties.deadline("public").proposed_due_at)
    duties.as_("cora").approve(duties.run, "set:public_coverage_at", asked.digest)
    assert (at(6), None) == (duties.deadline("public").due_at, duties.deadline("public").proposed_due_at)
    assert [] == list(duties.app.state(duties.run).corrections)


def test_until_then_the_earlier_time_counts_whatever_happens(duties: Duties) -> None:
    duties.set("aware_at", 4)

    assert ("overdue", at(24)) == (duties.after(25).deadline("told").state, duties.deadline("told").due_at)


def test_what_the_owner_declines_stays_as_it_was(duties: Duties) -> None:
    duties.set("public_coverage_at", 3)
    duties.set("public_coverage_at", 5)

    duties.as_("cora").decline(duties.run, "set:public_coverage_at", "we were told at 18:00")

    assert (at(4), None) == (duties.deadline("public").due_at, duties.deadline("public").proposed_due_at)
    with pytest.raises(RequestError, match="Nothing is asked at set:public_coverage_at"):
        duties.as_("cora").approve(duties.run, "set:public_coverage_at")


def test_every_owner_must_agree_and_one_person_may_be_several(duties: Duties) -> None:
    asked = duties.set("aware_at", 4)
    assert asked is not None
    assert ["commander", "comms"] == asked.roles

    duties.as_("carl").approve(duties.run, "set:aware_at")
    assert (at(24), ["comms"]) == (
        duties.deadline("told").due_at,
        duties.app.state(duties.run).corrections["set:aware_at"].roles,
    )
    duties.as_("cora").approve(duties.run, "set:aware_at")
    assert at(28) == duties.deadline("told").due_at

    assert duties.set("aware_at", 5) is not None
    duties.as_("cora").approve(duties.run, "set:aware_at")
    assert at(29) == duties.deadline("told").due_at


@pytest.mark.parametrize(
    ("asker", "person", "why"),
    [
        pytest.param("oncall-too", "ann", "does not have the role", id="no owner"),
        pytest.param("carl", "carl", "asked for this correction", id="whoever asks"),
        pytest.param("ann", "hal", "holds the credential", id="a holder"),
        pytest.param("ann", "mallory", "was not among the people", id="a stranger"),
        pytest.param("ann", "", "speaks for nobody", id="nobody"),
    ],
)
def test_who_may_not_agree_is_told(duties: Duties, asker: str, person: str, why: str) -> None:
    duties.set("aware_at", 4, person=asker)

    with pytest.raises(RequestError, match=why):
        duties.as_(person).approve(duties.run, "set:aware_at")

    assert at(24) == duties.deadline("told").due_at


def test_an_answer_is_bound_to_what_was_seen(duties: Duties) -> None:
    first = duties.set("aware_at", 4)
    second = duties.set("aware_at", 8)

    assert first is not None
    assert second is not None
    with pytest.raises(RequestError, match="other due times"):
        duties.as_("cora").approve(duties.run, "set:aware_at", first.digest)
    draft = {"digest": first.digest, "role": "comms", "roles": ["comms", "commander"]}
    timeline = duties.app.dispatcher.timeline(duties.incident)
    timeline.append(Draft("agreed", draft, step="set:aware_at", actor="cora"))  # written a moment before the second
    assert at(24) == duties.deadline("told").due_at


def test_an_earlier_time_that_comes_in_between_ends_the_question(duties: Duties) -> None:
    duties.set("aware_at", 4)
    duties.set("aware_at", -1)

    assert at(23) == duties.deadline("told").due_at
    with pytest.raises(RequestError, match="Nothing is asked"):
        duties.as_("cora").approve(duties.run, "set:aware_at")


def test_other_due_times_than_those_asked_about_ask_again(duties: Duties) -> None:
    duties.set("classified_at", 30)
    duties.set("aware_at", 40)  # early: 24 -> 34, because it was classified at 30
    duties.set("classified_at", 28)  # now it would be 32

    with pytest.raises(RequestError, match="would move other due times now"):
        duties.as_("cora").approve(duties.run, "set:aware_at")


def test_two_who_correct_at_once_do_not_win_over_each_other(duties: Duties) -> None:
    """Both read 15:00; one says 13:00, and the other's 14:00 would be a later time that nobody was asked about."""
    timeline = duties.app.dispatcher.timeline(duties.incident)
    for hours in (-2, -1):
        facts = {
            "of": "incident",
            "field": "aware_at",
            "old": AWARE.isoformat(),
            "new": at(hours).isoformat(),
            "moves": [],
        }
        timeline.append(Draft("set", {**facts, "moves": []}, actor="ann"))

    assert at(22) == duties.deadline("told").due_at


def test_a_deadline_that_was_met_in_time_is_not_asked_about_and_a_missed_one_is(duties: Duties) -> None:
    duties.after(1).as_("ann").done(duties.run, "look", "said")
    assert "met" == duties.deadline("told").state
    duties.after(80)

    asked = duties.set("aware_at", 70)

    assert asked is not None
    assert {"early", "notified"} == {move.deadline for move in asked.moves}


def test_a_condition_that_would_end_a_deadline_is_more_time(opened: Callable[..., App]) -> None:
    text = PLAYBOOK.replace("""if: "${{ incident.severity != 'P4' }}\"""", 'if: "${{ not incident.classified_at }}"')
    duties = Duties(opened, text)

    asked = duties.set("classified_at", 2)

    assert asked is not None
    assert [("notified", None)] == [(move.deadline, move.new) for move in asked.moves if move.is_later]


def test_a_crash_between_question_and_answer_loses_nothing(duties: Duties) -> None:
    duties.set("aware_at", 4)
    entries = duties.events()

    for count in range(1, len(entries) + 1):
        state = fold(duties.run, entries[:count])
        if state.state != "new":
            assert AWARE.isoformat() == state.incident["aware_at"]
    assert "set:aware_at" in fold(duties.run, entries).corrections


def test_an_open_question_keeps_no_run_from_ending(duties: Duties) -> None:
    duties.set("aware_at", 4)
    for step in ("look", "notify"):
        duties.as_("ann").done(duties.run, step, "said")

    assert "ended" == duties.advance().state
    duties.as_("cora").approve(duties.run, "set:aware_at")
    duties.as_("carl").set(duties.run, "aware_at", at(0).isoformat())


# Submissions --------------------------------------------------------------------------------------


def test_a_month_counts_from_the_submission(duties: Duties) -> None:
    final = duties.deadline("final")
    assert ("pending", ("submitted(notified)",), ("carl", "cora", "hal")) == (final.state, final.awaits, final.owners)

    duties.after(60).as_("ann").done(duties.run, "notify", "sent")

    assert ("running", datetime(2026, 12, 23, 3, tzinfo=UTC)) == (
        duties.deadline("final").state,
        duties.deadline("final").due_at,
    )


def test_what_waits_for_a_submission_that_is_off_is_off(duties: Duties) -> None:
    duties.as_("ann").set(duties.run, "severity", "P4")

    assert ("off", "off") == (duties.deadline("notified").state, duties.deadline("final").state)


# What people see ----------------------------------------------------------------------------------


def test_the_question_stands_where_questions_stand(duties: Duties) -> None:
    duties.set("aware_at", 4, reason="the first mail was a test")

    [ask] = [one for one in view(duties.app.state(duties.run), duties.clock.now()).awaiting if one.kind == "approval"]

    assert ("set:aware_at", "aware_at") == (ask.step, ask.target)
    assert (AWARE.isoformat(), at(4).isoformat()) == (ask.before, ask.after)
    assert ("carl", "cora") == ask.may_answer
    assert "the first mail was a test" in ask.text
    assert "told from 2026-11-21 15:00:00 UTC to 2026-11-21 19:00:00 UTC" in ask.text
    assert f"responder approve {duties.run} set:aware_at" in ask.commands


def test_the_review_tells_what_was_asked_and_what_waits(duties: Duties, place: Path) -> None:
    duties.set("aware_at", 4)

    found = {one.name: one for one in figures(duties.events()).deadlines}
    told = [row.text for row in rows(duties.events())]

    assert "a correction of aware_at waits for commander, comms" in found["told"].reason
    assert "submitted(notified) has not happened" in found["final"].reason
    assert any("was asked to agree: correct aware_at" in text for text in told)
    text = postmortem(Templates(duties.app.means.templates).get("postmortem"), duties.events())
    assert "submitted(notified) has not happened" in text
    duties.as_("cora").approve(duties.run, "set:aware_at")
    assert ("commander, comms", "approved") in {(one.role, one.answer) for one in figures(duties.events()).answers}


# What is refused ----------------------------------------------------------------------------------


def test_what_is_proven_cannot_be_said(duties: Duties) -> None:
    with pytest.raises(RequestError, match="contained_at is proven"):
        duties.set("contained_at", 1)


def test_a_severity_that_is_none_is_refused_for_conditions_compare_it(duties: Duties) -> None:
    with pytest.raises(RequestError, match=r"'p4' is no severity") as refused:
        duties.as_("ann").set(duties.run, "severity", "p4")

    assert "known: P1, P2, P3, P4" in str(refused.value)
    assert "off" != duties.deadline("notified").state


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "2026-05-02T09:20:00"])
def test_a_moment_that_no_calendar_counts_from_is_one_clear_error(duties: Duties, text: str) -> None:
    with pytest.raises(FindingError, match=r"in the years 1970 to 2999|not a time with a zone"):
        duties.as_("ann").set(duties.run, "aware_at", text)


def test_a_playbook_whose_holidays_are_not_there_does_not_begin(opened: Callable[..., App]) -> None:
    text = PLAYBOOK.replace("within: 1 month, zone", "within: 4 business days, holidays: us-federal, zone")

    with pytest.raises(SettingsError, match="no holidays 'us-federal'"):
        Duties(opened, text)


def test_a_run_that_another_opened_keeps_its_own_awareness(duties: Duties) -> None:
    """A credential that was found on the way has its own clocks: a correction of the incident moves none of them."""
    entries = duties.events()
    started = next(entry for entry in entries if entry.event == "started")
    child = started._replace(run="run-child", facts={**started.facts, "parent": {"run": duties.run, "step": "look"}})
    state = fold("run-child", [*entries, child])

    draft = correct([state], "aware_at", AWARE.isoformat(), at(9).isoformat(), "ann", at(0), "")

    assert ("set", []) == (draft.event, draft.facts["moves"])
