"""How a run and its clocks stand, in words; what is printed without being drawn needs no more."""

from datetime import datetime, timedelta

from responder.deadlines import ClockView
from responder.lines import day_time
from responder.progress import span
from responder.state import NOTICE
from responder.view import RunView


def headline(seen: RunView) -> str:
    """Return in a few words how a run stands."""
    if seen.state == "ended" and seen.purpose == NOTICE:
        return "ended, NOT SENT" if seen.incomplete else "ended, done"
    if seen.state == "ended":
        return "ended, contained" if seen.contained else "ended, NOT CONTAINED"
    if seen.state == "halted":
        return f"halted: {', '.join(seen.failed) or 'something'} failed"
    if seen.state == "waiting":
        roles = sorted({role for ask in seen.awaiting for role in ask.role.split(", ") if role})
        return f"waiting for {', '.join(roles) or 'somebody'}"
    if seen.executor:
        return f"{seen.state} at {seen.executor}"
    return seen.state if seen.alive else f"{seen.state}, but nobody works on it"


def clock_words(clock: ClockView, now: datetime) -> str:
    """Return how a deadline stands, in words; `now` tells whether a time of the day is enough."""
    awaits = " and ".join(clock.awaits)
    if clock.state == "pending":
        return f"waits for {awaits}"
    due = day_time(clock.due_at, now) if clock.due_at else ""
    if clock.state in {"met", "late"} and clock.met_at:
        how = "met" if clock.state == "met" else "MET LATE"
        return f"{how} {day_time(clock.met_at, now)} by {clock.met_by} (due {due})"
    left = span(timedelta(seconds=clock.left_seconds or 0))
    more = f", earlier once {awaits} is known" if awaits else ""
    more += f"; {day_time(clock.proposed_due_at, now)} if its owner agrees" if clock.proposed_due_at else ""
    return f"OVERDUE by {left} (due {due}{more})" if clock.state == "overdue" else f"{left} left (due {due}{more})"


def owner(clock: ClockView) -> str:
    """Return whose a deadline is: the role, and who has it."""
    return f"{clock.role} ({', '.join(clock.owners) or 'nobody has this role'})"
