"""What a step finds opens a run of its own, in the same incident, in the transaction that records the step."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from responder.errors import InputError, Unavailable
from responder.finding import Finding
from responder.incident import Ownership
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
        place = finding.exposure.model_dump(mode="json")
        if judgement.ownership is not Ownership.OURS:
            told = {
                "credential": judgement.credential.label,
                "ownership": judgement.ownership.value,
                "reason": judgement.reason,
                "exposure": place,
            }
            drafts.append(Draft("left_alone", told, state.run, address))
            continue
        holder = means.store.holder(judgement.credential.identifiers)
        if holder is not None:
            drafts.append(
                Draft(
                    "linked",
                    {"credential": judgement.credential.label, "run": holder, "exposure": place},
                    state.run,
                    address,
                )
            )
            continue
        try:
            playbook = choose(finding, judgement, means)
            parent = {"run": state.run, "step": address}
            requester = str(state.started.get("requester", ""))
            run = f"{state.run}.{hashlib.sha256((address + name).encode()).hexdigest()[:6]}"
            start = prepare(means, incident, finding, judgement, playbook, {}, requester, parent, run)
        except InputError as error:
            drafts.append(
                Draft(
                    "left_alone",
                    {
                        "credential": judgement.credential.label,
                        "ownership": "ours",
                        "reason": str(error),
                        "exposure": place,
                    },
                    state.run,
                    address,
                )
            )
            continue
        opened = {
            "child": start.run,
            "credential": judgement.credential.label,
            "playbook": playbook.playbook,
            "exposure": place,
        }
        drafts.append(Draft("opened_child", opened, state.run, address))
        drafts += start.drafts
        starts.append(start)
    return Offspring(tuple(drafts), tuple(starts))


def _known_fingerprints(means: Means, incident: str) -> set[str]:
    """Return the fingerprints of the credentials that open runs of this incident are about already."""
    return {
        name for row in means.store.runs(incident) for name in means.store.locked(row.run) if name.startswith("fp:")
    }
