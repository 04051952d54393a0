"""Plays a case: executors that die and are followed by others, people who answer, and what came of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conftest import OpenApp, leaked_value
from graphs import FOR_EVER, Case
from mortal import SPEED, Endless, House, until_death

from responder.app import App
from responder.clock import ScaledClock
from responder.entry import Entry
from responder.errors import RequestError
from responder.finding import Exposure, Finding
from responder.run import Pause
from responder.state import RunState
from responder.unit import Ask

_MOST_TURNS = 300
_AGAIN = {"failed", "declined", "undone"}
_PATIENCE_SECONDS = 60.0
Effects = Callable[[], list[dict[str, Any]]]


@dataclass
class Outcome:
    """What a run has come to, as far as it must not depend on crashes; and how it came to it."""

    state: str
    contained: bool
    units: dict[str, tuple[str, Any]]
    """Of each step and item the status, and the facts that expressions read."""
    effects: Counter[str]
    entries: list[Entry] = field(repr=False)
    final: RunState = field(repr=False)
    markers: list[str] = field(repr=False)
    problems: list[Any] = field(repr=False)
    crashed: int = 0


def outcome_of(app: App, run: str, effects: list[dict[str, Any]], crashed: int) -> Outcome:
    """Return what a run has come to by its record, and by the world."""
    state = app.state(run)
    return Outcome(
        state.state,
        state.contained,
        {address: (unit.status, json.dumps(unit.facts, sort_keys=True)) for address, unit in state.units.items()},
        Counter(effect["key"] for effect in effects),
        app.timeline(state.incident["id"]),
        state,
        [effect["marker"] for effect in effects],
        app.verify(state.incident["id"]),
        crashed,
    )


class Crowd:
    """The people of one run, who say what the case has them say, and the truth where they are asked what happened."""

    def __init__(self, app: App, place: Path, case: Case, effects: Effects) -> None:
        self.app = app
        self._case = case
        self._ways_first = case.ways_first
        self._effects = effects
        for name, playbook in case.playbooks.items():
            (place / "playbooks" / f"{name}.yaml").write_text(json.dumps(playbook))
        finding = Finding(
            value=app.means.sealer.secret(leaked_value()), exposure=Exposure(kind="public", url="https://x.example/")
        )
        self.app.person = "ann"
        self.run = app.begin(app.library.load("p"), finding, {}).run

    def answer(self, ask: Ask) -> None:
        """Answer one question."""
        step = ask.unit.partition("[")[0]
        self.app.person = "carl"
        if ask.kind == "gate":
            self.app.decide(self.run, ask.unit, "stop" if step in self._case.stops else "continue")
        elif ask.kind == "unknown":
            marker = f"{self.run}/{ask.unit}"
            happened = any(effect["marker"] == marker for effect in self._effects())
            self.app.decide(self.run, ask.unit, "happened" if happened else "not-happened")
        elif step in self._case.declines:
            self.app.decline(self.run, ask.unit, "no")
        else:
            for self.app.person in ("carl", "cora")[: ask.quorum]:
                self.app.approve(self.run, ask.unit)

    def answer_all(self) -> None:
        """Answer whatever is asked now."""
        for ask in self.app.state(self.run).asks():
            with suppress(RequestError):  # it is asked no more
                self.answer(ask)

    def answer_until(self, over: threading.Event) -> None:
        """Answer whatever is asked until it is over."""
        while not over.wait(0.002):
            self.answer_all()

    def retry_all(self) -> None:
        """Have all that failed, was declined or was undone tried again; ways back first, and once, where it is so."""
        self.app.person = "carl"
        state = self.app.state(self.run)
        stuck = [step for step in state.playbook.steps if not step.playbook and state.status(step.id) in _AGAIN]
        ways = [step for step in stuck if step.id.endswith("~undo")] if self._ways_first else []
        self._ways_first = False
        for step in ways or [step for step in stuck if not step.id.endswith("~undo")]:
            if self.app.state(self.run).status(step.id) in _AGAIN:
                self.app.retry(self.run, step.id)


class Play:
    """One run of a case in this process."""

    def __init__(self, pattern: App, place: Path, case: Case, *, dies: bool) -> None:
        self.case = case
        self.house = House(pattern, place, dict(case.faults))
        self.deaths = list(case.deaths) if dies else []
        self.crashed = 0
        people, _ = self.house.opened("carl")
        self.crowd = Crowd(people, place, case, lambda: list(self.house.world.effects))
        self.run = self.crowd.run
        self.next_executor()

    def next_executor(self) -> None:
        self.app, self.life = self.house.opened(death=self.deaths.pop(0) if self.deaths else None)

    def advanced(self) -> None:
        """Advance the run as far as it goes now, by as many executors as it takes."""
        while until_death(self.app, self.life, self.work) is None:
            self.crashed += 1
            self.next_executor()
            if self.crowd.app.row(self.run).state == "ended":  # it died after the last entry
                return

    def work(self) -> Pause:
        """Let the executor at hand work: as far as it goes now, or to the end while people answer."""
        if not self.case.driven:
            return self.app.dispatcher.advance(self.run)
        over = threading.Event()
        crowd = threading.Thread(target=self.crowd.answer_until, args=(over,))
        crowd.start()
        try:
            return self.app.drive(self.run)
        finally:
            over.set()
            crowd.join()

    def played(self) -> Outcome:
        """Play to the end. Endless where the run waits for nothing, or for ever."""
        mends = self.case.mends
        for _ in range(_MOST_TURNS):
            self.advanced()
            state = self.crowd.app.state(self.run)
            if state.state == "ended" or (state.state == "halted" and not state.asks() and not mends):
                return outcome_of(self.crowd.app, self.run, self.house.world.effects, self.crashed)
            if state.asks():
                self.crowd.answer_all()
            elif state.state == "halted":
                mends -= 1
                self.house.mend(FOR_EVER)
                self.crowd.retry_all()
            elif not self.crowd.app.row(self.run).wake_at:
                raise Endless(f"it waits for nothing: {statuses(state)}")
        raise Endless(f"{_MOST_TURNS} turns: {statuses(state)}")


def statuses(state: RunState) -> dict[str, str]:
    return {address: unit.status for address, unit in state.units.items()}


def played(pattern: App, place: Path, case: Case, *, dies: bool) -> Outcome:
    """Play a case, with its deaths or without."""
    play = Play(pattern, place, case, dies=dies)
    try:
        return play.played()
    finally:
        play.house.close()


def played_by_processes(opened: OpenApp, place: Path, case: Case, point: str, address: str) -> Outcome:
    """Play a case by a process that is killed with SIGKILL at a point of a step, and by one that follows it.

    Record and world are files here. The case must mend nothing.
    """
    folder, world = Path(tempfile.mkdtemp(dir=place)), place / "world"
    shutil.rmtree(world)
    for (kind, key), often in case.faults.items():
        file = world / f"{kind}-{key}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(often))
    world.mkdir(exist_ok=True)
    clock = ScaledClock.create(folder / "clock.json", datetime.now(UTC), SPEED)

    def effects() -> list[dict[str, Any]]:
        path = world / "effects.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    crowd = Crowd(opened(store=str(folder / "r.db"), clock=clock), place, case, effects)
    ended = _process(crowd, folder, place, point, address)
    crashed = ended < 0
    if crashed and crowd.app.row(crowd.run).state != "ended":
        ended = _process(crowd, folder, place)
        assert ended in {0, 1}, f"it ended with {ended}: {statuses(crowd.app.state(crowd.run))}"
    return outcome_of(crowd.app, crowd.run, effects(), int(crashed))


def _process(crowd: Crowd, folder: Path, place: Path, *kill: str) -> int:
    """Drive a run in a process of its own while people answer; return how it ended."""
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "LEAKED": leaked_value(),
        "SECOND": "second-" + "w3Xk" * 6,
        "HOME": str(place),
        "RESPONDER_CLOCK": str(folder / "clock.json"),
        "PYTHONPATH": os.pathsep.join((str(here), str(here.parent))),
    }
    command = [sys.executable, str(here / "crashing.py"), str(place), str(folder / "r.db"), crowd.run, *kill]
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None:
        crowd.answer_all()
        time.sleep(0.02)
        if time.monotonic() > deadline:
            process.kill()
            raise Endless(str(statuses(crowd.app.state(crowd.run))))
    return process.wait()
