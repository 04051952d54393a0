"""The world as a process, its files, and what follows from the seed."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from guests import Start

from responder.clock import ScaledClock
from responder.drill.world import inventory_of, values_of
from responder.drill.world.values import key_id_of


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    ScaledClock.create(tmp_path / "clock.json", datetime(2026, 5, 2, 9, tzinfo=UTC), 60)
    command = [sys.executable, "-m", "responder.drill.world"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as started:
        yield started
        started.kill()


def tell(process: subprocess.Popen[str], tmp_path: Path, **spec: Any) -> dict[str, Any]:
    told = {"dir": str(tmp_path / "world"), "clock": str(tmp_path / "clock.json"), "seed": 3, **spec}
    process.stdin.write(json.dumps(told) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_it_tells_where_everything_is_and_ends_when_its_input_ends(
    process: subprocess.Popen[str], tmp_path: Path
) -> None:
    ready = tell(process, tmp_path, holders=3)

    assert set(ready) == {
        "issuer", "edge", "hub", "slack", "vault", "site", "smtp", "control", "exposed_at",
    }  # fmt: skip
    assert ready["slack"].endswith("/api/")
    assert ready["exposed_at"] == "2026-05-02T08:43:00.000000+00:00"
    headers = {"Authorization": f"Bearer {values_of(3)['issuer-admin']}"}
    assert httpx.get(ready["issuer"] + "/admin/v1/whoami", headers=headers).status_code == 200
    process.stdin.close()
    assert process.wait(5) == 0
    lines = (tmp_path / "world" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert any(json.loads(line)["credential"] == "issuer-admin" for line in lines)


def test_it_ends_on_sigterm_and_not_on_an_interrupt(process: subprocess.Popen[str], tmp_path: Path) -> None:
    ready = tell(process, tmp_path, holders=1, public_rate=0)
    process.send_signal(signal.SIGINT)

    assert httpx.get(ready["control"] + "/ledger/count").json() == {"count": 0}
    process.terminate()
    assert process.wait(5) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("not json", "JSON", id="not JSON"),
        pytest.param('{"dir": "x", "clock": "y", "speed": 3}', "speed", id="an unknown field"),
        pytest.param('{"dir": "x", "clock": "y", "faults": ["latncy:hub=1s"]}', "latency", id="an unknown fault"),
        pytest.param('{"dir": "/proc/nowhere", "clock": "y"}', "nowhere", id="a folder that cannot be"),
    ],
)
def test_a_wrong_specification_is_told_without_a_traceback(
    process: subprocess.Popen[str], line: str, said: str
) -> None:
    _, errors = process.communicate(line + "\n", timeout=10)

    assert process.returncode == 2
    assert said in errors
    assert "Traceback" not in errors


def test_values_and_people_follow_from_the_seed() -> None:
    assert values_of(7) == values_of(7)
    assert inventory_of(7) == inventory_of(7)
    assert values_of(7)["shared-token"] != values_of(8)["shared-token"]
    assert len(values_of(7)) == 12 + 300
    assert values_of(7)["site-token-old"] == values_of(7)["shared-token"]


def test_key_ids_can_be_read_offline() -> None:
    values, inventory = values_of(7), inventory_of(7)

    assert key_id_of(values["shared-token"]) == inventory.shared_key_id
    assert key_id_of(values["control-token"]) == inventory.control_key_id
    assert key_id_of(values["space-token"]) is None


def test_holders_are_distinct_people() -> None:
    holders = inventory_of(7).holders

    assert (holders[0].id, holders[299].email, holders[0].login) == ("h-001", "h300@early.example", "h001")
    assert len({holder.name for holder in holders}) == 300


def test_keys_made_with_one_seed_have_the_same_ids_and_claims(start: Start, tmp_path: Path) -> None:
    first = start()
    made = first.key("early-h-001", "h-001", "claim")
    second = start()
    again = second.key("early-h-001", "h-001", "claim")

    assert made["id"] == again["id"]
    assert made["claim_url"].rpartition("/")[2] == again["claim_url"].rpartition("/")[2]


def test_values_are_in_clear_in_one_place_only(start: Start, tmp_path: Path) -> None:
    guest = start()
    made = guest.key("site", "demo-site")
    guest.me("issuer")
    guest.me("edge", f"issued:{made['id']}")
    guest.ask("hub", "POST", "/api/credentials/revoke", body={"credentials": [guest.value("space-token")]})
    secrets = json.loads((tmp_path / "world" / "secrets.json").read_text(encoding="utf-8"))
    ledger = (tmp_path / "world" / "ledger.jsonl").read_text(encoding="utf-8")

    assert secrets[f"issued:{made['id']}"] == made["value"]
    assert (tmp_path / "world" / "secrets.json").stat().st_mode & 0o077 == 0
    assert not [label for label, value in secrets.items() if value in ledger]


def test_a_line_of_the_ledger_says_who_asked_for_what_and_when(start: Start) -> None:
    guest = start()
    guest.ask("hub", "GET", "/api/whoami-v2?x=1", "hub-admin", step="prove[space]")
    line = guest.ledger()[0]

    assert line["time"] == "2026-05-02T09:00:00.000000+00:00"
    assert {name: line[name] for name in ("n", "system", "method", "path", "actor", "run", "step")} == {
        "n": 1,
        "system": "hub",
        "method": "GET",
        "path": "/api/whoami-v2",
        "actor": "responder",
        "run": "run-000000000001",
        "step": "prove[space]",
    }
    assert (line["credential"], line["status"], line["outcome"], line["write"], line["effect"]) == (
        "hub-admin", 200, "served", False, None,
    )  # fmt: skip


def test_what_is_not_http_is_refused(start: Start) -> None:
    guest = start()
    with socket.create_connection(("127.0.0.1", guest.world.cast.hub.door.port), timeout=5) as raw:
        raw.sendall(b"nonsense\r\n\r\n")

        assert raw.recv(1000).startswith(b"HTTP/1.1 400")
