"""Views: modals on a person's screen and App Homes, the methods views.*, and the triggers that allow them."""

import time
from dataclasses import dataclass, field
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.slack.answers import Asked, Method, NotOk, ok, parsed
from responder.drill.world.slack.app import BOT, TEAM, App, Pace
from responder.drill.world.slack.blocks import length_problems, problems_of, said, text_problems
from responder.drill.world.slack.desk import Desk
from responder.drill.world.slack.elements import State, first_state, named_blocks
from responder.drill.world.slack.workspace import Workspace
from responder.drill.world.web import Answer

_MOST_STACK = 3
_MOST_TITLE = 24
_MOST_CALLBACK = 255
_MOST_METADATA = 3000
_KEYS = {
    "type", "title", "blocks", "close", "submit", "private_metadata", "callback_id", "clear_on_close",
    "notify_on_close", "external_id", "submit_disabled",
}  # fmt: skip


@dataclass
class View:
    """A modal or an App Home, and what its owner has filled in."""

    id: str
    owner: str
    body: dict[str, Any]
    root: str
    previous: str | None = None
    hash: str = ""
    state: State = field(default_factory=dict)

    @property
    def is_home(self) -> bool:
        """Tell whether this is an App Home."""
        return bool(self.body["type"] == "home")

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The blocks, each with its id."""
        return list(self.body["blocks"])

    def shown(self, app: App, team: str = TEAM) -> dict[str, Any]:
        """Return the view as Slack sends it."""
        told: dict[str, Any] = {"title": None, "close": None, "submit": None, "private_metadata": "", "callback_id": ""}
        told |= {"clear_on_close": False, "notify_on_close": False, "external_id": ""} | self.body
        places = {"root_view_id": self.root, "previous_view_id": self.previous, "hash": self.hash}
        ours = {"app_id": app.id, "bot_id": app.bot_id, "app_installed_team_id": TEAM, "team_id": team}
        return {"id": self.id, **told, **places, **ours, "state": {"values": self.state}}


@dataclass
class Screen:
    """What one person has before them."""

    stack: list[View] = field(default_factory=list)
    """Open modals, the one on top last."""
    home: View | None = None
    errors: dict[str, str] = field(default_factory=dict)
    """What stands in red under the inputs of the modal on top, by block_id."""


@dataclass
class _Trigger:
    person: str
    made: float
    used: bool = False


class Triggers:
    """Permissions to open a modal: each for one person, one use, and a few real seconds."""

    def __init__(self, app: App, pace: Pace) -> None:
        self._made: dict[str, _Trigger] = {}
        self._app = app
        self._pace = pace

    def make(self, person: str) -> str:
        """Return a new trigger_id."""
        number = len(self._made) + 1
        made = f"{number}.{number * 7919}.{self._app.id.lower()}"
        self._made[made] = _Trigger(person, time.monotonic())
        return made

    def check(self, given: Any) -> str:
        """Return the person of a trigger_id that is still good; raises NotOk."""
        found = self._made.get(str(given))
        if found is None:
            raise NotOk("invalid_trigger_id")
        if found.used:
            raise NotOk("exchanged_trigger_id")
        if time.monotonic() - found.made > self._pace.trigger:
            raise NotOk("expired_trigger_id")
        return found.person

    def use(self, given: Any) -> None:
        """Exchange a trigger_id: it opens nothing more."""
        self._made[str(given)].used = True


class Views(Desk):
    """Opens, pushes, replaces and publishes views."""

    def __init__(self, workspace: Workspace, triggers: Triggers) -> None:
        super().__init__(workspace)
        self._triggers = triggers
        self._count = 0
        self.screens: dict[str, Screen] = {}
        self.kept: dict[str, View] = {}

    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""
        return {
            "views.open": self.open,
            "views.push": self.push,
            "views.update": self.update,
            "views.publish": self.publish,
        }

    def screen(self, person: str) -> Screen:
        """Return what a person has before them."""
        return self.screens.setdefault(person, Screen())

    def open(self, asked: Asked) -> Answer:
        """Show a modal to whoever did what the trigger came from."""
        body = self._checked(asked, "modal")
        person = self._triggers.check(asked.get("trigger_id"))
        # Slack shows one root at a time: a new one takes the place of what was open.
        self.screen(person).stack.clear()
        self._triggers.use(asked.get("trigger_id"))
        view = self.put(person, body)
        return ok(Effect("view_opened", view.id, person), view=view.shown(self.app))

    def push(self, asked: Asked) -> Answer:
        """Put a modal on top of the open one; three are the most."""
        body = self._checked(asked, "modal")
        person = self._triggers.check(asked.get("trigger_id"))
        stack = self.screen(person).stack
        if not stack:
            raise NotOk("view_not_found")
        if len(stack) >= _MOST_STACK:
            raise NotOk("push_limit_reached")
        self._triggers.use(asked.get("trigger_id"))
        view = self.put(person, body)
        return ok(Effect("view_pushed", view.id, person), view=view.shown(self.app))

    def update(self, asked: Asked) -> Answer:
        """Replace an open view, found by view_id or external_id; a `hash` of an older state is refused."""
        view = self._find(asked)
        body = self._checked(asked, str(view.body["type"]), but=view.id)
        if asked.get("hash") and asked["hash"] != view.hash:
            raise NotOk("hash_conflict")
        self.replace(view, body)
        return ok(Effect("view_updated", view.id, view.owner), view=view.shown(self.app))

    def publish(self, asked: Asked) -> Answer:
        """Show an App Home to one person."""
        person = self.user(asked.get("user_id"))
        if person == BOT or person in self.workspace.gone:
            raise NotOk("not_enabled")
        body = self._checked(asked, "home")
        screen = self.screen(person)
        if screen.home is None:
            screen.home = self._made(person, body, None)
        elif asked.get("hash") and asked["hash"] != screen.home.hash:
            raise NotOk("hash_conflict")
        else:
            self.replace(screen.home, body)
        return ok(Effect("home_published", screen.home.id, person), view=screen.home.shown(self.app))

    def put(self, person: str, body: dict[str, Any]) -> View:
        """Put a modal on top of a person's screen."""
        screen = self.screen(person)
        view = self._made(person, body, screen.stack[-1] if screen.stack else None)
        screen.stack.append(view)
        screen.errors = {}
        return view

    def replace(self, view: View, body: dict[str, Any]) -> None:
        """Give a view another content; what was filled in stays where the ids and the type are the same."""
        view.body = body | {"blocks": named_blocks(body["blocks"])}
        view.state = first_state(view.blocks, view.state)
        view.hash = self._hash()
        self.screen(view.owner).errors = {}

    def check(self, given: Any, surface: str, but: str = "") -> dict[str, Any]:
        """Return a view that Slack would show; raises NotOk that says where it is wrong."""
        body = parsed(given)
        if not isinstance(body, dict) or not isinstance(body.get("blocks"), list):
            raise NotOk("invalid_arguments", messages=(said("missing required field: blocks", "/view"),))
        problems = [*_problems(body, surface)]
        if problems:
            raise NotOk("invalid_arguments", messages=tuple(problems))
        external = body.get("external_id")
        if external and any(each.body.get("external_id") == external for each in self._alive() if each.id != but):
            raise NotOk("duplicate_external_id")
        return body

    def _checked(self, asked: Asked, surface: str, but: str = "") -> dict[str, Any]:
        return self.check(asked.get("view"), surface, but)

    def _alive(self) -> list[View]:
        screens = self.screens.values()
        return [view for screen in screens for view in (*screen.stack, screen.home) if view is not None]

    def _find(self, asked: Asked) -> View:
        for view in self._alive():
            external = asked.get("external_id")
            if asked.get("view_id") == view.id or (external and external == view.body.get("external_id")):
                return view
        raise NotOk("not_found")

    def _made(self, person: str, body: dict[str, Any], below: View | None) -> View:
        self._count += 1
        made = f"V{self._count:08d}"
        root, previous = (below.root, below.id) if below else (made, None)
        view = View(made, person, body | {"blocks": named_blocks(body["blocks"])}, root, previous, self._hash())
        view.state = first_state(view.blocks)
        self.kept[made] = view
        return view

    def _hash(self) -> str:
        stamp = self.workspace.next_stamp()
        return f"{stamp.partition('.')[0]}.{stamp.partition('.')[2]}x"


def _problems(body: dict[str, Any], surface: str) -> list[str]:
    found = []
    if body.get("type") != surface:
        found.append(said(f"must be of type {surface}", "/view/type"))
    if unknown := set(body) - _KEYS:
        found.append(said(f"invalid additional property: {min(unknown)}", "/view"))
    if surface == "modal":
        found += text_problems(body.get("title"), "/view/title", _MOST_TITLE, plain=True)
        for name in ("submit", "close"):
            if body.get(name) is not None:
                found += text_problems(body[name], f"/view/{name}", _MOST_TITLE, plain=True)
        if not body.get("submit") and any(block.get("type") == "input" for block in body["blocks"]):
            found.append(said("missing required field: submit", "/view"))
    lengths = {"callback_id": _MOST_CALLBACK, "private_metadata": _MOST_METADATA, "external_id": _MOST_CALLBACK}
    for name, most in lengths.items():
        if body.get(name) is not None:
            found += length_problems(body[name], f"/view/{name}", most)
    return [*found, *problems_of(body["blocks"], surface, "/view/blocks")]
