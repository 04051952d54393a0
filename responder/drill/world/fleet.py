"""Many programs, each with a credential from a store of its own; the world looks whether theirs works, all the time."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from responder.drill.world.ledger import Effect, Line
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_READ_AFTER = timedelta(seconds=2)
"""After how long a program has read what was put into its store."""
_LOOK_REAL_SECONDS = 0.05
"""How often the world looks at every program."""


class Stored(NamedTuple):
    """What a store holds for a program."""

    value: str
    at: datetime


class Judgement(NamedTuple):
    """What the issuer says of a credential."""

    accepted: bool
    key_id: str


@dataclass(frozen=True)
class Program:
    """One program: how it is called, and how it reads its store."""

    id: str
    read: Callable[[], Stored | None]
    stuck: bool = False
    """Whether it keeps what it has until somebody restarts it."""


class Fleet(System):
    """All programs behind one address: `/health/ID` tells whether a program's credential is accepted."""

    name = "site"

    def __init__(self, ground: Ground, programs: Iterable[Program], judge: Callable[[str], Judgement]) -> None:
        super().__init__(ground)
        self._programs = {one.id: one for one in programs}
        self._judge = judge
        self._values: dict[str, str] = {}
        self._restarted: set[str] = set()
        self._out: set[str] = set()
        self.looks = 0
        """How often the world has looked at the whole fleet."""
        for program in self._programs.values():
            self._load(program, force=True)

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked of a program."""
        return (route("GET", "/health/{id}", self.health), route("POST", "/restart/{id}", self.restart))

    def health(self, _: Request, parts: dict[str, str]) -> Answer:
        """Tell whether the program's present credential is accepted."""
        program = self._program(parts)
        self._load(program)
        judgement = self._judge(self._values.get(program.id, ""))
        return Answer(body={"ok": judgement.accepted, "key_id": judgement.key_id})

    def restart(self, _: Request, parts: dict[str, str]) -> Answer:
        """Let a program read its store anew; from then on it does so by itself."""
        program = self._program(parts)
        self._restarted.add(program.id)
        self._load(program, force=True)
        return Answer(202, {"id": program.id}, (Effect("service_restarted", program.id, program.id),))

    def look(self) -> list[str]:
        """Look at every program now; return those whose credential is refused, and note who began to be so."""
        with self.lock:
            out = {one.id for one in self._programs.values() if not self._works(one)}
            self.looks += 1
            for name in sorted(out - self._out):
                self._note("outage", name)
            for name in sorted(self._out - out):
                self._note("outage_over", name)
            self._out = out
        return sorted(out)

    def _works(self, program: Program) -> bool:
        self._load(program)
        return self._judge(self._values.get(program.id, "")).accepted

    def _load(self, program: Program, *, force: bool = False) -> None:
        stored = program.read()
        if stored is None or (program.stuck and program.id not in self._restarted and not force):
            return
        if force or self.ground.clock.now() - stored.at >= _READ_AFTER:
            self._values[program.id] = stored.value

    def _program(self, parts: dict[str, str]) -> Program:
        if parts["id"] not in self._programs:
            raise Rejected(404, "service_unknown")
        return self._programs[parts["id"]]

    def _note(self, kind: str, name: str) -> None:
        self.ground.ledger.write(Line(self.name, actor="world", outcome="seen"), Effect(kind, name, name))


class Watch(threading.Thread):
    """Looks at a fleet every fifty milliseconds, until stopped."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(name="watch", daemon=True)
        self._fleet = fleet
        self._leaving = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._leaving.wait(_LOOK_REAL_SECONDS):
            self._fleet.look()

    def stop(self) -> None:
        """Go home."""
        self._leaving.set()
        if self.is_alive():
            self.join(2.0)
