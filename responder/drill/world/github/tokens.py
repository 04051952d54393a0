"""Tokens: whose they are, and ending them, which anybody may who knows the value and says nothing of themselves."""

from datetime import timedelta
from typing import TYPE_CHECKING

from responder.drill.world.github.state import Refusal, Token, shown_at, user_shown
from responder.drill.world.ledger import Effect
from responder.drill.world.web import Answer, Request, Route, route

if TYPE_CHECKING:
    from responder.drill.world.github.site import GitHub

_MOST = 1000
_PUBLIC_KINDS = frozenset({"ghp_", "github_pat_", "gho_", "ghu_", "ghr_"})
_ENTERPRISE_KINDS = frozenset({"ghp_", "github_pat_"})


class Tokens:
    """The part that knows tokens."""

    def __init__(self, site: "GitHub") -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("GET", "/user", self.user),
            route("POST", "/credentials/revoke", self.revoke),
            route("GET", "/installation/repositories", self.installation),
            route("DELETE", "/installation/token", self.end_own),
            route("GET", "/users/{username}/keys", self.public_keys),
        )

    def user(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell whose token it is; an installation has no user, and a classic token tells its scopes."""
        token = self._site.asker(request)
        if token is None:
            raise Refusal(401, "Requires authentication")
        if token.is_app:
            raise Refusal(403, "Resource not accessible by integration")
        headers = {}
        if token.expires_at is not None:
            headers["GitHub-Authentication-Token-Expiration"] = token.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        if token.client_id:
            headers["X-OAuth-Client-Id"] = token.client_id
        return Answer(body={**user_shown(token.owner), "user_view_type": "public"}, headers=headers)

    def revoke(self, request: Request, _: dict[str, str]) -> Answer:
        """Take values to revoke and say 202, whatever they are; on github.com whoever signs in is refused."""
        enterprise = "x-world-enterprise" in request.headers
        if enterprise:
            if self._site.asker(request) is None:
                raise Refusal(401, "Requires authentication")
        elif "authorization" in request.headers:
            raise Refusal(403, "This endpoint does not accept authenticated requests.")
        else:
            self._site.free()
        sent = request.fields.get("credentials")
        if not isinstance(sent, list) or not 1 <= len(sent) <= _MOST or not all(isinstance(one, str) for one in sent):
            raise Refusal(422, "Validation Failed")
        kinds = _ENTERPRISE_KINDS if enterprise else _PUBLIC_KINDS
        named = {self._site.ground.labels.of(one) for one in sent}
        ended = [
            one for one in self._site.tokens.values() if one.label in named and one.kind in kinds and not one.dies_at
        ]
        return Answer(202, {}, tuple(self._end(one, self._site.propagation) for one in ended))

    def installation(self, request: Request, _: dict[str, str]) -> Answer:
        """List what an installation reaches; nobody else has such a list."""
        token = self._site.asker(request)
        if token is None:
            raise Refusal(401, "Requires authentication")
        if not token.is_app:
            raise Refusal(403, "You must authenticate with an installation access token in order to list repositories")
        names = sorted(name for name in self._site.repositories if name.startswith(token.owner + "/"))
        if token.repositories is not None:
            names = [name for name in names if name in token.repositories]
        shown = [{"full_name": name, "owner": user_shown(token.owner)} for name in names]
        return Answer(body={"total_count": len(shown), "repository_selection": "all", "repositories": shown})

    def end_own(self, request: Request, _: dict[str, str]) -> Answer:
        """End the installation token that asks for it, at once."""
        token = self._site.asker(request)
        if token is None:
            raise Refusal(401, "Requires authentication")
        if not token.is_app:
            raise Refusal(403, "You must authenticate with an installation access token in order to revoke it")
        return Answer(204, "", (self._end(token, timedelta()),))

    def public_keys(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the SSH keys of a user, which are public."""
        self._site.asker(request)
        keys = self._site.ssh_keys.get(parts["username"], [])
        return Answer(body=[{"id": number, "key": key} for number, key in enumerate(keys, start=1)])

    def _end(self, token: Token, after: timedelta) -> Effect:
        token.dies_at = self._site.ground.clock.now() + after
        self._site.wrote(token.owner, token.label)
        return Effect("key_revoked", token.label, token.owner, {"dies_at": shown_at(token.dies_at)})
