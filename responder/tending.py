"""Advancing every run that wants to, in this process: what workers do for a shared record, for one that listens."""

import threading
from concurrent.futures import ThreadPoolExecutor

from responder.attendance import Attendance
from responder.dispatch import Dispatcher
from responder.errors import RecordError, RequestError, ResponderError, StaleExecutor
from responder.means import Means

CONCURRENCY = 64
"""How many runs are advanced at once; one that waits for people takes no part."""
_LOOK_SECONDS = 0.2
_AGAIN_SECONDS = 5.0
"""How long a run rests whose advance went wrong in a way that is not on its record."""


class Tender:
    """Looks which runs are due, and advances each as far as it goes, unless workers do."""

    def __init__(self, means: Means, dispatcher: Dispatcher, attendance: Attendance) -> None:
        self._means = means
        self._dispatcher = dispatcher
        self._attendance = attendance
        self._pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="turn")
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="tender", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for the steps that are under way."""
        self._stop.set()
        self._dispatcher.stop()
        if self._thread.ident is not None:  # it was begun
            self._thread.join()
        self._pool.shutdown()

    def _tend(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self.look()
            except RecordError:
                self._stop.wait(_AGAIN_SECONDS)

    def look(self) -> None:
        """Begin to advance every run that is due and that nobody works on."""
        now = self._means.clock.now().isoformat()
        due = [row for row in self._means.store.runs() if row.state != "ended" and "" != row.wake_at <= now]
        if not due or self._attendance.workers():
            return
        for row in due:
            with self._lock:
                free = row.run not in self._under_way and not self._dispatcher.alive(row)
                if free:
                    self._under_way.add(row.run)
            if free:
                self._pool.submit(self._advance, row.run)

    def _advance(self, run: str) -> None:
        try:
            self._dispatcher.advance(run)
        except (RequestError, StaleExecutor):
            pass  # somebody else works on it, or it has ended
        except ResponderError:
            self._stop.wait(_AGAIN_SECONDS)
        finally:
            with self._lock:
                self._under_way.discard(run)
