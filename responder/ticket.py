"""What somebody wants written to a timeline, from when it is said until it is on disk."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from responder.entry import Draft, Entry, Fence, facts_of
from responder.redaction import Redactor
from responder.store import Also

_FREE = threading.Lock()


def held() -> threading.Lock:
    """Return a lock that is taken: whoever waits for it goes on when somebody else gives it back."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Payload(NamedTuple):
    """The facts of an entry as they are written."""

    text: str
    facts: Mapping[str, Any]
    """What reading the text gives."""
    learned: int
    """How many secrets the Redactor knew."""


@dataclass(eq=False, repr=False)  # nobody compares it, and it must never be shown
class Ticket:
    """What one caller wants written, and what came of it."""

    drafts: Sequence[Draft]
    fence: Fence | None
    also: Also | None
    at: datetime | None = None
    """When it was said, where it was not to be written at once."""
    after: int | None = None
    """The number of the entry after which alone it may stand, where it counts only as of that moment."""
    payloads: Sequence[Payload] = ()
    """What the drafts say, where that was needed before it is written."""
    entries: list[Entry] = field(default_factory=list)
    """What was written; to be looked at when it is done only."""
    error: Exception | None = None
    done: bool = False
    leads: bool = False
    """Whether its caller is to write for all who wait."""
    turn: threading.Lock = _FREE
    """Free as soon as it is written, or its caller is to lead; always where nobody waits for it."""

    def expected(self, incident: str) -> list[Entry]:
        """Return its entries as they will be; where they stand in the chain is not known yet."""
        if self.at is None:
            return []
        epoch = self.fence.epoch if self.fence else 0
        return [
            Entry(0, self.at, incident, one.run, one.event, one.step, one.actor, payload.facts, epoch, "", "")
            for one, payload in zip(self.drafts, self.payloads, strict=True)
        ]


def payload_of(facts: Mapping[str, Any], redactor: Redactor, made: Payload | None = None) -> Payload:
    """Return facts as canonical JSON in which no secret is left; `made`: as they were before, if they were."""
    learned = redactor.learned
    if made is not None and made.learned == learned:
        return made
    text = _canonical(facts).encode(errors="replace").decode()  # a server's JSON may hold half a character
    if redactor.scrub(text) != text or "\\" in text:
        text = _canonical(redactor.scrub_data(json.loads(text)))
    return Payload(text, facts_of(text), learned)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode
