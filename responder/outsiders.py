"""Providers of other packages, which name them among their entry points."""

import sys
from contextlib import suppress
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

_GROUP = "responder.providers"

_ABOUT = ("dist-info", "egg-info")
"""How the names of the folders end in which packages say what they are."""


def names() -> set[str]:
    """Return the names of all of them, without importing any."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes long to import

    return {point.name for point in entry_points(group=_GROUP)}


def place(name: str) -> str:
    """Return where a provider is, as `module:attribute`; empty where no package has it."""
    found = _in_first_folder(name)
    if found:
        return found
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes long to import, and most are found without

    return next((point.value for point in entry_points(group=_GROUP, name=name)), "")


def load(where: str) -> Any:
    """Import what is at a place."""
    module, _, attributes = where.partition("[")[0].strip().partition(":")  # a bracket begins extras
    return reduce(getattr, filter(None, attributes.split(".")), import_module(module.strip()))


def _in_first_folder(name: str) -> str:
    """Return where a provider is, by the first folder of the path in which packages are; empty where that cannot tell.

    What an earlier folder holds hides other versions of the same package in later ones.
    """
    for folder in sys.path:
        try:
            packages = [one for one in Path(folder).iterdir() if one.name.lower().endswith(_ABOUT)]
        except NotADirectoryError:  # an archive, which may hold packages, too
            return ""
        except OSError:
            continue
        for package in packages:
            with suppress(OSError):
                if found := _point(name, (package / "entry_points.txt").read_text(encoding="utf-8")):
                    return found
        if packages:
            return ""
    return ""


def _point(name: str, text: str) -> str:
    """Return the value of one of our entry points from what a package says of its own."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        key, _, value = line.partition("=")
        if line.startswith("["):
            section = line.strip("[]")
        elif section == _GROUP and key.strip() == name:
            return value.strip()
    return ""
