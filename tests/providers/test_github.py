"""Tokens and deploy keys at GitHub: what they are, ending them, proof of their end, and what else leads in."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cases.common import connection
from cases.github import (
    ORGANIZATION,
    PERMISSIONS,
    REPOSITORY,
    SITE,
    first_key,
    on_deploy_key,
    on_token,
    ssh_pair,
    value_of,
)
from provider_bench import bench_of

from responder.action import Change, Observed, Verdict
from responder.credential import Subject
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.github import PROVIDER
from responder.providers.github.ending import DoorsOf, InspectCredential, ProveCredentialDead, RevokeCredential
from responder.providers.github.issuing import IssueDeployKey
from responder.providers.github.options import Options
from responder.providers.github.permissions import GRANTS_WRITE, KEYS_WRITE, MEMBERS_WRITE
from responder.settings import Holder
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Trouble


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("github") as made:
        yield made


def acting(bench: Bench, secret: str, **options: Any) -> Bench:
    """Let the connection be another one of ours at the same host."""
    bench.live.connection = connection("github", base_url=bench.live.gate.url, **options)
    bench.live.secret = bench.live.value(secret)
    return bench


def leaked(bench: Bench, action: type[Any], label: str = "leaked") -> Any:
    return on_token(action, label)(bench.live, bench.secret)


def the_key(bench: Bench, action: type[Any], **fields: Any) -> Any:
    return on_deploy_key(action, **fields)(bench.live, bench.secret)


def done(bench: Bench, action: Any) -> Any:
    return action.apply(bench.client(may_write=True), action.plan(bench.client()))


def answering(bench: Bench, *replies: Reply) -> None:
    """Let the host give these answers, the last one again and again."""
    left = list(replies)
    bench.live.gate._answer = lambda seen: left.pop(0) if len(left) > 1 else left[0]


def between(bench: Bench, path: str, reply: Reply) -> None:
    """Let the host answer so on one path, and as it does on the others."""
    before = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: reply if re.fullmatch(path, seen.path) else before(seen)


DEAD = Reply(401, {"message": "Bad credentials", "status": "401"})


# ---- what a token is


def test_a_classic_token_reaches_what_its_scopes_say(bench: Bench) -> None:
    facts = leaked(bench, InspectCredential).read(bench.client()).facts

    assert (facts["state"], facts["owner"]) == ("live", "mallory")
    assert facts["reach"] == ["mallory", "scope repo", "scope admin:org"]


def test_when_a_token_ends_by_itself_is_told(bench: Bench) -> None:
    bench.live.world.tokens["leaked"].expires_at = bench.live.clock.now() + timedelta(days=1)

    assert leaked(bench, InspectCredential).read(bench.client()).facts["expires_at"].startswith("2026-05-03")


def test_an_installations_token_is_asked_what_it_reaches_for_it_has_no_user(bench: Bench) -> None:
    facts = leaked(bench, InspectCredential, "installation").read(bench.client()).facts

    assert (facts["state"], facts["owner"]) == ("live", ORGANIZATION)
    assert facts["reach"] == [REPOSITORY, "lumen-labs/site"]
    assert [seen.path for seen in bench.live.gate.seen] == ["/installation/repositories"]


def test_a_refresh_token_is_never_used_to_see_what_it_is(bench: Bench) -> None:
    assert leaked(bench, InspectCredential, "refresh").read(bench.client()).facts["state"] == "unknown"
    assert leaked(bench, ProveCredentialDead, "refresh").observe(bench.client(), []).verdict == "unknown"
    presented = [seen for seen in bench.live.gate.seen if bench.live.value("refresh") in str(seen.headers)]

    assert presented == []


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(403, {"message": "Sorry. Your account was suspended"}), id="suspended"),
        pytest.param(Reply(403, {"message": "Resource protected by organization SAML enforcement."}), id="policy"),
        pytest.param(Reply(401, {"message": "Requires authentication"}), id="nothing presented"),
        pytest.param(Reply(401, "<html>a proxy</html>"), id="a proxy"),
        pytest.param(Reply(403, {"message": "Bad credentials"}), id="forbidden"),
        pytest.param(Reply(404, {"message": "Not Found"}), id="hidden"),
        pytest.param(Reply(429, {}), id="too often"),
        pytest.param(Reply(503, {}), id="failing"),
    ],
)
def test_only_bad_credentials_mean_death(bench: Bench, reply: Reply) -> None:
    answering(bench, reply)
    facts = leaked(bench, InspectCredential).read(bench.client()).facts

    assert facts["state"] == "unknown"
    assert leaked(bench, ProveCredentialDead).observe(bench.client(), []).verdict == "unknown"


def test_bad_credentials_mean_death(bench: Bench) -> None:
    answering(bench, DEAD)

    assert leaked(bench, InspectCredential).read(bench.client()).facts["state"] == "dead"


def test_who_has_no_value_and_no_id_knows_nothing(bench: Bench) -> None:
    facts = InspectCredential(subject=Subject(id="bot")).read(bench.client()).facts

    assert (facts["state"], bench.live.gate.seen) == ("unknown", [])


# ---- ending a token


def test_a_token_is_revoked_without_signing_in_and_dies_a_little_later(bench: Bench) -> None:
    action = leaked(bench, RevokeCredential)
    change = action.plan(bench.client())
    outcome = action.apply(bench.client(may_write=True), change)
    [sent] = bench.live.gate.effective

    assert outcome.facts == {"status": 202}
    assert "authorization" not in sent.headers
    assert sent.json() == {"credentials": [bench.live.value("leaked")]}
    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD
    bench.live.clock.move(5)
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    assert bench.live.world.accepts("leaked") is False


def test_a_202_is_no_death_when_the_token_lives_on(bench: Bench) -> None:
    action = leaked(bench, RevokeCredential)
    change = action.plan(bench.client())
    answering(bench, Reply(202, {}), Reply(200, {"login": "mallory"}))
    action.apply(bench.client(may_write=True), change)

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize("kind", ["ghp_", "github_pat_", "gho_", "ghu_", "ghr_"])
def test_five_kinds_are_revoked_by_anybody(bench: Bench, kind: str) -> None:
    value = value_of(kind, "some")
    bench.live.world.ground.labels.add({"some": value})
    bench.live.world.add_token("some", "mallory")
    done(bench, RevokeCredential(subject=Subject(value=bench.secret(value))))
    bench.live.clock.move(5)

    assert bench.live.world.accepts("some") is False


def test_a_token_of_another_form_cannot_be_revoked_by_its_value(bench: Bench) -> None:
    answering(bench, Reply(200, {"login": "mallory"}))
    with pytest.raises(ProviderError, match="revokes no such token"):
        RevokeCredential(subject=Subject(value=bench.secret("0a1b" * 10))).plan(bench.client())


def test_whoever_used_up_the_tokens_quota_does_not_keep_us_from_ending_it(bench: Bench) -> None:
    action = leaked(bench, RevokeCredential)
    known = action.plan(bench.client())
    between(bench, "/user", Reply(403, {}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777720000"}))
    exhausted = action.plan(bench.client())

    assert isinstance(exhausted, Change)
    assert known.digest("a", "b", action.effect) == exhausted.digest("a", "b", action.effect)
    assert action.verify(bench.client(), exhausted) is Verdict.UNKNOWN


def test_the_sixty_first_revocation_of_an_hour_is_only_put_off(bench: Bench) -> None:
    action = leaked(bench, RevokeCredential)
    change = action.plan(bench.client())
    bench.live.world._free = [bench.live.clock.now()] * 60
    error = bench.failing(Unavailable, lambda: action.apply(bench.client(may_write=True), change))

    assert error.retry_after == 600.0
    assert bench.live.world.accepts("leaked")


def test_an_installations_token_ends_itself_at_once(bench: Bench) -> None:
    action = leaked(bench, RevokeCredential, "installation")
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    [sent] = bench.live.gate.effective

    assert (sent.method, sent.path) == ("DELETE", "/installation/token")
    assert sent.headers["authorization"] == f"Bearer {bench.live.value('installation')}"
    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_a_suspended_installation_is_not_dead(bench: Bench) -> None:
    bench.live.world.tokens["installation"].suspended = True

    assert isinstance(leaked(bench, RevokeCredential, "installation").plan(bench.client()), Change)
    assert leaked(bench, ProveCredentialDead, "installation").observe(bench.client(), []).verdict == "unknown"


def test_our_own_token_is_not_revoked(bench: Bench) -> None:
    acting(bench, "leaked")
    with pytest.raises(ProviderError, match="the token that we act with"):
        leaked(bench, RevokeCredential).plan(bench.client())


def test_a_token_whose_value_nobody_has_is_for_its_owner_to_end(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="by its value alone") as caught:
        RevokeCredential(subject=Subject(key_id="ghp")).plan(bench.client())

    assert "owner/repo#123" in caught.value.remedy


@pytest.mark.parametrize("action", [InspectCredential, RevokeCredential, DoorsOf, ProveCredentialDead])
def test_a_private_key_without_an_id_is_never_presented(bench: Bench, action: type[Any]) -> None:
    made = action(subject=Subject(value=bench.secret(bench.live.value("deploy-key"))))
    ask = next(getattr(made, name) for name in ("plan", "read", "observe") if hasattr(made, name))
    given = ([],) if action is ProveCredentialDead else ()

    error = bench.failing(ProviderError, lambda: ask(bench.client(), *given))
    assert "owner/repo#123" in error.remedy
    assert bench.live.gate.seen == []


def test_on_a_server_of_ones_own_one_signs_in_to_revoke(bench: Bench) -> None:
    acting(bench, "admin")
    bench.live.connection = connection("github", base_url=bench.live.gate.url + "/api/v3")
    done(bench, leaked(bench, RevokeCredential))
    [sent] = bench.live.gate.effective
    bench.live.clock.move(5)
    bench.live.gate.seen.clear()  # the description is that of github.com

    assert (sent.path, sent.headers["authorization"]) == (
        "/api/v3/credentials/revoke", f"Bearer {bench.live.value('admin')}",
    )  # fmt: skip
    assert bench.live.world.accepts("leaked") is False
    with pytest.raises(ProviderError, match="revokes no such token"):
        leaked(bench, RevokeCredential, "of-our-app").plan(bench.client())
    bench.live.gate.seen.clear()


def test_how_a_person_does_it_is_told_for_each_kind() -> None:
    key = RevokeCredential.by_hand(Options(), "lumen-labs/demo#7")
    token = RevokeCredential.by_hand(Options(), "")
    server = RevokeCredential.by_hand(Options(base_url="https://git.example/api/v3"), "")

    assert key == "Delete the deploy key 7 at https://github.com/lumen-labs/demo/settings/keys."
    assert "https://api.github.com/credentials/revoke" in token
    assert "without signing in" in token
    assert "signed in" in server
    assert "https://git.example/settings/tokens" in server


# ---- as an OAuth app


def oauth(bench: Bench) -> Bench:
    bench.live.control = None
    return acting(bench, "client-secret", account="Iv1.ours", client_id="Iv1.ours")


def test_our_app_knows_the_id_of_its_users_token_and_ends_it_at_once(bench: Bench) -> None:
    oauth(bench)
    facts = leaked(bench, InspectCredential, "of-our-app").read(bench.client()).facts
    action = leaked(bench, RevokeCredential, "of-our-app")
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)

    assert (facts["owner"], facts["key_id"]) == ("mallory", str(bench.live.world.tokens["of-our-app"].number))
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    assert [seen.method for seen in bench.live.gate.effective] == ["DELETE"]


def test_a_token_of_somebody_elses_app_is_alive_whatever_ours_is_told(bench: Bench) -> None:
    oauth(bench)
    bench.live.world.tokens["of-our-app"].client_id = "Iv1.theirs"

    assert leaked(bench, InspectCredential, "of-our-app").read(bench.client()).facts["state"] == "live"
    with pytest.raises(ProviderError, match=r"no token of the app Iv1\.ours"):
        leaked(bench, RevokeCredential, "of-our-app").plan(bench.client())
    assert leaked(bench, ProveCredentialDead, "of-our-app").observe(bench.client(), []).verdict == "alive"


def test_our_app_ends_no_personal_token(bench: Bench) -> None:
    oauth(bench)
    with pytest.raises(ProviderError, match="no token of the app"):
        leaked(bench, RevokeCredential).plan(bench.client())


def test_our_apps_question_and_the_users_both_must_refuse(bench: Bench) -> None:
    oauth(bench)
    world = bench.live.world
    world.ground.labels.add({"app-control": value_of("gho_", "app-control")})
    world.add_token("app-control", "lumen-watch", client_id="Iv1.ours")
    bench.live.control = world.ground.labels["app-control"]
    world.tokens["of-our-app"].dies_at = bench.live.clock.now()
    look = leaked(bench, ProveCredentialDead, "of-our-app").observe(bench.client(), [])

    assert look.facts["surfaces"] == {"user": "refused", "app": "refused"}


def test_an_oauth_app_does_nothing_else(bench: Bench) -> None:
    oauth(bench)
    with pytest.raises(ProviderError, match="an OAuth app"):
        the_key(bench, RevokeCredential).plan(bench.client())


def test_a_wrong_client_secret_is_our_own_fault_and_no_death(bench: Bench) -> None:
    oauth(bench)
    bench.live.secret = "x" * 40
    with pytest.raises(Denied):
        PROVIDER.identify(bench.client())
    look = leaked(bench, ProveCredentialDead, "of-our-app").observe(bench.client(), [])
    assert look.facts["surfaces"]["app"] == "unknown"


# ---- proof of death


def looks(bench: Bench, action: Any) -> list[str]:
    history: list[Observed] = []
    for _ in range(9):
        look = action.observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if look.last:
            break
        bench.live.clock.move(look.wait)
    return [look.verdict for look in history]


@pytest.mark.parametrize("label", ["leaked", "installation"])
def test_death_is_proven_over_the_whole_time_beside_a_token_that_works(bench: Bench, label: str) -> None:
    bench.live.world.tokens[label].dies_at = bench.live.clock.now()

    assert looks(bench, leaked(bench, ProveCredentialDead, label)) == ["refused", "refused", "refused", "dead"]


@pytest.mark.parametrize(("label", "surface"), [("leaked", "user"), ("fine", "user"), ("installation", "limits")])
def test_each_kind_is_presented_where_it_would_be_taken(bench: Bench, label: str, surface: str) -> None:
    look = leaked(bench, ProveCredentialDead, label).observe(bench.client(), [])

    assert (look.verdict, look.facts["surfaces"]) == ("alive", {surface: "accepted"})


def test_a_refused_control_proves_nothing(bench: Bench) -> None:
    answering(bench, DEAD)

    assert leaked(bench, ProveCredentialDead).observe(bench.client(), []).verdict == "unknown"


def test_who_is_asked_to_wait_waits(bench: Bench) -> None:
    answering(bench, Reply(403, {"message": "secondary rate limit"}, {"Retry-After": "77"}))
    look = leaked(bench, ProveCredentialDead).observe(bench.client(), [])

    assert (look.verdict, look.wait) == ("unknown", 77.0)


def test_a_deploy_key_speaks_ssh_and_is_for_a_person_to_try(bench: Bench) -> None:
    with pytest.raises(ProviderError) as caught:
        the_key(bench, ProveCredentialDead).observe(bench.client(), [])

    assert "ssh -i KEY" in caught.value.remedy


# ---- deploy keys


def test_a_deploy_key_is_removed_by_its_exact_id_and_no_longer_opens(bench: Bench) -> None:
    action = the_key(bench, RevokeCredential)
    change = action.plan(bench.client())
    number = change.target.partition("#")[2]
    action.apply(bench.client(may_write=True), change)
    [sent] = bench.live.gate.effective

    assert sent.path == f"/repos/{REPOSITORY}/keys/{number}"
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    assert bench.live.world.accepts("deploy-key") is False


def test_the_id_of_another_key_than_the_leaked_one_is_refused(bench: Bench) -> None:
    other = max(bench.live.world.repositories[REPOSITORY].keys)
    value = bench.secret(bench.live.value("deploy-key"))
    with pytest.raises(ProviderError, match="another one than the leaked one"):
        RevokeCredential(subject=Subject(key_id=f"{REPOSITORY}#{other}", value=value)).plan(bench.client())


def test_a_repository_that_is_hidden_from_us_is_no_proof_that_the_key_is_gone(bench: Bench) -> None:
    action = the_key(bench, RevokeCredential)
    change = action.plan(bench.client())
    between(bench, "/repos/.*", Reply(404, {"message": "Not Found"}))

    for ask in (
        action.plan,
        lambda client: action.verify(client, change),
        the_key(bench, InspectCredential).read,
    ):
        error = bench.failing(ProviderError, lambda ask=ask: ask(bench.client()))
        assert "hidden from us" in error.message


def test_every_page_of_the_keys_is_read(bench: Bench) -> None:
    repository = bench.live.world.repositories[REPOSITORY]
    for number in range(150):
        bench.live.world.deploy_keys.put(repository, f"key {number}", f"ssh-ed25519 {number}")
    last = f"{REPOSITORY}#{max(repository.keys)}"
    facts = InspectCredential(subject=Subject(key_id=last)).read(bench.client()).facts

    assert facts["state"] == "live"
    assert len([seen for seen in bench.live.gate.seen if seen.path.endswith("/keys")]) == 2


def test_a_list_that_leads_to_another_host_is_not_followed(bench: Bench) -> None:
    link = {"Link": '<https://elsewhere.example/keys?page=2>; rel="next"'}
    between(bench, "/repos/.*", Reply(200, [], link))

    bench.failing(Unavailable, lambda: the_key(bench, RevokeCredential).plan(bench.client()))


def test_a_disabled_key_is_not_dead(bench: Bench) -> None:
    repository = bench.live.world.repositories[REPOSITORY]
    repository.keys[min(repository.keys)].enabled = False

    assert the_key(bench, InspectCredential).read(bench.client()).facts["state"] == "disabled"
    assert isinstance(the_key(bench, RevokeCredential).plan(bench.client()), Change)


# ---- a new deploy key


def test_a_new_key_opens_the_repository_and_only_its_public_half_was_sent(bench: Bench) -> None:
    outcome = done(bench, the_key(bench, IssueDeployKey, consumer=SITE))
    issued = outcome.issued
    private = bench.client().access.wire.with_value(issued.value, str)
    [sent] = bench.live.gate.effective

    assert bench.live.world.deploy_keys.opens(private) == REPOSITORY
    assert "PRIVATE" not in sent.body.decode()
    assert sent.json()["read_only"] is True
    assert issued.key_id.startswith(REPOSITORY + "#")
    bench.values.append(private)
    bench.nowhere(outcome)


@pytest.mark.parametrize(
    ("scopes", "repository", "read_only"),
    [
        ((), REPOSITORY, True),
        (("lumen-labs/site",), "lumen-labs/site", True),
        (("lumen-labs/site:write",), "lumen-labs/site", False),
    ],
)
def test_a_key_writes_only_where_a_scope_says_so(
    bench: Bench, scopes: tuple[str, ...], repository: str, read_only: bool
) -> None:
    outcome = done(bench, the_key(bench, IssueDeployKey, consumer=SITE, scopes=scopes))

    assert outcome.facts["key_id"].startswith(repository + "#")
    assert outcome.facts["read_only"] is read_only


def test_without_a_leaked_key_the_repository_is_that_of_the_consumers_secret(bench: Bench) -> None:
    change = IssueDeployKey(subject=Subject(id="x"), consumer=SITE).plan(bench.client())
    nowhere = SITE.model_copy(update={"secret": "orgs/lumen-labs:SHARED"})
    elsewhere = SITE.model_copy(update={"secret": "site-key", "connection": "vault"})

    assert change.target.endswith(f" of {REPOSITORY}")
    with pytest.raises(ProviderError, match="which repository"):
        IssueDeployKey(subject=Subject(id="x"), consumer=nowhere).plan(bench.client())
    assert IssueDeployKey(subject=Subject(id="x"), consumer=elsewhere).plan(bench.client()).target.endswith(REPOSITORY)


def test_of_several_repositories_none_is_taken_for_the_one_that_a_key_is_to_open(bench: Bench) -> None:
    elsewhere = SITE.model_copy(update={"secret": "site-key", "connection": "vault"})
    acting(bench, "admin", issues="deploy-key", repositories=[REPOSITORY, "lumen-labs/site"])

    with pytest.raises(ProviderError, match="which repository"):
        IssueDeployKey(subject=Subject(id="x"), consumer=elsewhere).plan(bench.client())


@pytest.mark.parametrize("scopes", [("a/b", "c/d"), ("admin",)])
def test_a_key_opens_one_repository(bench: Bench, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError, match="one repository"):
        the_key(bench, IssueDeployKey, consumer=SITE, scopes=scopes).plan(bench.client())


def test_people_get_no_deploy_key(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="one consumer"):
        the_key(bench, IssueDeployKey, holder=Holder(id="h")).plan(bench.client())


def test_an_orphan_is_named_and_removed_before_another_is_made(bench: Bench) -> None:
    action = the_key(bench, IssueDeployKey, consumer=SITE)
    change = action.plan(bench.client())
    bench.live.misbehave(Trouble.ANSWER_LOST)
    bench.failing(OutcomeUnknown, lambda: action.apply(bench.client(may_write=True), change))
    bench.live.misbehave(Trouble.NONE)
    keys = bench.live.world.repositories[REPOSITORY].keys
    orphan = max(keys)
    again = action.plan(bench.client())

    assert f"orphan {orphan}" in again.before
    assert again.preconditions == {"orphans": str(orphan)}
    assert action.verify(bench.client(), again) is Verdict.DOES_NOT_HOLD
    action.apply(bench.client(may_write=True), again)
    assert orphan not in keys
    assert len(keys) == 3
    assert action.verify(bench.client(), again) is Verdict.HOLDS


def test_what_fails_after_the_orphan_is_gone_is_not_called_unchanged(bench: Bench) -> None:
    action = the_key(bench, IssueDeployKey, consumer=SITE)
    done(bench, action)
    change = action.plan(bench.client())
    bench.live.world.repositories[REPOSITORY].deploy_keys_allowed = False

    bench.failing(OutcomeUnknown, lambda: action.apply(bench.client(may_write=True), change))


def test_another_steps_key_is_no_orphan(bench: Bench) -> None:
    action = the_key(bench, IssueDeployKey, consumer=SITE)
    title = action.plan(bench.client()).target.split(" ")[2]
    repository = bench.live.world.repositories[REPOSITORY]
    bench.live.world.deploy_keys.put(repository, title[:-1] + "x", ssh_pair()[1])

    assert action.plan(bench.client()).before == "absent"


# ---- what else leads in


def test_the_other_deploy_keys_of_a_repository_are_doors(bench: Bench) -> None:
    since = bench.live.clock.now() - timedelta(hours=1)
    facts = the_key(bench, DoorsOf, since=since).read(bench.client()).facts
    other = f"{REPOSITORY}#{max(bench.live.world.repositories[REPOSITORY].keys)}"

    assert facts["unresolved"] == facts["new"] == [other]
    assert facts["complete"] is False


def test_of_a_user_an_app_sees_keys_and_fine_grained_tokens(bench: Bench) -> None:
    bench.live.world.ssh_keys["mallory"] = ["ssh-ed25519 AAAA"]
    repository = bench.live.world.repositories[REPOSITORY]
    bench.live.world.deploy_keys.put(repository, "backdoor", ssh_pair()[1]).added_by = "mallory"
    facts = leaked(bench, DoorsOf).read(bench.client()).facts

    assert [door["kind"] for door in facts["doors"]] == ["SSH key", "deploy key", "fine-grained token"]
    assert facts["doors"][1]["about"] == "'backdoor', added by mallory"
    assert "'laptop' of mallory" in facts["doors"][2]["about"]
    assert facts["unseen"] == ["classic tokens, authorised apps and sessions of mallory: only they are shown them"]
    presented = [seen for seen in bench.live.gate.seen if bench.live.value("leaked") in str(seen.headers)]
    assert len(presented) == 1


def test_whose_a_dead_token_was_nobody_says(bench: Bench) -> None:
    bench.live.world.tokens["leaked"].dies_at = bench.live.clock.now()
    facts = leaked(bench, DoorsOf).read(bench.client()).facts

    assert (facts["doors"], facts["complete"]) == ([], False)
    assert "whose token it is" in facts["unseen"][0]


def test_whose_a_dead_token_was_the_run_may_have_read_while_it_lived(bench: Bench) -> None:
    bench.live.world.ssh_keys["mallory"] = ["ssh-ed25519 AAAA"]
    bench.live.world.tokens["leaked"].dies_at = bench.live.clock.now()
    subject = leaked(bench, DoorsOf).subject.model_copy(update={"owner": "mallory"})
    facts = DoorsOf(subject=subject).read(bench.client()).facts

    assert facts["doors"][0]["id"] == "mallory's SSH key 1"


@pytest.mark.parametrize(
    "reply", [Reply(429, {}), Reply(503, {}), Reply(403, {}, {"Retry-After": "5"}), Reply(401, "a proxy")]
)
def test_while_github_does_not_say_whose_token_it_is_nothing_is_said_of_doors(bench: Bench, reply: Reply) -> None:
    answering(bench, reply)

    bench.failing(Unavailable, lambda: leaked(bench, DoorsOf).read(bench.client()))


def test_of_a_suspended_user_it_is_said_that_nothing_was_seen(bench: Bench) -> None:
    bench.live.world.tokens["leaked"].suspended = True
    facts = leaked(bench, DoorsOf).read(bench.client()).facts

    assert (facts["doors"], facts["complete"]) == ([], False)


# ---- who we are


def test_an_app_is_the_account_of_its_installation(bench: Bench) -> None:
    assert PROVIDER.identify(bench.client()) == (ORGANIZATION, "app 4711", ())


def test_a_token_is_its_user(bench: Bench) -> None:
    assert PROVIDER.identify(acting(bench, "admin").client()).account == "ada"


def test_an_installations_token_is_its_account(bench: Bench) -> None:
    assert PROVIDER.identify(acting(bench, "installation").client()).account == ORGANIZATION


def test_an_oauth_app_is_its_client_id(bench: Bench) -> None:
    assert PROVIDER.identify(oauth(bench).client()).account == "Iv1.ours"


def test_an_app_signs_in_once_a_try_and_its_note_is_good_for_ten_minutes_at_most(bench: Bench) -> None:
    client = bench.client()
    for _ in range(2):
        the_key(bench, InspectCredential).read(client)
    signed_in = [seen for seen in bench.live.gate.seen if seen.path.endswith("/access_tokens")]

    assert len(signed_in) == 1
    assert bench.live.writes() == 0


def test_what_signs_us_in_stands_nowhere(bench: Bench) -> None:
    client = bench.client()
    token, note = client.our_token(), client.our_note()
    bench.values += [client.access.wire.with_value(one, str) for one in (token, note)]

    bench.nowhere(token, note, client.access, PROVIDER.identify(client))
    assert all(value not in bench.sealer.redactor.scrub(value) for value in bench.values[-2:])


def test_a_key_that_is_none_says_so(bench: Bench) -> None:
    bench.live.secret = "no PEM"
    with pytest.raises(Denied, match="no private key of a GitHub App"):
        PROVIDER.identify(bench.client())


def test_what_an_installation_lacks_is_told(bench: Bench) -> None:
    bench.live.world.apps["4711"].permissions = {**PERMISSIONS, "members": "read"}
    assert PROVIDER.lacking is not None

    assert PROVIDER.lacking(bench.client(), (KEYS_WRITE, MEMBERS_WRITE, "none: x")) == [MEMBERS_WRITE]


def test_what_a_classic_token_lacks_is_told_by_its_scopes(bench: Bench) -> None:
    acting(bench, "admin")
    bench.live.world.tokens["admin"].scopes = ("repo",)
    assert PROVIDER.lacking is not None

    assert PROVIDER.lacking(bench.client(), (KEYS_WRITE, MEMBERS_WRITE)) == [MEMBERS_WRITE]


def test_of_a_fine_grained_token_only_what_none_can_have_is_known_to_lack(bench: Bench) -> None:
    acting(bench, "fine")
    assert PROVIDER.lacking is not None

    assert PROVIDER.lacking(bench.client(), (KEYS_WRITE, GRANTS_WRITE)) == [GRANTS_WRITE]


def test_the_keys_of_the_account_are_listed(bench: Bench) -> None:
    assert PROVIDER.keys is not None
    found = list(PROVIDER.keys(bench.client()))

    assert [one.name for one in found] == ["ci", "ci", "laptop", "ada's"]
    assert found[0].key_id == first_key(bench.live)
    assert found[2].key_id.startswith("orgs/lumen-labs#")


# ---- what a connection is


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://api.github.com"},
        {"app_id": "1"},
        {"installation_id": "1"},
        {"app_id": "1", "installation_id": "2", "client_id": "x"},
        {"issues": "token"},
        {"repositories": ["../x"]},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Options.model_validate(options)


def test_only_what_a_connection_can_do_is_offered() -> None:
    assert PROVIDER.offers is not None
    basic = {"inspect", "revoke", "prove_dead"}

    assert PROVIDER.offers(Options()) == basic | {"doors", "deliver"}
    assert PROVIDER.offers(Options(issues="deploy-key")) == basic | {"doors", "deliver", "issue"}
    assert PROVIDER.offers(Options(client_id="x")) == basic


@pytest.mark.parametrize("kind", ["ghp_", "github_pat_", "gho_", "ghu_", "ghs_", "ghr_"])
def test_tokens_are_found_in_text_by_their_shape(kind: str) -> None:
    value = value_of(kind, "x" + kind) + "abcd"

    assert re.findall(PROVIDER.shape(Options()), f"token={value};") == [value]
    assert PROVIDER.recognise(Options(), value) is None


def test_a_page_is_where_people_look() -> None:
    assert Options(base_url="https://api.lumen.ghe.com").pages == "https://lumen.ghe.com"


def test_every_request_says_which_version_of_the_api_it_means(bench: Bench) -> None:
    the_key(bench, RevokeCredential).plan(bench.client())

    assert {seen.headers["x-github-api-version"] for seen in bench.live.gate.seen} == {"2022-11-28"}
    assert {seen.headers["accept"] for seen in bench.live.gate.seen} == {"application/vnd.github+json"}


def test_the_leaked_value_never_stands_in_an_address(bench: Bench) -> None:
    done(bench, leaked(bench, RevokeCredential))

    assert not [seen for seen in bench.live.gate.seen if bench.live.value("leaked") in seen.target]
