"""Whether we could be spoken to at Slack now: the app's tokens, what they may do, and the people who answer there."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from responder.action import Access
from responder.answer import Response
from responder.doctor import Check
from responder.errors import ResponderError, Unavailable
from responder.means import Means
from responder.providers.slack.client import Options
from responder.redaction import Secret
from responder.settings import Connection, Slack
from responder.slack.scopes import SCOPES

ABOUT = "slack"
_REASONS = {
    "invalid_auth": "Slack does not know it",
    "missing_scope": "it lacks a permission",
    "not_allowed_token_type": "it is a token of another kind",
    "not_authed": "Slack saw none",
    "socket_mode_not_enabled": "the app does not have Socket Mode switched on",
    "token_expired": "it has expired",
    "token_revoked": "it was revoked",
    "account_inactive": "the app was removed from the workspace",
}
"""What Slack's words mean for a token."""
_AGAIN = "make the app anew from `responder slack manifest`, or install it again; then use its new token"
_APP_TOKEN = "switch Socket Mode on, and use an app-level token (xapp-) with connections:write as `slack.app_token`"  # noqa: S105 - a sentence


def examine_slack(means: Means, find: Callable[[str], object] = find_spec) -> list[Check]:
    """Look at everything that listening at Slack needs; nothing where responder.yaml does not speak of Slack."""
    slack = means.settings.slack
    if slack is None:
        return []
    connection = means.settings.connections.get(slack.connection)
    checks: list[Check] = []
    missing = [name for name in ("slack_bolt", "websockets") if find(name) is None]
    if missing:
        remedy = "pip install 'responder[slack]' where it is to listen"
        checks.append(Check(ABOUT, ", ".join(missing), "note", "what listens is not installed here", remedy))
    if connection is None or connection.provider != ABOUT:
        said = f"responder.yaml describes no connection {slack.connection} of Slack"
        return [*checks, Check(ABOUT, slack.connection, "missing", said, "add it, or correct `slack.connection`")]
    return [*checks, *_bot(means, connection), *_heard(means, slack, connection)]


class _Door:
    """Slack's Web API, as far as the doctor asks it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._base = Options.model_validate(access.connection.options).base_url

    def ask(self, verb: str, method: str, token: Secret | None, **params: str) -> tuple[Response, dict[str, Any]]:
        """Call a method; raises Unavailable where the answer is none of Slack's."""
        answer = self._access.wire.request(
            verb, self._base + method, write=False, bearer=token, params=params or None, permission="a valid token"
        )
        data = answer.json()
        if not isinstance(data, dict) or "ok" not in data:
            raise Unavailable(f"Slack's answer to {method} is not understood", where=method)
        return answer, data


def _bot(means: Means, connection: Connection) -> Iterator[Check]:
    """Look at the bot token, its scopes, and the people, whom only an accepted token can look up."""
    name = f"{connection.name}: the bot token"
    try:
        access = means.access(connection, "doctor", connection.name)
        door = _Door(access)
        answer, data = door.ask("GET", "auth.test", access.secret)
    except ResponderError as error:
        yield _broken(name, error)
        return
    if not data["ok"]:
        yield Check(ABOUT, name, "missing", f"it is not accepted: {_why(data)}", _AGAIN)
        return
    team = str(data.get("team_id", ""))
    if team != connection.account:
        said = f"it is of the workspace {team}, and responder.yaml says {connection.account or 'nothing'}"
        remedy = "use the right token, or correct `account:` of the connection"
        yield Check(ABOUT, name, "missing", said, remedy)
    else:
        yield Check(ABOUT, name, "ok", f"accepted, {data.get('user') or 'our app'} in {team}")
    yield _scopes(connection, answer)
    yield from _people(means, door, access.secret)


def _scopes(connection: Connection, answer: Response) -> Check:
    name = f"{connection.name}: scopes"
    told = answer.headers.get("x-oauth-scopes")
    if told is None:
        return Check(ABOUT, name, "note", "Slack does not say what the token may do")
    lacking = [scope for scope in SCOPES if scope not in {one.strip() for one in told.split(",")}]
    if not lacking:
        return Check(ABOUT, name, "ok", f"all {len(SCOPES)} that are needed")
    said = "; ".join(f"the token lacks {scope} ({SCOPES[scope]})" for scope in lacking)
    remedy = "add them to the app (`responder slack manifest` prints them all), and install it again"
    return Check(ABOUT, name, "missing", said, remedy)


def _people(means: Means, door: _Door, token: Secret | None) -> Iterator[Check]:
    """Look up everybody whose Slack id stands in responder.yaml."""
    known = [(name, person.slack) for name, person in means.settings.people.items() if person.slack]
    if not known:
        said, remedy = "nobody's Slack id stands in responder.yaml: people may only look", "set `slack:` of people"
        yield Check(ABOUT, "people", "note", said, remedy)
        return
    bad = 0
    for name, user in known:
        try:
            data = door.ask("GET", "users.info", token, user=user)[1]
        except ResponderError as error:
            yield _broken("people", error)
            return
        if data.get("error") == "missing_scope":  # told already; it is the same for everybody
            return
        problem = _stranger(data)
        if problem:
            bad += 1
            yield Check(ABOUT, name, "missing", f"{user} {problem}", f"correct `slack:` of {name}, or remove it")
    if not bad:
        yield Check(ABOUT, "people", "ok", f"{len(known)} have an account that is open")


def _stranger(data: dict[str, Any]) -> str:
    """Return why an account decides nothing; empty where it does."""
    user = data.get("user") or {}
    if not data["ok"]:
        unknown = data.get("error") in {"user_not_found", "user_not_visible", "users_not_found"}
        return "is not known in this workspace" if unknown else f"cannot be looked up: {_why(data)}"
    if user.get("deleted"):
        return "is deactivated: it decides nothing"
    if user.get("is_stranger") or user.get("is_restricted"):
        return "is a guest, or of another workspace: it decides nothing"
    return ""


def _heard(means: Means, slack: Slack, connection: Connection) -> Iterator[Check]:
    """Look at how Slack reaches us: by Socket Mode, or by requests that are signed."""
    if slack.app_token is None and slack.signing_secret is None:
        said = "neither an app token nor a signing secret is named: nothing that people do there reaches us"
        yield Check(ABOUT, "listening", "missing", said, "set `slack.app_token` for `responder slack`")
    if slack.app_token is not None:
        yield _socket(means, slack, connection)
    if slack.signing_secret is not None:
        try:
            means.secret(slack.signing_secret)
        except ResponderError as error:
            yield _broken("signing secret", error)
        else:
            yield Check(ABOUT, "signing secret", "ok", "there; only a request of Slack's shows whether it is right")


def _socket(means: Means, slack: Slack, connection: Connection) -> Check:
    """Ask for an address for Socket Mode, and throw it away: what it admits ends by itself, unused."""
    name = "Socket Mode"
    try:
        token = means.secret(slack.app_token)
        bare = connection.model_copy(update={"secret": None, "control": None})
        answer, data = _Door(means.access(bare, "doctor", name)).ask("POST", "apps.connections.open", token)
        answer.secret("url")  # it holds a ticket, which must not be shown
    except ResponderError as error:
        return _broken(name, error)
    if not data["ok"]:
        return Check(ABOUT, name, "missing", f"the app token does not open a connection: {_why(data)}", _APP_TOKEN)
    return Check(ABOUT, name, "ok", "the app token opens a connection")


def _why(data: dict[str, Any]) -> str:
    """Return in words why Slack said no."""
    code = str(data.get("error", "unknown"))
    needed = f", {data['needed']}" if data.get("needed") else ""
    return f"{_REASONS[code]}{needed} ({code})" if code in _REASONS else code


def _broken(name: str, error: ResponderError) -> Check:
    first = error.problems[0]
    return Check(ABOUT, name, "missing", first.what, first.remedy)
