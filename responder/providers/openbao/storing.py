"""The key-value store, version 2: delivering a value, and destroying the versions that still hold the old one."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from responder.action import Action, Change, Effect, Outcome, PlaceSeen, Unchanged, Verdict
from responder.credential import Deliver
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.openbao.client import Client

PATCH_DATA = "patch on MOUNT/data/PATH"
CREATE_DATA = "create and update on MOUNT/data/PATH"
READ_METADATA = "read on MOUNT/metadata/PATH"
PATCH_METADATA = "patch on MOUNT/metadata/PATH"
DESTROY = "update on MOUNT/destroy/PATH"

_PLACE = re.compile(r"(?P<path>[^#\s?]+?)/?(?:#(?P<field>[A-Za-z_][\w.-]{0,60}))?")
_MERGE = {"content-type": "application/merge-patch+json"}
_VERSIONS = "versions"


@dataclass(frozen=True)
class _Kept:
    """A secret of the store as its metadata shows it."""

    current: int
    versions: Mapping[int, Mapping[str, Any]]
    custom: Mapping[str, str]
    now: datetime

    @property
    def is_there(self) -> bool:
        """Tell whether the newest version can be read."""
        return self.current in self.versions and not self.is_gone(self.current)

    def is_gone(self, number: int) -> bool:
        """Tell whether a version is destroyed, or deleted so that it could be undeleted.

        Where secrets expire by themselves, the time of that stands there from the beginning.
        """
        deleted = str(self.versions[number].get("deletion_time") or "")
        return bool(self.versions[number].get("destroyed")) or (bool(deleted) and not self._is_to_come(deleted))

    def _is_to_come(self, text: str) -> bool:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return False
        return moment.tzinfo is not None and moment > self.now

    def readable(self) -> list[int]:
        """Return the older versions that hold their data still; a deleted one can be undeleted, and counts."""
        return sorted(n for n, one in self.versions.items() if n < self.current and not one.get("destroyed"))


@dataclass(frozen=True)
class _Place:
    """Where a secret stands."""

    mount: str
    path: str
    field: str

    def kept(self, client: Client) -> _Kept:
        """Read its metadata, never its values."""
        found = client.data(f"{self.mount}/metadata/{self.path}", permission=READ_METADATA) or {}
        versions = {int(number): dict(one) for number, one in (found.get("versions") or {}).items()}
        custom = {str(name): str(one) for name, one in (found.get("custom_metadata") or {}).items()}
        return _Kept(int(found.get("current_version") or 0), versions, custom, client.access.clock.now())

    @property
    def mark_name(self) -> str:
        return f"responder-{self.field}"


class DeliverToStore(Deliver):
    """Write a new credential into a secret of the key-value store, version 2; its other fields stay as they are.

    The consumer's `secret` is `MOUNT/PATH#FIELD`. The write names the version that it follows, so that nobody's change
    in between is overwritten. Afterwards the secret's own metadata says which version holds which value, by its
    fingerprint. The versions before stay readable until `openbao.destroy_old_versions`. Facts: `version`.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ_METADATA, PATCH_DATA, CREATE_DATA, PATCH_METADATA)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read which version our mark names, and whether it is the newest."""
        place = place_of(client, self.consumer.secret)
        kept = place.kept(client)
        if kept.is_there and kept.custom.get(place.mark_name) == self._mark(client, kept.current):
            return Unchanged(f"{self.consumer.secret} is this very value", {"version": kept.current})
        return Change(
            target=f"{place.field} of {place.mount}/{place.path}",
            before=f"version {kept.current}" if kept.is_there else "absent",
            after=f"holds {self.value}",
            breaks="whoever reads it gets the new value from the next read on; older versions stay readable",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Write the one field, then say in the metadata which version it is."""
        place = place_of(client, self.consumer.secret)
        kept = place.kept(client)
        body = {"options": {"cas": kept.current}, "data": {place.field: self.value}}
        path = f"{place.mount}/data/{place.path}"
        if kept.is_there:
            answer = client.ask("PATCH", path, body=body, write=True, permission=PATCH_DATA, headers=_MERGE)
        else:  # there is nothing that a patch could go on: it would be 404
            answer = client.ask("POST", path, body=body, write=True, permission=CREATE_DATA)
        found = answer.json()
        data = found.get("data") if isinstance(found, dict) else None
        version = data.get("version") if isinstance(data, dict) else None
        if not isinstance(version, int):
            raise OutcomeUnknown("A version was written, and the answer does not say which", remedy="read back")
        try:
            self._note(client, place, version)
        except ProviderError as error:
            raise OutcomeUnknown(
                f"Version {version} was written, and not marked: {error.message}", remedy=error.remedy or "read back"
            ) from None
        return Outcome({"version": version})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the metadata back."""
        try:
            place = place_of(client, self.consumer.secret)
            kept = place.kept(client)
        except Unavailable:
            return Verdict.UNKNOWN
        marked = kept.custom.get(place.mark_name) == self._mark(client, kept.current)
        return Verdict.HOLDS if kept.is_there and marked else Verdict.DOES_NOT_HOLD

    def _note(self, client: Client, place: _Place, version: int) -> None:
        # A patch, for a plain write of metadata takes away what others keep there.
        body = {"custom_metadata": {place.mark_name: self._mark(client, version)}}
        path = f"{place.mount}/metadata/{place.path}"
        client.ask("PATCH", path, body=body, write=True, permission=PATCH_METADATA, headers=_MERGE)

    def _mark(self, client: Client, version: int) -> str:
        # The fingerprint is part of it: a retried step may deliver another value than the first try did.
        return f"{client.access.marker} {self.value.fingerprint} v{version}"


class DestroyOldVersions(Action):
    """Destroy every version of a secret but the newest: until then whoever may read it reads the leaked value, too.

    Deleting is not enough, for what is deleted can be undeleted. The approval names the versions; the newest must be
    there. Facts: `versions`.
    """

    name: ClassVar[str] = "openbao.destroy_old_versions"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (READ_METADATA, DESTROY)

    secret: Annotated[str, Field(pattern=r"^[^\s?]+$", max_length=500)]
    """`MOUNT/PATH`, or a consumer's `MOUNT/PATH#FIELD`: versions hold all fields together."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read which versions still hold their data."""
        place = place_of(client, self.secret, needs_field=False)
        kept = place.kept(client)
        if not kept.current:
            return Unchanged(f"there is no secret {place.mount}/{place.path}")
        found = kept.readable()
        if not found:
            return Unchanged(f"no older version of {place.mount}/{place.path} holds data", {"current": kept.current})
        if not kept.is_there:
            raise ProviderError(
                f"The newest version of {place.mount}/{place.path} is deleted; nothing readable would be left",
                where=self.secret,
                remedy="deliver the new value first",
            )
        shown = ", ".join(str(number) for number in found)
        ours = any(mark.endswith(f" v{kept.current}") for mark in kept.custom.values())
        doubt = "" if ours else f"; version {kept.current} is not of our delivery: see that it holds no leaked value"
        return Change(
            target=f"versions {shown} of {place.mount}/{place.path}",
            before=f"readable, behind version {kept.current}",
            after=f"versions {shown} destroyed for good",
            breaks="whoever reads one of these versions by its number; nobody can go back to them" + doubt,
            preconditions={_VERSIONS: " ".join(str(number) for number in found)},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Destroy exactly the versions that were agreed on."""
        place = place_of(client, self.secret, needs_field=False)
        versions = _agreed(change)
        path = f"{place.mount}/destroy/{place.path}"
        answer = client.ask("PUT", path, body={"versions": versions}, write=True, permission=DESTROY)
        return Outcome({"versions": versions, "status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the metadata back; a version that was pushed out by newer ones is gone as well."""
        try:
            kept = place_of(client, self.secret, needs_field=False).kept(client)
        except Unavailable:
            return Verdict.UNKNOWN
        left = [number for number in _agreed(change) if not kept.versions.get(number, {"destroyed": True})["destroyed"]]
        return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS


def seen_place(client: Client, secret: str) -> PlaceSeen:
    """Look at a consumer's place, for `inventory check`."""
    kept = place_of(client, secret).kept(client)
    if not kept.is_there:
        return PlaceSeen(exists=False)
    return PlaceSeen(exists=True, updated_at=str(kept.versions[kept.current].get("created_time") or ""))


def place_of(client: Client, secret: str, *, needs_field: bool = True) -> _Place:
    """Read a place, and ask the server where its mount ends. ProviderError where it is no place of a KV store."""
    found = _PLACE.fullmatch(secret)
    if not found or "/" not in found["path"] or (needs_field and not found["field"]):
        wanted = "MOUNT/PATH#FIELD" if needs_field else "MOUNT/PATH"
        raise ProviderError(
            f"{secret!r} names no secret of a key-value store", where=secret, remedy=f"write it as {wanted}"
        )
    # A mount may hold slashes, too. The server answers this to whoever may do anything below the path.
    shown = client.data(f"sys/internal/ui/mounts/{found['path']}", permission=READ_METADATA) or {}
    mount = str(shown.get("path") or "").strip("/")
    if shown.get("type") != "kv" or str((shown.get("options") or {}).get("version")) != "2":
        raise ProviderError(
            f"{found['path']} is not in a key-value store of version 2",
            where=secret,
            remedy="version 1 keeps no versions and no metadata: name another place",
        )
    return _Place(mount, found["path"].removeprefix(mount + "/"), found["field"] or "")


def _agreed(change: Change) -> list[int]:
    return [int(number) for number in change.preconditions.get(_VERSIONS, "").split()]
