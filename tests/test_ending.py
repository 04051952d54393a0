"""How a `for_each` is summed up from its items."""

from types import SimpleNamespace
from typing import Any

import pytest

from responder.ending import sum_up_items
from responder.step import Step
from responder.unit import Unit

STEP = Step.model_validate({"id": "each", "phase": "recovery", "action": "x.y", "for_each": [1]})


def state(**statuses: str) -> Any:
    units = {f"each[{key}]": Unit(f"each[{key}]") for key in statuses}
    for key, status in statuses.items():
        unit = units[f"each[{key}]"]
        unit.status = status
        unit.error, unit.error_kind = f"why {key}", "denied" if status == "failed" else ""
    return SimpleNamespace(unit=units.__getitem__, items={"each": SimpleNamespace(values=dict.fromkeys(statuses))})


@pytest.mark.parametrize(
    ("statuses", "told", "kind"),
    [
        ({"a": "done", "b": "failed", "c": "failed"}, "2 of 3 items failed (b, c): why b", "denied"),
        ({"a": "done", "b": "declined"}, "1 of 2 items were declined (b): why b", "declined"),
        ({"a": "declined", "b": "failed"}, "2 of 2 items failed or were declined (a, b): why b", "denied"),
    ],
)
def test_a_for_each_says_whether_its_items_failed_or_were_declined(
    statuses: dict[str, str], told: str, kind: str
) -> None:
    assert ("failed", {"error": told, "kind": kind}) == sum_up_items(STEP, state(**statuses))


def test_a_for_each_whose_items_ended_well_is_done() -> None:
    assert ("done", {"facts": {}, "items": 2}) == sum_up_items(STEP, state(a="unchanged", b="skipped"))
