"""Programs of the user's own: what they are given, what their end means, and what of their words is shown."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from responder.clock import monotonic
from responder.errors import Denied, OutcomeUnknown, PermitExpired, ProviderError, ResponderError, Unavailable
from responder.programs import Said, run_program
from responder.redaction import Redactor, Secret, forms_of
from responder.sealing import Sealer
from responder.transport import Permit, Transport, Wire

VALUE = "value-" + "hJ4zW8" * 6
PATH = {"PATH": os.environ["PATH"]}


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Sealer(b"k" * 32, Redactor()), request_seconds=0.2)
    yield made
    made.close()


@pytest.fixture
def wire(transport: Transport) -> Wire:
    return transport.wire("run-1", "step", Permit.starting_now())


@pytest.fixture
def secret(transport: Transport) -> Secret:
    return transport.sealer.secret(VALUE)


def run(wire: Wire, script: str, *words: str, seconds: float = 20.0, write: bool = True, **more: Any) -> Said:
    return wire.run(
        ["/bin/sh", "-c", script, "sh", *words],
        write=write, environment=more.pop("environment", PATH), seconds=seconds, **more,
    )  # fmt: skip


def failure(wire: Wire, script: str, expected: type[ResponderError], **more: Any) -> ResponderError:
    with pytest.raises(expected) as caught:
        run(wire, script, **more)

    assert type(caught.value) is expected
    return caught.value


# ---- what it is given


def test_the_value_comes_on_the_standard_input_and_ends_there(wire: Wire, secret: Secret, tmp_path: Path) -> None:
    run(wire, 'cat > "$1"', str(tmp_path / "got"), given=secret)

    assert VALUE == (tmp_path / "got").read_text()


def test_without_a_value_the_standard_input_ends_at_once(wire: Wire) -> None:
    assert run(wire, "wc -c").out.strip() == "0"


def test_a_value_that_is_larger_than_a_pipe_arrives_whole(wire: Wire, transport: Transport, tmp_path: Path) -> None:
    large = "q7Rw" * 200_000
    run(wire, 'sleep 0.1; cat > "$1"', str(tmp_path / "got"), given=transport.sealer.secret(large))

    assert large == (tmp_path / "got").read_text()


def test_a_program_that_reads_nothing_ends_as_it_says(wire: Wire, transport: Transport) -> None:
    run(wire, "exit 0", given=transport.sealer.secret("q7Rw" * 200_000))


def test_only_the_variables_that_are_given_are_seen(wire: Wire) -> None:
    assert run(wire, "env | cut -d= -f1 | sort | tr '\\n' ' '").out.split() in [["PATH", "PWD"], ["PATH", "PWD", "_"]]


def test_no_shell_reads_the_words(wire: Wire) -> None:
    said = wire.run(["/bin/echo", "$(id)", ";", "a b", "*"], write=True, environment=PATH, seconds=5)

    assert said.out == "$(id) ; a b *\n"


@pytest.mark.parametrize("form", [VALUE, base64.b64encode(VALUE.encode()).decode(), VALUE.encode().hex()])
def test_a_secret_among_the_words_is_refused(wire: Wire, secret: Secret, form: str) -> None:
    with pytest.raises(ProviderError, match="among a program's arguments") as caught:
        wire.run(["/bin/echo", f"--token={form}"], write=True, environment=PATH, seconds=5)

    assert form not in str(caught.value)


def test_nothing_of_the_value_is_in_its_words_or_its_environment_while_it_runs(
    wire: Wire, secret: Secret, tmp_path: Path
) -> None:
    """Look at the program and at all that it begins, as `ps` would."""
    script = 'cat > "$1/got"; sleep 5 & echo $$ $! > "$1/pids.new"; mv "$1/pids.new" "$1/pids"; wait'
    look = (
        "import pathlib, sys, time\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "while not (folder / 'pids').exists(): time.sleep(0.01)\n"
        "for pid in (folder / 'pids').read_text().split():\n"
        "    for name in ('cmdline', 'environ'):\n"
        "        (folder / f'{name}.{pid}').write_bytes(pathlib.Path('/proc', pid, name).read_bytes())\n"
        "import os, signal; os.kill(int(pid), signal.SIGTERM)\n"
    )
    with subprocess.Popen([sys.executable, "-c", look, str(tmp_path)]) as looking:
        run(wire, script, str(tmp_path), given=secret)

        assert looking.wait(10) == 0
    seen = [one.read_text() for one in tmp_path.iterdir() if one.name.startswith(("cmdline.", "environ."))]

    assert len(seen) == 4
    assert VALUE == (tmp_path / "got").read_text()
    assert any("sleep" in text for text in seen)
    assert [] == [form for form in forms_of(VALUE) for text in seen if form in text]


# ---- what its end means


def test_a_write_needs_a_permit(transport: Transport, tmp_path: Path) -> None:
    reading = transport.wire("run-1", "step")
    failure(reading, f"touch {tmp_path}/done", PermitExpired)

    assert not (tmp_path / "done").exists()
    assert run(reading, "echo seen", write=False).out == "seen\n"


def test_75_says_that_nothing_changed(wire: Wire) -> None:
    assert "not now" in failure(wire, "echo not now >&2; exit 75", Unavailable).message
    assert not wire.changed


def test_77_says_that_a_right_is_missing(wire: Wire) -> None:
    assert "what it needs" in failure(wire, "exit 77", Denied, permission="what it needs").remedy


@pytest.mark.parametrize("script", ["exit 1", "exit 127", "kill -TERM $$", "cat; exit 3"])
def test_after_every_other_end_a_write_is_unknown_and_a_look_is_tried_again(
    wire: Wire, secret: Secret, script: str
) -> None:
    failure(wire, script, OutcomeUnknown, given=secret)
    failure(wire, script, Unavailable, write=False)


@pytest.mark.parametrize("argv", [["/no/such/program"], ["no-such-program"], ["/etc/passwd"], ["/bin/echo", "a\0b"]])
def test_what_never_began_changed_nothing(wire: Wire, argv: Sequence[str]) -> None:
    with pytest.raises(ProviderError) as caught:
        wire.run(argv, write=True, environment=PATH, seconds=5)

    assert not isinstance(caught.value, Unavailable | Denied)
    assert not wire.changed


def test_a_script_without_a_first_line_never_began(wire: Wire, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x00\x01 no program")
    script.chmod(0o700)
    with pytest.raises(ProviderError, match="ENOEXEC"):
        wire.run([str(script)], write=True, environment=PATH, seconds=5)


def test_when_its_time_is_up_it_is_killed_with_all_that_it_began(wire: Wire, tmp_path: Path) -> None:
    script = f"(sleep 1; touch {tmp_path}/late) & sleep 60"
    began = monotonic()
    error = failure(wire, script, OutcomeUnknown, seconds=0.3)
    time.sleep(1.1)

    assert "its time was up" in error.message
    assert monotonic() - began < 10
    assert not (tmp_path / "late").exists()


def test_a_program_that_closes_everything_and_stays_is_killed_too(wire: Wire) -> None:
    began = monotonic()
    failure(wire, "exec 0<&- 1>&- 2>&-; sleep 60", OutcomeUnknown, seconds=0.3)

    assert monotonic() - began < 10


def test_the_steps_own_time_counts(transport: Transport) -> None:
    wire = transport.wire("run-1", "step", Permit.starting_now(), 0.3)
    failure(wire, "sleep 60", OutcomeUnknown)


def test_a_program_may_take_longer_than_a_request(wire: Wire) -> None:
    assert run(wire, "sleep 0.5; echo done").out == "done\n"
    assert wire.seconds >= 0.5


def test_what_holds_the_output_open_after_its_end_is_not_waited_for(wire: Wire) -> None:
    began = monotonic()
    said = run(wire, "echo done; sleep 8 &")

    assert said.out == "done\n"
    assert monotonic() - began < 5


# ---- what of its words is shown


@pytest.mark.parametrize(
    "script",
    [
        "cat >&2; exit 1",
        "base64 >&2; exit 1",
        "fold -w 10 >&2; exit 1",
        "head -c 14 >&2; exit 1",
        "od -An -tx1 >&2; exit 1",
        "tail -c 9 >&2; exit 1",
        'set -x; read -r it; : "$it"; exit 1',
    ],
)
def test_nothing_of_the_value_is_shown_however_it_is_repeated(wire: Wire, secret: Secret, script: str) -> None:
    error = failure(wire, script, OutcomeUnknown, given=secret)
    shown = f"{error!r} {error} {error.args}"

    assert "not shown" in shown
    assert [] == [form for form in forms_of(VALUE) if form in shown]
    assert VALUE[:9] not in shown


def test_other_secrets_that_we_know_are_struck_out(wire: Wire, secret: Secret, transport: Transport) -> None:
    other = transport.sealer.secret("other-" + "Zk4m" * 6)
    said = run(wire, "cat > /dev/null; echo it is other-$1", "Zk4m" * 6, given=secret)
    error = failure(wire, "z=Zk4mZk4m; echo it was other-$z$z$z >&2; exit 1", OutcomeUnknown, given=secret)

    assert said.out == f"it is {other}\n"
    assert str(other) in error.message


def test_words_without_any_secret_are_shown_up_to_a_bound(wire: Wire, secret: Secret) -> None:
    error = failure(wire, "echo 'no such vault' >&2; exit 1", OutcomeUnknown, given=secret)
    long = failure(wire, "yes nnnnnnnnnnn | head -c 5000 | tr -d '\\n' >&2; exit 1", OutcomeUnknown, given=secret)

    assert error.message.endswith(": no such vault")
    assert len(long.message) < 400


def test_output_without_an_end_is_cut(transport: Transport) -> None:
    ended = run_program(["/bin/sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"], b"", PATH, 20)

    assert ended.code == 0
    assert len(ended.out) == 64 * 1024
