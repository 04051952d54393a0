"""Who is suspect: what the exposure can read or speak for, and whom nothing about the incident may reach."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from responder.errors import PlanRefused, Problem, RequestError
from responder.settings import Connection, same_account
from responder.standing import SUSPECT_KINDS, Standing, suspect_name
from responder.state import RunState

GUARD = "suspects"
_ADDRESS = r"[^\s<>,;\"']+@[^\s<>,;\"']+"


def read_suspects(text: str) -> tuple[list[str], list[str]]:
    """Read `person:ana,-channel:#eng`: whom to suspect, and, after a minus, whom no longer. RequestError if wrong."""
    added: list[str] = []
    cleared: list[str] = []
    wrong: list[Problem] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name = word.removeprefix("-")
        kind, colon, rest = name.partition(":")
        if kind not in SUSPECT_KINDS or not colon or not rest.strip("# "):
            remedy = f"write KIND:NAME, with one of these kinds: {', '.join(SUSPECT_KINDS)}"
            wrong.append(Problem(f"{word!r} names nobody who can be suspect", "suspect", remedy))
        else:
            (cleared if word.startswith("-") else added).append(suspect_name(name))
    if wrong or not added + cleared:
        raise RequestError(problems=tuple(wrong) or (Problem("nobody is named", "suspect", "write KIND:NAME"),))
    return added, cleared


def is_suspect(state: RunState, person: str) -> bool:
    """Tell whether somebody is suspect, by their id or by any address of theirs."""
    suspects = state.standing.suspects
    return bool(suspects) and any(
        f"person:{name}" in suspects for name in _names(person, _known(state).get(person, {}))
    )


def refuse_suspect(state: RunState, person: str) -> None:
    """Refuse whatever a suspect person decides, in whichever role and through whichever door. PlanRefused."""
    if is_suspect(state, person):
        raise PlanRefused(
            problems=(
                Problem(
                    f"{person} is suspect in this incident: no approval, decision or role comes from them",
                    state.run,
                    f"let somebody else do it; a commander may clear them: "
                    f"`responder set {state.run} suspect=-person:{person} --reason TEXT`",
                    GUARD,
                ),
            )
        )


def suspects_among(state: RunState, told: Iterable[str]) -> list[str]:
    """Return the suspects among those whom something would reach: addresses, channels, people's ids."""
    suspects = state.standing.suspects
    if not suspects:
        return []
    found: list[str] = []
    people = {name: person for person, facts in _known(state).items() for name in _names(person, facts)}
    for one in told:
        for name in re.findall(_ADDRESS, one) or [one]:
            bare = name.strip().removeprefix("#").casefold()
            by_name = [f"person:{bare}", f"channel:{bare}"]
            if any(key in suspects for key in by_name) or (bare in people and is_suspect(state, people[bare])):
                found.append(one)
    return list(dict.fromkeys(found))


def overheard(standing: Standing, connections: Mapping[str, Connection], connection: Connection) -> bool:
    """Tell whether a credential of the incident that is not proven dead belongs to a connection, or reaches it."""
    issuers = [connections[name] for name in standing.alive.values() if name in connections]
    reached = {connection.name, connection.provider} & {one.partition(":")[0] for one in standing.reach}
    return bool(standing.alive) and (bool(reached) or any(same_account(connection, issuer) for issuer in issuers))


def was_checked(standing: Standing, names: Iterable[str]) -> bool:
    """Tell whether a person said of one of these that the leaked credential cannot read it."""
    return any(name.removeprefix("#").casefold() in standing.checked for name in names)


def _known(state: RunState) -> dict[str, Mapping[str, Any]]:
    """Return people and holders by their ids; a holder who is one of us is that person."""
    holders = {one.person or one.id: {"email": one.email} for one in state.credential.holders}
    return {**holders, **state.people}


def _names(person: str, facts: Mapping[str, Any]) -> set[str]:
    """Return every name under which somebody is known, as suspects are written."""
    names = {person, str(facts.get("email") or ""), str(facts.get("slack") or "")}
    return {name.strip().casefold() for name in names} - {""}
