"""A GitLab for drills: access tokens and their families, users and their keys, one project.

Rotating a token that is revoked already revokes what it was rotated into: the detection of reuse, which turns a blind
retry into an outage.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground, System
from responder.drill.world.values import drawn
from responder.drill.world.web import Act, Answer, Rejected, Request, Route, route

_REVOKED = "Token was revoked. You have to re-authorize from the user."
_EXPIRED = "Token is expired. You can either do re-authorization or token refresh."
_WEEK = timedelta(days=7)


class Refused(Rejected):
    """The request is refused as GitLab does it."""

    def __init__(self, status: int, **body: Any) -> None:
        super().__init__(status, "refused")
        self.answer = Answer(status, body)


@dataclass
class User:
    """Somebody, or a project's bot."""

    id: int
    name: str
    admin: bool = False
    blocked: bool = False
    keys: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Token:
    """An access token."""

    id: int
    label: str
    name: str
    value: str
    user: User
    scopes: tuple[str, ...]
    made_at: datetime
    expires_at: datetime
    family: int
    project: str = ""
    access_level: int = 0
    revoked: bool = False
    taken_until: datetime | None = None
    """Until when it is taken though it is revoked."""
    last_used_at: datetime | None = None


class GitLab(System):
    """Users, tokens and a project; empty until it is filled."""

    name = "gitlab"

    def __init__(self, ground: Ground) -> None:
        self.users: dict[str, User] = {}
        self.tokens: list[Token] = []
        self.projects: set[str] = set()
        self.propagation = 0.0
        """Seconds for which a revoked token is still taken."""
        self.page_size = 100
        super().__init__(ground)

    # ---- filling it

    def add_user(self, name: str, *, admin: bool = False) -> User:
        """Make a user."""
        self.users[name] = User(len(self.users) + 1, name, admin)
        return self.users[name]

    def add_token(self, label: str, user: str, scopes: tuple[str, ...] = ("api",), **more: Any) -> Token:
        """Make a token of a user; its value is that of the label, or a new one."""
        try:
            value = self.ground.labels[label]
        except KeyError:
            value = "glpat-" + drawn(self.ground.spec.seed, f"gitlab:{label}", 20)
            self.ground.labels.add({label: value})
        now, number = self.ground.clock.now(), len(self.tokens) + 1
        more = {"name": label, "expires_at": now + timedelta(days=90), "family": number, **more}
        made = Token(id=number, label=label, value=value, user=self.users[user], scopes=scopes, made_at=now, **more)
        self.tokens.append(made)
        return made

    def accepts(self, label: str) -> bool:
        """Tell whether the token of a label would be taken now."""
        with self.lock:
            return any(one.label == label and self._works(one) and not one.user.blocked for one in self.tokens)

    # ---- what is asked

    def routes(self) -> tuple[Route, ...]:
        """Return the part of the API that a leaked token concerns."""
        own, project = "/api/v4/personal_access_tokens", "/api/v4/projects/{project}/access_tokens"
        guarded = (
            ("GET", "/api/v4/user", self.user),
            ("GET", "/api/v4/users/{id}/keys", self.ssh_keys),
            ("GET", own, self.listed),
            ("GET", own + "/{id}", self.show),
            ("DELETE", own + "/{id}", self.revoke),
            ("GET", project, self.project_tokens),
            ("POST", project, self.create),
            ("DELETE", project + "/{id}", self.revoke_in_project),
        )
        found = [route(method, path, self._signed_in(act)) for method, path, act in guarded]
        return (*found, route("POST", own + "/{id}/rotate", self.rotate))

    def presented(self, request: Request) -> str | None:
        """Return the token of the request."""
        return request.headers.get("private-token") or request.bearer

    def limited(self) -> Answer:
        """Return what a client gets that asks too often."""
        return Answer(429, "Retry later\n", headers={"Retry-After": "1"}, media="text/plain")

    def user(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell who asks."""
        user = self._asking(request).user
        page = f"https://gitlab.example/{user.name}"
        return Answer(body={"id": user.id, "username": user.name, "web_url": page, "is_admin": user.admin})

    def ssh_keys(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the SSH keys of a user."""
        found = next((one for one in self.users.values() if str(one.id) == parts["id"]), None)
        if found is None:
            raise Refused(404, message="404 User Not Found")
        return self._paged(request, found.keys)

    def listed(self, request: Request, _: dict[str, str]) -> Answer:
        """List tokens: an administrator sees all, anybody else their own, and 401 where they ask for others'."""
        asking, wanted = self._asking(request).user, request.query.get("user_id")
        if wanted and not asking.admin and wanted != str(asking.id):
            raise Refused(401, message="401 Unauthorized")
        found = [one for one in self.tokens if asking.admin or one.user is asking]
        return self._listed(request, [one for one in found if not wanted or str(one.user.id) == wanted])

    def show(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show a token; who is no administrator is told 401 of one that is not there."""
        return Answer(body=self._shown(self._token(request, parts["id"])))

    def revoke(self, request: Request, parts: dict[str, str]) -> Answer:
        """Revoke a token; again is 204 as well."""
        return Answer(204, "", self._end(self._token(request, parts["id"])))

    def rotate(self, request: Request, parts: dict[str, str]) -> Answer:
        """End a token and make another of its family; with a revoked one, end the whole family instead."""
        asking = next((one for one in self.tokens if one.value == self.presented(request)), None)
        if asking is None:
            raise Refused(401, message="401 Unauthorized")
        token = asking if parts["id"] == "self" or asking.revoked else self._token(request, parts["id"])
        if token.revoked:
            ended = [effect for one in self.tokens if one.family == token.family for effect in self._end(one)]
            refused = Refused(401, error="invalid_token", error_description=_REVOKED)
            refused.answer.effects = tuple(ended)
            raise refused
        ended = list(self._end(token))
        more = {"family": token.family, "project": token.project, "access_level": token.access_level}
        expires = self.ground.clock.now() + _WEEK
        label = f"rotated:{token.label}:{len(self.tokens)}"
        made = self.add_token(label, token.user.name, token.scopes, name=token.name, expires_at=expires, **more)
        return Answer(body={**self._shown(made), "token": made.value}, effects=(*ended, self._issued(made)))

    def project_tokens(self, request: Request, parts: dict[str, str]) -> Answer:
        """List a project's tokens."""
        self._project(request, parts)
        return self._listed(request, [one for one in self.tokens if one.project == parts["project"]])

    def create(self, request: Request, parts: dict[str, str]) -> Answer:
        """Make a token of a project: its user is a bot of its own. A project's token cannot make another."""
        if self._project(request, parts).project:
            raise Refused(401, message="401 Unauthorized")
        fields = request.fields
        missing = [name for name in ("name", "scopes") if not fields.get(name)]
        if missing:
            raise Refused(400, error=", ".join(f"{name} is missing" for name in missing))
        number = len(self.tokens) + 1
        bot = self.add_user(f"project_{number}_bot")
        expires = datetime.fromisoformat(f"{fields['expires_at']}T00:00:00+00:00")
        made = self.add_token(
            f"issued:gitlab:{number}", bot.name, tuple(fields["scopes"]), name=str(fields["name"]), expires_at=expires,
            project=parts["project"], access_level=int(fields.get("access_level") or 40),
        )  # fmt: skip
        return Answer(201, {**self._shown(made), "token": made.value}, (self._issued(made),))

    def revoke_in_project(self, request: Request, parts: dict[str, str]) -> Answer:
        """Revoke a token of a project."""
        self._project(request, parts)
        found = next((one for one in self.tokens if str(one.id) == parts["id"]), None)
        if found is None or found.project != parts["project"] or found.revoked:
            raise Refused(404, message="404 Could not find project access token with token_id: " + parts["id"])
        return Answer(204, "", self._end(found))

    def _signed_in(self, act: Act) -> Act:
        def signed_in(request: Request, parts: dict[str, str]) -> Answer:
            token = self._asking(request)
            if token.user.blocked:
                raise Refused(403, message="403 Forbidden - Your account has been blocked.")
            token.last_used_at = self.ground.clock.now()
            return act(request, parts)

        return signed_in

    def _asking(self, request: Request) -> Token:
        found = next((one for one in self.tokens if one.value == self.presented(request)), None)
        if found is None:
            raise Refused(401, message="401 Unauthorized")
        if not self._works(found):
            raise Refused(401, error="invalid_token", error_description=_REVOKED if found.revoked else _EXPIRED)
        return found

    def _works(self, token: Token) -> bool:
        now = self.ground.clock.now()
        if token.revoked:
            return token.taken_until is not None and now < token.taken_until
        return now < token.expires_at

    def _token(self, request: Request, number: str) -> Token:
        asking = self._asking(request)
        if number == "self":
            return asking
        found = next((one for one in self.tokens if str(one.id) == number), None)
        if asking.user.admin and found is None:
            raise Refused(404, message="404 Not Found")
        if found is None or not (asking.user.admin or found.user is asking.user):
            raise Refused(401, message="401 Unauthorized")
        return found

    def _project(self, request: Request, parts: dict[str, str]) -> Token:
        if parts["project"] not in self.projects:
            raise Refused(404, message="404 Project Not Found")
        return self._asking(request)

    def _listed(self, request: Request, tokens: list[Token]) -> Answer:
        active = {"active": True, "inactive": False}.get(request.query.get("state", ""))
        found = [self._shown(one) for one in tokens]
        return self._paged(request, [one for one in found if active is None or one["active"] is active])

    def _paged(self, request: Request, found: list[dict[str, Any]]) -> Answer:
        size = min(int(request.query.get("per_page") or 20), self.page_size)
        page = int(request.query.get("page") or 1)
        following = str(page + 1) if page * size < len(found) else ""
        return Answer(body=found[(page - 1) * size : page * size], headers={"X-Next-Page": following})

    def _shown(self, token: Token) -> dict[str, Any]:
        shown = {
            "id": token.id,
            "name": token.name,
            "revoked": token.revoked,
            "created_at": _time(token.made_at),
            "scopes": list(token.scopes),
            "user_id": token.user.id,
            "last_used_at": _time(token.last_used_at) if token.last_used_at else None,
            "active": not token.revoked and self.ground.clock.now() < token.expires_at,
            "expires_at": token.expires_at.date().isoformat(),
        }
        return shown | ({"access_level": token.access_level} if token.project else {})

    def _end(self, token: Token) -> tuple[Effect, ...]:
        if token.revoked:
            return ()
        token.revoked = True
        token.taken_until = self.ground.clock.now() + timedelta(seconds=self.propagation)
        return (Effect("key_revoked", str(token.id), token.user.name),)

    def _issued(self, token: Token) -> Effect:
        return Effect("key_issued", token.name, token.user.name, {"id": str(token.id)})


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
