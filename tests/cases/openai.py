"""An OpenAI organisation: a person's key that leaked, a service account with two keys, and what must be spared."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from cases.common import ORIGIN, Gated, Take, a_ground, connection, standing
from cases.contracts import Contract

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.openai import OpenAI
from responder.drill.world.values import drawn
from responder.providers import openai
from responder.providers.openai.ending import InspectKey, ProveKeyDead, RevokeKey
from responder.providers.openai.fencing import FenceProject, RestoreSpendLimit
from responder.providers.openai.issuing import IssueKey
from responder.providers.openai.people import DeleteInvite, RemoveProjectMember, RemoveUser
from responder.providers.openai.traces import AuditLog, ConsumersOfKey, DoorsOfOwner, Usage, UsedKey
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase

ACCOUNT, PROJECT = "lumen-labs", "proj_site"
CONTRACT = Contract(
    "openai.json",
    beyond=[
        r"/me",  # documented nowhere; TruffleHog's detector asks it
        # in openapi.yaml of openai/openai-openapi at f85dbe2 and in openai-python's admin resources, cut away here
        r"/organization/projects/[^/]+/spend_limit",
        r"/organization/usage/[a-z_]+",
    ],
)
KEYS = {
    "leaked": "sk-proj-", "neighbour": "sk-proj-", "control": "sk-proj-", "robot": "sk-svcacct-",
    "robot-2": "sk-svcacct-", "removed": "sk-proj-", "ours": "sk-admin-", "admin-leaked": "sk-admin-",
    "admin-control": "sk-admin-",
}  # fmt: skip


@contextlib.contextmanager
def an_organisation() -> Iterator[Gated]:
    values = {label: prefix + drawn(7, label, 40) for label, prefix in KEYS.items()}
    with a_ground(**values) as ground:
        system = OpenAI(ground, ACCOUNT)
        populate(system)
        with standing(system, CONTRACT) as gate:
            made = connection("openai", account=ACCOUNT, base_url=gate.url)
            yield Gated(
                gate, made, ground.clock, ACCOUNT, values["ours"], values["control"], system,
            )  # fmt: skip


def populate(system: OpenAI) -> None:
    org = system.organisation
    org.add_project("proj_other", "Other")
    org.add_project(PROJECT, "Site")
    ada = org.add_user("user-ada", "ada@lumen.example", projects=(PROJECT, "proj_other"))
    boss = org.add_user("user-boss", "boss@lumen.example", "owner")
    gone = org.add_user("user-gone", "gone@lumen.example")  # in no project any more
    robot = org.add_service_account(PROJECT, "robot", "user-robot")
    org.add_key("leaked", ada, PROJECT, key_id="key_leaked")
    org.add_key("neighbour", ada, "proj_other", key_id="key_neighbour")
    org.add_key("control", boss, PROJECT, key_id="key_control")
    org.projects[PROJECT].members["user-boss"] = "owner"
    org.add_key("robot", robot, PROJECT, key_id="key_robot")
    org.add_key("robot-2", robot, PROJECT, key_id="key_robot2")
    org.add_key("removed", gone, PROJECT, key_id="key_removed")
    for label in ("ours", "admin-leaked", "admin-control"):
        org.add_key(label, boss, key_id=f"key_{label}")
    org.add_invite("invite-open", "guest@elsewhere.example")
    org.add_invite("invite-taken", "ada@lumen.example", "accepted")
    org.add_usage("key_leaked", ORIGIN - timedelta(hours=3), 40, input_tokens=900, output_tokens=70)
    org.add_usage("key_leaked", ORIGIN - timedelta(days=20), 2, "embeddings", input_tokens=10)
    org.add_usage("key_neighbour", ORIGIN - timedelta(hours=3), 5)
    org.add_event("api_key.created", ORIGIN - timedelta(hours=2), user="user-ada", address="192.0.2.7")
    org.add_event("invite.sent", ORIGIN - timedelta(hours=1), key="key_admin-leaked")


def subject(live: Gated, take: Take, label: str = "leaked", *, by_value: bool = False) -> Subject:
    key_id = "" if by_value else next(one.id for one in org(live).keys.values() if one.label == label)
    return Subject(id="site", connection="openai", key_id=key_id, value=take(live.value(label)))


def org(live: Gated) -> Any:
    return live.world.organisation


def on_key(action: type[Any], label: str = "leaked", *, by_value: bool = False, **fields: Any) -> Any:
    return lambda live, take: action(subject=subject(live, take, label, by_value=by_value), **fields)


def on_deleted(label: str) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, take: Take) -> Action:
        made = subject(live, take, label)
        key = org(live).keys[made.key_id]
        ours = org(live).keys["key_ours"]
        if key.owner.kind == "user":
            org(live).delete_key(key, ours)
        else:
            org(live).delete_account(key.owner, ours)
        live.clock.move(100)
        return RevokeKey(subject=made)

    return make


def all_but(*labels: str) -> Callable[[Gated], dict[str, bool]]:
    return lambda live: {label: live.world.accepts(label) for label in KEYS if label not in labels}


def plainly(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda _, __: action(**fields)


def spread(live: Gated) -> None:
    live.clock.move(100)


SITE = Consumer(id="demo-site", connection="vault", secret="demo-site-token")
SINCE = ORIGIN - timedelta(days=1)
CASE = ProviderCase(
    openai.PROVIDER,
    an_organisation,
    (
        ActionCase(on_key(InspectKey), "inspect"),
        ActionCase(on_key(UsedKey, since=SINCE), "used"),
        ActionCase(on_key(ConsumersOfKey, since=SINCE), "consumers"),
        ActionCase(on_key(DoorsOfOwner, since=SINCE), "doors"),
        ActionCase(on_key(DoorsOfOwner, "admin-leaked", since=SINCE), "doors of an admin key"),
        ActionCase(on_key(FenceProject, cap_cents=500), "fence", spares=all_but()),
        ActionCase(plainly(RestoreSpendLimit, project=PROJECT, cents=700), "restore_spend_limit"),
        ActionCase(
            on_key(RevokeKey), "revoke, a user's", gone=on_deleted("leaked"), spares=all_but("leaked"), settle=spread
        ),
        ActionCase(
            on_key(RevokeKey, "removed", by_value=True), "revoke, of somebody removed", gone=on_deleted("removed"),
            spares=all_but("removed"), settle=spread,
        ),
        ActionCase(
            on_key(RevokeKey, "robot"), "revoke, a service account's", gone=on_deleted("robot"),
            spares=all_but("robot", "robot-2"), settle=spread,
        ),
        ActionCase(
            on_key(RevokeKey, "admin-leaked"), "revoke, an admin key", gone=on_deleted("admin-leaked"),
            spares=all_but("admin-leaked"), settle=spread,
        ),
        ActionCase(on_key(IssueKey, consumer=SITE), "issue", leaves_orphan=True, spares=all_but()),
        ActionCase(
            on_key(IssueKey, consumer=SITE, scopes=("api.responses.write",)), "issue, with scopes", leaves_orphan=True,
            spares=all_but(),
        ),
        ActionCase(on_key(ProveKeyDead), "prove_dead", can_be_denied=False),
        ActionCase(
            plainly(RemoveUser, user="user-ada"), "remove_user", gone=plainly(RemoveUser, user="user-nobody")
        ),
        ActionCase(
            plainly(RemoveProjectMember, project=PROJECT, user="user-ada"), "remove_project_member",
            gone=plainly(RemoveProjectMember, project=PROJECT, user="user-gone"),
        ),
        ActionCase(
            plainly(DeleteInvite, invite="invite-open"), "delete_invite",
            gone=plainly(DeleteInvite, invite="invite-none"),
        ),
        ActionCase(plainly(AuditLog, since=SINCE), "audit_log"),
        ActionCase(plainly(Usage, since=SINCE, key_id="key_leaked"), "usage"),
    ),
)  # fmt: skip
