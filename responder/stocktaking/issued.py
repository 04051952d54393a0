"""What runs of this record were issued, for whom, and whether it has reached them: nobody else made these."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from responder.credential import Deliver, Issue
from responder.fold import fold
from responder.means import Means
from responder.settings import Connection, same_account
from responder.state import RunState
from responder.timeline import Timeline
from responder.unit import Unit

_DONE = frozenset({"done", "unchanged"})


@dataclass(frozen=True)
class Origin:
    """The run that was issued a credential, and what became of it."""

    run: str
    connection: str
    key_id: str
    receiver: str
    """`consumer ID` or `holder ID`; empty where it was made for nobody in particular."""
    delivered: bool
    """Whether it was put into a consumer's store, and read back there."""


class Origins:
    """What all runs of a record were issued. The record is read when it is first asked, and once."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def of(self, connection: Connection, key_id: str) -> Origin | None:
        """Return where a key of a connection's account comes from; None where no run was issued it.

        RecordError where the record cannot be read.
        """
        known = self._means.settings.connections
        for one in self._by_id.get(key_id, ()) if key_id else ():
            if one.connection in known and same_account(known[one.connection], connection):
                return one
        return None

    @cached_property
    def _by_id(self) -> Mapping[str, list[Origin]]:
        found: dict[str, list[Origin]] = {}
        for incident in self._means.store.incidents():
            entries = Timeline(self._means.store, self._means.sealer, self._means.clock, incident).entries()
            for row in self._means.store.runs(incident):
                for origin in _issued(fold(row.run, entries)):
                    found.setdefault(origin.key_id, []).append(origin)
        return found


def _issued(state: RunState) -> Iterator[Origin]:
    """Yield what a run was issued."""
    delivered = dict(_deliveries(state))  # a value is delivered once: its key is dropped then
    for unit in _done(state, Issue):
        key_id, value = str(unit.facts.get("key_id", "")), unit.facts.get("value")
        if key_id:
            where = delivered.get(_blob(value), "")
            receiver = where or _receiver(unit)
            yield Origin(state.run, str(unit.planned.get("connection", "")), key_id, receiver, bool(where))


def _deliveries(state: RunState) -> Iterator[tuple[str, str]]:
    """Yield the name of each sealed value that was delivered, and to whom."""
    for unit in _done(state, Deliver):
        blob = _blob(unit.planned.get("with", {}).get("value"))
        if blob:
            yield blob, _receiver(unit)


def _done(state: RunState, verb: type[Deliver | Issue]) -> Iterator[Unit]:
    """Yield the steps and items of a verb that ended with what they were for, and were not taken back."""
    for unit in state.units.values():
        if unit.planned.get("declared") == verb.name and unit.status in _DONE:
            yield unit


def _blob(value: Any) -> str:
    return str(value.get("$secret", "")) if isinstance(value, Mapping) else ""


def _receiver(unit: Unit) -> str:
    given = unit.planned.get("with", {})
    told = [f"{kind} {one['id']}" for kind in ("consumer", "holder") if (one := given.get(kind))]
    return told[0] if told else ""
