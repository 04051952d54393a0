"""Small apps on Slack's own libraries, joined to a world's Slack in both ways; and what tests wait with."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from guests import Guest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient

from responder.drill.world.slack import Slack

MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "reason",
    "private_metadata": "inc-1",
    "title": {"type": "plain_text", "text": "Why"},
    "submit": {"type": "plain_text", "text": "Say"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why?"},
            "element": {"type": "plain_text_input", "action_id": "text", "initial_value": "because"},
        },
        {
            "type": "input",
            "block_id": "mode",
            "optional": True,
            "label": {"type": "plain_text", "text": "How?"},
            "element": {
                "type": "static_select",
                "action_id": "pick",
                "options": [
                    {"text": {"type": "plain_text", "text": each}, "value": each} for each in ("kill", "fence")
                ],
            },
        },
    ],
}


def button(action_id: str = "approve", value: str = "digest-1", text: str = "Approve") -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "value": value, "text": {"type": "plain_text", "text": text}}


def row(*elements: dict[str, Any], block_id: str = "answer") -> dict[str, Any]:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def web_client(guest: Guest) -> WebClient:
    return WebClient(token=guest.value("slack-bot"), base_url=guest.world.urls["slack"], timeout=10)


def slack_of(guest: Guest) -> Slack:
    return guest.world.slack


def until(true: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Wait until something is true, and return it; fails after some seconds."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.005)
    return found


@contextmanager
def by_socket(guest: Guest, app: App) -> Iterator[None]:
    """Run an app in Socket Mode; the client is given again, or the handler would call slack.com."""
    handler = SocketModeHandler(app, guest.value("slack-app"), web_client=app.client)
    handler.connect()
    try:
        until(lambda: slack_of(guest).courier.board.open)
        yield
    finally:
        leave(guest, handler.client)


def leave(guest: Guest, client: SocketModeClient) -> None:
    """End a client quickly: while its connection is idle, its own close waits for three seconds."""
    client.auto_reconnect_enabled = False
    client.current_session_state.terminated = True
    for each in slack_of(guest).courier.board.open:
        each.ping()
    client.close()


@contextmanager
def by_http(guest: Guest, app: App) -> Iterator[None]:
    """Run an app behind a request URL."""
    with serving(SlackRequestHandler(app)) as port:
        slack_of(guest).app.request_url = f"http://127.0.0.1:{port}/slack/events"
        yield
        slack_of(guest).courier.settle()
        slack_of(guest).app.request_url = ""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing: the report is for failures."""


@contextmanager
def serving(wsgi: Any) -> Iterator[int]:
    """Serve a WSGI app on loopback."""
    with make_server("127.0.0.1", 0, wsgi, server_class=_Server, handler_class=_Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(5)


def tiny_app(guest: Guest, seen: list[Any]) -> App:
    """Return an app with a command, a button, a modal and an event; what it was told is in `seen`."""
    app = App(client=web_client(guest), signing_secret=guest.value("slack-signing"))

    @app.command("/respond")
    def command(ack: Any, body: dict[str, Any], client: WebClient) -> None:
        if body["text"] == "modal":
            client.views_open(trigger_id=body["trigger_id"], view=MODAL)
            ack()
            return
        ack(text=f"You said {body['text']}")
        seen.append(body)

    @app.action("approve")
    def click(ack: Any, body: dict[str, Any], respond: Any) -> None:
        ack()
        seen.append(body)
        respond(text="Approved.", replace_original=True)

    @app.view("reason")
    def submit(ack: Any, view: dict[str, Any]) -> None:
        seen.append(view)
        if view["state"]["values"]["why"]["text"]["value"] == "because":
            ack(response_action="errors", errors={"why": "Say more."})
        else:
            ack()

    @app.view_closed("reason")
    def closed(ack: Any, body: dict[str, Any]) -> None:
        ack()
        seen.append(body)

    @app.event("message")
    def message(event: dict[str, Any]) -> None:
        seen.append(event)

    @app.event("reaction_added")
    def reaction(event: dict[str, Any]) -> None:
        seen.append(event)

    @app.shortcut("open")
    def shortcut(ack: Any, body: dict[str, Any]) -> None:
        ack()
        seen.append(body)

    return app
