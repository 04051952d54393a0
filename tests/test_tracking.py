"""What was only read is known at once and written soon: in order, before whatever hangs on it, or nothing more is."""

import random
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from conftest import BOTH, OpenApp
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fold_properties import public
from test_properties import MORE, usual
from test_run import begun, effects, statuses, written

from responder.entry import Draft, Entry, Fence
from responder.errors import RecordError, StaleExecutor
from responder.finding import Exposure, Finding
from responder.fold import fold
from responder.run import Runner
from responder.store import Writing
from responder.tracking import Tracking

STEPS = "".join(f"  - {{id: s{n}, phase: analysis, action: clockwork.nothing}}\n" for n in range(4))
LOOK = {"verdict": "not yet", "next_at": "2026-01-01T00:00:00+00:00"}
LEFT: list[tuple[str, dict[str, Any]]] = [
    ("began", {"action": "clockwork.nothing"}),
    ("observed", LOOK),
    ("failed", {"error": "e", "kind": "denied"}),
    ("done", {"facts": {"found": "x"}, "io_seconds": 1.0}),
]
WRITTEN: list[tuple[str, dict[str, Any]]] = [("planned", {"io_seconds": 0.25}), ("skipped", {"reason": "r"})]
SAID: list[tuple[str, dict[str, Any]]] = [
    ("retried", {}),
    ("aborted", {}),
    ("resumed", {}),
    ("mode", {"to": "A2", "reason": "r"}),
    ("set", {"field": "note", "old": "", "new": "n"}),
]


VALUES = count()


class Bench:
    """A run that was begun, its executor's tracking, and another process that writes as people do."""

    def __init__(self, opened: OpenApp, place: Path) -> None:
        self.app, self.other = opened(), opened("carl")
        value = self.app.means.sealer.secret(f"leaked-value-{next(VALUES)}-" + "x" * 20)
        finding = Finding(value=value, exposure=Exposure(kind="public"))
        self.run = self.app.begin(self.app.library.load(written(place, STEPS)), finding, {}).run
        self.lease = self.app.dispatcher.adopt(self.run)
        self.timeline = self.app.dispatcher.timeline(self.lease.incident)
        self.tracking = Tracking(self.timeline, self.lease.fence)
        self.tracking.catch_up(look=True)

    def draft(self, event: str, facts: dict[str, Any], step: str) -> Draft:
        return Draft(event, facts, self.run, step)

    def leave(self, event: str, facts: dict[str, Any], step: str) -> None:
        self.tracking.leave(self.draft(event, facts, step))

    def write(self, event: str, facts: dict[str, Any], step: str) -> None:
        self.timeline.append(self.draft(event, facts, step), fence=self.lease.fence)

    def say(self, event: str, facts: dict[str, Any], step: str) -> None:
        """Write as another process does, of a step or of the whole incident."""
        of_all = event in {"mode", "set"}
        draft = Draft(event, facts) if of_all else self.draft(event, facts, step if event == "retried" else "")
        self.other.dispatcher.timeline(self.lease.incident).append(draft)

    def settle(self) -> None:
        self.timeline.entries()  # others may have written just now, which is looked for every now and then
        self.tracking.catch_up(look=True)
        while not self.tracking.settled():
            self.tracking.catch_up(look=True)

    def of_record(self) -> dict[str, Any]:
        """Return what the record alone says, as whoever goes on after a crash reads it."""
        return public(fold(self.run, self.other.dispatcher.timeline(self.lease.incident).entries()))

    def known(self) -> dict[str, Any]:
        return public(self.tracking.state)


@pytest.fixture
def bench(opened: OpenApp, place: Path) -> Bench:
    return Bench(opened, place)


def test_what_was_left_is_known_at_once_and_written_with_what_comes_next(bench: Bench) -> None:
    bench.leave("done", {"facts": {"found": "x"}}, "s0")
    bench.tracking.catch_up(look=True)

    assert "done" == bench.tracking.state.status("s0")
    assert "waiting" == bench.other.state(bench.run).status("s0")

    bench.write("planned", {}, "s1")
    bench.tracking.catch_up(look=False)

    assert ["done", "planned"] == [entry.event for entry in bench.other.timeline(bench.lease.incident)][-2:]
    assert bench.of_record() == bench.known()
    assert bench.tracking.settled()
    assert not bench.tracking.behind()


OPERATIONS = st.one_of(
    st.tuples(st.just("leave"), st.sampled_from(LEFT), st.integers(0, 3)),
    st.tuples(st.just("write"), st.sampled_from(WRITTEN), st.integers(0, 3)),
    st.tuples(st.just("say"), st.sampled_from(SAID), st.integers(0, 3)),
    st.tuples(st.sampled_from(["flush", "catch up", "look"]), st.just(("", {})), st.just(0)),
)


@pytest.mark.timeout(0)
@given(operations=st.lists(OPERATIONS, min_size=3, max_size=14))
@settings(usual, max_examples=MORE or 60)
def test_whatever_others_say_meanwhile_the_state_is_what_the_record_says(
    opened: OpenApp, place: Path, operations: list[tuple[str, tuple[str, dict[str, Any]], int]]
) -> None:
    bench = Bench(opened, place)
    for name, (event, facts), number in operations:
        if name == "flush":
            bench.timeline.flush()
        elif name in {"catch up", "look"}:
            bench.tracking.catch_up(look=name == "look")
        else:
            getattr(bench, name)(event, facts, f"s{number}")
    bench.settle()

    assert bench.of_record() == bench.known()
    bench.app.close()
    bench.other.close()


def test_a_person_who_has_a_step_tried_again_is_heard_before_what_was_not_written_yet(bench: Bench) -> None:
    bench.write("failed", {"error": "e", "kind": "denied"}, "s0")
    bench.leave("done", {"facts": {}}, "s0")  # too late: it has failed
    bench.tracking.catch_up(look=True)
    assert "failed" == bench.tracking.state.status("s0")
    bench.say("retried", {}, "s0")
    bench.settle()

    assert "done" == bench.other.state(bench.run).status("s0") == bench.tracking.state.status("s0")


def test_threads_that_leave_much_while_others_write_lose_and_double_nothing(bench: Bench) -> None:
    each, left = 150, threading.Event()

    def leave(step: str) -> None:
        chance = random.Random(step)
        for number in range(each):
            bench.leave("observed", {**LOOK, "facts": {"number": number}}, step)
            if number % 10 == 0:
                bench.write("planned", {"io_seconds": 0.25}, step)
            if number == each - 1:
                bench.write("applied", {}, step)
                bench.leave("verified", {}, step)
            time.sleep(chance.random() / 500)

    def speak() -> None:
        while not left.wait(0.01):
            bench.say("set", {"field": "note", "old": "", "new": "n"}, "")

    threads = [threading.Thread(target=leave, args=(f"s{number}",)) for number in range(4)]
    speaker = threading.Thread(target=speak)
    for thread in (*threads, speaker):
        thread.start()
    while any(thread.is_alive() for thread in threads):
        bench.tracking.catch_up(look=False)
    left.set()
    speaker.join(30)
    bench.settle()

    units = bench.tracking.state.units
    looks = {address: [look.facts["number"] for look in unit.looks] for address, unit in units.items()}
    assert {f"s{number}": list(range(each)) for number in range(4)} == looks
    assert bench.of_record() == bench.known()


def test_what_is_being_written_at_this_moment_is_not_taken_for_still_to_come(bench: Bench) -> None:
    """It is in the store already, and its ticket does not say so yet."""
    keep, stored = bench.timeline._keep, threading.Event()

    def slowly(entries: list[Entry]) -> None:
        stored.set()
        time.sleep(0.3)
        keep(entries)

    bench.timeline._keep = slowly  # type: ignore[method-assign]
    bench.leave("observed", LOOK, "s0")
    time.sleep(0.06)  # so that the store is asked
    writer = threading.Thread(target=bench.timeline.flush)
    writer.start()
    assert stored.wait(5)
    bench.tracking.catch_up(look=True)
    writer.join(5)
    bench.settle()

    assert 1 == len(bench.tracking.state.unit("s0").looks)


def test_what_was_left_after_something_was_written_is_not_taken_before_it(bench: Bench) -> None:
    """Both come from a thread, just after the entries were looked at."""
    entries = bench.tracking._entries

    def overtaken(**how: bool) -> Sequence[Entry]:
        found = list(entries(**how))
        bench.tracking._entries = entries  # type: ignore[method-assign]
        bench.write("applied", {}, "s0")
        bench.leave("verified", {}, "s0")
        return found

    bench.write("planned", {}, "s0")
    bench.tracking._entries = overtaken  # type: ignore[method-assign]
    bench.tracking.catch_up(look=False)
    bench.tracking.catch_up(look=False)

    assert "done" == bench.tracking.state.status("s0")


# What is lost ---------------------------------------------------------------------------------------------------------


def defect(_: Writing) -> None:
    raise ValueError("a defect while it is stored")


def test_nothing_is_written_that_hangs_on_what_is_lost(bench: Bench) -> None:
    bench.timeline.soon(bench.draft("done", {}, "s0"), fence=bench.lease.fence, also=defect)
    others = Fence(bench.run, bench.lease.epoch, bench.lease.executor + "x")

    with pytest.raises(RecordError, match="hangs on"):
        bench.write("intended", {}, "s1")
    with pytest.raises(StaleExecutor):
        bench.timeline.append(bench.draft("intended", {}, "s1"), fence=others)

    bench.timeline.append(Draft("noted", {"text": "what people say hangs on nothing"}))
    assert ["adopted", "noted"] == [entry.event for entry in bench.other.timeline(bench.lease.incident)][-2:]


def test_who_begins_anew_from_the_record_may_write(bench: Bench) -> None:
    bench.timeline.soon(bench.draft("done", {}, "s0"), fence=bench.lease.fence, also=defect)
    bench.timeline.flush()
    with pytest.raises(RecordError):
        bench.write("planned", {}, "s0")

    again = Tracking(bench.timeline, bench.lease.fence)
    bench.write("planned", {}, "s0")
    again.catch_up(look=True)

    assert "running" == again.state.status("s0")


def test_the_executor_hears_of_what_could_not_be_written(bench: Bench) -> None:
    bench.leave("done", {}, "s0")
    bench.tracking.catch_up(look=True)
    with bench.app.means.store.write() as writing:
        row = writing.run(bench.run)
        assert row is not None
        writing.put_run(row._replace(executor="somebody else"))
    bench.timeline.flush()

    with pytest.raises(StaleExecutor):
        bench.tracking.catch_up(look=False)


def test_a_secret_that_is_learned_before_it_is_written_is_struck_out(bench: Bench) -> None:
    value = "found-by-another-step-" + "q7" * 8
    bench.leave("done", {"facts": {"text": f"it is {value}"}}, "s0")
    secret = bench.app.means.sealer.secret(value)
    bench.timeline.flush()

    facts = bench.other.timeline(bench.lease.incident)[-1].facts
    assert {"text": f"it is {secret}"} == facts["facts"]


# Whole runs -----------------------------------------------------------------------------------------------------------

READ_THEN_CHANGE = """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x}}
  - {id: more, phase: analysis, action: clockwork.nothing, needs: [look]}
  - {id: turn, phase: containment, action: clockwork.turn, with: {key: a}, needs: [more]}
  - {id: after, phase: analysis, action: clockwork.nothing, needs: [turn]}
"""


@pytest.mark.parametrize("record", BOTH, indirect=True)
def test_when_something_is_sent_all_that_it_hangs_on_is_on_disk(opened: OpenApp, place: Path) -> None:
    other = opened()
    seen: list[tuple[str, str]] = []

    def look(point: str, step: str) -> None:
        if (point, step) == ("before-apply", "turn"):
            seen.extend((entry.event, entry.step) for entry in other.timeline(incident) if entry.step)

    app = opened(hook=look)
    run = begun(app, written(place, READ_THEN_CHANGE))
    incident = app.row(run).incident
    app.drive(run)

    assert [
        *(("began", "look"), ("done", "look"), ("began", "more"), ("done", "more")),
        *(("planned", "turn"), ("intended", "turn")),
    ] == seen
    assert ["a"] == effects(place)


def test_where_the_record_cannot_take_what_was_read_nothing_is_sent(opened: OpenApp, place: Path) -> None:
    """The reading steps went on from memory; the record fails them and the change together, and all is done again."""
    failing = ["more"]

    def fail(point: str, step: str) -> None:
        if point == "after-record" and step in failing:
            app.means.store._all("PRAGMA query_only = ON")  # type: ignore[attr-defined]

    app = opened(hook=fail)
    run = begun(app, written(place, READ_THEN_CHANGE))
    with pytest.raises(RecordError):
        app.drive(run)
    assert [] == effects(place)

    failing.clear()
    app.means.store._all("PRAGMA query_only = OFF")  # type: ignore[attr-defined]
    app.drive(run)
    assert ["a"] == effects(place)
    assert set(statuses(app.state(run)).values()) == {"done"}


def test_others_see_what_was_read_while_something_long_goes_on(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened()
    steps = STEPS + "  - {id: long, phase: analysis, action: clockwork.nothing, with: {seconds: 3.0}}\n"
    run = begun(app, written(place, steps))
    thread = threading.Thread(target=app.dispatcher.drive, args=(run,))
    thread.start()
    until = time.monotonic() + 2.5
    while other.state(run).status("s3") != "done" and time.monotonic() < until:
        time.sleep(0.02)
    seen = {step: other.state(run).status(step) for step in ("s0", "s3", "long")}
    thread.join()

    assert {"s0": "done", "s3": "done", "long": "running"} == seen


def test_an_executor_that_stops_leaves_nothing_unwritten(opened: OpenApp, place: Path) -> None:
    app, other = opened(), opened()
    run = begun(app, written(place, READ_THEN_CHANGE))
    lease = app.dispatcher.adopt(run)
    runner = Runner(app.means, app.dispatcher.timeline(lease.incident), lease.fence, others_dead=True)

    runner.advance(lambda: runner.state.status("look") == "done")

    assert "done" == other.state(run).status("look")
    assert not runner.behind()


def test_others_see_what_was_read_while_much_is_done(opened: OpenApp, place: Path) -> None:
    """Something ends all the time, so that the run never stands still."""
    app, other = opened(), opened()
    items = ", ".join(map(str, range(150)))
    each = f"for_each: [{items}], max_parallel: 2, with: {{seconds: 0.02}}"
    run = begun(app, written(place, f"  - {{id: each, phase: analysis, action: clockwork.nothing, {each}}}\n"))
    thread = threading.Thread(target=app.dispatcher.drive, args=(run,))
    thread.start()
    time.sleep(0.8)
    ended = other.state(run).items["each"].ended
    thread.join()

    assert 1 < ended < 150
