"""What the reference pages are made of: types in words, the fields of a model, Markdown tables."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from meanings import KEYS
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from responder.anchors import Anchor
from responder.dates import LocalTime, Span
from responder.durations import show_duration
from responder.redaction import Secret

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    timedelta: "span of time",
    datetime: "time with a zone",
    AwareDatetime: "time with a zone",
    Secret: "secret",
    Any: "anything",
    Span: "span",
    LocalTime: "local time",
    Anchor: "moment",
}
_MOST_DEFAULT = 60


def type_words(kind: Any) -> str:
    """Return a type as a person says it."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if origin in {Union, UnionType}:
        return " or ".join(type_words(one) for one in inner if one is not type(None))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in {tuple, list}:
        return f"list of {type_words(inner[0])}" if inner else "list"
    if origin is dict:
        return f"mapping of {type_words(inner[1])}" if inner[1] is not Any else "mapping"
    if hasattr(kind, "__metadata__") and inner is not None:
        return type_words(kind.__origin__)
    return kind.__name__ if isinstance(kind, type) else str(kind)


def field_notes(model: type) -> dict[str, str]:
    """Return what stands below each field in the source, those of base classes too."""
    notes: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if one.__module__.partition(".")[0] != "responder":
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, note in pairwise(statements):
            named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if named and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
                notes[field.target.id] = one_line(str(note.value.value))
    return notes


def default_words(field: FieldInfo) -> str:
    """Return the default of a field; nothing where it must be given or the default says nothing."""
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, timedelta):
        return f"`{show_duration(value)}`"
    if isinstance(value, Enum | bool | int | float):
        return f"`{str(value).lower() if isinstance(value, bool) else value}`"
    return f"`{value}`" if isinstance(value, str) and value and len(value) < _MOST_DEFAULT else ""


def fields(model: type[BaseModel], without: Sequence[str] = ()) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and meaning of each field."""
    notes = field_notes(model)
    for name, field in model.model_fields.items():
        if name not in without:
            said = field.alias or name
            meaning = notes.get(name) or field.description or key_words(model, said)
            yield f"`{said}`", type_words(field.annotation), default_words(field), meaning


def key_words(model: type, name: str) -> str:
    """Return what `meanings` says of a field; a provider's models are known there by the provider's name."""
    parts = model.__module__.split(".")
    of = f"{parts[2]}." if parts[1] == "providers" else ""
    return KEYS.get(f"{of}{model.__name__}.{name}") or KEYS.get(f"{of}{name}", "")


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from models_in(inner)


def models_below(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model and every model that its fields are made of, each once, in the order of reading."""
    found = [model]
    for one in found:
        for field in one.model_fields.values():
            found += [inner for inner in models_in(field.annotation) if inner not in found]
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table; columns in which nothing stands are left out."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[head[number] for number in kept], ["---"] * len(kept)]
    lines += [[row[number].replace("|", "\\|") for number in kept] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def field_table(model: type[BaseModel], without: Sequence[str] = ()) -> list[str]:
    """Return the fields of a model as a table; nothing where it has none."""
    rows = list(fields(model, without))
    return table(("field", "type", "default", "meaning"), rows) if rows else []


def one_line(text: str) -> str:
    """Return a docstring's text without its line breaks."""
    return " ".join(text.split())


def doc(thing: object) -> str:
    """Return a docstring as Markdown paragraphs."""
    return inspect.cleandoc(thing.__doc__ or "")


def listed(names: Mapping[str, str] | Sequence[str]) -> str:
    """Return names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)
