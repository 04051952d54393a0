"""`playbook test`: which scenarios it plays, what it prints, and what it tells the shell."""

from pathlib import Path

import pytest
from cli_bench import document, typed

from responder.library import built_in

GOOD = "scenario: it goes well\nexpect: {contained: true}\n"
RED = "scenario: it goes wrong\nexpect: {contained: false}\n"
WRONG = "scenario: it is wrong\nexpcet: {}\n"


@pytest.fixture
def scenarios(place: Path) -> Path:
    folder = place / "playbooks" / "tests" / "p"
    folder.mkdir(parents=True)
    (folder / "good.yaml").write_text(GOOD)
    return folder


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [(GOOD, 0, "2 of 2 scenarios hold"), (RED, 1, "FAIL  p: it goes wrong"), (WRONG, 2, "did you mean 'expect'?")],
    ids=["all hold", "one does not", "a file is wrong"],
)
def test_the_exit_code_tells_what_became_of_the_scenarios(
    place: Path, scenarios: Path, text: str, code: int, words: str
) -> None:
    (scenarios / "other.yaml").write_text(text)

    result = typed(place, "playbook", "test", "p")

    assert code == result.exit_code
    assert words in result.stdout


def test_what_failed_is_told_with_its_place_and_what_happened(place: Path, scenarios: Path) -> None:
    (scenarios / "red.yaml").write_text(RED)

    assert "p/red.yaml:2:21: expected it to be not contained" in typed(place, "playbook", "test", "p").stdout


def test_one_scenario_can_be_named(place: Path, scenarios: Path) -> None:
    (scenarios / "red.yaml").write_text(RED)

    shown = document(typed(place, "--json", "playbook", "test", "p/good"))

    assert [("p", "it goes well", True)] == [
        (one["playbook"], one["scenario"], one["held"]) for one in shown["scenarios"]
    ]


def test_without_a_name_all_scenarios_are_played_those_that_ship_included(place: Path, scenarios: Path) -> None:
    shown = document(typed(place, "--json", "playbook", "test"))["scenarios"]

    shipped = {path.parent.name for path in (built_in("playbooks") / "tests").glob("*/*.yaml")}
    assert {"p", *shipped} == {one["playbook"] for one in shown}
    assert {"leaked-credential", "aws-access-key"} <= shipped
    assert all(one["held"] for one in shown)


@pytest.mark.parametrize("name", ["p/nothing", "leaked-credential/nothing", "no-such"])
def test_a_name_without_scenarios_is_wrong(place: Path, scenarios: Path, name: str) -> None:
    assert 2 == typed(place, "playbook", "test", name).exit_code


def test_no_store_is_made(place: Path, scenarios: Path) -> None:
    typed(place, "playbook", "test", "p")

    assert not (place / "state").exists()
