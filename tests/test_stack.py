"""Frames: those beneath a roomy function lie in one piece of memory, however deep its calls go."""

import resource
import threading
from collections.abc import Callable

import pytest

from responder.stack import roomy

DEEPEST = 400
TIMES = 500


def leaf() -> None:
    """Take a frame, and give it back."""


def descend(depth: int) -> None:
    for _ in range(TIMES):
        leaf()
    if depth:
        descend(depth - 1)


@roomy
def descend_roomily() -> int:
    """Call from every depth, so that no border of a piece of memory is missed; return how often memory was new."""
    return faults(lambda: descend(DEEPEST))


def faults(call: Callable[[], None]) -> int:
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    call()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


@pytest.mark.skipif(not hasattr(resource, "RUSAGE_THREAD"), reason="only Linux counts the new memory of one thread")
def test_calls_beneath_a_roomy_function_take_no_new_memory_again_and_again() -> None:
    counts = []
    thread = threading.Thread(target=lambda: counts.append(descend_roomily()))  # a thread's stack begins empty
    thread.start()
    thread.join()

    assert counts[0] < TIMES


def test_a_roomy_function_is_called_as_before() -> None:
    @roomy
    def add(one: int, *, other: int = 2) -> int:
        """Add."""
        return one + other

    assert (3, 5) == (add(1), add(1, other=4))
    assert ("add", "Add.") == (add.__name__, add.__doc__)
