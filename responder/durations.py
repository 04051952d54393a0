"""Spans of time as playbooks and connections write them: `90s`, `5m`, `1h30m`, `2d`."""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_PATTERN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


_LONGEST = timedelta(days=3660)


@lru_cache(maxsize=256)
def duration(text: str) -> timedelta:
    """Read a span. ValueError for anything that is not one."""
    match = _PATTERN.fullmatch(text.strip())
    if not match or not text.strip():
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 5m, 1h30m or 2d")
    days, hours, minutes, seconds = match.groups(default="0")
    try:
        span = timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:
        raise ValueError(f"{text[:40]!r} is longer than {_LONGEST.days} days")
    return span


def show_duration(span: timedelta) -> str:
    """Write a span as a playbook does: nothing of it is lost."""
    left, rest = divmod(round(span.total_seconds() * 1_000_000), 1_000_000)
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    if rest:
        seconds = parts.pop().rstrip("s") if parts and parts[-1].endswith("s") else "0"
        parts.append(f"{seconds}.{rest:06d}".rstrip("0") + "s")
    return "".join(parts) or "0s"


def _read(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("it has no unit; write it like 90s, 5m, 1h30m or 2d")  # noqa: TRY004 - pydantic wants ValueError
    return duration(value)


class _Written:
    """Says that a span is read from its text, and written as text again."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read it, and write it as text."""
        text = core_schema.str_schema()
        return core_schema.no_info_before_validator_function(
            _read,
            handler(source),
            json_schema_input_schema=text,
            serialization=core_schema.plain_serializer_function_ser_schema(show_duration, return_schema=text),
        )


Duration = Annotated[timedelta, _Written, Field(gt=timedelta(0))]
"""A positive span."""

OnTimeout = Annotated[str, Field(pattern=r"^(proceed|abort|escalate\([a-z][a-z0-9-]*\))$")]
"""What follows when nobody answers; there is no default."""
