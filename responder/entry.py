"""One line of a timeline: as it is meant to be written, and as it was written."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json

from responder.errors import RecordError
from responder.store import Row


class Fence(NamedTuple):
    """An executor's right to write for a run: it ends when somebody else adopts the run."""

    run: str
    epoch: int
    executor: str = ""
    """Who has the turn: two that want the run at the same moment reckon with the same next epoch."""


class Draft(NamedTuple):
    """An entry that is not written yet."""

    event: str
    """What happened, a verb in the past tense."""
    facts: Mapping[str, Any] = {}
    run: str = ""
    step: str = ""
    """The step, or the item as `step[key]`."""
    actor: str = "responder"


class Entry(NamedTuple):
    """One line of a timeline."""

    seq: int
    at: datetime
    incident: str
    run: str
    event: str
    step: str
    actor: str
    facts: Mapping[str, Any]
    epoch: int
    prev: str
    hash: str
    withheld: bool = False

    def document(self) -> dict[str, Any]:
        """Return the entry as plain data, as `timeline --json` prints it."""
        return {
            "seq": self.seq,
            "at": self.at.isoformat(),
            "incident": self.incident,
            "run": self.run,
            "event": self.event,
            "step": self.step,
            "actor": self.actor,
            "facts": None if self.withheld else dict(self.facts),
            "prev": self.prev,
            "hash": self.hash,
        }


def entry_of(row: Row, facts: Mapping[str, Any] | None, at: datetime | None = None) -> Entry:
    """Return a row as an entry, with these facts; None where they were withheld. `at`: its time, where it is known."""
    return Entry(
        seq=row.seq,
        at=datetime.fromisoformat(row.at) if at is None else at,
        incident=row.incident,
        run=row.run,
        event=row.event,
        step=row.step,
        actor=row.actor,
        facts=facts if facts is not None else {},
        epoch=row.epoch,
        prev=row.prev,
        hash=row.hash,
        withheld=facts is None,
    )


def facts_of(payload: str) -> dict[str, Any]:
    """Return the facts that an entry's payload holds."""
    try:
        found: dict[str, Any] = from_json(payload, cache_strings="keys")  # a quarter of the time
    except ValueError:
        found = json.loads(payload)  # it is nested deeper, or it is none
    if not isinstance(found, dict):
        raise TypeError("facts are a mapping")
    return found


def read_entry(row: Row) -> Entry:
    """Return a stored row as an entry. RecordError where it is not what we write."""
    try:
        return entry_of(row, facts_of(row.payload) if row.payload is not None else None)
    except (ValueError, TypeError):
        raise RecordError(
            "An entry of the record was altered and cannot be read",
            where=f"{row.incident} entry {row.seq}",
            remedy=f"`responder verify {row.incident}`",
        ) from None
