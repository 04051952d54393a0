"""Interactive elements: where they are in blocks, what they hold, and what a choice in them says."""

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]
Element = dict[str, Any]
State = dict[str, dict[str, dict[str, Any]]]
"""By block_id and action_id, as in `view.state.values`."""


@dataclass(frozen=True)
class _Kind:
    """How an element tells what was chosen in it, and how it says what it begins with."""

    holds: str
    begins: str
    empty: Any = None


_TEXT = _Kind("value", "initial_value")
_OPTION = _Kind("selected_option", "initial_option")
_OPTIONS = _Kind("selected_options", "initial_options", ())
_KINDS: dict[str, _Kind] = {
    "plain_text_input": _TEXT,
    "email_text_input": _TEXT,
    "url_text_input": _TEXT,
    "number_input": _TEXT,
    "rich_text_input": _Kind("rich_text_value", "initial_value"),
    "static_select": _OPTION,
    "external_select": _OPTION,
    "radio_buttons": _OPTION,
    "checkboxes": _OPTIONS,
    "multi_static_select": _OPTIONS,
    "multi_external_select": _OPTIONS,
    "users_select": _Kind("selected_user", "initial_user"),
    "multi_users_select": _Kind("selected_users", "initial_users", ()),
    "conversations_select": _Kind("selected_conversation", "initial_conversation"),
    "multi_conversations_select": _Kind("selected_conversations", "initial_conversations", ()),
    "channels_select": _Kind("selected_channel", "initial_channel"),
    "multi_channels_select": _Kind("selected_channels", "initial_channels", ()),
    "datepicker": _Kind("selected_date", "initial_date"),
    "timepicker": _Kind("selected_time", "initial_time"),
    "datetimepicker": _Kind("selected_date_time", "initial_date_time"),
}
_CLICKED = ("button", "overflow", "workflow_button")
INTERACTIVE = (*_KINDS, *_CLICKED)


class CannotChoose(Exception):
    """The person does not see what they are to choose."""


def elements_of(block: Block) -> Iterator[Element]:
    """Yield the interactive elements of a block."""
    candidates = [*(block.get("elements") or ()), block.get("accessory"), block.get("element")]
    for each in candidates:
        if isinstance(each, dict) and each.get("type") in INTERACTIVE:
            yield each


def named_blocks(blocks: list[Block]) -> list[Block]:
    """Return a copy in which every block and element has an id; the same blocks get the same ids."""
    named = copy.deepcopy(blocks)
    for number, block in enumerate(named):
        digest = hashlib.sha256(f"{number} {json.dumps(block, sort_keys=True)}".encode()).hexdigest()
        if not block.get("block_id"):
            block["block_id"] = digest[:5]
        for place, element in enumerate(elements_of(block)):
            if not element.get("action_id"):
                element["action_id"] = digest[5 + place : 10 + place]
    return named


def initial(element: Element) -> dict[str, Any] | None:
    """Return what an element holds before anybody touches it; None for one that holds nothing."""
    kind = _KINDS.get(element["type"])
    if kind is None:
        return None
    empty = list(kind.empty) if kind.empty is not None else None
    return {"type": element["type"], kind.holds: copy.deepcopy(element.get(kind.begins, empty))}


def first_state(blocks: list[Block], before: State | None = None) -> State:
    """Return the state of blocks; what stood in an input of the same ids and type before, stays (views.update)."""
    state: State = {}
    for block in blocks:
        for element in elements_of(block):
            held = initial(element)
            if held is None:
                continue
            kept = (before or {}).get(block["block_id"], {}).get(element["action_id"])
            if kept is not None and kept["type"] == held["type"]:
                held = kept
            state.setdefault(block["block_id"], {})[element["action_id"]] = held
    return state


def chosen(element: Element, value: Any) -> dict[str, Any]:
    """Return what an element holds once somebody chose `value`: a text, an option's value, a list of them.

    Raises CannotChoose for an option that is not there.
    """
    kind = _KINDS.get(element["type"])
    if kind is None:
        raise CannotChoose(f"nothing can be chosen in a {element['type']}")
    if kind is _OPTION:
        picked: Any = None if value is None else _option(element, value)
    elif kind is _OPTIONS:
        picked = [_option(element, each) for each in value or ()]
    elif kind.empty is not None:
        picked = list(value or ())
    else:
        picked = value if value is None or element["type"] == "datetimepicker" else str(value)
    return {"type": element["type"], kind.holds: picked or (list(kind.empty) if kind.empty is not None else None)}


def is_empty(held: dict[str, Any]) -> bool:
    """Tell whether an input holds nothing."""
    return all(value in (None, "", []) for name, value in held.items() if name != "type")


def _option(element: Element, value: Any) -> dict[str, Any]:
    groups = [group["options"] for group in element.get("option_groups") or ()]
    offered = [option for options in [element.get("options") or (), *groups] for option in options]
    for option in offered:
        if value in (option["value"], option["text"]["text"]):
            return dict(option)
    if element["type"].endswith("external_select") and isinstance(value, dict):
        return value
    raise CannotChoose(f"no option {value!r}: there is {', '.join(str(each['value']) for each in offered)}")


def find_element(
    blocks: list[Block], action_id: str, *, block_id: str = "", value: Any = None
) -> tuple[Block, Element] | None:
    """Return an element with its block; `value` tells buttons apart that share an action_id."""
    for block in blocks:
        for element in elements_of(block):
            same = element["action_id"] == action_id and block_id in ("", block["block_id"])
            if same and (value is None or element.get("value") == value):
                return block, element
    return None


def clicked(block: Block, element: Element, ts: str, choice: Any = None) -> dict[str, Any]:
    """Return the item of `actions` that says what was clicked or chosen."""
    action = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
    if element["type"] == "overflow":
        action |= {"selected_option": _option(element, choice)}
    elif element["type"] in _CLICKED:
        kept = ("text", "value", "style", "url", "confirm", "accessibility_label")
        action |= {name: element[name] for name in kept if name in element}
    else:
        action |= chosen(element, choice)
    if "placeholder" in element:
        action["placeholder"] = element["placeholder"]
    return action | {"action_ts": ts}
