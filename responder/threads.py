"""The threads in which steps are done, kept from one turn at a run to the next."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

MOST = 64
"""How many steps and items of a run are under way at once."""


class Threads:
    """Lends threads to whoever advances a run: as many pools as runs are advanced at once, each with its own bound.

    To start threads for each turn would cost a worker more than many a turn itself.
    """

    def __init__(self) -> None:
        self._idle: list[ThreadPoolExecutor] = []
        self._lock = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[ThreadPoolExecutor]:
        """Lend a pool whose threads are idle; who gives it back has waited for them, unless something went wrong."""
        with self._lock:
            pool = self._idle.pop() if self._idle else ThreadPoolExecutor(MOST, thread_name_prefix="step")
        try:
            yield pool
        except BaseException:
            pool.shutdown()
            raise
        with self._lock:
            self._idle.append(pool)

    def close(self) -> None:
        """End the idle threads."""
        with self._lock:
            idle, self._idle = self._idle, []
        for pool in idle:
            pool.shutdown()
