"""The lock: one run at a time acts on a credential."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.guards.case import Case


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse an action on a credential whose lock this run does not hold."""
    if case.on_credential and not case.locked():
        yield Problem(
            f"this run does not hold the lock on {case.state.credential.label or 'its credential'}",
            case.place,
            "`responder status` shows the run that does; or begin one with `responder run`, which takes the lock",
        )
