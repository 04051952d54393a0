"""The stage of a drill: folders, a clock, the world's process, and the configuration that real users would write."""

import base64
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from responder.clock import ScaledClock
from responder.drill.faults import check_places, check_steps, parse_faults
from responder.drill.scenes import scene_called, scene_name
from responder.drill.scenes.scene import Scene
from responder.drill.world import inventory_of
from responder.drill.world.values import Inventory
from responder.errors import RequestError
from responder.installation import folder_of, location, recorded
from responder.library import Library
from responder.source import write
from responder.store import Location

ORIGIN = datetime(2026, 11, 26, 13, 47, tzinfo=UTC)
"""The moment at which every drill begins; the Space was pushed seventeen minutes earlier."""


@dataclass(frozen=True)
class Stage:
    """Where a drill takes place."""

    folder: Path
    clock: ScaledClock
    inventory: Inventory
    urls: Mapping[str, Any]
    world: subprocess.Popen[str]
    environment: Mapping[str, str] = field(repr=False)
    """What the runner gets: secrets by their variables, the clock, and nothing of the user's own."""
    seed: int
    leaked: str = field(repr=False)
    """The leaked value, in memory only."""
    store: Location
    """Where the record is."""
    scene: Scene

    @property
    def state(self) -> Path:
        """Our own folder: configuration, store, key."""
        return self.folder / "state"

    @property
    def output(self) -> Path:
        """Where documents, pages and everything printed go."""
        return self.folder / "output"

    @property
    def config(self) -> Path:
        """The responder.yaml of the drill."""
        return self.state / "responder.yaml"

    def close(self) -> None:
        """End the world."""
        if self.world.stdin is not None:
            self.world.stdin.close()
        try:
            self.world.wait(10)
        except subprocess.TimeoutExpired:
            self.world.kill()
            self.world.wait()
        if self.world.stdout is not None:
            self.world.stdout.close()


def set_stage(
    folder: Path,
    *,
    seed: int,
    speed: float,
    faults: tuple[str, ...],
    holders: int,
    live: bool,
    store: str | None = None,
    playbook: str = "",
    wanted: str = "",
) -> Stage:
    """Start the world of a playbook's scene, or of another that is wanted, and write what its users would have written.

    RequestError where there is no such scene or the world does not start, InputError for a fault that cannot strike
    there.
    """
    scene = scene_of(playbook, faults, wanted)
    record = location(str(Path(store).absolute()) if store and "://" not in store else store, {})
    if record.path is None and recorded(record):
        raise RequestError("The database holds a record already", where=str(record), remedy="name an empty one")
    _clear(folder)
    for name in ("world", "state", "output"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    clock = ScaledClock.create(folder / "clock.json", ORIGIN, speed)
    inventory = inventory_of(seed, holders)
    values = scene.values(seed, holders)
    world = _start_world(folder, scene_name(playbook, wanted), seed, faults, holders)
    urls = _ready(world)
    secrets = {name: values[label] for name, label in scene.secrets.items()}
    stage = Stage(
        folder,
        clock,
        inventory,
        urls,
        world,
        {**_environment(folder, record), **secrets},
        seed,
        values[scene.leaked],
        record if store else Location((folder / "state" / "responder.db").absolute()),
        scene,
    )
    stage.config.write_text(_configuration(stage, live=live), encoding="utf-8")
    if scene.holders:
        _write_holders(stage)
    _write_key(stage)
    return stage


def scene_of(playbook: str, faults: tuple[str, ...], wanted: str = "") -> Scene:
    """Return a playbook's scene, or another one that is wanted.

    PlaybookError where there is no such playbook, RequestError where there is no such scene, InputError for a fault
    whose place is no system of it, or no step of a run in it.
    """
    library = Library(None)
    played = library.load(playbook) if playbook else None
    scene, asked = scene_called(scene_name(playbook, wanted)), parse_faults(faults)
    scene.check_installed()
    check_places(asked, scene.places)
    if played is not None and asked:
        runs = (played, *map(library.load, scene.opens(played)))
        check_steps(asked, list(dict.fromkeys(step for one in runs for step in one.by_id)))
    return scene


def _environment(folder: Path, record: Location) -> dict[str, str]:
    """Return what the runner gets besides its secrets: nothing of the user's own but the way to a database."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder / "state"),
        **({"RESPONDER_STORE": record.url} if record.path is None else {}),
        **{name: value for name, value in os.environ.items() if name.startswith("PG")},
    }


def _write_key(stage: Stage) -> None:
    """Write a sealing key that depends on the seed, so that fingerprints and ids are the same ones each time."""
    path = folder_of(stage.store, stage.environment) / "sealing.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(base64.b64encode(hashlib.sha256(f"drill:{stage.seed}".encode()).digest()) + b"\n")


def _clear(folder: Path) -> None:
    """Remove an earlier drill from its folder. RequestError where the folder holds anything else."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / "clock.json").is_file():
        raise RequestError(
            "The folder is not empty, and was not left by a drill", where=str(folder), remedy="name another: --keep DIR"
        )
    for name in ("world", "state", "output"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "clock.json").unlink()


def _start_world(folder: Path, scene: str, seed: int, faults: tuple[str, ...], holders: int) -> subprocess.Popen[str]:
    world_faults = [fault for fault in faults if not fault.startswith(("crash", "stop"))]
    spec = {
        "dir": str(folder / "world"),
        "clock": str(folder / "clock.json"),
        "scene": scene,
        "seed": seed,
        "faults": world_faults,
        "holders": holders,
    }
    command = [sys.executable, "-m", "responder.drill.world"]
    with (folder / "output" / "world.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603 - our own command
    if process.stdin is not None:
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()
    return process


def _ready(world: subprocess.Popen[str]) -> Mapping[str, Any]:
    line = world.stdout.readline() if world.stdout is not None else ""
    if not line:
        world.wait(10)
        raise RequestError("The drill's world did not start", remedy="read output/world.log in the drill's folder")
    urls: Mapping[str, Any] = json.loads(line)
    return urls


def _write_holders(stage: Stage) -> None:
    """Write the programme's list of holders; the last of them is also one of our own people."""
    with (stage.state / "holders.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "name", "email", "person"])
        for number, holder in enumerate(stage.inventory.holders):
            rows.writerow([holder.id, holder.name, holder.email, "leo" if number == 0 else ""])


def _configuration(stage: Stage, *, live: bool) -> str:
    text = write(stage.scene.settings(stage, live=live))
    return "# Written by the drill: what a team would have written about its own systems.\n" + text
