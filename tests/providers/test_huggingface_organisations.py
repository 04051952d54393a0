"""Organisations at the Hub: what they shut out, who is in them, and what their audit log tells."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cases.common import ORIGIN
from cases.huggingface import CONTRACT, FILMS, ORG, PRESS, on_token
from provider_bench import bench_of

from responder.action import Change, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.huggingface import PROVIDER
from responder.providers.huggingface.audit import AuditLog, ConsumersInOrganization, UsedInOrganization
from responder.providers.huggingface.client import Options
from responder.providers.huggingface.members import GroupRole, ListResourceGroups, SetMemberRole
from responder.providers.huggingface.tokens import CheckToken, RevokeInOrganization, RevokeToken
from responder.settings import Consumer
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen

BOT = "lumen-space-bot"
ENDS_ACCESS = SetMemberRole(organization=ORG, member=BOT, role="no_access")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("huggingface") as made:
        yield made


def act(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    action.apply(bench.client(may_write=True), change)
    return change


def out(bench: Bench) -> Any:
    return on_token(RevokeInOrganization, organization=ORG)(bench.live, bench.secret)


def bot(bench: Bench) -> Any:
    return bench.live.world.cast.hub.organisation.members[BOT]


def logged(bench: Bench) -> Any:
    return bench.live.world.cast.hub.organisation.events


def whoami_says(bench: Bench, body: Any, status: int = 200) -> None:
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(status, body) if "whoami" in seen.path else real(seen)


def sent(bench: Bench) -> Any:
    return bench.live.gate.effective[-1].json()


# ---- shutting a token out


def test_a_token_that_is_shut_out_lives_on_elsewhere(bench: Bench) -> None:
    hub = bench.live.world.cast.hub
    change = act(bench, out(bench))

    assert out(bench).verify(bench.client(), change) is Verdict.HOLDS
    assert hub.accepts("space-token")
    assert change.after.endswith("it lives on elsewhere")
    assert bench.live.gate.effective[0].headers["authorization"] == f"Bearer {bench.live.value('hub-admin')}"


@pytest.mark.parametrize("restriction", ["sso", "ip", "mfa", "token-policy"])
def test_no_other_restriction_is_taken_for_it(bench: Bench, restriction: str) -> None:
    change = out(bench).plan(bench.client())
    whoami_says(bench, {"name": BOT, "orgs": [{"name": ORG, "securityRestrictions": [restriction]}]})
    again = out(bench).plan(bench.client())

    assert isinstance(again, Change)
    assert restriction in again.before
    assert again.digest("a", "b", out(bench).effect) == change.digest("a", "b", out(bench).effect)
    assert out(bench).verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_another_organisation_that_shut_it_out_is_not_this_one(bench: Bench) -> None:
    orgs = [{"name": "other", "securityRestrictions": ["token-revoked"]}, {"name": ORG}]
    whoami_says(bench, {"name": BOT, "orgs": orgs})

    assert isinstance(out(bench).plan(bench.client()), Change)


@pytest.mark.parametrize(("body", "status"), [({"name": BOT, "orgs": []}, 200), ({}, 429), ({}, 403), ({}, 500)])
def test_an_organisation_that_is_not_listed_may_be_reached(bench: Bench, body: Any, status: int) -> None:
    change = out(bench).plan(bench.client())
    whoami_says(bench, body, status)

    assert isinstance(out(bench).plan(bench.client()), Change)
    assert out(bench).verify(bench.client(), change) is Verdict.UNKNOWN


def test_a_token_that_is_dead_everywhere_needs_nothing(bench: Bench) -> None:
    whoami_says(bench, {}, 401)

    assert isinstance(out(bench).plan(bench.client()), Unchanged)


def test_our_own_token_cannot_be_shut_out(bench: Bench) -> None:
    ours = bench.secret(bench.live.value("hub-admin"))
    with pytest.raises(ProviderError, match="their own token"):
        RevokeInOrganization(organization=ORG, subject=Subject(value=ours)).plan(bench.client())


def test_without_a_plan_a_person_does_it(bench: Bench) -> None:
    bench.live.world.cast.hub.organisation.plan = "team"
    with pytest.raises(Denied) as caught:
        act(bench, out(bench))

    assert "Enterprise plan" in caught.value.remedy
    assert "a person does it" in caught.value.remedy


def test_what_a_person_does_without_us_is_told() -> None:
    assert "https://huggingface.co/settings/tokens" in RevokeToken.by_hand(Options(), "")
    assert "as its admin" in RevokeInOrganization.by_hand(Options(), "")


# ---- roles


def test_a_role_is_sent_with_every_group_that_the_member_is_in(bench: Bench) -> None:
    change = act(bench, ENDS_ACCESS)

    assert sent(bench)["role"] == "no_access"
    assert sorted(sent(bench)["resourceGroups"], key=str) == [
        {"id": FILMS, "role": "read"},
        {"id": PRESS, "role": "write"},
    ]
    assert bot(bench).groups == {FILMS: "read", PRESS: "write"}
    assert change.before == "write; films (read), press (write)"
    assert change.after == "no_access; films (read), press (write)"


def test_all_groups_are_left_only_when_that_is_said(bench: Bench) -> None:
    change = act(bench, ENDS_ACCESS.model_copy(update={"groups": ()}))

    assert sent(bench) == {"role": "no_access", "resourceGroups": []}
    assert bot(bench).groups == {}
    assert change.after == "no_access; no resource group"


def test_groups_that_nobody_sees_are_never_wiped(bench: Bench) -> None:
    change = ENDS_ACCESS.plan(bench.client())
    bench.live.secret = bench.live.value("hub-control")
    with pytest.raises(Denied) as caught:
        ENDS_ACCESS.plan(bench.client())
    with pytest.raises(Denied):
        ENDS_ACCESS.apply(bench.client(may_write=True), change)

    assert "admin of the organisation" in caught.value.remedy
    assert bench.live.gate.effective == []


def test_whoever_was_put_into_a_group_since_the_plan_stays_in_it(bench: Bench) -> None:
    bot(bench).groups = {FILMS: "read"}
    change = ENDS_ACCESS.plan(bench.client())
    bot(bench).groups = {FILMS: "read", PRESS: "write"}
    with pytest.raises(ProviderError, match="has changed since the plan"):
        ENDS_ACCESS.apply(bench.client(may_write=True), change)

    assert bench.live.gate.effective == []
    fresh = ENDS_ACCESS.plan(bench.client())
    assert fresh.digest("a", "b", ENDS_ACCESS.effect) != change.digest("a", "b", ENDS_ACCESS.effect)


def test_a_role_without_its_groups_does_not_hold(bench: Bench) -> None:
    change = ENDS_ACCESS.plan(bench.client())
    bot(bench).role, bot(bench).groups = "no_access", {FILMS: "read"}

    assert ENDS_ACCESS.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_a_role_is_given_back_with_its_groups(bench: Bench) -> None:
    action = ENDS_ACCESS.model_copy(update={"groups": ()})
    back = action.inverse(act(bench, action))
    assert back is not None
    act(bench, back)

    assert (bot(bench).role, bot(bench).groups) == ("write", {FILMS: "read", PRESS: "write"})


def test_a_role_that_the_house_made_is_kept_in_its_group_and_given_back_by_a_person(bench: Bench) -> None:
    made = {"user": BOT, "role": "film crew", "resourceGroups": [{"id": FILMS, "name": "films", "role": "lead editor"}]}
    bench.live.gate._answer = lambda seen: Reply(200, [made])
    change = ENDS_ACCESS.plan(bench.client())

    assert change.after == "no_access; films (lead editor)"
    assert ENDS_ACCESS.inverse(change) is None


def test_a_name_that_is_a_part_of_another_is_not_the_other(bench: Bench) -> None:
    members = bench.live.world.cast.hub.organisation.members
    members["lumen-space"] = type(members[BOT])("lumen-space", "admin")
    del members[BOT]
    members["x-" + BOT] = type(members["lumen-space"])("x-" + BOT, "admin")
    with pytest.raises(ProviderError, match="has no member"):
        ENDS_ACCESS.plan(bench.client())


def test_we_do_not_cut_our_own_hand_off(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="whom we act as"):
        SetMemberRole(organization=ORG, member=bench.live.account, role="read").plan(bench.client())


def test_without_any_plan_roles_are_for_people(bench: Bench) -> None:
    bench.live.world.cast.hub.organisation.plan = ""
    with pytest.raises(Denied) as caught:
        act(bench, ENDS_ACCESS)

    assert "(402)" in str(caught.value)
    assert "admin of the organisation" in caught.value.remedy


def test_groups_that_are_not_understood_are_not_sent_back(bench: Bench) -> None:
    strange = {"user": BOT, "role": "read", "resourceGroups": [{"id": "7", "name": "x", "role": "read"}]}
    bench.live.gate._answer = lambda seen: Reply(200, [strange])
    with pytest.raises(Unavailable):
        ENDS_ACCESS.plan(bench.client())


def test_a_member_may_get_other_groups(bench: Bench) -> None:
    action = SetMemberRole(organization=ORG, member=BOT, role="read", groups=[GroupRole(id=PRESS, role="read")])
    act(bench, action)

    assert (bot(bench).role, bot(bench).groups) == ("read", {PRESS: "read"})
    assert isinstance(action.plan(bench.client()), Unchanged)


def test_the_groups_are_listed_with_their_members(bench: Bench) -> None:
    groups = ListResourceGroups(organization=ORG).read(bench.client()).facts["groups"]

    assert [(one["id"], one["name"]) for one in groups] == [(FILMS, "films"), (PRESS, "press")]
    assert groups[0]["members"] == [{"name": BOT, "role": "read"}]


def test_a_request_that_the_description_does_not_know_is_found() -> None:
    if not CONTRACT.is_there:
        pytest.skip("the descriptions are not beside this repository")
    path, body = f"/api/organizations/{ORG}/members/{BOT}/role", b'{"role": "owner"}'
    headers = {"content-type": "application/json", "authorization": "Bearer x"}

    assert len(CONTRACT.problems([Seen("PUT", path, {}, headers, body, path)])) == 1


# ---- the audit log


def test_the_log_is_told_in_short_and_kept_whole(bench: Bench) -> None:
    outcome = AuditLog(organization=ORG).read(bench.client())
    [kept] = outcome.evidence

    assert outcome.facts["kinds"] == {"repo.add_secret": 1, "repo.create": 1, "repo.update_settings": 1}
    assert (outcome.facts["count"], outcome.facts["truncated"]) == (3, False)
    assert {one["author"] for one in outcome.facts["events"]} == {BOT, "lumen-security"}
    assert len(json.loads(kept.data)) == 3
    assert kept.about == f"audit log of {ORG}"


def test_a_part_of_the_log_can_be_read(bench: Bench) -> None:
    facts = AuditLog(organization=ORG, query=f"author:{BOT}").read(bench.client()).facts

    assert facts["count"] == 2
    assert bench.live.gate.seen[-1].query == {"q": f"author:{BOT}"}


def test_only_an_admin_reads_the_log(bench: Bench) -> None:
    bench.live.secret = bench.live.value("hub-control")
    with pytest.raises(Denied) as caught:
        AuditLog(organization=ORG).read(bench.client())

    assert "admin of the organisation" in caught.value.remedy


@pytest.mark.parametrize("body", [{"error": "x"}, [{"_id": "1", "createdAt": "soon"}]])
def test_what_is_no_log_is_not_taken_for_an_empty_one(bench: Bench, body: Any) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, body)
    with pytest.raises(Unavailable):
        AuditLog(organization=ORG).read(bench.client())


def test_what_was_done_with_the_token_is_told_and_nothing_counts_as_covered(bench: Bench) -> None:
    since = datetime(2026, 5, 2, 8, 0, tzinfo=UTC)
    action = on_token(UsedInOrganization, since=since)(bench.live, bench.secret)
    facts = action.read(bench.client()).facts

    assert sorted(use["what"] for use in facts["uses"]) == ["repo.create", "repo.update_settings"]
    assert (facts["foreign"], facts["covered"]) == (2, [])
    assert [gap["since"] for gap in facts["missing"]] == [since.isoformat()]
    assert facts["sources"] == [f"audit log of {ORG} (changes only)"]


def test_events_before_the_time_that_is_asked_about_do_not_count(bench: Bench) -> None:
    bench.live.clock.move(3600)
    later = ORIGIN + timedelta(minutes=30)
    action = on_token(UsedInOrganization, since=later, look_back="1m")(bench.live, bench.secret)

    assert action.read(bench.client()).facts["count"] == 0


def test_how_far_the_log_reaches_is_read_from_its_oldest_event_whoever_made_it(bench: Bench) -> None:
    oldest = logged(bench)[0]
    oldest["createdAt"] = "2026-01-31T07:30:00.000Z"
    outcome = on_token(UsedInOrganization, since=ORIGIN)(bench.live, bench.secret).read(bench.client())

    assert oldest["token"]["last4"] != bench.live.value("space-token")[-4:]
    assert outcome.facts["count"] == 2
    assert outcome.facts["kept_since"] == "2026-01-31T07:30:00+00:00"


def test_the_hub_names_no_retention_so_no_event_has_an_age(bench: Bench) -> None:
    used = on_token(UsedInOrganization, since=ORIGIN)(bench.live, bench.secret).read(bench.client())
    copied = AuditLog(organization=ORG).read(bench.client())

    assert used.facts["kept_until"] == ""
    assert [one.kept_until for one in (*used.evidence, *copied.evidence)] == [None, None]


def test_an_empty_log_reaches_nowhere(bench: Bench) -> None:
    logged(bench).clear()
    action = on_token(UsedInOrganization, since=ORIGIN)(bench.live, bench.secret)

    assert action.read(bench.client()).facts["kept_since"] == ""


def test_consumers_are_known_by_their_program(bench: Bench) -> None:
    site = Consumer(id="site", connection="huggingface", secret="a/b:KEY", seen_as=("python-requests",))
    action = on_token(ConsumersInOrganization, known=(site,))(bench.live, bench.secret)
    facts = action.read(bench.client()).facts

    assert (facts["silent"], facts["unknown"]) == ([], [])
    assert facts["known"][0]["last_used_at"]


def test_use_is_offered_where_there_is_a_log(bench: Bench) -> None:
    assert PROVIDER.offers is not None
    assert {"used", "consumers"} <= PROVIDER.offers(Options(organization=ORG))
    assert not {"used", "consumers"} & PROVIDER.offers(Options())
    assert {"inspect", "revoke", "prove_dead", "deliver"} <= PROVIDER.offers(Options())


def test_without_a_value_no_use_is_looked_for(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="last letters"):
        UsedInOrganization(subject=Subject(key_id="ci")).read(bench.client())


# ---- the new token, our own rights, and a consumer's place


@pytest.mark.parametrize("known", ["value", "fingerprint"])
def test_the_leaked_token_is_no_new_token(bench: Bench, known: str) -> None:
    ours = bench.secret(bench.live.value("hub-admin"))
    subject = Subject(value=ours) if known == "value" else Subject(fingerprint=ours.fingerprint)
    with pytest.raises(ProviderError, match="still acts with the leaked token"):
        CheckToken(subject=subject).read(bench.client())


@pytest.mark.parametrize(("status", "raised"), [(401, Denied), (403, Denied), (429, Unavailable), (500, Unavailable)])
def test_a_new_token_that_does_not_work_fails_the_check(bench: Bench, status: int, raised: type[Exception]) -> None:
    whoami_says(bench, {}, status)
    with pytest.raises(raised):
        on_token(CheckToken)(bench.live, bench.secret).read(bench.client())


def test_where_nobody_knows_the_old_token_the_new_one_cannot_be_told_from_it(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="cannot be told from it"):
        CheckToken(subject=Subject(key_id="x")).read(bench.client())


def test_a_new_token_tells_what_it_reaches(bench: Bench) -> None:
    facts = on_token(CheckToken)(bench.live, bench.secret).read(bench.client()).facts

    assert facts == {
        "account": "lumen-security", "key_id": "hub-admin", "role": "write",
        "reach": ["lumen-security", f"{ORG} (admin)"],
    }  # fmt: skip


def test_what_our_token_lacks_is_told_as_far_as_the_hub_does(bench: Bench) -> None:
    asked = sorted({word for action in PROVIDER.actions for word in action.permissions if "none:" not in word})
    assert PROVIDER.lacking is not None
    assert PROVIDER.lacking(bench.client(), asked) == []
    bench.live.secret = bench.live.value("hub-control")
    lacks = PROVIDER.lacking(bench.client(), asked)
    whoami_says(bench, {}, 429)
    with pytest.raises(Unavailable):
        PROVIDER.lacking(bench.client(), asked)

    assert "write access to the Space" in lacks
    assert "read access to the Space" not in lacks
    assert len([one for one in lacks if "admin of the organisation" in one]) == 4


@pytest.mark.parametrize(
    ("secret", "exists"),
    [(f"{ORG}/demo:OLD_TOKEN", True), (f"{ORG}/demo:NEW_TOKEN", False), ("nobody/none:OLD_TOKEN", False)],
)
def test_a_consumers_place_is_looked_at(bench: Bench, secret: str, exists: bool) -> None:
    assert PROVIDER.place is not None
    found = PROVIDER.place(bench.client(), secret)

    assert (found.exists, bool(found.updated_at)) == (exists, exists)


def test_a_place_that_names_no_secret_is_refused(bench: Bench) -> None:
    assert PROVIDER.place is not None
    with pytest.raises(ProviderError, match="names no secret"):
        PROVIDER.place(bench.client(), f"{ORG}/demo")
