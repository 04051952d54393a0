"""Keys, people and the report, against the drill's Anthropic organisation."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cases.anthropic import ACCOUNT, on_key, subject
from cases.common import ORIGIN
from provider_bench import bench_of

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import ProviderError, Unavailable
from responder.providers.anthropic import PROVIDER
from responder.providers.anthropic.client import Options
from responder.providers.anthropic.ending import DisableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.anthropic.people import DeleteInvite
from responder.providers.anthropic.traces import DoorsOfMaker, UsedKey
from responder.testing.bench import Bench
from responder.testing.loopback import Reply


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("anthropic") as made:
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


def error(status: int, kind: str) -> Reply:
    return Reply(status, {"type": "error", "error": {"type": kind, "message": "no"}})


def look_alike(bench: Bench) -> None:
    value = bench.live.value("leaked")
    bench.live.world.ground.labels.add({"twin": value[:20] + "x" * 30 + value[-4:]})
    bench.live.world.add_key("twin", "apikey_twin")


def test_nothing_makes_a_key_or_brings_one_back() -> None:
    names = {action.name for action in PROVIDER.actions}

    assert not [name for name in names if "issue" in name or "enable" in name]
    assert not [action for action in PROVIDER.actions if hasattr(action, "inverse")]
    assert PROVIDER.traits(Options()).reversible


# ---- what a key is


def test_inspect_tells_what_the_key_is(bench: Bench) -> None:
    found = facts(bench, on(bench, InspectKey, by_value=True))

    assert (found["state"], found["key_id"], found["owner"]) == ("live", "apikey_leaked", "user_ada")
    assert found["listed_as"] == "active"


@pytest.mark.parametrize(
    ("status", "state"), [("inactive", "disabled"), ("archived", "dead"), ("expired", "dead"), ("new", "unknown")]
)
def test_a_refused_key_is_what_the_list_says(bench: Bench, status: str, state: str) -> None:
    key = bench.live.world.keys["apikey_leaked"]
    key.status, key.refused_from = status, ORIGIN

    assert facts(bench, on(bench, InspectKey))["state"] == state


def test_a_key_that_is_taken_is_live_whatever_the_list_says(bench: Bench) -> None:
    bench.live.world.keys["apikey_leaked"].status = "archived"

    assert facts(bench, on(bench, InspectKey))["state"] == "live"


def test_a_refusal_that_the_list_contradicts_is_no_death(bench: Bench) -> None:
    bench.live.world.keys["apikey_leaked"].refused_from = ORIGIN

    assert facts(bench, on(bench, InspectKey))["state"] == "unknown"


def test_a_key_that_may_not_list_models_lives(bench: Bench) -> None:
    bench.live.world.keys["apikey_leaked"].forbidden = True

    assert bench.client().present("models", bench.secret(bench.live.value("leaked"))).state == "accepted"
    assert facts(bench, on(bench, InspectKey))["state"] == "live"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(error(401, "invalid_request_error"), id="another type"),
        pytest.param(error(403, "authentication_error"), id="another status"),
        pytest.param(error(429, "rate_limit_error"), id="too often"),
        pytest.param(error(529, "overloaded_error"), id="overloaded"),
        pytest.param(Reply(401, "<html>no</html>"), id="a proxy that wants a login"),
        pytest.param(Reply(200, "<html>sign in</html>"), id="a proxy that greets"),
        pytest.param(error(200, "authentication_error"), id="an error in a 200"),
    ],
)
def test_what_is_no_plain_answer_proves_nothing(bench: Bench, reply: Reply) -> None:
    answering(bench, "/v1/models", reply)
    look = on(bench, ProveKeyDead).observe(bench.client(), [])

    # by itself, too: a control that is answered the same would hide what is made of the answer
    assert bench.client().present("models", bench.secret(bench.live.value("leaked"))).state == "unknown"
    assert look.facts["surfaces"] == {"models": "unknown"}


def test_of_keys_that_look_alike_none_is_taken_for_the_leaked_one(bench: Bench) -> None:
    look_alike(bench)
    found = facts(bench, on(bench, InspectKey, by_value=True))

    assert (found["key_id"], set(found["candidates"])) == ("", {"apikey_leaked", "apikey_twin"})
    for action in (DisableKey, RevokeKey):
        with pytest.raises(ProviderError, match="apikey_twin"):
            on(bench, action, by_value=True).plan(bench.client())


def test_a_key_that_only_begins_alike_is_another(bench: Bench) -> None:
    value = bench.live.value("leaked")
    bench.live.world.ground.labels.add({"cousin": value[:-4] + value[-4:].swapcase()[::-1]})
    bench.live.world.add_key("cousin", "apikey_cousin")

    assert facts(bench, on(bench, InspectKey, by_value=True))["candidates"] == ["apikey_leaked"]


def test_a_given_id_tells_look_alikes_apart(bench: Bench) -> None:
    look_alike(bench)
    done(bench, on(bench, RevokeKey))
    bench.live.clock.move(60)

    assert bench.live.world.accepts("twin")
    assert not bench.live.world.accepts("leaked")


def test_an_id_that_is_another_keys_is_refused(bench: Bench) -> None:
    wrong = subject(bench.live, bench.secret).model_copy(update={"key_id": "apikey_sibling"})
    with pytest.raises(ProviderError, match="another one than the leaked value"):
        RevokeKey(subject=wrong).plan(bench.client())


def test_a_key_that_nobody_has_is_not_called_gone(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="no key apikey_none"):
        RevokeKey(subject=Subject(key_id="apikey_none")).plan(bench.client())
    with pytest.raises(ProviderError, match="looks like the leaked one"):
        on(bench, RevokeKey, "admin-leaked", by_value=True).plan(bench.client())


def test_an_id_cannot_lead_elsewhere(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="no id"):
        RevokeKey(subject=Subject(key_id="../users/user_ada")).plan(bench.client())


@pytest.mark.parametrize(
    "body", [{}, {"data": [], "has_more": True}, [], {"data": [], "has_more": True, "last_id": ""}]
)
def test_a_list_that_is_none_proves_nothing(bench: Bench, body: Any) -> None:
    answering(bench, "/v1/organizations/api_keys", Reply(200, body))
    with pytest.raises(Unavailable):
        on(bench, RevokeKey, by_value=True).plan(bench.client())


def test_every_page_of_the_keys_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("responder.providers.anthropic.client._PAGE", "1")
    assert PROVIDER.keys is not None

    assert {one.key_id for one in PROVIDER.keys(bench.client())} == {
        "apikey_leaked", "apikey_sibling", "apikey_control",
    }  # fmt: skip


# ---- ending it


def test_a_key_is_disabled_first_and_then_archived(bench: Bench) -> None:
    done(bench, on(bench, DisableKey))
    assert isinstance(on(bench, RevokeKey).plan(bench.client()), Change)
    done(bench, on(bench, RevokeKey))

    assert [seen.json() for seen in bench.live.gate.effective] == [{"status": "inactive"}, {"status": "archived"}]
    assert {seen.path for seen in bench.live.gate.effective} == {"/v1/organizations/api_keys/apikey_leaked"}


def test_an_archived_key_is_not_made_inactive_again(bench: Bench) -> None:
    done(bench, on(bench, RevokeKey))
    found = on(bench, DisableKey).plan(bench.client())

    assert isinstance(found, Unchanged)
    assert found.facts["state"] == "dead"


def test_disabled_is_not_revoked(bench: Bench) -> None:
    change = on(bench, RevokeKey).plan(bench.client())
    done(bench, on(bench, DisableKey))

    assert on(bench, RevokeKey).verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_what_the_answer_says_is_not_believed(bench: Bench) -> None:
    action = on(bench, RevokeKey)
    change = action.plan(bench.client())
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(200, {"status": "archived"}) if seen.method == "POST" else real(seen)
    action.apply(bench.client(may_write=True), change)

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize("reply", [error(404, "not_found_error"), error(500, "api_error"), Reply(200, {"id": "x"})])
def test_what_cannot_be_read_back_is_unknown(bench: Bench, reply: Reply) -> None:
    action = on(bench, RevokeKey)
    change = action.plan(bench.client())
    answering(bench, "/v1/organizations/api_keys/apikey_leaked", reply)

    assert action.verify(bench.client(), change) is Verdict.UNKNOWN


def test_the_key_that_we_act_with_is_never_touched(bench: Bench) -> None:
    for action in (DisableKey, RevokeKey):
        with pytest.raises(ProviderError, match="act with"):
            on(bench, action, "ours", by_value=True).plan(bench.client())


def test_the_page_where_a_person_does_it_is_named() -> None:
    for action in (DisableKey, RevokeKey):
        assert "apikey_leaked" in action.by_hand(Options(), "apikey_leaked")


def prove(bench: Bench, label: str) -> list[str]:
    history: list[Observed] = []
    for _ in range(8):
        look = on(bench, ProveKeyDead, label).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if look.last:
            break
        bench.live.clock.move(look.wait)
    return [look.verdict for look in history]


def test_death_is_proven_only_after_it_has_spread(bench: Bench) -> None:
    assert set(prove(bench, "leaked")) == {"alive"}
    done(bench, on(bench, RevokeKey))

    assert prove(bench, "leaked")[-4:] == ["refused", "refused", "refused", "dead"]


def test_an_admin_key_is_presented_where_such_keys_are_taken(bench: Bench) -> None:
    look = on(bench, ProveKeyDead, "admin-leaked").observe(bench.client(), [])
    assert look.facts["surfaces"] == {"organization": "accepted"}
    bench.live.world.keys["apikey_admin"].refused_from = ORIGIN
    bench.live.control = bench.live.value("admin-control")

    assert prove(bench, "admin-leaked")[-1] == "dead"


def test_a_control_that_is_refused_proves_nothing(bench: Bench) -> None:
    for name in ("apikey_leaked", "apikey_control"):
        bench.live.world.keys[name].refused_from = ORIGIN

    assert set(prove(bench, "leaked")) == {"unknown"}


# ---- people and records


def test_an_accepted_invite_is_answered_with_who_came_in(bench: Bench) -> None:
    with pytest.raises(ProviderError) as caught:
        DeleteInvite(invite="invite_taken").plan(bench.client())

    assert "ada@lumen.example" in caught.value.remedy


def test_use_is_told_by_the_hour_and_never_too_early(bench: Bench) -> None:
    bench.live.clock.move(25 * 60)
    found = facts(bench, on(bench, UsedKey, since=ORIGIN - timedelta(hours=2, minutes=30)))

    assert (found["count"], found["foreign"]) == (2, 1)
    assert found["uses"][0]["what"] == "900 tokens in this hour"
    assert [one["since"] for one in found["missing"]] == [ORIGIN.isoformat()]


def test_anthropic_names_no_retention_so_no_hour_has_an_age(bench: Bench) -> None:
    outcome = on(bench, UsedKey, since=ORIGIN).read(bench.client())

    assert outcome.facts["count"]
    assert ("", "") == (outcome.facts["kept_since"], outcome.facts["kept_until"])
    assert [None] == [one.kept_until for one in outcome.evidence]


def test_a_report_that_was_not_narrowed_is_narrowed_here(bench: Bench) -> None:
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: real(replace(seen, target=seen.target.replace("api_key_ids", "ignored")))

    found = facts(bench, on(bench, UsedKey, since=ORIGIN))["uses"]
    assert {one["what"] for one in found} == {"900 tokens in this hour", "12 tokens in this hour"}


def test_the_other_keys_of_the_maker_are_doors_until_they_are_archived(bench: Bench) -> None:
    bench.live.world.keys["apikey_sibling"].status = "inactive"
    assert facts(bench, on(bench, DoorsOfMaker))["unresolved"] == ["apikey_sibling"]
    bench.live.world.keys["apikey_sibling"].status = "archived"

    assert facts(bench, on(bench, DoorsOfMaker))["unresolved"] == []


def test_we_are_the_organisation_that_anthropic_names(bench: Bench) -> None:
    assert PROVIDER.identify(bench.client()).account == ACCOUNT


def test_our_key_is_never_presented_as_a_bearer(bench: Bench) -> None:
    on(bench, InspectKey).read(bench.client())

    assert not [seen for seen in bench.live.gate.seen if "authorization" in seen.headers]
    assert {seen.headers["anthropic-version"] for seen in bench.live.gate.seen} == {"2023-06-01"}


def test_only_loopback_is_asked_without_encryption() -> None:
    with pytest.raises(ValueError, match="https"):
        Options(base_url="http://api.anthropic.example")
