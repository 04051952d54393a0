"""People of an organisation, tokens that reach it, and alerts of secret scanning."""

from collections.abc import Iterator
from typing import Any

import pytest
from cases.common import connection
from cases.github import REPOSITORY, SHA
from provider_bench import bench_of

from responder.action import Change, Unchanged, Verdict
from responder.errors import Denied, ProviderError
from responder.providers.github.alerts import AlertLocations, CloseAlert
from responder.providers.github.grants import RevokeFineGrainedPat
from responder.providers.github.options import Options
from responder.providers.github.people import BlockUser, RemoveMember, RemoveOutsideCollaborator
from responder.testing.bench import Bench
from responder.testing.loopback import Reply


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("github") as made:
        yield made


def done(bench: Bench, action: Any) -> tuple[Change, Any]:
    change = action.plan(bench.client())
    return change, action.apply(bench.client(may_write=True), change)


def as_user(bench: Bench, label: str = "admin") -> Bench:
    bench.live.connection = connection("github", base_url=bench.live.gate.url, organization="lumen-labs")
    bench.live.secret = bench.live.value(label)
    return bench


# ---- people


def test_an_open_invitation_is_cancelled_like_a_membership(bench: Bench) -> None:
    change, _ = done(bench, RemoveMember(login="bob"))

    assert change.before == "invited as member"
    assert "bob" not in bench.live.world.members


def test_whom_an_enterprise_team_holds_is_not_called_removed(bench: Bench) -> None:
    bench.live.world.members["mallory"].teams = ("all-staff",)
    with pytest.raises(ProviderError, match="enterprise team all-staff"):
        RemoveMember(login="mallory").plan(bench.client())


def test_somebody_put_into_an_enterprise_team_meanwhile_stays_and_it_shows(bench: Bench) -> None:
    action = RemoveMember(login="mallory")
    change = action.plan(bench.client())
    bench.live.world.members["mallory"].teams = ("all-staff",)
    outcome = action.apply(bench.client(may_write=True), change)

    assert outcome.facts == {"status": 204}
    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_nobody_removes_themselves(bench: Bench) -> None:
    bench.live.world.add_member("grace", role="admin")
    with pytest.raises(ProviderError, match="who we act as"):
        RemoveMember(login="ada").plan(as_user(bench).client())


def test_the_last_owner_stays(bench: Bench) -> None:
    action = RemoveMember(login="ada")
    change = action.plan(bench.client())

    bench.failing(Denied, lambda: action.apply(bench.client(may_write=True), change))


def test_who_may_not_see_members_does_not_learn_that_somebody_is_none(bench: Bench) -> None:
    host = bench.live.gate._answer
    replies = {"memberships": Reply(404, {}), "members": Reply(302, "", {"Location": "/elsewhere"})}
    bench.live.gate._answer = lambda seen: replies.get(seen.path.rsplit("/", 2)[1]) or host(seen)
    with pytest.raises(ProviderError, match="does not show us"):
        RemoveMember(login="eve").plan(bench.client())


def test_a_member_is_not_removed_as_an_outsider(bench: Bench) -> None:
    with pytest.raises(ProviderError) as caught:
        RemoveOutsideCollaborator(login="mallory").plan(bench.client())

    assert caught.value.remedy == "use github.remove_member"


def test_an_outsider_is_found_on_the_second_page_too(bench: Bench) -> None:
    bench.live.world.outside.update(f"a{number:03d}" for number in range(120))

    assert isinstance(RemoveOutsideCollaborator(login="DAVE").plan(bench.client()), Change)


def test_whom_github_cannot_block_is_told(bench: Bench) -> None:
    action = BlockUser(login="mallory")
    change = action.plan(bench.client())
    with pytest.raises(ProviderError, match="422"):
        action.apply(bench.client(may_write=True), change)


def test_an_action_without_an_organisation_says_where_to_name_one(bench: Bench) -> None:
    bench.live.connection = connection("github", base_url=bench.live.gate.url)
    bench.live.secret = bench.live.value("admin")
    with pytest.raises(ProviderError, match="No organisation") as caught:
        BlockUser(login="carol").plan(bench.client())

    assert caught.value.where == "connections.github.organization"
    assert isinstance(BlockUser(login="carol", organization="lumen-labs").plan(bench.client()), Change)


def test_a_login_cannot_lead_elsewhere() -> None:
    for wrong in ("a/b", "..", "a?b", "", "a b"):
        with pytest.raises(ValueError, match="login"):
            BlockUser(login=wrong)


def test_how_people_do_it_is_told() -> None:
    ours = Options(organization="lumen-labs")

    assert RemoveMember.by_hand(ours, "") == "Remove them at https://github.com/orgs/lumen-labs/people."
    assert RemoveMember.by_hand(Options(), "") == ""
    assert "blocked_users" in BlockUser.by_hand(ours, "")
    assert "personal-access-tokens" in RevokeFineGrainedPat.by_hand(ours, "")
    assert "outside-collaborators" in RemoveOutsideCollaborator.by_hand(ours, "")


# ---- fine-grained tokens


def test_only_an_app_takes_a_tokens_access_away(bench: Bench) -> None:
    number = next(iter(bench.live.world.grants))
    with pytest.raises(Denied) as caught:
        RevokeFineGrainedPat(pat_id=number).plan(as_user(bench).client())

    assert "as a GitHub App" in caught.value.remedy


def test_a_tokens_own_id_is_not_the_id_of_its_access(bench: Bench) -> None:
    grant = next(iter(bench.live.world.grants.values()))

    assert isinstance(RevokeFineGrainedPat(pat_id=grant.token_id).plan(bench.client()), Unchanged)
    change, _ = done(bench, RevokeFineGrainedPat(pat_id=grant.number))
    assert change.before == "granted: 'laptop' of mallory"
    assert bench.live.world.accepts("fine")


# ---- alerts


def test_where_a_secret_was_seen_is_told_without_fetching_it(bench: Bench) -> None:
    bench.secret(bench.live.value("leaked"))
    outcome = AlertLocations(repository=REPOSITORY, alert=1).read(bench.client())

    assert outcome.facts["places"] == [
        {
            "url": f"https://github.com/{REPOSITORY}/blob/{SHA}/config/prod.env#L3",
            "place": f"commit {SHA[:7]} of {REPOSITORY}, config/prod.env:3",
            "kind": "public",
        },
        {
            "url": "https://api.github.com/repos/lumen-labs/demo/issues/4",
            "place": f"issue body in {REPOSITORY}",
            "kind": "public",
        },
    ]
    assert outcome.findings == []
    assert all(seen.query.get("hide_secret") == "true" for seen in bench.live.gate.seen if seen.path.endswith("/1"))


def test_with_the_value_each_place_is_a_finding_that_shows_nothing(bench: Bench) -> None:
    value = bench.secret(bench.live.value("leaked"))
    outcome = AlertLocations(repository=REPOSITORY, alert=1, with_value=True).read(bench.client())

    assert [one.fingerprint for one in outcome.findings] == [value.fingerprint] * 2
    assert [one.exposure.kind for one in outcome.findings] == ["public", "public"]
    bench.nowhere(outcome)


@pytest.mark.parametrize(("leaked", "kind"), [(True, "public"), (False, "private"), (None, "unknown")])
def test_how_far_it_leaked_is_what_github_says(bench: Bench, leaked: bool | None, kind: str) -> None:
    bench.live.world.alerts[REPOSITORY, 1].publicly_leaked = leaked
    found = AlertLocations(repository=REPOSITORY, alert=1, key_id="k").read(bench.client()).findings

    assert {one.exposure.kind for one in found} == {kind}


def test_the_answer_to_closing_an_alert_holds_the_secret_and_it_stays_there(bench: Bench) -> None:
    value = bench.live.value("leaked")
    bench.values.append(value)
    action = CloseAlert(repository=REPOSITORY, alert=1, comment="Refused everywhere.")
    change, outcome = done(bench, action)

    bench.nowhere(change, outcome)
    assert value not in bench.sealer.redactor.scrub(f"it is {value}")
    assert outcome.facts["resolution"] == "revoked"
    assert bench.live.world.alerts[REPOSITORY, 1].comment == "Refused everywhere."


def test_an_alert_that_somebody_resolved_otherwise_is_left_to_them(bench: Bench) -> None:
    alert = bench.live.world.alerts[REPOSITORY, 1]
    alert.state, alert.resolution = "resolved", "false_positive"
    with pytest.raises(ProviderError, match="resolved the alert 1 as false_positive"):
        CloseAlert(repository=REPOSITORY, alert=1, comment="x").plan(bench.client())


def test_an_alert_that_we_are_not_shown_is_not_called_closed(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="hidden from us"):
        CloseAlert(repository=REPOSITORY, alert=2, comment="x").plan(bench.client())
    with pytest.raises(ProviderError, match="hidden from us"):
        AlertLocations(repository=REPOSITORY, alert=2).read(bench.client())


def test_what_github_last_saw_is_told_to_whoever_closes(bench: Bench) -> None:
    bench.live.world.alerts[REPOSITORY, 1].validity = "active"

    change = CloseAlert(repository=REPOSITORY, alert=1, comment="x").plan(bench.client())
    assert change.before == "open; GitHub last saw the secret as active"


def test_a_comment_is_as_long_as_githubs_page_takes() -> None:
    with pytest.raises(ValueError, match="280"):
        CloseAlert(repository=REPOSITORY, alert=1, comment="x" * 281)
