"""The secrets that an action hands over: those in its fields, whatever the fields are called."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from responder.action import changes
from responder.guards.case import Case
from responder.redaction import Secret


def handed_over(case: Case) -> list[Secret]:
    """Return every secret that a change would put somewhere; the run's own credential is its subject, not its load."""
    action = case.resolved.action
    if not changes(case.resolved.action):
        return []
    return [one for name in type(action).model_fields if name != "subject" for one in _secrets(getattr(action, name))]


def _secrets(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets(inner)
