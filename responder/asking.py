"""What people are asked: approvals of one change or of many, decisions, tasks; and what follows when nobody answers."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from responder.action import Action
from responder.approval import group_digest
from responder.entry import Draft
from responder.errors import RecordError
from responder.playbook import Step
from responder.unit import Ask, Unit


def question(
    kind: str,
    role: str,
    *,
    due_at: datetime | None,
    on_timeout: str = "",
    digest: str = "",
    quorum: int = 1,
    text: str = "",
    **more: Any,
) -> dict[str, Any]:
    """Return the facts of an `asked` entry."""
    return {
        "kind": kind,
        "role": role,
        "due_at": due_at.isoformat() if due_at else None,
        "on_timeout": on_timeout,
        "digest": digest,
        "quorum": quorum,
        "text": text,
        **more,
    }


def ask_for_one(step: Step, digest: str, now: datetime, **more: Any) -> dict[str, Any]:
    """Return the facts of the question whether a change with this digest may be made; `more`: what it says besides."""
    if step.approval is None:
        raise RecordError(f"{step.id} needs no approval", where=step.id)
    return question(
        "approval",
        step.approval.role,
        due_at=now + step.approval.within,
        on_timeout=step.approval.on_timeout,
        digest=digest,
        quorum=step.approval.quorum,
        text=step.approval.reason,
        **more,
    )


def ask_for_many(step: Step, digests: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return the facts of the one question about many items: key to digest of what each would do."""
    return ask_for_one(step, group_digest(digests), now, items=len(digests), digests=dict(digests))


def ask_to_act(action: Action, now: datetime) -> dict[str, Any]:
    """Return the facts of the question that a decision or a task puts to people."""
    from responder.providers.human import Decide, Task  # noqa: PLC0415 - only where people are asked

    if isinstance(action, Decide):
        kind, text, options = "decide", action.question, dict(action.options)
    elif isinstance(action, Task):
        kind, text, options = "task", action.instructions, {}
    else:
        raise RecordError(f"{type(action).__name__} asks nothing")
    due_at = now + action.within
    return question(kind, action.role, due_at=due_at, on_timeout=action.on_timeout, text=text, options=options)


def unanswered(ask: Ask, now: datetime, run: str) -> list[Draft]:
    """Return what the playbook says of a question that nobody answered; nothing before its time is over."""
    if ask.due_at is None or ask.due_at > now:
        return []
    consequence = ask.on_timeout.partition("(")[0]
    reason = f"nobody with the role {ask.role} answered in time"
    facts = {"consequence": consequence, "role": ask.role, "digest": ask.digest, "reason": reason}
    drafts = [Draft("expired", facts, run, ask.unit)]
    if consequence == "escalate":
        drafts.append(Draft("asked", _escalated(ask, now), run, ask.unit))
    elif consequence == "proceed" and ask.kind != "approval":
        told = {"error": f"nobody answered within the time: {ask.text}", "kind": "refused"}
        drafts.append(Draft("failed", told, run, ask.unit))
    return drafts


def _escalated(ask: Ask, now: datetime) -> dict[str, Any]:
    """Return the same question to the next role, with as much time again; after that it aborts."""
    role = ask.on_timeout.partition("(")[2].rstrip(")")
    span = ask.due_at - ask.at if ask.due_at else timedelta(hours=1)
    return question(
        ask.kind,
        role,
        due_at=now + span,
        on_timeout="abort",
        digest=ask.digest,
        quorum=ask.quorum,
        text=ask.text,
        options=dict(ask.options),
        digests=dict(ask.digests),
    )


def awaits_agreement(step: Step, unit: Unit) -> bool:
    """Tell whether a planned change waits for people to agree to it."""
    if step.approval is None or not unit.planned.get("digest") or unit.in_flight or unit.status == "applied":
        return False
    return bool(unit.approved != unit.planned["digest"])
