"""The hash-chained record of an incident: append to it, read it, verify it."""

import hashlib
import os
import threading
import time
from collections.abc import Sequence

from responder.chain import GENESIS, broken_links, entry_hash, judge, read
from responder.clock import Clock
from responder.entry import Draft, Entry, Fence, entry_of, read_entry
from responder.errors import Overtaken, Problem, RecordError, StaleExecutor
from responder.sealing import Sealer
from responder.store import SECRET_KINDS, Also, Blob, Head, Row, RunRow, Store, Turn, Unforeseen, Writing, head_mac
from responder.ticket import Ticket, held, payload_of

LATEST_SECONDS = 0.05
"""How long what is written soon may wait for something that must be on disk (real seconds)."""


class Timeline:
    """The record of one incident, as one process sees it.

    `append` may be called from any thread: whoever comes first commits for all who wait, and each caller goes on
    only when its own entries are on disk.
    """

    def __init__(self, store: Store, sealer: Sealer, clock: Clock, incident: str) -> None:
        self.incident = incident
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._queue: list[Ticket] = []
        self._waits_since = 0.0
        """Since when what is in the queue waits, by the monotonic clock."""
        self._lost: dict[Fence, Exception] = {}
        """Executors of which something that was to be written soon is lost: what hangs on it must not be written."""
        self._queue_lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._led = False
        """Whether somebody writes for all who wait, or is about to."""
        self._entries: list[Entry] = []
        self._entries_lock = threading.Lock()
        self._version = -1
        self._known: set[str] = set()
        """The sealed secrets that the Redactor has been told."""
        self.broken: list[Problem] = []
        """What is wrong with entries that were read from the store: no executor may obey what was not written by us."""
        self._fresh = float("-inf")
        """When all entries were in memory, by the monotonic clock."""
        self._behind = True
        """Whether others wrote between our own entries, so that some are missing in memory."""

    def append(
        self, *drafts: Draft, fence: Fence | None = None, also: Also | None = None, after: int | None = None
    ) -> list[Entry]:
        """Write entries, all or none, and return them once they are on disk.

        StaleExecutor when `fence` is no longer the newest; RecordError when the record cannot be written; Overtaken
        where the chain does not end at the number `after`, if one is given.
        """
        if fence is None:
            self.know_secrets()
        ticket = Ticket(drafts, fence, also, after=after, turn=held())
        with self._queue_lock:
            self._queue.append(ticket)
            ticket.leads, self._led = not self._led, True
        if not ticket.leads:
            self._wait(ticket)
        if ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        if not ticket.done:
            raise _interrupted(self.incident)
        return ticket.entries

    def _wait(self, ticket: Ticket) -> None:
        """Wait until somebody has written a ticket, or until it is its caller's turn to write."""
        try:
            ticket.turn.acquire()
        except BaseException:
            with self._queue_lock:  # whoever leaves while waiting must not be waited for
                if ticket in self._queue:
                    self._queue.remove(ticket)
                if ticket.leads:
                    self._hand_on()
            raise

    def _lead(self) -> None:
        """Write what everybody waits for, and let one of those who came in the meantime do the same for the next.

        Nobody waits for the lock of the commit itself: all who were served go on at once, and all who come while one
        batch is written make up the next.
        """
        try:
            self._serve()
        finally:
            with self._queue_lock:
                self._hand_on()

    def _serve(self) -> None:
        """Write what is in the queue now, and wake those who wait for it."""
        batch: list[Ticket] = []
        try:
            with self._commit_lock:
                with self._queue_lock:
                    batch, self._queue = self._queue, []
                if batch:
                    self._commit(batch)
        finally:
            with self._queue_lock:
                for ticket in batch:
                    if ticket.turn.locked():  # else it was told already that it leads
                        ticket.turn.release()

    def _hand_on(self) -> None:
        """Let the first who waits lead; nobody where nobody does."""
        following = next((ticket for ticket in self._queue if ticket.at is None), None)
        self._led = following is not None
        if following is not None:
            following.leads = True
            following.turn.release()

    def soon(
        self, *drafts: Draft, fence: Fence | None = None, also: Also | None = None, into: list[Ticket] | None = None
    ) -> None:
        """Write entries together with whatever is written next; for what changed nothing.

        `overdue` says when they have waited long enough, and `flush` writes them. What is written later stands after
        them, so that nobody finds what hangs on them without them. Where they cannot be written, nothing more is
        written for `fence`, until an executor has begun anew from the record (`begin_anew`). `into`: where to put the
        ticket that tells what becomes of them.
        """
        ticket = Ticket(drafts, fence, also, self._clock.now())
        ticket.payloads = [payload_of(draft.facts, self._sealer.redactor) for draft in drafts]
        if into is not None:
            into.append(ticket)  # before anybody can write it
        now = time.monotonic()
        with self._queue_lock:
            if not self._queue:
                self._waits_since = now
            self._queue.append(ticket)

    def overdue(self) -> bool:
        """Tell whether something waits for longer than LATEST_SECONDS; only the first who asks is told so."""
        now = time.monotonic()
        with self._queue_lock:
            late = bool(self._queue) and now - self._waits_since > LATEST_SECONDS
            if late:
                self._waits_since = now
        return late

    def flush(self) -> None:
        """Write what `soon` has left."""
        if self._queue:
            self._serve()

    def await_writing(self) -> None:
        """Wait until what is being written now is written: whatever `entries` has shown by now is marked as done."""
        with self._commit_lock:
            pass

    def begin_anew(self, fence: Fence) -> None:
        """Let an executor write that knows nothing but the record, whatever was lost before."""
        self._lost.pop(fence, None)

    def know_secrets(self, read: Sequence[Blob] | None = None) -> None:
        """Let the Redactor know every sealed secret of the incident, before what people say is written.

        Whoever answers or notes something does so in a process of their own, which has met none of them yet; an
        executor does so when it adopts a run. `read`: they have just been read.
        """
        for blob in self._store.blobs(self.incident, *SECRET_KINDS) if read is None else read:
            if blob.blob not in self._known and blob.sealed.wrapped_key:
                self._sealer.unseal(blob.sealed, blob.blob)
                self._known.add(blob.blob)

    def _commit(self, batch: list[Ticket]) -> None:
        """Write what all waiting callers want in one transaction; where that fails, each by itself.

        What is wrong with one caller's entries must not be told to another as if it were wrong with theirs: an
        executor that is refused, or a run that was slower, says nothing about the outcome that waits beside it.
        """
        try:
            self._write(batch)
        except Exception as error:  # noqa: BLE001 - the caller that is to blame must hear of it, and no other
            if len(batch) > 1 and (isinstance(error, StaleExecutor) or not isinstance(error, RecordError)):
                for ticket in batch:
                    self._commit([ticket])
                return
            self._lose(batch, error)
        except BaseException:
            self._lose(batch, _interrupted(self.incident))
            raise

    def _lose(self, batch: list[Ticket], error: Exception) -> None:
        """Tell those who wait that their entries are not written, and let nobody write what hangs on them."""
        for ticket in batch:
            if not ticket.done:
                self._done(ticket, error)

    def _done(self, ticket: Ticket, error: Exception | None) -> None:
        """Tell what came of a ticket. Where nobody waits for it, whoever writes next for its executor hears of it."""
        ticket.error, ticket.done = error, True
        if error is not None and ticket.at is not None and ticket.fence is not None:
            told = f"What this hangs on could not be written: {type(error).__name__}"
            lost = error if isinstance(error, RecordError) else RecordError(told, where=self.incident)
            self._lost.setdefault(ticket.fence, lost)

    def _write(self, batch: list[Ticket]) -> None:
        """Write a batch in one transaction, all or none."""
        if not self._attempt(batch):
            with self._store.write() as writing:
                self._fill(batch, writing)
        self._keep([entry for ticket in batch for entry in ticket.entries])
        for ticket in batch:
            self._done(ticket, ticket.error)

    def _attempt(self, batch: list[Ticket]) -> bool:
        """Write a batch on the belief that nobody else wrote since; tell whether that was so."""
        head = self._end()
        if head is None:
            return False

        def fill(writing: Writing) -> None:
            self._fill(batch, writing)
            if any(ticket.error is not None for ticket in batch):
                raise Unforeseen

        return self._store.attempt(self.incident, head, fill)

    def _end(self) -> Head | None:
        """Return where the chain ends as far as this process knows; None where others wrote lately."""
        with self._entries_lock:
            last = self._entries[-1] if self._entries and not self._behind else None
        return Head(last.seq, last.hash, "") if last is not None else None

    def _fill(self, batch: list[Ticket], writing: Writing) -> None:
        """Put everything that a batch wants into a transaction; it may be done again in another."""
        for ticket in batch:
            ticket.entries = []
        head = writing.head(self.incident)
        self._refuse_cut(head)
        rows: list[Row] = []
        runs: dict[str, RunRow | None] = {}
        for ticket in batch:
            ticket.error = self._stale(ticket, writing, runs) or _overtaken(ticket, head)
            if ticket.error is None:
                head = self._chain(ticket, head, rows)
                if ticket.also is not None:
                    ticket.also(writing)
                    runs.clear()  # it may have changed who may write
        if rows and head is not None:
            mac = head_mac(self._sealer, self.incident, head.seq, head.hash)
            writing.put_entries(rows, head._replace(mac=mac))

    def _refuse_cut(self, head: Head | None) -> None:
        """Add nothing to a chain that lacks what this process has read: nobody who comes later could see that."""
        cut = self._cut(head)
        if cut is not None:
            raise RecordError(
                f"The record was cut: {cut.what}, and this process has read it",
                where=cut.where,
                remedy="see who can write the record; where a server fell back on an older copy of it, start anew"
                " what works on it: it reads back what was done",
            )

    def _cut(self, head: Head | None) -> Problem | None:
        """Return what a chain with this end lacks of what this process has read, if anything."""
        known = len(self._entries)  # without the lock: it only grows, and others read the store while they have it
        end = head.seq if head is not None else 0
        if end < known:
            return Problem(f"entry {end + 1} is missing", f"{self.incident} entry {end + 1}")
        if head is not None and end == known and head.hash != self._entries[known - 1].hash:
            return Problem(f"entry {end} is missing, and another stands there", f"{self.incident} entry {end}")
        return None

    def _stale(self, ticket: Ticket, writing: Writing, runs: dict[str, RunRow | None]) -> Exception | None:
        """Return why the executor behind a ticket may not write; None where it may."""
        if ticket.fence is None:
            return None
        if ticket.fence in self._lost:
            return self._lost[ticket.fence]
        if ticket.fence.run not in runs:
            runs[ticket.fence.run] = writing.run(ticket.fence.run)
        row = runs[ticket.fence.run]
        if row is not None and (row.epoch, row.executor) == (ticket.fence.epoch, ticket.fence.executor):
            return None
        return StaleExecutor(
            "Another executor has taken the run over"
            f" (epoch {row.epoch if row else 'unknown'}, ours {ticket.fence.epoch})",
            where=ticket.fence.run,
            remedy="nothing to do here: the other one goes on",
        )

    def _chain(self, ticket: Ticket, head: Head | None, rows: list[Row]) -> Head | None:
        """Turn a ticket's drafts into the next rows of the chain; return the new head."""
        said = ticket.at or self._clock.now()
        at = said.isoformat(timespec="microseconds")
        epoch = ticket.fence.epoch if ticket.fence else 0
        redactor = self._sealer.redactor
        for number, draft in enumerate(ticket.drafts):
            seq, prev = (head.seq + 1, head.hash) if head else (1, GENESIS)
            payload = payload_of(draft.facts, redactor, ticket.payloads[number] if ticket.payloads else None)
            salt = os.urandom(16).hex()
            payload_hash = hashlib.sha256((salt + payload.text).encode()).hexdigest()
            fields = (self.incident, seq, draft.run, draft.event, draft.step, draft.actor, at, epoch)
            digest = entry_hash(prev, fields, payload_hash)
            mac = self._sealer.sign(digest.encode())
            rows.append(Row(*fields, payload.text, salt, payload_hash, prev, digest, mac))
            ticket.entries.append(entry_of(rows[-1], payload.facts, said))
            head = Head(seq, digest, "")  # only that of the last entry of all is signed, when it is written
        return head

    def _keep(self, written: list[Entry]) -> None:
        """Remember what was just written; where others wrote in between, the next `entries` reads it."""
        with self._entries_lock:
            if written and written[0].seq == len(self._entries) + 1:
                self._entries.extend(written)
                # The chain was locked, or ended where we thought: nobody else's entry is missing.
                self._behind, self._fresh = False, time.monotonic()
            elif written:
                self._behind = True

    def entries(self) -> list[Entry]:
        """Return all entries so far, those of other processes included. The list must not be changed."""
        version = self._store.version(self.incident)
        with self._entries_lock:
            head = self._store.head(self.incident)
            if head is not None and head.seq > len(self._entries):
                rows = self._store.rows(self.incident, len(self._entries))
                last = self._entries[-1].hash if self._entries else GENESIS
                self.broken.extend(broken_links(rows, self._sealer, last, len(self._entries) + 1))
                self._entries.extend(read_entry(row) for row in rows)
            elif not self.broken and (cut := self._cut(head)) is not None:
                self.broken.append(cut)
            self._version = version
            self._behind, self._fresh = False, time.monotonic()
            return self._entries

    def examine(self, seen: Turn | None = None) -> list[Problem]:
        """Check the chain before anything is done on its word; what this process has read already, it has checked.

        `seen` is the chain where somebody has just read it.
        """
        if self._entries:
            self.entries()
            return self.broken
        head, rows = read(self._store, self.incident) if seen is None else (seen.head, seen.rows)
        problems = judge(head, rows, self._sealer, self.incident)
        with self._entries_lock:
            if not problems and not self._entries:
                self._entries.extend(read_entry(row) for row in rows)
                self._behind, self._fresh = False, time.monotonic()
        return problems

    def recent(self, seconds: float) -> list[Entry]:
        """Return all entries as they were at most so long ago; one's own are among them."""
        return self.entries() if self._behind or time.monotonic() - self._fresh > seconds else self._entries

    def own(self) -> list[Entry]:
        """Return the entries that are in memory, without asking the store; all of them unless others wrote lately."""
        return self.entries() if self._behind else self._entries

    def count(self) -> int:
        """Return how many entries there are by now, those of other processes included."""
        if self._store.version(self.incident) != self._version:
            self.entries()
        return len(self._entries)


def _overtaken(ticket: Ticket, head: Head | None) -> Exception | None:
    """Return why what was said of one moment must not be written any more; None where nobody wrote since."""
    if ticket.after is None or ticket.after == (head.seq if head else 0):
        return None
    return Overtaken("Others wrote at the same moment", remedy="look, and say it again")


def _interrupted(incident: str) -> RecordError:
    return RecordError("Whoever was writing this entry was interrupted", where=incident, remedy="resume the run")


def withhold(timeline: Timeline, seqs: Sequence[int], reason: str, actor: str) -> None:
    """Take the facts of entries away for good, and say so on the timeline; the chain still verifies."""

    def drop(writing: Writing) -> None:
        for seq in seqs:
            writing.withhold(timeline.incident, seq)

    timeline.append(Draft("withheld", {"entries": list(seqs), "reason": reason}, actor=actor), also=drop)
