"""YAML as people mean it, with a place for every complaint, and nothing that a file can do to whoever reads it."""

import time

import pytest
from pydantic import BaseModel, ConfigDict

from responder.errors import PlaybookError
from responder.source import Source, nearest, read, write


def data(text: str) -> object:
    return read(text, "f.yaml", PlaybookError).data


def problems(text: str) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        read(text, "f.yaml", PlaybookError)
    return [f"{problem.where}: {problem.what}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on", "on", id="on is text"),
        pytest.param("yes", "yes", id="yes is text"),
        pytest.param("No", "No", id="No is text"),
        pytest.param("0123", "0123", id="a leading nought is text"),
        pytest.param("0x1F", "0x1F", id="hexadecimal is text"),
        pytest.param("1_000", "1_000", id="underscores are text"),
        pytest.param("12:30:45", "12:30:45", id="sexagesimal is text"),
        pytest.param("2026-05-02", "2026-05-02", id="a date is text"),
        pytest.param(".inf", ".inf", id="infinity is text"),
        pytest.param("12345678901234567890", "12345678901234567890", id="a number longer than any id stays text"),
        pytest.param("true", True, id="true"),
        pytest.param("'true'", "true", id="quoted true is text"),
        pytest.param("~", None, id="null"),
        pytest.param("", None, id="nothing"),
        pytest.param("-17", -17, id="a whole number"),
        pytest.param("1.5", 1.5, id="a number"),
        pytest.param('"17"', "17", id="a quoted number is text"),
        pytest.param("|\n  17\n", "17\n", id="a block is text"),
        pytest.param("{on: yes, 1: 2}", {"on": "yes", "1": 2}, id="keys are text"),
        pytest.param("a: &x [1]\nb: *x", {"a": [1], "b": [1]}, id="an alias"),
    ],
)
def test_scalars_are_what_people_mean(text: str, value: object) -> None:
    assert value == data(text)
    assert type(value) is type(data(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: 1\nb: 2\na: 3", ["f.yaml:3:1: the key 'a' stands twice"], id="a key twice"),
        pytest.param('a: 1\n"a": 3', ["f.yaml:2:1: the key 'a' stands twice"], id="a key twice, once quoted"),
        pytest.param("x: &x {a: 1}\ny: {<<: *x}", ["f.yaml:2:5: merge keys are not used here"], id="a merge key"),
        pytest.param("? [1, 2]\n: x", ["f.yaml:1:3: a key must be plain text"], id="a list as key"),
        pytest.param(
            "a: !!binary aGk=", ["f.yaml:1:4: the tag 'tag:yaml.org,2002:binary' is not used here"], id="bytes"
        ),
        pytest.param("? !!binary aGk=\n: x", ["f.yaml:1:3: a key must be plain text"], id="bytes as key"),
        pytest.param("a: !!set {x, y}", ["f.yaml:1:4: the tag 'tag:yaml.org,2002:set' is not used here"], id="a set"),
        pytest.param(
            "a: !!python/object/apply:os.system [x]",
            ["f.yaml:1:4: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not used here"],
            id="an object of Python",
        ),
        pytest.param("a: !mine 3", ["f.yaml:1:4: the tag '!mine' is not used here"], id="somebody's own tag"),
        pytest.param('"a\\0key": 1', ["f.yaml:1:1: a key must be plain text"], id="a key that would hide a place"),
        pytest.param("a: [1", None, id="an open bracket"),
        pytest.param("a: *nobody", None, id="an alias of nothing"),
        pytest.param("a: 1\n---\nb: 2", None, id="two documents"),
        pytest.param("a: \x00", None, id="a control character"),
        pytest.param("\ta: 1", None, id="a tab"),
        pytest.param(
            "a: 1\na: 2\nb: !x 1",
            ["f.yaml:2:1: the key 'a' stands twice", "f.yaml:3:4: the tag '!x' is not used here"],
            id="all at once",
        ),
    ],
)
def test_what_is_not_strict_is_refused_with_its_place(text: str, said: list[str] | None) -> None:
    found = problems(text)

    assert all(line.startswith("f.yaml:") for line in found)
    if said is not None:
        assert said == found


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(LAUGHS, "more than 200000 values", id="a billion laughs"),
        pytest.param("&a [*a, *a]", "", id="a list that holds itself twice"),
        pytest.param("[" * 200_000 + "]" * 200_000, "nested deeper than 40", id="two hundred thousand brackets"),
        pytest.param("".join(" " * n + "a:\n" for n in range(500)), "nested deeper than 40", id="a very deep mapping"),
        pytest.param("{a: " * 100 + "1" + "}" * 100, "nested deeper than 40", id="a hundred braces"),
        pytest.param("x" * (5 * 1024 * 1024), "larger than", id="too large"),
    ],
)
def test_no_file_exhausts_the_process(text: str, said: str) -> None:
    started = time.perf_counter()

    found = problems(text)

    assert said in found[0]
    assert len(found) < 1000
    assert time.perf_counter() - started < 5.0


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: str


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: Inner | None = None
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    either: int | list[Inner] = 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("name: x\nnmae: y", ["f.yaml:2:1: unknown key 'nmae' (did you mean 'name'?)"], id="at the top"),
        pytest.param(
            "name: x\ninner: {rolle: y}",
            ["f.yaml:2:8: 'role' is missing", "f.yaml:2:9: unknown key 'rolle' (did you mean 'role'?)"],
            id="inside an optional",
        ),
        pytest.param(
            "name: x\nmany:\n  - role: a\n  - role: b\n    rule: c",
            ["f.yaml:5:5: unknown key 'rule' (did you mean 'role'?)"],
            id="inside a list",
        ),
        pytest.param(
            "name: x\nnamed:\n  one: {role: a, zzz: 1}",
            ["f.yaml:3:18: unknown key 'zzz' (known keys: role)"],
            id="inside a mapping",
        ),
        pytest.param("name: [x]", ["f.yaml:1:7: name: should be a valid string"], id="another type"),
        pytest.param("inner: {role: x}", ["f.yaml:1:1: 'name' is missing"], id="a missing key"),
    ],
)
def test_what_does_not_fit_a_model_has_its_place_and_a_remedy(text: str, said: list[str]) -> None:
    _, found = read(text, "f.yaml", PlaybookError).check(Outer)

    assert said == [str(problem) for problem in found]


def test_what_fits_neither_side_of_a_union_has_a_place_of_its_own() -> None:
    _, found = read("name: x\neither:\n  - {role: a}\n  - {role: b, rule: c}", "f.yaml", PlaybookError).check(Outer)

    assert {"f.yaml:4", "f.yaml:3"} >= {
        problem.where.rpartition(":")[0] for problem in found if "unknown key" in problem.what
    }
    assert all(problem.where.startswith("f.yaml:") for problem in found)


def test_a_place_is_the_nearest_that_is_known() -> None:
    source = read("a:\n  b: [1, 2]", "f.yaml", PlaybookError)

    assert "f.yaml:2:10" == source.place(("a", "b", 1))
    assert "f.yaml:2:6" == source.place(("a", "b", "nowhere"))
    assert "f.yaml:2:3" == source.key_place(("a", "b"))
    assert "f.yaml:1:1" == Source("f.yaml", None, {}).place(("x",))


def test_what_is_written_is_read_again() -> None:
    value = {"on": "yes", "n": 3, "list": [None, True, "0123", "a\nb"], "ü": 1.5}

    assert value == data(write(value))


@pytest.mark.parametrize(("name", "near"), [("naem", "name"), ("zzz", "")])
def test_the_nearest_name_is_offered(name: str, near: str) -> None:
    assert near == nearest(name, ["name", "role"])
