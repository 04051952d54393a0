"""Three terminals on one run: detached in one, approved from another, watched in a third; killed and taken up again."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from responder.drill.stage import Stage, set_stage
from responder.installation import login

STEPS = """\
playbook: three-terminals
title: Kill it together
version: 1
roles: {commander: {}}
steps:
  - {id: look, phase: analysis, action: credential.inspect}
  - id: kill
    phase: containment
    action: credential.disable
    needs: [look]
    approval: {role: commander, within: 1h, on_timeout: abort}
  - {id: sessions, phase: containment, action: credential.end_sessions, needs: [kill]}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [sessions]}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = set_stage(tmp_path / "drill", seed=3, speed=60, faults=(), holders=2, live=False)
    (made.state / "playbooks").mkdir()
    (made.state / "playbooks" / "three-terminals.yaml").write_text(STEPS)
    text = made.config.read_text()
    for person in ("ines", "leo", "ruth"):
        mapped = re.sub(r"\n    os_user: .*", "", text)
        mapped = re.sub(rf"\n  {person}:\n", f"\n  {person}:\n    os_user: {login()}\n", mapped)
        (made.state / f"{person}.yaml").write_text(mapped)
    yield made
    made.close()


def typed(stage: Stage, person: str, *words: str, finding: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "responder", "--config", str(stage.state / f"{person}.yaml"), *words]
    return subprocess.run(
        command, input=finding, capture_output=True, text=True, timeout=60, env=dict(stage.environment), check=False
    )


def status(stage: Stage, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed(stage, "ruth", "status", run, "--json").stdout)["incidents"][0]
    return found


def until_asked(stage: Stage, run: str) -> None:
    for _ in range(100):
        if status(stage, run)["awaiting"]:
            return
        time.sleep(0.1)
    pytest.fail("nothing was asked")


def executor(stage: Stage) -> int:
    database = sqlite3.connect(stage.store.path or "")
    name = database.execute("SELECT executor FROM runs").fetchone()[0]
    database.close()
    return int(name.split(":")[1])


def test_a_run_is_shared_by_terminals_and_survives_its_runner(stage: Stage) -> None:
    finding = json.dumps(
        {"value": stage.leaked, "exposure": {"kind": "public", "url": stage.urls["hub"] + "/spaces/x/y"}}
    )
    begun = typed(
        stage, "ruth", "run", "three-terminals", "--finding", "-", "--yes", "--detach", "--json", finding=finding
    )
    assert 7 == begun.returncode, begun.stderr
    run = json.loads(begun.stdout)["run"]
    until_asked(stage, run)

    refused = typed(stage, "ruth", "approve", run, "kill")
    held = typed(stage, "leo", "approve", run, "kill")
    assert (2, 2) == (refused.returncode, held.returncode)
    assert "asked for this run" in refused.stderr
    assert "holds the credential" in held.stderr

    os.kill(executor(stage), signal.SIGKILL)
    assert 0 == typed(stage, "ines", "approve", run, "kill").returncode
    resumed = typed(stage, "ruth", "resume", run)
    watched = typed(stage, "ines", "watch", run)

    assert 0 == resumed.returncode, resumed.stderr
    assert 0 == watched.returncode
    assert status(stage, run)["contained"] is True
    again = typed(
        stage, "ruth", "run", "three-terminals", "--finding", "-", "--yes", "--detach", "--json", finding=finding
    )
    assert again.returncode == 7
    assert json.loads(again.stdout)["joined"] is False, "the lock is given back at the end"
    os.kill(executor_of(stage, json.loads(again.stdout)["run"]), signal.SIGKILL)


def executor_of(stage: Stage, run: str) -> int:
    for _ in range(100):
        database = sqlite3.connect(stage.store.path or "")
        name = database.execute("SELECT executor FROM runs WHERE run = ?", (run,)).fetchone()[0]
        database.close()
        if name:
            return int(name.split(":")[1])
        time.sleep(0.1)
    pytest.fail("the detached runner never began")
