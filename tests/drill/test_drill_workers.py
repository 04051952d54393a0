"""The founding drill on PostgreSQL: whoever begins it and two workers are three processes; one is killed or stopped."""

from pathlib import Path

import pytest
from postgresql import Server

from responder.drill.drill import Options, begin
from responder.drill.matrix import Ending, practise
from responder.errors import RequestError

PLAYBOOK = "shared-access-token-public"
FAULTS = (
    "crash:kill:before-apply",
    "crash:kill:after-apply",
    "crash:kill:after-record",
    "crash:one-token-each:after-apply",
    "lost-answer:kill",
    "stop:kill:before-apply",
    "stop:tell-holders:after-apply",
)
"""A sample; `make crash-matrix STORE=URL` does them all."""


@pytest.fixture(scope="session")
def wanted(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """How the drill ends without faults."""
    return practise(PLAYBOOK, tmp_path_factory.mktemp("drill"), store=server.database(), workers=2)


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_worker_struck_the_end_is_the_same(server: Server, wanted: Ending, tmp_path: Path, fault: str) -> None:
    ending = practise(PLAYBOOK, tmp_path, fault, store=server.database(), workers=2)

    assert ending.happened, "the fault never struck"
    assert [] == ending.differs(wanted)


def test_a_database_with_a_record_is_left_alone(server: Server, wanted: Ending, tmp_path: Path) -> None:
    url = server.database()
    practise(PLAYBOOK, tmp_path / "first", store=url, workers=2)

    with pytest.raises(RequestError, match="holds a record already"):
        begin(Options(PLAYBOOK, tmp_path / "second", store=url, workers=2))


def test_one_process_alone_cannot_be_stopped_and_replaced(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="several workers"):
        begin(Options(PLAYBOOK, tmp_path, faults=("stop:kill:before-apply",)))


def test_workers_need_a_record_that_they_share(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="many hosts share"):
        begin(Options(PLAYBOOK, tmp_path, store=str(tmp_path / "r.db"), workers=2))

    assert [] == list(tmp_path.iterdir())  # and no run was begun
