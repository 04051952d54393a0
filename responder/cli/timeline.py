"""`responder timeline`."""

import json
from pathlib import Path

import click

from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.cli.writing import write_text
from responder.clock import show_time
from responder.entry import Entry
from responder.lines import sentence
from responder.rendering import page_of


@click.command("timeline", cls=Command)
@click.argument("incident")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one self-contained page.",
)
@click.option("--every", is_flag=True, help="List the entries that only the runner reads, too.")
def command(incident: str, html: Path | None, *, every: bool) -> Exit:
    """Show the record of an incident.

    INCIDENT is its id, or that of a run. With --json, one entry a line, as it was written.
    """
    call = current()
    with call.open_existing() as app:
        entries = app.timeline(app.incident(incident))
        if html is not None:
            write_text(html, call.scrub(page_of(app, entries)))
            call.say(f"written: {html}")
        if call.json:
            for entry in entries:
                call.out(json.dumps(entry.document(), ensure_ascii=False, default=str))
        elif html is None:
            for entry in entries:
                line = _line(entry)
                if line or every:
                    call.out(f"{entry.seq:>5}  {show_time(entry.at)}  {line or _bare(entry)}")
    return Exit.OK


def _line(entry: Entry) -> str:
    return "(withheld)" if entry.withheld else sentence(entry)


def _bare(entry: Entry) -> str:
    return f"{entry.step}: {entry.event}" if entry.step else entry.event
