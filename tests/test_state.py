"""The fold: what a run has come to by its record alone, whoever was faster, in whatever order things came."""

import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.chain import GENESIS
from responder.entry import Entry
from responder.fold import apply, fold
from responder.gate import paused
from responder.naming import children
from responder.resolve import left_open
from responder.settings import Connection
from responder.state import RunState, outputs
from responder.step import Step
from responder.suspicion import overheard

NOW = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
STEPS = [
    {"id": "a", "phase": "analysis", "action": "clockwork.turn"},
    {"id": "b", "phase": "analysis", "action": "clockwork.turn", "on_error": "abort"},
    {"id": "each", "phase": "analysis", "action": "clockwork.turn", "for_each": ["i", "j"]},
]
STARTED = (
    "started",
    "",
    {"playbook": {"playbook": "p", "title": "t", "version": 1, "steps": STEPS}, "credential": {}},
)
EXPANDED = ("expanded", "each", {"items": {"i": "i", "j": "j"}})
Said = tuple[str, str, dict[str, Any]]


def asked(kind: str = "approval", digest: str = "d1", step: str = "a", **more: Any) -> Said:
    return (
        "asked",
        step,
        {"kind": kind, "role": "commander", "due_at": None, "on_timeout": "abort", "digest": digest, **more},
    )


def planned(digest: str = "d1", step: str = "a") -> Said:
    return ("planned", step, {"digest": digest, "target": step, "before": "x", "after": "y"})


def agreed(digest: str = "d1", by: str = "carl", step: str = "a") -> tuple[str, str, dict[str, Any], str]:
    return ("agreed", step, {"digest": digest}, by)


def folded(*said: Sequence[Any], started: Sequence[Any] = STARTED) -> RunState:
    lines = [started, *said]
    entries = [
        Entry(
            n, NOW + timedelta(seconds=n), "inc-1", "run-1", line[0], line[1],
            line[3] if len(line) > 3 else "responder", line[2], 1, GENESIS, GENESIS,
        )
        for n, line in enumerate(lines, 1)
    ]  # fmt: skip
    return fold("run-1", entries)


DECLINED = ("declined", "a", {"digest": "d1", "reason": "no"}, "cora")
INTENDED = ("intended", "a", {"digest": "d1"})
EXPIRED = ("expired", "a", {"consequence": "abort", "role": "commander", "digest": "d1", "reason": "nobody"})


@pytest.mark.parametrize(
    ("said", "status", "approved"),
    [
        pytest.param([planned(), asked(), agreed(), DECLINED], "running", "d1", id="declined after it was agreed"),
        pytest.param([planned(), asked(), DECLINED, agreed()], "declined", "", id="agreed after it was declined"),
        pytest.param(
            [planned(), asked(), agreed(), INTENDED, DECLINED],
            "running",
            "d1",
            id="declined while it is sent",
        ),
        pytest.param(
            [planned(), asked(), agreed(), EXPIRED], "running", "d1", id="agreed just before the time ran out"
        ),
        pytest.param(
            [planned(), asked(), agreed(), EXPIRED, asked()],
            "running",
            "d1",
            id="agreed, and then asked once more by one who had not seen it",
        ),
        pytest.param(
            [planned(), asked(), planned("d2"), asked(digest="d2"), agreed("d1")],
            "running",
            "",
            id="agreed to an older change",
        ),
        pytest.param(
            [planned(), asked(), planned("d2"), asked(digest="d2"), DECLINED],
            "running",
            "",
            id="declined an older change",
        ),
        pytest.param([planned(), asked(quorum=2), agreed(), agreed()], "running", "", id="one person twice is not two"),
        pytest.param(
            [planned(), asked(quorum=2), agreed(), agreed(by="cora")],
            "running",
            "d1",
            id="two people are two",
        ),
        pytest.param(
            [planned(), asked(quorum=2), agreed(), asked(quorum=2), agreed(by="cora")],
            "running",
            "",
            id="a new question counts from the beginning",
        ),
    ],
)
def test_of_two_answers_the_first_counts(said: list[Sequence[Any]], status: str, approved: str) -> None:
    unit = folded(*said).unit("a")

    assert (status, approved) == (unit.status, unit.approved)


def test_what_is_in_flight_is_known_whoever_declines_or_waits_too_long() -> None:
    assert folded(planned(), asked(), agreed(), INTENDED, DECLINED, EXPIRED).unit("a").in_flight


def test_the_first_of_two_choices_counts() -> None:
    choices = [
        ("decided", "a", {"facts": {"choice": choice}}, who) for choice, who in (("one", "carl"), ("two", "cora"))
    ]

    unit = folded(asked("decide", ""), *choices).unit("a")

    assert ("done", "one") == (unit.status, unit.facts["choice"])


def test_the_first_of_two_words_on_an_unknown_outcome_counts() -> None:
    words = [("answered", "a", {"answer": answer}) for answer in ("happened", "not-happened")]

    assert (
        "happened" == folded(planned(), INTENDED, ("unknown", "a", {}), asked("unknown", ""), *words).unit("a").answer
    )


def test_an_unknown_outcome_is_shown_as_unknown_and_survives_abort_failure_and_retry() -> None:
    said = [planned(), INTENDED, ("unknown", "a", {"reason": "lost"}), asked("unknown", "")]

    assert "unknown" == folded(*said).status("a")
    assert [ask.kind for ask in folded(*said, ("aborted", "", {})).asks()] == ["unknown"]
    again = folded(*said, ("failed", "a", {"error": "e"}), ("retried", "a", {})).unit("a")
    assert (True, "d1") == (again.in_flight, again.planned["digest"])


@pytest.mark.parametrize(
    ("said", "state"),
    [
        pytest.param(
            [("halted", "", {}), ("aborted", "", {}), ("resumed", "", {})],
            "aborting",
            id="resumed, and aborted a moment before",
        ),
        pytest.param(
            [("failed", "a", {"error": "e"}), ("ended", "", {"contained": False}), ("retried", "a", {})],
            "ended",
            id="retried, and ended a moment before",
        ),
        pytest.param(
            [("ended", "", {"contained": True}), ("aborted", "", {})], "ended", id="aborted, and ended a moment before"
        ),
        pytest.param([("aborted", "", {}), ("halted", "", {})], "aborting", id="halted, and aborted a moment before"),
        pytest.param([("failed", "b", {"error": "e"})], "aborting", id="a failure that aborts"),
        pytest.param(
            [("failed", "a", {"error": "e"}), ("halted", "", {}), ("retried", "a", {})],
            "open",
            id="retried while it is halted",
        ),
    ],
)
def test_a_run_stays_ended_and_an_abort_stays_one(said: list[Said], state: str) -> None:
    assert state == folded(*said).state


def test_a_step_stays_as_it_first_ended() -> None:
    state = folded(
        ("done", "a", {"facts": {"x": 1}}),
        ("failed", "a", {"error": "limit"}),
        ("skipped", "a", {"reason": "r"}),
    )

    assert ("done", "", {"x": 1}) == (state.status("a"), state.unit("a").error, state.unit("a").facts)


def test_one_approval_for_many_signs_what_it_showed_and_no_item_that_was_planned_later() -> None:
    state = folded(
        EXPANDED, planned("di", "each[i]"), asked(digest="g", step="each", digests={"i": "di"}),
        planned("dj", "each[j]"), agreed("g", step="each"),
    )  # fmt: skip

    assert ("di", "") == (state.unit("each[i]").approved, state.unit("each[j]").approved)


def test_a_retried_item_moves_its_step_too_and_what_ended_well_stays() -> None:
    said = [
        EXPANDED,
        ("done", "each[i]", {}),
        ("failed", "each[j]", {"error": "e"}),
        ("failed", "each", {"error": "1 of 2"}),
    ]

    for address in ("each", "each[j]"):
        state = folded(*said, ("retried", address, {}))
        assert ("running", "done", "waiting", 1) == (
            state.status("each"),
            state.status("each[i]"),
            state.status("each[j]"),
            state.items["each"].ended,
        )


def test_a_retried_observation_starts_over_and_is_running_at_its_first_look() -> None:
    look = ("observed", "a", {"verdict": "refused", "next_at": NOW.isoformat()})

    state = folded(look, look, ("failed", "a", {"error": "limit"}), ("retried", "a", {}), look)

    assert ("running", 1) == (state.status("a"), len(state.unit("a").looks))


def test_tries_count_only_failures_in_a_row() -> None:
    trying = ("retrying", "a", {"error": "busy", "next_at": NOW.isoformat()})
    look = ("observed", "a", {"verdict": "refused", "next_at": NOW.isoformat()})

    assert 1 == folded(trying, trying, look, trying).unit("a").tries


def test_a_fact_called_status_hides_no_status() -> None:
    state = folded(("done", "a", {"facts": {"status": 200}}))

    assert "done" == outputs(state, state.playbook.by_id["a"])["status"]


@pytest.mark.parametrize("event", ["reticulated", "withdrawn"])
def test_events_of_a_later_version_are_passed_over(event: str) -> None:
    assert "waiting" == folded((event, "a", {"x": 1})).status("a")


def lives(step: str) -> st.SearchStrategy[list[Said]]:
    """A step's own entries, in an order in which a worker writes them."""
    digest = f"d-{step}"
    change = [
        planned(digest, step),
        ("intended", step, {"digest": digest}),
        ("applied", step, {"facts": {"of": step}}),
        ("verified", step, {}),
    ]
    return st.sampled_from(
        [
            change, change[:2], change[:3],
            [("skipped", step, {"reason": "r"})],
            [("failed", step, {"error": "e", "kind": "denied"})],
            [("retrying", step, {"error": "busy", "next_at": NOW.isoformat()}), *change],
            [
                *change[:2],
                ("unknown", step, {"reason": "lost", "next_at": NOW.isoformat()}),
                ("reconciled", step, {"facts": {}}),
            ],
        ]
    )  # fmt: skip


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_entries_of_independent_steps_may_come_in_any_order(data: st.DataObject) -> None:
    steps = {address: data.draw(lives(address), label=address) for address in ("a", "each[i]", "each[j]")}
    straight = [line for lines in steps.values() for line in lines]
    left = {address: list(lines) for address, lines in steps.items()}
    shuffled: list[Said] = []
    while any(left.values()):
        address = data.draw(st.sampled_from(sorted(name for name, lines in left.items() if lines)))
        shuffled.append(left[address].pop(0))

    one, other = (folded(EXPANDED, *lines) for lines in (straight, shuffled))

    assert told(one) == told(other)


def told(state: RunState) -> dict[str, Any]:
    units = {
        address: (
            unit.status,
            dict(unit.facts),
            unit.approved,
            unit.in_flight,
            unit.tries,
            unit.error,
            dict(unit.planned),
        )
        for address, unit in state.units.items()
    }
    return {"units": units, "ended": state.items["each"].ended, "state": state.state}


@given(
    st.lists(
        st.sampled_from(
            [
                planned(),
                asked(),
                agreed(),
                DECLINED,
                EXPIRED,
                INTENDED,
                ("done", "a", {}),
                ("retried", "a", {}),
                ("failed", "a", {"error": "e"}),
            ]
        ),
        max_size=12,
    ),
    st.integers(0, 12),
)
@settings(max_examples=100, deadline=None)
def test_a_fold_can_be_interrupted_anywhere(said: list[Sequence[Any]], at: int) -> None:
    """Folding a part first and the rest later gives the same, and no order of entries breaks it."""
    whole = folded(*said)
    entries = [
        Entry(
            n, NOW + timedelta(seconds=n), "inc-1", "run-1", line[0], line[1],
            line[3] if len(line) > 3 else "responder", line[2], 1, GENESIS, GENESIS,
        )
        for n, line in enumerate([STARTED, *said], 1)
    ]  # fmt: skip
    part = fold("run-1", entries[:at])
    for entry in entries[at:]:
        apply(part, entry)

    assert (whole.status("a"), whole.unit("a").in_flight, whole.state) == (
        part.status("a"),
        part.unit("a").in_flight,
        part.state,
    )


def grown(number: int) -> list[Entry]:
    """Return entries of one more step, run and suspect than there were."""
    told: list[tuple[str, str, str, dict[str, Any]]] = [
        ("planned", "run-1", f"each[{number}]", {"action": "clockwork.turn"}),
        ("opened_child", "run-1", "each", {"child": f"run-{number}c", "credential": "key"}),
        ("linked", "run-1", "each", {"run": f"run-{number}l", "credential": "key", "pauses": True}),
        ("started", f"run-{number}c", "", {"credential": {"connection": "cw"}}),
        ("suspected", "", "", {"suspects": [f"person:p{number}"], "reason": "r"}),
        ("ended", f"run-{number}l", "", {}),
    ]
    return [
        Entry(number, NOW, "inc-1", run, event, step, "responder", facts, 1, GENESIS, GENESIS)
        for event, run, step, facts in told
    ]


DELIVERY = Step.model_validate({"id": "d", "phase": "containment", "action": "credential.deliver"})
LOOKS: dict[str, Callable[[RunState], object]] = {
    "what is asked": RunState.asks,
    "doors that were left open": left_open,
    "runs that a step opened": lambda state: children(state, "each"),
    "what holds a delivery up": lambda state: paused(DELIVERY, state),
    "who may hear us": lambda state: overheard(state.standing, {}, Connection(provider="clockwork")),
}


@pytest.mark.parametrize("looked_at", LOOKS)
def test_a_thread_that_looks_at_the_state_while_another_adds_to_it_finds_it_whole(looked_at: str) -> None:
    state, over = folded(EXPANDED), threading.Event()

    def adds() -> None:
        for number in range(2, 700):
            for entry in grown(number):
                apply(state, entry)
        over.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    adding = threading.Thread(target=adds)
    try:
        adding.start()
        while not over.is_set():
            LOOKS[looked_at](state)
    finally:
        adding.join()
        sys.setswitchinterval(before)

    assert 699 == len(state.units)
