"""The hub: Spaces, their commits, and tokens that anybody may revoke who knows their value."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.hub_org import Account, Front, Member, Organisation
from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.space import Commit, Space, spaces_of
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_ASKS_A_MINUTE = 20
_MOST_REVOKED = 1000


class Hub(System):
    """Spaces and tokens; revoking answers 202 to everybody, whatever was sent."""

    name = "hub"

    def __init__(self, ground: Ground) -> None:
        self.accounts: list[Account] = []
        self.front = Front(ground, self.accounts, self._account)
        super().__init__(ground)
        inventory = ground.inventory
        self.spaces = spaces_of(ground)
        self.organisation = Organisation(inventory.hub_org)
        self.front.organisations[inventory.hub_org] = self.organisation
        self.add_token("hub-admin", inventory.hub_account, "write", "admin")
        self.add_token("hub-control", "lumen-watch", "read", "read")
        self.add_token("space-token", inventory.hub_bot, "write", "write")
        self._asked: dict[str, deque[datetime]] = {}

    def routes(self) -> tuple[Route, ...]:
        """Return the part of the hub's API and pages that a leak concerns."""
        api = "/api/spaces/{ns}/{name}"
        return (
            route("GET", "/api/whoami-v2", self.whoami),
            route("POST", "/api/credentials/revoke", self.revoke),
            route("GET", api, self.info),
            route("POST", api + "/pause", self.pause),
            route("PUT", api + "/settings", self.settings),
            route("GET", api + "/commits/main", self.commits),
            route("GET", api + "/tree/{sha}", self.tree),
            route("GET", api + "/secrets", self.list_secrets),
            route("POST", api + "/secrets", self.write_secret),
            route("DELETE", api + "/secrets", self.delete_secret),
            route("POST", api + "/discussions", self.discuss),
            route("GET", "/spaces/{ns}/{name}", self.page),
            route("GET", "/spaces/{ns}/{name}/raw/{sha}/{path*}", self.raw),
            *self.front.routes(),
        )

    def add_token(self, label: str, user: str, role: str, org_role: str = "") -> Account:
        """Add a user's token, whose value has this label; with a role in our organisation, they are its member."""
        self.accounts.append(Account(label, user, role))
        if org_role:
            self.organisation.members.setdefault(user, Member(user, org_role))
        return self.accounts[-1]

    def accepts(self, label: str) -> bool:
        """Tell whether the token of this label would be taken now."""
        with self.lock:
            return any(each.label == label and not each.dead for each in self.accounts)

    def whoami(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell whose token this is; asked too often, it refuses to say."""
        account = self._account(request)
        if request.actor == "responder":
            self._limit(account)
        orgs = [seat for org in self.front.organisations.values() if (seat := org.seat(account)) is not None]
        access = {"displayName": account.label, "role": account.role}
        return Answer(
            body={
                "type": "user",
                "id": account.user,
                "name": account.user,
                "orgs": orgs,
                "auth": {"type": "access_token", "accessToken": access},
            }
        )

    def revoke(self, request: Request, _: dict[str, str]) -> Answer:
        """End every token in the list at once; nobody learns whether there was one."""
        sent = request.fields.get("credentials")
        if not isinstance(sent, list) or not 1 <= len(sent) <= _MOST_REVOKED:
            raise Rejected(400, "credentials_invalid")
        labels = {self.ground.labels.of(str(value)) for value in sent}
        ended = [each for each in self.accounts if each.label in labels and not each.dead]
        for account in ended:
            account.dead = True
        effects = tuple(Effect("token_revoked", each.user, each.label) for each in ended)
        return Answer(202, {}, effects)

    def info(self, request: Request, parts: dict[str, str]) -> Answer:
        """Tell the state of a Space."""
        return Answer(body=self._readable(request, parts).info())

    def pause(self, request: Request, parts: dict[str, str]) -> Answer:
        """Stop the program of a Space; its owner may."""
        space = self._owned(request, parts)
        effects = () if space.stage == "PAUSED" else (Effect("space_paused", space.id, space.id),)
        space.stage = "PAUSED"
        return Answer(body={"stage": space.stage}, effects=effects)

    def settings(self, request: Request, parts: dict[str, str]) -> Answer:
        """Change who sees a Space; its owner may."""
        space = self._owned(request, parts)
        wanted = request.text("visibility")
        if wanted not in ("private", "public", "protected"):
            raise Rejected(400, "visibility_invalid")
        changed = Effect("space_visibility", f"{space.id}:{wanted}", space.id)
        effects = () if space.visibility == wanted else (changed,)
        space.visibility = wanted
        return Answer(body={"private": wanted == "private", "visibility": wanted}, effects=effects)

    def commits(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the commits of a Space, newest first."""
        return Answer(body=[_shown(commit) for commit in self._readable(request, parts).commits])

    def tree(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the files of one commit."""
        commit = self._commit(request, parts)
        files = commit.files.items()
        return Answer(body=[{"type": "file", "path": name, "size": len(text.encode())} for name, text in files])

    def raw(self, request: Request, parts: dict[str, str]) -> Answer:
        """Give a file as it was at a commit."""
        text = self._commit(request, parts).files.get(parts["path"])
        if text is None:
            raise Rejected(404, "entry_not_found")
        return Answer(body=text, media="text/plain")

    def page(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show the public page."""
        return Answer(body=self._readable(request, parts).page(), media="text/html")

    def list_secrets(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the names of a Space's secrets; their values cannot be read."""
        secrets = self._owned(request, parts).secrets
        return Answer(body={name: {"key": name, "updatedAt": shown_time(at)} for name, at in secrets.items()})

    def write_secret(self, request: Request, parts: dict[str, str]) -> Answer:
        """Set a secret of a Space."""
        space = self._owned(request, parts)
        key, value = request.text("key"), request.text("value")
        space.secrets[key] = self.ground.clock.now()
        label = self.ground.labels.of(value) or ""
        return Answer(body={}, effects=(Effect("secret_written", f"{key}:{label}", space.id),))

    def delete_secret(self, request: Request, parts: dict[str, str]) -> Answer:
        """Take a secret of a Space away."""
        space = self._owned(request, parts)
        key = request.text("key")
        if space.secrets.pop(key, None) is None:
            raise Rejected(404, "secret_not_found")
        return Answer(body={}, effects=(Effect("secret_deleted", key, space.id),))

    def discuss(self, request: Request, parts: dict[str, str]) -> Answer:
        """Open a discussion, which everybody can read."""
        space = self._readable(request, parts)
        self._account(request)
        title = request.text("title")
        space.discussions += 1
        effect = Effect("public_discussion", title, space.id)
        return Answer(body={"num": space.discussions, "title": title}, effects=(effect,))

    def _account(self, request: Request) -> Account:
        label = self.ground.labels.of(request.bearer)
        for account in self.accounts:
            if account.label == label and not account.dead:
                return account
        raise Rejected(401, "invalid_user_token")

    def _limit(self, account: Account) -> None:
        now = self.ground.clock.now()
        asked = self._asked.setdefault(account.label, deque())
        while asked and now - asked[0] > timedelta(minutes=1):
            asked.popleft()
        if len(asked) >= _ASKS_A_MINUTE:
            wait = 60 - (now - asked[0]).total_seconds()
            raise Rejected(429, "rate_limited", headers={"Retry-After": str(max(1, round(wait + 0.5)))})
        asked.append(now)

    def _readable(self, request: Request, parts: dict[str, str]) -> Space:
        space = self.spaces.get(f"{parts['ns']}/{parts['name']}")
        if space is None or (space.visibility == "private" and not self._owns(request, space)):
            raise Rejected(404, "repository_not_found")
        return space

    def _owned(self, request: Request, parts: dict[str, str]) -> Space:
        self._account(request)
        space = self._readable(request, parts)
        if not self._owns(request, space):
            raise Rejected(403, "not_the_owner")
        return space

    def _owns(self, request: Request, space: Space) -> bool:
        if request.bearer is None or space.owner != self.ground.inventory.hub_org:
            return False
        account = self._account(request)
        return account.role == "write" and self.organisation.may(account, "admin", "write", "contributor")

    def _commit(self, request: Request, parts: dict[str, str]) -> Commit:
        commit = self._readable(request, parts).at(parts["sha"])
        if commit is None:
            raise Rejected(404, "revision_not_found")
        return commit


def _shown(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "title": commit.title,
        "message": "",
        "date": shown_time(commit.at),
        "authors": [{"user": commit.author}],
    }
