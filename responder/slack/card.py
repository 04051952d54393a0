"""The pinned message of an incident: how it stands, its clocks, who is awaited. Edited in place, never repeated."""

from collections.abc import Sequence

from responder.deadlines import ClockView
from responder.progress import StepView
from responder.slack.blocks import (
    Block,
    button,
    buttons,
    context,
    divider,
    fields,
    header,
    mention,
    moment,
    safe,
    section,
)
from responder.view import AskView, RunView
from responder.words import headline

_MOST_CLOCKS, _MOST_ASKS = 8, 10
_BAR = 10
_MARKS = {"overdue": "🔴", "late": "🔴", "running": "🟡", "met": "🟢", "pending": "⚪"}
_STATES = {"ended": "⬛", "halted": "🛑", "waiting": "✋", "aborting": "🛑", "running": "▶️"}


def card(seen: Sequence[RunView], slack_ids: dict[str, str], lead: str, *, closed: bool) -> tuple[str, list[Block]]:
    """Return the text and the blocks of an incident's card; the first run is the response itself."""
    main = seen[0]
    says = f"{main.title}: {'closed' if closed else headline(main)}"
    blocks = [
        header(main.title),
        section(f"{_STATES.get(main.state, '▶️')} *{safe('closed' if closed else headline(main))}*"),
        fields(_facts(main, lead, slack_ids)),
    ]
    clocks = [one for one in main.clocks if one.state in _MARKS][:_MOST_CLOCKS]
    if clocks:
        blocks.append(section("\n".join(map(_clock, clocks))))
    awaited = [ask for one in seen for ask in one.awaiting][:_MOST_ASKS]
    if awaited and not closed:
        blocks.append(section("*Awaited*\n" + "\n".join(_awaited(ask, slack_ids) for ask in awaited)))
    moving = [line for step in main.steps if (line := _step(step))]
    if moving:
        blocks.append(section("\n".join(moving[-6:])))
    blocks += [
        divider(),
        buttons(
            button("Timeline", "timeline", {"run": main.run}), button("Note…", "note", {"run": main.run}), name="card"
        ),
    ]
    blocks.append(
        context(
            f"{safe(main.incident)} · {safe(main.run)} · mode {safe(main.mode)}", "what is decided here is recorded"
        )
    )
    return says, blocks


def _facts(main: RunView, lead: str, slack_ids: dict[str, str]) -> list[tuple[str, str]]:
    proven = f"dead since {moment(main.contained_at)}" if main.contained_at else "not proven dead"
    named = mention(slack_ids[lead]) if slack_ids.get(lead) else safe(lead or "nobody yet")
    return [
        ("Credential", f"{safe(main.credential)}\n{proven}"),
        ("Severity", safe(main.severity)),
        ("Lead", named),
        ("We know since", moment(main.aware_at) if main.aware_at else "—"),
    ]


def _clock(clock: ClockView) -> str:
    named = f"{_MARKS[clock.state]} {safe(clock.name)}"
    if clock.state in {"met", "late"} and clock.met_at:
        return f"{named}: {'met' if clock.state == 'met' else 'met late'} {moment(clock.met_at)}"
    if clock.due_at is None:
        return f"{named}: waits for {safe(' and '.join(clock.awaits))}"
    due = "OVERDUE, was due" if clock.state == "overdue" else "due"
    return f"{named}: {due} {moment(clock.due_at)}, {safe(clock.role)}"


def _awaited(ask: AskView, slack_ids: dict[str, str]) -> str:
    who = " or ".join(mention(slack_ids[one]) if slack_ids.get(one) else safe(one) for one in ask.may_answer[:4])
    due = f", by {moment(ask.due_at)}" if ask.due_at else ""
    return f"• {safe(ask.step)}: {who or safe(ask.role)}{due}"


def bar(done: int, total: int) -> str:
    """Return how far something has come, as a bar."""
    full = round(_BAR * done / total) if total else _BAR
    return "▓" * full + "░" * (_BAR - full)


def _step(step: StepView) -> str:
    if step.items is not None and step.status not in {"waiting", "skipped"}:
        failed = f", {step.items.failed} failed" if step.items.failed else ""
        done = f"{step.items.ended} of {step.items.total}{failed}"
        return f"{bar(step.items.ended, step.items.total)} {safe(step.title or step.id)}: {done}"
    if step.status == "running":
        return f"▶️ {safe(step.title or step.id)}" + (f": {safe(step.note)}" if step.note else "")
    if step.status in {"failed", "unknown"}:
        return f"❗ {safe(step.title or step.id)}: {step.status}, {safe(step.note)}"
    return ""
