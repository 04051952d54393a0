"""Fine-grained tokens that reach an organisation: only a GitHub App is shown them, and can take the access away."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method all that it may need

from collections.abc import Iterator
from typing import Annotated, ClassVar, NamedTuple

from pydantic import BaseModel, Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.errors import ProviderError
from responder.providers.github.client import MISSING, Client, part
from responder.providers.github.options import Login, Options
from responder.providers.github.permissions import GRANTS_READ, GRANTS_WRITE


class Grant(NamedTuple):
    """The access of one token to an organisation."""

    organization: str
    number: str
    owner: str
    name: str
    granted_at: str
    last_used_at: str

    @property
    def key_id(self) -> str:
        """How inventories name it: `orgs/ORG#123`."""
        return f"orgs/{self.organization}#{self.number}"


def list_all(client: Client, organization: str, permission: str = GRANTS_READ) -> Iterator[Grant]:
    """Yield every fine-grained token that reaches an organisation."""
    for found in client.pages(f"/orgs/{part(organization)}/personal-access-tokens", permission=permission):
        yield Grant(
            organization,
            str(found.get("id", "")),
            str((found.get("owner") or {}).get("login", "")),
            str(found.get("token_name") or ""),
            str(found.get("access_granted_at") or ""),
            str(found.get("token_last_used_at") or ""),
        )


class RevokeFineGrainedPat(Action):
    """Take the access of a member's fine-grained token to the organisation away; elsewhere the token goes on working.

    Only a GitHub App can (`app_id`); GitHub refuses tokens of users whatever they are permitted.
    """

    name: ClassVar[str] = "github.revoke_fine_grained_pat"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (GRANTS_WRITE,)

    pat_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """The id of the token's access, `id` in GitHub's list; not the token's own `token_id`."""
    organization: Login | None = None
    """Default: the connection's."""

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the page of the organisation's settings."""
        if not isinstance(options, Options) or not options.organization:
            return ""
        return (
            f"Revoke it at {options.pages}/organizations/{options.organization}/settings/personal-access-tokens/active."
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for it in the whole list."""
        organization = organization_of(client, self.organization)
        found = self._found(client, organization)
        if found is None:
            return Unchanged(f"no token with the id {self.pat_id} reaches {organization}")
        used = f"; it was last used at {found.last_used_at}" if found.last_used_at else ""
        return Change(
            target=f"access of the fine-grained token {self.pat_id} to {organization}",
            before=f"granted: {found.name!r} of {found.owner}",
            after="taken away",
            breaks=f"what {found.owner} does in {organization} with it{used}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Take the access away."""
        organization = organization_of(client, self.organization)
        path = f"/orgs/{part(organization)}/personal-access-tokens/{self.pat_id}"
        body = {"action": "revoke"}
        gone = frozenset({MISSING})
        answer = client.ask("POST", path, permission=GRANTS_WRITE, write=True, body=body, expect=gone)
        return Outcome({"status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for it again in the whole list."""
        return read_back(lambda: self._found(client, organization_of(client, self.organization)) is None)

    def _found(self, client: Client, organization: str) -> Grant | None:
        return next((one for one in list_all(client, organization, GRANTS_WRITE) if one.number == self.pat_id), None)


def organization_of(client: Client, named: str | None) -> str:
    """Return the organisation that an action is about. ProviderError where neither it nor the connection names one."""
    found = named or client.options.organization
    if found is None:
        raise ProviderError(
            "No organisation is named",
            where=f"connections.{client.access.connection.name}.organization",
            remedy="set it there, or give `organization` in the step",
        )
    return found
