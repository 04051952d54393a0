"""The time that a `start` appoints: so long after a moment of the incident, or a time of a calendar."""

import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from responder.anchors import read_anchor
from responder.dates import Calendar, zone_named
from responder.durations import duration
from responder.errors import InputError

HOW = "write `incident.aware_at + 24h`, or `2026-12-01 09:00 Europe/Berlin`"
_ANCHORED = r"incident\.(?P<anchor>[a-z_]+_at)(?:\s*\+\s*(?P<span>\S+))?"
_LOCAL = r"(?P<day>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:\s+(?P<zone>\S+))?"


class Appointed(NamedTuple):
    """A time as it is written: with `anchor` it lies `span` after that moment of the incident, else it is `moment`."""

    anchor: str = ""
    span: timedelta = timedelta()
    moment: datetime | None = None


def read_appointed(text: str, zone: str = "UTC") -> Appointed:
    """Read a time. `zone`: in which it is meant where it names none. ValueError where it is none."""
    found = re.fullmatch(_ANCHORED, text.strip())
    if found is None:
        return Appointed(moment=local_time(text, zone))
    read_anchor(f"incident.{found['anchor']}")  # the moments are those of deadlines
    return Appointed(found["anchor"], duration(found["span"]) if found["span"] else timedelta())


def local_time(text: str, zone: str) -> datetime:
    """Return a local time with its zone, or with an offset. ValueError where it is none.

    Where the clocks of the zone skip it, it is the moment at which they jump, as for deadlines.
    """
    found = re.fullmatch(_LOCAL, text.strip())
    if found is None:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            raise ValueError("it names no zone")
        return moment
    chosen = found["zone"] or zone
    try:
        zone_named(chosen)
    except InputError:
        raise ValueError(f"the time zone {chosen!r} is not known") from None
    return Calendar(chosen).instant(date.fromisoformat(found["day"]), time.fromisoformat(found["time"]))
