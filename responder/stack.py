"""The stack of the interpreter's frames: one piece of memory for all that a function calls."""

from collections.abc import Callable
from types import FunctionType
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

_SLOTS = 16 * 1024
"""The frame that a roomy function claims, in pointers: too large for 128 KB, so that it leaves half of 256 KB free."""


def roomy(function: Callable[P, T]) -> Callable[P, T]:
    """Give the frames of all that a function calls room in one piece of memory. The function must not call itself.

    CPython keeps a thread's frames in pieces of 16 KB. It asks the system for one when a call fits into none, and gives
    it back when that call returns (`push_chunk` in `Python/pystate.c`). A loop that calls across such a border pays for
    that each time, and for the zeros in the new memory. For a larger frame the piece is doubled until it fits, and it
    stays as long as the frame. So the function claims a large one, of which nothing is ever touched, or takes memory.
    """
    defined = cast("FunctionType", function)
    defined.__code__ = defined.__code__.replace(co_stacksize=_SLOTS)
    return function
