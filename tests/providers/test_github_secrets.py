"""Secrets of GitHub Actions: what is sealed for which place, and what can be seen afterwards."""

import builtins
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cases.github import REPOSITORY, SITE, delivered, first_key
from provider_bench import bench_of

from responder.action import Change, Verdict
from responder.credential import Subject
from responder.errors import ProviderError, Unavailable
from responder.providers.github import PROVIDER
from responder.providers.github.issuing import IssueDeployKey
from responder.providers.github.secrets import DeliverToActions, place_of
from responder.testing.bench import Bench
from responder.testing.loopback import Loopback, Reply, Seen

ENVIRONMENT = f"{REPOSITORY}/environments/prod/eu"
SHARED = "orgs/lumen-labs"


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("github") as made:
        yield made


def delivering(bench: Bench, place: str) -> Any:
    return delivered(place)(bench.live, bench.secret)


def sent(bench: Bench) -> list[Seen]:
    gate: Loopback = bench.live.gate
    return [seen for seen in gate.effective if seen.method == "PUT"]


@pytest.mark.parametrize("place", [REPOSITORY, ENVIRONMENT, SHARED])
def test_what_is_delivered_is_what_the_place_holds_and_leaves_sealed(bench: Bench, place: str) -> None:
    action = delivering(bench, f"{place}:SHARED")
    action.apply(bench.client(may_write=True), action.plan(bench.client()))

    assert bench.live.world.boxes.label_in(place, "SHARED") == "delivered"
    assert bench.live.value("delivered") not in sent(bench)[0].body.decode()


def test_a_new_deploy_key_that_is_delivered_opens_the_repository_from_there(bench: Bench) -> None:
    issue = IssueDeployKey(subject=Subject(key_id=first_key(bench.live)), consumer=SITE)
    issued = issue.apply(bench.client(may_write=True), issue.plan(bench.client())).issued
    assert issued is not None
    assert issued.value is not None
    action = DeliverToActions(consumer=SITE, value=issued.value)
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    kept = bench.live.world.boxes.kept[REPOSITORY, "DEPLOY_KEY"]

    assert bench.live.world.deploy_keys.opens(kept.value) == REPOSITORY


def test_each_place_is_sealed_for_with_its_own_key(bench: Bench) -> None:
    for place in (REPOSITORY, ENVIRONMENT):
        action = delivering(bench, f"{place}:NEW")
        action.apply(bench.client(may_write=True), action.plan(bench.client()))

    assert len({seen.json()["key_id"] for seen in sent(bench)}) == 2


def test_a_key_that_was_turned_in_between_is_fetched_again_once(bench: Bench) -> None:
    action = delivering(bench, f"{REPOSITORY}:NEW")
    change = action.plan(bench.client())
    host, turned = bench.live.gate._answer, []

    def turning(seen: Seen) -> Reply:
        if seen.method == "PUT" and not turned:
            turned.append(seen)
            bench.live.world.boxes.turn_key(REPOSITORY)
        return host(seen)

    bench.live.gate._answer = turning
    action.apply(bench.client(may_write=True), change)

    assert len(sent(bench)) == 2
    assert bench.live.world.boxes.label_in(REPOSITORY, "NEW") == "delivered"


def test_what_is_refused_with_the_same_key_is_not_sent_again(bench: Bench) -> None:
    action = delivering(bench, f"{REPOSITORY}:NEW")
    change = action.plan(bench.client())
    host = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(422, {}) if seen.method == "PUT" else host(seen)
    with pytest.raises(ProviderError, match="does not take the secret"):
        action.apply(bench.client(may_write=True), change)

    assert len(sent(bench)) == 1


def test_who_may_read_an_organisations_secret_stays_as_it_is(bench: Bench) -> None:
    action = delivering(bench, f"{SHARED}:SHARED")
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    kept = bench.live.world.boxes.kept[SHARED, "SHARED"]

    assert (kept.visibility, kept.selected) == ("selected", (5, 6))


def test_a_list_of_readers_that_is_not_whole_is_not_written_back(bench: Bench) -> None:
    action = delivering(bench, f"{SHARED}:SHARED")
    change = action.plan(bench.client())
    host = bench.live.gate._answer
    half = Reply(200, {"total_count": 2, "repositories": []})
    bench.live.gate._answer = lambda seen: half if seen.path.endswith("/repositories") else host(seen)

    bench.failing(Unavailable, lambda: action.apply(bench.client(may_write=True), change))
    assert sent(bench) == []


def test_a_new_secret_of_an_organisation_is_for_its_owners_to_make(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="no secret OTHER"):
        delivering(bench, f"{SHARED}:OTHER").plan(bench.client())


def test_that_it_is_so_already_is_never_said(bench: Bench) -> None:
    action = delivering(bench, f"{REPOSITORY}:NEW")
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    bench.live.clock.move(2)
    again = action.plan(bench.client())

    assert isinstance(again, Change)
    assert again.before == "written at 2026-05-02T09:00:00Z"


def test_two_writes_within_a_second_could_not_be_told_apart_so_the_second_waits(bench: Bench) -> None:
    action = delivering(bench, f"{REPOSITORY}:NEW")
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    error = bench.failing(Unavailable, lambda: action.plan(bench.client()))
    bench.live.clock.move(error.retry_after or 0)
    change = action.plan(bench.client())

    assert action.verify(bench.client(), change) is Verdict.UNKNOWN
    action.apply(bench.client(may_write=True), change)
    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_what_somebody_else_wrote_in_between_is_another_change_to_agree_on(bench: Bench) -> None:
    action = delivering(bench, f"{REPOSITORY}:OLD_TOKEN")
    first = action.plan(bench.client())
    at = bench.live.clock.now() + timedelta(seconds=3)
    bench.live.world.boxes.keep(REPOSITORY, "OLD_TOKEN", "theirs", at=at)
    second = action.plan(bench.client())

    assert first.digest("a", "b", action.effect) != second.digest("a", "b", action.effect)


def test_names_are_kept_in_capitals(bench: Bench) -> None:
    action = delivering(bench, f"{REPOSITORY}:new_token")
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)

    assert bench.live.world.boxes.label_in(REPOSITORY, "NEW_TOKEN") == "delivered"
    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_a_place_that_is_hidden_from_us_is_not_called_empty(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="hidden from us"):
        delivering(bench, "lumen-labs/secret-plans:NEW").plan(bench.client())


@pytest.mark.parametrize("text", ["a/b", "a:B", "a/b:9X", "a/b:GITHUB_X", "orgs/a/b:X", "a/b/c:X", "../b/../c:X", ""])
def test_a_place_is_named_so_that_it_cannot_lead_elsewhere(text: str) -> None:
    with pytest.raises(ProviderError, match="names no secret"):
        place_of(text)


def test_an_environment_may_have_any_name() -> None:
    assert place_of("a/b/environments/prod/eu: west:X").own == "/repos/a/b/environments/prod%2Feu%3A%20west/secrets/X"


def test_the_inventory_is_told_whether_a_place_is_there(bench: Bench) -> None:
    assert PROVIDER.place is not None

    assert PROVIDER.place(bench.client(), f"{REPOSITORY}:OLD_TOKEN") == (True, "2026-05-01T09:00:00Z", False)
    assert PROVIDER.place(bench.client(), f"{REPOSITORY}:NONE").exists is False


def test_without_the_extra_one_is_told_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    action = delivering(bench, f"{REPOSITORY}:NEW")
    change = action.plan(bench.client())
    real = builtins.__import__
    key = Reply(200, {"key_id": "1", "key": "AAAA"})
    bench.live.gate._answer = lambda seen: key if seen.path.endswith("public-key") else Reply(201, {"token": "t" * 20})

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("nacl"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ProviderError) as caught:
        action.apply(bench.client(may_write=True), change)

    assert caught.value.remedy == "pip install 'responder[github]'"


def test_a_delivery_needs_no_person_after_a_lost_answer() -> None:
    assert DeliverToActions.idempotent
    assert DeliverToActions.readback
