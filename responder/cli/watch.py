"""`responder watch`."""

import click

from responder.cli import drive
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import COMMANDS, Command


@click.command("watch", cls=Command, short_help=COMMANDS["watch"])
@click.argument("run")
def command(run: str) -> Exit:
    """Follow a run until it ends, from any terminal.

    Shows what every process and person writes. It only looks: leaving it changes nothing.
    """
    call = current()
    with call.open_existing() as app:
        return drive.watch(call, app, app.row(run).run)
