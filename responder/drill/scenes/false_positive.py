"""A scanner reports a key of the gateway that its issuer ended weeks before: no leak, and nothing is ended."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.scenes.founding import key_api
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.expired import Expired
from responder.drill.world.system import Ground

if TYPE_CHECKING:
    from responder.drill.stage import Stage


class _Expired(LeakScene):
    """A key that was revoked when its programme moved to another one."""

    playbook: ClassVar[str] = "false-positive"
    title: ClassVar[str] = "An old key of the gateway is in the history of a public repository."
    issuer: ClassVar[str] = "issuer"
    leaked: ClassVar[str] = "shared-token"
    services: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[Mapping[str, str]] = {
        "ISSUER_ADMIN": "issuer-admin", "ISSUER_CONTROL": "control-token", "KNOWN_SHARED": "shared-token",
    }  # fmt: skip
    was_dead: ClassVar[bool] = True

    def minted(self, seed: int) -> dict[str, str]:
        """Return nothing: every team's values hold the gateway's keys."""
        return {}

    def populate(self, ground: Ground) -> Expired:
        """Make the gateway, which ended the key long ago."""
        return Expired(ground, self.leaked)

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the gateway, which tells since when a key is dead."""
        return {
            "issuer": {
                "provider": "http", "account": stage.inventory.account, "secret": "env:ISSUER_ADMIN",
                "control": "env:ISSUER_CONTROL", "base_url": stage.urls["issuer"],
                "identity": {"request": "GET /admin/v1/whoami", "account": "account", "key_id": "key_id"},
                "keys": key_api(stage.urls),
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the key that was replaced."""
        return {
            "id": "early-access-old", "kind": "gateway-key", "key_id": stage.inventory.shared_key_id,
            "known_by": "env:KNOWN_SHARED",
        }  # fmt: skip

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return why it is taken for no leak."""
        return {"why": "it was revoked when the programme moved to keys of its own, weeks before it was published"}


SCENE = _Expired()
