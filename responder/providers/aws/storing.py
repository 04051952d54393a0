"""Secrets Manager and Parameter Store: putting a new credential where a consumer reads it, and seeing it used."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import hashlib
import json
import re
from typing import Any, ClassVar, NamedTuple

from responder.action import Change, Outcome, PlaceSeen, Unchanged, Verdict
from responder.credential import Deliver, TestConsumer
from responder.errors import ProviderError, Unavailable
from responder.providers.aws.client import Client
from responder.providers.aws.keys import shown_time
from responder.providers.aws.pair import as_stored
from responder.providers.aws.refusals import Gone

_MARK = 16
_MOST_DESCRIPTION = 1024
_MARKED = re.compile(r" ?\[responder [0-9a-f]+ v\d+\]$")


class Place(NamedTuple):
    """Where a consumer reads its secret: `secretsmanager:NAME` or `ssm:NAME`."""

    store: str
    name: str


class DeliverSecret(Deliver):
    """Write the credential into `Secrets Manager` or Parameter Store.

    The consumer's `secret` is `secretsmanager:NAME-OR-ARN` or `ssm:/NAME`. It must exist; the whole of it is replaced.
    An access key is written as the JSON that AWS's own `credential_process` reads (`Version`, `AccessKeyId`,
    `SecretAccessKey`); any other value as it is. In `Secrets Manager` the version's id is made of the value and the
    step, so that a second try is the same version. A parameter must be a `SecureString`; its key, tier, pattern and
    description are kept, and the description ends in a mark; its policies, such as an expiry, are not. It takes
    `kms:GenerateDataKey` or `kms:Encrypt` where a key of your own encrypts it.
    """

    permissions: ClassVar[tuple[str, ...]] = (
        "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue", "ssm:DescribeParameters", "ssm:PutParameter",
    )  # fmt: skip

    def plan(self, client: Client) -> Change | Unchanged:
        """Read what the store tells of the place, never its value."""
        place = place_of(self.consumer.secret)
        version, done = self._state(client, place)
        if done:
            facts = {"secret": self.consumer.secret, "version": version}
            return Unchanged(f"version {version} of {self.consumer.secret} is this very value", facts)
        return Change(
            target=f"secret {self.consumer.secret}",
            before=f"version {version}",
            after=f"holds {self.value}",
            breaks=f"{self.consumer.id} uses the new value from its next read on",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write once."""
        place = place_of(self.consumer.secret)
        if place.store == "ssm":
            version = self._put_parameter(client, place.name)
        else:
            version = self._token(client)
            client.access.wire.with_value(
                self.value,
                lambda value: client.ask(
                    "secretsmanager",
                    "PutSecretValue",
                    SecretId=place.name,
                    ClientRequestToken=version,
                    SecretString=as_stored(value),
                ),
            )
        return Outcome({"secret": self.consumer.secret, "version": version})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read what the store tells again."""
        try:
            _, done = self._state(client, place_of(self.consumer.secret))
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if done else Verdict.DOES_NOT_HOLD

    def _state(self, client: Client, place: Place) -> tuple[str, bool]:
        """Return the current version, and whether it is our own write."""
        if place.store == "ssm":
            found = _parameter(client, place.name)
            version = str(found["Version"])
            return version, str(found.get("Description", "")).endswith(self._mark(client, version))
        stages = _secret(client, place.name).get("VersionIdsToStages") or {}
        current = next((version for version, held in stages.items() if "AWSCURRENT" in held), "none")
        token = self._token(client)
        if token in stages and token != current:
            raise ProviderError(
                f"{place.name} held this value, and somebody has written another one since",
                remedy="find out who did; a rotation of Secrets Manager's own is one who might",
            )
        return current, token == current

    def _put_parameter(self, client: Client, name: str) -> str:
        found = _parameter(client, name)
        version = str(int(found["Version"]) + 1)
        pattern = {"AllowedPattern": found["AllowedPattern"]} if found.get("AllowedPattern") else {}
        mark = self._mark(client, version)
        kept = _MARKED.sub("", str(found.get("Description", "")))[: _MOST_DESCRIPTION - len(mark) - 1]
        client.access.wire.with_value(
            self.value,
            lambda value: client.ask(
                "ssm",
                "PutParameter",
                Name=name,
                Value=as_stored(value),
                Type="SecureString",
                KeyId=str(found["KeyId"]),
                Tier=str(found.get("Tier", "Standard")),
                Description=f"{kept} {mark}".strip(),
                Overwrite=True,
                **pattern,
            ),
        )
        return version

    def _token(self, client: Client) -> str:
        # The fingerprint is part of it: a retried step may deliver another value than the first try did.
        return hashlib.sha256(f"{client.access.marker} {self.value.fingerprint}".encode()).hexdigest()

    def _mark(self, client: Client, version: str) -> str:
        return f"[responder {self._token(client)[:_MARK]} v{version}]"


class TestUse(TestConsumer):
    """Ask IAM whether the new access key was used: it was made for one consumer alone. Facts: `ok`, `last_used_at`.

    That shows a first call that AWS accepted the signature of, not that the consumer may do all that it needs.
    """

    permissions: ClassVar[tuple[str, ...]] = ("iam:GetAccessKeyLastUsed",)

    def read(self, client: Client) -> Outcome:
        """Ask once. Unavailable until it was used: consumers read their store in their own time."""
        if not self.key_id:
            raise ProviderError("Nobody says which key is the new one", where="key_id", remedy="give `key_id`")
        answer = client.ask("iam", "GetAccessKeyLastUsed", AccessKeyId=self.key_id)
        used = answer.get("AccessKeyLastUsed") or {}
        if not (at := shown_time(used.get("LastUsedDate"))):
            raise Unavailable(f"{self.consumer.id} has not used the key {self.key_id} yet", retry_after=5.0)
        facts = {"ok": True, "key_id": self.key_id, "consumer": self.consumer.id, "last_used_at": at}
        return Outcome({**facts, "product": str(used.get("ServiceName", "")), "region": str(used.get("Region", ""))})


def place_of(secret: str) -> Place:
    """Read a consumer's `secret`. ProviderError where it is no place of ours."""
    store, _, name = secret.partition(":")
    if store not in ("secretsmanager", "ssm") or not name:
        raise ProviderError(
            f"{secret!r} is no place in AWS", remedy="write it as secretsmanager:NAME or ssm:/NAME of the parameter"
        )
    return Place(store, name)


def seen(client: Client, secret: str) -> PlaceSeen:
    """Look at a consumer's place; a secret whose own policy lets anybody read is exposed."""
    place = place_of(secret)
    try:
        if place.store == "ssm":
            return PlaceSeen(exists=True, updated_at=shown_time(_parameter(client, place.name).get("LastModifiedDate")))
        found = _secret(client, place.name)
    except Gone:
        return PlaceSeen(exists=False)
    policy = client.ask("secretsmanager", "GetResourcePolicy", SecretId=place.name).get("ResourcePolicy")
    return PlaceSeen(True, shown_time(found.get("LastChangedDate")), _lets_anybody(policy))


def _lets_anybody(policy: str | None) -> bool:
    statements = (json.loads(policy) if policy else {}).get("Statement") or []
    return any(
        one.get("Effect") == "Allow" and one.get("Principal") in ("*", {"AWS": "*"}) and not one.get("Condition")
        for one in (statements if isinstance(statements, list) else [statements])
    )


def _secret(client: Client, name: str) -> dict[str, Any]:
    found = client.ask("secretsmanager", "DescribeSecret", SecretId=name)
    if found.get("DeletedDate"):
        raise Gone(f"The secret {name} is being deleted", remedy="restore it first, or name another")
    return found


def _parameter(client: Client, name: str) -> dict[str, Any]:
    """Return what is told of a parameter. Gone where there is none, ProviderError where it is kept in clear."""
    asked = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    found = list(client.items("ssm", "DescribeParameters", "Parameters", ParameterFilters=asked))
    if not found:
        raise Gone(f"There is no parameter {name}", remedy="make it first, as a SecureString")
    if found[0].get("Type") != "SecureString":
        raise ProviderError(
            f"The parameter {name} is a {found[0].get('Type')}: it keeps what it holds in clear",
            remedy="make a SecureString of another name, as a parameter's type cannot be changed",
        )
    return dict(found[0])
