"""The other ways into a user whose key leaked, and closing them one by one."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import ClassVar

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.credential import Door, Doors
from responder.errors import Denied, ProviderError
from responder.providers.aws.client import Client
from responder.providers.aws.keys import FINDING, held_by, key_of
from responder.providers.aws.policies import OURS, arn_of, attached, quarantines, trusting
from responder.providers.aws.refusals import Gone
from responder.providers.aws.sessions import user_of

_LISTS = (
    ("SSH key", "ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId", "UploadDate"),
    ("product credential", "ListServiceSpecificCredentials", "ServiceSpecificCredentials",
     "ServiceSpecificCredentialId", "CreateDate"),
    ("signing certificate", "ListSigningCertificates", "Certificates", "CertificateId", "UploadDate"),
    ("second factor", "ListMFADevices", "MFADevices", "SerialNumber", "EnableDate"),
)  # fmt: skip
"""What IAM lists of a user: its kind here, the operation, the list in the answer, the id, and since when."""


class ListDoors(Doors):
    """List the other ways into the key's user: keys, password, policies, roles, and credentials of other kinds.

    IAM does not tell when an inline policy was written, a policy attached or a trust policy changed; such doors count
    as new. Our own policies and AWS's quarantine are no doors. What a user made besides (other users, functions,
    instances) no list of IAM's connects with it: read `credential.used` for that.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        *FINDING, "cloudtrail:LookupEvents", "iam:GetLoginProfile", "iam:ListUserPolicies",
        "iam:ListAttachedUserPolicies", "iam:ListRoles", "iam:GetUser",
        *(f"iam:{operation}" for _, operation, *_ in _LISTS),
    )  # fmt: skip

    def open_doors(self, client: Client) -> Iterator[Door]:
        """Yield every door; what we may not look at is unseen."""
        client.unseen.clear()
        key_id = key_of(self, client)
        user = user_of(client, key_id)
        for one in held_by(client, user):
            if one.key_id == key_id:
                continue
            yield Door(kind="access key", id=one.key_id, about=f"{one.state}, of {user}", opened_at=one.created_at)
        looks: list[tuple[str, Callable[[Client, str], Iterable[Door]]]] = [
            ("password", _password), ("inline policies", _inline), ("attached policies", _attached), ("roles", _roles),
        ]  # fmt: skip
        looks += [(row[0], partial(_listed, row)) for row in _LISTS]
        for what, look in looks:
            try:
                yield from list(look(client, user))
            except Denied:
                client.unseen.append(f"{what} of {user}: not allowed to look")

    def unseen(self, client: Client) -> Sequence[str]:
        """Return what we were not allowed to look at."""
        return client.unseen


def _password(client: Client, user: str) -> Iterator[Door]:
    try:
        profile = client.ask("iam", "GetLoginProfile", UserName=user)["LoginProfile"]
    except Gone:
        return
    yield Door(kind="password", id=f"password:{user}", about="signs in to the console", opened_at=profile["CreateDate"])


def _inline(client: Client, user: str) -> Iterator[Door]:
    for name in client.items("iam", "ListUserPolicies", "PolicyNames", UserName=user):
        if name not in OURS:
            yield Door(kind="inline policy", id=f"inline-policy:{user}/{name}", about="IAM does not tell since when")


def _attached(client: Client, user: str) -> Iterator[Door]:
    kept = quarantines(client, user)
    for name, arn in sorted(attached(client, user).items()):
        if name not in kept:
            yield Door(kind="attached policy", id=f"attached-policy:{user}/{arn}", about="IAM does not tell since when")


def _roles(client: Client, user: str) -> Iterator[Door]:
    for role in trusting(client, arn_of(client, user)):
        yield Door(kind="role trust", id=f"role:{role}", about=f"its trust policy names {user}")


def _listed(row: tuple[str, str, str, str, str], client: Client, user: str) -> Iterator[Door]:
    kind, operation, key, name, since = row
    for one in client.items("iam", operation, key, UserName=user):
        yield Door(kind=kind, id=str(one[name]), about=f"of {user}", opened_at=one.get(since))


class _Closing(Action):
    """Takes one thing away from a user, by its exact name."""

    effect: ClassVar[Effect] = Effect.FINAL
    what: ClassVar[str]
    operation: ClassVar[str]

    user: str
    """The name of the IAM user."""

    def names(self) -> dict[str, str]:
        """Return what the operation needs besides the user."""
        return {}

    def label(self) -> str:
        """Return which one it is, in words."""
        return f"{self.what} of {self.user}"

    @abstractmethod
    def is_there(self, client: Client) -> bool:
        """Look for it."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Look whether it is there."""
        if not self.is_there(client):
            return Unchanged(f"there is no {self.label()}")
        return Change(self.label(), "there", "deleted", f"whoever uses the {self.what}")

    def apply(self, client: Client, change: Change) -> Outcome:
        """Take exactly this one away; that it is gone is for the look afterwards to say."""
        try:
            client.ask("iam", self.operation, UserName=self.user, **self.names())
        except Gone:
            if self.is_there(client):
                raise
        return Outcome({"user": self.user, **self.names()})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look again."""
        return read_back(lambda: not self.is_there(client))


class DeleteLoginProfile(_Closing):
    """Take a user's console password away. Keys and open sessions of the console go on working."""

    name: ClassVar[str] = "aws.delete_login_profile"
    permissions: ClassVar[tuple[str, ...]] = ("iam:GetLoginProfile", "iam:DeleteLoginProfile")
    what: ClassVar[str] = "password"
    operation: ClassVar[str] = "DeleteLoginProfile"

    def is_there(self, client: Client) -> bool:
        """Ask for the profile."""
        return any(True for _ in _password(client, self.user))


class DeleteAccessKey(_Closing):
    """Delete another access key of a user, by its exact id. The key that we act with is refused."""

    name: ClassVar[str] = "aws.delete_access_key"
    permissions: ClassVar[tuple[str, ...]] = ("iam:ListAccessKeys", "iam:DeleteAccessKey")
    what: ClassVar[str] = "access key"
    operation: ClassVar[str] = "DeleteAccessKey"

    key_id: str
    """The whole id, `AKIA...`."""

    def names(self) -> dict[str, str]:
        """Return the key's id."""
        return {"AccessKeyId": self.key_id}

    def label(self) -> str:
        """Return the key's id and whose it is."""
        return f"access key {self.key_id} of {self.user}"

    def is_there(self, client: Client) -> bool:
        """Look for exactly this key. ProviderError where it is our own."""
        if client.own_pair().key_id == self.key_id:
            raise ProviderError(f"{self.key_id} is the key that we act with", remedy="act with another credential")
        return any(one.key_id == self.key_id for one in held_by(client, self.user))


class DeleteUserPolicy(_Closing):
    """Delete a policy that was written into a user, by its exact name. Our fence is lifted by `aws.lift_fence`."""

    name: ClassVar[str] = "aws.delete_user_policy"
    permissions: ClassVar[tuple[str, ...]] = ("iam:ListUserPolicies", "iam:DeleteUserPolicy")
    what: ClassVar[str] = "inline policy"
    operation: ClassVar[str] = "DeleteUserPolicy"

    policy: str
    """Its name."""

    def names(self) -> dict[str, str]:
        """Return the policy's name."""
        return {"PolicyName": self.policy}

    def label(self) -> str:
        """Return the policy's name and whose it is."""
        return f"inline policy {self.policy} of {self.user}"

    def is_there(self, client: Client) -> bool:
        """Look for a policy of exactly this name. ProviderError for our own."""
        if self.policy in OURS:
            raise ProviderError(f"{self.policy} is a policy of this response", remedy="lift a fence by aws.lift_fence")
        return self.policy in client.items("iam", "ListUserPolicies", "PolicyNames", UserName=self.user)


class DetachUserPolicy(_Closing):
    """Detach a policy from a user; the policy itself stays. AWS's own quarantine is refused: AWS says to leave it."""

    name: ClassVar[str] = "aws.detach_user_policy"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = ("iam:ListAttachedUserPolicies", "iam:DetachUserPolicy")
    what: ClassVar[str] = "attached policy"
    operation: ClassVar[str] = "DetachUserPolicy"

    policy_arn: str
    """Its whole ARN."""

    def names(self) -> dict[str, str]:
        """Return the policy's ARN."""
        return {"PolicyArn": self.policy_arn}

    def label(self) -> str:
        """Return the policy and whose it is."""
        return f"attached policy {self.policy_arn} of {self.user}"

    def is_there(self, client: Client) -> bool:
        """Look for a policy of exactly this ARN. ProviderError for AWS's quarantine."""
        found = attached(client, self.user)
        kept = {found[name] for name in quarantines(client, self.user)}
        if self.policy_arn in kept:
            raise ProviderError(
                f"{self.policy_arn} is AWS's own quarantine", remedy="close the case that AWS has opened about it"
            )
        return self.policy_arn in found.values()


class DeleteSshKey(_Closing):
    """Delete an SSH key that a user has for CodeCommit, by its exact id."""

    name: ClassVar[str] = "aws.delete_ssh_key"
    permissions: ClassVar[tuple[str, ...]] = ("iam:ListSSHPublicKeys", "iam:DeleteSSHPublicKey")
    what: ClassVar[str] = "SSH key"
    operation: ClassVar[str] = "DeleteSSHPublicKey"

    ssh_key: str
    """Its whole id, `APKA...`."""

    def names(self) -> dict[str, str]:
        """Return the key's id."""
        return {"SSHPublicKeyId": self.ssh_key}

    def label(self) -> str:
        """Return the key's id and whose it is."""
        return f"SSH key {self.ssh_key} of {self.user}"

    def is_there(self, client: Client) -> bool:
        """Look for exactly this key."""
        return _has(client, self.user, "SSH key", self.ssh_key)


class DeleteProductCredential(_Closing):
    """Delete a user's credential for a single product (CodeCommit, Keyspaces, Bedrock), by its exact id."""

    name: ClassVar[str] = "aws.delete_product_credential"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:ListServiceSpecificCredentials", "iam:DeleteServiceSpecificCredential",
    )  # fmt: skip
    what: ClassVar[str] = "product credential"
    operation: ClassVar[str] = "DeleteServiceSpecificCredential"

    credential_id: str
    """Its whole id, `ACCA...`."""

    def names(self) -> dict[str, str]:
        """Return the credential's id."""
        return {"ServiceSpecificCredentialId": self.credential_id}

    def label(self) -> str:
        """Return the credential's id and whose it is."""
        return f"product credential {self.credential_id} of {self.user}"

    def is_there(self, client: Client) -> bool:
        """Look for exactly this credential."""
        return _has(client, self.user, "product credential", self.credential_id)


def _has(client: Client, user: str, kind: str, id_: str) -> bool:
    row = next(row for row in _LISTS if row[0] == kind)
    return any(door.id == id_ for door in _listed(row, client, user))


CLOSING: tuple[type[Action], ...] = (
    DeleteLoginProfile,
    DeleteAccessKey,
    DeleteUserPolicy,
    DetachUserPolicy,
    DeleteSshKey,
    DeleteProductCredential,
)
"""What closes one of the doors that are listed."""
