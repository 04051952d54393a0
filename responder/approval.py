"""Who may answer which question, and what an answer signs."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from responder.entry import Draft
from responder.errors import RequestError
from responder.glass import broke
from responder.incident import Credential, mailbox
from responder.state import RunState
from responder.suspicion import is_suspect, refuse_suspect
from responder.unit import Ask


def group_digest(digests: Mapping[str, str]) -> str:
    """Return what one approval for many items signs: the sorted pairs of key and digest."""
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()


def may_answer(state: RunState, ask: Ask) -> list[str]:
    """Return who may answer a question: those with its role, less the requester, every holder and every suspect.

    A holder or requester may do a task or report an outcome; agreeing and deciding is what they are excluded from.
    """
    with_role = [name for name, person in state.people.items() if ask.role in person["roles"]]
    if not ask.role:  # the playbook names no role, and what may have happened must be answered by somebody
        with_role = list(state.people)
    with_role = [name for name in with_role if not is_suspect(state, name)]
    if ask.kind in {"task", "unknown"}:
        return with_role
    allowed = [name for name in with_role if not _excluded(state, name, ask)]
    alone = [one.by for one in state.standing.broken if ask.kind == "approval" and broke(state, ask.unit, one.by)]
    return list(dict.fromkeys([*allowed, *alone]))


def _excluded(state: RunState, person: str, ask: Ask) -> str:
    """Return why a person may not agree to this in this run; empty where they may."""
    email = state.people[person].get("email")
    for asker, what in ((str(state.started.get("requester", "")), "run"), (ask.by, "correction")):
        theirs = mailbox(state.people.get(asker, {}).get("email"))
        if person == asker or (theirs and theirs == mailbox(email)):
            return f"asked for this {what}"
    if state.credential.held_by(person, email):
        return "holds the credential"
    others = state.standing.credentials if ask.unit in state.standing.motions else ()
    held = any(Credential.model_validate(one).held_by(person, email) for one in others)
    return "holds a credential of this incident" if held else ""


def open_ask(state: RunState, step: str, kinds: Iterable[str]) -> Ask:
    """Return the open question of a step. RequestError says what is open instead."""
    ask = state.question(step)
    kinds = tuple(kinds)
    if ask is not None and ask.kind in kinds:
        return ask
    if ask is not None:
        way = {"approval": "approve", "task": "done"}.get(ask.kind, "decide")
        raise RequestError(
            f"The step {step} waits for something else: {ask.kind}",
            where=state.run,
            remedy=f"`responder {way} {state.run} {step}`",
        )
    motions = [motion.ask for motion in state.standing.motions.values()]
    known = ", ".join(open_one.unit for open_one in (*state.asks(), *motions) if open_one.kind in kinds)
    raise RequestError(
        f"Nothing is asked at {step} now (it is {state.standing_of(step)})",
        where=state.run,
        remedy=f"open: {known or 'nothing'}",
    )


def check_person(state: RunState, ask: Ask, person: str) -> None:
    """Refuse an answer from somebody who may not give it. RequestError says why, and who may.

    PlanRefused where they are suspect.
    """
    refuse_suspect(state, person)
    allowed = may_answer(state, ask)
    if person in allowed:
        return
    who = ", ".join(allowed) or "nobody: give somebody else the role"
    if not person:
        raise RequestError(
            "This login speaks for nobody in responder.yaml; it may only look",
            where=ask.unit,
            remedy="set `os_user:` of a person",
        )
    if person not in state.people:
        raise RequestError(
            f"{person} was not among the people when the run started", where=ask.unit, remedy=f"may answer: {who}"
        )
    if ask.role and ask.role not in state.people[person]["roles"]:
        raise RequestError(f"{person} does not have the role {ask.role}", where=ask.unit, remedy=f"may answer: {who}")
    raise RequestError(
        f"{person} {_excluded(state, person, ask)} and may not approve", where=ask.unit, remedy=f"may answer: {who}"
    )


def agree(state: RunState, step: str, person: str, digest: str = "") -> Draft:
    """Return the entry of a person's agreement to what is asked now. `digest`: what they saw, if they say it."""
    ask = open_ask(state, step, ("approval",))
    check_person(state, ask, person)
    if digest and digest != ask.digest:
        raise RequestError(
            "The change is another now than the one that you saw",
            where=step,
            remedy=f"look again: `responder status {state.run}`",
        )
    alone = {"alone": True} if broke(state, step, person) else {}
    if person in ask.agreed and not alone:
        raise RequestError(
            f"{person} has agreed already; {ask.quorum - len(ask.agreed)} more people are needed", where=step
        )
    return Draft("agreed", {"digest": ask.digest, "role": ask.role, **alone}, state.run, step, person)


def decline(state: RunState, step: str, person: str, reason: str) -> Draft:
    """Return the entry of a person's refusal."""
    ask = open_ask(state, step, ("approval", "decide", "task", "gate"))
    check_person(state, ask, person)
    return Draft("declined", {"digest": ask.digest, "reason": reason}, state.run, step, person)


def decide(state: RunState, step: str, person: str, option: str) -> Draft:
    """Return the entry of a person's choice, of what they say at a gate, or about an unknown outcome."""
    ask = open_ask(state, step, ("decide", "unknown", "gate"))
    check_person(state, ask, person)
    if option not in ask.options:
        raise RequestError(f"{option!r} is no option", where=step, remedy=f"options: {', '.join(ask.options)}")
    if ask.kind == "unknown":
        return Draft("answered", {"answer": option, "question": ask.text}, state.run, step, person)
    if ask.kind == "gate":
        return Draft("gated", {"answer": option, "digest": ask.digest, "question": ask.text}, state.run, step, person)
    return Draft("decided", {"facts": {"choice": option, "by": person}, "question": ask.text}, state.run, step, person)


def report_done(state: RunState, step: str, person: str, said: str) -> Draft:
    """Return the entry of a person saying that a task is done."""
    ask = open_ask(state, step, ("task",))
    check_person(state, ask, person)
    return Draft("decided", {"facts": {"by": person, "said": said}}, state.run, step, person)
