"""`responder plan`."""

import click

from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.given import check, finding_options, pairs, read_report
from responder.cli.group import COMMANDS, Command
from responder.cli.planning import plan_lines


@click.command("plan", cls=Command, short_help=COMMANDS["plan"])
@click.argument("playbook", required=False)
@finding_options
def command(playbook: str | None, finding: str | None, secret_from: str | None, inputs: tuple[str, ...]) -> Exit:
    """Show what a run would do; write nothing.

    Reads the live systems: every step with its target, before, after, effect and approval, what it breaks, and the
    deadlines. PLAYBOOK may be left out where the finding fits exactly one.
    """
    call = current()
    given = pairs(inputs, "-i")
    report = read_report(finding, secret_from)
    check(call, playbook, report)
    with call.open_for_reading() as app:
        found = report.finding(app.means.sealer)
        plan = app.plan(app.playbook_for(playbook, found), found, given)
        if call.json:
            call.document(plan.document())
        else:
            call.out("\n".join(plan_lines(plan)))
    return Exit.REFUSED if plan.problems else Exit.OK
