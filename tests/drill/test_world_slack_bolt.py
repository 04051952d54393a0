"""An app on Slack's own framework works in the world's Slack, in both modes."""

from collections.abc import Iterator
from typing import Any

import pytest
from guests import Guest, Start
from slack_apps import button, by_http, by_socket, row, slack_of, tiny_app, until, web_client

from responder.drill.world.slack import Person

MODES = {"Socket Mode": by_socket, "signed HTTP": by_http}


@pytest.fixture
def seen() -> list[Any]:
    return []


@pytest.fixture(params=MODES)
def guest(start: Start, request: pytest.FixtureRequest, seen: list[Any]) -> Iterator[Guest]:
    made = start()
    slack_of(made).pace.retries = (0.0,)
    slack_of(made).app.events = frozenset({"message", "reaction_added"})
    with MODES[request.param](made, tiny_app(made, seen)):
        yield made


@pytest.fixture
def ines(guest: Guest) -> Person:
    found = slack_of(guest).person("ines")
    found.join("incidents")
    return found


def asked(guest: Guest) -> str:
    return str(web_client(guest).chat_postMessage(channel="incidents", text="Kill it?", blocks=[row(button())])["ts"])


def test_a_command_is_answered_to_the_person_alone(guest: Guest, ines: Person, seen: list[Any]) -> None:
    done = ines.command("/respond", "status", channel="general")

    assert done.ok
    assert [("You said status", True)] == [(each["text"], each["is_ephemeral"]) for each in ines.messages("general")]
    assert [] == slack_of(guest).person("ruth").messages("general")
    told = seen[0]
    assert ("UINES", "ines", "T0LUMEN") == (told["user_id"], told["user_name"], told["team_id"])
    assert ("general", "/respond", "status") == (told["channel_name"], told["command"], told["text"])


def test_a_click_replaces_the_message(guest: Guest, ines: Person, seen: list[Any]) -> None:
    ts = asked(guest)
    done = ines.click("approve", channel="incidents", ts=ts)

    assert done.ok
    assert "Approved." == until(lambda: [each["text"] for each in ines.messages("incidents") if "edited" in each])[0]
    told = seen[0]
    assert {"type": "message", "message_ts": ts, "channel_id": "C00000001", "is_ephemeral": False} == told["container"]
    assert {"id": "UINES", "username": "ines", "name": "ines", "team_id": "T0LUMEN"} == told["user"]
    assert ("approve", "answer", "digest-1") == tuple(told["actions"][0][n] for n in ("action_id", "block_id", "value"))
    assert told["actions"][0]["action_ts"]
    assert ts == told["message"]["ts"]


def test_a_modal_is_filled_refused_corrected_and_closed(guest: Guest, ines: Person, seen: list[Any]) -> None:
    assert ines.command("/respond", "modal").ok
    refused = ines.submit()
    assert {"why": "Say more."} == refused.errors == ines.view_errors()
    ines.fill("text", "it is in a public repository")
    ines.choose("pick", "fence")

    assert ines.submit().ok
    assert ines.view() is None
    first, last = (each["state"]["values"] for each in seen)
    assert {"type": "plain_text_input", "value": "because"} == first["why"]["text"]
    assert {"type": "static_select", "selected_option": None} == first["mode"]["pick"]
    assert "it is in a public repository" == last["why"]["text"]["value"]
    assert "fence" == last["mode"]["pick"]["selected_option"]["value"]
    assert "inc-1" == seen[0]["private_metadata"]


def test_a_closed_modal_is_told(guest: Guest, ines: Person, seen: list[Any]) -> None:
    ines.command("/respond", "modal")

    assert ines.close().ok
    assert [("view_closed", False)] == [(each["type"], each["is_cleared"]) for each in seen]


def test_an_event_comes_from_where_the_bot_is(guest: Guest, ines: Person, seen: list[Any]) -> None:
    ines.join("general")
    ines.say("general", "the bot is not here")
    ts = ines.say("incidents", "who is on call?").ts
    slack_of(guest).person("ines").react("incidents", ts, "eyes")

    assert slack_of(guest).courier.settle()
    until(lambda: len(seen) == 2)
    by_type = {each["type"]: each for each in seen}
    assert ("who is on call?", "UINES", "channel") == tuple(
        by_type["message"][name] for name in ("text", "user", "channel_type")
    )
    assert ("eyes", {"type": "message", "channel": "C00000001", "ts": ts}) == (
        by_type["reaction_added"]["reaction"],
        by_type["reaction_added"]["item"],
    )


def test_a_shortcut_is_told(guest: Guest, ines: Person, seen: list[Any]) -> None:
    ts = ines.say("incidents", "look").ts

    assert ines.shortcut("open").ok
    assert ines.message_shortcut("open", "incidents", ts).ok
    told = {each["type"]: each for each in seen}
    assert {"shortcut", "message_action"} <= told.keys()
    assert "look" == told["message_action"]["message"]["text"]


def test_an_unknown_command_is_silence_or_404(guest: Guest, ines: Person, request: pytest.FixtureRequest) -> None:
    slack_of(guest).pace.acknowledge = 0.2
    done = ines.command("/unknown")

    expected = ("operation_timeout", 0) if "Socket" in request.node.name else ("dispatch_failed", 404)
    assert expected == (done.error, done.status)
    assert [done.error] == ines.errors()
