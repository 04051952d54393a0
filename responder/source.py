"""YAML with places: a strict reader that knows the line and column of everything it read."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from responder.errors import InputError, Problem

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]

_MOST_BYTES = 4 * 1024 * 1024
_DEEPEST = 40
_MOST_PROBLEMS = 100
_MOST_NODES = 200_000
"""How much a file may come to once its aliases are written out: a few lines of aliases can stand for billions."""

# The scalars of YAML 1.2's core schema (section 10.3.2), less those that people mean as text: `on`, `yes`, `0123`.
_SCALARS: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"(?:null|Null|NULL|~|)\Z"), lambda _text: None),
    (re.compile(r"(?:true|True|TRUE)\Z"), lambda _text: True),
    (re.compile(r"(?:false|False|FALSE)\Z"), lambda _text: False),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z"), int),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z"), float),
)


class Source(NamedTuple):
    """What a YAML file holds, and where."""

    name: str
    data: Any
    places: dict[Path, tuple[int, int]]
    """Line and column, counted from one, of each value; of its key, where it has one, under the path plus `"\0key"`,
    and of the first character of a text of one line, behind its quote, under the path plus `"\0text"`."""

    def place(self, path: Path) -> str:
        """Return `file:line:column` of a value, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            for found in (path[:length], (*path[:length], "\0key")):
                if found in self.places:
                    line, column = self.places[found]
                    return f"{self.name}:{line}:{column}"
        return f"{self.name}:1:1"

    def inside(self, path: Path, characters: int) -> str:
        """Return `file:line:column` of what stands so many characters into a text; of a block, where that begins."""
        line, column = self.places.get((*path, _TEXT), (0, 0))
        return f"{self.name}:{line}:{column + characters}" if line else self.place(path)

    def key_place(self, path: Path) -> str:
        """Return `file:line:column` of a key."""
        line, column = self.places.get((*path, "\0key"), (0, 0))
        return f"{self.name}:{line}:{column}" if line else self.place(path)

    def check(self, model: type[M], path: Path = ()) -> tuple[M | None, list[Problem]]:
        """Make a model of what stands at `path`; return it, or every problem with its place."""
        data = self.data
        for step in path:
            data = data[step]
        try:
            return model.model_validate(data), []
        except ValidationError as error:
            errors = error.errors(include_input=False, include_url=False)
            return None, [self._problem(item, model, path) for item in errors]

    def _problem(self, item: Any, model: type[BaseModel], path: Path) -> Problem:
        loc: Path = (*path, *_existing(item["loc"], self.places, path))
        name = ".".join(map(str, loc))
        if item["type"] == "extra_forbidden":
            unknown = str(item["loc"][-1])
            known = _fields_at(model, item["loc"][:-1])
            return Problem(f"unknown key {unknown!r}", self.key_place((*path, *item["loc"])), _nearest(unknown, known))
        if item["type"] == "missing":
            return Problem(
                f"{item['loc'][-1]!r} is missing",
                self.place(loc[:-1] if loc[-1:] == item["loc"][-1:] else loc),
            )
        message = item["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
        inside = item.get("ctx", {}).get("inside", 0)
        place = self.inside(loc, inside) if inside else self.place(loc)
        return Problem(f"{name}: {message}" if name else message, place)


def _existing(loc: Path, places: dict[Path, Any], path: Path) -> Path:
    """Drop what pydantic adds to a place that is not in the file: names of union members and the like."""
    kept: Path = ()
    for part in loc:
        if (*path, *kept, part) in places or part == loc[-1]:
            kept = (*kept, part)
    return kept


def _fields_at(model: type[BaseModel], loc: Path) -> list[str]:
    """Return the keys that a model knows at a place inside it."""
    found: Any = model
    for part in loc:
        field = getattr(found, "model_fields", {}).get(part)
        if field is not None:
            found = field.annotation
        for inner in _models_in(found):
            found = inner
            break
    names = getattr(found, "model_fields", {})
    return [field.alias or name for name, field in names.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)


def _nearest(unknown: str, known: list[str]) -> str:
    near = nearest(unknown, known)
    return f"did you mean {near!r}?" if near else f"known keys: {', '.join(sorted(known))}"


def nearest(unknown: str, known: list[str]) -> str:
    """Return the known name that is most like an unknown one, or nothing."""
    import difflib  # noqa: PLC0415 - only what is wrong needs it

    return next(iter(difflib.get_close_matches(unknown, known, n=1, cutoff=0.6)), "")


def read(text: str, name: str, error: type[InputError]) -> Source:
    """Read one YAML document. `error` is raised, with all problems, for what is not strict YAML."""
    if len(text) > _MOST_BYTES:
        raise error(f"The file is larger than {_MOST_BYTES} bytes", where=f"{name}:1:1")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(text, name, error, loader)
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise error(f"This is not YAML: {problem.problem or problem.context}", where=place) from None
    except (yaml.YAMLError, RecursionError) as problem:
        raise error(f"This is not YAML: {type(problem).__name__}", where=f"{name}:1:1") from None
    places: dict[Path, tuple[int, int]] = {}
    problems: list[Problem] = []
    data = _value(node, (), places, problems, name) if node is not None else None
    if problems:
        raise error(problems=tuple(problems))
    return Source(name, data, places)


def _check_depth(text: str, name: str, error: type[InputError], loader: Any) -> None:
    """Refuse what is nested so deeply that composing it would exhaust the stack of the process."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST + 1:
            line, column = (event.start_mark.line, event.start_mark.column) if event.start_mark else (0, 0)
            raise error(f"nested deeper than {_DEEPEST} levels", where=f"{name}:{line + 1}:{column + 1}")


def _value(node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]], problems: list[Problem], name: str) -> Any:
    """Turn a node into plain data, and note its place."""
    places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if len(places) > _MOST_NODES:
        if len(places) == _MOST_NODES + 1:
            problems.append(
                Problem(f"the file comes to more than {_MOST_NODES} values", _at(node, name), "write fewer aliases")
            )
            places[(*path, "\0full")] = places[path]
        return None
    if len(path) > _DEEPEST:
        if len(problems) < _MOST_PROBLEMS:
            problems.append(Problem(f"nested deeper than {_DEEPEST} levels", _at(node, name)))
        return None
    if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTION_TAGS:
        problems.append(Problem(f"the tag {node.tag!r} is not used here", _at(node, name), "write plain values"))
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, number), places, problems, name) for number, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, places, problems, name)
    if node.tag not in _PLAIN_TAGS:
        problems.append(Problem(f"the tag {node.tag!r} is not used here", _at(node, name), "write plain values"))
        return None
    if node.start_mark.line == node.end_mark.line:
        quote = 1 if getattr(node, "style", None) else 0
        places[(*path, _TEXT)] = (node.start_mark.line + 1, node.start_mark.column + 1 + quote)
    return _scalar(node)


_TEXT = "\0text"
_COLLECTION_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{tag}" for tag in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}


def _mapping(
    node: yaml.MappingNode,
    path: Path,
    places: dict[Path, tuple[int, int]],
    problems: list[Problem],
    name: str,
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        plain = isinstance(key_node, yaml.ScalarNode) and key_node.tag in _PLAIN_TAGS
        key = str(key_node.value) if plain and "\0" not in key_node.value else None
        if key is None:
            problems.append(Problem("a key must be plain text", _at(key_node, name)))
            continue
        if key in data:
            line = places[(*path, key, "\0key")][0]
            problems.append(Problem(f"the key {key!r} stands twice", _at(key_node, name), f"first on line {line}"))
        if key == "<<":
            problems.append(Problem("merge keys are not used here", _at(key_node, name), "write the values out"))
        places[(*path, key, "\0key")] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        data[key] = _value(value_node, (*path, key), places, problems, name)
    return data


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None):  # quoted, or a block: text as it stands
        return text
    for pattern, convert in _SCALARS:
        if pattern.match(text):
            return convert(text)
    return text


def _at(node: yaml.Node, name: str) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def write(data: Any) -> str:
    """Return plain data as YAML that `read` takes."""
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100))
