"""`responder resume`."""

import click

from responder.cli.call import current
from responder.cli.drive import accompany, conclude, drive, hosts
from responder.cli.exits import Exit
from responder.cli.follow import Follower
from responder.cli.group import Command


@click.command("resume", cls=Command)
@click.argument("run")
def command(run: str) -> Exit:
    """Take a run up again after a crash or a stop.

    What was intended and has no outcome is read back first; nothing is repeated blindly.
    """
    call = current()
    with call.open_existing() as app:
        name = app.row(run).run
        if app.state(name).state == "ended":
            call.say("The run has ended already.")
            return conclude(call, Follower(app, name, call.program))
        if app.hand_over(name):
            call.say(f"Workers go on with it, at {hosts(app.attendance.workers())}; this terminal only watches.")
            return accompany(call, app, name)
        return drive(call, app, name, lambda: app.resume(name))
