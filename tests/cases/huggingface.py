"""The drill's hub with our organisation, and Space secrets that tell their descriptions, as the real ones do."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cases.common import ORIGIN, Gated, Take, a_world, connection
from cases.contracts import Contract

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.hub import Hub
from responder.providers import huggingface
from responder.providers.huggingface.audit import AuditLog, ConsumersInOrganization, UsedInOrganization
from responder.providers.huggingface.commits import CommitLog
from responder.providers.huggingface.members import ListResourceGroups, SetMemberRole
from responder.providers.huggingface.spaces import (
    DeleteSecret,
    DeliverToSpace,
    PauseSpace,
    SetSecret,
    SetVisibility,
    SpaceInfo,
)
from responder.providers.huggingface.tokens import (
    CheckToken,
    InspectToken,
    ProveTokenDead,
    RevokeInOrganization,
    RevokeToken,
)
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, Seen, forwarding

# Written by hand after hub-docs, which names no more. The Hub's own OpenAPI (huggingface.co/.well-known/openapi.json)
# has members, resource-groups and audit-log; the paths of Spaces are those of huggingface_hub's HfApi.
CONTRACT = Contract(
    "huggingface_handwritten.yaml",
    beyond=[
        "/api/spaces/.*",
        "/spaces/.*",
        "/api/organizations/[^/]+/members",
        "/api/organizations/[^/]+/resource-groups",
        "/api/organizations/[^/]+/audit-log/export",
    ],
)
ORG = "lumen-labs"
FILMS, PRESS = "65f0" * 6, "65f1" * 6


@contextlib.contextmanager
def a_hub() -> Iterator[Gated]:
    with a_world() as world, Loopback(_with_descriptions(forwarding(world.urls["hub"]))) as gate:
        peopled(world.cast.hub)
        labels, account = world.ground.labels, world.ground.inventory.hub_account
        known = connection("huggingface", account=account, base_url=gate.url, organization=ORG)
        yield Gated(
            gate, known, world.ground.clock, account, labels["hub-admin"], labels["hub-control"], world,
        )  # fmt: skip
        wrong = CONTRACT.problems(gate.seen)
        assert not wrong, "\n".join(wrong)


def peopled(hub: Hub) -> None:
    """Add what an incident in an organisation is about: groups, and what its audit log holds."""
    org = hub.organisation
    org.groups = {FILMS: "films", PRESS: "press"}
    org.members["lumen-space-bot"].groups = {FILMS: "read", PRESS: "write"}
    by_label = {each.label: each for each in hub.accounts}
    hub.front.note(org, "repo.add_secret", by_label["hub-admin"])
    hub.front.note(org, "repo.create", by_label["space-token"])
    hub.front.note(org, "repo.update_settings", by_label["space-token"])


def _with_descriptions(hub: Callable[[Seen], Reply]) -> Callable[[Seen], Reply]:
    kept: dict[str, dict[str, str]] = {"OLD_TOKEN": {"key": "OLD_TOKEN", "updatedAt": "2026-05-01T00:00:00Z"}}

    def answer(seen: Seen) -> Reply:
        if not seen.path.endswith("/secrets"):
            return hub(seen)
        sent = seen.json() or {}
        if seen.method == "POST":
            told = {"description": sent["description"]} if "description" in sent else {}
            kept[sent["key"]] = {"key": sent["key"], "updatedAt": ORIGIN.isoformat(), **told}
        if seen.method == "DELETE" and kept.pop(sent["key"], None) is None:
            return Reply(404, {"error": "no such secret"})
        return Reply(200, kept if seen.method == "GET" else {})

    return answer


def on_token(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=Subject(id="bot", value=take(live.value("space-token"))), **fields)


def on_dead_token(live: Gated, take: Take) -> Action:
    next(each for each in live.world.cast.hub.accounts if each.label == "space-token").dead = True
    return on_token(RevokeToken)(live, take)


def other_tokens(live: Gated) -> dict[str, Any]:
    others = [each for each in live.world.cast.hub.accounts if each.label != "space-token"]
    return {each.label: (each.dead, sorted(each.shut_out_by)) for each in others}


def shut_out(live: Gated, take: Take) -> Action:
    next(each for each in live.world.cast.hub.accounts if each.label == "space-token").shut_out_by.add(ORG)
    return on_token(RevokeInOrganization, organization=ORG)(live, take)


def in_organization(live: Gated) -> dict[str, Any]:
    return other_tokens(live) | {"whole": live.world.cast.hub.accepts("space-token")}


def on_own_space(action: type[Any], name: str = "space", **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, _: action(**{name: live.world.ground.inventory.own_space}, **fields)


def paused(live: Gated, _: Take) -> Action:
    space = live.world.ground.inventory.own_space
    live.world.cast.hub.spaces[space].stage = "PAUSED"
    return PauseSpace(space=space)


def new_secret(live: Gated, take: Take) -> Action:
    return SetSecret(space=live.world.ground.inventory.own_space, key="NEW", value=take("new-" + "vQ8x" * 7))


def delivered(live: Gated, take: Take) -> Action:
    place = f"{live.world.ground.inventory.own_space}:NEW"
    consumer = Consumer(id="demo", connection="huggingface", secret=place)
    return DeliverToSpace(consumer=consumer, value=take("new-" + "vQ8x" * 7))


def the_log(live: Gated, take: Take) -> Action:
    take(live.value("space-token"))
    known = take(live.value("shared-token")).fingerprint
    shape = r"lum_(?P<key_id>k_[a-z0-9]{8})_[A-Za-z0-9]{32}"
    return CommitLog(space=live.world.ground.inventory.space, known=(known,), shapes=(shape,))


CASE = ProviderCase(
    huggingface.PROVIDER,
    a_hub,
    (
        ActionCase(on_token(InspectToken), "inspect", can_be_denied=False),
        ActionCase(on_token(RevokeToken), "revoke", gone=on_dead_token, spares=other_tokens, can_be_denied=False),
        ActionCase(on_token(ProveTokenDead), "prove_dead", can_be_denied=False),
        ActionCase(on_token(UsedInOrganization), "used"),
        ActionCase(on_token(ConsumersInOrganization), "consumers"),
        ActionCase(
            on_token(RevokeInOrganization, organization=ORG), "revoke_in_organization",
            gone=shut_out, spares=in_organization,
        ),
        ActionCase(on_token(CheckToken), "check_token"),
        ActionCase(delivered, "deliver"),
        ActionCase(on_own_space(SpaceInfo), "space_info"),
        ActionCase(on_own_space(PauseSpace), "pause_space", gone=paused),
        ActionCase(
            on_own_space(SetVisibility, "repository"), "set_visibility",
            gone=on_own_space(SetVisibility, "repository", visibility="public"),
        ),
        ActionCase(new_secret, "set_secret"),
        ActionCase(
            on_own_space(DeleteSecret, key="OLD_TOKEN"), "delete_secret",
            gone=on_own_space(DeleteSecret, key="NONE"),
        ),
        ActionCase(the_log, "commit_log"),
        ActionCase(lambda *_: AuditLog(organization=ORG), "audit_log"),
        ActionCase(lambda *_: ListResourceGroups(organization=ORG), "list_resource_groups"),
        ActionCase(
            lambda *_: SetMemberRole(organization=ORG, member="lumen-space-bot", role="no_access"), "set_member_role",
            gone=lambda *_: SetMemberRole(organization=ORG, member="lumen-space-bot", role="write"),
        ),
    ),
)  # fmt: skip
