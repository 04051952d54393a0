"""Expressions: what they read is known before they run, what they cost is bounded, and no secret comes out of one."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.durations import duration
from responder.errors import PlaybookError
from responder.expressions import References, SecretRef, evaluate, is_whole, references
from responder.state import Outputs

SECRET = SecretRef("issued:run-1:new:k2", "fp:1234")
NOW = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)


class Steps:
    def __init__(self, steps: Mapping[str, Mapping[str, Any]]) -> None:
        self.steps = steps

    def __getitem__(self, name: str) -> Outputs:
        return Outputs(self.steps[name], lenient=False)


NAMES: dict[str, Any] = {
    "steps": Steps(
        {
            "a": {
                "status": "done", "items": [1, 2], "keys": "k", "n": 3, "text": "abc", "none": None,
                "deep": {"values": "v", "x": {"get": 1}},
            },
            "new": {"status": "done", "value": {"$secret": SECRET.blob, "fingerprint": SECRET.fingerprint}},
        }
    ),
    "inputs": {"name": "x", "copy": "a copy", "flag": False},
    "item": {"id": "h1", "email": "h1@x.example"},
    "now": NOW,
    "always": lambda: True,
    "failed": lambda step: step == "b",
    "children": lambda step: {"dead": True, "count": 0},
    "after": lambda start, span: start + duration(span),
}  # fmt: skip


def value(text: str) -> Any:
    return evaluate("${{ " + text + " }}", NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("steps.a.n + 1", 4, id="a number"),
        pytest.param("steps['a'].text", "abc", id="by key"),
        pytest.param("steps.a.items", [1, 2], id="a fact that is called like a method: items"),
        pytest.param("steps.a.keys", "k", id="a fact that is called like a method: keys"),
        pytest.param("steps.a.deep.values", "v", id="the same inside a mapping"),
        pytest.param("steps.a.deep.x.get", 1, id="the same deeper"),
        pytest.param("inputs.copy", "a copy", id="the same in an input"),
        pytest.param("steps.a.none", None, id="a fact that is null"),
        pytest.param("failed('b') and always()", True, id="calls"),
        pytest.param("children('a').dead", True, id="a call's fact"),
        pytest.param("after(now, '90m')", NOW + timedelta(minutes=90), id="a time"),
        pytest.param("[1, 2]|join('-')", "1-2", id="join"),
        pytest.param("[{'a': 1}, {'a': 2}]|join(',', attribute='a')", "1,2", id="join by attribute"),
        pytest.param("2.345|round(2)", 2.35, id="round"),
        pytest.param("{'x': steps.new.value}", {"x": SECRET}, id="a secret passed on inside a mapping"),
        pytest.param("steps.new.value if inputs.flag else 1", 1, id="a secret that is not taken"),
    ],
)
def test_an_expression_keeps_its_type(text: str, expected: Any) -> None:
    found = value(text)
    assert (
        (expected["x"] is not None and found["x"].blob == SECRET.blob)
        if isinstance(expected, dict)
        else expected == found
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("of ${{ item.id }} at ${{ now }}", "of h1 at 2026-05-02T09:00:00+00:00", id="several in a text"),
        pytest.param("${{ inputs.flag }}", False, id="one alone keeps its type"),
        pytest.param(" ${{ inputs.flag }}\n", False, id="space around it does not count"),
        pytest.param("${{ inputs.name }} }}", "x }}", id="what follows the end stays"),
        pytest.param("no expression {{ x }}", "no expression {{ x }}", id="other brackets are text"),
        pytest.param({"a": ["${{ steps.a.n }}", 1]}, {"a": [3, 1]}, id="inside data"),
    ],
)
def test_texts_and_data(text: Any, expected: Any) -> None:
    assert expected == evaluate(text, NAMES)
    assert type(expected) is type(evaluate(text, NAMES))


def test_a_whole_secret_is_passed_on() -> None:
    found = value("steps.new.value")

    assert isinstance(found, SecretRef)
    assert {"$secret": SECRET.blob, "fingerprint": SECRET.fingerprint} == found.document()


@pytest.mark.parametrize(
    "text",
    [
        "steps.new.value ~ ''", "steps.new.value + 'x'", "'x' + steps.new.value", "'%s' % steps.new.value",
        "steps.new.value * 2", "steps.new.value == 'x'", "'x' == steps.new.value", "steps.new.value != 'x'",
        "steps.new.value < 'x'", "steps.new.value in ['x']", "'x' in steps.new.value", "steps.new.value in 'x'",
        "'yes' if steps.new.value else 'no'", "not steps.new.value", "steps.new.value and 1", "steps.new.value|upper",
        "steps.new.value|length", "steps.new.value|first", "steps.new.value|list", "steps.new.value|trim",
        "[steps.new.value]|join", "['a', steps.new.value]|sort", "steps.new.value|default('x', true)",
        "steps.new.value[0]", "steps.new.value|sum", "[steps.new.value]|map('upper')|list", "steps.new.value._refuse",
        "steps.new.value.__class__", "steps.new.value|int + 0 if false else steps.new.value|lower",
    ],
)  # fmt: skip
def test_nothing_else_can_be_done_with_a_secret(text: str) -> None:
    with pytest.raises(PlaybookError):
        value(text)


def test_a_secret_is_not_joined_with_text() -> None:
    with pytest.raises(PlaybookError, match="joins a secret with text"):
        evaluate("token=${{ steps.new.value }}", NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "''.__class__", "''.__class__.__mro__[1].__subclasses__()", "inputs.__class__", "steps.__init__.__globals__",
        "always.__globals__", "now.__reduce__()", "inputs.get('x')", "'{}'.format(1)", "'a'.upper()",
        "steps.a.items.append(1)", "(1).__class__", "[]|attr('__class__')", "[1]|map(attribute='__class__')|list",
        "self", "range(9)", "lipsum()", "namespace()", "cycler(1)", "dict(a=1)", "caller()", "loop", "config",
        "1) }}{% for x in [1] %}{{ (1", "import os", "x = 1", "{% raw %}", "lambda: 1", "", "1,,2",
        "steps.a.text|tojson", "steps.a.text|safe", "'x'|pprint",
    ],
)  # fmt: skip
def test_nothing_gets_out_of_the_sandbox(text: str) -> None:
    with pytest.raises(PlaybookError):
        raise AssertionError(f"it gave {value(text)!r}")


BIG = "'" + "a" * 60 + "'"
SQUARE = f"({BIG}|list|join({BIG}))"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            f"({SQUARE}|list|join({SQUARE}))|list|join({SQUARE}|list|join({SQUARE}))",
            id="texts that join themselves",
        ),
        pytest.param("9**9**9**9", id="powers"),
        pytest.param("'a' * 1000000000", id="a text many times"),
        pytest.param("[1] * 1000000000", id="a list many times"),
        pytest.param("9999999999999 * 9999999999999", id="large products"),
        pytest.param("'%1000000000d' % 1", id="a wide format"),
        pytest.param("-" * 1500 + "1", id="many signs"),
        pytest.param("(" * 900 + "1" + ")" * 900, id="many brackets"),
        pytest.param("[" * 900 + "1" + "]" * 900, id="many lists"),
        pytest.param("not " * 450 + "1", id="many negations"),
        pytest.param("1" + " + 1" * 600, id="longer than allowed"),
        pytest.param("after(now, '" + "9" * 1000 + "d')", id="a date after the end of time"),
        pytest.param("after(now, '99999999d')", id="a far date"),
    ],
)
def test_what_an_expression_costs_is_bounded(text: str) -> None:
    started = time.perf_counter()

    with pytest.raises(PlaybookError):
        raise AssertionError(f"it gave {str(value(text))[:50]}")

    assert time.perf_counter() - started < 2.0


def test_rounding_is_bounded() -> None:
    started = time.perf_counter()

    assert 1.5 == value("1.5|round(999999999)")
    with pytest.raises(PlaybookError):
        value("1.5|round(999999999, 'ceil')")

    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("${{ steps.a.n }} ${{ steps['b-c'].x }}", References(steps=frozenset({"a", "b-c"})), id="steps"),
        pytest.param("${{ failed('a') }}", References(ended=frozenset({"a"})), id="failed waits for the end only"),
        pytest.param("${{ always() }}", References(always=True), id="always"),
        pytest.param(
            "${{ children('a').dead }}",
            References(steps=frozenset({"a"}), children=frozenset({"a"})),
            id="children",
        ),
        pytest.param({"x": ["${{ inputs.y }}", 3, None]}, References(inputs=frozenset({"y"})), id="inside data"),
        pytest.param(
            "${{ [steps.a]|map(attribute='n')|list }}",
            References(steps=frozenset({"a"})),
            id="inside a filter",
        ),
        pytest.param("nothing", References(), id="no expression"),
    ],
)
def test_what_an_expression_reads_is_known_without_running_it(text: Any, found: References) -> None:
    assert found == references(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("${{ steps[inputs.x].n }}", "does not name", id="a step that is computed"),
        pytest.param("${{ steps }}", "does not name", id="all steps"),
        pytest.param("${{ [steps.a, steps]|length }}", "does not name", id="all steps beside one"),
        pytest.param("${{ failed(inputs.x) }}", "by its id in quotes", id="a call that is computed"),
        pytest.param("${{ stepps.a }}", "did you mean 'steps'?", id="a misspelt name"),
        pytest.param("${{ steps.a-b.n + c }}", "steps['its-id']", id="a dash"),
        pytest.param("${{ exec('x') }}", "cannot be called", id="another call"),
        pytest.param("${{ inputs.x", "not closed", id="not closed"),
        pytest.param("${{ }}", "empty", id="empty"),
        pytest.param("${{ 1 + }}", "not an expression", id="not an expression"),
        pytest.param("${{ 'x'|uper }}", "did you mean 'upper'?", id="a misspelt filter"),
        pytest.param("${{ 1) }}${{ (1 }}", "not an expression", id="brackets that close ours"),
    ],
)
def test_what_is_wrong_is_told_when_it_is_read(text: str, said: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        references(text)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("steps.a.nothing", "does not exist", id="a fact"),
        pytest.param("inputs.nothing", "does not exist", id="an input"),
        pytest.param("inputs.nothing.more", "does not exist", id="a part of nothing"),
        pytest.param("inputs.nothing == 'x'", "does not exist", id="compared"),
        pytest.param("steps.a.none.more", "does not exist", id="a part of null"),
        pytest.param("item.id + 1", "cannot be evaluated", id="text and number"),
        pytest.param("1 / 0", "cannot be evaluated", id="division by nought"),
        pytest.param("steps.a.items|sort(attribute='x')", "exist|evaluated", id="sorted by nothing"),
    ],
)
def test_what_does_not_exist_is_an_error_and_never_empty(text: str, said: str) -> None:
    with pytest.raises(PlaybookError, match=said):
        value(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("${{ a }}", True),
        (" ${{ a }} ", True),
        ("${{ a }}${{ b }}", False),
        ("x ${{ a }}", False),
        ("${{ a }} }}", False),
        ("", False),
    ],
)
def test_what_counts_as_whole(text: str, *, whole: bool) -> None:
    assert whole is is_whole(text)
