"""How the world's ledger is read: lines, effects, acceptances, and when a value died."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from responder.drill.world.values import Leaked

Line = Mapping[str, Any]
"""One line of `ledger.jsonl`."""

OURS = ("responder", "person")
"""Whose effects are the response's: the tool's own, and those of the people whom it asks."""
ENDS = ("key_disabled", "key_revoked", "token_revoked")
"""Effects that end a key at its issuer."""

_UNAUTHORISED = 401
_REFUSES_WITH_403 = frozenset({"aws"})
"""Systems that say 403 to a credential that is none, and tell apart from that, by the outcome, what it may not do."""
_SUCCESS = range(200, 300)


class Expected(NamedTuple):
    """An effect that a finished drill must show; `name`, if given, is its template or its key."""

    kind: str
    subject: str
    name: str = ""


@dataclass(frozen=True)
class Facts:
    """What the score must know that is not in the ledger."""

    exposed_at: datetime
    aware_at: datetime
    leaked: tuple[Leaked, ...]
    holders: Mapping[str, str]
    """Mail addresses of the holders by their id."""
    consumers: Mapping[str, str] = field(default_factory=dict)
    """The consumers, who get a new key besides the holders: the name of each one's secret by its id."""
    overlap: bool = False
    """Whether old and new live side by side on purpose, until every consumer has moved."""
    expected: tuple[Expected, ...] = ()
    hides: Expected | None = None
    """What takes the place out of sight, where the credential is somebody else's: it is not ended, nor tried."""
    was_dead: bool = False
    """Whether it was dead before it was exposed, so that nothing is to be ended."""
    captures: bool = True
    """Whether the playbook keeps the page at all."""
    evidence_path: str = ""
    """The page that must be captured; any Space's page where it is empty."""
    evidence_within: int = 40
    """How many requests the responder may make before the page, those to the chat not counted."""
    ready_at: datetime | None = None
    """When the disable could have been called (it was agreed to); without it the wait is not judged."""
    patience_seconds: float = 10.0
    """How long, on the drill's clock, the disable may wait for evidence that is still being captured."""


@dataclass(frozen=True)
class Death:
    """When a value was first refused for good at a system; no time where it was not, or nobody looked."""

    label: str
    system: str
    at: datetime | None


def at(line: Line) -> datetime:
    """Return the moment of a line on the drill's clock."""
    return datetime.fromisoformat(line["time"])


def began(line: Line) -> datetime:
    """Return when the request of a line arrived, on the drill's clock."""
    return datetime.fromisoformat(line["began"])


def kind(line: Line) -> str:
    """Return the kind of a line's effect, nothing where it has none."""
    effect = line["effect"]
    return str(effect["kind"]) if effect else ""


def key(line: Line) -> str:
    """Return which one the effect of a line concerns."""
    return str(line["effect"]["key"])


def subject(line: Line) -> str:
    """Return for whom, or where, the effect of a line is."""
    return str(line["effect"]["subject"])


def accepted(line: Line) -> bool:
    """Tell whether the presented credential was accepted."""
    return line["status"] in _SUCCESS and line["outcome"] in ("served", "lost")


def refused(line: Line) -> bool:
    """Tell whether the presented credential itself was refused, and not what it asked for."""
    if line["system"] in _REFUSES_WITH_403 or line["status"] in _SUCCESS:  # 200 with a body that says no
        return bool(line["outcome"] == "refused")
    return bool(line["status"] == _UNAUTHORISED)


def is_session(line: Line) -> bool:
    """Tell whether a session was presented that somebody opened with the leaked value."""
    return str(line["credential"]).startswith("session-")


def is_changed(line: Line) -> bool:
    """Tell whether the line shows a change of ours."""
    return bool(kind(line)) and line["actor"] in OURS


def is_end(line: Line, facts: Facts) -> bool:
    """Tell whether the line ends at its issuer what was reported; what is found on the way comes behind it."""
    return kind(line) in ENDS and key(line) in {leaked.key_id for leaked in facts.leaked[:1]}


def deaths(lines: Sequence[Line], facts: Facts) -> list[Death]:
    """Return when each leaked value died at each system that accepts it."""
    return [
        Death(leaked.label, system, _refused_for_good(lines, leaked.label, system))
        for leaked in facts.leaked
        for system in leaked.systems
    ]


def session_deaths(lines: Sequence[Line]) -> list[Death]:
    """Return when each session died that anybody presented."""
    pairs = {(line["credential"], line["system"]) for line in lines if is_session(line)}
    return [Death(label, system, _refused_for_good(lines, label, system)) for label, system in sorted(pairs)]


def latest(found: Sequence[Death]) -> datetime | None:
    """Return when the last of them died; None where one lives, or nobody looked."""
    times = [death.at for death in found if death.at is not None]
    return max(times) if times and len(times) == len(found) else None


def _refused_for_good(lines: Sequence[Line], label: str, system: str) -> datetime | None:
    found: datetime | None = None
    for line in lines:
        if line["system"] != system or line["credential"] != label:
            continue
        if accepted(line):
            found = None
        # The score's own probes come last of all: they can show that a value lives, not when it died.
        elif refused(line) and found is None and line["actor"] != "score":
            found = at(line)
    return found
