"""The drill's OpenBao, asked directly: its odd rules, and what it tells the ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cases.common import a_ground
from cases.openbao import LEASES, OnFake

from responder.drill.world.openbao import OpenBao
from responder.drill.world.web import Answer, Request


class Asked:
    """A filled server, without a door."""

    def __init__(self, ground: Any) -> None:
        self.bao = OpenBao(ground)
        self.filled = OnFake(self.bao)
        self.clock = ground.clock
        self.labels = ground.labels

    def ask(self, method: str, path: str, body: Any = None, *, label: str = "bao-admin", **headers: str) -> Answer:
        path, _, query = path.partition("?")
        pairs = dict(pair.split("=") for pair in query.split("&") if pair)
        sent = json.dumps(body).encode() if body is not None else b""
        sent_headers = {"x-vault-token": self.labels[label], **{n.replace("_", "-"): v for n, v in headers.items()}}
        request = Request(method, f"/v1/{path}", pairs, sent_headers, sent, datetime(2026, 5, 2, tzinfo=UTC))
        return self.bao.answer(request)


@pytest.fixture
def asked() -> Iterator[Asked]:
    with a_ground() as ground:
        made = Asked(ground)
        yield made
        made.bao.close()


def test_it_is_empty_until_it_is_filled() -> None:
    with a_ground() as ground:
        bao = OpenBao(ground)
        bao.close()

    assert (bao.tokens.all, bao.roles.secret_ids, bao.leases, bao.store.kept) == ([], [], [], {})


def test_a_revoked_token_stops_working_after_its_time_and_its_children_with_it(asked: Asked) -> None:
    asked.bao.tokens.propagation = 4.0
    answer = asked.ask("POST", "auth/token/revoke-accessor", {"accessor": asked.filled.ids["leaked"]})
    labels = ("leaked", "leaked-child", "other")
    at_once = [asked.bao.accepts(one) for one in labels]
    asked.clock.move(4.0)

    assert at_once == [True, True, True]
    assert [asked.bao.accepts(one) for one in labels] == [False, False, True]
    assert [(one.kind, one.key) for one in answer.effects] == [
        ("key_revoked", asked.filled.ids["leaked"]), ("key_revoked", asked.filled.ids["leaked-child"]),
    ]  # fmt: skip


def test_revoking_nothing_is_a_success(asked: Asked) -> None:
    by_accessor = asked.ask("POST", "auth/token/revoke-accessor", {"accessor": "none"})
    by_value = asked.ask("POST", "auth/token/revoke", {"token": "s.none"})
    of_lease = asked.ask("POST", "sys/leases/revoke", {"lease_id": "a/b/none"})

    assert [by_accessor.status, by_value.status, of_lease.status] == [200, 204, 204]
    assert by_accessor.body["warnings"] == ["No token found with this accessor"]
    assert not [*by_accessor.effects, *by_value.effects, *of_lease.effects]


@pytest.mark.parametrize(("sync", "left"), [(True, 1), (False, 2)])
def test_a_lease_is_only_queued_unless_it_is_waited_for(asked: Asked, sync: bool, left: int) -> None:
    asked.ask("POST", "sys/leases/revoke", {"lease_id": asked.filled.ids["lease-0"], "sync": sync})
    assert len(asked.bao.live_leases()) == left

    asked.clock.move(5.0)
    assert len(asked.bao.live_leases()) == 1


def test_a_prefix_must_not_end_in_a_slash(asked: Asked) -> None:
    assert asked.ask("POST", f"sys/leases/revoke-prefix/{LEASES}/", {"sync": True}).status == 400
    assert asked.ask("POST", f"sys/leases/revoke-prefix/{LEASES}", {"sync": True}).status == 204
    assert asked.bao.live_leases() == []


def test_known_and_unknown_tokens_are_refused_in_different_words(asked: Asked) -> None:
    asked.labels.add({"stranger": "s.stranger"})
    told = [asked.ask("GET", "auth/token/accessors?list=true", label=one).body for one in ("stranger", "other")]

    assert told == [
        {"errors": ["permission denied"]},
        {"errors": ["1 error occurred:\n\t* permission denied\n\n"]},
    ]


def test_a_token_with_two_uses_dies_of_the_second(asked: Asked) -> None:
    asked.bao.add_token("twice", uses=2)
    shown = [asked.ask("GET", "auth/token/lookup-self", label="twice") for _ in range(3)]

    assert [one.status for one in shown] == [200, 200, 403]
    assert shown[1].body["data"]["num_uses"] == -1


def test_a_token_made_without_policies_has_its_makers(asked: Asked) -> None:
    made = asked.ask("POST", "auth/token/create", {})

    assert made.body["auth"]["policies"] == ["root"]


def test_a_secret_id_that_is_gone_is_204_by_value_404_by_accessor_and_500_to_destroy(asked: Asked) -> None:
    path, accessor = "auth/approle/role/web/secret-id", asked.filled.ids["leaked-secret-id"].rpartition("#")[2]
    body = {"secret_id_accessor": accessor}
    statuses = [asked.ask("POST", f"{path}-accessor/destroy", body).status for _ in range(2)]
    by_value = asked.ask("POST", f"{path}/lookup", {"secret_id": asked.labels["leaked-secret-id"]})
    by_accessor = asked.ask("POST", f"{path}-accessor/lookup", body)

    assert [*statuses, by_value.status, by_accessor.status] == [204, 500, 204, 404]
    assert "failed to find accessor entry" in by_accessor.body["data"]["error"]


def test_a_login_opens_a_token_that_outlives_the_secret_id(asked: Asked) -> None:
    body = {"role_id": asked.bao.roles.role_id("web"), "secret_id": asked.labels["leaked-secret-id"]}
    opened = asked.ask("POST", "auth/approle/login", body)
    asked.filled.end("leaked-secret-id")

    assert asked.bao.tokens.by_accessor(opened.body["auth"]["accessor"]) is not None
    refused = asked.ask("POST", "auth/approle/login", body)
    assert (refused.status, refused.body) == (400, {"errors": ["invalid role or secret ID"]})


def test_the_store_checks_the_version_that_a_write_follows(asked: Asked) -> None:
    wrong = asked.ask("POST", "secret/data/app/db", {"options": {"cas": 0}, "data": {"password": "x"}})

    assert wrong.status == 400
    assert wrong.body == {"errors": ["check-and-set parameter did not match the current version"]}


def test_a_patch_is_a_merge_patch_on_a_version_that_is_there(asked: Asked) -> None:
    body = {"options": {"cas": 1}, "data": {"password": "x"}}
    plain = asked.ask("PATCH", "secret/data/app/db", body, content_type="application/json")
    merge = {"content_type": "application/merge-patch+json"}

    assert plain.status == 415
    assert asked.ask("PATCH", "secret/data/app/none", body, **merge).status == 404
    assert asked.ask("PATCH", "secret/data/app/db", body, **merge).status == 200
    assert asked.bao.store.kept["app/db"].newest.data == {"user": "app", "password": "x"}


def test_old_versions_are_read_until_they_are_destroyed(asked: Asked) -> None:
    asked.filled.write("app/db", {"password": "two"})
    before = asked.ask("GET", "secret/data/app/db?version=1")
    asked.ask("PUT", "secret/destroy/app/db", {"versions": [1, 77]})
    after = asked.ask("GET", "secret/data/app/db?version=1")

    assert (before.status, before.body["data"]["data"]["password"]) == (200, "one")
    assert (after.status, after.body["data"]["data"]) == (404, None)


def test_a_deleted_version_is_404_and_kept(asked: Asked) -> None:
    asked.ask("POST", "secret/delete/app/db", {"versions": [1]})

    assert asked.ask("GET", "secret/data/app/db").status == 404
    assert asked.bao.store.kept["app/db"].versions[0].data is not None


def test_a_plain_write_of_metadata_takes_away_what_was_there(asked: Asked) -> None:
    for custom in ({"owner": "web"}, {"other": "x"}):
        asked.ask("POST", "secret/metadata/app/db", {"custom_metadata": custom})

    assert asked.bao.store.kept["app/db"].custom == {"other": "x"}


def test_what_is_not_there_has_the_servers_own_words(asked: Asked) -> None:
    nowhere, wrong = asked.ask("GET", "nowhere"), asked.ask("DELETE", "sys/leases/lookup")

    assert (nowhere.status, list(nowhere.body)) == (404, ["errors"])
    assert (wrong.status, wrong.body) == (405, {"errors": ["unsupported operation"]})
    assert asked.ask("GET", "auth/token/accessors").status == 405
    assert asked.ask("GET", "sys/health", x_vault_namespace="team").status == 200
    assert asked.ask("GET", "auth/token/lookup-self", x_vault_namespace="team").status == 404
