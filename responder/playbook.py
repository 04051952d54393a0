"""A playbook: YAML becomes a Playbook, or every problem with its `file:line:column`, all at once."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from responder.durations import Duration, OnTimeout
from responder.errors import PlaybookError, Problem
from responder.expressions import References, references
from responder.source import Source, nearest, read

StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
Slug = StepId


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Input(_Model):
    """A value that whoever starts the run gives."""

    type: Literal["string", "integer", "boolean", "person", "url"] = "string"
    help: str = ""
    required: bool = True
    default: Any = None


class Role(_Model):
    """Who may be asked; the people come from responder.yaml."""

    help: str = ""


class Approval(_Model):
    """Whose agreement a step needs. There is no default for what happens when nobody answers."""

    role: Slug
    quorum: int = Field(default=1, ge=1, le=9)
    within: Duration
    on_timeout: OnTimeout
    reason: str = ""


class Retry(_Model):
    """How often, and how far apart, a step is tried again when its provider is unavailable."""

    attempts: int = Field(default=6, ge=1, le=100)
    first: Duration = timedelta(seconds=1)
    factor: float = Field(default=2.0, ge=1.0, le=10.0)
    most: Duration = timedelta(seconds=30)


class Deadline(_Model):
    """A time that starts at an event and is due at another."""

    from_: str = Field(
        alias="from", pattern=r"^incident\.(aware_at|exposed_at|reported_at|public_coverage_at|contained_at)$"
    )
    within: Duration
    role: Slug
    condition: str = Field(default="", alias="if")

    @property
    def anchor(self) -> str:
        """The field of the incident at which the clock starts."""
        return self.from_.removeprefix("incident.")


class Step(_Model):
    """One step: an action, and when, for what and with whose agreement it is taken."""

    id: StepId
    title: str = ""
    phase: Literal["preparation", "analysis", "containment", "eradication", "recovery", "communication", "review"]
    action: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    with_: dict[str, Any] = Field(default={}, alias="with")
    connection: str = ""
    needs: tuple[StepId, ...] = ()
    condition: str | bool = Field(default="", alias="if")
    for_each: str | list[Any] | dict[str, Any] | None = None
    max_parallel: int = Field(default=8, ge=1, le=64)
    retry: Retry = Retry()
    timeout: Duration | None = None
    limit: Duration | None = None
    approval: Approval | None = None
    on_error: Literal["block", "abort", "continue"] = "block"
    meets: Slug | None = None

    @model_validator(mode="after")
    def _condition_is_an_expression(self) -> Self:
        if isinstance(self.condition, str) and self.condition and "${{" not in self.condition:
            raise ValueError("`if` is an expression: write ${{ ... }}")
        return self

    def reads(self) -> References:
        """Return what the step's expressions read. PlaybookError where one is malformed."""
        return references([self.condition, self.with_, self.for_each, self.connection])


class Playbook(_Model):
    """A response to one kind of leak."""

    playbook: Slug
    title: str
    version: int = Field(ge=1)
    summary: str = ""
    match: tuple[dict[str, Any], ...] = ()
    inputs: dict[str, Input] = {}
    roles: dict[Slug, Role] = {}
    deadlines: dict[Slug, Deadline] = {}
    steps: tuple[Step, ...] = Field(min_length=1, max_length=500)
    exit: tuple[str, ...] = ()
    postmortem: str = "postmortem"

    def step(self, step: str) -> Step:
        """Return a step by its id, or by the address of one of its items."""
        return self.by_id[step.partition("[")[0]]

    @cached_property
    def by_id(self) -> dict[str, Step]:
        """The steps by id."""
        return {step.id: step for step in self.steps}

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """What each step depends on, sorted; see `dependencies`."""
        return {step.id: tuple(sorted(dependencies(step))) for step in self.steps}


MATCH_KEYS = {"provider", "kind", "exposure", "shared", "credential"}
"""What a `match` may ask of a finding."""

_EXPLICIT = re.compile(r"\b(?:always|failed)\s*\(")


def waits_for_end_only(step: Step) -> bool:
    """Tell whether a step's `if` takes over the judgement of how its needs ended."""
    return isinstance(step.condition, str) and bool(_EXPLICIT.search(step.condition))


def dependencies(step: Step) -> frozenset[str]:
    """Return every step that must have ended before this one: its needs, and those that its expressions name."""
    found = step.reads()
    return frozenset(step.needs) | found.steps | found.ended


def load_playbook(path: Path) -> tuple[Playbook, Source]:
    """Read a playbook file. PlaybookError carries every problem, with its place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(
            f"The playbook cannot be read: {type(error).__name__}",
            where=str(path),
            remedy="`responder playbook list` shows what there is",
        ) from None
    playbook, source = parse_playbook(text, path.name)
    if playbook.playbook != path.stem:
        raise PlaybookError(
            f"The playbook calls itself {playbook.playbook!r}, its file {path.stem!r}",
            where=source.place(("playbook",)),
            remedy="make them equal",
        )
    return playbook, source


def parse_playbook(text: str, name: str) -> tuple[Playbook, Source]:
    """Make a Playbook of YAML text. PlaybookError carries every problem, with its place."""
    source = read(text, name, PlaybookError)
    if not isinstance(source.data, dict):
        raise PlaybookError("A playbook is a mapping", where=f"{name}:1:1", remedy="begin with `playbook: NAME`")
    playbook, problems = source.check(Playbook)
    if playbook is None:
        raise PlaybookError(problems=tuple(problems))
    problems += _structure(playbook, source)
    if problems:
        raise PlaybookError(problems=tuple(problems))
    return playbook, source


def _structure(playbook: Playbook, source: Source) -> list[Problem]:
    """Return what is wrong between the parts of a playbook that are right by themselves."""
    problems = list(_duplicates(playbook, source))
    ids = list(playbook.by_id)
    for number, step in enumerate(playbook.steps):
        place = ("steps", number)
        problems += _references(step, playbook, source, place, ids)
        problems += _names(step, playbook, source, place)
    for number, criterion in enumerate(playbook.exit):
        problems += _expression(criterion, playbook, source, ("exit", number), ids)
        if "${{" not in criterion:
            told = f"the exit criterion {criterion!r} is no expression, and could never hold"
            problems.append(Problem(told, source.place(("exit", number)), "write ${{ ... }}"))
    for name, deadline in playbook.deadlines.items():
        problems += _known(deadline.role, playbook.roles, "role", source.place(("deadlines", name, "role")))
        if deadline.condition:
            problems += _expression(deadline.condition, playbook, source, ("deadlines", name, "if"), ids)
    for number, match in enumerate(playbook.match):
        for key in match.keys() - MATCH_KEYS:
            problems.append(
                Problem(
                    f"`match` does not know {key!r}",
                    source.key_place(("match", number, key)),
                    f"known: {', '.join(sorted(MATCH_KEYS))}",
                )
            )
    return problems or list(_cycle(playbook, source))


def _duplicates(playbook: Playbook, source: Source) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, step in enumerate(playbook.steps):
        if step.id in seen:
            yield Problem(
                f"two steps are called {step.id!r}",
                source.place(("steps", number, "id")),
                f"the first is step number {seen[step.id] + 1}",
            )
        seen.setdefault(step.id, number)


def _known(name: str, known: Mapping[str, Any], what: str, place: str) -> list[Problem]:
    if name in known:
        return []
    near = nearest(name, list(known))
    return [
        Problem(
            f"there is no {what} {name!r}",
            place,
            f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}",
        )
    ]


def _references(
    step: Step, playbook: Playbook, source: Source, place: tuple[str | int, ...], ids: list[str]
) -> list[Problem]:
    problems: list[Problem] = []
    for number, need in enumerate(step.needs):
        problems += _known(need, playbook.by_id, "step", source.place((*place, "needs", number)))
    for key, value in (
        ("if", step.condition),
        ("with", step.with_),
        ("for_each", step.for_each),
        ("connection", step.connection),
    ):
        problems += _expression(value, playbook, source, (*place, key), ids)
    if step.id in step.needs:
        problems.append(Problem(f"the step {step.id!r} needs itself", source.place((*place, "needs"))))
    if step.for_each is None and "item" in _roots([step.condition, step.with_]):
        problems.append(Problem(f"the step {step.id!r} reads `item` and has no `for_each`", source.place(place)))
    return problems


def _roots(value: Any) -> set[str]:
    text = repr(value)
    return {"item"} if re.search(r"\$\{\{[^}]*\bitem\b", text) else set()


def _expression(
    value: Any, playbook: Playbook, source: Source, path: tuple[str | int, ...], ids: list[str]
) -> list[Problem]:
    """Return what is wrong with the expressions inside a value, each at its own place."""
    if isinstance(value, dict):
        return [
            problem
            for key, inner in value.items()
            for problem in _expression(inner, playbook, source, (*path, key), ids)
        ]
    if isinstance(value, list):
        return [
            problem
            for key, inner in enumerate(value)
            for problem in _expression(inner, playbook, source, (*path, key), ids)
        ]
    try:
        found = references(value)
    except PlaybookError as error:
        return [Problem(error.message, source.place(path), error.remedy)]
    problems: list[Problem] = []
    for name in sorted((found.steps | found.ended) - set(ids)):
        problems += _known(name, playbook.by_id, "step", source.place(path))
    for name in sorted(found.inputs - set(playbook.inputs)):
        problems += _known(name, playbook.inputs, "input", source.place(path))
    return problems


def _names(step: Step, playbook: Playbook, source: Source, place: tuple[str | int, ...]) -> list[Problem]:
    problems: list[Problem] = []
    if step.meets is not None:
        problems += _known(step.meets, playbook.deadlines, "deadline", source.place((*place, "meets")))
    if step.approval is not None:
        roles = [step.approval.role, *re.findall(r"escalate\((.*)\)", step.approval.on_timeout)]
        for role in roles:
            problems += _known(role, playbook.roles, "role", source.place((*place, "approval")))
    role = step.with_.get("role") if step.action.startswith("human.") else None
    if isinstance(role, str):
        problems += _known(role, playbook.roles, "role", source.place((*place, "with", "role")))
    return problems


def _cycle(playbook: Playbook, source: Source) -> Iterator[Problem]:
    """Yield the first cycle among the steps, if there is one."""
    waiting = {step.id: set(dependencies(step)) for step in playbook.steps}
    while True:
        free = {step for step, needs in waiting.items() if not needs & waiting.keys()}
        if not free:
            break
        waiting = {step: needs for step, needs in waiting.items() if step not in free}
    if waiting:
        names = [step.id for step in playbook.steps if step.id in waiting]
        number = next(n for n, step in enumerate(playbook.steps) if step.id in waiting)
        yield Problem(
            f"these steps wait for each other: {', '.join(names)}",
            source.place(("steps", number)),
            "remove one of the needs",
        )
