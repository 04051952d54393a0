"""The verbs that every credential provider may offer, with their requests and their results."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Effect
from responder.errors import ProviderError
from responder.redaction import Secret
from responder.settings import Consumer, Holder
from responder.subject import CredentialAction, Subject


def check_replaced(leaked: Subject, ours: Secret, place: str, remedy: str) -> None:
    """Raise ProviderError where a connection still acts with the leaked value, or where nobody can tell."""
    if not leaked.fingerprint and leaked.value is None:
        raise ProviderError(
            "Nobody knows the leaked token's value, so the new one cannot be told from it",
            where=place,
            remedy="give the value or its fingerprint with the finding, or let a person look",
        )
    if ours == leaked.value or ours.fingerprint == leaked.fingerprint:
        raise ProviderError("The connection still acts with the leaked token", where=place, remedy=remedy)


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


class Fence(CredentialAction):
    """Restrict the live credential, in a way that can be taken back, so that outsiders are refused.

    A fence is no containment: the credential lives. Facts: `fenced_by`, what does it at the provider.
    """

    verb: ClassVar[str] = "fence"
    name: ClassVar[str] = "credential.fence"
    effect: ClassVar[Effect] = Effect.REVERSIBLE

    allow: tuple[str, ...] = ()
    """The networks from which it goes on working, such as `192.0.2.0/24`; none where the provider fences otherwise."""
    cap_cents: int | None = Field(None, ge=1)
    """Spending in cents of US dollars a month above which calls are refused, where the provider fences so."""


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
