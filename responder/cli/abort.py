"""`responder abort`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command


@click.command("abort", cls=Command)
@click.argument("run")
@click.option("--reason", default="", help="Why; it stands on the timeline.")
def command(run: str, reason: str) -> Exit:
    """Let no further step of a run start.

    Steps that say `always()` or `failed()` still start; what is under way ends first.
    """
    call = current()
    with call.open_existing() as app:
        app.abort(run, reason)
        return answered(call, app, run, "", "aborted")
