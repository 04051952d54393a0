"""Making a new token or secret id: marked, so that the orphan of a lost answer is found again and ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from responder.action import Change, Issued, Outcome, Unchanged, Verdict
from responder.answer import Response
from responder.credential import Issue
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.openbao.client import LIST_ACCESSORS, LOOKUP_ACCESSOR, Client
from responder.providers.openbao.credentials import LIST_ROLE
from responder.providers.openbao.subjects import (
    DESTROY_IN_ROLE,
    FIND_IN_ROLE,
    REVOKE_ACCESSOR,
    SecretId,
    Token,
    thing_of,
)
from responder.redaction import Secret

# Without sudo, the server gives a token no policy that we have not ourselves.
CREATE = "update and sudo on auth/token/create-orphan"
CREATE_IN_ROLE = "update on auth/approle/role/ROLE/secret-id"

_MARK = "responder"
_ORPHANS = "orphans"


class IssueCredential(Issue):
    """Make a new token for a consumer; where the leaked one is a secret id, a new secret id of the same role.

    A new token has exactly the policies of `scopes`, `default` only where it is among them; without scopes it is
    refused, for the server would then give it all that we have. It has no parent, so that it does not end with our own
    token. The mark of run and step stands in its metadata. What a secret id reaches, its role says, not `scopes`.
    Tokens are not made for holders: the server has no page where anybody could claim one. Facts: `key_id`, `kind`.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        CREATE, LIST_ACCESSORS, LOOKUP_ACCESSOR, REVOKE_ACCESSOR,
        CREATE_IN_ROLE, LIST_ROLE, FIND_IN_ROLE, DESTROY_IN_ROLE,
    )  # fmt: skip

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for what an earlier try made: its value was lost, so it is ended."""
        kind = self._kind()
        orphans = " ".join(sorted(kind.marked(client)))
        consumer = self.consumer.id if self.consumer else ""
        return Change(
            target=f"{kind.title} for {consumer}",
            before=f"orphan {orphans}, whose value nobody has" if orphans else "absent",
            after=f"one {kind.described()}, sealed until it is delivered",
            breaks=f"the orphan {orphans} is ended first; nobody can be using it" if orphans else "",
            preconditions={_ORPHANS: orphans} if orphans else {},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """End the orphans that were agreed on, then make the new one, once."""
        kind = self._kind()
        orphans = change.preconditions.get(_ORPHANS, "").split()
        for orphan in orphans:
            kind.end(client, orphan)
        try:
            answer = kind.make(client, self._name())
        except ProviderError as error:
            if not orphans:
                raise
            raise OutcomeUnknown(
                f"The orphan was ended, and the new one not made: {error.message}", remedy="plan the step again"
            ) from None
        key_id, value = kind.made(answer)
        if not key_id or value is None:
            raise OutcomeUnknown(
                f"A {kind.title} was made, and the answer does not hold it", remedy="plan the step again"
            )
        return Outcome({"key_id": key_id, "kind": kind.title}, issued=Issued(key_id, value=value))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for exactly one that bears our mark, none of the orphans."""
        orphans = change.preconditions.get(_ORPHANS, "").split()
        try:
            found = self._kind().marked(client)
        except Unavailable:
            return Verdict.UNKNOWN
        if len(found) > 1:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if found and found[0] not in orphans else Verdict.DOES_NOT_HOLD

    def _kind(self) -> "_Tokens | _SecretIds":
        if self.consumer is None:
            raise ProviderError(
                "The server has no page where a holder could claim a token",
                remedy="let holders sign in by an auth method of their own, or give `consumer`",
            )
        thing = thing_of(self.subject) if self.subject.key_id else None
        if isinstance(thing, SecretId):
            return _SecretIds(thing.role)
        if not self.scopes:
            raise ProviderError(
                "A token without policies of its own would get all of ours",
                where="scopes",
                remedy="name the policies, at most those that credential.inspect found",
            )
        return _Tokens(self.scopes)

    def _name(self) -> str:
        consumer = self.consumer.id if self.consumer else ""
        return self.label or f"{self.subject.id or 'token'}-{consumer}"


@dataclass(frozen=True)
class _Tokens:
    """New tokens."""

    policies: tuple[str, ...]
    title: str = "token"

    def described(self) -> str:
        return f"token without a parent, with the policies {', '.join(self.policies)}"

    def marked(self, client: Client) -> list[str]:
        """Return the accessors of the live tokens that bear our mark."""
        mark = client.access.marker
        return [str(one["accessor"]) for one in client.tokens() if (one.get("meta") or {}).get(_MARK) == mark]

    def end(self, client: Client, accessor: str) -> None:
        Token(accessor, None).end(client)
        if client.token(accessor=accessor) is not None:
            raise OutcomeUnknown(f"The orphan {accessor} was revoked, and is still there", remedy="read back")

    def make(self, client: Client, name: str) -> Response:
        life = client.options.token_life
        body: dict[str, Any] = {
            "policies": list(self.policies),
            "no_default_policy": "default" not in self.policies,
            "display_name": name,
            "meta": {_MARK: client.access.marker},
            **({"ttl": f"{int(life.total_seconds())}s"} if life else {}),
        }
        return client.ask("POST", "auth/token/create-orphan", body=body, write=True, permission=CREATE)

    def made(self, answer: Response) -> tuple[str, Secret | None]:
        return str(_part(answer, "auth").get("accessor") or ""), answer.secret("auth", "client_token")


@dataclass(frozen=True)
class _SecretIds:
    """New secret ids of a role."""

    role: str
    title: str = "secret id"

    def described(self) -> str:
        return f"secret id of AppRole {self.role}, with what the role reaches"

    def marked(self, client: Client) -> list[str]:
        """Return the key ids of the live secret ids that bear our mark."""
        path = f"auth/{client.options.approle}/role/{self.role}/secret-id"
        found = []
        for accessor in client.names(path, permission=LIST_ROLE):
            shown = SecretId(self.role, accessor).look(client) or {}
            if (shown.get("metadata") or {}).get(_MARK) == client.access.marker:
                found.append(self._key_id(accessor))
        return found

    def end(self, client: Client, key_id: str) -> None:
        orphan = SecretId(self.role, key_id.rpartition("#")[2])
        orphan.end(client)
        if orphan.look(client) is not None:
            raise OutcomeUnknown(f"The orphan {key_id} was destroyed, and is still there", remedy="read back")

    def make(self, client: Client, name: str) -> Response:
        path = f"auth/{client.options.approle}/role/{self.role}/secret-id"
        # The API takes metadata as a text of JSON; each token that is opened with the secret id bears it, too.
        body = {"metadata": json.dumps({_MARK: client.access.marker, "name": name})}
        return client.ask("POST", path, body=body, write=True, permission=CREATE_IN_ROLE)

    def made(self, answer: Response) -> tuple[str, Secret | None]:
        accessor = str(_part(answer, "data").get("secret_id_accessor") or "")
        return (self._key_id(accessor) if accessor else ""), answer.secret("data", "secret_id")

    def _key_id(self, accessor: str) -> str:
        return f"approle:{self.role}#{accessor}"


def _part(answer: Response, name: str) -> Mapping[str, Any]:
    found = answer.json()
    part = found.get(name) if isinstance(found, dict) else None
    return part if isinstance(part, dict) else {}
