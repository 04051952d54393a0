"""Installation tokens for consumers that ask for one: narrower than the app, and dead within the hour by themselves."""

# ruff: noqa: ARG002 - the contract hands every method all that it may need

import re
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from responder.action import Change, Issued, Lifespan, Outcome, Verdict, read_back
from responder.credential import Issue
from responder.errors import OutcomeUnknown, ProviderError
from responder.providers.github.client import INVALID, Client
from responder.providers.github.permissions import APP_KEY

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_PERMISSION = re.compile(r"(?P<name>[a-z_]+):(?P<level>read|write|admin)")
_LEVELS = ("", "read", "write", "admin")
_DOCUMENTED = "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app"


class IssueInstallationToken(Issue):
    """Make a token of our app's installation for one consumer; it dies within one hour, and nothing prolongs it.

    Only for a consumer of which the inventory says `short_lived: true`. `scopes` must name both the repositories
    (`owner/repo`) and the permissions (`contents:read`), and together be narrower than what the app itself has, unless
    `wider` says why. GitHub tells nobody which permissions the leaked token had, so a step says in `wider` why these
    are needed. Nobody can list such tokens or mark one: after a lost answer another is made, and `orphan_until` says
    until when the lost one may live. Facts: `key_id`, `expires_at`, `permissions`, `repositories`.
    """

    permissions: ClassVar[tuple[str, ...]] = (APP_KEY,)
    readback: ClassVar[bool] = False
    orphan: ClassVar[Lifespan | None] = Lifespan(3600, _DOCUMENTED)

    def plan(self, client: Client) -> Change:
        """Compare what is asked for with what the app has; there is no list in which an earlier one could stand."""
        wanted = self._wanted(client)
        self._compare(client, wanted)
        return Change(
            target=f"installation token for {self.consumer.id if self.consumer else ''}",
            before="absent; nobody can list such tokens",
            after=f"one token, for an hour at most: {wanted.in_words}; sealed until it is delivered",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Ask for the token once, and see that it reaches no more than was agreed on."""
        wanted = self._wanted(client)
        path = f"/app/installations/{client.options.installation_id}/access_tokens"
        body = {"repositories": [name.partition("/")[2] for name in wanted.repositories], "permissions": wanted.levels}
        refused = frozenset({INVALID})
        answer = client.send(
            "POST", path, bearer=client.our_note(), permission=APP_KEY, write=True, body=body, expect=refused
        )
        if answer.status == INVALID:
            raise ProviderError(
                "GitHub makes no such token (422)",
                where=path,
                remedy="give scopes that the app has",
            )
        token = answer.secret("token")
        if token is None:
            raise OutcomeUnknown("GitHub's answer holds no token", where=path, remedy="plan the step again")
        if not wanted.is_all_of(answer.json() or {}):
            client.send(
                "DELETE", "/installation/token", bearer=token, permission=APP_KEY, write=True, expect=frozenset({401})
            )
            raise OutcomeUnknown("GitHub made a token with another reach, and it was ended", remedy="check the scopes")
        key_id = f"installation/{client.options.installation_id}#{token.fingerprint}"
        facts = {
            "key_id": key_id,
            "expires_at": str((answer.json() or {}).get("expires_at", "")),
            "permissions": wanted.levels,
            "repositories": list(wanted.repositories),
        }
        return Outcome(facts, issued=Issued(key_id, value=token))

    def verify(self, client: Client, change: Change) -> Verdict:
        """See that the installation is not suspended: GitHub shows nothing of a token but to the token itself."""
        return read_back(lambda: not _installation(client).get("suspended_at"))

    def _compare(self, client: Client, wanted: "_Wanted") -> None:
        """Raise ProviderError where the app has less, or where the token would have as much as the app."""
        has = {str(name): str(level) for name, level in (_installation(client).get("permissions") or {}).items()}
        more = [name for name, level in wanted.levels.items() if _rank(level) > _rank(has.get(name, ""))]
        if more:
            raise ProviderError(
                f"The app itself has no such permission: {', '.join(more)}", remedy="leave it out of `scopes`"
            )
        if self.wider.strip() or any(_rank(wanted.levels.get(name, "")) < _rank(level) for name, level in has.items()):
            return
        reached = client.ask("GET", "/installation/repositories", permission=APP_KEY, params={"per_page": "1"}).json()
        if int((reached or {}).get("total_count") or 0) <= len(wanted.repositories):
            raise ProviderError(
                "The token would reach all that the app does", remedy="leave something out of `scopes`, or give `wider`"
            )

    def _wanted(self, client: Client) -> "_Wanted":
        if client.options.issues != "installation-token":
            raise ProviderError("This connection makes no tokens", remedy="set `issues: installation-token`")
        if self.consumer is None or self.holder is not None:
            raise ProviderError("An installation's token is for one consumer, not for people", remedy="give `consumer`")
        if not self.consumer.short_lived:
            raise ProviderError(
                f"Nobody says that {self.consumer.id} can do with a token that dies within the hour",
                remedy="set `short_lived: true` at the consumer if it can; else issue something that lasts",
            )
        repositories = tuple(sorted(scope for scope in self.scopes if _REPOSITORY.fullmatch(scope)))
        permissions = [found for scope in self.scopes if (found := _PERMISSION.fullmatch(scope))]
        if not repositories or not permissions or len(repositories) + len(permissions) != len(self.scopes):
            raise ProviderError(
                "A token needs repositories and permissions: without them it could do all that the app can",
                remedy="give scopes such as owner/repo and contents:read",
            )
        return _Wanted(repositories, {found["name"]: found["level"] for found in permissions})


class _Wanted(NamedTuple):
    """What the token is to reach."""

    repositories: tuple[str, ...]
    levels: Mapping[str, str]

    @property
    def in_words(self) -> str:
        """What it is, for whoever agrees to it."""
        levels = ", ".join(f"{name}:{level}" for name, level in sorted(self.levels.items()))
        return f"{levels} in {', '.join(self.repositories)}"

    def is_all_of(self, told: Mapping[str, Any]) -> bool:
        """Tell whether a token has exactly this, by GitHub's answer; `metadata: read` comes unasked."""
        repositories = sorted(str(one.get("full_name", "")) for one in told.get("repositories") or ())
        levels = {str(name): str(level) for name, level in (told.get("permissions") or {}).items()}
        free = {} if "metadata" in self.levels else {"metadata": "read"}
        return repositories == list(self.repositories) and levels in (dict(self.levels), {**self.levels, **free})


def _installation(client: Client) -> dict[str, Any]:
    """Read our installation, as the app."""
    path = f"/app/installations/{client.options.installation_id}"
    return client.send("GET", path, bearer=client.our_note(), permission=APP_KEY).json() or {}


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else 0
