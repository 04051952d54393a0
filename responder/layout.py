"""Where the boxes of a graph stand: in layers, so that every arrow points down and few cross."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_SWEEPS = 12


@dataclass(frozen=True)
class Box:
    """A box's place: its upper left corner and its width."""

    name: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Layout:
    """Where everything stands."""

    boxes: dict[str, Box]
    lines: dict[tuple[str, str], list[tuple[float, float]]]
    """For each arrow, from above to below: the points that it passes."""
    width: float
    height: float


@dataclass(frozen=True)
class Spacing:
    """How far things stand apart."""

    height: float = 44.0
    across: float = 24.0
    down: float = 48.0
    margin: float = 16.0
    wire: float = 10.0
    """The width that an arrow takes in a layer that it only passes."""


def layout(widths: Mapping[str, float], needs: Mapping[str, Sequence[str]], spacing: Spacing = Spacing()) -> Layout:
    """Place boxes by what they need; the same graph always gives the same picture."""
    ranks = _ranks(list(widths), needs)
    layers, links = _with_wires(ranks, needs)
    _order(layers, links)
    size = {name: widths.get(name, spacing.wire) for layer in layers for name in layer}
    centres = _centres(layers, links, size, spacing)
    left = min(centres[name] - size[name] / 2 for name in centres) - spacing.margin
    rows = {name: number for number, layer in enumerate(layers) for name in layer}

    def top(name: str) -> float:
        return spacing.margin + rows[name] * (spacing.height + spacing.down)

    boxes = {name: Box(name, centres[name] - widths[name] / 2 - left, top(name), widths[name]) for name in widths}
    lines = {
        edge: _points(chain, {name: centres[name] - left for name in chain}, top, spacing)
        for edge, chain in _chains(needs, ranks).items()
    }
    width = max(box.x + box.width for box in boxes.values()) + spacing.margin
    width = max(width, *(x + spacing.margin for points in lines.values() for x, _ in points)) if lines else width
    return Layout(
        boxes, lines, width, len(layers) * (spacing.height + spacing.down) - spacing.down + 2 * spacing.margin
    )


def _ranks(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return for each box its layer: one below the lowest of what it needs."""
    ranks: dict[str, int] = {}

    def rank(name: str) -> int:
        if name not in ranks:
            ranks[name] = 1 + max((rank(need) for need in needs.get(name, ())), default=-1)
        return ranks[name]

    for name in names:
        rank(name)
    return ranks


def _wire(edge: tuple[str, str], layer: int) -> str:
    return f"{edge[0]}\0{edge[1]}\0{layer}"


def _chains(needs: Mapping[str, Sequence[str]], ranks: Mapping[str, int]) -> dict[tuple[str, str], list[str]]:
    """Return for each arrow what it passes, layer by layer, from its upper box to its lower one."""
    chains: dict[tuple[str, str], list[str]] = {}
    for name, above in needs.items():
        for need in above:
            edge = (need, name)
            chains[edge] = [
                need,
                *(_wire(edge, layer) for layer in range(ranks[need] + 1, ranks[name])),
                name,
            ]
    return chains


def _with_wires(
    ranks: Mapping[str, int], needs: Mapping[str, Sequence[str]]
) -> tuple[list[list[str]], dict[str, list[str]]]:
    """Return the layers, with a place for every arrow that passes one, and each place's links above."""
    layers: list[list[str]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    links: dict[str, list[str]] = {}
    for name, rank in ranks.items():
        layers[rank].append(name)
        links.setdefault(name, [])
    for edge, chain in _chains(needs, ranks).items():
        for offset, place in enumerate(chain[1:], 1):
            links.setdefault(place, []).append(chain[offset - 1])
            if place != edge[1]:
                layers[ranks[edge[0]] + offset].append(place)
    return layers, links


def _order(layers: list[list[str]], links: Mapping[str, Sequence[str]]) -> None:
    """Order each layer so that few arrows cross: by the middle of its links, down and up in turn."""
    below: dict[str, list[str]] = {}
    for name, above in links.items():
        for one in above:
            below.setdefault(one, []).append(name)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            linked = links if down else below
            places = {name: place for other in layers for place, name in enumerate(other)}
            weights = {name: _middle([places[one] for one in linked.get(name, ())], places[name]) for name in layer}
            layer.sort(key=lambda name: weights[name])


def _middle(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _centres(
    layers: Sequence[Sequence[str]],
    links: Mapping[str, Sequence[str]],
    size: Mapping[str, float],
    spacing: Spacing,
) -> dict[str, float]:
    """Return where each place has its middle: as near to the middle of its links as there is room."""
    below: dict[str, list[str]] = {}
    for name, above in links.items():
        for one in above:
            below.setdefault(one, []).append(name)
    centres: dict[str, float] = {}
    for layer in layers:
        at = 0.0
        for name in layer:
            centres[name] = at + size[name] / 2
            at += size[name] + spacing.across
    for sweep in range(_SWEEPS):
        linked = links if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else list(reversed(layers)):
            _settle(
                layer,
                {name: _middle([centres[one] for one in linked.get(name, ())], centres[name]) for name in layer},
                size,
                spacing,
                centres,
            )
    return centres


def _settle(
    layer: Sequence[str],
    wanted: Mapping[str, float],
    size: Mapping[str, float],
    spacing: Spacing,
    centres: dict[str, float],
) -> None:
    """Move a layer's places towards where they want to be; order and distance stay."""
    groups: list[tuple[float, float, list[str]]] = []
    for name in layer:
        start, width, members = wanted[name] - size[name] / 2, size[name], [name]
        while groups and groups[-1][0] + groups[-1][1] + spacing.across > start:
            before_start, before_width, before = groups.pop()
            joined = before_width + spacing.across + width
            start = (before_start * len(before) + (start - before_width - spacing.across) * len(members)) / (
                len(before) + len(members)
            )
            width, members = joined, [*before, *members]
        groups.append((start, width, members))
    for start, _, members in groups:
        at = start
        for name in members:
            centres[name] = at + size[name] / 2
            at += size[name] + spacing.across


def _points(
    chain: Sequence[str], centres: Mapping[str, float], top: Callable[[str], float], spacing: Spacing
) -> list[tuple[float, float]]:
    """Return the points that an arrow passes: out of the upper box, through its places, into the lower."""
    first, *between, last = chain
    points = [(centres[first], top(first) + spacing.height)]
    for place in between:
        points += [(centres[place], top(place)), (centres[place], top(place) + spacing.height)]
    return [*points, (centres[last], top(last))]
