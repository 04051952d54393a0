"""Taking people out: of the organisation, of a project, and out of the letterbox."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from typing import ClassVar

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.errors import ProviderError
from responder.providers.openai.client import READ, WRITE, Client, Id, project_path
from responder.providers.openai.keys import our_keys


class RemoveUser(Action):
    """Take a person out of the organisation, and so out of every project.

    What OpenAI does with the keys of somebody who was removed is not documented; it lists them as enabled, for owners
    without access. Revoke each of them as well.
    """

    name: ClassVar[str] = "openai.remove_user"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)
    user: Id
    """Their id, such as `user-...`."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read who it is; the owner of the admin key that we act with is never removed."""
        found = client.found(self._path())
        if found is None:
            return Unchanged(f"the organisation has no user {self.user}")
        if self.user in {one.owner_id for one in our_keys(client)}:
            raise ProviderError(
                f"The admin key that we act with belongs to {self.user}",
                remedy="let somebody else make an admin key for the connection first",
            )
        return Change(
            target=f"user {self.user}",
            before=f"{found.get('email') or found.get('name') or self.user}, {found.get('role') or 'member'}",
            after="removed from the organisation",
            breaks="their sign-in, and what runs with their keys",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Remove them."""
        return Outcome({"status": _delete(client, self._path())})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for them again."""
        return _gone(client, self._path())

    def _path(self) -> str:
        return f"/organization/users/{self.user}"


class RemoveProjectMember(Action):
    """Take a person out of a project.

    Their keys in it stay enabled, and vanish from OpenAI's plain list: revoke each of them as well. In an archived
    project nobody can be removed.
    """

    name: ClassVar[str] = "openai.remove_project_member"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)
    project: Id
    user: Id

    def plan(self, client: Client) -> Change | Unchanged:
        """Read their role in the project."""
        found = client.found(self._path())
        if found is None:
            return Unchanged(f"{self.user} is no member of project {self.project}")
        return Change(
            target=f"user {self.user} in project {self.project}",
            before=f"{found.get('email') or self.user}, {found.get('role') or 'member'}",
            after="removed from the project",
            breaks="their access to the project",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Remove them."""
        return Outcome({"status": _delete(client, self._path())})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for them again."""
        return _gone(client, self._path())

    def _path(self) -> str:
        return project_path(self.project, "users", self.user)


class DeleteInvite(Action):
    """Withdraw an invitation into the organisation.

    An accepted one cannot be withdrawn: its guest is a user by now, whom the refusal names.
    """

    name: ClassVar[str] = "openai.delete_invite"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)
    invite: Id

    def plan(self, client: Client) -> Change | Unchanged:
        """Read whether it is still open."""
        found = client.found(self._path())
        if found is None:
            return Unchanged(f"there is no invite {self.invite}")
        status, email = str(found.get("status") or ""), str(found.get("email") or "")
        if status == "expired":
            return Unchanged(f"invite {self.invite} has expired", {"status": status})
        if status == "accepted":
            raise self._accepted(client, email)
        return Change(f"invite {self.invite}", f"{status or 'open'}, for {email}", "withdrawn")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Withdraw it."""
        return Outcome({"status": _delete(client, self._path())})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for it again."""
        return _gone(client, self._path())

    def _accepted(self, client: Client, email: str) -> ProviderError:
        """Say who came in by it."""
        people = client.pages("/organization/users")
        guests = [str(one.get("id")) for one in people if str(one.get("email")).casefold() == email.casefold()]
        return ProviderError(
            f"Invite {self.invite} was accepted, and OpenAI withdraws it no more",
            remedy=f"remove the user with openai.remove_user: {', '.join(guests) or f'nobody of {email} is left'}",
        )

    def _path(self) -> str:
        return f"/organization/invites/{self.invite}"


def _delete(client: Client, path: str) -> int:
    return client.ask("DELETE", path, permission=WRITE, write=True, missing=True).status


def _gone(client: Client, path: str) -> Verdict:
    return read_back(lambda: client.found(path) is None)
