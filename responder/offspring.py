"""What a step finds opens a run of its own, in the same incident, in the transaction that records the step."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from responder.entry import Draft
from responder.errors import InputError, Unavailable
from responder.finding import Finding
from responder.incident import Judgement, Ownership
from responder.links import issuing_run, linked
from responder.means import Means
from responder.start import Start, assess, choose, prepare
from responder.state import RunState
from responder.store import Writing


class Offspring(NamedTuple):
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
    if not findings:
        return Offspring((), ())
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
        place = {
            "credential": judgement.credential.label,
            "identifiers": list(judgement.credential.identifiers),
            "exposure": finding.exposure.model_dump(mode="json"),
        }
        told = _left(judgement, means, place)
        if told is None:
            try:
                start = _child(finding, judgement, state, means, incident=incident, address=address)
            except InputError as error:
                told = Draft("left_alone", {**place, "ownership": Ownership.OURS.value, "reason": str(error)})
            else:
                starts.append(start)
                issuer = issuing_run(judgement.credential, means)
                if issuer is not None and issuer.incident == incident:
                    drafts.append(linked(issuer, start.run, start.credential))
                told = Draft("opened_child", {**place, "child": start.run, "playbook": start.playbook.playbook})
        drafts.append(told._replace(run=state.run, step=address))
        drafts += starts[-1].drafts if told.event == "opened_child" else ()
    return Offspring(tuple(drafts), tuple(starts))


def _left(judgement: Judgement, means: Means, place: dict[str, Any]) -> Draft | None:
    """Return the entry where a found credential opens no run: it is not ours, or another run has it."""
    if judgement.ownership is not Ownership.OURS:
        reason = {"ownership": judgement.ownership.value, "reason": judgement.reason}
        return Draft("left_alone", {**place, **reason})
    holder = means.store.holder(judgement.credential.identifiers)
    return Draft("linked", {**place, "run": holder}) if holder is not None else None


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
