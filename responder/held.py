"""Findings that wait for somebody to respond to them: sealed, and let go after a day."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from responder.errors import RequestError
from responder.finding import Finding
from responder.means import Means
from responder.store import HELD, MOVED, Blob, gone

_FINDING, _VALUE = "finding", "value"
_LONGEST = timedelta(hours=24)


@dataclass(frozen=True)
class Held:
    """A finding that waits."""

    id: str
    finding: Finding
    at: datetime
    by: str
    """Who brought it: the id of a person, or empty."""


def hold(means: Means, finding: Finding, by: str = "") -> str:
    """Keep a finding until somebody responds to it; return its id. Those that waited for a day are let go.

    RecordMoved where the record went elsewhere: nobody would look here for it.
    """
    name = means.ids("found")
    told = finding.model_copy(update={"value": None}).model_dump(mode="json")
    about = json.dumps({"finding": told, "at": means.clock.now().isoformat(), "by": by})
    blobs = [_blob(name, _FINDING), *([_blob(name, _VALUE)] if finding.value is not None else [])]
    sealed = [means.sealer.seal_bytes(about.encode(), blobs[0])]
    sealed += [means.sealer.seal(finding.value, blobs[1])] if finding.value is not None else []
    old = [one.id for one in _all(means) if means.clock.now() - one.at > _LONGEST]
    with means.store.write() as writing:
        writing.head(HELD)  # no chain: what is locked is that nobody takes the record elsewhere at this moment
        went = means.store.meta(MOVED)
        if went is not None:
            raise gone(means.store.place, went)
        for blob, one in zip(blobs, sealed, strict=True):
            writing.put_blob(Blob(blob, HELD, HELD, one))
        for each in old:
            writing.shred(_blob(each, _FINDING))
            writing.shred(_blob(each, _VALUE))
    return name


def held(means: Means, name: str) -> Held:
    """Return a finding that waits. RequestError where it waits no longer."""
    found = next((one for one in waiting(means) if one.id == name), None)
    if found is None:
        raise RequestError(
            "This finding waits no longer: somebody responded to it, or a day has passed",
            where=name,
            remedy="give it again",
        )
    return found


def waiting(means: Means) -> list[Held]:
    """Return the findings that wait, the oldest first."""
    return [one for one in _all(means) if means.clock.now() - one.at <= _LONGEST]


def let_go(means: Means, name: str) -> None:
    """Shred a finding that was responded to; what the response keeps is sealed for itself."""
    with means.store.write() as writing:
        writing.shred(_blob(name, _FINDING))
        writing.shred(_blob(name, _VALUE))


def _blob(name: str, part: str) -> str:
    return f"{HELD}:{name}:{part}"


def _all(means: Means) -> Iterator[Held]:
    blobs = {blob.blob: blob.sealed for blob in means.store.blobs(HELD, HELD) if blob.sealed.wrapped_key}
    for blob, sealed in blobs.items():
        _, name, part = blob.split(":")
        if part != _FINDING:
            continue
        about = json.loads(means.sealer.unseal_bytes(sealed, blob))
        finding = {**about["finding"]}
        value = blobs.get(_blob(name, _VALUE))
        if value is not None:
            finding["value"] = means.sealer.unseal(value, _blob(name, _VALUE))
        yield Held(name, Finding.model_validate(finding), datetime.fromisoformat(about["at"]), about["by"])
