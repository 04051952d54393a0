"""Threads: kept for what comes next, waited for at the end, and none is lost by a call that breaks."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from responder.errors import HostExhausted
from responder.threads import Threads

SECONDS = 10.0


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


def in_turn(threads: Threads, count: int) -> set[int]:
    """Do calls one after the other; return the threads that did them."""
    done: SimpleQueue[int] = SimpleQueue()
    seen = set()
    for _ in range(count):
        threads.do(lambda: done.put(threading.get_ident()))
        seen.add(done.get(timeout=SECONDS))
        resting(threads)
    return seen


def resting(threads: Threads) -> None:
    until = time.monotonic() + SECONDS
    while threads._busy:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_calls_one_after_the_other_share_a_thread(threads: Threads) -> None:
    assert 1 == len(in_turn(threads, 5))


def test_calls_at_once_have_a_thread_each(threads: Threads) -> None:
    together = threading.Barrier(20)
    passed: SimpleQueue[int] = SimpleQueue()

    for _ in range(20):
        threads.do(lambda: passed.put(together.wait(SECONDS)))

    assert set(range(20)) == {passed.get(timeout=SECONDS) for _ in range(20)}


def test_closing_waits_for_what_is_under_way_and_leaves_no_thread() -> None:
    threads = Threads()
    done: list[str] = []
    before = set(threading.enumerate())

    def slow() -> None:
        time.sleep(0.2)
        done.append("slow")

    threads.do(slow)
    started = set(threading.enumerate()) - before
    threads.close()

    assert ["slow"] == done
    for thread in started:
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_what_it_is_given_while_its_process_ends_is_begun(threads: Threads) -> None:
    threads.close()

    assert 1 == len(in_turn(threads, 2))


def test_where_no_thread_can_be_had_it_says_so_and_goes_on_later(threads: Threads) -> None:
    start = threading.Thread.start
    begun = threading.Event()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(HostExhausted, match="can't start new thread"):
            threads.do(begun.set)

    assert threading.Thread.start is start
    threads.do(begun.set)
    assert begun.wait(SECONDS)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_call_that_breaks_takes_its_thread_with_it_and_nothing_else(threads: Threads) -> None:
    broken: SimpleQueue[int] = SimpleQueue()

    def breaks() -> None:
        broken.put(threading.get_ident())
        raise RuntimeError("a defect")

    threads.do(breaks)
    dead = broken.get(timeout=SECONDS)
    resting(threads)
    while any(thread.ident == dead for thread in threading.enumerate()):
        time.sleep(0.001)

    assert 1 == len(in_turn(threads, 3))


def test_a_process_that_ends_lets_what_is_under_way_finish() -> None:
    program = (
        "import time; from responder.threads import Threads\n"
        "def slow(): time.sleep(0.3); print('finished', flush=True)\n"
        "Threads().do(slow)\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)

    assert "finished\n" == ended.stdout
