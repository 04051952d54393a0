"""A run as the fold of its entries: `apply` is the only thing that changes a state, one entry at a time."""

from collections.abc import Callable, Iterable

from responder import fold_people, fold_steps
from responder.correction import PREFIX, agreed, declined, proposed
from responder.entry import Entry
from responder.errors import RecordError
from responder.fold_steps import begin, forget_step, start_no_more
from responder.incident import Credential
from responder.playbook import Playbook
from responder.state import RunState
from responder.step import Step
from responder.store import FORMAT
from responder.unit import Child, Items


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
    mode, suspects = state.standing.mode, state.standing.suspects
    state.standing.apply(entry)
    if state.standing.mode != mode and entry.event == "mode":
        fold_people.plan_again(state)
    if len(state.standing.suspects) > len(suspects):
        fold_people.discount(state)
    if entry.run == state.run:
        change = _OWN.get(entry.event)
        if change is not None:
            change(state, entry)
    elif entry.run in state.others and entry.event in {"ended", "halted", "resumed", "retried"}:
        child = state.others[entry.run]
        child.state = entry.event if entry.event in {"ended", "halted"} else "open"
        child.contained = bool(entry.facts.get("contained"))
    elif entry.event == "linked" and entry.facts.get("run") == state.run:
        state.awaited_by.add(entry.run)
    elif not entry.run and entry.event in _INCIDENT:
        _INCIDENT[entry.event](state, entry)


def fold(run: str, entries: Iterable[Entry]) -> RunState:
    """Return what a run has come to by these entries of its incident's chain."""
    state = RunState(run)
    for entry in entries:
        apply(state, entry)
    return state


def begun(state: RunState, incident: str) -> RunState:
    """Return the state of a run that stands in the store. RecordError where its first entry is not on the chain."""
    if not hasattr(state, "playbook"):  # they were written together
        raise RecordError(
            f"The record of {state.run} was altered: it lacks the beginning",
            where=incident,
            remedy=f"`responder verify {incident}` names what was altered; restore the record from a backup",
        )
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
    start_no_more(state)


def _opened_child(state: RunState, entry: Entry) -> None:
    facts = entry.facts
    child = Child(facts["child"], entry.step, facts["credential"])
    state.children = {**state.children, child.run: child}


def _left_alone(state: RunState, entry: Entry) -> None:
    if entry.facts.get("ownership") == "ours":
        step = entry.step.partition("[")[0]
        found = frozenset(map(str, entry.facts.get("identifiers", ())))
        state.unanswered = {**state.unanswered, step: (*state.unanswered.get(step, ()), found)}


def _entered(state: RunState, entry: Entry) -> None:
    begin(state, entry)
    state.scopes[entry.step] = dict(entry.facts["inputs"])


def _undoing(state: RunState, entry: Entry) -> None:
    """Add the steps that take back what a failed step and its needs changed."""
    state.undoing.add(entry.step)
    more: list[Step] = []
    for told in entry.facts["steps"]:
        step = Step.model_validate(told["step"])
        more.append(step)
        forget_step(state, step.id)  # it was taken back before, and changed anew
        unit = state.unit(step.id)
        unit.status, unit.planned = "waiting", told.get("record", {})
        if "items" in told:
            state.items[step.id] = Items(dict.fromkeys(told["items"]), released=len(told["items"]))
            for key, record in told["items"].items():
                state.unit(f"{step.id}[{key}]").planned = record
    state.playbook = state.playbook.with_steps(tuple(more))


def _linked(state: RunState, entry: Entry) -> None:
    if entry.facts.get("pauses"):
        link = Child(entry.facts["run"], entry.step, entry.facts["credential"])
        state.links = {**state.links, link.run: link}


_OWN: dict[str, Callable[[RunState, Entry], object]] = {
    "started": _started, "adopted": _adopted, "ended": _ended, "halted": _halted, "resumed": _resumed,
    "aborted": _aborted, "opened_child": _opened_child, "left_alone": _left_alone, "linked": _linked,
    "entered": _entered, "undoing": _undoing,
    **fold_steps.EVENTS, **fold_people.EVENTS,
}  # fmt: skip
"""What each entry of a run changes; others are kept, and change nothing of its state."""


def _incident_opened(state: RunState, entry: Entry) -> None:
    state.incident = {**entry.facts, "id": entry.incident}


def _incident_set(state: RunState, entry: Entry) -> None:
    name, value = entry.facts["field"], entry.facts["new"]
    if entry.facts.get("of") != "incident":
        state.given[name] = value
    elif not _overtaken(state, entry):
        state.incident[name] = value
        state.corrections.pop(f"{PREFIX}{name}", None)  # it was asked against another value


def _overtaken(state: RunState, entry: Entry) -> bool:
    """Tell whether the value was another when somebody corrected it: what that moves, nobody has looked at."""
    return "moves" in entry.facts and entry.facts["old"] != state.incident.get(entry.facts["field"])


def _proposed(state: RunState, entry: Entry) -> None:
    if not _overtaken(state, entry):
        state.corrections[entry.step] = proposed(entry)


def _correction_agreed(state: RunState, entry: Entry) -> None:
    found = agreed(state.corrections, entry)
    if found is not None:
        state.incident[found.name] = found.new


_INCIDENT: dict[str, Callable[[RunState, Entry], object]] = {
    "opened": _incident_opened, "set": _incident_set, "proposed": _proposed, "agreed": _correction_agreed,
    "declined": lambda state, entry: declined(state.corrections, entry),
}  # fmt: skip
