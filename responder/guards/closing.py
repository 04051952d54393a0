"""Closing: an incident ends when nothing is open, everything is dead, and the review is written; never before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from responder.errors import Problem
from responder.state import NOTICE, RunState

NAME = "closing"


class Closing(NamedTuple):
    """An incident that somebody wants to close."""

    incident: str
    runs: tuple[RunState, ...]
    clocks: Mapping[str, str] = MappingProxyType({})
    """Each deadline of its runs, and how it stands."""
    left: Mapping[str, str] = MappingProxyType({})
    """Deadlines that the one who closes leaves, each with a reason."""
    uncontained: str = ""
    """Why it is closed although something is not contained; two others must agree."""


def taken_up_again(state: RunState, runs: Sequence[RunState]) -> list[RunState]:
    """Return the later responses of an incident to the credential of a run. `runs`: all, the oldest first."""
    later = runs[next(place for place, one in enumerate(runs) if one is state) + 1 :]
    return [one for one in later if _is_about(one, state.credential.identifiers)]


def _is_about(state: RunState, names: Iterable[str]) -> bool:
    """Tell whether a run is the response to a credential that goes by one of these names."""
    return state.purpose != NOTICE and not set(names).isdisjoint(state.credential.identifiers)


def at_close(closing: Closing) -> Iterator[Problem]:
    """Refuse to close too early; every reason is told."""
    for state in closing.runs:
        yield from _of_run(state, closing)
    for name, stands in closing.clocks.items():
        if stands in {"running", "overdue", "pending"} and not closing.left.get(name, "").strip():
            told = f"the deadline {name} is {stands}, and nobody has decided about it"
            yield Problem(told, closing.incident, f"meet it, or say why not: `--leave {name}=REASON`")
    if not any(state.standing.rendered for state in closing.runs):
        remedy = f"`responder postmortem {closing.incident} -o FILE`"
        yield Problem("the postmortem has not been rendered since the last run began", closing.incident, remedy)


def _of_run(state: RunState, closing: Closing) -> Iterator[Problem]:
    if state.state != "ended":
        way_out = f"`responder resume {state.run}`, or `responder abort {state.run} --reason TEXT`"
        yield Problem(f"the run is {state.state}", state.run, way_out)
        return
    again = taken_up_again(state, closing.runs)
    unknown = sorted(unit.address for unit in state.units.values() if unit.status == "unknown" or unit.in_flight)
    for address in unknown:
        if any(one.status(address) in {"done", "unchanged"} for one in again):
            continue
        told = "nobody knows whether this took effect"
        yield Problem(told, f"{state.run} {address}", "look at the system itself, and begin a run that does it again")
    if state.purpose == NOTICE or closing.uncontained.strip():
        return
    if not (state.contained or any(one.contained for one in again)):
        unmet = [str(one.get("criterion")) for one in state.ended.get("exit", ()) if not one.get("held")]
        told = f"{state.credential.label} does not count as contained"
        more = f": {'; '.join(unmet)}" if unmet else ""
        yield Problem(
            told + more, state.run, "begin another run for it; or `--uncontained REASON`, which two others sign"
        )
    for step, found in sorted(state.unanswered.items()):
        if all(any(_is_about(one, names) for one in closing.runs) for names in found):
            continue
        told = "a credential of ours was found here, and no run was opened for it"
        yield Problem(
            told, f"{state.run} {step}", "begin a run for it; or `--uncontained REASON`, which two others sign"
        )
