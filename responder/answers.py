"""What a person says to what is asked, as entries: of a step, of a correction, or of the whole incident."""

from collections.abc import Sequence

from responder import approval, correcting, motions
from responder.correction import PREFIX
from responder.entry import Draft
from responder.errors import RequestError
from responder.incident import FIELDS, SEVERITIES
from responder.said import read_fact
from responder.state import RunState


def agreed(state: RunState, states: Sequence[RunState], asked: str, person: str, digest: str = "") -> list[Draft]:
    """Return the entries of an agreement. RequestError where this person may not, or it is another change now.

    `states`: every run of the incident.
    """
    if asked in state.standing.motions:
        return motions.agreed(state, asked, person, digest)
    if asked.startswith(PREFIX):
        return [correcting.agree(state, states, asked, person, digest)]
    return [approval.agree(state, asked, person, digest)]


def declined(state: RunState, asked: str, person: str, reason: str) -> Draft:
    """Return the entry of a refusal. RequestError where this person may not."""
    if asked in state.standing.motions:
        return motions.declined(state, asked, person, reason)
    decline = correcting.decline if asked.startswith(PREFIX) else approval.decline
    return decline(state, asked, person, reason)


def fact(state: RunState, name: str, text: str, person: str, reason: str) -> Draft:
    """Return the entry of a fact that a person adds or corrects; the old value is kept beside the new.

    RequestError for a severity that is none: conditions compare it, and none would hold.
    """
    if name == "severity" and text not in SEVERITIES:
        raise RequestError(f"{text!r} is no severity", where=state.run, remedy=f"known: {', '.join(SEVERITIES)}")
    value = text if name in FIELDS else read_fact(text, name)
    of, old = ("incident", state.incident.get(name)) if name in FIELDS else ("facts", state.given.get(name))
    return Draft("set", {"of": of, "field": name, "old": old, "new": value, "reason": reason}, actor=person)
