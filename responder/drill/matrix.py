"""Every step of a playbook, killed at every point and misled after every write, to see that the end is always the same.

`python -m responder.drill.matrix [crash|lost-answer|stop] [--only STEP]` prints the table; with `--store URL
--workers 2` on a shared record, each row in a database of its own that is dropped afterwards.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from responder.drill.drill import Drill, Options, begin, carry_out
from responder.drill.faults import CRASH_POINTS
from responder.drill.lines import key, kind
from responder.drill.report import facts_of, finish, read_ledger
from responder.drill.score import final_effects, score
from responder.errors import ResponderError
from responder.installation import location
from responder.library import built_in
from responder.playbook import Playbook
from responder.reading import load_playbook

HOLDERS = 4
SPEED = 60.0


@dataclass(frozen=True)
class Ending:
    """What one drill came to."""

    happened: bool
    """Whether the fault struck; a step that was skipped writes nothing that an answer could be lost of."""
    contained: bool
    statuses: tuple[tuple[str, str], ...]
    effects: tuple[tuple[str, str], ...]
    repeated: int
    lost: int
    violations: tuple[str, ...]
    verified: bool
    asked: int
    """How often a person had to say what became of something."""

    def differs(self, other: "Ending") -> list[str]:
        """Return in words how this ending differs from the one that it should equal."""
        told = [f"{step} {status}" for step, status in self.statuses if (step, status) not in other.statuses]
        added = Counter(self.effects) - Counter(other.effects)
        missing = Counter(other.effects) - Counter(self.effects)
        told += [f"{count} x {kind} {subject} too many" for (kind, subject), count in added.items()]
        told += [f"{count} x {kind} {subject} missing" for (kind, subject), count in missing.items()]
        told += [f"{self.repeated} effects repeated"] * bool(self.repeated) + [f"{self.lost} effects lost"] * bool(
            self.lost
        )
        told += (
            list(self.violations) + ["not contained"] * (not self.contained) + ["does not verify"] * (not self.verified)
        )
        return told


def practise(
    playbook: str,
    folder: Path,
    *faults: str,
    holders: int = HOLDERS,
    speed: float = SPEED,
    store: str | None = None,
    workers: int = 0,
) -> Ending:
    """Carry out one small drill with these faults."""
    options = Options(
        playbook, folder, faults=faults, holders=holders, speed=speed, seconds=120, store=store, workers=workers
    )
    drill = begin(options)
    try:
        carry_out(drill, lambda _: None)
        return _ending(drill)
    finally:
        drill.app.close()
        drill.stage.close()


def _ending(drill: Drill) -> Ending:
    finished = finish(drill)
    state = drill.app.state(drill.run)
    entries = drill.app.timeline(drill.incident)
    lines = read_ledger(drill.stage.folder / "world" / "ledger.jsonl")
    seen = score(lines, facts_of(drill, state, entries))
    struck = bool(drill.crashes) or any(row["happened"] for row in finished.get("faults", []))
    return Ending(
        happened=struck,
        contained=state.contained,
        statuses=tuple((step.id, _simply(state.status(step.id))) for step in state.playbook.steps),
        effects=tuple(final_effects(_standing(lines))),
        repeated=seen["effects_repeated"],
        lost=seen["effects_lost"],
        violations=tuple(seen["order_violations"]),
        verified=not drill.app.verify(drill.incident),
        asked=sum(entry.event == "answered" for entry in entries),
    )


def _standing(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines without the making and ending of orphans: keys whose value was lost with its answer."""
    made = {line["effect"]["id"] for line in lines if kind(line) == "key_issued"}
    gone = {key(line) for line in lines if kind(line) == "key_revoked"} & made
    return [
        line
        for line in lines
        if not (kind(line) == "key_issued" and line["effect"]["id"] in gone)
        and not (kind(line) == "key_revoked" and key(line) in gone)
    ]


def _simply(status: str) -> str:
    """Return a status; done by an earlier try and done now are the same end."""
    return "done" if status == "unchanged" else status


def crash_faults(playbook: Playbook, name: str = "crash") -> Iterator[str]:
    """Yield every kill, or every stop, of every step."""
    for step in playbook.steps:
        for point in CRASH_POINTS:
            yield f"{name}:{step.id}:{point}"


def lost_answers(playbook: Playbook) -> Iterator[str]:
    """Yield a lost answer for every step; those that write nothing are not struck."""
    for step in playbook.steps:
        yield f"lost-answer:{step.id}"


def main(arguments: Sequence[str]) -> int:
    """Print a row for each fault; 0 when every ending equals the one without faults."""
    read = argparse.ArgumentParser("responder.drill.matrix", description=__doc__)
    read.add_argument("kinds", nargs="*", choices=["crash", "lost-answer", "stop", []], metavar="KIND")
    read.add_argument("--only", default="", metavar="STEP")
    read.add_argument("--store", metavar="URL")
    read.add_argument("--workers", type=int, default=0, metavar="N")
    given = read.parse_args(arguments)
    kinds = given.kinds or ["crash", "lost-answer", *(["stop"] if given.workers else [])]
    place = _Place(given.store, given.workers)
    names = ["shared-access-token-public", "huggingface-token"]
    books = [load_playbook(built_in("playbooks") / f"{name}.yaml")[0] for name in names]
    wanted = _practise_quietly(names[0], place)
    if isinstance(wanted, str):
        print(f"without faults: {wanted}")  # noqa: T201 - a table for people
        return 1
    bad = 0
    for fault in [fault for book in books for chosen in kinds for fault in _faults(chosen, book)]:
        if not given.only or f":{given.only}" in fault:
            bad += not _row(fault, _practise_quietly(names[0], place, fault), wanted)
    print(f"{bad} endings differ")  # noqa: T201
    return 1 if bad else 0


@dataclass(frozen=True)
class _Place:
    """Where the record of each row is, and who advances its run."""

    store: str | None
    workers: int


def _faults(name: str, playbook: Playbook) -> Iterator[str]:
    return lost_answers(playbook) if name == "lost-answer" else crash_faults(playbook, name)


def _row(fault: str, ending: Ending | str, wanted: Ending) -> bool:
    """Print how a drill with one fault ended; tell whether it ended as it should."""
    told = [ending] if isinstance(ending, str) else ending.differs(wanted)
    struck = "struck" if not isinstance(ending, str) and ending.happened else "not struck"
    asked = f", {ending.asked} asked" if not isinstance(ending, str) and ending.asked else ""
    print(f"{fault:<48} {struck:<11}{'the same end' if not told else '; '.join(told)}{asked}", flush=True)  # noqa: T201
    return not told


def _practise_quietly(playbook: str, place: _Place, *faults: str) -> Ending | str:
    """Carry out one drill; an error is its ending too."""
    with tempfile.TemporaryDirectory(prefix="responder-matrix-") as folder, ExitStack() as databases:
        try:
            store = place.store
            if store:
                from responder.postgres.scratch import scratch  # noqa: PLC0415 - an extra, and slow to import

                store = databases.enter_context(scratch(location(store, {}))).url
            return practise(playbook, Path(folder), *faults, store=store, workers=place.workers)
        except ResponderError as error:
            return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
