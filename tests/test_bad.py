"""Malformed inputs: each gets a clear error with its place and a remedy, and leaves nothing half done."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder.app import open_app
from responder.cli.group import group
from responder.finding import Finding
from responder.incident import Credential
from responder.installation import login
from responder.store import FORMAT

BAD = Path(__file__).parent / "bad"
SETTINGS = "people:\n  ann: {{name: Ann, os_user: {user}, roles: [commander]}}\n"
ASK = """\
playbook: ask
title: Ask
version: 1
roles: {commander: {}}
steps:
  - id: task
    phase: analysis
    action: human.task
    with: {role: commander, instructions: do it, on_timeout: abort}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """An installation in which everything is right."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "ask.yaml").write_text(ASK)
    (tmp_path / "responder.yaml").write_text(SETTINGS.format(user=login()))
    (tmp_path / "finding.json").write_text('{"key_id": "k-1"}')
    return tmp_path


def typed(place: Path, *words: str, config: Path | None = None) -> Result:
    where = ["--config", str(config or place / "responder.yaml"), "--store", str(place / "state" / "r.db")]
    return CliRunner().invoke(group, [*where, *words])


def files(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def check(result: Result, code: int, place: str, words: str) -> None:
    """Hold one result to what every error must be: what, where, what next, and nothing else."""
    assert code == result.exit_code
    assert "Traceback" not in result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    by_hand = "nothing more is done. Contain it by hand" in lines[0]  # told first, where the record cannot be written
    assert any(line.startswith("error: ") for line in (lines if by_hand and code == 6 else lines[:1]))
    assert words in result.stderr
    assert any(line.startswith("  at: ") and place in line for line in lines)
    shown = [line for line in lines if line.startswith("error: ")]
    assert len(shown) == sum(line.startswith("  next: ") and len(line) > 10 for line in lines)


PLAYBOOKS = {
    "wrong-key": ("wrong-key.yaml:4:1", "unknown key 'stpes'"),
    "duplicate-key": ("duplicate-key.yaml:4:1", "the key 'title' stands twice"),
    "tab-indent": ("tab-indent.yaml:5:1", "This is not YAML"),
    "cycle": ("cycle.yaml:5:5", "these steps wait for each other: a, b"),
    "unknown-step": ("unknown-step.yaml:6:72", "there is no step 'lock'"),
    "wrong-type": ("wrong-type.yaml:3:10", "version: should be a valid integer"),
    "empty": ("empty.yaml:1:1", "A playbook is a mapping"),
    "binary": ("binary.yaml", "The playbook cannot be read"),
    "alias-bomb": ("alias-bomb.yaml:4:", "more than 200000 values"),
    "unknown-action": ("unknown-action.yaml:5:38", "did you mean 'credential.inspect'?"),
    "proceed-on-final": ("proceed-on-final.yaml:11:15", "silence is no agreement"),
}

GUARDED = {"proceed-on-final"}
"""Those that are well written, and that a guard refuses."""


@pytest.mark.parametrize("name", PLAYBOOKS)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_bad_playbook_is_refused_before_anything_is_made(good: Path, name: str, command: str) -> None:
    before = files(good)
    words = [str(BAD / "playbooks" / f"{name}.yaml"), "--finding", str(good / "finding.json")]

    result = typed(good, command, *words, *(["--yes"] if command == "run" else []))

    check(result, 3 if name in GUARDED else 2, *PLAYBOOKS[name])
    assert before == files(good)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_lint_names_the_place(good: Path, name: str) -> None:
    place, words = PLAYBOOKS[name]

    result = typed(good, "playbook", "lint", str(BAD / "playbooks" / f"{name}.yaml"))

    assert 2 == result.exit_code
    assert any(place in line and ": error: " in line for line in result.stdout.splitlines())
    assert words in result.stdout


def test_every_bad_playbook_has_its_test() -> None:
    assert {path.stem for path in (BAD / "playbooks").iterdir()} == set(PLAYBOOKS)


FINDINGS = {
    "truncated": ("truncated.json:2:23", "The finding is not valid JSON"),
    "no-credential": ("no-credential.json", "names no credential"),
    "wrong-values": ("wrong-values.json.exposure.kind", "'public', 'private' or 'unknown'"),
    "binary": ("binary.json, byte 0", "The finding is not text in UTF-8"),
}


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_bad_finding_is_refused_before_anything_is_made(good: Path, name: str, command: str) -> None:
    before = files(good)
    words = ["ask", "--finding", str(BAD / "findings" / f"{name}.json")]

    result = typed(good, command, *words, *(["--yes"] if command == "run" else []))

    check(result, 2, *FINDINGS[name])
    assert before == files(good)


def test_every_bad_finding_has_its_test() -> None:
    assert {path.stem for path in (BAD / "findings").iterdir()} == set(FINDINGS)


TOKEN = "hf_" + "a1B2" * 9
CONFIGURATIONS = {
    "unknown-connection": ("unknown-connection.yaml:1:1", "names the unknown connection 'gatway'"),
    "unknown-key": ("unknown-key.yaml:1:1", "did you mean 'people'?"),
    "not-yaml": ("not-yaml.yaml:5:3", "This is not YAML"),
    "token-inside": ("token-inside.yaml:2:53", "seems to hold a credential"),
    "holders-column": ("holders-column.csv:2:1", "id"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("command", [["run", "ask", "--yes"], ["plan", "ask"], ["doctor"], ["status"]], ids=" ".join)
def test_a_bad_configuration_is_refused_before_anything_is_made(good: Path, name: str, command: list[str]) -> None:
    for path in (BAD / "configurations").glob(f"{name}.*"):
        (good / path.name).write_text(path.read_text().replace("HERE_STANDS_A_TOKEN", TOKEN))
    before = files(good)
    finding = ["--finding", str(good / "finding.json")] if command[0] in {"run", "plan"} else []

    result = typed(good, *command, *finding, config=good / f"{name}.yaml")

    check(result, 2, *CONFIGURATIONS[name])
    assert TOKEN not in result.output
    assert before == files(good)


def test_every_bad_configuration_has_its_test() -> None:
    assert {path.stem for path in (BAD / "configurations").iterdir()} == set(CONFIGURATIONS)


@pytest.mark.parametrize("made", ["a link that leads nowhere", "a folder"])
def test_a_configuration_here_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESPONDER_CONFIG", raising=False)
    here = tmp_path / "responder.yaml"
    here.mkdir() if made == "a folder" else here.symlink_to("nowhere")

    check(CliRunner().invoke(group, ["--store", "r.db", "status"]), 2, "responder.yaml", "cannot be read")


def test_a_record_that_is_named_by_nothing_is_not_the_user_s_own(good: Path) -> None:
    result = CliRunner().invoke(group, ["--config", str(good / "responder.yaml"), "--store", "", "status"])

    check(result, 2, "--store", "No record is named")


# Databases ----------------------------------------------------------------------------------------


@pytest.fixture
def begun(good: Path) -> Iterator[tuple[Path, str]]:
    """An installation with one run that waits."""
    app = open_app(config=good / "responder.yaml", store=str(good / "state" / "r.db"), environment={})
    run = app.begin(app.library.load("ask"), Finding(key_id="k-1"), {}).run
    app.close()
    with sqlite3.connect(good / "state" / "r.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    yield good, run
    assert Credential().label == ""


COMMANDS = [
    ["status"],
    ["timeline", "RUN"],
    ["note", "RUN", "hello"],
    ["resume", "RUN"],
    ["run", "ask", "--yes", "--finding", "FINDING"],
]


def with_run(place: Path, run: str, command: list[str]) -> Result:
    stands_for = {"RUN": run, "FINDING": str(place / "finding.json")}
    return typed(place, *(stands_for.get(word, word) for word in command))


def database(place: Path) -> Path:
    return place / "state" / "r.db"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_that_is_no_database_is_left_alone(begun: tuple[Path, str], command: list[str]) -> None:
    place, run = begun
    shutil.copy(BAD / "databases" / "not-a-database.db", database(place))
    before = database(place).read_bytes()

    check(with_run(place, run, command), 6, "r.db", "file is not a database")
    assert before == database(place).read_bytes()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_truncated_database_is_an_error_and_not_an_empty_record(begun: tuple[Path, str], command: list[str]) -> None:
    place, run = begun
    data = database(place).read_bytes()
    database(place).write_bytes(data[: len(data) // 2])

    check(with_run(place, run, command), 6, "r.db", "The record cannot be read or written")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_cut_down_to_nothing_is_no_new_record(begun: tuple[Path, str], command: list[str]) -> None:
    place, run = begun
    database(place).write_bytes(b"")

    check(with_run(place, run, command), 6, "r.db", "The file of the record is empty")
    assert b"" == database(place).read_bytes()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_newer_format_asks_for_a_newer_responder(begun: tuple[Path, str], command: list[str]) -> None:
    place, run = begun
    with sqlite3.connect(database(place)) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT + 1),))
    db.close()

    check(with_run(place, run, command), 6, "r.db", f"format {FORMAT + 1}")


@pytest.mark.parametrize("key", ["", "not base64", "c2hvcnQ="], ids=["empty", "no base64", "too short"])
def test_a_malformed_sealing_key_is_refused(begun: tuple[Path, str], key: str) -> None:
    place, _ = begun
    (place / "state" / "sealing.key").write_text(key)
    before = files(place)

    check(typed(place, "status"), 2, "sealing.key", "not 32 bytes in base64")
    assert before == files(place)


def test_a_sealing_key_that_others_can_read_is_refused(begun: tuple[Path, str]) -> None:
    place, _ = begun
    (place / "state" / "sealing.key").chmod(0o644)

    check(typed(place, "status"), 2, "sealing.key", "Others may read the sealing key")


def test_a_missing_sealing_key_is_not_replaced(begun: tuple[Path, str]) -> None:
    place, _ = begun
    (place / "state" / "sealing.key").unlink()

    check(typed(place, "status"), 2, "sealing.key", "There is no sealing key for this store")
    assert not (place / "state" / "sealing.key").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_another_sealing_key_is_named_for_what_it_is(begun: tuple[Path, str], command: list[str]) -> None:
    place, run = begun
    before = database(place).read_bytes()
    (place / "state" / "sealing.key").write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")

    check(with_run(place, run, command), 2, "r.db", "The sealing key is not the one that this store was written with")
    assert before == database(place).read_bytes()
