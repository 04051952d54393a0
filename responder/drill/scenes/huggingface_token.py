"""A token of our bot at the Hub stands in the code of a Space of ours; one of the strangers changes something."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.spaces_leak import SpaceLeak
from responder.drill.world.system import Ground
from responder.drill.world.values import Leaked
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState


class _Token(LeakScene):
    """The token with which our bot pushes to the Hub."""

    playbook: ClassVar[str] = "huggingface-token"
    title: ClassVar[str] = "A token of our bot at the Hub is in the code of our own public Space."
    issuer: ClassVar[str] = "hub"
    leaked: ClassVar[str] = "space-token"
    own: ClassVar[Mapping[str, str]] = {
        "HUB_ADMIN": "hub-admin", "HUB_CONTROL": "hub-control", "KNOWN_SPACE": "space-token",
    }  # fmt: skip

    def minted(self, seed: int) -> dict[str, str]:
        """Return nothing: every team's values hold the Hub's tokens."""
        return {}

    def populate(self, ground: Ground) -> SpaceLeak:
        """Put the token into our Space's code."""
        return SpaceLeak(ground, self.leaked, services=self.services)

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the Hub, and the organisation whose audit log tells of changes."""
        return {
            "issuer": {
                "provider": "huggingface", "account": stage.inventory.hub_account, "secret": "env:HUB_ADMIN",
                "control": "env:HUB_CONTROL", "base_url": stage.urls["hub"], "organization": stage.inventory.hub_org,
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the bot's token, which the Hub knows by its value alone."""
        return {"id": "space-bot", "kind": "hub-token", "known_by": "env:KNOWN_SPACE"}

    def exposure(self, stage: "Stage") -> Exposure:
        """Return our Space's page."""
        url = f"{stage.urls['hub']}{self.evidence_path(stage)}"
        return Exposure(url=url, place="app.py of our Space", kind="public")

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return the Space that is paused."""
        return {"space": stage.inventory.own_space}

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the token; the world tells of its end by its user."""
        return [Leaked(self.leaked, stage.inventory.hub_bot, (self.issuer,))]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return the token's end, the pause, and a token and a new secret for each service."""
        found = [Expected("token_revoked", self.leaked), Expected("space_paused", stage.inventory.own_space)]
        for name in self.services:
            found += [Expected("key_issued", name), Expected("secret_written", f"{name}-key")]
        return found

    def evidence_path(self, stage: "Stage") -> str:
        """Return the path of our Space's page."""
        return f"/spaces/{stage.inventory.own_space}"


SCENE = _Token()
