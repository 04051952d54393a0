"""Installation tokens for consumers: narrower than the app, and dead within the hour."""

from collections.abc import Iterator
from typing import Any

import pytest
from cases.github import JOB, NARROW, PERMISSIONS, REPOSITORY, SITE, hourly, living
from provider_bench import bench_of

from responder.action import Change
from responder.credential import Subject
from responder.errors import OutcomeUnknown, ProviderError
from responder.providers.github import PROVIDER
from responder.providers.github.ending import ProveCredentialDead
from responder.providers.github.hourly import IssueInstallationToken
from responder.providers.github.issuing import IssueDeployKey
from responder.providers.github.options import Options
from responder.settings import Holder
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen

APP = {"app_id": "1", "installation_id": "2"}
EVERYTHING = tuple(f"{name}:{level}" for name, level in PERMISSIONS.items())


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("github") as made:
        yield made


def planned(bench: Bench, *args: Any, **fields: Any) -> Any:
    return hourly(*args, **fields)(bench.live, bench.secret).plan(bench.client())


def issued(bench: Bench) -> Any:
    action: Any = hourly()(bench.live, bench.secret)
    return action.apply(bench.client(may_write=True), action.plan(bench.client()))


def narrowed(bench: Bench, reply: Reply) -> None:
    """Let the host answer so where a token for somebody else is asked for."""
    before = bench.live.gate._answer

    def answer(seen: Seen) -> Reply:
        return reply if seen.path.endswith("/access_tokens") and seen.body else before(seen)

    bench.live.gate._answer = answer


def test_a_token_has_what_was_agreed_on_and_says_when_it_ends(bench: Bench) -> None:
    outcome = issued(bench)
    [label] = living(bench.live)
    token = bench.live.world.tokens[label]

    assert token.repositories == (REPOSITORY,)
    assert token.permissions == {"metadata": "read", "secrets": "read"}
    assert outcome.facts["expires_at"] == "2026-05-02T10:00:00Z"
    assert outcome.facts["repositories"] == [REPOSITORY]
    bench.values.append(bench.live.value(label))
    bench.nowhere(outcome)


def test_a_token_is_refused_after_its_hour(bench: Bench) -> None:
    value = issued(bench).issued.value
    proof = ProveCredentialDead(subject=Subject(id="bot", value=value))
    first = proof.observe(bench.client(), [])
    bench.live.clock.move(3600)

    assert first.verdict == "alive"
    assert proof.observe(bench.client(), []).verdict == "refused"


@pytest.mark.parametrize("scopes", [(), (REPOSITORY,), ("secrets:read",), (*NARROW, "everything"), ("repo", *NARROW)])
def test_repositories_and_permissions_must_be_given(bench: Bench, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ProviderError, match="needs repositories and permissions"):
        planned(bench, scopes)


def test_only_a_consumer_that_asks_for_it_gets_one(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="dies within the hour") as refused:
        planned(bench, consumer=SITE)

    assert "short_lived: true" in refused.value.remedy


def test_people_get_none(bench: Bench) -> None:
    action = IssueInstallationToken(holder=Holder(id="h"), scopes=NARROW)
    hourly()(bench.live, bench.secret)

    with pytest.raises(ProviderError, match="not for people"):
        action.plan(bench.client())


def test_what_the_app_has_not_is_refused_before_anything_is_sent(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="no such permission: contents"):
        planned(bench, (REPOSITORY, "contents:read"))
    assert not bench.live.gate.effective


def test_all_that_the_app_has_needs_a_reason(bench: Bench) -> None:
    whole = (*bench.live.world.repositories, *EVERYTHING)

    with pytest.raises(ProviderError, match="all that the app does"):
        planned(bench, whole)
    assert isinstance(planned(bench, whole, wider="the migration moves everything"), Change)
    assert isinstance(planned(bench, (REPOSITORY, *EVERYTHING)), Change)


def test_a_token_that_reaches_more_than_was_asked_for_is_ended_at_once(bench: Bench) -> None:
    world, label = bench.live.world, "too-much"
    value = "ghs_" + "w1De" * 9
    world.ground.labels.add({label: value})
    world.add_token(label, "lumen-labs")
    bench.values.append(value)
    narrowed(bench, Reply(201, {"token": value, "permissions": PERMISSIONS, "repositories": []}))

    error = bench.failing(OutcomeUnknown, lambda: issued(bench))

    assert "another reach" in error.message
    assert not world.accepts(label)


def test_what_github_does_not_make_is_certainly_not_made(bench: Bench) -> None:
    narrowed(bench, Reply(422, {"message": "There is at least one repository that does not exist"}))

    assert "422" in bench.failing(ProviderError, lambda: issued(bench)).message


def test_which_of_the_two_is_made_the_connection_says() -> None:
    keys, tokens = Options(issues="deploy-key"), Options(issues="installation-token", **APP)

    assert (PROVIDER.fits(keys, IssueDeployKey), PROVIDER.fits(keys, IssueInstallationToken)) == (True, False)
    assert (PROVIDER.fits(tokens, IssueDeployKey), PROVIDER.fits(tokens, IssueInstallationToken)) == (False, True)
    with pytest.raises(ValueError, match="only an app"):
        Options(issues="installation-token")


def test_a_consumer_that_says_nothing_can_not_do_with_an_hour() -> None:
    assert (SITE.short_lived, JOB.short_lived) == (False, True)
