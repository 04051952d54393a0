"""What came of a step, as it is kept: what its source drops first is sealed first."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import BOTH, OpenApp, leaked_value

from responder.action import Evidence, Issued, Outcome
from responder.finding import Exposure, Finding
from responder.keeping import Place, kept
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.sqlite import SQLiteStore
from responder.store import Blob

NOON = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


class Blobs:
    """What is stored, in the order in which it comes."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def put_blob(self, blob: Blob) -> None:
        self.ids.append(blob.blob)


def test_what_its_source_drops_first_is_sealed_first_and_what_nobody_knows_last() -> None:
    place = Place(Sealer(bytes(range(32)), Redactor()), "incident", "run", "step", "log")
    evidence = [
        Evidence(b"page", "a page"),
        Evidence(b"late", "a log", NOON + timedelta(days=90)),
        Evidence(b"soon", "another log", NOON + timedelta(days=1)),
        Evidence(b"other", "another page"),
    ]

    facts, also = kept(place, Outcome(evidence=evidence))
    stored = Blobs()
    assert also is not None
    also(stored)  # type: ignore[arg-type]  # it stores blobs, and nothing else

    rows = facts["evidence"]
    assert ["another log", "a log", "a page", "another page"] == [row["about"] for row in rows]
    assert [row["blob"] for row in rows] == stored.ids
    assert (NOON + timedelta(days=1)).isoformat() == rows[0]["kept_until"]
    assert "kept_until" not in rows[-1]


def test_of_two_values_that_were_issued_under_one_id_the_later_is_kept(tmp_path: Path) -> None:
    """An issuer whose keys bear their name as id: the first was not as it should be, and the step was tried again."""
    store, sealer = SQLiteStore(tmp_path / "r.db"), Sealer(bytes(range(32)), Redactor())
    place = Place(sealer, "inc", "run", "new", "http")
    told: dict[str, Any] = {}

    for value in ("first-" + "w3Xk" * 6, "later-" + "w3Xk" * 6):
        told, also = kept(place, Outcome(issued=Issued("name", value=sealer.secret(value))))
        with store.write() as writing:
            assert also is not None
            also(writing)

    sealed = store.blob(told["value"]["$secret"])
    assert sealed is not None
    assert told["value"]["fingerprint"] == sealer.unseal(sealed.sealed, sealed.blob).fingerprint


def test_an_id_that_is_the_value_itself_is_stored_nowhere(tmp_path: Path) -> None:
    store, sealer = SQLiteStore(tmp_path / "r.db"), Sealer(bytes(range(32)), Redactor())
    value = "issued-" + "w3Xk" * 6

    told, also = kept(Place(sealer, "inc", "run", "new", "http"), Outcome(issued=Issued(value, sealer.secret(value))))
    with store.write() as writing:
        assert also is not None
        also(writing)

    assert store.blob(sealer.redactor.scrub_data(told)["value"]["$secret"]) is not None
    assert value not in str([store.blobs("inc"), store.locked("run")])


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_a_report_whose_id_is_the_value_itself_stores_it_nowhere(opened: OpenApp, place: Path) -> None:
    (place / "playbooks" / "copying.yaml").write_text(COPYING)
    app = opened()
    value = "found-" + "w3Xk" * 6
    finding = Finding(value=app.means.sealer.secret(value), key_id=value, exposure=Exposure(kind="public"))

    begun = app.begin(app.library.load("copying"), finding, {})

    held = app.means.store.locked(begun.run)
    assert app.state(begun.run).credential.identifiers == tuple(sorted(held))
    assert value not in str([held, app.means.store.rows(begun.incident), app.means.store.blobs(begun.incident)])


COPYING = """\
playbook: copying
title: t
version: 1
steps:
  - id: copy
    phase: analysis
    action: clockwork.copy
    with: {logs: {a page: null, an audit log: 180d, a commit log: null, an event history: 90d, clones: 7d}}
"""


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_a_step_that_copies_logs_of_mixed_ages_seals_first_what_expires_first(opened: OpenApp, place: Path) -> None:
    (place / "playbooks" / "copying.yaml").write_text(COPYING)
    app = opened()
    finding = Finding(value=app.means.sealer.secret(leaked_value()), exposure=Exposure(kind="public"))
    begun = app.begin(app.library.load("copying"), finding, {})
    app.drive(begun.run)

    rows = app.state(begun.run).unit("copy").facts["evidence"]
    sealed = [one.blob for one in app.means.store.blobs(begun.incident, "evidence")]
    until = [datetime.fromisoformat(row["kept_until"]) for row in rows if "kept_until" in row]
    assert ["clones", "an event history", "an audit log", "a commit log", "a page"] == [row["about"] for row in rows]
    assert [row["blob"] for row in rows] == sealed
    assert 3 == len(until)
    assert sorted(until) == until
