"""The incident itself: what a playbook may say about how it is contained."""

# ruff: noqa: ARG002 - the contract hands every method the client and the change, needed or not

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from responder.action import Access, Action, Change, Effect, Identity, Outcome, Provider, Verdict
from responder.durations import Duration


class Mode(Action):
    """Switch the containment mode, with its reason; everything that waits for approval is planned again.

    Towards A1 (kill) at once: let `if` name the event that demands it. Away from A1 the step needs `approval:`.
    Facts: `to`, `reason`, and `hard_stop` or `uncovered` if any.
    """

    name: ClassVar[str] = "incident.mode"
    effect: ClassVar[Effect] = Effect.REVERSIBLE

    to: Literal["A1", "A2", "B", "C"]
    reason: str
    within: Duration | None = None
    """For A2: after how long it is killed all the same."""
    uncovered: str = ""
    """For C: the part of the exposure over which nobody can show that it was dead or unused."""

    def plan(self, client: Access) -> Change:
        """Say what it will be; nothing is read, for the record knows what it is."""
        stop = f", to be killed within {self.within}" if self.within else ""
        without = f", without {self.uncovered}" if self.uncovered else ""
        return Change("containment mode", "as it stands", f"{self.to}{stop}{without}: {self.reason}")

    def apply(self, client: Access, change: Change) -> Outcome:
        """Return what the entry of the switch says."""
        facts = {"to": self.to, "reason": self.reason}
        if self.within is not None:
            facts["hard_stop"] = (client.clock.now() + timedelta(seconds=self.within.total_seconds())).isoformat()
        return Outcome({**facts, "uncovered": self.uncovered} if self.uncovered else facts)

    def verify(self, client: Access, change: Change) -> Verdict:
        """Say that it holds: it does as soon as it is written."""
        return Verdict.HOLDS


class _NoOptions(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")


def _connect(access: Access) -> Access:
    return access


PROVIDER = Provider(
    name="incident", actions=(Mode,), connect=_connect, identify=lambda _: Identity(""), options=_NoOptions
)
