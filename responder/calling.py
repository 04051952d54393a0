"""Asking people by mail what they cannot be asked in the channel: a notice for each question, in a run of its own."""

import hashlib
from collections.abc import Iterable
from typing import Any

from responder.clock import show_time
from responder.means import Means
from responder.notice import SendNotice
from responder.playbook import Playbook
from responder.sending import begin
from responder.start import Start
from responder.state import NOTICE, RunState
from responder.view import AskView

TEMPLATE = "question"
_STEP = "ask-"


def called(states: Iterable[RunState], ask: AskView) -> bool:
    """Tell whether somebody was called about a question already."""
    return any(state.purpose == NOTICE and _step(ask) in state.playbook.by_id for state in states)


def call(means: Means, main: RunState, ask: AskView, why: str) -> Start | None:
    """Return the run that asks everybody by mail who may answer a question; None where nobody has an address."""
    people = [(one, str(main.people.get(one, {}).get("email") or "")) for one in ask.may_answer]
    recipients = [{"id": one, "to": address} for one, address in people if address]
    if not recipients:
        return None
    due = f"by {show_time(ask.due_at)}; without an answer: {ask.on_timeout}" if ask.due_at else "it waits for you"
    fields = {
        "what": f"{ask.kind} of {ask.step}",
        "text": ask.text or " ".join(filter(None, (ask.target, ask.after))) or "no more is said",
        "by": due,
        "answers": list(ask.commands),
        "why": why,
    }
    told: dict[str, Any] = {
        "id": _step(ask),
        "title": "Ask by mail",
        "phase": "communication",
        "action": SendNotice.name,
        "for_each": recipients,
        "with": {"template": TEMPLATE, "to": "${{ item.to }}", "fields": fields},
    }
    playbook = Playbook.model_validate(
        {"playbook": NOTICE, "title": "Notice: asked by mail", "version": 1, "steps": [told]}
    )
    return begin(means, main, TEMPLATE, playbook, "")


def _step(ask: AskView) -> str:
    """Return the step that asks a question, the same one however often it is looked for."""
    named = f"{ask.run}\n{ask.step}\n{ask.asked_at.isoformat()}"
    return _STEP + hashlib.sha256(named.encode()).hexdigest()[:12]
