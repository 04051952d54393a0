"""`responder decline`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command


@click.command("decline", cls=Command)
@click.argument("run")
@click.argument("step")
@click.option("--reason", default="", help="Why; it stands on the timeline.")
def command(run: str, step: str, reason: str) -> Exit:
    """Refuse what a step asks.

    The step ends as declined, and what depends on it does not start.
    """
    call = current()
    with call.open_existing() as app:
        app.decline(run, step, reason)
        return answered(call, app, run, step, "declined")
