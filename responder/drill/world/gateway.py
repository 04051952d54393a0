"""The surfaces of the gateway: where keys and sessions are presented, one with a cache at the edge."""

from typing import ClassVar

from responder.drill.world.keys import Keys
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Request, Route, route


class Gateway(System):
    """One surface; it accepts an ended key until the news has reached it."""

    surface: ClassVar[str]

    def __init__(self, ground: Ground, keys: Keys) -> None:
        self.keys = keys
        super().__init__(ground, keys.lock)

    def routes(self) -> tuple[Route, ...]:
        """Return what a key or a session can be used for."""
        return (
            route("GET", "/v1/me", self.read_me),
            route("POST", "/v1/generations", self.generate),
            route("POST", "/v1/sessions", self.open_session),
            route("GET", "/v1/session/me", self.read_session),
        )

    def presented(self, request: Request) -> str | None:
        """Return the session or the key that the request presents."""
        return request.headers.get("x-session") or request.bearer

    def read_me(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell whose key this is."""
        key = self.keys.present(request.bearer, self.surface)
        return Answer(body={"key_id": key.id, "account": self.ground.inventory.account})

    def generate(self, request: Request, _: dict[str, str]) -> Answer:
        """Make a film, for whoever presents something that is accepted."""
        session = request.headers.get("x-session")
        key = self.keys.session(session).key_id if session else self._key_id(request)
        return Answer(body={"id": f"gen-{self.ground.ledger.count:06d}", "status": "succeeded", "key_id": key})

    def open_session(self, request: Request, _: dict[str, str]) -> Answer:
        """Open a session with a key."""
        session = self.keys.open_session(self.keys.present(request.bearer, self.surface))
        return Answer(201, {"id": session.id, "value": session.value})

    def read_session(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell whose session this is."""
        session = self.keys.session(request.headers.get("x-session", ""))
        return Answer(body={"id": session.id, "key_id": session.key_id})

    def _key_id(self, request: Request) -> str:
        return self.keys.present(request.bearer, self.surface).id


class Edge(Gateway):
    """The surface that is near the public, and the slowest to hear that a key was ended."""

    name = "edge"
    surface = "edge"
