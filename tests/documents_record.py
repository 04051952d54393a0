"""Hand-made records for the tests of what is rendered: the founding case, entry by entry."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from responder.chain import GENESIS
from responder.entry import Entry

START = datetime(2026, 5, 2, 9, 20, tzinfo=UTC)

PLAYBOOK: dict[str, Any] = {
    "playbook": "shared-access-token-public",
    "title": "A shared access token is public",
    "version": 1,
    "roles": {"commander": {}, "comms": {}},
    "deadlines": {
        "containment": {"from": "incident.aware_at", "within": "15m", "role": "commander"},
        "holders-told": {"from": "incident.aware_at", "within": "20m", "role": "comms"},
        "holding-statement": {"from": "incident.public_coverage_at", "within": "1h", "role": "comms"},
        "partner-contract": {"from": "incident.aware_at", "within": "24h", "role": "comms"},
    },
    "steps": [
        {"id": "snapshot", "phase": "analysis", "action": "evidence.capture_page"},
        {"id": "history", "phase": "analysis", "action": "huggingface.commit_log"},
        {"id": "kill", "phase": "containment", "action": "credential.disable"},
        {"id": "dead", "phase": "containment", "action": "credential.prove_dead", "meets": "containment"},
        {
            "id": "tell-holders", "phase": "communication", "action": "notice.send", "for_each": "${{ [] }}",
            "with": {"template": "contributor-notice"}, "meets": "holders-told",
        },
        {"id": "holding", "phase": "communication", "action": "notice.send", "meets": "holding-statement"},
        {"id": "partner", "phase": "communication", "action": "notice.send", "meets": "partner-contract"},
        {"id": "access", "phase": "recovery", "action": "human.decide"},
        {"id": "tokens", "phase": "recovery", "action": "credential.issue", "for_each": "${{ [] }}"},
        {"id": "takedown", "phase": "communication", "action": "notice.draft"},
    ],
    "exit": ["${{ steps.dead.verdict == 'dead' }}"],
}  # fmt: skip

CHILD_PLAYBOOK: dict[str, Any] = {
    "playbook": "leaked-credential",
    "title": "A credential of ours is where it should not be",
    "version": 1,
    "steps": [{"id": "proof", "phase": "containment", "action": "credential.prove_dead"}],
}

PEOPLE = {
    "cora": {"name": "Cora Blum", "email": "cora@lab.example", "roles": ["commander"]},
    "omar": {"name": "Omar Voss", "email": "omar@lab.example", "roles": ["comms"]},
}


class Record:
    """A growing chain of entries."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.now = START

    def add(
        self, event: str, step: str = "", facts: Mapping[str, Any] | None = None, *, run: str = "run-1",
        actor: str = "responder", after: float = 1.0,
    ) -> Entry:  # fmt: skip
        """Write an entry `after` seconds after the one before."""
        self.now += timedelta(seconds=after)
        seq, prev = len(self.entries) + 1, self.entries[-1].hash if self.entries else GENESIS
        digest = hashlib.sha256(f"{prev}{seq}{event}{step}{facts}".encode()).hexdigest()
        entry = Entry(seq, self.now, "inc-7", run, event, step, actor, facts or {}, 1, prev, digest)
        self.entries.append(entry)
        return entry

    def at(self, seconds: float) -> str:
        """Return a time, counted from the start of the record."""
        return (START + timedelta(seconds=seconds)).isoformat()


def credential(holders: int, label: str = "early-access") -> dict[str, Any]:
    people = [{"id": f"h{n}", "name": f"Mina Okafor{n}", "email": f"h{n}@example.org"} for n in range(holders)]
    return {
        "id": label,
        "kind": "key",
        "connection": "issuer",
        "key_id": "k-1",
        "shared": holders > 1,
        "holders": people,
    }


def opened(record: Record, holders: int, **changed: Any) -> None:
    facts = {
        "severity": "P1",
        "aware_at": record.at(0),
        "reported_at": record.at(-60),
        "exposed_at": record.at(-3600),
        "public_coverage_at": record.at(300),
        "exposure": {"url": "https://hub.example/spaces/x", "place": "app.py", "kind": "public"},
        "summary": "a token is public",
        **changed,
    }
    record.add("opened", "", facts, run="")
    started = {
        "playbook": PLAYBOOK,
        "credential": credential(holders),
        "people": PEOPLE,
        "organisation": {"name": "Lab", "time_zone": "America/New_York"},
        "facts": {
            "programme_payment": "Testing is unpaid.",
            "programme_approval": "Every film needs approval.",
            "concerns_heard": [{"concern": "Testing is unpaid work", "answer": "It is under review."}],
        },
        "requester": "cora",
    }
    record.add("started", "", started, actor="cora")
    record.add("adopted", "", {"epoch": 1, "executor": "host:1", "reason": "started"})


def contain(record: Record) -> None:
    """Capture, ask, kill, and look until it is dead."""
    record.add("began", "snapshot", {"action": "evidence.capture_page"})
    record.add("began", "history", {"action": "huggingface.commit_log"})
    record.add("done", "snapshot", {"facts": {"sha256": "ab" * 32, "captured_at": record.at(5)}, "io_seconds": 0.2})
    target = {
        "action": "http.disable",
        "target": "key k-1",
        "before": "live",
        "after": "disabled",
        "digest": "d1",
    }
    record.add("planned", "kill", target)
    asked = {
        "kind": "approval",
        "role": "commander",
        "due_at": record.at(310),
        "on_timeout": "proceed",
        "digest": "d1",
    }
    record.add("asked", "kill", {**asked, "quorum": 1, "text": "public: kill, then ask"})
    record.add("agreed", "kill", {"digest": "d1", "role": "commander"}, actor="cora", after=40)
    record.add("intended", "kill", {"digest": "d1", "target": "key k-1"})
    record.add("applied", "kill", {"facts": {"state": "disabled"}, "io_seconds": 0.1})
    record.add("verified", "kill", {"target": "key k-1", "after": "disabled"})
    look = {"surfaces": {"api": "accepted"}}
    record.add("began", "dead", {"action": "http.prove_dead"})
    record.add("observed", "dead", {"verdict": "alive", "facts": look, "next_at": record.at(60)})
    first = record.now + timedelta(seconds=5)
    refused = {"surfaces": {"api": "refused"}, "first_refused_at": first.isoformat()}
    for _ in range(3):
        record.add("observed", "dead", {"verdict": "refused", "facts": refused, "next_at": record.at(90)}, after=5)
    record.add("done", "dead", {"verdict": "dead", "facts": {**refused, "refusals": 4, "verdict": "dead"}}, after=15)


def child(record: Record) -> None:
    """Find a second credential, and see it dead."""
    record.add("done", "history", {"facts": {"commits": 4}})
    record.add(
        "opened_child",
        "history",
        {"child": "run-2", "credential": "old-token", "playbook": "leaked-credential"},
    )
    started = {
        "playbook": CHILD_PLAYBOOK,
        "credential": credential(1, "old-token"),
        "people": PEOPLE,
        "parent": {"run": "run-1"},
    }
    record.add("started", "", started, run="run-2")
    dead = {"verdict": "dead", "facts": {"verdict": "dead", "first_refused_at": record.at(120)}}
    record.add("done", "proof", dead, run="run-2", after=30)
    record.add("ended", "", {"contained": True, "exit": []}, run="run-2")


def message(record: Record, step: str, template: str, audience: str) -> None:
    planned = {"action": "email.send_message", "template": template, "audience": audience, "external": True}
    record.add(
        "planned",
        step,
        {**planned, "subject": "s", "text": "t", "to": "a@b.example", "target": "a mail", "digest": "m"},
    )
    record.add("intended", step, {"digest": "m", "target": "a mail"}, after=0.01)
    record.add("applied", step, {"facts": {}})
    record.add("verified", step, {"target": "a mail", "after": "sent"}, after=0.01)


def tell(record: Record, holders: int) -> None:
    """Send every holder their notice: all are planned, one approval, then all are sent."""
    people = credential(holders)["holders"]
    record.add("expanded", "tell-holders", {"items": {one["id"]: one for one in people}})
    for one in people:
        planned = {
            "template": "contributor-notice",
            "audience": "holder",
            "target": "a mail",
            "digest": f"m{one['id']}",
        }
        record.add("planned", f"tell-holders[{one['id']}]", {"action": "email.send_message", **planned}, after=0.01)
    record.add(
        "asked",
        "tell-holders",
        {"kind": "approval", "role": "comms", "digest": "all", "text": "to every holder"},
    )
    record.add("agreed", "tell-holders", {"digest": "all", "role": "comms"}, actor="omar", after=120)
    for one in people:
        address = f"tell-holders[{one['id']}]"
        record.add("intended", address, {"digest": "m", "target": "a mail"}, after=0.01)
        record.add("applied", address, {"facts": {}}, after=0.1)
        record.add("verified", address, {"target": "a mail", "after": "sent"}, after=0.01)
    record.add("done", "tell-holders", {"facts": {}, "items": len(people)})


def give_back(record: Record, holders: int) -> None:
    """Decide, and issue a token for each holder, with a crash in between."""
    question = {
        "kind": "decide",
        "role": "commander",
        "text": "Does access return?",
        "options": {"restore": "", "hold": ""},
    }
    record.add("asked", "access", question)
    decided = {"facts": {"choice": "restore", "by": "cora"}, "question": question["text"]}
    record.add("decided", "access", decided, actor="cora", after=30)
    people = credential(holders)["holders"]
    record.add("expanded", "tokens", {"items": {one["id"]: one for one in people}})
    for number, one in enumerate(people):
        address = f"tokens[{one['id']}]"
        record.add("planned", address, {"action": "http.issue", "target": "a key", "digest": "t"}, after=0.01)
        record.add("intended", address, {"digest": "t", "target": "a key"}, after=0.01)
        if number == 1:
            record.add("adopted", "", {"epoch": 2, "executor": "host:2", "reason": "resumed"}, after=3)
            record.add("reconciled", address, {"reason": "the key bears our marker", "facts": {"key_id": "k"}})
        else:
            record.add("applied", address, {"facts": {"key_id": f"k{number}", "claim": "https://issuer.example/c"}})
            record.add("verified", address, {"target": "a key", "after": "issued"}, after=0.01)
    record.add("done", "tokens", {"facts": {}, "items": len(people)})


def founding(holders: int = 4) -> list[Entry]:
    """Return the whole record of the founding case, with one late notice, one retry and one crash."""
    record = Record()
    opened(record, holders)
    contain(record)
    child(record)
    record.add("retrying", "holding", {"error": "the mail host answers 421", "next_at": record.at(200)})
    message(record, "holding", "holding-statement", "public")
    tell(record, holders)
    record.add("skipped", "partner", {"reason": "inputs.partner is null"})
    give_back(record, holders)
    record.add(
        "began",
        "takedown",
        {"action": "notice.draft", "template": "takedown-request", "audience": "host", "text": "t"},
    )
    record.add("done", "takedown", {"facts": {"subject": "s", "sha256": "cd" * 32}})
    record.add("noted", "", {"text": "the press office has called"}, actor="omar")
    exit_ = [{"criterion": "steps.dead.verdict == 'dead'", "held": True, "why": "'dead' == 'dead'"}]
    record.add("ended", "", {"contained": True, "exit": exit_}, after=600)
    return record.entries


def only_until(entries: list[Entry], event: str, step: str) -> list[Entry]:
    """Return the entries before the first that is `event` of `step`."""
    place = next(number for number, entry in enumerate(entries) if (entry.event, entry.step) == (event, step))
    return entries[:place]


def with_facts(entry: Entry, **facts: Any) -> Entry:
    """Return an entry with other facts."""
    return entry._replace(facts={**entry.facts, **facts})
