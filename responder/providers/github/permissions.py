"""What our own credential needs, in GitHub's words, and how it is seen whether it has it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

NONE = "none: the leaked token speaks for itself"
ANYBODY = "none: whoever knows a token may revoke it"
APP_SECRET = "the client secret of the app that the token was given to"  # noqa: S105 - the name of one
APP_KEY = "the private key of a GitHub App (`app_id`)"

KEYS_READ = "repository permission Administration: read (classic scope repo)"
KEYS_WRITE = "repository permission Administration: write (classic scope repo)"
SECRETS_WRITE = "repository permission Secrets: write (classic scope repo)"
ENVIRONMENTS_WRITE = "repository permission Environments: write (classic scope repo)"
ORGANIZATION_SECRETS = "organization permission Secrets: write (classic scope admin:org)"
MEMBERS_WRITE = "organization permission Members: write (classic scope admin:org)"
BLOCKING_WRITE = "organization permission Blocking users: write (classic scope admin:org)"
GRANTS_WRITE = "organization permission Personal access tokens: write, as a GitHub App; no token of a user has it"
GRANTS_READ = "organization permission Personal access tokens: read, as a GitHub App; no token of a user has it"
ALERTS_WRITE = "repository permission Secret scanning alerts: write (classic scope repo or security_events)"
ALERTS_READ = "repository permission Secret scanning alerts: read (classic scope repo or security_events)"


class Need(NamedTuple):
    """One permission as answers name it: an app's, or the scopes any of which is enough for a classic token."""

    permission: str
    level: str
    scopes: tuple[str, ...]


_NEEDS: Mapping[str, Need] = {
    KEYS_READ: Need("administration", "read", ("repo",)),
    KEYS_WRITE: Need("administration", "write", ("repo",)),
    SECRETS_WRITE: Need("secrets", "write", ("repo",)),
    ENVIRONMENTS_WRITE: Need("environments", "write", ("repo",)),
    ORGANIZATION_SECRETS: Need("organization_secrets", "write", ("admin:org",)),
    MEMBERS_WRITE: Need("members", "write", ("admin:org",)),
    BLOCKING_WRITE: Need("organization_user_blocking", "write", ("admin:org",)),
    GRANTS_WRITE: Need("organization_personal_access_tokens", "write", ()),
    GRANTS_READ: Need("organization_personal_access_tokens", "read", ()),
    ALERTS_WRITE: Need("secret_scanning_alerts", "write", ("repo", "security_events")),
    ALERTS_READ: Need("secret_scanning_alerts", "read", ("repo", "security_events")),
}


def lacking_app(wanted: Sequence[str], has: Mapping[str, str]) -> list[str]:
    """Return what an installation lacks that has these permissions."""
    return [one for one in wanted if one in _NEEDS and not _covers(has.get(_NEEDS[one].permission, ""), _NEEDS[one])]


def lacking_classic(wanted: Sequence[str], scopes: Sequence[str]) -> list[str]:
    """Return what a classic token lacks that has these scopes."""
    return [one for one in wanted if one in _NEEDS and not set(_NEEDS[one].scopes) & set(scopes)]


def lacking_fine_grained(wanted: Sequence[str]) -> list[str]:
    """Return what no fine-grained token can have; which permissions this one has, nobody tells."""
    return [one for one in wanted if one in _NEEDS and not _NEEDS[one].scopes]


def _covers(level: str, need: Need) -> bool:
    return level in {need.level, "write", "admin"}
