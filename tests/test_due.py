"""What a deadline may count from, when it is due then, and what is told where it cannot be."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from responder.anchors import CLOCKS, AnchorError, Moments, read_anchor
from responder.dates import Calendar
from responder.due import Deadline, settings_problems
from responder.errors import PlaybookError
from responder.finding import Finding
from responder.playbook import Playbook
from responder.reading import parse_playbook

HOLIDAYS = {"us-federal": ["2026-11-26", "2026-12-25"]}
AWARE = "2026-11-20T15:00:00+00:00"


def moments(happened: Mapping[str, str]) -> Moments:
    """Return what has happened: a moment of the incident by its name, a submission as `submitted(X)`."""
    known = {name: datetime.fromisoformat(at) for name, at in happened.items()}
    return Moments(known.get, lambda name: known.get(f"submitted({name})"))


def after(deadline: Mapping[str, Any], happened: Mapping[str, str]) -> tuple[str, list[str]]:
    found = Deadline.model_validate({"role": "legal", **deadline}).due(moments(happened), "Europe/Berlin", HOLIDAYS)
    return found.at.isoformat() if found.at else "", list(map(str, found.awaits))


DORA = {"from": "min(incident.classified_at + 4h, incident.aware_at + 24h)"}


@pytest.mark.parametrize(
    ("deadline", "happened", "expected"),
    [
        pytest.param(
            {"from": "incident.aware_at", "within": "72h"}, {"aware_at": AWARE},
            ("2026-11-23T15:00:00+00:00", []), id="GDPR 33: elapsed hours, over a weekend",
        ),
        pytest.param(
            {"from": "submitted(nis2-notify)", "within": "1 month"}, {"aware_at": AWARE},
            ("", ["submitted(nis2-notify)"]), id="NIS2 final: nothing was submitted yet",
        ),
        pytest.param(
            {"from": "submitted(nis2-notify)", "within": "1 month"},
            {"aware_at": AWARE, "submitted(nis2-notify)": "2027-01-31T10:00:00+00:00"},
            ("2027-02-28T10:00:00+00:00", []), id="NIS2 final: a month after the submission, cut to its month",
        ),
        pytest.param(
            DORA, {"aware_at": AWARE},
            ("2026-11-21T15:00:00+00:00", ["incident.classified_at"]), id="DORA initial: not classified yet",
        ),
        pytest.param(
            DORA, {"aware_at": AWARE, "classified_at": "2026-11-20T18:00:00+00:00"},
            ("2026-11-20T22:00:00+00:00", []), id="DORA initial: four hours after the classification",
        ),
        pytest.param(
            DORA, {"aware_at": AWARE, "classified_at": "2026-11-21T14:00:00+00:00"},
            ("2026-11-21T15:00:00+00:00", []), id="DORA initial: at most 24 hours after awareness",
        ),
        pytest.param(
            {"from": "submitted(dora-initial)", "within": "72h"}, {"submitted(dora-initial)": AWARE},
            ("2026-11-23T15:00:00+00:00", []), id="DORA intermediate",
        ),
        pytest.param(
            {"from": "incident.materiality_at", "within": "4 business days", "zone": "America/New_York",
             "holidays": "us-federal"}, {"materiality_at": "2026-11-20T22:00:00+00:00"},
            ("2026-11-27T22:00:00+00:00", []), id="SEC 8-K: weekend and Thanksgiving left out",
        ),
        pytest.param(
            {"from": "incident.materiality_at + 4 business days", "by": "17:30 same day", "zone": "America/New_York",
             "holidays": "us-federal"}, {"materiality_at": "2026-11-23T23:00:00+00:00"},
            ("2026-11-30T22:30:00+00:00", []), id="SEC 8-K: by the hour at which filing ends",
        ),
        pytest.param(
            {"from": "incident.fix_available_at", "within": "14d"}, {"fix_available_at": AWARE},
            ("2026-12-04T15:00:00+00:00", []), id="CRA: after a correction is there",
        ),
        pytest.param(
            {"from": "incident.discovered_at", "within": "30 calendar days", "zone": "America/Los_Angeles"},
            {"discovered_at": "2026-10-20T16:00:00+00:00"},
            ("2026-11-19T17:00:00+00:00", []), id="California: calendar days, the clocks change between",
        ),
        pytest.param(
            {"from": "incident.aware_at", "by": "12:00 next day"}, {"aware_at": AWARE},
            ("2026-11-21T11:00:00+00:00", []), id="by noon local time tomorrow",
        ),
        pytest.param(
            {"from": "max(incident.aware_at, incident.personal_data_at)", "within": "1h"}, {"aware_at": AWARE},
            ("", ["incident.personal_data_at"]), id="the latest of two waits for both",
        ),
        pytest.param(
            {"from": "max(incident.aware_at, incident.personal_data_at)", "within": "1h"},
            {"aware_at": AWARE, "personal_data_at": "2026-11-20T16:00:00+00:00"},
            ("2026-11-20T17:00:00+00:00", []), id="the latest of two",
        ),
        pytest.param(
            {"from": "min(incident.exposed_at, incident.aware_at)", "within": "1h"}, {},
            ("", ["incident.exposed_at", "incident.aware_at"]), id="the earliest of two, and neither happened",
        ),
    ],
)  # fmt: skip
def test_what_laws_and_contracts_ask_for(
    deadline: Mapping[str, Any], happened: Mapping[str, str], expected: tuple[str, list[str]]
) -> None:
    assert expected == after(deadline, happened)


def test_holidays_count_only_where_the_deadline_names_their_list() -> None:
    deadline = {"from": "incident.aware_at", "within": "4 business days"}

    assert "2026-11-26T15:00:00+00:00" == after(deadline, {"aware_at": AWARE})[0]
    assert "2026-11-27T15:00:00+00:00" == after({**deadline, "holidays": "us-federal"}, {"aware_at": AWARE})[0]


PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "set-deadlines.md"


def examples() -> Iterator[Any]:
    """Yield each row of the page's table of duties, every length that it names apart."""
    for line in PAGE.read_text().partition("## Examples")[2].partition("## Correct")[0].splitlines():
        said = re.findall(r"`(from|within|by): ([^`]+)`", line)
        start = [value for key, value in said if key == "from"]
        for key, value in [pair for pair in said if pair[0] != "from"] or said:
            yield pytest.param({"from": start[0], key: value}, id=f"{line.split('|')[1].strip()}: {value}")


@pytest.mark.parametrize("deadline", list(examples()))
def test_every_example_of_the_page_can_be_written_so(deadline: Mapping[str, str]) -> None:
    happened = dict.fromkeys([*CLOCKS, "contained_at", *re.findall(r"submitted\(.*?\)", deadline["from"])], AWARE)

    assert after(deadline, happened)[0] > AWARE


def test_the_page_has_an_example_for_every_duty() -> None:
    assert 20 < len(list(examples()))


# The text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "incident.aware_at",
        "submitted(nis2-notify)",
        "incident.aware_at + 1h + 1 month",
        "min(incident.classified_at + 4h, incident.aware_at + 24h)",
        "max(submitted(a), min(incident.aware_at, submitted(b-2) + 4 business days) + 2d)",
    ],
)
def test_an_anchor_is_written_as_it_was_read(text: str) -> None:
    assert text == str(read_anchor(text))
    assert read_anchor(text) == read_anchor(f"  {text.replace(',', '  ,  ').replace('(', '( ').replace(' +', '   +')} ")


@pytest.mark.parametrize("name", CLOCKS)
def test_every_moment_can_be_counted_from(name: str) -> None:
    assert f"incident.{name}" == str(read_anchor(f"incident.{name}"))


@pytest.mark.parametrize(
    ("text", "told", "place"),
    [
        pytest.param("", "a moment is missing", 0, id="nothing"),
        pytest.param("aware_at", "'aware_at' is no moment", 0, id="no incident"),
        pytest.param("incident.clasified_at", "did you mean 'classified_at'", 9, id="a field misspelt"),
        pytest.param("incident.severity", "known: aware_at", 9, id="a field that is no moment"),
        pytest.param("min(incident.aware_at, incident.awareat)", "did you mean 'aware_at'", 32, id="inside"),
        pytest.param("min(incident.aware_at)", "chooses between", 0, id="one of one"),
        pytest.param("min(incident.aware_at, )", "is no moment", 23, id="an empty place"),
        pytest.param("min(incident.aware_at, incident.exposed_at", "not closed", 42, id="not closed"),
        pytest.param("incident.aware_at)", "nothing is expected at ')'", 17, id="closed too often"),
        pytest.param("incident.aware_at + 4 hours", "is no span", 20, id="a span that is none"),
        pytest.param("incident.aware_at +", "is no span", 19, id="no span"),
        pytest.param("incident.aware_at - 4h", "nothing is expected", 18, id="backwards"),
        pytest.param("submitted()", "names a deadline", 10, id="nothing submitted"),
        pytest.param("submitted('x')", "names a deadline", 10, id="a quoted name"),
        pytest.param("submitted(x", "not closed", 11, id="a submission that is not closed"),
        pytest.param("avg(incident.aware_at, incident.exposed_at)", "is no moment", 0, id="another choice"),
        pytest.param("min(" * 7 + "incident.aware_at", "nested deeper", 24, id="nested without end"),
        pytest.param("incident.aware_at" + " + 1h" * 100, "longer than", 0, id="without end"),
        pytest.param("${{ incident.aware_at }}", "is no moment", 0, id="an expression"),
    ],
)
def test_what_names_no_moment_is_told_with_its_place(text: str, told: str, place: int) -> None:
    with pytest.raises(AnchorError, match=re.escape(told)) as caught:
        read_anchor(text)

    assert place == caught.value.place


_leaves = st.sampled_from([f"incident.{name}" for name in CLOCKS] + ["submitted(a)", "submitted(b-2)"])
_spans = st.sampled_from(["1h", "36h", "1 month", "3 months", "2 business days", "10 calendar days"])
_anchors = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(inner, _spans).map(" + ".join),
        st.tuples(st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=3)).map(
            lambda pair: f"{pair[0]}({', '.join(pair[1])})"
        ),
    ),
    max_leaves=4,
)
_NAMES = [*CLOCKS, "submitted(a)", "submitted(b-2)"]
_times = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda minute: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


@settings(max_examples=400, deadline=None)
@given(_anchors, st.lists(_times, min_size=len(_NAMES), max_size=len(_NAMES)), st.sampled_from(_NAMES), st.data())
def test_what_happens_later_makes_nothing_due_earlier(
    text: str, times: list[datetime], moved: str, data: st.DataObject
) -> None:
    """A correction to an earlier moment never gives more time: only one to a later moment needs to be asked."""
    known = {name: at.isoformat() for name, at in zip(_NAMES, times, strict=True)}
    then = datetime.fromisoformat(known[moved]) + data.draw(st.timedeltas(timedelta(0), timedelta(400)))
    later = known | {moved: then.isoformat()}
    deadline = {"from": text, "within": "1h"}
    try:
        read_anchor(text)
    except AnchorError:  # too long, or nested too deeply
        return

    assert datetime.fromisoformat(after(deadline, known)[0]) <= datetime.fromisoformat(after(deadline, later)[0])


# In a playbook ------------------------------------------------------------------------------------

PLAYBOOK = """\
playbook: p
title: t
version: 1
roles: {{legal: {{}}}}
deadlines:
  first: {{from: incident.aware_at, within: 24h, role: legal}}
{deadlines}
steps:
  - {{id: a, phase: review, action: human.task, with: {{role: legal, instructions: x, within: 1h, on_timeout: abort}}}}
"""


def told(deadlines: str) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(PLAYBOOK.format(deadlines=deadlines), "p.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("deadlines", "where", "what"),
    [
        pytest.param(
            "  x: {from: incident.clasified_at, within: 4h, role: legal}", "p.yaml:7:22:",
            "did you mean 'classified_at'?",
            id="a moment misspelt: the column of the word",
        ),
        pytest.param(
            '  x: {from: "min(incident.aware_at, incident.nix_at)", within: 4h, role: legal}', "p.yaml:7:46:",
            "an incident has no moment 'nix_at'", id="behind a quote",
        ),
        pytest.param(
            "  x:\n    from: submitted(frist)\n    within: 4h\n    role: legal", "p.yaml:8:21:",
            "did you mean 'first'?",
            id="an unknown deadline",
        ),
        pytest.param(
            "  x: {from: incident.aware_at + 4 hours, role: legal}", "p.yaml:7:33:", "'4 hours' is no span",
            id="a span inside",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 4 weeks, role: legal}", "p.yaml:7:40:", "4 business days",
            id="a span",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, by: noon, role: legal}", "p.yaml:7:36:", "12:00 next day",
            id="a local time",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, role: legal}", "p.yaml:7:6:", "nothing says how long", id="no length",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 4h, by: 12:00 next day, role: legal}", "p.yaml:7:6:", "not both",
            id="two lengths",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 1 month, zone: Europe/Berlyn, role: legal}", "p.yaml:7:55:",
            "no time zone 'Europe/Berlyn'", id="an unknown zone",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 4h, zone: Europe/Berlin, role: legal}", "p.yaml:7:6:",
            "`zone` changes nothing", id="a zone for nothing",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 1 month, holidays: us, role: legal}", "p.yaml:7:6:",
            "`holidays` changes nothing", id="holidays for nothing",
        ),
        pytest.param(
            "  x: {from: submitted(x), within: 4h, role: legal}", "p.yaml:7:13:", "wait for each other's submission: x",
            id="a circle of one",
        ),
        pytest.param(
            "  x: {from: submitted(y), within: 4h, role: legal}\n"
            "  y: {from: 'min(submitted(x), incident.aware_at)', within: 4h, role: legal}", "p.yaml:7:13:",
            "wait for each other's submission: x, y", id="a circle of two",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 4h, role: legal, if: \"${{ steps.a.status == 'done' }}\"}",
            "p.yaml:7:61:", "a deadline's `if` reads a step", id="an if that reads a step",
        ),
        pytest.param(
            "  x: {from: incident.aware_at, within: 4h, role: legal, if: 'false'}", "p.yaml:7:61:",
            "`if` is an expression", id="an if that is no expression",
        ),
    ],
)  # fmt: skip
def test_a_playbook_says_where_a_deadline_is_wrong(deadlines: str, where: str, what: str) -> None:
    [line] = told(deadlines)

    assert line.startswith(where)
    assert what in line


def test_everything_is_told_at_once() -> None:
    assert 2 == len(told("  x: {from: submitted(frist), within: 4h, role: legal}\n"
                         "  y: {from: incident.aware_at, within: 1 month, zone: Nix, role: legal}"))  # fmt: skip


def test_a_deadline_goes_through_the_record_unchanged() -> None:
    text = "  x: {from: 'min(submitted(first), incident.aware_at + 1 month)', by: 09:30 next business day, role: legal}"
    playbook, _ = parse_playbook(PLAYBOOK.format(deadlines=text), "p.yaml")

    again = Playbook.model_validate(playbook.model_dump(mode="json", by_alias=True))

    assert playbook.deadlines == again.deadlines


def test_what_the_configuration_lacks_is_told_before_anything_runs() -> None:
    wanted = {
        "a": {"from": "incident.aware_at", "within": "1 month", "role": "legal"},
        "b": {"from": "incident.aware_at", "within": "2 business days", "holidays": "us-fedral", "role": "legal"},
        "c": {"from": "incident.aware_at", "within": "2h", "role": "legal"},
    }
    deadlines = TypeAdapter(dict[str, Deadline]).validate_python(wanted)

    found = list(map(str, settings_problems(deadlines, "Nowhere/Land", HOLIDAYS)))

    assert 3 == len(found)
    assert "organisation.time_zone: There is no time zone 'Nowhere/Land'" in found[0]
    assert "did you mean 'us-federal'?" in found[2]
    assert [] == list(settings_problems(deadlines, "UTC", {"us-fedral": []}))


def test_hours_need_no_zone_database() -> None:
    found = Deadline.model_validate({"from": "incident.aware_at + 1h", "within": "2h", "role": "legal"})

    assert datetime(2026, 11, 20, 18, tzinfo=UTC) == found.due(moments({"aware_at": AWARE}), "Nowhere/Land", {}).at
    assert Calendar().is_business_day(datetime(2026, 11, 20, tzinfo=UTC).date())


# In a sub-playbook --------------------------------------------------------------------------------

CHILD = """\
playbook: child
title: t
version: 1
roles: {legal: {}}
deadlines:
  notify: {from: incident.aware_at, within: 72h, role: legal}
  final: {from: "min(submitted(notify) + 1 month, incident.aware_at + 60 calendar days)", role: legal}
steps:
  - {id: a, phase: review, action: human.task, with: {role: legal, instructions: x, within: 1h, on_timeout: abort}}
"""


def test_the_submissions_of_a_sub_playbook_are_its_own() -> None:
    child = parse_playbook(CHILD, "child.yaml")[0]
    text = PLAYBOOK.format(deadlines="  last: {from: submitted(sub/final), within: 24h, role: legal}")
    steps = f"{text}  - {{id: sub, phase: review, playbook: child}}\n"

    whole, _ = parse_playbook(steps, "p.yaml", lambda _name: child)

    assert "min(submitted(sub/notify) + 1 month, incident.aware_at + 60 calendar days)" == str(
        whole.deadlines["sub/final"].from_
    )
    assert whole.deadlines == Playbook.model_validate(whole.model_dump(mode="json", by_alias=True)).deadlines


def test_a_deadline_of_no_sub_playbook_is_told() -> None:
    assert "there is no deadline 'sub/final'" in told("  x: {from: submitted(sub/final), within: 4h, role: legal}")[0]


def test_a_finding_of_another_age_is_refused() -> None:
    with pytest.raises(ValueError, match="in the years 1970 to 2999"):
        Finding(key_id="k", aware_at=datetime(9999, 12, 31, tzinfo=UTC))
