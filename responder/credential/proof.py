"""How death, and a fence, are proven: the value is presented again and again, and every look is on the record."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from responder.action import Effect, Observation, Observed
from responder.errors import Unavailable
from responder.redaction import Secret
from responder.settings import Consumer
from responder.subject import CredentialAction


class Probe(StrEnum):
    """What one presentation of a credential showed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """A timeout, 429, 5xx or DNS failure: no proof of anything."""


class Presented(NamedTuple):
    """What came of presenting a credential once, and what was answered."""

    state: Probe
    status: int = 0
    data: Mapping[str, Any] = {}


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
        return Probe.UNKNOWN if value is None else _quietly(self.present, client, surface, value)


class ProveFenced(CredentialAction):
    """Show that a fence refuses outsiders on every surface, and nobody who is known to use the credential.

    A provider's subclass says where outsiders stand and how a consumer's path is tried; the rules are here. Facts:
    `verdict`, `surfaces`, `paths`, and `newly_refused`, the consumers that it would stop.
    """

    verb: ClassVar[str] = "prove_fenced"
    name: ClassVar[str] = "credential.prove_fenced"
    effect: ClassVar[Effect] = Effect.READ

    consumers: tuple[Consumer, ...] = ()
    """Everybody who must go on being accepted."""

    def surfaces(self, client: Any) -> Sequence[str]:
        """Return every place where an outsider could present the credential."""
        raise TypeError(f"{type(self).__name__} must say its surfaces")

    def present(self, client: Any, surface: str) -> Probe:
        """Present the fenced value at a surface from outside, once."""
        raise TypeError(f"{type(self).__name__} must say how to present a value")

    def path(self, client: Any, consumer: Consumer) -> Probe:
        """Say whether the credential is accepted on a consumer's own path."""
        raise TypeError(f"{type(self).__name__} must say how to try a consumer's path")

    def window(self, client: Any) -> float:
        """Return the propagation window of a fence in seconds."""
        raise TypeError(f"{type(self).__name__} must know its propagation")

    def observe(self, client: Any, history: Sequence[Observed]) -> Observation:
        """Look once, outside and on every path; fenced only when all looks since the last opening span the window."""
        window = self.window(client)
        wait = max(1.0, window / REFUSALS)
        outside = {surface: _quietly(self.present, client, surface) for surface in self.surfaces(client)}
        paths = {one.id: _quietly(self.path, client, one) for one in self.consumers}
        stopped = [name for name, probe in paths.items() if probe is Probe.REFUSED]
        facts: dict[str, Any] = {
            "surfaces": {name: probe.value for name, probe in outside.items()},
            "paths": {name: probe.value for name, probe in paths.items()},
            "newly_refused": stopped,
        }
        if Probe.ACCEPTED in outside.values():
            return Observation("open", last=False, wait=min(wait, 5.0), facts=facts)
        if not outside or Probe.UNKNOWN in {*outside.values(), *paths.values()}:
            return Observation("unknown", last=False, wait=wait, facts=facts)
        if stopped:
            return Observation("stops consumers", last=False, wait=wait, facts=facts)
        refused = refusals_since_acceptance(history)
        facts["refusals"] = len(refused) + 1
        now = client.access.clock.now()
        first = refused[0].at if refused else now
        if len(refused) + 1 >= REFUSALS and (now - first).total_seconds() >= window:
            return Observation("fenced", last=True, ok=True, facts={**facts, "verdict": "fenced"})
        return Observation("refused", last=False, wait=wait, facts=facts)


def _quietly(look: Callable[..., Probe], *given: Any) -> Probe:
    """Look once; what cannot be reached or is busy shows nothing."""
    try:
        return look(*given)
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
