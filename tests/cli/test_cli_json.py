"""Every `--json` document is described by a JSON Schema, and holds nothing that the schema does not name."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_bench import advanced, agreed, begun, document, leaked_value, typed

from responder.attendance import Attendance
from responder.cli import outputs


def described(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((outputs.FOLDER / f"{name}.json").read_text())
    return schema


@pytest.mark.parametrize("name", outputs.DOCUMENTS)
def test_the_schema_in_the_package_is_the_one_of_the_code(name: str) -> None:
    assert outputs.schema_of(name) == described(name)


@pytest.mark.parametrize("name", outputs.DOCUMENTS)
def test_no_schema_lets_undocumented_fields_through(name: str) -> None:
    schema = described(name)
    parts = [schema, *schema.get("$defs", {}).values()]

    assert [False] * len([part for part in parts if "properties" in part]) == [
        part["additionalProperties"] for part in parts if "properties" in part
    ]
    assert all(set(part["required"]) == set(part["properties"]) for part in parts if "properties" in part)


def check(name: str, data: Any) -> None:
    jsonschema.Draft202012Validator(described(name)).validate(data)


@pytest.fixture
def run(place: Path) -> str:
    run = begun(place)
    advanced(place, run)
    (place / "finding.json").write_text(json.dumps({"value": leaked_value()}))
    return run


READING = {
    "status": ["status"],
    "plan": ["plan", "p", "--finding", "FINDING"],
    "verify": ["verify", "RUN", "--live"],
    "doctor": ["doctor"],
    "inventory-check": ["inventory", "check"],
    "playbook-list": ["playbook", "list"],
    "playbook-show": ["playbook", "show", "p"],
    "playbook-lint": ["playbook", "lint"],
    "playbook-test": ["playbook", "test", "leaked-credential/already-dead"],
    "playbook-graph": ["playbook", "graph", "p"],
    "notice-list": ["notice", "list"],
    "notice-lint": ["notice", "lint"],
    "postmortem": ["postmortem", "RUN"],
    "store-check": ["store", "check"],
    "store-migrate": ["store", "migrate"],
    "answer": ["note", "RUN", "hello"],
    "init": ["init", "NEW"],
    "error": ["status", "no-such-run"],
    "run-detach": ["run", "p", "--finding", "FINDING", "--yes", "--detach"],
}


@pytest.mark.parametrize(
    "words",
    [
        ["statsu", "--json"],
        ["status", "--bogus", "--json"],
        ["--bogus", "--json", "status"],
        ["approve", "run-1", "--json"],
        ["postmortem", "run-1", "-o", "FOLDER", "--json"],
        ["--json", "note", "run-1", "hf_" + "aB3" * 12],
    ],
    ids=" ".join,
)
def test_wrong_words_are_told_as_a_document_too(place: Path, words: list[str]) -> None:
    result = typed(place, *(str(place) if word == "FOLDER" else word for word in words))

    check("error", document(result))
    assert (2, 2) == (result.exit_code, document(result)["exit"])


@pytest.mark.usefixtures("run")
def test_a_document_is_utf_8_whatever_a_name_is(place: Path) -> None:
    result = typed(place, "--json", "status", "caf\udce9")

    check("error", document(result))
    assert "caf\\udce9" in result.stdout_bytes.decode("utf-8")


def test_what_is_no_option_asks_for_no_document(place: Path) -> None:
    assert typed(place, "--bogus", "--", "--json").stdout == ""


@pytest.mark.parametrize("name", READING)
def test_a_command_prints_what_its_schema_says(
    place: Path, run: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attendance, "detach", lambda self, run, arguments: 0)
    stands_for = {"RUN": run, "FINDING": str(place / "finding.json"), "NEW": str(place / "new")}

    check(name, document(typed(place, "--json", *(stands_for.get(word, word) for word in READING[name]))))


def test_status_of_one_run_and_the_end_of_a_run_are_described(place: Path, run: str) -> None:
    check("status", document(typed(place, "--json", "status", run)))
    agreed(place, run, "kill")
    check("run", document(typed(place, "--json", "resume", run)))
    check("run", document(typed(place, "--json", "watch", run)))
    check("status", document(typed(place, "--json", "status", "--all")))


def test_each_line_of_a_timeline_is_described(place: Path, run: str) -> None:
    for line in typed(place, "timeline", run, "--json").stdout.splitlines():
        check("timeline", json.loads(line))


def test_a_preview_is_described(place: Path, run: str) -> None:
    (place / "templates").mkdir()
    (place / "templates" / "word.md.j2").write_text(
        "---\ntemplate: word\nversion: 1\ntitle: A word\naudience: responders\nchannel: slack\n"
        "fields:\n  what: {type: text}\n---\nIt is {{ what }}.\n"
    )

    check(
        "notice-preview",
        document(typed(place, "--json", "notice", "preview", "word", "--run", run, "-f", "what=over")),
    )


def test_usage_errors_are_documents_too(place: Path) -> None:
    check("error", document(typed(place, "--json", "approve")))


def test_an_undocumented_field_is_caught(place: Path, run: str) -> None:
    data = document(typed(place, "--json", "status"))
    data["incidents"][0]["mood"] = "good"

    with pytest.raises(jsonschema.ValidationError):
        check("status", data)


def test_every_document_is_checked_here() -> None:
    in_a_drill = {"drill"}  # tests/drill/test_drill.py
    in_a_copy = {"store-copy"}  # test_cli_store.py
    of_a_worker = {"worker"}  # test_cli_worker.py

    assert set(outputs.DOCUMENTS) == {
        *READING,
        *in_a_drill,
        *in_a_copy,
        *of_a_worker,
        "run",
        "timeline",
        "notice-preview",
    }
