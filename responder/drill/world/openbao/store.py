"""The drill's OpenBao: a key-value store of version 2, whose old versions stay readable until they are destroyed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.clock import Clock
from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.openbao.tokens import Refused
from responder.drill.world.system import Ground
from responder.drill.world.web import Answer, Request

_CAS = "check-and-set parameter did not match the current version"
_PATCH = "application/merge-patch+json"


@dataclass
class Version:
    """One version of a secret."""

    data: dict[str, Any] | None
    at: str
    deleted: str = ""
    destroyed: bool = False

    def shown(self) -> dict[str, Any]:
        """Return it as the metadata shows it."""
        return {"created_time": self.at, "deletion_time": self.deleted, "destroyed": self.destroyed}


@dataclass
class Kept:
    """A secret with all its versions."""

    clock: Clock
    versions: list[Version] = field(default_factory=list)
    custom: dict[str, str] | None = None

    @property
    def newest(self) -> Version | None:
        """The newest version, if it can be read."""
        last = self.versions[-1] if self.versions else None
        return None if last is None or self.is_gone(last) else last

    def is_gone(self, version: Version) -> bool:
        """Tell whether a version is destroyed or deleted; one that is to expire is neither yet."""
        expired = bool(version.deleted) and datetime.fromisoformat(version.deleted) <= self.clock.now()
        return version.destroyed or expired


class Store:
    """One mount."""

    def __init__(self, ground: Ground, mount: str) -> None:
        self.ground = ground
        self.mount = mount
        self.kept: dict[str, Kept] = {}

    def put(self, path: str, data: dict[str, Any]) -> int:
        """Keep a new version."""
        kept = self.kept.setdefault(path, Kept(self.ground.clock))
        kept.versions.append(Version(data, shown_time(self.ground.clock.now())))
        return len(kept.versions)

    def read(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show one version; one that is deleted or destroyed is 404, and tells so."""
        kept = self._of(parts["path"])
        number = int(request.query.get("version") or len(kept.versions))
        if not 1 <= number <= len(kept.versions):
            raise Refused(404)
        version = kept.versions[number - 1]
        gone = kept.is_gone(version)
        told = {"metadata": version.shown() | {"version": number}, "data": None if gone else version.data}
        return Answer(404 if gone else 200, {"data": told})

    def write(self, request: Request, parts: dict[str, str]) -> Answer:
        """Write a version: a POST replaces all fields, a PATCH goes on the newest, which must be there."""
        path, fields = parts["path"], request.fields
        kept = self._of(path)
        data = dict(fields.get("data") or {})
        if request.method == "PATCH":
            _is_patch(request)
            if kept.newest is None:
                raise Refused(404)
            data = {**(kept.newest.data or {}), **data}
        cas = (fields.get("options") or {}).get("cas")
        if cas is not None and cas != len(kept.versions):
            raise Refused(400, _CAS)
        version = self.put(path, data)
        labels = (self.ground.labels.of(str(one)) or "unknown" for one in (fields.get("data") or {}).values())
        name = next((label for label in labels if label != "unknown"), "")
        effect = Effect("secret_written", name, f"{self.mount}/{path}", {"version": version})
        return Answer(body={"data": {"version": version}}, effects=(effect,))

    def metadata(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show what is known of a secret, without a value."""
        kept = self.kept.get(parts["path"])
        if kept is None:
            raise Refused(404)
        numbered = {str(n): one.shown() for n, one in enumerate(kept.versions, 1)}
        return Answer(
            body={
                "data": {
                    "current_version": len(kept.versions),
                    "custom_metadata": kept.custom,
                    "updated_time": kept.versions[-1].at,
                    "versions": numbered,
                }
            }
        )

    def note(self, request: Request, parts: dict[str, str]) -> Answer:
        """Keep custom metadata: a POST replaces all of it, a PATCH adds to it."""
        path = parts["path"]
        if path not in self.kept:
            raise Refused(404)
        custom = {str(name): str(one) for name, one in (request.fields.get("custom_metadata") or {}).items()}
        if request.method == "PATCH":
            _is_patch(request)
            custom = {**(self.kept[path].custom or {}), **custom}
        self.kept[path].custom = custom
        return Answer(204, "")

    def delete(self, request: Request, parts: dict[str, str]) -> Answer:
        """Delete versions so that they can be undeleted."""
        for version in self._named(request, parts):
            version.deleted = shown_time(self.ground.clock.now())
        return Answer(204, "")

    def destroy(self, request: Request, parts: dict[str, str]) -> Answer:
        """Destroy versions for good; numbers that there are not are passed over."""
        effects = []
        for version in self._named(request, parts):
            version.data, version.destroyed = None, True
            effects.append(Effect("version_destroyed", f"{self.mount}/{parts['path']}", ""))
        return Answer(204, "", tuple(effects))

    def _of(self, path: str) -> Kept:
        return self.kept.get(path) or Kept(self.ground.clock)

    def _named(self, request: Request, parts: dict[str, str]) -> list[Version]:
        versions = self._of(parts["path"]).versions
        wanted = [int(one) for one in request.fields.get("versions") or ()]
        return [versions[number - 1] for number in wanted if 1 <= number <= len(versions)]


def _is_patch(request: Request) -> None:
    given = request.headers.get("content-type", "")
    if given != _PATCH:
        raise Refused(415, f"PATCH requires Content-Type of {_PATCH}, provided {given}")
