"""The chat's odd rules about tokens, user groups and sessions, asked over real HTTP."""

from typing import Any

import pytest
from guests import Guest, Start

from responder.drill.world.slack import SCOPES, Slack


@pytest.fixture
def guest(start: Start) -> Guest:
    return start()


@pytest.fixture
def slack(guest: Guest) -> Slack:
    chat = guest.world.slack
    chat.app.scopes = SCOPES | {"usergroups:read", "usergroups:write"}
    chat.add_bot("deploy-bot", "deploy", scopes=frozenset({"chat:write"}), channels=("incidents", "press"))
    scopes = frozenset({"admin.users:read", "admin.users:write"})
    chat.add_person_token("org-admin", "URUTH", scopes=scopes, is_admin=True)
    chat.add_group("S1", "oncall", ("UINES", "UTOMAS"))
    chat.add_session(1, "UTOMAS")
    return chat


def asked(guest: Guest, label: str, method: str, **fields: Any) -> Any:
    answer = guest.ask("slack", "POST", f"/api/{method}", label, body=fields)
    assert answer.status_code == 200
    return answer.json()


def test_a_test_revocation_revokes_nothing(guest: Guest, slack: Slack) -> None:
    assert asked(guest, "deploy-bot", "auth.revoke", test="1") == {"ok": True, "revoked": False}
    assert slack.accepts("deploy-bot")


def test_a_revoked_bot_leaves_its_channels_and_is_deactivated(guest: Guest, slack: Slack) -> None:
    assert asked(guest, "deploy-bot", "auth.revoke") == {"ok": True, "revoked": True}
    assert asked(guest, "deploy-bot", "auth.test") == {"ok": False, "error": "token_revoked"}
    assert not [one.name for one in slack.channels.values() if "UDEPLOY" in one.members]
    assert slack.workspace.shown_person("UDEPLOY")["deleted"]
    assert [effect["key"] for effect in guest.effects("token_revoked")] == ["deploy-bot"]


def test_the_apps_own_bot_leaves_its_channels_too_and_must_be_invited_again(guest: Guest, slack: Slack) -> None:
    asked(guest, "slack-bot", "auth.revoke")
    slack.reinstall()

    assert not [one.name for one in slack.channels.values() if "UBOT" in one.members]
    assert not slack.accepts("slack-bot")
    assert slack.accepts(slack.app.bot_label)


def test_a_revoked_token_is_taken_for_as_long_as_the_world_says(guest: Guest, slack: Slack) -> None:
    slack.access.propagation = 10.0
    asked(guest, "deploy-bot", "auth.revoke")

    assert slack.accepts("deploy-bot")
    guest.clock.move(10)
    assert not slack.accepts("deploy-bot")


@pytest.mark.parametrize(
    ("users", "error"),
    [
        pytest.param("", "no_users_provided", id="nobody"),
        pytest.param("UINES,U404", "invalid_users", id="a stranger"),
        pytest.param("UINES,UDEPLOY", "invalid_users", id="a bot"),
    ],
)
def test_a_group_takes_people_only_and_never_nobody(guest: Guest, slack: Slack, users: str, error: str) -> None:
    assert asked(guest, "slack-bot", "usergroups.users.update", usergroup="S1", users=users)["error"] == error
    assert slack.workspace.groups["S1"].users == ["UINES", "UTOMAS"]


def test_the_list_of_a_group_is_replaced_whole(guest: Guest, slack: Slack) -> None:
    asked(guest, "slack-bot", "usergroups.users.update", usergroup="S1", users="USALMA")

    assert slack.workspace.groups["S1"].users == ["USALMA"]
    assert [effect["key"] for effect in guest.effects("person_removed")] == ["UINES", "UTOMAS"]


@pytest.mark.parametrize(
    ("label", "plan_and_admin", "error"),
    [
        pytest.param("slack-bot", (True, True), "not_allowed_token_type", id="a bot"),
        pytest.param("deploy-bot", (True, True), "not_allowed_token_type", id="another bot"),
        pytest.param("org-admin", (False, True), "feature_not_enabled", id="no plan"),
        pytest.param("org-admin", (True, False), "not_an_admin", id="no admin"),
    ],
)
def test_sessions_are_for_admins_of_an_enterprise(
    guest: Guest, slack: Slack, label: str, plan_and_admin: tuple[bool, bool], error: str
) -> None:
    slack.roster.terms.enterprise, slack.app.others["org-admin"].is_admin = plan_and_admin

    assert asked(guest, label, "admin.users.session.reset", user_id="UTOMAS")["error"] == error


def test_sessions_end_a_while_after_the_answer(guest: Guest, slack: Slack) -> None:
    slack.roster.terms.enterprise, slack.roster.terms.reset_seconds = True, 5.0
    assert asked(guest, "org-admin", "admin.users.session.reset", user_id="UTOMAS") == {"ok": True}
    which = {"user_id": "UTOMAS", "team_id": "T0LUMEN"}

    assert len(asked(guest, "org-admin", "admin.users.session.list", **which)["active_sessions"]) == 1
    guest.clock.move(5)
    assert asked(guest, "org-admin", "admin.users.session.list", **which)["active_sessions"] == []


def test_user_and_workspace_go_together(guest: Guest, slack: Slack) -> None:
    slack.roster.terms.enterprise = True

    assert asked(guest, "org-admin", "admin.users.session.list", user_id="UTOMAS")["error"] == "invalid_arguments"
