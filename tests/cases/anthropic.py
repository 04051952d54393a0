"""An Anthropic organisation with a leaked key, a second key of its maker, and what must be spared."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from cases.common import ORIGIN, Gated, Take, a_ground, connection, standing

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.anthropic import Anthropic
from responder.drill.world.values import drawn
from responder.providers import anthropic
from responder.providers.anthropic.ending import DisableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.anthropic.people import DeleteInvite, RemoveUser
from responder.providers.anthropic.traces import ConsumersOfKey, DoorsOfMaker, UsedKey
from responder.testing.bench import ActionCase, ProviderCase

ACCOUNT = "0b9f3c1e-0000-4000-8000-000000000001"
IDS = {
    "leaked": "apikey_leaked", "sibling": "apikey_sibling", "control": "apikey_control", "ours": "apikey_ours",
    "admin-leaked": "apikey_admin", "admin-control": "apikey_admin2",
}  # fmt: skip
SINCE = ORIGIN - timedelta(days=1)


@contextlib.contextmanager
def an_organisation() -> Iterator[Gated]:
    admins = {"ours", "admin-leaked", "admin-control"}
    values = {label: ("sk-ant-admin01-" if label in admins else "sk-ant-api03-") + drawn(7, label, 60) for label in IDS}
    with a_ground(**values) as ground:
        system = Anthropic(ground, ACCOUNT)
        for label, key_id in IDS.items():
            maker = "user_other" if label == "control" else "user_ada"
            system.add_key(label, key_id, maker, admin=label in admins)
        system.add_person("user_ada", "ada@lumen.example")
        system.add_invite("invite_open", "guest@elsewhere.example")
        system.add_invite("invite_taken", "ada@lumen.example", "accepted")
        system.add_usage("apikey_leaked", ORIGIN - timedelta(hours=3), 900)
        system.add_usage("apikey_leaked", ORIGIN - timedelta(days=20), 12)
        system.add_usage("apikey_sibling", ORIGIN - timedelta(hours=3), 5)
        # No official description is beside this repository: requests are validated by the stand-in alone.
        with standing(system) as gate:
            made = connection("anthropic", account=ACCOUNT, base_url=gate.url)
            yield Gated(gate, made, ground.clock, ACCOUNT, values["ours"], values["control"], system)


def subject(live: Gated, take: Take, label: str = "leaked", *, by_value: bool = False) -> Subject:
    key_id = "" if by_value else IDS[label]
    return Subject(id="site", connection="anthropic", key_id=key_id, value=take(live.value(label)))


def on_key(action: type[Any], label: str = "leaked", *, by_value: bool = False, **fields: Any) -> Any:
    return lambda live, take: action(subject=subject(live, take, label, by_value=by_value), **fields)


def on_set(action: type[Any], status: str) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, take: Take) -> Action:
        live.world.keys["apikey_leaked"].status = status
        live.world.keys["apikey_leaked"].refused_from = ORIGIN
        made: Action = action(subject=subject(live, take))
        return made

    return make


def plainly(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda _, __: action(**fields)


def other_keys(live: Gated) -> dict[str, bool]:
    return {label: live.world.accepts(label) for label in IDS if label != "leaked"}


def spread(live: Gated) -> None:
    live.clock.move(100)


CASE = ProviderCase(
    anthropic.PROVIDER,
    an_organisation,
    (
        ActionCase(on_key(InspectKey), "inspect"),
        ActionCase(on_key(UsedKey, since=SINCE), "used"),
        ActionCase(on_key(ConsumersOfKey, since=SINCE), "consumers"),
        ActionCase(on_key(DoorsOfMaker, since=SINCE), "doors"),
        ActionCase(
            on_key(DisableKey), "disable", gone=on_set(DisableKey, "inactive"), spares=other_keys, settle=spread
        ),
        ActionCase(on_key(RevokeKey), "revoke", gone=on_set(RevokeKey, "archived"), spares=other_keys, settle=spread),
        ActionCase(
            on_key(RevokeKey, by_value=True), "revoke, by its value", gone=on_set(RevokeKey, "expired"),
            spares=other_keys, settle=spread,
        ),
        ActionCase(on_key(ProveKeyDead), "prove_dead", can_be_denied=False),
        ActionCase(plainly(RemoveUser, user="user_ada"), "remove_user", gone=plainly(RemoveUser, user="user_none")),
        ActionCase(
            plainly(DeleteInvite, invite="invite_open"), "delete_invite",
            gone=plainly(DeleteInvite, invite="invite_none"),
        ),
    ),
)  # fmt: skip
