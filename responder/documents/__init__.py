"""Facts become words: a template with declared fields, filled without a blank, scanned before approval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from responder.errors import DocumentError
from responder.source import nearest

if TYPE_CHECKING:
    from responder.documents.template import Template


class Templates:
    """The templates that a run carries with it; each is parsed when it is first asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)
        self._parsed: dict[str, Template] = {}

    def names(self) -> list[str]:
        """Return the names of all templates."""
        return sorted(self._texts)

    def get(self, name: str) -> "Template":
        """Return a template by its name. DocumentError where there is none, with the nearest."""
        if name not in self._texts:
            near = nearest(name, self.names())
            remedy = f"did you mean {near!r}?" if near else f"known: {', '.join(self.names()) or 'none'}"
            raise DocumentError(f"There is no template {name!r}", where=name, remedy=remedy)
        if name not in self._parsed:
            from responder.documents.template import parse_template  # noqa: PLC0415 - Jinja takes long to import

            suffix = ".html.j2" if name == "report" else ".md.j2"
            self._parsed[name] = parse_template(self._texts[name], name + suffix)
        return self._parsed[name]


def read_templates(folders: Sequence[Path]) -> dict[str, str]:
    """Return the texts of all templates in some folders and their `notices`, by name; earlier folders win."""
    texts: dict[str, str] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*.j2"), *folder.glob("notices/*.j2")]):
            name = path.name.removesuffix(".md.j2").removesuffix(".html.j2")
            if name == path.name or name in texts:
                continue
            try:
                texts[name] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise DocumentError(f"The template cannot be read: {type(error).__name__}", where=str(path)) from None
    return texts
