"""People of the organisation: members, outside collaborators, whom it blocks, and their fine-grained tokens."""

from typing import TYPE_CHECKING, Any

from responder.drill.world.github.state import Grant, Member, Refusal, not_found, shown_at, user_shown
from responder.drill.world.ledger import Effect
from responder.drill.world.web import Answer, Request, Route, route

if TYPE_CHECKING:
    from responder.drill.world.github.site import GitHub

_ORG = "/orgs/{org}"
_GONE = 204


class People:
    """The part that knows people."""

    def __init__(self, site: "GitHub") -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("GET", _ORG + "/memberships/{username}", self.membership),
            route("DELETE", _ORG + "/memberships/{username}", self.remove),
            route("GET", _ORG + "/members/{username}", self.is_member),
            route("GET", _ORG + "/outside_collaborators", self.collaborators),
            route("DELETE", _ORG + "/outside_collaborators/{username}", self.remove_collaborator),
            route("GET", _ORG + "/blocks/{username}", self.is_blocked),
            route("PUT", _ORG + "/blocks/{username}", self.block),
            route("GET", _ORG + "/personal-access-tokens", self.grants),
            route("POST", _ORG + "/personal-access-tokens/{pat_id}", self.update_grant),
        )

    def membership(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show somebody's membership, and whether an enterprise team holds it."""
        self._site.need(request, "members", "read", "admin:org")
        return Answer(body=_shown(self._member(parts), parts["org"]))

    def is_member(self, request: Request, parts: dict[str, str]) -> Answer:
        """Answer 204 for a member, 404 for nobody, and 302 to whoever may not know."""
        self._site.ours(parts)
        token = self._site.asker(request)
        if token is None or not ("admin:org" in token.scopes or token.permissions.get("members")):
            return Answer(302, "", headers={"Location": f"/orgs/{parts['org']}/public_members/{parts['username']}"})
        found = self._site.members.get(parts["username"])
        if found is None or found.state != "active":
            raise not_found()
        return Answer(_GONE, "")

    def remove(self, request: Request, parts: dict[str, str]) -> Answer:
        """Remove a member or cancel an invitation; who is held by an enterprise team stays."""
        self._site.need(request, "members", "write", "admin:org")
        found = self._member(parts)
        owners = [one for one in self._site.members.values() if one.role == "admin" and one.state == "active"]
        if owners == [found]:
            raise Refusal(403, "Cannot remove the last owner of the organization")
        if found.teams:
            found.direct = False
            return Answer(_GONE, "")
        del self._site.members[found.login]
        return Answer(_GONE, "", (Effect("person_removed", found.login, parts["org"], {"state": found.state}),))

    def collaborators(self, request: Request, parts: dict[str, str]) -> Answer:
        """List those who reach repositories without being members."""
        self._site.need(request, "members", "read", "admin:org")
        self._site.ours(parts)
        return self._site.page(request, [user_shown(login) for login in sorted(self._site.outside)])

    def remove_collaborator(self, request: Request, parts: dict[str, str]) -> Answer:
        """Remove somebody from all repositories; a member is not removed so (422)."""
        self._site.need(request, "members", "write", "admin:org")
        self._site.ours(parts)
        login = parts["username"]
        if login in self._site.members:
            raise Refusal(422, "You cannot specify an organization member to remove as an outside collaborator.")
        effects = (Effect("person_removed", login, parts["org"]),) if login in self._site.outside else ()
        self._site.outside.discard(login)
        return Answer(_GONE, "", effects)

    def is_blocked(self, request: Request, parts: dict[str, str]) -> Answer:
        """Answer 204 for somebody who is blocked, and 404 for the others."""
        self._site.need(request, "organization_user_blocking", "read", "admin:org")
        self._site.ours(parts)
        if parts["username"] not in self._site.blocked:
            raise not_found()
        return Answer(_GONE, "")

    def block(self, request: Request, parts: dict[str, str]) -> Answer:
        """Block somebody; for a member the description has 422, without saying more."""
        self._site.need(request, "organization_user_blocking", "write", "admin:org")
        self._site.ours(parts)
        login = parts["username"]
        if login in self._site.members:
            raise Refusal(422, "Validation Failed")
        effects = () if login in self._site.blocked else (Effect("person_blocked", login, parts["org"]),)
        self._site.blocked.add(login)
        return Answer(_GONE, "", effects)

    def grants(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the fine-grained tokens that reach the organisation; only a GitHub App is shown them."""
        self._app(request, parts, "read")
        owners = {value for name, value in request.query.items() if name.startswith("owner")}
        found = [one for one in self._site.grants.values() if not owners or one.owner in owners]
        return self._site.page(request, [_grant(one) for one in found])

    def update_grant(self, request: Request, parts: dict[str, str]) -> Answer:
        """Take a token's access to the organisation away; elsewhere it goes on working."""
        self._app(request, parts, "write")
        found = self._site.grants.get(int(parts["pat_id"])) if parts["pat_id"].isdigit() else None
        if found is None:
            raise not_found()
        if request.fields.get("action") != "revoke":
            raise Refusal(422, "Validation Failed")
        del self._site.grants[found.number]
        return Answer(_GONE, "", (Effect("grant_revoked", str(found.number), found.owner),))

    def _app(self, request: Request, parts: dict[str, str], level: str) -> None:
        self._site.ours(parts)
        token = self._site.asker(request)
        if token is None:
            raise Refusal(401, "Requires authentication")
        if not token.is_app:
            raise Refusal(403, "Resource not accessible by personal access token")
        self._site.need(request, "organization_personal_access_tokens", level, "")

    def _member(self, parts: dict[str, str]) -> Member:
        self._site.ours(parts)
        found = self._site.members.get(parts["username"])
        if found is None:
            raise not_found()
        return found


def _shown(member: Member, organization: str) -> dict[str, Any]:
    base = f"https://api.github.com/orgs/{organization}"
    return {
        "url": f"{base}/memberships/{member.login}",
        "state": member.state,
        "role": member.role,
        "direct_membership": member.direct,
        "enterprise_teams_providing_indirect_membership": list(member.teams),
        "organization_url": base,
        "organization": {"login": organization},
        "user": user_shown(member.login),
    }


def _grant(one: Grant) -> dict[str, Any]:
    return {
        "id": one.number,
        "owner": user_shown(one.owner),
        "repository_selection": "all",
        "permissions": {"repository": {"contents": "write"}},
        "access_granted_at": shown_at(one.granted_at),
        "token_id": one.token_id,
        "token_name": one.name,
        "token_expired": False,
        "token_expires_at": None,
        "token_last_used_at": shown_at(one.last_used_at),
    }
