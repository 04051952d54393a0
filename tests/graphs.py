"""Random playbooks, what goes wrong in the world, what people say, and where executors die.

What a case promises is an end that does not depend on who was faster, so that two runs of it can be compared. Where the
language lets time decide, the case leaves the choice out:

- a fault lasts for ever (until people mend it and retry) or is over before the attempts are used up: a crash between a
  fault and its entry uses one up without a trace;
- what an abort reaches depends on what had started by then, so the step that aborts is a waist: it needs all before
  it, and all after it need it;
- whether somebody reads `done` or `undone` depends on when they look, so nobody but the step that undoes depends on
  what it would take back;
- a step with a hard stop may start before its needs have ended, so it reads no other step;
- a step that is asked for before it is due may be declined or skipped first, so it is not both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from mortal import Death

FOR_EVER = 10_000
PHASE = "analysis"
HEAD = {"title": "t", "version": 1, "roles": {"commander": {}, "comms": {}, "oncall": {}}}
RETRY = {"attempts": 8, "first": "0.002s", "factor": 1, "most": "0.002s"}
KEYS = "abcde"
POINTS = ("before-write", "after-write", "before-effect", "after-effect", "before-apply", "after-apply", "after-record")
OUTPUTS = {
    "look": "state == 'live'",
    "turn": "turned",
    "swing": "turned",
    "nothing": "says == 'x'",
    "watch": "looks > 2",
}


@dataclass
class Case:
    """A playbook with its sub-playbooks, and everything that happens around it."""

    playbooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: dict[tuple[str, str], int] = field(default_factory=dict)
    declines: set[str] = field(default_factory=set)
    """Steps at which people decline."""
    stops: set[str] = field(default_factory=set)
    """Steps at whose gate people say `stop`, and not `continue`."""
    mends: int = 0
    """How often people mend the world and retry all that failed."""
    ways_first: bool = False
    """Whether people have what failed to be taken back taken back before anything is tried again."""
    addresses: list[str] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    driven: bool = False
    """Whether an executor waits for people itself, who answer meanwhile; else it gives the run back."""


@dataclass
class _Made:
    """A step as those after it know it."""

    id: str
    kind: str
    needs: set[str]
    many: bool = False


class _Maker:
    """Draws one case."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.case = Case()
        self.flavour = draw(st.sampled_from(["plain", "abort", "undo", "start"]), label="flavour")

    def chance(self, percent: int) -> bool:
        """Shrinks towards no."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def one(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def make(self) -> Case:
        least = 3 if self.flavour == "undo" else 1  # fewer have nothing to take back
        steps, made = self.scope("", self.draw(st.integers(least, 12), label="steps"), depth=0)
        playbook = {"playbook": "p", **HEAD, "steps": steps}
        if self.chance(40):
            playbook["exit"] = [f"${{{{ {self.judgement(self.one(made))} }}}}"]
        self.case.playbooks["p"] = playbook
        self.case.mends = self.draw(st.integers(0, 2), label="mends")
        self.case.ways_first = self.flavour == "undo" and self.chance(50)
        deaths = st.builds(
            Death,
            st.sampled_from(POINTS),
            st.sampled_from(["", *self.case.addresses]),
            st.sampled_from([1, 1, 1, 2, 3]),
        )
        self.case.deaths = [self.draw(deaths) for _ in range(self.one([1, 1, 2, 3, 4, 0]))]
        self.case.driven = self.chance(25)
        return self.case

    def scope(self, prefix: str, count: int, depth: int) -> tuple[list[dict[str, Any]], list[_Made]]:
        """Draw the steps of one playbook; `prefix` is what stands before their ids in the whole."""
        steps: list[dict[str, Any]] = []
        made: list[_Made] = []
        sealed: set[str] = set()
        waist = self.draw(st.integers(0, count - 1)) if self.flavour == "abort" and not depth else None
        for number in range(count):
            open_ones = [one for one in made if one.id not in sealed]
            step, one = self.step(prefix, f"s{number}", open_ones, depth)
            if waist is not None and number >= waist:
                one.needs |= {other.id for other in made} if number == waist else {f"s{waist}"}
                step["needs"] = sorted(one.needs)
            if number == waist:
                step["on_error"] = "abort"
            elif self.flavour == "undo" and "playbook" not in step and one.needs and self.chance(60):
                step["on_error"] = "undo"
                while more := {other.id for other in made if other.needs & one.needs} - one.needs:
                    one.needs |= more
                step["needs"] = sorted(one.needs)
                sealed |= one.needs
                if not one.many and self.chance(80):
                    self.case.faults["denied" if one.kind == "look" else "refuse", prefix + one.id] = FOR_EVER
            steps.append(step)
            made.append(one)
        return steps, made

    def step(self, prefix: str, name: str, before: list[_Made], depth: int) -> tuple[dict[str, Any], _Made]:
        kinds = ["turn", "look", "swing", "nothing", "say", "watch", "final", *(["part"] if depth < 2 else [])]
        kinds += ["swing"] * 3 if self.flavour == "undo" else []
        kind = self.one(kinds)
        least = 1 if self.flavour == "undo" else 0
        needs = st.lists(st.sampled_from(before), min_size=least, max_size=3, unique_by=lambda one: one.id)
        chosen = self.draw(needs) if before else []
        made = _Made(name, kind, {one.id for one in chosen})
        step: dict[str, Any] = {"id": name, "phase": PHASE, "needs": sorted(made.needs)}
        starts = self.flavour == "start" and kind != "part" and self.chance(40)
        keeps = self.start(step, before) if starts else False
        self.condition(step, made, before, reads=not keeps)
        if self.chance(25):
            step["on_error"] = "continue"
        full = prefix + name
        self.case.addresses.append(full)
        if kind == "part":
            self.part(step, full, depth)
            return step, made
        many = not starts and self.chance(15 if self.flavour == "undo" else 30)
        made.many = many
        self.action(step, kind, full, many=many)
        if kind == "final" or (kind in {"turn", "swing", "say"} and self.chance(25)):
            step["approval"] = {
                "role": "commander", "quorum": self.one([1, 2]), "within": "9000h", "on_timeout": "abort",
            }  # fmt: skip
            if self.chance(20) and not (starts and "if" in step):
                self.case.declines.add(full)
            if kind == "swing" and self.flavour == "undo" and self.chance(20):
                self.case.declines.add(f"{full}~undo")
        return step, made

    def part(self, step: dict[str, Any], full: str, depth: int) -> None:
        inner = f"inner{len(self.case.playbooks)}"
        self.case.playbooks[inner] = {}  # the name is taken
        steps, made = self.scope(f"{full}/", self.draw(st.integers(1, 4)), depth + 1)
        self.case.playbooks[inner] = {"playbook": inner, **HEAD, "steps": steps}
        if self.chance(30):
            self.case.playbooks[inner]["exit"] = [f"${{{{ {self.judgement(self.one(made))} }}}}"]
        step["playbook"] = inner

    def action(self, step: dict[str, Any], kind: str, full: str, *, many: bool) -> None:
        key = f"{full}-${{{{ item }}}}" if many else full
        items = list(KEYS[: self.draw(st.integers(0, 5), label="items")]) if many else []
        if many:
            step["for_each"] = items
            step["max_parallel"] = self.one([1, 2, 8])
            if self.chance(50):
                step["waves"] = self.one([[1], [2], [1, "50%"], ["40%"]])
                if self.chance(50):
                    step["gate"] = self.one(["${{ true }}", "${{ false }}", "${{ 1 / 0 }}"])
                if self.chance(30):
                    self.case.stops.add(full)
        self.case.addresses += [f"{full}[{item}]" for item in items]
        step["retry"] = RETRY
        step["action"] = f"clockwork.{kind}"
        step["with"] = {"nothing": {"says": "x"}, "watch": {"ok": not self.chance(10)}}.get(kind, {"key": key})
        if kind == "swing" and self.flavour == "undo":
            self.case.addresses.append(f"{full}~undo")
        if kind in {"nothing", "watch"}:
            return
        for one in [f"{full}-{item}" for item in items] if many else [full]:
            self.fault(kind, one)

    def fault(self, kind: str, key: str) -> None:
        faults = {
            "look": [("unavailable", 2), ("denied", FOR_EVER), ("unavailable", FOR_EVER)],
            "say": [("lost", 1), ("refuse", 1), ("refuse", FOR_EVER)],
            "swing": [("lost", 1), ("unavailable", 2), ("refuse", 2), ("refuse", FOR_EVER), ("stuck", FOR_EVER)],
        }
        if kind == "swing" and self.flavour == "undo" and self.chance(30):
            self.case.faults["stuck", key] = FOR_EVER
            return
        usual = [("lost", 1), ("unavailable", 2), ("refuse", 2), ("refuse", FOR_EVER), ("unavailable", FOR_EVER)]
        if self.chance(10 if self.flavour == "undo" else 35):
            name, often = self.one(faults.get(kind, usual))
            self.case.faults[name, key] = often

    def judgement(self, one: _Made) -> str:
        """Return what an expression may ask of a step that has ended."""
        asked = [f"status == '{status}'" for status in ("done", "skipped", "failed")]
        if one.kind in OUTPUTS and not one.many:
            asked.append(OUTPUTS[one.kind])
        if one.many:
            asked.append("all_done")
        return f"steps.{one.id}.{self.one(asked)}"

    def condition(self, step: dict[str, Any], made: _Made, before: list[_Made], *, reads: bool) -> None:
        kinds = ["", "", "", "yes", "no", "always", *(["reads", "reads", "failed", "both"] if before and reads else [])]
        kind = self.one(kinds)
        if not kind or (self.flavour == "undo" and self.chance(70)):
            return
        if kind in {"yes", "no"}:
            step["if"] = self.one([kind == "yes", "${{ 1 == 1 }}" if kind == "yes" else "${{ 1 == 2 }}"])
            return
        if kind == "always":
            step["if"] = "${{ always() }}"
            return
        read = self.one(before)
        made.needs.add(read.id)
        text = {
            "reads": self.judgement(read),
            "failed": f"failed('{read.id}')",
            "both": f"always() and {self.judgement(read)}",
        }[kind]
        if self.chance(20):
            text = f"not ({text})"
        step["if"] = f"${{{{ {text} }}}}"

    def start(self, step: dict[str, Any], before: list[_Made]) -> bool:
        """Give a step a `start`; tell whether it may start before its needs have ended."""
        start: dict[str, str] = {}
        if self.chance(50):
            start["not_before"] = f"incident.aware_at + {self.draw(st.integers(0, 30))}s"
        if self.chance(50) and before:
            start["when"] = f"${{{{ {self.judgement(self.one(before))} }}}}"
        if self.chance(50) or not start:
            start["hard_stop"] = f"incident.aware_at + {self.draw(st.integers(0, 60))}s"
        step["start"] = start
        return "hard_stop" in start


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a case; see the module's text for what it leaves out."""
    return _Maker(draw).make()
