"""What YAML and structure cannot show of a playbook: against actions, guards and templates."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from responder.action import Effect
from responder.arguments import Place, action_of, argument_problems
from responder.documents import Template, Templates
from responder.errors import DocumentError, InputError, PlaybookError, Problem
from responder.expressions import expressions_in, is_whole
from responder.guards import step_problems
from responder.notice import DraftNotice, SendNotice
from responder.playbook import Playbook, Step, dependencies
from responder.reading import Find, load_playbook
from responder.registry import Registry
from responder.source import Source, nearest

_KEPT = {"human", "notice", "evidence"}
"""Providers whose steps leave something behind that nothing need read: a decision, a document, evidence."""


@dataclass(frozen=True)
class Report:
    """What lint says of one playbook."""

    name: str
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Shelf:
    """What playbooks are held against."""

    registry: Registry
    templates: Templates
    facts: Collection[str] | None = None
    """The facts that responder.yaml gives to every template; None where there is no configuration."""
    find: Find | None = None
    """Says where sub-playbooks are; None: beside the playbook."""


def lint(path: Path, shelf: Shelf) -> Report:
    """Return every problem of a playbook file at once."""
    try:
        playbook, source = load_playbook(path, shelf.find)
    except InputError as error:
        return Report(path.name, tuple(error.problems))
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for number, step in enumerate(own_steps(playbook)):
        place = Place(source, number)
        errors += _of_step(step, place, shelf)
        errors += _joined_secrets(step, playbook, place)
        warnings += _needed_facts(step, place, shelf) if shelf.facts is None else ()
    errors += _of_postmortem(playbook, source, shelf)
    warnings += [
        *_unseen_ends(playbook, source, shelf),
        *_unproven(playbook, source),
        *_idle(playbook, source, shelf),
        *_unmet(playbook, source),
    ]
    return Report(playbook.playbook, tuple(errors), tuple(warnings))


def own_steps(playbook: Playbook) -> list[Step]:
    """Return the steps that a file itself says, in its order; those of sub-playbooks are judged in their own files."""
    return [step for step in playbook.steps if not step.scope]


def _of_step(step: Step, place: Place, shelf: Shelf) -> Iterator[Problem]:
    if step.playbook:
        return  # its inputs were judged when it was read
    try:
        action = action_of(step, shelf.registry)
    except PlaybookError as error:
        yield Problem(error.message, place.of("action"), error.remedy)
        return
    yield from argument_problems(step, action, place)
    template = None
    if action in (SendNotice, DraftNotice):
        name = step.with_.get("template")
        if isinstance(name, str) and "${{" not in name:
            try:
                template = shelf.templates.get(name)
            except DocumentError as error:
                yield from _template_problems(error, place)
    if template is not None:
        yield from _fields(step, template, place, shelf)
    for problem in step_problems(
        step,
        action.effect,
        external=template is not None and template.front.external and action is SendNotice,
    ):
        yield replace(problem, where=place.of("approval") if step.approval else place.of("id"))


def _template_problems(error: DocumentError, place: Place) -> Iterator[Problem]:
    """Report an unknown template at the step that names it, a broken one at its own places."""
    for problem in error.problems:
        known_place = ":" in problem.where
        yield problem if known_place else replace(problem, where=place.of("with", "template"))


# Templates ----------------------------------------------------------------------------------------


def _fields(step: Step, template: Template, place: Place, shelf: Shelf) -> Iterator[Problem]:
    """Yield the fields that the template does not have, and those that nobody can fill."""
    given = step.with_.get("fields", {})
    if not isinstance(given, Mapping):
        return
    known = list(template.front.fields)
    for name in given.keys() - set(known):
        near = nearest(name, known)
        yield Problem(
            f"the template {template.name!r} has no field {name!r}",
            place.key("with", "fields", name),
            f"did you mean {near!r}?" if near else f"it has: {', '.join(known)}",
        )
    if shelf.facts is None:
        return
    for name in _unfilled(template, given):
        if name not in shelf.facts:
            said = template.front.fields[name].help
            remedy = f"add it to `fields` here, or to `facts` in responder.yaml{f': {said}' if said else ''}"
            yield Problem(
                f"nobody fills the field {name!r} of the template {template.name!r}",
                place.of("with", "template"),
                remedy,
            )


def _unfilled(template: Template, given: Collection[str]) -> list[str]:
    return [
        name
        for name, spec in template.front.fields.items()
        if not spec.from_ and not spec.optional and name not in given
    ]


def _needed_facts(step: Step, place: Place, shelf: Shelf) -> Iterator[Problem]:
    """Yield what responder.yaml must say of us, where there is none to look into."""
    name = step.with_.get("template")
    if step.action not in {SendNotice.name, DraftNotice.name} or name not in shelf.templates.names():
        return
    given = step.with_.get("fields", {})
    try:
        needed = _unfilled(shelf.templates.get(str(name)), given if isinstance(given, Mapping) else {})
    except DocumentError:
        return
    if needed:
        yield Problem(
            f"the template {name!r} needs facts that no configuration was there to give: {', '.join(needed)}",
            place.of("with", "template"),
            "add them to `facts` in responder.yaml",
        )


def _of_postmortem(playbook: Playbook, source: Source, shelf: Shelf) -> Iterator[Problem]:
    try:
        shelf.templates.get(playbook.postmortem)
    except DocumentError as error:
        for problem in error.problems:
            yield problem if ":" in problem.where else replace(problem, where=source.place(("postmortem",)))


# Secrets ------------------------------------------------------------------------------------------


def _joined_secrets(step: Step, playbook: Playbook, place: Place) -> Iterator[Problem]:
    """Yield the places where the value of an issued credential is visibly joined with something."""
    issuing = [one.id for one in playbook.steps if one.action == "credential.issue"]
    if not issuing:
        return
    names = "|".join(map(re.escape, issuing))
    path = rf"steps(?:\.(?:{names})|\[['\"](?:{names})['\"]\])(?:\.each\[[^\]]+\])?\.value\b"
    for where, text in _texts({"with": step.with_, "if": step.condition, "for_each": step.for_each}):
        for expression in expressions_in(text):
            if re.search(path, expression) and not (is_whole(text) and re.fullmatch(path, expression)):
                yield Problem(
                    "a secret is joined, compared or filtered here",
                    place.of(*where),
                    "pass it on whole: an expression of its own, and nothing around it",
                )


def _texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, number))


# The whole ----------------------------------------------------------------------------------------


def _unseen_ends(playbook: Playbook, source: Source, shelf: Shelf) -> Iterator[Problem]:
    """Yield the final steps before which nobody has looked at the credential."""
    for number, step in enumerate(own_steps(playbook)):
        if _effect(step, shelf) is Effect.FINAL and not any(
            playbook.by_id[one].action == "credential.inspect" for one in _before(step, playbook)
        ):
            yield Problem(
                f"the final step {step.id!r} does not wait for any `credential.inspect`",
                source.place(("steps", number, "id")),
                "look at the credential first, and let this step need that",
            )


def _before(step: Step, playbook: Playbook) -> set[str]:
    """Return every step that must have ended before one."""
    found: set[str] = set()
    left = list(dependencies(step))
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += dependencies(playbook.by_id[name])
    return found


def _unproven(playbook: Playbook, source: Source) -> Iterator[Problem]:
    public = any(match.get("exposure") == "public" for match in playbook.match)
    if public and not any(step.action == "credential.prove_dead" for step in playbook.steps):
        yield Problem(
            "it answers public leaks, and never proves the credential dead",
            source.place(("match",)),
            "add a step with `credential.prove_dead`, and an exit that reads its verdict",
        )


def _unmet(playbook: Playbook, source: Source) -> Iterator[Problem]:
    """Yield the deadlines that can only become overdue."""
    met = {step.meets for step in playbook.steps}
    for name in playbook.deadlines:
        if name not in met and "/" not in name:
            yield Problem(
                f"no step meets the deadline {name!r}: it can only become overdue",
                source.key_place(("deadlines", name)),
                f"let the step that fulfils it say `meets: {name}`",
            )


def _idle(playbook: Playbook, source: Source, shelf: Shelf) -> Iterator[Problem]:
    """Yield the steps that change nothing, and that nothing reads or waits for."""
    read = {name for step in playbook.steps for name in dependencies(step)}
    text = " ".join(playbook.exit)
    for number, step in enumerate(own_steps(playbook)):
        quiet = (
            not step.playbook
            and step.action.partition(".")[0] not in _KEPT
            and step.meets is None
            and _effect(step, shelf) is Effect.READ
        )
        if quiet and step.id not in read and not re.search(rf"(?<![\w-]){re.escape(step.id)}(?![\w-])", text):
            yield Problem(
                f"nothing reads {step.id!r}, nothing needs it, and it changes nothing",
                source.place(("steps", number, "id")),
                "let a step need it, or leave it out",
            )


def _effect(step: Step, shelf: Shelf) -> Effect | None:
    try:
        return action_of(step, shelf.registry).effect
    except PlaybookError:
        return None
