"""How Slack answers: with `ok`, with status 200 for nearly every error, and page by page."""

import json
from collections.abc import Callable
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.system import outcome_of
from responder.drill.world.web import Answer

_DENIED = ("invalid_auth", "not_authed", "token_revoked", "account_inactive", "missing_scope", "not_allowed_token_type")
_MOST_PAGE = 999

Asked = dict[str, Any]
"""The arguments of a call."""
Method = Callable[[Asked], Answer]


class NotOk(Exception):
    """Slack says `ok: false` with this word, and sometimes says more."""

    def __init__(self, error: str, *, messages: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more | ({"response_metadata": {"messages": list(messages)}} if messages else {})

    @property
    def answer(self) -> Answer:
        """What the client gets: status 200."""
        answer = Answer(body={"ok": False, "error": self.error, **self.more})
        answer.outcome = "refused" if self.error in _DENIED else "invalid"
        return answer


def ok(*effects: Effect, **body: Any) -> Answer:
    """Return an answer that says yes."""
    answer = Answer(body={"ok": True, **body}, effects=effects)
    answer.outcome = outcome_of(answer)
    return answer


def paged(items: list[Any], asked: Asked) -> tuple[list[Any], str]:
    """Return one page and the cursor of the next; raises NotOk."""
    try:
        start, limit = int(asked.get("cursor") or 0), int(asked.get("limit") or 100)
    except ValueError:
        raise NotOk("invalid_cursor") from None
    end = start + max(1, min(limit, _MOST_PAGE))
    return items[start:end], str(end) if end < len(items) else ""


def stamp(value: Any, default: float) -> float:
    """Return a time stamp as a number; raises NotOk."""
    try:
        return float(value) if value else default
    except (TypeError, ValueError):
        raise NotOk("invalid_ts") from None


def parsed(value: Any, error: str = "invalid_arguments") -> Any:
    """Return an argument that is JSON in a form, and itself in JSON; raises NotOk with `error`."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError:
        raise NotOk(error) from None


def listed(value: Any) -> list[str]:
    """Return the parts of an argument that is a list, or a text with commas."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [part for each in parts if (part := str(each).strip())]


def truth(value: Any) -> bool:
    """Tell what a form or JSON means by a flag."""
    return value in (True, 1, "1", "true", "True")
