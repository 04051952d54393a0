"""What becomes of a step or item, entry by entry: how far it is, how it ended, how it starts over."""

from collections.abc import Callable, Mapping
from datetime import datetime

from responder.action import Observed
from responder.entry import Entry
from responder.state import RunState
from responder.unit import ENDED, Items, Unit

_ADDED = frozenset({"action", "connection", "with"})
"""What the entry that adds a step to take another back says of it; the rest of its plan is read anew."""


def begin(state: RunState, entry: Entry) -> Unit:
    """Note that a step or item is under way; one that has not come due is planned and asked for, and still waits."""
    unit = state.unit(entry.step)
    if unit.schedule and not unit.due:
        return unit
    unit.status = "running"
    unit.began_at = unit.began_at or entry.at
    unit.next_at = None
    if unit.takes_back and "[" in entry.step:  # no entry expands it: it begins with the first of its items
        around = state.unit(entry.step.partition("[")[0])
        if around.status == "waiting":
            around.status, around.began_at = "running", entry.at
    return unit


def end(state: RunState, entry: Entry, status: str) -> Unit:
    """End a step or item; what has ended stays as it first ended, whoever else was on the way to end it."""
    unit = state.unit(entry.step)
    if unit.status in ENDED:
        return unit
    if "[" in entry.step:
        state.items[entry.step.partition("[")[0]].ended += 1
    unit.in_flight = unit.in_flight and status == "failed"  # a failure to read back leaves it open what happened
    unit.status, unit.ask, unit.next_at = status, None, None
    _ask_no_more(state, entry.step)
    unit.error = unit.error_kind = ""
    unit.began_at = unit.began_at or entry.at
    unit.ended_at = entry.at
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))
    facts = entry.facts.get("facts")
    if unit.takes_back and status in {"done", "unchanged"}:
        _undone(state, entry.step)
    if isinstance(facts, Mapping):
        unit.facts = {**unit.facts, **facts}
        if facts.get("verdict") == "dead" and facts.get("first_refused_at"):
            state.contained_at = datetime.fromisoformat(str(facts["first_refused_at"]))
    return unit


def _ask_no_more(state: RunState, step: str) -> None:
    """Let nothing more be asked about the items of a step that has ended, except what may have happened."""
    for key in state.items[step].values if step in state.items else ():
        unit = state.unit(f"{step}[{key}]")
        if unit.ask is not None and unit.ask.kind != "unknown":
            unit.ask = None


def _undone(state: RunState, address: str) -> None:
    """Note that what a step or item had changed was taken back."""
    unit = state.units.get(address.replace("~undo", "", 1))  # an item may be called anything
    if unit is None or unit.status == "failed":
        return
    unit.status = "undone"
    for scope in _around(state, unit.address.partition("[")[0]):
        if state.unit(scope).status == "done":  # it cannot count as done any more
            state.unit(scope).status = "undone"


def skipped(state: RunState, entry: Entry) -> None:
    """End a step that does nothing, with its reason."""
    unit = state.unit(entry.step)
    if unit.status not in ENDED:
        end(state, entry, "skipped").error = str(entry.facts.get("reason", ""))


def expanded(state: RunState, entry: Entry) -> None:
    """Note what a `for_each` is for."""
    values = dict(entry.facts["items"])
    state.items[entry.step] = Items(values, released=int(entry.facts.get("released", len(values))))
    begin(state, entry)


def scheduled(state: RunState, entry: Entry) -> None:
    """Note when a step with `start` may start; the newest word counts."""
    state.unit(entry.step).schedule = entry.facts


def came_due(state: RunState, entry: Entry) -> None:
    """Note that a step with `start` starts now."""
    unit = state.unit(entry.step)
    if unit.status not in ENDED:
        unit.due = True
        begin(state, entry)


def wave(state: RunState, entry: Entry) -> None:
    """Let the next wave of items begin."""
    items = state.items[entry.step]
    items.released, items.gate = int(entry.facts["released"]), ""


def began(state: RunState, entry: Entry) -> None:
    """Note that a reading step or a watch is under way."""
    unit = begin(state, entry)
    unit.planned = entry.facts


def planned(state: RunState, entry: Entry) -> None:
    """Keep the newest plan of a change."""
    unit = begin(state, entry)
    unit.planned = entry.facts
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def intended(state: RunState, entry: Entry) -> None:
    """Note that a change may be on its way from now on."""
    unit = begin(state, entry)
    unit.in_flight, unit.intended_by, unit.intended_at, unit.answer = True, entry.epoch, entry.at, ""
    unit.orphan_until = str(entry.facts.get("orphan_until", unit.orphan_until))


def applied(state: RunState, entry: Entry) -> None:
    """Note that a change was accepted, and is to be read back."""
    unit = state.unit(entry.step)
    unit.in_flight, unit.changed = False, True
    unit.status, unit.tries = "applied", 0
    unit.facts = {**unit.facts, **entry.facts.get("facts", {})}
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def unknown(state: RunState, entry: Entry) -> None:
    """Note that nobody knows whether a change took effect."""
    unit = state.unit(entry.step)
    unit.status, unit.error = "unknown", str(entry.facts.get("reason", ""))
    if entry.facts.get("next_at"):
        unit.next_at = datetime.fromisoformat(entry.facts["next_at"])
        unit.tries += 1


def reconciled(state: RunState, entry: Entry) -> None:
    """End a step whose earlier try turned out to have taken effect."""
    end(state, entry, "done").changed = True


def not_sent(state: RunState, entry: Entry) -> None:
    """Note that what was intended certainly changed nothing."""
    state.unit(entry.step).in_flight = False


def observed(state: RunState, entry: Entry) -> None:
    """Keep one look of a watch, and when to look again."""
    unit = begin(state, entry)
    unit.tries = 0
    unit.looks.append(Observed(entry.at, entry.facts["verdict"], entry.facts.get("facts", {})))
    unit.next_at = datetime.fromisoformat(entry.facts["next_at"])
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def retrying(state: RunState, entry: Entry) -> None:
    """Note that it is tried again later."""
    unit = state.unit(entry.step)
    if unit.status == "waiting":
        begin(state, entry)
    unit.next_at = datetime.fromisoformat(entry.facts["next_at"])
    unit.tries += 1
    unit.error = str(entry.facts["error"])
    unit.io_seconds += float(entry.facts.get("io_seconds", 0.0))


def failed(state: RunState, entry: Entry) -> None:
    """End a step that failed; `on_error: abort` lets nothing else start."""
    if state.unit(entry.step).status in ENDED:
        return
    unit = end(state, entry, "failed")
    unit.error, unit.error_kind = str(entry.facts.get("error", "")), str(entry.facts.get("kind", ""))
    step = state.playbook.by_id.get(entry.step)  # an item is none, nor is what a retry has just made needless
    if state.state == "open" and step is not None and step.on_error == "abort":
        start_no_more(state)


def start_no_more(state: RunState) -> None:
    """Abort: nobody is asked any more about what starts no more; what only waits for an end goes on."""
    state.state = "aborting"
    for unit in state.each():
        if unit.ask is not None and asks_in_vain(state, unit.address, unit.ask.kind):
            unit.ask = None


def asks_in_vain(state: RunState, address: str, kind: str) -> bool:
    """Tell whether an abort makes a question needless; what may have happened is asked all the same."""
    step = state.playbook.by_id.get(address.partition("[")[0])
    return state.stops(step) and kind != "unknown"


def retried(state: RunState, entry: Entry) -> None:
    """Let a person have a step tried again: it and its failed items start over, what ended well stays."""
    step = entry.step.partition("[")[0]
    if state.state == "ended" or state.unit(entry.step).status not in {"failed", "declined", "undone"}:
        return
    items = [f"{step}[{key}]" for key in state.items[step].values] if step in state.items else []
    for address in items if entry.step == step else [entry.step]:
        unit = state.unit(address)
        if "[" in address and unit.status in {"failed", "declined", "undone"}:
            state.items[step].ended -= 1
            _start_over(unit)
    unit = state.unit(step)
    _start_over(unit)
    if step in state.items:
        unit.status, state.items[step].gate = "running", ""
        if unit.ask is not None and unit.ask.kind == "gate":  # it is judged once more when that has ended
            unit.ask = None
    _forget_undoing(state, step)
    for name in entry.facts.get("again", ()):  # it was skipped because this had not ended well
        if state.unit(name).status == "skipped":
            _start_over(state.unit(name))
    for parent in _around(state, step):
        state.unit(parent).status, state.unit(parent).error = "running", ""
    if state.state == "halted":
        state.state = "open"


def _forget_undoing(state: RunState, step: str) -> None:
    """Let it be taken back anew, should it fail again; of what was to be taken back for it, nothing more is begun."""
    state.undoing.discard(step)
    needed = [one.id for need in state.playbook.needs.get(step, ()) for one in state.playbook.whole(need)]
    for name in (step, *needed):
        unit = state.units.get(f"{name}~undo")
        pending = unit is not None and (unit.ask or unit.status in {"waiting", "failed", "declined", "skipped"})
        if (name == step or pending) and not _may_have_happened(state, f"{name}~undo"):
            forget_step(state, f"{name}~undo")


def _may_have_happened(state: RunState, step: str) -> bool:
    """Tell whether something of a step is on its way, or was sent and nobody knows whether it took effect."""
    items = state.items[step].values if step in state.items else ()
    units = [state.units.get(address) for address in (step, *(f"{step}[{key}]" for key in items))]
    return any(unit is not None and (unit.in_flight or unit.status == "applied") for unit in units)


def forget_step(state: RunState, gone: str) -> None:
    """Take a step that takes another back out of the run, if it is there."""
    if gone in state.playbook.by_id:
        state.playbook = state.playbook.without_step(gone)
        for address in [one for one in state.units if one == gone or one.startswith(f"{gone}[")]:
            del state.units[address]
        state.items.pop(gone, None)


def _around(state: RunState, step: str) -> list[str]:
    """Return the steps whose sub-playbooks a step belongs to, the innermost first, where those have ended."""
    found: list[str] = []
    scope = step.rpartition("/")[0]
    while scope:
        if state.unit(scope).status in {"failed", "done", "undone"}:
            found.append(scope)
        scope = scope.rpartition("/")[0]
    return found


def _start_over(unit: Unit) -> None:
    """Forget how it ended; an intent whose outcome nobody knows is not forgotten, nor what it would have done."""
    unit.status = "waiting"
    unit.error = unit.error_kind = unit.approved = ""
    unit.approved_by = ()
    unit.tries, unit.began_at, unit.ended_at, unit.looks = 0, None, None, []
    unit.due = unit.changed = False
    if unit.in_flight:
        unit.status = "running"
    else:
        forget_plan(unit)


def forget_plan(unit: Unit) -> None:
    """Let it be planned anew; what takes back stands in no playbook, but in the entry that added it."""
    kept = _ADDED if unit.takes_back else ()
    unit.planned = {name: value for name, value in unit.planned.items() if name in kept}


EVENTS: dict[str, Callable[[RunState, Entry], object]] = {
    "skipped": skipped, "expanded": expanded, "began": began, "planned": planned, "intended": intended,
    "applied": applied, "unknown": unknown, "not_sent": not_sent, "observed": observed, "retrying": retrying,
    "failed": failed, "retried": retried, "scheduled": scheduled, "came_due": came_due, "wave": wave,
    "done": lambda state, entry: end(state, entry, "done"),
    "verified": lambda state, entry: end(state, entry, "done"),
    "reconciled": reconciled,
    "unchanged": lambda state, entry: end(state, entry, "unchanged"),
}  # fmt: skip
