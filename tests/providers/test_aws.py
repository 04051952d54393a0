"""AWS keys, sessions, doors and stores, against the drill's AWS."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from cases.aws import (
    CASE,
    CONTROL,
    LEAKED,
    SITE,
    USER,
    WORKER,
    a_use,
    an_account,
    another_key,
    delivered,
    fenced,
    inactive,
    leaked,
    on_key,
    operation,
    the_key,
    traced,
    with_session,
)
from cases.common import connection

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.drill.world.aws.account import key_id
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.aws import sending
from responder.providers.aws.doors import DeleteAccessKey, DeleteUserPolicy, DetachUserPolicy, ListDoors
from responder.providers.aws.ending import DisableKey, EnableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.aws.fencing import FenceUser, LiftFence, ProveUserFenced
from responder.providers.aws.issuing import IssueKey
from responder.providers.aws.pair import account_in, key_id_in, pair_of
from responder.providers.aws.sessions import EndUserSessions, ListSessions
from responder.providers.aws.storing import DeliverSecret, TestUse
from responder.providers.aws.tracing import ReadUses
from responder.redaction import Secret
from responder.settings import Consumer
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen


@contextmanager
def a_bench(**options: Any) -> Iterator[Bench]:
    with an_account(**options) as live:
        made = Bench(CASE.provider, live)
        try:
            yield made
        finally:
            made.transport.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with a_bench() as made:
        yield made


def act(bench: Bench, kind: type[Any], **fields: Any) -> Any:
    return on_key(kind, **fields)(bench.live, bench.secret)


def done(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    return action.apply(bench.client(may_write=True), change)


def aws(bench: Bench) -> Any:
    return bench.live.world


def asked(bench: Bench) -> list[str]:
    return [operation(seen) for seen in bench.live.gate.seen]


def answering(bench: Bench, name: str, reply: Reply) -> None:
    """Answer one operation otherwise from now on."""
    plain = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: reply if operation(seen) == name else plain(seen)


def error(status: int, code: str, message: str = "no") -> Reply:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Reply(status, body, {"Content-Type": "text/xml"})


# ---- how it is asked


def test_nothing_of_boto_is_loaded_before_it_is_used() -> None:
    told = "import sys, responder.providers.aws; sys.exit(any(m.startswith(('boto', 's3tr')) for m in sys.modules))"

    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


def test_every_request_names_run_and_step(bench: Bench) -> None:
    act(bench, InspectKey).read(bench.client())

    assert {seen.headers["user-agent"].split("/")[0] for seen in bench.live.gate.seen} == {"responder"}


def test_neither_the_environment_nor_files_are_read(bench: Bench, monkeypatch: Any, tmp_path: Any) -> None:
    (tmp_path / "config").write_text("[default]\nregion = ap-south-1\nendpoint_url = http://127.0.0.1:1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA" + "E" * 16)
    sending._session.cache_clear()
    wire = bench.client().access.wire
    pair = pair_of(wire, bench.secret(bench.live.value(LEAKED)), "It")
    made = sending.talker(wire, "sts", "eu-west-1", pair, "")
    session = sending._session()
    known = [session.get_config_variable(name) for name in ("region", "profile", "ca_bundle")]

    assert made.meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"
    assert (known, session.full_config["profiles"]) == ([None, None, None], {})


def test_a_write_whose_answer_is_lost_is_sent_once(bench: Bench) -> None:
    action = act(bench, DisableKey)
    change = action.plan(bench.client())
    answering(bench, "UpdateAccessKey", Reply(500, "oops"))

    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)

    assert asked(bench).count("UpdateAccessKey") == 1


def test_a_read_that_fails_is_not_tried_again_by_the_library(bench: Bench) -> None:
    answering(bench, "ListUsers", Reply(503, "oops"))
    with pytest.raises(Unavailable):
        list(bench.provider.keys(bench.client()))  # type: ignore[misc]

    assert asked(bench).count("ListUsers") == 1


def test_an_answer_that_is_no_xml_leaves_a_write_unknown(bench: Bench) -> None:
    action = act(bench, DisableKey)
    change = action.plan(bench.client())
    answering(bench, "UpdateAccessKey", Reply(200, "<html>hello"))

    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)


def test_throttling_says_that_it_may_be_tried_again(bench: Bench) -> None:
    action = act(bench, DisableKey)
    change = action.plan(bench.client())
    aws(bench).throttled = 1

    with pytest.raises(Unavailable):
        action.apply(bench.client(may_write=True), change)


def test_our_own_dead_key_is_told_as_such(bench: Bench) -> None:
    aws(bench).keys[bench.live.secret.partition(":")[0]].refused_from = aws(bench).now

    with pytest.raises(Denied, match="our own credential"):
        bench.provider.identify(bench.client())


def test_the_secret_of_a_new_key_stands_in_no_debug_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = done(bench, act(bench, IssueKey, consumer=SITE))
    value = aws(bench).ground.labels["aws-issued-1"]
    scrubbed = "\n".join(bench.sealer.redactor.scrub(record.getMessage()) for record in caplog.records)

    assert outcome.issued.value == bench.sealer.secret(value)
    assert value.partition(":")[2] not in scrubbed


# ---- the pair


@pytest.mark.parametrize(
    "form", ["{0}:{1}", ' {{"AccessKeyId": "{0}", "SecretAccessKey": "{1}"}}',
             '{{"aws_access_key_id": "{0}", "aws_secret_access_key": "{1}"}}'],
)  # fmt: skip
def test_a_pair_is_read_in_every_form_that_people_hand_it_on(bench: Bench, form: str) -> None:
    key_id, _, secret = bench.live.value(LEAKED).partition(":")
    value = form.format(key_id, secret)
    shown = bench.client().present("sts", "GetCallerIdentity", bench.secret(value))

    assert (key_id_in(value), shown.code) == (key_id, "")


def test_a_key_is_found_in_text_with_its_secret_and_without() -> None:
    key_id, secret = "AKIA" + "X" * 16, "sEc/" * 10
    shape = re.compile(CASE.provider.shape(CASE.provider.options()))
    found = [
        (match.group(), match["key_id"]) for match in shape.finditer(f"a={key_id}:{secret} b={key_id}\nc={key_id}X")
    ]

    assert found == [(f"{key_id}:{secret}", key_id), (key_id, key_id)]


@pytest.mark.parametrize("text", ["", "AKIA", "hf_" + "x" * 30, "[1]", '{"AccessKeyId": 3}', "x" * 40])
def test_what_is_no_pair_is_not_taken_for_one(bench: Bench, text: str) -> None:
    assert key_id_in(text) is None
    with pytest.raises(ProviderError, match="no access key"):
        bench.client().present("sts", "GetCallerIdentity", bench.sealer.secret(text or " "))


def test_half_of_a_pair_is_a_secret_by_itself(bench: Bench) -> None:
    bench.client().present("sts", "GetCallerIdentity", bench.secret(bench.live.value(LEAKED)))
    half = bench.live.value(LEAKED).partition(":")[2]

    assert half not in bench.sealer.redactor.scrub(f"secret {half}")


def test_a_key_id_tells_its_account_without_asking() -> None:
    with an_account() as live:
        assert account_in(the_key(live).id) == live.account
    assert account_in("AKIAI" + "A" * 15) == ""


# ---- inspecting


def test_inspect_tells_owner_reach_and_quarantine(bench: Bench) -> None:
    aws(bench).quarantine(USER)
    facts = act(bench, InspectKey).read(bench.client()).facts

    assert (facts["state"], facts["owner"], facts["account"]) == ("live", USER, bench.live.account)
    assert "s3:GetObject" in facts["reach"]
    assert "iam:CreateUser" not in facts["reach"]
    assert facts["quarantined"] == ["AWSCompromisedKeyQuarantineV3"]


def test_a_key_that_is_switched_off_is_disabled(bench: Bench) -> None:
    inactive(bench.live)

    assert act(bench, InspectKey).read(bench.client()).facts["state"] == "disabled"


def test_the_leaked_value_is_presented_only_where_iam_does_not_know_the_key(bench: Bench) -> None:
    act(bench, InspectKey).read(bench.client())
    leaked_id = the_key(bench.live).id

    assert not [seen for seen in bench.live.gate.seen if leaked_id in seen.headers["authorization"]]


def test_a_deleted_key_is_dead_when_sts_refuses_it_too(bench: Bench) -> None:
    done(bench, act(bench, RevokeKey))
    assert act(bench, InspectKey).read(bench.client()).facts["state"] == "live"
    bench.live.clock.move(10)

    assert act(bench, InspectKey).read(bench.client()).facts["state"] == "dead"


def no_value(bench: Bench, kind: type[Any], key_id: str = "") -> Any:
    return kind(subject=Subject(id="x", connection="aws", key_id=key_id or the_key(bench.live).id))


def test_a_key_that_nobody_has_is_not_gone_while_the_root_user_has_keys(bench: Bench) -> None:
    the_key(bench.live).deleted = True
    assert isinstance(no_value(bench, DisableKey).plan(bench.client()), Unchanged)
    aws(bench).root_has_keys = True

    for kind in (DisableKey, RevokeKey):
        with pytest.raises(ProviderError, match="root user"):
            no_value(bench, kind).plan(bench.client())
    with pytest.raises(ProviderError, match="root user"):
        no_value(bench, InspectKey).read(bench.client())


def test_a_key_of_another_account_is_not_called_gone(bench: Bench) -> None:
    foreign = key_id(7, "foreign", "AKIA", "222222222222")

    for kind in (DisableKey, RevokeKey):
        with pytest.raises(ProviderError, match="222222222222"):
            no_value(bench, kind, foreign).plan(bench.client())


def test_a_refusal_of_the_last_use_is_no_sign_that_a_key_is_gone(bench: Bench) -> None:
    answering(bench, "GetAccessKeyLastUsed", error(403, "AccessDenied"))
    found = act(bench, DisableKey).plan(bench.client())

    assert isinstance(found, Change)
    assert found.preconditions["user"] == USER


def test_the_search_ends_where_there_are_more_users_than_may_be_searched() -> None:
    with a_bench(most_users=2) as bench:
        the_key(bench.live).deleted = True
        with pytest.raises(ProviderError, match="first 2 users"):
            act(bench, RevokeKey).plan(bench.client())


def test_a_long_list_of_users_is_read_to_its_end(bench: Bench) -> None:
    for number in range(120):
        aws(bench).add_user(f"user-{number}")
    aws(bench).add_user("zoe")
    key = aws(bench).add_key("zoe", "zoe-key")
    answering(bench, "GetAccessKeyLastUsed", error(404, "NoSuchEntity"))

    assert no_value(bench, DisableKey, key.id).plan(bench.client()).preconditions["user"] == "zoe"


def test_a_temporary_key_cannot_be_switched_off(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="temporary"):
        no_value(bench, DisableKey, "ASIA" + "A" * 16).plan(bench.client())


# ---- ending


def test_disable_names_the_exact_key_and_is_taken_back_by_its_id(bench: Bench) -> None:
    action = act(bench, DisableKey)
    change = action.plan(bench.client())
    action.apply(bench.client(may_write=True), change)
    back = action.inverse(change)

    assert isinstance(back, EnableKey)
    assert (back.user, back.key_id) == (USER, the_key(bench.live).id)
    done(bench, back)
    assert aws(bench).accepts(LEAKED)


def test_a_second_deletion_is_done_only_because_the_list_says_so(bench: Bench) -> None:
    action = act(bench, RevokeKey)
    change = action.plan(bench.client())
    the_key(bench.live).deleted = True
    action.apply(bench.client(may_write=True), change)
    the_key(bench.live).deleted = False
    answering(bench, "DeleteAccessKey", error(404, "NoSuchEntity"))

    with pytest.raises(ProviderError):
        action.apply(bench.client(may_write=True), change)


def test_the_state_of_one_key_is_never_taken_for_that_of_another(bench: Bench) -> None:
    second = another_key(bench.live)
    inactive(bench.live)

    assert isinstance(act(bench, DisableKey).plan(bench.client()), Unchanged)
    assert isinstance(no_value(bench, DisableKey, second).plan(bench.client()), Change)


def test_deleting_the_key_leaves_the_second_one(bench: Bench) -> None:
    second = another_key(bench.live)
    done(bench, act(bench, RevokeKey))

    assert [key.id for key in aws(bench).keys_of(USER)] == [second]


# ---- proving


def look(bench: Bench, history: list[Observed], action: Any = None) -> Any:
    found = (action or act(bench, ProveKeyDead)).observe(bench.client(), history)
    history.append(Observed(bench.live.clock.now(), found.verdict, found.facts))
    return found


def test_death_takes_three_refusals_over_the_propagation_time(bench: Bench) -> None:
    history: list[Observed] = []
    done(bench, act(bench, DisableKey))
    assert look(bench, history).verdict == "alive"
    bench.live.clock.move(5)
    assert look(bench, history).verdict == "refused"
    bench.live.clock.move(8)
    assert look(bench, history).verdict == "refused"
    bench.live.clock.move(8)

    assert (look(bench, history).verdict, history[-1].facts["sessions"]) == ("dead", 0)


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "Throttling", "Forbidden"])
def test_only_a_key_that_sts_does_not_know_is_dead(bench: Bench, code: str) -> None:
    leaked_id = the_key(bench.live).id
    plain = bench.live.gate._answer

    def answer(seen: Seen) -> Reply:
        return error(403, code) if leaked_id in seen.headers["authorization"] else plain(seen)

    bench.live.gate._answer = answer

    assert look(bench, []).verdict == "unknown"


def test_a_page_of_a_proxy_proves_nothing(bench: Bench) -> None:
    answering(bench, "GetCallerIdentity", Reply(403, "<html>Blocked", {"Content-Type": "text/html"}))

    assert look(bench, []).verdict == "unknown"


def test_without_a_control_nothing_is_proven(bench: Bench) -> None:
    inactive(bench.live)
    bench.live.clock.move(5)
    bench.live.control = None

    assert look(bench, []).verdict == "unknown"


def test_a_deny_policy_and_a_quarantine_are_no_death(bench: Bench) -> None:
    done(bench, act(bench, FenceUser))
    aws(bench).quarantine(USER)
    bench.live.clock.move(600)

    assert look(bench, []).verdict == "alive"


def test_a_temporary_key_without_its_token_proves_nothing(bench: Bench) -> None:
    session = aws(bench).open_session(the_key(bench.live), aws(bench).users[USER], "x")
    value = bench.secret(f"{session.id}:{session.secret}")

    assert act(bench, ProveKeyDead).present(bench.client(), "sts", value) == "unknown"


def test_a_temporary_key_with_its_token_lives_until_it_expires(bench: Bench) -> None:
    session = aws(bench).open_session(the_key(bench.live), aws(bench).users[USER], "x")
    value = bench.secret(f"{session.id}:{session.secret}:{session.token}")
    action = act(bench, ProveKeyDead)
    assert action.present(bench.client(), "sts", value) == "accepted"
    bench.live.clock.move(13 * 3600)

    assert action.present(bench.client(), "sts", value) == "refused"


def test_open_sessions_hold_death_back_until_they_are_ended(bench: Bench) -> None:
    with_session(bench.live)
    inactive(bench.live)
    bench.live.clock.move(5)
    assert look(bench, []).verdict == "sessions open"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("responder.providers.aws.sessions.time_of", lambda _: aws(bench).now + timedelta(minutes=1))
        done(bench, act(bench, EndUserSessions))
    bench.live.clock.move(16 * 60)

    assert look(bench, []).verdict == "refused"


def test_where_cloudtrail_is_refused_the_sessions_are_unknown(bench: Bench) -> None:
    inactive(bench.live)
    bench.live.clock.move(5)
    answering(bench, "LookupEvents", Reply(400, {"__type": "AccessDeniedException", "message": "no"}))

    assert look(bench, []).verdict == "unknown"


def test_without_cloudtrail_sessions_are_none_once_user_and_roles_were_cut_off() -> None:
    with a_bench(cloudtrail=False) as bench:
        inactive(bench.live)
        bench.live.clock.move(5)
        assert look(bench, []).verdict == "unknown"
        done(bench, act(bench, EndUserSessions))

        assert look(bench, []).verdict == "refused"
        assert "responder-end-sessions" in aws(bench).roles["release"].inline.listed
        assert "responder-end-sessions" not in aws(bench).roles["elsewhere"].inline.listed
        offered = bench.provider.offers(bench.client().options)  # type: ignore[misc]
        assert {"sessions", "used", "consumers"}.isdisjoint(offered)
        assert {"prove_dead", "end_sessions"} <= offered


# ---- fencing


def test_the_fence_denies_outsiders_and_lets_the_named_networks_through(bench: Bench) -> None:
    done(bench, act(bench, FenceUser, allow=("198.51.100.0/24",)))
    key = the_key(bench.live)
    bench.live.clock.move(60)
    decided = aws(bench).decided

    assert decided(key, "s3:GetObject", **{"aws:SourceIp": "203.0.113.9"}) == "explicitDeny"
    assert decided(key, "s3:GetObject", **{"aws:SourceIp": "198.51.100.9"}) == "allowed"
    aside = {"aws:SourceIp": "203.0.113.9", "aws:ViaAWSService": "true"}
    assert decided(key, "s3:GetObject", **aside) == "allowed"


def test_a_fence_without_networks_denies_everybody(bench: Bench) -> None:
    done(bench, act(bench, FenceUser))
    bench.live.clock.move(60)

    assert aws(bench).decided(the_key(bench.live), "s3:GetObject") == "explicitDeny"


def test_a_fence_is_proven_by_an_explicit_deny_alone(bench: Bench) -> None:
    action, history = act(bench, ProveUserFenced, consumers=(SITE,)), []
    assert look(bench, history, action).verdict == "open"
    no_such_right = error(403, "AccessDenied", "because no identity-based policy allows the iam:GetUser action")
    answering(bench, "GetUser", no_such_right)
    action = act(bench, ProveUserFenced)

    assert look(bench, history, action).verdict == "unknown"


def test_a_fence_is_proven_over_its_propagation_time(bench: Bench) -> None:
    done(bench, act(bench, FenceUser, allow=("198.51.100.0/24",)))
    action, history = act(bench, ProveUserFenced, consumers=(SITE,)), []
    assert look(bench, history, action).verdict == "open"
    for _ in range(4):
        bench.live.clock.move(15)
        look(bench, history, action)

    assert [seen.verdict for seen in history] == ["open", "open", "refused", "refused", "fenced"]


def test_a_fence_that_stops_a_consumer_says_whom(bench: Bench) -> None:
    done(bench, act(bench, FenceUser, allow=("203.0.113.0/24",)))
    bench.live.clock.move(60)
    stopped = look(bench, [], act(bench, ProveUserFenced, consumers=(SITE,)))

    assert stopped.facts["newly_refused"] == ["site"] or stopped.verdict == "open"
    assert act(bench, ProveUserFenced).path(bench.client(), SITE) == "refused"


def test_a_consumer_whose_network_nobody_knows_cannot_be_tried(bench: Bench) -> None:
    consumer = Consumer(id="x", connection="aws", secret="ssm:/x", seen_as=("curl/8",))

    assert act(bench, ProveUserFenced).path(bench.client(), consumer) == "unknown"


def test_our_own_user_is_never_fenced_nor_cut_off(bench: Bench) -> None:
    second = aws(bench).add_key("responder", "aws-admin-2")
    for kind in (FenceUser, EndUserSessions):
        with pytest.raises(ProviderError, match="our own"):
            no_value(bench, kind, second.id).plan(bench.client())


def test_lifting_the_fence_leaves_every_other_policy(bench: Bench) -> None:
    fenced(bench.live)
    aws(bench).quarantine(USER)
    done(bench, LiftFence(user=USER))

    assert list(aws(bench).users[USER].inline.listed) == ["extra"]
    assert "AWSCompromisedKeyQuarantineV3" in aws(bench).users[USER].attached.listed


def test_the_quarantine_of_aws_is_never_detached(bench: Bench) -> None:
    aws(bench).quarantine(USER)
    arn = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"

    with pytest.raises(ProviderError, match="quarantine"):
        DetachUserPolicy(user=USER, policy_arn=arn).plan(bench.client())


# ---- sessions


def test_sessions_are_read_from_cloudtrail_with_their_owners(bench: Bench) -> None:
    with_session(bench.live)
    facts = act(bench, ListSessions).read(bench.client()).facts

    assert facts["open"] == 2
    assert {one["owner"] for one in facts["sessions"]} == {"role release", "user deploy"}


def test_the_sessions_of_a_role_that_was_deleted_are_not_open(bench: Bench) -> None:
    with_session(bench.live)
    del aws(bench).roles["release"]
    facts = act(bench, ListSessions).read(bench.client()).facts

    assert [one["owner"] for one in facts["sessions"]] == ["user deploy"]
    assert act(bench, EndUserSessions).plan(bench.client()).preconditions["owners"] == '[["User", "deploy"]]'


def test_sessions_that_have_expired_are_not_open(bench: Bench) -> None:
    with_session(bench.live)
    bench.live.clock.move(13 * 3600)

    assert act(bench, ListSessions).read(bench.client()).facts["open"] == 0


def test_a_cutoff_older_than_a_session_does_not_end_it(bench: Bench) -> None:
    done(bench, act(bench, EndUserSessions))
    bench.live.clock.move(60)
    with_session(bench.live)

    assert act(bench, ListSessions).read(bench.client()).facts["open"] == 2
    assert isinstance(act(bench, EndUserSessions).plan(bench.client()), Change)


def test_the_cutoff_is_in_the_time_of_aws_and_holds_the_second_that_has_begun(bench: Bench) -> None:
    # Past the gate, which tells the machine's own time: at the drill's AWS it is an hour later.
    bench.live.clock.move(3600)
    url = f"http://127.0.0.1:{aws(bench).door.port}"
    bench.live.connection = connection("aws", account=bench.live.account, base_url=url)
    done(bench, act(bench, EndUserSessions))
    policy = json.loads(aws(bench).users[USER].inline.listed["responder-end-sessions"])
    said = policy["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]

    assert said == (bench.live.clock.now() + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_session_of_another_accounts_role_stays_open_and_is_named(bench: Bench) -> None:
    with_session(bench.live)
    arn = "arn:aws:iam::999999999999:role/theirs"
    for event in aws(bench).events:
        if event.name == "AssumeRole":
            event.shown["requestParameters"] = {"roleArn": arn}
    change = act(bench, EndUserSessions).plan(bench.client())

    assert arn in change.before
    assert change.preconditions["owners"] == '[["User", "deploy"]]'
    assert act(bench, ListSessions).read(bench.client()).facts["open"] == 2


def test_a_role_of_a_service_is_refused_after_the_user_was_cut_off(bench: Bench) -> None:
    with_session(bench.live)
    aws(bench).roles["release"].path = "/aws-service-role/x/"

    with pytest.raises((ProviderError, OutcomeUnknown)):
        done(bench, act(bench, EndUserSessions))
    assert "responder-end-sessions" in aws(bench).users[USER].inline.listed


# ---- doors


def test_doors_are_told_by_kind_and_new_where_they_are(bench: Bench) -> None:
    second = another_key(bench.live)
    facts = act(bench, ListDoors, since=bench.live.clock.now() - timedelta(days=1)).read(bench.client()).facts
    kinds = {door["id"]: (door["kind"], door["new"]) for door in facts["doors"]}

    assert kinds[second] == ("access key", True)
    assert kinds[f"password:{USER}"] == ("password", False)
    assert kinds["role:release"] == ("role trust", True)
    assert "role:elsewhere" not in kinds
    assert kinds[f"inline-policy:{USER}/extra"] == ("inline policy", True)
    assert the_key(bench.live).id not in kinds
    assert facts["complete"] is True


def test_a_key_that_this_run_has_issued_is_no_door(bench: Bench) -> None:
    second = another_key(bench.live)
    subject = act(bench, ListDoors).subject.model_copy(update={"issued": (second,)})

    assert second in act(bench, ListDoors).read(bench.client()).facts["unresolved"]
    assert second not in ListDoors(subject=subject).read(bench.client()).facts["unresolved"]


def test_a_consumer_gets_a_key_of_the_user_whom_the_connection_names_for_it() -> None:
    with a_bench(users={"site": "batch"}) as bench:
        another_key(bench.live)  # the leaked key's user has two, and AWS allows no third
        before = len(aws(bench).keys_of(USER))
        outcome = done(bench, act(bench, IssueKey, consumer=SITE))

        assert aws(bench).keys[outcome.issued.key_id].user == "batch"
        assert len(aws(bench).keys_of(USER)) == before
        with pytest.raises(ProviderError, match="two keys already") as caught:
            act(bench, IssueKey, consumer=WORKER).plan(bench.client())
        assert "`users`" in caught.value.problems[0].remedy


def test_our_own_policies_and_the_quarantine_are_no_doors(bench: Bench) -> None:
    fenced(bench.live)
    aws(bench).quarantine(USER)
    ids = act(bench, ListDoors).read(bench.client()).facts["unresolved"]

    assert not [id_ for id_ in ids if "responder-fence" in id_ or "Quarantine" in id_]


def test_what_we_may_not_look_at_is_unseen(bench: Bench) -> None:
    answering(bench, "ListMFADevices", error(403, "AccessDenied"))
    facts = act(bench, ListDoors).read(bench.client()).facts

    assert (facts["complete"], facts["unseen"]) == (False, [f"second factor of {USER}: not allowed to look"])


def test_the_doors_of_a_deleted_key_are_found_by_cloudtrail(bench: Bench) -> None:
    a_use(bench.live)
    the_key(bench.live).deleted = True
    facts = act(bench, ListDoors).read(bench.client()).facts

    assert f"password:{USER}" in facts["unresolved"]


def test_our_own_key_is_never_deleted(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="act with"):
        DeleteAccessKey(user="responder", key_id=bench.live.secret.partition(":")[0]).plan(bench.client())


def test_our_own_policy_is_no_door_to_close(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="lift"):
        DeleteUserPolicy(user=USER, policy="responder-fence").plan(bench.client())


# ---- issuing


def issue(bench: Bench) -> Any:
    return act(bench, IssueKey, consumer=SITE)


def lost_create(bench: Bench) -> None:
    """Make a key whose answer is lost."""
    action = issue(bench)
    change = action.plan(bench.client())
    plain = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: (
        [plain(seen), Reply(500, "")][1] if operation(seen) == "CreateAccessKey" else plain(seen)
    )
    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)
    bench.live.gate._answer = plain


def test_a_third_key_is_refused_before_it_is_tried_and_says_the_way_out(bench: Bench) -> None:
    second = another_key(bench.live)
    with pytest.raises(ProviderError, match="two keys already") as caught:
        issue(bench).plan(bench.client())

    assert second in str(caught.value)
    assert "CreateAccessKey" not in asked(bench)


def test_a_limit_that_is_met_in_the_act_says_the_way_out_too(bench: Bench) -> None:
    action = issue(bench)
    change = action.plan(bench.client())
    another_key(bench.live)

    with pytest.raises(ProviderError, match="two keys already"):
        action.apply(bench.client(may_write=True), change)


def test_the_orphan_of_a_lost_answer_is_named_deleted_and_replaced(bench: Bench) -> None:
    lost_create(bench)
    orphan = next(key.id for key in aws(bench).keys_of(USER) if key.id != the_key(bench.live).id)
    again = issue(bench).plan(bench.client())
    assert again.preconditions["orphan"] == orphan
    outcome = issue(bench).apply(bench.client(may_write=True), again)

    assert {key.id for key in aws(bench).keys_of(USER)} == {the_key(bench.live).id, outcome.issued.key_id}
    assert issue(bench).verify(bench.client(), again) is Verdict.HOLDS


def test_an_orphan_that_was_used_is_somebodys(bench: Bench) -> None:
    lost_create(bench)
    aws(bench).keys_of(USER)[-1].last_used = (aws(bench).now, "s3", "us-east-1")

    with pytest.raises(ProviderError, match="may have made"):
        issue(bench).plan(bench.client())


def test_a_key_that_was_made_much_later_is_not_the_orphan(bench: Bench) -> None:
    lost_create(bench)
    aws(bench).keys_of(USER)[-1].created_at += timedelta(hours=1)

    with pytest.raises(ProviderError, match="may have made"):
        issue(bench).plan(bench.client())


def test_two_candidates_are_asked_of_a_person(bench: Bench) -> None:
    lost_create(bench)
    another_key(bench.live)

    with pytest.raises(ProviderError, match="may have made"):
        issue(bench).plan(bench.client())


def test_a_key_of_somebody_else_is_no_orphan_without_a_note_of_ours(bench: Bench) -> None:
    another_key(bench.live)
    aws(bench).users[USER].tags["responder-issuing"] = "000000000000 2026-01-01T00:00:00Z"

    with pytest.raises(ProviderError, match="two keys already"):
        issue(bench).plan(bench.client())


def test_a_note_whose_answer_was_lost_leaves_nothing_behind(bench: Bench) -> None:
    action = issue(bench)
    change = action.plan(bench.client())
    plain = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: (
        [plain(seen), Reply(500, "")][1] if operation(seen) == "TagUser" else plain(seen)
    )
    with pytest.raises(OutcomeUnknown):
        action.apply(bench.client(may_write=True), change)
    bench.live.gate._answer = plain

    assert action.plan(bench.client()) == change
    assert len(aws(bench).keys_of(USER)) == 1


def test_keys_that_others_make_meanwhile_are_told(bench: Bench) -> None:
    action = issue(bench)
    change = action.plan(bench.client())
    plain = bench.live.gate._answer

    def answer(seen: Seen) -> Reply:
        reply = plain(seen)
        if operation(seen) == "CreateAccessKey":
            another_key(bench.live)
        return reply

    bench.live.gate._answer = answer
    outcome = action.apply(bench.client(may_write=True), change)

    assert (outcome.facts["keys"], outcome.facts["strangers"]) == (3, [another_key(bench.live)])
    assert action.verify(bench.client(), change) is Verdict.UNKNOWN


def test_a_list_that_fails_after_the_create_loses_no_value(bench: Bench) -> None:
    action = issue(bench)
    change = action.plan(bench.client())
    answering(bench, "ListAccessKeys", error(400, "Throttling"))
    outcome = action.apply(bench.client(may_write=True), change)

    assert isinstance(outcome.issued.value, Secret)
    assert outcome.facts["relisted"] is False


def test_a_deleted_keys_user_is_known_by_cloudtrail_and_gets_the_new_key(bench: Bench) -> None:
    a_use(bench.live)
    done(bench, act(bench, RevokeKey))

    assert done(bench, issue(bench)).facts["user"] == USER


def test_a_holder_and_scopes_are_refused(bench: Bench) -> None:
    for fields in ({}, {"consumer": SITE, "scopes": ("s3:GetObject",)}):
        with pytest.raises(ProviderError):
            act(bench, IssueKey, **fields).plan(bench.client())


# ---- stores


def test_a_pair_is_stored_as_credential_process_reads_it(bench: Bench) -> None:
    done(bench, delivered(SITE)(bench.live, bench.secret))
    secret = aws(bench).secrets["site/key"]

    assert json.loads(secret.versions[secret.stages["AWSCURRENT"]]) == {
        "Version": 1, "AccessKeyId": "AKIA" + "N" * 16, "SecretAccessKey": "nEw/" * 10,
    }  # fmt: skip


def test_any_other_value_is_stored_as_it_is(bench: Bench) -> None:
    done(bench, DeliverSecret(consumer=WORKER, value=bench.secret("another-issuers-key-" + "x" * 20)))

    assert aws(bench).parameters["/worker/key"].value == "another-issuers-key-" + "x" * 20


def test_a_parameter_keeps_its_key_and_its_description(bench: Bench) -> None:
    for _ in range(2):
        done(bench, DeliverSecret(consumer=WORKER, value=bench.secret(f"value-{_}-" + "x" * 20)))
    found = aws(bench).parameters["/worker/key"]

    assert (found.key, found.kind, found.version) == ("alias/ours", "SecureString", 3)
    assert found.description.startswith("The worker's key [responder ")
    assert found.description.count("[responder") == 1


def test_a_value_that_a_parameters_pattern_forbids_is_refused_and_the_pattern_stays(bench: Bench) -> None:
    aws(bench).parameters["/worker/key"].pattern = "x+"
    with pytest.raises(ProviderError, match="ParameterPatternMismatch"):
        done(bench, delivered(WORKER)(bench.live, bench.secret))
    done(bench, DeliverSecret(consumer=WORKER, value=bench.secret("x" * 20)))

    assert aws(bench).parameters["/worker/key"].pattern == "x+"


def test_a_parameter_that_somebody_wrote_afterwards_is_not_called_done(bench: Bench) -> None:
    action = delivered(WORKER)(bench.live, bench.secret)
    done(bench, action)
    assert isinstance(action.plan(bench.client()), Unchanged)
    aws(bench).parameters["/worker/key"].version += 1

    assert isinstance(action.plan(bench.client()), Change)


def test_a_secret_that_somebody_wrote_afterwards_is_not_written_over(bench: Bench) -> None:
    action = delivered(SITE)(bench.live, bench.secret)
    done(bench, action)
    secret = aws(bench).secrets["site/key"]
    secret.stages = {"AWSCURRENT": "other", "AWSPREVIOUS": secret.stages["AWSCURRENT"]}

    with pytest.raises(ProviderError, match="somebody"):
        action.plan(bench.client())


def test_a_parameter_in_clear_and_a_place_that_is_missing_get_nothing(bench: Bench) -> None:
    aws(bench).add_parameter("/clear", "x", "String")
    aws(bench).secrets["site/key"].deleted_at = aws(bench).now
    for secret in ("ssm:/clear", "ssm:/none", "secretsmanager:none", "secretsmanager:site/key", "s3://bucket"):
        consumer = Consumer(id="x", connection="aws", secret=secret)
        with pytest.raises(ProviderError):
            DeliverSecret(consumer=consumer, value=bench.secret("v" * 20)).plan(bench.client())


def test_a_place_is_shown_with_whether_anybody_may_read_it(bench: Bench) -> None:
    place = bench.provider.place
    assert place is not None
    assert place(bench.client(), "secretsmanager:site/key").exposed is False
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "secretsmanager:GetSecretValue"}
    aws(bench).secrets["site/key"].policy = json.dumps({"Statement": [statement]})

    assert place(bench.client(), "secretsmanager:site/key").exposed is True
    assert place(bench.client(), "ssm:/worker/key").exists is True
    assert place(bench.client(), "ssm:/none").exists is False


def test_a_consumer_is_waited_for_until_the_new_key_was_used(bench: Bench) -> None:
    key = aws(bench).add_key(USER, "fresh")
    action = TestUse(consumer=SITE, key_id=key.id)
    with pytest.raises(Unavailable, match="has not used"):
        action.read(bench.client())
    key.last_used = (aws(bench).now, "s3", "us-east-1")

    assert action.read(bench.client()).facts["product"] == "s3"


# ---- traces and ourselves


def test_uses_tell_consumers_from_strangers_and_what_is_not_seen(bench: Bench) -> None:
    outcome = traced(ReadUses)(bench.live, bench.secret).read(bench.client())
    facts = outcome.facts

    assert (facts["count"], facts["foreign"]) == (2, 1)
    oldest = min(datetime.fromisoformat(use["at"]) for use in facts["uses"])
    assert [one.kept_until for one in outcome.evidence] == [oldest + timedelta(days=90)]
    assert facts["missing"], "the last 15 minutes are never covered"
    assert "s3:GetObject" in facts["not_seen"]


def test_every_named_region_is_asked() -> None:
    with a_bench(region="eu-west-1", regions=("ap-south-1",)) as bench:
        live = bench.live
        live.world.used(LEAKED, "ec2:RunInstances", live.world.now - timedelta(hours=1), address="203.0.113.9",
                        agent="x", region="ap-south-1")  # fmt: skip
        facts = traced(ReadUses)(live, bench.secret).read(bench.client()).facts

    assert facts["count"] == 3
    assert len(facts["sources"]) == 3
    oldest = min(datetime.fromisoformat(use["at"]) for use in facts["uses"])
    assert facts["kept_until"] == (oldest + timedelta(days=90)).isoformat()


@pytest.mark.parametrize(
    ("region", "home"),
    [("eu-west-1", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")],
)
def test_global_events_are_looked_for_at_the_home_of_the_partition(region: str, home: str) -> None:
    with a_bench(region=region) as bench:
        assert bench.client().all_regions() == (home, region)


def test_uses_beyond_ninety_days_are_missing_not_none(bench: Bench) -> None:
    since = bench.live.clock.now() - timedelta(days=100)
    facts = act(bench, ReadUses, since=since, look_back="1d").read(bench.client()).facts

    assert facts["missing"][0]["since"] == since.isoformat()
    assert facts["kept_since"] == (bench.live.clock.now() - timedelta(days=90)).isoformat()


def test_rows_are_trusted_only_where_the_user_could_not_blind_a_trail(bench: Bench) -> None:
    assert traced(ReadUses)(bench.live, bench.secret).read(bench.client()).facts["trusted"] is True
    user = aws(bench).users[USER]
    user.attached.put("AdministratorAccess", "arn:aws:iam::aws:policy/AdministratorAccess", aws(bench).now)

    assert act(bench, ReadUses).read(bench.client()).facts["trusted"] is False


def test_of_very_many_rows_the_newest_are_read_and_the_rest_is_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responder.providers.aws.sessions._MOST_PAGES", 1)
    start = bench.live.clock.now() - timedelta(hours=3)
    for number in range(60):
        aws(bench).used(LEAKED, "iam:GetUser", start + timedelta(minutes=number), address="203.0.113.9", agent="x")
    facts = act(bench, ReadUses, since=start - timedelta(hours=1)).read(bench.client()).facts

    assert facts["count"] == 50
    assert facts["missing"][0]["until"] == (start + timedelta(minutes=10, seconds=1)).isoformat()
    assert act(bench, ProveKeyDead).open_sessions(bench.client()) is None


def test_a_session_of_a_user_derives_from_every_key_of_that_user(bench: Bench) -> None:
    session = aws(bench).open_session(the_key(bench.live), aws(bench).users[USER], "x")
    bench.live.secret = f"{session.id}:{session.secret}:{session.token}"
    found = bench.provider.identify(bench.client())

    assert (found.key_id, found.derives_from) == (session.id, (the_key(bench.live).id,))


def test_what_our_credential_lacks_is_told_before_it_is_needed(bench: Bench) -> None:
    bench.live.secret = bench.live.value(CONTROL)
    aws(bench).users["probe"].attached.put("ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess", aws(bench).now)
    policy = {"Statement": [{"Effect": "Allow", "Action": "iam:Simulate*", "Resource": "*"}]}
    aws(bench).users["probe"].inline.put("simulate", json.dumps(policy), aws(bench).now)
    lacking = bench.provider.lacking
    assert lacking is not None

    assert lacking(bench.client(), ["iam:GetUser", "iam:DeleteAccessKey", "none: nothing"]) == ("iam:DeleteAccessKey",)


def test_every_key_of_the_account_is_listed_for_the_inventory(bench: Bench) -> None:
    inactive(bench.live)
    keys = bench.provider.keys
    assert keys is not None
    found = {key.owner: key.state for key in keys(bench.client())}

    assert found == {"responder": "live", "probe": "live", "batch": "live", USER: "disabled"}


def test_what_a_person_does_by_hand_names_the_exact_key() -> None:
    for kind in (DisableKey, RevokeKey):
        assert "AKIA" + "X" * 16 in kind.by_hand(CASE.provider.options(), "AKIA" + "X" * 16)


def test_the_subject_is_the_frozen_id_and_never_the_value(bench: Bench) -> None:
    second = another_key(bench.live)
    value = bench.secret(bench.live.value(LEAKED))
    action = RevokeKey(subject=Subject(id="x", connection="aws", key_id=second, value=value))

    assert second in action.plan(bench.client()).target
    assert leaked(bench.live, bench.secret).key_id not in action.plan(bench.client()).target
