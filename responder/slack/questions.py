"""What people are asked, as a message with buttons; the modal in which they answer; and what became of it."""

from datetime import UTC
from typing import Any

from responder.entry import Entry
from responder.slack.blocks import (
    MOST_SEEN,
    Block,
    asked,
    button,
    buttons,
    context,
    cut,
    due,
    mention,
    modal,
    option,
    radio,
    readable,
    safe,
    section,
    select,
    text_input,
)
from responder.view import AskView

ANSWER = "answer"
"""The action of every button that asks, and the callback of every modal that answers."""
_VERBS = {"approval": "Approve", "task": "Done", "decide": "Decide", "gate": "Decide", "unknown": "Say what happened"}
_ANSWERS = frozenset(
    {"agreed", "declined", "decided", "answered", "gated", "expired", "cleared", "mode", "closed", "set"}
)


_BECAME = {"declined": "✖️", "expired": "⌛", "it is not asked": "⚪"}
_BRIEF, _LONG, _SHORT = 400, 900, 74
"""How long a text is in the channel, in a modal, and beside an option, where Slack cuts it."""
_DIGEST = 12
"""How much of a digest is shown: enough to compare it with a terminal's."""


def named(ask: AskView) -> dict[str, str]:
    """Return what names a question, wherever a button or a modal carries it."""
    return {"run": ask.run, "step": ask.step, "kind": ask.kind, "digest": ask.digest, "at": ask.asked_at.isoformat()}


def key(ask: AskView) -> str:
    """Return the name under which a question's message is found again."""
    return f"ask:{ask.run}:{ask.step}:{ask.asked_at.isoformat()}"


def question(ask: AskView, slack_ids: dict[str, str]) -> tuple[str, list[Block]]:
    """Return the message that asks, and tells those who may answer; what is asked comes first, the buttons last."""
    told = f"{_VERBS.get(ask.kind, 'Answer')}: {what(ask)}"
    blocks = [section(_asking(ask, told)), *_change(ask, _BRIEF), context(*_who(ask, slack_ids))]
    value = named(ask)
    second = [button("Decline…", f"{ANSWER}:decline", {**value, "act": "decline"}, "danger")]
    first = button(f"{_VERBS.get(ask.kind, 'Answer')}…", f"{ANSWER}:accept", {**value, "act": "accept"}, "primary")
    blocks.append(buttons(first, *(second if ask.kind in {"approval", "task", "gate", "decide"} else [])))
    return safe(f"{told} ({ask.step})" if ask.title else told), blocks


def what(ask: AskView) -> str:
    """Return what a question is about as people call it; which item, where it is about one of many."""
    item = ask.step.partition("[")[2].rstrip("]")
    return f"{ask.title} ({item})" if ask.title and item else ask.title or ask.step


def _asking(ask: AskView, told: str) -> str:
    return f"*{readable(told)}*" + (f"\n{readable(ask.text)}" if ask.text else "")


def _who(ask: AskView, slack_ids: dict[str, str]) -> list[str]:
    """Return who may answer, until when, what happens else, and who has agreed already."""
    left = [one for one in ask.may_answer if one not in ask.agreed]
    who = " or ".join(_name(one, slack_ids) for one in left)
    told = [f"{safe(ask.role)}: {who or 'nobody may answer this here'}"]
    if ask.due_at:
        told.append(f"by {due(ask.due_at, ask.asked_at)}{_otherwise(ask.on_timeout)}")
    if ask.quorum > 1:
        agreed = ", ".join(_name(one, slack_ids) for one in ask.agreed)
        told.append(f"*{len(ask.agreed)} of {ask.quorum}* have agreed{f': {agreed}' if agreed else ''}")
    return told


def _name(person: str, slack_ids: dict[str, str]) -> str:
    return mention(slack_ids[person]) if slack_ids.get(person) else safe(person)


def _otherwise(on_timeout: str) -> str:
    """Return in words what a playbook says for when nobody answers."""
    word, _, rest = on_timeout.partition("(")
    words = {"proceed": "it goes on without", "abort": "it is not done", "escalate": f"{rest.rstrip(')')} is asked"}
    return f"; else {safe(words.get(word, on_timeout))}" if on_timeout else ""


def _change(ask: AskView, most: int = _LONG) -> list[Block]:
    """Return what would be changed, from what to what, and what that breaks."""
    if not ask.target:
        return []
    first = f"*{ask.items} items*, the first of them:\n" if ask.items > 1 else ""
    before = f"{readable(cut(ask.before, most))} → " if ask.before else ""
    after = readable(cut(ask.after or "—", most))
    after = after if "\n" in after else f"*{after}*"
    lines = [f"{first}{readable(cut(ask.target, most))}", f"{before}{after}"]
    lines += [f"⚠️ {readable(cut(ask.breaks, most))}"] if ask.breaks else []
    return [section("\n".join(lines))]


def answering(ask: AskView, act: str) -> Block:
    """Return the modal in which a question is answered: the exact change, its digest, and what is to be said."""
    about = {**named(ask), "act": act}
    blocks = [section(_asking(ask, what(ask))), *_change(ask)]
    if ask.digest and act != "decline":
        blocks.append(context(f"You sign exactly this change: `{safe(ask.digest[:_DIGEST])}`"))
    if act == "decline":
        blocks.append(asked("reason", "Why?", text_input(lines=True), hint="It goes on the record, with your name."))
        return modal("Decline", blocks, callback=ANSWER, submit="Decline", about=about)
    if ask.kind == "task":
        hint = "It goes on the record, with your name."
        blocks.append(asked("said", "What was done?", text_input(lines=True), hint=hint))
        return modal("Done", blocks, callback=ANSWER, submit="It is done", about=about)
    if ask.options:
        blocks += _meanings(ask)
        short = all(len(meaning) <= _SHORT for meaning in ask.options.values())
        shown = [option(name, name, meaning if short else "") for name, meaning in ask.options.items()]
        blocks.append(asked("choice", "Your choice", radio(shown) if len(shown) <= MOST_SEEN else select(shown)))
        return modal("Decide", blocks, callback=ANSWER, submit="Decide", about=about)
    return modal("Approve", blocks, callback=ANSWER, submit="Approve", about=about)


def _meanings(ask: AskView) -> list[Block]:
    """Return what the options mean, where that is longer than Slack shows beside one."""
    if all(len(meaning) <= _SHORT for meaning in ask.options.values()):
        return []
    return [section("\n".join(f"*{safe(name)}*: {readable(told)}" for name, told in ask.options.items()))]


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
    reason = f": {facts['reason']}" if entry.event in {"declined", "expired"} and facts.get("reason") else ""
    who = "" if entry.event == "expired" else f" by {entry.actor}"
    return f"{entry.event}{f' ({choice})' if choice else ''}{who}, {entry.at.astimezone(UTC):%H:%M}Z{reason}"


def answered(title: str, told: str) -> tuple[str, list[Block]]:
    """Return what takes the place of a question once it is answered: no button is left."""
    mark = next((one for word, one in _BECAME.items() if told.startswith(word)), "✔️")
    return safe(f"{title}: {told}"), [section(f"{mark} *{safe(title)}*: {safe(told)}")]


def handover(giver: str, receiver: str, incident: str, slack_ids: dict[str, str]) -> tuple[str, list[Block]]:
    """Return the message that offers the lead to somebody."""
    named = mention(slack_ids[receiver]) if slack_ids.get(receiver) else safe(receiver)
    take = buttons(button("Take over", "take_over", {"incident": incident}, "primary"))
    return "The lead is offered", [
        section(f"*{safe(giver)}* offers the lead of this response to {named}. It passes when it is taken."),
        take,
    ]
