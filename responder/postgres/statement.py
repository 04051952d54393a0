"""One statement that writes all that an executor has to say, where the record is as it believes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from responder.postgres.transaction import BLOB, TYPES
from responder.store import Blob, Head, Row, RunRow, Unforeseen

_STILL = (
    "EXISTS (SELECT FROM responder.runs WHERE run = %s AND incident = %s AND state = %s AND epoch = %s"
    " AND executor = %s)"
)
_ADDED = (
    "INSERT INTO responder.entries SELECT row.* FROM moved, json_to_recordset(%s) AS row ("  # noqa: S608 - constants
    + ", ".join(f"{name} {kind}" for name, kind in zip(Row._fields, TYPES, strict=True))
    + ")"
)
"""One value, however many entries: what is written so often must be one text, which is read and planned once. (psycopg
keeps no text of more than 50 values.)"""
_SEALED = (
    f"INSERT INTO responder.blobs ({BLOB}) SELECT {BLOB} FROM moved, unnest(%s::text[], %s::text[], %s::text[],"  # noqa: S608
    f" %s::bytea[], %s::bytea[]) WITH ORDINALITY AS row ({BLOB}, place) ORDER BY place ON CONFLICT DO NOTHING"
)
"""One part for all of them: the parts of a statement are done in no order, and what is put first is numbered first."""
_RUN = (
    "UPDATE responder.runs SET state = %s, epoch = %s, wake_at = %s, executor = %s, heartbeat = %s FROM moved"
    " WHERE run = %s"
)


class Statement:
    """Collects what is written, as a transaction would do it, and reads nothing.

    An ordinary transaction goes to the server and back half a dozen times before it ends. Here everything goes at
    once: the statement moves the end of the chain from where it is believed to be, only if the runs are what they are
    believed to be, and all else hangs on that. Who adopts a run moves the chain's end as well, so that a stale executor
    writes nothing. What cannot be said in this way raises Unforeseen; then an ordinary transaction does it.
    """

    def __init__(self, incident: str, head: Head, known: Mapping[str, RunRow]) -> None:
        self._incident = incident
        self._believed = head
        self._known = known
        self._asked: dict[str, RunRow] = {}
        self.runs: dict[str, RunRow] = {}
        """The rows of runs that it replaces."""
        self.chains: dict[str, Head] = {}
        """The end of the chain that it adds to."""
        self._rows: Sequence[Row] = ()
        self._blobs: dict[str, Blob] = {}
        self._more: list[tuple[str, tuple[object, ...]]] = []
        """Whatever else hangs on it; its parts see nothing of one another."""

    def head(self, incident: str) -> Head:
        """Return where the end of the chain is believed to be."""
        if incident != self._incident:
            raise Unforeseen
        return self._believed

    def run(self, run: str) -> RunRow:
        """Return what a run's row is believed to be."""
        if run in self.runs:
            return self.runs[run]
        row = self._known.get(run)
        if row is None or row.incident != self._incident:
            raise Unforeseen
        return self._asked.setdefault(run, row)

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        """Add entries to the end of the chain."""
        self._rows, self.chains = rows, {self._incident: head}

    def put_run(self, row: RunRow) -> None:
        """Replace the row of a run that was asked for."""
        if row.run not in self._asked:
            raise Unforeseen
        self.runs[row.run] = row

    def put_blob(self, blob: Blob) -> None:
        """Add a sealed value; adding the same one again changes nothing."""
        self._blobs.setdefault(blob.blob, blob)

    def shred(self, blob: str) -> None:
        """Drop the key of a sealed value for good."""
        if blob in self._blobs:
            raise Unforeseen
        self._more.append(("UPDATE responder.blobs SET wrapped_key = '' FROM moved WHERE blob = %s", (blob,)))

    def unlock(self, run: str) -> None:
        """Give back every lock of a run."""
        self._more.append(("DELETE FROM responder.locks USING moved WHERE run = %s", (run,)))

    def wake(self, run: str, at: str) -> None:  # noqa: ARG002 - who is woken must be seen as it is
        """Wake nobody: whether a run wants to be woken cannot be believed."""
        if run:
            raise Unforeseen

    def __getattr__(self, name: str) -> NoReturn:
        raise Unforeseen

    def _entries(self) -> tuple[str, tuple[str]]:
        return _ADDED, (json.dumps([row._asdict() for row in self._rows], ensure_ascii=False),)

    def _sealed(self) -> tuple[str, tuple[list[Any], ...]]:
        rows = [
            (one.blob, one.incident, one.kind, one.sealed.wrapped_key, one.sealed.ciphertext)
            for one in self._blobs.values()
        ]
        return _SEALED, tuple(map(list, zip(*rows, strict=True)))

    def sql(self) -> tuple[str, tuple[Any, ...]]:
        """Return the statement and its values; it finds a row where everything was as believed, and was written."""
        if not self._rows:
            raise Unforeseen
        still = "".join(f" AND {_STILL}" for _ in self._asked)
        moved = (
            "UPDATE responder.heads SET seq = %s, hash = %s, mac = %s WHERE incident = %s AND seq = %s AND hash = %s"  # noqa: S608 - constants
            f"{still} RETURNING 1"
        )
        believed = (*self.chains[self._incident], self._incident, self._believed.seq, self._believed.hash)
        asked = tuple(
            value
            for row in self._asked.values()
            for value in (row.run, row.incident, row.state, row.epoch, row.executor)
        )
        parts: list[tuple[str, tuple[Any, ...]]] = [
            (moved, (*believed, *asked)),
            self._entries(),
            *(
                (_RUN, (row.state, row.epoch, row.wake_at, row.executor, row.heartbeat, row.run))
                for row in self.runs.values()
            ),
            *([self._sealed()] if self._blobs else []),
            *self._more,
        ]
        names = ("moved", *(f"part{number}" for number in range(1, len(parts))))
        text = ", ".join(f"{name} AS ({part})" for name, (part, _) in zip(names, parts, strict=True))
        return f"WITH {text} SELECT 1 FROM moved", tuple(value for _, values in parts for value in values)  # noqa: S608
