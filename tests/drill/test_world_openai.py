"""The odd rules of an OpenAI organisation, asked of the drill's own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cases.common import Gated
from cases.openai import PROJECT, an_organisation, org

from responder.drill.world.web import Request

OURS = "ours"


@pytest.fixture
def live() -> Iterator[Gated]:
    with an_organisation() as made:
        yield made


def ask(live: Gated, method: str, path: str, label: str = OURS, body: Any = None, **query: str) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {live.value(label)}"}
    content = json.dumps(body).encode() if body is not None else b""
    answer = live.world.answer(Request(method, path, query, headers, content, live.clock.now()))
    return answer.status, answer.body


def keys_path(*parts: str) -> str:
    return "/".join([f"/organization/projects/{PROJECT}/api_keys", *parts])


def test_the_plain_list_leaves_out_keys_of_owners_without_access(live: Gated) -> None:
    plain = {one["id"] for one in ask(live, "GET", keys_path())[1]["data"]}
    everything = {one["id"] for one in ask(live, "GET", keys_path(), owner_project_access="any")[1]["data"]}

    assert everything - plain == {"key_removed"}


def test_a_list_shows_no_value(live: Gated) -> None:
    shown = json.dumps(ask(live, "GET", keys_path(), owner_project_access="any"))

    assert not [label for label in ("leaked", "robot", "removed") if live.value(label) in shown]


def test_a_single_key_of_a_service_account_cannot_be_deleted(live: Gated) -> None:
    status, body = ask(live, "DELETE", keys_path("key_robot"))

    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert live.world.accepts("robot")


def test_a_service_account_takes_all_its_keys_along(live: Gated) -> None:
    ask(live, "DELETE", f"/organization/projects/{PROJECT}/service_accounts/user-robot")
    live.clock.move(60)

    assert not live.world.accepts("robot")
    assert not live.world.accepts("robot-2")


def test_a_deleted_key_works_until_that_has_spread(live: Gated) -> None:
    ask(live, "DELETE", keys_path("key_leaked"))
    live.clock.move(19)
    assert ask(live, "GET", "/me", "leaked")[0] == 200
    live.clock.move(2)
    status, body = ask(live, "GET", "/me", "leaked")

    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


def test_the_second_deletion_finds_nothing(live: Gated) -> None:
    assert ask(live, "DELETE", keys_path("key_leaked"))[0] == 200
    assert ask(live, "DELETE", keys_path("key_leaked"))[0] == 404


def test_a_key_outside_the_list_of_addresses_gets_the_status_of_a_dead_one(live: Gated) -> None:
    live.world.allowed_addresses = False
    status, body = ask(live, "GET", "/models", "leaked")

    assert (status, body["error"]["code"]) == (401, "ip_not_authorized")
    assert live.world.accepts("leaked")


def test_each_kind_of_key_is_for_its_own_part(live: Gated) -> None:
    assert ask(live, "GET", "/organization/projects", "leaked")[0] == 403
    assert ask(live, "GET", "/models", OURS)[0] == 401


def test_lists_are_cut_into_pages_of_a_hundred_at_most(live: Gated) -> None:
    assert ask(live, "GET", "/organization/projects", limit="101")[0] == 400
    _, first = ask(live, "GET", "/organization/projects", limit="1")
    _, second = ask(live, "GET", "/organization/projects", limit="1", after=first["last_id"])

    assert (first["has_more"], second["has_more"]) == (True, False)
    assert first["data"] != second["data"]


def test_an_archived_project_takes_no_change_and_is_not_listed(live: Gated) -> None:
    org(live).projects[PROJECT].archived = True

    assert ask(live, "DELETE", f"/organization/projects/{PROJECT}/users/user-ada")[0] == 400
    assert ask(live, "POST", f"/organization/projects/{PROJECT}/service_accounts", body={"name": "x"})[0] == 400
    assert PROJECT not in {one["id"] for one in ask(live, "GET", "/organization/projects")[1]["data"]}


def test_an_accepted_invite_stays(live: Gated) -> None:
    assert ask(live, "DELETE", "/organization/invites/invite-taken")[0] == 400
    assert ask(live, "DELETE", "/organization/invites/invite-open")[0] == 200


def test_who_is_removed_leaves_enabled_keys_behind(live: Gated) -> None:
    ask(live, "DELETE", "/organization/users/user-ada")
    plain = {one["id"] for one in ask(live, "GET", keys_path())[1]["data"]}

    assert "key_leaked" not in plain
    assert live.world.accepts("leaked")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"threshold_amount": 1, "currency": "USD", "interval": "month"}, 200),
        ({"threshold_amount": 0, "currency": "USD", "interval": "month"}, 400),
        ({"threshold_amount": 1, "currency": "EUR", "interval": "month"}, 400),
    ],
)
def test_a_spend_limit_is_at_least_a_cent_in_dollars(live: Gated, body: Any, status: int) -> None:
    path = f"/organization/projects/{PROJECT}/spend_limit"
    assert ask(live, "GET", path)[0] == 404

    assert ask(live, "POST", path, body=body)[0] == status


def test_a_new_key_is_shown_once_and_the_same_name_twice_makes_two(live: Gated) -> None:
    path = f"/organization/projects/{PROJECT}/service_accounts"
    _, first = ask(live, "POST", path, body={"name": "x"})
    _, second = ask(live, "POST", path, body={"name": "x"})
    _, bare = ask(live, "POST", path, body={"name": "x", "create_service_account_only": True})

    assert first["api_key"]["value"].startswith("sk-svcacct-")
    assert len({first["id"], second["id"], bare["id"]}) == 3
    assert bare["api_key"] is None


def test_usage_without_grouping_does_not_tell_whose_it_is(live: Gated) -> None:
    start = str(org(live).now() - 4 * 3600)
    _, plain = ask(live, "GET", "/organization/usage/completions", start_time=start, bucket_width="1h", limit="24")
    _, grouped = ask(
        live, "GET", "/organization/usage/completions",
        start_time=start, bucket_width="1h", limit="24", group_by="api_key_id",
    )  # fmt: skip

    assert [one["api_key_id"] for bucket in plain["data"] for one in bucket["results"]] == [None]
    assert len([one for bucket in grouped["data"] for one in bucket["results"]]) == 2
    assert ask(live, "GET", "/organization/usage/images", start_time=start, bucket_width="1h", limit="169")[0] == 400


def test_what_was_changed_is_in_the_audit_log(live: Gated) -> None:
    ask(live, "DELETE", keys_path("key_leaked"))
    _, found = ask(live, "GET", "/organization/audit_logs", limit="1")

    assert (found["data"][0]["type"], found["data"][0]["api_key.deleted"]) == ("api_key.deleted", {"id": "key_leaked"})
    assert found["data"][0]["actor"]["api_key"]["id"] == "key_ours"
