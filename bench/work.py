"""The pieces of work that are compared, the same for everybody."""

STEPS = 12
"""Steps of the no-op playbook, one after another; and of the graph."""
LEVELS, LANES, NAP = 4, 3, 0.2
"""The graph: each step of a level needs two of the level before; its longest path is LEVELS naps (seconds)."""
ITEMS, WIDTH, ITEM_NAP = 500, 50, 0.05
"""The fan-out: so many items, so many at once, each a nap of so many seconds."""

CHAIN = f"{STEPS} no-op steps, one after another"
CHANGES = f"{STEPS} no-op changes, one after another"
GRAPH = f"{STEPS} steps of {NAP * 1000:g} ms as a graph, {LEVELS} deep"
FAN_OUT = f"{ITEMS} x {ITEM_NAP * 1000:g} ms, {WIDTH} at once"
COLD = "cold start: a process runs one no-op step"

PATH_SECONDS = LEVELS * NAP
FAN_OUT_SECONDS = ITEMS * ITEM_NAP / WIDTH


def needs(level: int, lane: int) -> list[tuple[int, int]]:
    """Return the level and lane of the steps that a step of the graph waits for."""
    return [(level - 1, lane), (level - 1, (lane + 1) % LANES)] if level else []
