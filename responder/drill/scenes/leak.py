"""What the scenes of leaks at providers have in common: a team with some services, and a value on a public page."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.scenes import house
from responder.drill.scenes.scene import Scene
from responder.drill.world.values import Leaked, values_of
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

COMMANDER = {"name": "Inês Carvalho", "email": "ines@lumen.example"}


class LeakScene(Scene):
    """A credential of one provider, on a public page, and the services that use it."""

    issuer: ClassVar[str]
    """The name of the issuer's system in the world."""
    own: ClassVar[Mapping[str, str]]
    """The environment variables of this scene's own secrets, and their labels; `secrets` adds those of every team."""
    services: ClassVar[tuple[str, ...]] = ("render-queue", "demo-site")
    leaked: ClassVar[str] = "leaked"

    def __init_subclass__(cls, **more: Any) -> None:
        """Add what every team has: chat, mail and a store."""
        super().__init_subclass__(**more)
        cls.secrets = {**cls.own, **house.SECRETS, "VAULT_TOKEN": "vault-token"}
        cls.places = frozenset({cls.issuer, "slack", "mail", "vault", "site"})

    @abstractmethod
    def minted(self, seed: int) -> dict[str, str]:
        """Return this scene's own values by their labels."""

    def values(self, seed: int, holders: int) -> dict[str, str]:
        """Return the values of every team, and this scene's own."""
        return {**values_of(seed, 0), **self.minted(seed)}

    @abstractmethod
    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the issuer as `issuer`, and whatever else is this scene's own."""

    @abstractmethod
    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the inventory's entry of what leaked, without its consumers."""

    def place(self, service: str) -> dict[str, Any]:
        """Return where a service reads its credential, as the inventory has it."""
        return {"connection": "vault", "secret": f"{service}-key"}

    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Describe the issuer and the store, the credential, and the services that use it."""
        made = house.house(stage, live=live)
        ours = {"vault": house.vault(stage, test=f"GET {stage.urls['site']}/health/{{consumer}}")}
        consumers = [{"id": name, "owner": "kenji", **self.place(name)} for name in self.services]
        entry = {"connection": "issuer", "owner": "ruth", "consumers": consumers, **self.entry(stage)}
        return {
            **made,
            "connections": {**self.connections(stage), **ours, **made["connections"]},
            "inventory": [entry],
            "facts": {"commander": COMMANDER, "allowed_hosts": ["127.0.0.1"]},
        }

    def exposure(self, stage: "Stage") -> Exposure:
        """Return a public page of somebody else's."""
        return Exposure(url="https://pastes.example/p/7f3a", place="a public paste", kind="public")

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Make a credential on the issuer's page and put it into the service's secret, where a task asks for that."""
        step, _, item = ask.unit.partition("[")
        return ("/cast/store", {"service": item.rstrip("]")}) if step.endswith("by-hand") else None

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the one value."""
        return [Leaked(self.leaked, state.credential.key_id, (self.issuer,))]
