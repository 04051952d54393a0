"""What people do with blocks: click buttons, choose, fill modals in, submit and close them."""

from dataclasses import dataclass
from typing import Any

from responder.drill.world.slack.acts import Done, House
from responder.drill.world.slack.answers import NotOk
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.elements import (
    CannotChoose,
    Element,
    State,
    chosen,
    clicked,
    elements_of,
    find_element,
    first_state,
    is_empty,
)
from responder.drill.world.slack.views import View
from responder.drill.world.slack.workspace import Message

_CLICKABLE = ("button", "overflow", "workflow_button")


@dataclass(frozen=True)
class Wanted:
    """Which element of a message or a view somebody means."""

    action_id: str
    block_id: str = ""
    value: Any = None
    """Of a button: its value, where several have the same action_id. Else: what is chosen."""

    def within(self, blocks: list[dict[str, Any]]) -> tuple[dict[str, Any], Element]:
        """Return the element and its block; raises CannotChoose where nobody sees it."""
        found = find_element(blocks, self.action_id, block_id=self.block_id)
        if found is not None and found[1]["type"] == "button":
            found = find_element(blocks, self.action_id, block_id=self.block_id, value=self.value)
        if found is None:
            there = [element["action_id"] for block in blocks for element in elements_of(block)]
            raise CannotChoose(f"there is no {self.action_id} to click: there is {', '.join(there) or 'nothing'}")
        return found


class Clicks:
    """Each method is an act of one person; raises NotOk or CannotChoose where Slack shows them nothing to click."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._states: dict[tuple[str, str, str], State] = {}

    def click(
        self,
        person: str,
        action_id: str,
        *,
        channel: str = "",
        ts: str = "",
        value: Any = None,
        block_id: str = "",
        revision: int | None = None,
        home: bool = False,
    ) -> Done:
        """Click or choose in a message, in the modal on top, or in the App Home.

        With `revision`, the click was made on an older version of the message (0 for the first one), and arrives now.
        """
        wanted = Wanted(action_id, block_id, value)
        if channel:
            return self._in_message(person, (channel, ts, revision), wanted)
        return self._in_view(person, wanted, home=home)

    def fill(self, person: str, action_id: str, value: Any, block_id: str = "") -> Done:
        """Fill an input of the modal on top in; the app hears of it only where the block asks for that."""
        return self._in_view(person, Wanted(action_id, block_id, value), home=False)

    def suggest(self, person: str, action_id: str, text: str) -> Done:
        """Type into a select of the modal on top whose options the app knows; `answer` has what it offers."""
        house = self._house
        with house.lock:
            view = self._top(person)
            block, element = Wanted(action_id).within(view.blocks)
            if "external_select" not in element["type"]:
                raise CannotChoose(f"the options of a {element['type']} are there already")
            place = (block["block_id"], action_id)
            payload = house.payloads.suggestion(person, view, place, text)
        return house.came(person, house.courier.hand("interactive", payload))

    def submit(self, person: str) -> Done:
        """Submit the modal on top; what is missing is said by Slack itself, and nothing is sent."""
        house = self._house
        with house.lock:
            view = self._top(person)
            house.views.screen(person).errors = wrong = _missing(view)
            if wrong:
                return {"error": "", "errors": wrong, "sent": False}
            payload = house.payloads.submission(view, house.triggers.make(person))
        done = house.came(person, house.courier.hand("interactive", payload))
        done["sent"] = True
        if not done["error"]:
            with house.lock:
                done["error"] = self._answered(person, view, done["answer"])
                done["errors"] = dict(house.views.screen(person).errors)
        return done

    def close(self, person: str, *, everything: bool = False) -> Done:
        """Close the modal on top, or all of them; the app hears of those that asked for it."""
        house = self._house
        with house.lock:
            self._top(person)
            stack = house.views.screen(person).stack
            closed = [stack.pop() for _ in range(len(stack) if everything else 1)]
            hears = [each for each in closed if each.body.get("notify_on_close")]
            told = [house.payloads.closing(each, cleared=everything) for each in hears]
            house.views.screen(person).errors = {}
        for payload in told:
            house.courier.hand("interactive", payload)
        return {"error": ""}

    def _in_message(self, person: str, where: tuple[str, str, int | None], wanted: Wanted) -> Done:
        house, (name, ts, revision) = self._house, where
        with house.lock:
            channel = house.seen(person, name)
            message, ephemeral = self._message(person, channel, ts, revision)
            block, element = wanted.within(message.get("blocks") or [])
            action = clicked(block, element, house.workspace.next_stamp(), wanted.value)
            key = (person, channel.id, ts)
            state = first_state(message.get("blocks") or [], self._states.get(key))
            _hold(state, block, element, wanted)
            self._states[key] = state
            if block["type"] == "input" and not block.get("dispatch_action"):
                return {"error": "", "sent": False}
            doors = house.doors("actions", person, channel, ts)
            payload = house.payloads.message_click(person, (channel, message, ephemeral), state, action, doors)
        return house.came(person, house.courier.hand("interactive", payload)) | {"sent": True}

    def _message(self, person: str, channel: Channel, ts: str, revision: int | None) -> tuple[Message, bool]:
        if revision is None:
            return self._house.message(person, channel, ts)
        kept = self._house.workspace.revisions.get((channel.id, ts), [])
        if not -len(kept) <= revision < len(kept):
            raise CannotChoose(f"the message never had a version {revision}: it had {len(kept)}")
        ephemeral = all(each["ts"] != ts for each in channel.messages) and any(
            each.message["ts"] == ts for each in self._house.workspace.ephemerals
        )
        return kept[revision], ephemeral

    def _in_view(self, person: str, wanted: Wanted, *, home: bool) -> Done:
        house = self._house
        with house.lock:
            view = house.views.screen(person).home if home else self._top(person)
            if view is None:
                raise CannotChoose("the app published no home for this person")
            block, element = wanted.within(view.blocks)
            action = clicked(block, element, house.workspace.next_stamp(), wanted.value)
            _hold(view.state, block, element, wanted)
            house.views.screen(person).errors.pop(block["block_id"], None)
            if block["type"] == "input" and not block.get("dispatch_action"):
                return {"error": "", "sent": False}
            payload = house.payloads.view_click(person, view, action, house.triggers.make(person))
        return house.came(person, house.courier.hand("interactive", payload)) | {"sent": True}

    def _top(self, person: str) -> View:
        stack = self._house.views.screen(person).stack
        if not stack:
            raise CannotChoose("no modal is open")
        return stack[-1]

    def _answered(self, person: str, view: View, answer: Any) -> str:
        """Do what the acknowledgement of a submission says; return what Slack shows where it cannot."""
        house = self._house
        screen = house.views.screen(person)
        said = answer if isinstance(answer, dict) else {}
        action = said.get("response_action")
        try:
            if action == "errors":
                return self._show_errors(person, view, said.get("errors") or {})
            if action == "clear":
                screen.stack.clear()
            elif action == "update":
                house.views.replace(view, house.views.check(said.get("view"), "modal", view.id))
            elif action == "push":
                house.views.put(person, house.views.check(said.get("view"), "modal"))
            elif view in screen.stack:
                screen.stack.remove(view)
        except NotOk as refused:
            house.shown.setdefault(person, []).append(refused.error)
            return refused.error
        return ""

    def _show_errors(self, person: str, view: View, errors: dict[str, str]) -> str:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not errors or not set(errors) <= inputs:
            # An error under something that is no input makes Slack say only that it had trouble connecting.
            self._house.shown.setdefault(person, []).append("invalid_response_errors")
            return "invalid_response_errors"
        self._house.views.screen(person).errors = {name: str(text) for name, text in errors.items()}
        return ""


def _hold(state: State, block: dict[str, Any], element: Element, wanted: Wanted) -> None:
    if element["type"] not in _CLICKABLE:
        state.setdefault(block["block_id"], {})[element["action_id"]] = chosen(element, wanted.value)


def _missing(view: View) -> dict[str, str]:
    """Return what Slack says under inputs that are empty, too short or too long."""
    found = {}
    for block in view.blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        held = view.state[block["block_id"]][element["action_id"]]
        if is_empty(held):
            if not block.get("optional"):
                found[block["block_id"]] = "This is a required field"
            continue
        length = len(held["value"]) if isinstance(held.get("value"), str) else None
        if length is not None and not element.get("min_length", 0) <= length <= element.get("max_length", 3000):
            found[block["block_id"]] = "This text is too short or too long"
    return found
