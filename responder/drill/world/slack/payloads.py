"""What commands, shortcuts, clicks, views and events look like when they reach the app (docs.slack.dev, "Payloads")."""

import copy
import hashlib
from typing import Any

from responder.drill.world.slack.app import BOT, TEAM, App
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.views import View
from responder.drill.world.slack.workspace import Event, Message, Workspace

Payload = dict[str, Any]
_TOKEN = "deprecated-in-favour-of-signatures"  # noqa: S105 - no secret: what Slack sent before there were signatures
_SCOPED = {"channels": "channels:history", "groups": "groups:history", "im": "im:history"}
_NEEDED = {
    "app_mention": "app_mentions:read",
    "pin_added": "pins:read",
    "pin_removed": "pins:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "user_change": "users:read",
}
_UNSEEN = {"app_home_opened", "user_change"}
"""Events that happen in no channel."""


class Payloads:
    """Writes payloads; all of them are copies, so that nothing changes them on their way."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._events = 0

    @property
    def _app(self) -> App:
        return self._workspace.app

    def command(self, person: str, channel: Channel, said: tuple[str, str], doors: dict[str, str]) -> Payload:
        """Return a slash command; the channel's name tells a private one or a direct message by a word only."""
        name = "directmessage" if channel.direct else "privategroup" if channel.private else channel.name
        return {
            "token": _TOKEN,
            "team_id": self._workspace.team_of(person),
            "team_domain": self._app.domain,
            "channel_id": channel.id,
            "channel_name": name,
            "user_id": person,
            "user_name": self._workspace.people[person].id,
            "command": said[0],
            "text": said[1],
            "api_app_id": self._app.id,
            "is_enterprise_install": "false",
            **doors,
        }

    def shortcut(self, person: str, callback_id: str, doors: dict[str, str]) -> Payload:
        """Return a global shortcut."""
        told = {"callback_id": callback_id, "action_ts": self._workspace.next_stamp()}
        return self._interaction("shortcut", person, **told, **doors)

    def message_shortcut(
        self, person: str, callback_id: str, place: tuple[Channel, Message], doors: dict[str, str]
    ) -> Payload:
        """Return a shortcut that was run on a message."""
        channel, message = place
        told = {"callback_id": callback_id, "action_ts": self._workspace.next_stamp(), "message_ts": message["ts"]}
        where = {"channel": _named(channel), "message": message}
        return self._interaction("message_action", person, **told, **where, **doors)

    def message_click(
        self, person: str, place: tuple[Channel, Message, bool], state: Any, action: Payload, doors: dict[str, str]
    ) -> Payload:
        """Return a click in a message; one that only this person sees is not sent along."""
        channel, message, ephemeral = place
        container = {"type": "message", "message_ts": message["ts"], "channel_id": channel.id}
        container["is_ephemeral"] = ephemeral
        container |= {"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}
        told: Payload = {"container": container, "channel": _named(channel), "state": {"values": state}}
        told |= {} if ephemeral else {"message": message}
        return self._interaction("block_actions", person, **told, actions=[action], **doors)

    def view_click(self, person: str, view: View, action: Payload, trigger: str) -> Payload:
        """Return a click in a modal or an App Home."""
        told = {"container": {"type": "view", "view_id": view.id}, "view": self._view(view)}
        return self._interaction("block_actions", person, **told, actions=[action], trigger_id=trigger)

    def suggestion(self, person: str, view: View, place: tuple[str, str], typed: str) -> Payload:
        """Return what somebody typed into a select whose options the app knows."""
        told = {"container": {"type": "view", "view_id": view.id}, "view": self._view(view), "value": typed}
        return self._interaction("block_suggestion", person, **told, block_id=place[0], action_id=place[1])

    def submission(self, view: View, trigger: str) -> Payload:
        """Return a modal that was submitted, with what every input holds."""
        return self._interaction(
            "view_submission", view.owner, view=self._view(view), trigger_id=trigger, response_urls=[]
        )

    def closing(self, view: View, *, cleared: bool) -> Payload:
        """Return a modal that was closed."""
        return self._interaction("view_closed", view.owner, view=self._view(view), is_cleared=cleared)

    def event(self, event: Event, channel: Channel | None) -> Payload | None:
        """Return an event for the app; None where it may not know: not subscribed, no scope, no member."""
        kind = str(event["type"])
        if kind not in self._app.events:
            return None
        scope = _SCOPED[channel.prefix] if kind == "message" and channel else _NEEDED.get(kind)
        if scope and scope not in self._app.scopes:
            return None
        if kind not in _UNSEEN and (channel is None or BOT not in channel.members):
            return None
        self._events += 1
        number = hashlib.sha256(f"{self._events}".encode()).hexdigest()[:9].upper()
        known = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT, "is_bot": True, "is_enterprise_install": False}
        return copy.deepcopy(
            {
                "token": _TOKEN,
                "team_id": TEAM,
                "api_app_id": self._app.id,
                "event": event,
                "type": "event_callback",
                "event_id": f"Ev{number}",
                "event_time": int(self._workspace.ground.clock.now().timestamp()),
                "authorizations": [known],
                "is_ext_shared_channel": False,
                "event_context": f"4-{number}",
            }
        )

    def _view(self, view: View) -> Payload:
        return view.shown(self._app, TEAM)

    def _interaction(self, kind: str, person: str, **told: Any) -> Payload:
        name, team = self._workspace.people[person].id, self._workspace.team_of(person)
        return copy.deepcopy(
            {
                "type": kind,
                "token": _TOKEN,
                "api_app_id": self._app.id,
                "team": {"id": TEAM, "domain": self._app.domain},
                "enterprise": None,
                "is_enterprise_install": False,
                "user": {"id": person, "username": name, "name": name, "team_id": team},
                **told,
            }
        )


def _named(channel: Channel) -> dict[str, str]:
    name = "directmessage" if channel.direct else "privategroup" if channel.private else channel.name
    return {"id": channel.id, "name": name}
