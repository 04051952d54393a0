"""Which steps and items a runner's threads are working on, and which items of a `for_each` come next."""

from collections import Counter, deque
from collections.abc import Iterator

from responder.state import RunState
from responder.step import Step
from responder.unit import ENDED

_MOST = 64
"""How many steps and items of a run are under way at once."""


class Lanes:
    """What one runner has in its hands. Only the runner's own thread touches it."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._busy: dict[str, str] = {}
        """Addresses that a thread is working on, and their step."""
        self._of_step: Counter[str] = Counter()
        self._untouched: dict[str, deque[str]] = {}
        """Per `for_each`, the items that nobody has looked at yet, in order."""
        self._parked: dict[str, set[str]] = {}
        """Per `for_each`, the items that were begun and wait for something."""

    def __len__(self) -> int:
        """Return how many steps and items are being worked on."""
        return len(self._busy)

    def __contains__(self, address: str) -> bool:
        return address in self._busy

    def full(self) -> bool:
        """Tell whether no more may be begun until something has finished."""
        return len(self._busy) >= self._most

    def occupied(self, step: str) -> int:
        """Return how many threads work on a step or its items."""
        return self._of_step[step]

    def take(self, address: str, step: str) -> None:
        """Note that a thread works on a step or item now."""
        self._busy[address] = step
        self._of_step[step] += 1
        self._parked.get(step, set()).discard(address)

    def give_back(self, address: str) -> None:
        """Note that its thread has finished."""
        step = self._busy.pop(address)
        self._of_step[step] -= 1
        if "[" in address:
            self._parked.setdefault(step, set()).add(address)

    def sort(self, step: str, state: RunState) -> None:
        """Sort a step's items into those that nobody has begun and those that were begun.

        Once, after a restart, and when a person has one tried again that had ended.
        """
        if step in self._untouched and self._known(step) + state.items[step].ended >= len(state.items[step].values):
            return
        units = [state.unit(f"{step}[{key}]") for key in state.items[step].values]
        units = [unit for unit in units if unit.address not in self._busy]
        self._untouched[step] = deque(unit.address for unit in units if unit.status == "waiting")
        self._parked[step] = {unit.address for unit in units if unit.status not in ENDED and unit.status != "waiting"}

    def _known(self, step: str) -> int:
        """Return how many items of a step are in its hands."""
        return len(self._untouched[step]) + len(self._parked[step]) + self._of_step[step]

    def candidates(self, step: Step, released: int | None) -> Iterator[str]:
        """Yield the items that may be started: those that were begun first, then new ones, while there is room.

        `released`: how many items, from the first, may be begun; None for all.
        """
        for address in [address for address in self._parked[step.id] if address not in self._busy]:
            if self.full() or (self._busy and self._of_step[step.id] >= step.max_parallel):
                return
            yield address
        untouched = self._untouched[step.id]
        while untouched and not self.full() and self._of_step[step.id] < step.max_parallel:
            if released is not None and released <= 0:
                return
            address = untouched.popleft()
            self._parked[step.id].add(address)
            yield address
            released = None if released is None else released - 1

    def untouched(self, step: str) -> int:
        """Return how many items nobody has looked at yet."""
        return len(self._untouched.get(step, ()))

    def parked(self, step: str) -> set[str]:
        """Return the items that were begun and that no thread works on."""
        return self._parked.get(step, set())

    def unpark(self, step: str, address: str) -> None:
        """Forget an item that has ended."""
        self._parked[step].discard(address)

    def forget(self, step: str) -> None:
        """Forget a `for_each` that has ended."""
        self._untouched.pop(step, None)
        self._parked.pop(step, None)
