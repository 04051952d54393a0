"""What YAML and structure cannot show of a playbook: against actions, guards and templates. One table of rules."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from responder.errors import InputError, Problem
from responder.lint import notices, secrets, steps, whole
from responder.lint.book import Book, Shelf
from responder.reading import load_playbook

__all__ = ["RULES", "Book", "Report", "Rule", "Shelf", "errors", "lint"]


class Rule(NamedTuple):
    """One thing that lint looks for."""

    name: str
    kind: Literal["error", "warning"]
    """A playbook with an error is not run."""
    says: str
    """What is wrong, in a sentence."""
    check: Callable[[Book], Iterable[Problem]]


RULES = (
    Rule("action", "error", "A step's action does not exist.", steps.actions),
    Rule("arguments", "error", "An argument is unknown, missing, or of another type.", steps.arguments),
    Rule(
        "approval",
        "error",
        "A step must ask people and does not, takes silence for agreement, or changes nothing to ask for.",
        steps.approvals,
    ),
    Rule("template", "error", "A template does not exist, or is broken.", notices.templates),
    Rule("field", "error", "A template is given a field that it does not have.", notices.unknown_fields),
    Rule("unfilled", "error", "A field of a template is filled by nobody.", notices.unfilled_fields),
    Rule("postmortem", "error", "The template of the postmortem does not exist, or is broken.", steps.postmortem),
    Rule(
        "joined-secret",
        "error",
        "A new credential's value is joined, compared or filtered, or hidden in what is passed on.",
        secrets.joined,
    ),
    Rule(
        "shown-secret",
        "error",
        "A new credential's value is given to what would show it, in a list too.",
        secrets.shown,
    ),
    Rule(
        "facts", "warning", "A template needs facts, and there is no responder.yaml to give them.", notices.needed_facts
    ),
    Rule(
        "branch",
        "warning",
        "A field of a template cannot be filled in some branch: what it reads may be skipped or fail.",
        notices.unfilled_branches,
    ),
    Rule("unseen", "warning", "A final step waits for no `credential.inspect`.", whole.unseen_ends),
    Rule("unproven", "warning", "A playbook for public leaks never proves the credential dead.", whole.unproven),
    Rule("unended", "warning", "A credential is replaced, and the old one is never ended.", whole.unended),
    Rule("uncaptured", "warning", "An exposure is removed before it is captured.", whole.uncaptured),
    Rule("idle", "warning", "A step changes nothing, nothing reads it, and nothing needs it.", whole.idle),
    Rule("unused-input", "warning", "An input is read by nothing.", whole.unused_inputs),
    Rule("unused-role", "warning", "A role is never asked.", whole.unused_roles),
    Rule(
        "unmet-deadline", "warning", "A deadline is met by no step, and can only become overdue.", whole.unmet_deadlines
    ),
)
"""Everything that lint looks for, errors first."""


class Report(NamedTuple):
    """What lint says of one playbook."""

    name: str
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def lint(path: Path, shelf: Shelf) -> Report:
    """Return every problem of a playbook file at once."""
    try:
        playbook, source = load_playbook(path, shelf.find)
    except InputError as error:
        return Report(path.name, tuple(error.problems))
    book = Book(playbook, source, shelf)
    return Report(playbook.playbook, _said(book, "error"), _said(book, "warning"))


def errors(book: Book) -> tuple[Problem, ...]:
    """Return what lets nobody run a playbook that was read already."""
    return _said(book, "error")


def _said(book: Book, kind: str) -> tuple[Problem, ...]:
    rules = (rule for rule in RULES if rule.kind == kind)
    return tuple(one._replace(rule=rule.name) for rule in rules for one in rule.check(book))
