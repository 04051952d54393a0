"""A record in one file: the store that needs no server."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from responder.errors import RecordError
from responder.sealing import Sealed
from responder.store import FORMAT, MOVED, SECRET_KINDS, Blob, Head, Row, RunRow, Store, Turn, Writing, format_of, gone

_STEPS = {
    1: """
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
""",
    2: """
CREATE INDEX blobs_of_incident ON blobs (incident, kind);
CREATE INDEX runs_of_incident ON runs (incident);
CREATE INDEX locks_of_run ON locks (run);
""",
}
"""What brings a file from the format before to each format; nothing that is written already is changed."""
_GONE = "moved: "
_LOOKS, _MAKING_SECONDS = 20, 1.0
"""How often, and for how long, it is looked whether a file without a byte is just being made."""
_ENTRY = f"INSERT INTO entries VALUES ({','.join('?' * len(Row._fields))})"  # noqa: S608 - question marks alone
_RUN = "run, incident, playbook, state, epoch, wake_at, executor, heartbeat"


def _check_filled(path: Path) -> None:
    """Refuse a file without a byte, which SQLite would take for a new record: an old one was cut off there.

    One that another process is just making has its first page a moment later.
    """
    for _ in range(_LOOKS):
        if not path.is_file() or path.stat().st_size:
            return
        time.sleep(_MAKING_SECONDS / _LOOKS)
    raise RecordError(
        "The file of the record is empty",
        where=str(path),
        remedy="restore it from a backup; if there never was a record in it, remove the file",
    )


class SQLiteStore:
    """One SQLite file: WAL, every commit on disk before it returns, one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self.migrated_from: int | None = None
        """The format that the file had, where opening it brought it to this version's."""
        self._lock = threading.RLock()
        self._opened: int | None = None
        """Which file it was when it was opened; None for a record in memory."""
        with self._named():
            path.parent.mkdir(parents=True, exist_ok=True)
            _check_filled(path)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                self._open()
                self._opened = None if str(path) == ":memory:" else path.stat().st_ino
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {setting}")
        known = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        found = format_of(self.meta("format")) if known else 0
        if found > FORMAT or (known and not found):
            raise RecordError(
                f"The store has format {found or None}, this version reads up to {FORMAT}",
                where=self.place,
                remedy="use a newer responder",
            )
        if found < FORMAT:
            self._migrate()

    def _migrate(self) -> None:
        """Bring a new or an older file to this version's format, all or nothing."""
        with self.write():  # another process may be faster
            known = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            found = format_of(self.meta("format")) if known else 0
            for number in range(found + 1, FORMAT + 1):
                self._run(_STEPS[number])
            self.put_meta("format", str(FORMAT))
        self.migrated_from = found if 0 < found < FORMAT else None

    def _run(self, statements: str) -> None:
        for statement in statements.split(";\n"):
            self._db.execute(statement)

    def meta(self, name: str) -> str | None:
        """Return a fact about the store itself."""
        found = self._all("SELECT value FROM meta WHERE key = ?", name)
        return str(found[0][0]) if found else None

    def put_meta(self, name: str, value: str) -> None:
        """Keep a fact about the store itself."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn the database's own errors into one that says what to do."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if str(error).startswith(_GONE):
                raise gone(self.place, str(error).removeprefix(_GONE)) from None
            raise RecordError(
                f"The record cannot be read or written: {error}",
                where=self.place,
                remedy="nothing more is done until it can; free space, mend rights, or restore the file from a backup",
            ) from None

    @contextmanager
    def write(self) -> Iterator["SQLiteStore"]:
        """Open a transaction that holds the write lock from its start."""
        with self._lock, self._named():
            try:
                self._check_file()
                self._db.execute("BEGIN IMMEDIATE")
                yield self
                self._db.execute("COMMIT")
                self._check_file()
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already; a failed commit has not
                    self._db.execute("ROLLBACK")
                raise

    def _check_file(self) -> None:
        """Refuse to write where nobody would find it: an open file can be removed, or another put in its place.

        It is looked for after the commit too. Whoever wrote then hears that it may be lost, and does nothing on it.
        """
        if self._opened is None:
            return
        try:
            there = os.stat(self.place).st_ino  # noqa: PTH116 - asked twice for every commit, and so much quicker
        except (FileNotFoundError, NotADirectoryError):
            there = -1
        if there != self._opened:
            raise RecordError(
                "The file of the record was removed or replaced while it was open",
                where=self.place,
                remedy="put the file back, or restore it from a backup; nothing more is done until it is there",
            )

    def _all(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock, self._named():
            return self._db.execute(query, values).fetchall()

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain, as it is kept apart."""
        found = self._all("SELECT seq, hash, mac FROM heads WHERE incident = ?", incident)
        return _typed(Head, found[0]) if found else None

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        """Add entries to the end of one chain."""
        self._db.executemany(_ENTRY, rows)
        incident = rows[0].incident
        moved = self._db.execute("UPDATE heads SET seq = ?, hash = ?, mac = ? WHERE incident = ?", (*head, incident))
        if not moved.rowcount:
            self._db.execute("INSERT INTO heads VALUES (?, ?, ?, ?, (SELECT count(*) FROM heads))", (incident, *head))

    def attempt(self, incident: str, head: Head, fill: Callable[[Writing], None]) -> bool:  # noqa: ARG002
        """Write nothing: a transaction of a file costs no way to a server and back."""
        return False

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """Let everything that is read inside be as of one moment."""
        with self._lock, self._named():
            within = self._db.in_transaction
            if not within:
                self._db.execute("BEGIN")
            try:
                yield
            finally:
                if not within:
                    self._db.execute("ROLLBACK")

    def chain(self, incident: str) -> tuple[Head | None, list[Row]]:
        """Return the end of a chain as it is kept apart, and its entries, both as of one moment."""
        with self._moment():
            return self.head(incident), self.rows(incident)

    def turn(self, run: str) -> Turn | None:
        """Return what must be known to go on with a run; None where there is no such run."""
        with self._moment():
            row = self.run(run)
            if row is None:
                return None
            return Turn(row, *self.chain(row.incident), self.blobs(row.incident, *SECRET_KINDS))

    def rows(self, incident: str, after: int = 0, events: Sequence[str] = ()) -> list[Row]:
        """Return the entries of a chain with a higher number than `after`, in order; only these `events` if any."""
        only = f" AND event IN ({','.join('?' * len(events))})" if events else ""
        query = f"SELECT * FROM entries WHERE incident = ? AND seq > ?{only} ORDER BY seq"  # noqa: S608 - question marks alone
        found = self._all(query, incident, after, *events)
        return [_typed(Row, row) for row in found]

    def incidents(self) -> list[str]:
        """Return the ids of all incidents, oldest first."""
        return [str(row[0]) for row in self._all("SELECT incident FROM heads ORDER BY number")]

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, or those of one incident, oldest first."""
        found = self._all(f"SELECT {_RUN} FROM runs WHERE incident = ? OR ? = '' ORDER BY rowid", incident, incident)  # noqa: S608
        return [_typed(RunRow, row) for row in found]

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""
        found = self._all(f"SELECT {_RUN} FROM runs WHERE run = ?", run)  # noqa: S608 - a constant
        return _typed(RunRow, found[0]) if found else None

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

    def beat(self, run: str, executor: str, at: float) -> None:
        """Note that this executor is alive, if it has the run; not an entry."""
        with self.write():
            self._db.execute("UPDATE runs SET heartbeat = ? WHERE run = ? AND executor = ?", (at, run, executor))

    def put_blob(self, blob: Blob) -> None:
        """Add a sealed value; adding the same one again changes nothing."""
        values = (blob.blob, blob.incident, blob.kind, blob.sealed.wrapped_key, blob.sealed.ciphertext)
        self._db.execute("INSERT OR IGNORE INTO blobs VALUES (?,?,?,?,?)", values)

    def blob(self, blob: str) -> Blob | None:
        """Return a sealed value."""
        found = self._all("SELECT * FROM blobs WHERE blob = ?", blob)
        return _blob(found[0]) if found else None

    def blobs(self, incident: str, *kinds: str) -> list[Blob]:
        """Return all sealed values of an incident, or those of some kinds."""
        wanted = f" AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        query = f"SELECT * FROM blobs WHERE incident = ?{wanted} ORDER BY rowid"  # noqa: S608 - question marks alone
        return [_blob(row) for row in self._all(query, incident, *kinds)]

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

    def move(self, place: str) -> None:
        """Let nobody add an entry here any more, in whatever process: the record goes on at `place`."""
        self.put_meta(MOVED, place)
        told = (_GONE + place).replace("'", "''")
        self._db.execute(f"CREATE TRIGGER moved BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, '{told}'); END")

    def stay(self) -> None:
        """Take back that the record went elsewhere."""
        self._db.execute("DELETE FROM meta WHERE key = ?", (MOVED,))
        self._db.execute("DROP TRIGGER IF EXISTS moved")

    def weakness(self) -> str:
        """Return why what was confirmed may be lost, or be damaged already; empty where nothing says so."""
        damage = str(self._all("PRAGMA quick_check(1)")[0][0])
        if damage != "ok":
            return f"the file is damaged: {damage}"
        mode, synchronous = self._all("PRAGMA journal_mode")[0][0], self._all("PRAGMA synchronous")[0][0]
        return "" if (mode, synchronous) == ("wal", 2) else f"its journal is {mode}, synchronous {synchronous}"

    def now(self) -> float:
        """Return the seconds since the Unix epoch: the processes of a file are on one machine."""
        return time.time()

    def version(self, incident: str) -> int:  # noqa: ARG002 - one number speaks for the whole file
        """Return a number that changes when another process has written."""
        return int(str(self._all("PRAGMA data_version")[0][0]))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


_Kind = TypeVar("_Kind", Row, Head, RunRow)
_NUMBER, _TEXT = (int, float), (str, type(None))
_NUMBERS = {"seq", "epoch", "heartbeat"}
_TYPES = {kind: [_NUMBER if name in _NUMBERS else _TEXT for name in kind._fields] for kind in (Row, Head, RunRow)}


def _typed(kind: type[_Kind], row: Sequence[object]) -> _Kind:
    """Return a row that was read. A file lets anything stand anywhere: what is no number or no text is none of ours."""
    types = _TYPES[kind]
    if not all(map(isinstance, row, types)):
        fitting = (
            (value, -1 if type_ is _NUMBER else str(value), type_) for value, type_ in zip(row, types, strict=True)
        )
        row = [value if isinstance(value, type_) else other for value, other, type_ in fitting]
    return kind(*row)  # type: ignore[arg-type]


def _blob(row: tuple[object, ...]) -> Blob:
    blob, incident, kind, *sealed = row
    wrapped_key, ciphertext = (part if isinstance(part, bytes) else b"?" for part in sealed)
    return Blob(str(blob), str(incident), str(kind), Sealed(wrapped_key, ciphertext))


class InMemory(SQLiteStore):
    """A store for a plan: it sees the locks of the real one at the start, and is gone afterwards."""

    def __init__(self, real: Store) -> None:
        super().__init__(Path(":memory:"))
        self._real = real

    def holder(self, identifiers: Sequence[str]) -> str | None:
        """Return the run that really holds any of these identifiers."""
        return self._real.holder(identifiers)
