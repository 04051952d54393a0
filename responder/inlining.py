"""Sub-playbooks: their steps take their place among those of the playbook that names them, as `step/their-id`."""

from collections.abc import Callable

from responder.errors import PlaybookError, Problem
from responder.playbook import Deadline, Part, Playbook, PlaybookFile, Role
from responder.source import Source, nearest
from responder.step import Step

_MOST_STEPS = 500


def inlined(playbook: PlaybookFile, source: Source, other: Callable[[str], Playbook]) -> tuple[Playbook, list[Problem]]:
    """Return a playbook with the steps of its sub-playbooks in their place, and what is wrong with those."""
    steps: list[Step] = []
    parts: dict[str, Part] = {}
    roles: dict[str, Role] = dict(playbook.roles)
    deadlines: dict[str, Deadline] = dict(playbook.deadlines)
    problems: list[Problem] = []
    for number, step in enumerate(playbook.steps):
        steps.append(step)
        if not step.playbook:
            continue
        place = ("steps", number)
        try:
            child = other(step.playbook)
        except PlaybookError as error:
            problems += [_placed(one, source.place((*place, "playbook"))) for one in error.problems]
            continue
        problems += _inputs(step, child, source, place)
        steps += [_moved(one, step.id) for one in child.steps]
        parts[step.id] = Part(
            playbook=child.playbook, version=child.version, inputs=dict(child.inputs), exit=child.exit
        )
        parts |= {f"{step.id}/{name}": part for name, part in child.parts.items()}
        roles = {**child.roles, **roles}
        deadlines |= {f"{step.id}/{name}": deadline.under(step.id) for name, deadline in child.deadlines.items()}
    if len(steps) > _MOST_STEPS:
        told = f"with its sub-playbooks it has {len(steps)} steps, more than {_MOST_STEPS}"
        problems.append(Problem(told, source.place(("steps",)), "split the response into several runs"))
    whole = {"steps": tuple(steps), "parts": parts, "roles": roles, "deadlines": deadlines}
    fields = {name: getattr(playbook, name) for name in type(playbook).model_fields}
    return Playbook.model_construct(**{**fields, **whole}), problems


def _placed(problem: Problem, place: str) -> Problem:
    """Return a problem of a sub-playbook; one without a place of its own is where the playbook is named."""
    return Problem(problem.what, problem.where or place, problem.remedy)


def _moved(step: Step, parent: str) -> Step:
    """Return a step of a sub-playbook under the id that it has in the whole."""
    return step.model_copy(
        update={
            "id": f"{parent}/{step.id}",
            "needs": tuple(f"{parent}/{need}" for need in step.needs),
            "meets": f"{parent}/{step.meets}" if step.meets else None,
        }
    )


def _inputs(step: Step, child: Playbook, source: Source, place: tuple[str | int, ...]) -> list[Problem]:
    """Return what is wrong with the inputs that a step gives its sub-playbook."""
    problems: list[Problem] = []
    for name in step.with_.keys() - child.inputs.keys():
        near = nearest(name, list(child.inputs))
        known = f"did you mean {near!r}?" if near else f"known: {', '.join(child.inputs) or 'none'}"
        told = f"the playbook {child.playbook!r} has no input {name!r}"
        problems.append(Problem(told, source.key_place((*place, "with", name)), known))
    for name, declared in child.inputs.items():
        if declared.required and declared.default is None and name not in step.with_:
            told = f"the playbook {child.playbook!r} needs the input {name!r}"
            problems.append(Problem(told, source.place((*place, "with")), declared.help or "give it under `with:`"))
    return problems
