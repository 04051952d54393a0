"""One transaction of a record on a server."""

from collections.abc import Sequence
from typing import Any

from responder.errors import RecordError
from responder.postgres import tables
from responder.postgres.connections import Connection
from responder.store import MOVED, Blob, Head, Row, RunRow

TYPES = ("text", "bigint", "text", "text", "text", "text", "text", "bigint", *("text",) * 6)
"""Of what kind each column of an entry is."""
COLUMNS = ", ".join(f"%s::{kind}[]" for kind in TYPES)
"""Many rows of entries as arrays, a column each."""
_WRITE = (
    f"WITH added AS (INSERT INTO responder.entries SELECT * FROM unnest({COLUMNS}))"  # noqa: S608 - constants
    " INSERT INTO responder.heads (incident, seq, hash, mac) VALUES (%s, %s, %s, %s) ON CONFLICT (incident)"
    " DO UPDATE SET seq = excluded.seq, hash = excluded.hash, mac = excluded.mac"
)
RUN = "run, incident, playbook, state, epoch, wake_at, executor, heartbeat"
BLOB = "blob, incident, kind, wrapped_key, ciphertext"
HEAD = "SELECT seq, hash, mac FROM responder.heads WHERE incident = %s"
LOCK_CHAIN = "SELECT pg_advisory_xact_lock(hashtextextended('responder:' || %s, 0))"


class Transaction:
    """One transaction; what is written last goes to the server together with the COMMIT."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.chains: dict[str, Head] = {}
        """The ends of the chains that it adds to."""
        self.runs: dict[str, RunRow] = {}
        """The runs' rows that it has locked; nobody else changes them before it ends."""
        self.woken: set[str] = set()
        """The runs that want to go on because of it."""

    @property
    def lost(self) -> bool:
        """Whether its connection is gone, so that nobody knows what became of the last thing that was sent."""
        return self._connection.closed

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return self._connection.execute(query, values).fetchall()

    def _do(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain; the chain stays locked until the transaction ends."""
        found = self.all(f"{HEAD} FOR UPDATE", incident)
        if not found:  # there is no row yet that could be locked
            self._do(LOCK_CHAIN, incident)
            found = self.all(f"{HEAD} FOR UPDATE", incident)
        return Head(*found[0]) if found else None

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        """Add entries to the end of one chain."""
        incident = rows[0].incident
        columns = [list(column) for column in zip(*rows, strict=True)]
        self._do(_WRITE, *columns, incident, *head)
        self.chains[incident] = head

    def run(self, run: str) -> RunRow | None:
        """Return a run's row; it stays locked until the transaction ends."""
        if run not in self.runs:
            found = self.all(f"SELECT {RUN} FROM responder.runs WHERE run = %s FOR UPDATE", run)  # noqa: S608 - constants
            if not found:
                return None
            self.runs[run] = RunRow(*found[0])
        return self.runs[run]

    def put_run(self, row: RunRow) -> None:
        """Add a run, or replace its row."""
        self.runs[row.run] = row
        self._do(
            f"INSERT INTO responder.runs ({RUN}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - constants
            " ON CONFLICT (run) DO UPDATE SET state = excluded.state, epoch = excluded.epoch,"
            " wake_at = excluded.wake_at, executor = excluded.executor, heartbeat = excluded.heartbeat",
            row.run,
            row.incident,
            row.playbook,
            row.state,
            row.epoch,
            row.wake_at,
            row.executor,
            row.heartbeat,
        )

    def wake(self, run: str, at: str) -> None:
        """Note that a run wants to be advanced at a moment (ISO, UTC), unless it wants to be earlier or has ended."""
        if run:
            self.woken.add(run)
            self.runs.pop(run, None)
            self._do(
                "UPDATE responder.runs SET wake_at = %s WHERE run = %s AND state <> 'ended'"
                " AND (wake_at = '' OR wake_at COLLATE \"C\" > %s)",
                at,
                run,
                at,
            )

    def put_meta(self, name: str, value: str) -> None:
        """Keep a fact about the store itself."""
        self._do(
            "INSERT INTO responder.meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            name,
            value,
        )

    def put_blob(self, blob: Blob) -> None:
        """Add a sealed value; adding the same one again changes nothing."""
        self._do(
            f"INSERT INTO responder.blobs ({BLOB}) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",  # noqa: S608
            blob.blob,
            blob.incident,
            blob.kind,
            blob.sealed.wrapped_key,
            blob.sealed.ciphertext,
        )

    def shred(self, blob: str) -> None:
        """Drop the key of a sealed value for good."""
        self._do("UPDATE responder.blobs SET wrapped_key = '' WHERE blob = %s", blob)

    def withhold(self, incident: str, seq: int) -> None:
        """Drop payload and salt of an entry; its hash stays, so that the chain still verifies."""
        self._do(
            "UPDATE responder.entries SET payload = NULL, salt = NULL WHERE incident = %s AND seq = %s", incident, seq
        )

    def lock(self, identifiers: Sequence[str], run: str) -> str | None:
        """Lock a credential under all its identifiers for a run; return the run that already holds one.

        Two that want the same ones take them in the same order, so that the slower waits and then sees the faster.
        """
        wanted = sorted(set(identifiers))
        taken = [
            row[0]
            for name in wanted
            for row in self.all(
                "INSERT INTO responder.locks VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING identifier", name, run
            )
        ]
        held = dict(self.all("SELECT identifier, run FROM responder.locks WHERE identifier = ANY(%s)", wanted))
        holder = next((held[name] for name in identifiers if held[name] != run), None)
        if holder is not None and taken:
            self._do("DELETE FROM responder.locks WHERE identifier = ANY(%s)", taken)
        return holder

    def unlock(self, run: str) -> None:
        """Give back every lock of a run."""
        self._do("DELETE FROM responder.locks WHERE run = %s", run)

    def move(self, place: str) -> None:
        """Let nobody add an entry here any more, in whatever process: the record goes on at `place`."""
        self.put_meta(MOVED, place)
        self._connection.execute(tables.MOVED)

    def stay(self) -> None:
        """Take back that the record went elsewhere."""
        self._do("DELETE FROM responder.meta WHERE key = %s", MOVED)
        self._do("DROP TRIGGER IF EXISTS moved ON responder.entries")

    def commit(self) -> None:
        """Put everything on disk. RecordError where it was rolled back, psycopg's error where that is not known."""
        if self._connection.execute("COMMIT").statusmessage != "COMMIT":
            raise RecordError("The transaction was rolled back", remedy="nothing of it was written; try again")
