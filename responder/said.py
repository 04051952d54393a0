"""What a person types as the value of a fact: text, a list or mapping in JSON, or that it is not known yet."""

import json
import re
from datetime import datetime
from typing import Any

from responder.errors import RequestError
from responder.expressions import Unknown
from responder.finding import moment

_UNKNOWN = r"(?s:unknown\((?P<reason>.+),\s*(?P<when>[^,()]+)\)\s*)"
_MARK = "$unknown"


def read_fact(text: str, name: str) -> Any:
    """Return a fact as the timeline keeps it. InputError where it is meant as JSON or a time, and is none.

    `unknown(reason, time of the next word on it)` says that nobody knows yet; `[...]` and `{...}` are JSON.
    """
    found = re.fullmatch(_UNKNOWN, text.strip())
    if found:
        when = moment(found["when"].strip(), f"{name}, next update")
        return {_MARK: found["reason"].strip().strip("'\""), "next_update_at": when.isoformat()}
    if text.strip().startswith("unknown("):
        raise RequestError(
            "The value begins like what is not known yet, and does not say until when",
            where=name,
            remedy="write unknown(REASON, TIME), with the time of the next word on it, like 2026-05-02T18:00Z",
        )
    if text.strip()[:1] not in {"[", "{"}:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        told = f"The value begins like JSON and is none: {error}"
        raise RequestError(told, where=name, remedy="close its brackets, or begin it with another character") from None


def heard(value: Any) -> Any:
    """Return a fact of the timeline as expressions and templates read it."""
    if isinstance(value, dict) and _MARK in value:
        return Unknown(value[_MARK], moment(value["next_update_at"], "next update"))
    if isinstance(value, list):
        return [heard(inner) for inner in value]
    return value


def kept(value: Any) -> Any:
    """Return a value of a document as the timeline keeps it: what `heard` turns back."""
    if isinstance(value, Unknown):
        return {_MARK: value.reason, "next_update_at": value.next_update_at.isoformat()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): kept(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [kept(inner) for inner in value]
    return value
