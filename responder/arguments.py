"""What a step gives its action: known names, nothing missing, and literal values of the right type."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from responder.action import Action
from responder.errors import PlaybookError, Problem
from responder.notice import ACTIONS as NOTICES
from responder.playbook import Step
from responder.redaction import Secret
from responder.registry import Registry
from responder.source import Source, nearest
from responder.subject import CredentialAction


class Place(NamedTuple):
    """Where a step stands in its file."""

    source: Source
    number: int

    def of(self, *path: str | int) -> str:
        """Return the place of something inside the step."""
        return self.source.place(("steps", self.number, *path))

    def key(self, *path: str | int) -> str:
        """Return the place of a key inside the step."""
        return self.source.key_place(("steps", self.number, *path))


def action_of(step: Step, registry: Registry) -> type[Action]:
    """Return the class behind a step's action. PlaybookError where there is none."""
    notices = {notice.name: notice for notice in NOTICES}
    if step.action in notices:
        return notices[step.action]
    if step.action.startswith("notice."):
        near = nearest(step.action, list(notices))
        raise PlaybookError(
            f"There is no action {step.action!r}",
            remedy=f"did you mean {near!r}?" if near else f"known: {', '.join(notices)}",
        )
    return registry.action(step.action)


def argument_names(action: type[Action]) -> list[str]:
    """Return what a step may give an action under `with`."""
    hidden = {"subject"} if issubclass(action, CredentialAction) else set()
    return [name for name in action.model_fields if name not in hidden]


def argument_problems(step: Step, action: type[Action], place: Place) -> Iterator[Problem]:
    """Yield what is wrong with the arguments that a step gives its action."""
    known = argument_names(action)
    for key in step.with_.keys() - set(known):
        near = nearest(key, known)
        yield Problem(
            f"{step.action} takes no {key!r}",
            place.key("with", key),
            f"did you mean {near!r}?" if near else f"it takes: {', '.join(known) or 'nothing'}",
        )
    for name in known:
        if action.model_fields[name].is_required() and name not in step.with_:
            yield Problem(
                f"{step.action} needs {name!r}",
                place.of("with") if step.with_ else place.of("id"),
                f"add it under `with` of {step.id!r}",
            )
    yield from _literals(step, action, place, set(known))


def _literals(step: Step, action: type[Action], place: Place, known: Collection[str]) -> Iterator[Problem]:
    """Yield the values that are written out and are of another type; expressions show theirs at run time."""
    given = {name: value for name, value in step.with_.items() if name in known}
    try:
        action.model_validate(given)
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            path = item["loc"]
            if not path or (len(path) == 1 and item["type"] == "missing") or _holds_expression(given, path):
                continue
            name = ".".join(map(str, path))
            secret = action.model_fields[str(path[0])].annotation is Secret
            message = (
                "a secret is never written out; pass it on whole by an expression" if secret else _said(item["msg"])
            )
            yield Problem(f"{name}: {message}", place.of("with", *path))


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "should be")


def _holds_expression(value: Any, path: tuple[str | int, ...]) -> bool:
    """Tell whether what stands at a path, or anything in it, is only known at run time."""
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            break
    return "${{" in str(value)
