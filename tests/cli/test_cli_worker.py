"""Workers from the command line: who hands a run over to them, and where they are shown."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import jsonschema
import pytest
from cli_bench import as_person, environment, leaked_value, prepared, typed
from conftest import BOTH

from responder.cli import outputs
from responder.cli.call import Call
from responder.cli.follow import Follower, Onlooking
from responder.finding import Exposure, Finding

SHARED = pytest.mark.parametrize("record", BOTH[1:], indirect=True)
PLAYBOOK = """\
playbook: p
title: A key is public
version: 1
roles: {commander: {help: decides}, oncall: {help: acts}}
steps:
  - {id: turn, phase: containment, action: clockwork.turn, with: {key: a}}
  - {id: long, phase: analysis, action: clockwork.nothing, needs: [turn], with: {seconds: %s}}
"""
FINDING = json.dumps({"value": leaked_value(), "exposure": {"kind": "public", "url": "https://x.example/"}})


@pytest.fixture
def worker(place: Path, record: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is alive."""
    around = {**os.environ, **environment(prepared(place))}
    command = [sys.executable, str(Path(__file__).parent.parent / "working.py"), str(place), record]
    process = subprocess.Popen(command, env=around)
    app = as_person(place, "ann", record)
    until = time.monotonic() + 30
    while not app.attendance.workers():
        assert time.monotonic() < until, "the worker never came"
        time.sleep(0.05)
    app.close()
    yield process
    process.terminate()
    assert 0 == process.wait(30)


def playbook(place: Path, seconds: float = 0.0) -> None:
    (place / "playbooks" / "p.yaml").write_text(PLAYBOOK % seconds)


def test_a_worker_needs_a_record_that_is_shared(place: Path) -> None:
    result = typed(place, "worker")

    assert 2 == result.exit_code
    assert "--store postgresql://" in result.stderr


@SHARED
def test_with_a_worker_a_run_is_handed_over_and_watched(
    place: Path, record: str, worker: subprocess.Popen[bytes]
) -> None:
    playbook(place)

    result = typed(place, "run", "p", "--finding", "-", "--yes", store=record, input=FINDING)

    assert "Workers do it" in result.stderr
    assert "ended" in result.stdout
    app = as_person(place, "ann", record)
    adopted = [entry.facts["executor"] for entry in app.timeline(app.runs()[0].incident) if entry.event == "adopted"]
    app.close()
    assert adopted
    assert {str(worker.pid)} == {executor.split(":")[1] for executor in adopted}


@SHARED
def test_a_worker_leaves_a_record_that_went_elsewhere_and_says_where(place: Path, record: str) -> None:
    app = as_person(place, "ann", record)
    store = app.means.store

    def moves() -> None:
        while not app.attendance.workers():
            time.sleep(0.05)
        with store.write() as writing:
            writing.move("postgresql://there/record")
        time.sleep(2.0)
        with store.write() as writing:  # the copy failed
            writing.stay()
        time.sleep(4.0)
        came_back.append(bool(app.attendance.workers()))
        with store.write() as writing:
            writing.move("postgresql://there/record")

    came_back: list[bool] = []
    moving = threading.Thread(target=moves)
    moving.start()
    left = typed(place, "worker", store=record)
    moving.join()
    app.close()

    assert [True] == came_back
    assert 6 == left.exit_code
    assert "went to postgresql://there/record" in left.stderr
    assert "RESPONDER_STORE" in left.stderr


@SHARED
def test_who_watches_a_run_whose_workers_are_all_gone_is_told_that_one_would_go_on_with_it(
    place: Path, record: str
) -> None:
    playbook(place)
    app = as_person(prepared(place), "ann", record)
    leaked = Finding(value=app.means.sealer.secret(leaked_value()), exposure=Exposure(kind="public"))
    run = app.begin(app.library.load("p"), leaked, {}).run
    said: list[str] = []
    shown = Onlooking(cast("Call", SimpleNamespace(say=said.append)), run)
    follower = Follower(app, run, "responder")
    follower.news()
    until = time.monotonic() + 10
    while not said[-1:] or "resume" not in said[-1]:
        assert time.monotonic() < until, said
        shown.show((), follower)
        time.sleep(0.1)
    app.close()

    assert [
        "Nobody works on the run now. A worker would go on with it; or do it here:",
        f"    $ responder resume {run}",
    ] == said


@SHARED
def test_detach_leaves_a_run_to_a_worker_and_status_shows_where_it_is(
    place: Path, record: str, worker: subprocess.Popen[bytes]
) -> None:
    playbook(place, 3.0)

    begun = typed(place, "run", "p", "--finding", "-", "--yes", "--detach", "--json", store=record, input=FINDING)
    run = json.loads(begun.stdout)["run"]
    seen = ""
    until = time.monotonic() + 20
    while not seen and time.monotonic() < until:
        seen = json.loads(typed(place, "status", run, "--json", store=record).stdout)["incidents"][0]["executor"]

    assert 7 == begun.exit_code
    assert seen.endswith(f":{worker.pid}")
    assert seen in typed(place, "status", store=record).stdout
    assert [] == list(place.rglob("logs"))


@SHARED
def test_doctor_lists_the_workers_that_are_alive(place: Path, record: str, worker: subprocess.Popen[bytes]) -> None:
    checks = json.loads(typed(place, "doctor", "--json", store=record).stdout)["checks"]

    (one,) = [check for check in checks if check["about"] == "worker"]
    assert one["state"] == "ok"
    assert one["name"].endswith(f":{worker.pid}")


@SHARED
def test_doctor_says_that_no_worker_is_alive(place: Path, record: str) -> None:
    as_person(place, "ann", record).close()

    checks = json.loads(typed(place, "doctor", "--json", store=record).stdout)["checks"]

    (one,) = [check for check in checks if check["about"] == "worker"]
    assert "note" == one["state"]
    assert "responder worker" in one["remedy"]


@SHARED
def test_a_worker_that_leaves_prints_what_it_did(place: Path, record: str) -> None:
    app = as_person(place, "ann", record)
    around = {**os.environ, **environment(place)}
    config = place / "responder.yaml"
    config.write_text(config.read_text().replace("provider: clockwork", "provider: human"))  # one that is installed
    command = [sys.executable, "-m", "responder", "--config", str(config), "--store", record, "--json", "worker"]
    process = subprocess.Popen(command, env=around, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while not app.attendance.workers() and time.monotonic() < until:
        time.sleep(0.05)
    app.close()

    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=30)

    assert 130 == process.returncode
    said = json.loads(printed)
    schema = json.loads((outputs.FOLDER / "worker.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(said)
    assert (0, []) == (said["turns"], said["handed_on"])
