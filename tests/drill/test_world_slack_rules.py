"""The odd rules of Slack's Web API: scopes, private channels, blocks, views, limits, and what ends a token."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from guests import Guest, Start
from slack_apps import MODAL, button, row, slack_of, web_client
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from responder.drill.world.slack import Slack


@pytest.fixture
def guest(start: Start) -> Guest:
    return start()


@pytest.fixture
def slack(guest: Guest) -> Slack:
    return slack_of(guest)


@pytest.fixture
def client(guest: Guest) -> WebClient:
    return web_client(guest)


def refused(call: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as raised:
        call()
    return dict(raised.value.response.data)


def text(of: str, kind: str = "plain_text") -> dict[str, str]:
    return {"type": kind, "text": of}


# ---- who may ask what


@pytest.mark.parametrize(
    ("method", "scope", "asked"),
    [
        ("chat.postMessage", "chat:write", {"channel": "incidents", "text": "x"}),
        ("chat.postEphemeral", "chat:write", {"channel": "incidents", "user": "UINES", "text": "x"}),
        ("conversations.create", "channels:manage", {"name": "inc-1"}),
        ("conversations.create", "groups:write", {"name": "inc-1", "is_private": True}),
        ("conversations.history", "channels:history", {"channel": "incidents"}),
        ("conversations.list", "groups:read", {"types": "public_channel,private_channel"}),
        ("conversations.open", "im:write", {"users": "UINES"}),
        ("pins.add", "pins:write", {"channel": "incidents", "timestamp": "1.0"}),
        ("reactions.add", "reactions:write", {"channel": "incidents", "timestamp": "1.0", "name": "eyes"}),
        ("users.info", "users:read", {"user": "UINES"}),
        ("users.lookupByEmail", "users:read.email", {"email": "ines@lumen.example"}),
    ],
)
def test_a_missing_scope_is_named(guest: Guest, slack: Slack, method: str, scope: str, asked: dict[str, Any]) -> None:
    slack.app.scopes -= {scope}
    answer = guest.slack(method, **asked)

    assert ("missing_scope", scope) == (answer["error"], answer["needed"])
    assert scope not in answer["provided"].split(",")
    assert "commands" in answer["provided"].split(",")
    assert "refused" == guest.ledger()[-1]["outcome"]


def test_the_scopes_are_in_a_header(client: WebClient, slack: Slack) -> None:
    assert ",".join(sorted(slack.app.scopes)) == client.auth_test().headers["x-oauth-scopes"]


def test_a_private_channel_is_invisible_to_a_bot_that_is_no_member(client: WebClient, slack: Slack) -> None:
    ines = slack.person("ines")
    hidden = ines.create("secret", private=True).channel

    for name in (hidden, "secret"):
        assert "channel_not_found" == refused(lambda name=name: client.conversations_info(channel=name))["error"]
        assert (
            "channel_not_found" == refused(lambda name=name: client.chat_postMessage(channel=name, text="x"))["error"]
        )
    listed = client.conversations_list(types="public_channel,private_channel")["channels"]
    assert "secret" not in {each["name"] for each in listed}
    assert "name_taken" == refused(lambda: client.conversations_create(name="secret"))["error"]
    ines.invite(hidden, "app")
    assert client.chat_postMessage(channel=hidden, text="x")["ok"]
    assert "general" not in {each["name"] for each in client.conversations_list(types="private_channel")["channels"]}


def test_only_public_channels_are_listed_unless_others_are_asked_for(client: WebClient) -> None:
    client.conversations_create(name="mine", is_private=True)

    assert ["incidents", "press", "general"] == [each["name"] for each in client.conversations_list()["channels"]]


def test_a_channel_is_archived_left_and_joined(client: WebClient) -> None:
    made = client.conversations_create(name="inc-1")["channel"]["id"]
    client.conversations_invite(channel=made, users="UINES,UTOMAS")
    client.conversations_kick(channel=made, user="UTOMAS")
    client.conversations_setTopic(channel=made, topic="Contained")

    assert ["UBOT", "UINES"] == client.conversations_members(channel=made)["members"]
    assert "Contained" == client.conversations_info(channel=made)["channel"]["topic"]["value"]
    client.conversations_archive(channel=made)
    assert "already_archived" == refused(lambda: client.conversations_archive(channel=made))["error"]
    assert "is_archived" == refused(lambda: client.chat_postMessage(channel=made, text="x"))["error"]
    assert "not_in_channel" == refused(lambda: client.chat_postMessage(channel="general", text="x"))["error"]
    client.conversations_join(channel="general")
    assert client.chat_postMessage(channel="general", text="x")["ok"]


def test_a_user_stands_for_the_direct_message_with_them(client: WebClient, slack: Slack) -> None:
    posted = client.chat_postMessage(channel="UINES", text="You are asked.")

    assert posted["channel"] == client.conversations_open(users="UINES")["channel"]["id"]
    assert ["You are asked."] == [each["text"] for each in slack.person("ines").messages("app")]
    assert "channel_not_found" == refused(lambda: client.chat_postMessage(channel="U404", text="x"))["error"]


def test_who_is_deactivated_stays_known_as_deleted(client: WebClient, slack: Slack) -> None:
    slack.deactivate("ines")

    assert client.users_info(user="UINES")["user"]["deleted"] is True
    assert {"UINES": True, "URUTH": False}.items() <= {
        each["id"]: each["deleted"] for each in client.users_list()["members"]
    }.items()
    assert "users_not_found" == refused(lambda: client.users_lookupByEmail(email="ines@lumen.example"))["error"]
    assert "user_disabled" == refused(lambda: client.chat_postMessage(channel="UINES", text="x"))["error"]
    assert "user_disabled" == refused(lambda: client.conversations_open(users="UINES"))["error"]
    assert "cant_invite" == refused(lambda: client.conversations_invite(channel="press", users="UINES"))["error"]


# ---- messages


def test_messages_are_pinned_marked_and_deleted(client: WebClient, slack: Slack) -> None:
    ts = client.chat_postMessage(channel="incidents", text="x")["ts"]
    client.pins_add(channel="incidents", timestamp=ts)
    client.reactions_add(channel="incidents", timestamp=ts, name="eyes")

    assert [ts] == [each["message"]["ts"] for each in client.pins_list(channel="incidents")["items"]]
    assert [ts] == [each["ts"] for each in slack.person("ines").pins("incidents")]
    marks = client.reactions_get(channel="incidents", timestamp=ts)["message"]["reactions"]
    assert [{"name": "eyes", "users": ["UBOT"], "count": 1}] == marks
    again = (lambda: client.pins_add(channel="incidents", timestamp=ts), "already_pinned")
    for call, error in (
        again,
        (lambda: client.reactions_add(channel="incidents", timestamp=ts, name="eyes"), "already_reacted"),
    ):
        assert error == refused(call)["error"]
    client.pins_remove(channel="incidents", timestamp=ts)
    assert "no_pin" == refused(lambda: client.pins_remove(channel="incidents", timestamp=ts))["error"]
    client.chat_delete(channel="incidents", ts=ts)
    assert [] == client.conversations_history(channel="incidents")["messages"]


def test_a_deleted_message_that_was_answered_leaves_a_tombstone(client: WebClient) -> None:
    root = client.chat_postMessage(channel="incidents", text="a root")["ts"]
    client.chat_postMessage(channel="incidents", text="an answer", thread_ts=root)
    client.chat_delete(channel="incidents", ts=root)
    thread = client.conversations_replies(channel="incidents", ts=root)["messages"]

    assert ["This message was deleted.", "an answer"] == [each["text"] for each in thread]
    assert "message_not_found" == refused(lambda: client.chat_update(channel="incidents", ts=root, text="y"))["error"]


def test_a_thread_is_counted_in_its_first_message(client: WebClient) -> None:
    root = client.chat_postMessage(channel="incidents", text="a root")["ts"]
    answer = client.chat_postMessage(channel="incidents", text="one", thread_ts=root)["ts"]
    client.chat_postMessage(channel="incidents", text="an answer to the answer", thread_ts=answer)
    first = client.conversations_replies(channel="incidents", ts=root)["messages"][0]

    assert (root, 2, ["UBOT"]) == (first["thread_ts"], first["reply_count"], first["reply_users"])
    assert 1 == len(client.conversations_history(channel="incidents")["messages"])


def test_blocks_stay_unless_they_are_taken_away(client: WebClient, slack: Slack) -> None:
    ts = client.chat_postMessage(channel="incidents", text="x", blocks=[row(button())])["ts"]
    assert "blocks" in client.chat_update(channel="incidents", ts=ts, text="y")["message"]
    assert "blocks" not in client.chat_update(channel="incidents", ts=ts, text="y", blocks=[])["message"]
    client.chat_update(channel="incidents", ts=ts, text="y", blocks=[])

    assert 3 == len(slack.workspace.revisions["C00000001", ts])


def test_only_own_messages_are_changed(client: WebClient, slack: Slack) -> None:
    ruth = slack.person("ruth")
    ruth.join("incidents")
    ts = ruth.say("incidents", "mine").ts

    assert "cant_update_message" == refused(lambda: client.chat_update(channel="incidents", ts=ts, text="x"))["error"]
    assert "cant_delete_message" == refused(lambda: client.chat_delete(channel="incidents", ts=ts))["error"]


def test_an_ephemeral_message_is_seen_by_one_and_never_found_again(client: WebClient, slack: Slack) -> None:
    ines, ruth = slack.person("ines"), slack.person("ruth")
    assert (
        "user_not_in_channel"
        == refused(lambda: client.chat_postEphemeral(channel="incidents", user="UINES", text="x"))["error"]
    )
    ines.join("incidents")
    ts = client.chat_postEphemeral(channel="incidents", user="UINES", text="for you")["message_ts"]

    assert [("for you", True)] == [(each["text"], each["is_ephemeral"]) for each in ines.messages("incidents")]
    assert [] == ruth.messages("incidents") == client.conversations_history(channel="incidents")["messages"]
    assert "message_not_found" == refused(lambda: client.chat_update(channel="incidents", ts=ts, text="x"))["error"]
    ines.reload()
    assert [] == ines.messages("incidents")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({"metadata": {"event_type": "x"}}, "invalid_metadata_format", id="metadata without payload"),
        pytest.param({"blocks": "no json"}, "invalid_blocks_format", id="blocks that are no JSON"),
        pytest.param({"blocks": {"type": "divider"}}, "invalid_blocks_format", id="blocks that are no list"),
        pytest.param({"thread_ts": "1.0"}, "thread_not_found", id="no such thread"),
    ],
)
def test_a_message_is_refused(guest: Guest, asked: dict[str, Any], error: str) -> None:
    assert error == guest.slack("chat.postMessage", channel="incidents", text="x", **asked)["error"]


def test_long_texts_are_cut_when_posted_and_refused_when_updated(client: WebClient) -> None:
    posted = client.chat_postMessage(channel="incidents", text="x" * 40_001)

    assert 40_000 == len(posted["message"]["text"])
    call = lambda: client.chat_update(channel="incidents", ts=posted["ts"], text="x" * 4_001)  # noqa: E731
    assert "msg_too_long" == refused(call)["error"]


# ---- blocks

SECTION = {"type": "section", "text": text("x", "mrkdwn")}
OPTION = {"text": text("kill"), "value": "kill"}


def select(**more: Any) -> dict[str, Any]:
    return row({"type": "static_select", "action_id": "pick", "options": [OPTION], **more})


@pytest.mark.parametrize(
    ("blocks", "place"),
    [
        pytest.param([{"type": "nothing"}], "/blocks/0/type", id="an unknown block"),
        pytest.param([SECTION] * 51, "/blocks", id="too many"),
        pytest.param([{"type": "section"}], "/blocks/0", id="an empty section"),
        pytest.param([{"type": "section", "text": text("x" * 3001)}], "/blocks/0/text/text", id="a long section"),
        pytest.param([{"type": "section", "text": text("")}], "/blocks/0/text/text", id="an empty text"),
        pytest.param([{"type": "header", "text": text("x" * 151)}], "/blocks/0/text/text", id="a long header"),
        pytest.param([{"type": "header", "text": text("x", "mrkdwn")}], "/blocks/0/text/type", id="a formatted header"),
        pytest.param([SECTION | {"block_id": "x" * 256}], "/blocks/0/block_id", id="a long block_id"),
        pytest.param([SECTION | {"block_id": "x"}] * 2, "/blocks", id="a block_id twice"),
        pytest.param([SECTION | {"colour": "red"}], "/blocks/0", id="an unknown property"),
        pytest.param([row(button(text="x" * 76))], "/blocks/0/elements/0/text/text", id="a long button"),
        pytest.param([row(button(value="x" * 2001))], "/blocks/0/elements/0/value", id="a long value"),
        pytest.param([row(button("x" * 256))], "/blocks/0/elements/0/action_id", id="a long action_id"),
        pytest.param([row(button(), button())], "/blocks", id="an action_id twice in a block"),
        pytest.param([row(button()), row(button(), block_id="b")], "/blocks", id="an action_id twice in a message"),
        pytest.param([row(*(button(f"b{n}") for n in range(26)))], "/blocks/0/elements", id="too many buttons"),
        pytest.param([row()], "/blocks/0/elements", id="no buttons"),
        pytest.param([row(button() | {"style": "warning"})], "/blocks/0/elements/0/style", id="a wrong style"),
        pytest.param(
            [row(button() | {"text": text("x", "mrkdwn")})], "/blocks/0/elements/0/text/type", id="a formatted button"
        ),
        pytest.param([row({"type": "plain_text_input"})], "/blocks/0/elements/0/type", id="an input among buttons"),
        pytest.param(
            [select(options=[{"text": text(f"{n}"), "value": f"{n}"} for n in range(101)])],
            "/blocks/0/elements/0/options",
            id="too many options",
        ),
        pytest.param(
            [select(options=[OPTION | {"text": text("x" * 76)}])],
            "/blocks/0/elements/0/options/0/text/text",
            id="a long option",
        ),
        pytest.param(
            [select(initial_option={"text": text("x"), "value": "x"})], "/blocks/0/elements/0", id="an initial stranger"
        ),
        pytest.param([{"type": "context", "elements": []}], "/blocks/0/elements", id="an empty context"),
        pytest.param([{"type": "image", "image_url": "x"}], "/blocks/0", id="what only Slack's models refuse"),
    ],
)
def test_blocks_are_checked_when_they_arrive(client: WebClient, blocks: list[dict[str, Any]], place: str) -> None:
    answer = refused(lambda: client.chat_postMessage(channel="incidents", text="x", blocks=blocks))

    assert "invalid_blocks" == answer["error"]
    assert any(said.endswith(f"[json-pointer:{place}]") for said in answer["response_metadata"]["messages"])
    assert [] == client.conversations_history(channel="incidents")["messages"]


def test_blocks_at_their_limits_are_taken(client: WebClient) -> None:
    blocks = [
        {"type": "header", "text": text("x" * 150)},
        {"type": "section", "text": text("x" * 3000, "mrkdwn"), "block_id": "x" * 255},
        row(*(button(f"b{n}", "v" * 2000, "x" * 75) for n in range(25))),
        select(options=[{"text": text("x" * 75), "value": f"{n}"} for n in range(100)]) | {"block_id": "s"},
        *[{"type": "divider"}] * 46,
    ]
    shown = client.chat_postMessage(channel="incidents", text="x", blocks=blocks)["message"]["blocks"]

    assert 50 == len({each["block_id"] for each in shown})


# ---- views


def trigger(slack: Slack, person: str = "UINES") -> str:
    return slack.triggers.make(person)


def test_a_trigger_opens_one_modal_soon(client: WebClient, slack: Slack) -> None:
    mine = trigger(slack)
    opened = client.views_open(trigger_id=mine, view=MODAL)["view"]
    old = trigger(slack)
    slack.pace.trigger = 0.01
    time.sleep(0.02)

    assert opened["id"] == slack.person("ines").view()["id"]
    assert slack.person("ruth").view() is None
    for made, error in ((mine, "exchanged"), (old, "expired"), ("1.2.x", "invalid")):
        assert (
            f"{error}_trigger_id" == refused(lambda made=made: client.views_open(trigger_id=made, view=MODAL))["error"]
        )


def test_modals_are_stacked_three_high(client: WebClient, slack: Slack) -> None:
    views = [client.views_open(trigger_id=trigger(slack), view=MODAL)["view"]]
    views += [client.views_push(trigger_id=trigger(slack), view=MODAL)["view"] for _ in range(2)]

    assert "push_limit_reached" == refused(lambda: client.views_push(trigger_id=trigger(slack), view=MODAL))["error"]
    assert [None, views[0]["id"], views[1]["id"]] == [each["previous_view_id"] for each in views]
    assert {views[0]["id"]} == {each["root_view_id"] for each in views}
    slack.person("ines").close()
    assert views[1]["id"] == slack.person("ines").view()["id"]


def test_an_updated_view_keeps_what_was_filled_in(client: WebClient, slack: Slack) -> None:
    ines = slack.person("ines")
    view = client.views_open(trigger_id=trigger(slack), view=MODAL | {"external_id": "inc-1"})["view"]
    ines.fill("text", "typed")
    client.views_update(
        external_id="inc-1", view=MODAL | {"external_id": "inc-1", "title": text("Again")}, hash=view["hash"]
    )

    assert ("Again", "typed") == (ines.view()["title"]["text"], ines.view()["state"]["values"]["why"]["text"]["value"])
    late = lambda: client.views_update(view_id=view["id"], view=MODAL, hash=view["hash"])  # noqa: E731
    assert "hash_conflict" == refused(late)["error"]
    assert client.views_update(view_id=view["id"], view=MODAL)["ok"]
    ines.close()
    assert "not_found" == refused(lambda: client.views_update(view_id=view["id"], view=MODAL))["error"]


def test_an_external_id_is_taken_once(client: WebClient, slack: Slack) -> None:
    named = MODAL | {"external_id": "inc-1"}
    client.views_open(trigger_id=trigger(slack), view=named)
    again = lambda: client.views_open(trigger_id=trigger(slack, "URUTH"), view=named)  # noqa: E731

    assert "duplicate_external_id" == refused(again)["error"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param({"title": text("x" * 25)}, "/view/title/text", id="a long title"),
        pytest.param({"title": None}, "/view/title", id="no title"),
        pytest.param({"submit": text("x" * 25)}, "/view/submit/text", id="a long submit"),
        pytest.param({"submit": None}, "/view", id="inputs without submit"),
        pytest.param({"close": text("x" * 25)}, "/view/close/text", id="a long close"),
        pytest.param({"private_metadata": "x" * 3001}, "/view/private_metadata", id="long metadata"),
        pytest.param({"callback_id": "x" * 256}, "/view/callback_id", id="a long callback_id"),
        pytest.param({"blocks": [SECTION] * 101}, "/view/blocks", id="too many blocks"),
        pytest.param({"blocks": [{"type": "section"}]}, "/view/blocks/0", id="a wrong block"),
        pytest.param({"type": "home"}, "/view/type", id="a home"),
        pytest.param({"colour": "red"}, "/view", id="an unknown property"),
    ],
)
def test_views_are_checked_when_they_arrive(
    client: WebClient, slack: Slack, change: dict[str, Any], place: str
) -> None:
    made = trigger(slack)
    answer = refused(lambda: client.views_open(trigger_id=made, view=MODAL | change))

    assert "invalid_arguments" == answer["error"]
    assert any(said.endswith(f"[json-pointer:{place}]") for said in answer["response_metadata"]["messages"])
    assert client.views_open(trigger_id=made, view=MODAL)["ok"], "a refused view uses no trigger up"


def test_a_home_is_published_to_one_person(client: WebClient, slack: Slack) -> None:
    home = {"type": "home", "blocks": [SECTION]}
    client.views_publish(user_id="UINES", view=home)
    first = slack.person("ines").home()
    client.views_publish(user_id="UINES", view=home, hash=first["hash"])

    assert "home" == first["type"]
    assert slack.person("ruth").home() is None
    late = lambda: client.views_publish(user_id="UINES", view=home, hash=first["hash"])  # noqa: E731
    assert "hash_conflict" == refused(late)["error"]


# ---- limits


def test_a_channel_takes_about_a_message_a_second(guest: Guest, slack: Slack) -> None:
    slack.limits.messages = True
    answers = [
        guest.ask("slack", "POST", "/api/chat.postMessage", "slack-bot", body={"channel": channel, "text": "x"})
        for channel in ("incidents", "#incidents", "C00000001", "incidents", "press")
    ]

    assert [200, 200, 200, 429, 200] == [each.status_code for each in answers]
    assert ("1", "ratelimited") == (answers[3].headers["retry-after"], answers[3].json()["error"])


def test_tiers_are_limits_a_minute_where_they_are_asked_for(guest: Guest, slack: Slack) -> None:
    slack.limits.tiers = {3: 2}
    asked = [guest.ask("slack", "GET", "/api/conversations.history?channel=press", "slack-bot") for _ in range(3)]

    assert [200, 200, 429] == [each.status_code for each in asked]
    assert 25 <= int(asked[2].headers["retry-after"]) <= 30
    assert guest.slack("users.info", user="UINES")["ok"]


def test_nothing_is_limited_unless_it_is_asked_for(guest: Guest) -> None:
    assert all(guest.slack("chat.postMessage", channel="press", text="x")["ok"] for _ in range(20))


def test_a_storm_turns_everything_away_for_a_while(guest: Guest, slack: Slack) -> None:
    slack.storm(2)
    asked = [guest.ask("slack", "POST", "/api/auth.test", "slack-bot") for _ in range(3)]

    assert [429, 429, 200] == [each.status_code for each in asked]


# ---- the diary


def test_everything_that_the_app_sent_can_be_searched(guest: Guest, client: WebClient, slack: Slack) -> None:
    blocks = [{"type": "section", "text": text('a canaryé " in blocks')}]
    client.chat_postMessage(channel="incidents", text="x", blocks=blocks)
    refused(lambda: client.chat_postMessage(channel="C404", text="a canary that was refused"))
    slack.limits.storm = 1
    with pytest.raises(SlackApiError):
        client.chat_postMessage(channel="incidents", text="a canary in a storm")

    found = slack.diary.sent(containing="canary")
    assert ["ok", "channel_not_found", "ratelimited"] == [each.outcome for each in found]
    assert 1 == len(slack.diary.sent(containing='canaryé " in'))
    assert blocks == found[0].arguments["blocks"]
    assert [] == slack.diary.sent(containing=guest.value("slack-bot"))
