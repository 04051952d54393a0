"""Taking people out of an organisation, and out of the letterbox."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from typing import ClassVar

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.errors import ProviderError, Unavailable
from responder.providers.anthropic.client import READ, WRITE, Client, Id


class RemoveUser(Action):
    """Take a person out of the organisation. Keys that they made belong to it, and live on: revoke them as well."""

    name: ClassVar[str] = "anthropic.remove_user"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)
    user: Id
    """Their id, such as `user_...`."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read who it is."""
        found = client.found(self._path())
        if found is None:
            return Unchanged(f"the organisation has no user {self.user}")
        return Change(
            target=f"user {self.user}",
            before=f"{found.get('email') or found.get('name') or self.user}, {found.get('role') or 'user'}",
            after="removed from the organisation",
            breaks="their sign-in; keys that they made go on working",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Remove them."""
        return Outcome({"status": _delete(client, self._path())})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for them again."""
        return read_back(lambda: client.found(self._path()) is None)

    def _path(self) -> str:
        return f"/v1/organizations/users/{self.user}"


class DeleteInvite(Action):
    """Withdraw an invitation into the organisation. An accepted one stays: its guest is a user by now."""

    name: ClassVar[str] = "anthropic.delete_invite"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)
    invite: Id

    def plan(self, client: Client) -> Change | Unchanged:
        """Read whether it is still open."""
        found = client.found(self._path())
        if found is None:
            return Unchanged(f"there is no invite {self.invite}")
        status, email = str(found.get("status") or ""), str(found.get("email") or "")
        if status in {"expired", "deleted"}:
            return Unchanged(f"invite {self.invite} is {status} already", {"status": status})
        if status == "accepted":
            raise ProviderError(
                f"Invite {self.invite} was accepted, and cannot be withdrawn any more",
                remedy=f"find {email} among the users, and remove them with anthropic.remove_user",
            )
        return Change(f"invite {self.invite}", f"{status or 'open'}, for {email}", "withdrawn")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Withdraw it."""
        return Outcome({"status": _delete(client, self._path())})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for it again; a withdrawn one may stay listed as deleted."""
        try:
            found = client.found(self._path())
        except Unavailable:
            return Verdict.UNKNOWN
        gone = found is None or found.get("status") in {"deleted", "expired"}
        return Verdict.HOLDS if gone else Verdict.DOES_NOT_HOLD

    def _path(self) -> str:
        return f"/v1/organizations/invites/{self.invite}"


def _delete(client: Client, path: str) -> int:
    return client.ask("DELETE", path, permission=WRITE, write=True, missing=True).status
