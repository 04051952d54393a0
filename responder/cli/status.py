"""`responder status`, and what `responder` alone shows."""

import shutil
import sys
from collections.abc import Iterable

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.follow import Follower
from responder.cli.group import Command
from responder.store import RunRow
from responder.view import RunView
from responder.words import clock_words, headline, owner


@click.command("status", cls=Command)
@click.argument("run", required=False)
@click.option("--all", "everything", is_flag=True, help="Show the runs that have ended, too.")
def command(run: str | None, *, everything: bool) -> Exit:
    """Show the open runs, or one.

    Without RUN, every open run in short; with it, that run in full, ended or not.
    """
    call = current()
    if not call.recorded() and run is None:
        return _show(call, [], detail=False)
    with call.open_existing() as app:
        rows: Iterable[RunRow] = app.runs() if run is None else [app.row(run)]
        shown = [row for row in rows if run is not None or everything or row.state != "ended"]
        seen = [_seen(call, app, row, alone=run is None) for row in shown]
        return _show(call, seen, detail=run is not None)


def first_screen(call: Call) -> Exit:
    """Show the open incidents with their clocks; with none, how to begin."""
    if not call.recorded():
        return _show(call, [], detail=False)
    with call.open_existing() as app:
        return _show(
            call,
            [_seen(call, app, row, alone=True) for row in app.runs() if row.state != "ended"],
            detail=False,
        )


def _seen(call: Call, app: App, row: RunRow, *, alone: bool) -> RunView:
    follower = Follower(app, row.run, call.program)
    follower.news()
    return follower.view(alone=alone)


def _show(call: Call, shown: list[RunView], *, detail: bool) -> Exit:
    if call.json:
        call.document({"incidents": [one.document() for one in shown]})
    elif not shown:
        call.out("\n".join(_nothing(call.program)))
    elif detail:
        _print_screen(call, shown[0])
    else:
        call.out("\n\n".join("\n".join(_summary(one)) for one in shown))
    return Exit.OK


def _nothing(program: str) -> list[str]:
    return [
        "No incident is open. To begin:",
        f"  {program} init     writes a responder.yaml and an example playbook",
        f"  {program} drill    practises a leak in a loopback world; nothing real is touched",
        f"  {program} run      responds to a leaked credential, with a plan first",
    ]


def _summary(seen: RunView) -> list[str]:
    """Return one run in a few lines: how it stands, its clocks, and what it waits for."""
    lines = [
        f"{seen.incident}  {seen.severity}  {headline(seen)}",
        f"  {seen.title}: {seen.credential}",
        f"  {seen.run}",
    ]
    lines += [
        f"  clock {clock.name}: {clock_words(clock, seen.now)}, {owner(clock)}"
        for clock in seen.clocks
        if clock.state in {"running", "overdue", "pending"}
    ]
    for ask in seen.awaiting:
        lines.append(f"  {ask.role or 'somebody'}: {ask.kind} {ask.step}")
        lines += [f"    $ {command_line}" for command_line in ask.commands]
    return lines


def _print_screen(call: Call, seen: RunView) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where it is needed
    from rich.text import Text  # noqa: PLC0415 - only where it is needed

    from responder.cli.screen import screen  # noqa: PLC0415 - only where it is needed

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    lines = screen(seen, width=width)
    if terminal:
        text = Text("\n").join(lines)
        Console(highlight=False).print(text if call.scrub(text.plain) == text.plain else call.scrub(text.plain))
    else:
        call.out("\n".join(line.plain.rstrip() for line in lines))
