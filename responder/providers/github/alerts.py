"""Alerts of secret scanning: where the secret was seen, and closing the alert once it is dead."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict
from responder.errors import ProviderError, Unavailable
from responder.finding import Exposure, Finding
from responder.providers.github.client import MISSING, Client, hidden
from responder.providers.github.options import Repository
from responder.providers.github.permissions import ALERTS_READ, ALERTS_WRITE
from responder.redaction import Secret

_REVOKED = "revoked"
_RESOLVED = "resolved"
_MOST_COMMENT = 280
"""How long a comment may be on GitHub's page."""


class _OnAlert(Action):
    """An action on one alert."""

    repository: Repository
    alert: Annotated[int, Field(ge=1)]
    """The alert's number in the repository."""

    @property
    def _path(self) -> str:
        return f"/repos/{self.repository}/secret-scanning/alerts/{self.alert}"

    def _read(self, client: Client, permission: str, *, value: bool = False) -> tuple[dict[str, Any], Secret | None]:
        """Read the alert, and its secret only where it is needed; whatever comes is taken in first."""
        params = {} if value else {"hide_secret": "true"}
        answer = client.ask("GET", self._path, permission=permission, params=params, expect=frozenset({MISSING}))
        if answer.status == MISSING:
            raise hidden(self._path, permission)
        secret = answer.secret("secret")
        found = dict(answer.json() or {})
        found.pop("secret", None)
        return found, secret


class CloseAlert(_OnAlert):
    """Resolve a secret scanning alert as revoked, with the proof as its comment. It can be reopened, on its page.

    Close it once the secret is proven dead: `validity` is what GitHub itself last saw, and may be older. An alert that
    somebody resolved in another way is left to them. Facts: `state`, `resolution`, `validity`.
    """

    name: ClassVar[str] = "github.close_alert"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (ALERTS_WRITE,)

    comment: Annotated[str, Field(min_length=1, max_length=_MOST_COMMENT)]
    """The proof, in words; everybody who sees the alert reads it, and it can never be changed."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the alert, without its secret."""
        found, _ = self._read(client, ALERTS_WRITE)
        if found.get("state") == _RESOLVED and found.get("resolution") == _REVOKED:
            return Unchanged(f"the alert {self.alert} is resolved as revoked already", _facts(found))
        if found.get("state") == _RESOLVED:
            raise ProviderError(
                f"Somebody has resolved the alert {self.alert} as {found.get('resolution')}",
                where=str(found.get("html_url") or self._path),
                remedy="reopen it there if that was wrong; then plan again",
            )
        return Change(
            target=f"secret scanning alert {self.alert} of {self.repository}",
            before=f"{found.get('state')}; GitHub last saw the secret as {found.get('validity') or 'unknown'}",
            after=f"resolved as revoked: {self.comment}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Resolve it. The answer holds the secret itself, whatever one asks for: it is taken in before all else."""
        body = {"state": _RESOLVED, "resolution": _REVOKED, "resolution_comment": self.comment}
        answer = client.ask("PATCH", self._path, permission=ALERTS_WRITE, write=True, body=body)
        answer.secret("secret")
        return Outcome(_facts(answer.json() or {}))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read it again."""
        try:
            found, _ = self._read(client, ALERTS_WRITE)
        except Unavailable:
            return Verdict.UNKNOWN
        holds = (found.get("state"), found.get("resolution")) == (_RESOLVED, _REVOKED)
        return Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD


class AlertLocations(_OnAlert):
    """Read an alert, and every place where its secret was seen.

    The secret's value is not asked for unless `with_value` says so. With it, or with a `key_id`, each place becomes a
    finding; without both there is nothing that a finding could name, and the facts are all there is. Facts: `state`,
    `resolution`, `validity` (as GitHub last saw it: `active`, `inactive`, `unknown`), `secret_type`,
    `publicly_leaked`, `multi_repo`, `url`, `places` (`place`, `url`, `kind` each).
    """

    name: ClassVar[str] = "github.alert_locations"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (ALERTS_READ,)

    with_value: bool = False
    """Whether to fetch the secret itself, sealed, so that it is known whose it is."""
    key_id: str = ""
    """The id of the credential that the alert is about, where it is known."""

    def read(self, client: Client) -> Outcome:
        """Read the alert and its locations."""
        found, value = self._read(client, ALERTS_READ, value=self.with_value)
        listed = client.pages(f"{self._path}/locations", permission=ALERTS_READ)
        page = str(found.get("html_url") or "")
        kind = _kind(found.get("publicly_leaked"))
        exposures = [_exposure(one, page, self.repository, kind) for one in listed]
        places = [one.model_dump(mode="json", include={"place", "url", "kind"}) for one in exposures]
        facts = {**_facts(found), "url": page, "places": places}
        return Outcome(facts, findings=list(self._findings(exposures, found, value if self.with_value else None)))

    def _findings(self, exposures: list[Exposure], found: dict[str, Any], value: Secret | None) -> Iterator[Finding]:
        if value is None and not self.key_id:
            return
        told = str(found.get("secret_type_display_name") or found.get("secret_type") or "secret")
        for exposure in exposures:
            yield Finding(
                value=value,
                key_id=self.key_id,
                exposure=exposure,
                reported_by="GitHub secret scanning",
                summary=f"{told}: alert {self.alert} of {self.repository}",
            )


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    names = ("state", "resolution", "validity", "secret_type", "publicly_leaked", "multi_repo")
    return {name: found.get(name) for name in names}


def _kind(publicly_leaked: object) -> Literal["public", "private", "unknown"]:
    if publicly_leaked is True:
        return "public"
    return "private" if publicly_leaked is False else "unknown"


def _exposure(
    location: dict[str, Any], page: str, repository: str, kind: Literal["public", "private", "unknown"]
) -> Exposure:
    """Read one location: a line of a file in a commit, or a text that people wrote."""
    what = str(location.get("type") or "place").replace("_", " ")
    details = dict(location.get("details") or {})
    if "path" in details and "commit_sha" in details:
        sha, path, line = str(details["commit_sha"]), str(details["path"]), details.get("start_line")
        base = page.partition("/security/")[0]
        made = f"{base}/blob/{sha}/{path}#L{line}" if base and what == "commit" else ""
        url = str(details.get("html_url") or made)
        return Exposure(url=url, place=f"{what} {sha[:7]} of {repository}, {path}:{line}", kind=kind)
    url = str(details.get("html_url") or next((one for name, one in details.items() if name.endswith("_url")), ""))
    return Exposure(url=url, place=f"{what} in {repository}", kind=kind)
