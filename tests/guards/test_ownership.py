"""A credential that is not ours, canaries included, is never presented and never ended."""

from pathlib import Path
from typing import Any

import pytest
from cli_bench import typed
from guard_bench import assert_refused, case, effects, playbook, ran, refusals, report, settings, state_of, step

from responder.errors import PlanRefused
from responder.guards import check_start
from responder.incident import Credential, Judgement, Ownership
from responder.playbook import Playbook

KILL = "  - {id: kill, phase: containment, action: credential.disable}\n"


@pytest.mark.parametrize(
    ("ownership", "action", "said"),
    [
        pytest.param(Ownership.OURS, "credential.revoke", "", id="ours"),
        pytest.param(Ownership.CANARY, "credential.inspect", "canary", id="a canary is not even looked at"),
        pytest.param(
            Ownership.THIRD_PARTY,
            "credential.prove_dead",
            "belongs to somebody else",
            id="somebody's key is not presented",
        ),
        pytest.param(
            Ownership.UNKNOWN,
            "credential.revoke",
            "Nothing shows that this credential is ours",
            id="unknown is not ours",
        ),
        pytest.param(Ownership.UNKNOWN, "evidence.capture_page", "", id="looking at our own exposure is allowed"),
        pytest.param(Ownership.CANARY, "notice.send", "", id="telling its owner is allowed"),
    ],
)
def test_what_may_be_done_with_whose(ownership: Ownership, action: str, said: str) -> None:
    playbook = Playbook(playbook="p", title="t", version=1, steps=(step(action),))
    judgement = Judgement(ownership, "because", Credential(key_id="k1"))

    if not said:
        check_start(judgement, playbook)
        return
    with pytest.raises(PlanRefused, match=said) as caught:
        check_start(judgement, playbook)
    assert [("ownership", "k1")] == [(one.guard, one.where) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("started", "count"),
    [
        pytest.param({}, 0, id="ours"),
        pytest.param({"ownership": {"verdict": "canary", "reason": "listed"}}, 1, id="a canary"),
        pytest.param({"ownership": {}}, 1, id="a run that does not say whose it is"),
    ],
)
def test_a_run_that_began_some_other_way_is_refused_as_well(started: dict[str, Any], count: int) -> None:
    assert count == len(refusals("ownership", case(state=state_of(**started))))


def test_from_the_command_line_nothing_is_begun(place: Path) -> None:
    settings(place, "canaries: [canary-1]", "canaries: [canary-1, k9]")
    playbook(place, KILL)
    (place / "finding.json").write_text('{"key_id": "k9", "connection": "cw"}')

    result = typed(place, "run", "g", "--finding", str(place / "finding.json"), "--yes")

    assert_refused(result, "ownership", what="This is a canary", place="k9", way_out="tell its owner")
    assert not (place / "state").exists()


def test_what_the_inventory_holds_is_acted_on(place: Path) -> None:
    assert ran(place, KILL).exit_code == 1
    assert 1 == len(effects(place))
    assert report(place)
