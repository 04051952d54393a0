"""Where records live: a small interface, and the one file that keeps them by default."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from responder.errors import RecordError
from responder.sealing import Sealed

FORMAT = 1
"""The number of the record's format; a store bears it, and a run its own."""


class Row(NamedTuple):
    """One entry of a timeline as it is stored; `payload` and `salt` are None once withheld."""

    incident: str
    seq: int
    run: str
    event: str
    step: str
    actor: str
    at: str
    epoch: int
    payload: str | None
    salt: str | None
    payload_hash: str
    prev: str
    hash: str
    mac: str


class Head(NamedTuple):
    """The last entry of an incident's chain, kept apart so that a cut end shows."""

    seq: int
    hash: str
    mac: str


@dataclass(frozen=True)
class RunRow:
    """What is needed to find a run and to fence its executors; everything else is folded from the entries."""

    run: str
    incident: str
    playbook: str
    state: str = "open"
    epoch: int = 0
    wake_at: str = ""
    """When the run wants to be advanced next (ISO, UTC), a past moment included; empty while it waits for people or
    for nothing."""
    executor: str = ""
    heartbeat: float = 0.0
    """Seconds since the Unix epoch at which its executor was last alive."""


class Blob(NamedTuple):
    """A sealed value or a piece of sealed evidence."""

    blob: str
    incident: str
    kind: str
    sealed: Sealed


class Writing(Protocol):
    """One transaction; everything in it is on disk when it ends, or nothing is."""

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain; the head stays locked until the transaction ends."""

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        """Add entries to the end of one chain."""

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""

    def put_run(self, row: RunRow) -> None:
        """Add a run, or replace its row."""

    def wake(self, run: str, at: str) -> None:
        """Note that a run wants to be advanced at a moment (ISO, UTC), unless it wants to be earlier or has ended."""

    def put_blob(self, blob: Blob) -> None:
        """Add a sealed value; adding the same one again changes nothing."""

    def shred(self, blob: str) -> None:
        """Drop the key of a sealed value for good."""

    def withhold(self, incident: str, seq: int) -> None:
        """Drop payload and salt of an entry; its hash stays, so that the chain still verifies."""

    def lock(self, identifiers: Sequence[str], run: str) -> str | None:
        """Lock a credential under all its identifiers for a run; return the run that already holds one."""

    def unlock(self, run: str) -> None:
        """Give back every lock of a run."""


class Store(Protocol):
    """Where entries, runs, locks and sealed values live."""

    def write(self) -> AbstractContextManager[Writing]:
        """Open a transaction: `with store.write() as writing`. RecordError where it cannot be written."""

    def rows(self, incident: str, after: int = 0, events: Sequence[str] = ()) -> list[Row]:
        """Return the entries of a chain with a higher number than `after`, in order; only these `events` if any."""

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain, as it is kept apart."""

    def incidents(self) -> list[str]:
        """Return the ids of all incidents, oldest first."""

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, or those of one incident, oldest first."""

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""

    def blob(self, blob: str) -> Blob | None:
        """Return a sealed value."""

    def blobs(self, incident: str, kind: str = "") -> list[Blob]:
        """Return all sealed values of an incident, or those of one kind."""

    def locked(self, run: str) -> list[str]:
        """Return the identifiers that a run has locked."""

    def holder(self, identifiers: Sequence[str]) -> str | None:
        """Return the run that holds any of these identifiers."""

    def beat(self, run: str, epoch: int, at: float) -> None:
        """Note that the executor with this epoch is alive; not an entry."""

    def now(self) -> float:
        """Return the seconds since the Unix epoch by a clock that all processes of this store share."""

    def version(self) -> int:
        """Return a number that changes when another process has written."""

    def close(self) -> None:
        """Give the store back."""


_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    incident TEXT NOT NULL, seq INTEGER NOT NULL, run TEXT NOT NULL, event TEXT NOT NULL, step TEXT NOT NULL,
    actor TEXT NOT NULL, at TEXT NOT NULL, epoch INTEGER NOT NULL, payload TEXT, salt TEXT,
    payload_hash TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, mac TEXT NOT NULL,
    PRIMARY KEY (incident, seq)) WITHOUT ROWID;
CREATE TABLE heads (incident TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL, mac TEXT NOT NULL,
    number INTEGER NOT NULL);
CREATE TABLE runs (run TEXT PRIMARY KEY, incident TEXT NOT NULL, playbook TEXT NOT NULL, state TEXT NOT NULL,
    epoch INTEGER NOT NULL, wake_at TEXT NOT NULL, executor TEXT NOT NULL, heartbeat REAL NOT NULL);
CREATE TABLE locks (identifier TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE blobs (blob TEXT PRIMARY KEY, incident TEXT NOT NULL, kind TEXT NOT NULL, wrapped_key BLOB NOT NULL,
    ciphertext BLOB NOT NULL);
"""
_ENTRY = f"INSERT INTO entries VALUES ({','.join('?' * len(Row._fields))})"  # noqa: S608 - question marks alone
_RUN = "run, incident, playbook, state, epoch, wake_at, executor, heartbeat"


class SQLiteStore:
    """One SQLite file: WAL, every commit on disk before it returns, one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._named():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {setting}")
        with self.write():
            known = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not known:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
        found = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if found is None or int(found[0]) > FORMAT:
            raise RecordError(
                f"The store has format {found and found[0]}, this version reads up to {FORMAT}",
                where=str(self.path),
                remedy="use a newer responder",
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn the database's own errors into one that says what to do."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RecordError(
                f"The record cannot be read or written: {error}",
                where=str(self.path),
                remedy="nothing more is done until it can; free space, mend rights, or restore the file from a backup",
            ) from None

    @contextmanager
    def write(self) -> Iterator["SQLiteStore"]:
        """Open a transaction that holds the write lock from its start."""
        with self._lock, self._named():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already; a failed commit has not
                    self._db.execute("ROLLBACK")
                raise

    def _all(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock, self._named():
            return self._db.execute(query, values).fetchall()

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain, as it is kept apart."""
        found = self._all("SELECT seq, hash, mac FROM heads WHERE incident = ?", incident)
        return Head(*found[0]) if found else None  # type: ignore[arg-type]

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        """Add entries to the end of one chain."""
        self._db.executemany(_ENTRY, rows)
        self._db.execute(
            "INSERT INTO heads VALUES (?, ?, ?, ?, (SELECT count(*) FROM heads)) ON CONFLICT (incident)"
            " DO UPDATE SET seq = excluded.seq, hash = excluded.hash, mac = excluded.mac",
            (rows[0].incident, *head),
        )

    def rows(self, incident: str, after: int = 0, events: Sequence[str] = ()) -> list[Row]:
        """Return the entries of a chain with a higher number than `after`, in order; only these `events` if any."""
        only = f" AND event IN ({','.join('?' * len(events))})" if events else ""
        query = f"SELECT * FROM entries WHERE incident = ? AND seq > ?{only} ORDER BY seq"  # noqa: S608 - question marks alone
        found = self._all(query, incident, after, *events)
        return [Row(*row) for row in found]  # type: ignore[arg-type]

    def incidents(self) -> list[str]:
        """Return the ids of all incidents, oldest first."""
        return [str(row[0]) for row in self._all("SELECT incident FROM heads ORDER BY number")]

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, or those of one incident, oldest first."""
        found = self._all(f"SELECT {_RUN} FROM runs WHERE incident = ? OR ? = '' ORDER BY rowid", incident, incident)  # noqa: S608
        return [RunRow(*row) for row in found]  # type: ignore[arg-type]

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""
        found = self._all(f"SELECT {_RUN} FROM runs WHERE run = ?", run)  # noqa: S608 - a constant
        return RunRow(*found[0]) if found else None  # type: ignore[arg-type]

    def put_run(self, row: RunRow) -> None:
        """Add a run, or replace its row."""
        values = (
            row.run,
            row.incident,
            row.playbook,
            row.state,
            row.epoch,
            row.wake_at,
            row.executor,
            row.heartbeat,
        )
        self._db.execute(
            "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (run) DO UPDATE SET state = excluded.state,"
            " epoch = excluded.epoch, wake_at = excluded.wake_at, executor = excluded.executor,"
            " heartbeat = excluded.heartbeat",
            values,
        )

    def wake(self, run: str, at: str) -> None:
        """Note that a run wants to be advanced at a moment (ISO, UTC), unless it wants to be earlier or has ended."""
        self._db.execute(
            "UPDATE runs SET wake_at = ? WHERE run = ? AND state <> 'ended' AND (wake_at = '' OR wake_at > ?)",
            (at, run, at),
        )

    def beat(self, run: str, epoch: int, at: float) -> None:
        """Note that the executor with this epoch is alive; not an entry."""
        with self.write():
            self._db.execute("UPDATE runs SET heartbeat = ? WHERE run = ? AND epoch = ?", (at, run, epoch))

    def put_blob(self, blob: Blob) -> None:
        """Add a sealed value; adding the same one again changes nothing."""
        values = (blob.blob, blob.incident, blob.kind, blob.sealed.wrapped_key, blob.sealed.ciphertext)
        self._db.execute("INSERT OR IGNORE INTO blobs VALUES (?,?,?,?,?)", values)

    def blob(self, blob: str) -> Blob | None:
        """Return a sealed value."""
        found = self._all("SELECT * FROM blobs WHERE blob = ?", blob)
        return _blob(found[0]) if found else None

    def blobs(self, incident: str, kind: str = "") -> list[Blob]:
        """Return all sealed values of an incident, or those of one kind."""
        query = "SELECT * FROM blobs WHERE incident = ? AND (kind = ? OR ? = '') ORDER BY rowid"
        return [_blob(row) for row in self._all(query, incident, kind, kind)]

    def shred(self, blob: str) -> None:
        """Drop the key of a sealed value for good."""
        self._db.execute("UPDATE blobs SET wrapped_key = x'' WHERE blob = ?", (blob,))

    def withhold(self, incident: str, seq: int) -> None:
        """Drop payload and salt of an entry; its hash stays, so that the chain still verifies."""
        self._db.execute(
            "UPDATE entries SET payload = NULL, salt = NULL WHERE incident = ? AND seq = ?", (incident, seq)
        )

    def lock(self, identifiers: Sequence[str], run: str) -> str | None:
        """Lock a credential under all its identifiers for a run; return the run that already holds one."""
        for identifier in identifiers:
            holder = self._all("SELECT run FROM locks WHERE identifier = ? AND run <> ?", identifier, run)
            if holder:
                return str(holder[0][0])
        self._db.executemany("INSERT OR IGNORE INTO locks VALUES (?, ?)", [(name, run) for name in identifiers])
        return None

    def locked(self, run: str) -> list[str]:
        """Return the identifiers that a run has locked."""
        return [str(row[0]) for row in self._all("SELECT identifier FROM locks WHERE run = ?", run)]

    def holder(self, identifiers: Sequence[str]) -> str | None:
        """Return the run that holds any of these identifiers."""
        for identifier in identifiers:
            found = self._all("SELECT run FROM locks WHERE identifier = ?", identifier)
            if found:
                return str(found[0][0])
        return None

    def unlock(self, run: str) -> None:
        """Give back every lock of a run."""
        self._db.execute("DELETE FROM locks WHERE run = ?", (run,))

    def now(self) -> float:
        """Return the seconds since the Unix epoch: the processes of a file are on one machine."""
        return time.time()

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        return int(str(self._all("PRAGMA data_version")[0][0]))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _blob(row: tuple[object, ...]) -> Blob:
    blob, incident, kind, wrapped_key, ciphertext = row
    return Blob(str(blob), str(incident), str(kind), Sealed(wrapped_key, ciphertext))  # type: ignore[arg-type]


Also = Callable[[Writing], None]
"""Something that must be stored in the same transaction as an entry."""
