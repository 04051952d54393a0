"""The public, the holders, and what the drill's people may ask for."""

import smtplib
import time
from collections.abc import Callable
from typing import Any

from guests import Guest, Start

from responder.drill.score import Facts, score


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def notify(guest: Guest, number: int, text: str) -> None:
    with smtplib.SMTP("127.0.0.1", guest.world.mail.door.port, timeout=5) as smtp:
        smtp.login("responder@lumen.example", guest.value("smtp-password"))
        smtp.sendmail("r@lumen.example", [f"h{number:03d}@early.example"], f"Subject: x\r\n\r\n{text}\r\n")


def public_lines(guest: Guest) -> list[dict[str, Any]]:
    return [line for line in guest.ledger() if line["actor"] == "public"]


def test_the_public_uses_what_leaked_on_both_surfaces_and_by_sessions(start: Start) -> None:
    guest = start(public_rate=15, open_sessions=1)
    wait_until(lambda: len({(line["system"], line["credential"]) for line in public_lines(guest)}) == 3, 10)

    used = {(line["system"], line["credential"]) for line in public_lines(guest)}
    assert used == {("issuer", "shared-token"), ("edge", "shared-token"), ("edge", "session-1")}


def test_the_public_stops_when_it_is_refused_and_tries_now_and_then(start: Start) -> None:
    guest = start(public_rate=15, open_sessions=0)
    key = guest.world.ground.inventory.shared_key_id
    guest.admin("POST", f"{key}/revoke")
    guest.clock.move(60)

    def refused() -> list[str]:
        return sorted(line["system"] for line in public_lines(guest) if line["status"] == 401)

    wait_until(lambda: refused() == ["edge", "issuer"])
    seen = len(public_lines(guest))
    time.sleep(0.4)  # the clock stands still: nobody tries again

    assert len(public_lines(guest)) == seen
    guest.clock.move(6)
    wait_until(lambda: len(public_lines(guest)) > seen)


def test_a_holder_claims_after_a_mail_and_a_delay(start: Start) -> None:
    guest = start()
    made = guest.key("early-h-001", "h-001", "claim")
    notify(guest, 1, f"Claim it: {made['claim_url']}")

    assert guest.ask("control", "GET", "/state").json()["claims_pending"] == 1
    guest.clock.move(91)
    wait_until(lambda: guest.ask("control", "GET", "/state").json()["claimed"] == 1)
    line = next(line for line in guest.ledger() if line["actor"] == "holder")
    assert line["effect"] == {"kind": "token_claimed", "key": made["id"], "subject": "h-001"}


def test_a_second_copy_of_a_mail_is_not_claimed_twice(start: Start) -> None:
    guest = start()
    made = guest.key("early-h-001", "h-001", "claim")
    for _ in range(2):
        notify(guest, 1, made["claim_url"])

    assert guest.ask("control", "GET", "/state").json()["claims_pending"] == 1


def test_a_person_sends_the_takedown(start: Start) -> None:
    guest = start()
    guest.ask("control", "POST", "/person/send", body={"person": "ruth"})
    line = guest.ledger()[-1]

    assert (line["actor"], line["effect"]["kind"]) == ("person", "takedown")
    assert line["effect"]["subject"] == "abuse@hub.example"


def test_the_final_probes_tell_what_is_dead_from_outside(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id
    guest.admin("POST", f"{key}/revoke")
    guest.clock.move(25)
    told = guest.ask("control", "POST", "/finish").json()
    again = guest.ask("control", "POST", "/finish").json()
    found = {(probe["key"], probe["subject"]): probe.get("state", probe.get("open")) for probe in told["probes"]}

    assert found == {
        ("shared-token", "issuer"): "dead",
        ("shared-token", "edge"): "alive",
        ("space-token", "hub"): "alive",
        ("sessions", key): 5,
    }
    assert again == told
    assert len(guest.effects("final_probe")) == 4


def test_the_ledger_of_a_contained_leak_scores_as_contained(start: Start) -> None:
    guest = start(public_rate=15, open_sessions=0)
    inventory = guest.world.ground.inventory
    wait_until(lambda: {line["system"] for line in public_lines(guest)} == {"issuer", "edge"})
    began = guest.clock.now()
    guest.ask("hub", "GET", f"/spaces/{inventory.space}")
    guest.admin("POST", f"{inventory.shared_key_id}/disable")
    guest.ask("hub", "POST", "/api/credentials/revoke", body={"credentials": [guest.value("space-token")]})
    guest.clock.move(31)
    for system in ("issuer", "edge"):
        guest.me(system)
    guest.ask("hub", "GET", "/api/whoami-v2", "space-token")
    guest.key("early-h-001", "h-001", "claim")
    guest.ask("control", "POST", "/finish")
    holders = {holder.id: holder.email for holder in inventory.holders}
    found = score(guest.ledger(), Facts(began, began, inventory.leaked, holders))

    assert found["order_violations"] == []
    assert found["credentials"] == [
        {"label": "shared-token", "state": "dead"},
        {"label": "space-token", "state": "dead"},
    ]
    assert (found["disabled_after_seconds"], found["dead_after_seconds"]) == (0.0, 31.0)
    assert (found["holders"], found["issued"], found["sessions_open"]) == (5, 1, 0)
