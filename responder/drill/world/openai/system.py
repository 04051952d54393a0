"""The API of an organisation: who may ask what, what is answered, and what that changes."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from responder.drill.world.ledger import Effect
from responder.drill.world.openai import shapes
from responder.drill.world.openai.organisation import PROPAGATION, Account, Key, Organisation, Project
from responder.drill.world.openai.shapes import refusal
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Act, Answer, Request, Route, route

_INVALID = 400
_MISSING = 404
_UNKNOWN_KEY = 401
_FORBIDDEN = 403
_LIMITED = 429
_MOST_LISTED = 100
_HOUR = 3600
_MOST_BUCKETS = {60: 1440, _HOUR: 168, 86400: 31}
_WIDTHS = {"1m": 60, "1h": _HOUR, "1d": 86400}

T = TypeVar("T")
Asked = Callable[[Request, dict[str, str], Key], Answer]


class OpenAI(System):
    """One organisation. `organisation` is its state, empty until it is populated."""

    name = "openai"

    def __init__(self, ground: Ground, organisation: str = "lumen-labs", propagation: float = PROPAGATION) -> None:
        self.organisation = Organisation(ground, organisation, propagation)
        self.allowed_addresses: bool = True
        """Whether the project's list of addresses lets us in; where not, every key is answered 401."""
        self.has_me = True
        """Whether the undocumented `/me` is there."""
        super().__init__(ground)

    def accepts(self, label: str) -> bool:
        """Tell whether the credential of a label would be accepted now."""
        with self.lock:
            return self.organisation.presented(self.ground.labels[label]) is not None

    def routes(self) -> tuple[Route, ...]:
        """Return the part of the API that a leak concerns."""
        org, project = "/organization", "/organization/projects/{project}"
        account, keys = f"{project}/service_accounts/{{account}}", f"{project}/api_keys"
        return (
            route("GET", "/me", self._with_key(self.me)),
            route("GET", "/models", self._with_key(self.models)),
            route("GET", f"{org}/admin_api_keys", self._with_admin(self.admin_keys)),
            route("DELETE", f"{org}/admin_api_keys/{{key}}", self._with_admin(self.delete_admin_key)),
            route("GET", f"{org}/projects", self._with_admin(self.list_projects)),
            route("GET", project, self._with_admin(self.get_project)),
            route("GET", keys, self._with_admin(self.list_keys)),
            route("GET", f"{keys}/{{key}}", self._with_admin(self.get_key)),
            route("DELETE", f"{keys}/{{key}}", self._with_admin(self.delete_key)),
            route("GET", f"{project}/service_accounts", self._with_admin(self.list_accounts)),
            route("POST", f"{project}/service_accounts", self._with_admin(self.make_account)),
            route("DELETE", account, self._with_admin(self.delete_account)),
            route("POST", f"{account}/api_keys", self._with_admin(self.make_key)),
            route("GET", f"{project}/spend_limit", self._with_admin(self.get_limit)),
            route("POST", f"{project}/spend_limit", self._with_admin(self.set_limit)),
            route("DELETE", f"{project}/spend_limit", self._with_admin(self.delete_limit)),
            route("GET", f"{project}/users/{{user}}", self._with_admin(self.get_member)),
            route("DELETE", f"{project}/users/{{user}}", self._with_admin(self.remove_member)),
            route("GET", f"{org}/users", self._with_admin(self.list_users)),
            route("GET", f"{org}/users/{{user}}", self._with_admin(self.get_user)),
            route("DELETE", f"{org}/users/{{user}}", self._with_admin(self.remove_user)),
            route("GET", f"{org}/invites", self._with_admin(self.list_invites)),
            route("GET", f"{org}/invites/{{invite}}", self._with_admin(self.get_invite)),
            route("DELETE", f"{org}/invites/{{invite}}", self._with_admin(self.delete_invite)),
            route("GET", f"{org}/audit_logs", self._with_admin(self.audit_logs)),
            route("GET", f"{org}/usage/{{kind}}", self._with_admin(self.usage)),
        )

    # ---- who asks

    def limited(self) -> Answer:
        """Return what a client gets that asks too often."""
        answer = refusal(_LIMITED, "Rate limit reached.", "rate_limit_exceeded").answer
        answer.headers = {"Retry-After": "1"}
        return answer

    def _key(self, request: Request) -> Key:
        key = self.organisation.presented(request.bearer)
        if key is None:
            raise refusal(_UNKNOWN_KEY, "Incorrect API key provided.", "invalid_api_key")
        if not self.allowed_addresses:
            # The same status as for a dead key, and the key lives: the code alone tells them apart.
            raise refusal(_UNKNOWN_KEY, "Your IP address is not authorized.", "ip_not_authorized")
        key.last_used_at = self.organisation.now()
        return key

    def _with_key(self, act: Asked) -> Act:
        return lambda request, parts: act(request, parts, self._key(request))

    def _with_admin(self, act: Asked) -> Act:
        """Let a key of administration in, and nobody else."""

        def asked(request: Request, parts: dict[str, str]) -> Answer:
            key = self._key(request)
            claimed = request.headers.get("openai-organization", self.organisation.name)
            if claimed != self.organisation.name:
                raise refusal(_UNKNOWN_KEY, "The organization does not match the API key.", "mismatched_organization")
            if key.project:
                raise refusal(_FORBIDDEN, "You have insufficient permissions. Missing scopes: api.management.read")
            answer = act(request, parts, key)
            answer.headers = {**answer.headers, "openai-organization": self.organisation.name}
            return answer

        return asked

    def me(self, _: Request, __: dict[str, str], key: Key) -> Answer:
        """Tell whose key it is; OpenAI documents this nowhere."""
        if not self.has_me:
            raise refusal(_MISSING, "Invalid URL (GET /v1/me)")
        self._only_in_a_project(key)
        orgs = {"object": "list", "data": [{"id": self.organisation.name, "title": self.organisation.name}]}
        return Answer(body={"object": "user", "id": key.owner.id, "email": key.owner.email, "orgs": orgs})

    def models(self, _: Request, __: dict[str, str], key: Key) -> Answer:
        """List models; a restricted key may not, and lives all the same."""
        self._only_in_a_project(key)
        if key.scopes and "api.model.read" not in key.scopes:
            raise refusal(_FORBIDDEN, "You have insufficient permissions. Missing scopes: api.model.read")
        model = {"id": "gpt-x", "object": "model", "created": 1, "owned_by": "openai"}
        return Answer(body={"object": "list", "data": [model]})

    def _only_in_a_project(self, key: Key) -> None:
        if not key.project:  # keys of administration are for administration alone
            raise refusal(_UNKNOWN_KEY, "Admin API keys cannot be used here.", "insufficient_permissions")

    # ---- keys

    def admin_keys(self, request: Request, _: dict[str, str], __: Key) -> Answer:
        """List the keys of administration."""
        found = [shapes.admin_key(one, self.organisation.value(one)) for one in self.organisation.enabled("")]
        return _page(request, found)

    def delete_admin_key(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Delete a key of administration."""
        key = self._found([one for one in self.organisation.enabled("") if one.id == parts["key"]], "key")
        effect = self.organisation.delete_key(key, by)
        return Answer(body=shapes.deleted("organization.admin_api_key", key.id), effects=(effect,))

    def list_projects(self, request: Request, _: dict[str, str], __: Key) -> Answer:
        """List the projects, archived ones only when they are asked for."""
        everything = request.query.get("include_archived") == "true"
        found = [one for one in self.organisation.projects.values() if everything or not one.archived]
        return _page(request, [shapes.project(one) for one in found])

    def get_project(self, _: Request, parts: dict[str, str], __: Key) -> Answer:
        """Show a project."""
        return Answer(body=shapes.project(self._project(parts)))

    def list_keys(self, request: Request, parts: dict[str, str], _: Key) -> Answer:
        """List a project's keys; those of owners without access are left out unless `any` is asked for."""
        project = self._project(parts)
        wanted = request.query.get("owner_project_access", "active")
        keys = self.organisation.enabled(project.id)
        shown = [one for one in keys if wanted == "any" or self.organisation.has_access(one) is (wanted == "active")]
        return _page(request, [self._shown(one) for one in shown])

    def get_key(self, _: Request, parts: dict[str, str], __: Key) -> Answer:
        """Show a key of a project."""
        return Answer(body=self._shown(self._project_key(parts)))

    def delete_key(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Delete a user's key; one of a service account cannot be deleted by itself."""
        key = self._project_key(parts)
        if key.owner.kind == "service_account":
            raise refusal(_INVALID, "API keys of service accounts cannot be deleted; delete the service account.")
        effect = self.organisation.delete_key(key, by)
        return Answer(body=shapes.deleted("organization.project.api_key", key.id), effects=(effect,))

    def list_accounts(self, request: Request, parts: dict[str, str], _: Key) -> Answer:
        """List a project's service accounts."""
        project = self._project(parts)
        found = [one for one in self.organisation.accounts.values() if one.project == project.id]
        return _page(request, [shapes.service_account(one) for one in found])

    def make_account(self, request: Request, parts: dict[str, str], by: Key) -> Answer:
        """Make a service account, with a key unless only the account is wanted; asking twice makes two."""
        project = self._open_project(parts)
        name = request.fields.get("name")
        if not isinstance(name, str) or not name:
            raise refusal(_INVALID, "Missing required parameter: 'name'.", "missing_required_parameter")
        account = self.organisation.add_service_account(project.id, name)
        self.organisation.log("service_account.created", by, {"id": account.id})
        made = Effect("service_account_made", account.id, name)
        if request.fields.get("create_service_account_only"):
            return Answer(body={**shapes.service_account(account), "api_key": None}, effects=(made,))
        key, effect = self.organisation.issue(account, "Secret Key", by)
        body = {**shapes.service_account(account), "api_key": shapes.issued(key, self.organisation.value(key))}
        return Answer(body=body, effects=(made, effect))

    def delete_account(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Delete a service account with every key of it."""
        account = self._account(parts)
        effects = self.organisation.delete_account(account, by)
        return Answer(body=shapes.deleted("organization.project.service_account", account.id), effects=effects)

    def make_key(self, request: Request, parts: dict[str, str], by: Key) -> Answer:
        """Make a further key of a service account, perhaps one that may do less."""
        account = self._account(parts)
        scopes = tuple(request.fields.get("scopes") or ())
        key, effect = self.organisation.issue(account, str(request.fields.get("name") or ""), by, scopes)
        return Answer(body=shapes.issued(key, self.organisation.value(key)), effects=(effect,))

    # ---- limits

    def get_limit(self, _: Request, parts: dict[str, str], __: Key) -> Answer:
        """Show the hard spend limit; without one there is nothing to show."""
        project = self._project(parts)
        if project.limit is None:
            raise refusal(_MISSING, "No spend limit is configured for this project.")
        return Answer(body=shapes.limit(project.limit))

    def set_limit(self, request: Request, parts: dict[str, str], by: Key) -> Answer:
        """Set or replace the hard spend limit; it strikes every key of the project."""
        project = self._open_project(parts)
        amount = request.fields.get("threshold_amount")
        if not isinstance(amount, int) or amount < 1:
            raise refusal(_INVALID, "threshold_amount must be at least 1.")
        if (request.fields.get("currency"), request.fields.get("interval")) != ("USD", "month"):
            raise refusal(_INVALID, "Only USD and month are supported.")
        project.limit = amount
        self.organisation.log("project.updated", by, {"id": project.id})
        return Answer(body=shapes.limit(amount), effects=(Effect("fenced", project.id, str(amount)),))

    def delete_limit(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Take the hard spend limit away."""
        project = self._project(parts)
        if project.limit is None:
            raise refusal(_MISSING, "No spend limit is configured for this project.")
        project.limit = None
        self.organisation.log("project.updated", by, {"id": project.id})
        body = {"object": "project.spend_limit.deleted", "deleted": True}
        return Answer(body=body, effects=(Effect("unfenced", project.id, ""),))

    # ---- people

    def get_member(self, _: Request, parts: dict[str, str], __: Key) -> Answer:
        """Show a member of a project."""
        project = self._project(parts)
        if parts["user"] not in project.members:
            raise refusal(_MISSING, "User not found in this project.")
        return Answer(body=shapes.member(self.organisation.accounts[parts["user"]], project.members[parts["user"]]))

    def remove_member(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Take somebody out of a project; their keys stay enabled, and vanish from the plain list."""
        project = self._open_project(parts)
        if project.members.pop(parts["user"], None) is None:
            raise refusal(_MISSING, "User not found in this project.")
        self.organisation.log("user.updated", by, {"id": parts["user"]})
        effect = Effect("person_removed", parts["user"], project.id)
        return Answer(body=shapes.deleted("organization.project.user", parts["user"]), effects=(effect,))

    def list_users(self, request: Request, _: dict[str, str], __: Key) -> Answer:
        """List the people of the organisation."""
        people = [one for one in self.organisation.accounts.values() if one.kind == "user"]
        return _page(request, [shapes.user(one) for one in people])

    def get_user(self, _: Request, parts: dict[str, str], __: Key) -> Answer:
        """Show somebody."""
        return Answer(body=shapes.user(self._user(parts)))

    def remove_user(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Take somebody out of the organisation, and so out of every project."""
        user = self._user(parts)
        self.organisation.accounts.pop(user.id)
        for project in self.organisation.projects.values():
            project.members.pop(user.id, None)
        self.organisation.log("user.deleted", by, {"id": user.id})
        effect = Effect("person_removed", user.id, self.organisation.name)
        return Answer(body=shapes.deleted("organization.user", user.id), effects=(effect,))

    def list_invites(self, request: Request, _: dict[str, str], __: Key) -> Answer:
        """List invitations, accepted ones too."""
        return _page(request, [shapes.invite(one) for one in self.organisation.invites.values()])

    def get_invite(self, _: Request, parts: dict[str, str], __: Key) -> Answer:
        """Show an invitation."""
        found = [one for one in self.organisation.invites.values() if one.id == parts["invite"]]
        return Answer(body=shapes.invite(self._found(found, "invite")))

    def delete_invite(self, _: Request, parts: dict[str, str], by: Key) -> Answer:
        """Withdraw an invitation, unless it was accepted."""
        found = [one for one in self.organisation.invites.values() if one.id == parts["invite"]]
        invite = self._found(found, "invite")
        if invite.status == "accepted":
            raise refusal(_INVALID, "An accepted invite cannot be deleted.")
        self.organisation.invites.pop(invite.id)
        self.organisation.log("invite.deleted", by, {"id": invite.id})
        effect = Effect("invite_deleted", invite.id, invite.email)
        return Answer(body=shapes.deleted("organization.invite", invite.id), effects=(effect,))

    # ---- records

    def audit_logs(self, request: Request, _: dict[str, str], __: Key) -> Answer:
        """List what was changed, newest first."""
        query = request.query
        since, until = int(query.get("effective_at[gte]", "0")), int(query.get("effective_at[lte]", "99999999999"))
        actor = query.get("actor_ids[]")
        found = [
            one
            for one in reversed(self.organisation.events)
            if since <= one["effective_at"] <= until
            and (actor is None or one["actor"].get("api_key", {}).get("id") == actor)
        ]
        return _page(request, found)

    def usage(self, request: Request, parts: dict[str, str], _: Key) -> Answer:
        """List buckets of calls; without grouping nobody can tell whose they were."""
        query = request.query
        width = _WIDTHS.get(query.get("bucket_width", "1d"), 0)
        limit = int(query.get("limit", "7"))
        if not width or not 1 <= limit <= _MOST_BUCKETS[width]:
            raise refusal(_INVALID, "Invalid bucket_width or limit.")
        start = int(query["page"].removeprefix("page_")) if "page" in query else int(query["start_time"])
        start -= start % width
        end = int(query.get("end_time") or self.organisation.now())
        starts = list(range(start, end, width))
        wanted = {"key": query.get("api_key_ids"), "project": query.get("project_ids")}
        spent = [one for one in self.organisation.spent if one.kind == parts["kind"]]
        grouped = query.get("group_by") == "api_key_id"
        projects = {key.id: key.project for key in self.organisation.keys.values()}
        spent = [one for one in spent if wanted["key"] in {None, one.key_id}]
        spent = [one for one in spent if wanted["project"] in {None, projects.get(one.key_id)}]
        data = [shapes.bucket(at, width, spent, grouped=grouped) for at in starts[:limit]]
        following = f"page_{starts[limit]}" if len(starts) > limit else None
        return Answer(body={"object": "page", "data": data, "has_more": bool(following), "next_page": following})

    # ---- finding

    def _project(self, parts: dict[str, str]) -> Project:
        found = self.organisation.projects.get(parts["project"])
        return self._found([found] if found else [], "project")

    def _open_project(self, parts: dict[str, str]) -> Project:
        project = self._project(parts)
        if project.archived:
            raise refusal(_INVALID, "Project is archived.")
        return project

    def _project_key(self, parts: dict[str, str]) -> Key:
        keys = self.organisation.enabled(self._project(parts).id)
        return self._found([one for one in keys if one.id == parts["key"]], "API key")

    def _account(self, parts: dict[str, str]) -> Account:
        found = self.organisation.accounts.get(parts["account"])
        project = self._project(parts)
        return self._found([found] if found and found.project == project.id else [], "service account")

    def _user(self, parts: dict[str, str]) -> Account:
        found = self.organisation.accounts.get(parts["user"])
        return self._found([found] if found and found.kind == "user" else [], "user")

    def _found(self, found: Sequence[T], what: str) -> T:
        if not found:
            raise refusal(_MISSING, f"The {what} was not found.")
        return found[0]

    def _shown(self, key: Key) -> dict[str, Any]:
        access = self.organisation.has_access(key)
        return shapes.project_key(key, self.organisation.value(key), access=access)


def _page(request: Request, found: Sequence[dict[str, Any]]) -> Answer:
    """Show a part of a list: at most a hundred, from behind the one that `after` names."""
    limit = int(request.query.get("limit", "20"))
    if not 1 <= limit <= _MOST_LISTED:
        raise refusal(_INVALID, "limit must be between 1 and 100.")
    ids = [one["id"] for one in found]
    after = request.query.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    page = list(found[start : start + limit])
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return Answer(body={"object": "list", "data": page, "has_more": start + limit < len(found), **ends})
