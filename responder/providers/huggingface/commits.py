"""The commits of a Space: every credential that its history still holds, and the files as evidence."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field, field_validator

from responder.action import Action, Effect, Evidence, Outcome
from responder.durations import Duration
from responder.finding import Exposure, Finding
from responder.providers.huggingface.client import Client, Repository
from responder.redaction import CREDENTIAL_SHAPES, Secret

_READ = "read access to the Space"
_MOST_FILE = 512 * 1024
_MOST_FILES = 2000
_MOST_PLACES = 20
"""How many places the facts name; the evidence holds them all."""
# What stands in a file is the block, not its first line; and an AWS key id is a name, not a secret.
_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_SHAPES = {**CREDENTIAL_SHAPES, "private key": _BLOCK}
_IDS_ONLY = frozenset({"aws"})


class CommitLog(Action):
    """Search the commits of a Space, newest first, for credentials, and keep the files that hold one.

    Facts: `commits`, `scanned` (files), `found`, `complete` (false, with `stopped`, where a bound was
    reached), `places` (file and commit of each sighting), and `known_since`, the time of the oldest
    commit seen that holds a credential of `known`. Each other credential is one finding, placed at the
    newest commit that holds it and dated by the oldest.
    """

    name: ClassVar[str] = "huggingface.commit_log"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (_READ,)

    space: Repository
    known: tuple[str, ...] = ()
    """Fingerprints that need no finding: the leaked credential's own."""
    shapes: tuple[str, ...] = ()
    """Regular expressions for further kinds of credentials; a group `key_id` names the key."""
    count: Annotated[int, Field(ge=1, le=1000)] = 50
    """How many commits to look at."""
    within: Duration = timedelta(minutes=1)
    """How long it may take."""
    most_bytes: Annotated[int, Field(ge=1, le=256 * 1024 * 1024)] = 8 * 1024 * 1024
    """How much to fetch in all."""

    @field_validator("shapes")
    @classmethod
    def _compile(cls, shapes: tuple[str, ...]) -> tuple[str, ...]:
        for shape in shapes:
            try:
                fits_nothing = re.compile(shape).search("") is not None
            except re.error as error:
                raise ValueError(f"{shape!r} is not a regular expression: {error}") from None
            if fits_nothing:
                raise ValueError(f"{shape!r} fits an empty text")
        return shapes

    def read(self, client: Client) -> Outcome:
        """Read the log, the tree of each commit, and each small text file once."""
        path = f"/api/spaces/{self.space}/commits/main"
        log = client.pages(path, permission=_READ)
        commits = [one for one in islice(log, self.count + 1) if isinstance(one, dict)]
        search = _Search(client, self, time.monotonic() + self.within.total_seconds())
        looked = sum(search.look_at(commit) for commit in commits[: self.count])
        if len(commits) > self.count:
            search.stop(f"the log has more than {self.count} commits")
        kept = Evidence(json.dumps(commits, indent=1).encode(), about=f"commit log of {self.space}")
        return Outcome(search.facts(looked), findings=search.findings(), evidence=[kept, *search.evidence])


@dataclass
class _Sighting:
    """One credential, and where it was seen: first at the newest commit, last at the oldest."""

    value: Secret | None
    key_id: str
    issuer: str
    place: str
    url: str
    since: datetime | None


@dataclass
class _Search:
    """One search: what was seen so far, and what is left of its bounds."""

    client: Client
    action: CommitLog
    until: float
    bytes_left: int = 0
    scanned: int = 0
    stopped: str = ""
    evidence: list[Evidence] = field(default_factory=list)
    seen: dict[str, _Sighting] = field(default_factory=dict)
    blobs: dict[str, list[str]] = field(default_factory=dict)
    """For each content that was read, the credentials in it."""
    known_since: datetime | None = None
    places: dict[tuple[str, str], None] = field(default_factory=dict)
    """File and commit of every sighting, known ones included, newest first."""

    def __post_init__(self) -> None:
        self.bytes_left = self.action.most_bytes
        self.patterns = {**_SHAPES, **{shape: re.compile(shape) for shape in self.action.shapes}}

    def stop(self, reason: str) -> None:
        """Note why the search ended early; the first reason counts."""
        self.stopped = self.stopped or reason

    def look_at(self, commit: Mapping[str, Any]) -> bool:
        """Search one commit; False where the bounds were reached before."""
        if time.monotonic() > self.until:
            self.stop(f"the time was up ({self.action.within.total_seconds():g} s)")
        if self.stopped:
            return False
        sha, at = str(commit.get("id", "")), _moment(commit.get("date"))
        for path, size, content in self._files(sha):
            name = content if content in self.blobs else self._read(sha, path, size, content)
            self._note(name, sha, path, at)
        return True

    def _files(self, sha: str) -> Iterator[tuple[str, int, str]]:
        """Yield path, size and content id of each small file of a commit."""
        space = self.action.space
        path = f"/api/spaces/{space}/tree/{quote(sha, safe='')}?recursive=true"
        for item in self.client.pages(path, permission=_READ):
            size = int(item.get("size") or 0)
            if item.get("type") == "file" and not item.get("lfs") and size <= _MOST_FILE:
                yield str(item.get("path", "")), size, str(item.get("oid") or "")

    def _read(self, sha: str, path: str, size: int, content: str) -> str:
        """Fetch a file and search it; return the name under which its credentials are noted."""
        name = content or f"{sha}:{path}"
        if time.monotonic() > self.until:
            self.stop("the time was up")
        elif self.bytes_left < size or self.scanned >= _MOST_FILES:
            self.stop(f"{self.action.most_bytes} bytes or {_MOST_FILES} files were reached")
        if self.stopped:
            return name
        address = f"/spaces/{self.action.space}/raw/{quote(sha, safe='')}/{quote(path)}"
        answer = self.client.ask("GET", address, permission=_READ, missing=True, most_bytes=_MOST_FILE)
        self.bytes_left -= len(answer.body)
        self.scanned += 1
        self.blobs[name] = self._search(answer.body)
        if self.blobs[name]:
            self.evidence.append(Evidence(answer.body, about=self._url(sha, path)))
        return name

    def _search(self, body: bytes) -> list[str]:
        """Take every credential of a text in, and return the names under which they are kept."""
        if b"\0" in body:
            return []
        text = body.decode("utf-8", "replace")
        found: dict[str, None] = {}
        taken: list[tuple[int, int]] = []
        for issuer, pattern in sorted(self.patterns.items(), key=lambda item: item[0] in CREDENTIAL_SHAPES):
            for match in pattern.finditer(text):
                if match.group() and not any(start < match.end() and match.start() < end for start, end in taken):
                    taken.append(match.span())
                    found[self._take_in(issuer, match)] = None
        return list(found)

    def _take_in(self, issuer: str, match: re.Match[str]) -> str:
        named = match.groupdict().get("key_id") or ""
        value = None if issuer in _IDS_ONLY else self.client.access.wire.take_in(match.group())
        key_id = match.group() if issuer in _IDS_ONLY else named
        name = value.fingerprint if value else f"{issuer}:{key_id}"
        self.seen.setdefault(name, _Sighting(value, key_id, issuer, "", "", None))
        return name

    def _note(self, content: str, sha: str, path: str, at: datetime | None) -> None:
        """Remember where the credentials of a content were seen; commits come newest first."""
        for name in self.blobs.get(content, ()):
            self.places[path, sha[:12]] = None
            sighting = self.seen[name]
            sighting.place = sighting.place or f"commit {sha[:7]} {path}"
            sighting.url = sighting.url or self._url(sha, path)
            sighting.since = at or sighting.since
            if name in self.action.known:
                self.known_since = at or self.known_since

    def _url(self, sha: str, path: str) -> str:
        return self.client.page_url(f"spaces/{self.action.space}/blob/{sha}/{path}")

    def findings(self) -> list[Finding]:
        """Return one finding a credential, but none for those that are known."""
        now = self.client.access.clock.now()
        return [
            Finding(
                value=one.value,
                key_id=one.key_id,
                connection=self.client.access.connection.name if one.issuer == "huggingface" else "",
                exposure=Exposure(url=one.url, place=one.place, kind="public", exposed_at=one.since),
                reported_by=self.action.name,
                reported_at=now,
                aware_at=now,
                summary=f"found in the history of the Space {self.action.space}: {one.place}",
            )
            for name, one in self.seen.items()
            if name not in self.action.known
        ]

    def facts(self, looked: int) -> dict[str, Any]:
        """Return what was done, and whether all of it."""
        return {
            "commits": looked,
            "scanned": self.scanned,
            "found": sum(name not in self.action.known for name in self.seen),
            "complete": not self.stopped,
            "places": [{"file": file, "commit": sha} for file, sha in list(self.places)[:_MOST_PLACES]],
            "known_since": self.known_since.isoformat() if self.known_since else None,
        } | ({"stopped": self.stopped} if self.stopped else {})


def _moment(text: Any) -> datetime | None:
    """Read a commit's time; None where it has no zone, for clocks hang on it."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
