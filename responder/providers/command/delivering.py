"""Delivering a value by a command, and asking the consumer by another."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from typing import ClassVar

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import Deliver, TestConsumer
from responder.errors import ProviderError, Unavailable
from responder.providers.command.client import Client

_DELIVER = "what the connection's `deliver` command needs"
_SHOW = "what the connection's `show` command needs"
_TEST = "what the connection's `test` command needs"
_MOST_SHOWN = 80


class DeliverByCommand(Deliver):
    """Hand the value to the connection's `deliver` command, on its standard input and nowhere else.

    The connection's `show` command is asked before and after it which value is in place: it prints the `{marker}` that
    `deliver` was given. What the commands write is shown without any part of the value, or not at all. Facts: `secret`,
    `marker`.
    """

    permissions: ClassVar[tuple[str, ...]] = (_DELIVER, _SHOW)

    def plan(self, client: Client) -> Change | Unchanged:
        """Ask which value is in place."""
        shown = self._shown(client)
        if shown == client.mark(self.value):
            return Unchanged(f"{self._place} has this very value, as `show` prints its marker", self._facts(client))
        return self._change(client, f"`show` prints {shown[:_MOST_SHOWN]!r}" if shown else "`show` prints nothing")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Run the command once."""
        client.deliver(self.value, self._given(client), _DELIVER)
        return Outcome(self._facts(client))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Ask again."""
        try:
            shown = self._shown(client)
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if shown == client.mark(self.value) else Verdict.DOES_NOT_HOLD

    def _change(self, client: Client, before: str) -> Change:
        breaks = f"{self.consumer.id} uses the new value from its next read on"
        if client.options.value_in:
            breaks += f"; the command gets it in the variable {client.options.value_in}, where its login can read it"
        return Change(
            target=f"{self._place}, by {client.options.deliver[0]}",
            before=before,
            after=f"holds {self.value}",
            breaks=breaks,
        )

    @property
    def _place(self) -> str:
        return f"secret {self.consumer.secret} of {self.consumer.id}"

    def _given(self, client: Client) -> dict[str, str]:
        return {"name": self.consumer.secret, "consumer": self.consumer.id, "marker": client.mark(self.value)}

    def _facts(self, client: Client) -> dict[str, str]:
        return {"secret": self.consumer.secret, "marker": client.mark(self.value)}

    def _shown(self, client: Client) -> str:
        if not client.options.show:
            raise ProviderError("The connection has no `show` command", where="show")
        return client.look(client.options.show, self._given(client), _SHOW, self.value)


class DeliverUnseen(DeliverByCommand):
    """The same for a connection without `show`: the command's exit code is all that there is.

    Where its answer is lost, a person says whether it happened.
    """

    permissions: ClassVar[tuple[str, ...]] = (_DELIVER,)
    readback: ClassVar[bool] = False

    def plan(self, client: Client) -> Change | Unchanged:
        """Say what would be done; nobody can be asked what is in place."""
        return self._change(client, "not known: the connection has no `show`")

    def verify(self, client: Client, change: Change) -> Verdict:
        """Believe the command: it ended with 0."""
        return Verdict.HOLDS


class AskByCommand(TestConsumer):
    """Run the connection's `test` command until it ends with 0. Facts: `ok`, `consumer`, `key_id`.

    `key_id` is empty unless the command is given `{key_id}`: another one cannot tell the new credential from the old.
    """

    permissions: ClassVar[tuple[str, ...]] = (_TEST,)

    def read(self, client: Client) -> Outcome:
        """Ask once. Unavailable while it does not work: consumers read their secrets in their own time."""
        argv = client.options.test
        if not argv:
            raise ProviderError("The connection has no `test` command", where="test")
        given = {"name": self.consumer.secret, "consumer": self.consumer.id, "key_id": self.key_id}
        client.look(argv, given, _TEST)
        asked = any("{key_id}" in word for word in argv)
        return Outcome({"ok": True, "consumer": self.consumer.id, "key_id": self.key_id if asked else ""})
