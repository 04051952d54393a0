"""What an incident's record tells: its runs folded, its lengths of time, its answers and its troubles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder.entry import Entry
from responder.errors import RecordError
from responder.fold import fold
from responder.playbook import Step
from responder.rendition import moment
from responder.state import NOTICE, RunState
from responder.unit import ENDED_WELL, Unit

TOOK_EFFECT = ("applied", "reconciled", "unchanged")
"""The events that say when a change, or a message, was there."""


@dataclass(frozen=True)
class Span:
    """One length of time, or why it is not known."""

    name: str
    measured: str
    """From where to where."""
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What a person, or nobody, said to a question."""

    step: str
    kind: str
    question: str
    answer: str
    by: str
    """The id of the person; empty where nobody answered."""
    role: str
    asked_at: datetime
    at: datetime
    seq: int


@dataclass(frozen=True)
class Trouble:
    """Something that did not go as planned, as often as it happened to one step."""

    kind: str
    step: str
    what: str
    count: int
    first: int
    last: int


class Story:
    """An incident's entries, with each of its runs folded."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        runs = [entry.run for entry in entries if entry.event == "started"]
        if not runs:
            raise RecordError("The record holds no run", where=entries[0].incident if entries else "")
        self.states = {run: fold(run, entries) for run in runs}
        self.main = self.states[runs[0]]
        self.began_at = next(entry.at for entry in entries if entry.event == "started")
        self.effect_at: dict[tuple[str, str], datetime] = {}
        """When each step or item took effect, for the first time."""
        for entry in entries:
            if entry.event in TOOK_EFFECT:
                self.effect_at.setdefault((entry.run, entry.step), entry.at)

    def name_of(self, state: RunState) -> str:
        """Return how another run than the main one is told apart from it; nothing for that one."""
        if state is self.main:
            return ""
        return NOTICE if state.purpose == NOTICE else state.credential.label

    def units(self, state: RunState, step: Step) -> list[Unit]:
        """Return a step's items, or the step itself where it has none."""
        if step.id in state.items:
            return [state.unit(f"{step.id}[{key}]") for key in state.items[step.id].values]
        return [state.unit(step.id)]

    def effective_at(self, state: RunState, unit: Unit) -> datetime | None:
        """Return when a step or item took effect; the end of what changes nothing."""
        return self.effect_at.get((state.run, unit.address)) or (unit.ended_at if unit.status in ENDED_WELL else None)

    def death(self, state: RunState) -> tuple[datetime | None, datetime | None]:
        """Return the first refusal after the last acceptance, and when it was proven; nothing until then."""
        proofs = {step.id for step in state.playbook.steps if step.action == "credential.prove_dead"}
        looks = [
            entry
            for entry in self.entries
            if entry.run == state.run and entry.step in proofs and "verdict" in entry.facts
        ]
        if not looks or looks[-1].facts["verdict"] != "dead":
            return None, None
        facts: Mapping[str, Any] = looks[-1].facts.get("facts", {})
        return moment_or_none(facts.get("first_refused_at")) or looks[-1].at, looks[-1].at

    @property
    def disabled_at(self) -> datetime | None:
        """When the credential was ended at its issuer: before anybody proved it."""
        ends = {"credential.disable", "credential.revoke"}
        found = (
            self.effect_at.get((self.main.run, step.id)) for step in self.main.playbook.steps if step.action in ends
        )
        return min((at for at in found if at is not None), default=None)

    def restored_at(self) -> datetime | None:
        """When the last step of the recovery had ended well; nothing while one has not."""
        units = [
            unit
            for step in self.main.playbook.steps
            if step.phase == "recovery"
            for unit in self.units(self.main, step)
        ]
        if not units or any(unit.status not in ENDED_WELL for unit in units):
            return None
        return max((unit.ended_at for unit in units if unit.ended_at), default=None)


def moment_or_none(value: Any) -> datetime | None:
    """Return a time, or None where there is none."""
    return moment(value) if value else None


def spans(story: Story, clocks: Mapping[str, datetime | None]) -> Iterator[Span]:
    """Yield every length of time, by the definitions in the glossary."""
    contained, dead = story.death(story.main)
    alert = clocks["reported_at"] or clocks["aware_at"]
    points = {
        "exposed": clocks["exposed_at"], "reported": alert, "aware": clocks["aware_at"],
        "run started": story.began_at, "disabled": story.disabled_at, "first refused for good": contained,
        "proven dead": dead, "access restored": story.restored_at(),
    }  # fmt: skip
    for name, start, end in (
        ("exposure", "exposed", "first refused for good"),
        ("TTD", "exposed", "reported"),
        ("TTN", "reported", "run started"),
        ("time to disabled", "aware", "disabled"),
        ("time to proven dead", "aware", "proven dead"),
        ("TTC", "run started", "proven dead"),
        ("TTVerify", "disabled", "proven dead"),
        ("TTR", "first refused for good", "access restored"),
    ):
        first, last = points[start], points[end]
        missing = " and ".join(point for point in (start, end) if points[point] is None)
        seconds = (last - first).total_seconds() if first and last else None
        yield Span(
            name,
            f"{start} to {end}",
            seconds,
            f"the record does not say when it was {missing}" if missing else "",
        )


_NO_ANSWER = {
    "proceed": "nobody answered: went on",
    "abort": "nobody answered: not done",
    "escalate": "nobody answered: asked somebody else",
}


def answers(entries: Sequence[Entry]) -> Iterator[Answer]:
    """Yield every answer to a question, in order; silence where the time ran out."""
    asked: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = (entry.run, entry.step)
        if entry.event in {"asked", "proposed"}:
            asked[key] = entry
        elif entry.event in {"agreed", "declined", "decided", "answered", "expired"} and key in asked:
            question = asked[key]
            kind = str(question.facts["kind"])
            by = "" if entry.event == "expired" else entry.actor
            role = str(entry.facts.get("role") or question.facts.get("role", ""))
            yield Answer(
                entry.step,
                kind,
                str(question.facts.get("text", "")),
                _said(entry),
                by,
                role,
                question.at,
                entry.at,
                entry.seq,
            )


def _said(entry: Entry) -> str:
    """Return an answer in words."""
    facts = entry.facts
    inner: Mapping[str, Any] = facts.get("facts") or {}
    if entry.event == "agreed":
        return "approved"
    if entry.event == "declined":
        return f"declined: {facts.get('reason') or 'no reason given'}"
    if entry.event == "expired":
        return _NO_ANSWER.get(str(facts.get("consequence")), "nobody answered")
    return str(facts.get("answer") or inner.get("choice") or inner.get("said") or "done")


_TROUBLES = {
    "failed": "failed",
    "retrying": "tried again",
    "unknown": "outcome unknown",
    "reconciled": "found done by reading back",
    "not_sent": "not sent in time",
    "expired": "nobody answered",
    "halted": "run halted",
    "aborted": "run aborted",
}


def troubles(entries: Sequence[Entry]) -> Iterator[Trouble]:
    """Yield what went otherwise than planned, the items of a step together."""
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if entry.event in _TROUBLES:
            found.setdefault((entry.run, entry.step.partition("[")[0], entry.event), []).append(entry)
    for (_, step, event), group in found.items():
        facts = group[-1].facts
        what = str(facts.get("error") or facts.get("reason") or "")
        yield Trouble(_TROUBLES[event], step, what, len(group), group[0].seq, group[-1].seq)
