"""A playbook as a picture: Mermaid text for documents, or a self-contained SVG."""

from html import escape

from responder.action import Effect
from responder.arguments import action_of
from responder.errors import PlaybookError
from responder.layout import Box, Layout, Spacing, layout
from responder.playbook import Playbook, Step, dependencies
from responder.registry import Registry

_COLOURS = {
    "read": ("#eef2f7", "#5b7fb9"),
    "reversible": ("#fdf3e1", "#b7791f"),
    "final": ("#fbe9e7", "#b3261e"),
    "message": ("#f1ecf9", "#7a5bb5"),
    "person": ("#e4f4ea", "#1a7f4b"),
}
"""The ground and the line of a step's box, by what it does; people's steps are a kind of their own."""
_LEGEND = {
    "read": "reads",
    "reversible": "changes, can be undone",
    "final": "final",
    "message": "tells people",
    "person": "a person acts",
}
_FONT = 'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"'
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#5d626d"/></marker></defs>'
)
_LETTER = 7.2
_PADDING = 24
_LEGEND_HEIGHT = 34


def needs(playbook: Playbook) -> dict[str, list[str]]:
    """Return for each step what must have ended before it; what follows from the rest is left out."""
    direct = {step.id: set(dependencies(step)) for step in playbook.steps}
    before: dict[str, set[str]] = {}

    def all_before(name: str) -> set[str]:
        if name not in before:
            before[name] = direct[name].union(*(all_before(need) for need in direct[name]))
        return before[name]

    order = {step.id: number for number, step in enumerate(playbook.steps)}
    return {
        name: sorted(
            (need for need in own if not any(need in all_before(other) for other in own - {need})),
            key=order.__getitem__,
        )
        for name, own in direct.items()
    }


def kind(step: Step, registry: Registry) -> str:
    """Return what a step does, as its colour says it."""
    if step.action.startswith("human."):
        return "person"
    try:
        return action_of(step, registry).effect.value
    except PlaybookError:
        return Effect.READ.value


def _marks(step: Step) -> list[str]:
    """Return what makes a step wait, repeat or be skipped, in a word each."""
    return [
        *(["each"] if step.for_each is not None else []),
        *(["in waves"] if step.waves else []),
        *(["at its time"] if step.start else []),
        *(["if"] if step.condition != "" else []),
        *([f"asks {step.approval.role}"] if step.approval else []),
    ]


def _second(step: Step) -> str:
    return " · ".join([step.does, *_marks(step)])


# Mermaid ------------------------------------------------------------------------------------------


def mermaid(playbook: Playbook, registry: Registry) -> str:
    """Return a playbook as a Mermaid flowchart, its steps grouped by phase."""
    lines = ["flowchart TD"]
    for phase in dict.fromkeys(step.phase for step in playbook.steps):
        lines.append(f"  subgraph {phase}")
        for step in playbook.steps:
            if step.phase == phase:
                opening, closing = ('(["', '"])') if step.action.startswith("human.") else ('["', '"]')
                words = f"{_text(step.id)}<br/>{_text(_second(step))}"
                lines.append(f"    {_name(step.id)}{opening}{words}{closing}:::{kind(step, registry)}")
        lines.append("  end")
    for name, above in needs(playbook).items():
        arrow = "-.->" if playbook.by_id[name].condition != "" else "-->"
        lines += [f"  {_name(need)} {arrow} {_name(name)}" for need in above]
    lines += [
        f"  classDef {name} fill:{ground},stroke:{line},color:#1b1d22" for name, (ground, line) in _COLOURS.items()
    ]
    return "\n".join(lines) + "\n"


def _name(step: str) -> str:
    """Return a step's id as Mermaid takes it: `end` and dashes mean something else there."""
    return "s_" + step.replace("-", "_")


def _text(text: str) -> str:
    return escape(text, quote=False).replace('"', "#quot;")


# SVG ----------------------------------------------------------------------------------------------


def svg(playbook: Playbook, registry: Registry) -> str:
    """Return a playbook as a picture that needs nothing from elsewhere."""
    spacing = Spacing()
    widths = {step.id: _LETTER * max(len(step.id), len(_second(step)) * 0.86) + _PADDING for step in playbook.steps}
    placed = layout(widths, needs(playbook), spacing)
    width, height = max(placed.width, 640.0), placed.height + _LEGEND_HEIGHT
    size = f'width="{width:.0f}" height="{height:.0f}"'
    box = f'viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {size} {_FONT} role="img">',
        f"<title>{escape(playbook.title)}</title>",
        _TIP,
        f'<rect {size} fill="#ffffff"/>',
        *_lines(placed, playbook),
        *(_box(placed.boxes[step.id], step, kind(step, registry), spacing) for step in playbook.steps),
        *_legend(placed.height, spacing),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _lines(placed: Layout, playbook: Playbook) -> list[str]:
    dashed = ' stroke-dasharray="5 4"'
    return [
        f'<path d="{_curve(points)}" fill="none" stroke="#5d626d" stroke-width="1.3" marker-end="url(#tip)"'
        f"{dashed if playbook.by_id[lower].condition != '' else ''}/>"
        for (_, lower), points in placed.lines.items()
    ]


def _curve(points: list[tuple[float, float]]) -> str:
    """Return a path that leaves and enters each point straight up and down."""
    (x, y), *rest = points
    path = f"M{x:.1f} {y:.1f}"
    for after_x, after_y in rest:
        middle = (y + after_y) / 2
        path += (
            f"L{after_x:.1f} {after_y:.1f}"
            if abs(after_x - x) < 1
            else f"C{x:.1f} {middle:.1f} {after_x:.1f} {middle:.1f} {after_x:.1f} {after_y:.1f}"
        )
        x, y = after_x, after_y
    return path


def _box(box: Box, step: Step, colour: str, spacing: Spacing) -> str:
    ground, line = _COLOURS[colour]
    middle = box.x + box.width / 2
    corner = spacing.height / 2 if colour == "person" else 6
    size = f'width="{box.width:.1f}" height="{spacing.height:.0f}" rx="{corner:.0f}"'
    first = f'x="{middle:.1f}" y="{box.y + 18:.1f}" font-size="12" font-weight="600" fill="#1b1d22"'
    second = f'x="{middle:.1f}" y="{box.y + 34:.1f}" font-size="10" fill="#3c4048"'
    return (
        f'<g text-anchor="middle"><title>{escape(step.title or step.id)}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" {size} fill="{ground}" stroke="{line}" stroke-width="1.4"/>'
        f"<text {first}>{escape(step.id)}</text><text {second}>{escape(_second(step))}</text></g>"
    )


def _legend(top: float, spacing: Spacing) -> list[str]:
    parts, x = [], spacing.margin
    for name, words in _LEGEND.items():
        ground, line = _COLOURS[name]
        parts.append(f'<rect x="{x:.0f}" y="{top:.0f}" width="12" height="12" rx="2" fill="{ground}" stroke="{line}"/>')
        parts.append(f'<text x="{x + 17:.0f}" y="{top + 10:.0f}" font-size="10" fill="#3c4048">{words}</text>')
        x += 30 + _LETTER * 0.86 * len(words)
    return parts
