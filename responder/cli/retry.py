"""`responder retry`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command


@click.command("retry", cls=Command)
@click.argument("run")
@click.argument("step")
def command(run: str, step: str) -> Exit:
    """Let a failed or declined step start over.

    Of a `for_each`, the items that failed start over, and of a sub-playbook the steps; what ended well stays. What was
    to take a step back is a step like any other: `retry RUN STEP~undo`.
    """
    call = current()
    with call.open_existing() as app:
        app.retry(run, step)
        return answered(call, app, run, step, "starts over")
