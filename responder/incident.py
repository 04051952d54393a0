"""Everything about one leak: whose credential it is, decided offline, and the facts from which clocks start."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from responder.finding import Finding
from responder.settings import Consumer, CredentialEntry, Holder, Settings

CLOCK_FIELDS = ("aware_at", "exposed_at", "reported_at", "public_coverage_at")
"""The moments of an incident that a person may correct."""
FIELDS = (*CLOCK_FIELDS, "severity", "codename")
"""The fields of an incident that `set` knows; every other name becomes a fact for documents."""


_COLOURS = ("amber", "brass", "cobalt", "coral", "ebony", "flint", "indigo", "ivory", "jade", "lilac", "ochre", "olive", "pearl", "rust", "slate", "umber")
_BIRDS = ("avocet", "bittern", "curlew", "dunlin", "egret", "finch", "godwit", "heron", "ibis", "kestrel", "lapwing", "merlin", "osprey", "plover", "siskin", "wren")


def codename(incident: str) -> str:
    """Return the name by which people speak of an incident without saying what it is about."""
    number = int.from_bytes(hashlib.sha256(incident.encode()).digest()[:2])
    return f"{_COLOURS[number % 16]}-{_BIRDS[number // 16 % 16]}"


class Ownership(StrEnum):
    """Whose a credential is. Only what is ours may be presented to its provider, or ended."""

    OURS = "ours"
    THIRD_PARTY = "third party"
    CANARY = "canary"
    UNKNOWN = "unknown"


class Credential(BaseModel):
    """The credential that a run is about. Its value is sealed under `blob`, and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    kind: str = ""
    connection: str = ""
    key_id: str = ""
    fingerprint: str = ""
    blob: str = ""
    owner: str = ""
    shared: bool = False
    holders: tuple[Holder, ...] = ()
    consumers: tuple[Consumer, ...] = ()

    @property
    def label(self) -> str:
        """How people call it: its id in the inventory, else its key id, else its fingerprint."""
        return self.id or self.key_id or self.fingerprint

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Everything under which it can be locked."""
        named = (f"{self.connection}:{self.key_id}" if self.key_id else "", self.fingerprint, f"inventory:{self.id}" if self.id else "")
        return tuple(name for name in named if name)


@dataclass(frozen=True)
class Judgement:
    """Whose a found credential is, and why."""

    ownership: Ownership
    reason: str
    credential: Credential


Recognise = Callable[[Finding], tuple[str, str] | None]
"""Reads connection and key id out of a value, offline; None where no connection's shape fits."""
FingerprintOf = Callable[[CredentialEntry], str]
"""The fingerprint of an inventory entry's value; empty where it is not known."""


def judge(finding: Finding, settings: Settings, recognise: Recognise, fingerprint_of: FingerprintOf) -> Judgement:
    """Decide whose a credential is from the inventory, the canaries and the identifier itself; nothing is sent.

    A connection to the same provider is no evidence: without an entry in the inventory it is not ours.
    """
    recognised = recognise(finding)
    connection, key_id = recognised or (finding.connection, finding.key_id)
    key_id = finding.key_id or key_id
    found = Credential(kind=finding.kind, connection=finding.connection or connection, key_id=key_id, fingerprint=finding.fingerprint)
    if canary := _canary(settings, finding, key_id):
        return Judgement(Ownership.CANARY, f"it is on the list of canaries ({canary})", found)
    for entry in settings.inventory:
        matched = _matches(entry, found, fingerprint_of)
        if matched:
            return Judgement(Ownership.OURS, f"the inventory holds it as {entry.id!r}, by its {matched}", _ours(entry, found))
    if recognised:
        reason = f"its form is that of {connection!r}, but the inventory does not hold it"
        return Judgement(Ownership.UNKNOWN, reason, found)
    return Judgement(Ownership.UNKNOWN, "neither the inventory nor its form tells whose it is", found)


def _canary(settings: Settings, finding: Finding, key_id: str) -> str:
    """Return the canary that a finding is, if it is one."""
    names = {key_id, finding.fingerprint, finding.key_id} - {""}
    for canary in settings.canaries:
        if canary.startswith("/"):
            if any(re.fullmatch(canary.strip("/"), name) for name in names):
                return canary
        elif canary in names:
            return canary
    return ""


def _matches(entry: CredentialEntry, found: Credential, fingerprint_of: FingerprintOf) -> str:
    """Return by what an inventory entry is the found credential; empty where it is not."""
    known = fingerprint_of(entry)
    if known and known == found.fingerprint:
        return "fingerprint"
    same_issuer = not found.connection or found.connection == entry.connection
    contradicts = bool(known and found.fingerprint and known != found.fingerprint)
    if entry.key_id and entry.key_id == found.key_id and same_issuer and not contradicts:
        return "key id"
    return ""


def _ours(entry: CredentialEntry, found: Credential) -> Credential:
    return Credential(
        id=entry.id,
        kind=entry.kind,
        connection=entry.connection,
        key_id=entry.key_id or found.key_id,
        fingerprint=found.fingerprint,
        owner=entry.owner,
        shared=entry.shared,
        holders=entry.holders,
        consumers=entry.consumers,
    )


def selects(match: dict[str, Any], finding: Finding, credential: Credential, provider: str) -> bool:
    """Tell whether a playbook's `match` asks for nothing that this finding is not."""
    facts = {
        "provider": provider,
        "kind": credential.kind,
        "exposure": finding.exposure.kind,
        "shared": credential.shared,
        "credential": credential.id,
    }
    return all(facts.get(key) == wanted for key, wanted in match.items())
