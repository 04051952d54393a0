"""`responder store`: check, migrate, copy; from a file to a server, with a run that goes on there."""

import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import clockwork
import jsonschema
import psycopg
import pytest
from cli_bench import begun, leaked_value, typed
from conftest import BOTH, OpenApp
from cutting import Way
from postgresql import Server
from test_old import OLD, answered_while_driven, old, reopened  # noqa: F401 - `old` is a fixture
from test_run import effects
from test_timeline import tamper

from responder.app import App
from responder.cli import outputs
from responder.errors import RecordError, RecordMoved
from responder.finding import Exposure, Finding
from responder.held import held, hold
from responder.installation import open_store
from responder.registry import Registry
from responder.store import FORMAT, Location
from responder.upkeep import copy


def shown(name: str, result: Any) -> dict[str, Any]:
    """Return the document that a command printed, once its schema has been held against it."""
    data: dict[str, Any] = json.loads(result.stdout)
    jsonschema.Draft202012Validator(json.loads((outputs.FOLDER / f"{name}.json").read_text())).validate(data)
    return data


def store(place: Path, *words: str, record: str = "") -> Any:
    return typed(place, "store", *words, store=record or str(place / "state" / "r.db"))


def checked(place: Path, record: str) -> dict[str, Any]:
    return shown("store-check", store(place, "check", "--json", record=record))


@pytest.fixture
def filled(place: Path) -> Path:
    """An installation with one run."""
    begun(place)
    return place


def file_of(place: Path) -> str:
    return str(place / "state" / "r.db")


# Copying --------------------------------------------------------------------------------------------


def test_a_record_goes_to_a_server_and_its_open_run_goes_on_there(opened: OpenApp, old: Path, server: Server) -> None:  # noqa: F811
    source, target = str(old / "responder.db"), server.emptied()

    result = typed(old, "store", "copy", source, target, "--json", store=source)

    assert 0 == result.exit_code, result.output
    copied = shown("store-copy", result)
    assert (1, 1, 33) == (copied["incidents"], copied["runs"], copied["entries"])
    (old / "home" / ".local" / "state").mkdir(parents=True, exist_ok=True)
    people = [on_server(opened, old, target, name) for name in ("ann", "cora", "carl")]
    (row,) = people[0].runs()
    people[1].approve(row.run, "disable")
    assert "ended" == answered_while_driven(people[0], row.run, people[2])
    assert {1} == set(Counter(effects(old)).values()), "nothing is done twice"
    assert [] == people[0].verify(row.incident)


def on_server(opened: OpenApp, old: Path, target: str, person: str) -> App:  # noqa: F811
    return opened(
        person,
        config=old / "responder.yaml",
        store=target,
        environment={"HOME": str(old / "home")},
        registry=Registry({"clockwork": clockwork.PROVIDER}),
    )


def test_nobody_goes_on_in_the_store_that_was_left(filled: Path, server: Server) -> None:
    target = server.emptied()
    before = typed(filled, "status", "--json").stdout
    run = json.loads(before)["incidents"][0]["run"]
    late = sqlite3.connect(file_of(filled))  # a process that had opened it before

    result = store(filled, "copy", file_of(filled), target)

    assert 0 == result.exit_code, result.output
    assert f"RESPONDER_STORE={target}" in result.stdout
    with pytest.raises(sqlite3.IntegrityError, match="moved"):
        late.execute("INSERT INTO entries SELECT * FROM entries")
    late.close()
    (filled / "f.json").write_text(json.dumps({"value": "second-" + "w3Xk" * 6, "exposure": {"kind": "public"}}))
    begin = ["run", "p", "--finding", str(filled / "f.json"), "--yes"]
    for words in (["note", run, "hello"], ["abort", run, "--reason", "x"], ["resume", run], begin):
        told = typed(filled, *words)
        assert 6 == told.exit_code, told.output
        assert target in told.output
        assert "by hand" not in told.output  # it can be written, only not here
    assert 0 == typed(filled, "status").exit_code
    assert "went to" in typed(filled, "status").stderr
    assert {"usable": False, "moved_to": target}.items() <= checked(filled, file_of(filled)).items()
    assert {"usable": True, "moved_to": "", "incidents": 1}.items() <= checked(filled, target).items()
    assert 0 == typed(filled, "note", run, "hello", store=target).exit_code


def test_a_record_comes_back_from_a_server_into_a_file(filled: Path, server: Server, tmp_path: Path) -> None:
    target, back = server.emptied(), str(tmp_path / "back" / "r.db")
    assert 0 == store(filled, "copy", file_of(filled), target).exit_code

    result = store(filled, "copy", target, back)

    assert 0 == result.exit_code, result.output
    assert checked(filled, back)["usable"]
    run = json.loads(typed(filled, "status", "--json", store=back).stdout)["incidents"][0]["run"]
    told = typed(filled, "note", run, "hello", store=target)
    assert (6, True) == (told.exit_code, back in told.stderr)


def test_where_a_record_went_is_told_so_that_it_is_found_from_any_folder(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copied = store(filled, "copy", file_of(filled), "back.db")
    run = json.loads(typed(filled, "status", "--json", store="back.db").stdout)["incidents"][0]["run"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    told = typed(filled, "note", run, "hello").stderr.rpartition("set RESPONDER_STORE to ")[2].strip()
    again = store(filled, "copy", file_of(filled), "../back.db")

    assert 0 == copied.exit_code, copied.output
    assert str(tmp_path / "back.db") == told
    assert str(tmp_path / "sealing.key") in copied.stdout
    assert 0 == again.exit_code, again.output
    assert 0 == typed(filled, "note", run, "hello", store=told).exit_code


def test_a_copy_holds_all_that_the_source_held(opened: OpenApp, filled: Path, server: Server) -> None:
    """Compared by reading both files' tables, not by what the copying says."""
    target = server.emptied()
    app = opened()
    hold(app.means, Finding(value=app.means.sealer.secret(leaked_value() + "-other"), exposure=Exposure(kind="public")))
    with sqlite3.connect(file_of(filled)) as database:
        before = {name: rows_of(database, name) for name in ("entries", "heads", "runs", "locks", "blobs")}
    database.close()
    assert 0 == store(filled, "copy", file_of(filled), target).exit_code

    with psycopg.connect(target, options="-c search_path=responder") as there:
        after = {name: rows_of(there, name) for name in before}

    assert before == after
    assert all(before.values())


COLUMNS = {
    "entries": "*",
    "heads": "incident, seq, hash, mac",
    "runs": "run, incident, playbook, state, epoch, wake_at, executor, heartbeat",
    "locks": "*",
    "blobs": "blob, incident, kind, wrapped_key, ciphertext",
}


def rows_of(database: Any, name: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in database.execute(f"SELECT {COLUMNS[name]} FROM {name}").fetchall())


def test_a_target_that_holds_something_is_refused(filled: Path, server: Server, tmp_path: Path) -> None:
    target = server.emptied()
    assert 0 == store(filled, "copy", file_of(filled), target).exit_code
    other = tmp_path / "other"
    shutil.copytree(filled, other, ignore=shutil.ignore_patterns("r.db*", "other", "home"))
    begun(other)

    result = store(other, "copy", file_of(other), target)

    assert 2 == result.exit_code, result.output
    assert "The target is not empty" in result.stderr
    assert checked(other, file_of(other))["usable"]


def test_a_target_where_a_finding_waits_is_refused_and_keeps_it(
    opened: OpenApp, filled: Path, server: Server, tmp_path: Path
) -> None:
    """No incident is there yet, but a finding that waits for somebody, sealed with the key of another host."""
    target = server.emptied()
    environment = {"HOME": str(tmp_path / "elsewhere")}
    other = opened(store=target, environment=environment)
    name = hold(other.means, Finding(value=other.means.sealer.secret("other-" + "w3Xk" * 6)))
    other.close()

    result = store(filled, "copy", file_of(filled), target)

    assert (2, True) == (result.exit_code, "The target is not empty" in result.stderr), result.output
    assert checked(filled, file_of(filled))["usable"]
    assert name == held(opened(store=target, environment=environment).means, name).id


@pytest.mark.parametrize("to", ["a server", "a file"])
def test_no_finding_waits_where_the_record_has_left(
    opened: OpenApp, filled: Path, server: Server, tmp_path: Path, to: str
) -> None:
    source, target = file_of(filled), server.emptied()
    if to == "a file":
        assert 0 == store(filled, "copy", source, target).exit_code
        source, target = target, str(tmp_path / "new.db")
    app = opened(store=source, environment={"HOME": str(filled / "home")})
    assert 0 == store(filled, "copy", source, target).exit_code

    with pytest.raises(RecordMoved, match=target):
        hold(app.means, Finding(value=app.means.sealer.secret("late-" + "w3Xk" * 6)))


def test_nothing_is_copied_while_somebody_works_on_a_run(opened: OpenApp, place: Path, server: Server) -> None:
    run = begun(place)
    app = opened(environment={"HOME": str(place / "home"), "LEAKED": "x" * 20, "SECOND": "y" * 20})
    lease = app.dispatcher.adopt(run)

    result = store(place, "copy", file_of(place), target := server.emptied())

    assert (2, True) == (result.exit_code, "Somebody works on" in result.stderr)
    app.dispatcher.leases.give_back(lease)
    assert 0 == store(place, "copy", file_of(place), target).exit_code


def test_a_record_that_does_not_verify_is_not_copied(filled: Path, server: Server) -> None:
    tamper(file_of(filled), "UPDATE entries SET actor = 'mallory' WHERE seq = 2")

    result = store(filled, "copy", file_of(filled), server.emptied())

    assert (6, True) == (result.exit_code, "does not verify" in result.stderr)
    assert "" == checked(filled, file_of(filled))["moved_to"]


def test_what_is_not_there_or_is_the_same_is_refused(filled: Path, tmp_path: Path) -> None:
    missing = store(filled, "copy", str(tmp_path / "none.db"), str(tmp_path / "new.db"))
    same = store(filled, "copy", file_of(filled), file_of(filled))

    assert (2, 2) == (missing.exit_code, same.exit_code)
    assert not (tmp_path / "none.db").exists()
    assert checked(filled, file_of(filled))["usable"]


@pytest.mark.parametrize("left", ["marked", "filled"])
def test_an_interrupted_copy_is_completed_by_the_same_command(
    opened: OpenApp, filled: Path, server: Server, tmp_path: Path, left: str
) -> None:
    """Killed after the source was marked, or after the target was filled: in no case do two stores go on."""
    target = server.emptied()
    app = opened(environment={"HOME": str(filled / "home")})
    if left == "filled":
        assert 0 == store(filled, "copy", file_of(filled), target).exit_code
    else:
        with app.means.store.write() as writing:
            writing.move(str(Location(url=target)))

    elsewhere = store(filled, "copy", file_of(filled), str(tmp_path / "new.db"))
    again = store(filled, "copy", file_of(filled), target)

    assert (2, 0) == (elsewhere.exit_code, again.exit_code), again.output
    assert checked(filled, target)["usable"]


def test_a_copy_that_failed_leaves_the_source_usable(opened: OpenApp, filled: Path, server: Server) -> None:
    way = Way(server.emptied())
    app = opened(environment={"HOME": str(filled / "home")})
    target = open_store(Location(url=way.url))
    way.cut = "before"

    with pytest.raises(RecordError, match="nothing was written"):
        copy(app.means.store, target, app.means.sealer)

    target.close()
    way.close()
    assert checked(filled, file_of(filled))["usable"]
    assert 0 == typed(filled, "note", app.runs()[0].run, "hello").exit_code


# Migrating ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", OLD, ids=lambda path: path.name)
def test_an_older_file_is_migrated_by_whatever_opens_it_and_says_so(place: Path, folder: Path) -> None:
    (place / "state").mkdir()
    for name, to in (("responder.db", "r.db"), ("sealing.key", "sealing.key")):
        shutil.copy(folder / name, place / "state" / to)
    (place / "state" / "sealing.key").chmod(0o600)

    first = typed(place, "status", "--all")
    second = typed(place, "status", "--all")

    assert f"from format 1 to {FORMAT}" in first.stderr
    assert "format" not in second.stderr
    assert {"was": FORMAT, "format": FORMAT, "changed": False}.items() <= shown(
        "store-migrate", store(place, "migrate", "--json")
    ).items()
    assert checked(place, file_of(place))["usable"]


def test_an_older_server_is_migrated_only_by_the_command(filled: Path, server: Server) -> None:
    target = server.emptied()
    assert 0 == store(filled, "copy", file_of(filled), target).exit_code
    with psycopg.connect(target, options="-c search_path=responder") as database:
        query = "SELECT indexname FROM pg_indexes WHERE schemaname = 'responder' AND indexname NOT LIKE '%pkey'"
        for (name,) in database.execute(query).fetchall():  # what format 1 did not have
            database.execute(f"DROP INDEX {name}")
        database.execute("UPDATE meta SET value = '1' WHERE key = 'format'")

    refused = typed(filled, "status", store=target)
    told = shown("store-migrate", store(filled, "migrate", "--json", record=target))

    assert (6, True) == (refused.exit_code, "store migrate`" in refused.stderr)
    assert (1, FORMAT, True) == (told["was"], told["format"], told["changed"])
    assert checked(filled, target)["usable"]


# Checking -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_a_record_that_is_whole_can_be_used(opened: OpenApp, place: Path, record: str) -> None:
    begun(place, store=record)

    told = checked(place, record)

    assert {
        "usable": True,
        "incidents": 1,
        "runs": 1,
        "open_runs": 1,
        "sealed": 1,
        "problems": [],
    }.items() <= told.items()
    assert 0 == store(place, "check", record=record).exit_code


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_a_record_that_was_altered_must_not_be_used(place: Path, record: str) -> None:
    begun(place, store=record)
    tamper(record, "UPDATE entries SET actor = 'mallory' WHERE seq = 2")

    result = store(place, "check", "--json", record=record)

    assert 6 == result.exit_code
    assert "entry 2" in shown("store-check", result)["problems"][0]["where"]


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_a_record_of_a_newer_format_or_another_key_must_not_be_used(place: Path, record: str) -> None:
    begun(place, store=record)
    key = next(place.rglob("sealing.key"))
    was = key.read_text()
    key.write_text("A" * 43 + "=")
    assert 6 == store(place, "check", record=record).exit_code
    key.write_text(was)
    tamper(record, f"UPDATE meta SET value = '{FORMAT + 1}' WHERE key = 'format'")

    result = store(place, "check", "--json", record=record)

    told = shown("store-check", result)
    assert (6, False, None) == (result.exit_code, told["usable"], told["format"])
    assert "use a newer responder" == told["problems"][0]["remedy"]


@pytest.mark.parametrize("record", BOTH, indirect=True)
@pytest.mark.parametrize("value", ["two", "2.0", "-1", ""])
def test_a_record_whose_format_is_no_number_must_not_be_used(place: Path, record: str, value: str) -> None:
    begun(place, store=record)
    tamper(record, f"UPDATE meta SET value = '{value}' WHERE key = 'format'")

    result = store(place, "check", "--json", record=record)

    told = shown("store-check", result)
    assert (6, False) == (result.exit_code, told["usable"])
    assert 6 == typed(place, "status", store=record).exit_code


def test_a_server_that_does_not_answer_is_no_usable_record(place: Path) -> None:
    result = store(place, "check", record="postgresql://responder@127.0.0.1:1/none")

    assert (6, True) == (result.exit_code, "must NOT be used" in result.stdout)


def test_a_server_that_is_read_only_is_no_usable_record_and_can_be_read(filled: Path, server: Server) -> None:
    target = server.database()
    assert 0 == store(filled, "copy", file_of(filled), target).exit_code
    name = target.rpartition("/")[2]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    result = store(filled, "check", record=target)

    assert (6, True) == (result.exit_code, "its transactions are read-only" in result.stdout)
    assert "1 incidents, 1 runs (1 open)" in result.stdout
    assert 0 == typed(filled, "status", store=target).exit_code


def test_a_file_that_is_damaged_is_no_usable_record(filled: Path) -> None:
    with sqlite3.connect(file_of(filled)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    path = Path(file_of(filled))
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 8] = b"\xff" * 8
    path.write_bytes(data)

    assert 6 == store(filled, "check").exit_code
