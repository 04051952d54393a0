"""A key of a language model's provider stands in a public paste; strangers spend with it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.scenes.leak import LeakScene
from responder.drill.world.leak import Leak, bearing
from responder.drill.world.openai import OpenAI
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn

if TYPE_CHECKING:
    from responder.drill.stage import Stage

ACCOUNT, PROJECT = "lumen-labs", "proj_site"
_PREFIXES = {"leaked": "sk-svcacct-", "control": "sk-svcacct-", "openai-admin": "sk-admin-"}


class _Key(LeakScene):
    """The key of a service account, which several programs share."""

    playbook: ClassVar[str] = "llm-api-key"
    title: ClassVar[str] = "A key with which we call a language model stands in a public paste."
    issuer: ClassVar[str] = "openai"
    own: ClassVar[Mapping[str, str]] = {
        "OPENAI_ADMIN": "openai-admin", "OPENAI_CONTROL": "control", "KNOWN_KEY": "leaked",
    }  # fmt: skip

    def minted(self, seed: int) -> dict[str, str]:
        """Return the key that leaked, a known-good one, and our own."""
        return {label: prefix + drawn(seed, label, 40) for label, prefix in _PREFIXES.items()}

    def populate(self, ground: Ground) -> Leak:
        """Make an organisation with one project, the service account whose key leaked, and another."""
        system = OpenAI(ground, ACCOUNT)
        org = system.organisation
        org.add_project(PROJECT, "Site")
        boss = org.add_user("user-boss", "boss@lumen.example", "owner")
        org.add_key("leaked", org.add_service_account(PROJECT, "site", "user-site"), PROJECT, key_id="key_leaked")
        org.add_key("control", org.add_service_account(PROJECT, "probe", "user-probe"), PROJECT, key_id="key_control")
        org.add_key("openai-admin", boss, key_id="key_admin")
        return Leak(
            ground, [system], programs=dict.fromkeys(self.programs, "leaked"), leaked=["leaked"],
            accepts=system.accepts, use=bearing(ground.labels["leaked"], "/models"),
            names=lambda label: next((key.id for key in org.keys.values() if key.label == label), ""),
        )  # fmt: skip

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the organisation, with its admin key and a known-good one."""
        return {
            "issuer": {
                "provider": "openai", "account": ACCOUNT, "secret": "env:OPENAI_ADMIN", "control": "env:OPENAI_CONTROL",
                "base_url": stage.urls["openai"], "project": PROJECT,
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the key of the service account."""
        return {"id": "site-key", "kind": "service-account key", "key_id": "key_leaked", "known_by": "env:KNOWN_KEY"}


SCENE = _Key()
