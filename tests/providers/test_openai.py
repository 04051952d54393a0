"""Keys, service accounts, limits and records, against the drill's organisation."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cases.common import ORIGIN
from cases.contracts import Contract
from cases.openai import CONTRACT, PROJECT, SITE, all_but, on_key, org, subject
from provider_bench import bench_of

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.openai import PROVIDER
from responder.providers.openai.client import READ, READ_AUDIT, READ_USAGE, WRITE, Options
from responder.providers.openai.ending import InspectKey, ProveKeyDead, RevokeKey
from responder.providers.openai.fencing import FenceProject, RestoreSpendLimit
from responder.providers.openai.issuing import IssueKey
from responder.providers.openai.people import DeleteInvite, RemoveUser
from responder.providers.openai.traces import AuditLog, DoorsOfOwner, Usage, UsedKey
from responder.settings import Holder
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen

SINCE = ORIGIN - timedelta(days=1)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("openai") as made:
        yield made


def on(bench: Bench, action: type[Any], label: str = "leaked", **fields: Any) -> Any:
    return on_key(action, label, **fields)(bench.live, bench.secret)


def done(bench: Bench, action: Any) -> Any:
    return action.apply(bench.client(may_write=True), action.plan(bench.client()))


def facts(bench: Bench, action: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = action.read(bench.client()).facts
    return found


def answering(bench: Bench, path: str, reply: Reply) -> None:
    """Answer at one path with this, and elsewhere as before."""
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: reply if seen.path == path else real(seen)


def error(status: int, code: str | None) -> Reply:
    told = {"message": "no", "type": "invalid_request_error", "param": None, "code": code}
    return Reply(status, {"error": told})


def with_options(bench: Bench, **options: Any) -> None:
    bench.live.connection = bench.live.connection.model_copy(update=options)


def test_only_what_openai_has_an_api_for_is_offered() -> None:
    offered = {action.verb for action in PROVIDER.actions if hasattr(action, "verb")}

    assert offered == {"inspect", "used", "consumers", "doors", "fence", "revoke", "issue", "prove_dead"}


def test_the_description_is_used_where_it_is_there() -> None:
    if not CONTRACT.is_there:
        pytest.skip("the descriptions are not beside this repository")
    wrong = Seen("GET", "/organization/projects", {"limit": "many"}, {"authorization": "Bearer x"}, b"", "")

    assert CONTRACT.problems([wrong])
    assert not Contract("openai.json").problems([Seen(**{**vars(wrong), "query": {}})])


# ---- whether a key lives


def test_inspect_tells_whose_key_it_is_and_where_it_works(bench: Bench) -> None:
    found = facts(bench, on(bench, InspectKey, by_value=True))

    assert (found["state"], found["key_id"], found["project"]) == ("live", "key_leaked", PROJECT)
    assert found["owner"] == "user ada@lumen.example (user-ada)"
    assert found["reach"] == [f"project Site ({PROJECT})", "role reader", "organisation lumen-labs"]


def test_without_its_value_a_listed_key_is_live_and_another_unknown(bench: Bench) -> None:
    assert facts(bench, InspectKey(subject=Subject(key_id="key_robot")))["state"] == "live"
    assert facts(bench, InspectKey(subject=Subject(key_id="key_none")))["state"] == "unknown"


def test_where_me_is_not_there_the_documented_list_of_models_tells(bench: Bench) -> None:
    bench.live.world.has_me = False

    assert facts(bench, on(bench, InspectKey))["state"] == "live"


def test_a_restricted_key_that_may_not_list_models_lives(bench: Bench) -> None:
    bench.live.world.has_me = False
    org(bench.live).keys["key_leaked"].scopes = ("api.responses.write",)

    assert facts(bench, on(bench, InspectKey))["state"] == "live"


def test_one_place_that_refuses_is_no_death_while_another_accepts(bench: Bench) -> None:
    answering(bench, "/me", error(401, "invalid_api_key"))

    assert facts(bench, on(bench, InspectKey))["state"] == "live"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(error(401, "ip_not_authorized"), id="an address outside the allow-list"),
        pytest.param(error(401, None), id="no code"),
        pytest.param(error(403, "unsupported_country_region_territory"), id="a country"),
        pytest.param(Reply(403, "<html>no</html>"), id="a proxy that refuses"),
        pytest.param(Reply(200, "<html>sign in</html>"), id="a proxy that greets"),
        pytest.param(Reply(200, {"error": {"code": "invalid_api_key"}}), id="an error in a 200"),
        pytest.param(Reply(401, "<html>no</html>"), id="a proxy that wants a login"),
        pytest.param(error(429, "insufficient_quota"), id="a spend limit"),
        pytest.param(error(500, None), id="a failure"),
    ],
)
def test_what_is_no_plain_answer_proves_nothing(bench: Bench, reply: Reply) -> None:
    for path in ("/me", "/models"):
        answering(bench, path, reply)
    look = on(bench, ProveKeyDead).observe(bench.client(), [])
    value = bench.secret(bench.live.value("leaked"))

    # by itself, too: a control that is answered the same would hide what is made of the answer
    assert {bench.client().present(surface, value).state for surface in ("me", "models")} == {"unknown"}
    assert facts(bench, on(bench, InspectKey))["state"] == "unknown"
    assert look.facts["surfaces"] == {"me": "unknown", "models": "unknown"}


def test_a_deleted_key_is_dead_when_both_places_refuse_it(bench: Bench) -> None:
    done(bench, on(bench, RevokeKey))
    bench.live.clock.move(60)
    found = facts(bench, on(bench, InspectKey))

    assert (found["state"], found["candidates"]) == ("dead", [])


def test_one_place_that_refuses_is_no_death_while_another_does_not_say(bench: Bench) -> None:
    answering(bench, "/me", error(401, "invalid_api_key"))
    answering(bench, "/models", error(500, None))

    assert facts(bench, on(bench, InspectKey))["state"] == "unknown"


# ---- which key it is


def look_alike(bench: Bench) -> None:
    value = bench.live.value("leaked")
    twin = value[:12] + "x" * 20 + value[-4:]
    bench.live.world.ground.labels.add({"twin": twin})
    organisation = org(bench.live)
    organisation.add_key("twin", organisation.accounts["user-boss"], "proj_other", key_id="key_twin")


def test_of_keys_that_look_alike_none_is_taken_for_the_leaked_one(bench: Bench) -> None:
    look_alike(bench)
    found = facts(bench, on(bench, InspectKey, by_value=True))

    assert (found["state"], found["key_id"]) == ("live", "")
    assert set(found["candidates"]) == {"key_leaked", "key_twin"}
    with pytest.raises(ProviderError, match="key_twin") as caught:
        on(bench, RevokeKey, by_value=True).plan(bench.client())
    assert "key_id" in caught.value.remedy


def test_a_given_id_tells_look_alikes_apart(bench: Bench) -> None:
    look_alike(bench)
    done(bench, on(bench, RevokeKey))
    bench.live.clock.move(60)

    assert bench.live.world.accepts("twin")
    assert not bench.live.world.accepts("leaked")


@pytest.mark.parametrize(("first", "mask", "last"), [(8, "****", 0), (8, "****", 2), (8, "", 0), (0, "****", 0)])
def test_a_beginning_alone_is_no_match(
    bench: Bench, first: int, mask: str, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "responder.drill.world.openai.shapes.redacted",
        lambda value: value[:first] + mask + value[len(value) - last :],
    )

    assert facts(bench, on(bench, InspectKey, by_value=True))["candidates"] == []


@pytest.mark.parametrize("mask", ["************", "...", "…"])
def test_every_known_way_to_show_a_key_is_understood(bench: Bench, mask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("responder.drill.world.openai.shapes.redacted", lambda value: value[:6] + mask + value[-4:])

    assert facts(bench, on(bench, InspectKey, by_value=True))["key_id"] == "key_leaked"


def test_an_id_that_is_another_keys_is_refused(bench: Bench) -> None:
    wrong = subject(bench.live, bench.secret).model_copy(update={"key_id": "key_control"})
    with pytest.raises(ProviderError, match="another one than the leaked value"):
        RevokeKey(subject=wrong).plan(bench.client())


def test_the_key_of_somebody_who_lost_access_is_found(bench: Bench) -> None:
    assert facts(bench, on(bench, InspectKey, "removed", by_value=True))["key_id"] == "key_removed"


def test_a_key_outside_the_connections_project_is_found_as_well(bench: Bench) -> None:
    with_options(bench, project=PROJECT)
    found = facts(bench, on(bench, InspectKey, "neighbour"))

    assert (found["project"], found["state"]) == ("proj_other", "live")


def test_every_page_of_the_keys_is_read(bench: Bench) -> None:
    organisation = org(bench.live)
    for number in range(250):
        bench.live.world.ground.labels.add({f"more-{number}": f"sk-proj-{number:040d}"})
        organisation.add_key(f"more-{number}", organisation.accounts["user-boss"], "proj_other", key_id=f"key_{number}")

    assert facts(bench, on(bench, InspectKey, "more-249"))["state"] == "live"
    assert InspectKey(subject=Subject(key_id="key_249")).read(bench.client()).facts["project"] == "proj_other"


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list"},
        {"data": [], "has_more": True},
        [],
        "x",
        {"data": [{"id": "key_x"}], "has_more": True, "last_id": "key_x"},
    ],
)
def test_a_list_that_is_none_proves_nothing(bench: Bench, body: Any) -> None:
    action = on(bench, RevokeKey)
    change = action.plan(bench.client())
    answering(bench, f"/organization/projects/{PROJECT}/api_keys", Reply(200, body))

    with pytest.raises(Unavailable):
        action.plan(bench.client())
    assert action.verify(bench.client(), change) is Verdict.UNKNOWN


# ---- deleting


def test_a_users_key_is_deleted_by_its_id(bench: Bench) -> None:
    done(bench, on(bench, RevokeKey, by_value=True))
    [sent] = bench.live.gate.effective

    assert (sent.method, sent.path) == ("DELETE", f"/organization/projects/{PROJECT}/api_keys/key_leaked")


def test_with_a_key_of_a_service_account_the_account_goes_and_the_plan_says_so(bench: Bench) -> None:
    action = on(bench, RevokeKey, "robot")
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    [sent] = bench.live.gate.effective

    assert (sent.method, sent.path) == ("DELETE", f"/organization/projects/{PROJECT}/service_accounts/user-robot")
    assert "key_robot2" in change.breaks
    assert change.preconditions["keys"] == "key_robot key_robot2"
    bench.live.clock.move(60)
    assert not bench.live.world.accepts("robot-2")


def test_a_new_key_of_the_service_account_is_another_change_to_approve(bench: Bench) -> None:
    action = on(bench, RevokeKey, "robot")
    before = action.plan(bench.client()).digest("a", "b", action.effect)
    organisation = org(bench.live)
    organisation.issue(organisation.accounts["user-robot"], "third", organisation.keys["key_ours"])

    assert action.plan(bench.client()).digest("a", "b", action.effect) != before


def test_what_is_approved_does_not_depend_on_when_the_key_was_used(bench: Bench) -> None:
    action = on(bench, RevokeKey)
    before = action.plan(bench.client())
    org(bench.live).keys["key_leaked"].last_used_at = 1_777_777_777
    after = action.plan(bench.client())

    assert before.before != after.before
    assert before.digest("a", "b", action.effect) == after.digest("a", "b", action.effect)


@pytest.mark.parametrize("by_value", [True, False])
def test_the_key_that_we_act_with_is_never_deleted(bench: Bench, by_value: bool) -> None:
    with pytest.raises(ProviderError, match="act with"):
        on(bench, RevokeKey, "ours", by_value=by_value).plan(bench.client())
    with pytest.raises(ProviderError, match="act with"):
        RevokeKey(subject=Subject(key_id="key_ours")).plan(bench.client())


def test_our_own_value_is_known_even_where_no_list_shows_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("responder.drill.world.openai.shapes.redacted", lambda _: "hidden")
    with pytest.raises(ProviderError, match="act with"):
        on(bench, RevokeKey, "ours").plan(bench.client())


def test_while_the_deletion_spreads_nothing_is_left_to_delete(bench: Bench) -> None:
    action = on(bench, RevokeKey)
    done(bench, action)
    found = action.plan(bench.client())

    assert isinstance(found, Unchanged)
    assert "still taken" in found.reason
    assert found.facts["state"] == "live"


def test_a_live_key_that_nobody_lists_is_not_called_gone(bench: Bench) -> None:
    stranger = org(bench.live).add_user("user-x", "x@elsewhere.example")
    bench.live.world.ground.labels.add({"foreign": "sk-proj-" + "Zq9" * 14})
    org(bench.live).add_key("foreign", stranger, "proj_elsewhere")
    org(bench.live).projects.pop("proj_elsewhere", None)
    with pytest.raises(ProviderError, match="lists no key") as caught:
        on(bench, RevokeKey, "foreign", by_value=True).plan(bench.client())

    assert "another organisation" in caught.value.remedy


def test_a_key_that_nobody_lists_and_that_may_live_is_asked_about_again(bench: Bench) -> None:
    done(bench, on(bench, RevokeKey))
    bench.live.world.allowed_addresses = False
    answering(bench, "/organization/projects", Reply(200, {"data": [], "has_more": False}))
    answering(bench, "/organization/admin_api_keys", Reply(200, {"data": [], "has_more": False}))
    with pytest.raises(Unavailable):
        on(bench, RevokeKey, by_value=True).plan(bench.client())


def test_what_the_status_says_is_not_believed(bench: Bench) -> None:
    action = on(bench, RevokeKey)
    change = action.plan(bench.client())
    path = f"/organization/projects/{PROJECT}/api_keys/key_leaked"
    answering(bench, path, Reply(200, {"deleted": True, "id": "key_leaked"}))
    action.apply(bench.client(may_write=True), change)

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_the_pages_where_a_person_does_it_are_named() -> None:
    assert "key_leaked" in RevokeKey.by_hand(Options(), "key_leaked")
    assert PROJECT in FenceProject.by_hand(Options(project=PROJECT), "")
    assert "service account" in IssueKey.by_hand(Options(), "")


# ---- proving


def prove(bench: Bench, label: str) -> list[str]:
    history: list[Observed] = []
    for _ in range(8):
        look = on(bench, ProveKeyDead, label).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if look.last:
            break
        bench.live.clock.move(look.wait)
    return [look.verdict for look in history]


def test_death_is_proven_only_after_the_deletion_has_spread(bench: Bench) -> None:
    assert set(prove(bench, "leaked")) == {"alive"}
    done(bench, on(bench, RevokeKey))
    found = prove(bench, "leaked")

    assert found[0] == "alive"
    assert found[-4:] == ["refused", "refused", "refused", "dead"]


def test_an_admin_key_is_presented_where_admin_keys_are_taken(bench: Bench) -> None:
    assert set(prove(bench, "admin-leaked")) == {"alive"}
    bench.live.control = bench.live.value("admin-control")
    done(bench, on(bench, RevokeKey, "admin-leaked"))

    assert prove(bench, "admin-leaked")[-1] == "dead"


def test_a_control_of_another_kind_proves_nothing(bench: Bench) -> None:
    done(bench, on(bench, RevokeKey))
    bench.live.clock.move(60)
    bench.live.control = bench.live.value("admin-control")

    assert set(prove(bench, "leaked")) == {"unknown"}


def test_a_fence_is_no_death(bench: Bench) -> None:
    done(bench, on(bench, FenceProject))

    assert prove(bench, "leaked")[0] == "alive"


# ---- fencing


@pytest.mark.parametrize("before", [None, 90_000])
def test_a_fence_is_taken_back_to_what_was_there(bench: Bench, before: int | None) -> None:
    org(bench.live).projects[PROJECT].limit = before
    action = on(bench, FenceProject, cap_cents=500)
    change = action.plan(bench.client())
    told = action.apply(bench.client(may_write=True), change).facts
    assert org(bench.live).projects[PROJECT].limit == 500
    assert (told["before_cents"], told["fenced_by"]) == (before, "a hard spend limit of 5.00 USD a month")
    done(bench, action.inverse(change))

    assert org(bench.live).projects[PROJECT].limit == before


def test_a_limit_that_is_lower_already_is_left_alone(bench: Bench) -> None:
    org(bench.live).projects[PROJECT].limit = 100

    assert isinstance(on(bench, FenceProject, cap_cents=500).plan(bench.client()), Unchanged)
    assert isinstance(on(bench, FenceProject).plan(bench.client()), Change)  # one cent, where nothing is said


def test_a_limit_that_was_changed_meanwhile_is_another_change(bench: Bench) -> None:
    action = on(bench, FenceProject, cap_cents=500)
    before = action.plan(bench.client()).digest("a", "b", action.effect)
    org(bench.live).projects[PROJECT].limit = 80_000

    assert action.plan(bench.client()).digest("a", "b", action.effect) != before


def test_the_project_that_is_fenced_is_the_keys_own(bench: Bench) -> None:
    with_options(bench, project=PROJECT)
    done(bench, on(bench, FenceProject, "neighbour"))

    assert org(bench.live).projects[PROJECT].limit is None
    assert org(bench.live).projects["proj_other"].limit == 1


def test_what_openai_cannot_fence_is_refused(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="by network"):
        on(bench, FenceProject, allow=("192.0.2.0/24",)).plan(bench.client())
    with pytest.raises(ProviderError, match="admin key"):
        on(bench, FenceProject, "admin-leaked").plan(bench.client())


def test_a_project_that_is_not_there_is_not_one_without_a_limit(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="no project"):
        RestoreSpendLimit(project="proj_none").plan(bench.client())


# ---- issuing


def test_every_consumer_gets_a_service_account_with_our_mark(bench: Bench) -> None:
    outcome = done(bench, on(bench, IssueKey, consumer=SITE))
    [sent] = bench.live.gate.effective
    value = outcome.issued.value

    assert sent.json() == {"name": outcome.facts["name"]}
    assert outcome.facts["name"].startswith("site-demo-site--")
    label = next(key.label for key in org(bench.live).keys.values() if key.id == outcome.issued.key_id)
    assert value == bench.secret(bench.live.value(label))
    assert bench.live.world.accepts(label)


def test_scopes_make_a_key_that_may_do_no_more(bench: Bench) -> None:
    outcome = done(bench, on(bench, IssueKey, consumer=SITE, scopes=("api.responses.write",)))
    made, keyed = bench.live.gate.effective

    assert made.json()["create_service_account_only"] is True
    assert keyed.json()["scopes"] == ["api.responses.write"]
    assert org(bench.live).keys[outcome.issued.key_id].scopes == ("api.responses.write",)


def test_an_account_that_got_no_key_is_unknown_and_then_made_again(bench: Bench) -> None:
    real = bench.live.gate._answer

    def keyless(seen: Seen) -> Reply:
        refuses = seen.method == "POST" and seen.path.endswith("/api_keys")
        return error(403, None) if refuses else real(seen)

    action = on(bench, IssueKey, consumer=SITE, scopes=("api.responses.write",))
    bench.live.gate._answer = keyless
    change = action.plan(bench.client())
    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)
    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD
    bench.live.gate._answer = real
    again = action.plan(bench.client())
    action.apply(bench.client(may_write=True), again)

    assert "orphan" in again.before
    assert action.verify(bench.client(), again) is Verdict.HOLDS


def test_a_key_without_its_value_in_the_answer_is_unknown(bench: Bench) -> None:
    action = on(bench, IssueKey, consumer=SITE)
    change = action.plan(bench.client())
    answering(bench, f"/organization/projects/{PROJECT}/service_accounts", Reply(200, {"id": "user-sa", "api_key": {}}))
    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)


def test_people_make_their_own_keys(bench: Bench) -> None:
    with pytest.raises(ProviderError) as caught:
        on(bench, IssueKey, holder=Holder(id="ada")).plan(bench.client())

    assert "platform.openai.com" in caught.value.remedy


# ---- people


def test_an_accepted_invite_is_answered_with_who_came_in(bench: Bench) -> None:
    with pytest.raises(ProviderError) as caught:
        DeleteInvite(invite="invite-taken").plan(bench.client())

    assert "user-ada" in caught.value.remedy


def test_the_owner_of_our_own_key_stays(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="act with"):
        RemoveUser(user="user-boss").plan(bench.client())


# ---- records


def test_use_is_told_by_the_hour_and_never_too_early(bench: Bench) -> None:
    found = facts(bench, on(bench, UsedKey, since=ORIGIN - timedelta(hours=2, minutes=30)))

    assert found["count"] == 2  # the neighbour's calls are not among them, the embeddings are
    assert found["foreign"] == 1  # its hour began before `since`, and may have gone on after it
    assert found["uses"][0]["what"] == "40 calls of completions in this hour"
    assert "reading files" in found["sources"][0]
    assert found["sources"][1] == "organization audit log"


def test_usage_that_was_not_narrowed_is_narrowed_here(bench: Bench) -> None:
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: real(replace(seen, target=seen.target.replace("api_key_ids", "ignored")))

    assert facts(bench, on(bench, UsedKey, since=SINCE))["count"] == 2
    assert facts(bench, Usage(since=SINCE, key_id="key_leaked"))["requests"] == 40


def test_the_hour_that_is_not_over_is_not_covered(bench: Bench) -> None:
    bench.live.clock.move(25 * 60)
    found = facts(bench, on(bench, UsedKey, since=SINCE))

    assert [one["since"] for one in found["missing"]] == [ORIGIN.isoformat()]


def test_where_there_is_no_audit_log_usage_speaks_alone(bench: Bench) -> None:
    answering(bench, "/organization/audit_logs", error(404, None))
    assert len(facts(bench, on(bench, UsedKey, since=SINCE))["sources"]) == 1
    answering(bench, "/organization/audit_logs", error(403, None))
    with pytest.raises(Denied):
        on(bench, UsedKey, since=SINCE).read(bench.client())


def test_openai_promises_no_retention_so_no_row_has_an_age(bench: Bench) -> None:
    used = on(bench, UsedKey, since=SINCE).read(bench.client())
    copied = [action.read(bench.client()) for action in (AuditLog(since=SINCE), Usage(since=SINCE))]

    assert (2, "", "") == tuple(used.facts[name] for name in ("count", "kept_since", "kept_until"))
    assert [None] * 3 == [one.kept_until for outcome in (used, *copied) for one in outcome.evidence]


def test_what_an_admin_key_changed_counts_as_its_use(bench: Bench) -> None:
    found = facts(bench, on(bench, UsedKey, "admin-leaked", since=SINCE))

    assert [one["what"] for one in found["uses"]] == ["invite.sent"]


def test_the_other_keys_of_the_owner_are_doors(bench: Bench) -> None:
    found = facts(bench, on(bench, DoorsOfOwner, since=SINCE))

    assert (found["unresolved"], found["complete"]) == (["key_neighbour"], False)
    assert facts(bench, on(bench, DoorsOfOwner, "robot"))["unresolved"] == ["key_robot2"]


def test_an_admin_key_could_have_opened_anything_since(bench: Bench) -> None:
    bench.live.clock.move(3600)
    newcomer = org(bench.live).add_user("user-new", "new@elsewhere.example")
    bench.live.world.ground.labels.add({"new": "sk-proj-" + "Nw7" * 14})
    org(bench.live).add_key("new", newcomer, PROJECT, key_id="key_new")
    found = facts(bench, on(bench, DoorsOfOwner, "admin-leaked", since=ORIGIN + timedelta(minutes=30)))

    # the neighbour's key and the other people are older; ours is no door
    assert set(found["unresolved"]) == {"key_control", "key_admin-control", "key_new", "invite-open", "user-new"}


def test_after_the_deletion_the_doors_are_those_that_came_since(bench: Bench) -> None:
    done(bench, on(bench, RevokeKey))
    found = facts(bench, on(bench, DoorsOfOwner, since=ORIGIN + timedelta(minutes=30)))

    assert set(found["unresolved"]) == {"key_admin-leaked", "key_admin-control", "invite-open"}
    assert len(found["unseen"]) == 2


def test_the_audit_log_is_copied_whole_and_told_in_short(bench: Bench) -> None:
    for _ in range(130):
        org(bench.live).add_event("login.failed", user="user-ada", address="192.0.2.9")
    outcome = AuditLog(since=SINCE, events=("login.",)).read(bench.client())

    assert (outcome.facts["count"], outcome.facts["complete"]) == (132, True)
    assert outcome.facts["by_type"] == {"login.failed": 130}
    assert outcome.facts["by_actor"] == [{"actor": "ada@lumen.example", "address": "192.0.2.9", "count": 130}]
    assert len(json.loads(outcome.evidence[0].data)) == 132


def test_an_audit_log_that_is_too_long_says_that_it_was_cut(bench: Bench) -> None:
    found = facts(bench, AuditLog(since=SINCE, most=1))

    assert (found["count"], found["complete"]) == (1, False)


def test_usage_is_added_up_over_every_page(bench: Bench) -> None:
    found = facts(bench, Usage(since=ORIGIN - timedelta(days=30), key_id="key_leaked"))
    assert (found["requests"], found["input_tokens"], found["by_kind"]) == (
        42,
        910,
        {"completions": 40, "embeddings": 2},
    )
    everybody = facts(bench, Usage(since=ORIGIN - timedelta(days=30)))

    assert everybody["by_key"] == {"key_leaked": 42, "key_neighbour": 5}


# ---- who we are


def test_we_are_the_organisation_that_openai_names_with_our_key(bench: Bench) -> None:
    found = PROVIDER.identify(bench.client())

    assert (found.account, found.key_id) == ("lumen-labs", "key_ours")


def test_where_our_key_cannot_be_told_from_another_its_id_stays_empty(bench: Bench) -> None:
    value = bench.live.value("ours")
    bench.live.world.ground.labels.add({"twin": value[:12] + "y" * 20 + value[-4:]})
    org(bench.live).add_key("twin", org(bench.live).accounts["user-boss"])

    assert PROVIDER.identify(bench.client()).key_id == ""


def test_an_organisation_that_openai_does_not_name_is_known_by_its_project(bench: Bench) -> None:
    real = bench.live.gate._answer

    def silent(seen: Seen) -> Reply:
        reply = real(seen)
        return Reply(reply.status, reply.body)

    bench.live.gate._answer = silent
    assert PROVIDER.identify(bench.client()).account == ""
    with_options(bench, organization="lumen-labs", project=PROJECT)
    assert PROVIDER.identify(bench.client()).account == "lumen-labs"
    with_options(bench, organization="lumen-labs", project="proj_of_others")
    assert PROVIDER.identify(bench.client()).account == ""


def test_another_organisation_than_ours_refuses_us(bench: Bench) -> None:
    with_options(bench, organization="elsewhere")
    with pytest.raises(Denied):
        PROVIDER.identify(bench.client())


def test_a_leaked_key_is_presented_without_anything_of_ours(bench: Bench) -> None:
    with_options(bench, organization="lumen-labs")
    on(bench, ProveKeyDead).observe(bench.client(), [])

    assert not [seen for seen in bench.live.gate.seen if "openai-organization" in seen.headers]


def test_keys_are_found_in_text_and_those_of_others_are_not() -> None:
    shape = re.compile(PROVIDER.shape(Options()))
    for prefix in ("sk-", "sk-proj-", "sk-svcacct-", "sk-service-", "sk-admin-"):
        assert shape.search(f"KEY={prefix}{'aB3' * 10};")
    assert not shape.search("sk-ant-api03-" + "aB3" * 10)
    assert PROVIDER.recognise(Options(), "sk-proj-" + "aB3" * 10) is None


def test_the_inventory_sees_every_key(bench: Bench) -> None:
    assert PROVIDER.keys is not None
    found = {one.key_id: one.owner for one in PROVIDER.keys(bench.client())}

    assert found.keys() == org(bench.live).keys.keys()


def test_the_rights_to_read_that_we_lack_are_told(bench: Bench) -> None:
    asked = (READ, READ_USAGE, READ_AUDIT, WRITE)
    assert PROVIDER.lacking is not None
    assert list(PROVIDER.lacking(bench.client(), asked)) == []
    answering(bench, "/organization/usage/completions", error(403, None))

    assert list(PROVIDER.lacking(bench.client(), asked)) == [READ_USAGE]


def test_only_loopback_is_asked_without_encryption() -> None:
    with pytest.raises(ValueError, match="https"):
        Options(base_url="http://api.openai.example/v1")
    assert PROVIDER.traits(Options()).propagation == 60.0
    assert not PROVIDER.traits(Options()).reversible


def test_every_other_key_is_as_it_was(bench: Bench) -> None:
    before = all_but("leaked")(bench.live)
    done(bench, on(bench, RevokeKey))
    bench.live.clock.move(600)

    assert all_but("leaked")(bench.live) == before
