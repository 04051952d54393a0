"""The secret store, and the demo site that reads its token from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from responder.drill.world.caller import Caller
from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.system import Ground, System
from responder.drill.world.values import key_id_of
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_READ_AFTER = timedelta(seconds=2)
_OK = 200


@dataclass(frozen=True)
class Version:
    """One version of a secret."""

    number: int
    value: str
    marker: str
    at: datetime


class Vault(System):
    """Keeps versions of secrets; what was written can be named by its marker, and never read."""

    name = "vault"

    def __init__(self, ground: Ground, holding: Mapping[str, str] | None = None) -> None:
        """Begin with values by the names of their secrets; without any, with the old token of each consumer."""
        super().__init__(ground)
        self._secrets: dict[str, list[Version]] = {}
        if holding is None:
            holding = {one.secret_name: ground.labels["site-token-old"] for one in ground.inventory.consumers}
        for name, value in holding.items():
            self._put(name, value, "")

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked of the store."""
        return (
            route("GET", "/v1/whoami", self.whoami),
            route("PUT", "/v1/secrets/{name}", self.write),
            route("GET", "/v1/secrets/{name}", self.read),
        )

    def whoami(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell which account the token is of."""
        self._authorised(request)
        return Answer(body={"account": self.ground.inventory.vault_account})

    def write(self, request: Request, parts: dict[str, str]) -> Answer:
        """Keep a new version; the same value twice is two versions."""
        self._authorised(request)
        value, marker = request.text("value"), str(request.fields.get("marker") or "")
        version = self._put(parts["name"], value, marker)
        key = marker or self.ground.labels.of(value) or ""
        effect = Effect("secret_written", key, parts["name"], {"version": version.number})
        return Answer(body={"name": parts["name"], "version": version.number}, effects=(effect,))

    def read(self, request: Request, parts: dict[str, str]) -> Answer:
        """Tell version, time and marker of the newest version, not its value."""
        self._authorised(request)
        version = self.newest(parts["name"])
        if version is None:
            raise Rejected(404, "secret_not_found")
        shown = {"name": parts["name"], "version": version.number, "updated_at": shown_time(version.at)}
        return Answer(body=shown | {"marker": version.marker or None})

    def newest(self, name: str) -> Version | None:
        """Return the newest version of a secret."""
        with self.lock:
            versions = self._secrets.get(name)
            return versions[-1] if versions else None

    def _put(self, name: str, value: str, marker: str) -> Version:
        versions = self._secrets.setdefault(name, [])
        versions.append(Version(len(versions) + 1, value, marker, self.ground.clock.now()))
        return versions[-1]

    def _authorised(self, request: Request) -> None:
        if self.ground.labels.of(request.bearer) != "vault-token":
            raise Rejected(401, "token_unknown")


class Site(System):
    """The demo site: presents its token to the gateway, and takes a new one from the store before long."""

    name = "site"

    def __init__(self, ground: Ground, vault: Vault) -> None:
        super().__init__(ground)
        self._vault = vault
        self._secret = ground.inventory.consumers[0].secret_name
        self._loaded = vault.newest(self._secret)

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked of the site."""
        return (route("GET", "/health", self.health), route("POST", "/reload", self.reload))

    def health(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell whether the gateway takes the site's present token."""
        version = self._present()
        headers = {"Authorization": f"Bearer {version.value}", "User-Agent": "demo-site/1"}
        with Caller(self.ground.inner["issuer"], "site") as caller:
            status, body = caller.call("GET", "/v1/me", headers=headers)
        key = body.get("key_id") or key_id_of(version.value)
        return Answer(body={"ok": status == _OK, "key_id": key, "version": version.number})

    def reload(self, _: Request, __: dict[str, str]) -> Answer:
        """Take the newest token at once."""
        self._loaded = self._vault.newest(self._secret) or self._loaded
        return Answer(202, {"version": self._loaded.number if self._loaded else 0})

    def _present(self) -> Version:
        newest = self._vault.newest(self._secret)
        if newest and self.ground.clock.now() - newest.at >= _READ_AFTER:
            self._loaded = newest
        if self._loaded is None:
            raise Rejected(500, "no_token")
        return self._loaded
