"""Lanes: what is under way at once is bounded, and an item that finds no room stays where it is."""

from types import SimpleNamespace
from typing import Any

from responder.lanes import Lanes
from responder.step import Step
from responder.unit import Unit

STEP = Step.model_validate(
    {"id": "each", "phase": "recovery", "action": "x.y", "for_each": [1], "max_parallel": 8}
)  # fmt: skip


def lanes(most: int, items: int) -> Lanes:
    keys = [str(number) for number in range(items)]
    state: Any = SimpleNamespace(items={"each": SimpleNamespace(values=dict.fromkeys(keys))}, unit=Unit)
    found = Lanes(most)
    found.sort("each", state)
    return found


def begin(found: Lanes) -> list[str]:
    """Begin whatever may be begun."""
    begun = []
    for address in found.candidates(STEP, None):
        found.take(address, "each")
        begun.append(address)
    return begun


def test_no_more_is_begun_than_there_is_room_for_among_all_steps() -> None:
    found = lanes(most=4, items=6)
    found.take("another", "another")

    assert ["each[0]", "each[1]", "each[2]"] == begin(found)
    assert found.full()
    assert 3 == found.untouched("each")


def test_what_was_begun_goes_on_before_what_is_new_as_soon_as_there_is_room() -> None:
    found = lanes(most=2, items=4)
    begin(found)
    assert [] == begin(found)

    found.give_back("each[0]")

    assert not found.full()
    assert ["each[0]"] == begin(found)
    assert 2 == found.untouched("each")


def test_what_was_begun_waits_too_while_others_have_all_the_room() -> None:
    found = lanes(most=2, items=1)
    begin(found)
    found.give_back("each[0]")
    found.take("one", "one")
    found.take("other", "other")

    assert [] == begin(found)
    assert {"each[0]"} == found.parked("each")
