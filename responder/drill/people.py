"""The people of a drill: they answer what the run asks, each after a while, as their roles would."""

import json
import random
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from responder.app import App
from responder.approval import may_answer
from responder.clock import Clock
from responder.drill.scenes import FOUNDING, scene_called
from responder.drill.scenes.scene import Scene
from responder.errors import RequestError, ResponderError
from responder.state import RunState
from responder.unit import Ask

_LOOK_SECONDS = 0.1
_HASTE = {
    "approval": (15.0, 45.0), "decide": (20.0, 60.0), "task": (20.0, 60.0), "unknown": (10.0, 30.0),
    "gate": (20.0, 60.0),
}  # fmt: skip
"""How long a person takes for each kind of question, at least and at most, in seconds of the drill's clock."""


@dataclass
class People:
    """Answers for everybody who may; `me` is left to whoever sits at the terminal."""

    app: App
    clock: Clock
    control: str
    """The address of the world's side door, through which they look and act as people do."""
    seed: int
    me: str = ""
    scene: Scene = field(default_factory=lambda: scene_called(FOUNDING))
    _due: dict[tuple[str, str, str, str], datetime] = field(default_factory=dict)
    _done: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """What was done in the world already; a person remembers that."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def live(self) -> None:
        """Look again and again for questions, until stopped; runs in a thread of its own."""
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self.look_once()
            except ResponderError:
                continue  # the runner was faster, or is just being restarted; look again

    def stop(self) -> None:
        """Let everybody go home."""
        self._stop.set()

    def look_once(self) -> None:
        """Answer every question whose time has come."""
        for row in self.app.runs():
            if row.state == "ended":
                continue
            state = self.app.state(row.run)
            for ask in state.asks():
                self._consider(state, ask)

    def _consider(self, state: RunState, ask: Ask) -> None:
        person = next((name for name in may_answer(state, ask) if name not in ask.agreed), "")
        if not person or person == self.me or (self.me and self.me in may_answer(state, ask)):
            return
        mark = (state.run, ask.unit, ask.kind, ask.at.isoformat())
        least, most = _HASTE[ask.kind]
        seconds = random.Random(f"{self.seed}:{ask.unit}:{ask.kind}").uniform(least, most)
        due = self._due.setdefault(mark, ask.at + timedelta(seconds=seconds))
        if self.clock.now() >= due:
            self.app.person = person
            self._answer(state, ask)

    def _answer(self, state: RunState, ask: Ask) -> None:
        """Answer as the person for whom `app` speaks."""
        self.give(state, ask, self._reply(state, ask))

    def _reply(self, state: RunState, ask: Ask) -> str:
        """Return what is answered: an option, or what was done; empty where a change is agreed to."""
        if ask.kind == "approval":
            return ""
        if ask.kind == "decide":
            self._act(state, ask)
            return self.scene.choice(state, ask)
        if ask.kind == "gate":
            return "continue"
        if ask.kind == "task":
            return self._task(state, ask)
        return "happened" if self._did_it_happen(state, ask) else "not-happened"

    def give(self, state: RunState, ask: Ask, reply: str) -> None:
        """Give an answer as whoever sits at a terminal does."""
        if ask.kind == "approval":
            self.app.approve(state.run, ask.unit, ask.digest)
        elif ask.kind == "task":
            self.app.done(state.run, ask.unit, reply)
        else:
            self.app.decide(state.run, ask.unit, reply)

    def _task(self, state: RunState, ask: Ask) -> str:
        """Do what a task asks, in the world, and say what was done."""
        return "done as asked, and seen" if self._act(state, ask) else self.scene.report(state, ask)

    def _act(self, state: RunState, ask: Ask) -> bool:
        """Do in the world, once, what an answer is to say; tell whether there is anything to be done."""
        done = self.scene.act(state, ask, self.app.person)
        if done is not None and done not in self._done:
            self._done.append(done)
            self._post_world(*done)
        return done is not None

    def _did_it_happen(self, state: RunState, ask: Ask) -> bool:
        """Look where a person would: in the mail server's log."""
        to = str(state.unit(ask.unit).planned.get("to", "")).partition(", ")[0]  # one mail to several is one effect
        return bool(self._mails(f"to={quote(to)}&step={quote(ask.unit)}"))

    def _mails(self, query: str) -> list[Any]:
        with urllib.request.urlopen(f"{self.control}/mail?{query}", timeout=10) as answer:  # noqa: S310 - our own address
            found: list[Any] = json.load(answer)["mail"]
            return found

    def _post_world(self, path: str, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.control + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)


__all__ = ["People", "RequestError"]
