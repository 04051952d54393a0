"""What the code host keeps: tokens, repositories, people, alerts; and how it refuses."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from responder.drill.world.web import Answer, Rejected

SOURCE = "https://docs.github.com/rest"


class Refusal(Rejected):
    """A request is answered as GitHub's own errors look: a message, a page of its manual, and the status as text."""

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None, errors: list[Any] | None = None
    ) -> None:
        super().__init__(status, message)
        body: dict[str, Any] = {"message": message, "documentation_url": SOURCE, "status": str(status)}
        if errors is not None:
            body["errors"] = errors
        self.answer = Answer(status, body, headers=headers or {})


def not_found() -> Refusal:
    """Refuse as for a thing that is not there, or that the asker may not see: GitHub does not say which."""
    return Refusal(404, "Not Found")


@dataclass
class Token:
    """One token; its value stands under its label."""

    label: str
    kind: str
    """What its value begins with, such as `ghp_`."""
    owner: str
    """The login of its user; of the account of the installation, where it has no user."""
    scopes: tuple[str, ...] = ()
    """A classic token's; answers tell them."""
    permissions: Mapping[str, str] = field(default_factory=dict)
    """Those of a fine-grained token and of an installation's."""
    client_id: str = ""
    """The OAuth app that it was given to."""
    number: int = 0
    suspended: bool = False
    """Whether its installation or its user is suspended: it is refused with 403, and lives."""
    dies_at: datetime | None = None
    expires_at: datetime | None = None
    repositories: tuple[str, ...] | None = None
    """Those that an installation's token reaches; None: all of the account."""

    def lives(self, now: datetime) -> bool:
        """Tell whether it would be accepted."""
        return not any(end is not None and now >= end for end in (self.dies_at, self.expires_at))

    @property
    def is_app(self) -> bool:
        """Whether a GitHub App speaks, not a person."""
        return self.kind == "ghs_"


@dataclass
class App:
    """A GitHub App with one installation."""

    id: str
    slug: str
    public_key: str
    """PEM of the key that its own JWTs are checked with."""
    installation: str
    account: str
    permissions: Mapping[str, str]


@dataclass
class DeployKey:
    """One deploy key of a repository."""

    number: int
    title: str
    key: str
    """The public half: algorithm and base64, without a comment."""
    read_only: bool
    made_at: datetime
    added_by: str
    enabled: bool = True


@dataclass
class Repository:
    """One repository, with its deploy keys and environments."""

    name: str
    private: bool = True
    keys: dict[int, DeployKey] = field(default_factory=dict)
    environments: set[str] = field(default_factory=set)
    deploy_keys_allowed: bool = True


@dataclass
class Member:
    """Somebody's membership in the organisation."""

    login: str
    role: str = "member"
    state: str = "active"
    """`active`, or `pending` while an invitation is open."""
    direct: bool = True
    teams: tuple[str, ...] = ()
    """Enterprise teams that make them a member whatever the organisation does."""


@dataclass
class Grant:
    """The access to the organisation of somebody's fine-grained token."""

    number: int
    token_id: int
    label: str
    owner: str
    name: str
    granted_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Location:
    """A place where an alert's secret was seen."""

    kind: str
    details: Mapping[str, Any]


@dataclass
class Alert:
    """One secret scanning alert."""

    number: int
    repository: str
    label: str
    secret_type: str
    made_at: datetime
    publicly_leaked: bool
    locations: tuple[Location, ...]
    state: str = "open"
    resolution: str | None = None
    comment: str | None = None
    validity: str = "unknown"
    resolved_at: datetime | None = None
    resolved_by: str | None = None


@dataclass
class Kept:
    """A secret of GitHub Actions; nobody is shown its value."""

    value: str | None
    """None where what was sent cannot be opened with the place's own key."""
    made_at: datetime
    changed_at: datetime
    visibility: str = "private"
    selected: tuple[int, ...] = ()


def shown_at(moment: datetime | None) -> str | None:
    """Return a moment as GitHub shows it: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def basic(header: str) -> tuple[str, str] | None:
    """Return user and password of a Basic header; None where it is none."""
    kind, _, rest = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def user_shown(login: str) -> dict[str, Any]:
    """Return a user as lists show one."""
    return {"login": login, "id": sum(login.encode()), "type": "User", "site_admin": False}
