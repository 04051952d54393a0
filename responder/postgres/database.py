"""The store that a PostgreSQL database is."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from responder.errors import RecordError, ResponderError
from responder.postgres.connections import WAIT_SECONDS, Connection, Pool, named, parameters
from responder.postgres.statement import Statement
from responder.postgres.tables import STEPS, format_at
from responder.postgres.transaction import BLOB, HEAD, LOCK_CHAIN, RUN, Transaction
from responder.sealing import Sealed
from responder.store import FORMAT, SECRET_KINDS, Blob, Head, Location, Row, RunRow, Turn, Unforeseen, Writing

_LOOK_SECONDS = 0.02
"""How old the answer to *has anybody written* may be."""
_CLOCK_SECONDS = 10.0
_MOST_KNOWN = 1024
_FORGET_SECONDS = 60.0
"""After how long nobody looks after a chain that nobody asks about."""
_DURABLE = (
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),"
    " current_setting('server_encoding'), pg_is_in_recovery(),"
    " EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'responder' AND tablename = 'meta')"
)
"""Whether there are tables is looked up where they are listed: `to_regclass` answers from the session's memory, and who
waited for another that made them would still be told that there are none."""
_TURN = (
    "SELECT run.run, run.incident, run.playbook, run.state, run.epoch, run.wake_at, run.executor, run.heartbeat,"
    " head.seq, head.hash, head.mac, entry.*, CASE WHEN entry.seq = head.seq THEN (SELECT json_agg("
    "json_build_array(blob, kind, encode(wrapped_key, 'hex'), encode(ciphertext, 'hex')) ORDER BY number)"
    " FROM responder.blobs WHERE incident = run.incident AND kind = ANY(%s)) END"
    " FROM responder.runs run LEFT JOIN responder.heads head USING (incident)"
    " LEFT JOIN responder.entries entry USING (incident) WHERE run.run = %s ORDER BY entry.seq"
)
"""The secrets stand beside the last entry, and are no join: until the server has looked at the tables' sizes it would
read all that there are."""


class PostgresStore:
    """One PostgreSQL database: commits are on disk before they return, and chains do not wait for one another."""

    def __init__(self, location: Location, *, patience: float = WAIT_SECONDS, migrate: bool = False) -> None:
        self._patience = patience
        """For how many seconds to ask what became of a transaction whose answer was lost."""
        self.place = str(location)
        self.conninfo = location.url
        """How to connect; it may hold a password, and is shown to nobody."""
        self.on_wake: Callable[[Sequence[str]], None] = lambda _: None
        """Called after a commit with the runs that want to go on because of it."""
        self.migrated_from: int | None = None
        """The format that it had, where opening it brought it to this version's."""
        self._pool = Pool(parameters(location), self.place)
        self._here = threading.local()
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._asked: dict[str, float] = {}
        """The chains that somebody asks about, and when last."""
        self._seen: dict[str, int] = {}
        self._known: OrderedDict[str, RunRow] = OrderedDict()
        """The rows of runs that this process saw or wrote last."""
        self._clock = (float("-inf"), 0.0)
        """When the server's clock was read, by our own, and what it said."""
        try:
            with named(self.place), self._pool.taken() as connection:
                self._open(connection, migrate=migrate)
        except BaseException:
            self.close()
            raise

    def _open(self, connection: Connection, *, migrate: bool) -> None:
        """Check what the server promises and the tables' format; make them where there are none."""
        *promises, known = connection.execute(_DURABLE).fetchone() or ()
        problem = undurable(*promises)
        if problem:
            raise RecordError(
                f"What this server writes may be lost: {problem}", where=self.place, remedy="set it back there"
            )
        self.fresh: bool = not known
        """Whether there was no record yet."""
        found = 0 if self.fresh else format_at(connection)
        if found > FORMAT or (known and not found):
            raise RecordError(
                f"The store has format {found or None}, this version reads up to {FORMAT}",
                where=self.place,
                remedy="use a newer responder",
            )
        if 0 < found < FORMAT and not migrate:
            raise RecordError(
                f"The store has format {found}, this version writes {FORMAT}",
                where=self.place,
                remedy="stop older responders on every host, then `responder store migrate`",
            )
        if found < FORMAT:
            self._migrate(connection)

    def _migrate(self, connection: Connection) -> None:
        """Make the tables, or bring them to this version's format, all or nothing."""
        with connection.transaction():
            connection.execute(LOCK_CHAIN, ("tables",))  # two hosts may begin at the same time
            *_, known = connection.execute(_DURABLE).fetchone() or ()
            found = format_at(connection) if known else 0
            for number in range(found + 1, FORMAT + 1):
                connection.execute(STEPS[number])
            connection.execute(
                "INSERT INTO responder.meta VALUES ('format', %s)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (str(FORMAT),),
            )
        self.migrated_from = found if 0 < found < FORMAT else None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction."""
        with named(self.place), self._pool.taken(begin=True) as connection:
            transaction = Transaction(connection)
            self._here.transaction = transaction
            try:
                with named(self.place):  # what is wrong inside is told to whoever is inside
                    yield transaction
                self._commit(transaction)
            except BaseException:
                with suppress(psycopg.Error):  # a connection that is gone has rolled back already
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._here.transaction = None
        if transaction.woken:
            self.on_wake(sorted(transaction.woken))

    def attempt(self, incident: str, head: Head, fill: Callable[[Writing], None]) -> bool:
        """Write what `fill` writes with one statement, if the end of the chain is `head`; else nothing, and False."""
        statement = Statement(incident, head, self._known)
        try:
            fill(statement)
            query, values = statement.sql()
        except (Unforeseen, ResponderError):  # what is believed may be wrong: only who looks may refuse
            return False
        with named(self.place), self._pool.taken() as connection:
            try:
                written = connection.execute(query, values).fetchone() is not None
                lost = False
            except psycopg.Error:
                if not connection.closed:
                    raise
                written = lost = True
        if lost:
            self._refuse_lost(statement.chains)
        if written:
            self._remember(statement.runs, statement.chains)
        return written

    def _commit(self, transaction: Transaction) -> None:
        """Commit; where the answer is lost, read back whether it happened."""
        try:
            transaction.commit()
        except psycopg.Error:
            if not transaction.lost:
                raise
            self._refuse_lost(transaction.chains)
        self._remember(transaction.runs, transaction.chains)

    def _refuse_lost(self, chains: Mapping[str, Head]) -> None:
        """Raise RecordError unless a transaction whose answer was lost took effect."""
        if not self._happened(chains):
            raise RecordError(
                "The connection to the record was lost, and nothing was written",
                where=self.place,
                remedy="nothing more is done; see that the server runs, then `responder resume`",
            ) from None

    def _remember(self, runs: Mapping[str, RunRow], chains: Mapping[str, Head]) -> None:
        """Keep in mind what was written."""
        with self._looking:
            for incident, head in chains.items():
                self._seen[incident] = max(self._seen.get(incident, 0), head.seq)
        for row in runs.values():
            self._know(row)

    def _know(self, row: RunRow) -> None:
        with self._looking:
            self._known[row.run] = row
            self._known.move_to_end(row.run)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def _happened(self, chains: Mapping[str, Head]) -> bool:
        """Tell whether a transaction whose answer was lost took effect. RecordError where that cannot be read back."""
        until = time.monotonic() + self._patience
        while chains:
            incident, head = next(iter(chains.items()))
            try:
                with self._pool.taken(begin=True) as connection:
                    reading = Transaction(connection)
                    reading.all(LOCK_CHAIN, incident)  # the lost one may still be at work: it holds one of these
                    reading.head(incident)
                    query = "SELECT hash FROM responder.entries WHERE incident = %s AND seq = %s"
                    found = reading.all(query, incident, head.seq)
                    connection.execute("ROLLBACK")
                    return found == [(head.hash,)]
            except psycopg.Error:
                if time.monotonic() > until:
                    break
                time.sleep(0.2)
        raise RecordError(
            "The connection to the record was lost while it wrote, and it cannot be told whether it did",
            where=self.place,
            remedy="nothing more is done; once the server answers, `responder resume` goes on from what is there",
        )

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        transaction: Transaction | None = getattr(self._here, "transaction", None)
        if transaction is not None:
            return transaction.all(query, *values)
        with named(self.place):
            try:
                with self._pool.taken() as connection:
                    return connection.execute(query, values).fetchall()
            except psycopg.Error:
                if not self._pool.cut_off():
                    raise
                # An idle connection was cut off in the meantime; what is asked for here may be asked twice.
                with self._pool.taken() as connection:
                    return connection.execute(query, values).fetchall()

    def meta(self, name: str) -> str | None:
        """Return a fact about the store itself."""
        found = self._all("SELECT value FROM responder.meta WHERE key = %s", name)
        return str(found[0][0]) if found else None

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain, as it is kept apart."""
        found = self._all(HEAD, incident)
        return Head(*found[0]) if found else None

    def chain(self, incident: str) -> tuple[Head | None, list[Row]]:
        """Return the end of a chain as it is kept apart, and its entries, both as of one moment."""
        query = (
            "SELECT heads.seq, heads.hash, heads.mac, entries.*"
            " FROM (SELECT * FROM responder.heads WHERE incident = %s) heads"
            " FULL JOIN (SELECT * FROM responder.entries WHERE incident = %s) entries USING (incident)"
            " ORDER BY entries.seq"
        )
        found = self._all(query, incident, incident)
        heads = {Head(*row[:3]) for row in found if row[0] is not None}
        return next(iter(heads), None), [Row(*row[3:]) for row in found if row[3] is not None]

    def turn(self, run: str) -> Turn | None:
        """Return what must be known to go on with a run, with one question."""
        found = self._all(_TURN, list(SECRET_KINDS), run)
        if not found:
            return None
        row = RunRow(*found[0][:8])
        self._know(row)
        head = Head(*found[0][8:11]) if found[0][8] is not None else None
        entries = [Row(*line[11:25]) for line in found if line[12] is not None]
        secrets = [
            Blob(blob, row.incident, kind, Sealed(bytes.fromhex(key), bytes.fromhex(text)))
            for blob, kind, key, text in found[-1][25] or ()
        ]
        return Turn(row, head, entries, secrets)

    def rows(self, incident: str, after: int = 0, events: Sequence[str] = ()) -> list[Row]:
        """Return the entries of a chain with a higher number than `after`, in order; only these `events` if any."""
        query = "SELECT * FROM responder.entries WHERE incident = %s AND seq > %s"
        if events:
            return [
                Row(*row) for row in self._all(f"{query} AND event = ANY(%s) ORDER BY seq", incident, after, [*events])
            ]
        return [Row(*row) for row in self._all(f"{query} ORDER BY seq", incident, after)]

    def incidents(self) -> list[str]:
        """Return the ids of all incidents, oldest first."""
        return [str(row[0]) for row in self._all("SELECT incident FROM responder.heads ORDER BY number")]

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, or those of one incident, oldest first."""
        query = f"SELECT {RUN} FROM responder.runs WHERE incident = %s OR %s = '' ORDER BY number"  # noqa: S608
        return [RunRow(*row) for row in self._all(query, incident, incident)]

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""
        found = self._all(f"SELECT {RUN} FROM responder.runs WHERE run = %s", run)  # noqa: S608 - constants
        if found and getattr(self._here, "transaction", None) is None:
            self._know(RunRow(*found[0]))
        return RunRow(*found[0]) if found else None

    def beat(self, run: str, executor: str, at: float) -> None:
        """Note that this executor is alive, if it has the run; not an entry."""
        update = "UPDATE responder.runs SET heartbeat = %s WHERE run = %s AND executor = %s RETURNING run"
        self._all(update, at, run, executor)

    def blob(self, blob: str) -> Blob | None:
        """Return a sealed value."""
        found = self._all(f"SELECT {BLOB} FROM responder.blobs WHERE blob = %s", blob)  # noqa: S608 - constants
        return _blob(found[0]) if found else None

    def blobs(self, incident: str, *kinds: str) -> list[Blob]:
        """Return all sealed values of an incident, or those of some kinds."""
        query = (
            f"SELECT {BLOB} FROM responder.blobs WHERE incident = %s AND (%s OR kind = ANY(%s))"  # noqa: S608
            " ORDER BY number"
        )
        return [_blob(row) for row in self._all(query, incident, not kinds, list(kinds))]

    def locked(self, run: str) -> list[str]:
        """Return the identifiers that a run has locked."""
        return [
            str(row[0]) for row in self._all("SELECT identifier FROM responder.locks WHERE run = %s ORDER BY 1", run)
        ]

    def holder(self, identifiers: Sequence[str]) -> str | None:
        """Return the run that holds any of these identifiers."""
        held = dict(
            self._all("SELECT identifier, run FROM responder.locks WHERE identifier = ANY(%s)", list(identifiers))
        )
        return next((held[name] for name in identifiers if name in held), None)

    def now(self) -> float:
        """Return the seconds since the Unix epoch by the server's clock, which is asked every few seconds."""
        asked, told = self._clock
        if time.monotonic() - asked > _CLOCK_SECONDS:
            before = time.monotonic()
            ((told,),) = self._all("SELECT extract(epoch FROM clock_timestamp())::float8")
            asked = (before + time.monotonic()) / 2
            self._clock = asked, told
        return float(told) + time.monotonic() - asked

    def version(self, incident: str) -> int:
        """Return a number that changes soon after somebody has written to a chain.

        One question every 20 ms at most, for all chains that this process asks about.
        """
        with self._looking:
            now = time.monotonic()
            due = incident not in self._asked or now - self._looked >= _LOOK_SECONDS
            self._asked[incident] = now
            if due:
                self._looked = now
                self._asked = {name: at for name, at in self._asked.items() if now - at < _FORGET_SECONDS}
            asked = list(self._asked)
        if due:  # without the lock: who has a connection and wants the lock would wait for who has it and wants one
            found = dict(self._all("SELECT incident, seq FROM responder.heads WHERE incident = ANY(%s)", asked))
            with self._looking:
                known = {name: self._seen.get(name, 0) for name in self._asked}
                self._seen = {name: max(known[name], found.get(name, 0)) for name in known}
        return self._seen.get(incident, 0)

    def weakness(self) -> str:
        """Return why nothing is taken, or what was taken may be lost; empty where nothing says so.

        A server that is read-only, as some are made when their disk is full, can be opened: the record can be read.
        """
        ((read_only,),) = self._all("SELECT current_setting('transaction_read_only')")
        weak = undurable(*self._all(_DURABLE)[0][:5])
        return weak or ("it takes nothing, its transactions are read-only" if read_only == "on" else "")

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _blob(row: tuple[Any, ...]) -> Blob:
    blob, incident, kind, wrapped_key, ciphertext = row
    return Blob(blob, incident, kind, Sealed(bytes(wrapped_key), bytes(ciphertext)))


def has_record(location: Location) -> bool:
    """Tell whether a database holds a record; nothing is made there."""
    with named(str(location)), psycopg.connect(**parameters(location)) as connection:
        found = connection.execute("SELECT to_regclass('responder.meta') IS NOT NULL").fetchone()
        return bool(found and found[0])


def undurable(fsync: str, full_page_writes: str, synchronous_commit: str, encoding: str, standby: bool) -> str:
    """Return which of a server's settings breaks its promise that what was committed stays; empty where none does."""
    if standby:
        return "it is a standby, which cannot be written"
    if fsync != "on" or full_page_writes != "on":
        return "fsync or full_page_writes is off"
    if synchronous_commit not in {"on", "remote_apply"}:
        return f"synchronous_commit is {synchronous_commit}"
    return "" if encoding == "UTF8" else f"its encoding is {encoding}, not UTF8"
