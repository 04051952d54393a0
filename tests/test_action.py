"""What reading back shows: whether a change holds, and nothing where the system does not answer."""

from collections.abc import Callable

import pytest

from responder.action import Verdict, read_back
from responder.errors import Denied, Unavailable


def silent() -> bool:
    raise Unavailable("It does not answer")


def denied() -> bool:
    raise Denied("We may not look")


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [
        pytest.param(lambda: True, Verdict.HOLDS, id="it holds"),
        pytest.param(lambda: False, Verdict.DOES_NOT_HOLD, id="it does not"),
        pytest.param(silent, Verdict.UNKNOWN, id="no answer"),
    ],
)
def test_reading_back(holds: Callable[[], bool], verdict: Verdict) -> None:
    assert verdict == read_back(holds)


def test_that_we_may_not_look_is_told_and_is_no_verdict() -> None:
    with pytest.raises(Denied):
        read_back(denied)
