"""What a message will say, shown before somebody signs it."""

from collections.abc import Mapping
from typing import Any

from responder.slack.blocks import Block, context, safe, section
from responder.state import RunState
from responder.view import AskView

_PIECE = 2700
_MOST_PIECES = 6


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
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    blocks = [section(head), *(section("\n".join(f"> {safe(line)}" for line in one.splitlines())) for one in pieces)]
    more = f"the first of {ask.items}; the others differ in what is theirs" if ask.items > 1 else ""
    cut = "the rest is in the terminal: `responder status`" if len(pieces) > _MOST_PIECES else ""
    return [*blocks[: _MOST_PIECES + 1], *([context(more, cut)] if more or cut else [])]


def _planned(ask: AskView, state: RunState) -> Mapping[str, Any]:
    items = state.items.get(ask.step)
    if items is None:
        return state.unit(ask.step).planned
    units = (state.unit(f"{ask.step}[{key}]") for key in items.values)
    return next((unit.planned for unit in units if unit.planned), {})
