"""Following a run: what was written since the last look, shown as a live view or as plain lines."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from responder.app import App
from responder.cli.answer import opened_by
from responder.cli.call import Call
from responder.entry import Entry
from responder.fold import apply, begun, fold
from responder.lines import Lines
from responder.state import RunState
from responder.view import RunView, view

_LOOK_SECONDS = 0.1
_DRAW_SECONDS = 0.5
"""How often the picture is drawn again while nothing is written: clocks run."""
_ECHO = 3
"""Columns that stay free, so that an echoed `^C` does not begin a new line and shift the picture."""
_KEPT = 50
_LOOK_FOR_WORK_SECONDS = 1.0
"""How often somebody who looks on is told whether anybody works on the run, at the most."""


class Follower:
    """One run as the record tells it, kept up to date; entries of other processes included."""

    def __init__(self, app: App, run: str, program: str) -> None:
        self.app = app
        self.program = program
        self.row = app.row(run)
        self.run = self.row.run
        self.state = RunState(self.run)
        self._position = 0
        self._offspring: dict[str, RunState] = {}

    def news(self) -> Sequence[Entry]:
        """Return what was written since the last look, and take it into account."""
        timeline = self.app.dispatcher.timeline(self.row.incident)
        if timeline.count() == self._position:
            return ()
        entries = timeline.entries()
        fresh = entries[self._position :]
        self._position += len(fresh)
        for state in (self.state, *self._offspring.values()):
            for entry in fresh:
                apply(state, entry)
        self._find_offspring(entries[: self._position])
        return fresh

    def _find_offspring(self, entries: Sequence[Entry]) -> None:
        """Begin to follow the runs that were opened since, and those that these opened."""
        states = [self.state, *self._offspring.values()]
        for state in states:
            for run in state.children.keys() - self._offspring.keys():
                self._offspring[run] = fold(run, entries)
                states.append(self._offspring[run])

    def view(self, *, alone: bool = False) -> RunView:
        """Return the run as it is now; unless `alone`, with the questions of the runs that it opened."""
        row = self.app.dispatcher.row(self.run)
        return view(
            begun(self.state, row.incident),
            self.app.clock_line(),
            alive=self.app.attendance.attended(row),
            executor=self.app.attendance.executor(row),
            program=self.program,
            offspring=() if alone else list(self._offspring.values()),
        )

    def left(self) -> str:
        """Return the run to resume where nobody works on this one, though it is open; else nothing."""
        row = self.app.row(self.run)
        open_ = self.state.state in {"open", "aborting"} and row.state != "ended"
        return "" if not open_ or self.app.attendance.attended(row) else opened_by(self.app, self.run) or self.run

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.state.state == "ended"

    @property
    def still(self) -> bool:
        """Whether the run goes no further, be it that somebody answers or that time passes."""
        return self.state.state in {"ended", "halted"} or self.app.attendance.still(self.run)


class Display(Protocol):
    """Shows a run while it goes on."""

    def show(self, fresh: Sequence[Entry], follower: Follower) -> None:
        """Take new entries in, and show how the run stands now."""

    def close(self) -> None:
        """Leave the terminal as it should be."""


class PlainDisplay:
    """One line for each noteworthy entry; nothing is ever drawn again."""

    def __init__(self, call: Call, run: str, *, commands: bool = True) -> None:
        self._call = call
        self._commands = commands
        self._lines = Lines(run)
        self._asked: set[tuple[str, str, datetime]] = set()

    def show(self, fresh: Sequence[Entry], follower: Follower) -> None:
        """Print the new lines, and below a new question how it is answered."""
        for line in self._lines.of(fresh, follower.state):
            self._call.say(line)
        if not fresh or not self._commands:
            return
        for ask in follower.view().awaiting:
            if (ask.run, ask.step, ask.asked_at) not in self._asked:
                self._asked.add((ask.run, ask.step, ask.asked_at))
                for command in ask.commands:
                    self._call.say(f"    $ {command}")

    def close(self) -> None:
        """Nothing to leave."""


class Onlooking(PlainDisplay):
    """Plain lines for somebody who only looks on, who is also told when nobody works on the run any more."""

    def __init__(self, call: Call, run: str) -> None:
        super().__init__(call, run)
        self._attended = True
        self._looked = time.monotonic()

    def show(self, fresh: Sequence[Entry], follower: Follower) -> None:
        """Print the new lines; and once, when the last who worked on an open run is gone, how it goes on."""
        super().show(fresh, follower)
        if time.monotonic() - self._looked < _LOOK_FOR_WORK_SECONDS:
            return
        self._looked = time.monotonic()
        left = follower.left()
        if left and self._attended:
            shared = follower.app.attendance.jobs is not None
            self._call.say("Nobody works on the run now." + (" A worker would go on with it; or do it here:" * shared))
            self._call.say(f"    $ {follower.program} resume {left}")
        self._attended = not left


class LiveDisplay:
    """The live view: the whole run, drawn again several times a second."""

    def __init__(self, call: Call, run: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where it is needed
        from rich.live import Live  # noqa: PLC0415 - only where it is needed

        self._scrub = call.scrub
        self._lines = Lines(run)
        self._last: list[str] = []
        self._drawn = 0.0
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
        if not fresh and time.monotonic() - self._drawn < _DRAW_SECONDS:
            return
        self._drawn = time.monotonic()
        from rich.text import Text  # noqa: PLC0415 - only where it is needed

        from responder.cli.screen import screen  # noqa: PLC0415 - only where it is needed

        self._last = [*self._last, *self._lines.of(fresh, follower.state)][-_KEPT:]
        size = self._console.size
        lines = screen(
            follower.view(),
            [self._scrub(line) for line in self._last],
            width=size.width - _ECHO,
            height=size.height - 1,
        )
        self._live.update(Text("\n").join(lines), refresh=True)

    def close(self) -> None:
        """Let the last picture stand."""
        self._live.stop()


def display(call: Call, run: str, *, onlooking: bool = False) -> Display:
    """Return the live view where somebody looks at a terminal, else plain lines. `onlooking`: others do the work."""
    if is_live(call):
        return LiveDisplay(call, run)
    return Onlooking(call, run) if onlooking else PlainDisplay(call, run)


def is_live(call: Call) -> bool:
    """Tell whether a picture may be drawn again and again."""
    plain = call.json or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout.isatty() and sys.stderr.isatty()


def follow(
    follower: Follower, shown: Display, until: Callable[[], bool], wait: Callable[[float], object] = time.sleep
) -> None:
    """Show a run until `until` says that it is enough; the last look comes after that.

    `wait` waits between two looks, for so many seconds at most: what ends sooner is shown sooner.
    """
    while not until():
        shown.show(follower.news(), follower)
        wait(_LOOK_SECONDS)
    shown.show(follower.news(), follower)
