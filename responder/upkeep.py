"""Upkeep of a record: whether it is usable, and how it goes from one store to another."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from responder.chain import verify
from responder.errors import Problem, RecordError, RequestError
from responder.sealing import Sealer
from responder.store import HELD, KEY_CHECK, MOVED, Store, Writing, shows_life

_MOST_ROWS = 500
"""How many entries are handed over in one statement."""


@dataclass(frozen=True)
class Inspection:
    """What a store holds, and what is wrong with it."""

    incidents: int
    runs: int
    open_runs: int
    entries: int
    sealed: int
    """How many sealed values and pieces of evidence there are."""
    moved_to: str
    """Where the record went; empty while it is here."""
    problems: tuple[Problem, ...]
    """What makes it unusable."""


def inspect(store: Store, sealer: Sealer) -> Inspection:
    """Look at everything that a store must hold and promise; nothing is written."""
    weak = store.weakness()
    problems = [Problem(f"It cannot be relied on: {weak}", store.place, "mend the store")] if weak else []
    incidents = store.incidents()
    entries = sealed = 0
    for incident in incidents:
        found = verify(store, sealer, incident)
        if found:
            problems.append(Problem(f"{found[0].what} ({len(found)} such entries)", found[0].where, _SEE % incident))
        head = store.head(incident)
        entries += head.seq if head else 0
        sealed += len(store.blobs(incident))
    moved = store.meta(MOVED) or ""
    if moved:
        problems.append(Problem(f"This record went to {moved}", store.place, f"set RESPONDER_STORE to {moved}"))
    runs = store.runs()
    open_runs = sum(row.state != "ended" for row in runs)
    return Inspection(len(incidents), len(runs), open_runs, entries, sealed, moved, tuple(problems))


_SEE = "`responder verify %s` names them; restore the record from a backup"


@dataclass(frozen=True)
class Copied:
    """What went from one store to another."""

    incidents: int
    entries: int
    runs: int


def copy(source: Store, target: Store, sealer: Sealer) -> Copied:
    """Take a whole record to an empty store, and let nobody go on in the old one.

    RequestError where somebody works on a run, the record does not verify, or the target is not empty. What a copy
    that was interrupted left undone, the same call completes.
    """
    _check_target(source, target)
    for incident in source.incidents():
        problems = verify(source, sealer, incident)
        if problems:
            raise RecordError(
                f"The record does not verify: {problems[0].what}", where=problems[0].where, remedy=_SEE % incident
            )
    _leave(source, target.place)
    try:
        if not target.incidents():
            _fill(source, target)
        return _compare(source, target, sealer)
    except BaseException:
        if not _arrived(source, target):
            with source.write() as writing:
                writing.stay()
        raise


def _check_target(source: Store, target: Store) -> None:
    """Refuse a target that holds anything else than what an interrupted copy of this record has left."""
    went = source.meta(MOVED)
    if went is not None and went != target.place:
        raise RequestError(f"This record went to {went} already", where=source.place, remedy=f"copy it from {went}")
    filled = target.incidents() or target.runs() or target.blobs(HELD)
    if filled and (went is None or not _arrived(source, target)):
        raise RequestError("The target is not empty", where=target.place, remedy="name a new file or an empty database")


def refuse_live(store: Store) -> None:
    """Refuse where somebody works on a run of a store."""
    now = store.now()
    for row in store.runs():
        if shows_life(row, now):
            host = row.executor.partition(":")[0]
            raise RequestError(
                f"Somebody works on {row.run} ({host})", where=store.place, remedy="interrupt it there, then try again"
            )


def _leave(source: Store, place: str) -> None:
    """Mark the source, in the same transaction that sees that nobody works on it."""
    with source.write() as writing:
        writing.head(HELD)  # no chain: what is locked is that nobody leaves a finding at this moment
        if source.meta(MOVED) is None:
            writing.move(place)
        refuse_live(source)


def _fill(source: Store, target: Store) -> None:
    """Write everything in one transaction."""
    key = source.meta(KEY_CHECK)
    with target.write() as writing:
        if key is not None:
            writing.put_meta(KEY_CHECK, key)
        for incident in source.incidents():
            _copy_incident(source, writing, incident)
        for blob in source.blobs(HELD):
            writing.put_blob(blob)
        for row in source.runs():
            writing.put_run(row)
            writing.lock(source.locked(row.run), row.run)


def _copy_incident(source: Store, writing: Writing, incident: str) -> None:
    head = source.head(incident)
    rows = source.rows(incident)
    if head is None:
        return
    for start in range(0, len(rows), _MOST_ROWS):
        writing.put_entries(rows[start : start + _MOST_ROWS], head)
    for blob in source.blobs(incident):
        writing.put_blob(blob)


def _arrived(source: Store, target: Store) -> bool:
    """Tell whether the target holds every chain's end, and every finding that waits, as the source does."""
    with suppress(RecordError):
        incidents, waiting = source.incidents(), _ids(source.blobs(HELD))
        heads = [source.head(one) for one in incidents]
        there = [target.head(one) for one in incidents], _ids(target.blobs(HELD))
        return there == (heads, waiting) and bool(incidents or waiting)
    return False


def _compare(source: Store, target: Store, sealer: Sealer) -> Copied:
    """Verify every chain where it is now, and see that nothing is missing. RecordError names what is."""
    incidents = source.incidents()
    entries = 0
    for incident in incidents:
        problems = verify(target, sealer, incident)
        if problems or target.head(incident) != source.head(incident):
            raise RecordError("The copy does not verify", where=f"{target.place}, {incident}", remedy="try again")
        entries += len(target.rows(incident))
    for owner in (*incidents, HELD):
        if _ids(source.blobs(owner)) != _ids(target.blobs(owner)):
            raise RecordError("The copy lacks sealed values", where=f"{target.place}, {owner}", remedy="try again")
    if source.runs() != target.runs() or incidents != target.incidents():
        raise RecordError("The copy lacks runs or incidents", where=target.place, remedy="try again")
    return Copied(len(incidents), entries, len(source.runs()))


def _ids(blobs: Sequence[object]) -> list[object]:
    return sorted(blobs, key=str)
