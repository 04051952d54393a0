"""`responder close`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.given import pairs
from responder.cli.group import Command
from responder.closing import close


@click.command("close", cls=Command)
@click.argument("incident")
@click.option("--leave", "left", multiple=True, metavar="DEADLINE=REASON", help="Leave a deadline; may stand often.")
@click.option(
    "--uncontained", default="", metavar="REASON", help="Close it although it is not contained; two others sign."
)
def command(incident: str, left: tuple[str, ...], uncontained: str) -> Exit:
    """Close an incident, and shred its leaked values.

    INCIDENT is its id, or that of a run. A commander closes it. Refused while a run is open, a credential does not
    count as contained, an outcome is unknown, a deadline is open, or the postmortem was not rendered. Afterwards only
    notes, prose and corrections are taken; a new finding reopens it.
    """
    call = current()
    with call.open_existing() as app:
        name = app.incident(incident)
        closed = close(app, name, pairs(left, "--leave"), uncontained)
        run = app.runs(name)[0].run
        return answered(call, app, run, "", "closed" if closed else "asked two others to agree: incident.close")
