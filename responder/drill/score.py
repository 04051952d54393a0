"""The score of a drill, from the world's ledger alone: pure functions over its lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.drill.goals import handed_over, no_leak, points, share
from responder.drill.lines import (
    OURS,
    Expected,
    Facts,
    Line,
    accepted,
    at,
    deaths,
    is_changed,
    is_end,
    is_session,
    key,
    kind,
    latest,
    session_deaths,
    subject,
)
from responder.drill.order import order_violations, said_with_leaked
from responder.drill.world.values import Leaked

__all__ = ["Expected", "Facts", "Leaked", "final_effects", "lost_effects", "notices", "score", "total"]

_ONCE = ("message_posted", "mail_sent", "secret_written", "channel_created", "takedown")
"""Effects of which a second one with the same key and subject is a repetition.

Ending a key, a token or sessions twice changes nothing the second time, so the ledger has no second effect.
"""
_PART = 10.0
_DISABLED = (300.0, 3600.0)
_DEAD = (600.0, 7200.0)
"""Seconds after which a time no longer gets all its points, and after which it gets none."""
_OVERLAP = (8 * 3600.0, 24 * 3600.0)
"""The same where old and new live side by side until everybody has moved."""


@dataclass
class _Owned:
    """The live keys of one owner, as the ledger is read."""

    live: set[str] = field(default_factory=set)
    repeated: int = 0


def score(lines: Sequence[Line], facts: Facts) -> dict[str, Any]:
    """Return what the world saw: times in seconds (None: not reached), counts, and broken orders.

    Times run from `aware_at`, exposure from `exposed_at`. `issued` counts the holders with exactly one live
    key of their own.
    """
    dead = deaths(lines, facts)
    ended = next((line for line in lines if is_end(line, facts)), None)
    owned = _owned(lines)
    effects = [line for line in lines if is_changed(line)]
    over = [*dead, *session_deaths(lines)]
    foreign = handed_over(lines, facts)
    return {
        "exposure_seconds": foreign["shown_seconds"] if foreign else _seconds(facts.exposed_at, latest(over)),
        "disabled_after_seconds": _seconds(facts.aware_at, at(ended) if ended else None),
        "dead_after_seconds": _seconds(facts.aware_at, latest(dead)),
        "public_requests_served_after_disable": _served_after(lines, facts, ended),
        "credentials": _credentials(lines, facts),
        "holders": len(facts.holders),
        "issued": sum(len(owned[holder].live) == 1 for holder in facts.holders if holder in owned),
        "consumers": len(facts.consumers),
        "consumers_moved": _moved(lines, facts),
        "outages": sum(kind(line) == "outage" for line in lines) if facts.overlap else None,
        "sessions_open": _sessions_open(lines),
        "effects": len(effects),
        "effects_repeated": _repeated(effects) + sum(owner.repeated for owner in owned.values()),
        "effects_lost": len(_missing(effects, facts.expected)),
        "said_with_leaked": len(said_with_leaked(lines, facts)),
        "order_violations": order_violations(lines, facts),
        "handed_over": foreign,
        "no_leak": no_leak(lines, facts),
    }


def lost_effects(lines: Sequence[Line], expected: Iterable[Expected]) -> list[Expected]:
    """Return the expected effects that the ledger does not show."""
    return _missing([line for line in lines if kind(line)], expected)


def final_effects(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Return the (kind, subject) of every effect of ours, sorted: equal for two runs with one final state."""
    return sorted((kind(line), subject(line)) for line in lines if is_changed(line))


def total(ledger: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"total": 0-100, "parts": {...}}` from the ledger's score, the notices and the record.

    - containment (30): 15 for a disable within 5 minutes of `aware_at`, falling to none at an hour; 15 for
      proof of death within 10 minutes, falling to none at two hours; with an overlap, within 8 hours and 24.
    - proof (20): 10 for both values dead in the final probes, 5 for no open session, 5 for a
      known time of death. Where nothing is to be ended, `goals.points` says what counts in both parts.
    - people (20): 10 for the share of holders with a key of their own, or where nobody holds it of consumers that
      were given a new one, less 1 for each outage that an overlap should have spared them; 10 for the share of
      notices on time.
    - order (10): 5 less for each broken order.
    - exactly_once (10): 5 less for each effect that was repeated or is missing.
    - record (10): 5 for a record that verifies, 5 for one that agrees with the ledger.
    """
    on_time = sum(bool(row["on_time"]) for row in rows) / len(rows) if rows else 1.0
    doubled = ledger["effects_repeated"] + ledger["effects_lost"]
    contained, proven = _ended(ledger) if ledger["handed_over"] is ledger["no_leak"] else points(ledger)
    parts = {
        "containment": contained,
        "proof": proven,
        "people": max(0.0, _PART * _served(ledger) - (ledger["outages"] or 0)) + _PART * on_time,
        "order": max(0.0, _PART - 5 * len(ledger["order_violations"])),
        "exactly_once": max(0.0, _PART - 5 * doubled),
        "record": _PART / 2 * bool(record.get("verified")) + _PART / 2 * bool(record.get("agrees_with_ledger")),
    }
    rounded = {name: round(points, 1) for name, points in parts.items()}
    return {"total": round(sum(parts.values()), 1), "parts": rounded}


def _ended(ledger: Mapping[str, Any]) -> tuple[float, float]:
    """Return the points for containment and for proof of what had to be ended."""
    overlap = ledger["outages"] is not None
    cut = 1.5 * _PART * share(ledger["disabled_after_seconds"], _OVERLAP if overlap else _DISABLED)
    died = 1.5 * _PART * share(ledger["dead_after_seconds"], _OVERLAP if overlap else _DEAD)
    proof = (
        _PART * all(each["state"] == "dead" for each in ledger["credentials"])
        + _PART / 2 * (ledger["sessions_open"] == 0)
        + _PART / 2 * (ledger["dead_after_seconds"] is not None)
    )
    return cut + died, proof


def _served(ledger: Mapping[str, Any]) -> float:
    """Return the share of those who had the credential, people or else consumers, that have one of their own now."""
    for all_of_them, served in (("holders", "issued"), ("consumers", "consumers_moved")):
        if ledger[all_of_them]:
            return float(ledger[served] / ledger[all_of_them])
    return 1.0


def _moved(lines: Sequence[Line], facts: Facts) -> int:
    """Return how many consumers work in the end, and were given something new."""
    given = {subject(line) for line in lines if kind(line) == "secret_written"}
    out = {name for line in lines if kind(line) == "final_probe" for name in line["effect"].get("out", ())}
    return sum(place in given and name not in out for name, place in facts.consumers.items())


def notices(lines: Sequence[Line], due: Mapping[str, tuple[str, datetime | None]]) -> list[dict[str, Any]]:
    """Return a row for each template of `due` (template: audience, deadline).

    A notice was sent when its last recipient got it; one without recipients is not on time.
    """
    rows = []
    for template, (audience, deadline) in due.items():
        sent = [line for line in lines if kind(line) and line["effect"].get("template") == template]
        last = max((at(line) for line in sent), default=None)
        rows.append(
            {
                "template": template,
                "audience": audience,
                "recipients": len({subject(line) for line in sent}),
                "sent_at": last.isoformat() if last else None,
                "due_at": deadline.isoformat() if deadline else None,
                "on_time": last is not None and (deadline is None or last <= deadline),
            }
        )
    return rows


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else round((end - start).total_seconds(), 3)


def _served_after(lines: Sequence[Line], facts: Facts, ended: Line | None) -> int:
    labels = {leaked.label for leaked in facts.leaked}
    return sum(
        line["actor"] == "public" and accepted(line) and line["n"] > ended["n"]
        for line in lines
        if ended is not None and (line["credential"] in labels or is_session(line))
    )


def _probes(lines: Sequence[Line]) -> list[Mapping[str, Any]]:
    return [line["effect"] for line in lines if kind(line) == "final_probe"]


def _credentials(lines: Sequence[Line], facts: Facts) -> list[dict[str, str]]:
    return [{"label": leaked.label, "state": _state(_probes(lines), leaked)} for leaked in facts.leaked]


def _state(probes: Sequence[Mapping[str, Any]], leaked: Leaked) -> str:
    found = {probe["subject"]: probe.get("state") for probe in probes if probe["key"] == leaked.label}
    if "alive" in found.values():
        return "alive"
    return "dead" if all(found.get(system) == "dead" for system in leaked.systems) else "unknown"


def _sessions_open(lines: Sequence[Line]) -> int | None:
    counts = [int(probe["open"]) for probe in _probes(lines) if probe["key"] == "sessions"]
    return counts[-1] if counts else None


def _owned(lines: Sequence[Line]) -> dict[str, _Owned]:
    owners: dict[str, _Owned] = {}
    for line in lines:
        if kind(line) == "key_issued" and line["actor"] in OURS:
            owner = owners.setdefault(subject(line), _Owned())
            owner.repeated += bool(owner.live)
            owner.live.add(str(line["effect"]["id"]))
        elif kind(line) in ("key_revoked", "key_deleted"):
            owners.setdefault(subject(line), _Owned()).live.discard(key(line))
    return owners


def _repeated(effects: Sequence[Line]) -> int:
    once = [(kind(line), key(line), subject(line)) for line in effects if kind(line) in _ONCE]
    return len(once) - len(set(once))


def _missing(effects: Sequence[Line], expected: Iterable[Expected]) -> list[Expected]:
    seen: set[Expected] = set()
    for line in effects:
        names = ("", key(line), str(line["effect"].get("template", "")))
        seen.update(Expected(kind(line), subject(line), name) for name in names)
    return [wanted for wanted in expected if wanted not in seen]
