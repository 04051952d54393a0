"""What a template needs to be told: its front matter, and a value for every field or every reason why not."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from responder.durations import Duration, duration
from responder.errors import DocumentError, PlaybookError, Problem
from responder.expressions import SecretRef, Unknown, evaluate, references
from responder.rendition import moment
from responder.source import Source, nearest, read

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
_BLANK = re.compile(r"\s*(?:tbd|tbc|todo|n/?a|\?+|x{3,}|lorem\b.*|-+|\.\.\.|…)?\s*\.?", re.IGNORECASE | re.DOTALL)
_MOST_TEXT = 100_000
_FRONT = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
_LEFTOVER = re.compile(r"\$?\{\{|\{%|\[[A-Z][A-Z _]{2,}\]")


class _Model(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class FieldSpec(_Model):
    """One field of a template: what it must be, and where it comes from when nobody gives it."""

    type: Literal["text", "time", "list", "person", "number", "mapping", "link"]
    help: str = ""
    from_: str = Field(default="", alias="from")
    """An expression: where the value comes from when neither the step nor the facts give one."""
    plus: Duration | None = None
    """A span that is added to what `from` gives; a fact such as `36h` takes its place."""
    future: bool = False
    """Whether it promises something, and so must lie ahead."""
    optional: bool = False
    of: tuple[_Name, ...] = ()
    """What each entry of a list, a mapping or a person must have."""

    @model_validator(mode="after")
    def _spans_need_a_time(self) -> "FieldSpec":
        if self.plus is not None and (self.type != "time" or not self.from_):
            raise ValueError("`plus` is for a time with a `from`")
        return self


class Front(_Model):
    """The front matter of a template."""

    template: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
    version: int = Field(ge=1)
    title: str
    audience: Literal["responders", "executives", "holder", "public", "partner", "host", "review"]
    channel: Literal["slack", "email", "file"]
    external: bool = False
    subject: str = ""
    fields: dict[_Name, FieldSpec] = {}
    forbid: tuple[str, ...] = ()
    """Phrases that this text never says, besides those that none says."""
    names_allowed: bool = False
    """Whether it may name people who are in none of its person fields."""
    most_lines: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _mails_have_a_subject(self) -> "Front":
        if self.channel == "email" and not self.subject:
            raise ValueError("a mail needs a `subject`")
        return self


def read_front(text: str, file: str) -> tuple[Front | None, Source, str, list[Problem]]:
    """Split a template's file into front matter and body; the body keeps the file's line numbers."""
    match = _FRONT.match(text)
    if match is None or len(text) > _MOST_TEXT:
        what = f"is longer than {_MOST_TEXT} characters" if match else "does not begin with front matter"
        raise DocumentError(f"The template {what}", where=f"{file}:1:1", remedy="begin with ---, `template: NAME`")
    source = read("\n" + match.group(1), file, DocumentError)
    if not isinstance(source.data, dict):
        raise DocumentError("The front matter is a mapping", where=f"{file}:2:1", remedy="write `template: NAME`")
    front, problems = source.check(Front)
    stem = file.removesuffix(".md.j2").removesuffix(".html.j2")
    if front is not None and front.template != stem:
        what = f"the template calls itself {front.template!r}, its file {stem!r}"
        problems.append(Problem(what, source.place(("template",))))
    return front, source, "\n" * text[: match.end()].count("\n") + text[match.end() :], problems


def source_problems(front: Front, source: Source) -> Iterator[Problem]:
    """Yield the fields whose `from` is no expression that can ever be evaluated."""
    for name, spec in front.fields.items():
        try:
            references(spec.from_)
        except PlaybookError as error:
            yield Problem(error.message, source.place(("fields", name, "from")), error.problems[0].remedy)


def unused_problems(front: Front, source: Source, used: Collection[str]) -> Iterator[Problem]:
    """Yield the fields that somebody would fill for nothing."""
    for name in front.fields:
        if name not in used and name != "log_coverage":
            yield Problem(f"the field {name!r} is declared and never used", source.key_place(("fields", name)))


NO_FACTS = frozenset({"suspect", "checked", "uncaptured", "mode"})
"""What `set` takes for the whole incident: to set one does not fill a field, and changes what is done."""


class _Wrong(Exception):
    """Why a value cannot stand in its field."""


def fill_fields(
    front: Front, file: str, names: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return a value for every field, None for optional ones that have none, and every problem at once."""
    values: dict[str, Any] = {}
    problems = list(_strangers(front, file, given))
    for name, spec in front.fields.items():
        try:
            values[name] = _value(name, spec, names, given)
        except _Wrong as wrong:
            way = f"-f {name}=..." if name in NO_FACTS else f"`responder set RUN {name}=...`"
            remedy = f"{way}, or the step's `fields`" + (f": {spec.help}" if spec.help else "")
            problems.append(Problem(f"{name}: {wrong}", file, remedy))
    return values, problems


def _strangers(front: Front, file: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in sorted(given.keys() - front.fields.keys()):
        near = nearest(name, list(front.fields))
        yield Problem(
            f"{name}: the template has no such field",
            file,
            f"did you mean {near!r}?" if near else f"known: {', '.join(front.fields)}",
        )


def _value(name: str, spec: FieldSpec, names: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Return a field's value: from the step, else from what people set, else from its own source."""
    value = given.get(name)
    if value is None:
        value = (names.get("facts") or {}).get(name)
    if value is None and spec.from_:
        value = _sourced(spec, names)
        if value is not None and not isinstance(value, Unknown) and spec.plus is not None:
            value = _time(value, spec, names) + spec.plus
    if value is None:
        if spec.optional:
            return None
        raise _Wrong("is missing")
    return _checked(value, spec, names)


def _sourced(spec: FieldSpec, names: Mapping[str, Any]) -> Any:
    try:
        return evaluate(spec.from_, names)
    except PlaybookError as error:
        if spec.optional:  # it says what is so when it is known, and nothing before
            return None
        raise _Wrong(f"is missing: {error.message}") from None


def _checked(value: Any, spec: FieldSpec, names: Mapping[str, Any]) -> Any:
    """Return a value in the form that its type promises. _Wrong where it is blank or of another type."""
    if isinstance(value, Unknown):
        return _unknown(value, names)
    made = _CONVERT[spec.type](value, spec, names)
    _refuse_blanks({key: part for key, part in made.items() if part} if spec.type == "person" else made)
    entries = made if spec.type == "list" else [made]
    for entry in entries if spec.of else ():
        missing = [key for key in spec.of if not isinstance(entry, Mapping) or entry.get(key) in (None, "")]
        if missing:
            raise _Wrong(f"lacks {', '.join(missing)}: each needs {', '.join(spec.of)}")
    if spec.future and made <= moment(names["now"]):
        raise _Wrong(f"promises {made.isoformat()}, which is past")
    return made


def _unknown(value: Unknown, names: Mapping[str, Any]) -> Unknown:
    try:
        later = moment(value.next_update_at)
    except ValueError as error:
        raise _Wrong(f"next_update_at: {error}") from None
    if _BLANK.fullmatch(str(value.reason)):
        raise _Wrong("is unknown without a reason")
    if later <= moment(names["now"]):
        raise _Wrong(f"is unknown, and the next update was due at {later.isoformat()}, which is past")
    return Unknown(str(value.reason), later)


def _refuse_blanks(value: Any) -> None:
    """Look for blanks in everything that a value holds."""
    if isinstance(value, SecretRef):
        raise _Wrong("is a secret; no document may show one")
    if isinstance(value, str):
        if _BLANK.fullmatch(value):
            raise _Wrong("is blank" + (f" ({value.strip()!r})" if value.strip() else ""))
        if _LEFTOVER.search(value):
            raise _Wrong("has a placeholder left in it")
    elif isinstance(value, Mapping | list):
        if not value:
            raise _Wrong("is empty")
        for inner in value.values() if isinstance(value, Mapping) else value:
            if inner is not None:
                _refuse_blanks(inner)


def _text(value: Any, _spec: FieldSpec, _names: Mapping[str, Any]) -> str:
    if isinstance(value, bool | Mapping | list | tuple | SecretRef):
        raise _Wrong(f"should be text, not {_kind(value)}")
    return value.isoformat() if isinstance(value, datetime) else str(value).strip()


def _time(value: Any, spec: FieldSpec, names: Mapping[str, Any]) -> datetime:
    try:
        return moment(value)
    except (ValueError, TypeError):
        pass
    try:
        length = duration(value) if isinstance(value, str) else None
    except ValueError:
        length = None
    if length is None:
        raise _Wrong("should be a time with a zone, like 2026-05-02T09:20:00+00:00")
    if not spec.from_ or isinstance(base := _sourced(spec, names), Unknown | None):
        raise _Wrong("is a span, and there is no time that it is counted from")
    return moment(base) + length


def _number(value: Any, _spec: FieldSpec, _names: Mapping[str, Any]) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"should be a number, not {_kind(value)}")
    return value


def _list(value: Any, _spec: FieldSpec, names: Mapping[str, Any]) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _Wrong(f"should be a list, not {_kind(value)}")
    return [_unknown(entry, names) if isinstance(entry, Unknown) else entry for entry in value]


def _mapping(value: Any, _spec: FieldSpec, _names: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Wrong(f"should be a mapping, not {_kind(value)}")
    return dict(value)


def _person(value: Any, _spec: FieldSpec, names: Mapping[str, Any]) -> dict[str, Any]:
    people = names.get("people") or {}
    if isinstance(value, str):
        if value not in people:
            near = nearest(value, list(people))
            raise _Wrong(f"there is no person {value!r}" + (f"; did you mean {near!r}?" if near else ""))
        value = people[value]
    if not isinstance(value, Mapping) or not (value.get("name") or value.get("email")):
        raise _Wrong("should be somebody with a name: the id of a person, or a mapping with name and email")
    known = {str(key): inner for key, inner in value.items() if inner not in (None, "", (), [])}
    return {"name": "", "email": "", **known}


def _link(value: Any, _spec: FieldSpec, _names: Mapping[str, Any]) -> str:
    text = str(value).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or re.search(r"\s", text):
        raise _Wrong("should be a link: http or https, without a login in it")
    return text


def _kind(value: Any) -> str:
    return {bool: "true or false", str: "text", dict: "a mapping", list: "a list", tuple: "a list"}.get(
        type(value), type(value).__name__
    )


_CONVERT: dict[str, Callable[[Any, FieldSpec, Mapping[str, Any]], Any]] = {
    "text": _text, "time": _time, "list": _list, "person": _person, "number": _number, "mapping": _mapping,
    "link": _link,
}  # fmt: skip
