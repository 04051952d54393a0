"""What the tests of guards share: a step as a guard sees it, and a run of it from the command line."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cli_bench import leaked_value, typed
from click.testing import Result

from responder.action import Action
from responder.credential import Disable
from responder.guards import GUARDS, Case
from responder.incident import Credential
from responder.playbook import Step
from responder.redaction import Redactor
from responder.resolve import Resolved
from responder.sealing import Sealer
from responder.settings import Connection
from responder.state import RunState

SEALER = Sealer(b"k" * 32, Redactor())
LEAKED, OURS = SEALER.secret("leaked-" + "a" * 20), SEALER.secret("ours-" + "b" * 20)
ISSUER = Connection(name="gate", provider="http", account="acct")
Answer = Callable[[Case], list[str]]


def step(action: str = "credential.disable", **more: Any) -> Step:
    """Return a step that acts on the run's own credential, unless another is named."""
    return Step.model_validate({"id": "a", "phase": "containment", "action": action, **more})


def state_of(**started: Any) -> RunState:
    """Return the state of a run whose credential is ours."""
    state = RunState("run-1")
    state.started = {"ownership": {"verdict": "ours", "reason": "because"}, **started}
    state.credential = Credential(connection="gate", key_id="k1", fingerprint=LEAKED.fingerprint)
    return state


def case(action: Action | None = None, one: Step | None = None, **more: Any) -> Case:
    """Return a step as the guards see it; `record` and `connection` stand for what was resolved."""
    one = one or step()
    record: Mapping[str, Any] = {"action": one.action, **more.pop("record", {})}
    resolved = Resolved(action or Disable(), more.pop("connection", ISSUER), None, record)
    given = {
        "state": state_of(),
        "connections": {"gate": ISSUER},
        "leaked": lambda: frozenset({LEAKED.fingerprint, "gate:k1"}),
    }
    return Case(one, resolved, **{**given, **more})


def refusals(guard: str, of: Case) -> list[str]:
    """Return what a guard says against a step; every refusal has a place and a way out."""
    problems = list(next(one for one in GUARDS if one.name == guard).step(of))

    assert all(problem.where and problem.remedy for problem in problems)
    return [problem.what for problem in problems]


def playbook(place: Path, steps: str, name: str = "g") -> None:
    """Write a playbook of these steps."""
    head = f"playbook: {name}\ntitle: t\nversion: 1\nroles: {{commander: {{}}, oncall: {{}}}}\nsteps:\n"
    (place / "playbooks").mkdir(exist_ok=True)
    (place / "playbooks" / f"{name}.yaml").write_text(head + steps)


def report(place: Path, url: str = "https://x.example/", **more: Any) -> str:
    """Write a finding, and return its file."""
    path = place / "finding.json"
    path.write_text(json.dumps({"value": leaked_value(), "exposure": {"kind": "public", "url": url}, **more}))
    return str(path)


def ran(place: Path, steps: str, **more: Any) -> Result:
    """Run these steps from the command line, with `--yes`."""
    playbook(place, steps)
    return typed(place, "run", "g", "--finding", report(place, **more), "--yes")


def settings(place: Path, old: str, new: str) -> None:
    """Change responder.yaml."""
    text = (place / "responder.yaml").read_text()

    assert old in text
    (place / "responder.yaml").write_text(text.replace(old, new))


def effects(place: Path) -> list[str]:
    """Return what was really done in the world."""
    path = place / "world" / "effects.jsonl"
    return [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.exists() else []


def assert_refused(result: Result, guard: str, *, what: str, place: str, way_out: str) -> None:
    """Hold that a call was refused as a guard refuses: exit code 3, what, where, and how to get on."""
    said = result.stdout + result.stderr

    assert 3 == result.exit_code, said
    assert [] == [word for word in (f"guard: {guard}", what, place, way_out) if word not in said], said
