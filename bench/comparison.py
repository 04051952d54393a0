"""A case: one piece of work, its floor, and those who do it; all of them take turns, round by round."""

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import count
from time import perf_counter

Measure = Callable[[], float]
"""Does the work once; returns the seconds that it took."""


_ENOUGH_SECONDS = 60.0
"""Who has worked so long on a case, in two rounds or more, takes part no longer."""


class Missing(Exception):
    """Something cannot be measured here, and the message says why; the table says it, too."""


@dataclass(frozen=True)
class Entrant:
    """Somebody who does the work of a case."""

    name: str
    measure: Measure
    rounds: int = sys.maxsize
    """In how many rounds at most it takes part: for those who take minutes."""
    at_most: float | None = None
    """What its ratio to the floor should not exceed; None where nothing was promised."""


@dataclass(frozen=True)
class Case:
    """One piece of work, as a module's `cases(open_until_the_end)` returns it."""

    name: str
    floor: Entrant
    """What nobody can beat; every ratio is to the floor of the same round."""
    entrants: Sequence[Entrant]
    rounds: int
    kinds: tuple[str, ...] = ()
    """Words by which `--only` chooses it."""


Cases = Callable[[ExitStack], Sequence[Case]]
"""What each module of cases offers as `cases`; what it starts, it closes by way of the ExitStack."""


@dataclass(frozen=True)
class Row:
    """One entrant's result in one case. Seconds; ratios are to the floor of the same round."""

    case: str
    entrant: str
    floor: str
    rounds: int
    median: float = 0.0
    least: float = 0.0
    most: float = 0.0
    ratio: float = 0.0
    ratio_least: float = 0.0
    ratio_most: float = 0.0
    at_most: float | None = None
    missing: str = ""
    """Why there are no figures."""

    @property
    def kept(self) -> bool:
        """Whether the promise, if there is one, was kept. What was not measured broke none."""
        return self.at_most is None or bool(self.missing) or self.ratio <= self.at_most

    def document(self) -> dict[str, object]:
        """Return the row as plain data."""
        return {**asdict(self), "kept": self.kept}


def constant(name: str, seconds: float) -> Entrant:
    """Return a floor that is known without measuring: the time that sleeping takes."""
    return Entrant(name, lambda: seconds)


def compare(case: Case, rounds: int | None = None) -> Iterator[Row]:
    """Let floor and entrants take turns; yield a row for each, the floor first.

    A first round, not counted, warms everybody up and shows who is missing. Who begins changes from round to round.
    """
    rounds = rounds or case.rounds
    missing: dict[str, str] = {}
    seconds: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    everybody = (case.floor, *case.entrants)
    _one_round(everybody, missing)
    for number in range(rounds):
        turn = [
            one
            for one in everybody
            if number < one.rounds
            and one.name not in missing
            and (number < 2 or sum(seconds[one.name]) < _ENOUGH_SECONDS or one is case.floor)
        ]
        start = number % (len(turn) or 1)
        took = _one_round(turn[start:] + turn[:start], missing)
        if case.floor.name in missing:
            break
        for name, one in took.items():
            seconds.setdefault(name, []).append(one)
            ratios.setdefault(name, []).append(one / took[case.floor.name])
    for entrant in everybody:
        reason = missing.get(entrant.name) or missing.get(case.floor.name, "")
        if reason:
            yield Row(case.name, entrant.name, case.floor.name, 0, at_most=entrant.at_most, missing=reason)
        else:
            yield _row(case, entrant, seconds[entrant.name], ratios[entrant.name])


def _one_round(turn: Sequence[Entrant], missing: dict[str, str]) -> dict[str, float]:
    """Let everybody work once; whoever cannot is noted as missing, and takes no further part."""
    took: dict[str, float] = {}
    for entrant in turn:
        try:
            took[entrant.name] = entrant.measure()
        except Missing as reason:
            missing[entrant.name] = str(reason)
    return took


def _row(case: Case, entrant: Entrant, seconds: list[float], ratios: list[float]) -> Row:
    return Row(
        case.name, entrant.name, case.floor.name, len(seconds),
        statistics.median(seconds), min(seconds), max(seconds),
        statistics.median(ratios), min(ratios), max(ratios), entrant.at_most,
    )  # fmt: skip


def stopwatch() -> Measure:
    """Return what tells the seconds since now."""
    started = perf_counter()
    return lambda: perf_counter() - started


fresh = count(1).__next__
"""The next number of this process, for names that must differ."""
