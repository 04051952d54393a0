"""The whole life of a leaked key at an IAM that somebody else has made: moto's, with its checks switched on.

Plain moto takes any secret for any key, so that a proof of death against it would be worth nothing. Its checks are
switched on here, and one more is added: moto itself goes on taking keys that are `Inactive`.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cases.aws import DENIED, operation
from cases.common import ORIGIN, HandClock, connection

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, ProviderError
from responder.providers import aws
from responder.providers.aws.doors import ListDoors
from responder.providers.aws.ending import DisableKey, EnableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.aws.fencing import FenceUser, LiftFence
from responder.providers.aws.issuing import IssueKey
from responder.providers.aws.pair import account_in
from responder.providers.aws.sessions import EndUserSessions
from responder.providers.aws.storing import DeliverSecret
from responder.settings import Consumer
from responder.testing.bench import Bench
from responder.testing.loopback import Loopback, Reply, forwarding

# moto loads libraries that warn about themselves.
pytestmark = pytest.mark.filterwarnings("default")
ACCOUNT, USER = "123456789012", "deploy"
UNKNOWN_TO_MOTO = ("SimulatePrincipalPolicy", "ListServiceSpecificCredentials")
"""Answered here as if we were not allowed to: moto fails on them."""
STORES = (("secretsmanager:site/key", "site"), ("ssm:/worker/key", "worker"))


@pytest.fixture(scope="module")
def moto() -> Iterator[SimpleNamespace]:
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed", exc_type=ImportError)
    from moto import settings  # noqa: PLC0415
    from moto.iam import access_control  # noqa: PLC0415
    from moto.iam.models import iam_backends  # noqa: PLC0415
    from moto.secretsmanager.models import secretsmanager_backends  # noqa: PLC0415
    from moto.ssm.models import ssm_backends  # noqa: PLC0415

    plain = access_control.IAMUserAccessKey.__init__

    def honest(self: Any, account_id: str, partition: str, access_key_id: str, headers: dict[str, str]) -> None:
        plain(self, account_id, partition, access_key_id, headers)
        keys = iam_backends[account_id][partition].list_access_keys(self._owner_user_name)
        if any(key.access_key_id == access_key_id and key.status == "Inactive" for key in keys):
            raise access_control.CreateAccessKeyFailure(reason="InvalidId")

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
        patch.setattr(access_control.IAMUserAccessKey, "__init__", honest)
        running.start()
        host, port = running.get_host_and_port()
        ask = forwarding(f"http://{host}:{port}")
        denied = Reply(403, DENIED, {"Content-Type": "text/xml"})
        with Loopback(lambda seen: denied if operation(seen) in UNKNOWN_TO_MOTO else ask(seen)) as gate:
            yield SimpleNamespace(
                url=gate.url,
                iam=iam_backends[ACCOUNT]["aws"],
                secrets=secretsmanager_backends[ACCOUNT]["us-east-1"],
                ssm=ssm_backends[ACCOUNT]["us-east-1"],
            )
        running.stop()


@pytest.fixture
def bench(moto: SimpleNamespace) -> Iterator[Bench]:
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    for backend in (moto.iam, moto.secrets, moto.ssm):
        backend.reset()
    pairs = {}
    for name in ("responder", "probe", USER):
        user = moto.iam.create_user("us-east-1", name)
        key = user.create_access_key(prefix="AKIA")
        moto.iam.access_keys[key.access_key_id] = key
        pairs[name] = f"{key.access_key_id}:{key.secret_access_key}"
    for name in ("responder", USER):
        moto.iam.put_user_policy(name, "all", everything)
    clock = HandClock(0.0, ORIGIN, 1.0)
    described = connection("aws", account=ACCOUNT, base_url=moto.url, cloudtrail=False)
    live: Any = SimpleNamespace(
        connection=described, clock=clock, secret=pairs["responder"], control=pairs["probe"], account=ACCOUNT,
        leaked=pairs[USER],
    )  # fmt: skip
    made = Bench(aws.PROVIDER, live)
    ours = made.client(may_write=True)
    ours.ask("secretsmanager", "CreateSecret", Name="site/key", SecretString="old")
    ours.ask("ssm", "PutParameter", Name="/worker/key", Value="old", Type="SecureString", Description="mine")
    yield made
    made.transport.close()


def act(bench: Bench, kind: type[Any], **fields: Any) -> Any:
    live: Any = bench.live
    key_id = live.leaked.partition(":")[0]
    subject = Subject(id=USER, connection="aws", key_id=key_id, value=bench.secret(live.leaked))
    return kind(subject=subject, **fields)


def done(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    outcome = action.apply(bench.client(may_write=True), change)
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    return outcome


def test_a_leaked_key_is_replaced_and_ended(bench: Bench, moto: SimpleNamespace) -> None:
    facts = act(bench, InspectKey).read(bench.client()).facts
    assert (facts["state"], facts["owner"], facts["account"]) == ("live", USER, ACCOUNT)
    assert "AccessDenied" in facts["reach_unknown"]

    done(bench, act(bench, DisableKey))
    done(bench, act(bench, EndUserSessions))
    history: list[Observed] = []
    for _ in range(3):
        found = act(bench, ProveKeyDead).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), found.verdict, found.facts))
        bench.live.clock.move(10)
    assert history[-1].verdict == "dead"

    issued = done(bench, act(bench, IssueKey, consumer=Consumer(id="site", connection="aws", secret="ssm:/x"))).issued
    for place, name in STORES:
        consumer = Consumer(id=name, connection="aws", secret=place)
        action = DeliverSecret(consumer=consumer, value=issued.value)
        done(bench, action)
        assert isinstance(action.plan(bench.client()), Unchanged)
    read = bench.client().ask("ssm", "GetParameter", Name="/worker/key", WithDecryption=True)
    stored = json.loads(read["Parameter"]["Value"])
    assert stored["AccessKeyId"] == issued.key_id

    done(bench, act(bench, RevokeKey))
    assert isinstance(act(bench, RevokeKey).plan(bench.client()), Unchanged)
    assert act(bench, InspectKey).read(bench.client()).facts["state"] == "dead"
    assert [key.access_key_id for key in moto.iam.list_access_keys(USER)] == [issued.key_id]
    assert act(bench, ProveKeyDead).present(bench.client(), "sts", issued.value) == "accepted"


def test_a_key_that_was_switched_on_again_is_alive_again(bench: Bench) -> None:
    done(bench, act(bench, DisableKey))
    value = bench.secret(bench.live.leaked)  # type: ignore[attr-defined]
    assert act(bench, ProveKeyDead).present(bench.client(), "sts", value) == "refused"
    done(bench, EnableKey(user=USER, key_id=act(bench, DisableKey).subject.key_id))

    assert act(bench, ProveKeyDead).present(bench.client(), "sts", value) == "accepted"


def test_the_right_id_with_another_secret_proves_nothing(bench: Bench) -> None:
    wrong = bench.secret(f"{act(bench, DisableKey).subject.key_id}:{'x' * 40}")

    assert act(bench, ProveKeyDead).present(bench.client(), "sts", wrong) == "unknown"


def test_a_third_key_is_refused(bench: Bench, moto: SimpleNamespace) -> None:
    moto.iam.create_access_key(USER)
    with pytest.raises(ProviderError, match="two keys already"):
        act(bench, IssueKey, consumer=Consumer(id="site", connection="aws", secret="ssm:/x")).plan(bench.client())


def test_a_fence_stops_the_key_and_leaves_it_alive(bench: Bench) -> None:
    done(bench, act(bench, FenceUser))
    value = bench.secret(bench.live.leaked)  # type: ignore[attr-defined]

    assert bench.client().present("iam", "GetUser", value).code == "AccessDenied"
    assert act(bench, ProveKeyDead).present(bench.client(), "sts", value) == "accepted"
    done(bench, LiftFence(user=USER))
    assert bench.client().present("iam", "GetUser", value).code == ""


def test_doors_are_found(bench: Bench, moto: SimpleNamespace) -> None:
    moto.iam.create_login_profile(USER, "x" * 20)
    second = moto.iam.create_access_key(USER).access_key_id
    since = bench.live.clock.now() - timedelta(days=1)
    facts = act(bench, ListDoors, since=since).read(bench.client()).facts

    assert {second, f"password:{USER}", f"inline-policy:{USER}/all"} <= set(facts["unresolved"])
    assert facts["unseen"] == [f"product credential of {USER}: not allowed to look"]


def test_whoever_may_nothing_is_told_what_is_missing(bench: Bench) -> None:
    bench.live.secret = bench.live.control
    with pytest.raises(Denied) as caught:
        act(bench, DisableKey).plan(bench.client())

    assert "iam:ListUsers" in caught.value.remedy


def test_ids_bear_the_account(bench: Bench) -> None:
    assert account_in(act(bench, DisableKey).subject.key_id) == ACCOUNT
    assert bench.provider.identify(bench.client()).account == ACCOUNT
