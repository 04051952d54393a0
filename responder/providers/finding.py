"""A finding itself: leaving exactly this one alone for a while."""

# ruff: noqa: ARG002 - the contract hands every method the client and the change, needed or not

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access, Action, Change, Effect, Identity, Outcome, Provider, Verdict


class Suppress(Action):
    """Leave exactly this finding alone until a day: the same credential at the same place, and nothing else.

    A report of it then opens no run by itself, and is told why; whoever names a playbook responds all the same.
    Facts: `until`, `reason`.
    """

    name: ClassVar[str] = "finding.suppress"
    effect: ClassVar[Effect] = Effect.REVERSIBLE

    days: Annotated[int, Field(ge=1, le=366)]
    """For how many days."""
    reason: str

    def plan(self, client: Access) -> Change:
        """Say how long it will be left alone; nothing is read, for the record knows which finding it is."""
        return Change(
            "this very finding", "opens a run by itself", f"is left alone for {self.days} days: {self.reason}"
        )

    def apply(self, client: Access, change: Change) -> Outcome:
        """Return until when."""
        until = client.clock.now() + timedelta(days=self.days)
        return Outcome({"until": until.isoformat(), "reason": self.reason})

    def verify(self, client: Access, change: Change) -> Verdict:
        """Say that it holds: it does as soon as it is written."""
        return Verdict.HOLDS


class _NoOptions(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")


def _connect(access: Access) -> Access:
    return access


PROVIDER = Provider(
    name="finding", actions=(Suppress,), connect=_connect, identify=lambda _: Identity(""), options=_NoOptions
)
