"""A leaked credential: what it is, ending it, what it opened, and what else leads in."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from responder.action import Change, KeySeen, Outcome, Unchanged, Verdict, read_back
from responder.credential import Door, Doors, EndSessions, Inspect, Inspection, Revoke, Sessions
from responder.errors import ProviderError, Unavailable
from responder.providers.openbao.client import (
    LIST_ACCESSORS,
    LOOKUP,
    LOOKUP_ACCESSOR,
    LOOKUP_SELF,
    Client,
    data_of,
)
from responder.providers.openbao.subjects import (
    DESTROY_IN_ROLE,
    FIND_IN_ROLE,
    LOOKUP_LEASE,
    REVOKE,
    REVOKE_ACCESSOR,
    REVOKE_LEASE,
    Lease,
    SecretId,
    Token,
    reach_of,
    thing_of,
)

READ_ROLE = "read on auth/approle/role/ROLE"
LIST_ROLE = "list on auth/approle/role/ROLE/secret-id"
READ_ENTITY = "read on identity/entity/id/ID"
_LOOKS = (LOOKUP, LOOKUP_ACCESSOR, FIND_IN_ROLE, LOOKUP_LEASE)
_MOST_SHOWN = 100
_SESSIONS = "accessors"
_UNLISTED = "its child tokens and its leases, which the server does not list by token; they end with it"


class InspectCredential(Inspect):
    """Read a token, an AppRole's secret id, or a lease, with our own credential: a use of it is not spent.

    What it is, `key_id` says: a token's accessor, `approle:ROLE#ACCESSOR` for a secret id, or a lease's id, which has
    slashes. A token is looked up by its value where that is known, else by its accessor. Facts besides the common
    ones: `kind` (`token`, `secret id`, `lease`), and of a token `type`, `orphan`, `expire_time`, `num_uses`,
    `entity_id`, `path` (how it was made). `reach` holds its policies. When it was used last, nobody records.
    """

    permissions: ClassVar[tuple[str, ...]] = (*_LOOKS, READ_ROLE)

    def read(self, client: Client) -> Outcome:
        """Look it up."""
        thing = thing_of(self.subject)
        found = thing.look(client)
        kind = {Token: "token", SecretId: "secret id", Lease: "lease"}[type(thing)]
        if found is None:
            inspection = Inspection(state="dead", key_id=self.subject.key_id)
            return Outcome({**inspection.model_dump(mode="json"), "kind": kind})
        shown = {name: found[name] for name in _TOLD if found.get(name) is not None}
        return Outcome({**self._inspection(client, thing, found).model_dump(mode="json"), "kind": kind, **shown})

    def _inspection(self, client: Client, thing: Token | SecretId | Lease, found: dict[str, Any]) -> Inspection:
        if isinstance(thing, Token):
            owner = str(found.get("display_name") or found.get("entity_id") or "")
            key_id = str(found.get("accessor") or "")
            return Inspection(state="live", owner=owner, reach=reach_of(found), key_id=key_id)
        if isinstance(thing, Lease):
            return Inspection(state="live", owner=_prefix(thing), reach=(_prefix(thing),), key_id=thing.lease_id)
        role = client.data(f"auth/{client.options.approle}/role/{thing.role}", permission=READ_ROLE) or {}
        reach = tuple(str(one) for one in role.get("token_policies") or ())
        return Inspection(state="live", owner=thing.role, reach=reach, key_id=self.subject.key_id)


class RevokeCredential(Revoke):
    """Revoke a token, destroy an AppRole's secret id, or revoke a lease; for good.

    A token takes its child tokens with it at once, and every lease of theirs by a queue: where the system behind
    is away, what was leased lives on (`openbao.revoke_prefix` waits for it). Orphans that were made with a token stay,
    and `credential.doors` looks for them. Tokens that a secret id opened stay, too (`credential.end_sessions`). A
    lease is revoked with `sync`, for otherwise the server only queues it. A batch token cannot be revoked by anybody:
    it ends by its time, or with its parent.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *_LOOKS,
        LOOKUP_SELF,
        REVOKE_ACCESSOR,
        REVOKE,
        DESTROY_IN_ROLE,
        REVOKE_LEASE,
    )

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the command that does it."""
        if key_id.startswith("approle:"):
            role, _, accessor = key_id.removeprefix("approle:").partition("#")
            path = f"auth/{getattr(options, 'approle', 'approle')}/role/{role}/secret-id-accessor/destroy"
            return f"Run `bao write {path} secret_id_accessor={accessor}` as somebody who may."
        if "/" in key_id:
            return f"Run `bao lease revoke -sync {key_id}` as somebody who may."
        return f"Run `bao token revoke -accessor {key_id or 'ACCESSOR'}` as somebody who may."

    def plan(self, client: Client) -> Change | Unchanged:
        """Look it up; only the server's own word that there is none means that nothing is left to do."""
        thing = thing_of(self.subject)
        found = thing.look(client)
        if found is None:
            return Unchanged(f"the server knows no {thing.title} any more", {"state": "dead"})
        if found.get("type") == "batch":
            raise ProviderError(
                "It is a batch token: nobody can revoke one",
                where=thing.title,
                remedy=f"revoke its parent, or take its policies away; it ends at {found.get('expire_time')}",
            )
        return Change(
            target=thing.title, before="live", after="revoked for good", breaks=thing.breaks + _ours(client, thing)
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Revoke exactly this one; a 2xx comes for unknown ones, too, and is not believed."""
        return Outcome({"status": thing_of(self.subject).end(client)})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look it up again."""
        return read_back(lambda: thing_of(self.subject).look(client) is None)


class ListSessions(Sessions):
    """List the tokens that were opened with an AppRole's secret id: they outlive it.

    Which secret id of a role a token came from, the server does not keep; so all tokens of the role count. Facts:
    `open`, `sessions` (accessors). Of a live token `open` is null: its children and leases are not listed, and end
    with it.
    """

    permissions: ClassVar[tuple[str, ...]] = (LIST_ACCESSORS, LOOKUP_ACCESSOR, *_LOOKS)

    def read(self, client: Client) -> Outcome:
        """Look at every token."""
        thing = thing_of(self.subject)
        if isinstance(thing, SecretId):
            found = [str(one["accessor"]) for one in opened_by(client, thing)]
            return Outcome({"open": len(found), "sessions": found[:_MOST_SHOWN]})
        gone = thing.look(client) is None
        return Outcome({"open": 0 if gone else None, "sessions": [], "unlisted": "" if gone else _UNLISTED})


class EndRoleSessions(EndSessions):
    """Revoke every token of the leaked secret id's role; whoever has another secret id signs in again.

    What was opened with a token ends with the token, and needs nothing here once that is revoked.
    """

    permissions: ClassVar[tuple[str, ...]] = (LIST_ACCESSORS, LOOKUP_ACCESSOR, REVOKE_ACCESSOR, *_LOOKS)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read which tokens of the role live; exactly those are revoked."""
        thing = thing_of(self.subject)
        if not isinstance(thing, SecretId):
            if thing.look(client) is None:
                return Unchanged(f"the server knows no {thing.title} any more; what it opened ended with it")
            raise ProviderError(
                f"What was opened with {thing.title} ends with it, and not before",
                where=thing.title,
                remedy="revoke it first (credential.revoke)",
            )
        found = sorted(str(one["accessor"]) for one in opened_by(client, thing))
        if not found:
            return Unchanged(f"no token of AppRole {thing.role} is live", {"open": 0})
        return Change(
            target=f"tokens of AppRole {thing.role}",
            before=f"{len(found)} live",
            after=f"revoked: {', '.join(found)}",
            breaks=f"whoever works as {thing.role} must sign in again",
            preconditions={_SESSIONS: " ".join(found)},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Revoke them one by one."""
        wanted = change.preconditions.get(_SESSIONS, "").split()
        for accessor in wanted:
            Token(accessor, None).end(client)
        return Outcome({"ended": len(wanted)})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look each of them up."""
        try:
            left = [one for one in change.preconditions.get(_SESSIONS, "").split() if client.token(accessor=one)]
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS


class OpenDoors(Doors):
    """List what else speaks for the same identity: other tokens and sign-ins of its entity, or of its role.

    A token without an entity, such as one that another token made, has nothing that its siblings could be told by;
    `unseen` says so. A dead token is not told of any more: look before you revoke.
    """

    permissions: ClassVar[tuple[str, ...]] = (LIST_ACCESSORS, LOOKUP_ACCESSOR, READ_ENTITY, LIST_ROLE, *_LOOKS)

    def open_doors(self, client: Client) -> Iterable[Door]:
        """Yield them, the credential itself left out."""
        thing = thing_of(self.subject)
        if isinstance(thing, SecretId):
            yield from (_token_door(one) for one in opened_by(client, thing))
            yield from _other_secret_ids(client, thing)
            return
        found = thing.look(client) if isinstance(thing, Token) else None
        entity = str((found or {}).get("entity_id") or "")
        if not found or not entity:
            return
        for one in client.tokens():
            if one.get("entity_id") == entity and one.get("accessor") != found.get("accessor"):
                yield _token_door(one)
        shown = client.data(f"identity/entity/id/{entity}", permission=READ_ENTITY) or {}
        for alias in shown.get("aliases") or ():
            about = f"{alias.get('mount_path', '')}{alias.get('name', '')}"
            yield Door(kind="sign-in", id=str(alias.get("id")), about=about, opened_at=_moment(alias, "creation_time"))

    def unseen(self, client: Client) -> Sequence[str]:
        """Say what nobody lists."""
        thing = thing_of(self.subject)
        if not isinstance(thing, Token):
            return () if isinstance(thing, SecretId) else ("who else was given such a lease",)
        found = thing.look(client)
        if found is None:
            return ("the token is gone, and with it what it was known by",)
        return () if found.get("entity_id") else ("the token has no entity: orphans that it made are not known by it",)


def opened_by(client: Client, secret_id: SecretId) -> Iterator[dict[str, Any]]:
    """Yield the live tokens of a secret id's role."""
    path = f"auth/{client.options.approle}/login"
    for one in client.tokens():
        if one.get("path") == path and (one.get("meta") or {}).get("role_name") == secret_id.role:
            yield one


def keys(client: Client) -> Iterator[KeySeen]:
    """Yield every token of the namespace, for `inventory check`; batch tokens have no accessor, and no list."""
    for one in client.tokens():
        owner = str(one.get("entity_id") or one.get("path") or "")
        yield KeySeen(str(one.get("accessor")), "live", str(one.get("display_name") or ""), owner)


_TOLD = ("type", "orphan", "expire_time", "num_uses", "entity_id", "path")


def _ours(client: Client, thing: Token | SecretId | Lease) -> str:
    """Say that our own token may be a child of the leaked one; no API tells whose child a token is."""
    if not isinstance(thing, Token):
        return ""
    own = data_of(client.ask("GET", "auth/token/lookup-self", permission=LOOKUP_SELF))
    return "" if own.get("orphan") else "; our own token has a parent, and ends as well if this is it"


def _other_secret_ids(client: Client, secret_id: SecretId) -> Iterator[Door]:
    path = f"auth/{client.options.approle}/role/{secret_id.role}/secret-id"
    for accessor in client.names(path, permission=LIST_ROLE):
        found = SecretId(secret_id.role, accessor).look(client) if accessor != secret_id.accessor else None
        if found is not None:
            key_id = f"approle:{secret_id.role}#{accessor}"
            yield Door(kind="secret id", id=key_id, opened_at=_moment(found, "creation_time"))


def _token_door(token: dict[str, Any]) -> Door:
    about = f"{token.get('display_name', '')}, by {token.get('path', '')}"
    made = token.get("creation_time")
    opened = datetime.fromtimestamp(made, UTC) if isinstance(made, int) else None
    return Door(kind="token", id=str(token.get("accessor")), about=about, opened_at=opened)


def _moment(found: dict[str, Any], name: str) -> datetime | None:
    """Read a time, which has nanoseconds; None where it has no zone, or is none."""
    try:
        moment = datetime.fromisoformat(str(found.get(name)))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _prefix(lease: Lease) -> str:
    return lease.lease_id.rpartition("/")[0]
