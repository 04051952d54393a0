"""What holds for a record on a server alone: lost answers, locks between hosts, keys, passwords."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
from cli_bench import typed
from conftest import OpenApp
from cutting import Way
from postgresql import Server
from postgresql import server as private_server

from responder.chain import verify
from responder.clock import SystemClock
from responder.entry import Draft, Fence
from responder.errors import RecordError, SettingsError, StaleExecutor
from responder.postgres import PostgresStore, has_record
from responder.postgres.connections import Connection
from responder.postgres.transaction import Transaction
from responder.redaction import Redactor
from responder.sealing import Sealed, Sealer
from responder.store import KEY_CHECK, Blob, Location, RunRow, Writing
from responder.timeline import Timeline

pytestmark = pytest.mark.parametrize("record", ["postgres"], indirect=True)


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(os.urandom(32), Redactor())


@pytest.fixture
def way(record: str) -> Iterator[Way]:
    made = Way(record)
    yield made
    made.close()


@pytest.fixture
def store(way: Way) -> Iterator[PostgresStore]:
    opened = PostgresStore(Location(url=way.url), patience=1.0)
    yield opened
    opened.close()


def timeline(store: PostgresStore, sealer: Sealer, incident: str = "inc-1") -> Timeline:
    return Timeline(store, sealer, SystemClock(), incident)


# Writing at one go ---------------------------------------------------------------------------------


class OneGo(PostgresStore):
    """Does not open a transaction once it is told so."""

    closed = False

    def write(self) -> AbstractContextManager[Transaction]:
        assert not self.closed, "a transaction was opened"
        return super().write()


RUN = RunRow("run-1", "inc-1", "p", epoch=1)
FENCE = Fence("run-1", 1)


def began(store: PostgresStore, sealer: Sealer) -> Timeline:
    record = timeline(store, sealer)

    def begin(writing: Writing) -> None:
        writing.put_run(RUN)
        assert writing.lock(["key"], "run-1") is None
        writing.put_blob(Blob("old", "inc-1", "evidence", Sealed(b"k", b"c")))

    record.append(Draft("started", run="run-1"), also=begin)
    return record


def test_whoever_knows_where_the_chain_ends_writes_everything_at_one_go(record: str, sealer: Sealer) -> None:
    store = OneGo(Location(url=record))
    written = began(store, sealer)
    store.closed = True

    def end(writing: Writing) -> None:
        row = writing.run("run-1")
        assert row == RUN
        writing.put_run(row._replace(state="ended", wake_at="w", executor="e", heartbeat=2.0))
        assert row._replace(state="ended", wake_at="w", executor="e", heartbeat=2.0) == writing.run("run-1")
        writing.unlock("run-1")
        writing.wake("", "now")
        writing.put_blob(Blob("new", "inc-1", "issued", Sealed(b"k", b"c")))
        writing.put_blob(Blob("new", "inc-1", "issued", Sealed(b"other", b"c")))
        writing.shred("old")

    written.append(Draft("applied", run="run-1"), Draft("ended", run="run-1"), fence=FENCE, also=end)

    other = PostgresStore(Location(url=record))
    assert ["started", "applied", "ended"] == [entry.event for entry in timeline(other, sealer).entries()]
    assert [] == verify(other, sealer, "inc-1")
    assert RUN._replace(state="ended", wake_at="w", executor="e", heartbeat=2.0) == other.run("run-1")
    assert [] == other.locked("run-1")
    assert {"old": b"", "new": b"k"} == {blob.blob: blob.sealed.wrapped_key for blob in other.blobs("inc-1")}
    other.close()
    store.close()


def test_whoever_did_not_hear_of_another_entry_looks_and_goes_on(record: str, sealer: Sealer) -> None:
    here, there = (PostgresStore(Location(url=record)) for _ in range(2))
    ours = began(here, sealer)
    timeline(there, sealer).append(Draft("noted"))

    ours.append(Draft("intended", run="run-1"), fence=FENCE)

    assert ["started", "noted", "intended"] == [entry.event for entry in ours.entries()]
    assert [] == verify(here, sealer, "inc-1")
    here.close()
    there.close()


@pytest.mark.parametrize("told", [True, False], ids=["with an entry", "with the row alone"])
def test_whoever_was_replaced_writes_nothing_at_one_go(record: str, sealer: Sealer, told: bool) -> None:
    here, there = (PostgresStore(Location(url=record)) for _ in range(2))
    ours = began(here, sealer)
    if told:
        timeline(there, sealer).append(Draft("adopted"), also=lambda writing: writing.put_run(RUN._replace(epoch=2)))
    else:
        with there.write() as writing:
            writing.put_run(RUN._replace(epoch=2))

    with pytest.raises(StaleExecutor):
        ours.append(Draft("intended", run="run-1"), fence=FENCE)

    assert "intended" not in [entry.event for entry in timeline(there, sealer).entries()]
    here.close()
    there.close()


@pytest.mark.parametrize(
    ("act", "seen", "expected"),
    [
        pytest.param(
            lambda writing: writing.put_run(RunRow("run-2", "inc-1", "p")),
            lambda store: [row.run for row in store.runs()],
            ["run-1", "run-2"],
            id="a new run",
        ),
        pytest.param(
            lambda writing: writing.wake("run-1", "2026-01-01"),
            lambda store: [row.wake_at for row in store.runs()],
            ["2026-01-01"],
            id="a run that is woken",
        ),
        pytest.param(
            lambda writing: writing.lock(["another"], "run-1"),
            lambda store: store.locked("run-1"),
            ["another", "key"],
            id="a lock",
        ),
    ],
)
def test_what_must_be_looked_at_first_is_written_in_a_transaction(
    record: str,
    sealer: Sealer,
    act: Callable[[Writing], None],
    seen: Callable[[PostgresStore], list[str]],
    expected: list[str],
) -> None:
    store = PostgresStore(Location(url=record))
    written = began(store, sealer)

    written.append(Draft("done", run="run-1"), fence=FENCE, also=act)

    assert ["started", "done"] == [entry.event for entry in written.entries()]
    assert seen(store) == expected
    store.close()


# Connections that break ---------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [True, False], ids=["a chain that goes on", "a new chain"])
def test_a_commit_whose_answer_was_lost_counts_when_it_happened(
    way: Way, store: PostgresStore, sealer: Sealer, begun: bool
) -> None:
    record = timeline(store, sealer)
    if begun:
        record.append(Draft("opened"))
    way.cut = "after"

    record.append(Draft("intended"))

    assert [] == verify(store, sealer, "inc-1")
    assert ["opened", "intended"][not begun :] == [entry.event for entry in timeline(store, sealer).entries()]


@pytest.mark.parametrize("begun", [True, False], ids=["a chain that goes on", "a new chain"])
def test_a_commit_that_never_arrived_is_no_entry(way: Way, store: PostgresStore, sealer: Sealer, begun: bool) -> None:
    record = timeline(store, sealer)
    if begun:
        record.append(Draft("opened"))
    way.cut = "before"

    with pytest.raises(RecordError, match="nothing was written"):
        record.append(Draft("intended"))

    assert ["opened"] * begun == [entry.event for entry in timeline(store, sealer).entries()]
    assert 1 + begun == record.append(Draft("intended"))[0].seq


def test_where_nobody_can_tell_whether_it_was_written_nothing_is_guessed(
    way: Way, store: PostgresStore, sealer: Sealer
) -> None:
    record = timeline(store, sealer)
    record.append(Draft("opened"))
    way.cut, way.closed = "after", True

    with pytest.raises(RecordError, match="cannot be told whether it did"):
        record.append(Draft("intended"))

    way.closed = False
    assert [1, 2] == [entry.seq for entry in record.entries()]


def test_idle_connections_that_were_cut_off_are_opened_again(way: Way, store: PostgresStore, sealer: Sealer) -> None:
    record = timeline(store, sealer)
    record.append(Draft("opened"))

    way.hang_up()
    assert ["opened"] == [entry.event for entry in record.entries()]
    way.hang_up()
    record.append(Draft("noted"))
    way.hang_up()

    assert [] == verify(store, sealer, "inc-1")


def test_whoever_writes_at_one_go_does_so_over_a_connection_that_was_not_cut_off(
    way: Way, store: PostgresStore, sealer: Sealer
) -> None:
    written = began(store, sealer)
    store.run("run-1")
    way.hang_up()

    written.append(Draft("applied", run="run-1"), fence=FENCE)

    assert ["started", "applied"] == [entry.event for entry in written.entries()]


def test_a_server_that_is_gone_stops_everything_and_says_what_next(
    way: Way, store: PostgresStore, sealer: Sealer
) -> None:
    record = timeline(store, sealer)
    record.append(Draft("opened"))
    way.closed = True
    way.hang_up()

    with pytest.raises(RecordError, match="The record cannot be read or written") as raised:
        record.append(Draft("intended"))

    assert "responder resume" in raised.value.remedy


# Locks between hosts --------------------------------------------------------------------------------


def test_appends_to_different_incidents_do_not_wait_for_one_another(record: str, sealer: Sealer) -> None:
    """Whoever stands still inside a transaction holds up the chain that it writes, and no other."""
    one, other = PostgresStore(Location(url=record)), PostgresStore(Location(url=record))
    timeline(one, sealer, "inc-1").append(Draft("opened"))
    done = threading.Event()

    def second() -> None:
        timeline(other, sealer, "inc-1").append(Draft("noted"))
        done.set()

    with one.write() as writing:
        writing.head("inc-1")
        timeline(other, sealer, "inc-2").append(Draft("opened"))
        thread = threading.Thread(target=second)
        thread.start()
        waits = not done.wait(0.3)
    thread.join(5)

    assert waits
    assert done.is_set()
    for store in (one, other):
        store.close()


def test_hosts_that_open_an_empty_database_at_once_make_one_record(record: str) -> None:
    all_looked = threading.Barrier(4)

    class Together(PostgresStore):
        def _migrate(self, connection: Connection) -> None:
            all_looked.wait(10)
            super()._migrate(connection)

    with ThreadPoolExecutor(4) as pool:
        for store in pool.map(lambda _: Together(Location(url=record)), range(4)):
            store.close()

    assert has_record(Location(url=record))


def test_two_hosts_that_begin_one_chain_write_one_chain(record: str, sealer: Sealer) -> None:
    stores = [PostgresStore(Location(url=record)) for _ in range(4)]
    barrier = threading.Barrier(len(stores))

    def begin(store: PostgresStore) -> None:
        barrier.wait()
        for _ in range(10):
            timeline(store, sealer).append(Draft("noted"))

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == verify(stores[0], sealer, "inc-1")
    assert 40 == len(stores[0].rows("inc-1"))
    for store in stores:
        store.close()


def test_two_hosts_that_lock_the_same_names_do_not_stand_in_each_others_way(record: str) -> None:
    """Each would wait for the other for ever, if they took what both want in different orders."""
    stores = [PostgresStore(Location(url=record)) for _ in range(2)]
    names = [f"name {number:03}" for number in range(300)]
    wanted = {"run-1": [*names, "a"], "run-2": [*reversed(names), "b"]}
    results: dict[str, str | None] = {}
    barrier = threading.Barrier(2)

    def lock(store: PostgresStore, run: str) -> None:
        barrier.wait()
        with store.write() as writing:
            results[run] = writing.lock(wanted[run], run)

    threads = [threading.Thread(target=lock, args=pair) for pair in zip(stores, wanted, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winner, loser = sorted(results, key=lambda run: results[run] or "")
    assert {winner: None, loser: winner} == results
    assert sorted(wanted[winner]) == stores[0].locked(winner)
    assert [] == stores[0].locked(loser)
    for store in stores:
        store.close()


def test_a_runs_row_is_never_written_from_an_old_reading(record: str) -> None:
    """One notes when to wake, the other adopts: the higher epoch must not be lost under the note."""
    stores = [PostgresStore(Location(url=record)) for _ in range(2)]
    with stores[0].write() as writing:
        writing.put_run(RunRow("run-1", "inc-1", "p", epoch=1))
    read = threading.Event()

    def note() -> None:
        with stores[0].write() as writing:
            row = writing.run("run-1")
            assert row is not None
            read.set()
            time.sleep(0.2)
            writing.put_run(RunRow("run-1", "inc-1", "p", epoch=row.epoch, wake_at="later"))

    thread = threading.Thread(target=note)
    thread.start()
    read.wait(5)
    with stores[1].write() as writing:
        row = writing.run("run-1")
        assert row is not None
        writing.put_run(RunRow("run-1", "inc-1", "p", epoch=row.epoch + 1, wake_at=row.wake_at))
    thread.join()

    assert RunRow("run-1", "inc-1", "p", epoch=2, wake_at="later") == stores[0].run("run-1")
    for store in stores:
        store.close()


# What a server must promise -------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_what_it_confirmed_is_refused(record: str, setting: str) -> None:
    with private_server(**{setting: "off"}) as careless, pytest.raises(RecordError, match="may be lost"):
        PostgresStore(Location(url=careless.url()))


def test_a_server_whose_default_is_to_confirm_early_is_asked_to_wait(server: Server, record: str) -> None:
    with psycopg.connect(record, autocommit=True) as connection:
        connection.execute("ALTER DATABASE test1 SET synchronous_commit = off")
    store = PostgresStore(Location(url=record))
    try:
        assert [("on",)] == store._all("SELECT current_setting('synchronous_commit')")
    finally:
        store.close()
        with psycopg.connect(record, autocommit=True) as connection:
            connection.execute("ALTER DATABASE test1 RESET synchronous_commit")


# Keys and passwords ---------------------------------------------------------------------------------


def test_a_host_with_another_key_hears_so_when_it_opens(opened: OpenApp, tmp_path: Path, record: str) -> None:
    opened()
    elsewhere = {"HOME": str(tmp_path / "elsewhere")}

    with pytest.raises(SettingsError, match="There is no sealing key"):
        opened(environment=elsewhere)
    elsewhere["RESPONDER_SEALING_KEY"] = "A" * 43 + "="
    with pytest.raises(SettingsError, match="not the one that this store was written with"):
        opened(environment=elsewhere)


def test_of_two_hosts_with_keys_of_their_own_only_one_gives_the_record_its_key(
    opened: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_looked, looked, meta = threading.Barrier(2), threading.local(), PostgresStore.meta

    def together(store: PostgresStore, name: str) -> str | None:
        found = meta(store, name)
        if name == KEY_CHECK and not hasattr(looked, "once"):
            looked.once = True
            both_looked.wait(10)
        return found

    def opens(host: str) -> bool:
        try:
            opened(environment={"HOME": str(tmp_path / host)})
        except SettingsError:
            return False
        return True

    monkeypatch.setattr(PostgresStore, "meta", together)
    with ThreadPoolExecutor(2) as pool:
        assert [False, True] == sorted(pool.map(opens, ("one", "other")))


PASSWORD = "correct-horse-9"


def test_a_password_is_not_taken_from_the_command_line(place: Path, record: str) -> None:
    with_password = record.replace("responder@", f"responder:{PASSWORD}@")
    for words in (["--store", with_password], [f"--store={record}?password={PASSWORD}"]):
        result = typed(place, *words, "status")

        assert 2 == result.exit_code
        assert PASSWORD not in result.output
        assert "PGPASSFILE" in result.output


@pytest.mark.parametrize("command", [["status"], ["doctor"], ["verify", "inc-1"], ["--json", "doctor"]], ids=" ".join)
@pytest.mark.parametrize("reachable", [True, False], ids=["a server that answers", "a server that is gone"])
def test_a_password_in_the_environment_is_never_shown(
    place: Path, record: str, command: list[str], reachable: bool
) -> None:
    url = record.replace("responder@", f"responder:{PASSWORD}@")
    if not reachable:
        url = url.rpartition(":")[0] + ":1/none"

    result = typed(place, "--debug", *command, store=url)

    assert PASSWORD not in result.output
    assert reachable or result.exit_code in {2, 6}


def test_looking_makes_no_tables(place: Path, record: str) -> None:
    assert 0 == typed(place, "status", store=record).exit_code
    assert 2 == typed(place, "timeline", "inc-1", store=record).exit_code

    with psycopg.connect(record) as connection:
        assert (None,) == connection.execute("SELECT to_regclass('responder.meta')").fetchone()
