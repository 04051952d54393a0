"""The code host's odd rules, asked over real HTTP."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cases.github import ORGANIZATION, REPOSITORY, a_host, app_key, ssh_pair, value_of
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from nacl.public import PublicKey, SealedBox

KEYS = f"/repos/{REPOSITORY}/keys"
SECRETS = f"/repos/{REPOSITORY}/actions/secrets"


class Guest:
    """Somebody who asks the host directly, with whichever credential."""

    def __init__(self, live: Any) -> None:
        self.live, self.host, self.clock = live, live.world, live.clock
        self.url = f"http://127.0.0.1:{live.world.door.port}"

    def ask(self, method: str, path: str, label: str = "", **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        if label:
            headers["Authorization"] = f"Bearer {self.live.value(label)}"
        return httpx.request(method, self.url + path, headers=headers, **more)

    def revoke(self, *labels: str, path: str = "/credentials/revoke", by: str = "") -> httpx.Response:
        return self.ask("POST", path, by, json={"credentials": [self.live.value(one) for one in labels]})

    def effects(self, kind: str) -> list[dict[str, Any]]:
        path = self.host.ground.spec.dir / "ledger.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [line["effect"] for line in lines if line["effect"] and line["effect"]["kind"] == kind]


@pytest.fixture
def guest() -> Iterator[Guest]:
    with a_host(contract=None) as live:
        yield Guest(live)


# ---- tokens


def test_errors_look_like_githubs_own(guest: Guest) -> None:
    answer = guest.ask("GET", "/user", headers={"Authorization": "Bearer nobody's"})

    assert answer.status_code == 401
    assert answer.json() == {
        "message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401",
    }  # fmt: skip
    assert guest.ask("GET", "/nothing/here").json()["message"] == "Not Found"


def test_whoever_signs_in_to_revoke_is_refused(guest: Guest) -> None:
    assert guest.revoke("leaked", by="admin").status_code == 403
    assert guest.revoke("leaked", by="leaked").status_code == 403
    guest.clock.move(60)
    assert guest.host.accepts("leaked")


def test_a_revocation_says_nothing_and_comes_a_little_later(guest: Guest) -> None:
    guest.host.ground.labels.add({"nobody's": value_of("ghp_", "nobody's")})
    answers = [guest.revoke("leaked", "nobody's"), guest.revoke("nobody's"), guest.revoke("leaked")]

    assert [(one.status_code, one.json()) for one in answers] == [(202, {})] * 3
    assert guest.host.accepts("leaked")
    guest.clock.move(3.9)
    assert guest.ask("GET", "/user", "leaked").status_code == 200
    guest.clock.move(0.2)
    assert guest.ask("GET", "/user", "leaked").json()["message"] == "Bad credentials"
    assert guest.host.accepts("leaked") is False
    assert [(one["key"], one["subject"]) for one in guest.effects("key_revoked")] == [("leaked", "mallory")]
    assert [owner for owner, _ in guest.host.mails] == ["mallory"]


def test_an_installations_token_is_not_revoked_by_its_value(guest: Guest) -> None:
    assert guest.revoke("installation").status_code == 202
    guest.clock.move(60)
    assert guest.host.accepts("installation")


@pytest.mark.parametrize("sent", [[], ["x"] * 1001, [7], "x", None])
def test_a_list_of_one_to_a_thousand_values_is_taken(guest: Guest, sent: Any) -> None:
    assert guest.ask("POST", "/credentials/revoke", json={"credentials": sent}).status_code == 422
    assert guest.ask("POST", "/credentials/revoke", json={"credentials": ["x"] * 1000}).status_code == 202


def test_sixty_requests_an_hour_are_free(guest: Guest) -> None:
    answers = [guest.revoke("refresh") for _ in range(61)]

    assert {one.status_code for one in answers[:60]} == {202}
    assert answers[60].status_code == 403
    assert answers[60].headers["X-RateLimit-Remaining"] == "0"
    guest.clock.move(3601)
    assert guest.revoke("refresh").status_code == 202


def test_a_server_of_ones_own_wants_to_know_who_revokes_and_knows_two_kinds(guest: Guest) -> None:
    path = "/api/v3/credentials/revoke"

    assert guest.revoke("leaked", path=path).status_code == 401
    assert guest.revoke("leaked", "of-our-app", "fine", path=path, by="admin").status_code == 202
    guest.clock.move(5)
    assert [guest.host.accepts(one) for one in ("leaked", "fine", "of-our-app")] == [False, False, True]


def test_an_installation_has_no_user_and_nobody_else_its_list(guest: Guest) -> None:
    assert guest.ask("GET", "/user", "installation").status_code == 403
    assert guest.ask("GET", "/installation/repositories", "leaked").status_code == 403
    assert guest.ask("GET", "/installation/repositories", "installation").json()["total_count"] == 2
    assert guest.ask("DELETE", "/installation/token", "leaked").status_code == 403
    assert guest.ask("DELETE", "/installation/token", "installation").status_code == 204
    assert guest.ask("DELETE", "/installation/token", "installation").status_code == 401


def test_limits_are_told_to_every_living_token(guest: Guest) -> None:
    for label in ("leaked", "installation", "fine"):
        assert guest.ask("GET", "/rate_limit", label).json()["rate"]["limit"] == 5000
    guest.host.tokens["leaked"].dies_at = guest.clock.now()

    assert guest.ask("GET", "/rate_limit", "leaked").status_code == 401
    assert guest.ask("GET", "/rate_limit").json()["rate"]["limit"] == 60


def test_a_suspension_is_403_and_no_death(guest: Guest) -> None:
    guest.host.tokens["leaked"].suspended = True
    assert guest.ask("GET", "/user", "leaked").status_code == 403
    assert guest.host.accepts("leaked") is False
    guest.host.tokens["leaked"].suspended = False
    assert guest.host.accepts("leaked")


def test_only_versions_of_the_api_that_there_are_are_served(guest: Guest) -> None:
    answer = guest.ask("GET", "/user", "leaked", headers={"X-GitHub-Api-Version": "2031-01-01"})

    assert answer.status_code == 400


# ---- apps


def note(issuer: str = "4711", *, late: int = 0, lasts: int = 540, now: float, alg: str = "RS256") -> str:
    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    key = load_pem_private_key(app_key()[0].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    claims = {"iat": int(now) + late, "exp": int(now) + late + lasts, "iss": issuer}
    said = f"{encoded(json.dumps({'alg': alg}).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{said}.{encoded(key.sign(said.encode(), PKCS1v15(), SHA256()))}"


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({}, 201),
        ({"issuer": "1"}, 401),
        ({"late": 30}, 401),
        ({"late": -600}, 401),
        ({"lasts": 900}, 401),
        ({"alg": "none"}, 401),
    ],
)
def test_an_app_signs_in_with_a_fresh_note_of_its_own(guest: Guest, about: dict[str, Any], status: int) -> None:
    value = note(now=guest.clock.now().timestamp(), **about)
    answer = guest.ask("POST", "/app/installations/99/access_tokens", headers={"Authorization": f"Bearer {value}"})

    assert answer.status_code == status


def test_a_note_that_was_changed_is_none(guest: Guest) -> None:
    said, _, signature = note(now=guest.clock.now().timestamp()).rpartition(".")
    changed = hashlib.sha256(signature.encode()).hexdigest()
    answer = guest.ask("GET", "/app", headers={"Authorization": f"Bearer {said}.{changed}"})

    assert answer.status_code == 401


def test_an_installations_token_dies_within_the_hour(guest: Guest) -> None:
    value = note(now=guest.clock.now().timestamp())
    made = guest.ask("POST", "/app/installations/99/access_tokens", headers={"Authorization": f"Bearer {value}"}).json()
    headers = {"Authorization": f"token {made['token']}"}

    assert guest.ask("GET", KEYS, headers=headers).status_code == 200
    guest.clock.move(3600)
    assert guest.ask("GET", KEYS, headers=headers).status_code == 401


def test_an_app_hears_of_its_own_users_tokens_only(guest: Guest) -> None:
    def check(method: str, label: str, secret: str = "client-secret") -> int:
        pair = ("Iv1.ours", guest.live.value(secret))
        body = {"access_token": guest.live.value(label)}
        return guest.ask(method, "/applications/Iv1.ours/token", json=body, auth=pair).status_code

    assert check("POST", "of-our-app", "admin") == 401
    assert (check("POST", "of-our-app"), check("POST", "leaked")) == (200, 404)
    assert (check("DELETE", "of-our-app"), check("POST", "of-our-app")) == (204, 404)
    assert guest.host.accepts("of-our-app") is False


# ---- deploy keys


def test_a_public_key_opens_one_repository_only_and_titles_may_repeat(guest: Guest) -> None:
    private, public = ssh_pair()
    guest.host.ground.labels.add({"new": private})
    body = {"title": "ci", "key": public, "read_only": True}

    assert guest.ask("POST", KEYS, "admin", json=body).status_code == 201
    again = guest.ask("POST", "/repos/lumen-labs/site/keys", "admin", json=body)
    assert again.status_code == 422
    assert again.json()["errors"][0]["message"] == "key is already in use"
    assert guest.host.accepts("new")
    assert guest.host.deploy_keys.opens(private) == REPOSITORY
    assert guest.ask("POST", KEYS, "admin", json={**body, "key": ssh_pair()[1]}).status_code == 201


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 %%%", "ssh-rsa AAAAC3NzaC1lZDI1NTE5"])
def test_what_is_no_public_key_is_refused(guest: Guest, key: str) -> None:
    assert guest.ask("POST", KEYS, "admin", json={"title": "x", "key": key}).status_code == 422


def test_a_key_is_gone_once_and_then_not_found(guest: Guest) -> None:
    number = min(guest.host.repositories[REPOSITORY].keys)

    assert guest.ask("DELETE", f"{KEYS}/{number}", "admin").status_code == 204
    assert guest.ask("DELETE", f"{KEYS}/{number}", "admin").status_code == 404
    assert guest.host.accepts("deploy-key") is False
    assert [one["key"] for one in guest.effects("key_deleted")] == [f"{REPOSITORY}#{number}"]


def test_who_lacks_a_permission_is_told_which(guest: Guest) -> None:
    answer = guest.ask("DELETE", f"{KEYS}/1", "fine")

    assert (answer.status_code, answer.json()["message"]) == (403, "Resource not accessible by personal access token")
    assert answer.headers["X-Accepted-GitHub-Permissions"] == "administration=write"


def test_lists_come_in_pages(guest: Guest) -> None:
    first = guest.ask("GET", KEYS + "?per_page=1", "admin")
    following = first.links["next"]["url"].removeprefix(guest.url)
    second = guest.ask("GET", following, "admin")

    assert len(first.json()) == len(second.json()) == 1
    assert first.json() != second.json()
    assert "next" not in second.links


# ---- secrets


def put(guest: Guest, path: str, key: dict[str, str], value: str = "v" * 20) -> httpx.Response:
    sealed = SealedBox(PublicKey(base64.b64decode(key["key"]))).encrypt(value.encode())
    body = {"encrypted_value": base64.b64encode(sealed).decode(), "key_id": key["key_id"]}
    return guest.ask("PUT", path, "admin", json=body)


def test_a_secret_is_opened_and_kept_and_never_shown(guest: Guest) -> None:
    guest.host.ground.labels.add({"mine": "v" * 20})
    key = guest.ask("GET", SECRETS + "/public-key", "admin").json()

    assert [put(guest, SECRETS + "/mine", key).status_code for _ in range(2)] == [201, 204]
    assert guest.host.boxes.label_in(REPOSITORY, "MINE") == "mine"
    assert "v" * 20 not in guest.ask("GET", SECRETS, "admin").text
    assert [one["key"] for one in guest.effects("secret_written")] == ["mine", "mine"]


def test_an_old_key_is_refused_and_nothing_is_kept(guest: Guest) -> None:
    old = guest.ask("GET", SECRETS + "/public-key", "admin").json()
    guest.host.boxes.turn_key(REPOSITORY)

    assert put(guest, SECRETS + "/MINE", old).status_code == 422
    assert guest.ask("GET", SECRETS + "/MINE", "admin").status_code == 404
    assert guest.ask("GET", SECRETS + "/public-key", "admin").json()["key_id"] != old["key_id"]


def test_what_is_sealed_for_another_place_is_taken_and_unusable(guest: Guest) -> None:
    environment = f"/repos/{REPOSITORY}/environments/prod%2Feu/secrets/MINE"
    key = guest.ask("GET", SECRETS + "/public-key", "admin").json()

    assert put(guest, environment, key).status_code == 201
    assert guest.host.boxes.label_in(f"{REPOSITORY}/environments/prod/eu", "MINE") == ""
    assert [one["key"] for one in guest.effects("secret_written")] == ["unusable"]


def test_a_reserved_name_and_a_missing_key_id_are_refused(guest: Guest) -> None:
    key = guest.ask("GET", SECRETS + "/public-key", "admin").json()

    assert put(guest, SECRETS + "/GITHUB_TOKEN", key).status_code == 422
    assert guest.ask("PUT", SECRETS + "/X", "admin", json={"encrypted_value": "AAAA"}).status_code == 422


def test_an_organisations_secret_loses_the_readers_that_are_left_out(guest: Guest) -> None:
    at = guest.clock.now() - timedelta(days=1)
    guest.host.boxes.keep(f"orgs/{ORGANIZATION}", "S", "old", at=at, visibility="selected", selected=(5,))
    path = f"/orgs/{ORGANIZATION}/actions/secrets"
    key = guest.ask("GET", path + "/public-key", "admin").json()
    sealed = base64.b64encode(SealedBox(PublicKey(base64.b64decode(key["key"]))).encrypt(b"new")).decode()
    body = {"encrypted_value": sealed, "key_id": key["key_id"]}

    assert guest.ask("PUT", path + "/S", "admin", json=body).status_code == 422
    assert guest.ask("PUT", path + "/S", "admin", json={**body, "visibility": "selected"}).status_code == 204
    assert guest.ask("GET", path + "/S/repositories", "admin").json()["total_count"] == 0


# ---- people


def org(path: str) -> str:
    return f"/orgs/{ORGANIZATION}/{path}"


def test_a_member_is_no_outside_collaborator(guest: Guest) -> None:
    assert guest.ask("DELETE", org("outside_collaborators/mallory"), "admin").status_code == 422
    assert guest.ask("DELETE", org("outside_collaborators/carol"), "admin").status_code == 204
    assert [one["key"] for one in guest.effects("person_removed")] == ["carol"]


def test_whom_an_enterprise_team_holds_stays_a_member_after_a_204(guest: Guest) -> None:
    guest.host.members["mallory"].teams = ("all-staff",)

    assert guest.ask("DELETE", org("memberships/mallory"), "admin").status_code == 204
    left = guest.ask("GET", org("memberships/mallory"), "admin").json()
    assert (left["direct_membership"], left["state"]) == (False, "active")
    assert guest.effects("person_removed") == []


def test_the_last_owner_cannot_be_removed(guest: Guest) -> None:
    assert guest.ask("DELETE", org("memberships/ada"), "admin").status_code == 403


def test_who_may_not_see_members_is_sent_elsewhere(guest: Guest) -> None:
    path = org("members/mallory")

    assert [guest.ask("GET", path, one).status_code for one in ("admin", "bystander")] == [204, 302]
    assert guest.ask("GET", org("members/bob"), "admin").status_code == 404


def test_tokens_of_members_are_for_apps_alone(guest: Guest) -> None:
    number = min(guest.host.grants)

    assert guest.ask("GET", org("personal-access-tokens"), "admin").status_code == 403
    path = org(f"personal-access-tokens/{number}")
    assert guest.ask("POST", path, "admin", json={"action": "revoke"}).status_code == 403


def test_a_member_cannot_be_blocked(guest: Guest) -> None:
    assert guest.ask("PUT", org("blocks/mallory"), "admin").status_code == 422
    assert guest.ask("GET", org("blocks/dave"), "admin").status_code == 404
    assert [guest.ask("PUT", org("blocks/dave"), "admin").status_code for _ in range(2)] == [204, 204]
    assert len(guest.effects("person_blocked")) == 1


# ---- alerts


ALERT = f"/repos/{REPOSITORY}/secret-scanning/alerts/1"


def test_the_secret_stands_in_every_answer_that_is_not_asked_to_hide_it(guest: Guest) -> None:
    value = guest.live.value("leaked")
    body = {"state": "resolved", "resolution": "revoked"}

    assert guest.ask("GET", ALERT, "admin").json()["secret"] == value
    assert value not in guest.ask("GET", ALERT + "?hide_secret=true", "admin").text
    assert value in guest.ask("PATCH", ALERT, "admin", json=body).text
    assert guest.ask("PATCH", ALERT, "admin", json=body).status_code == 400


def test_a_state_needs_the_resolution_that_fits(guest: Guest) -> None:
    for body in ({"state": "resolved"}, {"state": "open", "resolution": "revoked"}, {"state": "gone"}):
        assert guest.ask("PATCH", ALERT, "admin", json=body).status_code == 422
