"""How an incident stands, by the entries of all its runs: where the credential was seen, and what was kept of it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from responder.finding import Exposure
from responder.timeline import Entry


class Standing:
    """What every run of an incident must know of the whole. `apply` alone changes it, one entry at a time."""

    def __init__(self) -> None:
        self.exposures: list[Exposure] = []
        """Every place in which a credential of the incident was found."""
        self.kept: set[str] = set()
        """The addresses whose bytes are stored."""
        self._asked_for: dict[tuple[str, str], str] = {}

    def apply(self, entry: Entry) -> None:
        """Take an entry into account, whichever run it belongs to."""
        change = _CHANGES.get(entry.event)
        if change is not None:
            change(self, entry)

    def keeps(self, exposure: Exposure) -> bool:
        """Tell whether the bytes of an exposure are stored; of one without an address, whether any are."""
        return _address(exposure.url) in self.kept if exposure.url else bool(self.kept)


def _seen(standing: Standing, entry: Entry) -> None:
    found: Any = entry.facts.get("exposure")
    if found:
        exposure = Exposure.model_validate(found)
        if exposure not in standing.exposures:
            standing.exposures.append(exposure)


def _asked_for(standing: Standing, entry: Entry) -> None:
    url = entry.facts.get("with", {}).get("url")
    if url:
        standing._asked_for[entry.run, entry.step] = str(url)  # noqa: SLF001 - a part of it


def _kept(standing: Standing, entry: Entry) -> None:
    facts = entry.facts.get("facts")
    evidence = facts.get("evidence") if isinstance(facts, dict) else None
    if isinstance(evidence, list) and evidence:
        names = {str(one.get("about", "")) for one in evidence}
        names.add(standing._asked_for.get((entry.run, entry.step), ""))  # noqa: SLF001 - a part of it
        standing.kept.update(_address(name) for name in names - {""})


def _address(url: str) -> str:
    """Return an address without what does not change which page it is."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}".casefold() + parts.path.rstrip("/") + query


_CHANGES: dict[str, Callable[[Standing, Entry], None]] = {
    "opened": _seen, "started": _seen, "joined": _seen,
    "began": _asked_for, "done": _kept, "applied": _kept,
}  # fmt: skip
