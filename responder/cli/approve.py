"""`responder approve`."""

import click

from responder.cli.answer import answered, change_lines
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.errors import RequestError


@click.command("approve", cls=Command)
@click.argument("run")
@click.argument("step")
@click.option("--digest", default="", help="The digest that you saw, or its beginning: another change is refused.")
def command(run: str, step: str, digest: str) -> Exit:
    """Agree to what a step would change.

    The agreement is bound to exactly the change that is shown: a change that becomes another one asks again.
    Whoever asked for the run, and every holder of the credential, cannot agree.
    """
    call = current()
    with call.open_existing() as app:
        row = app.row(run)
        state = app.state(row.run)
        question = state.question(step)
        asked = question.digest if question else ""
        if digest and not asked.startswith(digest):
            raise RequestError(
                "The change is another now than the one that you saw",
                where=step,
                remedy=f"look again: `{call.program} status {row.run}`",
            )
        for line in change_lines(state, step) if asked else ():
            call.say(line)
        app.approve(row.run, step, asked)
        return answered(call, app, row.run, step, "agreed")
