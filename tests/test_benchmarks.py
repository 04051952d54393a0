"""What `make bench` computes: turns, ratios, who is left out, and what it writes into the page."""

from dataclasses import replace
from pathlib import Path

from bench import report
from bench.comparison import Case, Entrant, Missing, Row, compare

ROOT = Path(__file__).resolve().parent.parent


def absent() -> float:
    raise Missing("not installed")


def case(floor: Entrant, *entrants: Entrant) -> list[Row]:
    return list(compare(Case("work", floor, entrants, rounds=3)))


def test_a_ratio_is_to_the_floor_of_the_same_round() -> None:
    floors, ours = iter([9.0, 1.0, 2.0, 4.0]), iter([9.0, 3.0, 4.0, 20.0])

    floor, row = case(Entrant("floor", lambda: next(floors)), Entrant("ours", lambda: next(ours), at_most=2.9))

    assert (2.0, 1.0, 4.0) == (floor.median, floor.least, floor.most)
    assert (3.0, 2.0, 5.0) == (row.ratio, row.ratio_least, row.ratio_most)
    assert not row.kept
    assert replace(row, at_most=3.0).kept


def test_who_begins_changes_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def noted(name: str) -> float:
        turns.append(name)
        return 1.0

    case(Entrant("a", lambda: noted("a")), Entrant("b", lambda: noted("b")), Entrant("c", lambda: noted("c"), rounds=2))

    assert "abc abc bca ab" == " ".join(
        ["".join(turns[:3]), "".join(turns[3:6]), "".join(turns[6:9]), "".join(turns[9:])]
    )


def test_who_is_missing_is_left_out_and_the_table_says_so() -> None:
    rows = case(Entrant("floor", lambda: 1.0), Entrant("other", absent, at_most=1.0))

    assert ["", "not installed"] == [row.missing for row in rows]
    assert rows[1].kept
    assert "| other | left out: not installed |" in report.tables(rows, {})
    assert "left out: not installed" in "\n".join(report.lines(rows))


def test_without_its_floor_a_case_has_no_figures() -> None:
    assert ["not installed"] * 2 == [
        row.missing for row in case(Entrant("floor", absent), Entrant("ours", lambda: 1.0))
    ]


def test_the_page_keeps_what_people_wrote(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter\n", encoding="utf-8")

    report.write_page(page, case(Entrant("floor", lambda: 0.5), Entrant("ours", lambda: 1.0)), {"cores": "2"})

    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith("\n\nAfter\n")
    assert "old" not in text
    assert "Measured on: cores 2." in text
    assert "| ours | 1000 ms | 1000 ms | 1000 ms | 2.00 | 2.00 | 2.00 | 3 |  |" in text


def test_the_page_has_a_place_for_results() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    assert 1 == text.count(report.BEGIN) == text.count(report.END)
