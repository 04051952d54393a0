"""Figures and postmortem come from the record alone, by hand-made records whose numbers are known."""

import time
from pathlib import Path
from typing import Any

import pytest
from documents_record import (
    CHILD_PLAYBOOK,
    PLAYBOOK,
    START,
    Record,
    child,
    contain,
    founding,
    give_back,
    only_until,
    opened,
    tell,
    with_facts,
)

from responder.documents import Templates, read_templates
from responder.documents.template import Template
from responder.entry import Entry
from responder.errors import DocumentError, RecordError
from responder.figures import Figures, figures
from responder.lines import sentence
from responder.narrative import rows
from responder.review import postmortem, prose_of, written_prose

ROOT = Path(__file__).parent.parent / "templates"
TEMPLATE: Template = Templates(read_templates([ROOT])).get("postmortem")
ENTRIES = founding(4)
FIGURES = figures(ENTRIES)


def seconds(found: Figures) -> dict[str, float | None]:
    return {span.name: span.seconds if span.seconds is None else round(span.seconds, 1) for span in found.spans}


def texts(entries: list[Entry]) -> list[str]:
    return [row.text for row in rows(entries)]


# Figures ------------------------------------------------------------------------------------------


def test_every_length_of_time_is_measured_between_its_two_moments() -> None:
    assert seconds(FIGURES) == {
        "exposure": 3658.0,
        "TTD": 3540.0,
        "TTN": 62.0,
        "time to disabled": 50.0,
        "time to proven dead": 83.0,
        "TTC": 81.0,
        "TTVerify": 33.0,
        "TTR": 225.7,
    }


def test_containment_is_the_first_refusal_after_the_last_acceptance() -> None:
    assert FIGURES.contained_at is not None
    assert (FIGURES.contained_at - START).total_seconds() == 58.0
    assert FIGURES.dead_at is not None
    assert (FIGURES.dead_at - START).total_seconds() == 83.0


def test_without_proof_nothing_is_contained_and_every_gap_has_its_reason() -> None:
    found = figures(only_until(ENTRIES, "done", "dead"))

    assert (found.contained_at, found.dead_at, found.exposure_seconds, found.contained) == (
        None,
        None,
        None,
        False,
    )
    reasons = {span.name: span.reason for span in found.spans if span.seconds is None}
    assert reasons["exposure"] == "the record does not say when it was first refused for good"
    assert reasons["TTR"].endswith("first refused for good and access restored")


def test_a_look_that_was_accepted_after_all_takes_the_proof_back() -> None:
    record = Record()
    opened(record, 2)
    contain(record)
    record.add("retried", "dead", actor="cora")
    record.add("observed", "dead", {"verdict": "alive", "facts": {}, "next_at": record.at(200)})

    assert figures(record.entries).contained_at is None


def test_a_child_runs_proof_is_not_the_incidents() -> None:
    record = Record()
    opened(record, 2)
    child(record)

    found = figures(record.entries)
    assert found.contained_at is None
    assert [(one.label, one.contained, one.dead_at is not None) for one in found.children] == [
        ("old-token", True, True)
    ]


def test_a_child_s_step_of_the_same_name_proves_nothing_here() -> None:
    record = Record()
    opened(record, 2)
    playbook = {**CHILD_PLAYBOOK, "steps": [{**CHILD_PLAYBOOK["steps"][0], "id": "dead"}]}
    record.add("started", "", {"playbook": playbook, "credential": {"id": "old"}, "people": {}}, run="run-2")
    record.add("done", "dead", {"verdict": "dead", "facts": {"first_refused_at": record.at(9)}}, run="run-2")

    assert figures(record.entries).contained_at is None


def test_the_first_effect_counts_when_a_step_is_done_again() -> None:
    record = Record()
    opened(record, 2)
    contain(record)
    record.add("applied", "kill", {"facts": {}})

    assert seconds(figures(record.entries))["time to disabled"] == 50.0


def test_an_unknown_exposure_is_not_guessed() -> None:
    record = Record()
    opened(record, 2, exposed_at=None)
    contain(record)

    assert figures(record.entries).exposure_seconds is None


def test_a_correction_counts() -> None:
    record = Record()
    opened(record, 2)
    contain(record)
    facts = {"of": "incident", "field": "exposed_at", "old": record.at(-3600), "new": record.at(-60)}
    record.add("set", "", facts, run="", actor="cora")

    assert figures(record.entries).exposure_seconds == 118.0


def test_the_notices_are_counted_by_what_was_sent() -> None:
    found = {one.template: one for one in FIGURES.notices}

    told = found["contributor-notice"]
    assert (told.audience, told.recipients, told.meant, told.on_time, told.drafted) == (
        "holder",
        4,
        4,
        True,
        False,
    )
    assert told.first_sent_at is not None
    assert told.last_sent_at is not None
    assert round((told.last_sent_at - told.first_sent_at).total_seconds(), 2) == 0.36
    assert (found["takedown-request"].drafted, found["takedown-request"].recipients) == (True, 0)
    assert "partner" not in {one.step for one in FIGURES.notices}


def test_a_notice_that_not_all_have_is_not_on_time() -> None:
    record = Record()
    opened(record, 3)
    contain(record)
    tell(record, 3)
    place = next(
        n for n, entry in enumerate(record.entries) if (entry.event, entry.step) == ("applied", "tell-holders[h2]")
    )

    found = figures(record.entries[:place])

    told = next(one for one in found.notices if one.template == "contributor-notice")
    assert (told.recipients, told.meant, told.on_time) == (2, 3, None)
    deadline = next(one for one in found.deadlines if one.name == "holders-told")
    assert (deadline.met_at, deadline.on_time) == (None, None)


def test_a_message_found_by_reading_back_counts_as_sent() -> None:
    entries = [
        entry._replace(event="reconciled") if entry.event == "applied" and entry.step == "holding" else entry
        for entry in ENTRIES
    ]

    assert next(one for one in figures(entries).notices if one.step == "holding").recipients == 1


def test_deadlines_are_met_late_not_needed_or_open() -> None:
    record = Record()
    opened(record, 2, public_coverage_at=None)
    record.now = START.replace(hour=10)
    contain(record)
    record.add("skipped", "partner", {"reason": "inputs.partner is null"})

    found = {one.name: one for one in figures(record.entries).deadlines}

    assert (found["containment"].on_time, found["containment"].met_at is not None) == (False, True)
    assert (found["holders-told"].on_time, found["holders-told"].reason) == (False, "tell-holders is waiting")
    assert found["holding-statement"].reason == "incident.public_coverage_at has not happened"
    assert (found["holding-statement"].due_at, found["holding-statement"].on_time) == (None, None)
    assert (found["partner-contract"].on_time, found["partner-contract"].reason) == (
        None,
        "not needed: inputs.partner is null",
    )


def test_a_deadline_ahead_is_neither_met_nor_missed() -> None:
    record = Record()
    opened(record, 2)

    assert {one.on_time for one in figures(record.entries).deadlines} == {None}


def test_answers_name_question_role_and_silence() -> None:
    record = Record()
    opened(record, 2)
    asked = {"kind": "approval", "role": "commander", "digest": "d", "text": "why", "due_at": record.at(60)}
    record.add("asked", "kill", asked)
    record.add("expired", "kill", {"consequence": "proceed", "role": "commander", "digest": "d"})

    assert [(one.answer, one.by, one.role) for one in figures(record.entries).answers] == [
        ("nobody answered: went on", "", "commander")
    ]
    assert [(one.step, one.answer, one.by) for one in FIGURES.answers] == [
        ("kill", "approved", "cora"),
        ("tell-holders", "approved", "omar"),
        ("access", "restore", "cora"),
    ]


def test_what_went_wrong_is_counted_by_step() -> None:
    assert [(one.kind, one.step, one.count) for one in FIGURES.troubles] == [
        ("tried again", "holding", 1),
        ("found done by reading back", "tokens", 1),
    ]
    assert FIGURES.takeovers == 1


def test_figures_are_plain_data_when_asked() -> None:
    data = FIGURES.document()

    assert data["exposure_seconds"] == 3658.0
    assert data["notices"][0]["on_time"] is True
    assert data["contained_at"] == "2026-05-02T09:20:58+00:00"


def test_a_record_without_a_run_has_no_figures() -> None:
    with pytest.raises(RecordError, match="holds no run"):
        figures(ENTRIES[:1])


# The timeline in words ----------------------------------------------------------------------------


def test_three_hundred_alike_are_one_row_with_all_their_entries() -> None:
    found = [row for row in rows(founding(300)) if row.text.startswith("tell-holders: 300 of 300")]

    assert [row.text.partition(",")[0] for row in found] == [
        "tell-holders: 300 of 300 texts rendered",
        "tell-holders: 300 of 300 notices sent",
        "tell-holders: 300 of 300 confirmed by reading back",
    ]
    assert found[0].evidence == "entries 30-329"
    assert (len(found[1].entries), found[1].evidence) == (300, "300 entries, 333-1230")


def test_no_entry_is_lost_but_bookkeeping_that_came_to_something() -> None:
    shown = {entry.seq for row in rows(ENTRIES) for entry in row.entries}

    assert {entry.event for entry in ENTRIES if entry.seq not in shown} == {"began", "intended", "expanded"}


def test_an_intent_without_an_outcome_is_shown() -> None:
    entries = only_until(ENTRIES, "applied", "kill")

    assert texts(entries)[-1] == "kill: about to change key k-1, without an outcome"


def test_what_a_sweep_could_not_look_at_stands_in_the_live_view_and_in_the_postmortem() -> None:
    record = Record()
    opened(record, 1)
    facts = {"unresolved": ["k1"], "new": [], "decided": [], "unseen": ["the roles"], "complete": False}
    record.add("done", "sweep", {"facts": facts})
    told = "INCOMPLETE, not looked at: the roles"

    assert told in sentence(record.entries[-1])
    assert told in rows(record.entries)[-1].text


def test_looks_fold_while_they_stay_the_same() -> None:
    record = Record()
    opened(record, 1)
    for verdict in ("alive", "refused", "refused", "alive", "refused"):
        record.add("observed", "dead", {"verdict": verdict, "facts": {}, "next_at": record.at(90)})

    assert [row.evidence for row in rows(record.entries)][3:] == [
        "entry 4",
        "entries 5-6",
        "entry 7",
        "entry 8",
    ]


def test_people_appear_as_roles() -> None:
    told = "\n".join(texts(ENTRIES))

    assert "kill: commander approved" in told
    assert "Comms noted: the press office has called" in told
    assert [name for name in ("cora", "Cora", "omar", "Omar") if name in told] == []


def test_an_event_that_nobody_foresaw_still_has_its_row() -> None:
    record = Record()
    opened(record, 1)
    record.add("moon_rose", "kill", {"phase": "full"})

    assert texts(record.entries)[-1] == "kill: moon rose"


@pytest.mark.parametrize(
    ("event", "facts", "expected"),
    [
        ("unchanged", {"reason": "it is disabled"}, "kill: was so already: it is disabled"),
        (
            "unknown",
            {"reason": "the answer was lost"},
            "kill: it is not known whether it took effect: the answer was lost",
        ),
        ("failed", {"error": "403"}, "kill: failed: 403"),
        ("declined", {"reason": "wait", "role": "commander"}, "kill: commander declined: wait"),
        ("skipped", {"reason": "dead"}, "kill: skipped: dead"),
        ("not_sent", {"reason": "the permit ran out"}, "kill: not sent: the permit ran out"),
        ("left_alone", {"reason": "not ours"}, "kill: found a credential that is left alone: not ours"),
        ("linked", {"credential": "x"}, "kill: found x, which another run holds already"),
        ("applied", {}, "kill: done"),
        ("done", {"facts": {"state": "live", "dead_since": "", "key_id": "k1"}}, "kill: done: state live, key_id k1"),
        (
            "ended",
            {"contained": False, "exit": [{"held": False, "why": "alive"}]},
            "does not count as contained: alive",
        ),
    ],
)
def test_events_are_put_into_words(event: str, facts: dict[str, Any], expected: str) -> None:
    record = Record()
    opened(record, 1)
    record.add(event, "" if event == "ended" else "kill", facts)

    assert expected in texts(record.entries)[-1]


# The postmortem -----------------------------------------------------------------------------------


def test_the_same_record_gives_the_same_bytes() -> None:
    assert postmortem(TEMPLATE, founding(30)) == postmortem(TEMPLATE, founding(30))


def test_it_ends_with_the_head_of_the_chain_that_it_was_rendered_from() -> None:
    last = postmortem(TEMPLATE, ENTRIES).strip().splitlines()[-1]

    assert f"up to entry {len(ENTRIES)}, hash {ENTRIES[-1].hash}," in last


def test_every_row_of_its_timeline_has_its_evidence() -> None:
    table = postmortem(TEMPLATE, ENTRIES).partition("## Timeline")[2].partition("## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| 2026")]

    assert len(lines) == len(rows(ENTRIES))
    assert [line for line in lines if "entr" not in line.split(" | ")[-1]] == []


def test_it_names_no_people() -> None:
    text = postmortem(TEMPLATE, ENTRIES)

    assert [name for name in ("cora", "Cora", "omar", "Omar", "Mina") if name in text] == []


def test_drafts_come_from_the_facts() -> None:
    text = postmortem(TEMPLATE, ENTRIES)

    for expected in (
        "One credential was shared by 4 holders",
        "Payment: Testing is unpaid; Approval: Every film needs approval",
        "- Testing is unpaid work. We answered: It is under review.",
        "- On time: containment, holders-told, holding-statement.",
        "- holding: tried again (the mail host answers 421).",
        "| Search every place that held old-token |",
    ):
        assert expected in text


def test_a_late_deadline_is_named_where_it_counts() -> None:
    record = Record()
    opened(record, 1)
    record.now = START.replace(hour=10)
    contain(record)

    text = postmortem(TEMPLATE, record.entries)

    assert "- Late: containment." in text
    assert "Find out why containment was late" in text
    assert "| containment | commander | 2026-05-02 09:35:00 | 2026-05-02 10:21:20 | **late**" in text


def test_people_s_prose_comes_back_as_they_wrote_it() -> None:
    prose = {
        "where-lucky": "A holder called.\n\n\n    code,  with   spaces  \n\n- and a list",
        "summary": "Short.",
    }

    text = postmortem(TEMPLATE, ENTRIES, prose)

    assert prose_of(text) == prose
    assert postmortem(TEMPLATE, ENTRIES, prose_of(text)) == text


def test_a_draft_that_nobody_touched_is_not_prose() -> None:
    text = postmortem(TEMPLATE, ENTRIES)

    assert prose_of(text) == {}
    assert set(prose_of(text.replace("_Where were we lucky?", "We were lucky.\n_Where were we lucky?"))) == {
        "where-lucky"
    }


def test_edits_outside_the_regions_do_not_matter() -> None:
    text = postmortem(TEMPLATE, ENTRIES, {"summary": "Short."})

    assert prose_of("An extra line\n" + text.replace("## Impact", "## What it did").replace("\n", "\r\n")) == {
        "summary": "Short."
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\n<!-- prose:x -->\nb\n", "line 2: the region 'x' is not closed", id="never closed"),
        pytest.param("<!-- /prose -->", "line 1: a region ends here that did not begin", id="never opened"),
        pytest.param(
            "<!-- prose:x -->\n<!-- prose:y -->\n<!-- /prose -->",
            "line 2: the region 'y' begins inside the region 'x'",
            id="nested",
        ),
        pytest.param(
            "<!-- prose:x -->\n<!-- /prose -->\n\n<!-- prose:x -->\n<!-- /prose -->",
            "line 4: the region 'x' stands twice",
            id="twice",
        ),
        pytest.param("<!-- prose:x -->\n<!--/prose->\n<!-- /prose -->", "line 2: this mark is broken", id="misspelt"),
    ],
)
def test_a_broken_mark_is_named_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        prose_of(text)

    assert expected in [str(problem).partition(" (")[0] for problem in caught.value.problems]


def test_prose_is_never_lost_for_want_of_a_region() -> None:
    with pytest.raises(DocumentError, match=r"no region 'conclusions' \(known: summary,"):
        postmortem(TEMPLATE, ENTRIES, {"conclusions": "x"})


def test_prose_cannot_break_the_marks() -> None:
    with pytest.raises(DocumentError, match="a mark of its own"):
        postmortem(TEMPLATE, ENTRIES, {"summary": "a\n<!-- /prose -->\nb"})


def test_the_record_s_prose_is_its_newest() -> None:
    record = Record()
    opened(record, 1)
    for text in ("first", "second"):
        record.add("written", "", {"region": "summary", "text": text}, run="", actor="cora")

    assert written_prose(record.entries) == {"summary": "second"}
    assert "-->\nsecond\n<!--" in postmortem(TEMPLATE, record.entries)
    assert "-->\nthird\n<!--" in postmortem(TEMPLATE, record.entries, {"summary": "third"})


def test_hostile_facts_break_neither_tables_nor_marks() -> None:
    record = Record()
    opened(record, 1)
    hostile = "x | y\n<!-- /prose -->\n<!-- prose:summary -->\n## Heading <script>"
    record.add("noted", "", {"text": hostile}, actor="omar")
    record.add("failed", "kill", {"error": hostile, "kind": "denied"})

    text = postmortem(TEMPLATE, record.entries)

    assert prose_of(text) == {}
    assert "<script>" not in text
    assert "\n## Heading" not in text
    assert "x \\| y" in text


def test_a_record_that_has_only_begun_can_be_reviewed() -> None:
    record = Record()
    opened(record, 0, exposed_at=None, reported_at=None)

    text = postmortem(TEMPLATE, record.entries)

    assert "not contained; the run is open" in text
    assert "How long the credential could be used is not known" in text
    assert "Its death was not proven; it counts as live." in text


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (("mode", {"to": "C", "reason": "dead since May"}), "the case was closed (mode C): dead since May"),
        (("noted", {}), "nothing shows that it is ours, so it was neither presented nor ended"),
    ],
)
def test_where_nothing_had_to_be_ended_nothing_is_said_of_a_death(entry: tuple[str, dict[str, Any]], says: str) -> None:
    record = Record()
    opened(record, 0)
    if entry[0] != "mode":
        started = record.entries[1]
        record.entries[1] = with_facts(started, ownership={"verdict": "unknown", "reason": "not in the inventory"})
    record.add(entry[0], "", entry[1])

    text = postmortem(TEMPLATE, record.entries)

    assert f"was exposed. {says[0].upper()}{says[1:]}." in text
    assert f"Nothing had to be ended: {says}." in text
    assert "counts as live" not in text
    assert "| time to disabled |" not in text
    assert "| TTD |" in text


def test_three_hundred_holders_take_a_moment() -> None:
    entries = founding(300)
    began = time.monotonic()
    postmortem(TEMPLATE, entries)

    assert time.monotonic() - began < 2


def test_the_recovery_counts_only_when_all_of_it_ended_well() -> None:
    record = Record()
    opened(record, 2)
    contain(record)
    give_back(record, 2)

    assert seconds(figures(record.entries))["TTR"] is not None
    assert seconds(figures(only_until(record.entries, "verified", "tokens[h0]")))["TTR"] is None


def test_the_playbook_of_the_sample_is_whole() -> None:
    meets = {step["meets"] for step in PLAYBOOK["steps"] if "meets" in step}

    assert meets == set(PLAYBOOK["deadlines"])
