"""Suspects: nothing about an incident reaches whoever, or whatever, the exposure can read or speak for."""

from collections.abc import Iterator

from responder.action import changes
from responder.errors import Problem
from responder.guards.case import Case
from responder.suspicion import GUARD, overheard, suspects_among, was_checked

NAME = GUARD


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse to tell anybody suspect anything, and to speak where the leaked credential may be listening."""
    action = case.resolved.action
    told = action.tells() if changes(case.resolved.action) else ()
    if not told:
        return
    heard = [*told, *case.listeners()] if case.state.standing.suspects else [*told]
    for name in suspects_among(case.state, heard):
        yield Problem(
            f"it would tell {name}, who is suspect in this incident",
            case.place,
            "tell somebody else, or in another place; a commander may clear them: "
            f"`responder set {case.state.run} suspect=-KIND:NAME --reason TEXT`",
        )
    connection = case.resolved.connection
    if overheard(case.state.standing, case.connections, connection) and not was_checked(
        case.state.standing, [connection.name, *told]
    ):
        yield Problem(
            f"the leaked credential may read what is said by the connection {connection.name}",
            f"{case.place}: {', '.join(told)}",
            "use another connection; or look who can read there, and say that it was checked: "
            f"`responder set {case.state.run} checked={told[0]} --reason TEXT`",
        )
