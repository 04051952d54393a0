"""The moments at which clocks start, and the small language in which a deadline's `from` names them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from responder.dates import Calendar, Span, read_span
from responder.source import nearest

CLOCKS = {
    "aware_at": "since when we know",
    "suspected_at": "the first credible sign, where that counts before we are sure",
    "discovered_at": "the discovery, as laws on personal information say it",
    "exposed_at": "since when the credential could be seen",
    "reported_at": "when somebody told us",
    "public_coverage_at": "when the public wrote or spoke of it",
    "personal_data_at": "the first sign that personal data is concerned",
    "classified_at": "when the incident was classified, as major or significant",
    "materiality_at": "when it was determined that the incident is material",
    "fix_available_at": "when a correction of the product was there for its users",
    "disclosure_received_at": "when a protected report of a person reached us",
}
"""The moments of an incident that people say, each with its meaning; `contained_at` is proven, and nobody says it."""
PROVEN = "contained_at"

_MOST_TEXT = 400
_DEEPEST = 5
_NAME = r"[a-z][a-z0-9-]*(?:/[a-z][a-z0-9-]*)*"
_FIELD = r"incident\.([a-z_]+)"
_CALL = r"(min|max|submitted)\s*\("
_TO_END = r"[^,()+]*"
_HOW = "begin with `incident.FIELD`, `submitted(DEADLINE)`, `min(...)` or `max(...)`"


class Clock(NamedTuple):
    """A moment of the incident."""

    name: str

    def __str__(self) -> str:
        """Show it as a playbook writes it."""
        return f"incident.{self.name}"


@dataclass(frozen=True)
class Submission:
    """The moment at which another deadline was met."""

    deadline: str
    place: int = field(default=0, compare=False)
    """Where in the text the other deadline is named."""

    def __str__(self) -> str:
        """Show it as a playbook writes it."""
        return f"submitted({self.deadline})"


class Later(NamedTuple):
    """A span after another moment."""

    start: "Anchor"
    span: Span

    def __str__(self) -> str:
        """Show it as a playbook writes it."""
        return f"{self.start} + {self.span}"


class Choice(NamedTuple):
    """The earliest or the latest of several moments."""

    which: str
    """`min` or `max`."""
    of: tuple["Anchor", ...]

    def __str__(self) -> str:
        """Show it as a playbook writes it."""
        return f"{self.which}({', '.join(map(str, self.of))})"


Anchor = Clock | Submission | Later | Choice


class AnchorError(ValueError):
    """A text that names no moment, and at which of its characters, counted from nothing."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


def read_anchor(text: object) -> Anchor:
    """Read a `from`. AnchorError for anything that names no moment, with the place inside the text."""
    if isinstance(text, Anchor):
        return text
    if not isinstance(text, str):
        raise AnchorError(f"it is no text; {_HOW}", 0)
    if len(text) > _MOST_TEXT:
        raise AnchorError(f"longer than {_MOST_TEXT} characters", 0)
    reader = _Reader(text)
    anchor = reader.term(0)
    if reader.rest():
        raise AnchorError(f"nothing is expected at {reader.rest()[:20]!r}", reader.at)
    return anchor


class _Reader:
    """Reads an anchor from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def rest(self) -> str:
        """Return what is left, from its first character that is no space."""
        self.at += len(self.text[self.at :]) - len(self.text[self.at :].lstrip())
        return self.text[self.at :]

    def term(self, depth: int) -> Anchor:
        """Read a moment, and the spans that are added to it."""
        found = self._moment(depth)
        while self.rest().startswith("+"):
            self.at += 1
            self.rest()
            words = re.match(_TO_END, self.text[self.at :])
            text = words[0] if words else ""
            try:
                found = Later(found, read_span(text))
            except ValueError as error:
                raise AnchorError(str(error), self.at) from None
            self.at += len(text)
        return found

    def _moment(self, depth: int) -> Anchor:
        rest, start = self.rest(), self.at
        if depth > _DEEPEST:
            raise AnchorError(f"nested deeper than {_DEEPEST} levels", start)
        if clock := re.match(_FIELD, rest):
            self.at += clock.end()
            return Clock(_known(clock[1], start + len("incident.")))
        call = re.match(_CALL, rest)
        if call is None:
            raise AnchorError(f"{rest[:20]!r} is no moment; {_HOW}" if rest else f"a moment is missing; {_HOW}", start)
        self.at += call.end()
        if call[1] == "submitted":
            return self._submission()
        inner = [self.term(depth + 1)]
        while self.rest().startswith(","):
            self.at += 1
            inner.append(self.term(depth + 1))
        self._close(call[1])
        if len(inner) == 1:
            raise AnchorError(f"{call[1]}(...) chooses between two moments or more", start)
        return Choice(call[1], tuple(inner))

    def _submission(self) -> Anchor:
        name = re.match(_NAME, self.rest())
        if name is None:
            raise AnchorError("submitted(...) names a deadline", self.at)
        place = self.at
        self.at += name.end()
        self._close("submitted")
        return Submission(name[0], place)

    def _close(self, what: str) -> None:
        if not self.rest().startswith(")"):
            raise AnchorError(f"{what}(...) is not closed here", self.at)
        self.at += 1


def _known(name: str, place: int) -> str:
    known = [*CLOCKS, PROVEN]
    if name in known:
        return name
    near = nearest(name, known)
    told = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
    raise AnchorError(f"an incident has no moment {name!r}; {told}", place)


def parts(anchor: Anchor) -> Iterator[Anchor]:
    """Yield an anchor and everything that it is made of."""
    yield anchor
    inner = anchor.of if isinstance(anchor, Choice) else (anchor.start,) if isinstance(anchor, Later) else ()
    for one in inner:
        yield from parts(one)


def under(anchor: Anchor, parent: str) -> Anchor:
    """Return an anchor of a sub-playbook as it is called in the whole: its deadlines stand below the step."""
    if isinstance(anchor, Submission):
        return Submission(f"{parent}/{anchor.deadline}", anchor.place)
    if isinstance(anchor, Later):
        return Later(under(anchor.start, parent), anchor.span)
    if isinstance(anchor, Choice):
        return Choice(anchor.which, tuple(under(one, parent) for one in anchor.of))
    return anchor


class Moments(NamedTuple):
    """What has happened so far; None for what has not."""

    clock: Callable[[str], datetime | None]
    submitted: Callable[[str], datetime | None]


class Found(NamedTuple):
    """When something is, as far as is known."""

    at: datetime | None
    awaits: tuple[Clock | Submission, ...] = ()
    """What has not happened: without a time it hangs on these, with one they may make it earlier."""


def find(anchor: Anchor, moments: Moments, days: Calendar) -> Found:
    """Return when an anchor is. `min` counts what has happened so far, `max` waits for all."""
    if isinstance(anchor, Clock | Submission):
        at = moments.clock(anchor.name) if isinstance(anchor, Clock) else moments.submitted(anchor.deadline)
        return Found(at, () if at else (anchor,))
    if isinstance(anchor, Later):
        start = find(anchor.start, moments, days)
        return Found(anchor.span.after(start.at, days) if start.at else None, start.awaits)
    found = [find(one, moments, days) for one in anchor.of]
    times = [one.at for one in found if one.at is not None]
    awaits = tuple(dict.fromkeys(waiting for one in found for waiting in one.awaits))
    if anchor.which == "min":
        return Found(min(times, default=None), awaits)
    return Found(max(times) if len(times) == len(found) else None, awaits)
