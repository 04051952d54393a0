"""An incident as it is followed: each of its runs, kept folded, so that a look costs what is new alone."""

from responder.app import App
from responder.entry import Entry
from responder.fold import apply
from responder.state import NOTICE, RunState
from responder.view import RunView, view


class Sight:
    """The runs of one incident, up to the newest entry."""

    def __init__(self, app: App, incident: str) -> None:
        self.incident = incident
        self._app = app
        self._states: dict[str, RunState] = {}
        self._position = 0
        self.entries: list[Entry] = []

    def look(self) -> bool:
        """Take new entries into account; tell whether there were any."""
        self.entries = self._app.timeline(self.incident)
        fresh = self.entries[self._position :]
        for entry in fresh:
            if entry.run and entry.run not in self._states:
                self._states[entry.run] = RunState(entry.run)
                for earlier in self.entries[: entry.seq - 1]:
                    apply(self._states[entry.run], earlier)
            for state in self._states.values():
                apply(state, entry)
        self._position = len(self.entries)
        return bool(fresh)

    @property
    def states(self) -> list[RunState]:
        """Every run, the oldest first."""
        return [state for state in self._states.values() if state.started]

    @property
    def main(self) -> RunState | None:
        """The response itself: the first run that is one."""
        return next((state for state in self.states if state.purpose != NOTICE), None)

    def views(self) -> list[RunView]:
        """Return every run as people look at it, the response first; each with its own questions alone."""
        now = self._app.means.clock.now()
        main = self.main
        if main is None:
            return []
        others = [state for state in self.states if state is not main]
        return [view(state, now, alive=True) for state in (main, *others)]
