"""Rules about what people are told: templates that exist, and fields that somebody fills, whichever way a run goes."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from responder.arguments import Place
from responder.errors import DocumentError, Problem
from responder.expressions import expressions_in, references
from responder.lint.book import NOTICES, Book, texts
from responder.playbook import Step

if TYPE_CHECKING:
    from responder.documents.template import Template
    from responder.fields import FieldSpec
from responder.source import nearest


def templates(book: Book) -> Iterator[Problem]:
    """Yield the templates that do not exist, at the step, and those that are broken, at their own places."""
    for step, place in book.steps():
        name = step.with_.get("template")
        if step.action not in NOTICES or not isinstance(name, str) or "${{" in name:
            continue
        try:
            book.shelf.templates.get(name)
        except DocumentError as error:
            for problem in error.problems:
                known_place = ":" in problem.where
                yield problem if known_place else problem._replace(where=place.of("with", "template"))


def _told(book: Book) -> Iterator[tuple[Step, Place, "Template", Mapping[str, Any]]]:
    """Yield the steps that tell people something, with their template and the fields that they give."""
    for step, place in book.steps():
        template = book.template(step)
        given = step.with_.get("fields", {})
        if template is not None and isinstance(given, Mapping):
            yield step, place, template, given


def unknown_fields(book: Book) -> Iterator[Problem]:
    """Yield the fields that a template does not have."""
    for _, place, template, given in _told(book):
        known = list(template.front.fields)
        for name in given.keys() - set(known):
            near = nearest(name, known)
            yield Problem(
                f"the template {template.name!r} has no field {name!r}",
                place.key("with", "fields", name),
                f"did you mean {near!r}?" if near else f"it has: {', '.join(known)}",
            )


def unfilled_fields(book: Book) -> Iterator[Problem]:
    """Yield the fields that neither the step nor responder.yaml fills."""
    facts = book.shelf.facts
    for _, place, template, given in _told(book) if facts is not None else ():
        for name in _unfilled(template, given):
            if name not in (facts or ()):
                said = template.front.fields[name].help
                remedy = f"add it to `fields` here, or to `facts` in responder.yaml{f': {said}' if said else ''}"
                told = f"nobody fills the field {name!r} of the template {template.name!r}"
                yield Problem(told, place.of("with", "template"), remedy)


def needed_facts(book: Book) -> Iterator[Problem]:
    """Yield what responder.yaml must say of us, where there is none to look into."""
    for _, place, template, given in _told(book) if book.shelf.facts is None else ():
        needed = _unfilled(template, given)
        if needed:
            told = f"the template {template.name!r} needs facts that no configuration was there to give"
            where = place.of("with", "template")
            yield Problem(f"{told}: {', '.join(needed)}", where, "add them to `facts` in responder.yaml")


def _unfilled(template: "Template", given: Collection[str]) -> list[str]:
    return [
        name
        for name, spec in template.front.fields.items()
        if not spec.from_ and not spec.optional and name not in given
    ]


# Whichever way a run goes ----------------------------------------------------------------------------------------

_ALWAYS_THERE = r"steps(?:\.\w+|\[['\"][^'\"]*['\"]\])\.(?:status|all_done|count|left)\b"
"""What every step says of itself, however it ended."""
_HANDLED = r"\|\s*default\b|\bif\b|\bor\b"
"""An expression that says itself what counts where there is nothing."""


def unfilled_branches(book: Book) -> Iterator[Problem]:
    """Yield the fields that nobody fills when a run takes another branch."""
    for step, place, template, given in _told(book):
        for name, spec in template.front.fields.items():
            if spec.optional or (book.shelf.facts is not None and name in book.shelf.facts and name not in given):
                continue
            if name in given:
                why = _may_be_nothing(given[name], step, book)
                where = place.of("with", "fields", name)
            else:
                why = _source_is_nothing(spec, step, book) if spec.from_ else ""
                where = place.of("with", "template")
            if why:
                told = f"the field {name!r} of the template {template.name!r} cannot be filled when {why}"
                yield Problem(told, where, "give it another way, let the step's `if` say so, or need what it reads")


def _may_be_nothing(value: Any, step: Step, book: Book) -> str:
    """Return when a field that a step gives is null: what it reads was skipped, or failed and goes on."""
    for text in (one for _, one in texts(value) if "${{" in one):
        if any(re.search(_HANDLED, expression) for expression in expressions_in(text)):
            continue
        bare = re.sub(_ALWAYS_THERE, "none", text)
        for name in sorted(references(bare).steps - references(bare).children):
            why = _ends_empty(book.playbook.by_id.get(step.qualified(name)), step)
            if why:
                return why
    return ""


def _ends_empty(read: Step | None, by: Step) -> str:
    """Return how a step can end without saying anything, while another that reads it goes on."""
    if read is None or re.search(rf"(?<![\w-]){re.escape(read.id.rpartition('/')[2])}(?![\w-])", str(by.condition)):
        return ""
    if read.condition != "" and read.condition is not True and not _implies(by.condition, read.condition):
        return f"{read.id!r} is skipped"
    return f"{read.id!r} fails, and the run goes on" if read.on_error == "continue" else ""


def _implies(condition: object, other: object) -> bool:
    """Tell whether one condition visibly contains another: as a whole, or as one of the parts joined by `and`."""
    parts = {part.strip(" ()") for part in re.split(r"\band\b", _inner(condition))}
    return {part.strip(" ()") for part in re.split(r"\band\b", _inner(other))} <= parts


def _inner(condition: object) -> str:
    return " ".join(expressions_in(str(condition)))


def _source_is_nothing(spec: "FieldSpec", step: Step, book: Book) -> str:
    """Return when a field's own source gives nothing."""
    text = spec.from_
    if re.search(_HANDLED, text):
        return ""
    if "incident.contained_at" in text and not book.waits_for(step, "credential.prove_dead"):
        return "nothing has proven the credential dead by then"
    if re.search(r"\bitem\b", text) and step.for_each is None:
        return "the step has no `for_each`"
    for name in sorted(references(text).inputs):
        declared = book.playbook.inputs.get(name)
        if declared is None:
            return f"the playbook has no input {name!r}"
        empty = not declared.required and declared.default is None
        if empty and f"inputs.{name}" not in str(step.condition):
            return f"nobody gives the input {name!r}"
    return ""
