"""Faults of a drill, by name and place: `NAME[:WHERE[=VALUE]]`, and `crash:STEP:POINT` or `stop` for the runner."""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from responder.errors import InputError, Problem

CRASH_POINTS = ("before-apply", "after-apply", "after-record")
"""The instants of a step at which the runner can be killed or stopped."""

_MOST_LATENCY = 10.0
_MOST_COUNT = 1000
_MOST_SECONDS = 3600.0


@dataclass(frozen=True)
class Fault:
    """One fault: its name, the system or step where it strikes, and how much of it there is."""

    name: str
    where: str = ""
    value: float | str = 0.0
    """Seconds, a count, or the point of a crash; seconds are real for latency, else the drill's."""

    @property
    def amount(self) -> float:
        """Return the number of a fault that has one, else 0."""
        return float(self.value) if not isinstance(self.value, str) else 0.0

    @property
    def point(self) -> str:
        """Return the point of a crash, else nothing."""
        return self.value if isinstance(self.value, str) else ""

    def strikes_system(self, system: str) -> bool:
        """Tell whether the fault concerns this system."""
        return self.where in (system, "all")

    def strikes_step(self, step: str | None) -> bool:
        """Tell whether the fault concerns this step; a step without a key means any of its items."""
        return step is not None and self.where in (step, step.partition("[")[0])


Parse = Callable[[str, str], Fault]
"""Reads what follows the name (place, value); raises ValueError that says what is expected."""


def _system(where: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", where):
        raise ValueError("the place must be a system of the drill, such as issuer, or all")
    return where


def _step(where: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_/-]*(\[[^\[\]]+\])?", where):
        raise ValueError("the place must be a step, such as issue or issue[h-001]")
    return where


def _seconds(text: str, most: float) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    seconds = float(found.group(1)) / (1000 if found.group(2) == "ms" else 1) if found else 0.0
    if not 0 < seconds <= most:
        raise ValueError(f"the value must be a time such as 200ms or 5s, at most {most:g}s")
    return seconds


def _count(text: str, default: int) -> int:
    number = int(text) if text.isdecimal() and text.isascii() else default if not text else 0
    if not 1 <= number <= _MOST_COUNT:
        raise ValueError(f"the value must be a whole number from 1 to {_MOST_COUNT}")
    return number


def _propagation(where: str, value: str) -> Fault:
    if where not in ("", "issuer"):
        raise ValueError("only the issuer has a propagation time")
    return Fault("slow-propagation", "issuer", _seconds(value or "90", _MOST_SECONDS))


def _slack_down(where: str, value: str) -> Fault:
    if where or value:
        raise ValueError("it takes no place and no value; down:slack=SECONDS takes both")
    return Fault("slack-down", "slack", 0.0)


def _at_an_instant(name: str, where: str, value: str) -> Fault:
    step, _, point = where.rpartition(":")
    if value or point not in CRASH_POINTS:
        near = difflib.get_close_matches(point, CRASH_POINTS, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{meant}the form is {name}:STEP:POINT, where POINT is one of {', '.join(CRASH_POINTS)}")
    return Fault(name, _step(step), point)


_FAULTS: dict[str, tuple[str, Parse]] = {
    "latency": (
        "latency:SYSTEM=200ms",
        lambda where, value: Fault("latency", _system(where), _seconds(value, _MOST_LATENCY)),
    ),
    "429": ("429:SYSTEM[=N]", lambda where, value: Fault("429", _system(where), _count(value, 3))),
    "500": ("500:SYSTEM[=N]", lambda where, value: Fault("500", _system(where), _count(value, 3))),
    "lost-answer": (
        "lost-answer:STEP[=N]",
        lambda where, value: Fault("lost-answer", _step(where), _count(value, 1)),
    ),
    "slow-propagation": ("slow-propagation[:issuer][=SECONDS]", _propagation),
    "down": (
        "down:SYSTEM=SECONDS",
        lambda where, value: Fault("down", _system(where), _seconds(value, _MOST_SECONDS)),
    ),
    "slack-down": ("slack-down", _slack_down),
    "crash": ("crash:STEP:before-apply|after-apply|after-record", partial(_at_an_instant, "crash")),
    "stop": ("stop:STEP:before-apply|after-apply|after-record", partial(_at_an_instant, "stop")),
}

_OF_SYSTEMS = frozenset({"latency", "429", "500", "down"})
"""The faults whose place is a system."""
_OF_STEPS = frozenset({"lost-answer", "crash", "stop"})
"""The faults whose place is a step."""
_MOST_NEAR = 3
FORMS = tuple(form for form, _ in _FAULTS.values())
"""How each fault is written."""


def _split(text: str) -> tuple[str, str, str]:
    # A key such as `notify[a=b]` may hold the signs that separate the parts.
    keyed = re.fullmatch(r"(?P<name>[^:=\[]+)(?::(?P<where>[^=\[]*(?:\[[^\]]*\][^=]*)?))?(?:=(?P<value>.*))?", text)
    if keyed is None:
        return text, "", ""
    return keyed["name"], keyed["where"] or "", keyed["value"] or ""


def _parse(text: str) -> Fault | Problem:
    name, where, value = _split(text)
    if name not in _FAULTS:
        near = difflib.get_close_matches(name, _FAULTS, n=1)
        remedy = f"did you mean {near[0]}? " if near else ""
        return Problem(f"there is no fault {name!r}", text, f"{remedy}known: {'; '.join(FORMS)}")
    form, parse = _FAULTS[name]
    try:
        return parse(where, value)
    except ValueError as error:
        return Problem(f"the fault {name} is not understood", text, f"{error}; form: {form}")


def parse_faults(texts: Sequence[str]) -> tuple[Fault, ...]:
    """Read faults; raise InputError with every problem, the nearest name and the known forms."""
    read = [_parse(text) for text in texts]
    problems = tuple(item for item in read if isinstance(item, Problem))
    if problems:
        raise InputError(problems=problems)
    return tuple(item for item in read if isinstance(item, Fault))


def check_places(faults: Sequence[Fault], systems: Collection[str]) -> None:
    """Raise InputError with every fault whose place is no system of the world."""
    problems = tuple(
        Problem(
            f"there is no system {fault.where!r} here", show_fault(fault), f"known: {', '.join(sorted(systems))}, all"
        )
        for fault in faults
        if fault.name in _OF_SYSTEMS and fault.where not in {*systems, "all"}
    )
    if problems:
        raise InputError(problems=problems)


def check_steps(faults: Sequence[Fault], steps: Collection[str]) -> None:
    """Raise InputError with every fault whose place is none of the steps; any item of a step may be named."""
    problems = tuple(
        Problem(f"the playbook has no step {step!r}", show_fault(fault), _near_steps(step, steps))
        for fault in faults
        if fault.name in _OF_STEPS and (step := fault.where.partition("[")[0]) not in steps
    )
    if problems:
        raise InputError(problems=problems)


def _near_steps(step: str, steps: Collection[str]) -> str:
    """Return which steps may be meant: those that end alike first, for a sub-playbook's step bears its parent's id."""
    last = step.rpartition("/")[2]
    alike = [one for one in steps if one.rpartition("/")[2] == last]
    near = list(dict.fromkeys([*alike, *difflib.get_close_matches(step, steps, n=_MOST_NEAR)]))[:_MOST_NEAR]
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(steps)}"


def show_fault(fault: Fault) -> str:
    """Return the fault as it is written on the command line."""
    if fault.point:
        return f"{fault.name}:{fault.where}:{fault.point}"
    if fault.name == "slack-down":
        return fault.name
    amount = f"{fault.amount * 1000:g}ms" if fault.name == "latency" else f"{fault.amount:g}"
    return f"{fault.name}:{fault.where}={amount}"
