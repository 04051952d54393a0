"""The record: chained, signed, redacted, shared by threads and processes, and tampering shows."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from conftest import BOTH

from responder.chain import verify
from responder.clock import SystemClock
from responder.entry import Draft, Fence
from responder.errors import RecordError, RequestError, StaleExecutor
from responder.postgres import PostgresStore
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.sqlite import SQLiteStore
from responder.store import Blob, Head, Location, RunRow, Store, Writing, head_mac
from responder.ticket import Ticket
from responder.timeline import Timeline, withhold

KEY = os.urandom(32)


pytestmark = pytest.mark.parametrize("record", BOTH, indirect=True)


def store_at(record: str) -> Store:
    if "://" not in record:
        return SQLiteStore(Path(record))
    return PostgresStore(Location(url=record))


@pytest.fixture
def store(record: str) -> Iterator[Store]:
    opened = store_at(record)
    yield opened
    opened.close()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(KEY, Redactor())


def timeline(store: Store, sealer: Sealer, count: int = 0) -> Timeline:
    made = Timeline(store, sealer, SystemClock(), "inc-1")
    for number in range(count):
        made.append(Draft("noted", {"number": number}))
    return made


def tamper(record: str, statement: str) -> None:
    """Change what is stored behind our back, as whoever can write the file or the database could."""
    if "://" in record:
        with psycopg.connect(record, options="-c search_path=responder") as connection:
            assert connection.execute(statement).rowcount > 0
        return
    with sqlite3.connect(record) as database:
        assert database.execute(statement).rowcount > 0
    database.close()


def test_a_chain_that_nobody_touched_verifies(store: Store, sealer: Sealer) -> None:
    timeline(store, sealer, 5)

    assert [] == verify(store, sealer, "inc-1")


def test_what_a_turn_needs_is_read_as_it_stands(store: Store, sealer: Sealer) -> None:
    record = timeline(store, sealer, 3)
    run = RunRow("run-1", "inc-1", "p", wake_at="now")
    sealed = {name: sealer.seal(sealer.secret(f"value {name}"), name) for name in ("b", "a", "proof", "elsewhere")}

    def begin(writing: Writing) -> None:
        writing.put_run(run)
        for name, kind in (("b", "leaked"), ("a", "issued"), ("proof", "evidence")):
            writing.put_blob(Blob(name, "inc-1", kind, sealed[name]))
        writing.put_blob(Blob("elsewhere", "inc-2", "leaked", sealed["elsewhere"]))

    record.append(Draft("started", run="run-1"), also=begin)

    turn = store.turn("run-1")

    assert turn is not None
    assert (run, *store.chain("inc-1")) == turn[:3]
    assert [Blob("b", "inc-1", "leaked", sealed["b"]), Blob("a", "inc-1", "issued", sealed["a"])] == turn.secrets
    assert [] == Timeline(store, sealer, SystemClock(), "inc-1").examine(turn)
    assert store.turn("run-2") is None


def test_a_turn_without_secrets_or_entries_is_read_as_well(store: Store) -> None:
    with store.write() as writing:
        writing.put_run(RunRow("run-1", "inc-1", "p"))

    assert (RunRow("run-1", "inc-1", "p"), None, [], []) == store.turn("run-1")


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        pytest.param(
            "UPDATE entries SET payload = replace(payload, '2', '3') WHERE seq = 3", "entry 3", id="a byte of the facts"
        ),
        pytest.param("UPDATE entries SET actor = 'mallory' WHERE seq = 3", "entry 3", id="the actor"),
        pytest.param("UPDATE entries SET at = '2020-01-01T00:00:00+00:00' WHERE seq = 3", "entry 3", id="the time"),
        pytest.param("UPDATE entries SET salt = 'ff' WHERE seq = 3", "entry 3", id="the salt"),
        pytest.param("UPDATE entries SET mac = 'ff' WHERE seq = 3", "entry 3", id="the signature"),
        pytest.param(
            "UPDATE entries SET payload = NULL, salt = NULL WHERE seq = 3", "entry 3", id="the facts are gone"
        ),
        pytest.param("DELETE FROM entries WHERE seq = 3", "entry 3", id="a row is cut out"),
        pytest.param("DELETE FROM entries WHERE seq = 5", "entry 5", id="the last row is cut off"),
        pytest.param("UPDATE heads SET seq = 4", "head", id="the note of the last entry"),
    ],
)
def test_tampering_is_found_and_named(record: str, store: Store, sealer: Sealer, statement: str, place: str) -> None:
    timeline(store, sealer, 5)
    tamper(record, statement)

    problems = verify(store, sealer, "inc-1")

    assert place in problems[0].where


def test_a_row_written_by_hand_is_found(store: Store, sealer: Sealer) -> None:
    """The forger knows every algorithm, and lacks the key."""
    timeline(store, sealer, 3)
    forger = Sealer(os.urandom(32), Redactor())
    timeline(store, forger, 1)

    problems = verify(store, sealer, "inc-1")

    assert "inc-1 entry 4" == problems[0].where
    assert "not written by us" in problems[0].what


def test_a_chain_that_was_rolled_back_lacks_the_entry_that_left_the_house(store: Store, sealer: Sealer) -> None:
    entries = timeline(store, sealer, 3).entries()

    assert [] == verify(store, sealer, "inc-1", (3, entries[2].hash))
    assert "inc-1 entry 9" == verify(store, sealer, "inc-1", (9, entries[2].hash))[0].where


def test_who_has_seen_more_than_there_is_now_says_so_and_adds_nothing(
    record: str, store: Store, sealer: Sealer
) -> None:
    """A server fell back on a copy that lacked the newest entries, or somebody cut them with the note of the last."""
    one, other = timeline(store, sealer, 5), timeline(store, sealer)
    head = Head(4, one.entries()[3].hash, head_mac(sealer, "inc-1", 4, one.entries()[3].hash))
    other.entries()
    tamper(record, "DELETE FROM entries WHERE seq = 5")
    tamper(record, f"UPDATE heads SET seq = 4, hash = '{head.hash}', mac = '{head.mac}'")
    assert [] == verify(store, sealer, "inc-1"), "nobody who comes later can see it"

    for who in (one, other):
        with pytest.raises(RecordError, match="entry 5 is missing"):
            who.append(Draft("noted", {"number": 6}))

    assert ["inc-1 entry 5"] == [problem.where for problem in other.examine()]
    assert 4 == len(store.rows("inc-1"))


def test_facts_are_withheld_for_good_and_the_chain_still_verifies(store: Store, sealer: Sealer) -> None:
    record = timeline(store, sealer, 3)

    withhold(record, [2], "a secret was recognised too late", "ann")

    assert [] == verify(store, sealer, "inc-1")
    assert store.rows("inc-1")[1].payload is None
    assert timeline(store, sealer).entries()[1].withheld


def test_secrets_are_struck_out_before_anything_is_hashed_or_stored(store: Store, sealer: Sealer) -> None:
    secret = sealer.secret('quote" back\\slash ' + "z9" * 10)

    timeline(store, sealer).append(
        Draft("noted", {"text": f"it is {secret.reveal()}", "also": [secret], secret.reveal(): 1})
    )

    assert "z9z9" not in str(store.rows("inc-1"))
    assert [] == verify(store, sealer, "inc-1")


def test_many_threads_write_one_chain(store: Store, sealer: Sealer) -> None:
    record = timeline(store, sealer)

    def write() -> None:
        for number in range(20):
            assert number == record.append(Draft("noted", {"number": number}))[0].facts["number"]

    threads = [threading.Thread(target=write) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 400 == len(record.entries())
    assert [] == verify(store, sealer, "inc-1")


def test_two_processes_see_each_others_entries(record: str, store: Store, sealer: Sealer) -> None:
    here = timeline(store, sealer, 2)
    assert 2 == len(here.entries())

    other = store_at(record)
    timeline(other, sealer, 3)
    other.close()

    until = time.monotonic() + 5
    while here.count() < 5 and time.monotonic() < until:
        time.sleep(0.005)
    assert 5 == here.count()
    assert [1, 2, 3, 4, 5] == [entry.seq for entry in here.entries()]


def test_a_stale_executor_cannot_write(store: Store, sealer: Sealer) -> None:
    record = timeline(store, sealer)
    record.append(
        Draft("started", run="run-1"), also=lambda writing: writing.put_run(RunRow("run-1", "inc-1", "p", epoch=2))
    )

    with pytest.raises(StaleExecutor):
        record.append(Draft("intended", run="run-1"), fence=Fence("run-1", 1))
    record.append(Draft("intended", run="run-1"), fence=Fence("run-1", 2))

    assert ["started", "intended"] == [entry.event for entry in record.entries()]


def test_entries_and_what_belongs_to_them_are_stored_together_or_not_at_all(store: Store, sealer: Sealer) -> None:
    record = timeline(store, sealer)

    def fail(writing: object) -> None:
        writing.put_blob(Blob("b", "inc-1", "leaked", sealer.seal_bytes(b"x", "b")))  # type: ignore[attr-defined]
        raise RecordError("disk full")

    with pytest.raises(RecordError):
        record.append(Draft("noted"), also=fail)

    assert [] == record.entries()
    assert store.blob("b") is None


def test_a_sealed_value_opens_only_with_its_key_and_name_and_not_once_shredded(store: Store, sealer: Sealer) -> None:
    sealed = sealer.seal(sealer.secret("value-" + "x" * 20), "b")
    with store.write() as writing:
        writing.put_blob(Blob("b", "inc-1", "leaked", sealed))

    assert "value-" + "x" * 20 == sealer.unseal(sealed, "b").reveal()
    with pytest.raises(RecordError):
        sealer.unseal(sealed, "c")
    with pytest.raises(RecordError):
        Sealer(os.urandom(32), Redactor()).unseal(sealed, "b")
    with store.write() as writing:
        writing.shred("b")
    shredded = store.blob("b")
    assert shredded is not None
    with pytest.raises(RecordError, match="shredded"):
        sealer.unseal(shredded.sealed, "b")


def test_a_lock_is_held_by_one_run_under_all_its_names(store: Store) -> None:
    with store.write() as writing:
        assert writing.lock(["fp:1", "issuer:k1"], "run-1") is None
        assert "run-1" == writing.lock(["issuer:k1", "fp:2"], "run-2")
        writing.unlock("run-1")
        assert writing.lock(["issuer:k1", "fp:2"], "run-2") is None


def together(record: Timeline, *jobs: Callable[[], object]) -> list[BaseException | None]:
    """Let several callers append at once: all stand in the queue before anybody commits."""
    results: list[BaseException | None] = [None] * len(jobs)

    def do(number: int) -> None:
        try:
            jobs[number]()
        except BaseException as error:  # noqa: BLE001 - it is the result
            results[number] = error

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(jobs))]
    with record._commit_lock:
        for thread in threads:
            thread.start()
        while len(record._queue) < len(jobs):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    return results


def test_what_is_wrong_with_one_callers_entry_is_told_to_no_other(store: Store, sealer: Sealer) -> None:
    """A run that was slower, or an adopter that lost, must not make an outcome look unrecorded."""
    record = timeline(store, sealer)

    def slower(writing: object) -> None:
        raise RequestError("another run was faster")

    def lost(writing: object) -> None:
        raise StaleExecutor("another executor was faster")

    errors = together(
        record,
        lambda: record.append(Draft("applied", {"n": 1})),
        lambda: record.append(Draft("started"), also=slower),
        lambda: record.append(Draft("adopted"), also=lost),
        lambda: record.append(Draft("bad", {(1, 2): "not a key of JSON"})),  # type: ignore[dict-item]
        lambda: record.append(Draft("applied", {"n": 2})),
    )

    assert [type(None), RequestError, StaleExecutor, TypeError, type(None)] == [type(error) for error in errors]
    assert ["applied", "applied"] == [entry.event for entry in timeline(store, sealer).entries()]
    assert [1, 2] == [entry.seq for entry in record.entries()]
    assert [] == verify(store, sealer, "inc-1")


def test_an_interrupted_leader_tells_nobody_that_their_entry_is_on_disk(store: Store, sealer: Sealer) -> None:
    """Ctrl-C strikes the thread that commits for all; an intent that is not on disk must not look as if it were."""
    record = timeline(store, sealer)

    def interrupted(writing: object) -> None:
        raise KeyboardInterrupt

    errors = together(
        record,
        lambda: record.append(Draft("intended")),
        lambda: record.append(Draft("noted"), also=interrupted),
        lambda: record.append(Draft("intended")),
    )

    assert all(error is not None for error in errors)
    assert [] == timeline(store, sealer).entries()
    assert 1 == record.append(Draft("noted"))[0].seq


class Interrupted:
    """Stands for a wait that a person's Ctrl-C ends."""

    def acquire(self) -> None:
        raise KeyboardInterrupt

    def locked(self) -> bool:
        return False

    def release(self) -> None:
        pass


@pytest.mark.parametrize("leads", [True, False], ids=["whose turn it was to write", "who merely waited"])
def test_nobody_waits_for_a_caller_who_left(store: Store, sealer: Sealer, leads: bool) -> None:
    record = timeline(store, sealer)
    record._led = True  # somebody else writes at the moment
    ticket = Ticket([Draft("noted")], None, None, turn=Interrupted())  # type: ignore[arg-type]
    record._queue.append(ticket)
    later = threading.Thread(target=lambda: record.append(Draft("noted", {"later": True})))
    later.start()
    while len(record._queue) < 2:
        time.sleep(0.001)
    if leads:
        with record._queue_lock:
            record._hand_on()

    with pytest.raises(KeyboardInterrupt):
        record._wait(ticket)
    if not leads:
        with record._queue_lock:
            record._hand_on()

    later.join(5)
    assert not later.is_alive()
    assert [{"later": True}] == [entry.facts for entry in record.entries()]


def test_what_was_left_for_later_and_what_must_be_on_disk_now_meet(store: Store, sealer: Sealer) -> None:
    """Threads write at once, leave things for later, and flush; nothing is lost, doubled or waited for in vain."""
    record = timeline(store, sealer)
    with store.write() as writing:
        writing.put_run(RunRow("run-1", "inc-1", "p", epoch=1))
    fence = Fence("run-1", 1)

    def write(thread: int) -> None:
        for number in range(20):
            record.soon(Draft("began", {"of": [thread, number]}), fence=fence)
            if number % 3 == 0:
                record.flush()
            record.append(Draft("done", {"of": [thread, number]}), fence=fence)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    record.flush()

    assert not any(thread.is_alive() for thread in threads)
    assert 480 == len({(entry.event, *entry.facts["of"]) for entry in record.entries()}) == len(record.entries())
    assert [] == verify(store, sealer, "inc-1")


def test_facts_are_read_as_they_were_written_however_deep_and_whatever_they_hold(store: Store, sealer: Sealer) -> None:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    facts = {"deep": deep, "large": 2**80, "small": 0.1, "text": '\u2028 \\ " é', "none": None, "no": False}
    written = timeline(store, sealer).append(Draft("noted", facts))

    assert facts == written[0].facts == timeline(store, sealer).entries()[0].facts


def test_half_a_character_from_a_server_does_not_stop_the_record(store: Store, sealer: Sealer) -> None:
    timeline(store, sealer).append(Draft("noted", {"text": "a\ud800b"}))

    assert "a?b" == timeline(store, sealer).entries()[0].facts["text"]
    assert [] == verify(store, sealer, "inc-1")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE entries SET payload = 'no JSON' WHERE seq = 3", id="facts that are no JSON"),
        pytest.param("UPDATE entries SET at = 'yesterday' WHERE seq = 3", id="a time that is none"),
        pytest.param("UPDATE entries SET payload = x'00ff', salt = 7 WHERE seq = 3", id="bytes and numbers for text"),
        pytest.param(
            "UPDATE entries SET event = 'withheld', payload = '{\"entries\": 3}' WHERE seq = 3",
            id="a withholding that is none",
        ),
        pytest.param("UPDATE entries SET seq = x'00ff' WHERE seq = 3", id="bytes for a number"),
        pytest.param("UPDATE heads SET seq = x'00ff'", id="bytes for the number of the last entry"),
        pytest.param("DELETE FROM heads", id="the note of the last entry is gone"),
        pytest.param("DELETE FROM entries", id="every entry is gone"),
    ],
)
def test_what_cannot_even_be_read_is_named_and_never_a_traceback(
    record: str, store: Store, sealer: Sealer, statement: str
) -> None:
    if "x'00ff'" in statement and "://" in record:
        pytest.skip("PostgreSQL lets nobody put bytes where text belongs")
    timeline(store, sealer, 5)
    tamper(record, statement)

    problems = verify(store, sealer, "inc-1")

    assert [] != problems
    places = []
    try:
        timeline(store, sealer).entries()
    except RecordError as error:
        places.append(error.where)
    assert places in ([], ["inc-1 entry 3"])
