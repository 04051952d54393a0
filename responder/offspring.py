"""What a step finds opens a run of its own, in the same incident, in the transaction that records the step."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from responder.errors import InputError, Unavailable
from responder.finding import Finding
from responder.incident import Judgement, Ownership
from responder.means import Means
from responder.start import Start, assess, choose, prepare
from responder.state import RunState
from responder.store import Writing
from responder.timeline import Draft


@dataclass(frozen=True)
class Offspring:
    """The entries that a step's findings add, and the runs that are stored with them."""

    drafts: tuple[Draft, ...]
    starts: tuple[Start, ...]

    def store(self, writing: Writing) -> None:
        """Store the new runs, with their locks."""
        for start in self.starts:
            start.store(writing)
            other = writing.lock(start.credential.identifiers, start.run)
            if other is not None:  # the step is tried again, and finds it then
                raise Unavailable(
                    f"The run {other} has just begun for a credential that was found here", where=start.credential.label
                )


def children_of(findings: Sequence[Finding], state: RunState, means: Means, incident: str, address: str) -> Offspring:
    """Return what a step's findings begin: a child run for each credential of ours that no run is about yet."""
    drafts: list[Draft] = []
    starts: list[Start] = []
    own = state.credential
    known = {own.fingerprint, f"{own.connection}:{own.key_id}", *_known_fingerprints(means, incident)}
    for finding in findings:
        name = finding.fingerprint or f"{finding.connection}:{finding.key_id}"
        if name in known:
            continue
        known.add(name)
        judgement = assess(finding, means)
        told = {"credential": judgement.credential.label, "exposure": finding.exposure.model_dump(mode="json")}
        event, more = _left(judgement, means)
        if not event:
            try:
                starts.append(_child(finding, judgement, state, means, incident=incident, address=address))
                event, more = "opened_child", {"child": starts[-1].run, "playbook": starts[-1].playbook.playbook}
            except InputError as error:
                event, more = "left_alone", {"ownership": Ownership.OURS.value, "reason": str(error)}
        drafts.append(Draft(event, {**told, **more}, state.run, address))
        drafts += starts[-1].drafts if event == "opened_child" else ()
    return Offspring(tuple(drafts), tuple(starts))


def _left(judgement: Judgement, means: Means) -> tuple[str, dict[str, str]]:
    """Return event and facts where a found credential opens no run: it is not ours, or another run has it."""
    if judgement.ownership is not Ownership.OURS:
        return "left_alone", {"ownership": judgement.ownership.value, "reason": judgement.reason}
    holder = means.store.holder(judgement.credential.identifiers)
    return ("linked", {"run": holder}) if holder is not None else ("", {})


def _child(
    finding: Finding, judgement: Judgement, state: RunState, means: Means, *, incident: str, address: str
) -> Start:
    """Return the run for a found credential; its id is the same each time, so that it cannot open twice."""
    name = finding.fingerprint or f"{finding.connection}:{finding.key_id}"
    run = f"{state.run}.{hashlib.sha256((address + name).encode()).hexdigest()[:6]}"
    playbook = choose(finding, judgement, means)
    requester = str(state.started.get("requester", ""))
    parent = {"run": state.run, "step": address}
    return prepare(means, incident, finding, judgement, playbook, {}, requester, parent, run)


def _known_fingerprints(means: Means, incident: str) -> set[str]:
    """Return the fingerprints of the credentials that open runs of this incident are about already."""
    return {
        name for row in means.store.runs(incident) for name in means.store.locked(row.run) if name.startswith("fp:")
    }
