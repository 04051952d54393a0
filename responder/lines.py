"""Entries as sentences: one line each for a log or a pipe, and short ones for the live view."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from responder.entry import Entry
from responder.state import NOTICE, RunState

Facts = Mapping[str, Any]
_EVERY_PERCENT = 10
"""How much of a `for_each` must have moved before another line says so."""
_ITEM_ENDS = frozenset({"done", "verified", "reconciled", "unchanged"})
_LONGEST = 300
_MOST_SHOWN = 60


def clock_time(moment: datetime) -> str:
    """Show a moment of the day, in UTC."""
    return moment.astimezone(UTC).strftime("%H:%M:%SZ")


def day_time(moment: datetime, now: datetime) -> str:
    """Show a moment, in UTC, with its date where that is another day than now."""
    same_day = moment.astimezone(UTC).date() == now.astimezone(UTC).date()
    return clock_time(moment) if same_day else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def sentence(entry: Entry) -> str:
    """Return what an entry says, in words; empty for what only the runner needs to know."""
    make = _SENTENCES.get(entry.event)
    try:
        text = make(entry, entry.facts) if make else ""
    except (KeyError, ValueError, TypeError, AttributeError):  # the rest of an altered record must be readable
        text = f"({entry.event}: it cannot be understood; `responder verify` tells whether it is ours)"
    return " ".join(text.split())[:_LONGEST]


class Lines:
    """Turns a run's entries into lines as they come; the items of a `for_each` are counted, not listed."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._shown: dict[str, int] = {}
        self._verdicts: dict[str, str] = {}

    def of(self, entries: Iterable[Entry], state: RunState) -> Iterator[str]:
        """Yield a line for each noteworthy entry; `state` is that of the run after them."""
        for entry in entries:
            if entry.run not in {self._run, ""} and entry.run not in state.children:
                continue
            text = self._progress(entry, state) if "[" in entry.step else self._unless_repeated(entry)
            if text:
                child = f"({entry.run}) " if entry.run and entry.run != self._run else ""
                yield f"{clock_time(entry.at)} {child}{text}"

    def _unless_repeated(self, entry: Entry) -> str:
        """Return a sentence, but for the same look again and again only once."""
        if entry.event == "observed":
            verdict = str(entry.facts.get("verdict"))
            if self._verdicts.get(entry.step) == verdict:
                return ""
            self._verdicts[entry.step] = verdict
        return sentence(entry)

    def _progress(self, entry: Entry, state: RunState) -> str:
        """Return a line when another tenth of the items has ended; failures and questions are always told."""
        step = entry.step.partition("[")[0]
        items = state.items.get(step)
        if entry.event not in _ITEM_ENDS or items is None:
            return sentence(entry) if entry.event in {"failed", "declined", "unknown", "asked", "decided"} else ""
        percent = 100 * items.ended // max(1, len(items.values))
        tenth = percent - percent % _EVERY_PERCENT
        if tenth <= self._shown.get(step, 0):
            return ""
        self._shown[step] = tenth
        return f"{step}: {items.ended} of {len(items.values)}"


def _who(entry: Entry) -> str:
    return entry.actor


def _asked(entry: Entry, facts: Facts) -> str:
    what = {
        "approval": "approval of",
        "decide": "a decision at",
        "task": "somebody to do",
        "unknown": "the outcome of",
        "gate": "a word at the gate of",
    }
    count = f" ({facts['items']} items)" if facts.get("items") else ""
    text = f": {facts['text']}" if facts.get("text") else ""
    kind = what.get(facts["kind"], "an answer at")
    return f"waiting for {facts.get('role') or 'somebody'}: {kind} {entry.step}{count}{text}"


def _started(entry: Entry, facts: Facts) -> str:
    if facts.get("purpose") == NOTICE:
        return f"{_who(entry)} wants to send a notice: {facts['playbook']['steps'][0]['id']}"
    return f"{_who(entry)} started {facts['playbook']['playbook']} for {_label(facts['credential'])}"


def _proposed(entry: Entry, facts: Facts) -> str:
    return f"waiting for {facts['role']}: {_who(entry)} asks to {facts['text']}"


def _ended(_entry: Entry, facts: Facts) -> str:
    missed = [str(one["criterion"]) for one in facts.get("exit", ()) if not one["held"]]
    if facts.get("purpose") == NOTICE:
        return "the run of the notice has ended"
    if facts.get("contained"):
        return "the run has ended: contained"
    return f"the run has ended: NOT contained{'; does not hold: ' + '; '.join(missed) if missed else ''}"


def _set(entry: Entry, facts: Facts) -> str:
    old = f" (was {facts['old']})" if facts.get("old") not in (None, "") else ""
    return f"{_who(entry)} set {facts['field']} to {facts['new']}{old}"


def _times(facts: Facts) -> str:
    named = (("not before", facts.get("not_before")), ("at the latest", facts.get("hard_stop")))
    return ", ".join(f"{name} {moment}" for name, moment in named if moment)


def _unready(facts: Facts) -> str:
    late = facts.get("not_ended_well") or {}
    told = [f"{name} {', '.join(how) if isinstance(how, list) else how}" for name, how in late.items()]
    return f"; not ready: {'; '.join(told)}" if told else ""


def swept(facts: Mapping[str, Any]) -> str:
    """Return what a sweep found, in words, and above all what it could not look at; empty for other facts."""
    if "unresolved" not in facts or "unseen" not in facts:
        return ""
    found = [f"{len(facts['unresolved'])} other ways in are open, {len(facts.get('new') or ())} of them new"]
    if facts.get("decided"):
        found.append(f"{len(facts['decided'])} more stay open as decided")
    if facts["unseen"]:
        found.append(f"INCOMPLETE, not looked at: {', '.join(map(str, facts['unseen']))}")
    return "; ".join(found)


def _outcome(facts: Facts) -> str:
    inner = facts.get("facts") or {}
    looked = swept(inner)
    if looked:
        return looked
    picked = [
        f"{name} {inner[name]}"
        for name in ("state", "verdict", "choice", "key_id", "sessions", "said")
        if inner.get(name) not in (None, "")
    ]
    count = [f"{facts['items']} items"] if facts.get("items") else []
    return ", ".join([*picked, *count])


def _with(text: str, more: object) -> str:
    return f"{text}: {more}" if more else text


def _label(credential: Facts) -> str:
    return str(credential.get("id") or credential.get("key_id") or credential.get("fingerprint"))


def _listed(found: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items())


def _short(text: object) -> str:
    """Return the first words of a text; of a message, nobody wants more here."""
    words = " ".join(str(text).split())
    return words if len(words) <= _MOST_SHOWN else f"{words[:_MOST_SHOWN]}..."


def _place(facts: Facts) -> str:
    exposure = facts.get("exposure") or {}
    return str(exposure.get("url") or exposure.get("place") or "")


_SENTENCES: dict[str, Callable[[Entry, Facts], str]] = {
    "opened": lambda e, f: _with(f"incident {e.incident} opened ({f.get('severity')})", f.get("summary")),
    "started": _started,
    "joined": lambda _e, f: _with("the credential was found once more", _place(f)),
    "adopted": lambda _e, f: (
        f"taken up again by {f['executor']}" if f.get("epoch") != 1 and not f.get("handed_on") else ""
    ),
    "asked": _asked,
    "agreed": lambda e, _f: f"{e.step}: {_who(e)} agreed",
    "declined": lambda e, f: _with(f"{e.step}: {_who(e)} declined", f.get("reason")),
    "decided": lambda e, f: _with(f"{e.step}: {_who(e)} answered", _outcome(f)),
    "answered": lambda e, f: f"{e.step}: {_who(e)} says: {f['answer']}",
    "expired": lambda e, f: f"{e.step}: {f.get('reason')}; the playbook says: {f['consequence']}",
    "entered": lambda e, _f: f"{e.step}: its playbook begins",
    "scheduled": lambda e, f: _with(f"{e.step}: has a time", _times(f)),
    "came_due": lambda e, f: f"{e.step}: starts, {f['why']}{_unready(f)}",
    "wave": lambda e, f: f"{e.step}: {f['released']} of {f['of']} may begin, {f['reason']}",
    "gated": lambda e, f: f"{e.step}: {_who(e)} says at the gate: {f['answer']}",
    "undoing": lambda e, f: (
        f"{e.step}: takes back {', '.join(one['step']['id'].removesuffix('~undo') for one in f['steps']) or 'nothing'}"
        + "".join(f"; {one['step']} stays, {one['reason']}" for one in f["kept"])
    ),
    "expanded": lambda e, f: f"{e.step}: {len(f['items'])} items",
    "skipped": lambda e, f: f"{e.step}: skipped, {f['reason']}",
    "done": lambda e, f: _with(f"{e.step}: done", _outcome(f) or f.get("verdict")),
    "verified": lambda e, f: f"{e.step}: {f.get('target')}: {_short(f.get('after'))}, seen by reading back",
    "unchanged": lambda e, f: f"{e.step}: nothing to change, {f.get('reason')}",
    "reconciled": lambda e, f: f"{e.step}: it had happened, {f.get('reason')}",
    "unknown": lambda e, f: f"{e.step}: the outcome is unknown, {f.get('reason')}",
    "retrying": lambda e, f: f"{e.step}: try {f.get('attempt')} failed, {f['error']}",
    "failed": lambda e, f: f"{e.step}: FAILED, {f['error']}",
    "observed": lambda e, f: f"{e.step}: {f['verdict']}",
    "opened_child": lambda e, f: _with(f"{e.step}: found {f['credential']}; now {f['child']}", _place(f)),
    "left_alone": lambda e, f: f"{e.step}: found {f['credential']}, left alone: {f['reason']}",
    "linked": lambda e, f: f"{e.step}: found {f['credential']}, to which {f['run']} responds already",
    "halted": lambda _e, f: f"HALTED: {', '.join(f['failed'])} failed",
    "resumed": lambda e, _f: f"{_who(e)} resumed the run",
    "aborted": lambda e, f: _with(f"{_who(e)} aborted the run", f.get("reason")),
    "retried": lambda e, _f: f"{e.step}: {_who(e)} lets it start over",
    "noted": lambda e, f: f"{_who(e)}: {f['text']}",
    "offered": lambda e, f: f"{_who(e)} offers the lead to {f['to']}",
    "took_over": lambda e, f: f"{_who(e)} leads now" + (f", in place of {f['from']}" if f.get("from") else ""),
    "set": _set,
    "proposed": _proposed,
    "requested": lambda e, f: f"waiting for {f['role']}: {e.step}, {_who(e)} says: {f['reason']}",
    "suppressed": lambda _, f: f"this very finding is left alone until {f['until']}: {f['reason']}",
    "mode": lambda e, f: _with(f"{_who(e)} switched from {f.get('from')} to {f['to']}", f.get("reason")),
    "suspected": lambda e, f: _with(f"{_who(e)} called suspect: {', '.join(f['suspects'])}", f.get("reason")),
    "cleared": lambda e, f: _with(f"{_who(e)} cleared {', '.join(f['suspects'])}", f.get("reason")),
    "checked": lambda e, f: _with(f"{_who(e)} checked {', '.join(f['places'])}", f.get("reason")),
    "uncaptured": lambda e, f: _with(f"{_who(e)} lets {f['url']} go uncaptured", f.get("reason")),
    "broke_glass": lambda e, f: f"{_who(e)} BROKE THE GLASS for {e.step or 'all containment'}: {f['reason']}",
    "rendered": lambda e, _f: f"{_who(e)} rendered the postmortem",
    "closed": lambda e, f: _with(f"{_who(e)} closed the incident", f.get("uncontained")),
    "reopened": lambda e, f: _with(f"{_who(e)} reopened the incident", f.get("reason")),
    "written": lambda e, f: f"{_who(e)} wrote {f['region']} of the postmortem",
    "presented": lambda e, f: f"{_who(e)} presented the leaked value: {_listed(f['surfaces'])}",
    "withheld": lambda e, f: _with(f"{_who(e)} withheld {len(f['entries'])} entries", f.get("reason")),
    "ended": _ended,
}  # fmt: skip
