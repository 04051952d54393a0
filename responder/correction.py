"""A correction of a moment from which clocks start, and what the record says of one that waits for people."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from responder.entry import Entry
from responder.unit import Ask

PREFIX = "set:"
"""How the address of a correction begins: `set:aware_at`, as a person answers it."""


class Move(NamedTuple):
    """A deadline of a run that a correction moves."""

    run: str
    deadline: str
    role: str
    """Who owns it."""
    old: datetime
    new: datetime | None
    """None where it would not be due any more."""

    @property
    def is_later(self) -> bool:
        """Whether there would be more time than before: its owner must agree to that."""
        return self.new is None or self.new > self.old

    def document(self) -> dict[str, Any]:
        """Return it as the record keeps it."""
        new = self.new.isoformat() if self.new else None
        return {"run": self.run, "deadline": self.deadline, "role": self.role, "old": self.old.isoformat(), "new": new}


def read_move(data: Mapping[str, Any]) -> Move:
    """Return a move as the record keeps it."""
    new = datetime.fromisoformat(data["new"]) if data["new"] else None
    return Move(data["run"], data["deadline"], data["role"], datetime.fromisoformat(data["old"]), new)


def digest_of(name: str, old: object, new: object, moves: Sequence[Move]) -> str:
    """Return what an agreement to a correction signs: the field, both values, and every due time that moves."""
    told = [name, old, new, sorted([list(map(str, move.document().values())) for move in moves])]
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()


@dataclass
class Correction:
    """A correction that is asked about: until every owner has agreed the old value counts."""

    name: str
    """The moment of the incident that it is about."""
    old: Any
    new: Any
    digest: str
    by: str
    """Who asks for it, and so cannot agree."""
    at: datetime
    text: str
    moves: tuple[Move, ...]
    roles: list[str]
    """The owners who have not agreed yet."""
    agreed: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Under which address it is answered."""
        return f"{PREFIX}{self.name}"

    def asks(self) -> list[Ask]:
        """Return its open questions, one for each owner who has not agreed. Silence changes nothing."""
        return [
            Ask(
                kind="approval", unit=self.address, role=role, at=self.at, due_at=None, on_timeout="",
                digest=self.digest, text=self.text, by=self.by, agreed=list(self.agreed),
            )
            for role in self.roles
        ]  # fmt: skip


def proposed(entry: Entry) -> Correction:
    """Return the correction that an entry asks for."""
    facts = entry.facts
    return Correction(
        name=facts["field"], old=facts["old"], new=facts["new"], digest=facts["digest"], by=entry.actor, at=entry.at,
        text=facts["text"], moves=tuple(map(read_move, facts["moves"])), roles=list(facts["roles"]),
    )  # fmt: skip


def agreed(waiting: dict[str, Correction], entry: Entry) -> Correction | None:
    """Take an owner's agreement into account; return the correction once all have agreed."""
    found = waiting.get(entry.step)
    if found is None or found.digest != entry.facts["digest"]:
        return None
    found.agreed.append(entry.actor)
    found.roles = [role for role in found.roles if role not in entry.facts["roles"]]
    return None if found.roles else waiting.pop(entry.step)


def declined(waiting: dict[str, Correction], entry: Entry) -> None:
    """Take an owner's refusal into account: what was asked for is gone, the old value stays."""
    found = waiting.get(entry.step)
    if found is not None and found.digest == entry.facts["digest"]:
        del waiting[entry.step]
