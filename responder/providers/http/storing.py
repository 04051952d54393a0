"""The secret store: delivering a new credential to it, and asking the consumer whether it works."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from typing import Any, ClassVar

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import Deliver, TestConsumer
from responder.errors import ProviderError, Unavailable
from responder.providers.http.client import Client, at, word
from responder.providers.http.options import ReadSecret, WriteSecret

_MISSING = 404


class DeliverSecret(Deliver):
    """Write the credential into the described store, with a marker by which the write is recognised.

    A store that cannot hold a marker is compared by version: there a lost answer is a question for a person.
    """

    permissions: ClassVar[tuple[str, ...]] = ("secrets.read", "secrets.write")

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the secret's metadata, never its value."""
        _, read = _calls(client)
        found = _metadata(client, self.consumer.secret)
        version = word(at(found, read.version)) or "none"
        if read.marker and word(at(found, read.marker)) == self._mark(client):
            facts = {"secret": self.consumer.secret, "version": version}
            return Unchanged(f"version {version} of {self.consumer.secret} is this very value", facts)
        return Change(
            target=f"secret {self.consumer.secret}",
            before=f"version {version}",
            after=f"holds {self.value}",
            breaks=f"{self.consumer.id} uses the new value from its next read on",
            preconditions={} if read.marker else {"version": version},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write once."""
        write, _ = _calls(client)
        values: dict[str, Any] = {
            "name": self.consumer.secret,
            "value": self.value,
            "marker": self._mark(client),
        }
        answer = client.ask(write, "secrets.write", values, write=True)
        return Outcome({"secret": self.consumer.secret, "status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the metadata back."""
        _, read = _calls(client)
        try:
            found = _metadata(client, self.consumer.secret)
        except Unavailable:
            return Verdict.UNKNOWN
        if read.marker:
            same = word(at(found, read.marker)) == self._mark(client)
            return Verdict.HOLDS if same else Verdict.DOES_NOT_HOLD
        same = (word(at(found, read.version)) or "none") == change.preconditions.get("version")
        return Verdict.DOES_NOT_HOLD if same else Verdict.HOLDS

    def _mark(self, client: Client) -> str:
        # The fingerprint is part of it: a retried step may deliver another value than the first try did.
        return f"{client.access.marker} {self.value.fingerprint}"


class TestUse(TestConsumer):
    """Ask the consumer, as described, whether its new credential works. Facts: `ok`, `key_id`."""

    permissions: ClassVar[tuple[str, ...]] = ("secrets.test",)

    def read(self, client: Client) -> Outcome:
        """Ask once. Unavailable while it does not work yet: consumers read their store in their own time."""
        call = client.options.secrets.test
        if call is None:
            raise ProviderError("The connection does not describe secrets.test", where="secrets.test")
        values = {"name": self.consumer.secret, "consumer": self.consumer.id}
        data = client.ask(call, "secrets.test", values).json()
        ok, key_id = at(data, call.ok), word(at(data, call.key_id))
        if call.key_id and self.key_id and key_id != self.key_id:
            raise Unavailable(
                f"{self.consumer.id} still uses the key {key_id or 'unknown'}, not {self.key_id}",
                where="secrets.test",
                retry_after=1.0,
            )
        if ok is not True:
            raise Unavailable(
                f"{self.consumer.id} says that its credential does not work",
                where="secrets.test",
                retry_after=1.0,
            )
        return Outcome({"ok": True, "key_id": key_id, "consumer": self.consumer.id})


def _calls(client: Client) -> tuple[WriteSecret, ReadSecret]:
    secrets = client.options.secrets
    if secrets.write is None or secrets.read is None:
        raise ProviderError("The connection does not describe a secret store", where="secrets.write")
    return secrets.write, secrets.read


def _metadata(client: Client, name: str) -> Any:
    """Return what the store tells of a secret; None where it has none of that name."""
    _, read = _calls(client)
    answer = client.ask(read, "secrets.read", {"name": name}, expect=frozenset({_MISSING}))
    return None if answer.status == _MISSING else answer.json()
