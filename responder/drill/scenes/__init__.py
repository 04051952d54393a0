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


def scene_name(playbook: str, wanted: str = "") -> str:
    """Return the name of the scene in which a playbook is practised: its own, or another one that is wanted.

    RequestError where what is wanted is no scene of that playbook.
    """
    own = _module(playbook) if _module(playbook) in _names() else FOUNDING
    if not wanted:
        return own
    others = sorted(name for name in _names() - {own} if scene_called(name).playbook == playbook)
    if _module(wanted) not in {own, *others}:
        known = ", ".join(name.replace("_", "-") for name in (own, *others))
        raise RequestError(f"{playbook} is not practised in a scene {wanted!r}", remedy=f"known: {known}")
    return _module(wanted)


def _module(name: str) -> str:
    return name.replace("-", "_")


def _names() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)} - _BESIDE
