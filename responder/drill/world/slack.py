"""The chat: the part of Slack's Web API that an incident channel needs, with its habit of 200 for errors."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground, System, outcome_of
from responder.drill.world.values import Staff
from responder.drill.world.web import Answer, Rejected, Request, Route, route

BOT = "UBOT"
_READS = (
    "auth.test", "conversations.list", "conversations.info", "conversations.members",
    "conversations.history", "conversations.replies", "users.lookupByEmail", "users.info",
)  # fmt: skip
_DENIED = ("invalid_auth", "not_authed")


@dataclass
class Channel:
    """A channel, its members and its messages, oldest first."""

    id: str
    name: str
    private: bool = False
    members: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)


class _NotOk(Exception):
    """The chat says `ok: false` with this word."""


class Slack(System):
    """Channels and messages; everything is answered with status 200 but too many requests."""

    name = "slack"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        more = (Staff(each.id, each.name, each.email, f"U{each.id.upper()}") for each in ground.spec.people)
        self.people = {each.chat_id: each for each in (*ground.inventory.staff, *more)}
        self.channels: dict[str, Channel] = {}
        self._stamp = 0
        for name, here in (("incidents", True), ("press", True), ("general", False)):
            self._add(name, members=[BOT] if here else [], private=False)

    def routes(self) -> tuple[Route, ...]:
        """Return one route for every method, by GET or POST."""
        return (route("POST", "/api/{method}", self.call), route("GET", "/api/{method}", self.call))

    def writes(self, request: Request) -> bool:
        """Tell whether the method changes something; reading is done by POST, too."""
        return request.path.rpartition("/")[2] not in _READS

    def presented(self, request: Request) -> str | None:
        """Return the token, from the header or the form."""
        try:
            return request.bearer or request.fields.get("token") or request.query.get("token")
        except Rejected:
            return None

    def limited(self) -> Answer:
        """Return the one error that has a status of its own."""
        return Answer(429, {"ok": False, "error": "ratelimited"}, headers={"Retry-After": "1"})

    def call(self, request: Request, parts: dict[str, str]) -> Answer:
        """Call a method with the arguments of its query, form or JSON."""
        methods: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "auth.test": self._auth_test,
            "conversations.create": self._create,
            "conversations.list": self._list,
            "conversations.info": self._info,
            "conversations.invite": self._invite,
            "conversations.members": self._members,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "users.lookupByEmail": self._lookup,
            "users.info": self._user_info,
        }
        try:
            self._authorised(request)
            method = methods.get(parts["method"], _unknown)
            return method({**request.query, **request.fields})
        except _NotOk as refused:
            answer = Answer(body={"ok": False, "error": str(refused)})
            answer.outcome = "refused" if str(refused) in _DENIED else "invalid"
            return answer

    def _authorised(self, request: Request) -> None:
        if self.ground.labels.of(self.presented(request)) != "slack-bot":
            raise _NotOk("invalid_auth")

    def _auth_test(self, _: dict[str, Any]) -> Answer:
        team = self.ground.inventory.chat_team
        return _ok(url="https://lumen.slack.example/", team=team, team_id="T0LUMEN", user="responder",
                   user_id=BOT, bot_id="B0RESPONDER")  # fmt: skip

    def _create(self, asked: dict[str, Any]) -> Answer:
        name = str(asked.get("name", "")).lstrip("#")
        if not name or name != name.lower() or " " in name:
            raise _NotOk("invalid_name_specials")
        if any(channel.name == name for channel in self.channels.values()):
            raise _NotOk("name_taken")
        made = self._add(name, members=[BOT], private=_truth(asked.get("is_private")))
        return _ok(Effect("channel_created", name, made.id), channel=_shown(made))

    def _list(self, asked: dict[str, Any]) -> Answer:
        found, following = _paged(list(self.channels.values()), asked)
        return _ok(channels=[_shown(each) for each in found], response_metadata={"next_cursor": following})

    def _info(self, asked: dict[str, Any]) -> Answer:
        return _ok(channel=_shown(self._channel(asked)))

    def _invite(self, asked: dict[str, Any]) -> Answer:
        channel = self._channel(asked, member=True)
        wanted = [user for user in str(asked.get("users", "")).split(",") if user]
        if not wanted or any(user not in self.people for user in wanted):
            raise _NotOk("user_not_found")
        fresh = [user for user in wanted if user not in channel.members]
        if not fresh:
            raise _NotOk("already_in_channel")
        channel.members.extend(fresh)
        effects = (Effect("member_invited", user, channel.name) for user in fresh)
        return _ok(*effects, channel=_shown(channel))

    def _members(self, asked: dict[str, Any]) -> Answer:
        found, following = _paged(self._channel(asked).members, asked)
        return _ok(members=found, response_metadata={"next_cursor": following})

    def _history(self, asked: dict[str, Any]) -> Answer:
        channel = self._channel(asked, member=True)
        oldest, latest = _stamp(asked.get("oldest"), 0.0), _stamp(asked.get("latest"), math.inf)
        newest_first = [
            message
            for message in reversed(channel.messages)
            if message.get("thread_ts", message["ts"]) == message["ts"] and oldest < float(message["ts"]) < latest
        ]
        found, following = _paged(newest_first, asked)
        return _messages(found, following, asked)

    def _replies(self, asked: dict[str, Any]) -> Answer:
        channel, root = self._channel(asked, member=True), asked.get("ts")
        thread = [each for each in channel.messages if root in (each["ts"], each.get("thread_ts"))]
        if not thread:
            raise _NotOk("thread_not_found")
        found, following = _paged(thread, asked)
        return _messages(found, following, asked)

    def _post(self, asked: dict[str, Any]) -> Answer:
        channel = self._channel(asked, member=True)
        text, blocks = str(asked.get("text") or ""), _parsed(asked.get("blocks"))
        if not text and not blocks:
            raise _NotOk("no_text")
        message = {"type": "message", "user": BOT, "ts": self._next_stamp(), "text": text, "blocks": blocks}
        metadata = _parsed(asked.get("metadata"))
        message |= {"metadata": metadata} if isinstance(metadata, dict) else {}
        message |= {"thread_ts": asked["thread_ts"]} if asked.get("thread_ts") else {}
        channel.messages.append(message)
        effect = Effect("message_posted", _marker(message), channel.name, _template(message))
        return _ok(effect, channel=channel.id, ts=message["ts"], message=message)

    def _update(self, asked: dict[str, Any]) -> Answer:
        channel = self._channel(asked, member=True)
        message = next((each for each in channel.messages if each["ts"] == asked.get("ts")), None)
        if message is None:
            raise _NotOk("message_not_found")
        new = {name: _parsed(asked[name]) for name in ("blocks", "metadata") if asked.get(name)}
        new |= {"text": str(asked["text"])} if "text" in asked else {}
        changed = any(message.get(name) != value for name, value in new.items())
        message.update(new)
        effects = (Effect("message_updated", message["ts"], channel.name),) if changed else ()
        return _ok(*effects, channel=channel.id, ts=message["ts"], text=message["text"])

    def _lookup(self, asked: dict[str, Any]) -> Answer:
        for person in self.people.values():
            if person.email == asked.get("email"):
                return _ok(user=_shown_person(person))
        raise _NotOk("users_not_found")

    def _user_info(self, asked: dict[str, Any]) -> Answer:
        person = self.people.get(str(asked.get("user")))
        if person is None:
            raise _NotOk("user_not_found")
        return _ok(user=_shown_person(person))

    def _channel(self, asked: dict[str, Any], *, member: bool = False) -> Channel:
        wanted = str(asked.get("channel", "")).lstrip("#")
        for channel in self.channels.values():
            if wanted in (channel.id, channel.name):
                if member and BOT not in channel.members:
                    raise _NotOk("not_in_channel")
                return channel
        raise _NotOk("channel_not_found")

    def _add(self, name: str, *, members: list[str], private: bool) -> Channel:
        made = Channel(f"C{len(self.channels) + 1:08d}", name, private, members)
        self.channels[made.id] = made
        return made

    def _next_stamp(self) -> str:
        # Two messages of one moment get different stamps: they are how a message is named.
        micro = int(self.ground.clock.now().timestamp() * 1_000_000)
        self._stamp = max(self._stamp + 1, micro)
        return f"{self._stamp // 1_000_000}.{self._stamp % 1_000_000:06d}"


def _unknown(_: dict[str, Any]) -> Answer:
    raise _NotOk("unknown_method")


def _ok(*effects: Effect, **body: Any) -> Answer:
    answer = Answer(body={"ok": True, **body}, effects=effects)
    answer.outcome = outcome_of(answer)
    return answer


def _messages(found: list[dict[str, Any]], following: str, asked: dict[str, Any]) -> Answer:
    if not _truth(asked.get("include_all_metadata")):
        found = [{name: each[name] for name in each if name != "metadata"} for each in found]
    return _ok(messages=found, has_more=bool(following), response_metadata={"next_cursor": following})


def _paged(items: list[Any], asked: dict[str, Any]) -> tuple[list[Any], str]:
    try:
        start, limit = int(asked.get("cursor") or 0), int(asked.get("limit") or 100)
    except ValueError:
        raise _NotOk("invalid_cursor") from None
    end = start + max(1, min(limit, 999))
    return items[start:end], str(end) if end < len(items) else ""


def _stamp(value: Any, default: float) -> float:
    try:
        return float(value) if value else default
    except (TypeError, ValueError):
        raise _NotOk("invalid_ts") from None


def _marker(message: dict[str, Any]) -> str:
    payload = _payload(message)
    if payload.get("marker"):
        return str(payload["marker"])
    told = message.get("metadata") or [message["text"], message["blocks"]]
    return "sha256:" + hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _template(message: dict[str, Any]) -> dict[str, Any]:
    template = _payload(message).get("template")
    return {"template": str(template)} if template else {}


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    payload = message.get("metadata", {}).get("event_payload", {})
    return payload if isinstance(payload, dict) else {}


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise _NotOk("invalid_arguments") from None


def _truth(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")


def _shown(channel: Channel) -> dict[str, Any]:
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": True,
        "is_private": channel.private,
        "is_archived": False,
        "is_member": BOT in channel.members,
        "num_members": len(channel.members),
    }


def _shown_person(person: Staff) -> dict[str, Any]:
    profile = {"email": person.email, "real_name": person.name}
    return {
        "id": person.chat_id,
        "name": person.id,
        "real_name": person.name,
        "deleted": False,
        "profile": profile,
    }
