"""The issuer's odd rules, asked over real HTTP."""

import re

import httpx
import pytest
from guests import Guest, Start


def test_a_disabled_key_is_refused_after_its_propagation_time_and_not_before(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id

    assert guest.admin("POST", f"{key}/disable").status_code == 202
    assert guest.admin("GET", key).json()["status"] == "disabled"
    guest.clock.move(19.9)
    assert (guest.me("issuer").status_code, guest.me("edge").status_code) == (200, 200)
    guest.clock.move(0.2)
    assert (guest.me("issuer").status_code, guest.me("edge").status_code) == (401, 200)
    guest.clock.move(10)
    assert guest.me("edge").json()["code"] == "key_disabled"


def test_an_enabled_key_is_accepted_again(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id
    guest.admin("POST", f"{key}/disable")
    guest.clock.move(60)

    assert guest.admin("POST", f"{key}/enable").status_code == 202
    assert guest.me("edge").json() == {"key_id": key, "account": "lumen-gateway"}
    assert [effect["kind"] for effect in guest.effects("key_enabled")] == ["key_enabled"]


def test_a_revoked_key_cannot_be_enabled_and_does_not_revive_in_between(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id
    guest.admin("POST", f"{key}/disable")
    guest.clock.move(60)
    guest.admin("POST", f"{key}/revoke")

    assert guest.me("issuer").json()["code"] == "key_revoked"
    assert guest.admin("POST", f"{key}/enable").status_code == 409


def test_repeated_ending_answers_202_and_is_no_effect(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id
    answers = [guest.admin("POST", f"{key}/{word}").status_code for word in ("disable", "disable", "revoke", "revoke")]

    assert answers == [202] * 4
    kinds = [line["effect"]["kind"] for line in guest.ledger() if line["effect"]]
    assert kinds == ["key_disabled", "key_revoked"]


def test_sessions_outlive_their_key_and_end_shortly_after_they_are_told_to(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id
    session = {"X-Session": guest.value("session-1")}
    guest.admin("POST", f"{key}/revoke")
    guest.clock.move(60)

    assert guest.ask("edge", "GET", "/v1/session/me", headers=session).json()["key_id"] == key
    assert guest.admin("DELETE", f"{key}/sessions").status_code == 202
    assert guest.ask("issuer", "POST", "/v1/generations", headers=session, body={}).status_code == 200
    guest.clock.move(2.1)
    assert guest.ask("issuer", "GET", "/v1/session/me", headers=session).json()["code"] == "session_ended"
    assert len(guest.admin("GET", f"{key}/sessions").json()["sessions"]) == 5  # the list lags
    guest.clock.move(3)
    assert guest.admin("GET", f"{key}/sessions").json() == {"sessions": []}


def test_ending_sessions_twice_is_one_effect(start: Start) -> None:
    guest = start()
    key = guest.world.ground.inventory.shared_key_id
    guest.admin("DELETE", f"{key}/sessions")
    guest.admin("DELETE", f"{key}/sessions")

    assert [(effect["key"], effect["sessions"]) for effect in guest.effects("sessions_ended")] == [(key, 5)]


def test_creating_is_not_idempotent_and_names_are_not_unique(start: Start) -> None:
    guest = start()
    first, second = guest.key("early-h-001", "h-001"), guest.key("early-h-001", "h001@early.example")

    assert first["id"] != second["id"]
    assert first["value"] != second["value"]
    listed = guest.ask("issuer", "GET", "/admin/v1/keys?name=early-h-001", "issuer-admin").json()
    assert [key["id"] for key in listed["keys"]] == [first["id"], second["id"]]
    assert {effect["subject"] for effect in guest.effects("key_issued")} == {"h-001"}


def test_a_value_is_shown_once_works_and_is_known_by_its_label(start: Start) -> None:
    guest = start()
    made = guest.key("site", "demo-site")

    assert "value" not in guest.admin("GET", made["id"]).json()
    assert guest.value(f"issued:{made['id']}") == made["value"]
    assert guest.me("edge", f"issued:{made['id']}").json()["key_id"] == made["id"]
    assert guest.ledger()[-1]["credential"] == f"issued:{made['id']}"


def test_keys_are_listed_a_hundred_at_a_time(start: Start) -> None:
    guest = start()
    for number in range(105):
        guest.key(f"k{number}", "somebody")
    first = guest.ask("issuer", "GET", "/admin/v1/keys", "issuer-admin").json()
    rest = guest.ask("issuer", "GET", f"/admin/v1/keys?after={first['next']}", "issuer-admin").json()

    assert (len(first["keys"]), len(rest["keys"]), rest["next"]) == (100, 7, None)
    assert not {key["id"] for key in first["keys"]} & {key["id"] for key in rest["keys"]}


def claim(guest: Guest, code_path: str, number: int = 1, *, password: str = "") -> httpx.Response:
    label = f"holder-{number:03d}-password"
    body = {"login": f"h{number:03d}", "password": password or guest.value(label)}
    return guest.ask("issuer", "POST", code_path, body=body, actor="holder")


def test_a_token_is_claimed_by_its_holder_once(start: Start) -> None:
    guest = start()
    made = guest.key("early-h-001", "h-001", "claim")
    path = re.sub(r"^http://[^/]+", "", made["claim_url"])

    assert "value" not in made
    assert "waiting" in guest.ask("issuer", "GET", path).text
    assert claim(guest, path, 2).status_code == 403
    assert claim(guest, path, 1, password="wrong").status_code == 403
    claimed = claim(guest, path)
    assert (claimed.status_code, claimed.json()["key_id"]) == (200, made["id"])
    assert claim(guest, path).status_code == 410
    assert guest.admin("GET", made["id"]).json()["claimed"] is True
    assert [effect["subject"] for effect in guest.effects("token_claimed")] == ["h-001"]


def test_a_revoked_claim_is_over_and_an_unknown_one_is_not_found(start: Start) -> None:
    guest = start()
    made = guest.key("early-h-001", "h-001", "claim")
    guest.admin("POST", f"{made['id']}/revoke")
    path = re.sub(r"^http://[^/]+", "", made["claim_url"])

    assert claim(guest, path).status_code == 410
    assert claim(guest, "/claim/nothing").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/admin/v1/keys/k_00000000", 404, id="unknown key"),
        pytest.param("DELETE", "/admin/v1/keys", 405, id="unknown method"),
        pytest.param("GET", "/admin/v2", 404, id="unknown path"),
        pytest.param("POST", "/admin/v1/keys", 400, id="nothing sent"),
    ],
)
def test_what_is_not_there_is_refused(start: Start, method: str, path: str, status: int) -> None:
    assert start().ask("issuer", method, path, "issuer-admin").status_code == status


def test_the_admin_api_wants_the_admin(start: Start) -> None:
    guest = start()

    assert guest.ask("issuer", "GET", "/admin/v1/whoami", "shared-token").status_code == 401
    assert guest.ask("issuer", "GET", "/admin/v1/whoami", "issuer-admin").json()["account"] == "lumen-gateway"


def test_nobody_knows_a_made_up_key(start: Start) -> None:
    guest = start()
    answer = guest.ask("edge", "GET", "/v1/me", headers={"Authorization": "Bearer lum_made_up"})

    assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")
    assert guest.ledger()[-1]["credential"] == "unknown"


def test_a_session_can_be_opened_with_a_key_that_works(start: Start) -> None:
    guest = start()
    opened = guest.ask("issuer", "POST", "/v1/sessions", "control-token").json()

    me = guest.ask("edge", "GET", "/v1/session/me", headers={"X-Session": opened["value"]}).json()
    assert me["key_id"] == guest.world.ground.inventory.control_key_id
