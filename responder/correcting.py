"""To correct a moment from which clocks start: what it moves, who must agree, and what an answer says."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from responder.approval import check_person, may_answer
from responder.clock import show_time
from responder.correction import Correction, Move, digest_of
from responder.deadlines import is_off, judged
from responder.entry import Draft
from responder.errors import RequestError
from responder.moments import due, met
from responder.state import RunState
from responder.unit import Ask


def correct(  # noqa: PLR0917 - what it is, then who says so, when and why
    states: Sequence[RunState], name: str, old: Any, new: str, person: str, now: datetime, reason: str
) -> Draft:
    """Return the entry of a correction: what counts from now on, or, where a deadline would be due later, a question.

    `states`: every run of the incident. A deadline that was met in time is not asked about.
    """
    moves = [move for state in states for move in _moves(state, name, new, now)]
    facts: dict[str, Any] = {
        "of": "incident", "field": name, "old": old, "new": new, "reason": reason,
        "moves": [move.document() for move in moves],
    }  # fmt: skip
    later = [move for move in moves if move.is_later]
    if not later:
        return Draft("set", facts, actor=person)
    roles = sorted({move.role for move in later})
    asked = {
        "kind": "approval", "role": ", ".join(roles), "roles": roles, "text": _words(name, old, new, later, reason),
        "digest": digest_of(name, old, new, moves),
    }  # fmt: skip
    return Draft("proposed", {**facts, **asked}, step=f"set:{name}", actor=person)


def _moves(state: RunState, name: str, new: str, now: datetime) -> Iterator[Move]:
    """Yield the deadlines of a run whose due time a correction changes, as the record tells them."""
    instead: Mapping[str, Any] = {name: new}
    for one, deadline in state.playbook.deadlines.items():
        before = due(state, deadline).at
        if before is None or is_off(one, state, now) or judged(before, met(state, one)[0], now) == "met":
            continue
        after = None if is_off(one, state, now, instead) else due(state, deadline, instead).at
        if after != before:
            yield Move(state.run, one, deadline.role, before, after)


def _words(name: str, old: object, new: object, later: Sequence[Move], reason: str) -> str:
    moved = "; ".join(
        f"{move.deadline} from {show_time(move.old)} to {show_time(move.new) if move.new else 'never'}"
        for move in later
    )
    why = f" ({reason})" if reason else ""
    before, after = (show_time(datetime.fromisoformat(str(at))) if at else "nothing" for at in (old, new))
    return f"correct {name} from {before} to {after}{why}; it moves {moved}. Until then the earlier time counts"


def agree(state: RunState, states: Sequence[RunState], address: str, person: str, digest: str = "") -> Draft:
    """Return the entry of an owner's agreement to a correction. RequestError where they may not, or it is another now.

    `state`: the run that they answer in, whose people count; `states`: every run of the incident.
    """
    found, ask = _open(state, address, person)
    if digest and digest != found.digest:
        raise _changed(state, address)
    recorded = {(move.run, move.deadline): (move.old, move.new) for move in found.moves}
    for one in states:
        for move in _moves(one, found.name, found.new, found.at):
            if move.is_later and recorded.get((move.run, move.deadline)) != (move.old, move.new):
                raise _changed(state, address)
    roles = [role for role in found.roles if role == ask.role or role in state.people[person]["roles"]]
    facts = {"digest": found.digest, "role": ", ".join(roles), "roles": roles}
    return Draft("agreed", facts, step=address, actor=person)


def decline(state: RunState, address: str, person: str, reason: str) -> Draft:
    """Return the entry of an owner's refusal of a correction: the old value stays."""
    found, ask = _open(state, address, person)
    return Draft("declined", {"digest": found.digest, "role": ask.role, "reason": reason}, step=address, actor=person)


def _open(state: RunState, address: str, person: str) -> tuple[Correction, Ask]:
    """Return an open correction, and its question that this person may answer."""
    found = state.corrections.get(address)
    if found is None:
        known = ", ".join(state.corrections) or "nothing"
        raise RequestError(f"Nothing is asked at {address} now", where=state.run, remedy=f"open: {known}")
    asks = found.asks()
    ask = next((one for one in asks if person in may_answer(state, one)), asks[0])
    check_person(state, ask, person)
    return found, ask


def _changed(state: RunState, address: str) -> RequestError:
    return RequestError(
        "The correction would move other due times now than those that were asked about",
        where=address,
        remedy=f"ask again: `responder set {state.run} {address.partition(':')[2]}=...`",
    )
