"""Pictures of playbooks: the same one every time, every arrow downwards, nothing from elsewhere."""

from pathlib import Path
from xml.etree import ElementTree as ET

import clockwork
import pytest

from responder.graph import mermaid, needs, svg
from responder.layout import Spacing, layout
from responder.library import Library
from responder.playbook import Playbook
from responder.reading import parse_playbook
from responder.registry import Registry

SVG = "{http://www.w3.org/2000/svg}"


def playbook(steps: str) -> Playbook:
    return parse_playbook(f"playbook: p\ntitle: A & B\nversion: 1\nroles: {{boss: {{}}}}\nsteps:\n{steps}", "p.yaml")[0]


def registry() -> Registry:
    return Registry({"clockwork": clockwork.PROVIDER})


CHAIN = playbook("""\
  - {id: end, phase: analysis, action: clockwork.look, with: {key: a}}
  - {id: b-1, phase: analysis, action: clockwork.turn, with: {key: a}, needs: [end]}
  - id: c
    phase: containment
    action: clockwork.final
    with: {key: a}
    needs: [end, b-1]
    if: ${{ steps['b-1'].status == 'done' }}
    approval: {role: boss, within: 1h, on_timeout: abort}
  - id: d
    phase: review
    action: human.task
    needs: [c]
    with: {role: boss, instructions: "say \\"x\\" <y>", on_timeout: abort}
""")


def test_what_follows_from_the_rest_is_left_out() -> None:
    assert {"end": [], "b-1": ["end"], "c": ["b-1"], "d": ["c"]} == needs(CHAIN)


def test_mermaid_groups_by_phase_and_escapes_what_means_something_there() -> None:
    lines = mermaid(CHAIN, registry()).splitlines()

    assert "flowchart TD" == lines[0]
    assert "  subgraph analysis" in lines
    assert '    s_end["end<br/>clockwork.look"]:::read' in lines
    assert '    s_c["c<br/>clockwork.final · if · asks boss"]:::final' in lines
    assert '    s_d(["d<br/>human.task"]):::person' in lines
    assert "  s_end --> s_b_1" in lines
    assert "  s_b_1 -.-> s_c" in lines


def shipped() -> list[str]:
    return list(Library(None).playbook_paths())


@pytest.mark.parametrize("name", shipped())
def test_the_picture_is_self_contained_and_the_same_every_time(name: str) -> None:
    loaded = Library(None).load(name)

    drawn = svg(loaded, Registry())

    assert drawn == svg(loaded, Registry())
    assert not [word for word in ("<script", "href=", "url(http", "<image", "@import") if word in drawn]
    tree = ET.fromstring(drawn)
    shown = {text.text for text in tree.iter(f"{SVG}text")}
    assert {step.id for step in loaded.steps} <= shown


def test_text_is_escaped_in_the_picture() -> None:
    tree = ET.fromstring(svg(CHAIN, registry()))

    assert "A & B" == tree.findtext(f"{SVG}title")


@pytest.mark.parametrize("name", shipped())
def test_no_box_covers_another_and_every_arrow_points_down(name: str) -> None:
    above = needs(Library(None).load(name))
    placed = layout(dict.fromkeys(above, 150.0), above)
    boxes = list(placed.boxes.values())

    height = Spacing().height
    covered = [
        (one.name, other.name)
        for number, one in enumerate(boxes)
        for other in boxes[number + 1 :]
        if abs(one.y - other.y) < height and one.x < other.x + other.width and other.x < one.x + one.width
    ]
    upward = [
        (need, step) for step, own in above.items() for need in own if placed.boxes[need].y >= placed.boxes[step].y
    ]

    assert ([], []) == (covered, upward)


@pytest.mark.parametrize("name", shipped())
def test_everything_stands_inside_the_picture(name: str) -> None:
    above = needs(Library(None).load(name))
    placed = layout(dict.fromkeys(above, 150.0), above)

    points = [point for line in placed.lines.values() for point in line]
    corners = [(box.x, box.y) for box in placed.boxes.values()] + [
        (box.x + box.width, box.y) for box in placed.boxes.values()
    ]

    assert all(0 <= x <= placed.width and 0 <= y <= placed.height for x, y in points + corners)


def test_no_arrow_runs_through_a_box_in_between() -> None:
    above = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]}
    placed = layout(dict.fromkeys(above, 100.0), above)

    passing = [x for x, y in placed.lines["a", "d"] if y > placed.boxes["b"].y - 1]
    inside = [
        x for x in passing[:-1] for box in (placed.boxes["b"], placed.boxes["c"]) if box.x < x < box.x + box.width
    ]

    assert [] == inside


def test_a_single_step_is_a_picture_too(tmp_path: Path) -> None:
    drawn = svg(playbook("  - {id: a, phase: analysis, action: clockwork.nothing}\n"), registry())

    assert ET.fromstring(drawn) is not None
