"""What is made up where a scenario says nothing: facts of an action, fields of a template, inputs of a playbook."""

import hashlib
import inspect
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from responder.action import Action
from responder.fields import FieldSpec
from responder.playbook import Input

_FACTS = re.compile(r"Facts: (.*?)(?:\n\s*\n|\Z)", re.DOTALL)
_NAMED = re.compile(r"`([a-z][a-z0-9_]*)`")
_SHA256 = re.compile(r"sha256|digest|hash")
_TRUE = {"complete", "trusted", "ok", "exists", "verified", "reachable", "holds"}
_LISTS = {
    "redirects", "sessions", "items", "findings", "missing", "uses", "newly_refused", "covered", "missing_before",
    "known", "silent", "unknown", "earlier", "doors", "unresolved", "new", "unseen",
}  # fmt: skip
_COUNTS = {"bytes", "commits", "scanned", "count", "looks", "refusals"}
_NONE_FOUND = {"found", "open", "foreign"}
_KNOWN: Mapping[str, Any] = {
    "places": [{"file": "app.py", "commit": "3f9a1c20b7d4"}],
    "headers": {"content-type": "text/html"},
    "kept_until": "",
    "status": 200,
    "visibility": "public",
}


def facts_of(action: Action, now: datetime) -> dict[str, Any]:
    """Return a value for each fact that an action's documentation names after `Facts:`."""
    told = _FACTS.search(inspect.cleandoc(type(action).__doc__ or ""))
    names = _NAMED.findall(told[1]) if told else []
    return {name: _fact(name, action, now) for name in dict.fromkeys(names)}


def _fact(name: str, action: Action, now: datetime) -> Any:
    if name in type(action).model_fields:
        return getattr(action, name)
    if name in _KNOWN:
        return _KNOWN[name]
    if name.endswith(("_at", "_since")) or name == "last_modified":
        return now.isoformat()
    if _SHA256.search(name):
        return hashlib.sha256(name.encode()).hexdigest()
    if name in _LISTS:
        return []
    if name in _TRUE:
        return True
    if name in _COUNTS:
        return 1
    return 0 if name in _NONE_FOUND else f"{name}-1"


def input_of(declared: Input, person: str) -> Any:
    """Return a value for a required input that the scenario leaves out."""
    values = {"integer": 1, "boolean": False, "person": person, "url": "https://pages.example/post"}
    return values.get(declared.type, "an-example")


def field_of(name: str, spec: FieldSpec, now: datetime) -> Any:
    """Return a value for a template's field that nobody fills."""
    words = name.replace("_", " ")
    entry: Any = {part: f"the {part} of the {words}" for part in spec.of} if spec.of else f"One {words}"
    values: dict[str, Any] = {
        "time": (now + timedelta(days=14)).isoformat(),
        "number": 1,
        "list": [entry],
        "mapping": entry if spec.of else {words: f"One {words}"},
        "link": f"https://pages.example/{name}",
        "person": {**(entry if spec.of else {}), "name": "Sam Example", "email": "sam@house.example"},
    }
    return values.get(spec.type, f"The {words}")
