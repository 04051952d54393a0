"""What is wrong between the parts of a playbook that are right by themselves."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from responder.appointed import HOW, read_appointed
from responder.due import deadline_problems
from responder.errors import PlaybookError, Problem
from responder.expressions import expressions_in, references
from responder.playbook import MATCH_KEYS, Playbook, PlaybookFile, Step, dependencies
from responder.source import Source, nearest

Place = tuple[str | int, ...]


def own_problems(playbook: PlaybookFile, source: Source) -> list[Problem]:
    """Return what a file may not say although its form is right."""
    problems = list(_duplicates(playbook, source))
    for number, step in enumerate(playbook.steps):
        if set("/~") & set(step.id):
            told = f"the id {step.id!r} is not one that a file may give"
            problems.append(Problem(told, source.place(("steps", number, "id")), "use a-z, 0-9 and -"))
    for name in playbook.deadlines:
        if set("/~") & set(name):
            place = source.key_place(("deadlines", name))
            problems.append(Problem(f"{name!r} is not a name that a file may give", place, "use a-z, 0-9 and -"))
    return problems


def whole_problems(playbook: Playbook, source: Source) -> list[Problem]:
    """Return what is wrong between a file's own parts, once its sub-playbooks stand among them."""
    problems: list[Problem] = []
    ids = list(playbook.by_id)
    for number, step in enumerate(_own(playbook)):
        place = ("steps", number)
        problems += _references(step, playbook, source, place, ids)
        problems += _names(step, playbook, source, place)
    for number, criterion in enumerate(playbook.exit):
        problems += _expression(criterion, playbook, source, ("exit", number), ids)
        if "${{" not in criterion:
            told = f"the exit criterion {criterion!r} is no expression, and could never hold"
            problems.append(Problem(told, source.place(("exit", number)), "write ${{ ... }}"))
    problems += deadline_problems(playbook.deadlines, source)
    for name, deadline in playbook.deadlines.items():
        if "/" in name:
            continue  # it was judged in the file that says it
        problems += _known(deadline.role, playbook.roles, "role", source.place(("deadlines", name, "role")))
        if deadline.condition:
            problems += _deadline_condition(deadline.condition, playbook, source, ("deadlines", name, "if"), ids)
    for number, match in enumerate(playbook.match):
        for key in match.keys() - MATCH_KEYS:
            problems.append(
                Problem(
                    f"`match` does not know {key!r}",
                    source.key_place(("match", number, key)),
                    f"known: {', '.join(sorted(MATCH_KEYS))}",
                )
            )
    return problems or list(_cycle(playbook, source))


def _own(playbook: Playbook) -> list[Step]:
    """Return the steps that the file itself says, in its order."""
    return [step for step in playbook.steps if not step.scope]


def _duplicates(playbook: PlaybookFile, source: Source) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, step in enumerate(playbook.steps):
        if step.id in seen:
            yield Problem(
                f"two steps are called {step.id!r}",
                source.place(("steps", number, "id")),
                f"the first is step number {seen[step.id] + 1}",
            )
        seen.setdefault(step.id, number)


def _known(name: str, known: Mapping[str, Any], what: str, place: str) -> list[Problem]:
    if name in known:
        return []
    near = nearest(name, list(known))
    return [
        Problem(
            f"there is no {what} {name!r}",
            place,
            f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}",
        )
    ]


def _references(
    step: Step, playbook: Playbook, source: Source, place: tuple[str | int, ...], ids: list[str]
) -> list[Problem]:
    problems: list[Problem] = []
    for number, need in enumerate(step.needs):
        problems += _known(need, playbook.by_id, "step", source.place((*place, "needs", number)))
    for key, value in (
        ("if", step.condition),
        ("with", step.with_),
        ("for_each", step.for_each),
        ("connection", step.connection),
        ("as", step.as_),
        ("gate", step.gate),
        ("start", step.start.model_dump() if step.start else None),
    ):
        problems += _expression(value, playbook, source, (*place, key), ids)
    problems += _clocks(step, source, place)
    if step.id in step.needs:
        problems.append(Problem(f"the step {step.id!r} needs itself", source.place((*place, "needs"))))
    return problems or list(_items(step, source, place))


def _deadline_condition(
    text: str, playbook: Playbook, source: Source, place: tuple[str | int, ...], ids: list[str]
) -> list[Problem]:
    """Return what is wrong with the `if` of a deadline, which counts whatever has become of the steps."""
    problems = _expression(text, playbook, source, place, ids)
    if problems:
        return problems
    if "${{" not in text:
        return [
            Problem(
                "`if` is an expression, and this would always count as true", source.place(place), "write ${{ ... }}"
            )
        ]
    found = references(text)
    if found.steps or found.ended or found.always:
        told = "a deadline's `if` reads a step, and would always count as true"
        return [Problem(told, source.place(place), "let it read `incident`, `inputs` or `facts`")]
    return []


def _clocks(step: Step, source: Source, place: tuple[str | int, ...]) -> Iterator[Problem]:
    """Yield where a `start` says no time, or reads the clock, which nothing watches: its time would never come."""
    if step.start is None:
        return
    for key in ("when", "not_before", "hard_stop"):
        if any(re.search(r"\bnow\b", text) for text in expressions_in(getattr(step.start, key))):
            what, way = "a clock is not watched", "say a time with `not_before`"
            if key != "when":
                what, way = "such a time moves on with every look", "count it from a moment or from what a step says"
            yield Problem(f"`{key}` reads `now`, and {what}", source.place((*place, "start", key)), way)
    for key in ("not_before", "hard_stop"):
        text = getattr(step.start, key)
        if text and "${{" not in text:
            try:
                read_appointed(text)
            except (ValueError, OverflowError) as error:
                yield Problem(f"{text!r} is not a time: {error}", source.place((*place, "start", key)), HOW)


def _items(step: Step, source: Source, place: tuple[str | int, ...]) -> Iterator[Problem]:
    """Yield where an expression reads `item`, and there is none."""
    if step.for_each is None and references([step.condition, step.with_]).item:
        yield Problem(f"the step {step.id!r} reads `item` and has no `for_each`", source.place(place))
    once = {"if": step.condition, "for_each": step.for_each, "gate": step.gate}
    for key in (key for key, value in once.items() if step.for_each is not None and references(value).item):
        told = f"`{key}` reads `item`, and is judged once for all items"
        yield Problem(told, source.place((*place, key)), "leave out of `for_each` what is not meant")


def _expression(
    value: Any, playbook: Playbook, source: Source, path: tuple[str | int, ...], ids: list[str]
) -> list[Problem]:
    """Return what is wrong with the expressions inside a value, each at its own place."""
    if isinstance(value, dict):
        return [
            problem
            for key, inner in value.items()
            for problem in _expression(inner, playbook, source, (*path, key), ids)
        ]
    if isinstance(value, list):
        return [
            problem
            for key, inner in enumerate(value)
            for problem in _expression(inner, playbook, source, (*path, key), ids)
        ]
    try:
        found = references(value)
    except PlaybookError as error:
        return [Problem(error.message, source.place(path), error.remedy)]
    problems: list[Problem] = []
    for name in sorted((found.steps | found.ended) - set(ids)):
        problems += _known(name, playbook.by_id, "step", source.place(path))
    for name in sorted(found.inputs - set(playbook.inputs)):
        problems += _known(name, playbook.inputs, "input", source.place(path))
    return problems


def _names(step: Step, playbook: Playbook, source: Source, place: tuple[str | int, ...]) -> list[Problem]:
    problems: list[Problem] = []
    if step.meets is not None:
        problems += _known(step.meets, playbook.deadlines, "deadline", source.place((*place, "meets")))
    if step.approval is not None:
        roles = [step.approval.role, *re.findall(r"escalate\((.*)\)", step.approval.on_timeout)]
        for role in roles:
            problems += _known(role, playbook.roles, "role", source.place((*place, "approval")))
    role = step.with_.get("role") if step.action.startswith("human.") else None
    if isinstance(role, str):
        problems += _known(role, playbook.roles, "role", source.place((*place, "with", "role")))
    return problems


def _cycle(playbook: Playbook, source: Source) -> Iterator[Problem]:
    """Yield the first cycle among the steps, if there is one."""
    waiting = {step.id: set(dependencies(step)) for step in playbook.steps}
    for step in playbook.steps:
        if step.scope in playbook.by_id:  # a sub-playbook's steps wait until it begins, and it until they have ended
            waiting[step.id] |= dependencies(playbook.by_id[step.scope])
            waiting[step.scope].add(step.id)
    while True:
        free = {step for step, needs in waiting.items() if not needs & waiting.keys()}
        if not free:
            break
        waiting = {step: needs for step, needs in waiting.items() if step not in free}
    if waiting:
        own = _own(playbook)
        names = [step.id for step in own if step.id in waiting]
        number = next(n for n, step in enumerate(own) if step.id in waiting)
        yield Problem(
            f"these steps wait for each other: {', '.join(names)}",
            source.place(("steps", number)),
            "remove one of the needs",
        )
