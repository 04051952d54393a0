"""`responder note`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.errors import RequestError


@click.command("note", cls=Command)
@click.argument("run")
@click.argument("text", nargs=-1, required=True)
def command(run: str, text: tuple[str, ...]) -> Exit:
    """Write a sentence onto the timeline."""
    call = current()
    words = " ".join(text).strip()
    if not words:
        raise RequestError("The note is empty", where="TEXT", remedy="say what happened")
    with call.open_existing() as app:
        app.note(run, words)
        return answered(call, app, run, "", "noted")
