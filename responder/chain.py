"""The hash chain: what an entry's hash covers, and what is wrong with a chain that somebody altered."""

import hashlib
import json
from collections.abc import Iterable, Sequence

from responder.errors import Problem, RecordError
from responder.sealing import Sealer
from responder.store import Head, Row, Store, head_mac

GENESIS = "0" * 64
"""What the first entry of a chain names as its predecessor."""


def entry_hash(prev: str, fields: tuple[object, ...], payload_hash: str) -> str:
    """Return the hash of an entry: it covers the one before it, the header, and the hash of the salted facts."""
    return hashlib.sha256("\n".join((prev, *map(str, fields), payload_hash)).encode()).hexdigest()


def tampered(problems: Sequence[Problem]) -> RecordError:
    """Return the error for a chain that is not as we wrote it: nothing may be done on its word."""
    first = problems[0]
    told = f"The record was tampered with: {first.what} ({len(problems)} such entries)"
    return RecordError(
        told, where=first.where, remedy="nothing more is done; restore the record, and see who can write it"
    )


def verify(store: Store, sealer: Sealer, incident: str, known_head: tuple[int, str] | None = None) -> list[Problem]:
    """Check a whole chain offline; return what is wrong with it, the first bad entry first.

    `known_head` is an entry's number and hash that left the house earlier (in a mail, a document): the chain must
    still hold it.
    """
    head, rows = read(store, incident)
    problems = judge(head, rows, sealer, incident)
    if known_head is not None and known_head not in {(row.seq, row.hash) for row in rows}:
        problems.append(
            Problem(
                "the chain does not hold the entry that left the house earlier",
                f"{incident} entry {known_head[0]}",
            )
        )
    return problems


def read(store: Store, incident: str) -> tuple[Head | None, list[Row]]:
    """Return a chain and its end, as of one moment; RecordError where there is none."""
    head, rows = store.chain(incident)
    if head is None and not rows:
        raise RecordError(
            "There is no timeline of this incident", where=incident, remedy="`responder status` lists them"
        )
    return head, rows


def judge(head: Head | None, rows: list[Row], sealer: Sealer, incident: str) -> list[Problem]:
    """Return what is wrong with a chain that was read, the first bad entry first."""
    problems = list(broken_links(rows, sealer))
    last = rows[-1].seq if rows else 0
    if head is None:
        problems.append(Problem("the note of the last entry is missing", f"{incident} head"))
    elif head.mac != head_mac(sealer, incident, head.seq, head.hash):
        problems.append(Problem("the note of the last entry was not written by us", f"{incident} head"))
    elif head.seq > last:
        first = last + 1
        problems.append(Problem(f"entry {first} is missing: the chain was cut at its end", f"{incident} entry {first}"))
    elif head.seq < last:
        extra = rows[head.seq].seq if head.seq < len(rows) else last
        problems.append(
            Problem("this entry was not written by us: it lies beyond the last one", f"{incident} entry {extra}")
        )
    elif head.hash != rows[-1].hash:
        problems.append(Problem("the last entry is not the one that was written", f"{incident} entry {head.seq}"))
    return problems


def broken_links(rows: list[Row], sealer: Sealer, prev: str = GENESIS, expected: int = 1) -> Iterable[Problem]:
    """Yield a problem for each entry that does not follow from the one before it."""
    withheld = _withheld_numbers(rows)
    for row in rows:
        place = f"{row.incident} entry {row.seq}"
        if row.seq != expected:
            yield Problem(f"entry {expected} is missing", f"{row.incident} entry {expected}")
            expected = row.seq
            prev = row.prev
        content = _content_problem(row, withheld)
        if content:
            yield Problem(content, place)
        elif row.prev != prev:
            yield Problem("does not follow the entry before it", place)
        elif row.hash != entry_hash(row.prev, tuple(row[:8]), row.payload_hash):
            yield Problem("was altered: its hash does not fit", place)
        elif row.mac != sealer.sign(row.hash.encode()):
            yield Problem("was not written by us: its signature does not fit", place)
        prev, expected = row.hash, expected + 1


def _content_problem(row: Row, withheld: set[int]) -> str:
    """Return what is wrong with an entry's facts, or nothing."""
    if row.payload is None or row.salt is None:
        return "" if row.seq in withheld else "has lost its facts, and no entry says that they were withheld"
    if hashlib.sha256(f"{row.salt}{row.payload}".encode(errors="replace")).hexdigest() != row.payload_hash:
        return "was altered: its facts do not fit their hash"
    return ""


def _withheld_numbers(rows: list[Row]) -> set[int]:
    """Return the numbers of the entries that later entries declare withheld."""
    numbers: set[int] = set()
    for row in rows:
        if row.event == "withheld" and row.payload:
            try:
                numbers.update(int(number) for number in json.loads(row.payload)["entries"])
            except (ValueError, TypeError, KeyError):
                continue  # it was altered, and is named for that
    return numbers
