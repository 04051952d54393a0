"""A template parsed, filled and rendered by Jinja in its sandbox; imported where a text is needed."""

import hashlib
import re
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Never

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2 import Template as Compiled
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from responder.dates import zone_named
from responder.errors import DocumentError, Problem
from responder.expressions import References, references
from responder.fields import Front, fill_fields, read_front, source_problems, unused_problems
from responder.redaction import Redactor
from responder.rendition import BUILT_IN, FILTERS, FINALIZE, ZONE, plain
from responder.source import nearest
from responder.wording import problems_in, rules_for

_MOST_OUTPUT = 4_000_000
_MOST_TURNS = 200_000
"""How often all loops of a template together may turn: nested loops over long lists end, they do not hang."""
_ALWAYS = {"document"}
"""What every template may read besides its fields: its own `template`, `version` and `title`."""

# A template shows, chooses and repeats. It calls nothing, assigns nothing and includes nothing.
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Name, nodes.Const,
    nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.CondExpr, nodes.Tuple, nodes.List, nodes.Concat, nodes.Slice, nodes.Keyword, nodes.Neg,
)  # fmt: skip


def _environment(kind: str) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=kind == "html",
        finalize=FINALIZE[kind],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.clear()
    known = {name: made.filters[name] for name in BUILT_IN}
    made.filters.clear()
    made.filters.update(known | dict(FILTERS))
    return made


_ENVIRONMENTS = {kind: _environment(kind) for kind in FINALIZE}


@dataclass(frozen=True)
class Template:
    """A template whose front matter, expressions and text were checked."""

    name: str
    file: str
    front: Front
    text: str = field(repr=False)
    """The whole file, as a run embeds it."""
    body: Compiled = field(repr=False, compare=False)
    subject: Compiled = field(repr=False, compare=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def reads(self, given: Collection[str] = ()) -> References:
        """Return what the sources of its fields read; not of those in `given`, nor of optional ones."""
        found = References()
        for name, spec in self.front.fields.items():
            if name not in given and not spec.optional:
                found |= references(spec.from_)
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
    """The SHA-256 of subject and text."""
    fields: Mapping[str, Any]
    """What it was filled with, as plain data without secrets."""


def parse_template(text: str, file_name: str) -> Template:
    """Make a Template of a file's text. DocumentError carries every problem, with its place."""
    front, source, body_text, problems = read_front(text, file_name)
    slack = source.data.get("channel") == "slack"
    kind = "html" if file_name.endswith(".html.j2") else "slack" if slack else "text"
    body = _tree(_ENVIRONMENTS[kind], body_text, file_name, problems)
    if front is None:
        raise DocumentError(problems=tuple(problems))
    line, _ = source.places.get(("subject",), (1, 1))
    subject = _tree(_ENVIRONMENTS[kind], "\n" * (line - 1) + front.subject, file_name, problems)
    if body is not None and subject is not None:
        used = meta.find_undeclared_variables(body) | meta.find_undeclared_variables(subject)
        problems += _unknown_names(front, (body, subject), file_name)
        problems += [*source_problems(front, source), *unused_problems(front, source, used)]
    if problems:
        raise DocumentError(problems=tuple(problems))
    compiled = (_compile(_ENVIRONMENTS[kind], tree) for tree in (body, subject) if tree is not None)
    return Template(front.template, file_name, front, text, *compiled)


def _tree(
    environment: ImmutableSandboxedEnvironment, text: str, file: str, problems: list[Problem]
) -> nodes.Template | None:
    """Parse template text; None where it does what it may not: nothing may compute anything from it then."""
    try:
        tree = environment.parse(text)
        found = [*_forbidden(tree, file)]
        if not found:
            environment.compile(tree)  # unknown filters and tests are found here
    except (TemplateSyntaxError, RecursionError) as error:
        what, line = getattr(error, "message", "nested too deeply"), getattr(error, "lineno", 1)
        found = [Problem(f"not a template: {what}", f"{file}:{line}:1")]
    problems += found
    return None if found else tree


def _forbidden(tree: nodes.Template, file: str) -> Iterator[Problem]:
    for node in tree.find_all(nodes.Node):
        wrong = "" if isinstance(node, _ALLOWED) else f"uses {type(node).__name__.lower()}"
        name = node.attr if isinstance(node, nodes.Getattr) else getattr(node, "name", "")
        if isinstance(name, str) and name.startswith("_"):
            wrong = f"reads {name!r}"
        if wrong:
            remedy = "a template shows, chooses (`if`), repeats (`for`) and filters, nothing else"
            yield Problem(f"the template {wrong}", f"{file}:{node.lineno}:1", remedy)


def _compile(environment: ImmutableSandboxedEnvironment, tree: nodes.Template) -> Compiled:
    for loop in tree.find_all(nodes.For):
        tick = nodes.Call(nodes.Name("_tick", "load"), [], [], None, None)
        loop.body.insert(0, nodes.Output([tick], lineno=loop.lineno))
    tree.set_environment(environment)
    return environment.from_string(tree)


def _unknown_names(front: Front, trees: Sequence[nodes.Template], file: str) -> Iterator[Problem]:
    for tree in trees:
        lines = {name.name: name.lineno for name in reversed(list(tree.find_all(nodes.Name)))}
        for name in sorted(meta.find_undeclared_variables(tree) - front.fields.keys() - _ALWAYS):
            near = nearest(name, list(front.fields))
            remedy = f"did you mean {near!r}?" if near else "declare it under `fields`"
            yield Problem(f"the text reads {name!r}, which is no field", f"{file}:{lines[name]}:1", remedy)


def fill(template: Template, names: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every field. DocumentError carries all that is missing, blank or of another type.

    A value comes from the step (`given`), else from `names["facts"]`, else from the field's own `from`.
    """
    values, problems = fill_fields(template.front, template.file, names, given)
    if problems:
        raise DocumentError(problems=tuple(problems))
    return values


def render(template: Template, values: Mapping[str, Any], zone: str = "UTC") -> tuple[str, str]:
    """Return subject and text of a template with these values. DocumentError where it cannot be rendered."""
    document = {"template": template.name, "version": template.front.version, "title": template.front.title}
    token = ZONE.set(zone_named(zone, error=DocumentError))
    try:
        ready = {**values, "document": document, "_tick": _counter()}
        subject, text = (_bounded(template, part, ready) for part in (template.subject, template.body))
    finally:
        ZONE.reset(token)
    return subject.strip(), re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip() + "\n"


def _counter() -> Callable[[], str]:
    turns = iter(range(_MOST_TURNS))

    def tick() -> str:
        if next(turns, None) is None:
            raise SecurityError(f"its loops turn more than {_MOST_TURNS} times")
        return ""

    return tick


def _bounded(template: Template, part: Compiled, values: Mapping[str, Any]) -> str:
    chunks: list[str] = []
    size = 0
    try:
        for chunk in part.generate(**values):
            chunks.append(chunk)
            size += len(chunk)
            if size > _MOST_OUTPUT:
                raise SecurityError(f"it gives more than {_MOST_OUTPUT} characters")
    except (
        TemplateError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        _refuse(template, error)
    return "".join(chunks)


def _refuse(template: Template, error: Exception) -> Never:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    line = frames[-1].lineno if frames else 1
    raise DocumentError(
        f"The template cannot be rendered: {error}",
        where=f"{template.file}:{line}:1",
        remedy="the values it was given do not fit what it does with them",
    ) from None


def render_notice(
    template: Template,
    names: Mapping[str, Any],
    given: Mapping[str, Any],
    redactor: Redactor,
    *,
    known_bad: Collection[str] = (),
) -> Document:
    """Return the document of a notice. DocumentError carries every blank, and everything that it may not say.

    `known_bad` holds the addresses of other recipients: what concerns one must not stand in another's mail.
    """
    values = fill(template, names, given)
    front, organisation = template.front, names.get("organisation") or {}
    subject, text = render(template, values, str(organisation.get("time_zone") or "UTC"))
    rules = rules_for(front, template.file, values, names, known_bad)
    problems = problems_in(subject, text.strip(), rules, redactor)
    if problems:
        raise DocumentError(problems=tuple(problems))
    return Document(
        template.name, front.version, front.audience, front.channel, front.external, subject, text,
        digest_of(subject, text), redactor.scrub_data(plain(values)),
    )  # fmt: skip


def digest_of(subject: str, text: str) -> str:
    """Return what an approval of a text signs."""
    return hashlib.sha256(f"{subject}\n{text}".encode()).hexdigest()
