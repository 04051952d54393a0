"""The picture of a run: a lane for each step, with its work, its waiting and its marks, on one axis."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder.entry import Entry
from responder.playbook import Step
from responder.rendition import exact, span
from responder.state import RunState
from responder.story import Story

_LEFT, _RIGHT, _TOP, _LANE = 236.0, 916.0, 34.0, 26.0
_APART = 62.0
"""How many units must lie between two labels of the axis."""
_TICKS = (
    0, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800,
    604800, 1209600, 2592000,
)  # fmt: skip
_PHASES = ("preparation", "analysis", "containment", "eradication", "recovery", "communication", "review")


@dataclass(frozen=True)
class Piece:
    """Something on a lane: a bar, a stretch of waiting, or a mark (which has no width)."""

    x: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True)
class Lane:
    """A step, or the heading of a phase."""

    y: float
    label: str
    status: str
    phase: str
    heading: bool
    pieces: tuple[Piece, ...]
    note: str


@dataclass(frozen=True)
class Tick:
    """A moment that the axis names."""

    x: float
    label: str
    kind: str = "tick"
    anchor: str = "middle"


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws."""

    height: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    events: tuple[Tick, ...]
    bottom: float


class _Axis:
    """Puts times on a line: the first minutes of an incident get more of it than its last hours."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self._total = max((end - start).total_seconds(), 1.0)
        self._bend = max(self._total / 40, 1.0)

    def x(self, at: datetime) -> float:
        """Return where a time lies."""
        return self._place((at - self.start).total_seconds())

    def _place(self, seconds: float) -> float:
        share = math.log1p(max(seconds, 0.0) / self._bend) / math.log1p(self._total / self._bend)
        return round(_LEFT + min(share, 1.0) * (_RIGHT - _LEFT), 1)

    def ticks(self) -> Iterator[Tick]:
        """Yield the round times that have room."""
        last = -math.inf
        for seconds in _TICKS:
            place = self._place(seconds)
            if seconds <= self._total and place - last >= _APART:
                last = place
                label = f"{seconds} s" if seconds < 60 else span(seconds)  # noqa: PLR2004 - a minute
                yield Tick(place, f"+{label}" if seconds else "start")


def chart(story: Story) -> Chart:
    """Return the picture of an incident's runs."""
    axis = _Axis(story.began_at, story.entries[-1].at)
    lanes: list[Lane] = []
    for state in story.states.values():
        steps = sorted(state.playbook.steps, key=lambda step: (_PHASES.index(step.phase), _began(state, step)))
        name = story.name_of(state)
        prefix = f"{name}: " if name else ""
        heading = ""
        for step in steps:
            if step.phase != heading:
                heading = step.phase
                lanes.append(Lane(_y(lanes), prefix + heading, "", heading, True, (), ""))
            lanes.append(_lane(story, state, step, axis, _y(lanes)))
    bottom = _y(lanes)
    contained, dead = story.death(story.main)
    events = [(contained, "refused for good", "contained"), (dead, "proven dead", "dead")]
    found = [(axis.x(at), name, kind) for at, name, kind in events if at]
    marks = tuple(Tick(x, name, kind, "end" if kind == "contained" else "start") for x, name, kind in found)
    return Chart(bottom + 34.0, tuple(lanes), tuple(axis.ticks()), marks, bottom)


def _y(lanes: Sequence[Lane]) -> float:
    return _TOP + len(lanes) * _LANE


def _began(state: RunState, step: Step) -> float:
    unit = state.unit(step.id)
    return unit.began_at.timestamp() if unit.began_at and unit.status != "skipped" else math.inf


def _lane(story: Story, state: RunState, step: Step, axis: _Axis, y: float) -> Lane:
    unit = state.unit(step.id)
    status = state.status(step.id)
    pieces: list[Piece] = []
    if unit.began_at is not None and status != "skipped":
        end = unit.ended_at or story.entries[-1].at
        kind = "failed" if status in {"failed", "declined"} else "open" if unit.ended_at is None else "bar"
        title = f"{step.id}: {exact(unit.began_at)} to {exact(end)} UTC, {status}"
        x = axis.x(unit.began_at)
        pieces.append(Piece(x, max(axis.x(end) - x, 3.0), kind, title))
    own = [entry for entry in story.entries if entry.run == state.run and entry.step.partition("[")[0] == step.id]
    pieces += _waits(own, axis, story.entries[-1].at)
    pieces += _marks(own, axis, message=step.action.startswith("notice."))
    return Lane(y, step.id, status, step.phase, False, tuple(pieces), _note(state, step))


def _waits(own: Sequence[Entry], axis: _Axis, end: datetime) -> Iterator[Piece]:
    """Yield the stretches in which people were asked and had not answered."""
    asked: dict[str, Entry] = {}
    for entry in own:
        if entry.event == "asked":
            asked[entry.step] = entry
        elif entry.step in asked and entry.event in {"agreed", "declined", "decided", "answered", "expired"}:
            yield _wait(asked.pop(entry.step), entry.at, axis)
    for question in asked.values():
        yield _wait(question, end, axis)


def _wait(question: Entry, until: datetime, axis: _Axis) -> Piece:
    role, x = question.facts.get("role") or "somebody", axis.x(question.at)
    waited = span((until - question.at).total_seconds())
    return Piece(x, max(axis.x(until) - x, 2.0), "wait", f"{role} was asked; {waited}")


def _marks(own: Sequence[Entry], axis: _Axis, *, message: bool) -> Iterator[Piece]:
    """Yield the moments that count: agreements, messages, troubles. Those on one spot are one mark."""
    seen: set[tuple[str, float]] = set()
    for entry in own:
        kind = _MARKS.get(entry.event, "")
        if entry.event == "applied":
            kind = "sent" if message else ""
        x = axis.x(entry.at)
        if kind and (kind, round(x / 9)) not in seen:
            seen.add((kind, round(x / 9)))
            yield Piece(x, 0.0, kind, f"{entry.event.replace('_', ' ')}, {exact(entry.at)} UTC (entry {entry.seq})")


_MARKS = {
    "agreed": "agreed", "decided": "agreed", "declined": "trouble", "expired": "trouble", "failed": "trouble",
    "retrying": "trouble", "unknown": "trouble", "reconciled": "trouble",
}  # fmt: skip


def _note(state: RunState, step: Step) -> str:
    """Return what a lane says besides its bar."""
    unit: Any = state.unit(step.id)
    if step.id in state.items:
        items = state.items[step.id]
        return f"{items.ended} of {len(items.values)}"
    status = state.status(step.id)
    return status if status in {"skipped", "failed", "declined", "waiting", "unknown"} or unit.ended_at is None else ""
