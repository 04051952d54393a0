"""The smallest provider that there can be: one action that reads nothing. What a start costs is then ours alone."""

from typing import ClassVar

from pydantic import BaseModel

from responder.action import Access, Action, Effect, Identity, Outcome, Provider


class Options(BaseModel):
    """A connection needs nothing."""


class Nothing(Action):
    """Read nothing at all."""

    name: ClassVar[str] = "idle.nothing"
    effect: ClassVar[Effect] = Effect.READ

    def read(self, client: Access) -> Outcome:  # noqa: ARG002 - there is nothing to ask
        """Return nothing."""
        return Outcome({})


PROVIDER = Provider(
    name="idle",
    actions=(Nothing,),
    connect=lambda access: access,
    identify=lambda _: Identity("acct-1"),
    options=Options,
)
