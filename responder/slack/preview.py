"""What a message will say, shown before somebody signs it."""

from collections.abc import Iterator, Mapping
from typing import Any

from responder.slack.blocks import Block, context, paragraphs, safe, section
from responder.state import RunState
from responder.view import AskView

_PIECE = 2700
_MOST_PIECES = 6
_ESCAPED = 5
"""How many characters one is at most once it is escaped."""


def preview(ask: AskView, state: RunState) -> list[Block]:
    """Return the message that an approval would send, whole, as it was rendered; nothing where it sends none.

    Where an approval is for many, the first one's is shown; what is signed are all their digests.
    """
    planned = _planned(ask, state)
    given: Mapping[str, Any] = planned.get("with") or {}
    text = str(planned.get("text") or given.get("body") or given.get("text") or "")
    if not text or planned.get("effect") != "message":
        return []
    to = str(given.get("to") or given.get("channel") or planned.get("to") or "")
    head = f"*To* {safe(to)}" + (f"\n*Subject* {safe(given['subject'])}" if given.get("subject") else "")
    pieces = paragraphs(_quoted(text))
    more = f"the first of {ask.items}; the others differ in what is theirs" if ask.items > 1 else ""
    cut = "the rest is in the terminal: `responder status`" if len(pieces) > _MOST_PIECES else ""
    return [section(head), *pieces[:_MOST_PIECES], *([context(more, cut)] if more or cut else [])]


def _quoted(text: str) -> Iterator[str]:
    """Yield the lines of a text as they are quoted, each as long as a paragraph takes once it is escaped."""
    for line in text.splitlines():
        size = _PIECE if len(safe(line)) <= _PIECE else _PIECE // _ESCAPED
        yield from (f"> {safe(line[start : start + size])}" for start in range(0, len(line) or 1, size))


def _planned(ask: AskView, state: RunState) -> Mapping[str, Any]:
    items = state.items.get(ask.step)
    if items is None:
        return state.unit(ask.step).planned
    units = (state.unit(f"{ask.step}[{key}]") for key in items.values)
    return next((unit.planned for unit in units if unit.planned), {})
