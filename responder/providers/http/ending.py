"""Reading a key, ending it, ending its sessions, and proving that it is dead."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import json
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import (
    CredentialAction,
    Disable,
    EndSessions,
    Inspect,
    Inspection,
    Probe,
    ProveDead,
    Revoke,
    Sessions,
)
from responder.errors import ProviderError, Unavailable
from responder.providers.http.calls import Call
from responder.providers.http.client import Client, key_id_in, listed, word
from responder.providers.http.options import Options
from responder.redaction import Secret


class InspectKey(Inspect):
    """Read the key's state, owner, reach and last use from the system that issued it."""

    permissions: ClassVar[tuple[str, ...]] = ("keys.state",)

    def read(self, client: Client) -> Outcome:
        """Read, and return an Inspection as facts."""
        return Outcome(client.inspect(key_of(self, client)).model_dump(mode="json"))


class DisableKey(Disable):
    """Switch the key off as the connection describes; it can be switched on again."""

    permissions: ClassVar[tuple[str, ...]] = ("keys.state", "keys.disable")

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the described request, as a person sends it."""
        return _typed(options, options.keys.disable if isinstance(options, Options) else None, key_id)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the key's state; nothing is to be done where it is off already."""
        return _planned(self, client, done=("disabled", "dead"), after="disabled")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Send the described request; what its status says is noted, and not believed."""
        return _ended(self, client, client.options.keys.disable, "keys.disable")

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the state back."""
        return _verdict(self, client, done=("disabled", "dead"))


class RevokeKey(Revoke):
    """End the key for good as the connection describes."""

    permissions: ClassVar[tuple[str, ...]] = ("keys.state", "keys.revoke")

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the described request, as a person sends it."""
        return _typed(options, options.keys.revoke if isinstance(options, Options) else None, key_id)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the key's state; nothing is to be done where it is dead already."""
        return _planned(self, client, done=("dead",), after="revoked for good")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Send the described request; what its status says is noted, and not believed."""
        return _ended(self, client, client.options.keys.revoke, "keys.revoke")

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the state back."""
        return _verdict(self, client, done=("dead",))


class ListSessions(Sessions):
    """List the sessions that were opened with the key and are still open. Facts: `open`, `sessions`."""

    permissions: ClassVar[tuple[str, ...]] = ("keys.sessions",)

    def read(self, client: Client) -> Outcome:
        """Read the list."""
        found = open_sessions(client, key_of(self, client))
        return Outcome({"open": len(found), "sessions": found[:_MOST_SHOWN]})


class EndKeySessions(EndSessions):
    """End every session that was opened with the key."""

    permissions: ClassVar[tuple[str, ...]] = ("keys.sessions", "keys.end_sessions")

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the described request, as a person sends it."""
        return _typed(options, options.keys.end_sessions if isinstance(options, Options) else None, key_id)

    def plan(self, client: Client) -> Change | Unchanged:
        """Count the open sessions; nothing is to be done where there are none."""
        key_id = key_of(self, client)
        found = open_sessions(client, key_id)
        if not found:
            return Unchanged(f"no session of key {key_id} is open", {"key_id": key_id, "open": 0})
        return Change(
            target=f"sessions of key {key_id}",
            before=f"{len(found)} open",
            after="none open",
            breaks="whoever works in one of them must sign in again",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Send the described request."""
        return _ended(self, client, client.options.keys.end_sessions, "keys.end_sessions")

    def verify(self, client: Client, change: Change) -> Verdict:
        """Count again."""
        left = open_sessions(client, key_of(self, client))
        return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS


class ProveKeyDead(ProveDead):
    """Present the key at every described surface until all have refused it for the propagation time."""

    permissions: ClassVar[tuple[str, ...]] = ("none: the leaked value and the control speak for themselves",)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the described surfaces."""
        probe = client.options.keys.probe
        return list(probe.surfaces) if probe else ()

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; whatever is neither accepted nor refused is unknown."""
        probe = client.options.keys.probe
        if probe is None:
            return Probe.UNKNOWN
        try:
            status = client.present(probe.surfaces[surface], value, probe)
        except ProviderError:
            return Probe.UNKNOWN
        if status in probe.accepted:
            return Probe.ACCEPTED
        return Probe.REFUSED if status in probe.refused else Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def open_sessions(self, client: Client) -> int | None:
        """Count the open sessions; 0 where the system has none, None where it does not say."""
        if client.options.keys.sessions is None:
            return 0
        try:
            return len(open_sessions(client, key_of(self, client)))
        except ProviderError:
            return None

    def window(self, client: Client) -> float:
        """Return the described propagation time in seconds."""
        return client.options.keys.propagation.total_seconds()


_MOST_SHOWN = 100


def key_of(action: CredentialAction, client: Client) -> str:
    """Return the id of the run's key: as the run froze it, else read out of the value, offline."""
    subject = action.subject
    if subject.key_id:
        return subject.key_id
    found = None
    if subject.value is not None:
        found = client.access.wire.with_value(subject.value, lambda value: key_id_in(client.options, value))
    if not found:
        raise ProviderError(
            "Nobody knows the key's id",
            where="keys.shape",
            remedy="give `key_id` in the finding or the inventory",
        )
    return found


def open_sessions(client: Client, key_id: str) -> list[str]:
    """Return the ids of the open sessions of a key."""
    call = client.options.keys.sessions
    if call is None:
        return []
    data = client.ask(call, "keys.sessions", {"key_id": key_id}).json()
    return [
        word(one.get(call.id) if isinstance(one, dict) else one) for one in listed(data, call.items, "keys.sessions")
    ]


def _typed(options: BaseModel, call: Call | None, key_id: str) -> str:
    """Return a described request with what is known filled in; our own credential is not among it."""
    if call is None or not isinstance(options, Options):
        return ""
    address = call.address.replace("{key_id}", key_id or "KEY_ID")
    base = options.base_url.rstrip("/") if address.startswith("/") else ""
    body = f" with the body {json.dumps(call.body)}" if call.body is not None else ""
    return f"Send {call.method} {base}{address}{body}, as somebody who may; or do the same in its console."


def _planned(action: CredentialAction, client: Client, *, done: Sequence[str], after: str) -> Change | Unchanged:
    found = client.inspect(key_of(action, client))
    if found.state in done:
        return Unchanged(f"key {found.key_id} is {found.state} already", found.model_dump(mode="json"))
    return Change(target=f"key {found.key_id}", before=found.state, after=after, breaks=_breaks(found))


def _breaks(found: Inspection) -> str:
    who = f"everything that uses the key of {found.owner}" if found.owner else "everything that uses the key"
    return f"{who}; it was last used at {found.last_used_at}" if found.last_used_at else who


def _ended(action: CredentialAction, client: Client, call: Call | None, place: str) -> Outcome:
    if call is None:
        raise ProviderError(f"The connection does not describe {place}", where=place)
    key_id = key_of(action, client)
    answer = client.ask(call, place, {"key_id": key_id}, write=True)
    return Outcome({"key_id": key_id, "status": answer.status})


def _verdict(action: CredentialAction, client: Client, *, done: Sequence[str]) -> Verdict:
    try:
        state = client.inspect(key_of(action, client)).state
    except Unavailable:
        return Verdict.UNKNOWN
    if state == "unknown":
        return Verdict.UNKNOWN
    return Verdict.HOLDS if state in done else Verdict.DOES_NOT_HOLD
