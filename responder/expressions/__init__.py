"""`${{ }}`: one sandboxed Jinja expression, whose names and references are known before it runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Never

from responder.errors import PlaybookError

ROOTS = frozenset(
    {
        "inputs",
        "incident",
        "connections",
        "steps",
        "item",
        "now",
        "credential",
        "facts",
        "organisation",
        "people",
        "audiences",
    }
)
"""The names that an expression may read."""
CALLS = frozenset({"always", "failed", "children", "unknown", "after"})
"""The functions that an expression may call."""
_PATTERN = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class SecretRef:
    """Stands for a sealed secret in an expression: it can be passed on whole, and nothing else."""

    __slots__ = ("blob", "fingerprint")

    def __init__(self, blob: str, fingerprint: str) -> None:
        self.blob = blob
        self.fingerprint = fingerprint

    def __repr__(self) -> str:
        return f"<secret {self.fingerprint}>"

    def _refuse(self, *_: object) -> Never:
        raise PlaybookError("A secret can be passed on whole, and nothing else can be done with it in an expression")

    __str__ = __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __add__ = __radd__ = _refuse
    __contains__ = __iter__ = __len__ = __bool__ = __mod__ = __rmod__ = __getitem__ = __format__ = _refuse
    __hash__ = object.__hash__

    def document(self) -> dict[str, str]:
        """Return how the timeline writes it."""
        return {"$secret": self.blob, "fingerprint": self.fingerprint}


@dataclass(frozen=True)
class Unknown:
    """A fact that nobody knows yet: said so, with the reason and the time of the next word on it."""

    reason: str
    next_update_at: datetime

    def __str__(self) -> str:
        when = self.next_update_at.strftime("%Y-%m-%d %H:%M UTC")
        return f"not known yet ({self.reason}; next update by {when})"


class References(NamedTuple):
    """What an expression reads, seen without running it."""

    steps: frozenset[str] = frozenset()
    """Steps that must have ended well before it can be evaluated."""
    ended: frozenset[str] = frozenset()
    """Steps of which it is enough that they ended: `failed('x')`."""
    inputs: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    always: bool = False
    item: bool = False

    def __or__(self, other: "References") -> "References":
        """Return what either reads."""
        if self is _NOTHING or other is _NOTHING:
            return self if other is _NOTHING else other
        return References(
            self.steps | other.steps,
            self.ended | other.ended,
            self.inputs | other.inputs,
            self.children | other.children,
            self.always or other.always,
            self.item or other.item,
        )


_NOTHING = References()


def expressions_in(text: str) -> list[str]:
    """Return the expressions that a text holds, without their brackets."""
    return [match.strip() for match in _PATTERN.findall(text)]


def is_whole(text: str) -> bool:
    """Tell whether a text is one expression and nothing else, so that its value keeps its type."""
    match = _PATTERN.fullmatch(text.strip())
    return match is not None and "${{" not in match.group(1) and "}}" not in match.group(1)


def references(value: Any) -> References:
    """Return what all expressions inside a value read. PlaybookError where one is malformed."""
    found = _NOTHING
    if isinstance(value, str):
        if "${{" not in value:
            return found
        from responder.expressions import sandbox  # noqa: PLC0415 - Jinja takes long to import

        for expression in expressions_in(value):
            found |= sandbox.references_of(expression)
        if "${{" in _PATTERN.sub("", value):
            raise PlaybookError("An expression is not closed", remedy="write ${{ ... }}")
    elif isinstance(value, Mapping):
        for inner in value.values():
            found |= references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            found |= references(inner)
    return found


def evaluate(value: Any, names: Mapping[str, Any]) -> Any:
    """Return a value with every expression in it replaced: whole ones keep their type, others become text."""
    if isinstance(value, str):
        if "${{" not in value:
            return value
        from responder.expressions import sandbox  # noqa: PLC0415 - Jinja takes long to import

        if is_whole(value):
            return sandbox.value_of(expressions_in(value)[0], names)
        return _PATTERN.sub(lambda match: _as_text(sandbox.value_of(match.group(1).strip(), names), value), value)
    if isinstance(value, Mapping):
        return {key: evaluate(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [evaluate(inner, names) for inner in value]
    return value


def _as_text(value: Any, whole: str) -> str:
    if isinstance(value, SecretRef):
        raise PlaybookError(f"{whole!r} joins a secret with text", remedy="pass the secret on whole")
    return value.isoformat() if isinstance(value, datetime) else str(value)
