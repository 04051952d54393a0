"""Files of this host: what stays as it is, who may read, where nothing is written, and death in the middle."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases.file import ENV, NEW, NOBODY, a_folder, delivered
from provider_bench import bench_of
from pydantic import ValidationError

from responder.action import Change, Unchanged, Verdict
from responder.errors import Denied, PermitExpired, ProviderError, Unavailable
from responder.providers import file
from responder.providers.file.client import Options
from responder.testing.bench import Bench
from responder.testing.loopback import Trouble
from responder.transport import PERMIT_SECONDS

PEM = "-----BEGIN X-----\n" + "aB3d" * 9 + "\n-----END X-----\n"
NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others; run the tests as root")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("file") as made:
        yield made


@pytest.fixture
def folder(bench: Bench) -> Path:
    return Path(bench.live.path)


def set_options(bench: Bench, **options: Any) -> None:
    bench.live.connection = bench.live.connection.model_copy(update=options)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def deliver(bench: Bench, secret: str, value: str = NEW) -> Any:
    """Plan, apply and verify; return the change."""
    action: Any = delivered(None, bench.secret, secret, value)
    change = action.plan(bench.client())
    bench.nowhere(change)
    if isinstance(change, Change):
        bench.nowhere(action.apply(bench.client(may_write=True), change))

        assert action.verify(bench.client(), change) is Verdict.HOLDS
        assert isinstance(action.plan(bench.client()), Unchanged)
    return change


def refusal(bench: Bench, secret: str, value: str = NEW, expected: type[Any] = ProviderError) -> str:
    """Return how both planning and applying refuse."""
    action: Any = delivered(None, bench.secret, secret, value)
    bench.failing(expected, lambda: action.plan(bench.client()))
    error = bench.failing(expected, lambda: action.apply(bench.client(may_write=True), Change("", "", "")))
    return str(error)


# ---- what stays as it is


def test_other_lines_of_a_dotenv_file_stay_byte_for_byte(bench: Bench, folder: Path) -> None:
    deliver(bench, "app.env#TOKEN")

    assert ENV.replace(b"old # of May", NEW.encode()) == (folder / "app.env").read_bytes()


def test_a_variable_that_is_not_there_is_added_on_a_line_of_its_own(bench: Bench, folder: Path) -> None:
    deliver(bench, "app.env#NEW_ONE")

    assert ENV + b"\nNEW_ONE=" + NEW.encode() + b"\n" == (folder / "app.env").read_bytes()


@pytest.mark.parametrize("line", ["TOKEN={}", "TOKEN='{}'", 'TOKEN="{}"', " export TOKEN = {} # May", "TOKEN={}\r"])
def test_a_value_is_recognised_however_it_is_quoted(bench: Bench, folder: Path, line: str) -> None:
    (folder / "app.env").write_text(line.format(NEW) + "\n")
    (folder / "app.env").chmod(0o600)

    assert isinstance(deliver(bench, "app.env#TOKEN"), Unchanged)


def test_a_value_with_a_space_is_quoted(bench: Bench, folder: Path) -> None:
    deliver(bench, "other.env#TOKEN", "pass word " + "x9$#" * 5)

    assert "TOKEN='pass word " + "x9$#" * 5 + "'\n" == (folder / "other.env").read_text()


@pytest.mark.parametrize("value", ["it's " + "q7Rw" * 5, "back\\" + "q7Rw" * 5, PEM])
def test_a_value_that_readers_of_dotenv_files_take_differently_is_refused(bench: Bench, value: str) -> None:
    action: Any = delivered(None, bench.secret, "app.env#TOKEN", value)
    bench.failing(ProviderError, lambda: action.apply(bench.client(may_write=True), Change("", "", "")))

    assert bench.live.writes() == 0


def test_a_variable_that_is_set_twice_is_refused(bench: Bench, folder: Path) -> None:
    (folder / "app.env").write_text("TOKEN=a\nTOKEN=b\n")

    assert "set on 2 lines" in refusal(bench, "app.env#TOKEN")


def test_a_line_inside_a_value_of_several_lines_is_not_taken_for_a_variable(bench: Bench, folder: Path) -> None:
    (folder / "app.env").write_text('KEY="first\nTOKEN=inside\n"\n')

    assert "Line 1 begins a value that goes on" in refusal(bench, "app.env#TOKEN")


def test_everything_else_of_a_json_file_stays_byte_for_byte(bench: Bench, folder: Path) -> None:
    set_options(bench, format="json")
    text = '{ "rate": 1.10,\n\t"token" :"old",  "inner": {"token": "x"}, "ü": "\\u00fc" }\n'
    (folder / "app.json").write_text(text)
    deliver(bench, "app.json#token")

    assert text.replace('"old"', json.dumps(NEW)) == (folder / "app.json").read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "token": VALUE\n}\n'),
        ("{}", '{"token": VALUE}'),
        ('{"a": 1}', '{"a": 1,"token": VALUE}'),
        (None, '{"token": VALUE}\n'),
    ],
)
def test_a_key_that_is_not_there_is_added(bench: Bench, folder: Path, before: str | None, after: str) -> None:
    set_options(bench, format="json")
    if before is not None:
        (folder / "app.json").write_text(before)
    deliver(bench, "app.json#token")

    assert after.replace("VALUE", json.dumps(NEW)) == (folder / "app.json").read_text()


@pytest.mark.parametrize(
    "text", ["[1]", "no json", '{"token": "a", "token": "b"}', '{"token": {"inner": 1}}', "\xff", "[" * 9000]
)
def test_a_json_file_that_is_not_clear_is_refused(bench: Bench, folder: Path, text: str) -> None:
    set_options(bench, format="json")
    (folder / "app.json").write_text(text, encoding="latin-1")
    refusal(bench, "app.json#token")


@pytest.mark.parametrize(("before", "end"), [(None, ""), ("old", ""), ("old\n", "\n")])
def test_a_plain_file_ends_as_it_did(bench: Bench, folder: Path, before: str | None, end: str) -> None:
    set_options(bench, format="plain")
    if before is not None:
        (folder / "token").write_text(before)
    deliver(bench, "token")

    assert NEW + end == (folder / "token").read_text()


def test_a_plain_file_holds_a_value_of_several_lines(bench: Bench, folder: Path) -> None:
    set_options(bench, format="plain")
    (folder / "key.pem").write_text("old\n")
    deliver(bench, "key.pem", PEM)

    assert PEM == (folder / "key.pem").read_text()


def test_a_value_that_no_file_can_hold_is_refused_without_being_shown(bench: Bench) -> None:
    set_options(bench, format="plain")
    action: Any = delivered(None, bench.secret, "token", "\ud800" + "q7Rw" * 5)
    bench.failing(ProviderError, lambda: action.apply(bench.client(may_write=True), Change("", "", "")))


def test_what_a_broken_file_holds_is_not_quoted(bench: Bench, folder: Path) -> None:
    set_options(bench, format="json")
    other = "other-" + "Zk4m" * 6
    bench.secret(other)
    (folder / "app.json").write_text(f'{{"a": "{other}"')
    refusal(bench, "app.json#token")


# ---- who may read


@pytest.mark.parametrize("given", ["0600", "0o600", "600", 600, 0o600, "0400", 400, 0o400])
def test_a_mode_is_read_however_yaml_gives_it(given: Any) -> None:
    wanted = 0o400 if given in {"0400", 400, 0o400} else 0o600

    assert wanted == Options(folder="/x", mode=given).mode


@pytest.mark.parametrize("given", ["0640", "0644", "0200", "0700", 0o644, "rw", -1])
def test_a_mode_that_lets_others_read_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        Options(folder="/x", mode=given)


def test_a_file_that_others_read_gets_its_mode_even_where_the_value_is_there(bench: Bench, folder: Path) -> None:
    deliver(bench, "app.env#TOKEN")
    (folder / "app.env").chmod(0o644)
    change = deliver(bench, "app.env#TOKEN")

    assert "mode 0644" in change.before
    assert "no longer can" in change.breaks
    assert stat.S_IMODE((folder / "app.env").stat().st_mode) == 0o600


def test_a_umask_takes_nothing_from_the_mode(bench: Bench, folder: Path) -> None:
    before = os.umask(0o777)
    try:
        deliver(bench, "app.env#TOKEN")
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / "app.env").stat().st_mode) == 0o600


def test_a_draft_is_for_its_owner_alone_from_its_first_moment(bench: Bench, folder: Path) -> None:
    modes: list[int] = []
    client = bench.client(may_write=True)
    client._sync = lambda _: modes.extend(stat.S_IMODE(one.stat().st_mode) for one in folder.glob(".app.env.*"))
    before = os.umask(0)
    try:
        delivered(None, bench.secret).apply(client, Change("", "", ""))  # type: ignore[attr-defined]
    finally:
        os.umask(before)

    assert modes == [0o600]


@NEEDS_ROOT
def test_a_file_keeps_its_owner(bench: Bench, folder: Path) -> None:
    os.chown(folder / "app.env", NOBODY, 12)
    deliver(bench, "app.env#TOKEN")
    found = (folder / "app.env").stat()

    assert (found.st_uid, found.st_gid) == (NOBODY, 12)


@NEEDS_ROOT
def test_a_new_file_gets_the_owner_that_the_connection_names(bench: Bench, folder: Path) -> None:
    set_options(bench, owner="nobody")
    deliver(bench, "fresh.env#TOKEN")

    assert (folder / "fresh.env").stat().st_uid == NOBODY


def test_an_owner_whom_nobody_knows_is_refused(bench: Bench) -> None:
    set_options(bench, owner="no-such-login")
    action: Any = delivered(None, bench.secret, "fresh.env#TOKEN")
    bench.failing(ProviderError, lambda: action.apply(bench.client(may_write=True), Change("", "", "")))

    assert bench.live.writes() == 0


def test_the_inventory_sees_whether_others_read_a_file(bench: Bench, folder: Path) -> None:
    look = file.PROVIDER.place

    assert look is not None
    assert look(bench.client(), "app.env#TOKEN").exposed
    assert not look(bench.client(), "missing.env#TOKEN").exists

    deliver(bench, "app.env#TOKEN")
    seen = look(bench.client(), "app.env#TOKEN")

    assert (seen.exists, seen.exposed) == (True, False)
    assert seen.updated_at.endswith("+00:00")


def test_doctor_sees_that_we_may_not_write(bench: Bench) -> None:
    lacking = file.PROVIDER.lacking
    permissions = file.PROVIDER.actions[0].permissions

    assert lacking is not None
    assert [] == lacking(bench.client(), permissions)

    bench.live.misbehave(Trouble.DENIED)

    assert list(permissions) == lacking(bench.client(), permissions)


# ---- where nothing is written


@pytest.mark.parametrize("secret", ["../app.env#A", "a/../../b#A", "/etc/passwd#A", "#A", "a//b#A", "./a#A", "a\0b#A"])
def test_a_path_that_leads_out_is_refused(bench: Bench, secret: str) -> None:
    assert "beneath the connection's folder" in refusal(bench, secret)


@pytest.mark.parametrize("secret", ["app.env", "app.env#", "app.env#A B", "app.env#A=1", "app.env#1A", "app.env#A#B"])
def test_a_variable_is_named_as_every_reader_of_dotenv_files_can(bench: Bench, secret: str) -> None:
    assert "path#NAME" in refusal(bench, secret)


def test_a_link_to_a_file_is_refused(bench: Bench, folder: Path) -> None:
    outside = folder.parent / "outside.env"
    outside.write_text("TOKEN=old\n")
    (folder / "link.env").symlink_to(outside)

    assert "link" in refusal(bench, "link.env#TOKEN")
    assert outside.read_text() == "TOKEN=old\n"


def test_a_link_on_the_way_is_refused(bench: Bench, folder: Path) -> None:
    (folder.parent / "outside").mkdir()
    (folder / "inner").symlink_to(folder.parent / "outside")

    assert "link" in refusal(bench, "inner/app.env#TOKEN")
    assert [] == list((folder.parent / "outside").iterdir())


def test_a_named_pipe_is_refused_at_once(bench: Bench, folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    assert "no plain file" in refusal(bench, "pipe#TOKEN")


def test_a_folder_into_which_everybody_writes_is_refused(bench: Bench, folder: Path) -> None:
    (folder / "open").mkdir()
    (folder / "open").chmod(0o1777)

    assert "Everybody may write" in refusal(bench, "open/app.env#TOKEN")


def test_a_file_beneath_inner_folders_is_written(bench: Bench, folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    deliver(bench, "a/b/app.env#TOKEN")

    assert (folder / "a" / "b" / "app.env").exists()


def test_a_folder_that_is_not_there_is_no_new_folder(bench: Bench, folder: Path) -> None:
    refusal(bench, "missing/app.env#TOKEN", expected=Unavailable)

    assert not (folder / "missing").exists()


def test_a_file_in_a_git_work_tree_is_told(bench: Bench, folder: Path) -> None:
    (folder / "app" / ".git").mkdir(parents=True)
    change = deliver(bench, "app/app.env#TOKEN")

    assert f"git work tree {folder / 'app'}" in change.breaks


def test_another_name_of_the_file_is_told(bench: Bench, folder: Path) -> None:
    (folder / "app.env").chmod(0o600)
    os.link(folder / "app.env", folder / "second.env")

    assert "hard links" in deliver(bench, "app.env#TOKEN").breaks


def test_a_full_disk_changes_nothing(bench: Bench, folder: Path) -> None:
    client = bench.client(may_write=True)

    def full(handle: int) -> None:
        raise OSError(28, "no space")

    client._sync = full
    bench.failing(Unavailable, lambda: delivered(None, bench.secret).apply(client, Change("", "", "")))  # type: ignore[attr-defined]

    assert ENV == (folder / "app.env").read_bytes()
    assert ["app.env"] == names(folder)


def test_a_disk_that_is_slower_than_the_permit_puts_nothing_in_place(bench: Bench, folder: Path) -> None:
    client = bench.client(may_write=True)
    client._sync = lambda _: time.sleep(PERMIT_SECONDS + 0.1)
    bench.failing(PermitExpired, lambda: delivered(None, bench.secret).apply(client, Change("", "", "")))  # type: ignore[attr-defined]

    assert ENV == (folder / "app.env").read_bytes()
    assert ["app.env"] == names(folder)


def test_without_rights_nothing_is_written_and_the_right_is_named(bench: Bench) -> None:
    bench.live.misbehave(Trouble.DENIED)
    error = bench.failing(Denied, lambda: delivered(None, bench.secret).plan(bench.client()))  # type: ignore[attr-defined]

    assert "folder" in error.remedy


def test_the_account_is_the_login_and_the_host(bench: Bench) -> None:
    assert f"@{os.uname().nodename}" in file.PROVIDER.identify(bench.client()).account


# ---- together, and in the middle


def test_two_values_that_go_into_one_file_at_once_are_both_there(bench: Bench, folder: Path) -> None:
    values = {f"T{number}": f"v{number}-" + "Wq5n" * 6 for number in range(12)}
    actions: list[Any] = [delivered(None, bench.secret, f"app.env#{name}", value) for name, value in values.items()]
    threads = [
        threading.Thread(target=lambda one=one: one.apply(bench.client(may_write=True), Change("", "", "")))
        for one in actions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ENV + b"\n" == b"".join(
        line for line in (folder / "app.env").read_bytes().splitlines(keepends=True) if not line.startswith(b"T")
    )
    assert all(f"{name}={value}\n" in (folder / "app.env").read_text() for name, value in values.items())


def test_who_holds_the_folder_is_waited_for_and_no_longer_than_the_permit(bench: Bench, folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        bench.failing(
            Unavailable,
            lambda: delivered(None, bench.secret).apply(bench.client(may_write=True), Change("", "", "")),  # type: ignore[attr-defined]
        )
    finally:
        os.close(handle)

    assert ENV == (folder / "app.env").read_bytes()


DELIVERING = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from cases.file import a_folder, delivered
from responder.action import Access, Change
from responder.providers.file.client import Client, Options
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.transport import Permit, Transport

folder, at = sys.argv[1], int(sys.argv[2])
sealer, count = Sealer(bytes(range(32)), Redactor()), 0

def sync(handle):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
    os.fsync(handle)

print("ready", flush=True)
number = 0
while True:
    number += 1
    wire = Transport(sealer).wire("run-1", "step", Permit.starting_now())
    client = Client(Access(None, wire, None), Options(folder=folder, format="env"), sync)
    value = ("a" if number % 2 else "b") * 40_000
    delivered(None, sealer.secret, "app.env#TOKEN", value).apply(client, Change("", "", ""))
"""


def a_death(folder: Path, at: int, seconds: float = 0.0) -> None:
    """Deliver in a process of its own, until it dies at the n-th flush, or of SIGKILL after some time."""
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    words = [sys.executable, "-c", DELIVERING, str(folder), str(at), *paths]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if seconds:
            time.sleep(seconds)
            process.kill()
        assert process.wait(30) == -signal.SIGKILL


def lines(folder: Path) -> list[bytes]:
    return [line for line in (folder / "app.env").read_bytes().splitlines() if not line.startswith(b"export TOKEN=")]


def token(folder: Path) -> bytes:
    [found] = [line for line in (folder / "app.env").read_bytes().splitlines() if line.startswith(b"export TOKEN=")]
    return found.removeprefix(b"export TOKEN=")


@pytest.mark.parametrize(("at", "held"), [(1, b"old # of May"), (2, b"a" * 40_000), (3, b"a" * 40_000)])
def test_death_in_the_middle_leaves_the_old_file_or_the_new_one(at: int, held: bytes) -> None:
    with a_folder() as live:
        a_death(live.path, at)

        assert held == token(live.path)
        assert [b"# settings", b"OTHER='x y'", b"LAST=1"] == lines(live.path)


def test_a_draft_that_death_left_behind_is_swept_by_the_next_try(bench: Bench, folder: Path) -> None:
    a_death(folder, 1)
    (folder / ".app.env.swp").write_text("somebody else's")

    assert len(names(folder)) == 3

    deliver(bench, "app.env#TOKEN")

    assert [".app.env.swp", "app.env"] == names(folder)


def test_death_at_any_moment_leaves_a_whole_file() -> None:
    with a_folder() as live:
        for number in range(6):
            a_death(live.path, 0, 0.02 + number * 0.017)

            assert token(live.path) in {b"old # of May", b"a" * 40_000, b"b" * 40_000}
            assert [b"# settings", b"OTHER='x y'", b"LAST=1"] == lines(live.path)
