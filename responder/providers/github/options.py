"""What a connection to GitHub says of itself, and how things there are named."""

import re
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from responder.credential import Inspection
from responder.durations import Duration, duration
from responder.settings import BaseUrl

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?"
_DEPLOY_KEY = re.compile(rf"(?P<repository>{_NAME}/{_NAME})#(?P<number>[0-9]+)")

Repository = Annotated[str, Field(pattern=rf"^{_NAME}/{_NAME}$", max_length=200)]
"""`owner/name`."""
Login = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=80)]
"""The handle of a user or an organisation."""

APP_VERBS = frozenset({"inspect", "revoke", "prove_dead"})
"""What a connection as an OAuth app can do with the tokens that it was given."""


class Options(BaseModel):
    """A connection to GitHub; its secret is a credential of ours, never the leaked one.

    Without `app_id` and `client_id` the secret is a token (personal or of an installation). With `app_id` it is the
    private key of a GitHub App (PEM); tokens for its installation are fetched with it. With `client_id` it is the
    client secret of an OAuth app or a GitHub App, and the connection is for the users' tokens that this app was given.
    """

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True
    )

    base_url: BaseUrl = "https://api.github.com"
    """For a server of one's own (GHES): `https://HOST/api/v3`. There only personal tokens can be revoked by value, and
    whoever asks for it must sign in (GHES 3.19)."""
    organization: Login | None = None
    """The organisation of actions and keys that name none."""
    repositories: tuple[Repository, ...] = ()
    """Those whose deploy keys `inventory check` lists; where it is one alone, new deploy keys open it."""
    app_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]+$")] | None = None
    """The GitHub App's id or client id."""
    installation_id: Annotated[str, Field(pattern=r"^[0-9]+$")] | None = None
    """The installation of the app that we act as; needed with `app_id`."""
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """The app whose users' tokens this connection checks and ends."""
    issues: Literal["deploy-key", "installation-token"] | None = None
    """What `credential.issue` makes here. Users' tokens are made by their users, in their settings. An installation's
    token needs `app_id`, and dies within the hour: it is made for consumers with `short_lived: true` alone."""
    propagation: Duration = duration("60s")
    """How long a revoked token may still be taken: GitHub takes a revocation with 202, and carries it out later."""
    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = "2022-11-28"
    """The version of GitHub's API that is asked for."""

    @model_validator(mode="after")
    def _is_one_of_us(self) -> Self:
        if (self.app_id is None) != (self.installation_id is None):
            raise ValueError("`app_id` and `installation_id` belong together")
        if self.issues == "installation-token" and self.app_id is None:
            raise ValueError("`issues: installation-token` needs `app_id`: only an app makes such tokens")
        if self.app_id and self.client_id:
            raise ValueError("`app_id` and `client_id` exclude each other: the secret cannot be both")
        return self

    @property
    def is_enterprise_server(self) -> bool:
        """Whether this is a server of one's own (GHES), as its address says."""
        return self.base_url.endswith("/api/v3")

    @property
    def pages(self) -> str:
        """Where people look at what this API serves."""
        if self.is_enterprise_server:
            return self.base_url.removesuffix("/api/v3")
        return self.base_url.replace("://api.", "://", 1)

    def verbs(self) -> frozenset[str]:
        """Return the `credential` verbs of a connection with these options."""
        if self.client_id:
            return APP_VERBS
        issue = {"issue"} if self.issues else set()
        return APP_VERBS | {"doors", "deliver"} | issue


class DeployKeyId(NamedTuple):
    """A deploy key, as findings and inventories name it: `owner/repo#123`."""

    repository: str
    number: str

    def __str__(self) -> str:
        """Show it as it is written."""
        return f"{self.repository}#{self.number}"


def deploy_key_id(text: str) -> DeployKeyId | None:
    """Read the id of a deploy key; None where the text is none."""
    found = _DEPLOY_KEY.fullmatch(text)
    return DeployKeyId(found["repository"], found["number"]) if found else None


class Seen(NamedTuple):
    """What GitHub says of a token."""

    state: Literal["live", "dead", "unknown"]
    """`dead` only after the plain refusal of a credential that is none; `unknown` counts as live."""
    status: int = 0
    owner: str = ""
    reach: tuple[str, ...] = ()
    expires_at: str = ""
    key_id: str = ""

    def facts(self) -> dict[str, Any]:
        """Return it as the facts of `inspect`."""
        found = Inspection(state=self.state, owner=self.owner, reach=self.reach, key_id=self.key_id)
        return {**found.model_dump(mode="json"), "status": self.status, "expires_at": self.expires_at}
