"""What people declare for a whole incident with `set`: who is suspect, what was checked, what is done without."""

from collections.abc import Callable, Mapping
from datetime import datetime

from responder.entry import Draft
from responder.errors import RequestError
from responder.modes import ADDRESS, KILL, check_mode, read_mode, switched
from responder.motions import COMMANDER, proposed
from responder.standing import page_address
from responder.state import RunState
from responder.suspicion import read_suspects

SUSPECT = "incident.suspect"
UNCAPTURED = "incident.uncaptured"


def declared(state: RunState, name: str, text: str, *, person: str, reason: str, now: datetime) -> list[Draft]:
    """Return the entries of what a person declares. RequestError where it cannot be understood."""
    return DECLARED[name](state, text, person, reason, now)


def _suspect(state: RunState, text: str, person: str, reason: str, _now: datetime) -> list[Draft]:
    """Suspect at once; clearing somebody again needs a commander's agreement."""
    added, cleared = read_suspects(text)
    unknown = [name for name in cleared if name not in state.standing.suspects]
    if unknown:
        known = ", ".join(sorted(state.standing.suspects)) or "nobody"
        raise RequestError(f"{unknown[0]} is not suspect", where=state.run, remedy=f"suspect: {known}")
    drafts = [Draft("suspected", {"suspects": added, "reason": reason}, actor=person)] if added else []
    if cleared:
        change = {"target": ", ".join(cleared), "before": "suspect", "after": "cleared"}
        drafts.append(
            proposed(
                state, SUSPECT, Draft("cleared", {"suspects": cleared}), person=person, reason=reason, change=change
            )
        )
    return drafts


def _checked(state: RunState, text: str, person: str, reason: str, _now: datetime) -> list[Draft]:
    """Say that somebody looked, and the leaked credential cannot read there."""
    places = [part.strip().removeprefix("#").casefold() for part in text.split(",") if part.strip()]
    if not places or not reason.strip():
        raise RequestError(
            "It must be said what was checked, and how",
            where=state.run,
            remedy=f"`responder set {state.run} checked=CHANNEL --reason TEXT`",
        )
    return [Draft("checked", {"places": places, "reason": reason}, actor=person)]


def _uncaptured(state: RunState, text: str, person: str, reason: str, _now: datetime) -> list[Draft]:
    """Propose to let an exposure go whose bytes nobody could store."""
    seen = {page_address(one.url) for one in state.standing.exposures}
    if page_address(text) not in seen:
        raise RequestError(
            "No credential of this incident was found there", where=text, remedy=f"it was: {', '.join(sorted(seen))}"
        )
    change = {"target": text, "before": "not captured", "after": "may go uncaptured"}
    return [
        proposed(state, UNCAPTURED, Draft("uncaptured", {"url": text}), person=person, reason=reason, change=change)
    ]


def _mode(state: RunState, text: str, person: str, reason: str, now: datetime) -> list[Draft]:
    """Switch to A1 at once, as a commander; propose any other mode."""
    facts = read_mode(text, now)
    if facts["to"] == state.standing.mode and not facts.get("hard_stop"):
        raise RequestError(f"The mode is {facts['to']} already", where=state.run)
    check_mode(state, facts, now)
    if not reason.strip():
        raise RequestError("There is no reason", where=ADDRESS, remedy="say why: --reason TEXT")
    if facts["to"] == KILL:
        if COMMANDER not in (state.people.get(person) or {}).get("roles", ()):
            remedy = f"ask somebody with the role {COMMANDER} to do it"
            raise RequestError(f"{person} does not have the role {COMMANDER}", where=ADDRESS, remedy=remedy)
        return [switched(state, facts, reason, person)]
    more = f" until {facts['hard_stop']}" if "hard_stop" in facts else ""
    more += f" without {facts['uncovered']}" if "uncovered" in facts else ""
    change = {"target": "containment mode", "before": state.standing.mode, "after": facts["to"] + more}
    effect = Draft("mode", {**facts, "from": state.standing.mode})
    return [proposed(state, ADDRESS, effect, person=person, reason=reason, change=change)]


DECLARED: Mapping[str, Callable[[RunState, str, str, str, datetime], list[Draft]]] = {
    "suspect": _suspect,
    "checked": _checked,
    "uncaptured": _uncaptured,
    "mode": _mode,
}
"""What can be declared, by its name in `set`."""
