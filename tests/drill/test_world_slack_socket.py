"""Socket Mode as Slack keeps it, with Slack's own client: tickets, acknowledgements, retries and farewells."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from guests import Guest, Start
from slack_apps import leave, slack_of, until, web_client
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from responder.drill.world.slack import Person, Slack

Listen = Callable[[SocketModeClient, SocketModeRequest], None]
Join = Callable[..., "Client"]


class Client:
    """Slack's own client, with all that it was told."""

    def __init__(self, guest: Guest, listen: Listen | None) -> None:
        self.requests: list[SocketModeRequest] = []
        self.messages: list[dict[str, Any]] = []
        self.inner = SocketModeClient(app_token=guest.value("slack-app"), web_client=web_client(guest))
        self.inner.message_listeners.append(lambda _, message, __: self.messages.append(message))
        self.inner.socket_mode_request_listeners.append(self._listen)
        self._answer = listen or acknowledge
        self.inner.connect()

    def _listen(self, client: Any, request: SocketModeRequest) -> None:
        self.requests.append(request)
        self._answer(client, request)


def acknowledge(client: SocketModeClient, request: SocketModeRequest, payload: dict[str, Any] | None = None) -> None:
    client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=payload))


def say_nothing(client: SocketModeClient, request: SocketModeRequest) -> None:
    """Do not acknowledge."""


@pytest.fixture
def guest(start: Start) -> Guest:
    made = start()
    slack_of(made).pace.acknowledge = 0.3
    slack_of(made).pace.retries = (0.0, 0.05, 0.1)
    return made


@pytest.fixture
def slack(guest: Guest) -> Slack:
    return slack_of(guest)


@pytest.fixture
def join(guest: Guest) -> Iterator[Join]:
    with ExitStack() as stack:

        def begin(listen: Listen | None = None) -> Client:
            before = len(slack_of(guest).courier.board.open)
            made = Client(guest, listen)
            stack.callback(leave, guest, made.inner)
            until(lambda: len(slack_of(guest).courier.board.open) > before)
            return made

        yield begin


@pytest.fixture
def ines(slack: Slack) -> Person:
    found = slack.person("ines")
    found.join("incidents")
    return found


def app_client(guest: Guest) -> WebClient:
    return WebClient(token=guest.value("slack-app"), base_url=guest.world.urls["slack"])


def knock(guest: Guest, url: str) -> int:
    """Ask for a WebSocket by hand, and return the status."""
    port = int(guest.world.urls["slack"].rpartition(":")[2].partition("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    try:
        connection.request(
            "GET", url[url.index("/link") :], headers=headers | {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
        )
        answer = connection.getresponse()
        return answer.status
    finally:
        connection.close()


def test_hello_says_how_many_connections_there_are(join: Join) -> None:
    clients = [join(), join()]

    until(lambda: all(client.messages for client in clients))
    assert ["hello", "hello"] == [client.messages[0]["type"] for client in clients]
    assert [1, 2] == [client.messages[0]["num_connections"] for client in clients]
    assert {"app_id": "A0RESPONDER"} == clients[0].messages[0]["connection_info"]


def test_a_ticket_admits_once(guest: Guest) -> None:
    url = app_client(guest).apps_connections_open(app_token=guest.value("slack-app"))["url"]

    assert [101, 403] == [knock(guest, url), knock(guest, url)]


def test_a_ticket_runs_out(guest: Guest, slack: Slack) -> None:
    slack.pace.ticket = 0.0
    url = app_client(guest).apps_connections_open(app_token=guest.value("slack-app"))["url"]

    assert 403 == knock(guest, url)


@pytest.mark.parametrize(
    ("label", "error"),
    [
        pytest.param("slack-bot", "not_allowed_token_type", id="a bot token"),
        pytest.param("slack-app", "missing_scope", id="no scope"),
    ],
)
def test_connections_are_opened_with_a_token_of_the_app(guest: Guest, slack: Slack, label: str, error: str) -> None:
    slack.app.app_scopes = frozenset()
    with pytest.raises(SlackApiError, match=error):
        app_client(guest).apps_connections_open(app_token=guest.value(label))


def test_a_token_of_the_app_does_nothing_else(guest: Guest) -> None:
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        app_client(guest).chat_postMessage(channel="incidents", text="x")


def test_a_command_is_acknowledged_with_what_is_shown(join: Join, ines: Person, slack: Slack) -> None:
    client = join(lambda client, request: acknowledge(client, request, {"text": "seen"}))
    done = ines.command("/respond", "now")

    assert ["seen"] == [each["text"] for each in ines.messages("general")]
    request = client.requests[0]
    assert ("slash_commands", True) == (request.type, request.accepts_response_payload)
    assert request.payload["text"] == "now"
    delivery = slack.diary.deliveries("slash_commands")[0]
    assert ("acknowledged", done.milliseconds) == (delivery.outcome, delivery.milliseconds)
    assert ["seen"] == [sent.arguments["payload"]["text"] for sent in slack.diary.sent("acknowledgement")]


def test_a_command_that_nobody_acknowledges_times_out_and_is_not_sent_again(
    join: Join, ines: Person, slack: Slack
) -> None:
    client = join(say_nothing)
    began = time.monotonic()
    done = ines.command("/respond")

    assert "operation_timeout" == done.error
    assert 0.3 <= time.monotonic() - began < 2
    assert 1 == len(client.requests)
    assert ["timed_out"] == [each.outcome for each in slack.diary.deliveries()]


def test_an_acknowledgement_that_is_late_is_written_down_and_changes_nothing(
    join: Join, ines: Person, slack: Slack
) -> None:
    go = threading.Event()

    def late(client: SocketModeClient, request: SocketModeRequest) -> None:
        go.wait(5)
        acknowledge(client, request, {"text": "too late"})

    join(late)
    assert "operation_timeout" == ines.command("/respond").error
    go.set()

    until(lambda: slack.diary.deliveries()[0].late_milliseconds)
    assert "timed_out" == slack.diary.deliveries()[0].outcome
    assert [] == ines.messages("general")


def test_without_a_connection_a_command_fails_at_once(ines: Person) -> None:
    assert "dispatch_failed" == ines.command("/respond").error


def test_an_event_is_tried_four_times(join: Join, ines: Person, slack: Slack) -> None:
    client = join(say_nothing)
    ines.say("incidents", "hello")

    assert slack.courier.settle()
    mine = [each for each in client.requests if each.payload["event"]["type"] == "message"]
    assert [(0, ""), (1, "timeout"), (2, "timeout"), (3, "timeout")] == [
        (each.retry_attempt, each.retry_reason) for each in mine
    ]
    assert 1 == len({each.payload["event_id"] for each in mine})
    assert 4 == len({each.envelope_id for each in mine})


def test_an_event_that_is_acknowledged_is_not_tried_again(join: Join, ines: Person, slack: Slack) -> None:
    client = join()
    ines.say("incidents", "hello")

    assert slack.courier.settle()
    assert ["events_api"] == [each.type for each in client.requests]
    assert client.requests[0].accepts_response_payload is False


def test_an_envelope_goes_to_one_connection(join: Join, ines: Person) -> None:
    clients = [join(), join(), join()]
    for _ in range(6):
        assert ines.command("/respond").ok

    assert [2, 2, 2] == [len(client.requests) for client in clients]


def test_nothing_is_sent_after_a_disconnect(guest: Guest, join: Join, ines: Person, slack: Slack) -> None:
    slack.pace.farewell = 0.5
    with ExitStack() as stack:
        leaving = raw(guest, stack)
        gone = until(lambda: slack.courier.board.open)[0]
        staying = join()
        assert 1 == slack.courier.board.disconnect("warning", gone.number)
        assert not gone.send({"type": "slash_commands"}), "an envelope that was already on its way to it"
        for _ in range(4):
            assert ines.command("/respond").ok

        said = read_to_end(leaving)
    assert 4 == len(staying.requests)
    assert b'"reason": "warning"' in said
    assert b"slash_commands" not in said


def test_a_client_that_is_told_to_refresh_comes_back(join: Join, ines: Person, slack: Slack) -> None:
    slack.pace.farewell = 0.1
    join()
    before = slack.courier.board.open[0].number
    slack.courier.board.disconnect("refresh_requested")

    after = until(lambda: slack.courier.board.open)[0].number
    assert before != after
    # Slack's own client may still look at its old connection, for three seconds at the most.
    slack.pace.acknowledge = 5.0
    assert ines.command("/respond").ok


def test_a_connection_that_does_not_go_is_ended(guest: Guest, slack: Slack) -> None:
    slack.pace.farewell = 0.1
    with ExitStack() as stack:
        connection = raw(guest, stack)
        until(lambda: slack.courier.board.open)
        slack.courier.board.disconnect()

        assert b"refresh_requested" in read_to_end(connection)


def test_the_eleventh_connection_is_sent_away(guest: Guest, slack: Slack) -> None:
    with ExitStack() as stack:
        for number in range(10):
            raw(guest, stack)
            until(lambda number=number: len(slack.courier.board.open) == number + 1)
        last = raw(guest, stack)

        assert b"too_many_websockets" in read_to_end(last)


def test_pings_are_answered_and_sent(join: Join, slack: Slack) -> None:
    slack.pace.ping = 0.1
    client = join()

    until(lambda: slack.courier.board.open[0].pongs)
    assert client.inner.is_connected()
    client.inner.current_session.ping("are you there")
    until(lambda: client.inner.current_session.last_ping_pong_time)


def test_a_revoked_token_ends_the_connections(guest: Guest, slack: Slack) -> None:
    slack.pace.farewell = 0.1
    with ExitStack() as stack:
        connection = raw(guest, stack)
        until(lambda: slack.courier.board.open)
        assert web_client(guest).auth_revoke()["revoked"] is True

        assert b"link_disabled" in read_to_end(connection)
    assert "dispatch_failed" == slack.person("ines").command("/respond").error
    with pytest.raises(SlackApiError, match="token_revoked"):
        web_client(guest).auth_test()
    fresh = slack.reinstall()
    assert WebClient(token=fresh, base_url=guest.world.urls["slack"]).auth_test()["ok"]


def test_when_slack_is_down_connections_end_and_people_can_do_nothing(
    start: Start, ines: Person, slack: Slack, join: Join
) -> None:
    client = join()
    client.inner.default_auto_reconnect_enabled = client.inner.auto_reconnect_enabled = False
    slack.go_down(3600)

    until(lambda: not slack.courier.board.open)
    with pytest.raises(Exception, match="Slack is down"):
        ines.command("/respond")


def test_a_fault_that_takes_slack_down_ends_a_websocket_too(start: Start) -> None:
    guest = start("slack-down")

    with pytest.raises((OSError, http.client.HTTPException)):
        knock(guest, "/link/?ticket=x")
    assert {"slack-down": True} == {each["name"]: each["happened"] for each in guest.world.ground.trouble.report()}


def raw(guest: Guest, stack: ExitStack) -> socket.socket:
    """Open a WebSocket by hand, which does nothing of its own accord."""
    url = app_client(guest).apps_connections_open(app_token=guest.value("slack-app"))["url"]
    port = int(guest.world.urls["slack"].rpartition(":")[2].partition("/")[0])
    made = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
    lines = [
        f"GET {url[url.index('/link') :]} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", "",
    ]  # fmt: skip
    made.sendall("\r\n".join(lines).encode())
    assert b"HTTP/1.1 101" == made.recv(12)
    return made


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    while part := connection.recv(4096):
        found += part
    return found
