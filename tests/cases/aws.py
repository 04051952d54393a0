"""An account of the drill's AWS: a user whose key leaked, with sessions, doors, a store, and others who stay."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from cases.common import Gated, HandClock, Take, a_ground, connection, standing

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.aws import Aws
from responder.providers import aws
from responder.providers.aws.doors import (
    DeleteAccessKey,
    DeleteLoginProfile,
    DeleteProductCredential,
    DeleteSshKey,
    DeleteUserPolicy,
    DetachUserPolicy,
    ListDoors,
)
from responder.providers.aws.ending import DisableKey, EnableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.aws.fencing import FenceUser, LiftFence, ProveUserFenced, fence
from responder.providers.aws.issuing import IssueKey
from responder.providers.aws.sessions import EndUserSessions, ListSessions
from responder.providers.aws.storing import DeliverSecret, TestUse
from responder.providers.aws.tracing import ReadConsumers, ReadUses
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, Seen

LEAKED, ADMIN, CONTROL, OTHER = "aws-leaked", "aws-admin", "aws-control", "aws-batch"
USER = "deploy"
SITE = Consumer(id="site", connection="aws", secret="secretsmanager:site/key", seen_as=("198.51.100.0/24",))
WORKER = Consumer(id="worker", connection="aws", secret="ssm:/worker/key", seen_as=("192.0.2.7", "celery/5"))
_READS = ("Get", "List", "Describe", "Simulate", "Lookup")
DENIED = """<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>User is not authorized</Message></Error><RequestId>0</RequestId></ErrorResponse>"""


def operation(seen: Seen) -> str:
    target = seen.headers.get("x-amz-target", "").rpartition(".")[2]
    return target or parse_qs(seen.body.decode()).get("Action", [""])[0]


def is_write(seen: Seen) -> bool:
    # The note before a new key is a tag that is overwritten each time: losing its answer has a test of its own.
    return not operation(seen).startswith((*_READS, "TagUser"))


def furnished(system: Aws) -> Aws:
    """Furnish the account: whom the leak concerns, and whom it must not."""
    long_ago = system.now - timedelta(days=90)
    system.add_user("responder", "AdministratorAccess", created_at=long_ago)
    system.add_user("probe", created_at=long_ago)
    system.add_user("batch", "ReadOnlyAccess", created_at=long_ago)
    deploy = system.add_user(USER, "ReadOnlyAccess", created_at=long_ago)
    for user, label in (("responder", ADMIN), ("probe", CONTROL), ("batch", OTHER), (USER, LEAKED)):
        system.add_key(user, label, created_at=long_ago)
    deploy.password_since = long_ago
    deploy.ssh_keys["APKA" + "S" * 16] = long_ago
    deploy.product_credentials["ACCA" + "C" * 16] = ("codecommit.amazonaws.com", long_ago)
    deploy.inline.put("extra", '{"Version":"2012-10-17","Statement":[]}', long_ago)
    system.add_role("release", deploy.arn)
    system.add_role("elsewhere", "arn:aws:iam::999999999999:root")
    system.add_secret("site/key", "old")
    system.add_parameter("/worker/key", "old", description="The worker's key", key="alias/ours")
    return system


@contextlib.contextmanager
def an_account(**options: Any) -> Iterator[Gated]:
    with a_ground() as ground:
        # The gate tells the machine's own time in `Date`, and AWS's time is what some actions go by.
        ground.clock = HandClock(ground.clock.origin_real, datetime.now(UTC).replace(microsecond=0), 1.0)
        system = furnished(Aws(ground))
        with standing(system, writes=is_write, denial=Reply(403, DENIED, {"Content-Type": "text/xml"})) as gate:
            yield gated(gate, system, **options)


def gated(gate: Loopback, system: Aws, **options: Any) -> Gated:
    labels: Any = system.ground.labels
    described = {"base_url": gate.url, "policy_propagation": "30s", **options}
    clock: Any = system.ground.clock
    return Gated(
        gate, connection("aws", account=system.number, **described), clock, system.number, labels[ADMIN],
        labels[CONTROL], system,
    )  # fmt: skip


def leaked(live: Gated, take: Take) -> Subject:
    value = live.value(LEAKED)
    return Subject(id="deploy", connection="aws", key_id=value.partition(":")[0], value=take(value))


def on_key(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=leaked(live, take), **fields)


def on_user(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, _: action(user=USER, **fields)


def the_key(live: Gated) -> Any:
    return live.world.keys[live.value(LEAKED).partition(":")[0]]


def inactive(live: Gated) -> None:
    the_key(live).status = "Inactive"
    live.world.refuse(the_key(live))


def deleted(live: Gated) -> None:
    inactive(live)
    the_key(live).deleted = True


def after(change: Callable[[Gated], None], make: Callable[[Gated, Take], Action]) -> Callable[[Gated, Take], Action]:
    def made(live: Gated, take: Take) -> Action:
        change(live)
        return make(live, take)

    return made


def another_key(live: Gated) -> str:
    """Give the user a second key, and return its id."""
    known = next((key for key in live.world.keys_of(USER) if key.label == "aws-second"), None)
    return str((known or live.world.add_key(USER, "aws-second")).id)


def on_second(action: type[Any]) -> Callable[[Gated, Take], Action]:
    return lambda live, _: action(user=USER, key_id=another_key(live))


def of_another(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    """Aim at a user who has nothing of that kind."""
    return lambda live, _: action(user="batch", **fields)


def other_keys(live: Gated) -> dict[str, Any]:
    """Return the state of every key but the leaked one."""
    mine = the_key(live).id
    return {key.id: (key.status, key.deleted) for key in live.world.keys.values() if key.id != mine}


def keys_but_the_second(live: Gated) -> dict[str, Any]:
    second = another_key(live)
    return {key.id: (key.status, key.deleted) for key in live.world.keys.values() if key.id != second}


def fenced(live: Gated) -> None:
    import json  # noqa: PLC0415

    live.world.users[USER].inline.put("responder-fence", json.dumps(fence(["198.51.100.0/24"])), live.world.now)


def with_session(live: Gated) -> None:
    """Let the key open a session of its user and one of a role, long enough ago for CloudTrail to show them."""
    system = live.world
    key = the_key(live)
    for owner, name, params in (
        (system.users[USER], "GetSessionToken", {}),
        (system.roles["release"], "AssumeRole", {"roleArn": system.roles["release"].arn}),
    ):
        made = system.open_session(key, owner, "x")
        shown = {"accessKeyId": made.id, "expiration": made.ends_at.strftime("%b %d, %Y, %I:%M:%S %p")}
        system.used(LEAKED, f"sts:{name}", system.now, address="203.0.113.9", agent="aws-cli/2")
        system.events[-1].shown |= {"requestParameters": params, "responseElements": {"credentials": shown}}
    live.clock.move(16 * 60)


def a_use(live: Gated) -> None:
    """Let outsiders and a consumer use the key, an hour ago."""
    at = live.world.now - timedelta(hours=1)
    live.world.used(LEAKED, "iam:ListUsers", at, address="203.0.113.9", agent="aws-cli/2")
    live.world.used(LEAKED, "s3:ListBuckets", at, address="198.51.100.4", agent="Boto3/1.34")


def traced(action: type[Any]) -> Callable[[Gated, Take], Action]:
    return after(a_use, lambda live, take: action(
        subject=leaked(live, take), since=live.world.now - timedelta(hours=2), known=(SITE,)
    ))  # fmt: skip


def delivered(consumer: Consumer) -> Callable[[Gated, Take], Action]:
    return lambda live, take: DeliverSecret(
        subject=leaked(live, take), consumer=consumer, value=take("AKIA" + "N" * 16 + ":" + "nEw/" * 10)
    )


def in_use(live: Gated, take: Take) -> Action:
    key_id = another_key(live)
    live.world.keys[key_id].last_used = (live.world.now, "s3", "us-east-1")
    return TestUse(subject=leaked(live, take), consumer=SITE, key_id=key_id)


SSH, SERVICE, READ_ONLY = "APKA" + "S" * 16, "ACCA" + "C" * 16, "arn:aws:iam::aws:policy/ReadOnlyAccess"

CASE = ProviderCase(
    aws.PROVIDER,
    an_account,
    (
        ActionCase(on_key(InspectKey), "inspect"),
        ActionCase(traced(ReadUses), "used"),
        ActionCase(traced(ReadConsumers), "consumers"),
        ActionCase(on_key(ListDoors), "doors"),
        ActionCase(on_key(FenceUser, allow=("198.51.100.0/24",)), "fence",
                   gone=after(fenced, on_key(FenceUser, allow=("198.51.100.0/24",))), spares=other_keys),
        ActionCase(on_key(ProveUserFenced, consumers=(SITE,)), "prove_fenced", can_be_denied=False),
        ActionCase(on_key(DisableKey), "disable", gone=after(inactive, on_key(DisableKey)), spares=other_keys),
        ActionCase(on_key(DisableKey), "disable, deleted", gone=after(deleted, on_key(DisableKey)), spares=other_keys),
        ActionCase(on_key(RevokeKey), "revoke", gone=after(deleted, on_key(RevokeKey)), spares=other_keys),
        ActionCase(after(with_session, on_key(ListSessions)), "sessions"),
        ActionCase(on_key(EndUserSessions), "end_sessions, of the user", spares=other_keys),
        ActionCase(after(with_session, on_key(EndUserSessions)), "end_sessions, of a role, too", spares=other_keys),
        ActionCase(on_key(IssueKey, consumer=SITE), "issue", leaves_orphan=True),
        ActionCase(delivered(SITE), "deliver, to Secrets Manager"),
        ActionCase(delivered(WORKER), "deliver, to Parameter Store"),
        ActionCase(in_use, "test_consumer"),
        ActionCase(on_key(ProveKeyDead), "prove_dead", can_be_denied=False),
        ActionCase(
            after(inactive, lambda live, take: EnableKey(user=USER, key_id=the_key(live).id)), "enable_key",
            gone=lambda live, take: EnableKey(user=USER, key_id=the_key(live).id), spares=other_keys,
        ),
        ActionCase(after(fenced, on_user(LiftFence)), "lift_fence", gone=on_user(LiftFence), spares=other_keys),
        ActionCase(on_user(DeleteLoginProfile), "delete_login_profile", gone=of_another(DeleteLoginProfile)),
        ActionCase(on_second(DeleteAccessKey), "delete_access_key", spares=keys_but_the_second,
                   gone=of_another(DeleteAccessKey, key_id="AKIA" + "Q" * 16)),
        ActionCase(on_user(DeleteUserPolicy, policy="extra"), "delete_user_policy",
                   gone=of_another(DeleteUserPolicy, policy="extra")),
        ActionCase(on_user(DetachUserPolicy, policy_arn=READ_ONLY), "detach_user_policy",
                   gone=on_user(DetachUserPolicy, policy_arn="arn:aws:iam::aws:policy/AdministratorAccess")),
        ActionCase(on_user(DeleteSshKey, ssh_key=SSH), "delete_ssh_key", gone=of_another(DeleteSshKey, ssh_key=SSH)),
        ActionCase(on_user(DeleteProductCredential, credential_id=SERVICE), "delete_product_credential",
                   gone=of_another(DeleteProductCredential, credential_id=SERVICE)),
    ),
)  # fmt: skip
