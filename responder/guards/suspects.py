"""Suspects: nothing about an incident reaches whoever, or whatever, the exposure can read or speak for."""

from collections.abc import Iterator

from responder.action import Changing
from responder.errors import Problem
from responder.guards.case import Case, same_account
from responder.settings import Connection
from responder.suspicion import GUARD, suspects_among

NAME = GUARD


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse to tell anybody suspect anything, and to speak where the leaked credential may be listening."""
    action = case.resolved.action
    told = action.tells() if isinstance(action, Changing) else ()
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
    if _overheard(case, connection) and not _checked(case, [connection.name, *told]):
        yield Problem(
            f"the leaked credential may read what is said by the connection {connection.name}",
            f"{case.place}: {', '.join(told)}",
            "use another connection; or look who can read there, and say that it was checked: "
            f"`responder set {case.state.run} checked={told[0]} --reason TEXT`",
        )


def _overheard(case: Case, connection: Connection) -> bool:
    """Tell whether a credential of this incident that is not proven dead belongs to a connection, or reaches it."""
    standing = case.state.standing
    issuers = [case.connections[name] for name in standing.alive.values() if name in case.connections]
    reached = {connection.name, connection.provider} & {one.partition(":")[0] for one in standing.reach}
    return bool(standing.alive) and (bool(reached) or any(same_account(connection, issuer) for issuer in issuers))


def _checked(case: Case, names: list[str]) -> bool:
    return any(name.removeprefix("#").casefold() in case.state.standing.checked for name in names)
