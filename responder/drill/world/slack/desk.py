"""What the methods of the Web API have in common: they act for the bot, and see what the bot may see."""

from abc import ABC, abstractmethod
from typing import Any

from responder.drill.world.slack.answers import Asked, Method, NotOk
from responder.drill.world.slack.app import BOT, App
from responder.drill.world.slack.channels import Channel
from responder.drill.world.slack.workspace import Workspace


class Desk(ABC):
    """Some methods of the Web API."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @property
    def app(self) -> App:
        """Return the app that asks."""
        return self.workspace.app

    @abstractmethod
    def methods(self) -> dict[str, Method]:
        """Return the methods by their names."""

    def channel(self, asked: Asked, *, member: bool = False, live: bool = False) -> Channel:
        """Return the channel that is asked for; a private one is invisible to a bot that is no member; raises NotOk."""
        found = self.workspace.find(asked.get("channel"))
        if found.kind != "public_channel" and BOT not in found.members:
            raise NotOk("channel_not_found")
        if live and found.archived:
            raise NotOk("is_archived")
        if member and BOT not in found.members:
            raise NotOk("not_in_channel")
        return found

    def user(self, wanted: Any) -> str:
        """Return the id of somebody whom the workspace knows; only ids are taken, as at Slack; raises NotOk."""
        user = str(wanted or "")
        if user != BOT and user not in self.workspace.people:
            raise NotOk("user_not_found")
        return user
