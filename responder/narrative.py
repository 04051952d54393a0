"""The timeline in plain words: one row an entry, the items of a step folded, roles instead of names."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.entry import Entry
from responder.lines import swept
from responder.rendition import exact
from responder.state import NOTICE
from responder.story import Story


@dataclass
class Row:
    """One thing that happened, and the entries that show it."""

    at: datetime
    text: str
    entries: list[Entry] = field(default_factory=list)
    kind: str = "change"
    """What a page marks it with: `change`, `people`, `message`, `proof`, `trouble` or `frame`."""

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
            if "look" in key:  # looks fold only while they stay the same
                folded = {other: one for other, one in folded.items() if other[:3] != key[:3]}
            folded[key] = row
        row.entries.append(entry)
    for row in found:
        row.text = words.of(row)
    return found


_BOOKKEEPING = frozenset({"began", "intended", "expanded"})
"""What is written before something happens; its outcome is the row."""

_KINDS: Mapping[str, str] = {
    "asked": "people", "agreed": "people", "declined": "people", "decided": "people", "answered": "people",
    "noted": "people", "set": "people", "proposed": "people", "requested": "people", "written": "people",
    "rendered": "people", "closed": "frame", "reopened": "frame", "mode": "people", "broke_glass": "trouble",
    "suppressed": "people",
    "offered": "people", "took_over": "people",
    "suspected": "people", "cleared": "people", "checked": "people", "uncaptured": "people",
    "failed": "trouble", "retrying": "trouble",
    "unknown": "trouble", "not_sent": "trouble", "expired": "trouble", "halted": "trouble",
    "aborted": "trouble", "reconciled": "trouble", "opened": "frame", "started": "frame",
    "adopted": "frame", "ended": "frame",
}  # fmt: skip

_MANY = {
    "planned": "planned",
    "applied": "applied",
    "verified": "confirmed by reading back",
    "reconciled": "found done by reading back",
    "unchanged": "were so already",
    "retrying": "put off and tried again",
    "unknown": "outcome unknown at first",
    "not_sent": "not sent in time and tried again",
    "began": "begun, without an outcome",
    "intended": "intended, without an outcome",
}
_MANY_MESSAGES = {"planned": "texts rendered", "applied": "notices sent"}
_MESSAGES = {"applied": "the notice was sent", "verified": "confirmed by reading back"}
_UNCOUNTED = frozenset({"retrying", "unknown", "not_sent"})
"""What can happen to one item more than once: counted, and not out of how many."""


class _Words:
    """Puts entries into words, with what the runs say about their steps."""

    def __init__(self, story: Story) -> None:
        self.states = story.states
        self._story = story
        steps = ((run, step) for run, state in story.states.items() for step in state.playbook.steps)
        self._messages = {(run, step.id) for run, step in steps if step.action.startswith("notice.")}
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
        """Return under which key an entry folds with others like it; its number where it stands alone."""
        step = entry.step.partition("[")[0]
        if entry.event in {"observed", "done"} and "verdict" in entry.facts:
            return (entry.run, entry.step, "look", str(entry.facts["verdict"]))
        if "[" in entry.step or (entry.step and entry.event == "retrying"):
            return (entry.run, step, entry.event)
        return (str(entry.seq),)

    def _is_message(self, entry: Entry) -> bool:
        return (entry.run, entry.step.partition("[")[0]) in self._messages

    def kind(self, entry: Entry) -> str:
        """Return what a page marks an entry with."""
        if entry.event in _KINDS:
            return _KINDS[entry.event]
        if "verdict" in entry.facts:
            return "proof"
        return "message" if self._is_message(entry) else "change"

    def of(self, row: Row) -> str:
        """Return a row's words."""
        entry, count = row.entries[-1], len(row.entries)
        state = self.states.get(entry.run)
        name = self._story.name_of(state) if state is not None else ""
        other = f"{name}: " if name else ""
        if "[" in entry.step and state is not None:
            return other + self._many(entry, count, state.items.get(entry.step.partition("[")[0]), _between(row))
        text = self.sentence(entry)
        times = f" ({count} times{_between(row)})" if count > 1 else ""
        return other + (f"{entry.step}: {text}" if entry.step else f"{text[:1].upper()}{text[1:]}") + times

    def _many(self, entry: Entry, count: int, items: Any, between: str) -> str:
        done = _MANY.get(entry.event, entry.event)
        if self._is_message(entry):
            done = _MANY_MESSAGES.get(entry.event, done)
        step = entry.step.partition("[")[0]
        if entry.event in _UNCOUNTED:
            return f"{step}: {done} {'once' if count == 1 else f'{count} times'}{between}"
        return f"{step}: {count} of {len(items.values) if items else count} {done}{between}"

    def sentence(self, entry: Entry) -> str:
        """Return what one entry says; an event that nobody foresaw is named as it is."""
        if entry.event in _MESSAGES and self._is_message(entry):
            return _MESSAGES[entry.event]
        special = _SPECIAL.get(entry.event)
        if special is not None:
            return special(self, entry)
        pattern = _SAY.get(entry.event, entry.event.replace("_", " "))
        known = {**entry.facts, "role": self.role(entry), "target": self.target(entry)}
        known["actor"] = self.role(entry._replace(facts={}))
        facts = defaultdict(str, known)  # what is not there is left out
        facts |= {name: ", ".join(map(str, value)) for name, value in entry.facts.items() if isinstance(value, list)}
        return pattern.format_map(facts).removesuffix(": ").removesuffix(" at ")

    def role(self, entry: Entry) -> str:
        """Return in which role somebody acted; a review names no people."""
        if entry.facts.get("role"):
            return str(entry.facts["role"])
        for state in self.states.values():
            roles = (state.people.get(entry.actor) or {}).get("roles") or ()
            if roles:
                return str(roles[0])
        return "responder" if entry.actor == "responder" else "somebody"

    def target(self, entry: Entry) -> str:
        """Return what an entry's step acts on."""
        return str(entry.facts.get("target") or self._targets.get((entry.run, entry.step)) or "")


def _between(row: Row) -> str:
    first, last = (exact(entry.at)[11:] for entry in (row.entries[0], row.entries[-1]))
    return f", {first} to {last} UTC" if first != last else ""


_SAY: Mapping[str, str] = {
    "opened": "the incident was opened",
    "answered": "{role} said what became of it: {answer}",
    "declined": "{role} declined: {reason}",
    "expired": "nobody answered in time; the playbook says: {consequence}",
    "applied": "done at {target}",
    "verified": "confirmed by reading back: {after}",
    "reconciled": "found done by reading back: {reason}",
    "unchanged": "was so already: {reason}",
    "unknown": "it is not known whether it took effect: {reason}",
    "retrying": "put off, to be tried again: {error}",
    "not_sent": "not sent: {reason}",
    "skipped": "skipped: {reason}",
    "failed": "failed: {error}",
    "began": "begun, without an outcome",
    "intended": "about to change {target}, without an outcome",
    "opened_child": "found another credential, {credential}; a run of its own began",
    "linked": "found {credential}, which another run holds already",
    "left_alone": "found a credential that is left alone: {reason}",
    "joined": "the same credential was reported once more",
    "halted": "the run halted: {failed} failed",
    "resumed": "{role} resumed the run",
    "aborted": "{role} aborted the run: {reason}",
    "retried": "{role} had it tried again",
    "noted": "{role} noted: {text}",
    "offered": "{role} offered the lead",
    "took_over": "{role} took the lead",
    "written": "{role} wrote into the review: {region}",
    "suppressed": "this very finding is left alone until {until}: {reason}",
    "mode": "the containment mode is {to} now: {reason}",
    "rendered": "the postmortem was rendered",
    "closed": "{role} closed the incident",
    "reopened": "the incident was reopened: {reason}",
    "broke_glass": "{role} broke the glass, to approve alone: {reason}",
    "suspected": "{role} called {suspects} suspect: {reason}",
    "cleared": "{suspects} cleared: {reason}",
    "checked": "{role} checked who can read {places}: {reason}",
    "uncaptured": "what stands at {url} may go uncaptured: {reason}",
    "requested": "{actor} asked for {effect}: {reason}",
    "withheld": "facts of earlier entries were withheld: {reason}",
}
_ASKED = {
    "approval": "asked to approve",
    "decide": "asked to decide",
    "task": "given a task",
    "gate": "asked at a gate",
}
_LONGEST_FACT = 64


def _inner(entry: Entry) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = entry.facts.get("facts") or {}
    return facts


def _started(words: _Words, entry: Entry) -> str:
    state = words.states[entry.run]
    if state.purpose == NOTICE:
        return f"{words.role(entry)} asked for the notice {state.playbook.steps[0].id}"
    playbook = f"{state.playbook.playbook}, version {state.playbook.version}"
    return f"the playbook {playbook}, was started for {state.credential.label}"


def _planned(words: _Words, entry: Entry) -> str:
    if entry.facts.get("template"):
        return f"the text of {entry.facts['template']} was rendered"
    return f"planned for {words.target(entry)}: {entry.facts.get('before')} becomes {entry.facts.get('after')}"


def _asked(words: _Words, entry: Entry) -> str:
    what = _ASKED.get(str(entry.facts["kind"]), "asked what happened")
    due = f", by {exact(entry.facts['due_at'])} UTC" if entry.facts.get("due_at") else ""
    text = f": {entry.facts['text']}" if entry.facts.get("text") else ""
    return f"{words.role(entry)} was {what}{due}{text}"


def _observed(_: _Words, entry: Entry) -> str:
    verdict, facts = str(entry.facts.get("verdict", "")), _inner(entry)
    first = facts.get("first_refused_at")
    if verdict == "dead":
        return "proven dead" + (f"; first refused at {exact(first)} UTC" if first else "")
    surfaces = ", ".join(f"{name} {seen}" for name, seen in (facts.get("surfaces") or {}).items())
    return f"looked: {verdict}" + (f" ({surfaces})" if surfaces else "")


def _done(words: _Words, entry: Entry) -> str:
    if "verdict" in entry.facts:
        return _observed(words, entry)
    looked = swept(_inner(entry))
    if looked:
        return f"looked for other ways in: {looked}"
    plain = {name: value for name, value in _inner(entry).items() if isinstance(value, str | int) and value != ""}
    shown = [f"{name} {_brief(value)}" for name, value in plain.items() if len(str(value)) <= _LONGEST_FACT]
    return "done" + (f": {', '.join(shown[:3])}" if shown else "")


def _brief(value: Any) -> str:
    return f"{str(value)[:12]}…" if re.fullmatch(r"[0-9a-f]{32,}", str(value)) else str(value)


def _set(words: _Words, entry: Entry) -> str:
    name, old, new = (entry.facts.get(part) for part in ("field", "old", "new"))
    if entry.facts.get("of") != "incident":
        return f"{words.role(entry)} gave the fact {name}"
    return f"{words.role(entry)} corrected {name} from {old or 'unknown'} to {new}"


def _proposed(words: _Words, entry: Entry) -> str:
    return f"{words.role(entry)} was asked to agree: {entry.facts['text']}"


def _ended(_: _Words, entry: Entry) -> str:
    if entry.facts.get("purpose") == NOTICE:
        return "its run ended"
    if entry.facts.get("contained"):
        return "the run ended; the credential is contained"
    unmet = [one for one in entry.facts.get("exit") or () if not one.get("held")]
    why = "; ".join(str(one.get("why") or one.get("criterion")) for one in unmet)
    return "the run ended, and the credential does not count as contained" + (f": {why}" if why else "")


def _adopted(_: _Words, entry: Entry) -> str:
    epoch = int(entry.facts["epoch"])
    if epoch == 1:
        return "an executor took the run up"
    if entry.facts.get("handed_on"):
        return f"the run was handed on to the next executor (number {epoch})"
    return f"another executor took the run over (number {epoch})"


def _agreed(words: _Words, entry: Entry) -> str:
    return f"{words.role(entry)} approved" + (", alone, with the glass broken" if entry.facts.get("alone") else "")


def _decided(words: _Words, entry: Entry) -> str:
    facts = _inner(entry)
    return f"{words.role(entry)} answered: {facts.get('choice') or facts.get('said') or 'done'}"


_SPECIAL: Mapping[str, Callable[[_Words, Entry], str]] = {
    "started": _started, "adopted": _adopted, "planned": _planned, "asked": _asked, "agreed": _agreed,
    "decided": _decided,
    "observed": _observed, "done": _done, "set": _set, "proposed": _proposed, "ended": _ended,
}  # fmt: skip
