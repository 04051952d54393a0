"""The chat, asked with Slack's own client and by hand."""

from typing import Any

import pytest
from guests import Guest, Start
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

METADATA = {
    "event_type": "responder",
    "event_payload": {"marker": "run-1 alert", "template": "internal-alert"},
}


@pytest.fixture
def guest(start: Start) -> Guest:
    return start()


@pytest.fixture
def client(guest: Guest) -> WebClient:
    return WebClient(token=guest.value("slack-bot"), base_url=guest.world.urls["slack"])


def test_the_official_client_works_through_an_incident(client: WebClient, guest: Guest) -> None:
    assert client.auth_test()["team"] == "Lumen"
    channel = client.conversations_create(name="inc-2026-05-02")["channel"]["id"]
    user = client.users_lookupByEmail(email="ines@lumen.example")["user"]["id"]
    client.conversations_invite(channel=channel, users=user)
    posted = client.chat_postMessage(channel=channel, text="A key is public.", metadata=METADATA)
    client.chat_postMessage(channel=channel, text="More.", thread_ts=posted["ts"])
    client.chat_update(channel=channel, ts=posted["ts"], text="A key was public.")

    assert client.conversations_members(channel=channel)["members"] == ["UBOT", user]
    history = client.conversations_history(channel=channel, include_all_metadata=True)["messages"]
    assert [(each["text"], each["metadata"]) for each in history] == [("A key was public.", METADATA)]
    assert len(client.conversations_replies(channel=channel, ts=posted["ts"])["messages"]) == 2
    assert client.users_info(user=user)["user"]["real_name"] == "Inês Carvalho"
    assert client.conversations_info(channel=channel)["channel"]["name"] == "inc-2026-05-02"
    first = guest.effects("message_posted")[0]
    assert (first["key"], first["subject"], first["template"]) == (
        "run-1 alert",
        "inc-2026-05-02",
        "internal-alert",
    )


def test_metadata_is_left_out_unless_it_is_asked_for(client: WebClient) -> None:
    client.chat_postMessage(channel="#incidents", text="A key is public.", metadata=METADATA)

    assert "metadata" not in client.conversations_history(channel="C00000001")["messages"][0]


def test_history_is_newest_first_and_paged(client: WebClient) -> None:
    stamps = [client.chat_postMessage(channel="incidents", text=f"{n}")["ts"] for n in range(3)]
    page = client.conversations_history(channel="incidents", limit=2)
    rest = client.conversations_history(channel="incidents", limit=2, cursor=page["response_metadata"]["next_cursor"])

    assert stamps == sorted(set(stamps))
    assert [each["text"] for each in (*page["messages"], *rest["messages"])] == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("method", "fields", "error"),
    [
        pytest.param("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found", id="no channel"),
        pytest.param("chat.postMessage", {"channel": "general", "text": "x"}, "not_in_channel", id="not a member"),
        pytest.param("chat.postMessage", {"channel": "incidents"}, "no_text", id="no text"),
        pytest.param("conversations.create", {"name": "press"}, "name_taken", id="name taken"),
        pytest.param("conversations.create", {"name": "Big Name"}, "invalid_name_specials", id="name invalid"),
        pytest.param("users.lookupByEmail", {"email": "nobody@x.example"}, "users_not_found", id="no person"),
        pytest.param("chat.update", {"channel": "incidents", "ts": "1.0"}, "message_not_found", id="no message"),
        pytest.param("conversations.invite", {"channel": "press", "users": "U404"}, "user_not_found", id="no user"),
        pytest.param("conversations.history", {"channel": "press", "oldest": "soon"}, "invalid_ts", id="no time"),
        pytest.param("admin.users.remove", {}, "unknown_method", id="no method"),
    ],
)
def test_errors_have_status_200(guest: Guest, method: str, fields: dict[str, Any], error: str) -> None:
    answer = guest.ask("slack", "POST", f"/api/{method}", "slack-bot", body=fields)

    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


def test_a_wrong_token_is_refused_with_status_200(guest: Guest) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient(token="xoxb-wrong", base_url=guest.world.urls["slack"]).auth_test()

    assert (guest.ledger()[-1]["status"], guest.ledger()[-1]["outcome"]) == (200, "refused")


def test_reading_by_post_is_not_a_write(guest: Guest) -> None:
    guest.slack("auth.test")
    guest.slack("chat.postMessage", channel="incidents", text="x")

    assert [line["write"] for line in guest.ledger()] == [False, True]


def test_an_update_that_changes_nothing_is_no_effect(guest: Guest) -> None:
    ts = guest.slack("chat.postMessage", channel="incidents", text="x")["ts"]
    for text in ("x", "y", "y"):
        guest.slack("chat.update", channel="incidents", ts=ts, text=text)

    assert len(guest.effects("message_updated")) == 1


def test_people_of_the_specification_are_known(start: Start) -> None:
    guest = start(people=[{"id": "mara", "name": "Mara", "email": "mara@lumen.example"}])

    assert guest.slack("users.lookupByEmail", email="mara@lumen.example")["user"]["id"] == "UMARA"
