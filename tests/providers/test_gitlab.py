"""Personal and project access tokens, against the drill's GitLab."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cases.gitlab import CONSUMER, leaked, on
from provider_bench import bench_of
from pydantic import ValidationError

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, ProviderError
from responder.providers.gitlab import PROVIDER
from responder.providers.gitlab.client import OTHERS, PROJECT, READ_USER, Options
from responder.providers.gitlab.issuing import IssueProjectToken
from responder.providers.gitlab.tokens import InspectToken, ProveTokenDead, RevokeToken, UserDoors
from responder.settings import Holder
from responder.testing.bench import Bench
from responder.testing.loopback import Reply

REVOKED = {"error": "invalid_token", "error_description": "Token was revoked. You have to re-authorize from the user."}
EXPIRED = {
    "error": "invalid_token",
    "error_description": "Token is expired. You can either do re-authorization or token refresh.",
}
IMPERSONATION = {
    "error": "invalid_token",
    "error_description": "Token is an impersonation token but impersonation was disabled.",
}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("gitlab") as made:
        yield made


def made(bench: Bench, make: Any) -> Any:
    return make(bench.live, bench.secret)


def applied(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    return action.apply(bench.client(may_write=True), change)


def the(bench: Bench, label: str) -> Any:
    return next(one for one in bench.live.world.tokens if one.label == label)


def a_token(bench: Bench) -> Any:
    return made(bench, on(IssueProjectToken, consumer=CONSUMER, scopes=("read_api",)))


def proven(bench: Bench, looks: int = 4) -> list[str]:
    history: list[Observed] = []
    for _ in range(looks):
        look = made(bench, on(ProveTokenDead)).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        bench.live.clock.move(look.wait)
    return [look.verdict for look in history]


def test_only_what_gitlab_has_an_api_for_is_offered() -> None:
    assert PROVIDER.offers is not None

    assert PROVIDER.offers(Options()) == {"inspect", "revoke", "doors", "prove_dead"}
    assert "issue" in PROVIDER.offers(Options(project="lumen/site"))


def test_we_are_known_by_our_page_and_the_number_of_our_token(bench: Bench) -> None:
    found = PROVIDER.identify(bench.client())

    assert found == (bench.live.account, str(the(bench, "gitlab-admin").id), ())


def test_inspect_tells_whose_token_it_is_and_what_it_may(bench: Bench) -> None:
    by_value = made(bench, on(InspectToken)).read(bench.client()).facts
    by_id = made(bench, on(InspectToken, value=False)).read(bench.client()).facts

    assert (by_value["state"], by_value["owner"], by_value["reach"]) == ("live", "user 2", ["api", "read_user"])
    assert by_value["key_id"] == by_id["key_id"] == str(the(bench, "leaked").id)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (401, REVOKED, "dead"),
        (401, EXPIRED, "dead"),
        (401, {"message": "401 Unauthorized"}, "dead"),
        (401, IMPERSONATION, "unknown"),
        (401, {**REVOKED, "error": "another"}, "unknown"),
        (401, {"message": "401 Unauthorized", "more": "words of a proxy"}, "unknown"),
        (401, "<html>sign in</html>", "unknown"),
        (403, {"message": "403 Forbidden - Your account has been blocked."}, "unknown"),
        (403, {"error": "insufficient_scope"}, "unknown"),
        (404, {"error": "404 Not Found"}, "unknown"),
        (404, "<html>The page could not be found</html>", "unknown"),
        (429, "Retry later\n", "unknown"),
        (500, {}, "unknown"),
    ],
)
def test_only_gitlabs_own_word_is_death(bench: Bench, status: int, body: Any, state: str) -> None:
    bench.live.gate._answer = lambda seen: Reply(status, body)

    assert made(bench, on(InspectToken)).read(bench.client()).facts["state"] == state
    found = made(bench, on(RevokeToken)).plan(bench.client())
    assert isinstance(found, Unchanged if state == "dead" else Change)


def test_a_blocked_users_token_is_not_dead(bench: Bench) -> None:
    bench.live.world.users["ann"].blocked = True

    assert proven(bench, 2) == ["unknown", "unknown"]


def test_a_blocked_users_token_is_revoked_by_its_number(bench: Bench) -> None:
    bench.live.world.users["ann"].blocked = True
    action = made(bench, on(RevokeToken))
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)

    assert bench.live.gate.effective[0].headers["private-token"] == bench.live.secret
    assert the(bench, "leaked").revoked is True
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    assert made(bench, on(InspectToken)).read(bench.client()).facts["state"] == "dead"


def test_a_token_that_gives_no_clear_answer_is_looked_up_by_its_number(bench: Bench) -> None:
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(401, IMPERSONATION) if seen.path.endswith("/self") else real(seen)
    states = [made(bench, on(InspectToken)).read(bench.client()).facts["state"]]
    the(bench, "leaked").revoked = True
    states.append(made(bench, on(InspectToken)).read(bench.client()).facts["state"])

    assert states == ["live", "dead"]
    assert proven(bench, 1) == ["unknown"]


def test_another_token_than_the_one_that_was_asked_for_is_not_believed(bench: Bench) -> None:
    other = {"id": the(bench, "ann-second").id, "active": False, "revoked": True}
    bench.live.gate._answer = lambda seen: Reply(200, other)
    with pytest.raises(ProviderError, match="when it is asked for"):
        made(bench, on(RevokeToken, value=False)).plan(bench.client())


def test_a_token_ends_itself_where_its_value_is_at_hand(bench: Bench) -> None:
    applied(bench, made(bench, on(RevokeToken)))
    [sent] = bench.live.gate.effective

    assert (sent.method, sent.path) == ("DELETE", "/api/v4/personal_access_tokens/self")
    assert sent.headers["private-token"] == bench.live.value("leaked")
    assert [bench.live.world.accepts(one) for one in ("leaked", "ann-second", "gitlab-admin")] == [False, True, True]


def test_without_the_value_an_administrator_ends_exactly_that_number(bench: Bench) -> None:
    applied(bench, made(bench, on(RevokeToken, value=False)))
    [sent] = bench.live.gate.effective

    assert sent.path == f"/api/v4/personal_access_tokens/{the(bench, 'leaked').id}"
    assert sent.headers["private-token"] == bench.live.secret


def test_value_and_number_of_two_tokens_are_refused(bench: Bench) -> None:
    subject = leaked(bench.live, bench.secret).model_copy(update={"key_id": str(the(bench, "ann-second").id)})
    with pytest.raises(ProviderError, match="The leaked value is token"):
        RevokeToken(subject=subject).plan(bench.client())


def test_who_is_no_administrator_learns_nothing_about_others_and_is_told_what_is_missing(bench: Bench) -> None:
    bench.live.secret = bench.live.value("gitlab-control")
    with pytest.raises(Denied) as caught:
        made(bench, on(RevokeToken, value=False)).plan(bench.client())

    assert "as an administrator" in caught.value.remedy


def test_a_number_that_an_administrator_does_not_find_is_gone(bench: Bench) -> None:
    subject = Subject(key_id="4711")

    assert isinstance(RevokeToken(subject=subject).plan(bench.client()), Unchanged)


@pytest.mark.parametrize("body", ["<html>no page</html>", {"error": "404 Not Found"}])
def test_a_wrong_address_is_no_death(bench: Bench, body: Any) -> None:
    bench.live.gate._answer = lambda seen: Reply(404, body)
    with pytest.raises(ProviderError, match="no API of GitLab"):
        made(bench, on(RevokeToken, value=False)).plan(bench.client())


@pytest.mark.parametrize("key_id", ["self", "1/rotate", "leaked", "-1"])
def test_a_number_is_a_number(bench: Bench, key_id: str) -> None:
    with pytest.raises(ProviderError, match="no id of a token"):
        RevokeToken(subject=Subject(key_id=key_id)).plan(bench.client())


def test_nothing_is_ever_rotated(bench: Bench) -> None:
    applied(bench, made(bench, on(RevokeToken)))
    applied(bench, a_token(bench))
    proven(bench)
    made(bench, on(UserDoors)).read(bench.client())

    assert not [one for one in bench.live.gate.seen if "rotate" in one.path]


def test_asking_a_revoked_token_leaves_its_family_alone(bench: Bench) -> None:
    token = the(bench, "leaked")
    bench.live.world.add_token("rotated-into", "ann", family=token.family)
    applied(bench, made(bench, on(RevokeToken)))

    assert proven(bench) == ["refused", "refused", "refused", "dead"]
    assert bench.live.world.accepts("rotated-into") is True


def test_a_token_that_works_on_for_a_while_is_alive_for_a_while(bench: Bench) -> None:
    bench.live.world.propagation = 5.0
    action = made(bench, on(RevokeToken))
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)

    assert made(bench, on(InspectToken)).read(bench.client()).facts["state"] == "live"
    assert proven(bench, 1) == ["alive"]
    bench.live.clock.move(5.0)
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    assert proven(bench)[-1] == "dead"


def test_without_a_control_that_works_nothing_is_proven(bench: Bench) -> None:
    for label in ("leaked", "gitlab-control"):
        the(bench, label).revoked = True

    assert proven(bench, 2) == ["unknown", "unknown"]


def test_doors_are_the_users_other_tokens_and_keys_and_the_new_ones_are_marked(bench: Bench) -> None:
    bench.live.clock.move(60)
    since = bench.live.clock.now()
    rotated = bench.live.world.add_token("rotated-into", "ann")
    bench.live.world.users["ann"].keys.append({"id": 9, "title": "laptop", "created_at": "2026-04-01T00:00:00.000Z"})
    the(bench, "leaked").revoked = True
    facts = made(bench, on(UserDoors, since=since)).read(bench.client()).facts

    second = str(the(bench, "ann-second").id)
    assert facts["unresolved"] == [second, str(rotated.id), "ssh-9"]
    assert facts["new"] == [str(rotated.id)]
    assert "password" in facts["unseen"][0]


def test_a_live_token_is_no_door_of_its_own_and_nobody_elses_tokens_are(bench: Bench) -> None:
    facts = made(bench, on(UserDoors)).read(bench.client()).facts

    assert facts["unresolved"] == [str(the(bench, "ann-second").id)]


def test_a_dead_token_without_its_number_does_not_tell_whose_doors_to_look_at(bench: Bench) -> None:
    the(bench, "leaked").revoked = True
    facts = made(bench, on(UserDoors, key_id=False)).read(bench.client()).facts

    assert (facts["complete"], facts["unseen"]) == (False, ["the user: the token is dead, and its id is not known"])


def test_every_page_of_a_list_is_read(bench: Bench) -> None:
    bench.live.world.page_size = 1
    assert PROVIDER.keys is not None
    found = {one.key_id: one.state for one in PROVIDER.keys(bench.client())}

    assert len(found) == len(bench.live.world.tokens)


def test_a_new_token_has_what_was_asked_and_an_end(bench: Bench) -> None:
    issued = applied(bench, a_token(bench)).issued
    token = next(one for one in bench.live.world.tokens if str(one.id) == issued.key_id)

    assert (token.scopes, token.access_level, token.project) == (("read_api",), 30, "lumen/site")
    assert token.expires_at.date() == (bench.live.clock.now() + timedelta(days=90)).date()
    assert re.fullmatch(r"ci-site--[0-9a-f]{10}", token.name)


def test_the_orphan_of_a_lost_answer_ends_before_another_is_made(bench: Bench) -> None:
    orphan = applied(bench, a_token(bench)).issued.key_id
    change = a_token(bench).plan(bench.client())
    assert change.preconditions == {"orphans": orphan}

    issued = a_token(bench).apply(bench.client(may_write=True), change).issued
    revoked = {str(one.id): one.revoked for one in bench.live.world.tokens}
    assert (revoked[orphan], revoked[issued.key_id]) == (True, False)
    assert a_token(bench).verify(bench.client(), change) is Verdict.HOLDS


def test_a_token_of_a_longer_name_is_no_orphan_of_ours(bench: Bench) -> None:
    name = a_token(bench)._name(bench.client())
    bench.live.world.add_token("theirs", "ann", name=name + "0", project="lumen/site")

    assert not a_token(bench).plan(bench.client()).preconditions


def test_what_is_approved_does_not_depend_on_the_day(bench: Bench) -> None:
    first = a_token(bench).plan(bench.client())
    bench.live.clock.move(86_400)
    second = a_token(bench).plan(bench.client())
    effect = IssueProjectToken.effect

    assert first.digest("a", "b", effect) == second.digest("a", "b", effect)


def test_a_holder_and_no_scopes_are_refused(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="claim"):
        IssueProjectToken(holder=Holder(id="h-1", name="Hal"), scopes=("api",)).plan(bench.client())
    with pytest.raises(ProviderError, match="scopes"):
        IssueProjectToken(consumer=CONSUMER).plan(bench.client())


@pytest.mark.parametrize("url", ["http://gitlab.example/api/v4", "gitlab.example"])
def test_the_address_is_https_or_loopback(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        Options(base_url=url)


def test_tokens_are_found_in_text() -> None:
    shape = re.compile(PROVIDER.shape(Options()))

    assert shape.search("token: glpat-" + "Ab1_" * 5)
    assert shape.fullmatch("glpat-" + "Ab1_" * 7 + ".01.0123abcde")
    assert not shape.search("glpat-short")
    assert re.search(PROVIDER.shape(Options(prefix="lumen-")), "lumen-" + "Ab1_" * 5)


@pytest.mark.parametrize(
    ("label", "lacks"), [("gitlab-admin", []), ("leaked", [OTHERS]), ("gitlab-control", [OTHERS, PROJECT])]
)
def test_what_our_token_lacks_is_told(bench: Bench, label: str, lacks: list[str]) -> None:
    bench.live.secret = bench.live.value(label)
    assert PROVIDER.lacking is not None

    assert PROVIDER.lacking(bench.client(), [READ_USER, OTHERS, PROJECT, "none: nothing"]) == lacks
