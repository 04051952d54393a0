"""A leaked Hub token: whose it is, revoking it, and proving that it is dead."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from responder.action import Change, Observation, Observed, Outcome, Unchanged, Verdict
from responder.credential import CredentialAction, Inspect, Inspection, Probe, ProveDead, Revoke
from responder.errors import ProviderError, Unavailable
from responder.providers.huggingface.client import Client
from responder.redaction import Secret

_NONE = "none: the leaked token speaks for itself"


class InspectToken(Inspect):
    """Present the leaked token to the Hub once: is it live, whose is it, and what does it reach."""

    permissions: ClassVar[tuple[str, ...]] = (_NONE,)

    def read(self, client: Client) -> Outcome:
        """Ask who the token is; without its value, or where the Hub does not say, the state is unknown."""
        if self.subject.value is None:
            return Outcome(Inspection(state="unknown").model_dump(mode="json"))
        found = client.who_is(self.subject.value)
        reach = (*found.reach, f"role {found.role}") if found.role else found.reach
        inspection = Inspection(state=found.state, owner=found.name, reach=reach, key_id=found.token_name)
        return Outcome({**inspection.model_dump(mode="json"), "role": found.role, "status": found.status})


class RevokeToken(Revoke):
    """Revoke the token everywhere, at once and for good; its owner gets one mail about it from the Hub."""

    permissions: ClassVar[tuple[str, ...]] = ("none: whoever knows a token may revoke it",)

    def plan(self, client: Client) -> Change | Unchanged:
        """Ask who the token is; only a plain refusal means that nothing is left to do."""
        found = client.who_is(_value(self))
        if found.state == "dead":
            return Unchanged("the Hub refuses the token already", {"state": "dead", "status": found.status})
        whose = f"live, of {found.name}" if found.name else f"unknown (the Hub answers {found.status})"
        return Change(
            target=f"Hugging Face token {self.subject.fingerprint or _value(self).fingerprint}",
            before=whose,
            after="revoked everywhere, for good",
            breaks="everything that uses the token"
            + (f", which reaches {', '.join(found.reach)}" if found.reach else ""),
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Ask for the revocation; the Hub always answers 202, whatever it did."""
        return Outcome({"status": client.revoke(_value(self))})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Present the token again; only a plain refusal proves anything."""
        try:
            state = client.who_is(_value(self)).state
        except Unavailable:
            return Verdict.UNKNOWN
        return {"dead": Verdict.HOLDS, "live": Verdict.DOES_NOT_HOLD}.get(state, Verdict.UNKNOWN)


class ProveTokenDead(ProveDead):
    """Present the token to the Hub, slowly, until it was refused three times beside one that works."""

    permissions: ClassVar[tuple[str, ...]] = (_NONE,)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the one place that takes every token."""
        return ("whoami",)

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; too many questions, failures and silence prove nothing."""
        try:
            state = client.who_is(value).state
        except ProviderError:
            return Probe.UNKNOWN
        return {"dead": Probe.REFUSED, "live": Probe.ACCEPTED}.get(state, Probe.UNKNOWN)

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()

    def observe(self, client: Client, history: Sequence[Observed]) -> Observation:
        """Look once, and wait as long as the Hub wants to be left alone."""
        look = super().observe(client, history)
        least = max(client.options.pace.total_seconds(), client.asked_to_wait)
        return look if look.last else dataclasses.replace(look, wait=max(look.wait, least))


def _value(action: CredentialAction) -> Secret:
    if action.subject.value is None:
        raise ProviderError(
            "The Hub knows a token by its value alone, and nobody has it",
            remedy="give the value with the finding, or let its owner revoke it in their settings",
        )
    return action.subject.value
