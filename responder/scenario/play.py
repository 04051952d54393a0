"""Playing a scenario: the real runner, guards and record, with stand-ins for every system and a clock that is moved."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Never

from responder.app import App
from responder.clock import SeededIds
from responder.documents import Templates
from responder.entry import Entry
from responder.errors import PlaybookError, ResponderError
from responder.fold import fold
from responder.lease import Lease
from responder.library import Library
from responder.means import Means
from responder.playbook import Playbook
from responder.redaction import Redactor
from responder.registry import Registry
from responder.run import Runner
from responder.scenario.clock import ORIGIN, MovedClock
from responder.scenario.crowd import Crowd
from responder.scenario.house import REQUESTER, credentials, furnish
from responder.scenario.model import Scenario
from responder.scenario.stand_in import StandIns
from responder.scenario.world import World
from responder.sealing import Sealer
from responder.sqlite import SQLiteStore
from responder.state import RunState
from responder.transport import Transport
from responder.view import RunView, view

_MOST_MOVES = 5_000
"""How often the clock is moved before a scenario counts as one that never comes to rest."""
_LONGEST = timedelta(days=400)
_RESTART = timedelta(seconds=10)
"""How long it takes until another process takes over."""
_QUIET_PASSES = 6
"""How often the runner must have looked for something to do, in vain, before time passes for a step that takes long.

They are a twentieth of a second apart: on a busy machine, too, the other steps' threads must have had their turn."""
_NAP_SECONDS = 0.005


class _Died(BaseException):
    """The process that drives the run is dead, as far as the scenario is concerned."""


class _NoNetwork(Transport):
    """Connects to nothing."""

    def client(self) -> Never:
        """Refuse: a stand-in that wants to send something is a defect."""
        raise AssertionError("a scenario reached for the network")


@dataclass(frozen=True)
class Shelf:
    """What scenarios are played with: everything that does not change from one to the next."""

    registry: Registry
    templates: Mapping[str, str]
    playbooks: Mapping[str, Playbook]

    @cached_property
    def parsed(self) -> Templates:
        """The templates, each parsed once."""
        return Templates(self.templates)


@dataclass(frozen=True)
class Played:
    """What came of a scenario."""

    entries: tuple[Entry, ...] = ()
    states: Mapping[str, RunState] = field(default_factory=dict)
    """By what stands before a step's name in the scenario: nothing for the run that it is about, else `NAME/`."""
    seen: RunView | None = None
    """None where the run was refused."""
    refusal: ResponderError | None = None
    unsaid: tuple[tuple[str, str], ...] = ()
    """What people could not say or do as the scenario wants it: a key of the scenario, and why."""


def play(playbook: Playbook, scenario: Scenario, shelf: Shelf) -> Played:
    """Play a scenario to its end."""
    with tempfile.TemporaryDirectory(prefix="responder-scenario-") as folder:
        stage = _Play(playbook, scenario, shelf, Path(folder))
        try:
            return stage.play()
        finally:
            stage.app.close()


class _Play:
    """One scenario under way."""

    def __init__(self, playbook: Playbook, scenario: Scenario, shelf: Shelf, folder: Path) -> None:
        self._playbook = _backwards(playbook)
        self._scenario = scenario
        self._clock = MovedClock()
        sealer = Sealer(b"a scenario's key, 32 bytes long.", Redactor())
        known = credentials(scenario, playbook, shelf.registry, sealer.secret)
        self._world = World(scenario, self._clock, known, wait=self._wait)
        self._house = furnish(playbook, scenario, known, shelf.playbooks, templates=shelf.parsed, now=ORIGIN)
        means = Means(
            store=SQLiteStore(Path(":memory:")),
            sealer=sealer,
            registry=StandIns(shelf.registry, self._world),
            transport=_NoNetwork(sealer),
            settings=self._house.settings,
            clock=self._clock,
            ids=SeededIds(1),
            environment={},
            templates=shelf.templates,
            playbooks=lambda: {name: _backwards(one) for name, one in shelf.playbooks.items()},
            hook=self._hook,
        )
        self.app = App(means, folder, REQUESTER, Library(None))
        self._crowd = Crowd(self.app, self._world, {**shelf.playbooks, playbook.playbook: playbook}, ORIGIN)
        self._runners: dict[str, tuple[Runner, Lease]] = {}
        self._crashes = dict(scenario.crash.points())
        self._dying = threading.Event()
        self._main = ""
        self._sleepers: list[datetime] = []
        self._busy: set[str] = set()
        """The runs that are being advanced."""
        self._passes: Counter[str] = Counter()
        self._moving = threading.Lock()

    def play(self) -> Played:
        """Begin the run, and let everything happen until nothing does any more."""
        try:
            begun = self.app.begin(self._playbook, self._house.finding, dict(self._house.inputs))
        except ResponderError as error:
            return Played(refusal=error)
        self._main = begun.run
        self._world.runs[begun.run] = ""
        self._let_all_happen(begun.incident)
        entries = tuple(self.app.timeline(begun.incident))
        states = {self._world.runs[run]: fold(run, entries) for run in self._world.runs}
        offspring = [state for name, state in states.items() if name]
        seen = view(states[""], self._clock.now(), offspring=offspring)
        return Played(entries, states, seen, unsaid=tuple(self._crowd.refused))

    def _let_all_happen(self, incident: str) -> None:
        for _ in range(_MOST_MOVES):
            wake_at = self._advance(incident)
            if self._state(self._main).state == "ended":
                return
            moments = [moment for moment in (wake_at, self._crowd.next_at()) if moment is not None]
            if not moments or min(moments) > ORIGIN + _LONGEST:
                return
            self._move(min(moments))
        raise PlaybookError(
            f"The scenario does not come to rest: the clock was moved {_MOST_MOVES} times",
            where=self._playbook.playbook,
            remedy="something is tried or looked at for ever: give the step a `limit`",
        )

    def _advance(self, incident: str) -> datetime | None:
        """Advance every run until none can go on; return when one wants to be advanced again.

        Runs in which a step takes its time are left alone: they are being advanced already.
        """
        wakes: dict[str, datetime | None] = {}
        while True:
            before = self.app.dispatcher.timeline(incident).count()
            for row in self.app.runs(incident):
                if row.state != "ended" and self._take(row.run):
                    self._name(row.run)
                    try:
                        wakes[row.run] = self._advance_one(row.run)
                    finally:
                        self._busy.discard(row.run)
                    self._crowd.listen(self._state(row.run))
            if self.app.dispatcher.timeline(incident).count() == before:
                return min((wake for wake in wakes.values() if wake is not None), default=None)

    def _take(self, run: str) -> bool:
        """Take a run for this thread alone; false where another thread advances it."""
        with self._moving:
            free = run not in self._busy
            self._busy.add(run)
        return free

    def _advance_one(self, run: str) -> datetime | None:
        """Advance one run; where its process dies, let another take over."""
        while True:
            try:
                if run not in self._runners:
                    self._runners[run] = self._take_over(run)
                return self._runners[run][0].advance(partial(self._passed, run)).wake_at
            except _Died:
                self._dying.clear()
                for _, lease in self._runners.values():
                    self.app.dispatcher.leases.give_back(lease)
                self._runners.clear()
                self._move(self._clock.now() + _RESTART)

    def _take_over(self, run: str) -> tuple[Runner, Lease]:
        lease = self.app.dispatcher.adopt(run)
        timeline = self.app.dispatcher.timeline(self.app.row(run).incident)
        return Runner(self.app.means, timeline, lease.fence, others_dead=True), lease

    def _name(self, run: str) -> None:
        """Give a run the name under which the scenario speaks of it: that of its credential."""
        if run not in self._world.runs:
            self._world.runs[run] = f"{self.app.state(run).credential.id}/"

    def _state(self, run: str) -> RunState:
        """Return what a run has come to, as whoever advances it knows it."""
        return self._runners[run][0].state

    def _hook(self, point: str, address: str) -> None:
        """Die where the scenario says; what the other threads of a dead process do is not done either."""
        if self._crashes.get(point) in {address, address.partition("[")[0]}:
            del self._crashes[point]
            self._dying.set()
        if self._dying.is_set():
            raise _Died

    # Time --------------------------------------------------------------------------------------------------------

    def _move(self, moment: datetime) -> None:
        """Let it be later, and let people say what is due by then."""
        with self._moving:
            self._clock.move_to(moment)
            self._crowd.speak(moment, self._main)

    def _wait(self, run: str, span: timedelta) -> None:
        """Let time pass for a step that takes long, while everything else goes on; called in the step's thread."""
        until = self._clock.now() + span
        self._sleepers.append(until)
        while (now := self._clock.now()) < until:
            if self._dying.is_set():
                raise _Died
            self._until_quiet(run)
            if min(self._sleepers) == until and self._clock.now() == now:
                self._sleepers.remove(until)  # another run may sleep, too, while this thread advances it
                wake_at = self._advance(self.app.row(self._main).incident)
                self._sleepers.append(until)
                moments = (until, wake_at, self._next_at(now))
                self._move(min(moment for moment in moments if moment is not None))
        self._sleepers.remove(until)

    def _until_quiet(self, run: str) -> None:
        """Wait until whatever a run can do now is done: its runner looks again and again while a step is under way."""
        timeline = self.app.dispatcher.timeline(self.app.row(run).incident)
        while not self._dying.is_set():
            seen, passes = timeline.count(), self._passes[run]
            while self._passes[run] < passes + _QUIET_PASSES and not self._dying.is_set():
                time.sleep(_NAP_SECONDS)
            if timeline.count() == seen:
                return

    def _passed(self, run: str) -> bool:
        """Count how often a runner has looked for something to do; it is never to stop."""
        self._passes[run] += 1
        return False

    def _next_at(self, now: datetime) -> datetime | None:
        """Return when the next person answers, or the next step is tried, looked at or given up."""
        moments = []
        for run in list(self._world.runs):
            state = self.app.state(run)
            self._crowd.listen(state)
            moments += [ask.due_at for ask in state.asks() if ask.due_at is not None]
            moments += [unit.next_at for unit in state.units.values() if unit.next_at is not None]
        said = self._crowd.next_at()
        return min((one for one in (*moments, said) if one is not None and one > now), default=None)


def _backwards(playbook: Playbook) -> Playbook:
    """Return a playbook with its steps in the opposite order.

    The order in the file means nothing. Where two steps may start at once, whoever stands later in the file comes first
    here, so that an order that only the file seems to promise shows as one that nothing promises.
    """
    return playbook.model_copy(update={"steps": tuple(reversed(playbook.steps))})
