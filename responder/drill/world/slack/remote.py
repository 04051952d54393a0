"""Slack through the world's control door: its people, its diary, its trouble and the app's configuration, as JSON."""

from collections.abc import Callable
from typing import Any

from responder.drill.world.slack.answers import NotOk
from responder.drill.world.slack.person import Impossible
from responder.drill.world.slack.site import Slack
from responder.drill.world.web import Answer, Rejected, Request, Route, route

PREFIX = "/slack/"
_SETS = ("scopes", "events", "commands", "app_scopes")


class Remote:
    """What somebody in another process may ask of Slack; an act that waits for the app holds nobody else up."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("POST", f"{PREFIX}people/{{user}}/{{act}}", self.act),
            route("GET", f"{PREFIX}sent", self.sent),
            route("GET", f"{PREFIX}deliveries", self.deliveries),
            route("GET", f"{PREFIX}connections", self.connections),
            route("POST", f"{PREFIX}app", self.configure),
            route("POST", f"{PREFIX}trouble/{{kind}}", self.trouble),
        )

    def act(self, request: Request, parts: dict[str, str]) -> Answer:
        """Let a person do or see something; raises Rejected (409) where they cannot."""
        try:
            return Answer(body=self._slack.act(parts["user"], parts["act"], request.fields))
        except (Impossible, TypeError) as refused:
            return Answer(409, {"error": str(refused)})

    def sent(self, request: Request, _: dict[str, str]) -> Answer:
        """List what the app sent: of a kind, of a method, containing a text."""
        asked = {name: request.query.get(name, "") for name in ("kind", "name", "containing")}
        return Answer(body={"sent": [each.shown() for each in self._slack.diary.sent(**asked)]})

    def deliveries(self, request: Request, _: dict[str, str]) -> Answer:
        """List every try to deliver something: of a kind, with an outcome."""
        asked = {name: request.query.get(name, "") for name in ("kind", "outcome")}
        return Answer(body={"deliveries": [each.shown() for each in self._slack.diary.deliveries(**asked)]})

    def connections(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell the numbers of the open WebSockets."""
        return Answer(body={"connections": [each.number for each in self._slack.courier.board.open]})

    def configure(self, request: Request, _: dict[str, str]) -> Answer:
        """Change the app's configuration, Slack's pace or its limits, by the names of their fields."""
        places = (self._slack.app, self._slack.pace, self._slack.limits)
        for name, value in request.fields.items():
            place = next((each for each in places if hasattr(each, name) and not name.startswith("_")), None)
            if place is None or callable(getattr(place, name)):
                raise Rejected(400, "no_such_setting")
            try:
                setattr(place, name, _read(name, value))
            except ValueError:
                raise Rejected(400, f"{name}_refused") from None
        return Answer(body={"request_url": self._slack.app.request_url})

    def trouble(self, request: Request, parts: dict[str, str]) -> Answer:
        """Make trouble now: disconnect, drop, down, storm, deactivate, forge or revoke; raises Rejected."""
        kinds: dict[str, Callable[[dict[str, Any]], Any]] = {
            "disconnect": lambda asked: self._slack.courier.board.disconnect(
                asked.get("reason", "refresh_requested"), asked.get("connection")
            ),
            "drop": lambda asked: self._slack.courier.board.drop(asked.get("connection")),
            "down": lambda asked: self._slack.go_down(float(asked.get("seconds", 60))),
            "storm": lambda asked: self._slack.storm(int(asked.get("requests", 10))),
            "deactivate": lambda asked: self._slack.deactivate(str(asked.get("user"))),
            "forge": lambda asked: self._slack.courier.send_forged(str(asked.get("how", "forged"))).status,
            "verify-url": lambda _: self._slack.courier.verify_url(),
        }
        if parts["kind"] not in kinds:
            raise Rejected(404, "no_such_trouble")
        try:
            return Answer(body={"done": kinds[parts["kind"]](request.fields)})
        except (NotOk, ValueError) as refused:
            return Answer(409, {"error": str(refused)})


def _read(name: str, value: Any) -> Any:
    if name in _SETS:
        return None if value is None else frozenset(map(str, value))
    if name == "tiers":
        return {int(tier): int(most) for tier, most in dict(value).items()}
    return tuple(value) if isinstance(value, list) else value
