"""The whole playbook language as a JSON Schema, with every action's fields and help, for editors."""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from responder.action import Action
from responder.arguments import argument_names
from responder.notice import ACTIONS as NOTICES
from responder.playbook import Approval, Deadline, Input, PlaybookFile, Retry, Role, Start, Step
from responder.registry import Registry

_NOT_OURS = {"builtins", "pydantic", "typing"}
_EXPRESSION = {
    "type": "string",
    "pattern": r"\$\{\{.*\}\}",
    "description": "an expression, evaluated when the step starts",
}


def playbook_schema(registry: Registry) -> dict[str, Any]:
    """Return the JSON Schema of a playbook, for the providers that there are."""
    schema = PlaybookFile.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    definitions["expression"] = _EXPRESSION
    for model in (Approval, Deadline, Input, Retry, Role, Start, Step):
        explain(definitions[model.__name__], model)
    explain(schema, PlaybookFile)
    actions = sorted([*NOTICES, *registry.actions()], key=lambda action: action.name)
    step = definitions["Step"]
    step["oneOf"] = [{"required": ["action"]}, {"required": ["playbook"]}]
    step["properties"]["action"] = {
        "description": "What the step does.",
        "oneOf": [{"const": action.name, "description": _purpose(action)} for action in actions],
    }
    step["allOf"] = [_arguments(action, definitions) for action in actions]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A responder playbook",
        **_without_title(schema),
    }


def _without_title(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _arguments(action: type[Action], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what `with` may hold for one action; an expression may stand for any value."""
    inner = action.model_json_schema(by_alias=True, mode="validation")
    for name, definition in inner.pop("$defs", {}).items():
        definitions.setdefault(name, definition)
    names = argument_names(action)
    helped = field_help(action)
    properties = {name: _or_expression(inner["properties"][name], helped.get(name, "")) for name in names}
    required = [name for name in inner.get("required", ()) if name in names]
    arguments = {
        "type": "object",
        "description": _purpose(action),
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    then: dict[str, Any] = {"properties": {"with": arguments}}
    if required:
        then["required"] = ["with"]
    return {"if": {"properties": {"action": {"const": action.name}}, "required": ["action"]}, "then": then}


def _or_expression(schema: dict[str, Any], words: str) -> dict[str, Any]:
    described = {"description": words} if words else {}
    inner = {key: value for key, value in schema.items() if key not in {"title", "default"}}
    default = {"default": schema["default"]} if "default" in schema else {}
    return {**described, **default, "anyOf": [inner, {"$ref": "#/$defs/expression"}]}


class AsPrinted(GenerateJsonSchema):
    """Describes named tuples as the objects that they are printed as."""

    def named_tuple_schema(self, schema: core_schema.NamedTupleSchema) -> dict[str, Any]:
        """Describe a named tuple by the names of its fields."""
        shown: dict[str, Any] = {}
        for field in schema["fields"]:
            shown[field["name"]] = self.generate_inner(field["schema"]).copy()
            if self.field_title_should_be_set(field["schema"]):
                shown[field["name"]].setdefault("title", self.get_title_from_name(field["name"]))
        named = {"title": schema["cls"].__name__, "description": schema["cls"].__doc__}
        return {"type": "object", **named, "properties": shown, "required": list(shown)}


def explain(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add the words that stand under each field in the code."""
    for name, words in field_help(model).items():
        field = model.model_fields.get(name)
        key = (field.alias or name) if field else name
        if key in schema.get("properties", {}):
            schema["properties"][key].setdefault("description", words)


def _purpose(action: type[Action]) -> str:
    words = inspect.cleandoc(action.__doc__ or "")
    needs = f"\n\nNeeds: {', '.join(action.permissions)}." if action.permissions else ""
    return f"{words}\n\nEffect: {action.effect.value}.{needs}"


@cache
def field_help(model: type) -> dict[str, str]:
    """Return the docstring under each field of a class, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed([one for one in model.__mro__ if one.__module__.split(".")[0] not in _NOT_OURS]):
        found.update(_own_help(base))
    return found


def _own_help(model: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):  # made at run time, or without its source
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, words in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant) and isinstance(words.value.value, str):
            found[field.target.id] = inspect.cleandoc(words.value.value)
    return found
