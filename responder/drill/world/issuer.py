"""The issuer: the gateway's admin API, the page where holders claim their tokens, and the api surface."""

import html
from typing import Any

from responder.drill.world.gateway import Gateway
from responder.drill.world.keys import Key, Session
from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_PAGE = 100
_DELIVERIES = ("claim", "value")


class Issuer(Gateway):
    """Keys are made, read, disabled and revoked here; a write answers 202 whatever it found."""

    name = "issuer"
    surface = "api"

    def routes(self) -> tuple[Route, ...]:
        """Return the admin API, the claim page and the api surface."""
        key = "/admin/v1/keys/{id}"
        return (
            *super().routes(),
            route("GET", "/admin/v1/whoami", self.whoami),
            route("GET", "/admin/v1/keys", self.list_keys),
            route("POST", "/admin/v1/keys", self.create),
            route("GET", key, self.read_key),
            route("POST", key + "/disable", self.disable),
            route("POST", key + "/enable", self.enable),
            route("POST", key + "/revoke", self.revoke),
            route("GET", key + "/sessions", self.list_sessions),
            route("DELETE", key + "/sessions", self.end_sessions),
            route("GET", "/claim/{code}", self.claim_page),
            route("POST", "/claim/{code}", self.claim),
        )

    def whoami(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell which account and key the admin is."""
        return Answer(body={"account": self.ground.inventory.account, "key_id": self._admin(request)})

    def list_keys(self, request: Request, _: dict[str, str]) -> Answer:
        """List keys, a hundred at a time."""
        self._admin(request)
        page, after = self.keys.page(request.query.get("name"), request.query.get("after"), _PAGE)
        return Answer(body={"keys": [self._shown(key) for key in page], "next": after})

    def read_key(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show what is known about a key, never its value."""
        self._admin(request)
        return Answer(body=self._shown(self.keys.get(parts["id"])))

    def create(self, request: Request, _: dict[str, str]) -> Answer:
        """Make a key: its value is in this answer and never again, or waits behind a claim address."""
        self._admin(request)
        delivery, scopes = request.text("delivery"), request.fields.get("scopes", [])
        if delivery not in _DELIVERIES or not isinstance(scopes, list):
            raise Rejected(400, "delivery_or_scopes_invalid")
        reach = tuple(str(scope) for scope in scopes)
        key, effect = self.keys.issue(request.text("name"), request.text("owner"), delivery, reach)
        given = {"value": key.value} if delivery == "value" else {"claim_url": self._claim_url(key)}
        return Answer(201, {"id": key.id, **given}, (effect,))

    def disable(self, request: Request, parts: dict[str, str]) -> Answer:
        """Switch a key off; repeated, it answers the same."""
        return self._changed(request, parts, self.keys.disable)

    def enable(self, request: Request, parts: dict[str, str]) -> Answer:
        """Switch a key on again, unless it was revoked."""
        return self._changed(request, parts, self.keys.enable)

    def revoke(self, request: Request, parts: dict[str, str]) -> Answer:
        """End a key for good; repeated, it answers the same."""
        return self._changed(request, parts, self.keys.revoke)

    def list_sessions(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the sessions of a key; the list lags behind."""
        self._admin(request)
        found = self.keys.listed_sessions(self.keys.get(parts["id"]))
        return Answer(body={"sessions": [_shown_session(session) for session in found]})

    def end_sessions(self, request: Request, parts: dict[str, str]) -> Answer:
        """Let every session of a key end shortly."""
        return self._changed(request, parts, self.keys.end_sessions)

    def claim_page(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show a holder where to sign in; the page holds no value."""
        key = self.keys.by_code(parts["code"])
        state = "was claimed already" if key.claimed else "is waiting for you"
        body = (
            "<!doctype html><title>Your Lumen token</title><h1>Your Lumen token</h1>"
            f"<p>The token <b>{html.escape(key.name)}</b> {state}.</p>"
            "<form method=post><label>Login <input name=login></label>"
            "<label>Password <input name=password type=password></label><button>Show it once</button></form>"
        )
        return Answer(body=body, media="text/html")

    def claim(self, request: Request, parts: dict[str, str]) -> Answer:
        """Give the value to the holder for whom it was made, once."""
        key = self.keys.by_code(parts["code"])
        if not self._is_owner(key, request.text("login"), request.text("password")):
            raise Rejected(403, "not_your_token")
        if key.claimed or key.status == "revoked":
            raise Rejected(410, "claim_over")
        key.claimed = True
        effect = Effect("token_claimed", key.id, self.keys.subject(key.owner))
        return Answer(body={"key_id": key.id, "value": key.value}, effects=(effect,))

    def _is_owner(self, key: Key, login: str, password: str) -> bool:
        holder = self.keys.holder(key.owner)
        if holder is None or holder.login != login:
            return False
        return self.ground.labels.of(password) == f"holder-{holder.id[2:]}-password"

    def _admin(self, request: Request) -> str:
        """Return the key id of whoever administers; raises Rejected (401)."""
        label = self.ground.labels.of(request.bearer) or ""
        if label in self.keys.admins:
            return self.keys.accepted(self.keys.admins[label], self.surface).id
        if label != "issuer-admin":
            raise Rejected(401, "admin_unknown")
        return self.ground.inventory.admin_key_id

    def _changed(self, request: Request, parts: dict[str, str], change: Any) -> Answer:
        self._admin(request)
        key = self.keys.get(parts["id"])
        effects = change(key)
        return Answer(202, {"id": key.id}, effects)

    def _claim_url(self, key: Key) -> str:
        return f"{self.ground.urls.get('issuer', '')}/claim/{key.claim_code}"

    def _shown(self, key: Key) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": key.id,
            "name": key.name,
            "owner": key.owner,
            "status": key.status,
            "created_at": shown_time(key.created_at),
            "last_used_at": shown_time(key.last_used_at) if key.last_used_at else None,
            "ended_at": shown_time(key.ended_at) if key.ended_at else None,
            "delivery": key.delivery,
            "reach": list(key.reach),
        }
        if key.delivery == "claim":
            shown |= {"claim_url": self._claim_url(key), "claimed": key.claimed}
        return shown


def _shown_session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "key_id": session.key_id,
        "opened_at": shown_time(session.opened_at),
        "last_used_at": shown_time(session.last_used_at) if session.last_used_at else None,
    }
