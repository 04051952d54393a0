"""Time as a calendar has it: spans as playbooks write them, months, business days, and local times of a zone."""

import calendar
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from responder.durations import duration
from responder.errors import InputError, SettingsError

LAST = datetime(9999, 12, 30, tzinfo=UTC)
"""No due time lies beyond it; every zone can still show it."""

_SPAN = r"(\d{1,9}) (month|calendar day|business day)s?"
_MOST = {"months": 120, "calendar days": 3660, "business days": 2600}
_HOW = "write it like 72h, 1h30m, 2d, `1 month`, `30 calendar days` or `4 business days`"
_LOCAL = r"(\d{1,2}):(\d{2}) (same day|next day|next business day)"
_LOCAL_HOW = "write it like `12:00 next day`, `17:30 same day`, `24:00 same day` or `9:00 next business day`"
_SATURDAY = 5
_HOURS, _MINUTES = 24, 60


class Calendar(NamedTuple):
    """Where days begin, and which of them are not for business."""

    zone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    said_in: str = "organisation.time_zone"
    """Where the zone's name comes from."""

    def local(self, at: datetime) -> datetime:
        """Return a moment as the clocks of the zone show it."""
        return at.astimezone(zone_named(self.zone, self.said_in))

    def is_business_day(self, day: date) -> bool:
        """Tell whether business is done on a day: neither a weekend nor a holiday."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def business_day_after(self, day: date, count: int = 1) -> date:
        """Return the business day that comes so many business days after a day; the day itself never counts."""
        while count:
            day += timedelta(days=1)
            count -= self.is_business_day(day)
        return day

    def instant(self, day: date, at: time) -> datetime:
        """Return the moment at which the clocks of the zone show a time on a day, in UTC.

        Where they show it twice it is the first; where they skip it, the moment at which they jump.
        """
        zone = zone_named(self.zone, self.said_in)
        shown = datetime.combine(day, at)
        first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(zone).replace(tzinfo=None) == shown:
            return first
        before, after = second.replace(microsecond=0), first.replace(microsecond=0)
        offset = before.astimezone(zone).utcoffset()
        while after - before > timedelta(seconds=1):
            middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
            if middle.astimezone(zone).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after


@dataclass(frozen=True)
class Span:
    """How long there is: elapsed time, or so many months, calendar days or business days."""

    unit: str
    """`elapsed`, `months`, `calendar days` or `business days`."""
    count: int = 0
    elapsed: timedelta = timedelta(0)
    written: str = field(default="", compare=False)
    """As its author wrote it: a law says 72h, and nobody looks for 3d."""

    @property
    def is_elapsed(self) -> bool:
        """Whether it is the same everywhere: it asks no zone and no calendar."""
        return self.unit == "elapsed"

    def after(self, start: datetime, days: Calendar) -> datetime:
        """Return the moment that lies so much later, in UTC; a calendar's span keeps the local time of day."""
        try:
            return min(self._after(start, days), LAST)
        except (OverflowError, ValueError):
            return LAST

    def _after(self, start: datetime, days: Calendar) -> datetime:
        if self.is_elapsed:
            return start.astimezone(UTC) + self.elapsed
        local = days.local(start)
        if self.unit == "months":
            day = _months_after(local.date(), self.count)
        elif self.unit == "calendar days":
            day = local.date() + timedelta(days=self.count)
        else:
            day = days.business_day_after(local.date(), self.count)
        return days.instant(day, local.time())

    def __str__(self) -> str:
        """Show it as a playbook writes it."""
        return self.written


def _months_after(day: date, count: int) -> date:
    """Return the same day so many months later; the last of the month where it has no such day."""
    years, month = divmod(day.month - 1 + count, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def read_span(text: Any) -> Span:
    """Read a span. ValueError for anything that is not one."""
    if isinstance(text, Span):
        return text
    if not isinstance(text, str):
        raise ValueError(f"it has no unit; {_HOW}")  # noqa: TRY004 - pydantic wants ValueError
    found = re.fullmatch(_SPAN, text.strip())
    if found is None:
        try:
            elapsed = duration(text)
        except ValueError as error:
            raise ValueError(str(error) if "longer" in str(error) else f"{text[:40]!r} is no span; {_HOW}") from None
        if not elapsed:
            raise ValueError("a span is longer than nothing")
        return Span("elapsed", elapsed=elapsed, written=text.strip())
    unit, count = f"{found[2]}s", int(found[1])
    if not 1 <= count <= _MOST[unit]:
        raise ValueError(f"{text[:40]!r}: from 1 to {_MOST[unit]} {unit}")
    return Span(unit, count, written=text.strip())


class LocalTime(NamedTuple):
    """A time of the day as clocks on the wall show it, and which day is meant."""

    hour: int
    minute: int
    day: str
    """`same day`, `next day` or `next business day`."""

    def after(self, start: datetime, days: Calendar) -> datetime:
        """Return the moment that is meant, in UTC, counted from the local day on which `start` lies."""
        try:
            return min(self._after(start, days), LAST)
        except (OverflowError, ValueError):
            return LAST

    def _after(self, start: datetime, days: Calendar) -> datetime:
        day = days.local(start).date()
        if self.day == "next day":
            day += timedelta(days=1)
        elif self.day == "next business day":
            day = days.business_day_after(day)
        if self.hour == _HOURS:
            return days.instant(day + timedelta(days=1), time())
        return days.instant(day, time(self.hour, self.minute))

    def __str__(self) -> str:
        """Show it as a playbook writes it."""
        return f"{self.hour:02}:{self.minute:02} {self.day}"


def read_local_time(text: Any) -> LocalTime:
    """Read a local time. ValueError for anything that is not one."""
    if isinstance(text, LocalTime):
        return text
    found = re.fullmatch(_LOCAL, text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{str(text)[:40]!r} is no local time; {_LOCAL_HOW}")
    hour, minute = int(found[1]), int(found[2])
    if hour > _HOURS or minute >= _MINUTES or (hour == _HOURS and minute):
        raise ValueError(f"there is no time {found[1]}:{found[2]}; a day ends at 24:00")
    return LocalTime(hour, minute, found[3])


def zone_named(name: str, where: str = "organisation.time_zone", error: type[InputError] = SettingsError) -> tzinfo:
    """Return a time zone by its name. `error` where this machine knows none of that name."""
    try:
        return UTC if name in {"", "UTC"} else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise error(
            f"There is no time zone {name!r} on this machine",
            where=where,
            remedy="write it like America/New_York; the package tzdata brings the zones along",
        ) from None
