"""What an account holds."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.drill.world.aws.policies import MANAGED, Timed


@dataclass
class Key:
    """An access key of a user."""

    id: str
    secret: str
    user: str
    created_at: datetime
    label: str
    status: str = "Active"
    refused_from: datetime | None = None
    deleted: bool = False
    last_used: tuple[datetime, str, str] | None = None
    """When, for which product, and in which region."""

    def accepted(self, now: datetime) -> bool:
        """Tell whether it is still taken; one that was deleted or switched off is, for some seconds."""
        return self.refused_from is None or now < self.refused_from


@dataclass
class User:
    """A user, with everything that leads in as this user."""

    name: str
    arn: str
    id: str
    created_at: datetime
    inline: Timed
    attached: Timed
    tags: dict[str, str] = field(default_factory=dict)
    password_since: datetime | None = None
    ssh_keys: dict[str, datetime] = field(default_factory=dict)
    product_credentials: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """By id: the product, and since when."""
    certificates: dict[str, datetime] = field(default_factory=dict)
    devices: dict[str, datetime] = field(default_factory=dict)

    def felt(self, now: datetime) -> list[str]:
        """Return the policies in force."""
        return [*self.inline.felt(now).values(), *(MANAGED.get(arn, "") for arn in self.attached.felt(now).values())]


@dataclass
class Role:
    """A role, and who may take it on."""

    name: str
    arn: str
    id: str
    path: str
    trust: str
    created_at: datetime
    inline: Timed

    def felt(self, now: datetime) -> list[str]:
        """Return the policies in force."""
        return list(self.inline.felt(now).values())


@dataclass
class Session:
    """A temporary key; it lives on when the key that opened it is ended."""

    id: str
    secret: str
    token: str
    owner: User | Role
    name: str
    opened_by: str
    """The id of the key that opened it."""
    opened_at: datetime
    ends_at: datetime


@dataclass
class Stored:
    """A secret of Secrets Manager, by versions."""

    name: str
    created_at: datetime
    versions: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    """Each stage, such as AWSCURRENT, and the version that has it."""
    changed_at: datetime | None = None
    deleted_at: datetime | None = None
    policy: str = ""


@dataclass
class Parameter:
    """A parameter of the store."""

    name: str
    kind: str
    value: str
    at: datetime
    version: int = 1
    description: str = ""
    key: str = "alias/aws/ssm"
    tier: str = "Standard"
    pattern: str = ""


@dataclass
class Event:
    """A row of CloudTrail."""

    at: datetime
    key_id: str
    user: str
    product: str
    name: str
    region: str
    shown: dict[str, Any]
