"""Slack as a system of the world: its Web API, its response addresses, its WebSockets, and its people."""

import copy
import socket
from collections.abc import Callable, Mapping
from typing import Any

from responder.drill.world.ledger import Line, shown_time
from responder.drill.world.slack.access import Access
from responder.drill.world.slack.acts import Acts, House
from responder.drill.world.slack.answers import Asked, Method, NotOk, parsed
from responder.drill.world.slack.app import App, Pace
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.chat import Chat
from responder.drill.world.slack.clicks import Clicks
from responder.drill.world.slack.conversations import Conversations
from responder.drill.world.slack.courier import Courier
from responder.drill.world.slack.diary import Diary, Sent
from responder.drill.world.slack.elements import CannotChoose
from responder.drill.world.slack.hooks import Hooks
from responder.drill.world.slack.limits import Limits
from responder.drill.world.slack.marks import Marks
from responder.drill.world.slack.payloads import Payloads
from responder.drill.world.slack.person import Impossible, Person
from responder.drill.world.slack.roster import Roster
from responder.drill.world.slack.sights import Sights
from responder.drill.world.slack.sockets import LINK
from responder.drill.world.slack.tokens import Token
from responder.drill.world.slack.users import Users
from responder.drill.world.slack.views import Triggers, Views
from responder.drill.world.slack.workspace import Event, Group, Session, Workspace
from responder.drill.world.system import Ground, System
from responder.drill.world.values import Staff, drawn
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_READS = (
    "auth.test", "conversations.list", "conversations.info", "conversations.members",
    "conversations.history", "conversations.replies", "users.lookupByEmail", "users.info", "users.list",
    "pins.list", "reactions.get", "apps.connections.open", "usergroups.list", "usergroups.users.list",
    "admin.users.session.list",
)  # fmt: skip
_HOOKS = ("commands", "actions", "app")


class Slack(System):
    """The workspace and the app in it; everything is answered with status 200 but too many requests."""

    name = "slack"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.app, self.pace, self.limits, self.diary = App(ground.labels), Pace(), Limits(), Diary()
        self.workspace = Workspace(ground, self.app)
        self.courier = Courier(self.app, self.pace, self.diary, lambda: shown_time(ground.clock.now()))
        self.courier.carried = self._look_for_secrets
        self.courier.may_deliver = lambda: self._is_up() and self.app.bot_label not in self.app.revoked
        self.hooks = Hooks(self.workspace, self.pace)
        self.hooks.base = f"http://127.0.0.1:{self.door.port}"
        self.payloads = Payloads(self.workspace)
        self.triggers = Triggers(self.app, self.pace)
        self.views = Views(self.workspace, self.triggers)
        house = House(
            self.workspace,
            self.views,
            self.triggers,
            self.hooks,
            self.payloads,
            self.courier,
            self.lock,
            {},
            self._is_up,
        )
        self._acts = (Acts(house), Clicks(house), Sights(house))
        self.access = Access(self.workspace, self.courier, f"ws://127.0.0.1:{self.door.port}{LINK}")
        self.roster = Roster(self.workspace)
        desks = (self.access, Conversations(self.workspace), Chat(self.workspace), Marks(self.workspace), self.views)
        self._methods: dict[str, Method] = {}
        for desk in (*desks, Users(self.workspace), self.roster):
            self._methods |= desk.methods()
        self._kept: dict[int, Sent] = {}
        self.workspace.begin()
        self.workspace.announce = self._announce

    @property
    def channels(self) -> dict[str, Channel]:
        """Return every channel by its id."""
        return self.workspace.channels

    @property
    def people(self) -> dict[str, Staff]:
        """Return everybody by their id at Slack."""
        return self.workspace.people

    def person(self, wanted: str) -> Person:
        """Return somebody with Slack open, by their id at Slack or in the company; raises NotOk."""
        return Person(self.workspace.person(wanted).chat_id, self.act)

    def act(self, user: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Let somebody do or see something; raises Impossible where they cannot."""
        act = self._act(name)
        if not self._is_up():
            raise Impossible("Slack is down")
        try:
            person = self.workspace.person(user).chat_id
            if person in self.workspace.gone:
                raise Impossible("account_inactive")
            return act(person, **given)
        except (NotOk, CannotChoose) as refused:
            raise Impossible(str(refused)) from None

    def routes(self) -> tuple[Route, ...]:
        """Return one route for every method, by GET or POST, and the response addresses."""
        hooks = (route("POST", f"/{kind}/{{rest*}}", self.respond) for kind in _HOOKS)
        return (route("POST", "/api/{method}", self.call), route("GET", "/api/{method}", self.call), *hooks)

    def writes(self, request: Request) -> bool:
        """Tell whether the method changes something; reading is done by POST, too."""
        return request.path.rpartition("/")[2] not in _READS

    def presented(self, request: Request) -> str | None:
        """Return the token, from the header or the form."""
        try:
            return request.bearer or request.fields.get("token") or request.query.get("token")
        except Rejected:
            return None

    def limited(self, seconds: int = 1) -> Answer:
        """Return the one error that has a status of its own."""
        return Answer(429, {"ok": False, "error": "ratelimited"}, headers={"Retry-After": str(seconds)})

    def exchange(self, request: Request) -> bytes | None:
        """Keep what the app sent, whatever becomes of it, and answer."""
        if request.actor != "responder":
            return super().exchange(request)
        kind = "call" if request.path.startswith("/api/") else "response_url"
        name = request.path.removeprefix("/api/")
        raw = f"{request.path}?{'&'.join(request.query.values())}\n{request.body.decode('utf-8', 'replace')}"
        sent = Sent(kind, name, _arguments(request), raw, shown_time(self.ground.clock.now()), request=request)
        self._kept[id(request)] = self.diary.add(sent)
        try:
            return super().exchange(request)
        finally:
            self._kept.pop(id(request), None)

    def answer(self, request: Request) -> Answer:
        """Answer with a copy of what there is, which may change while it is sent."""
        answer = super().answer(request)
        answer.body = copy.deepcopy(answer.body)
        sent = self._kept.get(id(request))
        if sent is not None and isinstance(answer.body, dict):
            sent.outcome = "ok" if answer.body.get("ok") else str(answer.body.get("error", answer.status))
        return answer

    def call(self, request: Request, parts: dict[str, str]) -> Answer:
        """Call a method with the arguments of its query, form or JSON."""
        method, token = parts["method"], self.presented(request)
        try:
            self.app.permit(method, token, self.ground.clock.now())
            asked = {**request.query, **request.fields}
            seconds = self.limits.wait(method, self.workspace.place(asked.get("channel")))
            if seconds:
                return self.limited(seconds)
            label = self.ground.labels.of(token) or ""
            if label == "slack-app" or label in self.app.others:
                asked["token"] = "app" if label == "slack-app" else label  # which of them asks
            answer = self._methods.get(method, _unknown)(asked)
        except NotOk as refused:
            answer = refused.answer
        answer.headers = {**answer.headers, **self.app.scope_headers(method, token)}
        return answer

    def respond(self, request: Request, _: dict[str, str]) -> Answer:
        """Do what is posted to a response_url, which needs no token: it is one."""
        return self.hooks.post(request.path, _arguments(request))

    def upgrade(self, connection: socket.socket, request: Request) -> None:
        """Serve a WebSocket of the app to its end."""
        if not self.goes_down():
            self.courier.board.serve(connection, request, self.courier.receive)

    def close(self) -> None:
        """End both doors, and whatever was on its way."""
        self.courier.close()
        super().close()

    def go_down(self, seconds: float) -> None:
        """Be down from now on for some seconds of the world's clock; every connection ends."""
        self.door.shut(self.ground.clock.real_seconds(seconds))

    def storm(self, requests: int) -> None:
        """Turn the next requests away as too many, whatever they ask."""
        with self.lock:
            self.limits.storm = requests

    def deactivate(self, user: str) -> None:
        """End somebody's account; raises NotOk."""
        with self.lock:
            self.workspace.deactivate(self.workspace.person(user).chat_id)

    def add_stranger(self, name: str, team: str = "T0STRANGE", *, guest: bool = False) -> Person:
        """Add somebody of another workspace (Slack Connect), or a guest of this one, and return them."""
        with self.lock:
            user = f"U{name.upper()}"
            self.workspace.people[user] = Staff(name, name.title(), f"{name}@stranger.example", user)
            if guest:
                self.workspace.guests.add(user)
            else:
                self.workspace.teams[user] = team
        return Person(user, self.act)

    def add_bot(self, label: str, name: str, *, scopes: frozenset[str], channels: tuple[str, ...] = ()) -> Token:
        """Add another app with a bot in some channels, and return its token; its value is made here.

        Added once more, with another label, it is the app that is installed again after its token was revoked.
        """
        with self.lock:
            user = f"U{name.upper()}"
            self.workspace.people[user] = Staff(name, name, "", user)
            self.workspace.bots.add(user)
            self.workspace.gone.discard(user)
            for each in channels:
                self.workspace.find(each).members.append(user)
            return self._add(Token(label, user, f"B{name.upper()}", scopes), "xoxb-")

    def add_person_token(self, label: str, user: str, *, scopes: frozenset[str], is_admin: bool = False) -> Token:
        """Add a token with which an app acts as a person, and return it; its value is made here."""
        with self.lock:
            return self._add(Token(label, user, "", scopes, is_admin), "xoxp-")

    def add_group(self, group: str, handle: str, users: tuple[str, ...]) -> Group:
        """Add a user group, and return it."""
        with self.lock:
            self.workspace.groups[group] = Group(group, handle, list(users))
            return self.workspace.groups[group]

    def add_session(self, number: int, user: str, kind: str = "web") -> Session:
        """Let somebody be signed in at one more device."""
        with self.lock:
            self.workspace.sessions.append(Session(number, user, kind))
            return self.workspace.sessions[-1]

    def accepts(self, label: str) -> bool:
        """Tell whether the token of this label would be taken now."""
        with self.lock:
            try:
                self.app.permit("auth.test", self.ground.labels[label], self.ground.clock.now())
            except NotOk:
                return False
        return True

    def _add(self, token: Token, form: str) -> Token:
        self.ground.labels.add({token.label: form + drawn(self.ground.spec.seed, token.label, 48)})
        self.app.others[token.label] = token
        return token

    def reinstall(self) -> str:
        """Install the app again after its token was revoked, and return the new token."""
        with self.lock:
            label = f"slack-bot-{len(self.app.revoked) + 1}"
            self.ground.labels.add({label: "xoxb-" + drawn(self.ground.spec.seed, label, 36)})
            self.app.bot_label = label
            return self.ground.labels[label]

    def _act(self, name: str) -> Callable[..., dict[str, Any]]:
        for each in self._acts:
            found = None if name.startswith("_") else getattr(each, name, None)
            if callable(found):
                return found  # type: ignore[no-any-return]
        raise Impossible(f"nobody can {name}")

    def _is_up(self) -> bool:
        return self.door.is_open

    def _announce(self, event: Event, channel: Channel | None) -> None:
        payload = self.payloads.event(event, channel) if self.courier.knows_app else None
        if payload is not None:
            self.courier.announce(payload)

    def _look_for_secrets(self, text: str) -> None:
        # A line of the ledger only where something was carried: acknowledgements are many, and are in the diary.
        carried = self.ground.labels.within(text)
        if carried:
            line = Line(self.name, "SOCKET", LINK, carried=carried, outcome="served", write=True)
            self.ground.ledger.write(line)


def _unknown(_: Asked) -> Answer:
    raise NotOk("unknown_method")


def _arguments(request: Request) -> dict[str, Any]:
    """Return what was asked, with JSON inside a form read; without the token."""
    try:
        asked: dict[str, Any] = {**request.query, **request.fields}
    except Rejected:
        return {}
    asked.pop("token", None)
    for name in ("blocks", "view", "metadata", "payload"):
        try:
            asked |= {name: parsed(asked[name])} if name in asked else {}
        except NotOk:
            continue
    return dict(asked.get("payload") or asked) if isinstance(asked.get("payload"), dict) else asked
