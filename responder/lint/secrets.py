"""Rules about secrets: a value that was issued is passed on whole, to what may have it, or not at all."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from responder.action import Action
from responder.errors import Problem
from responder.expressions import expressions_in, is_whole
from responder.lint.book import NOTICES, Book, texts
from responder.playbook import Step
from responder.redaction import Secret
from responder.source import Path

_ISSUE = "credential.issue"
_PLAIN = {"key_id", "claim", "status", "all_done", "count", "left", "fingerprint"}
"""What a step that issues says besides the value."""
_LENGTH = r"\s*\|\s*length\b"


def joined(book: Book) -> Iterator[Problem]:
    """Yield the places where an issued value is joined, compared, filtered, or hidden in what is passed on."""
    for where, expression, whole, tail, rest in _uses(book):
        if tail == "value" and whole and not rest:
            continue
        if tail == "value":
            told = "a secret is joined, compared or filtered here"
            yield Problem(told, where, "pass it on whole: an expression of its own, and nothing around it")
        elif not re.match(_LENGTH, rest):
            told = f"a secret stands inside what {expression!r} reads"
            yield Problem(told, where, "name what is meant: `.each[KEY].key_id`, `.claim`, or `.value` by itself")


def shown(book: Book) -> Iterator[Problem]:
    """Yield the places where an issued value is given to what takes no secret, in lists and mappings too."""
    issuing = _issuing(book)
    for step, place in book.steps() if issuing else ():
        action = book.action(step)
        for path, text in texts(step.with_):
            passed = is_whole(text) and any(
                tail == "value" and not rest for tail, rest in _chains(expressions_in(text)[0], issuing)
            )
            if passed and action is not None and not _takes_secret(action, step, path):
                told = f"{step.action} is given a secret here, and would show it"
                yield Problem(told, place.of("with", *path), "give its `key_id`, or deliver it with credential.deliver")


def _takes_secret(action: type[Action], step: Step, path: Path) -> bool:
    """Tell whether an argument may hold a secret; what a document says never may."""
    if step.action in NOTICES or step.action.startswith("human."):
        return False
    field = action.model_fields.get(str(path[0]))
    return field is None or field.annotation is None or _holds(field.annotation)


def _holds(kind: Any) -> bool:
    return kind in {Secret, Any} or any(_holds(inner) for inner in get_args(kind))


def _uses(book: Book) -> Iterator[tuple[str, str, bool, str, str]]:
    """Yield every use of what an issuing step says: place, expression, whether it is alone, last name, what follows."""
    issuing = _issuing(book)
    for path, text in book.texts() if issuing else ():
        for expression in expressions_in(text):
            for tail, rest in _chains(expression, issuing):
                alone = is_whole(text) and expression.startswith("steps") and not rest
                yield book.source.place(path), expression, alone, tail, rest


def _issuing(book: Book) -> str:
    """Return a pattern of the names of the steps that issue credentials; nothing where none does."""
    return "|".join(re.escape(step.id) for step in book.playbook.steps if step.action == _ISSUE and not step.scope)


def _chains(expression: str, issuing: str) -> Iterator[tuple[str, str]]:
    """Yield the last name of each path that leads into an issuing step to a secret or around one, and what follows."""
    root = rf"steps(?:\.(?:{issuing})(?![\w-])|\[['\"](?:{issuing})['\"]\])"
    for found in re.finditer(rf"{root}((?:\.\w+|\[[^\]]*\])*)", expression):
        names = re.findall(r"\.(\w+)", found[1])
        tail = names[-1] if names else ""
        if tail not in _PLAIN:
            before = expression[: found.start()].strip()
            yield tail, before + expression[found.end() :].strip()
