"""Secrets of GitHub Actions: sealed for their place before they leave, and shown to nobody afterwards."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import base64
import math
import re
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from responder.action import Change, Outcome, PlaceSeen, Unchanged, Verdict
from responder.credential import Deliver
from responder.errors import ProviderError, Unavailable
from responder.providers.github.client import INVALID, MISSING, Client, hidden, part
from responder.providers.github.permissions import ENVIRONMENTS_WRITE, ORGANIZATION_SECRETS, SECRETS_WRITE

_PLACE = re.compile(
    r"(?:orgs/(?P<organization>[\w-]+)|(?P<repository>[\w.-]+/[\w.-]+?)(?:/environments/(?P<environment>.+))?)"
    r":(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
)
_ABSENT = "absent"
_UPDATED = "updated_at"
_A_MOMENT = 2.0
"""Seconds within which a write may bear the time of the one before it."""
_MOST = 48 * 1024
"""How many bytes a secret may hold."""


class Place(NamedTuple):
    """Where a secret is kept."""

    path: str
    """The path of its kind of place, to which `/public-key` or a name is added."""
    name: str
    permission: str
    shared: bool = False
    """Whether it is an organisation's, and says which repositories may read it."""

    @property
    def own(self) -> str:
        """The secret's own path."""
        return f"{self.path}/{part(self.name)}"


class DeliverToActions(Deliver):
    """Put a new credential into a secret of GitHub Actions.

    The consumer's `secret` is `owner/repo:NAME`, `owner/repo/environments/ENV:NAME` or `orgs/ORG:NAME`; GitHub keeps
    names in capitals. The value is sealed with the place's own key (libsodium's sealed box) before it leaves, and
    can be read by workflow runs alone. There is no room for a mark: only the time of the last write is seen, to the
    second. So a delivery whose answer was lost is planned again a moment later, and made again; the same value twice
    is once. That the new value works, only a workflow run shows.

    An organisation's secret must be there already: who may read it is not for us to choose, and is kept as it is.
    Needs the extra `github` (PyNaCl).
    """

    idempotent: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (SECRETS_WRITE, ENVIRONMENTS_WRITE, ORGANIZATION_SECRETS)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read when it was written last; never that it is so already, for nobody can see that."""
        place = place_of(self.consumer.secret)
        found = _metadata(client, place)
        if found is None and place.shared:
            raise ProviderError(
                f"The organisation has no secret {place.name}",
                where=f"consumer {self.consumer.id}",
                remedy="make it in its settings, for the repositories that may read it; then plan again",
            )
        at = str(found.get("updated_at", "")) if found is not None else _ABSENT
        if abs(_seconds_since(at, client.access.clock.now())) < _A_MOMENT:
            # What is written now would bear the same time, and nobody could see that it was.
            raise Unavailable(
                f"{self.consumer.secret} was written this very moment", where=place.own, retry_after=_A_MOMENT
            )
        return Change(
            target=f"GitHub Actions secret {self.consumer.secret}",
            before=_ABSENT if found is None else f"written at {at}",
            after=f"holds {self.value}",
            breaks="workflow runs that begin from now on use the new value; one that runs keeps the old one",
            preconditions={_UPDATED: at},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Seal and write; once more where the place's key was turned in between, for then nothing was written."""
        place = place_of(self.consumer.secret)
        kept = _visibility(client, place)
        key_id, key = _key(client, place)
        answer = _put(client, place, {**kept, **self._sealed(client, key, key_id)})
        if answer.status == INVALID:
            again, key = _key(client, place)
            if again != key_id:
                answer = _put(client, place, {**kept, **self._sealed(client, key, again)})
        if answer.status == INVALID:
            raise ProviderError(
                "GitHub does not take the secret (422)",
                where=self.consumer.secret,
                remedy=f"check its name, and that its value is no longer than {_MOST} bytes",
            )
        return Outcome({"secret": self.consumer.secret, "status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the time of the last write; within one second two writes cannot be told apart."""
        try:
            found = _metadata(client, place_of(self.consumer.secret))
        except Unavailable:
            return Verdict.UNKNOWN
        if found is None:
            return Verdict.DOES_NOT_HOLD
        same = str(found.get("updated_at", "")) == change.preconditions.get(_UPDATED)
        return Verdict.UNKNOWN if same else Verdict.HOLDS

    def _sealed(self, client: Client, key: bytes, key_id: str) -> dict[str, str]:
        return {
            "encrypted_value": client.access.wire.with_value(self.value, lambda value: _seal(value, key)),
            "key_id": key_id,
        }


def place_of(text: str) -> Place:
    """Read a consumer's `secret`. ProviderError where it names no secret of GitHub Actions."""
    found = _PLACE.fullmatch(text)
    if found is None or found["name"].upper().startswith("GITHUB_"):
        raise ProviderError(
            f"{text!r} names no secret of GitHub Actions",
            remedy="write owner/repo:NAME, owner/repo/environments/ENV:NAME or orgs/ORG:NAME; GITHUB_... is not free",
        )
    name = found["name"].upper()
    if found["organization"]:
        return Place(f"/orgs/{found['organization']}/actions/secrets", name, ORGANIZATION_SECRETS, shared=True)
    base = f"/repos/{found['repository']}"
    if found["environment"]:
        return Place(f"{base}/environments/{part(found['environment'])}/secrets", name, ENVIRONMENTS_WRITE)
    return Place(f"{base}/actions/secrets", name, SECRETS_WRITE)


def seen(client: Client, secret: str) -> PlaceSeen:
    """Look at a consumer's place; GitHub shows its name and times."""
    found = _metadata(client, place_of(secret))
    return PlaceSeen(found is not None, str((found or {}).get("updated_at", "")))


def _seconds_since(text: str, now: datetime) -> float:
    """Return how long ago GitHub's time was; infinity for what is no time."""
    try:
        return (now - datetime.fromisoformat(text)).total_seconds()
    except (ValueError, TypeError):
        return math.inf


def _metadata(client: Client, place: Place) -> dict[str, Any] | None:
    """Return what GitHub tells of a secret; None where there is none of that name.

    A place that is hidden from us says 404 as well, but it does not give us its key either.
    """
    answer = client.ask("GET", place.own, permission=place.permission, expect=frozenset({MISSING}))
    if answer.status != MISSING:
        return dict(answer.json() or {})
    _key(client, place)
    return None


def _key(client: Client, place: Place) -> tuple[str, bytes]:
    """Return the key that this place's secrets are sealed with, and its id: each place has its own.

    What is sealed with another place's key, GitHub takes, and nobody can use (cli/cli#3831).
    """
    path = f"{place.path}/public-key"
    answer = client.ask("GET", path, permission=place.permission, expect=frozenset({MISSING}))
    if answer.status == MISSING:
        raise hidden(path, place.permission)
    found = answer.json() or {}
    try:
        return str(found["key_id"]), base64.b64decode(found["key"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise Unavailable("GitHub's answer holds no key", where=path) from None


def _visibility(client: Client, place: Place) -> dict[str, Any]:
    """Return which repositories may read an organisation's secret, to send it again: what is left out is lost."""
    if not place.shared:
        return {}
    found = _metadata(client, place)
    if found is None:
        raise ProviderError(f"The organisation has no secret {place.name} any more", remedy="plan the step again")
    kept: dict[str, Any] = {"visibility": str(found.get("visibility", ""))}
    if kept["visibility"] == "selected":
        kept["selected_repository_ids"] = _selected(client, place)
    return kept


def _selected(client: Client, place: Place) -> list[int]:
    """Return the ids of the repositories that may read an organisation's secret: all of them, or an error."""
    ids: list[int] = []
    for page in range(1, 101):
        params = {"per_page": "100", "page": str(page)}
        found = client.ask("GET", f"{place.own}/repositories", permission=place.permission, params=params).json() or {}
        listed = [int(one["id"]) for one in found.get("repositories") or ()]
        ids += listed
        if not listed or len(ids) >= int(found.get("total_count") or 0):
            break
    if len(ids) != int(found.get("total_count") or 0):
        raise Unavailable("GitHub does not list every repository that may read the secret", where=place.own)
    return ids


def _put(client: Client, place: Place, body: dict[str, Any]) -> Any:
    expect = frozenset({INVALID})
    return client.ask("PUT", place.own, permission=place.permission, write=True, body=body, expect=expect)


def _seal(value: str, key: bytes) -> str:
    """Seal a value so that only the holder of the key's private half can open it."""
    try:
        from nacl.public import PublicKey, SealedBox  # noqa: PLC0415 - an extra
    except ImportError:
        raise ProviderError(
            "Secrets of GitHub Actions are sealed with PyNaCl, which is not installed",
            remedy="pip install 'responder[github]'",
        ) from None
    return base64.b64encode(SealedBox(PublicKey(key)).encrypt(value.encode())).decode()
