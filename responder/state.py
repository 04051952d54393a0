"""What a run has come to, by its record alone, and how expressions read it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from responder.correction import Correction
from responder.expressions import SecretRef
from responder.incident import Credential
from responder.playbook import Playbook, Step
from responder.standing import Standing
from responder.step import waits_for_end_only
from responder.unit import ENDED_WELL, Ask, Child, Items, Unit

RESPONSE = "response"
NOTICE = "notice"
"""What a run is for: to respond to a leaked credential, or to send one notice of an incident, and no more."""


class RunState:
    """What a run has come to. `apply` is the only thing that changes it, one entry at a time.

    The threads of steps read it meanwhile: they look at all steps by `each`, and `children`, `links` and what the
    standing holds are replaced where they change, never changed, so that nobody finds them changed under their hands.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.playbook: Playbook
        self.started: Mapping[str, Any] = {}
        self.credential = Credential()
        self.incident: dict[str, Any] = {}
        self.standing = Standing()
        """How the whole incident stands, by the entries of all its runs."""
        self.given: dict[str, Any] = {}
        """Facts for documents that people set."""
        self.units: dict[str, Unit] = {}
        self.items: dict[str, Items] = {}
        self.children: dict[str, Child] = {}
        self.scopes: dict[str, Mapping[str, Any]] = {}
        """The inputs of each sub-playbook that was begun, by the step that takes it."""
        self.links: dict[str, Child] = {}
        """Runs about a credential that this one was issued, or is delivering: until they end it delivers nothing."""
        self.awaited_by: set[str] = set()
        """Runs that deliver nothing until this one has ended."""
        self.undoing: set[str] = set()
        """Failed steps of which everything is being taken back, or has been."""
        self.unanswered: dict[str, tuple[frozenset[str], ...]] = {}
        """Steps that found credentials of ours for which no run could be opened: they count as live.

        Each with the names under which they are known.
        """
        self.corrections: dict[str, Correction] = {}
        """Corrections that deadlines' owners have not agreed to, by the address at which they answer."""
        self.epoch = 0
        self.state = "new"
        """`new, open, halted, aborting, ended`."""
        self.contained = False
        self.contained_at: datetime | None = None
        """The first refusal after the last acceptance, once death is proven."""
        self.credential_facts: dict[str, Any] = {}
        """The credential as expressions read it."""
        self.ended: Mapping[str, Any] = {}
        self.seq = 0

    def become(self, other: "RunState") -> None:
        """Take over all that another fold of the same run has come to; whoever holds this state sees it, too."""
        self.__dict__.update(other.__dict__)

    def unit(self, address: str) -> Unit:
        """Return what is known of a step or item."""
        if address not in self.units:
            self.units[address] = Unit(address)
        return self.units[address]

    def inputs_of(self, scope: str) -> Mapping[str, Any]:
        """Return the inputs of a sub-playbook, or those of the run."""
        inputs: Mapping[str, Any] = self.scopes.get(scope, {}) if scope else self.started.get("inputs", {})
        return inputs

    def status(self, step: str) -> str:
        """Return a step's status; that of a `for_each` sums up its items."""
        unit = self.units.get(step)
        return unit.status if unit else "waiting"

    def standing_of(self, address: str) -> str:
        """Return how a step or item stands, for somebody who typed its name and may have mistyped it."""
        known = address in self.units or address in self.playbook.by_id
        return self.status(address) if known else "unknown to this run"

    def each(self) -> list[Unit]:
        """Return every step and item that there is now: while one thread looks at them, another adds more."""
        return list(self.units.values())

    def stops(self, step: Step | None) -> bool:
        """Tell whether an abort keeps a step from going any further: what only waits for an end goes on."""
        return self.state == "aborting" and not (step is not None and waits_for_end_only(step))

    def ended_well(self, step: str) -> bool:
        """Tell whether what needs this step may start; what stays keeps nothing else from being taken back."""
        return (
            self.status(step) in ENDED_WELL
            or (self.status(step) == "failed" and self.playbook.by_id[step].on_error == "continue")
            or (self.status(step) == "declined" and step.endswith("~undo"))
        )

    @property
    def others(self) -> Mapping[str, Child]:
        """The runs of this incident that this one waits for, or whose credential it has to do with."""
        return {**self.links, **self.children} if self.links else self.children

    @property
    def purpose(self) -> str:
        """What the run is for: RESPONSE, or NOTICE, which never contains anything."""
        return str(self.started.get("purpose") or RESPONSE)

    def asks(self) -> list[Ask]:
        """Return every question that is open, in the order in which they were asked."""
        return sorted((unit.ask for unit in self.each() if unit.ask), key=lambda ask: ask.at)

    def question(self, address: str) -> Ask | None:
        """Return what is asked at a step, an item, of a correction, or of the whole incident; None where nothing is."""
        if address in self.standing.motions:
            return self.standing.motions[address].ask
        if address in self.corrections:
            return self.corrections[address].asks()[0]
        unit = self.units.get(address)
        return unit.ask if unit else None

    @property
    def people(self) -> Mapping[str, Any]:
        """The people of the run, as they were when it started."""
        people: Mapping[str, Any] = self.started.get("people", {})
        return people


class Outputs:
    """A step's facts, as expressions read them: `steps.kill.state`, `steps.kill.status`."""

    __slots__ = ("_facts", "_lenient")

    def __init__(self, facts: Mapping[str, Any], *, lenient: bool) -> None:
        self._facts = facts
        self._lenient = lenient

    def __getitem__(self, name: str) -> Any:
        if self._lenient and name not in self._facts:
            return None
        return _lifted(self._facts[name])


def _lifted(value: Any) -> Any:
    """Turn what the timeline says of a secret into what expressions may pass on."""
    if isinstance(value, Mapping) and "$secret" in value:
        return SecretRef(value["$secret"], value["fingerprint"])
    return value


def outputs(state: RunState, step: Step, *, early: bool = False) -> Outputs:
    """Return a step's outputs; those of a step that did not end well are null, and `early` those of one under way."""
    unit = state.unit(step.id)
    facts: dict[str, Any] = {**unit.facts, "status": unit.status}
    if step.id in state.items:
        items = [state.unit(f"{step.id}[{key}]") for key in state.items[step.id].values]
        well = [item for item in items if item.status in ENDED_WELL]
        facts["all_done"] = len(well) == len(items)
        facts["count"] = len(items)
        facts["left"] = [
            value
            for value, item in zip(state.items[step.id].values.values(), items, strict=True)
            if item.status not in ENDED_WELL
        ]
        facts["each"] = {
            key: Outputs({**item.facts, "status": item.status}, lenient=True)
            for key, item in zip(state.items[step.id].values, items, strict=True)
        }
    strict = {"done", "unchanged"} if early else {"done", "unchanged", "running", "applied"}
    return Outputs(facts, lenient=unit.status not in strict)
