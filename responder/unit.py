"""A step of a run, or one item of a step, and what may be asked about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.action import Observed

ENDED_WELL = frozenset({"done", "unchanged", "skipped"})
ENDED = ENDED_WELL | {"declined", "failed", "undone"}
"""The statuses from which a step does not move by itself; `unknown` waits for a person."""


@dataclass
class Ask:
    """A question to people that is open: an approval, a decision, a task, or an unknown outcome."""

    kind: str
    """`approval`, `decide`, `task`, `unknown`, or `gate` between two waves."""
    unit: str
    role: str
    at: datetime
    due_at: datetime | None
    on_timeout: str
    digest: str = ""
    quorum: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    """For one approval of many items, what each of them would do: key to digest."""
    agreed: list[str] = field(default_factory=list)
    """Who has agreed to this digest so far."""
    by: str = ""
    """Who asks for it in person, besides whoever asked for the run; they cannot agree to it."""
    change: Mapping[str, str] = field(default_factory=dict)
    """What would change, where no step has planned it: `target`, `before`, `after`."""


@dataclass
class Unit:
    """A step, or one item of a step: what the record says of it."""

    address: str
    status: str = "waiting"
    facts: Mapping[str, Any] = field(default_factory=dict)
    planned: Mapping[str, Any] = field(default_factory=dict)
    """The newest plan: action, connection, with, digest, target, before, after."""
    approved: str = ""
    """The digest that may be applied; agreed by people, or by the playbook when nobody answered."""
    approved_by: tuple[str, ...] = ()
    """Who agreed to it; nobody where the playbook did."""
    ask: Ask | None = None
    tries: int = 0
    in_flight: bool = False
    """An intent without an outcome."""
    changed: bool = False
    """Whether a change of it is known to have taken effect."""
    intended_by: int = 0
    """The epoch of the executor that intended it."""
    intended_at: datetime | None = None
    orphan_until: str = ""
    """Until when what an earlier try made, and nobody can recognise, may live; a time with its zone."""
    answer: str = ""
    """What a person said of an unknown outcome: `happened` or `not-happened`; or to retry."""
    looks: list[Observed] = field(default_factory=list)
    next_at: datetime | None = None
    """Not before this moment is it tried or looked at again."""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""
    error_kind: str = ""
    io_seconds: float = 0.0
    schedule: Mapping[str, Any] = field(default_factory=dict)
    """Of a step with `start`: `not_before` and `hard_stop` as they stand, and what an approval signs of them."""
    due: bool = False
    """Whether a step with `start` has come due; until then it is planned and asked for, and still waits."""

    def as_it_is(self) -> "Unit":
        """Return it as it is now, whatever becomes of it: what it holds is replaced later, but for its looks."""
        now = object.__new__(Unit)
        now.__dict__ = {**self.__dict__, "looks": [*self.looks]}
        return now

    @property
    def takes_back(self) -> bool:
        """Whether it is there to take another step back, or an item of one that is."""
        return self.address.partition("[")[0].endswith("~undo")


@dataclass
class Items:
    """What a `for_each` was expanded to."""

    values: dict[str, Any]
    ended: int = 0
    released: int = 0
    """How many of them, in their order, may be begun by now; the rest wait for their wave."""
    gate: str = ""
    """What a person said at the gate before the next wave: `continue` or `stop`."""


@dataclass
class Child:
    """A run that was opened for a credential found by a step of this one."""

    run: str
    step: str
    label: str
    state: str = "open"
    contained: bool = False
