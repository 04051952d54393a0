"""Forty programs move to credentials of their own while old and new live side by side, and the runner is killed."""

from pathlib import Path
from typing import Any

import pytest

from responder.drill.drill import Options, begin, carry_out
from responder.drill.report import read_ledger, report
from responder.drill.scenes.many_consumers_rotation import PROGRAMS, STUCK


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("rotation")
    drill = begin(
        Options("many-consumers-rotation", folder, speed=30, faults=("crash:delivery:after-apply",), seconds=110)
    )
    try:
        carry_out(drill, lambda _: None)
        return report(drill), folder
    finally:
        drill.app.close()
        drill.stage.close()


def test_no_service_is_without_a_working_key_at_any_moment(rotated: tuple[dict[str, Any], Path]) -> None:
    document, folder = rotated
    kinds = [line["effect"]["kind"] for line in read_ledger(folder / "world" / "ledger.jsonl") if line["effect"]]

    assert document["ledger"]["outages"] == 0
    assert "outage" not in kinds
    assert kinds.count("service_restarted") == len(STUCK)


def test_all_have_moved_and_the_old_key_is_dead(rotated: tuple[dict[str, Any], Path]) -> None:
    document, _ = rotated
    ledger = document["ledger"]

    assert document["contained"]
    assert (ledger["consumers_moved"], ledger["consumers"]) == (len(PROGRAMS), len(PROGRAMS))
    assert [one["state"] for one in ledger["credentials"]] == ["dead"]
    assert ledger["dead_after_seconds"] < 8 * 3600
    assert document["score"]["total"] == 100


def test_nothing_was_lost_or_doubled_by_the_crash(rotated: tuple[dict[str, Any], Path]) -> None:
    document, _ = rotated

    assert document["record"]["restarts"] == 1
    assert (document["ledger"]["effects_repeated"], document["ledger"]["effects_lost"]) == (0, 0)
    assert document["record"]["verified"]
    assert document["record"]["agrees_with_ledger"]
