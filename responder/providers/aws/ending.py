"""An access key: whose it is, switching it off and on, deleting it, and proving that it is dead."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method the change and the options, needed or not

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict
from responder.credential import Disable, Inspect, Inspection, Probe, ProveDead, Revoke
from responder.errors import ProviderError, Unavailable
from responder.providers.aws.client import Client, user_in
from responder.providers.aws.keys import FINDING, Held, account_of, confirm_gone, find, held_by, key_of
from responder.providers.aws.pair import pair_of
from responder.providers.aws.policies import quarantines, simulated
from responder.providers.aws.refusals import DEAD, EXPIRED, Gone
from responder.providers.aws.sessions import READING, count_open
from responder.redaction import Secret

TELLING = (
    "iam:CreateUser", "iam:CreateAccessKey", "iam:AttachUserPolicy", "iam:PassRole", "sts:AssumeRole",
    "organizations:LeaveOrganization", "cloudtrail:StopLogging", "s3:ListAllMyBuckets", "s3:GetObject", "s3:PutObject",
    "s3:DeleteObject", "ec2:RunInstances", "ec2:CreateSnapshot", "lambda:UpdateFunctionCode", "lambda:InvokeFunction",
    "ecr:PutImage", "dynamodb:Scan", "rds:ModifyDBInstance", "secretsmanager:GetSecretValue", "ssm:GetParameter",
    "ssm:SendCommand", "kms:Decrypt", "ses:SendEmail", "sqs:ReceiveMessage", "bedrock:InvokeModel",
)  # fmt: skip
"""Actions that tell how bad it is; a key's reach is what of them its user may."""


class InspectKey(Inspect):
    """Read from IAM whose the key is, its state, its last use, and which of some telling actions its user may do.

    Where its value is known and IAM does not show us the key, the value is presented to `sts:GetCallerIdentity`, once.
    Facts besides the usual: `account` (read from the id, offline; of ids from before 2019 STS tells it), `user`,
    `created_at`, `quarantined` (AWS's own policies on the user, which are to stay), `reach_unknown` (why IAM's
    simulator did not tell what the user may do).
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *FINDING, "iam:SimulatePrincipalPolicy", "iam:GetUser", "iam:ListAttachedUserPolicies", "sts:GetAccessKeyInfo",
    )  # fmt: skip

    def read(self, client: Client) -> Outcome:
        """Look for the key at its owner; a key of nobody is dead only if its value is refused too, if we have it."""
        key_id = key_of(self, client)
        told = {"account": account_of(client, key_id)}
        held = find(client, key_id)
        if held is None:
            return self._unlisted(client, key_id, told)
        try:
            reach = simulated(client, held.user, TELLING)
        except Unavailable:
            raise
        except ProviderError as error:  # what the key may do is worth less than whether it lives
            reach, told["reach_unknown"] = (), error.message
        found = Inspection(
            state=held.state,
            owner=held.user,
            reach=reach,
            last_used_at=held.last_used,
            key_id=key_id,
        )
        more = {"user": held.user, "created_at": held.created_at.isoformat()}
        return Outcome({**found.model_dump(mode="json"), **told, **more, "quarantined": quarantines(client, held.user)})

    def _unlisted(self, client: Client, key_id: str, told: dict[str, str]) -> Outcome:
        found = Inspection(state="unknown", key_id=key_id)
        if self.subject.value is not None:
            shown = client.present("sts", "GetCallerIdentity", self.subject.value)
            told |= {"code": shown.code, "arn": str(shown.answer.get("Arn", ""))}
            if not shown.code:
                found = Inspection(state="live", owner=user_in(told["arn"]) or told["arn"], key_id=key_id)
                told["account"] = str(shown.answer.get("Account", ""))
            elif shown.code in DEAD:
                found = Inspection(state="dead", key_id=key_id)
        else:
            told["reason"] = confirm_gone(client, key_id)
            found = Inspection(state="dead", key_id=key_id)
        return Outcome({**found.model_dump(mode="json"), **told, "quarantined": []})


class DisableKey(Disable):
    """Switch the key off (`Inactive`); it can be switched on again. The user's other key and sessions go on working."""

    permissions: ClassVar[tuple[str, ...]] = (*FINDING, "iam:UpdateAccessKey")

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return what a person types or clicks."""
        return _typed("update-access-key --status Inactive", key_id, "Actions, Deactivate")

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the key's state from its owner's list."""
        key_id = key_of(self, client)
        held = find(client, key_id)
        if held is None:
            return Unchanged(confirm_gone(client, key_id), {"key_id": key_id})
        if held.state == "disabled":
            return Unchanged(f"the key {key_id} is switched off already", {"key_id": key_id, "user": held.user})
        return _switch(held, "Inactive", f"everything that uses the key; it was used last {held.last_used or 'never'}")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set the status of exactly this key."""
        user, key_id = change.preconditions["user"], key_of(self, client)
        client.ask("iam", "UpdateAccessKey", UserName=user, AccessKeyId=key_id, Status="Inactive")
        return Outcome({"key_id": key_id, "user": user})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the list again; IAM lists the new status before it is felt everywhere."""
        return _is_in(client, change.preconditions["user"], key_of(self, client), ("disabled", None))

    def inverse(self, change: Change) -> "EnableKey":
        """Return the action that switches it on again."""
        return EnableKey(user=change.preconditions["user"], key_id=change.preconditions["key_id"])


class EnableKey(Action):
    """Switch an access key on again, by its exact id. A key that leaked stays off."""

    name: ClassVar[str] = "aws.enable_key"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = ("iam:ListAccessKeys", "iam:UpdateAccessKey")

    user: str
    """The name of the IAM user whose key it is."""
    key_id: str
    """The whole id, `AKIA...`."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the key's state. ProviderError where the user has no such key."""
        held = next((one for one in held_by(client, self.user) if one.key_id == self.key_id), None)
        if held is None:
            raise ProviderError(f"The user {self.user} has no key {self.key_id}", remedy="a deleted key is gone")
        if held.state == "live":
            return Unchanged(f"the key {self.key_id} is switched on already")
        return _switch(held, "Active", "")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set the status of exactly this key."""
        client.ask("iam", "UpdateAccessKey", UserName=self.user, AccessKeyId=self.key_id, Status="Active")
        return Outcome({"key_id": self.key_id, "user": self.user})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the list again."""
        return _is_in(client, self.user, self.key_id, ("live",))

    def inverse(self, change: Change) -> None:
        """Return nothing: what was switched on on purpose is switched off on purpose."""
        return


class RevokeKey(Revoke):
    """Delete the key, by its exact id, for good. Sessions that it opened live on: end them, too.

    A deleted key is accepted for some seconds more (3-4 s measured, offensai.com); switch it off first.
    """

    permissions: ClassVar[tuple[str, ...]] = (*FINDING, "iam:DeleteAccessKey")

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return what a person types or clicks."""
        return _typed("delete-access-key", key_id, "Actions, Deactivate, then Delete")

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for the key everywhere; only where no user has it, nothing is left to do."""
        key_id = key_of(self, client)
        held = find(client, key_id)
        if held is None:
            return Unchanged(confirm_gone(client, key_id), {"key_id": key_id})
        return Change(
            target=f"access key {key_id} of {held.user}",
            before=held.state,
            after="deleted, for good",
            breaks="" if held.state == "disabled" else f"everything that uses it; last {held.last_used or 'never'}",
            preconditions={"user": held.user, "key_id": key_id},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Delete exactly this key; that there is none any more is for the list to say."""
        user, key_id = change.preconditions["user"], key_of(self, client)
        try:
            client.ask("iam", "DeleteAccessKey", UserName=user, AccessKeyId=key_id)
        except Gone:
            if any(one.key_id == key_id for one in held_by(client, user)):
                raise
        return Outcome({"key_id": key_id, "user": user})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the owner's list again."""
        return _is_in(client, change.preconditions["user"], key_of(self, client), (None,))


class ProveKeyDead(ProveDead):
    """Present the key to `sts:GetCallerIdentity` until STS has not known it for the whole propagation time.

    That call needs no permission, and no deny policy takes it away: it tells whether the key lives, and nothing else.
    Dead is `InvalidClientTokenId` alone (for a temporary key also `ExpiredToken`); a wrong signature or a missing
    permission proves nothing. Sessions that the key opened must be ended, too; CloudTrail shows them after about 15
    minutes, and where it cannot be read, death stays unknown.
    """

    permissions: ClassVar[tuple[str, ...]] = READING

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the one place that knows every key."""
        return ("sts",)

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once. A temporary key without its token is refused, dead or not: that shows nothing."""
        pair = pair_of(client.access.wire, value, "The value")
        shown = client.present("sts", "GetCallerIdentity", value)
        if not shown.code:
            return Probe.ACCEPTED
        if pair.is_temporary:
            refused = pair.token is not None and shown.code in DEAD | EXPIRED
            return Probe.REFUSED if refused else Probe.UNKNOWN
        return Probe.REFUSED if shown.code in DEAD else Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`: another key, of a user who may do nothing."""
        return client.access.control

    def open_sessions(self, client: Client) -> int | None:
        """Count the sessions that the key opened, and that nothing has ended; None where that cannot be told."""
        try:
            return count_open(client, key_of(self, client))
        except ProviderError:
            return None

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()


def _switch(held: Held, status: str, breaks: str) -> Change:
    return Change(
        target=f"access key {held.key_id} of {held.user}",
        before=held.state,
        after=status,
        breaks=breaks,
        preconditions={"user": held.user, "key_id": held.key_id},
    )


def _is_in(client: Client, user: str, key_id: str, wanted: Sequence[str | None]) -> Verdict:
    """Compare a key's state with those that are wanted; None among them stands for a key that is gone."""
    try:
        state = next((one.state for one in held_by(client, user) if one.key_id == key_id), None)
    except Unavailable:
        return Verdict.UNKNOWN
    if state == "unknown":
        return Verdict.UNKNOWN
    return Verdict.HOLDS if state in wanted else Verdict.DOES_NOT_HOLD


def _typed(command: str, key_id: str, clicks: str) -> str:
    key = key_id or "AKIA..."
    return (
        f"`aws iam {command} --access-key-id {key} --user-name NAME`, or in the console: IAM, Users, NAME, Security "
        f"credentials, Access keys, {key}, {clicks}. Whose it is tells `aws iam get-access-key-last-used "
        f"--access-key-id {key}`"
    )
