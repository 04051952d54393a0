"""Telling everybody that the glass was broken, from the process that broke it; containment never waits for it."""

import threading
from contextlib import suppress

from responder.app import App
from responder.breaking import tell
from responder.cli.call import Call
from responder.errors import InputError, ResponderError

_PATIENCE_SECONDS = 60.0
"""How long an ending command waits for the messages that are under way."""


def begin_telling(call: Call, app: App, run: str, step: str, reason: str) -> threading.Thread | None:
    """Begin to tell everybody, in a thread of its own; say so where nobody can be told."""
    try:
        told = tell(app, run, step, reason)
    except InputError as error:
        call.say(f"{error.message}: {call.typable(error.remedy)}")
        return None
    call.say(f"{told} tells everybody with a role in this response, and everybody on the list")
    thread = threading.Thread(target=_drive, args=(app, told), name=told, daemon=True)
    thread.start()
    return thread


def tell_everybody(call: Call, app: App, run: str, step: str, reason: str) -> None:
    """Tell everybody, and wait a while for it; what could not be sent goes on with `resume`."""
    finish(begin_telling(call, app, run, step, reason))


def finish(telling: threading.Thread | None) -> None:
    """Wait a while for the messages that are under way."""
    if telling is not None:
        telling.join(_PATIENCE_SECONDS)


def _drive(app: App, run: str) -> None:
    with suppress(ResponderError):  # `status` shows the run, and what became of it
        app.drive(run, "the glass was broken")
