"""Rules about the whole: what comes before what, what is proven, replaced and kept, and what is there for nothing."""

import re
from collections.abc import Iterator

from responder.action import Action, Effect
from responder.errors import Problem
from responder.lint.book import NOTICES, Book
from responder.playbook import Step, dependencies

_KEPT = {"human", "notice", "evidence"}
"""Providers whose steps leave something behind that nothing need read: a decision, a document, evidence."""
_ENDS = ("credential.disable", "credential.revoke")


def unseen_ends(book: Book) -> Iterator[Problem]:
    """Yield the final steps before which nobody has looked at the credential."""
    for step, place in book.steps():
        if book.effect(step) is Effect.FINAL and not book.waits_for(step, "credential.inspect"):
            yield Problem(
                f"the final step {step.id!r} does not wait for any `credential.inspect`",
                place.of("id"),
                "look at the credential first, and let this step need that",
            )


def unproven(book: Book) -> Iterator[Problem]:
    """Yield the playbook of a public leak that proves nothing dead."""
    public = any(match.get("exposure") == "public" for match in book.playbook.match)
    if public and not book.has("credential.prove_dead"):
        yield Problem(
            "it answers public leaks, and never proves the credential dead",
            book.source.place(("match",)),
            "add a step with `credential.prove_dead`, and an exit that reads its verdict",
        )


def unended(book: Book) -> Iterator[Problem]:
    """Yield the first replacement of a playbook that never ends the old credential."""
    if book.has(*_ENDS) or book.playbook.called:
        return
    for step, place in book.steps():
        if step.action == "credential.issue":
            yield Problem(
                f"{step.id!r} replaces the credential, and nothing ever ends the old one",
                place.of("id"),
                "add a step with `credential.revoke` or `credential.disable`, once the new one works",
            )
            return


def uncaptured(book: Book) -> Iterator[Problem]:
    """Yield the steps that take an exposure out of sight before anybody has kept it."""
    for step, place in book.steps():
        kept = any(book.playbook.by_id[one].action.startswith("evidence.") for one in book.before(step))
        if _removes(step, book.action(step)) and not kept:
            yield Problem(
                f"{step.id!r} removes what nobody has captured by then",
                place.of("id"),
                "let it need a step with `evidence.capture_page`",
            )


def _removes(step: Step, action: type[Action] | None) -> bool:
    """Tell whether a step hides an exposure, or asks for its removal."""
    if step.action in NOTICES:
        return str(step.with_.get("template", "")).startswith("takedown")
    if action is None or action.removes is Action.removes:
        return False
    given = {name: value for name, value in step.with_.items() if name in action.model_fields}
    try:
        return bool(action.model_construct(**given).removes())
    except (AttributeError, TypeError, ValueError):  # what it removes shows only at run time
        return True


def idle(book: Book) -> Iterator[Problem]:
    """Yield the steps that change nothing, and that nothing reads or waits for."""
    read = {name for step in book.playbook.steps for name in dependencies(step)}
    text = " ".join(book.playbook.exit)
    for step, place in book.steps():
        quiet = step.action.partition(".")[0] not in _KEPT and step.meets is None and book.effect(step) is Effect.READ
        if quiet and step.id not in read and not _is_named(step.id, text):
            yield Problem(
                f"nothing reads {step.id!r}, nothing needs it, and it changes nothing",
                place.of("id"),
                "let a step need it, or leave it out",
            )


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def unused_inputs(book: Book) -> Iterator[Problem]:
    """Yield the inputs that nothing reads: neither the playbook, nor a template that it uses."""
    templates = [template for template in (book.template(step) for step, _ in book.steps()) if template is not None]
    sources = [spec.from_ for template in templates for spec in template.front.fields.values()]
    text = " ".join([*(text for _, text in book.texts()), *sources])
    for name in book.source.data.get("inputs") or {}:
        if not _is_named(name, " ".join(re.findall(r"\binputs(?:\.\w+|\[[^\]]*\])", text))):
            place = book.source.key_place(("inputs", name))
            yield Problem(f"nothing reads the input {name!r}", place, "read it, or leave it out")


def unused_roles(book: Book) -> Iterator[Problem]:
    """Yield the roles that are never asked, and that own no deadline."""
    asked = {deadline.role for deadline in book.playbook.deadlines.values()}
    for step in book.playbook.steps:
        approval = step.approval
        texts = [str(step.with_.get("role", "")), str(step.with_.get("on_timeout", ""))]
        texts += [approval.role, approval.on_timeout] if approval is not None else []
        asked |= {role for text in texts for role in re.findall(r"[a-z][a-z0-9-]*", text)}
    for name in book.source.data.get("roles") or {}:
        if name not in asked:
            place = book.source.key_place(("roles", name))
            yield Problem(f"nobody with the role {name!r} is ever asked", place, "ask them, or leave the role out")


def unmet_deadlines(book: Book) -> Iterator[Problem]:
    """Yield the deadlines that can only become overdue."""
    met = {step.meets for step in book.playbook.steps}
    for name in book.playbook.deadlines:
        if name not in met and "/" not in name:
            yield Problem(
                f"no step meets the deadline {name!r}: it can only become overdue",
                book.source.key_place(("deadlines", name)),
                f"let the step that fulfils it say `meets: {name}`",
            )
