"""Following a run: what was written since the last look, shown as a live view or as plain lines."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from responder.app import App
from responder.cli.call import Call
from responder.cli.lines import Lines
from responder.state import RunState
from responder.timeline import Entry
from responder.view import RunView, view

if TYPE_CHECKING:
    pass

_LOOK_SECONDS = 0.1
_KEPT = 50


@dataclass
class Follower:
    """One run as the record tells it, kept up to date; entries of other processes included."""

    app: App
    run: str
    program: str = "responder"
    state: RunState = field(init=False)
    _position: int = 0

    def __post_init__(self) -> None:
        self.row = self.app.row(self.run)
        self.run = self.row.run
        self.state = RunState(self.run)

    def news(self) -> Sequence[Entry]:
        """Return what was written since the last look, and take it into account."""
        timeline = self.app.dispatcher.timeline(self.row.incident)
        if timeline.count() == self._position:
            return ()
        fresh = timeline.entries()[self._position :]
        for entry in fresh:
            self.state.apply(entry)
        self._position += len(fresh)
        return fresh

    def view(self) -> RunView:
        """Return the run as it is now."""
        row = self.app.dispatcher.row(self.run)
        alive = self.app.dispatcher.alive(row)
        return view(self.state, self.app.clock_line(), alive=alive, program=self.program)

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.state.state == "ended"


class Display(Protocol):
    """Shows a run while it goes on."""

    def show(self, fresh: Sequence[Entry], follower: Follower) -> None:
        """Take new entries in, and show how the run stands now."""

    def close(self) -> None:
        """Leave the terminal as it should be."""


class PlainDisplay:
    """One line for each noteworthy entry; nothing is ever drawn again."""

    def __init__(self, call: Call, run: str) -> None:
        self._call = call
        self._lines = Lines(run)
        self._asked: set[tuple[str, str]] = set()

    def show(self, fresh: Sequence[Entry], follower: Follower) -> None:
        """Print the new lines, and below a new question how it is answered."""
        for line in self._lines.of(fresh, follower.state):
            self._call.say(line)
        if not fresh:
            return
        for ask in follower.view().awaiting:
            if (ask.step, ask.asked_at.isoformat()) not in self._asked:
                self._asked.add((ask.step, ask.asked_at.isoformat()))
                for command in ask.commands:
                    self._call.say(f"    $ {command}")

    def close(self) -> None:
        """Nothing to leave."""


class LiveDisplay:
    """The live view: the whole run, drawn again several times a second."""

    def __init__(self, call: Call, run: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._scrub = call.scrub
        self._lines = Lines(run)
        self._last: list[str] = []
        self._console = Console(stderr=True, highlight=False)
        self._live: Live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def show(self, fresh: Sequence[Entry], follower: Follower) -> None:
        """Draw the run as it is now."""
        from rich.text import Text

        from responder.cli.screen import screen

        self._last = [*self._last, *self._lines.of(fresh, follower.state)][-_KEPT:]
        size = self._console.size
        lines = screen(
            follower.view(),
            [self._scrub(line) for line in self._last],
            width=size.width - 1,
            height=size.height - 1,
        )
        self._live.update(Text("\n").join(lines), refresh=True)

    def close(self) -> None:
        """Let the last picture stand."""
        self._live.stop()


def display(call: Call, run: str) -> Display:
    """Return the live view where somebody looks at a terminal, else plain lines."""
    if is_live(call):
        return LiveDisplay(call, run)
    return PlainDisplay(call, run)


def is_live(call: Call) -> bool:
    """Tell whether a picture may be drawn again and again."""
    plain = call.json or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout.isatty() and sys.stderr.isatty()


def follow(follower: Follower, shown: Display, until: Callable[[], bool]) -> None:
    """Show a run until `until` says that it is enough; the last look comes after that."""
    while not until():
        shown.show(follower.news(), follower)
        time.sleep(_LOOK_SECONDS)
    shown.show(follower.news(), follower)
