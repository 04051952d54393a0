"""The playbooks and templates that there are: the team's own beside responder.yaml, then the built-in ones."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from responder.documents import read_templates
from responder.errors import InputError, PlaybookError
from responder.playbook import Playbook
from responder.reading import load_playbook
from responder.source import Source, nearest

_PACKAGE = Path(__file__).resolve().parent


def built_in(kind: str) -> Path:
    """Return the folder of what ships with us: inside the installed package, or beside it in a checkout."""
    bundled = _PACKAGE / "_bundled" / kind
    return bundled if bundled.is_dir() else _PACKAGE.parent / kind


class Library:
    """Finds playbooks and templates by name; what stands beside the configuration comes first."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def _folders(self, kind: str) -> list[Path]:
        own = [self._folder / kind] if self._folder else []
        return [folder for folder in [*own, built_in(kind)] if folder.is_dir()]

    def playbook_paths(self) -> dict[str, Path]:
        """Return every playbook's file by its name."""
        paths: dict[str, Path] = {}
        for folder in self._folders("playbooks"):
            for path in sorted(folder.glob("*.yaml")):
                paths.setdefault(path.stem, path)
        return paths

    def path(self, name: str) -> Path:
        """Return the file of a playbook by name, or the path itself where it is one. PlaybookError for neither."""
        if name.endswith((".yaml", ".yml")):
            return Path(name)
        paths = self.playbook_paths()
        if name in paths:
            return paths[name]
        near = nearest(name, list(paths))
        raise PlaybookError(
            f"There is no playbook {name!r}",
            remedy=f"did you mean {near!r}?" if near else f"known: {', '.join(paths) or 'none'}",
        )

    def load(self, name: str) -> Playbook:
        """Read a playbook by name or path. PlaybookError carries every problem."""
        return self.read(self.path(name))[0]

    def read(self, path: Path) -> tuple[Playbook, Source]:
        """Read a playbook's file, and keep the places of what stands in it. PlaybookError carries every problem."""
        return load_playbook(path, self.path)

    def playbooks(self) -> dict[str, Playbook]:
        """Return every playbook that can be read; `playbook lint` tells of the others."""
        return dict(self._readable())

    def _readable(self) -> Iterator[tuple[str, Playbook]]:
        for name, path in self.playbook_paths().items():
            try:
                yield name, load_playbook(path, self.path)[0]
            except InputError:
                continue

    @cached_property
    def _templates(self) -> dict[str, str]:
        folders = [inner for folder in self._folders("templates") for inner in (folder / "notices", folder)]
        return read_templates([folder for folder in folders if folder.is_dir()])

    def templates(self) -> dict[str, str]:
        """Return the text of every template by its name."""
        return self._templates
