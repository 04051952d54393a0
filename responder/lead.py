"""Who leads the response to an incident, and how that passes from one person to the next: offered, then taken."""

from responder.entry import Draft
from responder.errors import RequestError
from responder.state import RunState


def offered(state: RunState, person: str, receiver: str) -> Draft:
    """Return the entry with which the lead is offered to somebody. RequestError where they cannot take it."""
    if receiver not in state.people:
        raise RequestError(
            f"{receiver or 'nobody'} is not among the people of this response",
            where=state.run,
            remedy=f"known: {', '.join(state.people) or 'nobody'}",
        )
    if receiver == (state.standing.lead or person):
        raise RequestError(f"{receiver} leads already", where=state.run, remedy="offer it to somebody else")
    return Draft("offered", {"to": receiver}, actor=person)


def taken(state: RunState, person: str) -> Draft:
    """Return the entry with which somebody takes the lead. RequestError where it is not offered to them."""
    offer = state.standing.offered_to
    if offer != person:
        raise RequestError(
            f"The lead is offered to {offer}" if offer else "The lead is offered to nobody",
            where=state.run,
            remedy="whoever leads offers it",
        )
    return Draft("took_over", {"from": state.standing.lead}, actor=person)
