"""The end of a call: nothing is lost by not taking the process apart, and who has more to do is waited for."""

import subprocess
import sys
from pathlib import Path

import pytest

UNWRITTEN = 120
"""With what Python ends where the last of the output cannot be written."""


def ended(*lines: str) -> "subprocess.CompletedProcess[str]":
    """Return how `responder --version` ended, in a process that does something before."""
    program = ["import sys", "sys.argv[1:] = ['--version']", *lines, "from responder.cli import main", "main()"]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["print('said before', end=' ')"], id="what was not flushed"),
        pytest.param(
            ["import atexit", "atexit.register(print, 'said last', end='')"],
            id="what was to be done at the end",
        ),
        pytest.param(
            [
                "import threading, time",
                "threading.Thread(target=lambda: (time.sleep(0.5), print('said late', end=''))).start()",
            ],
            id="a thread that is still at work",
        ),
        pytest.param(
            [
                "import time",
                "from concurrent.futures import ThreadPoolExecutor",
                "ThreadPoolExecutor(1).submit(lambda: (time.sleep(0.5), print('said late', end='')))",
            ],
            id="a pool that is still at work",
        ),
    ],
)
def test_nothing_is_lost_at_the_end(lines: list[str]) -> None:
    done = ended(*lines)

    assert (0, "") == (done.returncode, done.stderr)
    assert "responder" in done.stdout
    assert "said" in done.stdout


def test_a_thread_that_nobody_waits_for_holds_up_nothing() -> None:
    done = ended("import threading, time", "threading.Thread(target=time.sleep, args=[3600], daemon=True).start()")

    assert (0, "") == (done.returncode, done.stderr)


def test_output_that_cannot_be_written_is_no_success() -> None:
    late = "lambda: (setattr(sys, 'stdout', open('/dev/full', 'w')), print('never seen'))"

    done = ended("import atexit", f"atexit.register({late})")

    assert done.returncode == UNWRITTEN
    assert "No space left" in done.stderr


def test_whoever_has_read_enough_may_leave() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "responder", "playbook", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as left:
        assert left.stdout is not None
        assert left.stderr is not None
        left.stdout.close()
        said = left.stderr.read()

    assert (0, b"") == (left.returncode, said)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_output_that_does_not_fit_onto_the_disk_is_told_where_it_can_be(more: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "responder", "playbook", "list", *more],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip

    assert done.returncode == UNWRITTEN
    assert "The output cannot be written: No space left on device\n  at: standard output" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profiler_sees_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cProfile", "-m", "responder", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "function calls" in done.stdout
