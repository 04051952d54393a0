"""The hub's odd rules about organisations, asked over real HTTP."""

from typing import Any

import pytest
from guests import Guest, Start

from responder.drill.world.hub_org import Organisation

BOT = "lumen-space-bot"
API = "/api/organizations/lumen-labs"
FILMS = "65f0" * 6


@pytest.fixture
def guest(start: Start) -> Guest:
    return start()


@pytest.fixture
def org(guest: Guest) -> Organisation:
    found: Organisation = guest.world.cast.hub.organisation
    found.groups = {FILMS: "films"}
    found.members[BOT].groups = {FILMS: "write"}
    return found


def asked(guest: Guest, method: str, path: str, label: str = "hub-admin", body: Any = None) -> Any:
    return guest.ask("hub", method, API + path, label, body=body)


def shut_out(guest: Guest, label: str, by: str = "hub-admin") -> Any:
    return asked(guest, "POST", "/settings/tokens/revoke", by, {"token": guest.value(label)})


def test_a_token_that_is_shut_out_works_elsewhere_and_not_there(guest: Guest, org: Organisation) -> None:
    assert shut_out(guest, "space-token").status_code == 200
    [seat] = guest.ask("hub", "GET", "/api/whoami-v2", "space-token").json()["orgs"]

    assert seat["securityRestrictions"] == ["token-revoked"]
    assert guest.world.cast.hub.accepts("space-token")
    assert guest.ask("hub", "POST", "/api/spaces/lumen-labs/demo/pause", "space-token").status_code == 403
    assert [effect["key"] for effect in guest.effects("token_shut_out")] == [BOT]
    assert shut_out(guest, "space-token").status_code == 200
    assert len(guest.effects("token_shut_out")) == 1


@pytest.mark.parametrize(
    ("whose", "by", "status"),
    [
        pytest.param("hub-admin", "hub-admin", 403, id="their own"),
        pytest.param("space-token", "space-token", 403, id="no admin"),
        pytest.param("shared-token", "hub-admin", 400, id="no token of the hub"),
    ],
)
def test_whom_an_admin_may_not_shut_out(guest: Guest, org: Organisation, whose: str, by: str, status: int) -> None:
    assert shut_out(guest, whose, by).status_code == status
    assert [each.shut_out_by for each in guest.world.cast.hub.accounts] == [set(), set(), set()]
    assert org.events == []


def test_shutting_out_needs_an_enterprise_plan(guest: Guest, org: Organisation) -> None:
    org.plan = "team"

    assert shut_out(guest, "space-token").status_code == 402


def test_a_role_without_groups_takes_the_member_out_of_all(guest: Guest, org: Organisation) -> None:
    answer = asked(guest, "PUT", f"/members/{BOT}/role", body={"role": "read"})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (org.members[BOT].role, org.members[BOT].groups) == ("read", {})


@pytest.mark.parametrize(
    ("body", "plan", "status"),
    [
        pytest.param({"role": "owner"}, "team", 400, id="no role"),
        pytest.param(
            {"role": "read", "resourceGroups": [{"id": "0" * 24, "role": "read"}]}, "team", 403, id="no group"
        ),
        pytest.param({"role": "read"}, "", 402, id="no plan"),
    ],
)
def test_a_role_that_is_refused_changes_nothing(
    guest: Guest, org: Organisation, body: Any, plan: str, status: int
) -> None:
    org.plan = plan

    assert asked(guest, "PUT", f"/members/{BOT}/role", body=body).status_code == status
    assert (org.members[BOT].role, org.members[BOT].groups) == ("write", {FILMS: "write"})


def test_only_an_admin_sees_roles_and_all_groups(guest: Guest, org: Organisation) -> None:
    def shown(label: str) -> tuple[bool, int]:
        members = asked(guest, "GET", f"/members?search={BOT}", label).json()
        return "role" in members[0], len(asked(guest, "GET", "/resource-groups", label).json())

    assert (shown("hub-admin"), shown("hub-control")) == ((True, 1), (False, 0))


def test_the_export_holds_the_newest_events_only(guest: Guest, org: Organisation) -> None:
    shut_out(guest, "space-token")
    guest.world.cast.hub.front.note(org, "repo.create", guest.world.cast.hub.accounts[0])
    org.most_events = 1

    assert [one["type"] for one in asked(guest, "GET", "/audit-log/export").json()] == ["repo.create"]
    assert asked(guest, "GET", "/audit-log/export", "hub-control").status_code == 403
