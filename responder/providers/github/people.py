"""People of an organisation: removing a member or an outside collaborator, and blocking somebody."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method all that it may need

from typing import Any, ClassVar

from pydantic import BaseModel

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.errors import ProviderError
from responder.providers.github.client import ELSEWHERE, GONE, MISSING, Client, identify, part
from responder.providers.github.grants import organization_of
from responder.providers.github.options import Login, Options
from responder.providers.github.permissions import BLOCKING_WRITE, MEMBERS_WRITE


class _OnPerson(Action):
    """An action on somebody's place in an organisation."""

    login: Login
    """The person's handle."""
    organization: Login | None = None
    """Default: the connection's."""

    def _path(self, client: Client, what: str) -> str:
        return f"/orgs/{part(organization_of(client, self.organization))}/{what}/{part(self.login)}"


class RemoveMember(_OnPerson):
    """Remove a member from the organisation, or cancel an invitation that is open.

    Refused for ourselves, and for whom an enterprise team makes a member: they would stay one whatever is removed here,
    until they leave that team. GitHub refuses (403) to remove the last owner.
    """

    name: ClassVar[str] = "github.remove_member"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (MEMBERS_WRITE,)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the page of the organisation's people."""
        return _people_page(options)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the membership; only a list that we may see shows that there is none."""
        organization = organization_of(client, self.organization)
        found = self._membership(client)
        if found is None:
            return Unchanged(f"{self.login} is no member of {organization}, and not invited")
        teams = [str(one) for one in found.get("enterprise_teams_providing_indirect_membership") or ()]
        if teams:
            raise ProviderError(
                f"{self.login} stays a member of {organization} through the enterprise team {', '.join(teams)}",
                remedy="let an owner of the enterprise take them out of it first; then plan again",
            )
        if self.login.casefold() == identify(client).account.casefold():
            raise ProviderError(f"{self.login} is who we act as", remedy="let somebody else remove them")
        state = "invited as" if found.get("state") == "pending" else "member as"
        return Change(
            target=f"membership of {self.login} in {organization}",
            before=f"{state} {found.get('role')}",
            after="no member, not invited",
            breaks=f"everything that {self.login} does in {organization}, and what runs with their tokens and keys",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Remove them."""
        return Outcome({"status": _delete(client, self._path(client, "memberships"))})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the membership again."""
        return read_back(lambda: self._membership(client) is None)

    def _membership(self, client: Client) -> dict[str, Any] | None:
        """Return somebody's membership, open invitations included; None where there is certainly none."""
        path = self._path(client, "memberships")
        answer = client.ask("GET", path, permission=MEMBERS_WRITE, expect=frozenset({MISSING}))
        if answer.status != MISSING:
            return dict(answer.json() or {})
        # 404 may hide the organisation from us. To whoever sees its members, the next question is answered by 204 or
        # 404; others are sent elsewhere (302).
        path = self._path(client, "members")
        answer = client.ask("GET", path, permission=MEMBERS_WRITE, expect=frozenset({ELSEWHERE, MISSING}))
        if answer.status != MISSING:
            raise ProviderError(
                f"GitHub does not show us whether {self.login} is a member",
                where=path,
                remedy=f"our credential needs: {MEMBERS_WRITE}",
            )
        return None


class RemoveOutsideCollaborator(_OnPerson):
    """Remove an outside collaborator from all repositories of the organisation.

    Refused for a member (GitHub says 422): remove those with `github.remove_member`.
    """

    name: ClassVar[str] = "github.remove_outside_collaborator"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (MEMBERS_WRITE,)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the page of the organisation's people."""
        return _people_page(options, "outside-collaborators")

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for them in the whole list."""
        organization = organization_of(client, self.organization)
        if not self._is_one(client):
            path = self._path(client, "memberships")
            answer = client.ask("GET", path, permission=MEMBERS_WRITE, expect=frozenset({MISSING}))
            if answer.status != MISSING:
                raise ProviderError(
                    f"{self.login} is a member of {organization}, no outside collaborator",
                    remedy="use github.remove_member",
                )
            return Unchanged(f"{self.login} is no outside collaborator of {organization}")
        return Change(
            target=f"outside collaborator {self.login} of {organization}",
            before="reaches repositories",
            after="reaches none",
            breaks=f"everything that {self.login} does in repositories of {organization}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Remove them."""
        return Outcome({"status": _delete(client, self._path(client, "outside_collaborators"))})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for them again in the whole list."""
        return read_back(lambda: not self._is_one(client))

    def _is_one(self, client: Client) -> bool:
        path = f"/orgs/{part(organization_of(client, self.organization))}/outside_collaborators"
        listed = client.pages(path, permission=MEMBERS_WRITE)
        return any(str(one.get("login", "")).casefold() == self.login.casefold() for one in listed)


class BlockUser(_OnPerson):
    """Block somebody: they cannot comment, open issues or fork in the organisation's repositories.

    It takes no access away, and GitHub refuses (422) whom it cannot block: remove members and collaborators first.
    """

    name: ClassVar[str] = "github.block_user"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (BLOCKING_WRITE,)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the page of the organisation's settings."""
        if not isinstance(options, Options) or not options.organization:
            return ""
        return f"Block them at {options.pages}/organizations/{options.organization}/settings/blocked_users."

    def plan(self, client: Client) -> Change | Unchanged:
        """Ask whether they are blocked."""
        organization = organization_of(client, self.organization)
        if self._is_blocked(client):
            return Unchanged(f"{organization} blocks {self.login} already")
        return Change(
            target=f"{self.login} at {organization}",
            before="not blocked",
            after="blocked",
            breaks=f"{self.login} can take no part in the public repositories of {organization}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Block them."""
        path = self._path(client, "blocks")
        return Outcome({"status": client.ask("PUT", path, permission=BLOCKING_WRITE, write=True).status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Ask again."""
        return read_back(lambda: self._is_blocked(client))

    def _is_blocked(self, client: Client) -> bool:
        path = self._path(client, "blocks")
        return client.ask("GET", path, permission=BLOCKING_WRITE, expect=frozenset({MISSING})).status == GONE


def _delete(client: Client, path: str) -> int:
    """Remove what stands at a path, and return the status; 404 is what somebody gets who is gone already."""
    return client.ask("DELETE", path, permission=MEMBERS_WRITE, write=True, expect=frozenset({MISSING})).status


def _people_page(options: BaseModel, what: str = "people") -> str:
    if not isinstance(options, Options) or not options.organization:
        return ""
    return f"Remove them at {options.pages}/orgs/{options.organization}/{what}."
