"""Advancing every run that wants to, in this process: what workers do for a shared record, for one that listens."""

import threading
from concurrent.futures import ThreadPoolExecutor

from responder.attendance import Attendance
from responder.dispatch import Dispatcher
from responder.errors import RequestError, ResponderError, StaleExecutor
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
        self._blind = ""
        """Why it could not be looked which runs are due."""
        self._failing: dict[str, str] = {}
        """The runs whose last advance went wrong in a way that is not on their record, and how."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="tender", daemon=True)

    @property
    def trouble(self) -> str:
        """Why a run does not go on here; empty where all do."""
        return self._blind or next(iter(list(self._failing.values())), "")

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
                self._blind = ""
            except Exception as error:  # noqa: BLE001 - whoever looks no more lets every run stand still
                self._blind = _told(error)
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
                try:
                    self._pool.submit(self._advance, row.run)
                except BaseException:  # the host has no thread for it
                    with self._lock:
                        self._under_way.discard(row.run)
                    raise

    def _advance(self, run: str) -> None:
        try:
            self._dispatcher.advance(run)
            self._failing.pop(run, None)
        except (RequestError, StaleExecutor):  # somebody else works on it, or it has ended
            self._failing.pop(run, None)
        except Exception as error:  # noqa: BLE001 - one run's defect must not keep a thread busy
            self._failing[run] = _told(error)
            self._stop.wait(_AGAIN_SECONDS)
        finally:
            with self._lock:
                self._under_way.discard(run)


def _told(error: Exception) -> str:
    """Return what went wrong; of a defect its name alone, since its text may quote anything."""
    return str(error) if isinstance(error, ResponderError) else f"a defect in responder: {type(error).__name__}"
