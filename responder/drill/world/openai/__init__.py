"""An OpenAI organisation that stands in for the real one: projects, keys, people, limits, and their odd rules."""

from responder.drill.world.openai.organisation import Key, Organisation
from responder.drill.world.openai.system import OpenAI

__all__ = ["Key", "OpenAI", "Organisation"]
