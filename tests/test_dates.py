"""Months, business days and local times, each held against a naive way to find the same."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from responder.dates import LAST, Calendar, read_local_time, read_span, zone_named
from responder.errors import DocumentError, SettingsError

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Africa/Cairo"
)  # fmt: skip
zones = st.sampled_from(ZONES)
since = datetime.fromisoformat("1990-01-01")
minutes = st.integers(0, 47 * 365 * 24 * 60).map(lambda minute: since + timedelta(minutes=minute))
moments = minutes.map(lambda at: at.replace(tzinfo=UTC))


def first_shown(shown: datetime, zone: str) -> datetime:
    """Walk through the minutes around a local time until its clocks show it, or something later."""
    at = shown.replace(tzinfo=UTC) - timedelta(hours=30)
    for _ in range(60 * 24 * 3):
        if at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) >= shown:
            return at
        at += timedelta(minutes=1)
    raise AssertionError


JUMPS = [
    pytest.param("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00", id="skipped: when the clocks jump"),
    pytest.param("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30", id="shown twice: the first"),
    pytest.param("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00", id="the first skipped minute"),
    pytest.param("America/New_York", "2026-11-01T01:59", "2026-11-01T05:59", id="the last that comes twice"),
    pytest.param("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30", id="half an hour skipped"),
    pytest.param("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00", id="a whole day skipped"),
    pytest.param("Africa/Cairo", "2023-04-28T00:00", "2023-04-27T22:00", id="midnight skipped"),
    pytest.param("UTC", "2026-03-29T02:30", "2026-03-29T02:30", id="nothing jumps"),
]


@pytest.mark.parametrize(("zone", "shown", "instant"), JUMPS)
def test_a_local_time_that_is_shown_twice_or_never_is_the_earlier(zone: str, shown: str, instant: str) -> None:
    local, expected = datetime.fromisoformat(shown), datetime.fromisoformat(f"{instant}+00:00")

    assert expected == Calendar(zone).instant(local.date(), local.time())
    assert expected == first_shown(local, zone)


@settings(max_examples=120, deadline=None)
@given(zones, minutes)
def test_a_local_time_is_the_first_minute_at_which_the_clocks_show_it(zone: str, shown: datetime) -> None:
    assert first_shown(shown, zone) == Calendar(zone).instant(shown.date(), shown.time())


def a_month_later(day: date, count: int) -> tuple[int, int, int]:
    """Turn the pages of a calendar one by one, then go back from the day until there is one."""
    year, month = day.year, day.month
    for _ in range(count):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    for number in range(day.day, 0, -1):
        try:
            return (year, month, date(year, month, number).day)
        except ValueError:
            continue
    raise AssertionError


@settings(max_examples=300, deadline=None)
@example("UTC", datetime(2027, 1, 31, 9, tzinfo=UTC), 1)
@example("UTC", datetime(2028, 1, 31, 9, tzinfo=UTC), 1)
@example("America/New_York", datetime(2026, 1, 31, 23, 30, tzinfo=UTC), 1)
@given(zones, moments, st.integers(1, 40))
def test_months_keep_day_and_time_of_day_as_far_as_there_is_one(zone: str, start: datetime, count: int) -> None:
    local = start.astimezone(ZoneInfo(zone))

    found = read_span(f"{count} months").after(start, Calendar(zone))

    year, month, day = a_month_later(local.date(), count)
    assert first_shown(datetime.combine(date(year, month, day), local.time()), zone) == found


def business_days_after(day: date, holidays: frozenset[date]) -> Iterator[date]:
    """Yield the days after a day on which business is done."""
    while True:
        day += timedelta(days=1)
        if day.strftime("%a") not in {"Sat", "Sun"} and day not in holidays:
            yield day


@settings(max_examples=200, deadline=None)
@given(zones, moments, st.integers(1, 30), st.data())
def test_business_days_leave_out_weekends_and_holidays(
    zone: str, start: datetime, count: int, data: st.DataObject
) -> None:
    local = start.astimezone(ZoneInfo(zone))
    near = st.integers(0, 40).map(lambda ahead: local.date() + timedelta(days=ahead))
    holidays = frozenset(data.draw(st.sets(near, max_size=8)))

    found = read_span(f"{count} business days").after(start, Calendar(zone, holidays))

    coming = business_days_after(local.date(), holidays)
    expected = [next(coming) for _ in range(count)][-1]
    assert first_shown(datetime.combine(expected, local.time()), zone) == found


@pytest.mark.parametrize(
    ("start", "due"),
    [
        pytest.param("2026-11-18T15:00", "2026-11-24T15:00", id="Wednesday: the first day is Thursday"),
        pytest.param("2026-11-20T15:00", "2026-11-27T15:00", id="Friday, and a holiday between"),
        pytest.param("2026-11-21T15:00", "2026-11-27T15:00", id="Saturday: the first day is Monday"),
        pytest.param("2026-11-22T15:00", "2026-11-27T15:00", id="Sunday: the first day is Monday"),
    ],
)
def test_the_first_business_day_is_the_one_after(start: str, due: str) -> None:
    thanksgiving = Calendar("UTC", frozenset({date(2026, 11, 26)}))

    found = read_span("4 business days").after(datetime.fromisoformat(f"{start}+00:00"), thanksgiving)

    assert datetime.fromisoformat(f"{due}+00:00") == found


@settings(max_examples=200, deadline=None)
@given(zones, moments, st.integers(1, 100_000))
def test_hours_are_the_same_everywhere(zone: str, start: datetime, count: int) -> None:
    span = read_span(f"{count}m")

    assert start + timedelta(minutes=count) == span.after(start.astimezone(ZoneInfo(zone)), Calendar(zone))


@pytest.mark.parametrize(
    ("text", "start", "due"),
    [
        pytest.param("12:00 next day", "2026-05-02T21:00", "2026-05-03T10:00", id="noon tomorrow"),
        pytest.param("12:00 next day", "2026-05-02T22:30", "2026-05-04T10:00", id="it is tomorrow already there"),
        pytest.param("17:30 same day", "2026-05-02T09:00", "2026-05-02T15:30", id="this afternoon"),
        pytest.param("17:30 same day", "2026-05-02T18:00", "2026-05-02T15:30", id="it was due already"),
        pytest.param("24:00 same day", "2026-05-02T09:00", "2026-05-02T22:00", id="the end of the day"),
        pytest.param("9:00 next business day", "2026-05-01T09:00", "2026-05-04T07:00", id="Friday to Monday"),
        pytest.param("12:00 next day", "2026-03-28T12:00", "2026-03-29T10:00", id="over the change of the clocks"),
        pytest.param("02:30 next day", "2026-03-28T12:00", "2026-03-29T01:00", id="a time that is skipped"),
        pytest.param("02:30 next day", "2026-10-24T12:00", "2026-10-25T00:30", id="a time that comes twice"),
    ],
)
def test_a_local_time_is_meant_where_the_zone_is(text: str, start: str, due: str) -> None:
    found = read_local_time(text).after(datetime.fromisoformat(f"{start}+00:00"), Calendar("Europe/Berlin"))

    assert datetime.fromisoformat(f"{due}+00:00") == found


SPANS = ["72h", "1h30m", "2d", "1 month", "12 months", "30 calendar days", "1 calendar day", "4 business days"]


@pytest.mark.parametrize("text", SPANS)
def test_a_span_is_written_as_it_was_read(text: str) -> None:
    span = read_span(text)

    assert span == read_span(str(span))
    assert text == str(span)


@pytest.mark.parametrize(
    "text",
    [
        "", "3 days", "2 weeks", "1.5 months", "-1 month", "0 months", "121 months", "999999999 months", "0h", "soon",
        "9999999999999999d", "4000d", "3661 calendar days", "1 month 2 days", "9" * 400 + "h", 72, None, True, [],
        "72 h",
    ],
)  # fmt: skip
def test_what_is_no_span_is_told(text: object) -> None:
    with pytest.raises(ValueError, match=r"write it like|longer than|from 1 to"):
        read_span(text)


@pytest.mark.parametrize("text", ["", "noon", "12:00", "25:00 next day", "24:01 same day", "12:60 next day", 12, None])
def test_what_is_no_local_time_is_told(text: object) -> None:
    with pytest.raises(ValueError, match=r"write it like|there is no time"):
        read_local_time(text)


@pytest.mark.parametrize("text", SPANS)
def test_nothing_is_due_after_the_last_day_of_the_calendar(text: str) -> None:
    end = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)

    assert LAST == read_span(text).after(end, Calendar("Pacific/Apia"))


@pytest.mark.parametrize("name", ["Europe/Berlyn", "../../etc/passwd", "Europe", "a\0b", "x" * 5000, "/etc/localtime"])
def test_a_zone_that_is_not_there_is_one_clear_error(name: str) -> None:
    with pytest.raises(SettingsError, match="There is no time zone") as caught:
        Calendar(name).instant(date(2026, 5, 2), time(12))

    assert "tzdata" in caught.value.remedy


def test_each_caller_names_its_own_error() -> None:
    with pytest.raises(DocumentError):
        zone_named("Nowhere/Land", error=DocumentError)
