"""Before anything has happened: the first screen, `init`, `doctor`, plans and pictures."""

import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_bench import STEPS, advanced, as_person, begun, document, leaked_value, typed
from click.testing import CliRunner

from responder.cli.group import group
from responder.installation import login
from responder.redaction import looks_like_credential
from responder.registry import Registry
from responder.settings import load_settings


def test_with_no_record_the_first_screen_names_three_commands_and_makes_nothing(place: Path) -> None:
    result = typed(place)

    assert result.exit_code == 0
    assert 3 == len(re.findall(r" (init|drill|run) ", result.stdout))
    assert not (place / "state").exists()


def test_the_first_screen_shows_open_incidents_with_their_clocks(place: Path) -> None:
    run = begun(place)
    advanced(place, run)

    shown = typed(place).stdout

    assert "waiting for commander" in shown
    assert re.search(r"clock contained: \d+m left \(due (\d{4}-\d\d-\d\d )?\d\d:\d\d(:\d\d)?Z\), commander", shown)
    assert f"approve {run} kill" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "words",
    [
        ["status", "x"],
        ["timeline", "x"],
        ["approve", "x", "y"],
        ["resume", "x"],
        ["verify", "x"],
        ["note", "x", "y"],
        ["watch", "x"],
        ["postmortem", "x"],
    ],
    ids=" ".join,
)
def test_without_a_record_nothing_makes_one(place: Path, words: list[str]) -> None:
    result = typed(place, *words)

    assert result.exit_code == 2
    assert "There is no record yet" in result.stderr
    assert not (place / "state").exists()


@pytest.mark.parametrize(("colour", "wanted"), [("1", False), ("", True)])
def test_no_color_is_respected_on_a_terminal_too(colour: str, wanted: bool) -> None:
    result = CliRunner().invoke(group, ["status", "--store", "x://y"], color=True, env={"NO_COLOR": colour})

    assert wanted == ("\x1b[" in result.stderr)


# init ---------------------------------------------------------------------------------------------


def test_init_writes_what_loads_and_lints(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["init", str(tmp_path)])
    linted = CliRunner().invoke(
        group, ["playbook", "lint", "example", "--strict", "--config", str(tmp_path / "responder.yaml")]
    )

    assert (0, 0) == (result.exit_code, linted.exit_code)
    assert "example: no errors\n" == linted.stdout
    assert "ana" == load_settings(tmp_path / "responder.yaml").person_of(login())


def test_what_init_writes_holds_nothing_like_a_credential(tmp_path: Path) -> None:
    CliRunner().invoke(group, ["init", str(tmp_path)])

    assert [None, None, None] == [looks_like_credential(path.read_text()) for path in tmp_path.rglob("*.yaml")]


def test_init_overwrites_nothing_and_writes_nothing_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "responder.yaml").write_text("mine")

    result = CliRunner().invoke(group, ["init", str(tmp_path)])

    assert result.exit_code == 2
    assert "there already" in result.stderr
    assert ("mine", False) == ((tmp_path / "responder.yaml").read_text(), (tmp_path / "playbooks").exists())


# doctor -------------------------------------------------------------------------------------------


def checks(place: Path, *words: str) -> tuple[int, dict[tuple[str, str], str]]:
    result = typed(place, "--json", "doctor", *words)
    return result.exit_code, {
        (one["about"], one["name"]): f"{one['state']}: {one['said']} {one['remedy']}"
        for one in document(result)["checks"]
    }


def with_control(place: Path) -> None:
    path = place / "responder.yaml"
    path.write_text(path.read_text().replace("account: acct-1,", "account: acct-1, control: env:LEAKED,"))


def test_an_installation_that_has_what_its_playbooks_need_is_ready(place: Path) -> None:
    with_control(place)

    code, found = checks(place)

    assert 0 == code
    assert found["connection", "cw"].startswith("ok: clockwork, account acct-1")
    assert found["playbook", "p"].startswith("ok")
    assert found["person", login()].startswith("ok: speaks for ann (oncall)")
    assert not (place / "state").exists()


def test_another_account_is_missing_something(place: Path) -> None:
    with_control(place)
    (place / "world" / "account").write_text("acct-2")

    code, found = checks(place)

    assert 4 == code
    assert found["connection", "cw"].startswith("missing: it is account acct-2, and responder.yaml says acct-1")


def test_without_a_control_credential_death_cannot_be_proven(place: Path) -> None:
    code, found = checks(place)

    assert 4 == code
    assert "control" in found["connection", "cw"]


def test_a_secret_that_cannot_be_read_is_missing(place: Path) -> None:
    path = place / "responder.yaml"
    path.write_text(path.read_text().replace("account: acct-1,", "account: acct-1, secret: env:NOWHERE,"))

    code, found = checks(place)

    assert 4 == code
    assert "env:NOWHERE is missing" in found["connection", "cw"]


def test_a_role_that_nobody_has_is_missing(place: Path) -> None:
    with_control(place)
    (place / "playbooks" / "p.yaml").write_text(STEPS.replace("commander", "pilot"))

    code, found = checks(place)

    assert 4 == code
    assert "nobody has the role pilot" in found["playbook", "p"]


def test_what_only_a_playbook_that_ships_needs_is_a_note_until_it_is_named(place: Path) -> None:
    with_control(place)

    code, found = checks(place)
    named, strict = checks(place, "shared-access-token-public")

    assert (0, 4) == (code, named)
    assert found["playbook", "shared-access-token-public"].startswith("note")
    assert strict["playbook", "shared-access-token-public"].startswith("missing")


def test_a_record_that_does_not_verify_is_found(place: Path) -> None:
    with_control(place)
    begun(place)
    with sqlite3.connect(place / "state" / "r.db") as db:
        db.execute("UPDATE entries SET actor = 'mallory' WHERE seq = 1")
    db.close()

    code, found = checks(place)

    assert 4 == code
    assert any(about == "store" and "does not verify" in said for (about, _), said in found.items())


def test_permissions_are_those_of_the_actions_that_playbooks_use(place: Path) -> None:
    (place / "responder.yaml").write_text(
        "connections:\n  hub: {provider: huggingface, account: org, secret: env:LEAKED, url: 'http://127.0.0.1:9'}\n"
    )
    (place / "playbooks" / "q.yaml").write_text(
        "playbook: q\ntitle: t\nversion: 1\n"
        "steps: [{id: a, phase: analysis, action: huggingface.commit_log, with: {space: o/n}}]\n"
    )

    found = document(typed(place, "--json", "doctor", "q"))["checks"]

    expected = sorted(Registry().action("huggingface.commit_log").permissions)
    assert expected == next(one["needs"] for one in found if one["name"] == "hub")


# plan and pictures --------------------------------------------------------------------------------


def test_a_plan_reads_and_writes_nothing(place: Path) -> None:
    (place / "f.json").write_text(json.dumps({"value": leaked_value()}))

    result = typed(place, "plan", "p", "--finding", str(place / "f.json"))

    assert result.exit_code == 0
    assert "live -> disabled" in result.stdout
    assert "contained: due " in result.stdout
    assert not (place / "state").exists()
    assert not (place / "world" / "effects.jsonl").exists()


def test_a_plan_in_an_installation_with_a_key_and_no_record_uses_that_key(place: Path) -> None:
    app = as_person(place, "ann")
    known = app.means.sealer.fingerprint(leaked_value())
    app.close()
    for path in (place / "state").glob("r.db*"):
        path.unlink()
    settings = (place / "responder.yaml").read_text()
    (place / "responder.yaml").write_text(
        settings.replace("known_by: env:LEAKED", f"fingerprint: {known}").replace("    key_id: k1\n", "")
    )
    (place / "f.json").write_text(json.dumps({"value": leaked_value()}))

    planned = document(typed(place, "--json", "plan", "p", "--finding", str(place / "f.json")))

    assert planned["ownership"] == "ours: the inventory holds it as 'shared', by its fingerprint"
    assert ["sealing.key"] == [path.name for path in (place / "state").iterdir() if path.is_file()]


def test_missing_inputs_are_all_named(place: Path) -> None:
    (place / "playbooks" / "q.yaml").write_text(
        "playbook: q\ntitle: t\nversion: 1\ninputs: {one: {help: the first}, two: {help: the second}}\n"
        "steps: [{id: a, phase: analysis, action: clockwork.nothing}]\n"
    )
    (place / "f.json").write_text(json.dumps({"value": leaked_value()}))

    result = typed(place, "plan", "q", "--finding", str(place / "f.json"), "-i", "three=3")

    assert result.exit_code == 2
    assert all(word in result.stderr for word in ("input one", "input two", "no input 'three'"))


def test_a_picture_goes_to_a_file_or_to_standard_output(place: Path) -> None:
    to_file = typed(place, "playbook", "graph", "p", "--svg", "-o", str(place / "p.svg"))
    printed = typed(place, "playbook", "graph", "p")

    assert (0, 0, "") == (to_file.exit_code, printed.exit_code, to_file.stdout)
    assert ET.fromstring((place / "p.svg").read_text()) is not None
    assert printed.stdout.startswith("flowchart TD")


def test_lint_exits_with_2_for_errors_and_for_warnings_only_when_strict(place: Path) -> None:
    (place / "playbooks" / "w.yaml").write_text(
        "playbook: w\ntitle: t\nversion: 1\nsteps: [{id: a, phase: analysis, action: credential.inspect}]\n"
    )
    (place / "playbooks" / "e.yaml").write_text(
        "playbook: e\ntitle: t\nversion: 1\nsteps: [{id: a, phase: analysis, action: credential.inspekt}]\n"
    )

    codes = [typed(place, "playbook", "lint", *words).exit_code for words in (["w"], ["w", "--strict"], ["e"], [])]

    assert [0, 2, 2, 2] == codes


@pytest.mark.parametrize("before", [True, False])
def test_global_options_stand_before_or_after_the_command(place: Path, before: bool) -> None:
    begun(place)
    options = ["--config", str(place / "responder.yaml"), "--store", str(place / "state" / "r.db"), "--json"]

    result = CliRunner().invoke(group, [*options, "status"] if before else ["status", *options])

    assert 1 == len(document(result)["incidents"])


def test_global_options_come_from_the_environment_too(place: Path) -> None:
    begun(place)
    given = {
        "RESPONDER_CONFIG": str(place / "responder.yaml"),
        "RESPONDER_STORE": str(place / "state" / "r.db"),
        "RESPONDER_JSON": "1",
    }

    result = CliRunner().invoke(group, ["status"], env=given)

    shown = document(result)["incidents"]
    assert 1 == len(shown)
    assert "--store" not in str(shown)
