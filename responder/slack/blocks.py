"""Block Kit as plain data: each piece within Slack's limits, and with what it quotes made harmless."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from responder.errors import RequestError

Block = dict[str, Any]

_SECTION, _HEADER, _BUTTON, _TITLE, _OPTION, _FIELD = 2900, 148, 74, 24, 74, 1900
_MOST_CONTEXT = 10
_MOST_CHOICES = 100
MOST_SEEN = 10
"""How many choices Slack shows beside one another; of more, people choose in a menu."""
_METADATA = 3000
_CONTEXT = 1900
_WORD = 40
"""How far back a text is cut at most, so that it does not end within a word."""
_TOKEN = 100
"""How long what Slack reads as one thing is at most."""
_TODAY = timedelta(hours=12)
_DIGEST = re.compile(r"\s*\[sha256:[0-9a-f]+\]")
_ADDRESS = re.compile(r"<(?:mailto:)?((?<=:)[^|<>]+|https?://[^|<>]+)(?:\|[^<>]*)?>")
_STAMP = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)")


def safe(text: object) -> str:
    """Return text in which nothing is a mention, a link or markup of its own: the three characters that Slack reads.

    Slack: "Formatting text for app surfaces", escaping.
    """
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def typed(text: object) -> str:
    """Return text of a message or a command as a person typed it: Slack escapes it, and marks addresses.

    Else a value that is taken from a message is another one than what leaked, and a note is not what was said.
    """
    told = _ADDRESS.sub(lambda found: found[1], str(text))
    return told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def cut(text: str, most: int) -> str:
    """Return text that is not longer than Slack takes, and says so where it was; between words, where there are any."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    for opening, closing in (("<", ">"), ("&", ";")):  # a token that is cut in two shows as what it is made of
        if kept.rfind(opening) > max(kept.rfind(closing), len(kept) - _TOKEN):
            kept = kept[: kept.rfind(opening)]
    word = max(kept.rfind(" "), kept.rfind("\n"))
    return (kept[:word] if word > max(0, len(kept) - _WORD) else kept).rstrip() + "…"


def readable(text: object) -> str:
    """Return text as it is read in Slack: harmless, times in the reader's own zone, and without digests."""
    return _STAMP.sub(lambda found: _stamp(found[0]), safe(_DIGEST.sub("", str(text))))


def _stamp(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return day(at)


def mention(slack_id: str) -> str:
    """Return what shows as somebody's name, and tells them."""
    return f"<@{slack_id}>"


def moment(at: datetime) -> str:
    """Return a moment in the reader's own time zone, with UTC for those who cannot see that."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at.astimezone(UTC):%H:%M}Z>"


def day(at: datetime) -> str:
    """Return a moment with its day: today and tomorrow are said so."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at.astimezone(UTC):%Y-%m-%d %H:%M}Z>"


def due(at: datetime, now: datetime) -> str:
    """Return a moment that is near by its time alone, and one that is not with its day."""
    return moment(at) if abs(at - now) < _TODAY else day(at)


def header(text: str) -> Block:
    """Return a headline."""
    return {"type": "header", "text": plain(cut(text, _HEADER))}


def section(text: str, accessory: Block | None = None) -> Block:
    """Return a paragraph of mrkdwn, with a button beside it."""
    more = {"accessory": accessory} if accessory is not None else {}
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, _SECTION)}, **more}


def paragraphs(lines: Iterable[str]) -> list[Block]:
    """Return lines in as many paragraphs as they need: none is cut off that fits into one."""
    texts = [""]
    for line in lines:
        if texts[-1] and len(texts[-1]) + len(line) >= _SECTION:
            texts.append("")
        texts[-1] += f"\n{line}" if texts[-1] else line
    return [section(text) for text in texts if text]


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Return short facts in two columns, which a phone shows below one another."""
    shown = [{"type": "mrkdwn", "text": cut(f"*{name}*\n{value}", _FIELD)} for name, value in pairs]
    return {"type": "section", "fields": shown[:10]}


def context(*texts: str) -> Block:
    """Return small print."""
    shown = [{"type": "mrkdwn", "text": cut(text, _CONTEXT)} for text in texts if text]
    return {"type": "context", "elements": shown[:_MOST_CONTEXT]}


def divider() -> Block:
    """Return a line."""
    return {"type": "divider"}


def plain(text: str) -> Block:
    """Return text in which nothing is markup."""
    return {"type": "plain_text", "text": text, "emoji": True}


def button(text: str, action: str, value: Mapping[str, Any], style: str = "") -> Block:
    """Return a button; `value` comes back with the click, and is all that it knows."""
    styled = {"style": style} if style else {}
    return {"type": "button", "text": plain(cut(text, _BUTTON)), "action_id": action, "value": packed(value), **styled}


def buttons(*elements: Block, name: str = "") -> Block:
    """Return a row of buttons."""
    return {"type": "actions", "elements": list(elements), **({"block_id": name} if name else {})}


def option(text: str, value: str, help_text: str = "") -> Block:
    """Return one choice of several."""
    described = {"description": plain(cut(help_text, _OPTION))} if help_text else {}
    return {"text": plain(cut(text, _OPTION)), "value": value, **described}


def asked(name: str, label: str, element: Block, *, hint: str = "", optional: bool = False) -> Block:
    """Return an input of a modal; its value comes back under its name."""
    hinted = {"hint": plain(cut(hint, _FIELD))} if hint else {}
    return {
        "type": "input",
        "block_id": name,
        "label": plain(cut(label, _FIELD)),
        "element": {**element, "action_id": name},
        "optional": optional,
        **hinted,
    }


def text_input(*, lines: bool = False, initial: str = "", placeholder: str = "") -> Block:
    """Return a field for text."""
    more = {"initial_value": initial} if initial else {}
    more_still = {"placeholder": plain(cut(placeholder, 150))} if placeholder else {}
    return {"type": "plain_text_input", "multiline": lines, **more, **more_still}


def select(options: Sequence[Block], initial: str = "") -> Block:
    """Return a menu; of more choices than Slack has in one list, in groups that are named after their first."""
    shown = list(options) or [option("nothing to choose", "none")]
    chosen = next((one for one in shown if one["value"] == initial), None)
    begun = {"initial_option": chosen} if chosen else {}
    if len(shown) <= _MOST_CHOICES:
        return {"type": "static_select", "options": shown, **begun}
    parts = [shown[start : start + _MOST_CHOICES] for start in range(0, len(shown), _MOST_CHOICES)][:_MOST_CHOICES]
    groups = [{"label": plain(cut(f"From {part[0]['text']['text']}", _OPTION)), "options": part} for part in parts]
    return {"type": "static_select", "option_groups": groups, **begun}


def ticks(options: Sequence[Block]) -> Block:
    """Return choices of which any may be ticked."""
    return {"type": "checkboxes", "options": list(options)[:MOST_SEEN]}


def radio(options: Sequence[Block], initial: str = "") -> Block:
    """Return a few choices that are all seen at once."""
    shown = list(options)[:MOST_SEEN]
    chosen = next((one for one in shown if one["value"] == initial), None)
    return {"type": "radio_buttons", "options": shown, **({"initial_option": chosen} if chosen else {})}


def modal(
    title: str, blocks: Sequence[Block], *, callback: str = "", submit: str = "", about: Mapping[str, Any] | None = None
) -> Block:
    """Return a modal; `about` comes back when it is submitted."""
    packet = packed(about or {})
    if len(packet) > _METADATA:
        raise RequestError("What was filled in is longer than Slack carries", remedy="shorten it, or use a terminal")
    sent = {"submit": plain(cut(submit, _TITLE)), "callback_id": callback} if submit else {"callback_id": "read"}
    return {
        "type": "modal",
        "title": plain(cut(title, _TITLE)),
        "close": plain("Cancel" if submit else "Close"),
        "blocks": list(blocks)[:100],
        "private_metadata": packet,
        **sent,
    }


def packed(value: Mapping[str, Any]) -> str:
    """Return what travels with a button or a modal, as text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def unpacked(text: str) -> dict[str, Any]:
    """Return what travelled; empty for what we did not write."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def values(view: Mapping[str, Any]) -> dict[str, str]:
    """Return what was filled into a modal, by the names of its inputs; empty for what was left out."""
    found: dict[str, str] = {}
    for name, inputs in ((view.get("state") or {}).get("values") or {}).items():
        for given in inputs.values():
            chosen = given.get("selected_option")
            several = given.get("selected_options")
            if several is not None:
                found[name] = ",".join(one["value"] for one in several)
            elif chosen is not None:
                found[name] = str(chosen["value"])
            else:
                found[name] = str(given.get("value") or given.get("selected_user") or "")
    return found
