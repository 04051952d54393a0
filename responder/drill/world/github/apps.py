"""Apps: an OAuth app checks and ends the tokens that it was given; a GitHub App signs in with its private key."""

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from responder.drill.world.github.state import App, Refusal, Token, not_found, shown_at, user_shown
from responder.drill.world.ledger import Effect
from responder.drill.world.values import drawn
from responder.drill.world.web import Answer, Request, Route, route

if TYPE_CHECKING:
    from responder.drill.world.github.site import GitHub

_LONGEST = 600
_DRIFT = 60


class Apps:
    """The part that apps talk to."""

    def __init__(self, site: "GitHub") -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("GET", "/app", self.app),
            route("GET", "/app/installations/{id}", self.installation),
            route("POST", "/app/installations/{id}/access_tokens", self.sign_in),
            route("POST", "/applications/{client_id}/token", self.check),
            route("DELETE", "/applications/{client_id}/token", self.end),
        )

    def app(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell which app signs in."""
        app = self._signed(request)
        return Answer(body={"id": int(app.id), "slug": app.slug, "owner": user_shown(app.account)})

    def installation(self, request: Request, parts: dict[str, str]) -> Answer:
        """Tell whose account an installation is on."""
        app = self._installed(request, parts)
        shown = {"id": int(app.installation), "account": user_shown(app.account), "app_id": int(app.id)}
        return Answer(body={**shown, "permissions": dict(app.permissions)})

    def sign_in(self, request: Request, parts: dict[str, str]) -> Answer:
        """Give an installation token for an hour, with all that the app has, or with what is named of it.

        None of them can be listed, or named.
        """
        app = self._installed(request, parts)
        permissions, repositories = self._asked(request, app)
        number = self._site.number()
        label = f"installation-token-{number}"
        value = "ghs_" + drawn(self._site.ground.spec.seed, label, 36)
        self._site.ground.labels.add({label: value})
        ends = self._site.ground.clock.now() + timedelta(hours=1)
        self._site.add_token(label, app.account, permissions=permissions, expires_at=ends)
        self._site.tokens[label].repositories = repositories
        body: dict[str, Any] = {"token": value, "expires_at": shown_at(ends), "permissions": permissions}
        if repositories is None:
            return Answer(201, {**body, "repository_selection": "all"})
        shown = [{"full_name": name} for name in repositories]
        effect = Effect("key_issued", label, label, {"expires_at": shown_at(ends)})
        return Answer(201, {**body, "repository_selection": "selected", "repositories": shown}, (effect,))

    def _asked(self, request: Request, app: App) -> tuple[dict[str, str], tuple[str, ...] | None]:
        """Return what a token is to have; 422 where the app has it not."""
        wanted = dict(request.fields.get("permissions") or app.permissions)
        named = request.fields.get("repositories")
        repositories = None if named is None else tuple(f"{app.account}/{name}" for name in named)
        levels = ("read", "write", "admin")
        if any(app.permissions.get(name) not in levels[levels.index(level) :] for name, level in wanted.items()):
            raise Refusal(422, "The permissions requested are not granted to this installation.")
        if any(name not in self._site.repositories for name in repositories or ()):
            raise Refusal(422, "There is at least one repository that does not exist or is not accessible")
        # Whatever is asked for, a token may read the names of its repositories.
        return {"metadata": "read", **wanted}, repositories

    def check(self, request: Request, parts: dict[str, str]) -> Answer:
        """Tell an OAuth app about a token that it was given; 404 where it is none, or dead."""
        token = self._token(request, parts)
        if token is None:
            raise not_found()
        app = {"client_id": token.client_id, "name": "our app", "url": "https://app.example"}
        shown: dict[str, Any] = {"id": token.number, "scopes": list(token.scopes), "app": app}
        return Answer(body={**shown, "user": user_shown(token.owner), "created_at": "2026-05-01T00:00:00Z"})

    def end(self, request: Request, parts: dict[str, str]) -> Answer:
        """End a token that an OAuth app was given, at once."""
        token = self._token(request, parts)
        if token is None:
            raise not_found()
        token.dies_at = self._site.ground.clock.now()
        return Answer(204, "", (Effect("key_revoked", token.label, token.owner),))

    def _token(self, request: Request, parts: dict[str, str]) -> Token | None:
        self._site.app_owner(request, parts["client_id"])
        sent = request.fields.get("access_token")
        if not isinstance(sent, str):
            raise Refusal(422, "Validation Failed")
        found = self._site.tokens.get(self._site.ground.labels.of(sent) or "")
        alive = found is not None and found.lives(self._site.ground.clock.now())
        return found if found is not None and alive and found.client_id == parts["client_id"] else None

    def _installed(self, request: Request, parts: dict[str, str]) -> App:
        app = self._signed(request)
        if app.installation != parts["id"]:
            raise not_found()
        return app

    def _signed(self, request: Request) -> App:
        """Return the app whose JWT is presented: signed by its key, and good for ten minutes at most."""
        value = self._site.presented(request) or ""
        try:
            claims = json.loads(_decoded(value.split(".")[1]))
            app = self._site.apps[str(claims["iss"])]
            begins, ends = int(claims["iat"]), int(claims["exp"])
        except (IndexError, KeyError, ValueError, TypeError):
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if not _is_signed(value, app.public_key):
            raise Refusal(401, "A JSON web token could not be decoded")
        now = self._site.ground.clock.now().timestamp()
        if begins > now or ends <= now:
            raise Refusal(401, "'Issued at' claim ('iat') must be an Integer representing the time that it was issued")
        if ends > now + _LONGEST or ends - begins > _LONGEST + _DRIFT:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        return app


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_signed(value: str, public_key: str) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    said, _, signature = value.rpartition(".")
    key = load_pem_public_key(public_key.encode())
    try:
        if json.loads(_decoded(said.split(".")[0])).get("alg") != "RS256" or not isinstance(key, RSAPublicKey):
            return False
        key.verify(_decoded(signature), said.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
