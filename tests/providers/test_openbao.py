"""Tokens, secret ids, leases and the versioned store, against the drill's OpenBao."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cases.common import ORIGIN
from cases.openbao import (
    CONSUMER,
    LEASES,
    by_accessor,
    by_value,
    delivered,
    lease,
    on,
    rotated,
    secret_id,
    token,
    with_old_versions,
)
from provider_bench import bench_of
from pydantic import ValidationError

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, OutcomeUnknown, ProviderError
from responder.providers.openbao import PROVIDER
from responder.providers.openbao.client import Options
from responder.providers.openbao.credentials import (
    EndRoleSessions,
    InspectCredential,
    ListSessions,
    OpenDoors,
    RevokeCredential,
)
from responder.providers.openbao.databases import RotateStaticRole
from responder.providers.openbao.issuing import IssueCredential
from responder.providers.openbao.leases import RevokeLease, RevokePrefix
from responder.providers.openbao.proof import ProveCredentialDead
from responder.providers.openbao.storing import DeliverToStore, DestroyOldVersions, seen_place
from responder.settings import Holder
from responder.testing.bench import Bench
from responder.testing.loopback import Reply


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("openbao") as made:
        yield made


def made(bench: Bench, make: Any) -> Any:
    return make(bench.live, bench.secret)


def applied(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    return action.apply(bench.client(may_write=True), change)


def answering(bench: Bench, path: str, reply: Reply) -> None:
    """Let the server answer this at one path, and itself everywhere else."""
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: reply if seen.path.endswith(path) else real(seen)


def proven(bench: Bench, subject: Subject, looks: int = 4) -> list[str]:
    history: list[Observed] = []
    for _ in range(looks):
        look = ProveCredentialDead(subject=subject).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        bench.live.clock.move(look.wait)
    return [look.verdict for look in history]


def new_token(bench: Bench, label: str, policies: tuple[str, ...] = ("default",), **more: Any) -> Subject:
    accessor = bench.live.world.bao.add_token(label, policies, **more)
    return Subject(id=label, key_id=accessor, value=bench.secret(bench.live.value(label)))


def test_nothing_is_offered_that_the_server_cannot_do() -> None:
    offered = {action.verb for action in PROVIDER.actions if hasattr(action, "verb")}

    assert offered == {
        "inspect", "revoke", "sessions", "end_sessions", "doors", "prove_dead", "issue", "deliver",
    }  # fmt: skip


def test_we_are_known_by_the_clusters_id_and_our_tokens_accessor(bench: Bench) -> None:
    found = PROVIDER.identify(bench.client())

    assert (found.account, found.key_id) == (bench.live.account, bench.live.world.ids["bao-admin"])


def test_every_value_goes_out_in_a_body_or_a_header_never_in_an_address(bench: Bench) -> None:
    for make in (on(token, InspectCredential), on(secret_id, InspectCredential)):
        made(bench, make).read(bench.client())
    ProveCredentialDead(subject=token(bench.live, bench.secret)).observe(bench.client(), [])

    assert not [one for one in bench.live.gate.seen if any(value in one.target for value in bench.values)]


# ---- what a token is


def test_inspect_tells_reach_and_tree_of_a_token_and_no_use_is_spent(bench: Bench) -> None:
    subject = new_token(bench, "twice", ("default", "deploy"), uses=2)
    facts = InspectCredential(subject=subject).read(bench.client()).facts

    assert (facts["state"], facts["reach"], facts["num_uses"]) == ("live", ["default", "deploy"], 2)
    assert facts["orphan"] is True


def test_a_token_is_dead_only_when_the_server_calls_it_bad(bench: Bench) -> None:
    action = made(bench, on(by_value, InspectCredential))
    answering(bench, "/token/lookup", Reply(403, {"errors": ["bad token"]}))
    assert action.read(bench.client()).facts["state"] == "dead"

    for text in ("permission denied", "1 error occurred:\n\t* permission denied\n\n"):
        answering(bench, "/token/lookup", Reply(403, {"errors": [text]}))
        with pytest.raises(Denied, match="refuses us"):
            action.read(bench.client())


def test_a_bad_request_is_no_death(bench: Bench) -> None:
    answering(bench, "/lookup-accessor", Reply(400, {"errors": ["missing accessor"]}))
    with pytest.raises(ProviderError, match="does not accept"):
        made(bench, on(by_accessor, InspectCredential)).read(bench.client())


def test_an_accessor_of_another_namespace_is_no_death(bench: Bench) -> None:
    told = "1 error occurred:\n\t* cannot lookup token in different namespace\n\n"
    answering(bench, "/lookup-accessor", Reply(500, {"errors": [told]}))
    with pytest.raises(ProviderError):
        made(bench, on(by_accessor, RevokeCredential)).plan(bench.client())


def test_value_and_accessor_of_two_tokens_are_refused(bench: Bench) -> None:
    subject = token(bench.live, bench.secret).model_copy(update={"key_id": bench.live.world.ids["other"]})
    with pytest.raises(ProviderError, match="not the same token"):
        RevokeCredential(subject=subject).plan(bench.client())


def test_a_dead_value_and_a_live_accessor_are_two_tokens_as_well(bench: Bench) -> None:
    bench.live.world.end("leaked")
    subject = token(bench.live, bench.secret).model_copy(update={"key_id": bench.live.world.ids["other"]})
    with pytest.raises(ProviderError, match="the value is dead"):
        RevokeCredential(subject=subject).plan(bench.client())


# ---- ending it


def test_a_token_takes_its_children_with_it_at_once_and_their_leases_by_a_queue(bench: Bench) -> None:
    world = bench.live.world
    of_child = world.bao.add_lease("database/creds/web", holder=world.ids["leaked-child"])
    outcome = applied(bench, made(bench, on(token, RevokeCredential)))

    assert outcome.facts["status"] == 204
    assert [world.bao.accepts(label) for label in ("leaked", "leaked-child", "other")] == [False, False, True]
    assert of_child in world.bao.live_leases()  # it is queued
    bench.live.clock.move(5.0)
    assert of_child not in world.bao.live_leases()


def test_the_plan_says_that_children_and_leases_end(bench: Bench) -> None:
    change = made(bench, on(token, RevokeCredential)).plan(bench.client())

    assert "child tokens end with it" in change.breaks
    assert "lease" in change.breaks
    assert "our own token" not in change.breaks


def test_a_parent_of_our_own_token_is_warned_of(bench: Bench) -> None:
    bench.live.world.bao.add_token("ours", ("root",), parent=bench.live.world.ids["leaked"])
    bench.live.secret = bench.live.value("ours")

    assert "our own token has a parent" in made(bench, on(token, RevokeCredential)).plan(bench.client()).breaks


def test_a_status_of_success_on_nothing_is_not_believed(bench: Bench) -> None:
    action = made(bench, on(by_accessor, RevokeCredential))
    change = action.plan(bench.client())
    answering(bench, "/revoke-accessor", Reply(200, {"warnings": ["No token found with this accessor"]}))
    action.apply(bench.client(may_write=True), change)

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD


def test_a_batch_token_cannot_be_revoked_and_the_plan_says_so(bench: Bench) -> None:
    subject = new_token(bench, "batch", kind="batch").model_copy(update={"key_id": ""})
    with pytest.raises(ProviderError, match="batch token") as caught:
        RevokeCredential(subject=subject).plan(bench.client())

    assert "parent" in caught.value.remedy


def test_a_secret_id_ends_alone_its_role_and_its_tokens_go_on(bench: Bench) -> None:
    applied(bench, made(bench, on(secret_id, RevokeCredential)))
    bao = bench.live.world.bao

    assert [bao.accepts(one) for one in ("leaked-secret-id", "other-secret-id", "opened")] == [False, True, True]


def test_a_secret_id_of_a_role_that_is_gone_is_gone(bench: Bench) -> None:
    del bench.live.world.bao.roles.policies["web"]

    assert made(bench, on(secret_id, InspectCredential)).read(bench.client()).facts["state"] == "dead"
    assert isinstance(made(bench, on(secret_id, RevokeCredential)).plan(bench.client()), Unchanged)


def test_a_failure_of_another_kind_is_no_missing_role(bench: Bench) -> None:
    answering(bench, "/secret-id-accessor/lookup", Reply(500, {"errors": ["storage is away"]}))
    with pytest.raises(ProviderError):
        made(bench, on(secret_id, RevokeCredential)).plan(bench.client())


def test_a_secret_id_that_was_destroyed_meanwhile_answers_500_and_reading_back_tells(bench: Bench) -> None:
    action = made(bench, on(secret_id, RevokeCredential))
    change = action.plan(bench.client())
    bench.live.world.end("leaked-secret-id")
    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)

    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_a_lease_is_revoked_and_waited_for(bench: Bench) -> None:
    for action in (
        made(bench, on(lease, RevokeCredential)),
        RevokeLease(lease_id=bench.live.world.ids["lease-1"]),
    ):
        applied(bench, action)

    assert [one.json()["sync"] for one in bench.live.gate.effective] == [True, True]
    assert bench.live.world.bao.live_leases() == []


@pytest.mark.parametrize("key_id", ["approle:web", "approle:web/x#1", "approle:#1"])
def test_an_id_that_names_no_secret_id_is_refused(bench: Bench, key_id: str) -> None:
    with pytest.raises(ProviderError, match="names no secret id"):
        RevokeCredential(subject=Subject(key_id=key_id)).plan(bench.client())


def test_nobody_knows_which_token(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="Nobody knows"):
        RevokeCredential(subject=Subject(id="deploy")).plan(bench.client())


# ---- proof


def test_a_live_token_is_alive_and_a_revoked_one_is_proven_dead(bench: Bench) -> None:
    subject = token(bench.live, bench.secret)
    assert set(proven(bench, subject)) == {"alive"}
    applied(bench, RevokeCredential(subject=subject))

    assert proven(bench, subject) == ["refused", "refused", "refused", "dead"]


def test_a_token_that_works_on_for_a_while_is_alive_for_a_while(bench: Bench) -> None:
    bench.live.world.bao.tokens.propagation = 3.0
    subject = token(bench.live, bench.secret)
    applied(bench, RevokeCredential(subject=subject))

    assert proven(bench, subject, 6) == ["alive", "alive", "refused", "refused", "refused", "dead"]


def test_a_token_that_may_not_ask_who_it_is_is_not_dead(bench: Bench) -> None:
    subject = new_token(bench, "mute", ("deploy",))
    look = ProveCredentialDead(subject=subject).observe(bench.client(), [])

    assert look.facts["surfaces"] == {"lookup-self": "unknown", "lookup": "accepted"}
    assert look.verdict == "alive"


def test_a_refusal_by_address_is_not_death(bench: Bench) -> None:
    answering(bench, "/lookup-self", Reply(403, {"errors": ["permission denied"]}))
    look = ProveCredentialDead(subject=token(bench.live, bench.secret)).observe(bench.client(), [])

    assert look.verdict == "alive"


def test_the_words_of_the_other_maker_count_as_a_refusal(bench: Bench) -> None:
    bench.live.world.end("leaked")
    text = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
    real = bench.live.gate._answer
    leaked = bench.live.value("leaked")
    bench.live.gate._answer = lambda seen: (
        Reply(403, {"errors": [text]}) if seen.headers.get("x-vault-token") == leaked else real(seen)
    )
    look = ProveCredentialDead(subject=token(bench.live, bench.secret)).observe(bench.client(), [])

    assert look.facts["surfaces"] == {"lookup-self": "refused", "lookup": "refused"}


@pytest.mark.parametrize("status", [400, 404, 429, 473, 500, 503])
def test_nothing_else_is_a_refusal(bench: Bench, status: int) -> None:
    bench.live.world.end("leaked")
    answering(bench, "/lookup", Reply(status, {"errors": ["bad luck"]}))
    look = ProveCredentialDead(subject=token(bench.live, bench.secret)).observe(bench.client(), [])

    assert look.verdict == "unknown"


def test_without_a_control_that_works_nothing_is_proven(bench: Bench) -> None:
    bench.live.world.end("leaked")
    bench.live.world.end("bao-control")

    assert proven(bench, token(bench.live, bench.secret), 2) == ["unknown", "unknown"]


def test_a_secret_id_is_never_tried_at_the_login(bench: Bench) -> None:
    bench.live.control = bench.live.value("other-secret-id")
    proven(bench, secret_id(bench.live, bench.secret), 2)

    assert not [one for one in bench.live.gate.seen if one.path.endswith("/login")]
    assert bench.live.writes() == 0


def test_sessions_of_a_secret_id_keep_it_from_being_dead_and_later_logins_do_not(bench: Bench) -> None:
    bench.live.control = bench.live.value("other-secret-id")
    subject = secret_id(bench.live, bench.secret)
    applied(bench, RevokeCredential(subject=subject))
    assert set(proven(bench, subject, 2)) == {"sessions open"}

    applied(bench, EndRoleSessions(subject=subject))
    history: list[Observed] = []
    for number in range(4):
        look = ProveCredentialDead(subject=subject).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        bench.live.clock.move(look.wait)
        bench.live.world.bao.roles.open(f"again-{number}", "other-secret-id")

    assert history[-1].verdict == "dead"


def test_what_was_leased_is_proven_dead_elsewhere(bench: Bench) -> None:
    subject = lease(bench.live, bench.secret).model_copy(update={"value": bench.secret("pass-" + "vQ8x" * 7)})
    with pytest.raises(ProviderError, match="accepted elsewhere"):
        ProveCredentialDead(subject=subject).observe(bench.client(), [])


# ---- sessions and doors


def test_what_a_live_token_opened_is_not_called_nothing(bench: Bench) -> None:
    facts = made(bench, on(token, ListSessions)).read(bench.client()).facts
    assert facts["open"] is None

    with pytest.raises(ProviderError, match="ends with it"):
        made(bench, on(token, EndRoleSessions)).plan(bench.client())
    bench.live.world.end("leaked")
    assert isinstance(made(bench, on(token, EndRoleSessions)).plan(bench.client()), Unchanged)


def test_tokens_of_other_roles_and_by_other_ways_are_no_sessions(bench: Bench) -> None:
    bao = bench.live.world.bao
    bao.roles.add("batch-job")
    bao.roles.add_secret_id("third", "batch-job")
    bao.roles.open("third-opened", "third")
    bao.add_token("same-words", meta={"role_name": "web"})
    facts = made(bench, on(secret_id, ListSessions)).read(bench.client()).facts

    assert facts["sessions"] == [bench.live.world.ids["opened"]]


def test_doors_of_a_token_are_those_of_its_entity(bench: Bench) -> None:
    bao = bench.live.world.bao
    bao.aliases["e-1"] = [{"id": "alias-1", "name": "ann", "mount_path": "auth/userpass/"}]
    subject = new_token(bench, "ann", entity="e-1")
    bench.live.clock.move(60)
    since = bench.live.clock.now()
    second = bao.add_token("ann-2", entity="e-1")
    facts = OpenDoors(subject=subject, since=since).read(bench.client()).facts

    assert facts["unresolved"] == [second, "alias-1"]
    assert second in facts["new"]
    assert facts["complete"] is True


def test_a_token_without_an_entity_has_doors_that_nobody_sees(bench: Bench) -> None:
    facts = made(bench, on(token, OpenDoors)).read(bench.client()).facts

    assert (facts["complete"], facts["doors"]) == (False, [])
    assert "no entity" in facts["unseen"][0]


def test_doors_of_a_secret_id_are_its_siblings_and_the_roles_tokens(bench: Bench) -> None:
    facts = made(bench, on(secret_id, OpenDoors)).read(bench.client()).facts

    assert facts["unresolved"] == [bench.live.world.ids["opened"], bench.live.world.ids["other-secret-id"]]


# ---- issuing


def test_a_new_token_has_what_was_asked_no_parent_and_our_mark(bench: Bench) -> None:
    action = IssueCredential(subject=token(bench.live, bench.secret), consumer=CONSUMER, scopes=("deploy",))
    issued = applied(bench, action).issued
    found = bench.live.world.bao.tokens.by_accessor(issued.key_id)

    assert (found.policies, found.parent) == (("deploy",), "")
    assert found.meta == {"responder": bench.client().access.marker}


def test_without_scopes_a_token_would_get_all_of_ours_and_is_refused(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="all of ours"):
        IssueCredential(subject=token(bench.live, bench.secret), consumer=CONSUMER).plan(bench.client())


def test_a_holder_cannot_claim_anything_here(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="claim"):
        IssueCredential(holder=Holder(id="h-1", name="Hal"), scopes=("x",)).plan(bench.client())


def test_the_orphan_of_a_lost_answer_ends_before_another_is_made(bench: Bench) -> None:
    action = IssueCredential(subject=token(bench.live, bench.secret), consumer=CONSUMER, scopes=("deploy",))
    orphan = applied(bench, action).issued.key_id  # as though its value had been lost
    change = action.plan(bench.client())
    assert orphan in change.before

    issued = action.apply(bench.client(may_write=True), change).issued
    tokens = bench.live.world.bao.tokens
    assert (tokens.by_accessor(orphan), tokens.by_accessor(issued.key_id) is not None) == (None, True)
    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_another_steps_token_is_no_orphan_of_ours(bench: Bench) -> None:
    bench.live.world.bao.add_token("theirs", meta={"responder": bench.client().access.marker + "x"})
    action = IssueCredential(subject=token(bench.live, bench.secret), consumer=CONSUMER, scopes=("deploy",))

    assert not action.plan(bench.client()).preconditions


# ---- the store


def test_only_the_one_field_is_written(bench: Bench) -> None:
    applied(bench, made(bench, delivered))
    newest = bench.live.world.bao.store.kept["app/db"].newest

    assert newest.data["user"] == "app"
    assert newest.data["password"] == bench.values[-1]


def test_what_others_keep_in_the_metadata_stays(bench: Bench) -> None:
    kept = bench.live.world.bao.store.kept["app/db"]
    kept.custom = {"owner": "team-web"}
    applied(bench, made(bench, delivered))

    assert kept.custom["owner"] == "team-web"
    assert re.search(r" v2$", kept.custom["responder-password"])


def test_somebody_elses_version_in_between_is_not_overwritten(bench: Bench) -> None:
    action = made(bench, delivered)
    change = action.plan(bench.client())
    real = bench.live.gate._answer

    def meanwhile(seen: Any) -> Reply:
        if seen.method == "PATCH" and "/data/" in seen.path:
            bench.live.world.write("app/db", {"password": "theirs"})
        return real(seen)

    bench.live.gate._answer = meanwhile
    with pytest.raises(ProviderError):
        action.apply(bench.client(may_write=True), change)

    assert bench.live.world.bao.store.kept["app/db"].newest.data == {"password": "theirs"}


def test_a_newer_version_than_ours_is_not_taken_for_ours(bench: Bench) -> None:
    action = made(bench, delivered)
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    bench.live.world.write("app/db", {"password": "back to the old one"})

    assert action.verify(bench.client(), change) is Verdict.DOES_NOT_HOLD
    assert isinstance(action.plan(bench.client()), Change)


def test_a_deleted_newest_version_is_followed_by_a_new_one(bench: Bench) -> None:
    bench.live.world.bao.store.kept["app/db"].versions[-1].deleted = "2026-05-02T08:00:00Z"
    action = made(bench, delivered)
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)

    assert change.before == "absent"
    assert action.verify(bench.client(), change) is Verdict.HOLDS


def test_a_version_that_is_to_expire_is_there_and_its_other_fields_stay(bench: Bench) -> None:
    kept = bench.live.world.bao.store.kept["app/db"]
    kept.versions[-1].deleted = (bench.live.clock.now() + timedelta(hours=1)).isoformat()
    action = made(bench, delivered)
    assert action.plan(bench.client()).before == "version 1"
    applied(bench, action)

    assert kept.newest.data["user"] == "app"


def test_a_value_that_was_written_and_not_marked_is_unknown(bench: Bench) -> None:
    action = made(bench, delivered)
    change = action.plan(bench.client())
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: (
        Reply(403, {"errors": ["permission denied"]})
        if seen.method == "PATCH" and "/metadata/" in seen.path
        else real(seen)
    )
    with pytest.raises(OutcomeUnknown) as caught:
        action.apply(bench.client(may_write=True), change)

    assert "patch on MOUNT/metadata/PATH" in caught.value.remedy


@pytest.mark.parametrize(
    ("secret", "says"),
    [("secret/app/db", "names no secret"), ("app#password", "names no secret"), ("other/app#password", "refuses us")],
)
def test_a_place_that_is_none_is_refused(bench: Bench, secret: str, says: str) -> None:
    consumer = CONSUMER.model_copy(update={"secret": secret})
    with pytest.raises(ProviderError, match=says):
        DeliverToStore(consumer=consumer, value=bench.secret("v" * 20)).plan(bench.client())


def test_a_store_without_versions_is_refused(bench: Bench) -> None:
    one = {"data": {"path": "secret/", "type": "kv", "options": {"version": "1"}}}
    answering(bench, "/sys/internal/ui/mounts/secret/app/db", Reply(200, one))
    with pytest.raises(ProviderError, match="version 2"):
        made(bench, delivered).plan(bench.client())


def test_a_place_is_looked_at_without_its_value(bench: Bench) -> None:
    assert seen_place(bench.client(), CONSUMER.secret).exists is True
    assert seen_place(bench.client(), "secret/none#password").exists is False
    assert not [one for one in bench.live.gate.seen if "/data/" in one.path]


def test_old_versions_are_destroyed_and_the_newest_stays(bench: Bench) -> None:
    action = made(bench, with_old_versions)
    applied(bench, action)
    versions = bench.live.world.bao.store.kept["app/db"].versions

    assert [one.destroyed for one in versions] == [True, True, False]


def test_a_newest_version_that_we_did_not_deliver_is_named_for_a_look(bench: Bench) -> None:
    action = made(bench, with_old_versions)
    assert "not of our delivery" in action.plan(bench.client()).breaks
    applied(bench, made(bench, delivered))

    assert "not of our delivery" not in action.plan(bench.client()).breaks


def test_a_deleted_version_can_be_undeleted_and_is_destroyed_too(bench: Bench) -> None:
    action = made(bench, with_old_versions)
    bench.live.world.bao.store.kept["app/db"].versions[0].deleted = "2026-05-02T08:00:00Z"

    assert action.plan(bench.client()).preconditions == {"versions": "1 2"}


def test_only_the_versions_that_were_agreed_on_are_destroyed(bench: Bench) -> None:
    action = made(bench, with_old_versions)
    change = action.plan(bench.client())
    bench.live.world.write("app/db", {"password": "four"})
    action.apply(bench.client(may_write=True), change)
    versions = bench.live.world.bao.store.kept["app/db"].versions

    assert [one.destroyed for one in versions] == [True, True, False, False]
    assert change.digest("a", "b", action.effect) != action.plan(bench.client()).digest("a", "b", action.effect)


def test_nothing_is_destroyed_while_the_newest_is_deleted(bench: Bench) -> None:
    action = made(bench, with_old_versions)
    bench.live.world.bao.store.kept["app/db"].versions[-1].deleted = "2026-05-02T08:00:00Z"
    with pytest.raises(ProviderError, match="nothing readable would be left"):
        action.plan(bench.client())


def test_no_secret_has_no_old_versions(bench: Bench) -> None:
    assert isinstance(DestroyOldVersions(secret="secret/none").plan(bench.client()), Unchanged)


# ---- leases and databases


def test_the_plan_counts_the_leases_below_a_path_folders_too(bench: Bench) -> None:
    bench.live.world.bao.add_lease(f"{LEASES}/deeper")

    assert RevokePrefix(prefix=LEASES).plan(bench.client()).before == "3 live"


@pytest.mark.parametrize("prefix", ["auth/token/create", "auth/approle"])
def test_everybodys_tokens_are_no_leases_to_sweep(bench: Bench, prefix: str) -> None:
    with pytest.raises(ProviderError, match="more than one incident"):
        RevokePrefix(prefix=prefix).plan(bench.client())


@pytest.mark.parametrize("prefix", ["database", "database/", "/database/creds", "a/b?c", "a//b"])
def test_a_prefix_cannot_take_a_whole_mount_or_lead_elsewhere(prefix: str) -> None:
    with pytest.raises(ValidationError):
        RevokePrefix(prefix=prefix)


@pytest.mark.parametrize(
    "action",
    [
        RevokePrefix(prefix="a/../b"),
        RevokePrefix(prefix="database/.."),
        DestroyOldVersions(secret="secret/../sys/x"),
        RotateStaticRole(role="..", since=ORIGIN),
        InspectCredential(subject=Subject(key_id="approle:..#1")),
    ],
)
def test_a_path_cannot_climb(bench: Bench, action: Any) -> None:
    with pytest.raises(ProviderError, match="no path"):
        (getattr(action, "plan", None) or action.read)(bench.client())

    assert not bench.live.gate.seen


def test_a_rotation_by_the_servers_own_schedule_counts(bench: Bench) -> None:
    action = made(bench, rotated)
    assert isinstance(action.plan(bench.client()), Change)
    bench.live.world.bao.static_roles["app"].rotated_at = bench.live.clock.now()

    assert isinstance(action.plan(bench.client()), Unchanged)


def test_a_password_is_not_rotated_twice_after_a_lost_answer(bench: Bench) -> None:
    action = made(bench, rotated)
    applied(bench, action)

    assert isinstance(action.plan(bench.client()), Unchanged)
    assert len(bench.live.world.bao.static_roles["app"].rotations) == 1


def test_a_rotation_after_a_moment_to_come_is_refused(bench: Bench) -> None:
    later = bench.live.clock.now() + timedelta(seconds=5)
    with pytest.raises(ProviderError, match="to come"):
        RotateStaticRole(role="app", since=later).plan(bench.client())


# ---- the connection


@pytest.mark.parametrize("url", ["http://bao.example:8200", "ftp://127.0.0.1", "bao.example"])
def test_the_address_is_https_or_loopback(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        Options(base_url=url)


def test_a_namespace_goes_with_every_request_and_is_part_of_the_account(bench: Bench) -> None:
    bench.live.world.bao.namespace = "team"
    bench.live.connection = bench.live.connection.model_copy(update={"namespace": "/team/"})
    assert PROVIDER.identify(bench.client()).account == f"{bench.live.world.bao.cluster_id}/team"

    assert made(bench, on(token, InspectCredential)).read(bench.client()).facts["state"] == "live"


def test_what_our_token_lacks_is_told(bench: Bench) -> None:
    asked = ["update on auth/token/lookup", "list and sudo on auth/token/accessors/", "update on a/role/ROLE/x", "none"]
    assert PROVIDER.lacking is not None
    assert list(PROVIDER.lacking(bench.client(), asked)) == []
    bench.live.secret = bench.live.value("other")

    assert list(PROVIDER.lacking(bench.client(), asked)) == asked[:2]


def test_the_keys_of_the_account_are_listed(bench: Bench) -> None:
    assert PROVIDER.keys is not None
    found = {one.key_id: one.state for one in PROVIDER.keys(bench.client())}

    assert found[bench.live.world.ids["leaked"]] == "live"
    assert set(found.values()) == {"live"}


def test_tokens_are_found_in_text_and_ordinary_words_are_not() -> None:
    shape = re.compile(PROVIDER.shape(None))
    for value in ("hvs." + "Ab1_" * 8, "s." + "Ab12" * 6, "s." + "Ab12" * 6 + ".PXs5t4", "b." + "AAAA" * 30):
        assert shape.fullmatch(value)
        assert shape.search(f"token={value}\n")

    assert not shape.search("s.split('.') and classes.AbstractBaseRepositoryFactory2")


def test_by_hand_there_is_a_command_for_each_kind() -> None:
    options = Options(base_url="https://bao.example:8200")
    told = [RevokeCredential.by_hand(options, one) for one in ("acc", "approle:web#1-2", "database/creds/web/x")]

    assert "token revoke -accessor acc" in told[0]
    assert "role/web/secret-id-accessor/destroy secret_id_accessor=1-2" in told[1]
    assert "lease revoke -sync database/creds/web/x" in told[2]
