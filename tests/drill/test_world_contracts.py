"""What is asked of the world is what the real systems accept, by their descriptions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from guests import Guest, Start
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

CONTRACTS = Path(__file__).resolve().parents[2].parent / "shared" / "contracts"

pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the descriptions are not beside this repository")


def described(name: str) -> OpenAPI:
    found: dict[str, Any] = yaml.safe_load((CONTRACTS / name).read_text(encoding="utf-8"))
    # The one that was written by hand is loose where it describes answers; only requests matter here.
    return OpenAPI.from_dict(found, config=Config(spec_validator_cls=None))


def check(contract: OpenAPI, origin: str, request: httpx.Request) -> None:
    media = request.headers.get("content-type", "")
    asked = MockRequest(
        origin,
        request.method.lower(),
        request.url.path,
        args=dict(request.url.params),
        headers=dict(request.headers),
        data=request.content,
        content_type=media,
    )
    contract.validate_request(asked)


def checked(guest: Guest, contract: OpenAPI, origin: str) -> list[str]:
    """Validate every request that the guest makes from now on; the list grows with their paths."""
    seen: list[str] = []

    def look(request: httpx.Request) -> None:
        check(contract, origin, request)
        seen.append(request.url.path)

    guest.http.event_hooks["request"] = [look]
    return seen


def test_requests_to_the_hub_are_those_of_its_description(start: Start) -> None:
    guest = start()
    seen = checked(guest, described("huggingface_handwritten.yaml"), "https://huggingface.co")
    guest.ask("hub", "GET", "/api/whoami-v2", "space-token")
    body = {"credentials": [guest.value("space-token")]}

    assert guest.ask("hub", "POST", "/api/credentials/revoke", body=body).status_code == 202
    assert seen == ["/api/whoami-v2", "/api/credentials/revoke"]


def chat(guest: Guest) -> None:
    channel = guest.slack("conversations.create", name="inc-1")["channel"]["id"]
    posted = guest.slack("chat.postMessage", channel=channel, text="A key is public.")
    guest.slack("chat.update", channel=channel, ts=posted["ts"], text="A key was public.")
    guest.slack("conversations.invite", channel=channel, users="UINES")
    guest.slack("auth.test")


def chat_by_form(guest: Guest) -> None:
    url = guest.world.urls["slack"] + "chat.postMessage"
    headers = {"Authorization": f"Bearer {guest.value('slack-bot')}"}
    fields = {"channel": "incidents", "text": "A key is public."}
    assert guest.http.post(url, data=fields, headers=headers).json()["ok"] is True


@pytest.mark.parametrize(("talk", "requests"), [(chat, 5), (chat_by_form, 1)], ids=["JSON", "form"])
def test_requests_to_the_chat_are_those_of_its_description(
    start: Start, talk: Callable[[Guest], None], requests: int
) -> None:
    guest = start()
    seen = checked(guest, described("slack_web_oas3.json"), "https://slack.com")
    talk(guest)

    assert len(seen) == requests
    assert {line["outcome"] for line in guest.ledger()} == {"served"}


def test_the_description_finds_a_wrong_request(start: Start) -> None:
    guest = start()
    checked(guest, described("slack_web_oas3.json"), "https://slack.com")

    with pytest.raises(OpenAPIError):
        guest.slack("chat.postMessage", text="nowhere")
    assert json.dumps(guest.ledger()) == "[]"
