"""The founding incident, drilled from the command line: handled well, whatever fails, and no secret anywhere."""

import gzip
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from responder.cli import outputs
from responder.drill.drill import Options, plan
from responder.drill.lives import Lives
from responder.drill.matrix import Ending, practise
from responder.drill.report import read_ledger
from responder.redaction import forms_of

PLAYBOOK = "shared-access-token-public"
CRASH = "crash:one-token-each:after-apply"
HOLDERS = 6


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """One drill with debugging on, a crash and a lost answer, as somebody would type it."""
    folder = tmp_path_factory.mktemp("drill")
    command = [
        sys.executable,
        "-m",
        "responder",
        "--debug",
        "drill",
        PLAYBOOK,
        "--json",
        "--seed",
        "7",
        "--speed",
        "60",
        "--holders",
        str(HOLDERS),
    ]
    done = subprocess.run(
        [*command, "--keep", str(folder), "--fault", CRASH, "--fault", "lost-answer:kill"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    (folder / "stdout.txt").write_text(done.stdout)
    (folder / "stderr.txt").write_text(done.stderr)
    assert 0 == done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout), folder


@pytest.mark.parametrize(
    ("fault", "nearest"),
    [
        pytest.param("crash:contain/ent:after-apply", "contain/end", id="no such step"),
        pytest.param("crash:contain/end:after-aply", "after-apply", id="no such point"),
    ],
)
def test_a_fault_that_can_never_strike_is_refused_before_anything_is_set_up(
    tmp_path: Path, fault: str, nearest: str
) -> None:
    folder = tmp_path / "drill"
    command = [sys.executable, "-m", "responder", "drill", "github-token", "--keep", str(folder), "--fault", fault]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert 2 == done.returncode
    assert "" == done.stdout
    assert done.stderr.startswith("error: ")
    assert f"  at: {fault}\n" in done.stderr
    assert f"  next: did you mean {nearest}" in done.stderr
    assert 1 == done.stderr.count("error:")
    assert not folder.exists()


def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_set_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "responder", "drill", "--keep", str(tmp_path / "file" / "below")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("error: The folder cannot be used: ")


@pytest.mark.parametrize("restart", [False, True])
def test_a_process_that_somebody_kills_is_told_like_any_other(tmp_path: Path, *, restart: bool) -> None:
    told: list[str] = []
    lives = Lives("runner", lambda life: [], {}, tmp_path / "log", (), told.append, restart)
    codes = [-signal.SIGKILL, 0]
    lives._born = lambda life, kills: Ended(codes[life])  # type: ignore[assignment, method-assign, return-value]

    assert lives.live(lambda: time.time() + 20) == codes[restart]
    assert told[0] == "The runner was killed (by somebody, not by a fault). Nothing is lost: the record is on disk."
    assert (restart, []) == (lives.restarts, lives.struck)


class Ended:
    """A process that has ended."""

    stdin = None
    pid = 0

    def __init__(self, returncode: int) -> None:
        self.returncode = returncode

    def wait(self, seconds: float = 0.0) -> int:
        return self.returncode

    def poll(self) -> int:
        return self.returncode


def test_the_world_saw_the_incident_contained(drilled: tuple[dict[str, Any], Path]) -> None:
    document, _ = drilled
    ledger = document["ledger"]

    assert document["contained"] is True
    assert {"shared-token": "dead", "space-token": "dead"} == {
        one["label"]: one["state"] for one in ledger["credentials"]
    }
    assert (HOLDERS, HOLDERS) == (ledger["holders"], ledger["issued"])
    assert 0 == ledger["sessions_open"]
    assert (0, 0) == (ledger["effects_repeated"], ledger["effects_lost"])
    assert [] == ledger["order_violations"]
    assert ledger["exposure_seconds"] > ledger["dead_after_seconds"] > ledger["disabled_after_seconds"] > 0


def test_every_notice_went_out_in_time(drilled: tuple[dict[str, Any], Path]) -> None:
    rows = {row["template"]: row for row in drilled[0]["notices"]}

    expected = {
        "internal-alert",
        "executive-brief",
        "contributor-notice",
        "contributor-followup",
        "holding-statement",
        "partner-notice",
    }
    assert expected == set(rows)
    assert all(row["on_time"] and row["sent_at"] for row in rows.values())
    assert HOLDERS == rows["contributor-notice"]["recipients"]


def test_record_and_ledger_agree_and_the_faults_struck(drilled: tuple[dict[str, Any], Path]) -> None:
    document, _ = drilled

    assert {"verified": True, "agrees_with_ledger": True} == {
        name: document["record"][name] for name in ("verified", "agrees_with_ledger")
    }
    assert [True, True] == [fault["happened"] for fault in document["faults"]]
    assert 100 == document["score"]["total"]
    assert all(Path(path).exists() for path in document["paths"].values())


def test_the_document_is_what_its_schema_says(drilled: tuple[dict[str, Any], Path]) -> None:
    document, _ = drilled
    validator = jsonschema.Draft202012Validator(json.loads((outputs.FOLDER / "drill.json").read_text()))

    validator.validate(document)


@pytest.mark.parametrize("part", ["", "ledger", "record", "timing", "score", "paths"])
def test_a_field_that_the_schema_does_not_name_is_caught(drilled: tuple[dict[str, Any], Path], part: str) -> None:
    document = json.loads(json.dumps(drilled[0]))
    (document[part] if part else document)["mood"] = "good"
    validator = jsonschema.Draft202012Validator(json.loads((outputs.FOLDER / "drill.json").read_text()))

    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


def test_no_secret_stands_in_any_file_row_page_or_output(drilled: tuple[dict[str, Any], Path]) -> None:
    """Every value of the world, the issued ones too, in every form, in everything that is not the world's own."""
    _, folder = drilled
    values = json.loads((folder / "world" / "secrets.json").read_text())
    assert len(values) > HOLDERS * 2
    forms = {form.encode() for value in values.values() for form in (*forms_of(value), value[::-1]) if len(form) >= 8}
    forms |= {value.encode("utf-16-le") for value in values.values()}
    searched = 0

    for path in [path for path in folder.rglob("*") if path.is_file() and (folder / "world") not in path.parents]:
        data = path.read_bytes()
        for form in forms:
            assert form not in data, f"{path} holds a secret"
        if data[:2] == b"\x1f\x8b":
            assert not any(form in gzip.decompress(data) for form in forms)
        searched += 1

    assert searched >= 10


def test_the_search_for_secrets_would_find_one(drilled: tuple[dict[str, Any], Path]) -> None:
    _, folder = drilled
    values = json.loads((folder / "world" / "secrets.json").read_text())

    found = [
        form for form in forms_of(values["shared-token"]) if form in (folder / "world" / "secrets.json").read_text()
    ]

    assert found


def test_the_store_holds_sealed_values_only(drilled: tuple[dict[str, Any], Path]) -> None:
    _, folder = drilled
    database = sqlite3.connect(folder / "state" / "responder.db")
    kinds = {row[0] for row in database.execute("SELECT DISTINCT kind FROM blobs")}
    database.close()

    assert {"leaked", "issued", "evidence"} == kinds


def test_a_plan_only_reads(tmp_path: Path) -> None:
    planned = plan(Options(PLAYBOOK, tmp_path, holders=2, speed=60))

    lines = [line for line in read_ledger(tmp_path / "world" / "ledger.jsonl") if line["actor"] == "responder"]
    assert lines
    assert [] == [line for line in lines if line["write"] or line["effect"]]
    assert () == planned.problems
    kill = next(step for step in planned.steps if step.id == "kill")
    assert ("live", "disabled") == (kill.before, kill.after)
    assert kill.digest


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """The ending of the same small drill without any fault."""
    return practise(PLAYBOOK, tmp_path_factory.mktemp("undisturbed"))


SAMPLE = [
    "crash:history:after-apply",
    "crash:kill:after-apply",
    "crash:service-token:after-apply",
    "crash:service-delivery:before-apply",
    "crash:tell-holders:after-apply",
    "crash:dead:after-record",
    "crash:contain/end:after-apply",
    "lost-answer:alert",
    "lost-answer:one-token-each",
    "lost-answer:service-token",
    "lost-answer:follow-up",
    "500:issuer=3",
    "429:slack=2",
]


@pytest.mark.parametrize("fault", SAMPLE)
def test_the_end_is_the_same_whatever_strikes(tmp_path: Path, undisturbed: Ending, fault: str) -> None:
    """`make crash-matrix` does the same for every step and every point."""
    ending = practise(PLAYBOOK, tmp_path, fault)

    assert [] == undisturbed.differs(undisturbed)
    assert [] == ending.differs(undisturbed)
    assert ending.happened


def test_with_the_chat_down_the_run_goes_on_and_people_are_told_by_mail(tmp_path: Path) -> None:
    ending = practise(PLAYBOOK, tmp_path, "slack-down")

    statuses = dict(ending.statuses)
    assert ending.contained
    assert ("failed", "done") == (statuses["room"], statuses["alert-by-mail"])


def test_death_that_takes_longer_than_promised_is_waited_for(tmp_path: Path) -> None:
    ending = practise(PLAYBOOK, tmp_path, "slow-propagation")

    assert ending.contained
    assert () == ending.violations
