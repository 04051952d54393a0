"""Leaked Slack tokens, and who is where, against the drill's chat."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cases.slack import as_admin, on_token
from provider_bench import bench_of

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.slack import PROVIDER
from responder.providers.slack.client import Options
from responder.providers.slack.memberships import RemoveFromChannel, RemoveFromGroup, ResetSessions
from responder.providers.slack.tokens import CheckInstalled, InspectToken, ProveTokenDead, RevokeToken
from responder.testing.bench import Bench
from responder.testing.loopback import Reply

ONCALL = RemoveFromGroup(group="@oncall", user="UTOMAS")
DEATHS = ["token_revoked", "account_inactive", "token_expired"]
NO_DEATHS = ["invalid_auth", "not_authed", "missing_scope", "ratelimited", "org_login_required", "something_new"]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("slack") as made:
        yield made


def leaked(bench: Bench, action: type[Any]) -> Any:
    return on_token(action)(bench.live, bench.secret)


def act(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    return action.apply(bench.client(may_write=True), change)


def says(bench: Bench, error: str, status: int = 200) -> None:
    bench.live.gate._answer = lambda seen: Reply(status, {"ok": False, "error": error})


def oncall(bench: Bench) -> list[str]:
    return list(bench.live.world.slack.workspace.groups["S0ONCALL"].users)


def looked(bench: Bench, most: int = 4) -> list[Observed]:
    history: list[Observed] = []
    for _ in range(most):
        look = leaked(bench, ProveTokenDead).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if look.last:
            break
        bench.live.clock.move(look.wait)
    return history


# ---- what is offered


def test_only_what_slack_has_an_api_for_is_offered() -> None:
    offered = {action.verb for action in PROVIDER.actions if action.name.startswith("credential.")}  # type: ignore[attr-defined]

    assert offered == {"inspect", "revoke", "prove_dead"}


@pytest.mark.parametrize(
    ("value", "key_id"),
    [
        pytest.param("xapp-1-A0RESPONDER-" + "7" * 13 + "-" + "ab" * 32, "A0RESPONDER", id="app-level"),
        pytest.param("xoxb-" + "1" * 12 + "-" + "2" * 13 + "-" + "aB" * 12, None, id="bot"),
        pytest.param("xoxp-" + "1" * 12 + "-" + "ab" * 16, None, id="person"),
        pytest.param("xoxe.xoxb-1-" + "aB" * 30, None, id="expiring bot"),
        pytest.param("xoxe-1-" + "aB" * 30, None, id="what renews one"),
    ],
)
def test_a_token_is_found_whole_in_text_and_names_its_app_where_it_bears_it(value: str, key_id: str | None) -> None:
    found = re.search(PROVIDER.shape(Options()), f"token = '{value}'\n")

    assert found is not None
    assert found.group() == value
    assert PROVIDER.recognise(Options(), value) == key_id


def test_what_is_no_token_is_not_recognised() -> None:
    assert PROVIDER.recognise(Options(), "xapp-1-A0RESPONDER") is None
    assert PROVIDER.recognise(Options(), "hf_" + "Ab" * 17) is None


def test_what_a_person_does_without_us_is_told() -> None:
    assert "OAuth & Permissions" in RevokeToken.by_hand(Options(), "")
    assert "sign the member out" in ResetSessions.by_hand(Options(), "")


# ---- the token


def test_inspect_tells_whose_token_it_is_and_its_scopes(bench: Bench) -> None:
    facts = leaked(bench, InspectToken).read(bench.client()).facts

    assert (facts["state"], facts["owner"], facts["key_id"]) == ("live", "deploy", "BDEPLOY")
    assert facts["reach"] == ["channels:read", "chat:write"]
    assert (facts["team"], facts["user_id"]) == ("T0LUMEN", "UDEPLOY")


def test_a_persons_token_is_known_by_the_person(bench: Bench) -> None:
    action = InspectToken(subject=Subject(value=bench.secret(bench.live.value("org-admin"))))
    facts = action.read(bench.client()).facts

    assert (facts["owner"], facts["key_id"]) == ("ruth", "URUTH")


def test_an_app_level_token_is_known_by_its_app(bench: Bench) -> None:
    action = InspectToken(subject=Subject(value=bench.secret(bench.live.value("slack-app"))))
    facts = action.read(bench.client()).facts

    assert (facts["owner"], facts["key_id"], facts["reach"]) == ("responder", "A0RESPONDER", ["connections:write"])


def test_a_dead_token_reaches_nothing_though_slack_still_names_its_scopes(bench: Bench) -> None:
    act(bench, leaked(bench, RevokeToken))
    facts = leaked(bench, InspectToken).read(bench.client()).facts

    assert (facts["state"], facts["reach"], facts["answer"]) == ("dead", [], "token_revoked")


@pytest.mark.parametrize("error", DEATHS)
def test_three_words_mean_death(bench: Bench, error: str) -> None:
    says(bench, error)

    assert leaked(bench, InspectToken).read(bench.client()).facts["state"] == "dead"
    assert isinstance(leaked(bench, RevokeToken).plan(bench.client()), Unchanged)


@pytest.mark.parametrize("error", NO_DEATHS)
def test_no_other_word_means_death(bench: Bench, error: str) -> None:
    change = leaked(bench, RevokeToken).plan(bench.client())
    says(bench, error)
    facts = leaked(bench, InspectToken).read(bench.client()).facts

    assert (facts["state"], facts["reach"]) == ("unknown", [])
    assert isinstance(leaked(bench, RevokeToken).plan(bench.client()), Change)
    assert leaked(bench, RevokeToken).verify(bench.client(), change) is Verdict.UNKNOWN
    assert leaked(bench, ProveTokenDead).observe(bench.client(), []).verdict == "unknown"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_word_under_another_status_is_not_slacks(bench: Bench, status: int) -> None:
    says(bench, "token_revoked", status)

    assert leaked(bench, InspectToken).read(bench.client()).facts["state"] == "unknown"


def test_a_page_of_a_proxy_is_not_slacks_word(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, "<html>token_revoked</html>")

    assert leaked(bench, InspectToken).read(bench.client()).facts["state"] == "unknown"


def test_the_token_alone_is_presented_and_only_to_auth_test(bench: Bench) -> None:
    leaked(bench, InspectToken).read(bench.client())
    [seen] = bench.live.gate.seen

    assert (seen.method, seen.path, dict(seen.query), seen.body) == ("GET", "/api/auth.test", {}, b"")
    assert seen.headers["authorization"] == f"Bearer {bench.live.value('deploy-bot')}"


def test_a_revoked_bot_token_takes_its_bot_out_of_every_channel(bench: Bench) -> None:
    chat = bench.live.world.slack
    change = leaked(bench, RevokeToken).plan(bench.client())
    outcome = leaked(bench, RevokeToken).apply(bench.client(may_write=True), change)

    assert "deactivated and leaves every channel" in change.breaks
    assert outcome.facts == {"revoked": True, "answer": "ok"}
    assert not chat.accepts("deploy-bot")
    assert "UDEPLOY" not in chat.workspace.find("incidents").members
    assert "UBOT" in chat.workspace.find("incidents").members


def test_a_token_revokes_itself_and_nothing_of_ours_is_sent(bench: Bench) -> None:
    act(bench, leaked(bench, RevokeToken))
    [sent] = bench.live.gate.effective

    assert (sent.path, sent.body) == ("/api/auth.revoke", b"")
    assert sent.headers["authorization"] == f"Bearer {bench.live.value('deploy-bot')}"
    assert bench.live.value("slack-bot") not in repr(bench.live.gate.seen)


def test_what_is_approved_does_not_depend_on_what_slack_said_about_the_token(bench: Bench) -> None:
    action = leaked(bench, RevokeToken)
    known = action.plan(bench.client())
    says(bench, "invalid_auth")
    unknown = action.plan(bench.client())

    assert known.digest("a", "b", action.effect) == unknown.digest("a", "b", action.effect)


@pytest.mark.parametrize(("error", "raised"), [("internal_error", OutcomeUnknown), ("ratelimited", Unavailable)])
def test_a_failure_while_revoking_is_not_nothing(bench: Bench, error: str, raised: type[Exception]) -> None:
    action = leaked(bench, RevokeToken)
    change = action.plan(bench.client())
    says(bench, error)
    with pytest.raises(raised):
        action.apply(bench.client(may_write=True), change)


def test_slacks_yes_is_not_believed(bench: Bench) -> None:
    action = leaked(bench, RevokeToken)
    change = action.plan(bench.client())
    real = bench.live.gate._answer
    yes = Reply(200, {"ok": True, "revoked": True})
    bench.live.gate._answer = lambda seen: yes if seen.path.endswith("auth.revoke") else real(seen)
    action.apply(bench.client(may_write=True), change)

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize("form", ["", "xoxe-1-"])
def test_what_cannot_revoke_itself_is_for_a_person(bench: Bench, form: str) -> None:
    value = bench.secret(form + "aB" * 30) if form else None
    with pytest.raises(ProviderError) as caught:
        RevokeToken(subject=Subject(key_id="BDEPLOY", value=value)).plan(bench.client())

    assert "let a person revoke the app's tokens" in caught.value.remedy
    assert bench.live.gate.seen == []


def test_without_a_value_nothing_is_known(bench: Bench) -> None:
    assert InspectToken().read(bench.client()).facts["state"] == "unknown"


def test_death_is_proven_beside_a_token_that_works(bench: Bench) -> None:
    bench.live.world.slack.access.propagation = 4.0
    act(bench, leaked(bench, RevokeToken))

    verdicts = [look.verdict for look in looked(bench, 8)]
    assert verdicts == ["alive", "alive", "refused", "refused", "refused", "dead"]


def test_a_token_that_may_not_be_used_from_here_is_not_dead(bench: Bench) -> None:
    bench.live.world.slack.app.others["deploy-bot"].is_welcome = False

    assert {look.verdict for look in looked(bench)} == {"unknown"}


def test_when_the_control_is_refused_too_nothing_is_proven(bench: Bench) -> None:
    says(bench, "token_revoked")

    assert {look.verdict for look in looked(bench)} == {"unknown"}


def test_a_slack_that_wants_to_be_left_alone_is_left_alone(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "42"})
    look = leaked(bench, ProveTokenDead).observe(bench.client(), [])

    assert (look.verdict, look.last, look.wait) == ("unknown", False, 42.0)


# ---- the app's next install


@pytest.mark.parametrize("known", ["value", "fingerprint"])
def test_the_leaked_token_is_no_new_install(bench: Bench, known: str) -> None:
    ours = bench.secret(bench.live.value("slack-bot"))
    subject = Subject(value=ours) if known == "value" else Subject(fingerprint=ours.fingerprint)
    with pytest.raises(ProviderError, match="still acts with the leaked token"):
        CheckInstalled(subject=subject).read(bench.client())

    assert bench.live.gate.seen == []


def test_where_nobody_knows_the_old_token_the_new_one_cannot_be_told_from_it(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="cannot be told from it"):
        CheckInstalled(subject=Subject(key_id="x")).read(bench.client())


def test_a_new_install_has_a_new_token_of_the_same_bot(bench: Bench) -> None:
    old = bench.secret(bench.live.value("slack-bot"))
    act(bench, RevokeToken(subject=Subject(value=old)))
    bench.live.secret = bench.live.world.slack.reinstall()
    facts = CheckInstalled(subject=Subject(value=old)).read(bench.client()).facts

    assert (facts["account"], facts["key_id"]) == ("T0LUMEN", "B0RESPONDER")
    assert "chat:write" in facts["scopes"]
    assert "UBOT" not in bench.live.world.slack.workspace.find("incidents").members


def test_a_new_token_that_is_refused_fails_the_check(bench: Bench) -> None:
    says(bench, "invalid_auth")
    with pytest.raises(Denied, match="invalid_auth"):
        leaked(bench, CheckInstalled).read(bench.client())


def test_our_token_names_its_bot_and_which_scopes_it_lacks(bench: Bench) -> None:
    assert PROVIDER.identify(bench.client()).key_id == "B0RESPONDER"
    assert PROVIDER.lacking is not None
    asked = ["chat:write", "channels:manage, groups:write", "admin.users:write", "a valid bot token"]
    assert PROVIDER.lacking(bench.client(), asked) == ["admin.users:write"]
    bench.live.world.slack.app.scopes -= {"groups:write"}
    assert PROVIDER.lacking(bench.client(), asked)[0] == "channels:manage, groups:write"


def test_where_slack_tells_no_scopes_nobody_says_what_is_lacking(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, {"ok": True})
    assert PROVIDER.lacking is not None
    with pytest.raises(Unavailable):
        PROVIDER.lacking(bench.client(), ["chat:write"])


# ---- channels


def test_taking_somebody_out_of_a_channel_tells_nobody_anything() -> None:
    assert RemoveFromChannel(channel="incidents", user="UTOMAS").tells() == ()


def test_the_app_cannot_take_itself_out(bench: Bench) -> None:
    action = RemoveFromChannel(channel="incidents", user="UBOT")
    change = action.plan(bench.client())
    with pytest.raises(ProviderError) as caught:
        action.apply(bench.client(may_write=True), change)

    assert "let a person" in caught.value.remedy


def test_every_page_of_a_channels_members_is_read(bench: Bench) -> None:
    members = bench.live.world.slack.workspace.find("incidents").members
    members[:0] = [f"U{number:05d}" for number in range(450)]

    assert isinstance(RemoveFromChannel(channel="incidents", user="UTOMAS").plan(bench.client()), Change)


# ---- user groups


def test_the_whole_list_is_written_and_shown_before(bench: Bench) -> None:
    change = ONCALL.plan(bench.client())
    ONCALL.apply(bench.client(may_write=True), change)
    [sent] = bench.live.gate.effective

    assert change.before == "3 members: UINES, UKENJI, UTOMAS"
    assert change.after == "without UTOMAS, 2 members: UINES, UKENJI"
    assert sent.json() == {"usergroup": "S0ONCALL", "users": "UINES,UKENJI"}
    assert sorted(oncall(bench)) == ["UINES", "UKENJI"]


def test_whoever_joined_since_the_plan_is_not_thrown_out(bench: Bench) -> None:
    change = ONCALL.plan(bench.client())
    bench.live.world.slack.workspace.groups["S0ONCALL"].users.append("USALMA")
    with pytest.raises(ProviderError, match="have changed since the plan"):
        ONCALL.apply(bench.client(may_write=True), change)

    assert bench.live.gate.effective == []
    assert "USALMA" in oncall(bench)
    fresh = ONCALL.plan(bench.client())
    assert fresh.digest("a", "b", ONCALL.effect) != change.digest("a", "b", ONCALL.effect)


def test_a_group_that_lost_somebody_else_does_not_hold(bench: Bench) -> None:
    change = ONCALL.plan(bench.client())
    group = bench.live.world.slack.workspace.groups["S0ONCALL"]
    group.users = ["UINES"]
    assert ONCALL.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD
    group.users = ["UINES", "UKENJI", "USALMA"]
    assert ONCALL.verify(bench.client(), change) is Verdict.HOLDS


def test_a_group_is_never_emptied(bench: Bench) -> None:
    bench.live.world.slack.workspace.groups["S0ONCALL"].users = ["UTOMAS"]
    with pytest.raises(ProviderError) as caught:
        ONCALL.plan(bench.client())

    assert "switch the group off" in caught.value.remedy


@pytest.mark.parametrize("handle", ["nobody", "twice"])
def test_a_group_that_is_not_exactly_one_is_refused(bench: Bench, handle: str) -> None:
    for group in ("S1", "S2"):
        bench.live.world.slack.add_group(group, "twice", ("UTOMAS", "UINES"))
    with pytest.raises(ProviderError, match="not exactly one"):
        RemoveFromGroup(group=handle, user="UTOMAS").plan(bench.client())


def test_a_workspace_that_lets_only_admins_change_groups_says_what_to_do(bench: Bench) -> None:
    bench.live.world.slack.roster.terms.groups_open = False
    with pytest.raises(Denied) as caught:
        act(bench, ONCALL)

    assert "usergroups:write" in caught.value.remedy
    assert "an admin's token" in caught.value.remedy


# ---- sessions


def reset(bench: Bench, user: str = "UTOMAS") -> Any:
    return as_admin(ResetSessions(user=user))(bench.live, bench.secret)


def test_sessions_have_ended_only_when_none_is_listed(bench: Bench) -> None:
    action = reset(bench)
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    at_once = action.verify(bench.client(), change)
    bench.live.clock.move(6.0)

    assert change.before == "2 open"
    assert (at_once, action.verify(bench.client(), change)) == (Verdict.DOES_NOT_HOLD, Verdict.HOLDS)
    assert [each.user for each in bench.live.world.slack.workspace.sessions if each.ends_at is None] == ["UINES"]


def test_a_bot_has_no_sessions_and_says_what_ends_it(bench: Bench) -> None:
    with pytest.raises(ProviderError) as caught:
        reset(bench, "UDEPLOY").plan(bench.client())

    assert "credential.revoke" in caught.value.remedy


def spoilt(bench: Bench, how: str) -> None:
    chat = bench.live.world.slack
    if how == "plan":
        chat.roster.terms.enterprise = False
    elif how == "admin":
        chat.app.others["org-admin"].is_admin = False
    else:
        bench.live.secret = bench.live.value("slack-bot")


@pytest.mark.parametrize(
    ("how", "way_out"), [("plan", "Enterprise"), ("admin", "owner or admin"), ("token", "use a person's token")]
)
def test_what_sessions_need_is_named(bench: Bench, how: str, way_out: str) -> None:
    action = reset(bench)
    spoilt(bench, how)
    with pytest.raises(Denied) as caught:
        action.plan(bench.client())

    assert "admin.users:read" in caught.value.remedy
    assert way_out in caught.value.remedy


def test_the_primary_owner_signs_nobody_else_lets_out(bench: Bench) -> None:
    bench.live.world.slack.workspace.primary_owner = "UTOMAS"
    with pytest.raises(Denied) as caught:
        act(bench, reset(bench))

    assert "primary owner" in caught.value.remedy


def test_ids_are_ids() -> None:
    for wrong in ("tomas", "UTOMAS,UINES", "T0LUMEN", ""):
        with pytest.raises(ValueError, match="pattern"):
            RemoveFromChannel(channel="incidents", user=wrong)
