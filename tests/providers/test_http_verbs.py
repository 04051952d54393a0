"""The verbs of a described API, against the drill's issuer, its vault and its site."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cases.common import connection
from cases.http import HOLDER, SITE, described, shared_key
from provider_bench import bench_of

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Probe
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.http.ending import DisableKey, EndKeySessions, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.http.issuing import IssueKey
from responder.providers.http.options import Options
from responder.providers.http.storing import DeliverSecret, TestUse
from responder.testing.bench import Bench
from responder.testing.loopback import Loopback, Reply, Seen, Trouble


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("http") as made:
        yield made


def key(bench: Bench, action: type[Any], **fields: Any) -> Any:
    return action(subject=shared_key(bench.live, bench.secret), **fields)


def act(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    return action.apply(bench.client(may_write=True), change)


def test_inspect_tells_state_owner_reach_and_last_use(bench: Bench) -> None:
    facts = key(bench, InspectKey).read(bench.client()).facts

    assert facts["state"] == "live"
    assert facts["owner"] == "early-access"
    assert "gateway:generate" in facts["reach"]


def test_a_key_that_the_issuer_does_not_know_is_what_missing_says(bench: Bench) -> None:
    action = InspectKey(subject={"key_id": "k_nobody00"})

    assert action.read(bench.client()).facts["state"] == "dead"


@pytest.mark.parametrize("key_id", ["../../v1/secrets/x", "a/b?c=d", "k%2e"])
def test_a_key_id_cannot_lead_elsewhere(bench: Bench, key_id: str) -> None:
    InspectKey(subject={"key_id": key_id}).read(bench.client())

    assert re.fullmatch(r"/admin/v1/keys/[^/?]+", bench.live.gate.seen[-1].target)


@pytest.mark.parametrize("key_id", [".", ".."])
def test_a_key_id_that_a_client_would_fold_away_is_refused(bench: Bench, key_id: str) -> None:
    with pytest.raises(ProviderError, match="cannot stand in an address"):
        InspectKey(subject={"key_id": key_id}).read(bench.client())

    assert bench.live.gate.seen == []


def test_without_a_key_id_it_is_read_out_of_the_value(bench: Bench) -> None:
    subject = shared_key(bench.live, bench.secret).model_copy(update={"key_id": ""})
    facts = InspectKey(subject=subject).read(bench.client()).facts

    assert facts["key_id"] == bench.live.world.ground.inventory.shared_key_id


def test_disabling_is_read_back_and_not_believed(bench: Bench) -> None:
    action = key(bench, DisableKey)
    change = action.plan(bench.client())
    bench.live.gate._answer = lambda seen: Reply(202)  # the issuer says yes to everything

    action.apply(bench.client(may_write=True), change)
    assert action.verify(bench.client(), change) is Verdict.UNKNOWN


def test_a_key_that_is_on_again_does_not_hold(bench: Bench) -> None:
    action = key(bench, DisableKey)
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    keys = bench.live.world.cast.keys
    keys.enable(keys.get(action.subject.key_id))

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_what_breaks_names_owner_and_last_use(bench: Bench) -> None:
    key_ = bench.live.world.cast.keys.get(bench.live.world.ground.inventory.shared_key_id)
    key_.last_used_at = bench.live.clock.now()
    change = key(bench, DisableKey).plan(bench.client())

    assert "early-access" in change.breaks
    assert "2026-05-02" in change.breaks


def test_our_credential_goes_to_our_system_only(bench: Bench) -> None:
    with Loopback(lambda seen: Reply(200, {"ok": True, "key_id": "k1"})) as elsewhere:
        options = described(bench.live.gate.url)
        options["secrets"]["test"]["request"] = f"GET {elsewhere.url}/health"
        options["keys"]["probe"]["surfaces"] = {"api": f"GET {elsewhere.url}/v1/me"}
        bench.live.connection = connection("http", account="x", **options)
        TestUse(consumer=SITE).read(bench.client())
        action = key(bench, ProveKeyDead)
        action.present(bench.client(), "api", action.subject.value)

        health, probe = (seen.headers.get("authorization") for seen in elsewhere.seen)
        assert health is None
        assert probe == f"Bearer {bench.live.value('shared-token')}"


def test_a_secret_is_in_no_address(bench: Bench) -> None:
    key(bench, InspectKey).read(bench.client())
    key(bench, ProveKeyDead).observe(bench.client(), [])
    act(bench, IssueKey(holder=HOLDER))

    addresses = "".join(seen.target for seen in bench.live.gate.seen)
    assert not any(value in addresses for value in bench.values)


# ---- issuing


def test_a_holder_claims_their_key_and_its_value_never_passes_through_us(bench: Bench) -> None:
    outcome = act(bench, IssueKey(holder=HOLDER, label="early-access-h-001"))

    assert outcome.issued.value is None
    assert outcome.facts["claim"] == outcome.issued.claim
    assert "/claim/" in outcome.issued.claim
    assert re.fullmatch(r"early-access-h-001--[0-9a-f]{10}", outcome.facts["name"])


def test_a_consumers_key_is_given_to_us_sealed(bench: Bench) -> None:
    outcome = act(bench, IssueKey(consumer=SITE))

    assert outcome.issued.claim is None
    assert outcome.issued.value.fingerprint.startswith("fp:")
    assert "value" not in outcome.facts


def test_after_a_lost_answer_a_claimed_key_is_found_by_its_mark(bench: Bench) -> None:
    action = IssueKey(holder=HOLDER)
    change = action.plan(bench.client())
    bench.live.misbehave(Trouble.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)
    bench.live.misbehave(Trouble.NONE)
    found = action.plan(bench.client())

    assert isinstance(found, Unchanged)
    assert found.issued is not None
    assert found.issued.claim == found.facts["claim"]


def test_an_orphan_is_named_ended_and_replaced(bench: Bench) -> None:
    action = IssueKey(consumer=SITE)
    first = act(bench, action).facts["key_id"]  # and now its outcome is lost
    change = action.plan(bench.client())
    outcome = action.apply(bench.client(may_write=True), change)

    assert change.preconditions == {"orphans": first}
    assert bench.live.world.cast.keys.get(first).status == "revoked"
    assert outcome.facts["key_id"] != first
    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_an_orphan_that_does_not_end_stops_the_create(bench: Bench) -> None:
    action = IssueKey(consumer=SITE)
    act(bench, action)
    change = action.plan(bench.client())
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(202) if seen.path.endswith("/revoke") else real(seen)
    before = len(bench.live.gate.effective)
    with pytest.raises(OutcomeUnknown, match="does not say so yet"):
        action.apply(bench.client(may_write=True), change)

    assert [seen.path.endswith("/revoke") for seen in bench.live.gate.effective[before:]] == [True]


def test_two_claimable_keys_of_one_name_are_a_question_for_a_person(bench: Bench) -> None:
    action = IssueKey(holder=HOLDER)
    change = action.plan(bench.client())
    for _ in range(2):
        action.apply(bench.client(may_write=True), change)

    with pytest.raises(ProviderError, match="2 live keys bear the name"):
        action.plan(bench.client())
    assert action.verify(bench.client(), change) is Verdict.UNKNOWN


def test_keys_of_another_name_and_dead_ones_are_not_taken_up(bench: Bench) -> None:
    action = IssueKey(holder=HOLDER)
    outcome = act(bench, action)
    keys = bench.live.world.cast.keys
    keys.revoke(keys.get(outcome.facts["key_id"]))

    assert isinstance(action.plan(bench.client()), Change)
    assert isinstance(IssueKey(holder=HOLDER, label="other").plan(bench.client()), Change)


def test_an_answer_without_the_key_is_an_unknown_outcome(bench: Bench) -> None:
    action = IssueKey(holder=HOLDER)
    change = action.plan(bench.client())
    bench.live.gate._answer = lambda seen: Reply(201, "<html>")
    with pytest.raises(OutcomeUnknown, match="does not hold what was promised"):
        action.apply(bench.client(may_write=True), change)


@pytest.mark.parametrize("fields", [{}, {"holder": HOLDER, "consumer": SITE}], ids=["nobody", "both"])
def test_a_key_is_for_exactly_one(bench: Bench, fields: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="one holder or for one consumer"):
        IssueKey(**fields).plan(bench.client())


def test_every_page_is_looked_at_for_the_mark() -> None:
    def answer(seen: Seen) -> Reply:
        name = seen.query["name"]
        if "after" not in seen.query:
            other = {
                "id": "k1",
                "name": name + "x",
                "status": "active",
                "claim_url": "https://claim.example/y",
            }
            return Reply(200, {"keys": [other], "next": "k 1&x"})
        assert seen.query["after"] == "k 1&x"
        item = {"id": "k2", "name": name, "status": "active", "claim_url": "https://claim.example/x"}
        return Reply(200, {"keys": [item], "next": None})

    with bench_of("http") as bench:
        bench.live.gate._answer = answer
        found = IssueKey(holder=HOLDER).plan(bench.client())

    assert found.facts["key_id"] == "k2"


# ---- the store and its consumer


def test_what_was_delivered_is_known_by_its_marker_and_value(bench: Bench) -> None:
    first = DeliverSecret(consumer=SITE, value=bench.secret("first-" + "aB3x" * 6))
    act(bench, first)

    assert isinstance(first.plan(bench.client()), Unchanged)
    second = DeliverSecret(consumer=SITE, value=bench.secret("second-" + "aB3x" * 6))
    assert isinstance(second.plan(bench.client()), Change)


def test_a_store_without_markers_is_compared_by_version(bench: Bench) -> None:
    options = described(bench.live.gate.url)
    options["secrets"]["write"]["body"].pop("marker")
    options["secrets"]["read"].pop("marker")
    bench.live.connection = connection("http", account="x", **options)
    action = DeliverSecret(consumer=SITE, value=bench.secret("first-" + "aB3x" * 6))
    change = action.plan(bench.client())

    assert change.preconditions == {"version": "1"}
    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD
    action.apply(bench.client(may_write=True), change)
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    assert action.plan(bench.client()).preconditions == {"version": "2"}


def test_a_consumer_that_still_uses_the_old_key_may_be_asked_again(bench: Bench) -> None:
    with pytest.raises(Unavailable, match="still uses the key"):
        TestUse(consumer=SITE, key_id="k_new00000").read(bench.client())


def test_a_consumer_whose_key_is_refused_does_not_pass(bench: Bench) -> None:
    shared = bench.live.world.ground.inventory.shared_key_id
    keys = bench.live.world.cast.keys
    keys.revoke(keys.get(shared))
    bench.live.clock.move(60)
    with pytest.raises(Unavailable, match="does not work"):
        TestUse(consumer=SITE, key_id=shared).read(bench.client())


# ---- proof of death


def looks(bench: Bench, *, steps: int, seconds: float) -> list[Observed]:
    history: list[Observed] = []
    for _ in range(steps):
        look = key(bench, ProveKeyDead).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if look.last:
            break
        bench.live.clock.move(seconds)
    return history


def test_death_is_proven_only_after_the_propagation_time_on_every_surface(bench: Bench) -> None:
    keys = bench.live.world.cast.keys
    shared = keys.get(bench.live.world.ground.inventory.shared_key_id)
    keys.end_sessions(shared)
    keys.disable(shared)
    history = looks(bench, steps=20, seconds=10)

    assert [look.verdict for look in history] == ["alive"] * 3 + ["refused"] * 3 + ["dead"]
    assert history[-1].facts["sessions"] == 0
    assert set(history[-1].facts["surfaces"]) == {"api", "edge"}
    assert (history[-1].at - history[3].at).total_seconds() >= 30


def test_an_open_session_is_not_death(bench: Bench) -> None:
    keys = bench.live.world.cast.keys
    keys.disable(keys.get(bench.live.world.ground.inventory.shared_key_id))
    bench.live.clock.move(60)

    assert [look.verdict for look in looks(bench, steps=4, seconds=20)] == ["sessions open"] * 4


def test_without_a_control_a_refusal_proves_nothing(bench: Bench) -> None:
    keys = bench.live.world.cast.keys
    keys.disable(keys.get(bench.live.world.ground.inventory.shared_key_id))
    bench.live.clock.move(60)
    bench.live.control = None

    assert looks(bench, steps=1, seconds=1)[0].verdict == "unknown"


def test_a_session_list_that_cannot_be_read_is_not_an_empty_one(bench: Bench) -> None:
    keys = bench.live.world.cast.keys
    shared = keys.get(bench.live.world.ground.inventory.shared_key_id)
    keys.end_sessions(shared)
    keys.disable(shared)
    bench.live.clock.move(60)
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(200, {}) if seen.path.endswith("/sessions") else real(seen)

    assert looks(bench, steps=1, seconds=1)[0].verdict == "unknown"


@pytest.mark.parametrize("status", [202, 302, 404, 418, 429, 500, 503])
def test_a_status_that_was_not_described_proves_nothing(bench: Bench, status: int) -> None:
    action = key(bench, ProveKeyDead)
    bench.live.gate._answer = lambda seen: Reply(status, {})

    assert action.present(bench.client(), "api", action.subject.value) is Probe.UNKNOWN


def test_a_surface_that_cannot_be_reached_proves_nothing(bench: Bench) -> None:
    options = described(bench.live.gate.url)
    options["keys"]["probe"]["surfaces"] = {"api": "GET http://127.0.0.1:9/v1/me"}
    bench.live.connection = connection("http", account="x", **options)
    action = key(bench, ProveKeyDead)

    assert action.present(bench.client(), "api", action.subject.value) is Probe.UNKNOWN


def test_a_key_in_a_header_of_its_own(bench: Bench) -> None:
    options = described(bench.live.gate.url)
    options["keys"]["probe"] |= {"header": "X-Api-Key", "form": "key={secret}"}
    bench.live.connection = connection("http", account="x", **options)
    action = key(bench, ProveKeyDead)
    action.present(bench.client(), "api", action.subject.value)

    assert bench.live.gate.seen[-1].headers["x-api-key"] == f"key={bench.live.value('shared-token')}"


def test_sessions_that_open_while_they_are_ended_are_seen(bench: Bench) -> None:
    action = key(bench, EndKeySessions)
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    keys = bench.live.world.cast.keys
    keys.open_session(keys.get(action.subject.key_id))
    bench.live.clock.move(10)

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_a_described_request_is_said_so_that_a_person_can_send_it() -> None:
    options = Options.model_validate(described("https://keys.example/"))

    said = [kind.by_hand(options, key) for kind, key in ((DisableKey, "k_abc"), (RevokeKey, ""))]

    assert [line.partition(",")[0] for line in said] == [
        "Send POST https://keys.example/admin/v1/keys/k_abc/disable",
        "Send POST https://keys.example/admin/v1/keys/KEY_ID/revoke",
    ]
