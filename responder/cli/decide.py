"""`responder decide`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command


@click.command("decide", cls=Command)
@click.argument("run")
@click.argument("step")
@click.argument("option")
def command(run: str, step: str, option: str) -> Exit:
    """Choose an option that a step offers.

    Also says what became of an outcome that nobody could read back: OPTION is then `happened` or
    `not-happened`.
    """
    call = current()
    with call.open_existing() as app:
        app.decide(run, step, option)
        return answered(call, app, run, step, option)
