"""Break-glass: one permitted person approves containment alone. Recorded, told at once, reviewed afterwards."""

from responder.entry import Draft
from responder.errors import PlanRefused, Problem, RequestError
from responder.redaction import looks_like_credential
from responder.state import RunState
from responder.suspicion import is_suspect

GUARD = "approval"
_ENDINGS = frozenset({"disable", "revoke", "fence", "end_sessions"})
"""What containment does to the run's own credential; nothing else is ever approved alone."""
_REMEDY = "ask somebody else to approve it; `responder status` shows who may"


def broken(state: RunState, step: str, person: str, reason: str) -> Draft:
    """Return the entry of a broken glass: for one step, or for all containment where `step` is empty.

    PlanRefused says why this person may not, or why not for this step.
    """
    check_reason(reason)
    problems = _of_person(state, person) + (_of_step(state, step) if step else [])
    if problems:
        told = (Problem(problem, f"step {step}" if step else state.run, _REMEDY, GUARD) for problem in problems)
        raise PlanRefused(problems=tuple(told))
    return Draft("broke_glass", {"reason": reason}, state.run, step, person)


def check_reason(reason: str) -> None:
    """Refuse a reason that cannot be told to others. RequestError."""
    if not reason.strip() or "${{" in reason or looks_like_credential(reason):
        raise RequestError("There is no reason that can be told to others", where="--break-glass", remedy="say why")


def broke(state: RunState, step: str, person: str) -> bool:
    """Tell whether somebody has broken the glass for this step, and may approve it alone."""
    done = any(
        (one.run, one.by) == (state.run, person) and one.step in {"", step.partition("[")[0]}
        for one in state.standing.broken
    )
    return done and not _of_person(state, person) and not _of_step(state, step)


def _of_person(state: RunState, person: str) -> list[str]:
    """Return why a person may not approve alone."""
    found: list[str] = []
    if person not in (state.started.get("break_glass") or ()):
        found.append(f"{person} is not on the list `break_glass` of responder.yaml, as it was when the run began")
    if is_suspect(state, person):
        found.append(f"{person} is suspect in this incident")
    if state.credential.held_by(person, (state.people.get(person) or {}).get("email")):
        found.append(f"{person} holds the credential")
    return found


def _of_step(state: RunState, address: str) -> list[str]:
    """Return why nobody may approve a step alone."""
    name = address.partition("[")[0]
    step = state.playbook.by_id.get(name)
    if step is None:
        return [f"{name} is no step of this run"]
    found: list[str] = []
    if step.phase != "containment":
        found.append(f"breaking the glass is for containment only, and {name} is {step.phase}")
    if step.action.partition(".")[0] != "credential" or step.action.partition(".")[2] not in _ENDINGS:
        found.append(
            f"{step.does} does not end the run's own credential: messages and issuing are never approved alone"
        )
    if step.as_:
        found.append(f"{name} acts as another connection, which needs two people")
    return found
