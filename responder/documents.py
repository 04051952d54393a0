"""Facts become words: a template with declared fields, filled without a blank, scanned before anybody approves it."""

import hashlib
import re
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2 import Template as Compiled
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from responder import rendition
from responder.errors import DocumentError, PlaybookError, Problem
from responder.expressions import References, references
from responder.fields import Front, fill_fields, plain
from responder.redaction import Redactor
from responder.source import Source, nearest, read
from responder.wording import Rules, problems_in

_MOST_TEXT = 100_000
_MOST_OUTPUT = 4_000_000
_MOST_TURNS = 200_000
"""How often all loops of a template together may turn: nested loops over long lists end, they do not hang."""
EXTENSIONS = (".md.j2", ".html.j2")
_ALWAYS = {"document"}
"""Names that every template may read besides its fields: its own `template`, `version` and `title`."""
_FRONT = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)

# A template shows, chooses and repeats. It calls nothing, assigns nothing, includes nothing.
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Name, nodes.Const, nodes.Getattr,
    nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
    nodes.CondExpr, nodes.Tuple, nodes.List, nodes.Concat, nodes.Slice, nodes.Keyword, nodes.Neg,
)  # fmt: skip


def _environment(escape: str) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=escape == "html",
        finalize=rendition.FINALIZE[escape],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.clear()
    known = {name: made.filters[name] for name in rendition.BUILT_IN}
    made.filters.clear()
    made.filters.update(known | rendition.FILTERS)
    return made


_ENVIRONMENTS = {escape: _environment(escape) for escape in rendition.FINALIZE}


@dataclass(frozen=True)
class Template:
    """A template whose fields, expressions and text were checked."""

    name: str
    file: str
    front: Front
    body: Compiled = field(repr=False, compare=False)
    subject: Compiled = field(repr=False, compare=False)
    text: str = field(repr=False)
    """The whole file, as a run embeds it."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def reads(self, given: Collection[str] = ()) -> References:
        """Return what the sources of its fields read, those of the fields in `given` left out."""
        found = References()
        for name, one in self.front.fields.items():
            if name not in given and not one.optional:
                found |= references(one.from_)
        return found


@dataclass(frozen=True)
class Document:
    """A text that may leave once somebody has agreed to its digest."""

    template: str
    version: int
    audience: str
    channel: str
    external: bool
    subject: str
    text: str
    digest: str
    fields: Mapping[str, Any]


def parse_template(text: str, file_name: str) -> Template:
    """Make a Template of a file's text. DocumentError carries every problem, with its place."""
    match = _FRONT.match(text)
    if match is None or len(text) > _MOST_TEXT:
        what = "A template begins with front matter" if match is None else f"A template has at most {_MOST_TEXT} characters"
        raise DocumentError(what, where=f"{file_name}:1:1", remedy="see templates/notices for examples")
    source = read("\n" + match.group(1), file_name, DocumentError)
    if not isinstance(source.data, dict):
        raise DocumentError("The front matter is a mapping", where=f"{file_name}:2:1", remedy="begin with `template: NAME`")
    front, problems = source.check(Front)
    environment = _ENVIRONMENTS["html" if file_name.endswith(".html.j2") else str(source.data.get("channel", ""))
                                if source.data.get("channel") == "slack" else "text"]
    # As many empty lines as the front matter has: Jinja then counts lines as the file does.
    body = "\n" * text[: match.end()].count("\n") + text[match.end() :]
    trees = {"body": _tree(environment, body, file_name, 0, problems)}
    if front is not None:
        line = source.places.get(("subject",), (1, 1))[0] - 1
        trees["subject"] = _tree(environment, front.subject, file_name, line, problems)
        problems += _disagreements(front, source, trees, file_name)
    if front is None or problems:
        raise DocumentError(problems=tuple(problems))
    compiled = {part: _compile(environment, tree) for part, tree in trees.items() if tree is not None}
    return Template(front.template, file_name, front, compiled["body"], compiled["subject"], text)
