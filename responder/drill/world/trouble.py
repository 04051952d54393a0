"""The faults of the world at work: who is struck, how often still, and whether it happened."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from responder.clock import Clock
from responder.drill.faults import Fault, show_fault


@dataclass
class _Dose:
    """How much of a fault was given so far."""

    happened: bool = False
    given: int = 0
    until: datetime | None = None


class Trouble:
    """Decides for each request of the responder what goes wrong; the world's own people are never struck."""

    def __init__(self, faults: tuple[Fault, ...], clock: Clock) -> None:
        self._clock = clock
        self._faults = faults
        self._doses: dict[tuple[int, str], _Dose] = {}
        self._lock = threading.Lock()

    def delay(self, system: str) -> float:
        """Return the real seconds by which this request is late."""
        with self._lock:
            return sum(fault.amount for fault, _ in self._given("latency", system))

    def rejects(self, system: str) -> int | None:
        """Return 429 or 500 while the first requests of this system are to be turned away, else None."""
        with self._lock:
            for name in ("429", "500"):
                for fault, dose in self._given(name, system, count=False):
                    if dose.given < fault.amount:
                        dose.given += 1
                        dose.happened = True
                        return int(name)
        return None

    def down(self, system: str) -> float | None:
        """Return for how many seconds of the drill's clock this system stays down: 0 for ever, None if up.

        The first question about a system starts its time.
        """
        with self._lock:
            if any(True for _ in self._given("slack-down", system)):
                return 0.0
            for fault, dose in self._given("down", system):
                now = self._clock.now()
                dose.until = dose.until or now + timedelta(seconds=fault.amount)
                if now < dose.until:
                    return (dose.until - now).total_seconds()
        return None

    def loses_answer(self, step: str | None) -> bool:
        """Tell whether the answer to this write, which took effect, is to be lost; count it if so."""
        with self._lock:
            for number, fault in enumerate(self._faults):
                dose = self._dose(number, "")
                if fault.name == "lost-answer" and fault.strikes_step(step) and dose.given < fault.amount:
                    dose.given += 1
                    dose.happened = True
                    return True
        return False

    def propagation(self, promised: float) -> float:
        """Return the seconds for which an ended key goes on being accepted, instead of those promised."""
        with self._lock:
            slow = [fault.amount for fault, _ in self._given("slow-propagation", "issuer")]
            return promised + max(slow, default=0.0)

    def report(self) -> list[dict[str, Any]]:
        """Return every fault with whether it happened; crashes are the drill's to tell."""
        with self._lock:
            return [
                {
                    "name": fault.name,
                    "where": fault.where,
                    "text": show_fault(fault),
                    "happened": any(dose.happened for (at, _), dose in self._doses.items() if at == number),
                }
                for number, fault in enumerate(self._faults)
            ]

    def _given(self, name: str, system: str, *, count: bool = True) -> list[tuple[Fault, _Dose]]:
        found = []
        for number, fault in enumerate(self._faults):
            if fault.name == name and fault.strikes_system(system):
                dose = self._dose(number, system)
                dose.happened = dose.happened or count
                found.append((fault, dose))
        return found

    def _dose(self, number: int, system: str) -> _Dose:
        return self._doses.setdefault((number, system), _Dose())
