"""Makes the record of a run that is still open, as this version writes it; run by hand, once for each format.

    PYTHONPATH=. python tests/old/make_record.py tests/old/format-1

What it makes must be made by the version that had this format, and is never made again: `tests/test_old.py` opens a
copy. The secrets in it are random and open nothing.
"""

import os
import secrets
import shutil
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import clockwork

from responder.app import open_app
from responder.finding import Exposure, Finding
from responder.redaction import Redactor
from responder.registry import Registry
from responder.sealing import Sealer, load_master_key

FOLDER = "WORLD"
"""Stands in responder.yaml for the folder of the world; the test puts its own in its place."""
SETTINGS = """\
organisation: {{name: Lumen Labs, contact: security@lumen.example}}
people:
  ann: {{name: Ann, email: ann@lumen.example, roles: [oncall]}}
  carl: {{name: Carl, email: carl@lumen.example, roles: [commander, oncall]}}
  cora: {{name: Cora, email: cora@lumen.example, roles: [commander, comms]}}
  hal: {{name: Hal, email: hal@lumen.example, roles: [commander]}}
connections:
  cw: {{provider: clockwork, account: acct-1, folder: {folder}}}
inventory:
  - id: shared
    connection: cw
    key_id: k1
    fingerprint: "{fingerprint}"
    shared: true
    holders:
      - {{id: h1, name: Hal, email: hal@lumen.example, person: hal}}
      - {{id: h2, name: Hugo, email: hugo@out.example}}
"""
PLAYBOOK = """\
playbook: old
title: A run that was begun long ago
version: 3
summary: It uses most of what the language had.
match:
  - {exposure: public}
inputs:
  place: {type: string, help: "where it was found"}
  loud: {type: boolean, required: false, default: false, help: "whether to say it"}
roles:
  commander: {help: "decides"}
  comms: {help: "approves words"}
  oncall: {help: "does what no API can do"}
deadlines:
  containment: {from: incident.aware_at, within: 15m, role: commander}
steps:
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: inspect, title: Is it live, phase: analysis, action: credential.inspect}
  - {id: say, phase: communication, action: clockwork.say, with: {key: "said of ${{ inputs.place }}"}, needs: [look]}
  - {id: loud, phase: communication, action: clockwork.say, with: {key: shouted}, if: "${{ inputs.loud }}"}
  - {id: watch, phase: analysis, action: clockwork.watch, needs: [look]}
  - {id: refused, phase: analysis, action: clockwork.look, with: {key: refused}, on_error: continue}
  - {id: new, phase: recovery, action: credential.issue, needs: [watch], with: {label: next}}
  - id: each
    phase: recovery
    action: clockwork.turn
    for_each: {a: 1, b: 2, c: 3}
    max_parallel: 1
    needs: [new, refused]
    with: {key: "item-${{ item }}"}
    retry: {attempts: 3, first: 1s}
  - id: disable
    phase: containment
    action: credential.disable
    needs: [inspect]
    if: ${{ credential.can.disable and steps.inspect.state != 'dead' }}
    approval: {role: commander, quorum: 2, within: 3650d, on_timeout: abort, reason: "it is public"}
  - {id: proof, phase: containment, action: credential.prove_dead, needs: [disable], meets: containment}
  - id: choose
    phase: recovery
    action: human.decide
    needs: [proof]
    with:
      role: commander
      question: How shall it go on?
      options: {stop: "all stays as it is", go: "the rest is turned"}
      on_timeout: abort
      within: 3650d
  - {id: after, phase: review, action: clockwork.turn, needs: [choose, each], with: {key: after},
     if: "${{ steps.choose.choice == 'go' }}"}
exit:
  - ${{ steps.proof.verdict == 'dead' and steps.each.all_done }}
"""


def main(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    (place / "world").mkdir(parents=True)
    (place / "playbooks").mkdir()
    (place / "playbooks" / "old.yaml").write_text(PLAYBOOK)
    (place / "world" / "denied-refused").write_text("1")
    value = "value-" + secrets.token_hex(12)
    key = load_master_key(place / "sealing.key", {}, create=True)
    fingerprint = Sealer(key, Redactor()).fingerprint(value)
    config = place / "responder.yaml"
    config.write_text(SETTINGS.format(folder=place / "world", fingerprint=fingerprint))
    child = os.fork()
    if child == 0:
        drive(place, value)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    config.write_text(SETTINGS.format(folder=FOLDER, fingerprint=fingerprint))
    database = sqlite3.connect(place / "responder.db", isolation_level=None)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute("VACUUM")
    database.close()
    for made in ("locks", "playbooks"):  # the run must go on without them: its record embeds what it needs
        shutil.rmtree(place / made, ignore_errors=True)


def drive(place: Path, value: str) -> None:
    """Drive the run until one approval was given, another is missing, and an item's answer was not written down."""
    socket.gethostname = lambda: "oncall-1"  # the record must not name the machine that made it
    environment = {"HOME": str(place)}
    registry = Registry({"clockwork": clockwork.PROVIDER})
    config, store = place / "responder.yaml", str(place / "responder.db")

    def hook(point: str, address: str) -> None:
        if (point, address) == ("after-apply", "each[b]"):
            other = open_app(config=config, store=store, environment=environment, registry=registry)
            other.person = "carl"
            while not (ask := other.state(run).unit("disable").ask):
                time.sleep(0.02)
            assert ask.role == "commander"
            other.approve(run, "disable")
            while any(other.state(run).status(name) not in {"done", "skipped"} for name in ("say", "loud")):
                time.sleep(0.02)
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)

    app = open_app(config=config, store=store, environment=environment, registry=registry, hook=hook)
    app.person = "ann"
    finding = Finding(
        value=app.means.sealer.secret(value), exposure=Exposure(kind="public", url="https://paste.example/1")
    )
    run = app.begin(app.library.load("old"), finding, {"place": "paste"}).run
    app.note(run, "It was on a public page.")
    app.drive(run)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
