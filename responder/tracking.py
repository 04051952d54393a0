"""A run's state, kept abreast of its record: of what is written, and of what is about to be."""

import time
from collections.abc import Sequence

from responder.chain import tampered
from responder.entry import Draft, Entry, Fence
from responder.errors import StaleExecutor
from responder.fold import apply, fold
from responder.state import RunState
from responder.ticket import Ticket
from responder.timeline import Timeline

POLL_SECONDS = 0.05
"""How soon entries of other processes are seen while something is being done (real seconds)."""


class Tracking:
    """Folds the entries of one run for one executor.

    What was only read need not be on disk before the run goes on: it is taken into account at once, and written with
    the next entry that must be, before it. A process that dies in between has sent nothing that hangs on it; whoever
    goes on reads again. `catch_up` is called by one thread, `leave` by any.
    """

    def __init__(self, timeline: Timeline, fence: Fence) -> None:
        self.state = RunState(fence.run)
        self.position = 0
        """How many entries of the chain have been taken into account."""
        self._timeline = timeline
        self._fence = fence
        self._looked = 0.0
        self._tickets: list[Ticket] = []
        """What was left, as threads leave it."""
        self._fresh: list[Ticket] = []
        """What was left and is not taken into account yet."""
        self._ahead: list[Ticket] = []
        """What the state knows already, and the record, as far as it was read, does not."""
        timeline.begin_anew(fence)

    def leave(self, *drafts: Draft) -> None:
        """Leave entries to be written soon; `catch_up` takes them into account. Only for what changed nothing."""
        self._timeline.soon(*drafts, fence=self._fence, into=self._tickets)

    def settled(self) -> bool:
        """Write what was left; tell whether there was nothing that the state does not know from the record itself."""
        self._timeline.flush()
        self._timeline.await_writing()  # another thread may just be writing it
        return not (self._ahead or self._fresh or self._tickets)

    def behind(self) -> bool:
        """Tell whether the chain holds entries that were not taken into account yet."""
        return self._timeline.count() != self.position

    def catch_up(self, *, look: bool) -> None:
        """Take new entries into account; those of other processes are looked for every now and then, or if `look`.

        RecordError where something that was left could not be written, or the record was altered; StaleExecutor where
        another executor has taken over.
        """
        self._gather()
        ripe = len(self._fresh)  # whatever a thread wrote before it left one of these is among the entries below
        entries = self._entries(look=look)
        until = len(entries)  # others add to it meanwhile
        self._gather()  # whatever is among these entries by having been left is now among what was left
        if self.position < until:
            self._take(entries, until)
        if self._ahead and self._ahead[0].done:
            self._ahead = self._unseen(self._ahead)
        for ticket in self._unseen(self._fresh[:ripe]):
            self._apply(ticket, self.state)
            self._ahead.append(ticket)
        del self._fresh[:ripe]
        if self.state.epoch > self._fence.epoch:
            remedy = "nothing to do here: the other one goes on"
            raise StaleExecutor("Another executor has taken the run over", where=self._fence.run, remedy=remedy)

    def _gather(self) -> None:
        while self._tickets:
            self._fresh.append(self._tickets.pop(0))

    def _entries(self, *, look: bool) -> Sequence[Entry]:
        now = time.monotonic()
        asks_store = look or now - self._looked >= POLL_SECONDS
        if asks_store:
            self._looked = now
        entries = self._timeline.recent(POLL_SECONDS) if asks_store else self._timeline.own()
        if self._timeline.broken:
            raise tampered(self._timeline.broken)
        return entries

    def _take(self, entries: Sequence[Entry], until: int) -> None:
        """Apply what was written; what the state knew before others said something is put behind that."""
        if not all(ticket.done for ticket in (*self._ahead, *self._fresh)):
            self._timeline.await_writing()  # else what is in `entries` already could pass for still to come
        known = {entry.seq for ticket in self._ahead for entry in _written(ticket)}
        fresh = [entry for entry in entries[self.position : until] if entry.seq not in known]
        for entry in fresh:
            apply(self.state, entry)
        self.position = until
        if self._ahead and any(self._concerns(entry) for entry in fresh):
            self._fold_again(entries[:until])

    def _concerns(self, entry: Entry) -> bool:
        """Tell whether an entry of others may change what came of ours: people speak of this run, or of the whole."""
        if entry.event in {"adopted", "mode"}:
            return entry.event == "mode"
        return entry.run in ("", self._fence.run) and entry.epoch != self._fence.epoch

    def _fold_again(self, entries: Sequence[Entry]) -> None:
        state = fold(self._fence.run, entries)
        for ticket in self._unseen(self._ahead):
            self._apply(ticket, state)
        self.state.become(state)

    def _unseen(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Return which of these are not among the entries that were read. The error of one that is lost is raised."""
        for ticket in tickets:
            if ticket.done and ticket.error is not None:
                raise ticket.error
        return [one for one in tickets if not any(entry.seq <= self.position for entry in _written(one))]

    def _apply(self, ticket: Ticket, state: RunState) -> None:
        for entry in ticket.expected(self._timeline.incident):
            apply(state, entry)


def _written(ticket: Ticket) -> Sequence[Entry]:
    return ticket.entries if ticket.done and ticket.error is None else ()
