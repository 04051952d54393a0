"""OpenBao: the drill's, filled with what leaks; the same cases run against the real server where it is installed."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol

from cases.common import ORIGIN, Gated, Take, a_ground, connection, standing

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.openbao import OpenBao
from responder.drill.world.openbao.tokens import NOT_ALLOWED
from responder.providers import openbao
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
from responder.providers.openbao.storing import DeliverToStore, DestroyOldVersions
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Reply, Seen

DENIAL = Reply(403, {"errors": [NOT_ALLOWED]})
LEASES = "pki/issue/web"
"""Below it there are leases: the engine for certificates gives them without a database."""


class Server(Protocol):
    """A server that was filled: `ids` are accessors and lease ids by their labels."""

    ids: dict[str, str]

    def end(self, label: str) -> None:
        """End what a label names."""

    def alive(self, *, but: str) -> dict[str, bool]:
        """Tell of every label but some (and what belongs to them) whether it lives."""

    def write(self, path: str, data: dict[str, str]) -> None:
        """Write a version of a secret of the store."""


TOKENS = ("leaked", "leaked-child", "other", "bao-control")
SECRET_IDS = ("leaked-secret-id", "other-secret-id")


class OnFake:
    """The drill's server, filled."""

    def __init__(self, bao: OpenBao) -> None:
        self.bao = bao
        self.ground = bao.ground
        add = bao.add_token
        bao.tokens.propagation = 0.0
        self.ids = {"bao-admin": add("bao-admin", ("root",)), "leaked": add("leaked", ("default", "deploy"))}
        self.ids["leaked-child"] = add("leaked-child", parent=self.ids["leaked"])
        self.ids["other"] = add("other")
        self.ids["bao-control"] = add("bao-control")
        bao.roles.add("web", ("default", "web"))
        for label in SECRET_IDS:
            self.ids[label] = f"approle:web#{bao.roles.add_secret_id(label, 'web')}"
        self.ids["opened"] = bao.roles.open("opened", "leaked-secret-id")
        self.ids["lease-0"], self.ids["lease-1"] = bao.add_lease(LEASES), bao.add_lease(LEASES)
        bao.add_static_role("app", "app_user")
        bao.store.put("app/db", {"user": "app", "password": "one"})

    def end(self, label: str) -> None:
        self.bao.leases = [one for one in self.bao.leases if one.id != self.ids[label]]
        self.bao.roles.secret_ids = [one for one in self.bao.roles.secret_ids if one.label != label]
        for token in [one for one in self.bao.tokens.all if one.label == label]:
            self.bao.tokens.revoke(token)

    def alive(self, *, but: str) -> dict[str, bool]:
        leases = {label: self.ids[label] in self.bao.live_leases() for label in ("lease-0", "lease-1")}
        told = {label: self.bao.accepts(label) for label in (*TOKENS, *SECRET_IDS)} | leases
        return {label: lives for label, lives in told.items() if not label.startswith(but)}

    def write(self, path: str, data: dict[str, str]) -> None:
        self.bao.store.put(path, data)


def writes(seen: Seen) -> bool:
    """Tell whether a request asks for a change: a look-up is a POST."""
    return seen.method != "GET" and not seen.path.endswith(("/lookup", "/lookup-accessor", "/capabilities-self"))


@contextlib.contextmanager
def a_bao() -> Iterator[Gated]:
    with a_ground() as ground:
        bao = OpenBao(ground)
        filled = OnFake(bao)
        with standing(bao, writes=writes, denial=DENIAL) as gate:
            yield Gated(
                gate, connection("openbao", account=bao.cluster_id, base_url=gate.url), ground.clock,
                bao.cluster_id, ground.labels["bao-admin"], ground.labels["bao-control"], filled,
            )  # fmt: skip


def token(live: Gated, take: Take, *, value: bool = True, key_id: bool = True) -> Subject:
    return Subject(
        id="deploy", connection="openbao", key_id=live.world.ids["leaked"] if key_id else "",
        value=take(live.value("leaked")) if value else None,
    )  # fmt: skip


def secret_id(live: Gated, take: Take) -> Subject:
    value = take(live.value("leaked-secret-id"))
    return Subject(id="web", connection="openbao", key_id=live.world.ids["leaked-secret-id"], value=value)


def lease(live: Gated, take: Take) -> Subject:
    return Subject(id="cert", connection="openbao", key_id=live.world.ids["lease-0"])


Make = Callable[[Gated, Take], Action]


def on(subject: Callable[..., Subject], action: type[Any], **fields: Any) -> Make:
    return lambda live, take: action(subject=subject(live, take), **fields)


def after(label: str, make: Make) -> Make:
    def made(live: Gated, take: Take) -> Action:
        live.world.end(label)
        return make(live, take)

    return made


def spares(but: str) -> Callable[[Gated], dict[str, bool]]:
    return lambda live: live.world.alive(but=but)


def by_value(live: Gated, take: Take) -> Subject:
    return token(live, take, key_id=False)


def by_accessor(live: Gated, take: Take) -> Subject:
    return token(live, take, value=False)


def proof_of_secret_id(live: Gated, take: Take) -> Action:
    live.control = live.value("other-secret-id")
    return ProveCredentialDead(subject=secret_id(live, take))


CONSUMER = Consumer(id="web", connection="openbao", secret="secret/app/db#password")


def delivered(live: Gated, take: Take) -> Action:
    return DeliverToStore(consumer=CONSUMER, value=take("new-" + "vQ8x" * 7))


def delivered_to_nothing(live: Gated, take: Take) -> Action:
    place = CONSUMER.model_copy(update={"secret": "secret/app/new#password"})
    return DeliverToStore(consumer=place, value=take("new-" + "vQ8x" * 7))


def with_old_versions(live: Gated, take: Take) -> Action:
    live.world.write("app/db", {"user": "app", "password": "two"})
    live.world.write("app/db", {"user": "app", "password": "three"})
    return DestroyOldVersions(secret="secret/app/db#password")


def prefix_gone(live: Gated, _: Take) -> Action:
    live.world.end("lease-0")
    live.world.end("lease-1")
    return RevokePrefix(prefix=LEASES)


def rotated(live: Gated, _: Take) -> Action:
    live.clock.move(60)
    return RotateStaticRole(role="app", since=live.clock.now() - timedelta(seconds=10))


def rotated_already(live: Gated, _: Take) -> Action:
    live.clock.move(60)
    return RotateStaticRole(role="app", since=ORIGIN - timedelta(seconds=10))


ANYWHERE = (
    ActionCase(on(token, InspectCredential), "inspect, token"),
    ActionCase(on(by_accessor, InspectCredential), "inspect, accessor"),
    ActionCase(on(secret_id, InspectCredential), "inspect, secret id"),
    ActionCase(on(lease, InspectCredential), "inspect, lease"),
    ActionCase(
        on(token, RevokeCredential), "revoke, token", spares=spares("leaked"),
        gone=after("leaked", on(token, RevokeCredential)),
    ),
    ActionCase(
        on(by_value, RevokeCredential), "revoke, value", spares=spares("leaked"),
        gone=after("leaked", on(by_value, RevokeCredential)),
    ),
    ActionCase(
        on(by_accessor, RevokeCredential), "revoke, accessor", spares=spares("leaked"),
        gone=after("leaked", on(by_accessor, RevokeCredential)),
    ),
    ActionCase(
        on(secret_id, RevokeCredential), "revoke, secret id", spares=spares("leaked-secret-id"),
        gone=after("leaked-secret-id", on(secret_id, RevokeCredential)),
    ),
    ActionCase(
        on(lease, RevokeCredential), "revoke, lease", spares=spares("lease-0"),
        gone=after("lease-0", on(lease, RevokeCredential)),
    ),
    ActionCase(on(secret_id, ListSessions), "sessions"),
    ActionCase(
        on(secret_id, EndRoleSessions), "end_sessions", spares=spares("nothing"),
        gone=after("opened", on(secret_id, EndRoleSessions)),
    ),
    ActionCase(on(token, OpenDoors), "doors, token"),
    ActionCase(on(secret_id, OpenDoors), "doors, secret id"),
    ActionCase(on(token, ProveCredentialDead), "prove_dead, token"),
    ActionCase(proof_of_secret_id, "prove_dead, secret id"),
    ActionCase(
        on(token, IssueCredential, consumer=CONSUMER, scopes=("deploy",)), "issue, token", leaves_orphan=True
    ),
    ActionCase(on(secret_id, IssueCredential, consumer=CONSUMER), "issue, secret id", leaves_orphan=True),
    ActionCase(delivered, "deliver"),
    ActionCase(delivered_to_nothing, "deliver, new"),
    ActionCase(
        with_old_versions, "destroy_old_versions",
        gone=lambda live, _: DestroyOldVersions(secret="secret/app/db"),
    ),
    ActionCase(
        lambda live, _: RevokeLease(lease_id=live.world.ids["lease-0"]), "revoke_lease", spares=spares("lease-0"),
        gone=after("lease-0", lambda live, _: RevokeLease(lease_id=live.world.ids["lease-0"])),
    ),
    ActionCase(
        lambda live, _: RevokePrefix(prefix=LEASES), "revoke_prefix", spares=spares("lease"), gone=prefix_gone
    ),
)  # fmt: skip
"""What needs no database behind the server."""

CASE = ProviderCase(
    openbao.PROVIDER,
    a_bao,
    (*ANYWHERE, ActionCase(rotated, "rotate_static_role", gone=rotated_already)),
)
