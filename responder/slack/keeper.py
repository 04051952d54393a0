"""Keeps every open incident's channel: opens it where the playbook does not, and brings it up to date."""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from responder.app import App
from responder.calling import call, called
from responder.errors import ResponderError
from responder.room import awaited, channel_of, room, tried
from responder.settings import Connection
from responder.slack.board import EVERY_SECONDS, Board
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


@dataclass
class _Kept:
    """The channel of one incident, and how it stands with it."""

    sight: Sight
    board: Board
    done: float = float("-inf")
    """When it was up to date."""
    is_behind: bool = False
    patience: Patience = field(default_factory=Patience)
    trouble: str = ""
    """Why Slack does not take what is said there."""
    since: float = 0.0

    def silent_for(self) -> float:
        """Return for how many seconds Slack has taken nothing that is said there, though something is to be said."""
        return time.monotonic() - max(self.since, self.board.spoke) if self.trouble else 0.0


class Keeper:
    """One thread that looks after all channels; what people wait for goes before what is only told."""

    def __init__(self, app: App, speaker: Speaker, connection: Connection, call_after: float = CALL_SECONDS) -> None:
        self._app = app
        self._call_after = call_after
        self._speaker = speaker
        self._connection = connection
        self._kept: dict[str, _Kept] = {}
        self._first = True
        self._lately: set[str] = set()
        self.patience = Patience()
        """With Slack as a whole; each channel has its own beside it, so that none waits for another's trouble."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    @property
    def trouble(self) -> str:
        """Why Slack does not take what is said; empty where it does."""
        return next((kept.trouble for kept in list(self._kept.values()) if kept.trouble), "")

    @property
    def silent(self) -> list[str]:
        """Where nothing is said, and why: the channel, or who is in it, may be on the other side."""
        held = list(self._kept.items())
        return sorted(f"{incident}: {kept.board.silent}" for incident, kept in held if kept.board.silent)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after what is being said, and say what is left: while nobody listens, no button may seem to be asked."""
        self._stop.set()
        if self._thread.ident is not None:  # it was begun
            self._thread.join()
        for incident, kept in self._kept.items():
            if self.patience.left:
                return  # Slack is away: whoever listens next says it
            try:
                kept.sight.look()
                self._update(kept, last=True)
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
            kept = self._keeping(incident)
            fresh = kept.sight.look()
            if not (fresh or kept.is_behind or time.monotonic() - kept.done > _ANYWAY_SECONDS):
                continue
            self._see_to_a_room(kept.sight)
            kept.is_behind = True
            waits = self.patience.left or kept.patience.left
            if not waits and self._update(kept) and not fresh:
                kept.done, kept.is_behind = time.monotonic(), False
            self._call(kept)

    def _update(self, kept: _Kept, *, last: bool = False) -> bool:
        """Bring a channel up to date; tell whether everything was said, and Slack took it."""
        busy = max(1, sum(one.is_behind and not one.patience.left for one in self._kept.values()))
        try:
            said = kept.board.update(EVERY_SECONDS * busy, last=last)
        except Later as later:
            if not later.limited:  # else the others, and what has another limit, may go on
                self.patience.wait_for(later)
            trouble = str(later)
        except Refused as refused:
            kept.patience.wait_for(Later(str(refused), _REFUSED_SECONDS))
            trouble = str(refused)
        else:
            kept.trouble = ""
            return said
        kept.since = kept.since if kept.trouble else time.monotonic()
        kept.trouble = trouble
        return False

    def _call(self, kept: _Kept) -> None:
        """Ask by mail what cannot be asked in the channel: there is none, or Slack is away, or must not hear it."""
        sight, board = kept.sight, kept.board
        main = sight.main
        why = board.silent
        if kept.trouble and kept.silent_for() >= self._call_after:
            why = f"Slack does not take messages: {kept.trouble}"
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
        wanted = {row.incident for row in rows if row.state != "ended"} | self._lately | self._kept.keys()
        return [*dict.fromkeys(row.incident for row in rows if row.incident in wanted)]

    def _is_recent(self, incident: str) -> bool:
        """Tell whether something was written about an incident in the last days."""
        store = self._app.means.store
        head = store.head(incident)
        last = store.rows(incident, head.seq - 1) if head is not None else []
        return bool(last) and self._app.means.clock.now() - datetime.fromisoformat(last[-1].at) < _LATELY

    def _keeping(self, incident: str) -> _Kept:
        if incident not in self._kept:
            sight = Sight(self._app, incident)
            board = Board(self._speaker, self._app.means.settings, self._connection, sight, self._is_leaked)
            self._kept[incident] = _Kept(sight, board)
        return self._kept[incident]

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
