"""The verbs that every credential provider may offer: their requests, their results, and how death is proven."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from responder.action import Action, Effect, Observation, Observed
from responder.errors import Unavailable
from responder.redaction import Secret
from responder.settings import Consumer, Holder


class Subject(BaseModel):
    """The credential that a run is about, as actions get it."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = ""
    """Its id in the inventory."""
    kind: str = ""
    connection: str = ""
    key_id: str = ""
    fingerprint: str = ""
    value: Secret | None = None


class CredentialAction(Action):
    """An action on the run's own credential. The runner fills `subject`; a playbook cannot."""

    verb: ClassVar[str]
    subject: Subject = Subject()


class Inspection(BaseModel):
    """What `inspect` finds."""

    model_config = ConfigDict(defer_build=True)

    state: Literal["live", "disabled", "dead", "unknown"]
    """`unknown` counts as live."""
    owner: str = ""
    reach: tuple[str, ...] = ()
    last_used_at: str = ""
    dead_since: str = ""
    """Since when it is dead, where its issuer tells; a time with its zone."""
    key_id: str = ""


class Inspect(CredentialAction):
    """Say whether the credential is live, whose it is, what it reaches, and when it was used last."""

    verb: ClassVar[str] = "inspect"
    name: ClassVar[str] = "credential.inspect"
    effect: ClassVar[Effect] = Effect.READ


class Disable(CredentialAction):
    """Make the credential stop working in a way that can be taken back."""

    verb: ClassVar[str] = "disable"
    name: ClassVar[str] = "credential.disable"
    effect: ClassVar[Effect] = Effect.REVERSIBLE


class Revoke(CredentialAction):
    """Make the credential stop working for good."""

    verb: ClassVar[str] = "revoke"
    name: ClassVar[str] = "credential.revoke"
    effect: ClassVar[Effect] = Effect.FINAL


class Sessions(CredentialAction):
    """List the sessions that were opened with the credential and are still open."""

    verb: ClassVar[str] = "sessions"
    name: ClassVar[str] = "credential.sessions"
    effect: ClassVar[Effect] = Effect.READ


class EndSessions(CredentialAction):
    """End every session that was opened with the credential."""

    verb: ClassVar[str] = "end_sessions"
    name: ClassVar[str] = "credential.end_sessions"
    effect: ClassVar[Effect] = Effect.REVERSIBLE


class Issue(CredentialAction):
    """Make a new credential for one holder or one consumer.

    A holder claims theirs at the issuer, so that its value never passes through us; a consumer's value is sealed
    until it is delivered. Facts: `key_id`, and `claim` or `value`.
    """

    verb: ClassVar[str] = "issue"
    name: ClassVar[str] = "credential.issue"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    idempotent: ClassVar[bool] = False

    holder: Holder | None = None
    consumer: Consumer | None = None
    label: str = ""
    """The new credential's name at its issuer; the step's marker is added to it."""
    scopes: tuple[str, ...] = ()
    """What it may reach; at most what the leaked credential did, as `credential.inspect` has read it."""
    wider: str = ""
    """Why it must reach more than that; a refusal says when it is needed."""


class Deliver(CredentialAction):
    """Put a new credential into the secret store from which a consumer reads it."""

    verb: ClassVar[str] = "deliver"
    name: ClassVar[str] = "credential.deliver"
    effect: ClassVar[Effect] = Effect.REVERSIBLE

    consumer: Consumer
    value: Secret


class TestConsumer(CredentialAction):
    """Ask a consumer to use what was delivered, and fail unless it works."""

    __test__ = False  # not a test case, whatever its name looks like to a test runner
    verb: ClassVar[str] = "test_consumer"
    name: ClassVar[str] = "credential.test_consumer"
    effect: ClassVar[Effect] = Effect.READ

    consumer: Consumer
    key_id: str = ""
    """The id of the new credential, so that the old one cannot pass for it."""


class Probe(StrEnum):
    """What one presentation of a credential showed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """A timeout, 429, 5xx or DNS failure: no proof of anything."""


REFUSALS = 3
"""How often every surface must refuse before death counts as proven; one refusal can be a fluke."""


class ProveDead(CredentialAction):
    """Present the leaked value from outside until every surface has refused it for the whole propagation window.

    A provider's subclass says what the surfaces are and how to present a value; the rules of proof are here. Facts:
    `verdict`, `first_refused_at`, `surfaces`, `refusals`, `sessions`.
    """

    verb: ClassVar[str] = "prove_dead"
    name: ClassVar[str] = "credential.prove_dead"
    effect: ClassVar[Effect] = Effect.READ

    def surfaces(self, client: Any) -> Sequence[str]:
        """Return every place where the credential could be accepted."""
        raise TypeError(f"{type(self).__name__} must say its surfaces")

    def present(self, client: Any, surface: str, value: Secret) -> Probe:
        """Present a value at a surface, once."""
        raise TypeError(f"{type(self).__name__} must say how to present a value")

    def control(self, client: Any) -> Secret | None:
        """Return a known-good credential for the same path; without one, a refusal is no proof."""
        raise TypeError(f"{type(self).__name__} must name its control")

    def open_sessions(self, client: Any) -> int | None:
        """Return how many sessions are open; None where it cannot be told."""
        return 0

    def window(self, client: Any) -> float:
        """Return the propagation window in seconds."""
        raise TypeError(f"{type(self).__name__} must know its propagation")

    def observe(self, client: Any, history: Sequence[Observed]) -> Observation:
        """Look once at every surface; dead only when all looks since the last acceptance span the window."""
        window = self.window(client)
        wait = max(1.0, window / REFUSALS)
        probes = self._look(client)
        facts: dict[str, Any] = {"surfaces": {name: probe.value for name, probe in probes.items()}}
        if Probe.ACCEPTED in probes.values():
            return Observation("alive", last=False, wait=min(wait, 5.0), facts=facts)
        sessions = self.open_sessions(client)
        facts["sessions"] = sessions
        if Probe.UNKNOWN in probes.values() or sessions is None:
            return Observation("unknown", last=False, wait=wait, facts=facts)
        if sessions:
            return Observation("sessions open", last=False, wait=min(wait, 5.0), facts=facts)
        refused = refusals_since_acceptance(history)
        facts["refusals"] = len(refused) + 1
        now = client.access.clock.now()
        first = refused[0].at if refused else now
        facts["first_refused_at"] = first.isoformat()
        spanned = (now - first).total_seconds() >= window
        if len(refused) + 1 >= REFUSALS and spanned:
            return Observation("dead", last=True, ok=True, facts={**facts, "verdict": "dead"})
        return Observation("refused", last=False, wait=wait, facts=facts)

    def _look(self, client: Any) -> dict[str, Probe]:
        """Present the leaked value everywhere, and beside it the control; a refused control proves nothing."""
        if self.subject.value is None:
            return {"value": Probe.UNKNOWN}
        control = self.control(client)
        known_good = control is not None and control != self.subject.value
        probes: dict[str, Probe] = {}
        for surface in self.surfaces(client):
            probe = self._presented(client, surface, self.subject.value)
            if probe is Probe.REFUSED:
                accepted = known_good and self._presented(client, surface, control) is Probe.ACCEPTED
                probe = Probe.REFUSED if accepted else Probe.UNKNOWN
            probes[surface] = probe
        return probes or {"surface": Probe.UNKNOWN}

    def _presented(self, client: Any, surface: str, value: Secret | None) -> Probe:
        """Present a value once; a surface that cannot be reached or is busy shows nothing."""
        if value is None:
            return Probe.UNKNOWN
        try:
            return self.present(client, surface, value)
        except Unavailable:
            return Probe.UNKNOWN


def refusals_since_acceptance(history: Sequence[Observed]) -> list[Observed]:
    """Return the looks that refused everywhere, since the last that was accepted anywhere or found sessions open."""
    refused: list[Observed] = []
    for look in history:
        if look.verdict == "refused":
            refused.append(look)
        elif look.verdict != "unknown":
            refused = []
    return refused


VERBS: dict[str, type[CredentialAction]] = {
    verb.verb: verb
    for verb in (Inspect, Disable, Revoke, Sessions, EndSessions, Issue, Deliver, TestConsumer, ProveDead)
}
"""Every verb, by its name in playbooks after `credential.`."""
