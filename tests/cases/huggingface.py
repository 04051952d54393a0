"""The drill's hub, and Space secrets that tell their descriptions, as the real ones do."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cases.common import ORIGIN, Gated, Take, a_world, connection

from responder.action import Action
from responder.credential import Subject
from responder.providers import huggingface
from responder.providers.huggingface.commits import CommitLog
from responder.providers.huggingface.spaces import (
    DeleteSecret,
    DeliverToSpace,
    PauseSpace,
    SetSecret,
    SetVisibility,
    SpaceInfo,
)
from responder.providers.huggingface.tokens import InspectToken, ProveTokenDead, RevokeToken
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, Seen, forwarding


@contextlib.contextmanager
def a_hub() -> Iterator[Gated]:
    with a_world() as world, Loopback(_with_descriptions(forwarding(world.urls["hub"]))) as gate:
        labels, account = world.ground.labels, world.ground.inventory.hub_account
        yield Gated(
            gate, connection("huggingface", account=account, base_url=gate.url), world.ground.clock, account,
            labels["hub-admin"], labels["hub-control"], world,
        )  # fmt: skip


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


def on_token(action: type[Any]) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=Subject(id="bot", value=take(live.value("space-token"))))


def on_dead_token(live: Gated, take: Take) -> Action:
    next(each for each in live.world.cast.hub.accounts if each.label == "space-token").dead = True
    return on_token(RevokeToken)(live, take)


def other_tokens(live: Gated) -> dict[str, bool]:
    return {each.label: each.dead for each in live.world.cast.hub.accounts if each.label != "space-token"}


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
    ),
)  # fmt: skip
