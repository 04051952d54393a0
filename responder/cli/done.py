"""`responder done`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command


@click.command("done", cls=Command)
@click.argument("run")
@click.argument("step")
@click.argument("words", nargs=-1)
def command(run: str, step: str, words: tuple[str, ...]) -> Exit:
    """Say that a task is done.

    WORDS, if any, say what was done, for the timeline.
    """
    call = current()
    with call.open_existing() as app:
        app.done(run, step, " ".join(words))
        return answered(call, app, run, step, "done")
