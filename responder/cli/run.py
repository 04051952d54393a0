"""`responder run`."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from responder.app import App
from responder.cli.byhand import else_by_hand
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.given import Report, check, finding_options, pairs, read_report
from responder.cli.going import go_on
from responder.cli.group import Command
from responder.errors import PlanRefused, RequestError
from responder.planning import plan_lines
from responder.playbook import Playbook


@click.command("run", cls=Command)
@click.argument("playbook", required=False)
@finding_options
@click.option("--incident", default="", metavar="ID", help="Add the run to an incident that is open already.")
@click.option("--detach", is_flag=True, help="Hand the run to a worker or a background process, and return.")
@click.option("--break-glass", "glass", metavar="REASON", help="Let me approve containment alone; everybody is told.")
@click.option("--yes", is_flag=True, help="Begin without asking; approvals and guards stay.")
def command(  # noqa: PLR0917 - click hands over what was typed
    playbook: str | None,
    finding: str | None,
    secret_from: str | None,
    inputs: tuple[str, ...],
    incident: str,
    glass: str | None,
    *,
    detach: bool,
    yes: bool,
) -> Exit:
    """Respond to a leaked credential with a playbook.

    Shows the plan, asks, and runs it, with a live view. PLAYBOOK may be left out where the finding fits
    exactly one. The credential itself is given at the prompt, in the finding, or by --secret-from; never
    as a word of the command.
    """
    call = current()
    given = pairs(inputs, "-i")
    if not yes and not (sys.stdin.isatty() and finding != "-"):
        raise RequestError(
            "Nobody can be asked here whether to begin",
            where="standard input is no terminal",
            remedy="add --yes; approvals and guards stay",
        )
    report = read_report(finding, secret_from)
    named = check(call, playbook, report)
    with ExitStack() as stack:
        with else_by_hand(call, playbook, report, given):
            app = stack.enter_context(call.open_for_reading(in_memory=True))
            book = _agreed(call, app, named, report, given, ask=not yes)
            incident = app.incident(incident) if incident else ""
        if book is None:
            call.say("Nothing was begun.")
            return Exit.NOT_CONTAINED
        with else_by_hand(call, playbook, report, given):
            if not call.holds_record(app):
                stack.close()  # what stood in for the record is gone before there is one
                app = stack.enter_context(call.open())
            if glass is not None:
                from responder.breaking import check_beforehand  # noqa: PLC0415 - only where it is needed

                check_beforehand(app, glass, report.finding(app.means.sealer))
            begun = app.begin(book, report.finding(app.means.sealer), given, incident)
        with _telling(call, app, begun.run, glass):
            return go_on(call, app, begun, detach=detach)


@contextmanager
def _telling(call: Call, app: App, run: str, glass: str | None) -> Iterator[None]:
    """Break the glass where that was asked for, and tell everybody beside what is done meanwhile."""
    if glass is None:
        yield
        return
    from responder.breaking import break_glass  # noqa: PLC0415 - only where it is needed
    from responder.cli.alarm import begin_telling, finish  # noqa: PLC0415

    telling = begin_telling(call, app, break_glass(app, run, "", glass))
    try:
        yield
    finally:
        finish(telling)


def _agreed(
    call: Call, app: App, named: Playbook | None, report: Report, given: dict[str, str], *, ask: bool
) -> Playbook | None:
    """Show the plan; return the playbook, or None where the person does not want to begin.

    A credential that a run holds already is joined without a plan.
    """
    found = report.finding(app.means.sealer)
    book = named or app.playbook_for(found)
    if app.means.store.holder(app.assess(found).credential.identifiers) is not None:
        return book
    plan = app.plan(book, found, given)
    call.say("\n".join(plan_lines(plan)))
    if plan.problems:
        raise PlanRefused(problems=plan.problems)
    return book if not ask or click.confirm("\nRun this?", err=True) else None
