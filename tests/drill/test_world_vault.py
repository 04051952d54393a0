"""The secret store, and the site that reads from it."""

import httpx
from guests import Guest, Start

NAME = "/v1/secrets/demo-site-token"


def deliver(guest: Guest, value: str, marker: str = "run-1 deliver") -> httpx.Response:
    return guest.ask("vault", "PUT", NAME, "vault-token", body={"value": value, "marker": marker})


def test_a_secret_is_read_back_by_its_marker_and_never_by_its_value(start: Start) -> None:
    guest = start()
    made = guest.key("demo-site", "demo-site")

    assert deliver(guest, made["value"]).json()["version"] == 2
    shown = guest.ask("vault", "GET", NAME, "vault-token")
    assert (shown.json()["version"], shown.json()["marker"]) == (2, "run-1 deliver")
    assert made["value"] not in shown.text
    assert [effect["key"] for effect in guest.effects("secret_written")] == ["run-1 deliver"]


def test_the_store_wants_its_own_token_and_names_its_account(start: Start) -> None:
    guest = start()

    assert guest.ask("vault", "GET", "/v1/whoami", "shared-token").status_code == 401
    assert guest.ask("vault", "GET", "/v1/whoami", "vault-token").json() == {"account": "lumen-vault"}
    assert guest.ask("vault", "GET", "/v1/secrets/other", "vault-token").status_code == 404


def test_the_site_works_until_its_token_dies_and_again_with_its_own(start: Start) -> None:
    guest = start()
    shared = guest.world.ground.inventory.shared_key_id

    assert guest.ask("site", "GET", "/health").json() == {"ok": True, "key_id": shared, "version": 1}
    guest.admin("POST", f"{shared}/disable")
    guest.clock.move(31)
    assert guest.ask("site", "GET", "/health").json() == {"ok": False, "key_id": shared, "version": 1}
    made = guest.key("demo-site", "demo-site")
    deliver(guest, made["value"])
    assert guest.ask("site", "GET", "/health").json()["version"] == 1
    guest.clock.move(2)
    assert guest.ask("site", "GET", "/health").json() == {"ok": True, "key_id": made["id"], "version": 2}


def test_the_site_reads_at_once_when_told_to(start: Start) -> None:
    guest = start()
    deliver(guest, guest.value("control-token"))

    assert guest.ask("site", "POST", "/reload").json() == {"version": 2}
    health = guest.ask("site", "GET", "/health").json()
    assert health["key_id"] == guest.world.ground.inventory.control_key_id
    assert {line["actor"] for line in guest.ledger() if line["path"] == "/v1/me"} == {"site"}
