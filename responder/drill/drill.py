"""A drill: the real playbook, runner and providers against the loopback world, killed and misled as asked; scored."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from responder.app import App, open_app
from responder.clock import SeededIds
from responder.drill.crew import Crew
from responder.drill.faults import Fault, parse_faults, show_fault
from responder.drill.people import People
from responder.drill.stage import ORIGIN, Stage, set_stage
from responder.errors import RequestError
from responder.finding import Exposure, Finding
from responder.plan import Plan

_MOST_RESTARTS = 20
_POLL_SECONDS = 0.05

Told = Callable[[str], None]
"""Called with a line for whoever watches."""


@dataclass(frozen=True)
class Options:
    """What a drill is asked to be."""

    playbook: str
    folder: Path
    seed: int = 7
    speed: float = 12.0
    """How many seconds of the drill's clock pass in a real one."""
    faults: tuple[str, ...] = ()
    holders: int = 300
    live: bool = False
    """Whether whoever sits at the terminal is the commander."""
    restart: bool = True
    seconds: float = 300.0
    """Real seconds after which the drill is given up."""
    debug: bool = False
    store: str | None = None
    """The file or the URL of the record, where it is not to be a file in the folder."""
    workers: int = 0
    """How many workers advance the run, on a shared record; 0 for one process that drives it."""


@dataclass
class Drill:
    """A drill that goes on."""

    options: Options
    stage: Stage
    app: App
    run: str
    incident: str
    faults: tuple[Fault, ...]
    started: float
    """Real time at which the run was begun."""
    crashes: list[str] = field(default_factory=list)
    """The faults that struck the runner, as they are written."""
    restarts: int = 0
    wall_seconds: float = 0.0


def begin(options: Options) -> Drill:
    """Set the stage, and begin a run as the world's on-call engineer would. InputError for a wrong fault."""
    faults = parse_faults(options.faults)
    if any(fault.name == "stop" for fault in faults) and not options.workers:
        raise RequestError(
            "Only one of several workers can be stopped and continued", remedy="--store postgresql://HOST/DATABASE"
        )
    stage = set_stage(
        options.folder,
        seed=options.seed,
        speed=options.speed,
        faults=options.faults,
        holders=options.holders,
        live=options.live,
        store=options.store,
    )
    try:
        app = open_app(config=stage.config, environment=stage.environment, ids=SeededIds(options.seed))
        app.person = "ruth"
        begun = app.begin(app.library.load(options.playbook), finding(stage, app), inputs(stage, app, options.playbook))
    except BaseException:
        stage.close()
        raise
    return Drill(options, stage, app, begun.run, begun.incident, faults, time.time())


def plan(options: Options) -> Plan:
    """Return what a run would do in a fresh world; nothing is changed there, and the world ends with it."""
    stage = set_stage(
        options.folder,
        seed=options.seed,
        speed=options.speed,
        faults=options.faults,
        holders=options.holders,
        live=False,
    )
    try:
        app = open_app(config=stage.config, environment=stage.environment, ids=SeededIds(options.seed))
        app.person = "ruth"
        try:
            return app.plan(
                app.library.load(options.playbook), finding(stage, app), inputs(stage, app, options.playbook)
            )
        finally:
            app.close()
    finally:
        stage.close()


def finding(stage: Stage, app: App) -> Finding:
    """Return what the on-call engineer was told: the token, and the page where it stands."""
    return Finding(
        value=app.means.sealer.secret(stage.leaked),
        exposure=Exposure(
            url=f"{stage.urls['hub']}/spaces/{stage.inventory.space}",
            place="app.py of a public Space",
            kind="public",
            exposed_at=datetime.fromisoformat(stage.urls["exposed_at"]),
        ),
        reported_by="a researcher, by mail",
        reported_at=ORIGIN - timedelta(minutes=2),
        aware_at=stage.clock.now(),
        public_coverage_at=ORIGIN - timedelta(minutes=5),
        summary="The token of the early-access programme is in the code of a public Space, beside an open letter.",
    )


def inputs(stage: Stage, app: App, playbook: str) -> Mapping[str, Any]:
    """Return the inputs that a playbook asks for, as far as the world knows them."""
    known = {"host_space": stage.inventory.space, "partner": "petra", "sender": "ruth"}
    asked = app.library.load(playbook).inputs
    return {name: value for name, value in known.items() if name in asked}


def carry_out(drill: Drill, tell: Told) -> None:
    """Drive the run in a process of its own, restart it when it was killed, and let the people answer."""
    people = People(
        app=_second_opening(drill),
        clock=drill.stage.clock,
        control=drill.stage.urls["control"],
        seed=drill.options.seed,
        me="ines" if drill.options.live else "",
    )
    answering = threading.Thread(target=people.live, name="people", daemon=True)
    answering.start()
    try:
        if drill.options.workers:
            _work_to_the_end(drill, tell)
        else:
            _run_to_the_end(drill, tell)
    finally:
        drill.wall_seconds = time.time() - drill.started
        people.stop()
        answering.join()
        people.app.close()


def _second_opening(drill: Drill) -> App:
    """Open the store once more: the people are not the runner, and see only what is on disk."""
    return open_app(config=drill.stage.config, environment=drill.stage.environment)


def _work_to_the_end(drill: Drill, tell: Told) -> None:
    """Let workers advance the run, as they would on hosts of their own."""
    crew = Crew(
        app=drill.app, run=drill.run, folder=drill.options.folder, environment=_surroundings(drill),
        faults=drill.faults, size=drill.options.workers, tell=tell, restart=drill.options.restart,
    )  # fmt: skip
    try:
        crew.work_to_the_end(drill.started + drill.options.seconds)
    finally:
        drill.crashes, drill.restarts = crew.struck, crew.restarts


def _surroundings(drill: Drill) -> Mapping[str, str]:
    return {**drill.stage.environment, **({"RESPONDER_DEBUG": "1"} if drill.options.debug else {})}


def _run_to_the_end(drill: Drill, tell: Told) -> None:
    pending = [fault for fault in drill.faults if fault.name == "crash"]
    deadline = drill.started + drill.options.seconds
    for _ in range(_MOST_RESTARTS):
        runner = _start_runner(drill, pending)
        code = _wait(runner, deadline)
        if code != -signal.SIGKILL:
            return
        pending = _take_crash(drill, pending)
        tell(f"The runner was killed ({drill.crashes[-1]}). Nothing is lost: the record is on disk.")
        if not drill.options.restart:
            tell(f"It is not restarted. Go on with: responder resume {drill.run}")
            return
        drill.restarts += 1
        tell("A new process takes the run over.")


def _start_runner(drill: Drill, pending: list[Fault]) -> subprocess.Popen[bytes]:
    kills = [f"{fault.where}:{fault.point}" for fault in pending[:1]]
    command = [sys.executable, "-m", "responder.drill.runner", str(drill.stage.state), drill.run, *kills]
    environment = _surroundings(drill)
    with (drill.stage.output / "run.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)  # noqa: S603 - our own command


def _wait(runner: subprocess.Popen[bytes], deadline: float) -> int:
    """Wait for the runner; end it when the drill takes too long or is interrupted."""
    try:
        while True:
            try:
                return runner.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if time.time() > deadline:
                    raise RequestError(
                        "The drill took too long and was given up",
                        where=f"pid {runner.pid}",
                        remedy="read output/run.log",
                    ) from None
    finally:
        if runner.stdin is not None:
            runner.stdin.close()
        if runner.poll() is None:
            os.kill(runner.pid, signal.SIGTERM)
            try:
                runner.wait(5)
            except subprocess.TimeoutExpired:
                runner.kill()
                runner.wait()


def _take_crash(drill: Drill, pending: list[Fault]) -> list[Fault]:
    """Note that the first crash of those that were asked for has happened."""
    if pending:
        drill.crashes.append(show_fault(pending[0]))
    return pending[1:]
