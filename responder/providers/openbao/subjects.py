"""What a credential is here: a token, an AppRole's secret id, or a lease; read from its id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from responder.credential import Subject
from responder.errors import ProviderError
from responder.providers.openbao.client import Client, data_of, errors_of, refusal
from responder.redaction import Secret

REVOKE_ACCESSOR = "update on auth/token/revoke-accessor"
REVOKE = "update on auth/token/revoke"
FIND_IN_ROLE = "update on auth/approle/role/ROLE/secret-id-accessor/lookup"
DESTROY_IN_ROLE = "update on auth/approle/role/ROLE/secret-id-accessor/destroy"
LOOKUP_LEASE = "update on sys/leases/lookup"
REVOKE_LEASE = "update on sys/leases/revoke"

_BAD = 400
_MISSING = 404
_FAILED = 500
_SECRET_ID = re.compile(r"approle:(?P<role>[^#/\s]+)#(?P<accessor>\S+)")


class Thing(Protocol):
    """One credential at the server."""

    @property
    def title(self) -> str:
        """What plans call it."""

    @property
    def breaks(self) -> str:
        """What ends together with it."""

    def look(self, client: Client) -> dict[str, Any] | None:
        """Read it; None where the server says that there is none."""

    def end(self, client: Client) -> int:
        """End it for good, and return the status, which proves nothing."""


@dataclass(frozen=True)
class Token:
    """A token, by its accessor, its value, or both."""

    accessor: str
    value: Secret | None

    @property
    def title(self) -> str:
        """Name it by its accessor; who has the accessor alone cannot act with the token."""
        return f"token {self.accessor}" if self.accessor else f"token {self.value}"

    @property
    def breaks(self) -> str:
        """Name the tree below it."""
        return (
            "everything that uses it; its child tokens end with it, and every lease that any of them holds goes into "
            "a queue to be ended: passwords at databases, keys at clouds"
        )

    def look(self, client: Client) -> dict[str, Any] | None:
        """Look it up by all that is known of it. ProviderError where value and accessor are two tokens."""
        if self.value is None:
            return client.token(accessor=self.accessor)
        found = client.token(value=self.value)
        if not self.accessor:
            return found
        shown = str((found or {}).get("accessor") or "")
        stranger = shown != self.accessor if found else client.token(accessor=self.accessor) is not None
        if stranger:
            told = f"belongs to accessor {shown}" if found else "is dead"
            raise ProviderError(
                f"The accessor {self.accessor} and the leaked value are not the same token: the value {told}",
                where=f"token {self.accessor}",
                remedy="correct the key id in the finding or the inventory",
            )
        return found

    def end(self, client: Client) -> int:
        """Revoke exactly this token, and with it its children."""
        if self.accessor:
            path, body, permission = "auth/token/revoke-accessor", {"accessor": self.accessor}, REVOKE_ACCESSOR
            return client.ask("POST", path, body=body, write=True, permission=permission).status
        return client.ask("POST", "auth/token/revoke", body={"token": self.value}, write=True, permission=REVOKE).status


@dataclass(frozen=True)
class SecretId:
    """A secret id of an AppRole, by its accessor."""

    role: str
    accessor: str

    @property
    def title(self) -> str:
        """Name it by role and accessor."""
        return f"secret id {self.accessor} of AppRole {self.role}"

    @property
    def breaks(self) -> str:
        """Say that the tokens stay."""
        return (
            f"whoever signs in as {self.role} with it, from the next time on; "
            "tokens that it opened before go on working until credential.end_sessions"
        )

    def look(self, client: Client) -> dict[str, Any] | None:
        """Read it. It is 404 where it is gone, and 500 where the whole role is."""
        path = f"auth/{client.options.approle}/role/{self.role}/secret-id-accessor/lookup"
        body = {"secret_id_accessor": self.accessor}
        answer = client.ask("POST", path, body=body, permission=FIND_IN_ROLE, expect=(_MISSING, _FAILED))
        told = errors_of(answer)
        if answer.status == _MISSING and "failed to find accessor entry" in told:
            return None
        if answer.status == _FAILED and f'role "{self.role}" does not exist' in told:
            return None
        if answer.status in (_MISSING, _FAILED):
            raise refusal(client, answer, FIND_IN_ROLE)
        return data_of(answer)

    def end(self, client: Client) -> int:
        """Destroy exactly this secret id. One that is gone already answers 500, which proves nothing."""
        path = f"auth/{client.options.approle}/role/{self.role}/secret-id-accessor/destroy"
        body = {"secret_id_accessor": self.accessor}
        return client.ask("POST", path, body=body, write=True, permission=DESTROY_IN_ROLE).status


@dataclass(frozen=True)
class Lease:
    """A lease, by its id: what it stands for ends at the system that it opens."""

    lease_id: str

    @property
    def title(self) -> str:
        """Name it by its id."""
        return f"lease {self.lease_id}"

    @property
    def breaks(self) -> str:
        """Say what ends."""
        return "everything that uses what was leased: its account at the system behind is removed"

    def look(self, client: Client) -> dict[str, Any] | None:
        """Read it; 400 `invalid lease` where there is none."""
        answer = client.ask(
            "POST", "sys/leases/lookup", body={"lease_id": self.lease_id}, permission=LOOKUP_LEASE, expect=(_BAD,)
        )
        if answer.status != _BAD:
            return data_of(answer)
        if "invalid lease" in errors_of(answer):
            return None
        raise refusal(client, answer, LOOKUP_LEASE)

    def end(self, client: Client) -> int:
        """Revoke it, and wait until that is done: without `sync` the server only puts it in a queue."""
        body = {"lease_id": self.lease_id, "sync": True}
        return client.ask("POST", "sys/leases/revoke", body=body, write=True, permission=REVOKE_LEASE).status


def thing_of(subject: Subject) -> Token | SecretId | Lease:
    """Tell what a credential is by its id: `approle:ROLE#ACCESSOR`, a lease's path, or a token's accessor."""
    key_id = subject.key_id
    secret_id = _SECRET_ID.fullmatch(key_id)
    if secret_id:
        return SecretId(secret_id["role"], secret_id["accessor"])
    if key_id.startswith("approle:"):
        raise ProviderError(
            f"{key_id!r} names no secret id", where="key_id", remedy="write it as approle:ROLE#ACCESSOR"
        )
    if "/" in key_id:
        return Lease(key_id)
    if not key_id and subject.value is None:
        raise ProviderError(
            "Nobody knows which token it is",
            where="key_id",
            remedy="give the value with the finding, or its accessor as `key_id`",
        )
    return Token(key_id, subject.value)


def reach_of(token: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the policies of a token: its own, and those of the entity that it speaks for."""
    return tuple(dict.fromkeys([*(token.get("policies") or ()), *(token.get("identity_policies") or ())]))
