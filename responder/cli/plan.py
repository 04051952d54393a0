"""`responder plan`."""

from pathlib import Path

import click

from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.given import check, finding_options, pairs, read_report
from responder.cli.group import Command
from responder.plan import Plan
from responder.planning import plan_lines


@click.command("plan", cls=Command)
@click.argument("playbook", required=False)
@finding_options
@click.option("--drill", is_flag=True, help="Plan against a fresh loopback world.")
def command(
    playbook: str | None,
    finding: str | None,
    secret_from: str | None,
    inputs: tuple[str, ...],
    *,
    drill: bool,
) -> Exit:
    """Show what a run would do; write nothing.

    Reads the live systems: every step with its target, before, after, effect and approval, what it breaks,
    and the deadlines. PLAYBOOK may be left out where the finding fits exactly one.
    """
    call = current()
    if drill:
        return _show(call, _in_a_world(playbook))
    given = pairs(inputs, "-i")
    report = read_report(finding, secret_from)
    named = check(call, playbook, report)
    with call.open_for_reading(in_memory=True) as app:
        found = report.finding(app.means.sealer)
        return _show(call, app.plan(named or app.playbook_for(found), found, given))


def _show(call: Call, plan: Plan) -> Exit:
    if call.json:
        call.document(plan.document())
    else:
        call.out("\n".join(plan_lines(plan)))
    return Exit.REFUSED if plan.problems else Exit.OK


def _in_a_world(playbook: str | None) -> Plan:
    """Plan in a loopback world that is made for it and gone afterwards."""
    import tempfile  # noqa: PLC0415 - only where it is needed

    from responder.cli.drill import DEFAULT  # noqa: PLC0415 - only where it is needed
    from responder.drill.drill import Options, plan  # noqa: PLC0415 - only where it is needed

    with tempfile.TemporaryDirectory(prefix="responder-plan-") as folder:
        return plan(Options(playbook or DEFAULT, Path(folder)))
