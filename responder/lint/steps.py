"""Rules about single steps: their action, its arguments, and whom they ask."""

from collections.abc import Iterator

from responder.action import Effect
from responder.arguments import action_of, argument_problems
from responder.errors import DocumentError, PlaybookError, Problem
from responder.guards import step_problems
from responder.lint.book import Book
from responder.notice import SendNotice


def actions(book: Book) -> Iterator[Problem]:
    """Yield the steps whose action does not exist."""
    for step, place in book.steps():
        if step.playbook:
            continue  # its inputs were judged when it was read
        try:
            action_of(step, book.shelf.registry)
        except PlaybookError as error:
            yield Problem(error.message, place.of("action"), error.remedy)


def arguments(book: Book) -> Iterator[Problem]:
    """Yield what is wrong with the arguments that steps give their actions."""
    for step, place in book.steps():
        action = book.action(step)
        if action is not None:
            yield from argument_problems(step, action, place)


def approvals(book: Book) -> Iterator[Problem]:
    """Yield the steps that must ask people and do not, take silence for agreement, or would never ask."""
    for step, place in book.steps():
        action, template = book.action(step), book.template(step)
        if action is None:
            continue
        external = template is not None and template.front.external and action is SendNotice
        for problem in step_problems(step, action.effect, external=external):
            yield problem._replace(where=place.of("approval") if step.approval else place.of("id"))
        if step.approval is not None and action.effect is Effect.READ:
            told = f"{step.action} changes nothing, so its `approval` would never be asked for"
            yield Problem(told, place.of("approval"), "let a `human.decide` come before it, or leave `approval` out")


def postmortem(book: Book) -> Iterator[Problem]:
    """Yield what is wrong with the template of the postmortem; a run does not read it, and parsing it takes long."""
    if book.shelf.to_run and book.playbook.postmortem in book.shelf.templates.names():
        return
    try:
        book.shelf.templates.get(book.playbook.postmortem)
    except DocumentError as error:
        for problem in error.problems:
            yield problem if ":" in problem.where else problem._replace(where=book.source.place(("postmortem",)))
