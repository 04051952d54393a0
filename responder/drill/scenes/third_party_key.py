"""A stranger's token stands in the code of a Space of ours: it is never tried, and its owner is told."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes import house
from responder.drill.scenes.scene import Scene
from responder.drill.world.foreign import OWNER_CONTACT, Foreign
from responder.drill.world.system import Ground
from responder.drill.world.values import Leaked, drawn, values_of
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HANDS = {"close-exposure": "hide", "tell-owner": "tell", "acknowledged": "answer"}
"""What a person does in the world for each task."""


class _Foreign(Scene):
    """A token of the Hub, where we have an account, too; anybody could revoke it there who knows it."""

    playbook: ClassVar[str] = "third-party-key"
    title: ClassVar[str] = "A token that is none of ours is in the code of our own public Space."
    places: ClassVar[frozenset[str]] = frozenset({"hub", "slack", "mail"})
    secrets: ClassVar[Mapping[str, str]] = {
        "HUB_ADMIN": "hub-admin", "HUB_CONTROL": "hub-control", "KNOWN_SPACE": "space-token", **house.SECRETS,
    }  # fmt: skip
    leaked: ClassVar[str] = "foreign-token"

    def values(self, seed: int, holders: int) -> dict[str, str]:
        """Return the values of every team, and the stranger's token."""
        return {**values_of(seed, 0), self.leaked: "hf_" + drawn(seed, self.leaked, 34, _LETTERS)}

    def populate(self, ground: Ground) -> Foreign:
        """Make the Hub, where a stranger's token lives, and our Space that shows it."""
        return Foreign(ground, self.leaked)

    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Describe the Hub as we use it; the inventory holds a token of ours of the same form."""
        made = house.house(stage, live=live)
        hub = {
            "provider": "huggingface", "account": stage.inventory.hub_account, "secret": "env:HUB_ADMIN",
            "control": "env:HUB_CONTROL", "base_url": stage.urls["hub"],
        }  # fmt: skip
        entry = {"id": "space-bot", "connection": "hub", "kind": "hub-token", "known_by": "env:KNOWN_SPACE"}
        return {
            **made,
            "connections": {"hub": hub, **made["connections"]},
            "inventory": [{**entry, "owner": "ruth"}],
        }

    def exposure(self, stage: "Stage") -> Exposure:
        """Return the file of our Space."""
        url = f"{stage.urls['hub']}{self.evidence_path(stage)}"
        return Exposure(url=url, place="app.py of our Space", kind="public")

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return whom we tell, and who signs."""
        return {"owner_contact": OWNER_CONTACT, "sender": "tomas"}

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Make the Space private, write to the owner, and read the answer."""
        hand = _HANDS.get(ask.unit)
        return (f"/cast/{hand}", {"person": person}) if hand else None

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the token, which no system at all may see from us."""
        return [Leaked(self.leaked, "", ())]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return the Space out of sight, and the mail to the owner."""
        return [self.hides(stage), Expected("owner_told", OWNER_CONTACT)]

    def hides(self, stage: "Stage") -> Expected:
        """Return that our Space is private."""
        space = stage.inventory.own_space
        return Expected("space_visibility", space, f"{space}:private")

    def evidence_path(self, stage: "Stage") -> str:
        """Return the path of the file."""
        return f"/spaces/{stage.inventory.own_space}/raw/main/app.py"


SCENE = _Foreign()
