"""What a drill came to: the world's ledger and our record, side by side, and the documents."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from responder.documents import Templates
from responder.drill.drill import Drill
from responder.drill.faults import show_fault
from responder.drill.goals import disagreements
from responder.drill.score import Facts, notices, score, total
from responder.drill.timing import critical_path
from responder.entry import Entry
from responder.moments import due
from responder.naming import contained_at
from responder.page import page
from responder.review import postmortem
from responder.state import RunState

_CLAIM_SECONDS = 20.0
_MOST_DISAGREEMENT = 90.0
"""Seconds of the drill's clock by which record and ledger may differ: we look once in a propagation window."""


def report(drill: Drill) -> dict[str, Any]:
    """Close the drill: final probes, documents, and the score from the world's ledger."""
    finished = finish(drill)
    entries = drill.app.timeline(drill.incident)
    state = drill.app.state(drill.run)
    lines = read_ledger(drill.stage.folder / "world" / "ledger.jsonl")
    facts = facts_of(drill, state, entries)
    ledger = score(lines, facts)
    due = _due(state, entries)
    rows = [{**row, "switched": _switched(entries, row["template"])} for row in notices(lines, due)]
    record = _record(drill, state, entries, ledger)
    paths = _write_documents(drill, entries)
    return {
        "playbook": drill.options.playbook,
        "seed": drill.options.seed,
        "contained": state.contained,
        "ledger": ledger,
        "notices": rows,
        "record": record,
        "faults": _faults(drill, finished),
        "slack": drill.chat.document() if drill.chat is not None else None,
        "timing": {
            "wall_seconds": round(drill.wall_seconds, 3),
            "critical_path_seconds": round(critical_path(state, entries, drill.stage.clock), 3),
        },
        "score": total(ledger, rows, record),
        "paths": paths,
    }


def finish(drill: Drill) -> Mapping[str, Any]:
    """Wait until the holders have collected what they will, then let the world probe from outside."""
    control = drill.stage.urls["control"]
    with httpx.Client(timeout=30, trust_env=False) as client:
        deadline = time.monotonic() + _CLAIM_SECONDS
        while time.monotonic() < deadline and client.get(f"{control}/state").json()["claims_pending"]:
            time.sleep(0.1)
        finished: Mapping[str, Any] = client.post(f"{control}/finish").json()
    return finished


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Read the world's ledger, one line a request or effect."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def facts_of(drill: Drill, state: RunState, entries: Sequence[Entry]) -> Facts:
    """Return what the score is taken from, besides the ledger: what was expected, and when the kill was agreed to."""
    stage, scene = drill.stage, drill.stage.scene
    agreed = next(
        (entry.at for entry in entries if entry.step == "kill" and entry.event in {"agreed", "expired"}), None
    )
    page = scene.evidence_path(stage)
    return Facts(
        exposed_at=datetime.fromisoformat(stage.urls["exposed_at"]),
        aware_at=datetime.fromisoformat(state.incident["aware_at"]),
        leaked=tuple(scene.all_leaked(stage, state)),
        holders={holder.id: holder.email for holder in stage.inventory.holders} if scene.holders else {},
        consumers={one.id: one.secret for one in state.credential.consumers},
        expected=tuple(scene.expected(stage, state)),
        hides=scene.hides(stage),
        was_dead=scene.was_dead,
        evidence_path=page,
        captures=bool(page) and any(step.action == "evidence.capture_page" for step in state.playbook.steps),
        ready_at=agreed,
        overlap=state.standing.mode == "B",
    )


def _due(state: RunState, entries: Sequence[Entry]) -> dict[str, tuple[str, datetime | None]]:
    """Return audience and deadline of each template that the run was to send."""
    expected: dict[str, tuple[str, datetime | None]] = {}
    audiences = {
        str(entry.facts.get("template")): str(entry.facts.get("audience"))
        for entry in entries
        if entry.facts.get("template")
    }
    for step in state.playbook.steps:
        if step.action != "notice.send" or state.status(step.id) == "skipped":
            continue
        template = str(step.with_.get("template"))
        deadline = state.playbook.deadlines.get(step.meets or "")
        expected[template] = (audiences.get(template, ""), due(state, deadline).at if deadline else None)
    return expected


def _switched(entries: Sequence[Entry], template: str) -> list[str]:
    """Return from which channel to which the notices of a template went, where their own acts with what leaked."""
    planned = [one.facts for one in entries if one.event == "planned" and one.facts.get("template") == template]
    switches = [facts["switched"] for facts in planned if facts.get("switched")]
    return list(dict.fromkeys(f"from {one['from']} to {one['to']}, because {one['why']}" for one in switches))


def _record(drill: Drill, state: RunState, entries: Sequence[Entry], ledger: Mapping[str, Any]) -> dict[str, Any]:
    """Compare what we wrote with what the world saw."""
    return {
        "entries": len(entries),
        "verified": not drill.app.verify(drill.incident),
        "agrees_with_ledger": not _disagreements(state, ledger),
        "disagreements": _disagreements(state, ledger),
        "restarts": drill.restarts,
    }


def _disagreements(state: RunState, ledger: Mapping[str, Any]) -> list[str]:
    if ledger["handed_over"] is not ledger["no_leak"]:
        return disagreements(ledger, contained=state.contained)
    told: list[str] = []
    ours = contained_at(state)
    aware = datetime.fromisoformat(state.incident["aware_at"])
    theirs = ledger["dead_after_seconds"]
    if ours is not None and theirs is not None:
        apart = abs((ours - aware) - timedelta(seconds=theirs)).total_seconds()
        if not state.children and apart > _MOST_DISAGREEMENT:
            told.append(f"the first refusal after the last acceptance is {apart:.0f} s apart")
    elif (ours is None) != (theirs is None):
        told.append("only one of record and ledger knows a time of death")
    alive = [one["label"] for one in ledger["credentials"] if one["state"] != "dead"]
    if state.contained and alive:
        told.append(f"the record says contained, the world still accepts: {', '.join(alive)}")
    issued = (
        sum(
            1
            for key in state.items["one-token-each"].values
            if state.unit(f"one-token-each[{key}]").facts.get("key_id")
        )
        if "one-token-each" in state.items
        else 0
    )
    if issued != ledger["issued"]:
        told.append(f"the record says {issued} tokens were issued, the world {ledger['issued']}")
    return told


def _faults(drill: Drill, finished: Mapping[str, Any]) -> list[dict[str, Any]]:
    happened = {row["text"]: bool(row["happened"]) for row in finished.get("faults", [])}
    happened.update(dict.fromkeys(drill.crashes, True))
    rows: list[dict[str, Any]] = []
    for fault in drill.faults:
        where = f"{fault.where}:{fault.point}" if fault.point else fault.where
        rows.append({"name": fault.name, "where": where, "happened": happened.get(show_fault(fault), False)})
    return rows


def _write_documents(drill: Drill, entries: Sequence[Entry]) -> dict[str, str]:
    output = drill.stage.output
    state = drill.app.state(drill.run)
    templates = Templates({**drill.app.library.templates(), **state.started["templates"]})
    paths = {
        "postmortem": output / "postmortem.md",
        "page": output / "page.html",
        "timeline": output / "timeline.jsonl",
        "state": drill.stage.state,
    }
    paths["postmortem"].write_text(postmortem(templates.get(state.playbook.postmortem), entries, {}), encoding="utf-8")
    paths["page"].write_text(page(templates.get("report"), entries), encoding="utf-8")
    paths["timeline"].write_text(
        "".join(json.dumps(entry.document(), ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8"
    )
    for entry in entries:
        if entry.event in {"planned", "began"} and entry.facts.get("text") and "[" not in entry.step:
            (output / f"{entry.step}.txt").write_text(
                f"{entry.facts.get('subject', '')}\n\n{entry.facts['text']}\n", encoding="utf-8"
            )
    return {name: str(path) for name, path in paths.items()}
