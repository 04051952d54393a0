"""How an incident stands, by the entries of all its runs: where it was seen, what was kept, who is suspect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from responder.entry import Entry
from responder.finding import Exposure
from responder.unit import Ask

SUSPECT_KINDS = ("person", "session", "device", "channel")
"""What can be suspect."""


@dataclass
class Motion:
    """Something that a person wants changed for the whole incident, and that others must agree to."""

    ask: Ask
    effect: str
    """The event that carries it out."""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Broken(NamedTuple):
    """That somebody broke the glass: for a step of a run, or for all its containment."""

    run: str
    step: str
    by: str
    reason: str
    at: datetime


class Standing:
    """What every run of an incident must know of the whole. `apply` alone changes it, one entry at a time."""

    def __init__(self) -> None:
        self.exposures: list[Exposure] = []
        """Every place in which a credential of the incident was found."""
        self.kept: set[str] = set()
        """The addresses whose bytes are stored."""
        self.uncaptured: dict[str, str] = {}
        """Addresses that people decided to do without, and why."""
        self.suspects: dict[str, str] = {}
        """Who and what is suspect, as `kind:name`, and why."""
        self.checked: set[str] = set()
        """Channels, addresses and connections of which a person said that the leaked credential cannot read them."""
        self.reach: set[str] = set()
        """What the credentials of the incident reach, as steps have read it."""
        self.alive: dict[str, str] = {}
        """Each run whose credential is not proven dead, and the connection of its issuer."""
        self.mode = "A1"
        """How it is contained: A1, A2, B or C."""
        self.mode_reason = ""
        self.hard_stop = ""
        """When a fence ends, as ISO text; empty in other modes."""
        self.credentials: list[Mapping[str, Any]] = []
        """The credentials of the incident, as its runs began with them."""
        self.left_alive: set[str] = set()
        """The runs whose credentials people agreed to leave alive for a while (A2, B), also when that is over.

        Not for a fence that nobody saw to hold."""
        self.fenced = False
        """Whether a fence was proven, and nothing has shown since that it does not hold."""
        self.rendered = False
        """Whether the postmortem was rendered into a file since the last response began."""
        self.closed = False
        self.lead = ""
        """Who leads the response: whoever began it, until somebody takes over."""
        self.offered_to = ""
        """To whom the lead is offered, and who has not taken it."""
        self.broken: list[Broken] = []
        """Who broke the glass, for what, and why."""
        self.motions: dict[str, Motion] = {}
        """What was proposed and is not decided, by the name under which people approve it."""
        self._begun: dict[tuple[str, str], Mapping[str, Any]] = {}

    def apply(self, entry: Entry) -> None:
        """Take an entry into account, whichever run it belongs to."""
        change = _CHANGES.get(entry.event)
        if change is not None:
            change(self, entry)

    def keeps(self, exposure: Exposure) -> bool:
        """Tell whether the bytes of an exposure are stored; of one without an address, whether any are."""
        return page_address(exposure.url) in self.kept if exposure.url else bool(self.kept)

    def _seen(self, entry: Entry) -> None:
        """Take an exposure in; the entry that opens an incident says beside it since when."""
        found: Any = entry.facts.get("exposure")
        if found:
            exposure = Exposure.model_validate({"exposed_at": entry.facts.get("exposed_at"), **found})
            if exposure not in self.exposures:
                self.exposures.append(exposure)

    def _opened(self, entry: Entry) -> None:
        self._seen(entry)
        self.mode = str(entry.facts.get("mode") or "A1")
        self.mode_reason = str(entry.facts.get("mode_reason") or "")

    def _mode(self, entry: Entry) -> None:
        facts = entry.facts
        before, to = self.mode, str(facts["to"])
        if to in {"A2", "B"}:  # for the credentials that are known by now: of a later one, nobody has agreed to it
            self.left_alive.update(self.alive)
        elif to == "C" or (before == "A2" and not self.fenced):
            self.left_alive.clear()
        self.motions.pop("incident.mode", None)  # it was asked about as the incident was contained until now
        self.mode, self.mode_reason = to, str(facts.get("reason", ""))
        self.hard_stop = str(facts.get("hard_stop", ""))

    def _started(self, entry: Entry) -> None:
        self._seen(entry)
        self.lead = self.lead or str(entry.facts.get("requester") or "")
        if not entry.facts.get("purpose"):  # a run that only sends a notice holds no credential
            self.rendered = False
            credential = entry.facts.get("credential") or {}
            self.credentials = [*self.credentials, credential]
            self.alive = {**self.alive, entry.run: str(credential.get("connection", ""))}

    def _offered(self, entry: Entry) -> None:
        self.offered_to = str(entry.facts["to"])

    def _took_over(self, entry: Entry) -> None:
        self.lead, self.offered_to = entry.actor, ""

    def _began(self, entry: Entry) -> None:
        self._begun[entry.run, entry.step] = entry.facts

    def _done(self, entry: Entry) -> None:
        facts = entry.facts.get("facts")
        if not isinstance(facts, Mapping):
            return
        begun = self._begun.get((entry.run, entry.step), {})
        evidence = facts.get("evidence")
        if isinstance(evidence, list) and evidence:
            names = {str(one.get("about", "")) for one in evidence} | {str(begun.get("with", {}).get("url", ""))}
            self.kept.update(page_address(name) for name in names - {""})
        if facts.get("verdict") == "dead":
            self.alive = {run: issuer for run, issuer in self.alive.items() if run != entry.run}
        if begun.get("action") == "credential.prove_fenced":
            self.fenced = facts.get("verdict") == "fenced"
        if begun.get("action") == "credential.inspect":
            self._reached([str(one) for one in facts.get("reach") or ()])

    def _reached(self, reach: list[str]) -> None:
        """Take what a leaked credential reaches for suspect, where it is somebody or a place to talk in."""
        self.reach = self.reach.union(reach)
        found = [suspect_name(one) for one in reach if one.partition(":")[0] in SUSPECT_KINDS]
        self._suspect(found, "the leaked credential reaches it")

    def _suspect(self, names: Iterable[str], reason: str) -> None:
        """Take more for suspect; why somebody has been suspect before stays."""
        self.suspects = {**dict.fromkeys(names, reason), **self.suspects}

    # What people say for the whole incident ---------------------------------------------------------------------

    def _suspected(self, entry: Entry) -> None:
        self._suspect(map(str, entry.facts["suspects"]), str(entry.facts.get("reason", "")))

    def _cleared(self, entry: Entry) -> None:
        gone = set(map(str, entry.facts["suspects"]))
        self.suspects = {name: reason for name, reason in self.suspects.items() if name not in gone}

    def _checked(self, entry: Entry) -> None:
        self.checked.update(map(str, entry.facts["places"]))

    def _uncaptured(self, entry: Entry) -> None:
        self.uncaptured[page_address(str(entry.facts["url"]))] = str(entry.facts.get("reason", ""))

    def _broke_glass(self, entry: Entry) -> None:
        self.broken.append(Broken(entry.run, entry.step, entry.actor, str(entry.facts["reason"]), entry.at))

    def _rendered(self, _entry: Entry) -> None:
        self.rendered = True

    def _closed(self, _entry: Entry) -> None:
        self.closed = True

    def _reopened(self, _entry: Entry) -> None:
        self.closed = False

    def _requested(self, entry: Entry) -> None:
        facts = entry.facts
        ask = Ask(
            kind="approval",
            unit=entry.step,
            role=str(facts["role"]),
            at=entry.at,
            due_at=None,
            on_timeout="",
            digest=str(facts["digest"]),
            quorum=int(facts.get("quorum", 1)),
            text=str(facts.get("reason", "")),
            by=entry.actor,
            change=facts.get("change", {}),
        )
        self.motions[entry.step] = Motion(ask, str(facts["effect"]), facts.get("facts", {}))

    def _agreed(self, entry: Entry) -> None:
        motion = self._open(entry)
        if motion is not None and entry.actor not in motion.ask.agreed:
            motion.ask.agreed.append(entry.actor)
            if len(motion.ask.agreed) >= motion.ask.quorum:
                del self.motions[entry.step]

    def _declined(self, entry: Entry) -> None:
        if self._open(entry) is not None:
            del self.motions[entry.step]

    def _open(self, entry: Entry) -> Motion | None:
        """Return the motion that an answer is about; none where it is about another one, or about a step."""
        motion = self.motions.get(entry.step) if not entry.run else None
        return motion if motion is not None and motion.ask.digest == entry.facts.get("digest") else None


def suspect_name(name: str) -> str:
    """Return under which name somebody or something is suspect: its kind, and its name however it was written."""
    kind, _, rest = name.strip().partition(":")
    return f"{kind}:{rest.strip().removeprefix('#').casefold()}"


def page_address(url: str) -> str:
    """Return an address without what does not change which page it is."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}".casefold() + parts.path.rstrip("/") + query


_CHANGES: dict[str, Callable[[Standing, Entry], None]] = {
    "mode": Standing._mode, "opened": Standing._opened, "started": Standing._started, "joined": Standing._seen,  # noqa: SLF001 - its own
    "began": Standing._began, "done": Standing._done, "applied": Standing._done,  # noqa: SLF001
    "suspected": Standing._suspected, "cleared": Standing._cleared, "checked": Standing._checked,  # noqa: SLF001
    "rendered": Standing._rendered, "closed": Standing._closed, "reopened": Standing._reopened,  # noqa: SLF001
    "broke_glass": Standing._broke_glass, "offered": Standing._offered, "took_over": Standing._took_over,  # noqa: SLF001
    "uncaptured": Standing._uncaptured, "requested": Standing._requested,  # noqa: SLF001
    "agreed": Standing._agreed, "declined": Standing._declined,  # noqa: SLF001
}  # fmt: skip
