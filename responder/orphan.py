"""What a lost answer leaves behind where nobody can recognise it: until when it may live."""

from datetime import datetime, timedelta

from responder.action import Action
from responder.means import Means
from responder.transport import PERMIT_SECONDS
from responder.unit import Unit


def left_behind(action: Action, unit: Unit, means: Means) -> dict[str, str]:
    """Return until when an orphan of an earlier try may live, as `orphan_until`; empty where there can be none."""
    if not unit.in_flight or action.orphan is None or unit.intended_at is None:
        return {"orphan_until": unit.orphan_until} if unit.orphan_until else {}
    return {"orphan_until": _end(unit.intended_at, action.orphan.seconds, means).isoformat()}


def in_words(action: Action, means: Means) -> str:
    """Return, as the end of a sentence, what a request leaves behind that was sent just now; empty where nothing."""
    if action.orphan is None:
        return ""
    until = _end(means.clock.now(), action.orphan.seconds, means).isoformat()
    return f"; an orphan may live until {until}, and then ends by itself"


def asks_nobody(action: Action) -> bool:
    """Tell whether no person need say what came of a lost answer: it is read back, or its orphan ends by itself."""
    return action.readback or action.orphan is not None


def _end(intended_at: datetime, seconds: float, means: Means) -> datetime:
    # The system counts from when it made the thing: at the latest when the permit and the request had run out.
    underway = means.clock_seconds(PERMIT_SECONDS + means.transport.request_seconds)
    return intended_at + timedelta(seconds=seconds + underway)
