"""What every team of a drill has: its people, its chat, its mail, and who hears of what."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from responder.installation import login

if TYPE_CHECKING:
    from responder.drill.stage import Stage

CHAT_ACCOUNT = "T0LUMEN"
"""The id under which the world's chat knows our team."""
SECRETS: Mapping[str, str] = {
    "SLACK_BOT": "slack-bot",
    "SLACK_APP": "slack-app",
    "SLACK_SIGNING": "slack-signing",
    "SMTP_PASSWORD": "smtp-password",
}
"""The environment variables for chat and mail, and the world's labels of what they hold."""
_SLACK = {"connection": "chat", "app_token": "env:SLACK_APP", "signing_secret": "env:SLACK_SIGNING"}
_ROLES = {
    "ines": ["commander"],
    "leo": ["commander"],
    "tomas": ["comms"],
    "ruth": ["oncall", "commander"],
    "kenji": ["owner"],
    "salma": ["executive"],
}


def house(stage: "Stage", *, live: bool) -> dict[str, Any]:
    """Return what stands in responder.yaml whatever leaked; a scene adds its connections, inventory and facts."""
    me = "ines" if live else "ruth"
    people = {
        one.id: {
            "name": one.name,
            "email": one.email,
            "slack": one.chat_id,
            "roles": _ROLES[one.id],
            **({"os_user": login()} if one.id == me else {}),
        }
        for one in stage.inventory.staff
    }
    return {
        **({} if stage.store.password else {"store": stage.store.url or str(stage.store.path)}),
        "clock": "../clock.json",
        "organisation": {"name": "Lumen Labs", "contact": "security@lumen.example", "time_zone": "America/New_York"},
        "people": people,
        "connections": _connections(stage),
        "audiences": {
            "responders": ["ruth@lumen.example", "ines@lumen.example"],
            "executives": ["salma@lumen.example"],
            "press": ["press@lumen.example"],
        },
        "slack": _SLACK,
        "facts": {},
    }


def _connections(stage: "Stage") -> dict[str, Any]:
    smtp = stage.urls["smtp"]
    return {
        "chat": {
            "provider": "slack", "account": CHAT_ACCOUNT, "secret": "env:SLACK_BOT", "base_url": stage.urls["slack"],
        },
        "mail": {
            "provider": "email", "account": smtp["host"], "secret": "env:SMTP_PASSWORD", "host": smtp["host"],
            "port": smtp["port"], "sender": "security@lumen.example", "user": stage.inventory.mail_login, "tls": "none",
        },
    }  # fmt: skip


def vault(stage: "Stage", *, test: str) -> dict[str, Any]:
    """Describe the secret store, and the request with which a consumer is asked whether its credential works."""
    return {
        "provider": "http", "account": stage.inventory.vault_account, "secret": "env:VAULT_TOKEN",
        "base_url": stage.urls["vault"],
        "identity": {"request": "GET /v1/whoami", "account": "account"},
        "secrets": {
            "write": {"request": "PUT /v1/secrets/{name}", "body": {"value": "{value}", "marker": "{marker}"}},
            "read": {"request": "GET /v1/secrets/{name}", "version": "version", "marker": "marker"},
            "test": {"request": test, "ok": "ok", "key_id": "key_id"},
        },
    }  # fmt: skip
