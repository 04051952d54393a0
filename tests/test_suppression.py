"""A finding that is left alone: exactly this one, until a day; and parts of playbooks, which nobody begins by hand."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cli_bench import as_person, leaked_value, typed
from guard_bench import playbook, ran, report

from responder.errors import RequestError
from responder.finding import Exposure, Finding
from responder.slack.desk import Desk
from responder.suppression import check_not_suppressed

QUIET = """\
  - {id: quiet, phase: review, action: finding.suppress, with: {days: 30, reason: an example of the documentation}}
"""
HERE = Exposure(url="https://x.example/", kind="public")
Told = Callable[..., str]
RAN = 1
"""The exit code of what ran to its end, and says nothing of containment."""


@pytest.fixture
def told(place: Path) -> Told:
    """Leave one finding alone; return what a report is answered, that many days later."""
    assert RAN == ran(place, QUIET).exit_code
    app = as_person(place, "ann")

    def tell(exposure: Exposure = HERE, days: float = 0, value: str = "") -> str:
        finding = Finding(value=app.means.sealer.secret(value or leaked_value()), exposure=exposure)
        credential = app.assess(finding).credential
        try:
            check_not_suppressed(finding, credential, app.means.store, app.means.clock.now() + timedelta(days=days))
        except RequestError as error:
            return str(error)
        return ""

    return tell


def test_the_same_finding_is_left_alone_and_is_told_why(told: Told) -> None:
    answer = told()

    assert "This very finding is left alone until " in answer
    assert "an example of the documentation" in answer
    assert "responder run PLAYBOOK" in answer


@pytest.mark.parametrize(
    ("exposure", "value"),
    [
        pytest.param(Exposure(url="https://y.example/", kind="public"), "", id="at another address"),
        pytest.param(Exposure(url="https://x.example/", place="line 7", kind="public"), "", id="at another line of it"),
        pytest.param(Exposure(kind="public"), "", id="at a place that nobody names"),
        pytest.param(HERE, "another-" + "q7Zt" * 6, id="another credential at the same place"),
    ],
)
def test_nothing_else_is_left_alone(told: Told, exposure: Exposure, value: str) -> None:
    assert "" == told(exposure, value=value)


def test_it_is_left_alone_until_a_day(told: Told) -> None:
    assert "left alone" in told(days=29.9)
    assert "" == told(days=30.1)


def test_who_could_see_it_and_since_when_make_no_other_finding_of_it(told: Told) -> None:
    assert "left alone" in told(
        Exposure(url="https://x.example/", kind="private", exposed_at=datetime.now().astimezone())
    )


def test_from_the_command_line_nothing_begins_by_itself(place: Path) -> None:
    ran(place, QUIET)
    result = typed(place, "run", "--finding", report(place), "--yes")

    assert 2 == result.exit_code
    assert "This very finding is left alone until " in result.stderr
    assert "an example of the documentation" in result.stderr


def test_from_the_command_line_whoever_names_a_playbook_responds_all_the_same(place: Path) -> None:
    ran(place, QUIET)
    playbook(place, "  - {id: only, phase: analysis, action: clockwork.nothing}\n", "all-the-same")

    assert RAN == typed(place, "run", "all-the-same", "--finding", report(place), "--yes").exit_code


@pytest.mark.parametrize("days", [0, 367])
def test_nothing_is_left_alone_for_ever(place: Path, days: int) -> None:
    result = ran(place, QUIET.replace("days: 30", f"days: {days}"))

    assert result.exit_code not in {0, RAN}
    assert "days" in result.stderr + result.stdout


# Parts of playbooks ----------------------------------------------------------------------------------------------


@pytest.fixture
def part(place: Path) -> Path:
    """Write a playbook that is a part of others, and one that is none."""
    playbook(place, "  - {id: only, phase: analysis, action: clockwork.nothing}\n", "whole")
    playbook(place, "  - {id: only, phase: analysis, action: clockwork.nothing}\n", "part")
    path = place / "playbooks" / "part.yaml"
    path.write_text(path.read_text().replace("version: 1\n", "version: 1\ncalled: true\n"))
    return place


def test_a_part_of_playbooks_is_begun_by_nobody(part: Path) -> None:
    result = typed(part, "run", "part", "--finding", report(part), "--yes")

    assert 2 == result.exit_code
    assert "part is a part of other playbooks, and no response by itself" in result.stderr
    assert "begin a playbook that calls it" in result.stderr


def test_a_part_is_run_by_the_playbook_that_calls_it(part: Path) -> None:
    assert RAN == ran(part, "  - {id: one, phase: analysis, playbook: part}\n").exit_code


def test_a_part_is_not_offered_in_the_chat(part: Path) -> None:
    app = as_person(part, "ann")
    form = str(Desk(app).begin_form({}))

    assert "'whole'" in form
    assert "'part'" not in form
