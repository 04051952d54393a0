"""What people say from the command line: who may, to what, and what is told when it does not fit."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cli_bench import STEPS, advanced, agreed, as_person, begun, document, typed

from responder.installation import login
from responder.redaction import CREDENTIAL_SHAPES


@pytest.fixture
def asking(place: Path) -> tuple[Path, str]:
    """A run, begun by Ann, that waits for a commander."""
    run = begun(place)
    advanced(place, run)
    return place, run


def speaks_for(place: Path, person: str) -> None:
    """Let this login speak for somebody else from now on."""
    path = place / "responder.yaml"
    text = re.sub(r", os_user: \S+,", ",", path.read_text())
    path.write_text(text.replace(f"{person}: {{", f"{person}: {{os_user: {login()}, "))


def test_approve_shows_the_change_and_binds_the_agreement_to_it(asking: tuple[Path, str]) -> None:
    place, run = asking
    speaks_for(place, "carl")

    result = typed(place, "approve", run, "kill")

    assert result.exit_code == 0
    assert "live -> disabled" in result.stderr
    assert "kill: agreed, by carl" in result.stdout
    assert f"resume {run}" in result.stdout


@pytest.mark.parametrize(
    ("person", "why"),
    [
        pytest.param("ann", "does not have the role", id="no role"),
        pytest.param("hal", "holds the credential", id="a holder"),
    ],
)
def test_who_may_not_agree_is_told_why_and_who_may(asking: tuple[Path, str], person: str, why: str) -> None:
    place, run = asking
    speaks_for(place, person)

    result = typed(place, "approve", run, "kill")

    assert result.exit_code == 2
    assert why in result.stderr
    assert "may answer: carl, cora" in result.stderr


def test_a_login_that_speaks_for_nobody_may_only_look(asking: tuple[Path, str]) -> None:
    place, run = asking
    path = place / "responder.yaml"
    path.write_text(path.read_text().replace(f"os_user: {login()}", "os_user: somebody-else"))

    assert typed(place, "approve", run, "kill").exit_code == 2
    assert typed(place, "note", run, "hello").exit_code == 2
    assert typed(place, "status", run).exit_code == 0


def test_a_digest_that_is_not_the_present_one_is_refused(asking: tuple[Path, str]) -> None:
    place, run = asking
    speaks_for(place, "carl")

    result = typed(place, "approve", run, "kill", "--digest", "0123abcd")

    assert result.exit_code == 2
    assert "The change is another now" in result.stderr


def test_the_beginning_of_the_digest_is_enough(asking: tuple[Path, str]) -> None:
    place, run = asking
    speaks_for(place, "carl")
    digest = document(typed(place, "--json", "status", run))["incidents"][0]["awaiting"][0]["digest"]

    assert typed(place, "approve", run, "kill", "--digest", digest[:8]).exit_code == 0


def test_a_step_that_asks_nothing_names_what_is_open(asking: tuple[Path, str]) -> None:
    place, run = asking

    result = typed(place, "approve", run, "look")

    assert result.exit_code == 2
    assert "Nothing is asked at look now" in result.stderr
    assert "open: kill" in result.stderr
    assert "->" not in result.stderr


def test_what_was_agreed_already_is_not_shown_as_if_it_were_asked(asking: tuple[Path, str]) -> None:
    place, run = asking
    agreed(place, run, "kill")
    speaks_for(place, "cora")

    result = typed(place, "approve", run, "kill")

    assert result.exit_code == 2
    assert "->" not in result.stderr


def test_the_wrong_command_names_the_right_one(asking: tuple[Path, str]) -> None:
    place, run = asking

    result = typed(place, "decide", run, "kill", "yes")

    assert result.exit_code == 2
    options = f"--config {place / 'responder.yaml'} --store {place / 'state' / 'r.db'}"
    assert f"  next: `responder {options} approve {run} kill`" in result.stderr


def test_notes_and_corrections_stand_on_the_timeline(asking: tuple[Path, str]) -> None:
    place, run = asking

    assert typed(place, "note", run, "the", "partner", "called").exit_code == 0
    assert typed(place, "set", run, "aware_at=2026-01-02T03:04:05+00:00").exit_code == 0
    assert typed(place, "set", run, "contact=the desk").exit_code == 0

    shown = typed(place, "timeline", run).stdout
    assert "ann: the partner called" in shown
    assert "ann set aware_at to 2026-01-02T03:04:05+00:00 (was " in shown
    assert "ann set contact to the desk" in shown


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(["set", "RUN", "aware_at"], "is not NAME=VALUE", id="no value"),
        pytest.param(["set", "RUN", "aware_at=yesterday"], "not a time with a zone", id="no time"),
        pytest.param(["note", "RUN", " "], "The note is empty", id="an empty note"),
        pytest.param(["status", "run-nowhere"], "There is no run 'run-nowhere'", id="no such run"),
        pytest.param(["retry", "RUN", "look"], "only failed, declined and undone ones", id="nothing to retry"),
        pytest.param(["retry", "RUN", "lok"], "The step lok is unknown to this run", id="no such step"),
        pytest.param(["approve", "RUN", "kil"], "(it is unknown to this run)", id="no such question"),
        pytest.param(["approve", "RUN", "dead"], "(it is waiting)", id="a step before its question"),
        pytest.param(["set", "RUN", "contact"], "  next: write FIELD=VALUE\n", id="how a fact is written"),
        pytest.param(["set", "RUN", "cause=unknown(we read logs)"], "unknown(REASON, TIME)", id="unknown until when"),
    ],
)
def test_what_cannot_be_done_is_refused_with_2(asking: tuple[Path, str], words: list[str], why: str) -> None:
    place, run = asking

    result = typed(place, *(run if word == "RUN" else word for word in words))

    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["abort", "RUN"],
        ["note", "RUN", "hello"],
        ["set", "RUN", "contact=the desk"],
        ["approve", "RUN", "kill"],
        ["resume", "RUN"],
        ["close", "RUN", "--uncontained", "no"],
        ["status", "RUN"],
        ["timeline", "RUN"],
    ],
    ids=lambda words: str(words[0]),
)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_not_that_of_the_only_run(asking: tuple[Path, str], words: list[str], empty: str) -> None:
    place, run = asking
    before = typed(place, "timeline", run, "--json").stdout

    result = typed(place, *(empty if word == "RUN" else word for word in words))

    assert (2, True) == (result.exit_code, "No run is named" in result.stderr)
    assert before == typed(place, "timeline", run, "--json").stdout


def test_abort_is_said_and_stays_in_the_record(asking: tuple[Path, str]) -> None:
    place, run = asking

    result = typed(place, "abort", run, "--reason", "a false alarm")

    assert result.exit_code == 0
    assert "ann aborted the run: a false alarm" in typed(place, "timeline", run).stdout


def test_a_declined_step_can_be_tried_again(asking: tuple[Path, str]) -> None:
    place, run = asking
    app = as_person(place, "carl")
    app.decline(run, "kill", "no")
    app.close()

    assert typed(place, "retry", run, "kill").exit_code == 0

    agreed_later = typed(place, "timeline", run).stdout
    assert "kill: ann lets it start over" in agreed_later


def test_answers_are_one_json_document(asking: tuple[Path, str]) -> None:
    place, run = asking
    speaks_for(place, "cora")

    said = document(typed(place, "approve", run, "kill", "--json"))

    assert {"run": run, "step": "kill", "said": "agreed", "by": "cora", "working": False} == {
        name: said[name] for name in ("run", "step", "said", "by", "working")
    }


EXAMPLES = {
    "huggingface": "hf_" + "a1B2" * 10,
    "openai": "sk-proj-" + "a1B2" * 8,
    "anthropic": "sk-ant-" + "a1B2" * 8,
    "github": "ghp_" + "a1B2" * 9,
    "slack": "xoxb-" + "1234567890-" * 3,
    "aws": "AKIA" + "A1B2" * 4 + ":" + "nEw/" * 10,
    "private key": "-----BEGIN PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", CREDENTIAL_SHAPES)
@pytest.mark.parametrize(
    "words",
    [
        ["run", "VALUE"],
        ["run", "-i", "token=VALUE"],
        ["note", "run-1", "it is VALUE"],
        ["VALUE"],
        ["set", "run-1", "x=VALUE"],
        ["--store", "VALUE", "status"],
    ],
    ids=" ".join,
)
def test_a_credential_on_the_command_line_is_refused_with_the_way_how(place: Path, kind: str, words: list[str]) -> None:
    value = EXAMPLES[kind]

    result = typed(place, *(word.replace("VALUE", value) for word in words))

    assert result.exit_code == 2
    assert "--secret-from" in result.stderr
    assert value not in result.output


def test_every_agreement_counts_once_and_several_may_be_needed(place: Path) -> None:
    text = place / "playbooks" / "p.yaml"
    text.write_text(STEPS.replace("role: commander, within: 1h, on", "role: commander, quorum: 2, within: 1h, on"))
    run = begun(place)
    advanced(place, run)
    agreed(place, run, "kill", person="carl")

    shown = typed(place, "status", run).stdout

    assert "agreed: carl (1 of 2)" in shown


def test_more_time_for_a_deadline_is_asked_and_answered_from_any_terminal(asking: tuple[Path, str]) -> None:
    place, run = asking
    seen = document(typed(place, "--json", "status", run))["incidents"][0]
    due = next(clock["due_at"] for clock in seen["clocks"] if clock["name"] == "contained")
    later = (datetime.fromisoformat(seen["aware_at"]) + timedelta(hours=2)).isoformat()

    asked = typed(place, "set", run, f"aware_at={later}", "--reason", "the first mail was a test")

    assert asked.exit_code == 0
    assert "it moves contained from" in asked.stderr
    assert "set:aware_at: asked commander, by ann" in asked.stdout
    shown = typed(place, "status", run)
    assert f"approve {run} set:aware_at" in shown.stdout
    assert "if its owner agrees" in shown.stdout
    seen = document(typed(place, "--json", "status", run))["incidents"][0]
    assert due == next(clock["due_at"] for clock in seen["clocks"] if clock["name"] == "contained")
    refused = typed(place, "approve", run, "set:aware_at")
    assert refused.exit_code == 2
    assert "may answer: carl, cora" in refused.stderr
    speaks_for(place, "carl")
    answered = typed(place, "approve", run, "set:aware_at")
    assert answered.exit_code == 0
    assert "the first mail was a test" in answered.stderr
    seen = document(typed(place, "--json", "status", run))["incidents"][0]
    moved = next(clock["due_at"] for clock in seen["clocks"] if clock["name"] == "contained")
    assert timedelta(hours=2) == datetime.fromisoformat(moved) - datetime.fromisoformat(due)
    told = typed(place, "timeline", seen["incident"]).stdout
    assert "ann asks to correct aware_at" in told
    assert "set:aware_at: carl agreed" in told


def test_a_correction_can_be_declined(asking: tuple[Path, str]) -> None:
    place, run = asking
    typed(place, "set", run, "aware_at=2030-01-01T00:00:00+00:00")
    speaks_for(place, "carl")

    result = typed(place, "decline", run, "set:aware_at", "--reason", "the mail was real")

    assert result.exit_code == 0
    assert [] == [ask for ask in document(typed(place, "--json", "status", run))["incidents"][0]["awaiting"]
                  if ask["step"] == "set:aware_at"]  # fmt: skip
