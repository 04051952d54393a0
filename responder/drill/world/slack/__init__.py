"""The chat: as much of Slack as an app needs that lives there, with its odd rules and its habit of 200 for errors."""

from responder.drill.world.slack.app import BOT, SCOPES, TEAM, App, Pace
from responder.drill.world.slack.diary import Delivery, Sent
from responder.drill.world.slack.person import Impossible, Outcome, Person, through_control
from responder.drill.world.slack.site import Slack

__all__ = [
    "BOT", "SCOPES", "TEAM", "App", "Delivery", "Impossible", "Outcome", "Pace", "Person", "Sent", "Slack",
    "through_control",
]  # fmt: skip
