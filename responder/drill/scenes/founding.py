"""The founding case: a token that hundreds of testers share stands behind a public Space, beside an open letter."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes import house
from responder.drill.scenes.scene import Scene
from responder.drill.world.founding import Founding
from responder.drill.world.system import Ground
from responder.drill.world.values import Leaked, values_of
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.playbook import Playbook
    from responder.state import RunState
    from responder.unit import Ask


class _Founding(Scene):
    """The founding case."""

    playbook: ClassVar[str] = "shared-access-token-public"
    title: ClassVar[str] = (
        "The token of the early-access programme is in the code of a public Space, beside an open letter."
    )
    places: ClassVar[frozenset[str]] = frozenset({"issuer", "edge", "hub", "slack", "mail", "vault", "site"})
    secrets: ClassVar[Mapping[str, str]] = {
        "ISSUER_ADMIN": "issuer-admin",
        "ISSUER_CONTROL": "control-token",
        "HUB_ADMIN": "hub-admin",
        "HUB_CONTROL": "hub-control",
        **house.SECRETS,
        "VAULT_TOKEN": "vault-token",
        "KNOWN_SHARED": "shared-token",
        "KNOWN_SPACE": "space-token",
    }
    leaked: ClassVar[str] = "shared-token"
    holders: ClassVar[bool] = True

    def values(self, seed: int, holders: int) -> dict[str, str]:
        """Return every secret value by its label."""
        return values_of(seed, holders)

    def populate(self, ground: Ground) -> Founding:
        """Make the gateway, the hub, the store and the site, the holders and the public."""
        return Founding(ground)

    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Describe every system as its users would, and both credentials."""
        made = house.house(stage, live=live)
        inventory = stage.inventory
        consumers = [
            {"id": one.id, "connection": "vault", "secret": one.secret_name, "owner": "kenji"}
            for one in inventory.consumers
        ]
        made["people"]["petra"] = {"name": "Petra Lang", "email": "petra@partner.example"}
        return {
            **made,
            "connections": {**_connections(stage), **made["connections"]},
            "inventory": [
                {
                    "id": "early-access-shared", "connection": "early-access", "kind": "gateway-key",
                    "key_id": inventory.shared_key_id, "known_by": "env:KNOWN_SHARED", "owner": "ruth", "shared": True,
                    "holders_file": "holders.csv", "consumers": consumers,
                },
                {
                    "id": "space-bot", "connection": "hub", "kind": "hub-token", "known_by": "env:KNOWN_SPACE",
                    "owner": "ruth",
                },
            ],
            "facts": _facts(stage),
        }  # fmt: skip

    def exposure(self, stage: "Stage") -> Exposure:
        """Return the Space's page."""
        url = f"{stage.urls['hub']}/spaces/{stage.inventory.space}"
        return Exposure(url=url, place="app.py of a public Space", kind="public")

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return the Space, the partner, and who sends the takedown."""
        return {"host_space": stage.inventory.space, "partner": "petra", "sender": "ruth"}

    def opens(self, playbook: "Playbook") -> Sequence[str]:
        """Return the playbook for the Space's own token, which stands in its history."""
        return ("huggingface-token",) if _reads_history(playbook) else ()

    def choice(self, state: "RunState", ask: "Ask") -> str:
        """Give access back, where that is the question."""
        return "restore" if "restore" in ask.options else super().choice(state, ask)

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Send the takedown that was drafted."""
        if ask.unit.partition("[")[0] != "takedown":
            return None
        draft = state.unit("takedown-draft").planned
        return "/person/send", {"person": person, "about": str(draft.get("subject", ""))}

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the shared token; the second needs the Space's history."""
        return stage.inventory.leaked[: 2 if _reads_history(state.playbook) else 1]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return a notice for each holder, and where access is given back a token and the page where it is."""
        if "tell-holders" not in state.playbook.by_id:
            return ()
        holders = stage.inventory.holders
        found = [Expected("mail_sent", one.email, "contributor-notice") for one in holders]
        if state.units.get("access") is not None and state.unit("access").facts.get("choice") == "restore":
            found += [Expected("key_issued", one.id) for one in holders]
            found += [Expected("mail_sent", one.email, "contributor-followup") for one in holders]
        return found

    def evidence_path(self, stage: "Stage") -> str:
        """Return the Space's page."""
        return f"/spaces/{stage.inventory.space}"


def _reads_history(playbook: "Playbook") -> bool:
    return any(step.action == "huggingface.commit_log" for step in playbook.steps)


def _connections(stage: "Stage") -> dict[str, Any]:
    """Describe the gateway and the store by the declarative provider, as their users would."""
    urls, inventory = stage.urls, stage.inventory
    return {
        "early-access": {
            "provider": "http", "account": inventory.account, "secret": "env:ISSUER_ADMIN",
            "control": "env:ISSUER_CONTROL", "base_url": urls["issuer"],
            "identity": {"request": "GET /admin/v1/whoami", "account": "account", "key_id": "key_id"},
            "keys": key_api(urls),
        },
        "vault": house.vault(stage, test=f"GET {urls['site']}/health"),
        "hub": {
            "provider": "huggingface", "account": inventory.hub_account, "secret": "env:HUB_ADMIN",
            "control": "env:HUB_CONTROL", "base_url": urls["hub"],
        },
    }  # fmt: skip


def key_api(urls: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the gateway's keys."""
    key = "/admin/v1/keys/{key_id}"
    return {
        "shape": "lum_(?P<key_id>k_[a-z0-9]{8})_[A-Za-z0-9]{32}",
        "propagation": "30s",
        "state": {
            "request": f"GET {key}", "state": "status", "live": ["active"], "disabled": ["disabled"],
            "dead": ["revoked"], "owner": "owner", "reach": "reach", "last_used": "last_used_at",
            "dead_since": "ended_at", "missing": "dead",
        },
        "disable": {"request": f"POST {key}/disable"},
        "revoke": {"request": f"POST {key}/revoke"},
        "issue": {
            "request": "POST /admin/v1/keys",
            "body": {"name": "{name}", "owner": "{owner}", "delivery": "{delivery}", "scopes": "{scopes}"},
            "key_id": "id", "value": "value", "claim": "claim_url",
            "find": {
                "request": "GET /admin/v1/keys?name={name}", "items": "keys", "next": "next", "key_id": "id",
                "name": "name", "state": "status", "live": ["active"], "claim": "claim_url",
            },
        },
        "sessions": {"request": f"GET {key}/sessions", "items": "sessions"},
        "end_sessions": {"request": f"DELETE {key}/sessions"},
        "probe": {
            "surfaces": {"api": f"GET {urls['issuer']}/v1/me", "edge": f"GET {urls['edge']}/v1/me"},
            "accepted": [200], "refused": [401, 403],
        },
    }  # fmt: skip


def _facts(stage: "Stage") -> dict[str, Any]:
    """Return what Lumen Labs would have written down about its programme before anything happened."""
    review = (stage.clock.origin + timedelta(days=14)).strftime("%d %B %Y")
    return {
        "programme_name": "the Lumen early-access programme",
        "exposure_place": "a public Hugging Face Space",
        "commander": {"name": "Inês Carvalho", "email": "ines@lumen.example"},
        "signed_by": {"name": "Tomáš Dvořák", "title": "Head of the early-access programme"},
        "concerns_person": {"name": "Salma Rahman", "email": "salma@lumen.example"},
        "coordination_contact": {"name": "Ruth Adeyemi", "email": "ruth@lumen.example"},
        "contact": "press@lumen.example",
        "programme_payment": "Testing is unpaid. There is a competition with a prize.",
        "programme_credit": "Films that we show carry the name of whoever made them.",
        "programme_approval": "A film made with the programme is shown in public only after we have approved it.",
        "programme_review": "These three terms are being reviewed; "
        f"Salma Rahman writes to all testers about the outcome by {review}.",
        "concerns_heard": [
            {
                "concern": "Testing is unpaid work",
                "answer": "You are right that it is unpaid. Payment is part of the review.",
            },
            {
                "concern": "Every film needs approval before it may be shown",
                "answer": "That rule is part of the review as well.",
            },
        ],
        "changes": [
            {
                "what": "Each of you holds a token of your own, so that one can be ended without touching the others",
                "by": "from now on",
            },
            {"what": "You hear the outcome of the review of payment, credit and approval", "by": review},
        ],
        "cannot_change": [{"what": "A token must not be published", "why": "whoever finds it can act in your name"}],
        "allowed_hosts": ["127.0.0.1"],
    }


SCENE = _Founding()
