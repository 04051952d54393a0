"""Fencing a user whose key leaked: everything is denied, except from where it is known to be used."""

# ruff: noqa: ARG002, ARG003 - the contract hands every method the change and the options, needed or not

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, ClassVar

from pydantic import BaseModel

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.credential import Fence, Probe, ProveFenced
from responder.errors import ProviderError
from responder.providers.aws.client import Client
from responder.providers.aws.keys import FINDING, key_of, not_our_own, owned
from responder.providers.aws.policies import FENCE, arn_of, decisions, quarantines, write, written
from responder.providers.aws.refusals import FORBIDDEN, is_explicit
from responder.settings import Consumer

_ASKED = (
    "s3:GetObject", "s3:PutObject", "sqs:SendMessage", "dynamodb:GetItem", "ec2:DescribeInstances", "iam:GetUser",
)  # fmt: skip
"""Some actions of different services: under the fence every one is denied, whatever the user may do else."""


class FenceUser(Fence):
    """Deny everything to the key's user by a policy named `responder-fence`, except from the networks in `allow`.

    It binds the whole user: both keys, the password, and the sessions. Who comes through a VPC endpoint has no
    `aws:SourceIp`, and is denied; what AWS itself calls in the user's name (`aws:ViaAWSService`) goes on. The key
    stays alive, and `sts:GetCallerIdentity` answers it still. A change of a policy takes some minutes to be felt.
    A quarantine that AWS attached stays; facts name it in `quarantined`.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *FINDING, "iam:GetUserPolicy", "iam:PutUserPolicy", "iam:ListAttachedUserPolicies",
    )  # fmt: skip

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return what a person types to deny everything."""
        return (
            "`aws iam attach-user-policy --user-name NAME --policy-arn arn:aws:iam::aws:policy/AWSDenyAll`; NAME is "
            f"told by `aws iam get-access-key-last-used --access-key-id {key_id or 'AKIA...'}`"
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Compare the policy with the one that is wanted."""
        if self.cap_cents is not None:
            raise ProviderError("AWS has no cap on what a key spends", where="cap_cents", remedy="fence by `allow`")
        user = owned(client, key_of(self, client)).user
        not_our_own(client, user, "The fence")
        wanted, found = fence(self.allow), written(client, "User", user, FENCE)
        if found == wanted:
            return Unchanged(f"the policy {FENCE} of {user} says so already", self._facts(client, user))
        stays = "".join(f"; AWS's own {name} is there, and stays" for name in quarantines(client, user))
        return Change(
            target=f"policy {FENCE} of the user {user}",
            before=("another fence" if found else "no fence") + stays,
            after="denies everything, except from " + (", ".join(_networks(self.allow)) or "nowhere"),
            breaks=f"whatever {user} does from elsewhere, with any key or session, through VPC endpoints too",
            preconditions={"user": user},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write the policy."""
        user = change.preconditions["user"]
        write(client, "User", user, FENCE, fence(self.allow))
        return Outcome(self._facts(client, user))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the policy again; IAM lists it before it is felt."""
        return read_back(lambda: written(client, "User", change.preconditions["user"], FENCE) == fence(self.allow))

    def inverse(self, change: Change) -> "LiftFence":
        """Return the action that takes the fence away."""
        return LiftFence(user=change.preconditions["user"])

    def _facts(self, client: Client, user: str) -> dict[str, Any]:
        return {"user": user, "fenced_by": f"policy {FENCE}", "quarantined": quarantines(client, user)}


class LiftFence(Action):
    """Delete the policy `responder-fence` of a user; no other policy, and never AWS's own quarantine."""

    name: ClassVar[str] = "aws.lift_fence"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = ("iam:GetUserPolicy", "iam:DeleteUserPolicy")

    user: str
    """The name of the IAM user."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for the policy."""
        if written(client, "User", self.user, FENCE) is None:
            return Unchanged(f"the user {self.user} has no policy {FENCE}")
        return Change(f"policy {FENCE} of the user {self.user}", "there", "deleted")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Delete it."""
        client.ask("iam", "DeleteUserPolicy", UserName=self.user, PolicyName=FENCE)
        return Outcome({"user": self.user})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look again."""
        return read_back(lambda: written(client, "User", self.user, FENCE) is None)


class ProveUserFenced(ProveFenced):
    """Call `iam:GetUser` with the leaked key from where we stand, until IAM says that a deny stops it.

    Where we stand must be outside of the networks that the fence lets through.

    Only an explicit deny counts: a key that may not call it anyway shows nothing of the fence. A consumer's path is
    simulated with the first of its networks in `seen_as`: it is refused where every action is denied from there.
    The simulator knows a policy as soon as it is written; that it is felt, the calls from outside show.
    """

    permissions: ClassVar[tuple[str, ...]] = (*FINDING, "iam:GetUser", "iam:SimulatePrincipalPolicy")

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the product that is asked; every product asks IAM."""
        return ("iam",)

    def present(self, client: Client, surface: str) -> Probe:
        """Present the value once. `sts:GetCallerIdentity` would not do: no deny takes that away."""
        if self.subject.value is None:
            return Probe.UNKNOWN
        shown = client.present("iam", "GetUser", self.subject.value)
        if not shown.code:
            return Probe.ACCEPTED
        return Probe.REFUSED if shown.code in FORBIDDEN and is_explicit(shown.answer) else Probe.UNKNOWN

    def path(self, client: Client, consumer: Consumer) -> Probe:
        """Simulate a consumer's calls; one whose networks nobody knows cannot be tried."""
        address = next((first for one in consumer.seen_as if (first := _first_address(one))), "")
        if not address:
            return Probe.UNKNOWN
        user = owned(client, key_of(self, client)).user
        context = {"aws:SourceIp": ("ip", address), "aws:ViaAWSService": ("boolean", "false")}
        found = decisions(client, arn_of(client, user), _ASKED, context)
        return Probe.REFUSED if set(found.values()) == {"explicitDeny"} else Probe.ACCEPTED

    def window(self, client: Client) -> float:
        """Return the connection's `policy_propagation` in seconds."""
        return client.options.policy_propagation.total_seconds()


def fence(allow: Sequence[str]) -> dict[str, Any]:
    """Return the policy that denies everything, except from some networks."""
    statement: dict[str, Any] = {"Sid": "ResponderFence", "Effect": "Deny", "Action": "*", "Resource": "*"}
    if allow:
        statement["Condition"] = {
            "NotIpAddress": {"aws:SourceIp": _networks(allow)},
            "Bool": {"aws:ViaAWSService": "false"},
        }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _networks(allow: Sequence[str]) -> list[str]:
    try:
        return [str(ip_network(one, strict=False)) for one in allow]
    except ValueError:
        raise ProviderError("A network is not understood", where="allow", remedy="write it like 192.0.2.0/24") from None


def _first_address(sign: str) -> str:
    try:
        network = ip_network(sign, strict=False)
    except ValueError:
        return ""
    return str(network.network_address + (1 if network.num_addresses > 2 else 0))  # noqa: PLR2004 - not the network's
