"""Playbooks: every problem with its line and column, all at once, and dependencies that follow from what is read."""

from pathlib import Path

import pytest

from responder.errors import PlaybookError
from responder.playbook import Playbook, dependencies, waits_for_end_only
from responder.reading import load_playbook, parse_playbook

HEAD = (
    "playbook: p\ntitle: t\nversion: 1\nroles: {commander: {}}\ninputs: {host: {}}\n"
    "deadlines: {d: {from: incident.aware_at, within: 1h, role: commander}}\nsteps:\n"
)
STEP = "  - {id: a, phase: analysis, action: clockwork.turn%s}\n"


def parsed(steps: str, more: str = "") -> Playbook:
    return parse_playbook(HEAD + steps + more, "p.yaml")[0]


def problems(text: str) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(text, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param(STEP % ", needs: [b]", "p.yaml:8:62: there is no step 'b'", id="an unknown need"),
        pytest.param(STEP % ", needs: [a]", "the step 'a' needs itself", id="a step that needs itself"),
        pytest.param(
            STEP % ", with: {x: '${{ steps.b.y }}'}", "there is no step 'b'", id="an unknown step in an expression"
        ),
        pytest.param(
            STEP % ", with: {x: ['${{ inputs.hst }}']}", "did you mean 'host'?", id="an unknown input, deep inside"
        ),
        pytest.param(STEP % ", if: 'x'", "`if` is an expression", id="a condition that is none"),
        pytest.param(STEP % ", meets: e", "there is no deadline 'e'", id="an unknown deadline"),
        pytest.param(
            STEP % ", approval: {role: comander, within: 1h, on_timeout: abort}",
            "did you mean 'commander'?",
            id="an unknown role",
        ),
        pytest.param(
            STEP % ", approval: {role: commander, within: 1h, on_timeout: escalate(boss)}",
            "there is no role 'boss'",
            id="an unknown role to escalate to",
        ),
        pytest.param(
            STEP % ", approval: {role: commander, within: 1h}", "'on_timeout' is missing", id="no word on silence"
        ),
        pytest.param(
            STEP % ", approval: {role: commander, within: 1h, on_timeout: maybe}",
            "on_timeout",
            id="an unknown word on silence",
        ),
        pytest.param(
            STEP % ", approval: {role: commander, quorum: 0, within: 1h, on_timeout: abort}",
            "quorum",
            id="nobody's agreement",
        ),
        pytest.param(STEP % ", with: {x: '${{ steps.a.y }}'}", "wait for each other: a", id="a step that reads itself"),
        pytest.param(STEP % "" + STEP % "", "two steps are called 'a'", id="a step twice"),
        pytest.param(
            (STEP % ", needs: [b]") + (STEP % ", needs: [a]").replace("id: a", "id: b"),
            "wait for each other: a, b",
            id="a circle",
        ),
        pytest.param(
            (STEP % ", if: '${{ failed(\"b\") }}'") + (STEP % ", needs: [a]").replace("id: a", "id: b"),
            "wait for each other: a, b",
            id="a circle through an end",
        ),
        pytest.param(
            STEP % ", with: {x: '${{ item }}'}", "reads `item` and has no `for_each`", id="an item of nothing"
        ),
        pytest.param(
            STEP % ", for_each: [{id: b}], if: '${{ item.go }}'", "`if` reads `item`", id="an if for each item"
        ),
        pytest.param(
            STEP % ", for_each: [{id: b}], waves: [1], gate: '${{ item.go }}'",
            "`gate` reads `item`",
            id="a gate for each item",
        ),
        pytest.param(STEP % ", on_eror: abort", "did you mean 'on_error'?", id="a misspelt key"),
        pytest.param("  - {id: A b, phase: analysis, action: clockwork.turn}\n", "p.yaml:8:", id="an id that is none"),
        pytest.param("  - {id: a, phase: later, action: clockwork.turn}\n", "phase", id="an unknown phase"),
        pytest.param("  - {id: a, phase: analysis, action: turn}\n", "action", id="an action that is none"),
        pytest.param(STEP % ", max_parallel: 0", "max_parallel", id="none at once"),
        pytest.param("  - [a]\n", "p.yaml:8:5", id="a step that is a list"),
    ],
)
def test_what_is_wrong_has_its_place(steps: str, said: str) -> None:
    found = problems(HEAD + steps)

    assert any(said in line for line in found), found
    assert all(line.startswith("p.yaml:") for line in found)


def test_a_step_that_is_called_like_an_item_is_none() -> None:
    second = STEP % ", with: {x: '${{ steps[\"action-item\"].y }}'}"
    playbook = parsed((STEP % "").replace("id: a", "id: action-item") + second)

    assert ("action-item",) == playbook.needs["a"]


def test_everything_is_told_at_once() -> None:
    found = problems(HEAD + STEP % ", needs: [b], meets: e, with: {x: '${{ inputs.y }}', z: '${{ 1 + }}'}")

    assert 4 == len(found)


@pytest.mark.parametrize("text", ["", "- a\n", "x", "title: t"])
def test_what_is_no_playbook(text: str) -> None:
    assert all(line.startswith("p.yaml:1:1") for line in problems(text))


def test_what_is_read_is_waited_for() -> None:
    steps = STEP % "" + "".join(
        f"  - {{id: {one}, phase: analysis, action: clockwork.turn, {more}}}\n" for one, more in WAITING.items()
    )
    playbook = parsed(steps)

    assert {"b": {"a"}, "c": {"a", "b"}, "d": {"a"}, "e": {"b"}, "f": {"c"}, "g": {"a"}, "h": set()} == {
        step.id: set(dependencies(step)) for step in playbook.steps if step.id != "a"
    }
    assert ["e", "h"] == [step.id for step in playbook.steps if waits_for_end_only(step)]


WAITING = {
    "b": "with: {x: {y: ['${{ steps.a.z }}']}}",
    "c": "needs: [b], if: '${{ steps.a.z }}'",
    "d": "for_each: '${{ steps[\"a\"].z }}'",
    "e": "if: '${{ failed(\"b\") }}'",
    "f": "connection: '${{ steps.c.name }}'",
    "g": "if: '${{ children(\"a\").dead }}'",
    "h": "if: '${{ always() }}'",
}


def test_what_is_embedded_in_a_run_is_the_same_playbook() -> None:
    playbook = parsed(
        STEP % ", if: '${{ always() }}', with: {x: 1}, limit: 90.25s, retry: {first: 0.5s}",
        "exit: ['${{ steps.a.x }}']\n",
    )

    assert playbook == Playbook.model_validate(playbook.model_dump(mode="json", by_alias=True))


def test_a_playbook_is_called_as_its_file_is(tmp_path: Path) -> None:
    path = tmp_path / "q.yaml"
    path.write_text(HEAD + STEP % "")

    with pytest.raises(PlaybookError, match="calls itself 'p', its file 'q'"):
        load_playbook(path)


@pytest.mark.parametrize("data", [pytest.param(None, id="missing"), pytest.param(b"\xff\xfe", id="not text")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "p.yaml"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(PlaybookError, match="cannot be read"):
        load_playbook(path)


def test_an_item_of_a_step_belongs_to_its_step() -> None:
    assert "a" == parsed(STEP % "").step("a[x[1]]").id
