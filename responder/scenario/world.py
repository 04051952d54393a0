"""What is so in a scenario's world: which credentials live, what was changed, and what goes wrong next."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from responder.action import Issued
from responder.clock import Clock
from responder.errors import Denied, OutcomeUnknown, Unavailable
from responder.finding import Exposure, Finding
from responder.redaction import Secret
from responder.scenario.model import Act, Leaked, Scenario

LEAKED = "leaked"
"""The name of the credential that the scenario's finding is about."""
_FOUND_AT = "https://pages.example/history"


@dataclass
class Known:
    """One credential of the world, as it is now."""

    name: str
    said: Leaked
    value: Secret
    key_id: str
    state: str
    sessions: int
    fenced: bool = False


@dataclass(frozen=True)
class Caller:
    """Who asks: a step of a run, by one action on one connection."""

    run: str
    address: str
    action: str
    connection: str

    def names(self) -> Iterator[str]:
        """Yield the names under which answers may stand for it, the closest first."""
        yield f"{self.run}{self.address}"
        yield f"{self.run}{self.address.partition('[')[0]}"
        yield self.action
        yield self.connection


class DefectHere(Exception):
    """A defect in a provider, as the scenario asks for one."""


@dataclass
class World:
    """Everything that stand-ins answer from. Its methods may be called from any thread."""

    scenario: Scenario
    clock: Clock
    credentials: Mapping[str, Known]
    """By name: `leaked`, and those under `others`."""
    wait: Callable[[str, timedelta], None] = lambda _run, _span: None
    runs: dict[str, str] = field(default_factory=dict)
    """What stands before a step's name in the scenario, by run; nothing for the run that it is about."""
    changed: set[str] = field(default_factory=set)
    issued: dict[str, Issued] = field(default_factory=dict)
    happened: set[tuple[str, str]] = field(default_factory=set)
    """The writes that took effect: run and address."""
    _used: dict[tuple[str, int], int] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)
    _began: datetime | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._began = self.clock.now()

    def of(self, fingerprint: str, key_id: str) -> Known | None:
        """Return the credential with this value or key id."""
        for known in self.credentials.values():
            if known.value.fingerprint == fingerprint or (key_id and known.key_id == key_id):
                return known
        return None

    def comes_first(self, caller: Caller) -> bool:
        """Tell whether the scenario says of a step that others begin only once it has ended."""
        firsts = {order.before.partition(":")[0] for order in self.scenario.order}
        return not firsts.isdisjoint(
            (f"{caller.run}{caller.address}", f"{caller.run}{caller.address.partition('[')[0]}")
        )

    # What goes wrong ---------------------------------------------------------------------------------------------

    def acts(self, caller: Caller) -> tuple[Act, ...]:
        """Return what the scenario says of a caller."""
        return next((self.scenario.answers[name] for name in caller.names() if name in self.scenario.answers), ())

    def act(self, caller: Caller) -> Act:
        """Return what is so for a caller besides what goes wrong: its facts, its findings, its looks, its time."""
        acts = self.acts(caller)
        return Act(
            facts={name: value for act in acts for name, value in act.facts.items()},
            looks=next((act.looks for act in acts if act.looks), ()),
            finds=next((act.finds for act in acts if act.finds), ()),
            takes=next((act.takes for act in acts if act.takes), None),
        )

    def wrong(self, caller: Caller, at: str) -> Act | None:
        """Use up one answer that goes wrong at this point; None where nothing does."""
        with self._lock:
            for number, act in enumerate(self.acts(caller)):
                if not act.goes_wrong or at not in _points(act) or self._is_over(act):
                    continue
                key = (f"{caller.run}{caller.address}", number)
                most = act.times or (1 if act.lost else None)
                if most is not None and self._used.get(key, 0) >= most:
                    continue
                self._used[key] = self._used.get(key, 0) + 1
                return act
        return None

    def _is_over(self, act: Act) -> bool:
        return act.until is not None and self._began is not None and self.clock.now() >= self._began + act.until

    def fail(self, caller: Caller, at: str) -> Act | None:
        """Raise what goes wrong at this point; return what goes another way without failing."""
        act = self.wrong(caller, at)
        if act is None or act.fails is None:
            return act
        if act.fails == "unavailable":
            raise Unavailable(act.says or f"{caller.connection} does not answer", where=caller.action)
        if act.fails == "denied":
            raise Denied(act.says or f"{caller.connection} refuses", where=caller.action, remedy="as the scenario says")
        raise DefectHere(act.says or "a defect, as the scenario says")

    def write(self, caller: Caller, effect: Callable[[], None]) -> None:
        """Let a write take effect, unless the scenario says otherwise. OutcomeUnknown where its answer is lost."""
        act = self.fail(caller, "apply")
        if act is None or act.lost != "not-done":
            with self._lock:
                effect()
                self.happened.add((caller.run, caller.address))
        if act is not None and act.lost is not None:
            raise OutcomeUnknown(act.says or "the answer was lost", where=caller.action)

    # What is seen ------------------------------------------------------------------------------------------------

    def look(self, caller: Caller) -> str:
        """Return the next look of a sequence; nothing once it is used up."""
        seen = self.act(caller).seen()
        key = f"{caller.run}{caller.address}"
        with self._lock:
            number = self._looks.get(key, 0)
            self._looks[key] = number + 1
        return seen[number] if number < len(seen) else ""

    def last_look(self, caller: Caller) -> bool:
        """Tell whether the sequence of looks is used up."""
        return self._looks.get(f"{caller.run}{caller.address}", 0) >= len(self.act(caller).seen())

    def findings(self, caller: Caller) -> list[Finding]:
        """Return what a step finds."""
        return [self._finding(name) for name in self.act(caller).finds]

    def _finding(self, name: str) -> Finding:
        known, other = self.credentials[name], self.scenario.others.get(name)
        seen_by = (other.exposure if other else None) or self.scenario.finding.exposure
        exposure = Exposure(url=_FOUND_AT, place="its history", kind=seen_by)
        now = self.clock.now()
        return Finding(value=known.value, exposure=exposure, reported_by="the scenario", reported_at=now, aware_at=now)


def _points(act: Act) -> tuple[str, ...]:
    """Return at which requests an answer counts."""
    if act.at is not None:
        return (act.at,)
    if act.unchanged:
        return ("plan",)
    if not act.holds:
        return ("verify",)
    return ("plan", "read", "apply", "verify") if act.fails == "unavailable" else ("read", "apply")
