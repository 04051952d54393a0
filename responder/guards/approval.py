"""Approval: what is final, or leaves the house, has the agreement of people, and silence is none."""

from collections.abc import Iterator

from responder.action import Effect
from responder.errors import Problem
from responder.guards.case import Case
from responder.playbook import Step

NAME = "approval"
_TWO = 2
"""How many people agree to acting with another credential than the connection's own."""


def step_problems(step: Step, effect: Effect, *, external: bool) -> list[Problem]:
    """Return what is wrong with a step's approval for what it does; lint and the runner both ask."""
    problems: list[Problem] = []
    place = f"step {step.id}"
    if step.as_ and effect is not Effect.READ and (step.approval is None or step.approval.quorum < _TWO):
        told = "acting as another connection needs the agreement of two people"
        problems.append(Problem(told, place, "add `quorum: 2` to `approval:`", NAME))
    if step.approval is None:
        if effect is Effect.FINAL:
            problems.append(Problem("a final change needs an approval", place, "add `approval:`", NAME))
        if external:
            problems.append(Problem("a text that leaves the house needs an approval", place, "add `approval:`", NAME))
    if step.approval is None:
        return problems
    if step.approval.on_timeout == "proceed" and effect in {Effect.FINAL, Effect.MESSAGE}:
        problems.append(
            Problem(
                f"`on_timeout: proceed` is not for a {effect.value} effect: silence is no agreement",
                place,
                "use abort or escalate(role)",
                NAME,
            )
        )
    return problems


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse a change whose step asks nobody where somebody must be asked."""
    external = bool(case.resolved.record.get("external"))
    yield from step_problems(case.step, case.resolved.action.effect, external=external)
