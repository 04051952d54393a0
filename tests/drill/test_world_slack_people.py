"""People at Slack: what they can do and see, what their clicks carry, and how an app answers them afterwards."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import pytest
from guests import Guest, Start
from slack_apps import MODAL, button, row, serving, slack_of, until, web_client
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from responder.drill.world.slack import Impossible, Person, Slack, through_control

USERS = {"type": "multi_users_select", "action_id": "who", "initial_users": ["UINES"]}
PICKERS: list[dict[str, Any]] = [
    {"type": "users_select", "action_id": "users_select"},
    {"type": "multi_users_select", "action_id": "multi_users_select"},
    {"type": "conversations_select", "action_id": "conversations_select"},
    {"type": "datepicker", "action_id": "datepicker"},
    {"type": "timepicker", "action_id": "timepicker"},
    {"type": "datetimepicker", "action_id": "datetimepicker"},
    {
        "type": "checkboxes",
        "action_id": "checkboxes",
        "options": [{"text": {"type": "plain_text", "text": "a"}, "value": "a"}],
    },
]


class App:
    """Acknowledges everything with what the test says, and keeps the payloads."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answer: Any = None
        self.go = Event()
        self.go.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        form = dict(httpx.QueryParams(body.decode())) if b"{" != body[:1] else json.loads(body)
        self.got.append(json.loads(form["payload"]) if "payload" in form else form)
        self.go.wait(5)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.answer).encode() if self.answer else b""]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def guest(start: Start, app: App) -> Iterator[Guest]:
    made = start()
    slack_of(made).app.events = frozenset()
    with serving(app) as port:
        slack_of(made).app.request_url = f"http://127.0.0.1:{port}/"
        yield made


@pytest.fixture
def slack(guest: Guest) -> Slack:
    return slack_of(guest)


@pytest.fixture
def client(guest: Guest) -> WebClient:
    return web_client(guest)


@pytest.fixture(params=["in process", "through the control door"])
def ines(slack: Slack, guest: Guest, request: pytest.FixtureRequest) -> Person:
    if request.param == "in process":
        return slack.person("ines")
    return Person("ines", through_control(guest.world.control.door.port))


def posted(client: WebClient, *elements: dict[str, Any]) -> str:
    return str(client.chat_postMessage(channel="incidents", text="Kill it?", blocks=[row(*elements)])["ts"])


def modal(slack: Slack, client: WebClient, *blocks: dict[str, Any], **more: Any) -> None:
    client.views_open(trigger_id=slack.triggers.make("UINES"), view=MODAL | {"blocks": list(blocks)} | more)


def asking(element: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "?"}, "element": element, **more}


# ---- what they can do and see


def test_people_see_their_channels_only(ines: Person, slack: Slack) -> None:
    ruth = slack.person("ruth")
    hidden = ruth.create("secret", private=True).channel
    ruth.say(hidden, "hush")

    assert ["incidents", "press", "general"] == [each["name"] for each in ines.channels()]
    with pytest.raises(Impossible, match="channel_not_found"):
        ines.messages("secret")
    ruth.invite("secret", "ines")
    assert ["hush"] == [each["text"] for each in ines.messages("secret")]


def test_only_members_write(ines: Person) -> None:
    with pytest.raises(Impossible, match="not_in_channel"):
        ines.say("incidents", "x")
    ines.join("incidents")
    ts = ines.say("incidents", "x").ts
    answer = ines.say("incidents", "y", thread_ts=ts).ts
    ines.edit("incidents", answer, "z")

    assert ["x"] == [each["text"] for each in ines.messages("incidents")]
    assert ["x", "z"] == [each["text"] for each in ines.messages("incidents", thread_ts=ts)]
    ines.leave("incidents")
    with pytest.raises(Impossible, match="not_in_channel"):
        ines.delete("incidents", answer)


def test_nobody_changes_what_another_wrote(ines: Person, client: WebClient) -> None:
    ts = posted(client, button())
    ines.join("incidents")

    with pytest.raises(Impossible, match="cant_update_message"):
        ines.edit("incidents", ts, "x")


def test_who_is_deactivated_does_nothing_more(ines: Person, slack: Slack) -> None:
    slack.deactivate("ines")

    with pytest.raises(Impossible, match="account_inactive"):
        ines.command("/respond")


def test_a_command_that_is_not_registered_goes_nowhere(ines: Person, slack: Slack, app: App) -> None:
    slack.app.commands = frozenset({"/respond"})

    with pytest.raises(Impossible, match="invalid_command"):
        ines.command("/other")
    assert ines.command("/respond").ok
    assert ["/respond"] == [each["command"] for each in app.got]


def test_the_name_of_a_private_channel_is_not_told(ines: Person, slack: Slack, app: App) -> None:
    hidden = ines.create("secret", private=True).channel
    ines.command("/respond", channel=hidden)
    ines.command("/respond", channel="app")

    assert ["privategroup", "directmessage"] == [each["channel_name"] for each in app.got]


def test_who_comes_from_another_workspace_is_told_by_team(slack: Slack, app: App) -> None:
    slack.add_stranger("mallory").shortcut("open")
    slack.person("ines").shortcut("open")
    guest = slack.add_stranger("visitor", guest=True)

    assert ["T0STRANGE", "T0LUMEN"] == [each["user"]["team_id"] for each in app.got]
    assert slack.workspace.shown_person(guest.user)["is_restricted"] is True


# ---- clicks in messages


def test_a_button_that_is_gone_cannot_be_clicked_but_an_old_click_can_arrive(
    ines: Person, client: WebClient, app: App
) -> None:
    ts = posted(client, button())
    client.chat_update(channel="incidents", ts=ts, text="Done.", blocks=[])

    with pytest.raises(Impossible, match="there is no approve"):
        ines.click("approve", channel="incidents", ts=ts)
    assert ines.click("approve", channel="incidents", ts=ts, revision=0).ok
    assert "digest-1" == app.got[0]["actions"][0]["value"]
    assert "Kill it?" == app.got[0]["message"]["text"]
    with pytest.raises(Impossible, match="never had a version 2"):
        ines.click("approve", channel="incidents", ts=ts, revision=2)


def test_an_old_click_arrives_after_the_message_was_deleted(ines: Person, client: WebClient, app: App) -> None:
    ts = posted(client, button())
    client.chat_delete(channel="incidents", ts=ts)

    with pytest.raises(Impossible, match="message_not_found"):
        ines.click("approve", channel="incidents", ts=ts)
    assert ines.click("approve", channel="incidents", ts=ts, revision=-1).ok
    assert ts == app.got[0]["container"]["message_ts"]


def test_a_click_names_everything(ines: Person, client: WebClient, app: App) -> None:
    ts = posted(client, button("yes", "1"), button("no", "2", "No") | {"style": "danger"})
    ines.click("no", channel="incidents", ts=ts)
    told = app.got[0]

    assert ("block_actions", "A0RESPONDER", "T0LUMEN") == (told["type"], told["api_app_id"], told["team"]["id"])
    assert {"id": "C00000001", "name": "incidents"} == told["channel"]
    assert ("no", "2", "danger", "button") == tuple(
        told["actions"][0][name] for name in ("action_id", "value", "style", "type")
    )
    assert {"values": {}} == told["state"]
    assert told["response_url"].startswith("http://127.0.0.1:")
    assert told["trigger_id"]


def test_a_click_in_a_message_for_one_person_does_not_carry_it(ines: Person, client: WebClient, app: App) -> None:
    ines.join("incidents")
    asked = {"channel": "incidents", "user": "UINES", "text": "x", "blocks": [row(button())]}
    ts = client.chat_postEphemeral(**asked)["message_ts"]

    assert ines.click("approve", channel="incidents", ts=ts).ok
    assert app.got[0]["container"]["is_ephemeral"] is True
    assert "message" not in app.got[0]


def test_a_choice_in_a_message_is_told_with_its_state(ines: Person, client: WebClient, app: App) -> None:
    ts = posted(client, USERS, button())
    ines.choose("who", ["URUTH", "ULEO"], channel="incidents", ts=ts)
    ines.click("approve", channel="incidents", ts=ts)

    assert ["URUTH", "ULEO"] == app.got[0]["actions"][0]["selected_users"]
    held = {"type": "multi_users_select", "selected_users": ["URUTH", "ULEO"]}
    assert {"answer": {"who": held}} == app.got[1]["state"]["values"]


def test_what_is_not_offered_cannot_be_chosen(ines: Person, client: WebClient) -> None:
    option = {"text": {"type": "plain_text", "text": "Kill"}, "value": "kill"}
    ts = posted(client, {"type": "static_select", "action_id": "mode", "options": [option]})

    assert ines.choose("mode", "Kill", channel="incidents", ts=ts).ok
    with pytest.raises(Impossible, match="no option 'fence'"):
        ines.choose("mode", "fence", channel="incidents", ts=ts)


# ---- modals


def test_an_empty_input_is_refused_by_slack_itself(ines: Person, slack: Slack, client: WebClient, app: App) -> None:
    modal(slack, client, asking({"type": "plain_text_input", "action_id": "a"}))
    done = ines.submit()

    assert (False, ["b"], []) == (done.sent, list(done.errors), app.got)
    assert ines.view() is not None
    ines.fill("a", "x")
    assert ines.submit().ok


@pytest.mark.parametrize(
    ("element", "value", "held"),
    [
        pytest.param(element, value, held, id=element["type"])
        for element, (value, held) in zip(
            PICKERS,
            [
                ("URUTH", {"selected_user": "URUTH"}),
                (["URUTH"], {"selected_users": ["URUTH"]}),
                ("C00000001", {"selected_conversation": "C00000001"}),
                ("2026-05-02", {"selected_date": "2026-05-02"}),
                ("09:30", {"selected_time": "09:30"}),
                (1777712400, {"selected_date_time": 1777712400}),
                (["a"], {"selected_options": PICKERS[6]["options"]}),
            ],
            strict=True,
        )
    ],
)
def test_a_submission_holds_every_input(
    slack: Slack, app: App, element: dict[str, Any], value: Any, held: dict[str, Any]
) -> None:
    client = WebClient(token=slack.ground.labels["slack-bot"], base_url=slack.ground.urls["slack"])
    modal(slack, client, asking(element, optional=True))
    ines = slack.person("ines")
    app.answer = {"response_action": "errors", "errors": {"b": "no"}}
    ines.submit()
    ines.choose(element["action_id"], value)
    ines.submit()
    first, last = (each["view"]["state"]["values"]["b"][element["action_id"]] for each in app.got)

    assert {"type": element["type"]} | held == last
    empty = [] if isinstance(value, list) else None
    assert {"type": element["type"], next(iter(held)): empty} == first


def test_a_submission_is_answered_in_every_way(slack: Slack, client: WebClient, app: App) -> None:
    ines = slack.person("ines")
    ines_view = lambda: (ines.view() or {}).get("title", {}).get("text")  # noqa: E731
    other = MODAL | {"title": {"type": "plain_text", "text": "Other"}}
    client.views_open(trigger_id=slack.triggers.make("UINES"), view=MODAL)
    shown = []
    for answer in (
        {"response_action": "errors", "errors": {"why": "no"}},
        {"response_action": "errors", "errors": {"nowhere": "no"}},
        {"response_action": "push", "view": other},
        None,
        {"response_action": "update", "view": other},
        {"response_action": "update", "view": other | {"title": {"type": "plain_text", "text": "x" * 25}}},
        {"response_action": "clear"},
    ):
        app.answer = answer
        done = ines.submit()
        shown.append((done.error, done.errors, ines_view()))

    assert [
        ("", {"why": "no"}, "Why"),
        ("invalid_response_errors", {}, "Why"),
        ("", {}, "Other"),
        ("", {}, "Why"),
        ("", {}, "Other"),
        ("invalid_arguments", {}, "Other"),
        ("", {}, None),
    ] == shown


def test_an_input_is_told_at_once_where_the_block_asks_for_it(
    ines: Person, slack: Slack, client: WebClient, app: App
) -> None:
    modal(slack, client, asking({"type": "plain_text_input", "action_id": "a"}, dispatch_action=True), row(USERS))
    ines.fill("a", "x")
    ines.choose("who", ["ULEO"])

    assert [("plain_text_input", "x"), ("multi_users_select", None)] == [
        (each["actions"][0]["type"], each["actions"][0].get("value")) for each in app.got
    ]
    assert {"type": "view", "view_id": app.got[0]["view"]["id"]} == app.got[0]["container"]
    assert "x" == app.got[1]["view"]["state"]["values"]["b"]["a"]["value"]
    assert "response_url" not in app.got[0]


def test_an_app_offers_options_while_somebody_types(ines: Person, slack: Slack, client: WebClient, app: App) -> None:
    offered = {"text": {"type": "plain_text", "text": "Step 1"}, "value": "step-1"}
    modal(slack, client, asking({"type": "external_select", "action_id": "step", "min_query_length": 1}))
    app.answer = {"options": [offered]}
    found = ines.suggest("step", "st")
    app.answer = None
    ines.choose("step", found[0])

    assert ines.submit().ok
    assert ("block_suggestion", "st", "step", "b") == tuple(
        app.got[0][name] for name in ("type", "value", "action_id", "block_id")
    )
    assert offered == app.got[1]["view"]["state"]["values"]["b"]["step"]["selected_option"]


def test_all_modals_are_closed_at_once(ines: Person, slack: Slack, client: WebClient, app: App) -> None:
    modal(slack, client, notify_on_close=True)
    client.views_push(trigger_id=slack.triggers.make("UINES"), view=MODAL | {"notify_on_close": False})
    ines.close(everything=True)

    assert ines.view() is None
    assert [("view_closed", True)] == [(each["type"], each["is_cleared"]) for each in app.got]


def test_a_button_in_the_home_is_clicked(ines: Person, client: WebClient, app: App) -> None:
    client.views_publish(user_id="UINES", view={"type": "home", "blocks": [row(button())]})

    assert ines.click("approve", home=True).ok
    assert "home" == app.got[0]["view"]["type"]


# ---- the response_url


def hook(app: App, number: int = -1) -> WebhookClient:
    return WebhookClient(app.got[number]["response_url"])


def test_a_response_url_works_five_times(ines: Person, app: App) -> None:
    ines.command("/respond")
    sent = [hook(app).send(text=f"{n}") for n in range(6)]

    assert [200] * 5 + [404] == [each.status_code for each in sent]
    assert "used_url" in sent[5].body
    assert ["0", "1", "2", "3", "4"] == [each["text"] for each in ines.messages("general")]


def test_a_response_url_works_for_half_an_hour(guest: Guest, ines: Person, app: App) -> None:
    ines.command("/respond")
    guest.clock.move(30 * 60)
    assert 200 == hook(app).send(text="just in time").status_code
    guest.clock.move(1)

    assert "expired_url" in hook(app).send(text="too late").body


def test_an_unknown_response_url_does_nothing(guest: Guest) -> None:
    made = guest.world.urls["slack"].removesuffix("/api/") + "/commands/T0LUMEN/1/guessed"

    assert 404 == WebhookClient(made).send(text="x").status_code


def test_an_answer_in_the_channel_needs_no_membership(ines: Person, slack: Slack, app: App) -> None:
    ines.command("/respond", channel="general")
    hook(app).send(text="for all", response_type="in_channel")
    hook(app).send(text="for one")

    assert ["for all", "for one"] == [each["text"] for each in ines.messages("general")]
    assert ["for all"] == [each["text"] for each in slack.person("ruth").messages("general")]


def test_an_original_is_replaced_and_deleted(ines: Person, client: WebClient, app: App) -> None:
    ines.join("incidents")
    whispered = {"channel": "incidents", "user": "UINES", "text": "for one", "blocks": [row(button("own", "1"))]}
    seen = client.chat_postEphemeral(**whispered)["message_ts"]
    shared = posted(client, button())
    for action, ts in (("own", seen), ("approve", shared)):
        ines.click(action, channel="incidents", ts=ts)
        hook(app).send(text=f"{action} was replaced", replace_original=True)

    assert ["own was replaced", "approve was replaced"] == [each["text"] for each in ines.messages("incidents")]
    assert all("blocks" not in each for each in client.conversations_history(channel="incidents")["messages"])
    for number in (0, 1):
        hook(app, number).send(text="", delete_original=True)
    assert [] == ines.messages("incidents")


def test_a_wrong_answer_is_refused(ines: Person, app: App) -> None:
    ines.command("/respond")
    sent = hook(app).send(blocks=[{"type": "section"}])

    assert (400, "invalid_blocks") == (sent.status_code, json.loads(sent.body)["error"])
    assert [] == ines.messages("general")


# ---- from another process


def test_the_control_door_tells_and_changes_everything(
    guest: Guest, ines: Person, slack: Slack, client: WebClient
) -> None:
    base = guest.world.urls["control"] + "/slack/"
    client.chat_postMessage(channel="incidents", text="a canary")
    ines.command("/respond")
    found = guest.http.get(base + "sent", params={"containing": "canary"}).json()["sent"]
    tries = guest.http.get(base + "deliveries").json()["deliveries"]

    assert ["chat.postMessage"] == [each["name"] for each in found]
    assert [("slash_commands", "acknowledged", 200)] == [(e["kind"], e["outcome"], e["status"]) for e in tries]
    assert (
        200 == guest.http.post(base + "app", json={"commands": ["/x"], "acknowledge": 1, "messages": True}).status_code
    )
    assert (frozenset({"/x"}), 1, True) == (slack.app.commands, slack.pace.acknowledge, slack.limits.messages)
    assert 400 == guest.http.post(base + "app", json={"request_url": "https://slack.example"}).status_code
    assert 400 == guest.http.post(base + "app", json={"nothing": 1}).status_code
    assert 409 == guest.http.post(base + "people/nobody/channels", json={}).status_code
    assert 409 == guest.http.post(base + "people/ines/_top", json={}).status_code


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("storm", {"requests": 1}), ("disconnect", {}), ("drop", {}), ("deactivate", {"user": "ines"}), ("down", {})],
)
def test_trouble_is_made_through_the_control_door(guest: Guest, kind: str, asked: dict[str, Any]) -> None:
    base = guest.world.urls["control"] + "/slack/trouble/"

    assert 200 == guest.http.post(base + kind, json=asked).status_code
    assert 404 == guest.http.post(base + "nothing", json={}).status_code


def test_a_person_who_waits_for_the_app_holds_nobody_up(guest: Guest, slack: Slack, app: App) -> None:
    waiting = Person("ines", through_control(guest.world.control.door.port))
    with ThreadPoolExecutor(1) as pool:
        app.go.clear()
        command = pool.submit(waiting.command, "/respond")
        until(lambda: app.got)

        assert 200 == guest.http.get(guest.world.urls["control"] + "/state").status_code
        assert [] == slack.person("ruth").messages("general")
        assert not command.done()
        app.go.set()
        assert command.result(5).ok
