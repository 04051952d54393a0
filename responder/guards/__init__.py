"""What no plan may do. A guard refuses; it never warns, and no option skips it. One module each, and one table."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from responder.errors import PlanRefused, Problem
from responder.guards import (
    account,
    approval,
    closing,
    delivery,
    evidence,
    executor,
    lock,
    modes,
    ownership,
    suspects,
    way_back,
)
from responder.guards.approval import step_problems
from responder.guards.case import Case, Moment, case_of
from responder.guards.closing import Closing, taken_up_again
from responder.incident import Judgement
from responder.playbook import Playbook

__all__ = [
    "GUARDS",
    "Case",
    "Closing",
    "Guard",
    "Moment",
    "case_of",
    "check_close",
    "check_start",
    "check_step",
    "step_problems",
    "taken_up_again",
]


class Guard(NamedTuple):
    """One invariant, and the questions by which it is held."""

    name: str
    invariant: str
    step: Callable[[Case], Iterable[Problem]] | None = None
    moments: tuple[Moment, ...] = (Moment.PLAN, Moment.CHANGE)
    """When `step` is asked."""
    start: Callable[[Judgement, Playbook], Iterable[Problem]] | None = None
    close: Callable[[Closing], Iterable[Problem]] | None = None

    @property
    def asked(self) -> tuple[Moment, ...]:
        """When it is asked, the earliest first."""
        start = (Moment.START,) if self.start else ()
        close = (Moment.CLOSE,) if self.close else ()
        return (*start, *(self.moments if self.step else ()), *close)


_ACTING = (Moment.CHANGE, Moment.READING)

GUARDS = (
    Guard(
        "ownership",
        "A credential that is not ours, canaries included, is never presented and never ended.",
        ownership.of_step,
        _ACTING,
        ownership.at_start,
    ),
    Guard("account", "A change is made on the account that responder.yaml says, or not at all.", account.of_step),
    Guard("lock", "Only the run that holds a credential's lock acts on it.", lock.of_step, _ACTING),
    Guard(
        approval.NAME,
        "What is final, or leaves the house, has the agreement of people; silence is none.",
        approval.of_step,
    ),
    Guard(executor.NAME, "Whoever acts is not the credential that leaked, nor made from it.", executor.of_step),
    Guard(
        suspects.NAME,
        "Nothing about the incident goes to whoever is suspect, and no approval, decision or role comes from them.",
        suspects.of_step,
        (Moment.CHANGE,),
    ),
    Guard("delivery", "No secret goes to a place that is public, client-side or exposed.", delivery.of_step),
    Guard(
        "way-back",
        "No leaked credential works again; a replacement is narrower, or says why not.",
        way_back.of_step,
    ),
    Guard(
        "evidence",
        "An exposure is removed only after its bytes are stored.",
        evidence.of_step,
        _ACTING,
    ),
    Guard(
        modes.NAME,
        "What the containment mode forbids is not done, and no mode is entered that does not fit.",
        modes.of_step,
        (Moment.CHANGE,),
    ),
    Guard(
        closing.NAME,
        "No incident is closed while a run, an outcome, a deadline or a credential is open, or the review is missing.",
        close=closing.at_close,
    ),
)
"""Every guard, in the order in which refusals are told."""


def check_start(judgement: Judgement, playbook: Playbook) -> None:
    """Refuse a run that must not begin. PlanRefused carries every reason at once."""
    _refuse(_named(guard, guard.start(judgement, playbook) if guard.start is not None else ()) for guard in GUARDS)


_OF_STEPS = {
    moment: tuple((guard, guard.step) for guard in GUARDS if guard.step is not None and moment in guard.moments)
    for moment in Moment
}


def check_step(case: Case) -> None:
    """Refuse what a step must not do. PlanRefused carries every reason at once."""
    _refuse([_named(guard, refusals(case)) for guard, refusals in _OF_STEPS[case.moment]])


def check_close(closing: Closing) -> None:
    """Refuse to close an incident too early. PlanRefused carries every reason at once."""
    _refuse(_named(guard, guard.close(closing) if guard.close is not None else ()) for guard in GUARDS)


def _named(guard: Guard, problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        yield problem._replace(guard=guard.name)


def _refuse(found: Iterable[Iterable[Problem]]) -> None:
    problems = tuple(problem for one in found for problem in one)
    if problems:
        raise PlanRefused(problems=problems)
