"""An OpenBao for drills: tokens and their children, AppRoles, leases, a store with versions, with all their odd rules.

It was held against OpenBao 2.7.2: what it answers, down to the words of its errors, is what that answered.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.openbao.roles import Roles
from responder.drill.world.openbao.store import Store
from responder.drill.world.openbao.tokens import NOT_ALLOWED, Refused, Token, Tokens
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Act, Answer, Request, Route, route

_READS = ("/lookup", "/lookup-accessor", "/capabilities-self")
_QUEUED = timedelta(seconds=5)
_NOT_FOUND, _NOT_ALLOWED = 404, 405


@dataclass
class Lease:
    """Something that was handed out for a time."""

    id: str
    holder: str = ""
    """The accessor of the token that asked for it."""
    ends_at: datetime | None = None


@dataclass
class StaticRole:
    """A role of a database whose password the server keeps."""

    username: str
    rotated_at: datetime
    rotations: list[datetime] = field(default_factory=list)


class OpenBao(System):
    """One namespace of one server; empty until it is filled."""

    name = "openbao"

    def __init__(self, ground: Ground) -> None:
        self.tokens = Tokens(ground)
        self.roles = Roles(ground, self.tokens)
        self.store = Store(ground, "secret")
        self.leases: list[Lease] = []
        self.static_roles: dict[str, StaticRole] = {}
        self.aliases: dict[str, list[dict[str, str]]] = {}
        """The sign-ins of each entity."""
        self.cluster_id = "6d1f3c86-5a0f-4b7e-9d41-000000000001"
        self.namespace = ""
        super().__init__(ground)

    # ---- filling it

    def add_token(self, label: str, policies: tuple[str, ...] = ("default",), **more: Any) -> str:
        """Make a token and return its accessor; see `Tokens.add`."""
        return self.tokens.add(label, policies, **more).accessor

    def add_lease(self, path: str, holder: str = "") -> str:
        """Make a lease below a path such as `database/creds/web`, and return its id."""
        made = Lease(f"{path}/lease{len(self.leases):04d}", holder)
        self.leases.append(made)
        return made.id

    def add_static_role(self, role: str, username: str) -> None:
        """Make a static role whose password is new."""
        self.static_roles[role] = StaticRole(username, self.ground.clock.now())

    def accepts(self, label: str) -> bool:
        """Tell whether the token or the secret id of a label would be taken now."""
        with self.lock:
            return any(one.label == label for one in self.tokens.live()) or self.roles.accepts(label)

    def live_leases(self) -> list[str]:
        """Return the ids of the leases that live."""
        return [one.id for one in self.leases if self._is_live(one)]

    def _is_live(self, lease: Lease) -> bool:
        """Tell whether a lease lives: what a token leased is queued when the token ends."""
        now = self.ground.clock.now()
        holder = next((one for one in self.tokens.all if lease.holder and one.accessor == lease.holder), None)
        if holder is not None and holder.dead_from is not None and now >= holder.dead_from + _QUEUED:
            return False
        return lease.ends_at is None or now < lease.ends_at

    # ---- what is asked

    def routes(self) -> tuple[Route, ...]:
        """Return the part of the API that a leak concerns."""
        store = self.store.mount
        role = "/v1/auth/approle/role/{role}"
        return (
            route("GET", "/v1/sys/health", self.health),
            route("GET", "/v1/auth/token/lookup-self", self.lookup_self),
            route("POST", "/v1/auth/approle/login", lambda request, _: self.roles.login(request)),
            *(
                route(method, path, self._guarded(act))
                for method, path, act in (
                    ("POST", "/v1/auth/token/lookup", self.lookup),
                    ("POST", "/v1/auth/token/lookup-accessor", self.lookup_accessor),
                    ("POST", "/v1/auth/token/revoke", self.revoke),
                    ("POST", "/v1/auth/token/revoke-accessor", self.revoke_accessor),
                    ("POST", "/v1/auth/token/create-orphan", self.create),
                    ("POST", "/v1/auth/token/create", self.create),
                    ("GET", "/v1/auth/token/accessors", self.accessors),
                    ("GET", "/v1/identity/entity/id/{id}", self.entity),
                    ("GET", role, self.roles.show),
                    ("GET", role + "/secret-id", self.roles.list),
                    ("POST", role + "/secret-id", self.roles.create),
                    ("POST", role + "/secret-id/lookup", self.roles.lookup),
                    ("POST", role + "/secret-id-accessor/lookup", self.roles.lookup_accessor),
                    ("POST", role + "/secret-id-accessor/destroy", self.roles.destroy),
                    ("POST", "/v1/sys/leases/lookup", self.lookup_lease),
                    ("GET", "/v1/sys/leases/lookup/{path*}", self.list_leases),
                    ("POST", "/v1/sys/leases/revoke", self.revoke_lease),
                    ("POST", "/v1/sys/leases/revoke-prefix/{path*}", self.revoke_prefix),
                    ("GET", "/v1/sys/internal/ui/mounts/{path*}", self.mount_of),
                    ("GET", "/v1/database/static-roles/{role}", self.static_role),
                    ("POST", "/v1/database/rotate-role/{role}", self.rotate_role),
                    ("GET", f"/v1/{store}/data/{{path*}}", self.store.read),
                    ("POST", f"/v1/{store}/data/{{path*}}", self.store.write),
                    ("PATCH", f"/v1/{store}/data/{{path*}}", self.store.write),
                    ("GET", f"/v1/{store}/metadata/{{path*}}", self.store.metadata),
                    ("POST", f"/v1/{store}/metadata/{{path*}}", self.store.note),
                    ("PATCH", f"/v1/{store}/metadata/{{path*}}", self.store.note),
                    ("POST", f"/v1/{store}/delete/{{path*}}", self.store.delete),
                    ("PUT", f"/v1/{store}/destroy/{{path*}}", self.store.destroy),
                )
            ),
            route("POST", "/v1/sys/capabilities-self", self.capabilities),
        )

    def writes(self, request: Request) -> bool:
        """Tell whether the request asks for a change: a look-up is a POST, so that no value stands in an address."""
        return super().writes(request) and not request.path.endswith(_READS)

    def presented(self, request: Request) -> str | None:
        """Return the token of the request."""
        return request.headers.get("x-vault-token") or request.bearer

    def limited(self) -> Answer:
        """Return what a client gets that asks too often."""
        return Answer(429, {"errors": ["rate limit quota exceeded"]}, headers={"Retry-After": "1"})

    def answer(self, request: Request) -> Answer:
        """Answer within the namespace; every error has the server's own shape."""
        health = request.path == "/v1/sys/health"
        if not health and request.headers.get("x-vault-namespace", "").strip("/") != self.namespace:
            return Answer(_NOT_FOUND, {"errors": ["namespace not found"]})
        found = super().answer(request)
        if isinstance(found.body, dict) and "code" in found.body:
            told = "unsupported operation" if found.status == _NOT_ALLOWED else f"no handler for route {request.path!r}"
            return Answer(found.status, {"errors": [told]})
        return found

    def health(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell which cluster it is."""
        return Answer(body={"initialized": True, "sealed": False, "cluster_id": self.cluster_id})

    def lookup_self(self, request: Request, _: dict[str, str]) -> Answer:
        """Show the token that asks; the policy `default` is what allows it."""
        token = self.tokens.present(self.presented(request))
        if not {"default", "root"} & set(token.policies):
            raise Refused(403, NOT_ALLOWED)
        return Answer(body={"data": token.shown(with_value=True)})

    def lookup(self, request: Request, _: dict[str, str]) -> Answer:
        """Show the token of a value; 403 `bad token` where there is none."""
        found = self.tokens.by_value(str(request.fields.get("token") or ""))
        if found is None:
            raise Refused(403, "bad token")
        return Answer(body={"data": found.shown(with_value=True)})

    def lookup_accessor(self, request: Request, _: dict[str, str]) -> Answer:
        """Show the token of an accessor, without its value."""
        found = self.tokens.by_accessor(str(request.fields.get("accessor") or ""))
        if found is None:
            raise Refused(400, "1 error occurred:\n\t* invalid accessor\n\n")
        return Answer(body={"data": found.shown(with_value=False)})

    def revoke(self, request: Request, _: dict[str, str]) -> Answer:
        """End the token of a value; 204 for an unknown one as well."""
        found = self.tokens.by_value(str(request.fields.get("token") or ""))
        if found is None:
            return Answer(204, "")
        if found.kind == "batch":
            raise Refused(400, "batch tokens cannot be revoked")
        return Answer(204, "", self._ended(found))

    def revoke_accessor(self, request: Request, _: dict[str, str]) -> Answer:
        """End the token of an accessor; 200 with a warning where there is none."""
        found = self.tokens.by_accessor(str(request.fields.get("accessor") or ""))
        if found is None:
            return Answer(200, {"warnings": ["No token found with this accessor"], "data": None})
        return Answer(204, "", self._ended(found))

    def create(self, request: Request, _: dict[str, str]) -> Answer:
        """Make a token; without policies it gets all that its maker has."""
        maker = self.tokens.present(self.presented(request))
        fields = request.fields
        asked = tuple(str(one) for one in fields.get("policies") or maker.policies)
        default = () if fields.get("no_default_policy") or "root" in asked else ("default",)
        orphan = request.path.endswith("create-orphan") or bool(fields.get("no_parent"))
        made = self.tokens.add(
            f"issued:openbao:{len(self.tokens.all)}",
            tuple(dict.fromkeys((*default, *asked))),
            parent="" if orphan else maker.accessor,
            display_name=f"token-{fields['display_name']}" if fields.get("display_name") else "token",
            meta=fields.get("meta"),
            path=request.path.removeprefix("/v1/"),
        )
        effect = Effect("key_issued", made.display_name, made.display_name, {"id": made.accessor})
        shown = {"client_token": made.value, "accessor": made.accessor, "policies": list(made.policies)}
        return Answer(body={"auth": shown, "data": None}, effects=(effect,))

    def accessors(self, request: Request, _: dict[str, str]) -> Answer:
        """List the accessors of all tokens; batch tokens have none."""
        return listed(request, [one.accessor for one in self.tokens.live() if one.accessor])

    def entity(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show how an entity signs in."""
        if parts["id"] not in self.aliases:
            raise Refused(404)
        return Answer(body={"data": {"id": parts["id"], "aliases": self.aliases[parts["id"]]}})

    def capabilities(self, request: Request, _: dict[str, str]) -> Answer:
        """Tell what the token that asks may do at each path."""
        token = self.tokens.present(self.presented(request))
        held = ["root"] if "root" in token.policies else ["deny"]
        return Answer(body={"data": {str(path): held for path in request.fields.get("paths") or ()}})

    def lookup_lease(self, request: Request, _: dict[str, str]) -> Answer:
        """Show a lease."""
        lease = request.text("lease_id")
        if lease not in self.live_leases():
            raise Refused(400, "invalid lease")
        return Answer(body={"data": {"id": lease, "ttl": 3600, "renewable": True}})

    def list_leases(self, request: Request, parts: dict[str, str]) -> Answer:
        """List what is right below a path; a folder ends in a slash."""
        start = parts["path"].strip("/") + "/"
        below = [one.removeprefix(start) for one in self.live_leases() if one.startswith(start)]
        return listed(request, sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in below}))

    def revoke_lease(self, request: Request, _: dict[str, str]) -> Answer:
        """End a lease; without `sync` that is queued, and 204 all the same."""
        return self._end([request.text("lease_id")], sync=bool(request.fields.get("sync")))

    def revoke_prefix(self, request: Request, parts: dict[str, str]) -> Answer:
        """End all leases below a path."""
        if parts["path"].endswith("/"):
            raise Refused(400, "cannot write to a path ending in '/'")
        found = [one for one in self.live_leases() if one.startswith(parts["path"] + "/")]
        return self._end(found, sync=bool(request.fields.get("sync")))

    def mount_of(self, _: Request, parts: dict[str, str]) -> Answer:
        """Tell where the mount of a path ends."""
        if parts["path"].partition("/")[0] != self.store.mount:
            told = "preflight capability check returned 403, please ensure client's policies grant access to path"
            raise Refused(403, f'{told} "{parts["path"]}/"')
        return Answer(body={"data": {"path": f"{self.store.mount}/", "type": "kv", "options": {"version": "2"}}})

    def static_role(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show a static role, without its password."""
        role = self.static_roles.get(parts["role"])
        if role is None:
            raise Refused(404)
        rotated = shown_time(role.rotated_at)
        return Answer(body={"data": {"username": role.username, "last_vault_rotation": rotated}})

    def rotate_role(self, _: Request, parts: dict[str, str]) -> Answer:
        """Give a static role a new password."""
        role = self.static_roles.get(parts["role"])
        if role is None:
            raise Refused(400, "no static role found for role name")
        role.rotated_at = self.ground.clock.now()
        role.rotations.append(role.rotated_at)
        return Answer(204, "", (Effect("key_rotated", parts["role"], role.username),))

    def _guarded(self, act: Act) -> Act:
        def guarded(request: Request, parts: dict[str, str]) -> Answer:
            token = self.tokens.by_value(self.presented(request))
            if token is not None and "root" not in token.policies:
                raise Refused(403, NOT_ALLOWED)
            self.tokens.present(self.presented(request))
            return act(request, parts)

        return guarded

    def _ended(self, token: Token) -> tuple[Effect, ...]:
        return self.tokens.revoke(token)

    def _end(self, ids: list[str], *, sync: bool) -> Answer:
        at = self.ground.clock.now() + (timedelta() if sync else _QUEUED)
        ending = [one for one in self.leases if one.id in ids and one.id in self.live_leases()]
        for one in ending:
            one.ends_at = at
        return Answer(204, "", tuple(Effect("lease_revoked", one.id, "") for one in ending))


def listed(request: Request, names: list[str]) -> Answer:
    """Answer a list; an empty one is 404, and one that nobody asked to be a list is not served."""
    if request.query.get("list") != "true":
        raise Refused(405, "1 error occurred:\n\t* unsupported operation\n\n")
    if not names:
        raise Refused(404)
    return Answer(body={"data": {"keys": names}})
