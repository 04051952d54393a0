"""Every credential that a finding has ever named, in any incident: none of them may come back."""

import json
import threading

from responder.incident import Credential
from responder.store import Store

_EVENTS = ("started", "left_alone", "linked")
"""The entries that say which credential was found."""


class Leaks:
    """The identifiers of every credential that a finding names. Reads only what it has not read yet."""

    def __init__(self, beside: Store | None = None) -> None:
        self._beside = beside
        """Another record that counts, too: that of a plan is empty."""
        self._read: dict[str, int] = {}
        self._named: set[str] = set()
        self._lock = threading.Lock()

    def named(self, store: Store) -> frozenset[str]:
        """Return the fingerprints, and the key ids as `connection:key id`, of whatever was found until now."""
        with self._lock:
            if self._beside is not None:
                self._catch_up(self._beside)
            self._catch_up(store)
            return frozenset(self._named)

    def _catch_up(self, store: Store) -> None:
        for incident in store.incidents():
            head = store.head(incident)
            seen = self._read.get(incident, 0)
            if head is None or head.seq <= seen:
                continue
            for row in store.rows(incident, seen, _EVENTS):
                self._named.update(_identifiers(row.payload))
            self._read[incident] = head.seq


def _identifiers(payload: str | None) -> tuple[str, ...]:
    """Return under which names an entry's credential is known; none where its facts were withheld."""
    facts = json.loads(payload) if payload else {}
    if "identifiers" in facts:  # somebody else's, or another run's
        return tuple(map(str, facts["identifiers"]))
    credential = facts.get("credential")
    return Credential.model_validate(credential).identifiers if isinstance(credential, dict) else ()
