"""Evidence before removal: an exposure is taken out of sight only after its bytes are stored."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.finding import Exposure
from responder.guards.case import Case
from responder.guards.delivery import in_exposure
from responder.notice import DraftNotice
from responder.standing import page_address


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse to remove, hide or have removed what nobody has kept."""
    removed = case.resolved.action.removes()
    asks = isinstance(case.resolved.action, DraftNotice) and case.resolved.action.template.startswith("takedown")
    if not removed and not asks:
        return
    standing = case.state.standing
    there = [one for one in standing.exposures if removed and in_exposure(removed, one)]
    for exposure in there or [_own(case)]:
        if not standing.keeps(exposure) and page_address(exposure.url) not in standing.uncaptured:
            yield Problem(
                f"nobody has kept what stands there: {exposure.url or exposure.place or 'its place is not known'}",
                case.place,
                "capture it first, with evidence.capture_page: let this step need one that ended well, or `retry` it; "
                f"or let a commander decide: `responder set {case.state.run} uncaptured=ADDRESS --reason TEXT`",
            )


def _own(case: Case) -> Exposure:
    """Return where the run's own credential was seen."""
    own = case.state.started.get("exposure")
    return Exposure.model_validate(own) if own else Exposure()
