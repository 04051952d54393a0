"""The table of guards, their tests, their modules and their pages agree."""

import inspect
import re
from pathlib import Path

import pytest
from guard_bench import case

from responder import guards
from responder.errors import PlanRefused
from responder.guards import GUARDS, Guard, check_step

ROOT = Path(__file__).parents[2]
NAMES = {guard.name for guard in GUARDS}
NO_GUARDS = {"--init--", "case", "carried"}
"""The modules of the package that hold what guards share."""


def stems(folder: Path, pattern: str) -> set[str]:
    return {path.stem.removeprefix("test_").replace("_", "-") for path in folder.glob(pattern)}


def test_every_guard_stands_once() -> None:
    assert len(NAMES) == len(GUARDS)


def test_every_guard_has_a_module_a_file_of_tests_and_a_page() -> None:
    assert NAMES == stems(Path(inspect.getfile(guards)).parent, "*.py") - NO_GUARDS
    assert NAMES == stems(Path(__file__).parent, "test_*.py") - {"table"}
    assert NAMES == stems(ROOT / "docs" / "guards", "*.md") - {"index"}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_is_tried_in_the_runner_and_from_the_command_line(guard: Guard) -> None:
    text = (Path(__file__).parent / f"test_{guard.name.replace('-', '_')}.py").read_text(encoding="utf-8")

    assert "assert_refused(" in text
    assert f'"{guard.name}"' in text
    assert "refusals(" in text or "PlanRefused" in text


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_page_says_what_why_and_how_to_get_on(guard: Guard) -> None:
    text = (ROOT / "docs" / "guards" / f"{guard.name}.md").read_text(encoding="utf-8")

    assert guard.invariant in text
    assert ["What it refuses", "Why", "How to get on"] == re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert all(len(part.split()) > 15 for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:])


def test_the_index_is_the_table() -> None:
    text = (ROOT / "docs" / "guards" / "index.md").read_text(encoding="utf-8")
    rows = [f"| [{one.name}]({one.name}.md) | {one.invariant} | {', '.join(one.asked)} |" for one in GUARDS]

    assert rows == [line for line in text.splitlines() if line.startswith("| [")]


def test_all_reasons_are_told_at_once_each_with_its_guard() -> None:
    with pytest.raises(PlanRefused) as caught:
        check_step(case(record={"external": True}, locked=lambda: False))

    assert ["account", "approval", "lock"] == sorted(problem.guard for problem in caught.value.problems)
