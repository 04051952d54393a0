"""The pinned message of an incident: how it stands, who is awaited, its clocks. Edited in place, never repeated."""

from collections.abc import Sequence
from datetime import datetime

from responder.deadlines import ClockView
from responder.progress import StepView
from responder.slack.blocks import (
    Block,
    button,
    buttons,
    context,
    cut,
    due,
    header,
    mention,
    readable,
    safe,
    section,
)
from responder.slack.questions import what
from responder.view import AskView, RunView
from responder.words import headline

_MOST_CLOCKS, _MOST_ASKS, _MOST_STEPS = 6, 8, 5
_NAME, _NOTE = 90, 200
_BAR = 10
_MARKS = {"overdue": "🔴", "late": "🔴", "running": "🟡", "pending": "⚪"}
_STATES = {"ended": "🏁", "halted": "🛑", "waiting": "✋", "aborting": "🛑", "running": "▶️"}
_CLOSED = "🔒"


def card(
    seen: Sequence[RunView], slack_ids: dict[str, str], lead: str, *, closed: bool, promised: datetime | None = None
) -> tuple[str, list[Block]]:
    """Return the text and the blocks of an incident's card; the first run is the response itself.

    `promised`: when somebody promised to tell more.
    """
    main = seen[0]
    stands = "closed" if closed else headline(main)
    mark = _CLOSED if closed else _STATES.get(main.state, "▶️")
    facts = "\n".join([*_facts(main, lead, slack_ids), *_promise(promised, main.now, closed=closed)])
    blocks = [header(main.title), section(f"{mark} *{safe(stands)}*\n{facts}")]
    awaited = [ask for one in seen for ask in one.awaiting] if not closed else []
    if awaited:
        told = [_awaited(ask, slack_ids) for ask in awaited[:_MOST_ASKS]]
        told += [f"and {len(awaited) - _MOST_ASKS} more"] if len(awaited) > _MOST_ASKS else []
        blocks.append(section("*Awaited*\n" + "\n".join(told)))
    asked = {ask.step.partition("[")[0] for ask in main.awaiting}
    moving = [line for step in main.steps if (line := _step(step, quiet=step.id in asked))]
    if moving and main.state != "ended":
        blocks.append(section("\n".join(moving[-_MOST_STEPS:])))
    clocks = _clocks(main)
    if clocks:
        blocks.append(section("\n".join(clocks)))
    about = {"run": main.run}
    blocks.append(buttons(button("Timeline", "timeline", about), button("Note…", "note", about), name="card"))
    blocks.append(context(f"`{safe(main.run)}` · mode {safe(main.mode)} · what is decided here is recorded"))
    return f"{safe(main.title)}: {safe(stands)}", blocks


def _facts(main: RunView, lead: str, slack_ids: dict[str, str]) -> list[str]:
    proven = f"dead since {due(main.contained_at, main.now)}" if main.contained_at else "not proven dead"
    named = mention(slack_ids[lead]) if slack_ids.get(lead) else safe(lead or "nobody yet")
    known = f", known since {due(main.aware_at, main.now)}" if main.aware_at else ""
    return [
        f"{'🟢' if main.contained_at else '🔴'} {safe(main.credential)}: *{proven}*",
        f"Lead: {named} · {safe(main.severity)}{known}",
    ]


def _promise(promised: datetime | None, now: datetime, *, closed: bool) -> list[str]:
    """Return when the next update is due, while there will be one."""
    if promised is None or closed:
        return []
    return [
        f"📣 next update by {due(promised, now)}" if promised > now else f"🔴 *an update was due {due(promised, now)}*"
    ]


def _clocks(main: RunView) -> list[str]:
    """Return the clocks: what is late or runs, the next one first; then what is met, in one line."""
    running = [one for one in main.clocks if one.state in _MARKS]
    far = max((one.due_at for one in running if one.due_at), default=main.now)
    running.sort(key=lambda one: (one.due_at is None, one.due_at or far))
    lines = [_clock(one, main.now) for one in running[:_MOST_CLOCKS]]
    lines += [f"and {len(running) - _MOST_CLOCKS} more"] if len(running) > _MOST_CLOCKS else []
    met = [safe(_words(one.name)) for one in main.clocks if one.state == "met"]
    return [*lines, *([f"🟢 in time: {', '.join(met)}"] if met else [])]


def _words(name: str) -> str:
    return name.replace("-", " ").replace("_", " ")


def _clock(clock: ClockView, now: datetime) -> str:
    named = f"{_MARKS[clock.state]} {safe(_words(clock.name))}"
    if clock.state == "late" and clock.met_at:
        return f"{named}: met late, {due(clock.met_at, now)}"
    if clock.due_at is None:
        return f"{named}: waits for {safe(' and '.join(clock.awaits))}"
    told = "*overdue*, was due" if clock.state == "overdue" else "by"
    return f"{named}: {told} {due(clock.due_at, now)} ({safe(clock.role)})"


def _awaited(ask: AskView, slack_ids: dict[str, str]) -> str:
    left = [one for one in ask.may_answer if one not in ask.agreed][:4]
    who = " or ".join(mention(slack_ids[one]) if slack_ids.get(one) else safe(one) for one in left)
    until = f", by {due(ask.due_at, ask.asked_at)}" if ask.due_at else ""
    return f"• {who or safe(ask.role)}: {readable(cut(what(ask), _NAME))}{until}"


def bar(done: int, total: int) -> str:
    """Return how far something has come, as a bar."""
    full = round(_BAR * done / total) if total else _BAR
    return "▓" * full + "░" * (_BAR - full)


def _step(step: StepView, *, quiet: bool) -> str:
    """Return how a step that moves or failed stands; nothing of one that is awaited, or is done."""
    named = readable(cut(step.title or step.id, _NAME))
    if step.status in {"failed", "unknown"}:
        return f"❗ {named}: *{step.status}*, {readable(cut(step.note, _NOTE))}"
    items = step.items
    if items is not None and items.total > 1 and step.status != "skipped" and items.ended not in {0, items.total}:
        failed = f", *{items.failed} failed*" if items.failed else ""
        return f"{named}\n{bar(items.ended, items.total)} {items.ended} of {items.total}{failed}"
    return f"▶️ {named}" if step.status == "running" and not quiet else ""
