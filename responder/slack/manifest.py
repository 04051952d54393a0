"""The manifest of the Slack app: what it may do, and why; nothing that it does not need."""

from typing import Any

from responder.settings import Slack
from responder.slack.listener import MESSAGE, RESPOND
from responder.slack.reception import PATH
from responder.slack.scopes import SCOPES

__all__ = ["SCOPES", "manifest"]


def manifest(slack: Slack, url: str = "") -> dict[str, Any]:
    """Return the manifest: for Socket Mode, or for signed requests to `url` where one is given."""
    address = {"request_url": f"{url.rstrip('/')}{PATH}"} if url else {}
    command = {
        "command": slack.command,
        "description": "Respond to a leaked credential",
        "usage_hint": "status | timeline | note TEXT | update TEXT | handover @name | close",
        "should_escape": True,
        **({"url": address["request_url"]} if address else {}),
    }
    return {
        "display_information": {
            "name": "responder",
            "description": "Contains a leaked credential, proves that it is dead, and tells everyone who must know",
        },
        "features": {
            "bot_user": {"display_name": "responder", "always_online": True},
            "slash_commands": [command],
            "shortcuts": [
                {
                    "name": "Respond to this leak",
                    "type": "message",
                    "callback_id": MESSAGE,
                    "description": "Somebody posted a credential here",
                },
                {
                    "name": "Respond to a leak",
                    "type": "global",
                    "callback_id": RESPOND,
                    "description": "A credential is where it should not be",
                },
            ],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": ["reaction_added"], **address},
            "interactivity": {"is_enabled": True, **address},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }
