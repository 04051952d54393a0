"""Runs that have to do with each other: a credential that one of them was issued has been found by another."""

from collections.abc import Mapping
from typing import Any

from responder.entry import Draft
from responder.fold import fold
from responder.incident import Credential, Judgement, Ownership
from responder.means import Means
from responder.settings import Consumer, Holder
from responder.store import RunRow
from responder.timeline import Timeline
from responder.unit import Unit


def issued_names(connection: str, key_id: str, fingerprint: str) -> list[str]:
    """Return under which names the store keeps, until a run ends, that it was issued a credential."""
    names = [f"issued:{connection}:{key_id}" if key_id else "", f"issued:{fingerprint}" if fingerprint else ""]
    return [name for name in names if name]


def issuing_run(credential: Credential, means: Means) -> RunRow | None:
    """Return the open run that was issued a credential; None where none was."""
    names = issued_names(credential.connection, credential.key_id, credential.fingerprint)
    run = means.store.holder(names)
    return next((row for row in means.store.runs() if row.run == run), None) if run else None


def issued_by_us(judgement: Judgement, means: Means) -> Judgement:
    """Return a judgement that takes into account what our own runs were issued: that is ours, whoever found it."""
    if judgement.ownership is not Ownership.UNKNOWN:
        return judgement
    row = issuing_run(judgement.credential, means)
    if row is None:
        return judgement
    entries = Timeline(means.store, means.sealer, means.clock, row.incident).entries()
    for unit in fold(row.run, entries).units.values():
        issued = _credential(unit, judgement.credential)
        if issued is not None:
            return Judgement(Ownership.OURS, f"the run {row.run} was issued it", issued)
    return judgement


def _credential(unit: Unit, found: Credential) -> Credential | None:
    """Return the credential that a step was issued, if it is the one that was found."""
    value = unit.facts.get("value")
    fingerprint = str(value.get("fingerprint", "")) if isinstance(value, Mapping) else ""
    key_id, connection = str(unit.facts.get("key_id", "")), str(unit.planned.get("connection", ""))
    same_value = bool(fingerprint) and fingerprint == found.fingerprint
    same_key = bool(key_id) and (connection, key_id) == (found.connection, found.key_id)
    if unit.planned.get("declared") != "credential.issue" or not (same_value or same_key):
        return None
    given: Mapping[str, Any] = unit.planned.get("with", {})
    holder, consumer = given.get("holder"), given.get("consumer")
    return Credential(
        kind=found.kind,
        connection=connection,
        key_id=key_id,
        fingerprint=found.fingerprint or fingerprint,
        holders=(Holder.model_validate(holder),) if holder else (),
        consumers=(Consumer.model_validate(consumer),) if consumer else (),
    )


def linked(issuer: RunRow, run: str, credential: Credential) -> Draft:
    """Return the entry that pauses an issuing run's deliveries until a run about what it was issued has ended."""
    told = {"run": run, "credential": credential.label, "identifiers": list(credential.identifiers), "pauses": True}
    return Draft("linked", told, issuer.run)
