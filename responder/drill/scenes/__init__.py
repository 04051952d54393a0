"""The scenes of drills: what leaked where, which systems there are, and what the people there would do."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from responder.errors import RequestError

if TYPE_CHECKING:
    from responder.drill.scenes.scene import Scene

FOUNDING = "founding"
"""The scene of every playbook that has none of its own."""
_BESIDE = {"scene", "house", "leak"}
"""Modules here that hold no scene."""


def scene_called(name: str) -> "Scene":
    """Return a scene by the name of its module. RequestError where there is none."""
    if name not in _names():
        raise RequestError(f"There is no scene {name!r}", remedy=f"known: {', '.join(sorted(_names()))}")
    scene: Scene = importlib.import_module(f"{__name__}.{name}").SCENE
    return scene


def scene_name(playbook: str) -> str:
    """Return the name of the scene in which a playbook is practised."""
    name = playbook.replace("-", "_")
    return name if name in _names() else FOUNDING


def _names() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)} - _BESIDE
