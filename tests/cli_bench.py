"""What tests of the command line share: a call of a command in an installation of its own."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clockwork
from click.testing import CliRunner, Result

from responder.app import App, open_app
from responder.cli.call import Call
from responder.cli.group import group
from responder.clock import ScaledClock
from responder.finding import Exposure, Finding
from responder.registry import Registry
from responder.run import Runner

SPEED = 50.0

STEPS = """\
playbook: p
title: A key is public
version: 1
roles: {commander: {help: decides}, oncall: {help: acts}}
deadlines:
  contained: {from: incident.aware_at, within: 1h, role: commander}
  after: {from: incident.contained_at, within: 1h, role: commander}
steps:
  - {id: look, phase: analysis, action: credential.inspect}
  - id: kill
    phase: containment
    action: credential.disable
    needs: [look]
    approval: {role: commander, within: 1h, on_timeout: abort, reason: it is public}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill], meets: contained}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
"""
"""A whole response: one reading, one change that asks, one proof."""


def providers() -> Registry:
    return Registry({"clockwork": clockwork.PROVIDER})


def leaked_value() -> str:
    """Make a value that looks like nothing else and stands in no file."""
    return "leaked-" + "q7Zp" * 6


def environment(place: Path) -> dict[str, str]:
    """Return what commands find around them: secrets, and a clock on which proofs of death are quick."""
    clock = place / "clock.json"
    if not clock.exists():
        ScaledClock.create(clock, datetime.now(UTC), SPEED)
    return {
        "LEAKED": leaked_value(),
        "SECOND": "second-" + "w3Xk" * 6,
        "COLUMNS": "100",
        "HOME": str(place / "home"),
        "RESPONDER_CLOCK": str(clock),
    }


def prepared(place: Path) -> Path:
    """Write the playbook that most tests use; a test may have written its own."""
    path = place / "playbooks" / "p.yaml"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(STEPS)
    return place


def typed(place: Path, *words: str, store: str = "", **more: Any) -> Result:
    """Run a command as Ann types it, and return what it printed and its exit code. `store`: in the environment."""
    where = ["--config", str(place / "responder.yaml")]
    if not store:
        where += ["--store", str(place / "state" / "r.db")]
    call = Call(providers=providers())
    around = {**environment(prepared(place)), "RESPONDER_STORE": store}
    return CliRunner().invoke(group, [*where, *words], obj=call, env=around, **more)


def as_person(place: Path, person: str, store: str = "") -> App:
    """Open the installation as somebody else, who sits at another terminal."""
    prepared(place)
    app = open_app(
        config=place / "responder.yaml",
        store=store or str(place / "state" / "r.db"),
        registry=providers(),
        environment=environment(place),
    )
    app.person = person
    return app


def begun(place: Path, playbook: str = "p", store: str = "", **more: Any) -> str:
    """Begin a run, as Ann, and return its id."""
    app = as_person(place, "ann", store)
    value = app.means.sealer.secret(leaked_value())
    finding = Finding(value=value, exposure=Exposure(kind="public", url="https://x.example/"), **more)
    try:
        return app.begin(app.library.load(playbook), finding, {}).run
    finally:
        app.close()


def agreed(place: Path, run: str, *steps: str, person: str = "carl") -> None:
    """Agree to steps, as somebody who may."""
    app = as_person(place, person)
    for step in steps:
        app.approve(run, step)
    app.close()


def advanced(place: Path, run: str) -> None:
    """Let a run go as far as it goes without anybody, and leave it there."""
    app = as_person(place, "ann")
    lease = app.dispatcher.adopt(run)
    Runner(app.means, app.dispatcher.timeline(app.row(run).incident), lease.fence, others_dead=True).advance()
    app.dispatcher.leases.give_back(lease)
    app.close()


def document(result: Result) -> Any:
    return json.loads(result.stdout)
