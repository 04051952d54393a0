"""A leaked Hub token: whose it is, revoking it, and proving that it is dead."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method the change, needed or not

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from responder.action import Change, Effect, Observation, Observed, Outcome, Unchanged, Verdict
from responder.credential import CredentialAction, Inspect, Inspection, Probe, ProveDead, Revoke, check_replaced
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.huggingface.client import ADMIN, Client, Name, Options, WhoIs
from responder.redaction import Secret

_NONE = "none: the leaked token speaks for itself"
_SHUTS_OUT = f"{ADMIN}, on an Enterprise plan"
_OURS = "a valid token"


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

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return how its owner ends it, and how anybody does who has it."""
        base = options.base_url if isinstance(options, Options) else ""
        return (
            f"Let its owner delete it at {base}/settings/tokens; or let anybody who has it send POST "
            f'{base}/api/credentials/revoke with the body {{"credentials": ["TOKEN"]}}, read from a file.'
        )

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
        return look if look.last else look._replace(wait=max(look.wait, least))


class RevokeInOrganization(CredentialAction):
    """Shut the token out of one organisation of ours, for good; elsewhere it lives on, so nothing is contained by it.

    For a token of somebody else's account that must not be ended everywhere, or to be safe twice. It needs the value
    of the token, and an admin of the organisation, who cannot shut out a token of their own; its owner gets a mail.
    Enterprise plans have it (hub-docs, enterprise-tokens-management). What proves it is the Hub's word
    `token-revoked` about that organisation; its other restrictions (sso, ip, mfa, token-policy) can end by themselves.
    """

    verb: ClassVar[str] = "revoke_in_organization"
    name: ClassVar[str] = "huggingface.revoke_in_organization"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (_SHUTS_OUT,)

    organization: Name

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return where an admin does it."""
        return "Open the organisation's settings as its admin, and revoke the token in the list of tokens there."

    def plan(self, client: Client) -> Change | Unchanged:
        """Ask what the token reaches. An organisation that is not listed may be reached all the same."""
        if client.our_token() == _value(self):
            raise ProviderError(
                "An admin cannot shut out their own token",
                where=f"connections.{client.access.connection.name}",
                remedy="let another admin do it, or revoke the token everywhere",
            )
        found = client.who_is(_value(self))
        if found.state == "dead":
            return Unchanged("the Hub refuses the token everywhere already", {"state": "dead"})
        seat = found.seat(self.organization)
        if seat is not None and seat.is_shut_out:
            return Unchanged(f"{self.organization} has shut out the token already", {"state": found.state})
        return Change(
            target=f"Hugging Face token {_value(self).fingerprint} in {self.organization}",
            before=_standing(found, self.organization),
            after=f"shut out of {self.organization} for good; it lives on elsewhere",
            breaks=f"everything that reaches {self.organization} with it",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Ask for it."""
        path = f"/api/organizations/{self.organization}/settings/tokens/revoke"
        answer = client.ask("POST", path, permission=_SHUTS_OUT, write=True, body={"token": _value(self)})
        return Outcome({"status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Ask what the token reaches now."""
        try:
            found = client.who_is(_value(self))
        except Unavailable:
            return Verdict.UNKNOWN
        seat = found.seat(self.organization)
        if found.state == "dead" or (seat is not None and seat.is_shut_out):
            return Verdict.HOLDS
        return Verdict.UNKNOWN if found.state == "unknown" or seat is None else Verdict.DOES_NOT_HOLD


class CheckToken(CredentialAction):
    """Check that a new token is there: the connection's own token works, and is not the leaked one.

    It stands behind the task of the person who makes the token, and fails until that is done; the Hub has no API to
    make one. Facts: `account`, `key_id` (the token's name), `role`, `reach`.
    """

    verb: ClassVar[str] = "check_token"
    name: ClassVar[str] = "huggingface.check_token"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (_OURS,)

    def read(self, client: Client) -> Outcome:
        """Present the connection's own token once. ProviderError where it is the old one, Denied where it is dead."""
        place = f"connections.{client.access.connection.name}"
        check_replaced(
            self.subject,
            client.our_token(),
            place,
            "make a new token in the Hub's settings, and give it to the connection",
        )
        found = client.who_is(client.our_token())
        if found.state == "unknown" and found.status != _FORBIDDEN:
            raise Unavailable(f"The Hub does not say who the new token is ({found.status})", where="/api/whoami-v2")
        if found.state != "live":
            raise Denied(
                f"The Hub refuses the connection's token ({found.status})",
                where=place,
                remedy=f"our credential needs: {_OURS}; make one in the Hub's settings, and give it to the connection",
            )
        facts = {"account": found.name, "key_id": found.token_name, "role": found.role, "reach": list(found.reach)}
        return Outcome(facts)


_FORBIDDEN = 403


def _standing(found: WhoIs, organization: str) -> str:
    if found.state == "unknown":
        return f"unknown (the Hub answers {found.status})"
    seat = found.seat(organization)
    if seat is None:
        return f"live, of {found.name}; the Hub does not list {organization} for it"
    restricted = f", restricted by {', '.join(seat.restrictions)}" if seat.restrictions else ""
    return f"live, of {found.name}, {seat.role} there{restricted}"


def _value(action: CredentialAction) -> Secret:
    if action.subject.value is None:
        raise ProviderError(
            "The Hub knows a token by its value alone, and nobody has it",
            remedy="give the value with the finding, or let its owner revoke it in their settings",
        )
    return action.subject.value
