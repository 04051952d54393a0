"""A run as the fold of its entries: `apply` is the only thing that changes a state, one entry at a time."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from responder.action import Observed
from responder.errors import RecordError
from responder.incident import Credential
from responder.playbook import Playbook
from responder.state import RunState
from responder.store import FORMAT
from responder.timeline import Entry
from responder.unit import ENDED, Ask, Child, Items, Unit


def apply(state: RunState, entry: Entry) -> None:
    """Take one entry into account. RecordError names one that cannot be understood."""
    try:
        _apply(state, entry)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        remedy = "`responder verify` tells whether it is ours; if it is, a newer responder wrote it"
        told = f"The entry {entry.event!r} cannot be understood: {type(error).__name__}"
        raise RecordError(told, where=f"{entry.incident} entry {entry.seq}", remedy=remedy) from None


def _apply(state: RunState, entry: Entry) -> None:
    state.seq = entry.seq
    if entry.withheld and entry.event != "started":
        return
    state.standing.apply(entry)
    if entry.run == state.run:
        change = _OWN.get(entry.event)
        if change is not None:
            change(state, entry)
    elif entry.run in state.children and entry.event in {"ended", "halted", "resumed", "retried"}:
        child = state.children[entry.run]
        child.state = entry.event if entry.event in {"ended", "halted"} else "open"
        child.contained = bool(entry.facts.get("contained"))
    elif not entry.run and entry.event in _INCIDENT:
        _INCIDENT[entry.event](state, entry)


def fold(run: str, entries: Iterable[Entry]) -> RunState:
    """Return what a run has come to by these entries of its incident's chain."""
    state = RunState(run)
    for entry in entries:
        apply(state, entry)
    return state


def _started(state: RunState, entry: Entry) -> None:
    if int(entry.facts.get("format", FORMAT)) > FORMAT:
        raise ValueError("a newer format")
    state.started = entry.facts
    state.playbook = Playbook.model_validate(entry.facts["playbook"])
    state.credential = Credential.model_validate(entry.facts["credential"])
    state.credential_facts = {**state.credential.model_dump(mode="json"), "label": state.credential.label}
    state.state = "open"


def _adopted(state: RunState, entry: Entry) -> None:
    state.epoch = int(entry.facts["epoch"])


def _ended(state: RunState, entry: Entry) -> None:
    state.state, state.ended, state.contained = "ended", entry.facts, bool(entry.facts.get("contained"))


def _halted(state: RunState, _entry: Entry) -> None:
    if state.state == "open":
        state.state = "halted"


def _resumed(state: RunState, _entry: Entry) -> None:
    if state.state == "halted":  # whoever aborted in the meantime is heard
        state.state = "open"


def _aborted(state: RunState, _entry: Entry) -> None:
    if state.state == "ended":
        return
    state.state = "aborting"
    for unit in state.units.values():
        if unit.ask is not None and unit.ask.kind != "unknown":  # what may have happened is asked all the same
            unit.ask = None


def _begin(unit: Unit, entry: Entry) -> None:
    unit.status = "running"
    unit.began_at = unit.began_at or entry.at
    unit.next_at = None


def _end(state: RunState, entry: Entry, status: str) -> Unit:
    """End a step or item; what has ended stays as it first ended, whoever else was on the way to end it."""
    unit = state.unit(entry.step)
    if unit.status in ENDED:
        return unit
    if "[" in entry.step:
        state.items[entry.step.partition("[")[0]].ended += 1
    unit.in_flight = unit.in_flight and status == "failed"  # a failure to read back leaves it open what happened
    unit.status, unit.ask, unit.next_at = status, None, None
    unit.error = unit.error_kind = ""
    unit.began_at = unit.began_at or entry.at
    unit.ended_at = entry.at
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))
    facts = entry.facts.get("facts")
    if isinstance(facts, Mapping):
        unit.facts = {**unit.facts, **facts}
        if facts.get("verdict") == "dead" and facts.get("first_refused_at"):
            state.contained_at = datetime.fromisoformat(str(facts["first_refused_at"]))
    return unit


def _skipped(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    if unit.status not in ENDED:
        _end(state, entry, "skipped").error = str(entry.facts.get("reason", ""))


def _expanded(state: RunState, entry: Entry) -> None:
    state.items[entry.step] = Items(dict(entry.facts["items"]))
    _begin(state.unit(entry.step), entry)


def _began(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    _begin(unit, entry)
    unit.planned = entry.facts


def _planned(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    _begin(unit, entry)
    unit.planned = entry.facts
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def _asked(state: RunState, entry: Entry) -> None:
    facts = entry.facts
    due = facts.get("due_at")
    unit = state.unit(entry.step)
    if unit.status in ENDED or (facts["kind"] == "approval" and unit.approved and unit.approved == facts.get("digest")):
        return  # people were faster than whoever asked (again)
    _begin(unit, entry)
    if facts["kind"] == "unknown":
        unit.status = "unknown"
    unit.ask = Ask(
        kind=facts["kind"],
        unit=entry.step,
        role=facts.get("role", ""),
        at=entry.at,
        due_at=datetime.fromisoformat(due) if due else None,
        on_timeout=facts.get("on_timeout", ""),
        digest=facts.get("digest", ""),
        quorum=int(facts.get("quorum", 1)),
        options=facts.get("options", {}),
        text=facts.get("text", ""),
        digests=facts.get("digests", {}),
    )


def _agreed(state: RunState, entry: Entry) -> None:
    ask = state.unit(entry.step).ask
    if ask is None or ask.digest != entry.facts["digest"] or entry.actor in ask.agreed:
        return
    ask.agreed.append(entry.actor)
    if len(ask.agreed) >= ask.quorum:
        _approve(state, entry.step)


def _approve(state: RunState, address: str) -> None:
    """Let what was asked be applied: exactly the digests that were planned when it was asked."""
    unit = state.unit(address)
    ask, unit.ask = unit.ask, None
    if ask is None or ask.kind != "approval":
        return
    unit.approved = ask.digest
    for key, digest in ask.digests.items():
        state.unit(f"{address}[{key}]").approved = digest


def _asks_for(state: RunState, entry: Entry, *kinds: str) -> bool:
    """Tell whether what an entry answers is still asked: the same question, about the same change."""
    ask = state.unit(entry.step).ask
    return ask is not None and ask.kind in kinds and ask.digest == entry.facts.get("digest", ask.digest)


def _declined(state: RunState, entry: Entry) -> None:
    if _asks_for(state, entry, "approval", "decide", "task"):
        _end(state, entry, "declined").error = str(entry.facts.get("reason", ""))


def _expired(state: RunState, entry: Entry) -> None:
    if not _asks_for(state, entry, "approval", "decide", "task"):
        return  # people were faster
    if entry.facts["consequence"] == "proceed":
        _approve(state, entry.step)
    elif entry.facts["consequence"] == "abort":
        _declined(state, entry)
    else:
        state.unit(entry.step).ask = None  # an `asked` of the next role follows


def _intended(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    _begin(unit, entry)
    unit.in_flight, unit.intended_by, unit.intended_at, unit.answer = True, entry.epoch, entry.at, ""


def _applied(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    unit.in_flight = False
    unit.status, unit.tries = "applied", 0
    unit.facts = {**unit.facts, **entry.facts.get("facts", {})}
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def _unknown(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    unit.status, unit.error = "unknown", str(entry.facts.get("reason", ""))
    if entry.facts.get("next_at"):
        unit.next_at = datetime.fromisoformat(entry.facts["next_at"])
        unit.tries += 1


def _not_sent(state: RunState, entry: Entry) -> None:
    state.unit(entry.step).in_flight = False


def _answered(state: RunState, entry: Entry) -> None:
    if _asks_for(state, entry, "unknown"):
        unit = state.unit(entry.step)
        unit.ask, unit.answer, unit.status, unit.tries = None, str(entry.facts["answer"]), "running", 0


def _decided(state: RunState, entry: Entry) -> None:
    if _asks_for(state, entry, "decide", "task"):
        _end(state, entry, "done")


def _observed(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    _begin(unit, entry)
    unit.tries = 0
    unit.looks.append(Observed(entry.at, entry.facts["verdict"], entry.facts.get("facts", {})))
    unit.next_at = datetime.fromisoformat(entry.facts["next_at"])
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def _retrying(state: RunState, entry: Entry) -> None:
    unit = state.unit(entry.step)
    if unit.status == "waiting":
        _begin(unit, entry)
    unit.next_at = datetime.fromisoformat(entry.facts["next_at"])
    unit.tries += 1
    unit.error = str(entry.facts["error"])
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def _failed(state: RunState, entry: Entry) -> None:
    if state.unit(entry.step).status in ENDED:
        return
    unit = _end(state, entry, "failed")
    unit.error, unit.error_kind = str(entry.facts.get("error", "")), str(entry.facts.get("kind", ""))
    if state.state == "open" and state.playbook.step(entry.step).on_error == "abort" and "[" not in entry.step:
        state.state = "aborting"


def _retried(state: RunState, entry: Entry) -> None:
    """Let a person have a step tried again: it and its failed items start over, what ended well stays."""
    step = entry.step.partition("[")[0]
    if state.state == "ended" or state.unit(entry.step).status not in {"failed", "declined"}:
        return
    items = [f"{step}[{key}]" for key in state.items[step].values] if step in state.items else []
    for address in items if entry.step == step else [entry.step]:
        unit = state.unit(address)
        if "[" in address and unit.status in {"failed", "declined"}:
            state.items[step].ended -= 1
            _start_over(unit)
    _start_over(state.unit(step))
    if step in state.items:
        state.unit(step).status = "running"
    if state.state == "halted":
        state.state = "open"


def _start_over(unit: Unit) -> None:
    """Forget how it ended; an intent whose outcome nobody knows is not forgotten, nor what it would have done."""
    unit.status = "waiting"
    unit.error = unit.error_kind = unit.approved = ""
    unit.tries, unit.began_at, unit.ended_at, unit.looks = 0, None, None, []
    if unit.in_flight:
        unit.status = "running"
    else:
        unit.planned = {}


def _opened_child(state: RunState, entry: Entry) -> None:
    facts = entry.facts
    state.children[facts["child"]] = Child(facts["child"], entry.step, facts["credential"])


def _left_alone(state: RunState, entry: Entry) -> None:
    if entry.facts.get("ownership") == "ours":
        state.unanswered.add(entry.step.partition("[")[0])


_OWN: dict[str, Callable[[RunState, Entry], object]] = {
    "started": _started, "adopted": _adopted, "ended": _ended, "halted": _halted, "resumed": _resumed,
    "aborted": _aborted, "skipped": _skipped, "expanded": _expanded, "began": _began, "planned": _planned,
    "asked": _asked, "agreed": _agreed, "declined": _declined, "expired": _expired, "intended": _intended,
    "applied": _applied, "unknown": _unknown, "not_sent": _not_sent, "answered": _answered, "decided": _decided,
    "observed": _observed, "retrying": _retrying, "failed": _failed, "retried": _retried,
    "opened_child": _opened_child, "left_alone": _left_alone,
    "done": lambda state, entry: _end(state, entry, "done"),
    "verified": lambda state, entry: _end(state, entry, "done"),
    "reconciled": lambda state, entry: _end(state, entry, "done"),
    "unchanged": lambda state, entry: _end(state, entry, "unchanged"),
}  # fmt: skip


def _incident_opened(state: RunState, entry: Entry) -> None:
    state.incident = {**entry.facts, "id": entry.incident}


def _incident_set(state: RunState, entry: Entry) -> None:
    name, value = entry.facts["field"], entry.facts["new"]
    if entry.facts.get("of") == "incident":
        state.incident[name] = value
    else:
        state.given[name] = value


_INCIDENT = {"opened": _incident_opened, "set": _incident_set}
