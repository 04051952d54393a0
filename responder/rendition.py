"""How values look in a document: times in two zones, people, spans, and what is not known yet."""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from typing import Any

from responder.expressions import Unknown

ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
"""The organisation's zone, while one of its documents is rendered."""

BUILT_IN = ("default", "first", "last", "length", "lower", "trim", "upper")
"""The filters of Jinja that templates may use besides ours: none of them multiplies text."""

_SAYS_WHEN = frozenset({"by", "within", "from", "at", "before", "after", "until", "on", "in", "every", "already"})
_MOST_TEXT = 1_000_000


def moment(value: Any) -> datetime:
    """Return a time as a datetime with its zone. ValueError for what is none."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise ValueError(f"{value!r} is not a time with a zone, like 2026-05-02T09:20:00+00:00")
    return found


def when(value: Any) -> str:
    """Show a time in UTC and in the organisation's zone: `2026-05-02 09:20 UTC (05:20 EDT)`."""
    if isinstance(value, Unknown):
        return str(shown(value))
    utc = moment(value).astimezone(UTC)
    local = utc.astimezone(ZONE.get())
    text = utc.strftime("%Y-%m-%d %H:%M UTC")
    if ZONE.get() is UTC:
        return text
    return f"{text} ({local.strftime('%H:%M %Z' if local.date() == utc.date() else '%Y-%m-%d %H:%M %Z')})"


def due(value: Any) -> str:
    """Show when something is due, be it a time or in words: `by 2026-05-02 09:20 UTC`, `within an hour`."""
    try:
        return f"by {when(value)}"
    except ValueError:
        text = str(shown(value)).strip()
    return text if text.split(" ")[0].lower() in _SAYS_WHEN else f"by {text}"


def first_up(value: Any) -> str:
    """Show a text with its first letter large, to begin a line."""
    text = str(value)
    return text[:1].upper() + text[1:]


def exact(value: Any) -> str:
    """Show a time in UTC, to the second."""
    return moment(value).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(value: Any) -> str:
    """Show the day of a time, in UTC."""
    return moment(value).astimezone(UTC).strftime("%Y-%m-%d")


def span(seconds: Any) -> str:
    """Show a number of seconds as people say it: `4.2 s`, `1 min 23 s`, `3 h 31 min`."""
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    if left < 10:  # noqa: PLR2004 - below ten seconds the tenths matter
        return f"{sign}{left:.1f} s"
    left = round(left)
    for size, unit, below, smaller in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if left >= size:
            rest = left % size // below
            return f"{sign}{left // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{sign}{left} s"


def person(value: Any) -> str:
    """Show somebody by name and address."""
    name, email = str(value.get("name") or ""), str(value.get("email") or "")
    return f"{name} <{email}>" if name and email else name or email


def cell(value: Any) -> str:
    """Show a value on one line, so that it breaks neither a table nor a marked region."""
    line: str = "" if value is None else " ".join(str(shown(value)).split())
    return str(line).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def join(values: Iterable[Any], separator: str = ", ") -> str:
    """Join values with a separator."""
    text = str(separator).join(str(shown(value)) for value in values)
    if len(text) > _MOST_TEXT:
        raise ValueError("a joined text is too long")
    return text


def sentence(value: Any) -> str:
    """Show a text with a full stop at its end, unless it ends a sentence already."""
    text = str(shown(value)).strip()
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def bare(value: Any) -> str:
    """Show an expression without its brackets."""
    return str(value).strip().removeprefix("${{").removesuffix("}}").strip()


def open_point(value: Any) -> Any:
    """Show what is not known yet where a heading says already that it is not known."""
    if isinstance(value, Unknown):
        return f"{value.reason}; next update by {when(value.next_update_at)}"
    return value


def short(value: Any) -> str:
    """Show the first digits of a hash."""
    return str(value)[:12]


def plain_int(value: Any) -> str:
    """Show a number with its thousands apart."""
    return f"{value:,}".replace(",", " ")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "when": when, "exact": exact, "day": day, "span": span, "person": person, "cell": cell, "join": join,
    "sentence": sentence, "short": short, "number": plain_int,
    "open": open_point, "due": due, "first_up": first_up, "bare": bare,
}  # fmt: skip


def shown(value: Any) -> Any:
    """Turn a value into what stands in the text: times and unknown facts into words, the rest as it is."""
    if isinstance(value, Unknown):
        return f"not known yet ({value.reason}; next update by {when(value.next_update_at)})"
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, Mapping | list | tuple) or value is None:
        kind = "nothing" if value is None else "several things"
        raise ValueError(f"{kind} would be printed as raw data; name one part of it, or loop over it")
    return value


def shown_in_slack(value: Any) -> Any:
    """Turn a value into Slack text in which it mentions nobody and links nothing."""
    text = shown(value)
    if not isinstance(text, str):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FINALIZE: Mapping[str, Callable[[Any], Any]] = {"text": shown, "slack": shown_in_slack, "html": shown}
"""How each kind of text shows a value."""


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Unknown):
        return {"unknown": value.reason, "next_update_at": value.next_update_at.isoformat()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
