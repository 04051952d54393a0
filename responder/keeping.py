"""What came of a step, as it is kept: plain facts on the timeline, values and evidence sealed beside it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from responder.action import Evidence, Issued, Outcome
from responder.links import issued_names
from responder.resolve import Resolved
from responder.sealing import Sealer
from responder.store import Also, Blob, Writing


class Place(NamedTuple):
    """Where the outcome of a step belongs."""

    sealer: Sealer
    incident: str
    run: str
    step: str
    """The step, or the item as `step[key]`."""
    connection: str
    """The connection that it came through."""


def kept(place: Place, outcome: Outcome) -> tuple[dict[str, Any], Also | None]:
    """Return an outcome's facts, and what must be stored in the transaction that writes them."""
    facts = dict(outcome.facts)
    blobs: list[Blob] = []
    names: list[str] = []
    if outcome.issued is not None:
        facts.update(_issued(place, outcome.issued, blobs))
        value = outcome.issued.value
        names = issued_names(place.connection, _shown_id(place, outcome.issued), value.fingerprint if value else "")
    if outcome.evidence:
        facts["evidence"] = [
            _evidence(place.sealer, place.incident, one, blobs) for one in _soonest_gone_first(outcome)
        ]
    return facts, (lambda writing: _put(writing, blobs, names, place.run)) if blobs or names else None


def _issued(place: Place, issued: Issued, blobs: list[Blob]) -> dict[str, Any]:
    if issued.value is None:
        return {"key_id": issued.key_id, "claim": issued.claim}
    # Issuers whose keys bear their name give a second try the same id, and another value.
    blob = f"issued:{place.run}:{place.step}:{_shown_id(place, issued)}:{issued.value.fingerprint}"
    blobs.append(Blob(blob, place.incident, "issued", place.sealer.seal(issued.value, blob)))
    return {"key_id": issued.key_id, "value": {"$secret": blob, "fingerprint": issued.value.fingerprint}}


def _shown_id(place: Place, issued: Issued) -> str:
    """Return the id of a new credential as the record shows it: there are issuers whose ids are the values."""
    return place.sealer.redactor.scrub(issued.key_id)


def _soonest_gone_first(outcome: Outcome) -> list[Evidence]:
    """Order evidence by when its source drops it; what nobody knows that of comes last, in the order of its author."""
    known = [(one.kept_until, number) for number, one in enumerate(outcome.evidence) if one.kept_until is not None]
    first = [outcome.evidence[number] for _, number in sorted(known)]
    return [*first, *(one for one in outcome.evidence if one.kept_until is None)]


def _evidence(sealer: Sealer, incident: str, evidence: Evidence, blobs: list[Blob]) -> dict[str, Any]:
    digest = hashlib.sha256(evidence.data).hexdigest()
    blob = f"evidence:{incident}:{digest}"
    blobs.append(Blob(blob, incident, "evidence", sealer.seal_bytes(evidence.data, blob)))
    known = {"kept_until": evidence.kept_until.isoformat()} if evidence.kept_until else {}
    return {"sha256": digest, "bytes": len(evidence.data), "about": evidence.about, "blob": blob, **known}


def _put(writing: Writing, blobs: Sequence[Blob], names: Sequence[str], run: str) -> None:
    """Store sealed values, and that the run was issued them: a finding of one of them must find this run."""
    for blob in blobs:
        writing.put_blob(blob)
    if names:
        writing.lock(names, run)


def shredding(resolved: Resolved) -> Also | None:
    """Return what drops the key of a value that was delivered: from now on only its secret store has it."""
    value = resolved.record.get("with", {}).get("value")
    if not isinstance(value, Mapping) or "$secret" not in value:
        return None
    from responder.credential import Deliver  # noqa: PLC0415 - only where a value is passed on

    if not isinstance(resolved.action, Deliver):
        return None
    return lambda writing: writing.shred(str(value["$secret"]))


def both(first: Also | None, second: Also | None) -> Also | None:
    """Return what stores both."""
    if first is None or second is None:
        return first or second

    def also(writing: Writing) -> None:
        first(writing)
        second(writing)

    return also
