"""The items of a `for_each`: expanded once, begun as room and waves allow, asked for together, summed up."""

from collections.abc import Callable
from typing import Any, NamedTuple

from responder.asking import ask_for_many, awaits_agreement
from responder.ending import sum_up_items
from responder.entry import Draft
from responder.expressions import evaluate
from responder.gate import keyed
from responder.lanes import Lanes
from responder.means import Means
from responder.naming import names
from responder.state import RunState
from responder.step import Step
from responder.unit import ENDED, Unit
from responder.waves import gate_question, judge_gate, next_release, released_at_first, wave_over


class Hands(NamedTuple):
    """What a runner lends: how it starts one item, and how it judges one."""

    write: Callable[[Draft], None]
    begin: Callable[[Step, Unit, Any], bool]
    expire: Callable[[Unit], bool]
    stands_still: Callable[[Step, Unit], bool]


class FanOut:
    """Moves the items of one run's steps. Only the runner's own thread calls it."""

    def __init__(self, state: RunState, means: Means, lanes: Lanes, hands: Hands) -> None:
        self._state = state
        self._means = means
        self._lanes = lanes
        self._hands = hands

    def _draft(self, event: str, step: str, facts: dict[str, Any]) -> Draft:
        return Draft(event, facts, self._state.run, step)

    def expand(self, step: Step) -> None:
        """Evaluate what a step is for, once, and key its items."""
        items = keyed(evaluate(step.for_each, names(self._state, self._means, scope=step.scope)), step.id)
        facts = {"items": items, "released": released_at_first(step, len(items))} if step.waves else {"items": items}
        self._hands.write(self._draft("expanded", step.id, facts))

    def start(self, step: Step, parent: Unit) -> bool:
        """Start as many items as may run at once; sum up when all have ended, ask when all are planned."""
        items = self._state.items[step.id]
        self._lanes.sort(step.id, self._state)
        if parent.ask is not None and self._hands.expire(parent):
            return True
        if items.ended >= len(items.values) and not self._lanes.occupied(step.id):
            self._end_items(step)
            return True
        if step.waves and self._next_wave(step, parent):
            return True
        moved = False
        for address in self._lanes.candidates(step, self._room(step)):
            unit = self._state.unit(address)
            if unit.status in ENDED:
                self._lanes.unpark(step.id, address)
            elif self._hands.begin(step, unit, items.values[key_of(address)]):
                moved = True
        return moved or self._ask_for_all(step, parent)

    def _room(self, step: Step) -> int | None:
        """Return how many more items may be begun in this wave; None for all: before an approval all are planned."""
        if not step.waves or step.approval is not None:
            return None
        items = self._state.items[step.id]
        return items.released - (len(items.values) - self._lanes.untouched(step.id))

    def _next_wave(self, step: Step, parent: Unit) -> bool:
        """Between two waves, judge the gate; where it is not true, ask people."""
        if parent.ask is not None or self._lanes.occupied(step.id) or not wave_over(step, self._state):
            return False
        if self._hands.stands_still(step, parent):
            return False
        items = self._state.items[step.id]
        if items.gate == "stop":
            self._end_items(step, stopped=True)
            return True
        opens, reason = judge_gate(step, self._state, self._means)
        if not opens and items.gate != "continue":
            self._hands.write(self._draft("asked", step.id, gate_question(step, self._state, reason)))
            return True
        released = next_release(step, len(items.values), items.released)
        self._hands.write(
            self._draft("wave", step.id, {"released": released, "of": len(items.values), "reason": reason})
        )
        return True

    def beyond_wave(self, step: Step, unit: Unit) -> bool:
        """Tell whether an item that is planned and agreed to waits for its wave."""
        if not step.waves or "[" not in unit.address or unit.in_flight or unit.status == "applied":
            return False
        items = self._state.items[step.id]
        return list(items.values).index(key_of(unit.address)) >= items.released and bool(unit.planned)

    def _ask_for_all(self, step: Step, parent: Unit) -> bool:
        """Ask once for all items that are planned and not approved, when no item is left to plan."""
        if (
            step.approval is None
            or parent.ask is not None
            or self._lanes.untouched(step.id)
            or self._hands.stands_still(step, parent)
            or self._lanes.occupied(step.id)
        ):
            return False
        units = [self._state.unit(address) for address in self._lanes.parked(step.id)]
        open_ones = {
            key_of(unit.address): str(unit.planned["digest"]) for unit in units if awaits_agreement(step, unit)
        }
        moving = [unit for unit in units if unit.status not in ENDED and unit.next_at is None]
        settled = [unit for unit in moving if key_of(unit.address) in open_ones or self.beyond_wave(step, unit)]
        if not open_ones or len(settled) < len(moving):
            return False
        facts = ask_for_many(step, open_ones, self._means.clock.now())
        if facts["digest"] == parent.approved:  # it was agreed to; asking for the same again could go on for ever
            return False
        self._hands.write(self._draft("asked", step.id, facts))
        return True

    def _end_items(self, step: Step, *, stopped: bool = False) -> None:
        """End a `for_each` as its items ended."""
        event, facts = sum_up_items(step, self._state, stopped=stopped)
        self._lanes.forget(step.id)
        self._hands.write(self._draft(event, step.id, facts))


def key_of(address: str) -> str:
    """Return the key of an item's address, `step[key]`."""
    return address.partition("[")[2][:-1]
