"""`responder resume`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.drive import accompany, conclude, drive, hosts
from responder.cli.exits import Exit
from responder.cli.follow import Follower
from responder.cli.group import Command
from responder.errors import RecordError


@click.command("resume", cls=Command)
@click.argument("run")
def command(run: str) -> Exit:
    """Take a run up again after a crash or a stop.

    What was intended and has no outcome is read back first; nothing is repeated blindly.
    """
    call = current()
    with _opened(call) as app:
        name = app.row(run).run
        if app.state(name).state == "ended":
            call.say("The run has ended already.")
            return conclude(call, Follower(app, name, call.program))
        if app.hand_over(name):
            call.say(f"Workers go on with it, at {hosts(app.attendance.workers())}; this terminal only watches.")
            return accompany(call, app, name)
        return drive(call, app, name, lambda: app.resume(name))


@contextmanager
def _opened(call: Call) -> Iterator[App]:
    """Open the installation; where its record cannot be read, say what tells the steps that a person can take."""
    with ExitStack() as open_:
        try:
            app = open_.enter_context(call.open_existing())
        except RecordError:
            call.say("The record cannot be read, so nothing more is done. Contain it by hand; this prints the steps:")
            call.say(f"    $ {call.program} run PLAYBOOK --finding FINDING.json")
            raise
        yield app
