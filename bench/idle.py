"""The smallest provider that there can be: one action that reads nothing. What a step costs is then ours alone."""

import time
from typing import ClassVar

from pydantic import BaseModel

from responder.action import Access, Action, Effect, Identity, Outcome, Provider


class Options(BaseModel):
    """A connection needs nothing."""


class Nothing(Action):
    """Read nothing at all, for as long as it is told."""

    name: ClassVar[str] = "idle.nothing"
    effect: ClassVar[Effect] = Effect.READ
    seconds: float = 0.0

    def read(self, client: Access) -> Outcome:  # noqa: ARG002 - there is nothing to ask
        """Return nothing."""
        if self.seconds:
            time.sleep(self.seconds)
        return Outcome({})


PROVIDER = Provider(
    name="idle",
    actions=(Nothing,),
    connect=lambda access: access,
    identify=lambda _: Identity("acct-1"),
    options=Options,
)
