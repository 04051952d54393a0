"""`responder approve`."""

import click

from responder.breaking import break_glass
from responder.cli.alarm import tell_everybody
from responder.cli.answer import answered, change_lines
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.errors import RequestError


@click.command("approve", cls=Command)
@click.argument("run")
@click.argument("step")
@click.option("--digest", default="", help="The digest that you saw, or its beginning: another change is refused.")
@click.option("--break-glass", "glass", metavar="REASON", help="Approve containment alone; everybody is told at once.")
def command(run: str, step: str, digest: str, glass: str | None) -> Exit:
    """Agree to what a step would change.

    The agreement is bound to exactly the change that is shown: a change that becomes another one asks again.
    Whoever asked for the run, and every holder of the credential, cannot agree.

    With --break-glass, somebody on the list `break_glass` of responder.yaml agrees alone, be it to a run of their own:
    only to ending the run's own credential. It is recorded with its reason, everybody with a role is told at once, and
    it is reviewed.
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
        if glass is None:
            app.approve(row.run, step, asked)
            return answered(call, app, row.run, step, "agreed")
        told = break_glass(app, row.run, step, glass, asked)
        shown = answered(call, app, row.run, step, "agreed alone")
        tell_everybody(call, app, told)
        return shown
