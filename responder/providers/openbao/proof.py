"""Proving that a credential is dead: presenting it, and asking the issuer's own record about it."""

# ruff: noqa: ARG002 - the contract hands every method the client, needed or not

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from responder.action import Observation, Observed
from responder.answer import Response
from responder.credential import Probe, ProveDead
from responder.errors import ProviderError
from responder.providers.openbao.client import LIST_ACCESSORS, LOOKUP, LOOKUP_ACCESSOR, Client
from responder.providers.openbao.credentials import opened_by
from responder.providers.openbao.subjects import Lease, SecretId, thing_of
from responder.redaction import Secret

LOOKUP_BY_VALUE = "update on auth/approle/role/ROLE/secret-id/lookup"

_ACCEPTED = 200
_NO_CONTENT = 204
_FORBIDDEN = 403
_SELF = "lookup-self"


class ProveCredentialDead(ProveDead):
    """Present a token until it is refused and the server knows it no more; of a secret id, until it knows it no more.

    A refusal alone is no death: a token is refused, too, where its policies do not let it ask who it is, or where it
    is bound to other addresses. So the server is asked about the value as well, with our own credential. A secret id
    is never tried at the login: where it still worked, that would make a token. Tokens of its role that are older
    than its first refusal are open sessions. Each presentation of a live token with `num_uses` spends one use.
    The `control` is a token or a secret id of the same role. A lease is proven dead at the system that it opens.
    """

    permissions: ClassVar[tuple[str, ...]] = (LOOKUP, LOOKUP_BY_VALUE, LIST_ACCESSORS, LOOKUP_ACCESSOR)

    def observe(self, client: Client, history: Sequence[Observed]) -> Observation:
        """Look once, and remember since when it is refused: what was opened later, another opened."""
        client.refused_since = _refused_since(history)
        return super().observe(client, history)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return where it is presented."""
        thing = thing_of(self.subject)
        if isinstance(thing, Lease):
            raise ProviderError(
                "What was leased is accepted elsewhere, not here",
                where=thing.title,
                remedy="prove it dead at the system that it opens, by a connection to that",
            )
        return ("secret-id lookup",) if isinstance(thing, SecretId) else (_SELF, "lookup")

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; silence, failures and our own want of a permission show nothing."""
        thing = thing_of(self.subject)
        try:
            if isinstance(thing, SecretId):
                return _known(client, thing.role, value)
            if surface == _SELF:
                return _taken(client, value)
            return Probe.REFUSED if client.token(value=value) is None else Probe.ACCEPTED
        except ProviderError:
            return Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def open_sessions(self, client: Client) -> int | None:
        """Count the tokens of the role that may come from the leaked secret id; a token's own end with it."""
        thing = thing_of(self.subject)
        if not isinstance(thing, SecretId):
            return 0
        since = (client.refused_since or client.access.clock.now()).timestamp()
        try:
            return sum(1 for one in opened_by(client, thing) if _seconds(one.get("creation_time")) <= since)
        except ProviderError:
            return None

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()


def _taken(client: Client, value: Secret) -> Probe:
    answer = client.ask("GET", "auth/token/lookup-self", permission="", token=value, expect=(_FORBIDDEN,))
    if answer.status == _ACCEPTED:
        return Probe.ACCEPTED
    # One that the server does not know gets the bare words, at HashiCorp's with `invalid token` beside them; one that
    # it knows, and that may not ask, gets them as a list of one.
    said = _errors(answer)
    known = said == ["permission denied"] or any("invalid token" in one for one in said)
    return Probe.REFUSED if known else Probe.UNKNOWN


def _known(client: Client, role: str, value: Secret) -> Probe:
    """Ask whether a secret id of this value exists: it is 204 without a word where it does not."""
    path = f"auth/{client.options.approle}/role/{role}/secret-id/lookup"
    answer = client.ask("POST", path, body={"secret_id": value}, permission=LOOKUP_BY_VALUE)
    if answer.status == _NO_CONTENT:
        return Probe.REFUSED
    found = answer.json()
    data = found.get("data") if isinstance(found, dict) else None
    return Probe.ACCEPTED if isinstance(data, dict) and data.get("secret_id_accessor") else Probe.UNKNOWN


def _errors(answer: Response) -> list[str]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return []
    said = found.get("errors") if isinstance(found, dict) else None
    return [str(one) for one in said] if isinstance(said, list) else []


def _refused_since(history: Sequence[Observed]) -> datetime | None:
    """Return when every surface refused it for the first time since it was accepted anywhere."""
    first: datetime | None = None
    for look in history:
        probes = set((look.facts.get("surfaces") or {}).values())
        if Probe.ACCEPTED.value in probes:
            first = None
        elif probes == {Probe.REFUSED.value} and first is None:
            first = look.at
    return first


def _seconds(value: Any) -> float:
    """Read a time in seconds; what is not told may be older than anything."""
    return float(value) if isinstance(value, int | float) else 0.0
