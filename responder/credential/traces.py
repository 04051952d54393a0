"""What logs and the account itself show of a credential: who used it, who depends on it, what else leads in."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from responder.action import Effect, Evidence, Outcome
from responder.durations import Duration
from responder.settings import Consumer
from responder.subject import CredentialAction

_MOST_SHOWN = 200
"""How many uses stand on the timeline; all of them are sealed as evidence."""

_UNNAMED = "somebody whom the records do not name"
"""The id of all those of whom a log tells neither an address nor a program; known consumers may be among them."""


class Use(BaseModel):
    """One use of a credential, as a log tells it."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    at: AwareDatetime
    what: str = ""
    """What was asked for."""
    address: str = ""
    agent: str = ""
    """The program, as it called itself."""
    consumer: str = ""
    """The id of the known consumer that it was; empty where it was none."""
    ours: bool = False
    """Whether it was a probe of this very run."""


class Interval(NamedTuple):
    """A stretch of time, from its first to its last moment."""

    since: datetime
    until: datetime


class Records(NamedTuple):
    """What a provider's logs hold of a credential."""

    uses: Sequence[Use]
    covered: Sequence[Interval]
    """The stretches over which the log is complete for this credential."""
    sources: Sequence[str]
    """The logs that were read."""
    trusted: bool = True
    """False where whoever had the credential could have written or deleted rows, and no second source agrees."""
    kept_since: datetime | None = None
    """The oldest moment that the log still holds: what is older goes first, and must be copied first."""
    kept_for: timedelta | None = None
    """How long the log keeps a row, where it drops rows by their age and its maker says after how long; never a guess.
    A provider without such a figure says so in its module's docstring, which its page of the docs shows."""


class _Traced(CredentialAction):
    """An action that reads use records."""

    effect: ClassVar[Effect] = Effect.READ

    since: AwareDatetime | None = None
    """From when on the credential could be used by outsiders; default: as far back as `look_back` goes."""
    until: AwareDatetime | None = None
    """Until when; default: now."""
    look_back: Duration = timedelta(days=35)
    """How far before `since` to look as well: past the longest period of a job, so that a monthly one is seen."""
    known: tuple[Consumer, ...] = ()
    """The consumers that the inventory names; each use is compared with their `seen_as`."""

    def usage(self, client: Any, span: Interval) -> Records:
        """Read the logs over a stretch of time."""
        raise TypeError(f"{type(self).__name__} must read its provider's logs")

    def _records(self, client: Any) -> tuple[Records, Interval, Interval]:
        """Return the records, the stretch that is asked about, and the longer one that was read."""
        now = client.access.clock.now()
        asked = Interval(self.since or now, self.until or now)
        span = Interval(asked.since - self.look_back, asked.until)
        found = self.usage(client, span)
        run = client.access.marker.partition("/")[0]
        uses = sorted((self._recognised(use, run) for use in found.uses), key=lambda use: use.at)
        return found._replace(uses=uses), asked, span

    def _recognised(self, use: Use, run: str) -> Use:
        # Our program's name alone shows nothing: whoever has the credential can call themselves so. The run, they
        # cannot know.
        if use.agent.startswith("responder/") and f"({run};" in use.agent:
            return use.model_copy(update={"ours": True})
        found = next((one.id for one in self.known if any(_fits(use, sign) for sign in one.seen_as)), "")
        return use.model_copy(update={"consumer": found})


class Used(_Traced):
    """Read who used the credential, and over which intervals that is known.

    Facts: `uses`, `count`, `foreign` (uses by nobody known, from `since` to `until`), `covered`, `missing` (of that
    time), `missing_before` (of the time that `look_back` adds), `trusted`, `sources`, `kept_since`, `kept_until` (when
    the log drops the oldest of these uses, where it drops by age).
    """

    verb: ClassVar[str] = "used"
    name: ClassVar[str] = "credential.used"

    def read(self, client: Any) -> Outcome:
        """Read the logs, and say what they cover; every row is kept as evidence, what is dropped first at its head."""
        found, asked, span = self._records(client)
        kept_until = found.uses[0].at + found.kept_for if found.uses and found.kept_for else None
        foreign = [use for use in found.uses if _is_foreign(use) and asked.since <= use.at <= asked.until]
        facts = {
            "uses": [use.model_dump(mode="json") for use in [*foreign, *_others(found.uses, foreign)][:_MOST_SHOWN]],
            "count": len(found.uses),
            "foreign": len(foreign),
            "since": _time(asked.since),
            "until": _time(asked.until),
            "covered": _shown(found.covered),
            "missing": _shown(gaps(asked, found.covered)),
            "missing_before": _shown(gaps(Interval(span.since, asked.since), found.covered)),
            **_about(found),
            "kept_until": _time(kept_until),
        }
        rows = json.dumps([use.model_dump(mode="json") for use in found.uses], indent=1).encode()
        return Outcome(facts, evidence=[Evidence(rows, f"use records of {', '.join(found.sources)}", kept_until)])


class Consumers(_Traced):
    """Unite the consumers of the inventory with those that the use records show.

    Facts: `known` (each with `last_used_at`), `silent` (the ids of those that no record shows), `unknown` (whose uses
    bear nobody's signs, by address and program, each with `id`, `count`, `first_used_at` and `last_used_at`), `earlier`
    (those of them that used it before `since` already, when outsiders could not), `missing`, `trusted`, `sources`.
    """

    verb: ClassVar[str] = "consumers"
    name: ClassVar[str] = "credential.consumers"

    def read(self, client: Any) -> Outcome:
        """Read the logs, and tell whom they show."""
        found, asked, span = self._records(client)
        unknown = _strangers(found.uses)
        last = {use.consumer: use.at for use in found.uses if use.consumer}
        known = [{"id": one.id, "last_used_at": _time(last.get(one.id))} for one in self.known]
        facts = {
            "known": known,
            "silent": [one.id for one in self.known if one.id not in last],
            "unknown": unknown,
            "earlier": [one for one in unknown if datetime.fromisoformat(one["first_used_at"]) < asked.since],
            "missing": _shown(gaps(span, found.covered)),
            **_about(found),
        }
        return Outcome(facts)


class Door(BaseModel):
    """Another way into the identity that a credential speaks for."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    kind: str
    """Such as `access key`, `password`, `role trust`."""
    id: str
    about: str = ""
    opened_at: AwareDatetime | None = None
    """When it was made or changed, where the provider tells."""


class Doors(CredentialAction):
    """List the other ways into the same identity, and those that were made since a moment: the sweep.

    Facts: `doors`, each with `new` (made or changed since `since`, or nobody knows when), `unresolved` (the ids of all
    that are open), `new` (the ids of the new ones), `decided` (the ids of those that somebody decided to leave open,
    and that were not changed since: they stand in none of the others), `complete` (whether everything could be looked
    at), `unseen` (what could not). What this run has issued itself is no such door.
    """

    verb: ClassVar[str] = "doors"
    name: ClassVar[str] = "credential.doors"
    effect: ClassVar[Effect] = Effect.READ

    since: AwareDatetime | None = None
    """From when on outsiders could have opened doors."""

    def open_doors(self, client: Any) -> Iterable[Door]:
        """Yield every door that is open now."""
        raise TypeError(f"{type(self).__name__} must list the doors")

    def unseen(self, client: Any) -> Sequence[str]:
        """Return what could not be looked at, in words."""
        return ()

    def read(self, client: Any) -> Outcome:
        """Look at every door."""
        found = [door for door in self.open_doors(client) if door.id not in self.subject.issued]
        decided = [door.id for door in found if self._is_decided(door)]
        doors = [door for door in found if door.id not in decided]
        unseen = list(self.unseen(client))
        rows = [{**door.model_dump(mode="json"), "new": self._is_new(door)} for door in doors]
        return Outcome(
            {
                "doors": rows,
                "unresolved": [door.id for door in doors],
                "new": [row["id"] for row in rows if row["new"]],
                "decided": decided,
                "complete": not unseen,
                "unseen": unseen,
            }
        )

    def _is_decided(self, door: Door) -> bool:
        at = self.subject.left_open.get(door.id)
        return at is not None and (door.opened_at is None or door.opened_at <= at)

    def _is_new(self, door: Door) -> bool:
        return self.since is not None and (door.opened_at is None or door.opened_at >= self.since)


def gaps(asked: Interval, covered: Iterable[Interval]) -> list[Interval]:
    """Return the parts of a stretch that nothing covers, in order."""
    found: list[Interval] = []
    reached = asked.since
    for one in sorted(covered):
        if one.since > reached:
            found.append(Interval(reached, min(one.since, asked.until)))
        reached = max(reached, one.until)
        if reached >= asked.until:
            break
    if reached < asked.until:
        found.append(Interval(reached, asked.until))
    return [gap for gap in found if gap.since < gap.until]


def _fits(use: Use, sign: str) -> bool:
    """Tell whether a use bears a consumer's sign: a network that holds its address, or a part of its program's name."""
    try:
        network = ip_network(sign, strict=False)
    except ValueError:
        return sign.casefold() in use.agent.casefold()
    try:
        return ip_address(use.address) in network
    except ValueError:
        return False


def _is_foreign(use: Use) -> bool:
    return not use.consumer and not use.ours


def _others(uses: Iterable[Use], shown: Sequence[Use]) -> list[Use]:
    """Return what else there is, newest first."""
    listed = {id(use) for use in shown}
    return [use for use in reversed(list(uses)) if id(use) not in listed]


def _strangers(uses: Iterable[Use]) -> list[dict[str, Any]]:
    """Return whose uses are nobody's, from uses in order of time."""
    foreign = [use for use in uses if _is_foreign(use)]
    counts = Counter((use.address, use.agent) for use in foreign)
    last = {(use.address, use.agent): use.at for use in foreign}
    first = {(use.address, use.agent): use.at for use in reversed(foreign)}
    return [
        {
            "id": f"{address} {agent}".strip() or _UNNAMED,
            "address": address,
            "agent": agent,
            "count": count,
            "first_used_at": _time(first[address, agent]),
            "last_used_at": _time(last[address, agent]),
        }
        for (address, agent), count in counts.most_common(_MOST_SHOWN)
    ]


def _about(found: Records) -> dict[str, Any]:
    return {"trusted": found.trusted, "sources": list(found.sources), "kept_since": _time(found.kept_since)}


def _shown(intervals: Iterable[Interval]) -> list[dict[str, str]]:
    return [{"since": _time(one.since), "until": _time(one.until)} for one in intervals]


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
