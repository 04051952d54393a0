"""The threads in which steps are done, kept from one step to the next."""

import atexit
import threading
from collections.abc import Callable
from queue import SimpleQueue

from responder.errors import HostExhausted

Given = SimpleQueue[Callable[[], None] | None]


class Threads:
    """Does what it is given at once, each in a thread of its own. A thread that has finished is kept for what comes.

    To start one for each step would cost more than many a step itself. How many there are at once, their users bound.
    The library's pool refuses what it is given once its process begins to end, and no thread can be had where the host
    has none left: neither is a failure of the step that was about to begin, which the record would show as one.
    """

    def __init__(self) -> None:
        self._idle: list[Given] = []
        self._busy = 0
        self._finished = threading.Condition()
        atexit.register(self.close)  # a process that ends before it is closed lets what is being sent finish, too

    def do(self, call: Callable[[], None]) -> None:
        """Begin a call, which keeps its errors to itself, and return. HostExhausted where no thread can be had."""
        with self._finished:
            given = self._idle.pop() if self._idle else self._started()
            self._busy += 1
        given.put(call)

    def _started(self) -> Given:
        given: Given = SimpleQueue()
        try:
            threading.Thread(target=self._work, args=(given,), name="step", daemon=True).start()
        except RuntimeError as error:
            raise HostExhausted(
                f"No more steps can be begun: {error}",
                remedy="see how many processes and threads this user may have, then `responder resume`",
            ) from None
        return given

    def _work(self, given: Given) -> None:
        while (call := given.get()) is not None:
            try:
                call()
            except BaseException:
                self._rest()
                raise  # it is a defect: the thread ends, and says so
            self._rest(given)

    def _rest(self, *idle: Given) -> None:
        with self._finished:
            self._busy -= 1
            self._idle.extend(idle)
            self._finished.notify_all()

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        atexit.unregister(self.close)
        with self._finished:
            self._finished.wait_for(lambda: not self._busy)
            idle, self._idle = self._idle, []
        for given in idle:
            given.put(None)
