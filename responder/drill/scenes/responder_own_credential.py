"""The admin key with which responder itself works stands in a public paste; strangers administer with it."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes.founding import key_api
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.admins import AdminLeak
from responder.drill.world.system import Ground
from responder.drill.world.values import SECRET_SHAPE, drawn

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

_LETTERS = 40
OWNER = "platform"


class _Own(LeakScene):
    """Our own key of the gateway; two others may administer it, too."""

    playbook: ClassVar[str] = "responder-own-credential"
    title: ClassVar[str] = "The admin key with which responder ends keys of the gateway stands in a public paste."
    issuer: ClassVar[str] = "issuer"
    leaked: ClassVar[str] = "issuer-admin"
    services: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[Mapping[str, str]] = {
        "ISSUER_ADMIN": "issuer-admin", "SPARE_ADMIN": "spare-admin", "WATCH_ADMIN": "watch-admin",
    }  # fmt: skip
    watched: ClassVar[re.Pattern[str]] = re.compile(f"{SECRET_SHAPE.pattern}|lumadmin_[A-Za-z0-9]{{{_LETTERS}}}")

    def minted(self, seed: int) -> dict[str, str]:
        """Return the key that acts instead, and one that only shows that the gateway answers."""
        return {label: "lumadmin_" + drawn(seed, label, _LETTERS) for label in ("spare-admin", "watch-admin")}

    def populate(self, ground: Ground) -> AdminLeak:
        """Make the gateway with three keys of administration."""
        return AdminLeak(ground, self.leaked, ("spare-admin", "watch-admin"), OWNER)

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the gateway twice: as responder works there, and as it works when that key leaked."""
        gateway = stage.urls["issuer"]
        keys = key_api({**stage.urls, "edge": gateway})
        keys["probe"]["surfaces"] = {"admin": f"GET {gateway}/admin/v1/whoami"}
        common = {
            "provider": "http", "account": stage.inventory.account, "control": "env:WATCH_ADMIN", "base_url": gateway,
            "identity": {"request": "GET /admin/v1/whoami", "account": "account", "key_id": "key_id"}, "keys": keys,
        }  # fmt: skip
        return {
            "issuer": {**common, "secret": "env:ISSUER_ADMIN"},
            "spare": {**common, "secret": "env:SPARE_ADMIN"},
        }

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return our own key."""
        return {
            "id": "responder-admin", "kind": "admin-key", "key_id": stage.inventory.admin_key_id,
            "known_by": "env:ISSUER_ADMIN",
        }  # fmt: skip

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return the connection that acts instead."""
        return {"other": "spare"}

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Make a new key of administration, where a task asks for that."""
        return ("/cast/renew", {}) if ask.unit == "renew" else super().act(state, ask, person)

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return both ends of the key and that of its sessions, and the new key."""
        kinds = ("key_disabled", "key_revoked", "sessions_ended")
        return [*(Expected(one, OWNER, stage.inventory.admin_key_id) for one in kinds), Expected("key_issued", OWNER)]


SCENE = _Own()
