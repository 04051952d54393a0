"""Telling everybody that the glass was broken, from the process that broke it; containment never waits for it."""

import threading
from contextlib import suppress

from responder.app import App
from responder.breaking import Told
from responder.cli.call import Call
from responder.errors import ResponderError

_PATIENCE_SECONDS = 60.0
"""How long an ending command waits for the messages that are under way."""


def begin_telling(call: Call, app: App, told: Told) -> threading.Thread | None:
    """Begin to tell everybody, in a thread of its own; say so where nobody can be told."""
    if told.problem is not None:
        call.say(f"{told.problem.message}: {call.typable(told.problem.remedy)}")
        return None
    call.say(f"{told.run} tells everybody with a role in this response, and everybody on the list")
    thread = threading.Thread(target=_drive, args=(app, told.run), name=told.run, daemon=True)
    thread.start()
    return thread


def tell_everybody(call: Call, app: App, told: Told) -> None:
    """Tell everybody, and wait a while for it; what could not be sent goes on with `resume`."""
    finish(begin_telling(call, app, told))


def finish(telling: threading.Thread | None) -> None:
    """Wait a while for the messages that are under way."""
    if telling is not None:
        telling.join(_PATIENCE_SECONDS)


def _drive(app: App, run: str) -> None:
    with suppress(ResponderError):  # `status` shows the run, and what became of it
        app.drive(run, "the glass was broken")
