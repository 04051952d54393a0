"""The odd rules of an Anthropic organisation, asked of the drill's own."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cases.anthropic import an_organisation
from cases.common import ORIGIN, Gated

from responder.drill.world.web import Request

_KEYS = "/v1/organizations/api_keys"
_LEAKED = f"{_KEYS}/apikey_leaked"


@pytest.fixture
def live() -> Iterator[Gated]:
    with an_organisation() as made:
        yield made


def ask(live: Gated, method: str, path: str, label: str = "ours", body: Any = None, **query: str) -> tuple[int, Any]:
    headers = {"x-api-key": live.value(label), "anthropic-version": "2023-06-01"}
    content = json.dumps(body).encode() if body is not None else b""
    answer = live.world.answer(Request(method, path, query, headers, content, live.clock.now()))
    return answer.status, answer.body


def test_what_is_archived_stays_so(live: Gated) -> None:
    assert ask(live, "POST", _LEAKED, body={"status": "archived"})[0] == 200
    assert ask(live, "POST", _LEAKED, body={"status": "active"})[0] == 400
    assert ask(live, "GET", _LEAKED)[1]["status"] == "archived"


def test_what_is_inactive_can_come_back(live: Gated) -> None:
    ask(live, "POST", _LEAKED, body={"status": "inactive"})
    live.clock.move(60)
    assert not live.world.accepts("leaked")
    ask(live, "POST", _LEAKED, body={"status": "active"})

    assert live.world.accepts("leaked")


def test_a_key_that_was_switched_off_works_until_that_has_spread(live: Gated) -> None:
    ask(live, "POST", _LEAKED, body={"status": "inactive"})
    live.clock.move(15)
    ask(live, "POST", _LEAKED, body={"status": "archived"})
    assert ask(live, "GET", "/v1/models", "leaked")[0] == 200
    live.clock.move(6)
    status, body = ask(live, "GET", "/v1/models", "leaked")

    assert (status, body["error"]["type"]) == (401, "authentication_error")


def test_admin_keys_are_in_no_list(live: Gated) -> None:
    assert {one["id"] for one in ask(live, "GET", _KEYS)[1]["data"]} == {
        "apikey_leaked", "apikey_sibling", "apikey_control",
    }  # fmt: skip
    assert ask(live, "GET", f"{_KEYS}/apikey_admin")[0] == 404


def test_a_list_shows_no_value(live: Gated) -> None:
    assert live.value("leaked") not in json.dumps(ask(live, "GET", _KEYS))


def test_each_kind_of_key_is_for_its_own_part(live: Gated) -> None:
    assert ask(live, "GET", _KEYS, "leaked")[0] == 403
    assert ask(live, "GET", "/v1/models")[0] == 403


def test_the_version_must_be_said(live: Gated) -> None:
    headers = {"x-api-key": live.value("ours")}

    assert live.world.answer(Request("GET", "/v1/models", {}, headers, b"", live.clock.now())).status == 400


def test_the_keys_of_who_is_removed_go_on(live: Gated) -> None:
    assert ask(live, "DELETE", "/v1/organizations/users/user_ada")[0] == 200

    assert live.world.accepts("leaked")


def test_an_accepted_invite_stays(live: Gated) -> None:
    assert ask(live, "DELETE", "/v1/organizations/invites/invite_taken")[0] == 400


def test_the_report_without_grouping_does_not_tell_whose_it_is(live: Gated) -> None:
    asked = {
        "starting_at": (ORIGIN - timedelta(hours=4)).isoformat(), "ending_at": ORIGIN.isoformat(), "bucket_width": "1h",
    }  # fmt: skip
    path = "/v1/organizations/usage_report/messages"
    plain = ask(live, "GET", path, **asked)[1]["data"]
    grouped = ask(live, "GET", path, **{**asked, "group_by[]": "api_key_id"})[1]["data"]

    assert [one["api_key_id"] for bucket in plain for one in bucket["results"]] == [None]
    assert [one["output_tokens"] for bucket in grouped for one in bucket["results"]] == [900, 5]
    assert ask(live, "GET", path, **{**asked, "limit": "169"})[0] == 400
