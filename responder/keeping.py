"""What came of a step, as it is kept: plain facts on the timeline, values and evidence sealed beside it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from responder.action import Evidence, Issued, Outcome
from responder.credential import Deliver
from responder.resolve import Resolved
from responder.sealing import Sealer
from responder.store import Also, Blob, Writing


def kept(sealer: Sealer, incident: str, marker: str, outcome: Outcome) -> tuple[dict[str, Any], Also | None]:
    """Return an outcome's facts, and what must be stored in the transaction that writes them.

    `marker` is the run and the step, under which a new credential's value is sealed.
    """
    facts = dict(outcome.facts)
    blobs: list[Blob] = []
    if outcome.issued is not None:
        facts.update(_issued(sealer, incident, marker, outcome.issued, blobs))
    if outcome.evidence:
        facts["evidence"] = [_evidence(sealer, incident, one, blobs) for one in outcome.evidence]
    return facts, (lambda writing: _put(writing, blobs)) if blobs else None


def _issued(sealer: Sealer, incident: str, marker: str, issued: Issued, blobs: list[Blob]) -> dict[str, Any]:
    if issued.value is None:
        return {"key_id": issued.key_id, "claim": issued.claim}
    blob = f"issued:{marker}:{issued.key_id}"
    blobs.append(Blob(blob, incident, "issued", sealer.seal(issued.value, blob)))
    return {"key_id": issued.key_id, "value": {"$secret": blob, "fingerprint": issued.value.fingerprint}}


def _evidence(sealer: Sealer, incident: str, evidence: Evidence, blobs: list[Blob]) -> dict[str, Any]:
    digest = hashlib.sha256(evidence.data).hexdigest()
    blob = f"evidence:{incident}:{digest}"
    blobs.append(Blob(blob, incident, "evidence", sealer.seal_bytes(evidence.data, blob)))
    return {"sha256": digest, "bytes": len(evidence.data), "about": evidence.about, "blob": blob}


def _put(writing: Writing, blobs: Sequence[Blob]) -> None:
    for blob in blobs:
        writing.put_blob(blob)


def shredding(resolved: Resolved) -> Also | None:
    """Return what drops the key of a value that was delivered: from now on only its secret store has it."""
    value = resolved.record.get("with", {}).get("value") if isinstance(resolved.action, Deliver) else None
    if not isinstance(value, Mapping) or "$secret" not in value:
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
