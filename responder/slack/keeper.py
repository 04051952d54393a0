"""Keeps every open incident's channel: opens it where the playbook does not, and brings it up to date."""

import logging
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta

from responder.app import App
from responder.calling import call, called
from responder.errors import ResponderError
from responder.room import awaited, channel_of, room, tried
from responder.settings import Connection
from responder.slack.board import Board
from responder.slack.sight import Sight
from responder.slack.speaker import Later, Patience, Refused, Speaker

_LATELY = timedelta(days=3)
_LOOK_SECONDS = 0.3
_REFUSED_SECONDS = 5.0
CALL_SECONDS = 60.0
"""After how long people are asked by mail what Slack does not take."""
_ANYWAY_SECONDS = 15.0
"""How often a channel is brought up to date although nothing was written: clocks move by themselves."""
_log = logging.getLogger(__name__)


class Keeper:
    """One thread that looks after all channels; what people wait for goes before what is only told."""

    def __init__(self, app: App, speaker: Speaker, connection: Connection, call_after: float = CALL_SECONDS) -> None:
        self._app = app
        self._call_after = call_after
        self._since: float | None = None
        self._speaker = speaker
        self._connection = connection
        self._boards: dict[str, tuple[Sight, Board]] = {}
        self._done: dict[str, float] = {}
        self._behind: set[str] = set()
        self._first = True
        self._lately: set[str] = set()
        self.patience = Patience()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self.trouble = ""
        """Why Slack does not take what is said; empty where it does."""

    @property
    def silent(self) -> list[str]:
        """Where nothing is said, and why: the channel, or who is in it, may be on the other side."""
        return sorted(f"{incident}: {board.silent}" for incident, (_, board) in self._boards.items() if board.silent)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after what is being said, and say what is left: while nobody listens, no button may seem to be asked."""
        self._stop.set()
        if self._thread.ident is not None:  # it was begun
            self._thread.join()
        for incident, (sight, board) in self._boards.items():
            if self.patience.left:
                return  # Slack is away: whoever listens next says it
            try:
                sight.look()
                self._update(board, last=True)
            except ResponderError as error:
                _log.warning("%s is not brought up to date: %s", incident, error)

    def _keep(self) -> None:
        while not self._stop.wait(max(_LOOK_SECONDS, min(self.patience.left, 5.0))):
            try:
                self.look()
            except ResponderError as error:  # the record cannot be read now; those who advance runs say so
                _log.warning("%s", error)
            except Exception:  # noqa: BLE001 - the other channels must not suffer
                _log.exception("a defect while a channel was brought up to date")

    def look(self) -> None:
        """Look at every incident once, and bring what changed up to date."""
        for incident in self._open():
            sight, board = self._board(incident)
            fresh = sight.look()
            due = time.monotonic() - self._done.get(incident, float("-inf")) > _ANYWAY_SECONDS
            if not (fresh or due or incident in self._behind):
                continue
            self._see_to_a_room(sight)
            self._behind.add(incident)
            if not self.patience.left and self._update(board) and not fresh:
                self._done[incident] = time.monotonic()
                self._behind.discard(incident)
            self._call(sight, board)

    def _update(self, board: Board, *, last: bool = False) -> bool:
        """Bring a channel up to date; tell whether everything was said, and Slack took it."""
        try:
            said = board.update(last=last)
        except Later as later:
            self.patience.wait_for(later)
            self.trouble = str(later)
        except Refused as refused:
            self.patience.wait_for(Later(str(refused), _REFUSED_SECONDS))
            self.trouble = str(refused)
        else:
            self.trouble, self._since = "", None
            return said
        self._since = time.monotonic() if self._since is None else self._since
        return False

    def _call(self, sight: Sight, board: Board) -> None:
        """Ask by mail what cannot be asked in the channel: there is none, or Slack is away, or must not hear it."""
        main = sight.main
        why = board.silent
        if self._since is not None and time.monotonic() - self._since >= self._call_after:
            why = f"Slack does not take messages: {self.trouble}"
        if not why and not board.channel and tried(sight.states) and not awaited(sight.states):
            why = "no channel could be opened"
        if main is None or not why:
            return
        for ask in [one for seen in sight.views() for one in seen.awaiting]:
            if not called(sight.states, ask):
                start = call(self._app.means, main, ask, why)
                if start is not None:
                    self._app.dispatcher.timeline(sight.incident).append(*start.drafts, also=start.store)

    def _open(self) -> list[str]:
        """Return the incidents that are open, and those that were lately: what ended while nobody kept is told, too."""
        rows = self._app.runs()
        if self._first:
            self._first = False
            self._lately = {row.incident for row in rows if self._is_recent(row.incident)}
        wanted = {row.incident for row in rows if row.state != "ended"} | self._lately | self._boards.keys()
        return [*dict.fromkeys(row.incident for row in rows if row.incident in wanted)]

    def _is_recent(self, incident: str) -> bool:
        """Tell whether something was written about an incident in the last days."""
        store = self._app.means.store
        head = store.head(incident)
        last = store.rows(incident, head.seq - 1) if head is not None else []
        return bool(last) and self._app.means.clock.now() - datetime.fromisoformat(last[-1].at) < _LATELY

    def _board(self, incident: str) -> tuple[Sight, Board]:
        if incident not in self._boards:
            sight = Sight(self._app, incident)
            self._boards[incident] = (
                sight,
                Board(self._speaker, self._app.means.settings, self._connection, sight, self._is_leaked),
            )
        return self._boards[incident]

    def _is_leaked(self) -> bool:
        """Tell whether a finding, of any incident, names the token that we speak with."""
        means = self._app.means
        secret = means.secret(self._connection.secret) if self._connection.secret else None
        return secret is not None and secret.fingerprint in means.leaks.named(means.store)

    def _see_to_a_room(self, sight: Sight) -> None:
        """Open a channel in a run of its own, once, where no run of the incident does."""
        main = sight.main
        if main is None or main.state == "ended" or channel_of(sight.states) or awaited(sight.states):
            return
        if tried(sight.states):
            return
        start = room(self._app.means, main, self._connection.name, str(main.started.get("requester", "")))
        with suppress(ResponderError):
            self._app.dispatcher.timeline(sight.incident).append(*start.drafts, also=start.store)
