"""The timeline in plain words: one row an entry, the items of a step folded, roles instead of names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.rendition import exact
from responder.story import Story
from responder.timeline import Entry


@dataclass
class Row:
    """One thing that happened, and the entries that show it."""

    at: datetime
    text: str
    entries: list[Entry] = field(default_factory=list)
    kind: str = "change"
    """`change`, `people`, `message`, `proof`, `trouble` or `frame`; what a page marks it with."""

    @property
    def evidence(self) -> str:
        """The numbers of its entries."""
        first, last, count = self.entries[0].seq, self.entries[-1].seq, len(self.entries)
        if count == 1:
            return f"entry {first}"
        return f"entries {first}-{last}" if last - first + 1 == count else f"{count} entries, {first}-{last}"

    @property
    def hash(self) -> str:
        """The hash of its last entry."""
        return self.entries[-1].hash


_KINDS = {
    "asked": "people", "agreed": "people", "declined": "people", "decided": "people", "answered": "people",
    "noted": "people", "set": "people", "written": "people", "failed": "trouble", "retrying": "trouble",
    "unknown": "trouble", "not_sent": "trouble", "expired": "trouble", "halted": "trouble", "aborted": "trouble",
    "reconciled": "trouble", "opened": "frame", "started": "frame", "adopted": "frame", "ended": "frame",
}  # fmt: skip
_BOOKKEEPING = frozenset({"began", "intended", "expanded"})
"""What is written before something happens; its outcome is the row."""


def rows(entries: Sequence[Entry]) -> list[Row]:
    """Return the timeline in plain words, in the order in which things began."""
    words = _Words(Story(entries))
    found: list[Row] = []
    folded: dict[tuple[str, ...], Row] = {}
    for entry in entries:
        if entry.event in _BOOKKEEPING and not words.is_last(entry):
            continue
        key = words.key(entry)
        row = folded.get(key) if key else None
        if row is None:
            row = Row(entry.at, "", [], words.kind(entry))
            found.append(row)
            if key:
                if "look" in key:  # looks fold only while they stay the same
                    folded = {other: one for other, one in folded.items() if other[:3] != key[:3]}
                folded[key] = row
        row.entries.append(entry)
    for row in found:
        row.text = words.of(row)
    return found


class _Words:
    """Puts entries into words, with what the runs say about their steps."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._steps = {
            (run, step.id): step for run, state in story.states.items() for step in state.playbook.steps
        }
        self._last = {(entry.run, entry.step): entry.seq for entry in story.entries}
        self._targets = {
            (entry.run, entry.step): str(entry.facts["target"])
            for entry in story.entries
            if entry.event == "planned" and entry.facts.get("target")
        }

    def is_last(self, entry: Entry) -> bool:
        """Tell whether nothing more happened to an entry's step."""
        return entry.event != "expanded" and self._last[(entry.run, entry.step)] == entry.seq

    def key(self, entry: Entry) -> tuple[str, ...]:
        """Return under which key an entry folds with others like it; nothing where it stands alone."""
        step = entry.step.partition("[")[0]
        if entry.event in {"observed", "done"} and "verdict" in entry.facts:
            return (entry.run, entry.step, "look", str(entry.facts["verdict"]))
        if "[" in entry.step or entry.event == "retrying":
            return (entry.run, step, entry.event)
        return ()

    def kind(self, entry: Entry) -> str:
        """Return what a page marks an entry with."""
        step = self._steps.get((entry.run, entry.step.partition("[")[0]))
        if entry.event in _KINDS:
            return _KINDS[entry.event]
        if step is not None and step.action == "credential.prove_dead":
            return "proof"
        return "message" if step is not None and step.action.startswith("notice.") else "change"

    def of(self, row: Row) -> str:
        """Return a row's words."""
        entry, count = row.entries[-1], len(row.entries)
        step = entry.step.partition("[")[0]
        state = self._story.states.get(entry.run)
        other = f"{state.credential.label}: " if state is not None and state is not self._story.main else ""
        if "[" in entry.step and state is not None:
            meant = len(state.items[step].values) if step in state.items else count
            return f"{other}{step}: {self._many(entry, count, meant)}{_between(row)}"
        say = _SAY.get(entry.event)
        text = say(self, entry) if say else entry.event.replace("_", " ")
        times = f" ({count} times{_between(row)})" if count > 1 else ""
        return (
            f"{other}{entry.step}: {text}{times}"
            if entry.step
            else f"{other}{text[:1].upper()}{text[1:]}{times}"
        )

    def _many(self, entry: Entry, count: int, meant: int) -> str:
        step = self._steps.get((entry.run, entry.step.partition("[")[0]))
        message = step is not None and step.action.startswith("notice.")
        done = {
            "planned": "texts rendered" if message else "planned",
            "applied": "notices sent" if message else "applied",
            "verified": "confirmed by reading back",
            "reconciled": "found done by reading back",
            "unchanged": "were so already",
            "retrying": "tries put off, and tried again",
            "unknown": "outcomes unknown at first",
            "not_sent": "not sent in time, and tried again",
            "began": "begun, without an outcome",
            "intended": "intended, without an outcome",
        }.get(entry.event, entry.event)
        return (
            f"{count} {done}"
            if entry.event in {"retrying", "unknown", "not_sent"}
            else f"{count} of {meant} {done}"
        )

    def role(self, entry: Entry) -> str:
        """Return in which role somebody acted; a review names no people."""
        if entry.facts.get("role"):
            return f"the {entry.facts['role']}"
        for state in self._story.states.values():
            roles = (state.people.get(entry.actor) or {}).get("roles") or ()
            if roles:
                return f"the {roles[0]}"
        return "responder" if entry.actor == "responder" else "somebody"

    def target(self, entry: Entry) -> str:
        """Return what an entry's step acts on."""
        return str(entry.facts.get("target") or self._targets.get((entry.run, entry.step)) or "")


def _between(row: Row) -> str:
    first, last = row.entries[0].at, row.entries[-1].at
    return f", {exact(first)[11:]} to {exact(last)[11:]} UTC" if len(row.entries) > 1 else ""


def _inner(entry: Entry) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = entry.facts.get("facts") or {}
    return facts


def _started(words: _Words, entry: Entry) -> str:
    state = words._story.states[entry.run]  # noqa: SLF001 - the functions below are parts of _Words
    return f"the playbook {state.playbook.playbook}, version {state.playbook.version}, was started for {state.credential.label}"


def _planned(words: _Words, entry: Entry) -> str:
    before, after = entry.facts.get("before"), entry.facts.get("after")
    if entry.facts.get("template"):
        return f"the text of {entry.facts['template']} was rendered"
    return f"planned for {words.target(entry)}: {before} becomes {after}"


def _asked(words: _Words, entry: Entry) -> str:
    what = {"approval": "asked to approve", "decide": "asked to decide", "task": "given a task"}
    due = f", by {exact(entry.facts['due_at'])} UTC" if entry.facts.get("due_at") else ""
    text = f": {entry.facts['text']}" if entry.facts.get("text") else ""
    return f"the {entry.facts.get('role') or 'commander'} was {what.get(str(entry.facts['kind']), 'asked what happened')}{due}{text}"


def _observed(words: _Words, entry: Entry) -> str:
    verdict = str(entry.facts.get("verdict", ""))
    if verdict == "dead":
        return f"proven dead; first refused at {exact(_inner(entry)['first_refused_at'])} UTC"
    surfaces = ", ".join(f"{name} {seen}" for name, seen in (_inner(entry).get("surfaces") or {}).items())
    return f"looked: {verdict}" + (f" ({surfaces})" if surfaces else "")


def _done(words: _Words, entry: Entry) -> str:
    if "verdict" in entry.facts:
        return _observed(words, entry)
    shown = [
        f"{name} {value}"
        for name, value in _inner(entry).items()
        if isinstance(value, str | int) and len(str(value)) <= 64
    ]  # noqa: PLR2004
    return "done" + (f": {', '.join(shown[:3])}" if shown else "")


def _set(words: _Words, entry: Entry) -> str:
    name = entry.facts.get("field")
    if entry.facts.get("of") != "incident":
        return f"{words.role(entry)} gave the fact {name}"
    return f"{words.role(entry)} corrected {name} from {entry.facts.get('old') or 'unknown'} to {entry.facts.get('new')}"


def _ended(words: _Words, entry: Entry) -> str:
    if entry.facts.get("contained"):
        return "the run ended; the credential is contained"
    open_ones = [
        str(one.get("why") or one.get("criterion"))
        for one in entry.facts.get("exit") or ()
        if not one.get("held")
    ]
    return "the run ended, and the credential does not count as contained" + (
        f": {'; '.join(open_ones)}" if open_ones else ""
    )


def _adopted(words: _Words, entry: Entry) -> str:
    epoch = int(entry.facts["epoch"])
    return (
        "an executor took the run up"
        if epoch == 1
        else f"another executor took the run over (number {epoch})"
    )


def _decided(words: _Words, entry: Entry) -> str:
    said = _inner(entry)
    return f"{words.role(entry)} answered: {said.get('choice') or said.get('said') or 'done'}"


_SAY: Mapping[str, Callable[[_Words, Entry], str]] = {
    "opened": lambda words, entry: "the incident was opened",
    "started": _started,
    "adopted": _adopted,
    "planned": _planned,
    "asked": _asked,
    "agreed": lambda words, entry: f"{words.role(entry)} approved",
    "declined": lambda words, entry: f"{words.role(entry)} declined: {entry.facts.get('reason') or 'no reason given'}",
    "decided": _decided,
    "answered": lambda words, entry: f"{words.role(entry)} said what became of it: {entry.facts.get('answer')}",
    "expired": lambda words, entry: f"nobody answered in time; the playbook says: {entry.facts.get('consequence')}",
    "applied": lambda words, entry: f"done at {words.target(entry)}" if words.target(entry) else "done",
    "verified": lambda words, entry: f"confirmed by reading back: {entry.facts.get('after') or 'it holds'}",
    "reconciled": lambda words, entry: f"found done by reading back: {entry.facts.get('reason', '')}",
    "unchanged": lambda words, entry: f"was so already: {entry.facts.get('reason', '')}",
    "unknown": lambda words, entry: f"it is not known whether it took effect: {entry.facts.get('reason', '')}",
    "retrying": lambda words, entry: f"put off, to be tried again: {entry.facts.get('error', '')}",
    "not_sent": lambda words, entry: f"not sent: {entry.facts.get('reason', '')}",
    "skipped": lambda words, entry: f"skipped: {entry.facts.get('reason', '')}",
    "failed": lambda words, entry: f"failed: {entry.facts.get('error', '')}",
    "observed": _observed,
    "done": _done,
    "began": lambda words, entry: "begun, without an outcome",
    "intended": lambda words, entry: f"about to change {words.target(entry)}, without an outcome",
    "opened_child": lambda words, entry: f"found another credential, {entry.facts.get('credential')}; a run of its own began",
    "linked": lambda words, entry: f"found {entry.facts.get('credential')}, which another run holds already",
    "left_alone": lambda words, entry: f"found a credential that is left alone: {entry.facts.get('reason', '')}",
    "joined": lambda words, entry: "the same credential was reported once more",
    "halted": lambda words, entry: f"the run halted: {', '.join(entry.facts.get('failed') or ())} failed",
    "resumed": lambda words, entry: f"{words.role(entry)} resumed the run",
    "aborted": lambda words, entry: f"{words.role(entry)} aborted the run: {entry.facts.get('reason', '')}",
    "retried": lambda words, entry: f"{words.role(entry)} had it tried again",
    "noted": lambda words, entry: f"{words.role(entry)} noted: {entry.facts.get('text', '')}",
    "set": _set,
    "written": lambda words, entry: f"{words.role(entry)} wrote into the review: {entry.facts.get('region')}",
    "withheld": lambda words, entry: f"facts of earlier entries were withheld: {entry.facts.get('reason', '')}",
    "ended": _ended,
}  # fmt: skip
