"""When a step with `start` starts: never before, at once when, and at the latest."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from responder.appointed import HOW, read_appointed
from responder.errors import InputError, PlaybookError
from responder.expressions import evaluate
from responder.gate import Judged, Verdict, gate, may_run
from responder.means import Means
from responder.naming import incident_fact, names
from responder.state import RunState
from responder.step import Start, Step, read_by
from responder.unit import ENDED, ENDED_WELL


class Times(NamedTuple):
    """The times of a `start`, as they stand now; None where one is not given, or its anchor has not happened."""

    not_before: datetime | None
    hard_stop: datetime | None
    pending: bool = False
    """Whether `not_before` hangs on something that has not happened yet."""

    def facts(self, signed: str | None) -> dict[str, Any]:
        """Return how the timeline writes them. `signed`: the latest time that an approval signed so far."""
        latest = _iso(self.hard_stop or self.not_before)
        moved_later = signed is None or (bool(signed) and (latest is None or latest > signed))
        return {
            "not_before": _iso(self.not_before),
            "hard_stop": _iso(self.hard_stop),
            "pending": self.pending,
            "latest": (latest or "") if moved_later else signed,
        }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def times(start: Start, step: Step, state: RunState, means: Means) -> Times:
    """Return when a step may start. PlaybookError where a time is none."""
    not_before = _moment(start.not_before, step, state, means) if start.not_before else None
    hard_stop = _moment(start.hard_stop, step, state, means) if start.hard_stop else None
    return Times(not_before, hard_stop, bool(start.not_before) and not_before is None)


def _moment(text: str, step: Step, state: RunState, means: Means) -> datetime | None:
    """Return a time that a playbook writes; None where it hangs on something that has not happened."""
    value: Any = text
    if "${{" in text:
        value = evaluate(text, names(state, means, scope=step.scope, early=True))
        if value is None:
            return None
        if isinstance(value, datetime):
            return value
    try:
        found = read_appointed(str(value), str(state.started.get("organisation", {}).get("time_zone", "UTC")))
        if found.moment is not None:
            return found.moment
        anchor = incident_fact(state, found.anchor)
        return anchor + found.span if isinstance(anchor, datetime) else None
    except (ValueError, OverflowError) as error:
        raise PlaybookError(f"{str(value)!r} is not a time: {error}", where=f"step {step.id}", remedy=HOW) from None


def readable(step: Step, state: RunState) -> bool:
    """Tell whether everything that a step's own expressions name has ended, so that it can be planned early."""
    return all(state.status(name) in ENDED for name in read_by(step))


def due(step: Step, state: RunState, means: Means) -> Judged:
    """Judge whether a step with `start` starts now; a reason to go says what brought it about."""
    start, now = step.start, means.clock.now()
    if start is None:
        return gate(step, state, means)
    barred = may_run(step, state)
    if barred is not None:
        return barred
    schedule = state.unit(step.id).schedule
    hard_stop, not_before = (_read(schedule.get(name)) for name in ("hard_stop", "not_before"))
    if hard_stop is not None and now >= hard_stop:
        judged = gate(step, state, means, whatever_its_needs=True)
        return Judged(Verdict.GO, "hard stop") if judged.verdict is Verdict.GO else judged
    if schedule.get("pending") or (not_before is not None and now < not_before):
        return Judged(Verdict.WAIT, f"not before {not_before or start.not_before}")
    if start.when and not _true(start.when, step, state, means):
        return Judged(Verdict.WAIT, "`when` is not true yet")
    judged = gate(step, state, means)
    if judged.verdict is not Verdict.GO:
        return judged
    return Judged(Verdict.GO, "`when` became true" if start.when else "its time has come")


def _read(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _true(text: str, step: Step, state: RunState, means: Means) -> bool:
    try:
        return evaluate(text, names(state, means, scope=step.scope)) is True
    except InputError:
        return False  # what it reads is not there yet


def will_come(step: Step, state: RunState) -> bool:
    """Tell whether a step starts by itself at its hard stop, whatever its needs."""
    return bool(state.unit(step.id).schedule.get("hard_stop")) and may_run(step, state) is None


def came_due(step: Step, state: RunState, why: str) -> dict[str, Any]:
    """Return the facts of a start: what brought it about, and which needs had not ended well by then."""
    late: dict[str, Any] = {}
    for need in state.playbook.needs[step.id]:
        if need in state.items and state.status(need) not in ENDED_WELL:
            keys = state.items[need].values
            late[need] = [key for key in keys if state.unit(f"{need}[{key}]").status not in ENDED_WELL]
        elif not state.ended_well(need):
            late[need] = state.status(need)
    return {"why": why, "not_ended_well": late}


def moments(step: Step, state: RunState, now: datetime) -> list[datetime]:
    """Return the coming moments at which a waiting step may start, or is planned again for those who must agree."""
    unit = state.unit(step.id)
    schedule = unit.schedule
    found = [_read(schedule.get("hard_stop")), unit.next_at]
    if all(state.ended_well(need) or state.status(need) not in ENDED for need in state.playbook.needs[step.id]):
        found.append(_read(schedule.get("not_before")))
    return [moment for moment in found if moment is not None and moment > now]
