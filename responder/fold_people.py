"""What people are asked and what they answer, entry by entry."""

from collections.abc import Callable
from datetime import datetime

from responder.entry import Entry
from responder.fold_steps import asks_in_vain, begin, end, forget_plan
from responder.state import RunState
from responder.suspicion import is_suspect
from responder.unit import ENDED, Ask, Unit


def asked(state: RunState, entry: Entry) -> None:
    """Note that a question is open."""
    facts = entry.facts
    due = facts.get("due_at")
    unit = state.unit(entry.step)
    if asks_in_vain(state, entry.step, facts["kind"]):
        return  # the run was aborted while this was on its way
    if unit.status in ENDED or (facts["kind"] == "approval" and unit.approved and unit.approved == facts.get("digest")):
        return  # people were faster than whoever asked (again)
    begin(state, entry)
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


def agreed(state: RunState, entry: Entry) -> None:
    """Count one person's agreement to exactly this digest."""
    ask = state.unit(entry.step).ask
    alone = bool(entry.facts.get("alone"))
    if ask is None or ask.digest != entry.facts["digest"] or (entry.actor in ask.agreed and not alone):
        return
    if entry.facts.get("role", ask.role) != ask.role:  # another role was asked meanwhile
        return
    if entry.actor not in ask.agreed:
        ask.agreed.append(entry.actor)
    if len(ask.agreed) >= ask.quorum or alone:
        _approve(state, entry.step)


def _approve(state: RunState, address: str) -> None:
    """Let what was asked be applied: exactly the digests that were planned when it was asked."""
    unit = state.unit(address)
    ask, unit.ask = unit.ask, None
    if ask is None or ask.kind != "approval":
        return
    signed = {address: ask.digest} | {f"{address}[{key}]": digest for key, digest in ask.digests.items()}
    for name, digest in signed.items():
        state.unit(name).approved, state.unit(name).approved_by = digest, tuple(ask.agreed)


def plan_again(state: RunState) -> None:
    """Forget what was planned and approved, and not sent: the incident is contained in another way now."""
    for unit in state.each():
        _plan_anew(unit)


def _plan_anew(unit: Unit) -> None:
    if unit.in_flight:  # it may have happened: its plan stays, but where it did not, nobody has agreed to it any more
        unit.approved, unit.approved_by = "", ()
    if unit.status in ENDED or unit.status in {"applied", "unknown"} or unit.in_flight:
        return
    if unit.ask is not None and unit.ask.kind == "approval":
        unit.ask = None
    unit.approved, unit.approved_by = "", ()
    if unit.planned.get("digest"):
        forget_plan(unit)


def discount(state: RunState) -> None:
    """Let no agreement count any more of whoever is suspect by now; what was approved with it, and not sent, is not."""
    for ask in (*state.asks(), *(motion.ask for motion in state.standing.motions.values())):
        ask.agreed = [person for person in ask.agreed if not is_suspect(state, person)]
    for unit in state.each():
        if any(is_suspect(state, person) for person in unit.approved_by):
            _plan_anew(unit)


def _asks_for(state: RunState, entry: Entry, *kinds: str) -> bool:
    """Tell whether what an entry answers is still asked: the same question, about the same change."""
    ask = state.unit(entry.step).ask
    return ask is not None and ask.kind in kinds and ask.digest == entry.facts.get("digest", ask.digest)


def declined(state: RunState, entry: Entry) -> None:
    """End a step that people declined."""
    if _asks_for(state, entry, "approval", "decide", "task", "gate"):
        end(state, entry, "declined").error = str(entry.facts.get("reason", ""))


def expired(state: RunState, entry: Entry) -> None:
    """Do what the playbook says of a question that nobody answered."""
    if not _asks_for(state, entry, "approval", "decide", "task"):
        return  # people were faster
    if entry.facts["consequence"] == "proceed":
        _approve(state, entry.step)
    elif entry.facts["consequence"] == "abort":
        declined(state, entry)
    else:
        state.unit(entry.step).ask = None  # an `asked` of the next role follows


def answered(state: RunState, entry: Entry) -> None:
    """Take what a person says of an unknown outcome."""
    if _asks_for(state, entry, "unknown"):
        unit = state.unit(entry.step)
        unit.ask, unit.answer, unit.status, unit.tries = None, str(entry.facts["answer"]), "running", 0


def decided(state: RunState, entry: Entry) -> None:
    """End a decision or a task as a person answered it."""
    if _asks_for(state, entry, "decide", "task"):
        end(state, entry, "done")


def gated(state: RunState, entry: Entry) -> None:
    """Note what a person said at the gate before a wave; `again` has it judged once more."""
    if _asks_for(state, entry, "gate"):
        state.unit(entry.step).ask = None
        state.items[entry.step].gate = str(entry.facts["answer"])


EVENTS: dict[str, Callable[[RunState, Entry], object]] = {
    "asked": asked, "agreed": agreed, "declined": declined, "expired": expired, "answered": answered,
    "decided": decided, "gated": gated,
}  # fmt: skip
