"""What came of a step, as it is kept: what its source drops first is sealed first."""

from datetime import UTC, datetime, timedelta

from responder.action import Evidence, Outcome
from responder.keeping import Place, kept
from responder.redaction import Redactor
from responder.sealing import Sealer
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
