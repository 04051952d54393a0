"""What people are asked, as a message with buttons; the modal in which they answer; and what became of it."""

from typing import Any

from responder.clock import show_time
from responder.entry import Entry
from responder.slack.blocks import (
    Block,
    asked,
    button,
    buttons,
    context,
    fields,
    mention,
    modal,
    moment,
    option,
    radio,
    safe,
    section,
    text_input,
)
from responder.view import AskView

ANSWER = "answer"
"""The action of every button that asks, and the callback of every modal that answers."""
_VERBS = {"approval": "Approve", "task": "Done", "decide": "Decide", "gate": "Decide", "unknown": "Say what happened"}
_ANSWERS = frozenset(
    {"agreed", "declined", "decided", "answered", "gated", "expired", "cleared", "mode", "closed", "set"}
)


def named(ask: AskView) -> dict[str, str]:
    """Return what names a question, wherever a button or a modal carries it."""
    return {"run": ask.run, "step": ask.step, "kind": ask.kind, "digest": ask.digest, "at": ask.asked_at.isoformat()}


def key(ask: AskView) -> str:
    """Return the name under which a question's message is found again."""
    return f"ask:{ask.run}:{ask.step}:{ask.asked_at.isoformat()}"


def question(ask: AskView, slack_ids: dict[str, str]) -> tuple[str, list[Block]]:
    """Return the message that asks, and tells those who may answer."""
    who = [mention(slack_ids[one]) for one in ask.may_answer if slack_ids.get(one)]
    others = [safe(one) for one in ask.may_answer if not slack_ids.get(one)]
    verb = _VERBS.get(ask.kind, "Answer")
    says = f"{verb}: {ask.step}"
    lead = f"*{safe(_title(ask))}*\n{safe(ask.text)}" if ask.text else f"*{safe(_title(ask))}*"
    blocks = [section(lead), *_change(ask)]
    due = f"by {moment(ask.due_at)}, else: {safe(ask.on_timeout)}" if ask.due_at else ""
    more = f"{len(ask.agreed)} of {ask.quorum} have agreed" if ask.quorum > 1 else ""
    blocks.append(context(f"{safe(ask.role)}: {' '.join([*who, *others]) or 'nobody may answer this here'}", due, more))
    value = named(ask)
    second = [button("Decline…", f"{ANSWER}:decline", {**value, "act": "decline"}, "danger")]
    first = button(f"{verb}…", f"{ANSWER}:accept", {**value, "act": "accept"}, "primary")
    blocks.append(buttons(first, *(second if ask.kind in {"approval", "task", "gate", "decide"} else [])))
    return says, blocks


def _title(ask: AskView) -> str:
    return f"{_VERBS.get(ask.kind, 'Answer')}: {ask.step}"


def _change(ask: AskView) -> list[Block]:
    if not ask.target:
        return []
    facts = [("Target", safe(ask.target)), ("Before", safe(ask.before or "—")), ("After", safe(ask.after or "—"))]
    facts += [("Items", str(ask.items))] if ask.items else []
    facts += [("Breaks", safe(ask.breaks))] if ask.breaks else []
    return [fields(facts)]


def answering(ask: AskView, act: str) -> Block:
    """Return the modal in which a question is answered: the exact change, its digest, and what is to be said."""
    about = {**named(ask), "act": act}
    blocks = [section(f"*{safe(ask.step)}*" + (f"\n{safe(ask.text)}" if ask.text else "")), *_change(ask)]
    if ask.digest:
        blocks.append(context(f"what you sign: `{safe(ask.digest)}`"))
    if act == "decline":
        blocks.append(asked("reason", "Why?", text_input(lines=True)))
        return modal("Decline", blocks, callback=ANSWER, submit="Decline", about=about)
    if ask.kind == "task":
        blocks.append(asked("said", "What was done?", text_input(lines=True)))
        return modal("Done", blocks, callback=ANSWER, submit="It is done", about=about)
    if ask.options:
        shown = [option(name, name, meaning) for name, meaning in ask.options.items()]
        blocks.append(asked("choice", "Your choice", radio(shown)))
        return modal("Decide", blocks, callback=ANSWER, submit="Decide", about=about)
    return modal("Approve", blocks, callback=ANSWER, submit="Approve", about=about)


def outcome(entries: list[Entry], about: dict[str, Any]) -> str:
    """Return in words what became of a question that is no longer open, from the record."""
    later = [
        entry
        for entry in entries
        if entry.event in _ANSWERS
        and entry.run in {about.get("run"), ""}
        and entry.step == about.get("step")
        and entry.at.isoformat() > str(about.get("at", ""))
    ]
    if not later:
        return "it is not asked any more: the change became another one, or the run went on without it"
    return "; ".join(_told(entry) for entry in later)


def _told(entry: Entry) -> str:
    facts = entry.facts
    choice = facts.get("answer") or (facts.get("facts") or {}).get("choice") or ""
    reason = f", {facts['reason']}" if entry.event in {"declined", "expired"} and facts.get("reason") else ""
    who = "" if entry.event == "expired" else f" by {entry.actor}"
    return f"{entry.event}{f' ({choice})' if choice else ''}{who} at {show_time(entry.at)}{reason}"


def answered(title: str, told: str) -> tuple[str, list[Block]]:
    """Return what takes the place of a question once it is answered: no button is left."""
    return f"{title}: {told}", [section(f"✔️ *{safe(title)}*\n{safe(told)}")]


def handover(giver: str, receiver: str, incident: str, slack_ids: dict[str, str]) -> tuple[str, list[Block]]:
    """Return the message that offers the lead to somebody."""
    named = mention(slack_ids[receiver]) if slack_ids.get(receiver) else safe(receiver)
    take = buttons(button("Take over", "take_over", {"incident": incident}, "primary"))
    return "The lead is offered", [section(f"*{safe(giver)}* offers the lead of this response to {named}."), take]
