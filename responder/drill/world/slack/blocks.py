"""What Slack refuses in blocks, by the limits of its reference (docs.slack.dev, "Block Kit")."""

from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from responder.drill.world.slack.elements import INTERACTIVE, elements_of

Found = Iterator[str]
Check = Callable[[dict[str, Any], str], Found]

_MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
_MOST_ID = 255
_MOST_OPTIONS = 100
_MOST_FEW = 10
"""Of check boxes, radio buttons, fields, and elements in a context."""
_MOST_OVERFLOW = 5
_MOST_ACTIONS = 25
_KEYS = {
    "section": {"type", "block_id", "text", "fields", "accessory", "expand"},
    "header": {"type", "block_id", "text", "level"},
    "divider": {"type", "block_id"},
    "context": {"type", "block_id", "elements"},
    "actions": {"type", "block_id", "elements"},
    "input": {"type", "block_id", "label", "element", "dispatch_action", "hint", "optional"},
    "button": {"type", "action_id", "text", "url", "value", "style", "confirm", "accessibility_label"},
}
_ONLY_INPUT = ("plain_text_input", "email_text_input", "url_text_input", "number_input", "file_input")
_NO_INPUT = ("button", "overflow", "workflow_button")
_OTHER_BLOCKS = ("image", "rich_text", "video", "file", "markdown", "call", "table", "context_actions", "card")


def problems_of(blocks: list[dict[str, Any]], surface: str, where: str = "/blocks") -> tuple[str, ...]:
    """Return what is wrong with the blocks of a message, modal or home, in Slack's words, with the place."""
    found = [*_count(blocks, surface, where)]
    for number, block in enumerate(blocks):
        found += _block(block, f"{where}/{number}")
    found += _twice(blocks, where)
    return tuple(found or _unreadable(blocks, where))


def said(what: str, where: str) -> str:
    """Return a problem as Slack writes it."""
    return f"[ERROR] {what} [json-pointer:{where}]"


def text_problems(text: Any, where: str, most: int, *, plain: bool = False) -> Found:
    """Yield what is wrong with a text object of at most `most` characters."""
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(text, dict):
        yield said("missing required field: text", where)
    elif text.get("type") not in kinds:
        yield said(f"unsupported type: {text.get('type')}; it must be {' or '.join(kinds)}", f"{where}/type")
    elif unknown := set(text) - {"type", "text", "emoji" if text["type"] == "plain_text" else "verbatim"}:
        yield said(f"invalid additional property: {min(unknown)}", where)
    else:
        yield from length_problems(text.get("text"), f"{where}/text", most, least=1)


def length_problems(value: Any, where: str, most: int, *, least: int = 0) -> Found:
    """Yield what is wrong with a text's length."""
    if not isinstance(value, str):
        yield said("must be a string", where)
    elif len(value) > most:
        yield said(f"must be less than {most + 1} characters", where)
    elif len(value) < least:
        yield said(f"must be more than {least - 1} characters", where)


def _count(blocks: list[dict[str, Any]], surface: str, where: str) -> Found:
    most = _MOST_BLOCKS[surface]
    if len(blocks) > most:
        yield said(f"no more than {most} items allowed [input:{len(blocks)}]", where)


def _block(block: dict[str, Any], where: str) -> Found:
    kind = str(block.get("type"))
    check = _BLOCKS.get(kind)
    if check is None:
        if kind not in _OTHER_BLOCKS:
            yield said(f"unsupported type: {kind}", f"{where}/type")
        return
    yield from _unknown_keys(block, kind, where)
    if "block_id" in block:
        yield from length_problems(block["block_id"], f"{where}/block_id", _MOST_ID)
    yield from check(block, where)


def _unknown_keys(given: dict[str, Any], kind: str, where: str) -> Found:
    if kind in _KEYS and (unknown := set(given) - _KEYS[kind]):
        yield said(f"invalid additional property: {min(unknown)}", where)


def _section(block: dict[str, Any], where: str) -> Found:
    fields = block.get("fields")
    if "text" not in block and not fields:
        yield said("must define either `fields` or `text`", where)
    if "text" in block:
        yield from text_problems(block["text"], f"{where}/text", 3000)
    if len(fields or ()) > _MOST_FEW:
        yield said(f"no more than {_MOST_FEW} items allowed", f"{where}/fields")
    for number, each in enumerate(fields or ()):
        yield from text_problems(each, f"{where}/fields/{number}", 2000)
    accessory = block.get("accessory")
    if accessory is not None and accessory.get("type") != "image":
        yield from _element(accessory, f"{where}/accessory", refused=_ONLY_INPUT)


def _header(block: dict[str, Any], where: str) -> Found:
    yield from text_problems(block.get("text"), f"{where}/text", 150, plain=True)


def _context(block: dict[str, Any], where: str) -> Found:
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= _MOST_FEW:
        yield said(f"must have 1 to {_MOST_FEW} items", f"{where}/elements")
    for number, each in enumerate(elements):
        if each.get("type") != "image":
            yield from text_problems(each, f"{where}/elements/{number}", 3000)


def _actions(block: dict[str, Any], where: str) -> Found:
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= _MOST_ACTIONS:
        yield said(f"must have 1 to {_MOST_ACTIONS} items", f"{where}/elements")
    for number, each in enumerate(elements):
        yield from _element(each, f"{where}/elements/{number}", refused=_ONLY_INPUT)


def _input(block: dict[str, Any], where: str) -> Found:
    yield from text_problems(block.get("label"), f"{where}/label", 2000, plain=True)
    if "hint" in block:
        yield from text_problems(block["hint"], f"{where}/hint", 2000, plain=True)
    element = block.get("element")
    if not isinstance(element, dict):
        yield said("missing required field: element", where)
    else:
        yield from _element(element, f"{where}/element", refused=_NO_INPUT)


_BLOCKS: dict[str, Check] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "divider": lambda *_: iter(()),
}


def _element(element: dict[str, Any], where: str, *, refused: tuple[str, ...]) -> Found:
    kind = str(element.get("type"))
    if kind in refused or kind not in INTERACTIVE:
        yield said(f"unsupported type: {kind}", f"{where}/type")
        return
    if "action_id" in element:
        yield from length_problems(element["action_id"], f"{where}/action_id", _MOST_ID, least=1)
    if "placeholder" in element:
        yield from text_problems(element["placeholder"], f"{where}/placeholder", 150, plain=True)
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{where}/confirm")
    if kind == "button":
        yield from _button(element, where)
    elif kind == "plain_text_input" and "initial_value" in element:
        yield from length_problems(element["initial_value"], f"{where}/initial_value", 3000)
    elif "static_select" in kind or kind in ("checkboxes", "radio_buttons", "overflow"):
        yield from _options(element, kind, where)


def _button(button: dict[str, Any], where: str) -> Found:
    yield from _unknown_keys(button, "button", where)
    yield from text_problems(button.get("text"), f"{where}/text", 75, plain=True)
    if "value" in button:
        yield from length_problems(button["value"], f"{where}/value", 2000)
    if "url" in button:
        yield from length_problems(button["url"], f"{where}/url", 3000)
    if button.get("style", "primary") not in ("primary", "danger"):
        yield said(f"invalid style: {button['style']}", f"{where}/style")


def _confirm(confirm: dict[str, Any], where: str) -> Found:
    for name, most, plain in (("title", 100, True), ("text", 300, False), ("confirm", 30, True), ("deny", 30, True)):
        yield from text_problems(confirm.get(name), f"{where}/{name}", most, plain=plain)


def _options(element: dict[str, Any], kind: str, where: str) -> Found:
    most = {"overflow": _MOST_OVERFLOW, "checkboxes": _MOST_FEW, "radio_buttons": _MOST_FEW}.get(kind, _MOST_OPTIONS)
    groups = element.get("option_groups")
    lists = [(f"{where}/options", element.get("options"))]
    if groups:
        lists = [(f"{where}/option_groups/{n}/options", group.get("options")) for n, group in enumerate(groups)]
    for place, options in lists:
        if not 1 <= len(options or ()) <= most:
            yield said(f"must have 1 to {most} items", place)
        for number, each in enumerate(options or ()):
            yield from _option(each, f"{place}/{number}", plain=kind not in ("checkboxes", "radio_buttons"))
    initial = [element["initial_option"]] if "initial_option" in element else element.get("initial_options") or []
    offered = [option for _, options in lists for option in options or ()]
    if any(each not in offered for each in initial):
        yield said("initial option not found in options", where)


def _option(option: dict[str, Any], where: str, *, plain: bool) -> Found:
    yield from text_problems(option.get("text"), f"{where}/text", 75, plain=plain)
    yield from length_problems(option.get("value"), f"{where}/value", 150, least=1)
    if "description" in option:
        yield from text_problems(option["description"], f"{where}/description", 75, plain=plain)


def _twice(blocks: list[dict[str, Any]], where: str) -> Found:
    # Slack refuses an action_id that is twice in a block, and asks for different ones everywhere. One that is
    # different in the whole message is right by every reading of that.
    ids = Counter(str(block["block_id"]) for block in blocks if block.get("block_id"))
    yield from (said(f"`block_id` {each} already exists", where) for each, times in ids.items() if times > 1)
    actions = Counter(str(e["action_id"]) for block in blocks for e in elements_of(block) if e.get("action_id"))
    yield from (said(f"`action_id` {each} already exists", where) for each, times in actions.items() if times > 1)


def _unreadable(blocks: list[dict[str, Any]], where: str) -> Found:
    """Yield what Slack's own models say against the blocks, where they are installed."""
    if not blocks or find_spec("slack_sdk") is None:
        return
    from slack_sdk.errors import SlackObjectFormationError  # noqa: PLC0415 - for development only, and slow to import
    from slack_sdk.models.blocks import Block  # noqa: PLC0415 - the same

    for number, block in enumerate(blocks):
        try:
            read = Block.parse(block)
            if read is not None:
                read.to_dict()
        except (SlackObjectFormationError, TypeError, ValueError, AttributeError, KeyError) as error:
            yield said(str(error), f"{where}/{number}")
