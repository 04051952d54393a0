"""`responder watch`."""

import click

from responder.cli import drive
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command


@click.command("watch", cls=Command)
@click.argument("run")
def command(run: str) -> Exit:
    """Follow a run until it ends.

    From any terminal: shows what every process and person writes. It only looks: leaving it changes nothing.
    """
    call = current()
    with call.open_existing() as app:
        return drive.watch(call, app, app.row(run).run)
