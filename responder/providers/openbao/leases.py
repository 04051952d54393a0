"""Leases: what the server handed out for a time, such as an account at a database."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.errors import ProviderError, Unavailable
from responder.providers.openbao.client import Client
from responder.providers.openbao.subjects import LOOKUP_LEASE, REVOKE_LEASE, Lease

LIST_LEASES = "list and sudo on sys/leases/lookup/PREFIX"
REVOKE_PREFIX = "update and sudo on sys/leases/revoke-prefix/PREFIX"

_MOST = 10_000
_Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][\w.@:+=-]*(/[\w.@:+=-]+)+/?$", max_length=500)]


class RevokeLease(Action):
    """Revoke one lease, and wait until the server has undone what it stands for.

    Without `sync` the server only puts it in a queue, and a failure there would stay unseen.
    """

    name: ClassVar[str] = "openbao.revoke_lease"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (LOOKUP_LEASE, REVOKE_LEASE)

    lease_id: _Path
    """Its whole id, such as `database/creds/web/GHI...`."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Look it up."""
        lease = Lease(self.lease_id)
        if lease.look(client) is None:
            return Unchanged(f"there is no {lease.title} any more")
        return Change(target=lease.title, before="live", after="revoked for good", breaks=lease.breaks)

    def apply(self, client: Client, change: Change) -> Outcome:
        """Revoke it."""
        return Outcome({"status": Lease(self.lease_id).end(client)})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look it up again."""
        return read_back(lambda: Lease(self.lease_id).look(client) is None)


class RevokePrefix(Action):
    """Revoke every lease below a path, and wait until that is done; the plan says how many there are.

    For a role of a database that leaked as a whole: `database/creds/web`. A path of one part is refused, for it would
    take a whole mount with it; so is everything below `auth/`, where the leases are people's tokens.
    """

    name: ClassVar[str] = "openbao.revoke_prefix"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (LIST_LEASES, REVOKE_PREFIX)

    prefix: _Path
    """Such as `database/creds/web`."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Count the leases below it."""
        prefix = self._prefix()
        count = sum(1 for _ in _below(client, prefix))
        if not count:
            return Unchanged(f"there is no lease below {prefix}", {"leases": 0})
        return Change(
            target=f"leases below {prefix}",
            before=f"{count} live" if count < _MOST else f"at least {_MOST} live",
            after="none live",
            breaks="everybody who works with what was leased there; they must ask for a new lease",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Revoke them, and wait until that is done."""
        path = f"sys/leases/revoke-prefix/{self._prefix()}"
        answer = client.ask("POST", path, body={"sync": True}, write=True, permission=REVOKE_PREFIX)
        return Outcome({"status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look whether one is left."""
        try:
            left = next(_below(client, self._prefix()), None)
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS

    def _prefix(self) -> str:
        prefix = self.prefix.strip("/")
        if prefix.startswith("auth/") or "/" not in prefix:
            raise ProviderError(
                f"{prefix} holds more than one incident should take with it",
                where="prefix",
                remedy="name the path of one role, such as database/creds/web; revoke tokens by themselves",
            )
        return prefix


def _below(client: Client, prefix: str) -> Iterator[str]:
    """Yield the ids of the leases below a path; a name with a slash at its end is a folder."""
    waiting, found = [prefix], 0
    while waiting:
        folder = waiting.pop()
        for name in client.names(f"sys/leases/lookup/{folder}/", permission=LIST_LEASES):
            if name.endswith("/"):
                waiting.append(f"{folder}/{name.rstrip('/')}")
                continue
            yield f"{folder}/{name}"
            found += 1
            if found >= _MOST:
                return
