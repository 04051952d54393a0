"""The page is one file that asks nobody for anything, shows what the record holds, and runs nothing."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from documents_record import Record, contain, founding, only_until, opened

from responder.chart import chart
from responder.documents import Templates, read_templates
from responder.entry import Entry
from responder.page import page
from responder.story import Story

ROOT = Path(__file__).parent.parent / "templates"
TEMPLATE = Templates(read_templates([ROOT])).get("report")
ENTRIES = founding(300)
PAGE = page(TEMPLATE, ENTRIES)
VOID = {"meta", "br", "link", "img", "input"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'"


class Reader(HTMLParser):
    """Reads a page, and notes what does not close and what could run or fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in {"src", "href"}:
                self.wrong.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_it_is_well_formed_and_neither_runs_nor_fetches_anything() -> None:
    reader = Reader(PAGE)

    assert reader.wrong == []
    assert {"script", "link", "img", "iframe"} & set(reader.tags) == set()
    assert re.findall(r"url\(|@import|https?://", PAGE) == []


def test_the_same_record_gives_the_same_bytes() -> None:
    assert page(TEMPLATE, founding(300)) == PAGE


@pytest.mark.parametrize(
    "words",
    [
        "contained",
        "First refused for good at 2026-05-02 09:20 UTC (05:20 EDT)",
        "1 min 23 s",
        "301",
        "3 of 3",
        "300 of 300",
        "drafted, for a person to send",
        "old-token",
        "not needed: inputs.partner is null",
        "the mail host answers 421",
        "refused for good",
        ENTRIES[-1].hash,
        ENTRIES[0].hash[:12],
        f"up to entry {len(ENTRIES)}",
    ],
)
def test_it_shows_what_the_record_holds(words: str) -> None:
    assert words in " ".join("".join(Reader(PAGE).text).split())


def hostile_record() -> list[Entry]:
    record = Record()
    opened(record, 1, severity=HOSTILE, codename=HOSTILE)
    contain(record)
    record.add("noted", "", {"text": HOSTILE}, actor="omar")
    asked = {"kind": "approval", "role": HOSTILE, "digest": "x", "text": HOSTILE}
    record.add("asked", "holding", asked)
    record.add("failed", "partner", {"error": HOSTILE, "kind": "denied"})
    record.add("ended", "", {"contained": False, "exit": [{"criterion": HOSTILE, "held": False, "why": HOSTILE}]})
    return record.entries


def test_hostile_facts_stay_text() -> None:
    text = page(TEMPLATE, hostile_record())

    reader = Reader(text)
    assert "<script" not in text
    assert "<img" not in text
    assert reader.wrong == []
    assert "<script>alert(1)</script>" in "".join(reader.text)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(only_until(ENTRIES, "done", "dead"), ("open", "bad"), id="still alive"),
        pytest.param(only_until(ENTRIES, "done", "history"), ("open", ""), id="dead, and going on"),
        pytest.param(hostile_record(), ("not contained", "bad"), id="ended without containment"),
        pytest.param(ENTRIES, ("contained", "good"), id="contained"),
    ],
)
def test_the_badge_says_how_it_stands(entries: list[Entry], expected: tuple[str, str]) -> None:
    text = page(TEMPLATE, entries)

    found = re.search(r'<span class="badge ([a-z]*)">([^<]*)</span>', text)
    assert found is not None
    assert (found[2], found[1]) == expected


def test_a_case_that_was_closed_shows_no_death() -> None:
    record = Record()
    opened(record, 0)
    record.add("mode", "", {"to": "C", "reason": "it was dead since May"})
    record.add("ended", "", {"contained": True, "exit": []})
    text = page(TEMPLATE, record.entries)

    assert '<span class="badge good">closed</span>' in text
    assert "The case was closed (mode C): it was dead since May" in text
    assert "refused on every surface" not in text
    assert "exposed until refused for good" not in text


def test_a_missed_deadline_is_not_hidden_among_the_figures() -> None:
    record = Record()
    opened(record, 1)
    record.now = record.now.replace(hour=11)
    contain(record)

    assert '<div class="tile bad"><b>0 of 3</b><span>deadlines met</span></div>' in page(TEMPLATE, record.entries)


def test_a_run_that_has_only_begun_has_a_page() -> None:
    record = Record()
    opened(record, 0)

    assert "unknown" in page(TEMPLATE, record.entries)


# The chart ----------------------------------------------------------------------------------------

CHART = chart(Story(ENTRIES))
LANES = {lane.label: lane for lane in CHART.lanes}


def test_every_step_of_every_run_has_a_lane_under_its_phase() -> None:
    assert [lane.label for lane in CHART.lanes] == [
        "analysis", "snapshot", "history", "containment", "kill", "dead", "recovery", "access", "tokens",
        "communication", "holding", "tell-holders", "takedown", "partner", "old-token: containment", "proof",
    ]  # fmt: skip


def test_lanes_and_pieces_lie_inside_the_picture() -> None:
    pieces = [piece for lane in CHART.lanes for piece in lane.pieces]

    assert min(piece.x for piece in pieces) >= 236
    assert max(piece.x + piece.width for piece in pieces) <= 944
    assert CHART.lanes[-1].y < CHART.bottom < CHART.height


def test_time_runs_from_left_to_right() -> None:
    kill, dead, tokens = (LANES[name].pieces[0] for name in ("kill", "dead", "tokens"))

    assert kill.x < kill.x + kill.width <= dead.x < tokens.x


def test_waiting_for_people_and_their_answers_are_marked() -> None:
    kinds = {name: [piece.kind for piece in LANES[name].pieces] for name in ("kill", "access", "holding", "tokens")}

    assert kinds["kill"] == ["bar", "wait", "agreed"]
    assert kinds["access"] == ["bar", "wait", "agreed"]
    assert sorted(set(kinds["holding"])) == ["bar", "sent", "trouble"]
    assert kinds["tokens"] == ["bar", "trouble"]


def test_three_hundred_messages_are_a_few_marks() -> None:
    assert 1 <= sum(piece.kind == "sent" for piece in LANES["tell-holders"].pieces) < 10


def test_a_skipped_step_has_no_bar_and_says_so() -> None:
    assert (LANES["partner"].pieces, LANES["partner"].note) == ((), "skipped")


def test_a_step_that_goes_on_is_drawn_to_the_end() -> None:
    lanes = {lane.label: lane for lane in chart(Story(only_until(ENTRIES, "done", "dead"))).lanes}

    assert lanes["dead"].pieces[0].kind == "open"


def test_labels_of_the_axis_do_not_touch() -> None:
    places = [tick.x for tick in CHART.ticks]

    assert len(places) > 3
    assert min(after - before for before, after in itertools.pairwise(places)) >= 62


def test_containment_stands_before_its_proof() -> None:
    assert [(event.label, event.kind) for event in CHART.events] == [
        ("refused for good", "contained"),
        ("proven dead", "dead"),
    ]
    assert CHART.events[0].x < CHART.events[1].x
