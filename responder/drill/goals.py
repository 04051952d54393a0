"""What a drill is scored by where nothing is to be ended: a credential of somebody else's, and no leak at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from responder.drill.lines import OURS, Facts, Line, at, is_changed, key, kind, subject

TOLD, ANSWERED = "owner_told", "owner_acknowledged"
"""The effects of telling a foreign credential's owner, and of their answer."""
HIDDEN_WITHIN = (3600.0, 8 * 3600.0)
TOLD_WITHIN = (4 * 3600.0, 24 * 3600.0)
"""Seconds after which a time no longer gets all its points, and after which it gets none."""


def handed_over(lines: Sequence[Line], facts: Facts) -> dict[str, Any] | None:
    """Return what the world saw of a credential that is somebody else's; None where it is ours."""
    if facts.hides is None:
        return None
    labels = {leaked.label for leaked in facts.leaked}
    ours = [line for line in lines if line["actor"] in OURS]
    hidden = next((at(line) for line in ours if _is(line, facts)), None)
    told = next((at(line) for line in ours if kind(line) == TOLD), None)
    probes = [line["effect"] for line in lines if kind(line) == "final_probe" and key(line) == "exposure"]
    return {
        "shown_seconds": round((hidden - facts.exposed_at).total_seconds(), 3) if hidden else None,
        "touched": sum(bool(labels & {line["credential"], *line["carried"]}) for line in ours),
        "hidden_after_seconds": _seconds(facts, hidden),
        "told_after_seconds": _seconds(facts, told),
        "hidden": bool(probes) and all(probe.get("state") == "hidden" for probe in probes),
        "acknowledged": any(kind(line) == ANSWERED for line in lines),
    }


def no_leak(lines: Sequence[Line], facts: Facts) -> dict[str, Any] | None:
    """Return what the world saw of a credential that was dead before it was exposed; None where it was a leak."""
    if not facts.was_dead:
        return None
    labels = {leaked.label for leaked in facts.leaked}
    systems = {system for leaked in facts.leaked for system in leaked.systems}
    probes = [line["effect"] for line in lines if kind(line) == "final_probe" and key(line) in labels]
    exposed = facts.exposed_at.isoformat(timespec="microseconds")
    return {
        "changes": sum(is_changed(line) and line["system"] in systems for line in lines),
        "dead_before": bool(probes) and all("" < str(probe.get("since") or "") <= exposed for probe in probes),
    }


def points(ledger: Mapping[str, Any]) -> tuple[float, float]:
    """Return the points for containment (of 30) and for proof (of 20).

    - Somebody else's: 15 for a place that is out of sight within an hour, falling to none at eight; 15 for an owner
      who is told within four hours, falling to none at a day. 10 for a value that was carried to no system at all,
      5 for a place that is out of sight in the final probes, 5 for an owner who has acknowledged it.
    - No leak: 30 where nothing was changed at the issuer; 15 for a credential that the final probes call dead since
      before the exposure, 5 for no open session.
    """
    foreign, harmless = ledger["handed_over"], ledger["no_leak"]
    if foreign is not None:
        fast = (foreign["hidden_after_seconds"], HIDDEN_WITHIN), (foreign["told_after_seconds"], TOLD_WITHIN)
        containment = sum(15 * share(seconds, limits) for seconds, limits in fast)
        return containment, 10.0 * (foreign["touched"] == 0) + 5.0 * foreign["hidden"] + 5.0 * foreign["acknowledged"]
    dead = harmless["dead_before"] and all(each["state"] == "dead" for each in ledger["credentials"])
    return 30.0 * (harmless["changes"] == 0), 15.0 * dead + 5.0 * (ledger["sessions_open"] == 0)


def disagreements(ledger: Mapping[str, Any], *, contained: bool) -> list[str]:
    """Return where the record and what the world saw contradict each other."""
    foreign, harmless = ledger["handed_over"], ledger["no_leak"]
    if not contained:
        return ["the world saw no leak, and the record does not close the case"] * (harmless is not None)
    if foreign is not None:
        told = ["the record says contained, the world still shows the place"] * (not foreign["hidden"])
        return told + ["the record says contained, the owner has not answered"] * (not foreign["acknowledged"])
    alive = [one["label"] for one in ledger["credentials"] if one["state"] != "dead"]
    told = [f"the record says that it was no leak, the world still accepts: {', '.join(alive)}"] * bool(alive)
    return told + ["the record says that it was no leak, and something was changed"] * bool(harmless["changes"])


def share(seconds: float | None, limits: tuple[float, float]) -> float:
    """Return which share of the points a time gets: all until the first limit, none from the second on."""
    if seconds is None:
        return 0.0
    full, none = limits
    return min(1.0, max(0.0, (none - seconds) / (none - full)))


def _is(line: Line, facts: Facts) -> bool:
    wanted = facts.hides
    return (
        wanted is not None
        and kind(line) == wanted.kind
        and subject(line) == wanted.subject
        and (wanted.name in {"", key(line)})
    )


def _seconds(facts: Facts, end: Any) -> float | None:
    return None if end is None else round((end - facts.aware_at).total_seconds(), 3)
