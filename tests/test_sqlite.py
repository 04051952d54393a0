"""What holds for the file alone."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from responder.clock import SystemClock
from responder.entry import Draft
from responder.errors import RecordError
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.sqlite import SQLiteStore
from responder.store import Head, Row
from responder.timeline import Timeline


def test_a_commit_that_fails_leaves_nothing_half_written_to_be_seen(tmp_path: Path) -> None:
    class FullDisk(SQLiteStore):
        full = False

        def put_entries(self, rows: Sequence[Row], head: Head) -> None:
            super().put_entries(rows, head)
            if self.full:
                self._db.execute("ROLLBACK")  # what SQLite does by itself when the disk is full
                raise sqlite3.OperationalError("database or disk is full")

    store = FullDisk(tmp_path / "r.db")
    sealer = Sealer(os.urandom(32), Redactor())
    record = Timeline(store, sealer, SystemClock(), "inc-1")
    record.append(Draft("noted"))
    store.full = True

    with pytest.raises(RecordError, match="disk is full"):
        record.append(Draft("noted"))
    store.full = False

    assert [1, 2] == [entry.seq for entry in (record.append(Draft("noted")), record.entries())[1]]
