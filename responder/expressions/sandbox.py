"""One expression, parsed, checked and evaluated by Jinja in its sandbox; imported where there is one."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from responder.errors import PlaybookError
from responder.expressions import CALLS, ROOTS, References
from responder.source import nearest

_FILTERS = (
    "length",
    "lower",
    "upper",
    "trim",
    "join",
    "first",
    "last",
    "sort",
    "list",
    "default",
    "round",
    "int",
    "map",
    "selectattr",
    "rejectattr",
    "unique",
    "sum",
)
_LONGEST = 2_000
_LONGEST_VALUE = 200_000


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without loops over large ranges, large products or anything with a side effect."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read a name of plain data as a key alone: `steps.x.items` is the fact, never the method of that name."""
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja's own
        """Allow products of small numbers only."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator != "*" or not numbers or abs(left) > 1e12 or abs(right) > 1e12:  # noqa: PLR2004
            raise SecurityError(f"{operator!r} is allowed for small numbers and '*' only")
        return left * right


def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, finalize=None)
    environment.globals.clear()
    for name in set(environment.filters) - set(_FILTERS):
        del environment.filters[name]
    environment.filters["join"] = _join
    environment.filters["round"] = _round
    return environment


def _join(values: Iterable[Any], separator: str = "", attribute: str | int | None = None) -> str:
    """Join values as text, up to what an expression may give."""
    joined: list[str] = []
    length = 0
    for value in values:
        joined.append(str(value if attribute is None else _ENVIRONMENT.getitem(value, attribute)))
        length += len(joined[-1]) + len(separator)
        if length > _LONGEST_VALUE:
            raise ValueError(f"it gives more than {_LONGEST_VALUE} characters")
    return str(separator).join(joined)


def _round(value: float, digits: int = 0) -> float:
    """Round to so many digits after the point."""
    return round(value, max(0, min(int(digits), 15)))


_ENVIRONMENT = _environment()


@lru_cache(maxsize=4096)
def references_of(expression: str) -> References:
    """Return what one expression reads, seen without running it. PlaybookError where it is malformed."""
    tree = _parse(expression)
    steps: set[str] = set()
    inputs: set[str] = set()
    calls: dict[str, set[str]] = {"failed": set(), "children": set()}
    status_only: set[str] = set()
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        root, name, deeper = _path(node)
        if root == "steps" and name and deeper is None:
            steps.add(name)
        elif root == "inputs" and name:
            inputs.add(name)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in calls:
            calls[call.node.name].add(_constant(call, expression))
    names = {node.name for node in tree.find_all(nodes.Name)}
    _check_names(names, tree, expression)
    _check_steps(tree, expression)
    return References(
        frozenset(steps | calls["children"]),
        frozenset(calls["failed"] | status_only),
        frozenset(inputs),
        frozenset(calls["children"]),
        "always" in names,
        "item" in names,
    )


def _path(node: nodes.Expr) -> tuple[str, str, str | None]:
    """Return root, first name, and what lies deeper, of `steps.x`, `steps['x']`, `inputs.y`."""
    inner = node.node  # type: ignore[attr-defined]
    if not isinstance(inner, nodes.Name):
        return "", "", None
    if isinstance(node, nodes.Getattr):
        return inner.name, node.attr, None
    argument = node.arg  # type: ignore[attr-defined]
    return inner.name, str(argument.value) if isinstance(argument, nodes.Const) else "", None


def _constant(call: nodes.Call, expression: str) -> str:
    first = call.args[0] if call.args else None
    if not isinstance(first, nodes.Const) or not isinstance(first.value, str):
        raise PlaybookError(f"{expression!r}: a step is named by its id in quotes", remedy="write failed('kill')")
    return first.value


def _check_steps(tree: nodes.Template, expression: str) -> None:
    """Refuse a step that is only known when the expression runs: nothing would wait for it."""
    paths = [_path(node) for node in tree.find_all((nodes.Getattr, nodes.Getitem))]
    named = sum(root == "steps" and bool(name) for root, name, _ in paths)
    if named < sum(node.name == "steps" for node in tree.find_all(nodes.Name)):
        raise PlaybookError(f"{expression!r} reads a step that it does not name", remedy="write steps['its-id']")


def _check_names(names: set[str], tree: nodes.Template, expression: str) -> None:
    called = {call.node.name for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)}
    for node in tree.find_all(nodes.Filter):
        if node.name not in _FILTERS:
            near = nearest(node.name, list(_FILTERS))
            raise PlaybookError(
                f"{expression!r} uses the filter {node.name!r}, which does not exist",
                remedy=f"did you mean {near!r}?" if near else f"known: {', '.join(_FILTERS)}",
            )
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name not in CALLS:
            raise PlaybookError(
                f"{expression!r} calls something that cannot be called", remedy=f"known: {', '.join(sorted(CALLS))}"
            )
    for name in sorted(names - ROOTS - called):
        near = nearest(name, sorted(ROOTS | CALLS))
        dash = (
            "a step whose id holds a dash is read as steps['its-id']; "
            if "-" in expression and "steps" in names
            else ""
        )
        raise PlaybookError(
            f"{expression!r} reads {name!r}, which does not exist",
            remedy=dash + (f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(ROOTS))}"),
        )


@lru_cache(maxsize=4096)
def _parse(expression: str) -> nodes.Template:
    if len(expression) > _LONGEST:
        raise PlaybookError(f"An expression is longer than {_LONGEST} characters")
    if not expression:
        raise PlaybookError("An expression is empty")
    try:
        tree = _ENVIRONMENT.parse("{{ (" + expression + "\n) }}")
    except TemplateSyntaxError as error:
        raise PlaybookError(f"{expression!r} is not an expression: {error.message}") from None
    except RecursionError:
        raise PlaybookError(f"{expression[:40]!r}... is nested too deeply") from None
    output = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        raise PlaybookError(f"{expression!r} is not one expression")
    return tree


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> Callable[..., Any]:
    references_of(expression)  # refuses what may not be named or called
    try:
        return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)
    except (TemplateSyntaxError, SyntaxError, MemoryError, RecursionError):
        raise PlaybookError(f"{expression[:40]!r}... is nested too deeply, or not one expression") from None


def _insist(value: Any) -> None:
    """Raise, and say what is missing, where something undefined is anywhere in a value."""
    if isinstance(value, Undefined):
        str(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            _insist(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _insist(inner)


def value_of(expression: str, names: Mapping[str, Any]) -> Any:
    """Return what one expression gives with these names. PlaybookError where it cannot be evaluated."""
    try:
        value = _compiled(expression)(**names)
        _insist(value)
    except UndefinedError as error:
        raise PlaybookError(f"{expression!r} reads something that does not exist: {error.message}") from None
    except SecurityError as error:
        raise PlaybookError(f"{expression!r} is refused: {error}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, TemplateRuntimeError) as error:
        raise PlaybookError(f"{expression!r} cannot be evaluated: {error}") from None
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        raise PlaybookError(f"{expression!r} gives more than {_LONGEST_VALUE} characters")
    return value
