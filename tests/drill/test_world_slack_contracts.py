"""What Slack's own client sends to the world's Slack is what Slack describes."""

from typing import Any

import pytest
from guests import Start
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest
from slack_apps import MODAL, button, row, slack_of, web_client
from slack_sdk import WebClient
from test_world_contracts import CONTRACTS, described

from responder.drill.world.slack import Slack
from responder.drill.world.web import Request

pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the descriptions are not beside this repository")

UNDESCRIBED = {"conversations.kick", "pins.list", "pins.remove", "reactions.get"}
"""What the description leaves out."""


def as_described(request: Request) -> MockRequest:
    media = request.headers.get("content-type", "").partition(";")[0]
    return MockRequest(
        "https://slack.com",
        request.method.lower(),
        request.path,
        args=dict(request.query),
        headers=dict(request.headers),
        data=request.body,
        content_type=media,
    )


def talk(client: WebClient, slack: Slack) -> None:
    channel = client.conversations_create(name="inc-1")["channel"]["id"]
    client.conversations_invite(channel=channel, users="UINES")
    client.conversations_setTopic(channel=channel, topic="x")
    metadata = {"event_type": "x", "event_payload": {"marker": "m"}}
    ts = client.chat_postMessage(channel=channel, text="x", blocks=[row(button())], metadata=metadata)["ts"]
    client.chat_postMessage(channel="UINES", text="x")
    client.chat_postMessage(channel=channel, text="y", thread_ts=ts)
    client.chat_postEphemeral(channel=channel, user="UINES", text="x")
    client.chat_update(channel=channel, ts=ts, text="y")
    client.pins_add(channel=channel, timestamp=ts)
    client.pins_list(channel=channel)
    client.pins_remove(channel=channel, timestamp=ts)
    client.reactions_add(channel=channel, timestamp=ts, name="eyes")
    client.reactions_get(channel=channel, timestamp=ts)
    client.conversations_history(channel=channel, limit=10)
    client.conversations_replies(channel=channel, ts=ts)
    client.conversations_list(types="public_channel")
    client.conversations_info(channel=channel)
    client.conversations_members(channel=channel)
    client.conversations_open(users="UINES")
    client.conversations_join(channel="general")
    client.users_list()
    client.users_info(user="UINES")
    client.users_lookupByEmail(email="ines@lumen.example")
    view = client.views_open(trigger_id=slack.triggers.make("UINES"), view=MODAL)["view"]
    client.views_push(trigger_id=slack.triggers.make("UINES"), view=MODAL)
    client.views_update(view_id=view["id"], view=MODAL, hash=view["hash"])
    client.views_publish(user_id="UINES", view={"type": "home", "blocks": [row(button())]})
    client.chat_delete(channel=channel, ts=ts)
    client.conversations_kick(channel=channel, user="UINES")
    client.conversations_archive(channel=channel)
    client.auth_test()
    client.auth_revoke(test=True)


def test_requests_of_the_official_client_are_those_of_the_description(start: Start) -> None:
    guest = start()
    slack, contract = slack_of(guest), described("slack_web_oas3.json")
    talk(web_client(guest), slack)
    sent = slack.diary.sent("call")
    wrong: list[Any] = []
    for each in sent:
        assert each.request is not None
        try:
            contract.validate_request(as_described(each.request))
        except OpenAPIError as error:
            wrong.append((each.name, str(error), str(error.__cause__)))

    assert [] == [each for each in wrong if each[0] not in UNDESCRIBED]
    assert UNDESCRIBED == {each[0] for each in wrong}
    assert len(sent) >= 32
    assert {"ok"} == {each.outcome for each in sent}
