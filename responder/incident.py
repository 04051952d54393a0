"""Everything about one leak: whose credential it is, decided offline, and the facts from which clocks start."""

import hashlib
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from responder.anchors import CLOCKS
from responder.finding import Finding
from responder.settings import Consumer, CredentialEntry, Holder, Settings

CLOCK_FIELDS = tuple(CLOCKS)
"""The moments of an incident that a person may say, and correct."""
FIELDS = (*CLOCK_FIELDS, "severity", "codename")
"""The fields of an incident that `set` knows; every other name becomes a fact for documents."""
SEVERITIES = ("P1", "P2", "P3", "P4")
"""How severe an incident may be, the worst first."""


_COLOURS = (
    "amber",
    "brass",
    "cobalt",
    "coral",
    "ebony",
    "flint",
    "indigo",
    "ivory",
    "jade",
    "lilac",
    "ochre",
    "olive",
    "pearl",
    "rust",
    "slate",
    "umber",
)
_BIRDS = (
    "avocet",
    "bittern",
    "curlew",
    "dunlin",
    "egret",
    "finch",
    "godwit",
    "heron",
    "ibis",
    "kestrel",
    "lapwing",
    "merlin",
    "osprey",
    "plover",
    "siskin",
    "wren",
)


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

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

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
        named = (
            f"{self.connection}:{self.key_id}" if self.key_id else "",
            self.fingerprint,
            f"inventory:{self.id}" if self.id else "",
        )
        return tuple(name for name in named if name)

    def held_by(self, person: str, email: object) -> bool:
        """Tell whether somebody was given it: by their id, or by their mail address however it is written."""
        mail = mailbox(email)
        return any(one.person == person or (mail and mailbox(one.email) == mail) for one in self.holders)


def mailbox(address: object) -> str:
    """Return a mail address as it is compared with others; empty where there is none."""
    return str(address or "").strip().casefold()


class Judgement(NamedTuple):
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
    connection, own_key_id = recognised or ("", "")
    key_id = own_key_id or finding.key_id
    found = Credential(
        kind=finding.kind, connection=finding.connection or connection, key_id=key_id, fingerprint=finding.fingerprint
    )
    if canary := canary_of(settings, {finding.key_id, own_key_id, finding.fingerprint}):
        return Judgement(Ownership.CANARY, f"it is on the list of canaries ({canary})", found)
    known: list[tuple[CredentialEntry, str]] = []
    for entry in settings.inventory:
        fingerprint = fingerprint_of(entry)
        known.append((entry, fingerprint))
        if fingerprint and fingerprint == found.fingerprint:
            return Judgement(
                Ownership.OURS,
                f"the inventory holds it as {entry.id!r}, by its fingerprint",
                _ours(entry, found, own_key_id),
            )
    if own_key_id and finding.key_id and own_key_id != finding.key_id:
        reason = f"the report calls it {finding.key_id!r}, and its value says that it is {own_key_id!r}"
        return Judgement(Ownership.UNKNOWN, reason, found)
    named = [entry for entry, kept in known if _is_named(entry, found, kept)]
    if len(named) == 1:
        return Judgement(
            Ownership.OURS, f"the inventory holds it as {named[0].id!r}, by its key id", _ours(named[0], found, key_id)
        )
    if named:
        several = ", ".join(repr(entry.id) for entry in named)
        return Judgement(
            Ownership.UNKNOWN,
            f"its key id fits several entries of the inventory ({several}): name its connection",
            found,
        )
    if recognised:
        reason = f"its form is that of {connection!r}, but the inventory does not hold it"
        return Judgement(Ownership.UNKNOWN, reason, found)
    return Judgement(Ownership.UNKNOWN, "neither the inventory nor its form tells whose it is", found)


def canary_of(settings: Settings, names: set[str]) -> str:
    """Return the canary that goes by one of these names, if one does."""
    names = names - {""}
    for canary in settings.canaries:
        if canary.startswith("/"):
            if any(re.fullmatch(canary.strip("/"), name) for name in names):
                return canary
        elif canary in names:
            return canary
    return ""


def _is_named(entry: CredentialEntry, found: Credential, fingerprint: str) -> bool:
    """Tell whether a key id names an inventory entry, and nothing contradicts it."""
    same_issuer = not found.connection or found.connection == entry.connection
    contradicts = bool(fingerprint and found.fingerprint and fingerprint != found.fingerprint)
    return bool(entry.key_id) and entry.key_id == found.key_id and same_issuer and not contradicts


def _ours(entry: CredentialEntry, found: Credential, key_id: str) -> Credential:
    """Return the credential as the inventory knows it; a report alone never says which key is ended."""
    return Credential(
        id=entry.id,
        kind=entry.kind,
        connection=entry.connection,
        key_id=entry.key_id or key_id,
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
