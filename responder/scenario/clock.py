"""The clock of a scenario: it stands still until it is moved."""

import threading
from datetime import UTC, datetime

ORIGIN = datetime(2026, 3, 3, 9, 20, tzinfo=UTC)
"""The moment at which every scenario begins: a Tuesday, in working hours."""


class MovedClock:
    """Moves when the play moves it, and never by itself, so that two days pass in no time."""

    def __init__(self, origin: datetime = ORIGIN) -> None:
        self._now = origin
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the scenario's present moment in UTC."""
        with self._lock:
            return self._now

    def move_to(self, moment: datetime) -> None:
        """Let it be `moment`; time never steps back."""
        with self._lock:
            self._now = max(self._now, moment)

    def real_seconds(self, seconds: float) -> float:
        """Return `seconds`: nobody waits by this clock, so that what is measured by it counts as it stands."""
        return max(0.0, seconds)

    def sleep(self, seconds: float) -> None:
        """Return at once: whoever plays the scenario moves the clock."""
