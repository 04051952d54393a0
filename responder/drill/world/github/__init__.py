"""The code host: as much of GitHub as a leak concerns, with its odd rules and its 202 that says nothing."""

from responder.drill.world.github.site import GitHub
from responder.drill.world.github.state import App, Location, Member

__all__ = ["App", "GitHub", "Location", "Member"]
