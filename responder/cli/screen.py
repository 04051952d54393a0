"""What a run looks like in a terminal: lines of styled text, cut to the width and fitted to the height."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.text import Text

from responder.cli.call import printable
from responder.deadlines import ClockView
from responder.progress import StepView, span
from responder.state import NOTICE
from responder.view import AskView, ChildView, RunView
from responder.words import clock_words, headline, owner

_MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "done": ("✓", "green"),
    "unchanged": ("=", "green"),
    "skipped": ("-", "dim"),
    "declined": ("✗", "red"),
    "failed": ("✗", "red bold"),
    "unknown": ("?", "yellow bold"),
}
_STATES = {
    "running": "cyan",
    "waiting": "yellow bold",
    "halted": "red bold",
    "aborting": "red",
    "ended": "bold",
}
_CLOCKS = {
    "overdue": "red bold",
    "late": "red",
    "met": "green",
    "running": "",
    "pending": "dim",
    "off": "dim",
}
_TYPED = "bold cyan"
"""The style of what is to be typed, which is never cut."""
_BAR = 20
_ENTRIES = 5
_SOON = 600
"""A clock with less left than this many seconds stands out."""


def screen(
    seen: RunView, last: Sequence[str] = (), *, width: int | None = None, height: int | None = None
) -> list[Text]:
    """Return a run as lines; with less height, first the last entries give way, then phases that are over."""
    head = [*header(seen), *questions(seen, width), *clocks(seen.clocks, seen.now), *children(seen.children)]
    entries = [Text(line, style="dim") for line in last[-_ENTRIES:]]
    full, folded = steps(seen.steps), steps(seen.steps, fold=True)
    tail = [Text(), *entries] if entries else []
    for body, foot in ((full, tail), (full, []), (folded, tail), (folded, []), (_under_way(seen.steps), [])):
        lines = [*head, *body, *foot]
        if height is None or len(lines) <= height:
            break
    for line in lines:
        line.plain = printable(line.plain)
    return [_cut(line, width) for line in lines]


def header(seen: RunView) -> list[Text]:
    """Return what the run is, and how it stands."""
    title = Text.assemble((seen.title, "bold"))
    state = Text.assemble((headline(seen), _STATES.get(seen.state, "")), f"  {seen.credential}")
    if seen.aware_at is not None and seen.purpose != NOTICE:
        until = seen.contained_at or seen.now
        state.append(f"  {span(until - seen.aware_at)} {'to contain' if seen.contained_at else 'since we know'}")
    suspect = f"  suspect: {', '.join(seen.suspect)}" if seen.suspect else ""
    ids = Text(f"{seen.incident}  {seen.run}  {seen.severity}  mode {seen.mode}{suspect}", style="dim")
    return [title, state, ids]


def questions(seen: RunView, width: int | None = None) -> list[Text]:
    """Return what people are asked, each with the exact words that answer it."""
    lines: list[Text] = []
    for ask in seen.awaiting:
        typed = [line for command in ask.commands for line in _command(command, width)]
        lines += [Text(), *_question(ask, seen.run), *typed]
    return lines


_ASKS = {
    "approval": "approve",
    "decide": "decide",
    "task": "do",
    "unknown": "say what happened at",
    "gate": "say what next at",
}


def _question(ask: AskView, run: str) -> list[Text]:
    first = Text(f"▲ {ask.role or 'somebody'}: {_ASKS[ask.kind]} {ask.step}", "yellow bold")
    if ask.run != run:
        first.append(f" of {ask.run}")
    if ask.left_seconds is not None:
        late = ask.left_seconds < 0
        first.append(
            f"  {'overdue by' if late else 'within'} {span(timedelta(seconds=ask.left_seconds))}",
            "red bold" if late else "",
        )
        first.append(f", then {ask.on_timeout}" if ask.on_timeout else "")
    lines = [first]
    count = f"{ask.items} items, the first: " if ask.items else ""
    if ask.target:
        lines.append(Text(f"    {count}{ask.target}: {ask.before or '?'} -> {ask.after}"))
    if ask.breaks:
        lines.append(Text(f"    breaks: {ask.breaks}", "yellow"))
    if ask.text:
        lines.append(Text(f"    {' '.join(ask.text.split())}"))
    lines += [Text(f"    {option}: {meaning}") for option, meaning in ask.options.items()]
    who = ", ".join(ask.may_answer) or "nobody has this role; give it to somebody"
    agreed = f"; agreed: {', '.join(ask.agreed)} ({len(ask.agreed)} of {ask.quorum})" if ask.agreed else ""
    lines.append(Text(f"    may answer: {who}{agreed}", "dim"))
    return lines


def _command(command: str, width: int | None) -> list[Text]:
    """Return a command to type; it is never cut: what does not fit goes on below, after a backslash."""
    lines: list[str] = []
    line = "    $"
    for word in _words(command):
        if width is not None and len(line) + len(word) + 3 > width and line.strip("$ "):
            lines.append(f"{line} \\")
            line = "       "
        line = f"{line} {word}"
    return [Text(one, _TYPED) for one in (*lines, line)]


def _words(command: str) -> list[str]:
    """Return the words of a command, an option together with its value."""
    return re.findall(r"--[a-z-]+ \S+|'[^']*'|\S+", command)


def clocks(shown: Sequence[ClockView], now: datetime) -> list[Text]:
    """Return the deadlines that count, the most urgent first."""
    order = {"overdue": 0, "running": 1, "late": 2, "pending": 3, "met": 4}
    counting = sorted(
        (clock for clock in shown if clock.state != "off"),
        key=lambda clock: (order[clock.state], clock.due_at is None, clock.due_at or _NEVER),
    )
    lines = [_clock(clock, now) for clock in counting]
    return [Text(), *lines] if lines else []


_NEVER = datetime.max.replace(tzinfo=UTC)


def _clock(clock: ClockView, now: datetime) -> Text:
    style = _CLOCKS[clock.state]
    if clock.state == "running" and clock.left_seconds is not None and clock.left_seconds < _SOON:
        style = "yellow"
    words = f"{clock.name}: {clock_words(clock, now)}"
    return Text.assemble(("◷ ", style), (words, style), (f"  {owner(clock)}", "dim"))


def steps(shown: Sequence[StepView], *, fold: bool = False) -> list[Text]:
    """Return the steps by phase; with `fold`, a phase in which nothing moves is one line."""
    lines: list[Text] = [Text()]
    wide = max((len(step.id) for step in shown), default=0)
    for phase in dict.fromkeys(step.phase for step in shown):
        own = [step for step in shown if step.phase == phase]
        if fold and not any(_moves(step) for step in own):
            lines.append(Text.assemble((phase, "bold"), (f"  {_counts(own)}", "dim")))
            continue
        lines.append(Text(phase, "bold"))
        lines += [_step(step, wide) for step in own]
    return lines


def _under_way(shown: Sequence[StepView]) -> list[Text]:
    """Return only the steps that move or failed, and the count of the rest."""
    wide = max((len(step.id) for step in shown), default=0)
    moving = [_step(step, wide) for step in shown if _moves(step)]
    return [Text(_counts(shown), "dim"), *moving]


def _moves(step: StepView) -> bool:
    return step.status in {"running", "failed", "declined", "unknown"}


def _counts(shown: Sequence[StepView]) -> str:
    statuses = [step.status for step in shown]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))


def _step(step: StepView, wide: int) -> Text:
    mark, style = _MARKS.get(step.status, ("·", ""))
    line = Text.assemble("  ", (mark, style), " ", (step.id.ljust(wide), style if step.status == "waiting" else ""))
    if step.items is not None:
        line.append("  ").append_text(_bar(step))
    elif step.status in {"failed", "declined", "skipped", "unknown"}:
        line.append(f"  {step.status}", style)
    if step.note:
        line.append(f"  {step.note}", "red" if step.status == "failed" else "dim")
    return line


def _bar(step: StepView) -> Text:
    items = step.items
    if items is None:
        return Text()
    full = _BAR * items.ended // max(1, items.total)
    bar = Text.assemble(("━" * full, "green"), ("─" * (_BAR - full), "dim"), f" {items.ended}/{items.total}")
    if items.failed:
        bar.append(f" {items.failed} failed", "red bold")
    return bar


def children(shown: Sequence[ChildView]) -> list[Text]:
    """Return the runs that were opened for other leaked credentials."""
    lines = [_child(child) for child in shown]
    return [Text(), *lines] if lines else []


def _child(child: ChildView) -> Text:
    state = ("contained", "green") if child.contained else (child.state, "yellow")
    return Text.assemble(("↳ ", "bold"), f"{child.credential}: ", state, (f"  {child.run}", "dim"))


def _cut(line: Text, width: int | None) -> Text:
    if width is None or line.style == _TYPED:
        return line
    line.truncate(width, overflow="ellipsis")
    return line
