"""Time: a clock that two processes share, spans that lose nothing, and a permit's clock that never steps back."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.clock import ScaledClock, SeededIds, SystemClock, clock_from, monotonic, random_ids, show_time
from responder.durations import duration, show_duration
from responder.errors import PlaybookError
from responder.reading import parse_playbook

ORIGIN = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)


def test_a_scaled_clock_is_the_same_in_every_process(tmp_path: Path) -> None:
    made = ScaledClock.create(tmp_path / "clock", ORIGIN, 60.0)
    read = ScaledClock.load(tmp_path / "clock")

    assert made == read
    assert isinstance(clock_from({"RESPONDER_CLOCK": str(tmp_path / "clock")}), ScaledClock)
    assert isinstance(clock_from({}), SystemClock)


def test_a_scaled_clock_runs_faster(tmp_path: Path) -> None:
    clock = ScaledClock.create(tmp_path / "clock", ORIGIN, 1000.0)
    started = time.perf_counter()
    clock.sleep(100.0)

    assert 0.1 <= time.perf_counter() - started < 1.0
    assert clock.now() >= ORIGIN + timedelta(seconds=100)
    assert (2.0, 0.0) == (clock.real_seconds(2000.0), clock.real_seconds(-5))


def test_all_times_are_in_utc() -> None:
    assert UTC == SystemClock().now().tzinfo
    assert "2026-05-02 07:00:00 UTC" == show_time(datetime.fromisoformat("2026-05-02T09:00:00+02:00"))


def test_the_clock_of_permits_never_steps_back() -> None:
    seen = [monotonic() for _ in range(100)]

    assert sorted(seen) == seen


def test_seeded_ids_repeat_and_do_not_collide() -> None:
    first, again, other = SeededIds(7), SeededIds(7), SeededIds(8)
    ids = [first("run") for _ in range(1000)]

    assert ids == [again("run") for _ in range(1000)]
    assert 1000 == len(set(ids))
    assert ids[0] != other("run")
    assert random_ids()("run") != random_ids()("run")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1d2h3m4.5s", 93784.5),
        ("0.25s", 0.25),
        (" 5m ", 300),
    ],
)
def test_a_span(text: str, seconds: float) -> None:
    assert timedelta(seconds=seconds) == duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "5 minutes",
        "-5m",
        "1m1h",
        "5M",
        "PT5M",
        "99999999999d",
        "9" * 400 + "d",
        "9999d",
        "1.5h",
        "nan",
        "5m\n5m",
    ],
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
        duration(text)


@given(st.integers(min_value=1, max_value=3660 * 86400 * 1_000_000))
def test_a_span_is_written_without_loss(microseconds: int) -> None:
    span = timedelta(microseconds=microseconds)

    assert span == duration(show_duration(span))


@pytest.mark.parametrize("within", ["5", "5.5", "0s", "99999999999d", "soon", "true"])
def test_a_span_in_a_playbook_has_a_unit_and_an_end(within: str) -> None:
    approval = f"{{role: c, within: {within}, on_timeout: abort}}"
    step = f"  - {{id: a, phase: analysis, action: human.task, approval: {approval}}}"
    text = f"playbook: p\ntitle: t\nversion: 1\nroles: {{c: {{}}}}\nsteps:\n{step}\n"

    with pytest.raises(PlaybookError, match=r"p\.yaml:6:\d+: .*within"):
        parse_playbook(text, "p.yaml")
