"""The code host itself: who is asking, what they may, and what its people set up before a drill."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.github.alerts import Alerts
from responder.drill.world.github.apps import Apps
from responder.drill.world.github.boxes import Boxes
from responder.drill.world.github.deploykeys import DeployKeys
from responder.drill.world.github.people import People
from responder.drill.world.github.state import Alert, App, Grant, Location, Member, Refusal, Repository, Token, basic
from responder.drill.world.github.tokens import Tokens
from responder.drill.world.ledger import shown_time
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Request, Route, route

_VERSIONS = frozenset({"2022-11-28", "2026-03-10"})
_PREFIXES = ("github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_")
_ENTERPRISE = "/api/v3"
_FREE_REQUESTS = 60
_AN_HOUR = timedelta(hours=1)
_UNSEEN = 404
_DENIED = 403
_REFUSED = 401


class GitHub(System):
    """One organisation, its repositories and people; empty until somebody sets it up.

    A path that begins with `/api/v3` is answered as a server of one's own (GHES) would answer it.
    """

    name = "github"

    def __init__(self, ground: Ground, organization: str = "lumen-labs") -> None:
        self.organization = organization
        self.tokens: dict[str, Token] = {}
        """By label."""
        self.apps: dict[str, App] = {}
        self.oauth: dict[str, str] = {}
        """The label of the client secret of each OAuth app, by its client id."""
        self.repositories: dict[str, Repository] = {}
        self.members: dict[str, Member] = {}
        self.outside: set[str] = set()
        self.blocked: set[str] = set()
        self.grants: dict[int, Grant] = {}
        self.alerts: dict[tuple[str, int], Alert] = {}
        self.ssh_keys: dict[str, list[str]] = {}
        """The public SSH keys of each user."""
        self.propagation = timedelta(seconds=4)
        """How long a token lives on after its revocation was taken."""
        self.mails: list[tuple[str, str]] = []
        """To whom GitHub wrote that which token of theirs was revoked."""
        self.boxes = Boxes(self)
        self.deploy_keys = DeployKeys(self)
        self._last = 1000
        self._free: list[datetime] = []
        super().__init__(ground)

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        parts = (Tokens(self), Apps(self), self.deploy_keys, self.boxes, People(self), Alerts(self))
        return (route("GET", "/rate_limit", self.rate_limit), *(one for part in parts for one in part.routes()))

    def presented(self, request: Request) -> str | None:
        """Return the value behind `Bearer` or `token`, or the password of a Basic header."""
        header = request.headers.get("authorization", "")
        pair = basic(header)
        if pair is not None:
            return pair[1]
        kind, _, value = header.partition(" ")
        return value.strip() if kind.lower() in {"bearer", "token"} and value else None

    def writes(self, request: Request) -> bool:
        """Tell whether a request asks for a change: checking a token and signing in as an app do not."""
        return super().writes(request) and not asks_only(request.method, request.path, narrowed=bool(request.fields))

    def limited(self) -> Answer:
        """Return what a client gets that asks too often."""
        return Refusal(429, "You have exceeded a secondary rate limit.", headers={"Retry-After": "1"}).answer

    def answer(self, request: Request) -> Answer:
        """Do what is asked, on whichever of the two kinds of host the path names."""
        version = request.headers.get("x-github-api-version", "2022-11-28")
        if version not in _VERSIONS:
            return Refusal(400, f"Bad request - the API version {version} is not supported").answer
        if request.path.startswith(_ENTERPRISE + "/"):
            request.headers["x-world-enterprise"] = "yes"
            request.path = request.path.removeprefix(_ENTERPRISE)
        found = super().answer(request)
        if isinstance(found.body, dict) and "code" in found.body:  # nothing of that name: the router's own answer
            return Refusal(found.status, "Not Found").answer
        return self._with_scopes(request, found)

    def _with_scopes(self, request: Request, answer: Answer) -> Answer:
        """Tell a classic token's scopes with whatever it is answered."""
        token = self.tokens.get(self.ground.labels.of(self.presented(request)) or "")
        if token is not None and token.kind in {"ghp_", "gho_"} and answer.status != _REFUSED:
            answer.headers = {**answer.headers, "X-OAuth-Scopes": ", ".join(token.scopes)}
        return answer

    # ---- setting it up

    def number(self) -> int:
        """Return a number that nothing has yet."""
        self._last += 1
        return self._last

    def add_token(
        self,
        label: str,
        owner: str,
        *,
        scopes: Iterable[str] = (),
        permissions: Mapping[str, str] | None = None,
        client_id: str = "",
        expires_at: datetime | None = None,
    ) -> Token:
        """Make the value with this label a token of this user, of the kind that its beginning says."""
        value = self.ground.labels[label]
        kind = next(prefix for prefix in _PREFIXES if value.startswith(prefix))
        made = Token(
            label, kind, owner, tuple(scopes), dict(permissions or {}), client_id, self.number(), expires_at=expires_at
        )
        self.tokens[label] = made
        return made

    def add_repository(self, name: str, *, private: bool = True, environments: Iterable[str] = ()) -> Repository:
        """Make a repository, `owner/name`."""
        self.repositories[name] = Repository(name, private, environments=set(environments))
        return self.repositories[name]

    def add_member(self, login: str, **about: Any) -> Member:
        """Make somebody a member of the organisation."""
        self.members[login] = Member(login, **about)
        return self.members[login]

    def add_grant(self, label: str, owner: str, name: str, last_used_at: datetime | None = None) -> Grant:
        """Give somebody's fine-grained token access to the organisation."""
        made = Grant(self.number(), self.number(), label, owner, name, self.ground.clock.now(), last_used_at)
        self.grants[made.number] = made
        return made

    def add_alert(
        self, repository: str, label: str, secret_type: str, locations: Iterable[Location], *, publicly_leaked: bool
    ) -> Alert:
        """Open an alert for the secret with this label."""
        number = 1 + sum(one.repository == repository for one in self.alerts.values())
        now = self.ground.clock.now()
        made = Alert(number, repository, label, secret_type, now, publicly_leaked, tuple(locations))
        self.alerts[repository, number] = made
        return made

    def accepts(self, label: str) -> bool:
        """Tell whether the credential with this label would be accepted now: a token, or a private key over SSH."""
        with self.lock:
            token = self.tokens.get(label)
            if token is not None:
                return token.lives(self.ground.clock.now()) and not token.suspended
            return bool(self.deploy_keys.opens(self.ground.labels[label]))

    # ---- who is asking

    def asker(self, request: Request) -> Token | None:
        """Return the token that is presented; None where none is. Raises Refusal (401, 403)."""
        value = self.presented(request)
        if value is None:
            return None
        found = self.tokens.get(self.ground.labels.of(value) or "")
        if found is None or found.kind == "ghr_" or not found.lives(self.ground.clock.now()):
            raise Refusal(401, "Bad credentials")
        if found.suspended:
            what = "This installation has been suspended" if found.is_app else "Sorry. Your account was suspended"
            raise Refusal(_DENIED, what)
        return found

    def need(self, request: Request, permission: str, level: str, scope: str) -> Token:
        """Return the asker, who must have a permission, or a classic token's scope. Raises Refusal."""
        token = self.asker(request)
        if token is None:
            raise Refusal(401, "Requires authentication")
        if scope in token.scopes or token.permissions.get(permission) in {level, "write"}:
            return token
        kind = "integration" if token.is_app else "personal access token"
        raise Refusal(
            _DENIED,
            f"Resource not accessible by {kind}",
            headers={"X-Accepted-GitHub-Permissions": f"{permission}={level}"},
        )

    def repository(self, parts: Mapping[str, str]) -> Repository:
        """Return the repository of a path. Raises Refusal (404)."""
        found = self.repositories.get(f"{parts['owner']}/{parts['repo']}")
        if found is None:
            raise Refusal(_UNSEEN, "Not Found")
        return found

    def ours(self, parts: Mapping[str, str]) -> None:
        """Refuse (404) a path that names another organisation."""
        if parts["org"] != self.organization:
            raise Refusal(_UNSEEN, "Not Found")

    def free(self) -> None:
        """Count a request without credentials; the sixty-first of an hour is refused with 403, not 429."""
        now = self.ground.clock.now()
        self._free = [at for at in self._free if now - at < _AN_HOUR]
        if len(self._free) >= _FREE_REQUESTS:
            reset = self._free[0] + _AN_HOUR
            headers = {
                "X-RateLimit-Limit": str(_FREE_REQUESTS),
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(reset.timestamp())),
            }
            raise Refusal(_DENIED, "API rate limit exceeded for 192.0.2.1.", headers=headers)
        self._free.append(now)

    def rate_limit(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell what is left; costs nothing, and is refused with a dead credential as anything is."""
        pair = basic(request.headers.get("authorization", ""))
        if pair is not None:
            self.app_owner(request, pair[0])
            limit = 5000
        else:
            limit = 5000 if self.asker(request) else _FREE_REQUESTS
        core = {"limit": limit, "used": 0, "remaining": limit, "reset": int(self.ground.clock.now().timestamp())}
        return Answer(body={"resources": {"core": core, "search": core}, "rate": core})

    def app_owner(self, request: Request, client_id: str) -> None:
        """Refuse whoever does not sign in as this OAuth app, with its id and secret."""
        pair = basic(request.headers.get("authorization", ""))
        label = self.oauth.get(client_id)
        if pair is None or label is None or pair[0] != client_id or self.ground.labels.of(pair[1]) != label:
            raise Refusal(401, "Bad credentials")

    def page(self, request: Request, items: list[Any]) -> Answer:
        """Return one page of a list, with the address of the next as `Link` tells it."""
        size = min(100, max(1, int(request.query.get("per_page", "30"))))
        at = max(1, int(request.query.get("page", "1")))
        shown = items[(at - 1) * size : at * size]
        headers = {}
        if at * size < len(items):
            host = request.headers.get("host", "")
            base = f"http://{host}{_ENTERPRISE if 'x-world-enterprise' in request.headers else ''}{request.path}"
            rest = "".join(f"&{name}={value}" for name, value in request.query.items() if name != "page")
            headers["Link"] = f'<{base}?page={at + 1}{rest}>; rel="next"'
        return Answer(body=shown, headers=headers)

    def wrote(self, owner: str, label: str) -> None:
        """Note that GitHub wrote to somebody about their revoked token."""
        self.mails.append((owner, f"{label} at {shown_time(self.ground.clock.now())}"))


def asks_only(method: str, path: str, *, narrowed: bool = False) -> bool:
    """Tell whether a POST changes nothing that anybody else would see: checking a token, signing in as an app.

    An app signs in without saying what its token may; a token that is `narrowed` is made for somebody else.
    """
    if method != "POST":
        return False
    parts = path.removeprefix(_ENTERPRISE).strip("/").split("/")
    return parts[:1] == ["applications"] or (parts[-1:] == ["access_tokens"] and not narrowed)
