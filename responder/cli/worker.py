"""`responder worker`."""

import click

from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.errors import RequestError


@click.command("worker", cls=Command)
@click.option(
    "--concurrency",
    default=8,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many runs are advanced at once.",
)
def command(*, concurrency: int) -> Exit:
    """Advance the runs of a shared record, beside other workers.

    Start it on any number of hosts, with the same record, key and configuration. SIGTERM lets the steps under way
    end, and hands the runs on.
    """
    call = current()
    with call.open() as app:
        if app.attendance.jobs is None:
            raise RequestError(
                "A worker needs a record that many hosts share",
                where=str(call.location()),
                remedy="--store postgresql://HOST/DATABASE",
            )
        from responder.fleet.worker import Worker  # noqa: PLC0415 - an extra, and slow to import

        app.check_secrets()
        worker = Worker(app.means, app.dispatcher, app.attendance.jobs, concurrency=concurrency, tell=call.say)
        call.say(f"Worker {worker.name} advances the runs of {call.location()}, {concurrency} at once.")
        turns, interrupted = worker.work()
        if call.json:
            call.document({"worker": worker.name, "turns": turns.taken, "handed_on": turns.handed_on})
        return Exit.INTERRUPTED if interrupted else Exit.OK
