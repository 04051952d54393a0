"""Everything that listens to Slack, put together: Socket Mode or signed HTTP, the channels, and the runs."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from slack_bolt.adapter.wsgi import SlackRequestHandler

from responder.app import App
from responder.clock import monotonic
from responder.errors import RequestError, SettingsError
from responder.providers.slack.client import Options
from responder.redaction import Secret
from responder.settings import Connection, Slack
from responder.slack.desk import Desk
from responder.slack.keeper import Keeper
from responder.slack.listener import Listener
from responder.slack.sockets import Sockets
from responder.slack.speaker import Speaker
from responder.tending import Tender

PATH = "/slack/events"
_REPLAY_SECONDS = 310.0
"""For how long a signature is remembered: Slack's own requests are refused after five minutes anyway."""
_log = logging.getLogger(__name__)


class Reception:
    """What people at Slack reach, for as long as it is open."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.slack, self.connection = configured(app)
        token = _secret(app, self.connection.secret, f"connections.{self.connection.name}.secret")
        self.speaker = self._speaker(token)
        self.desk = Desk(app)
        means = app.means
        signing = means.secret(self.slack.signing_secret)
        wire = means.transport.wire("slack", "")

        def listener(value: str) -> Listener:
            return Listener(self.desk, self.speaker, self.connection.account, value)

        self.listener = wire.with_value(signing, listener) if signing is not None else listener("")
        self.keeper = Keeper(app, self.speaker, self.connection)
        self.tender = Tender(means, app.dispatcher, app.attendance)
        self._sockets: Sockets | None = None
        self._server: WSGIServer | None = None

    @property
    def deaf(self) -> str:
        """Why nobody is heard by Socket Mode; empty where that works, or is not used."""
        return self._sockets.trouble if self._sockets is not None else ""

    def start(self) -> None:
        """Begin to advance runs and to keep channels."""
        self.app.take_in_secrets()
        self.tender.start()
        self.keeper.start()

    def listen(self) -> None:
        """Connect by Socket Mode: no address of ours has to be reached. SettingsError where there is no app token."""
        token = _secret(self.app, self.slack.app_token, "slack.app_token")
        self._sockets = Sockets(self.listener.bolt, self._speaker(token))
        self._sockets.start()

    def _speaker(self, token: Secret) -> Speaker:
        base_url = Options.model_validate(self.connection.options).base_url
        means = self.app.means
        return Speaker.with_token(token, base_url, means.transport, means.sealer.redactor)

    def serve(self, host: str, port: int) -> str:
        """Take signed requests by HTTP, in a thread; return the address.

        SettingsError where there is no secret, RequestError where the address cannot be listened at.
        """
        _secret(self.app, self.slack.signing_secret, "slack.signing_secret")
        answer = once(SlackRequestHandler(self.listener.bolt, path=PATH))
        try:
            self._server = make_server(host, port, answer, server_class=_Server, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            raise RequestError(
                f"It is not possible to listen there: {getattr(error, 'strerror', None) or error}",
                where=f"{host}:{port}",
                remedy="name an address of this host, and a port up to 65535 at which nothing listens yet",
            ) from None
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        return f"http://{host}:{self._server.server_port}{PATH}"

    def close(self) -> None:
        """Hear nothing more, do what was acknowledged, let the steps under way end, and say what came of it all."""
        if self._sockets is not None:
            self._sockets.close()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self.listener.close()
        self.tender.stop()
        self.keeper.stop()


def configured(app: App) -> tuple[Slack, Connection]:
    """Return how Slack is set up. SettingsError says what is missing."""
    settings = app.means.settings
    slack = settings.slack
    if slack is None or slack.connection not in settings.connections:
        raise SettingsError(
            "Slack is not set up",
            where="responder.yaml: slack",
            remedy="add `slack: {connection: NAME, app_token: env:NAME}`; `responder slack manifest` makes the app",
        )
    connection = settings.connections[slack.connection]
    if not connection.account:
        raise SettingsError(
            "The workspace is not named, so that nobody can be told from a stranger of the same id",
            where=f"connections.{connection.name}.account",
            remedy="set it to the workspace's id, T...: `responder doctor` shows it",
        )
    return slack, connection


def _secret(app: App, reference: str | None, where: str) -> Secret:
    secret = app.means.secret(reference)
    if secret is None:
        raise SettingsError(
            "A secret of the Slack app is not named", where=where, remedy="write env:NAME or keyring:NAME"
        )
    return secret


Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def once(answer: Wsgi) -> Wsgi:
    """Refuse a request whose signature was seen before: whoever recorded one cannot send it again."""
    seen: OrderedDict[str, float] = OrderedDict()
    lock = threading.Lock()

    def fresh(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        signature = str(environ.get("HTTP_X_SLACK_SIGNATURE") or "")
        now = monotonic()
        with lock:
            while seen and next(iter(seen.values())) < now - _REPLAY_SECONDS:
                seen.popitem(last=False)
            again = signature in seen
            if signature:
                seen.setdefault(signature, now)
        if again:
            _log.warning("a request was sent again with a signature that was used already")
            start("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"this request was answered already"]
        return answer(environ, start)

    return fresh


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        """Log nothing: a line for each request helps nobody, and a path may hold what must not be logged."""
