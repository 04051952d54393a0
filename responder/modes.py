"""The containment modes, and when an incident may be in which: kill, fence, overlap, close."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from responder.durations import duration
from responder.entry import Draft
from responder.errors import PlanRefused, Problem, RequestError
from responder.state import RunState

GUARD = "modes"
ADDRESS = "incident.mode"
MODES: Mapping[str, str] = {
    "A1": "kill: end it at its issuer, whatever that breaks",
    "A2": "fence: restrict the live key, rotate in waves, kill by a hard stop",
    "B": "overlap: replace it everywhere, and only then end it",
    "C": "close: it was dead over the whole exposure, or nothing depends on it",
}
KILL = "A1"
NEVER = datetime.min.replace(tzinfo=UTC)
"""Before everything that happened."""


def read_mode(text: str, now: datetime) -> dict[str, str]:
    """Read `A1`, `A2 until TIME`, `B` or `C without WHAT`. RequestError where it is none of these."""
    name, _, rest = text.strip().partition(" ")
    word, _, value = rest.strip().partition(" ")
    if name not in MODES or (rest and (name, word) not in {("A2", "until"), ("C", "without")}):
        known = "; ".join(f"{one} ({words})" for one, words in MODES.items())
        raise RequestError(f"{text!r} is no mode", where="mode", remedy=f"write A1, A2 until TIME, B or C: {known}")
    facts = {"to": name}
    if word == "until":
        facts["hard_stop"] = _moment(value.strip(), now).isoformat()
    elif word == "without":
        facts["uncovered"] = value.strip()
    return facts


def _moment(text: str, now: datetime) -> datetime:
    try:
        return now + duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(f"{text!r} is no time", where="mode", remedy="write 4h, or 2026-05-02T12:00Z") from None
    if found.tzinfo is None:
        raise RequestError(f"{text!r} names no zone", where="mode", remedy="add Z or an offset")
    return found


def check_mode(state: RunState, facts: Mapping[str, str], now: datetime) -> None:
    """Refuse a mode that an incident may not be in. PlanRefused says every reason."""
    problems = [Problem(what, ADDRESS, remedy, GUARD) for what, remedy in _unfit(state, facts, now)]
    if problems:
        raise PlanRefused(problems=tuple(problems))


def _unfit(state: RunState, facts: Mapping[str, str], now: datetime) -> list[tuple[str, str]]:
    """Return what speaks against a mode, with the way out."""
    found: list[tuple[str, str]] = []
    mode, stop = facts["to"], facts.get("hard_stop", "")
    if mode == "A2" and not stop:
        found.append(("a fence without a hard stop could stay for ever", "write `mode='A2 until 4h'`"))
    if mode == "A2" and stop and datetime.fromisoformat(stop) <= now:
        found.append((f"its hard stop {stop} is over", "name a later one, or kill: `mode=A1`"))
    seen = [one for one in state.standing.exposures if one.kind != "private"]
    if mode == "B" and seen:
        place = seen[0].url or seen[0].place or "a place that nobody named"
        found.append((f"overlap is for private exposures, and {place} is {seen[0].kind}", "fence it (A2), or kill it"))
    if mode == "B" and not state.credential.consumers:
        found.append(("overlap needs known consumers, and none is in the inventory", "name them in `consumers`"))
    canary = state.started.get("ownership", {}).get("verdict") == "canary"
    if mode == "C" and not canary and not facts.get("uncovered") and not (_dead_before(state) or _unused(state)):
        told = "nothing shows that it was dead, or unused, over the whole exposure"
        found.append((told, "name what nobody can show, for others to sign: `mode='C without WHAT'`"))
    return found


def _dead_before(state: RunState) -> bool:
    """Tell whether the issuer says that the credential died before it was exposed, wherever that was."""
    since = [
        str(unit.facts.get("dead_since") or "")
        for unit in state.each()
        if unit.planned.get("action") == "credential.inspect" and unit.facts.get("state") == "dead"
    ]
    exposed = [one.exposed_at for one in state.standing.exposures]
    if not since or not since[-1] or not exposed or None in exposed:
        return False
    try:
        died = datetime.fromisoformat(since[-1])
    except ValueError:
        return False
    return died.tzinfo is not None and all(died <= one for one in exposed if one is not None)


def _unused(state: RunState) -> bool:
    """Tell whether use records that outsiders could not alter cover the whole exposure, without a foreign use."""
    exposed = [one.exposed_at for one in state.standing.exposures]
    looks = [one for one in state.each() if one.planned.get("action") == "credential.used"]
    read = [one for one in looks if one.facts.get("sources")]
    if not read or not exposed or None in exposed:
        return False
    facts = max(read, key=lambda one: one.ended_at or NEVER).facts
    asked = facts.get("since")
    whole = bool(asked) and all(datetime.fromisoformat(str(asked)) <= one for one in exposed if one is not None)
    return whole and facts.get("trusted") is True and not facts.get("missing") and facts.get("foreign") == 0


def switching(state: RunState, action: object, facts: Mapping[str, Any]) -> list[Draft]:
    """Return the entry of the switch that a step has just made, where its action is one."""
    from responder.providers.incident import Mode  # noqa: PLC0415 - only where something was applied

    return [switched(state, facts, str(facts["reason"]))] if isinstance(action, Mode) else []


def switched(state: RunState, facts: Mapping[str, Any], reason: str, person: str = "responder") -> Draft:
    """Return the entry of a switch."""
    return Draft("mode", {**facts, "from": state.standing.mode, "reason": reason}, actor=person)
