"""What the record is read into: timeline, verification, previews and reviews."""

import json
import sqlite3
from pathlib import Path

import pytest
from cli_bench import advanced, agreed, as_person, begun, document, leaked_value, typed

from responder.declared import DECLARED
from responder.fields import NO_FACTS

KEYS = ["seq", "at", "incident", "run", "event", "step", "actor", "facts", "prev", "hash"]


@pytest.fixture
def ended(place: Path) -> tuple[Path, str, str]:
    """A run that contained its credential; the installation, the incident and the run."""
    run = begun(place, summary="found by a friend")
    advanced(place, run)
    agreed(place, run, "kill")
    typed(place, "resume", run)
    app = as_person(place, "ann")
    assert app.state(run).state == "ended"
    incident = app.row(run).incident
    app.close()
    return place, incident, run


def store(place: Path) -> sqlite3.Connection:
    return sqlite3.connect(place / "state" / "r.db")


def altered(place: Path, statement: str) -> None:
    with store(place) as db:
        db.execute(statement)
    db.close()


def test_a_timeline_is_read_by_incident_or_by_run(ended: tuple[Path, str, str]) -> None:
    place, incident, run = ended

    assert typed(place, "timeline", incident).stdout == typed(place, "timeline", run).stdout
    assert "ann started p for shared" in typed(place, "timeline", incident[:8]).stdout


def test_json_lines_hold_exactly_what_is_documented(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended

    lines = [json.loads(line) for line in typed(place, "timeline", incident, "--json").stdout.splitlines()]

    assert [KEYS] * len(lines) == [list(line) for line in lines]
    assert list(range(1, len(lines) + 1)) == [line["seq"] for line in lines]
    assert [line["hash"] for line in lines[:-1]] == [line["prev"] for line in lines[1:]]


def test_the_text_leaves_out_what_only_the_runner_reads(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended

    short = typed(place, "timeline", incident).stdout.splitlines()
    every = typed(place, "timeline", incident, "--every").stdout.splitlines()

    assert set(short) < set(every)
    assert any("kill: intended" in line for line in set(every) - set(short))


def test_what_people_and_pages_say_steers_no_terminal(ended: tuple[Path, str, str]) -> None:
    place, _, run = ended
    said = "a\x1b]0;b\x07c\x1b[2Jd\x1b[8me\x9bf\u202eg"
    typed(place, "note", run, said)

    shown = typed(place, "timeline", run, color=True).stdout
    entry = [json.loads(line) for line in typed(place, "timeline", run, "--json").stdout.splitlines()][-1]

    assert "a\ufffd]0;b\ufffdc\ufffd[2Jd\ufffd[8me\ufffdf\ufffdg" in shown
    assert said == entry["facts"]["text"]


def test_a_whole_record_verifies_and_shows_its_head(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended

    result = typed(place, "verify", incident)
    head = document(typed(place, "verify", incident, "--json"))["head"]

    assert result.exit_code == 0
    assert f"Head {head}" in result.stdout
    assert typed(place, "verify", incident, "--head", head).exit_code == 0


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        pytest.param(
            "UPDATE entries SET payload = replace(payload, 'friend', 'fiend') WHERE seq = 1",
            "entry 1",
            id="a changed fact",
        ),
        pytest.param("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", "is missing", id="a cut end"),
        pytest.param("DELETE FROM entries WHERE seq = 4", "entry 4", id="a missing entry"),
        pytest.param("UPDATE entries SET actor = 'carl' WHERE seq = 2", "entry 2", id="another actor"),
        pytest.param(
            "INSERT INTO entries SELECT incident, seq + 1, run, event, step, actor, at, epoch, payload, salt,"
            " payload_hash, hash, hash, mac FROM entries ORDER BY seq DESC LIMIT 1",
            "was altered",
            id="an entry by hand",
        ),
    ],
)
def test_the_first_bad_entry_is_named_with_5(ended: tuple[Path, str, str], statement: str, first: str) -> None:
    place, incident, _ = ended
    altered(place, statement)

    result = typed(place, "verify", incident)

    assert result.exit_code == 5
    assert first in result.stdout.splitlines()[0]
    assert "does NOT verify" in result.stdout


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE entries SET run = 'run-x' WHERE event = 'started'", id="the first entry is another run's"),
        pytest.param("DELETE FROM entries WHERE event = 'started'", id="the first entry is gone"),
        pytest.param("DELETE FROM heads", id="the note of the last entry is gone"),
        pytest.param("UPDATE runs SET incident = 'inc-x'", id="the run is another incident's"),
        pytest.param("UPDATE entries SET payload = '{}' WHERE event = 'started'", id="the first entry says nothing"),
        pytest.param("UPDATE entries SET payload = '[1]' WHERE event = 'started'", id="the first entry is a list"),
        pytest.param("UPDATE entries SET seq = x'00ff' WHERE seq = 4", id="a number that is bytes"),
        pytest.param("UPDATE heads SET seq = x'00ff'", id="a note that is bytes"),
        pytest.param("UPDATE runs SET heartbeat = 'x', epoch = 'y', executor = x'00ff'", id="a run that is bytes"),
        pytest.param("UPDATE blobs SET wrapped_key = 'x'", id="a key that is text"),
    ],
)
def test_what_was_altered_is_never_called_a_defect(place: Path, statement: str) -> None:
    run = begun(place)
    incident = json.loads(typed(place, "status", "--json").stdout)["incidents"][0]["incident"]
    altered(place, statement)

    for words in (["status"], ["status", run], ["note", run, "hello"], ["timeline", incident], ["verify", incident]):
        result = typed(place, *words)

        assert "defect" not in result.stderr, words
        assert result.exit_code in {0, 1, 2, 5, 6}, words


def test_an_entry_that_left_the_house_must_still_be_there(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended

    assert typed(place, "verify", incident, "--head", f"3:{'0' * 64}").exit_code == 5
    assert typed(place, "verify", incident, "--head", "three").exit_code == 2


def test_verify_live_presents_the_value_and_writes_that_down(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended

    result = typed(place, "verify", incident, "--live")

    assert result.exit_code == 0
    assert "shared: api refused" in result.stdout
    assert "ann presented the leaked value: api refused" in typed(place, "timeline", incident).stdout
    assert leaked_value() not in result.output


def test_verify_live_says_when_the_value_works_again(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended
    (place / "world" / "effects.jsonl").unlink()

    result = typed(place, "verify", incident, "--live")

    assert result.exit_code == 5
    assert "shared: api accepted" in result.stdout
    assert "it is ALIVE" in result.stdout


def test_nothing_is_presented_where_the_record_does_not_hold(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended
    altered(place, "UPDATE entries SET actor = 'carl' WHERE seq = 2")

    assert document(typed(place, "verify", incident, "--live", "--json"))["live"] == []


# Documents ----------------------------------------------------------------------------------------


def test_a_preview_names_everything_that_is_missing_at_once(ended: tuple[Path, str, str]) -> None:
    place, _, run = ended

    result = typed(place, "notice", "preview", "internal-alert", "--run", run)

    assert result.exit_code == 2
    assert result.stderr.count("error:") > 3
    assert " set RUN impact=...`, or the step's `fields`" in result.stderr


def test_no_field_is_filled_by_what_would_change_the_response(ended: tuple[Path, str, str]) -> None:
    place, _, run = ended

    told = typed(place, "notice", "preview", "internal-alert", "--run", run).stderr

    assert "next: -f mode=..., or the step's `fields`" in told
    assert DECLARED.keys() == NO_FACTS


def test_a_preview_shows_the_text_and_its_digest(ended: tuple[Path, str, str]) -> None:
    place, _, run = ended
    (place / "templates").mkdir()
    (place / "templates" / "word.md.j2").write_text(
        "---\ntemplate: word\nversion: 1\ntitle: A word\naudience: responders\nchannel: email\n"
        'subject: "About {{ what }}"\nfields:\n  what: {type: text}\n  names: {type: list}\n---\n'
        "{{ what }} concerns {{ names | join(', ') }}.\n"
    )

    result = typed(place, "notice", "preview", "word", "--run", run, "-f", "what=the key", "-f", 'names=["us", "them"]')

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Subject: About the key"
    assert "the key concerns us, them." in result.stdout
    assert "digest " in result.stderr


@pytest.mark.parametrize(
    "command",
    [["notice", "list"], ["notice", "lint"], ["playbook", "list"], ["playbook", "lint", "leaked-credential"]],
    ids=" ".join,
)
def test_what_ships_can_be_listed_and_has_no_errors(place: Path, command: list[str]) -> None:
    result = typed(place, *command)

    assert result.exit_code == 0
    assert result.stdout


def test_a_broken_template_is_named_with_2(place: Path) -> None:
    (place / "templates").mkdir()
    (place / "templates" / "broken.md.j2").write_text("---\ntemplate: broken\n---\n{{ nobody }}\n")

    result = typed(place, "notice", "lint", "broken")

    assert result.exit_code == 2
    assert "broken.md.j2:" in result.stdout
    assert typed(place, "notice", "list").exit_code == 0


def test_rendering_a_review_again_keeps_what_people_wrote(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended
    file = place / "review.md"
    assert typed(place, "postmortem", incident, "-o", str(file)).exit_code == 0
    text = file.read_text()
    start = text.index("<!-- prose:summary")
    end = text.index("<!-- /prose -->", start)
    file.write_text(f"{text[:start]}<!-- prose:summary -->\nPeople wrote this.\n{text[end:]}")

    again = typed(place, "postmortem", incident, "-o", str(file))
    once_more = typed(place, "postmortem", incident, "-o", str(file))

    assert (0, 0) == (again.exit_code, once_more.exit_code)
    assert "1 region is on the timeline" in again.stderr
    assert "region" not in once_more.stderr
    assert "People wrote this." in file.read_text()
    assert "ann wrote summary of the postmortem" in typed(place, "timeline", incident).stdout


def test_a_page_is_written_whole_or_not_at_all(ended: tuple[Path, str, str]) -> None:
    place, incident, _ = ended

    assert typed(place, "timeline", incident, "--html", str(place / "page.html")).exit_code == 0
    assert typed(place, "timeline", incident, "--html", str(place / "no" / "page.html")).exit_code == 2
    assert "<html" in (place / "page.html").read_text()
    assert (place / "page.html").stat().st_mode & 0o777 == 0o600
