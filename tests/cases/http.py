"""The drill's issuer, edge, vault and site, as one system that responder.yaml describes."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cases.common import Gated, Take, a_world, connection

from responder.action import Action
from responder.credential import Subject
from responder.drill.world import World
from responder.providers import http
from responder.providers.http.ending import (
    DisableKey,
    EndKeySessions,
    InspectKey,
    ListSessions,
    ProveKeyDead,
    RevokeKey,
)
from responder.providers.http.issuing import IssueKey
from responder.providers.http.storing import DeliverSecret, TestUse
from responder.settings import Consumer, Holder
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, Seen, forwarding


def described(base: str, **more: Any) -> dict[str, Any]:
    """Describe the drill's issuer, as a team would in responder.yaml."""
    key = "/admin/v1/keys/{key_id}"
    state = {"state": "status", "live": ["active"], "disabled": ["disabled"], "dead": ["revoked"]}
    find = {
        "request": "GET /admin/v1/keys?name={name}", "items": "keys", "next": "next",
        "state": "status", "live": ["active"], "claim": "claim_url",
    }  # fmt: skip
    body = {"name": "{name}", "owner": "{owner}", "delivery": "{delivery}", "scopes": "{scopes}"}
    keys = {
        "shape": r"lum_(?P<key_id>k_[a-z0-9]{8})_[A-Za-z0-9]{32}",
        "propagation": "30s",
        "state": {"request": f"GET {key}", **state, "owner": "owner", "reach": "reach",
                  "last_used": "last_used_at", "missing": "dead"},
        "list": {"request": "GET /admin/v1/keys", "items": "keys", "next": "next", **state, "owner": "owner",
                 "last_used": "last_used_at"},
        "disable": {"request": f"POST {key}/disable"},
        "revoke": {"request": f"POST {key}/revoke"},
        "issue": {"request": "POST /admin/v1/keys", "body": body, "value": "value", "claim": "claim_url",
                  "find": find},
        "sessions": {"request": f"GET {key}/sessions", "items": "sessions"},
        "end_sessions": {"request": f"DELETE {key}/sessions"},
        "probe": {"surfaces": {"api": f"GET {base}/v1/me", "edge": f"GET {base}/edge/v1/me"}},
    }  # fmt: skip
    secrets = {
        "write": {"request": "PUT /v1/secrets/{name}", "body": {"value": "{value}", "marker": "{marker}"}},
        "read": {"request": "GET /v1/secrets/{name}", "version": "version", "marker": "marker"},
        "test": {"request": f"GET {base}/health", "ok": "ok", "key_id": "key_id"},
    }
    identity = {"request": "GET /admin/v1/whoami", "key_id": "key_id"}
    return {"base_url": base, "identity": identity, "keys": keys, "secrets": secrets, **more}


@contextlib.contextmanager
def described_api() -> Iterator[Gated]:
    with a_world() as world, Loopback(_dispatch(world)) as gate:
        labels, account = world.ground.labels, world.ground.inventory.account
        yield Gated(
            gate, connection("http", account=account, **described(gate.url)), world.ground.clock, account,
            labels["issuer-admin"], labels["control-token"], world,
        )  # fmt: skip


def _dispatch(world: World) -> Callable[[Seen], Reply]:
    ask = {name: forwarding(url) for name, url in world.urls.items() if name != "slack"}
    opener = f"Bearer {world.ground.labels['vault-token']}"

    def answer(seen: Seen) -> Reply:
        if seen.path.startswith("/v1/secrets"):  # the store is a system of its own, with a token of its own
            headers = {**seen.headers, "authorization": opener}
            return ask["vault"](Seen(seen.method, seen.path, seen.query, headers, seen.body, seen.target))
        if seen.path.startswith("/edge/"):
            inner = seen.target.removeprefix("/edge")
            return ask["edge"](Seen(seen.method, inner, seen.query, seen.headers, seen.body, inner))
        return ask["site" if seen.path == "/health" else "issuer"](seen)

    return answer


def shared_key(live: Gated, take: Take) -> Subject:
    """The founding case: a key that many share."""
    return Subject(
        id="early-access", connection="http", key_id=live.world.ground.inventory.shared_key_id,
        value=take(live.value("shared-token")),
    )  # fmt: skip


def on_key(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=shared_key(live, take), **fields)


def on_ended_key(action: type[Any], end: str) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, take: Take) -> Action:
        keys = live.world.cast.keys
        getattr(keys, end)(keys.get(live.world.ground.inventory.shared_key_id))
        live.clock.move(60)
        return action(subject=shared_key(live, take))

    return make


HOLDER = Holder(id="h-001", name="Ada", email="h001@early.example")
SITE = Consumer(id="demo-site", connection="http", secret="demo-site-token")


def other_keys(live: Gated) -> dict[str, str]:
    keys, _ = live.world.cast.keys.page(None, None, 1000)
    return {key.id: key.status for key in keys if key.id != live.world.ground.inventory.shared_key_id}


def a_new_value(live: Gated, take: Take) -> Action:
    return DeliverSecret(subject=shared_key(live, take), consumer=SITE, value=take("new-" + "vQ8x" * 7))


CASE = ProviderCase(
    http.PROVIDER,
    described_api,
    (
        ActionCase(on_key(InspectKey), "inspect"),
        ActionCase(on_key(DisableKey), "disable", gone=on_ended_key(DisableKey, "disable"), spares=other_keys),
        ActionCase(on_key(RevokeKey), "revoke", gone=on_ended_key(RevokeKey, "revoke"), spares=other_keys),
        ActionCase(on_key(ListSessions), "sessions"),
        ActionCase(
            on_key(EndKeySessions), "end_sessions", gone=on_ended_key(EndKeySessions, "end_sessions"),
            settle=lambda live: live.clock.move(10),
        ),
        ActionCase(on_key(IssueKey, holder=HOLDER, scopes=("read",)), "issue, claimed"),
        ActionCase(on_key(IssueKey, consumer=SITE), "issue, given to us", leaves_orphan=True),
        ActionCase(a_new_value, "deliver"),
        ActionCase(on_key(TestUse, consumer=SITE), "test_consumer"),
        ActionCase(on_key(ProveKeyDead), "prove_dead"),
    ),
)  # fmt: skip
