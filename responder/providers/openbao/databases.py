"""Passwords of databases that the server keeps: giving a static role a new one at once."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict
from responder.errors import ProviderError, Unavailable
from responder.providers.openbao.client import Client

READ_STATIC = "read on database/static-roles/ROLE"
ROTATE = "update on database/rotate-role/ROLE"


class RotateStaticRole(Action):
    """Give a static role of the secrets engine for databases a new password; the old one is refused from then on.

    Whoever reads the role's credentials gets the new one from the next read on. Connections that stand already go on
    working in most databases, until they are ended there. It is done once it happened after `since`: a rotation by
    the server's own schedule counts as well. Facts: `status`.
    """

    name: ClassVar[str] = "openbao.rotate_static_role"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (READ_STATIC, ROTATE)

    role: Annotated[str, Field(pattern=r"^[\w.@:+=-]+$", max_length=200)]
    """The static role's name."""
    since: AwareDatetime
    """The password must be younger than this: when the leak was found, or the run began. It cannot be to come."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read when the password was changed last; the password itself is never read."""
        if self.since > client.access.clock.now():
            raise ProviderError("`since` is to come: no rotation could be after it", where="since")
        found = client.data(f"{client.options.database}/static-roles/{self.role}", permission=READ_STATIC)
        if found is None:
            raise ProviderError(
                f"There is no static role {self.role}",
                where=f"{client.options.database}/static-roles",
                remedy="name the role; what is leased dynamically is ended with openbao.revoke_prefix",
            )
        rotated = _moment(str(found.get("last_vault_rotation") or ""))
        if rotated and rotated > self.since:
            return Unchanged(f"{self.role} was given a new password already", {"rotated_at": rotated.isoformat()})
        user = found.get("username", "")
        return Change(
            target=f"static role {self.role}",
            before=f"password of {user} from {rotated.isoformat()}" if rotated else f"password of {user}",
            after=f"a password that is younger than {self.since.isoformat()}",
            breaks=f"everything that signs in as {user} with the old password, until it reads the new one",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Rotate it."""
        path = f"{client.options.database}/rotate-role/{self.role}"
        return Outcome({"status": client.ask("POST", path, write=True, permission=ROTATE).status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read when it was changed last."""
        try:
            found = client.data(f"{client.options.database}/static-roles/{self.role}", permission=READ_STATIC)
        except Unavailable:
            return Verdict.UNKNOWN
        rotated = _moment(str((found or {}).get("last_vault_rotation") or ""))
        if rotated is None:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if rotated > self.since else Verdict.DOES_NOT_HOLD


def _moment(text: str) -> datetime | None:
    """Read a time of the server's, which may have nanoseconds; None where it has no zone, or is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
