"""A leaked key: what it is, switching it off, archiving it, and proving that it is dead."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import CredentialAction, Disable, Inspect, Inspection, Probe, ProveDead, Revoke
from responder.errors import ProviderError, Unavailable
from responder.providers.anthropic.client import READ, WRITE, Client
from responder.providers.anthropic.keys import Record, candidates, key_of, path_of, record_of
from responder.redaction import Secret

_CONSOLE = "https://platform.claude.com/settings/keys"


class InspectKey(Inspect):
    """Present the leaked key to Anthropic, and look it up among the organisation's keys.

    A key that is taken is live, whatever the list says. One that is refused, with 401 and the type
    `authentication_error`, is what the list says: `inactive` is disabled, `archived` and `expired` are dead. The record
    is found by `key_id`, or by the first and last characters of Anthropic's hint; where several look alike, `key_id`
    stays empty and `candidates` names them. Anthropic tells no last use here: see `credential.used`. Facts besides
    those of `credential.inspect`: `status` (of the answer), `listed_as`, `name`, `workspace`, `candidates`.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ,)

    def read(self, client: Client) -> Outcome:
        """Present the value where there is one, then read the record."""
        value = self.subject.value
        looked, status = presented(client, value) if value is not None else (Probe.UNKNOWN, 0)
        found = candidates(client, self.subject)
        record = found[0] if len(found) == 1 else None
        workspace = f"workspace {record.workspace or 'default'}" if record else ""
        inspection = Inspection.model_validate(
            {
                "state": _state(record, looked),
                "owner": record.maker if record else "",
                "reach": (workspace,) if workspace else (),
                "dead_since": record.expires_at if record and record.status == "expired" else "",
                "key_id": record.key_id if record else "",
            }
        )
        facts = {
            "status": status,
            "listed_as": record.status if record else "",
            "name": record.name if record else "",
            "workspace": record.workspace if record else "",
            "candidates": [one.key_id for one in found],
        }
        return Outcome({**inspection.model_dump(mode="json"), **facts})


class DisableKey(Disable):
    """Switch the key off: Anthropic calls it inactive.

    No action switches it on again: a leaked key never comes back. After a false alarm, a person does it in the Console.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:  # noqa: ARG003 - it is the same for all
        """Return where a person does it."""
        return f"Disable the key {key_id or '(compare its last characters)'} at {_CONSOLE}."

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the key's status."""
        return _planned(self, client, done=("inactive", "archived", "expired"), after="inactive")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set the status; what the answer says is noted, and not believed."""
        return _set(client, change)

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the status back."""
        return _verdict(client, change, done=("inactive", "archived", "expired"))


class RevokeKey(Revoke):
    """Archive the key: it stops working for good, and stays in the list."""

    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:  # noqa: ARG003 - it is the same for all
        """Return where a person does it."""
        return f"Delete the key {key_id or '(compare its last characters)'} at {_CONSOLE}."

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the key's status."""
        return _planned(self, client, done=("archived", "expired"), after="archived")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set the status; what the answer says is noted, and not believed."""
        return _set(client, change)

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the status back."""
        return _verdict(client, change, done=("archived", "expired"))


class ProveKeyDead(ProveDead):
    """Present the key where Anthropic takes its kind, until it has been refused for the propagation time.

    An API key is presented where models are listed, an Admin API key where the organisation is shown; the
    connection's `control` must be of the same kind.
    """

    permissions: ClassVar[tuple[str, ...]] = ("none: the leaked key and the control speak for themselves",)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the place that takes a key of this kind."""
        return (client.surface_of(self.subject.value),) if self.subject.value is not None else ()

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; whatever is no plain answer is unknown."""
        try:
            return client.present(surface, value).state
        except ProviderError:
            return Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()


def presented(client: Client, value: Secret) -> tuple[Probe, int]:
    """Present a key once; return what came of it, and the status."""
    try:
        look = client.present(client.surface_of(value), value)
    except Unavailable:
        return Probe.UNKNOWN, 0
    return look.state, look.status


def _state(record: Record | None, looked: Probe) -> str:
    """Unite what the list says with what presenting showed; where they contradict, nothing is known."""
    if looked is Probe.ACCEPTED:
        return "live"
    if record is None:
        return "dead" if looked is Probe.REFUSED else "unknown"
    return "unknown" if record.state == "live" and looked is Probe.REFUSED else record.state


def _planned(action: CredentialAction, client: Client, *, done: Sequence[str], after: str) -> Change | Unchanged:
    record = record_of(client, action.subject)
    if record.status in done:
        facts = {"key_id": record.key_id, "state": record.state, "listed_as": record.status}
        return Unchanged(f"key {record.key_id} is {record.status} already", facts)
    return Change(
        target=f"API key {record.key_id}",
        before=f"{record.status or 'unknown'}, named {record.name}",
        after=after,
        breaks=f"everything that uses the key {record.name or record.key_id}",
        preconditions={"key_id": record.key_id},
    )


def _set(client: Client, change: Change) -> Outcome:
    key_id = change.preconditions["key_id"]
    answer = client.ask("POST", path_of(key_id), permission=WRITE, write=True, body={"status": change.after})
    return Outcome({"key_id": key_id, "status": answer.status})


def _verdict(client: Client, change: Change, *, done: Sequence[str]) -> Verdict:
    try:
        record = key_of(client, change.preconditions["key_id"])
    except Unavailable:
        return Verdict.UNKNOWN
    if record is None or record.state == "unknown":
        return Verdict.UNKNOWN
    return Verdict.HOLDS if record.status in done else Verdict.DOES_NOT_HOLD
