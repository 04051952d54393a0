"""Forty programs use one key that was seen in a private place; three of them keep the old one until restarted."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes import house
from responder.drill.scenes.founding import key_api
from responder.drill.scenes.scene import Scene
from responder.drill.world.rotation import Rotation
from responder.drill.world.system import Ground
from responder.drill.world.values import Leaked, values_of
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

PROGRAMS = tuple(f"program-{number:02d}" for number in range(1, 41))
STUCK = ("program-07", "program-19", "program-33")


class _Rotation(Scene):
    """A key that forty programs use."""

    playbook: ClassVar[str] = "many-consumers-rotation"
    title: ClassVar[str] = "The gateway key of forty programs was pasted into a private channel of our own chat."
    places: ClassVar[frozenset[str]] = frozenset({"issuer", "edge", "slack", "mail", "vault", "site"})
    secrets: ClassVar[Mapping[str, str]] = {
        "ISSUER_ADMIN": "issuer-admin",
        "ISSUER_CONTROL": "control-token",
        "VAULT_TOKEN": "vault-token",
        "KNOWN_SHARED": "shared-token",
        **house.SECRETS,
    }
    leaked: ClassVar[str] = "shared-token"

    def values(self, seed: int, holders: int) -> dict[str, str]:
        """Return every secret value by its label; nobody holds the key besides the programs."""
        return values_of(seed, 0)

    def populate(self, ground: Ground) -> Rotation:
        """Make the gateway, the store, and the programs."""
        return Rotation(ground, PROGRAMS, STUCK)

    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Describe the gateway and the store, and name every program as a consumer."""
        made, urls, inventory = house.house(stage, live=live), stage.urls, stage.inventory
        ours = {
            "gateway": {
                "provider": "http", "account": inventory.account, "secret": "env:ISSUER_ADMIN",
                "control": "env:ISSUER_CONTROL", "base_url": urls["issuer"],
                "identity": {"request": "GET /admin/v1/whoami", "account": "account", "key_id": "key_id"},
                "keys": key_api(urls),
            },
            "vault": house.vault(stage, test=f"GET {urls['site']}/health/{{consumer}}"),
        }  # fmt: skip
        consumers = [
            {"id": name, "connection": "vault", "secret": f"{name}-key", "owner": "kenji"} for name in PROGRAMS
        ]
        entry = {
            "id": "programs-shared", "connection": "gateway", "kind": "gateway-key", "key_id": inventory.shared_key_id,
            "known_by": "env:KNOWN_SHARED", "owner": "ruth", "consumers": consumers,
        }  # fmt: skip
        return {**made, "connections": {**ours, **made["connections"]}, "inventory": [entry]}

    def exposure(self, stage: "Stage") -> Exposure:
        """Return a private channel."""
        return Exposure(place="the private channel #gateway-ops", kind="private")

    def choice(self, state: "RunState", ask: "Ask") -> str:
        """Wait for those that have not moved."""
        return "wait" if "wait" in ask.options else super().choice(state, ask)

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Restart a program that keeps its old key."""
        step, _, item = ask.unit.partition("[")
        return ("/site/restart", {"id": item.rstrip("]")}) if step.endswith("mend") else None

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the one key, and both surfaces."""
        return stage.inventory.leaked[:1]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return a new key for each program."""
        return [Expected("key_issued", name) for name in PROGRAMS]


SCENE = _Rotation()
