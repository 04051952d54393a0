"""A drill: the real playbook, runner and providers against the loopback world, killed and misled as asked; scored."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from responder.app import App, open_app
from responder.clock import SeededIds
from responder.drill.chat import Chat, check_installed
from responder.drill.crew import Crew
from responder.drill.faults import Fault, parse_faults
from responder.drill.lives import Lives
from responder.drill.people import People
from responder.drill.stage import ORIGIN, Stage, set_stage
from responder.errors import RequestError
from responder.finding import Finding
from responder.plan import Plan

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
    slack: str = ""
    """How Slack reaches the listener where people begin and answer there, `socket` or `http`; else empty."""
    scene: str = ""
    """Another scene of the playbook than its usual one."""
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
    chat: Chat | None = None
    """What happens at Slack, where the drill takes place there."""


def begin(options: Options, tell: Told = lambda _: None) -> Drill:
    """Set the stage, and begin a run as the world's on-call engineer would. InputError for a wrong fault."""
    faults = parse_faults(options.faults)
    if options.slack:
        _check_slack(options)
    if options.workers and "://" not in (options.store or ""):
        raise RequestError(
            "Workers need a record that many hosts share",
            where=f"--workers {options.workers}",
            remedy="--store postgresql://HOST/DATABASE",
        )
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
        playbook=options.playbook,
        wanted=options.scene,
    )
    try:
        app = open_app(config=stage.config, environment=stage.environment, ids=SeededIds(options.seed))
        app.person = "ruth"
        drill = Drill(options, stage, app, "", "", faults, time.time())
        if options.slack:
            _begin_at_slack(drill, tell)
        if not drill.run:
            _begin(drill)
    except BaseException:
        stage.close()
        raise
    return drill


def _begin(drill: Drill) -> None:
    stage, app, playbook = drill.stage, drill.app, drill.options.playbook
    begun = app.begin(app.library.load(playbook), finding(stage, app), inputs(stage, app, playbook))
    drill.run, drill.incident, drill.started = begun.run, begun.incident, time.time()


def _check_slack(options: Options) -> None:
    """Raise RequestError where a drill cannot take place at Slack as it is asked for."""
    check_installed()
    if options.live or options.workers:
        raise RequestError(
            "At Slack the world's people answer all that is asked, and the listener advances the run",
            where="--slack",
            remedy="leave --live and --workers out",
        )


def _begin_at_slack(drill: Drill, tell: Told) -> None:
    """Let the on-call engineer begin at Slack; where it is away, they are told so and go to a terminal."""
    stage, app, playbook = drill.stage, drill.app, drill.options.playbook
    chat = drill.chat = Chat(drill, second_opening(drill), surroundings(drill), tell)
    try:
        drill.run = chat.begin("ruth", finding(stage, app), stage.leaked, dict(inputs(stage, app, playbook)))
    except BaseException:
        chat.close()
        raise
    if drill.run:
        drill.incident, drill.started = app.row(drill.run).incident, time.time()
    else:
        tell("Slack: it did not let ruth begin; ruth begins at a terminal")


def plan(options: Options) -> Plan:
    """Return what a run would do in a fresh world; nothing is changed there, and the world ends with it."""
    stage = set_stage(
        options.folder,
        seed=options.seed,
        speed=options.speed,
        faults=options.faults,
        holders=options.holders,
        live=False,
        playbook=options.playbook,
        wanted=options.scene,
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
    """Return what the on-call engineer was told: the value, and where it stands."""
    exposed_at = datetime.fromisoformat(stage.urls["exposed_at"])
    return Finding(
        value=app.means.sealer.secret(stage.leaked),
        key_id=stage.scene.key_id(stage),
        exposure=stage.scene.exposure(stage).model_copy(update={"exposed_at": exposed_at}),
        reported_by="a researcher, by mail",
        reported_at=ORIGIN - timedelta(minutes=2),
        aware_at=stage.clock.now(),
        public_coverage_at=ORIGIN - timedelta(minutes=5),
        summary=stage.scene.title,
    )


def inputs(stage: Stage, app: App, playbook: str) -> Mapping[str, Any]:
    """Return the inputs that a playbook asks for, as far as the world knows them."""
    asked = app.library.load(playbook).inputs
    return {name: value for name, value in stage.scene.inputs(stage).items() if name in asked}


def carry_out(drill: Drill, tell: Told) -> None:
    """Drive the run in a process of its own, restart it when it was killed, and let the people answer."""
    if drill.chat is not None:
        try:
            drill.chat.carry_out()
        finally:
            drill.chat.close()
        return
    people = People(
        app=second_opening(drill),
        clock=drill.stage.clock,
        control=drill.stage.urls["control"],
        seed=drill.options.seed,
        me="ines" if drill.options.live else "",
        scene=drill.stage.scene,
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


def second_opening(drill: Drill) -> App:
    """Open the store once more: the people are not the runner, and see only what is on disk."""
    return open_app(config=drill.stage.config, environment=drill.stage.environment)


def _work_to_the_end(drill: Drill, tell: Told) -> None:
    """Let workers advance the run, as they would on hosts of their own."""
    crew = Crew(
        app=drill.app, run=drill.run, folder=drill.options.folder, environment=surroundings(drill),
        faults=drill.faults, size=drill.options.workers, tell=tell, restart=drill.options.restart,
    )  # fmt: skip
    try:
        crew.work_to_the_end(drill.started + drill.options.seconds)
    finally:
        drill.crashes, drill.restarts = crew.struck, crew.restarts


def surroundings(drill: Drill) -> Mapping[str, str]:
    """Return the environment of the processes that advance the run."""
    return {**drill.stage.environment, **({"RESPONDER_DEBUG": "1"} if drill.options.debug else {})}


def _run_to_the_end(drill: Drill, tell: Told) -> None:
    words = (str(drill.stage.state), drill.run)
    lives = Lives(
        "runner", lambda _: words, surroundings(drill), drill.stage.output / "run.log", drill.faults, tell,
        restart=drill.options.restart,
    )  # fmt: skip
    try:
        lives.live(lambda: drill.started + drill.options.seconds)
    finally:
        drill.crashes, drill.restarts = lives.struck, lives.restarts
