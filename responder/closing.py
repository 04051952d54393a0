"""Closing an incident: checked, signed where something is left, and its leaked values shredded."""

from collections.abc import Mapping

from responder.app import App
from responder.entry import Draft
from responder.errors import RequestError
from responder.motions import COMMANDER, proposed
from responder.state import RunState

ADDRESS = "incident.close"


def close(app: App, incident: str, left: Mapping[str, str], uncontained: str) -> bool:
    """Close an incident, or ask two others to agree; return whether it is closed. PlanRefused says what stands open."""
    rows = app.runs(incident)
    if not rows:
        raise RequestError("There is no run of this incident", where=incident, remedy="`responder status --all`")
    app.say_of(rows[0], lambda state: [_said(app, state, incident, left, uncontained)])
    return not uncontained


def _said(app: App, state: RunState, incident: str, left: Mapping[str, str], uncontained: str) -> Draft:
    """Return the entry that closes an incident, or that asks two others to agree."""
    person = app.decides(state)
    if COMMANDER not in (state.people.get(person) or {}).get("roles", ()):
        remedy = f"ask somebody with the role {COMMANDER} to do it"
        raise RequestError(f"{person} does not have the role {COMMANDER}", where=incident, remedy=remedy)
    if state.standing.closed:
        raise RequestError("The incident is closed already", where=incident, remedy="a new finding reopens it")
    facts = {"left": dict(left), "uncontained": uncontained}
    effect = Draft("closed", facts, actor=person)
    if not uncontained:
        return effect
    app.check_closing(incident, facts)
    change = {"target": incident, "before": "open, not contained", "after": "closed all the same"}
    return proposed(state, ADDRESS, effect, person=person, reason=uncontained, change=change, quorum=2)
