"""One step of a playbook: what it does, and when, for what, with whose agreement."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from responder.durations import Duration, OnTimeout
from responder.expressions import References, references

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
"""A name that a file gives to something."""
_ID = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
StepId = Annotated[str, Field(pattern=rf"^{_ID}(/{_ID})*(~undo)?$", max_length=200)]
"""A step's id: `name`, `parent/name` where a sub-playbook was inlined, `name~undo` for what takes a step back."""
Wave = Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^([1-9][0-9]?|100)%$")]
"""How many items a wave takes: a number, or a share of all, like `25%`."""


class Strict(BaseModel):
    """What a part of a playbook is: frozen, and nothing in it unknown."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Approval(Strict):
    """Whose agreement a step needs. There is no default for what happens when nobody answers."""

    role: Slug
    quorum: int = Field(default=1, ge=1, le=9)
    within: Duration
    on_timeout: OnTimeout
    reason: str = ""


class Retry(Strict):
    """How often, and how far apart, a step is tried again when its provider is unavailable."""

    attempts: int = Field(default=6, ge=1, le=100)
    first: Duration = timedelta(seconds=1)
    factor: float = Field(default=2.0, ge=1.0, le=10.0)
    most: Duration = timedelta(seconds=30)


class Start(Strict):
    """When a step starts, besides what it needs.

    A time is `incident.aware_at + 24h`, a local time with its zone like `2026-12-01 09:00 Europe/Berlin`, or an
    expression that gives a time.
    """

    not_before: str = ""
    """It never starts before this time."""
    when: str = ""
    """An expression that is watched: the step starts at once when it becomes true."""
    hard_stop: str = ""
    """At this time it starts whatever its needs, and says which of them had not ended well."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.not_before or self.when or self.hard_stop):
            raise ValueError("`start` says nothing: give not_before, when or hard_stop")
        if self.when and "${{" not in self.when:
            raise ValueError("`when` is an expression: write ${{ ... }}")
        return self


class Step(Strict, defer_build=False):
    """One step: an action, or a sub-playbook, and when, for what and with whose agreement it is taken."""

    id: StepId
    title: str = ""
    phase: Literal["preparation", "analysis", "containment", "eradication", "recovery", "communication", "review"]
    action: str = Field(default="", pattern=r"^$|^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    playbook: str = Field(default="", pattern=rf"^$|^{_ID}$")
    """In place of an action: the name of a playbook whose steps are taken here, as `id/step`, with `with` as inputs."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    connection: str = ""
    as_: str = Field(default="", alias="as")
    """Another connection to the same account, with whose credential this step acts; two people must agree to it."""
    needs: tuple[StepId, ...] = ()
    condition: str | bool = Field(default="", alias="if")
    start: Start | None = None
    for_each: str | list[Any] | dict[str, Any] | None = None
    max_parallel: int = Field(default=8, ge=1, le=64)
    waves: tuple[Wave, ...] = Field(default=(), max_length=20)
    """How many items are begun together, wave after wave; the last number goes on until all have had their turn."""
    gate: str = ""
    """An expression that must be true before the next wave; else people are asked. Without it, all must be well."""
    retry: Retry = Retry()
    timeout: Duration | None = None
    limit: Duration | None = None
    approval: Approval | None = None
    on_error: Literal["block", "abort", "continue", "undo"] = "block"
    meets: StepId | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for name, text in (("if", self.condition), ("gate", self.gate)):
            if isinstance(text, str) and text and "${{" not in text:
                raise ValueError(f"`{name}` is an expression: write ${{{{ ... }}}}")
        if bool(self.action) == bool(self.playbook):
            raise ValueError("a step has either `action` or `playbook`")
        if self.waves and self.for_each is None:
            raise ValueError("`waves` belong to a step with `for_each`")
        if self.gate and not self.waves:
            raise ValueError("`gate` stands between `waves`, and there are none")
        if self.start is not None and self.for_each is not None:
            raise ValueError("`start` and `for_each` do not go together: let a step before it wait")
        if self.playbook:
            self._has_only_what_a_sub_playbook_takes()
        return self

    def _has_only_what_a_sub_playbook_takes(self) -> None:
        taken = {"id", "title", "phase", "playbook", "with_", "needs", "condition", "on_error", "meets"}
        extra = [
            name
            for name, field in type(self).model_fields.items()
            if name not in taken and getattr(self, name) != field.get_default()
        ]
        if extra:
            shown = ", ".join(type(self).model_fields[name].alias or name for name in extra)
            raise ValueError(f"a sub-playbook takes no {shown}: say it at its own steps")
        if self.on_error == "undo":
            raise ValueError("a sub-playbook takes no `on_error: undo`: say it at its own steps")

    @property
    def does(self) -> str:
        """What the step does, in a word: its action, or its sub-playbook."""
        return self.action or f"playbook {self.playbook}"

    @property
    def scope(self) -> str:
        """The step whose sub-playbook this one belongs to; empty for a playbook's own."""
        return self.id.rpartition("/")[0]

    def qualified(self, name: str) -> str:
        """Return the id of the step that an expression of this one means by a name."""
        return f"{self.scope}/{name}" if self.scope else name

    def reads(self) -> References:
        """Return what the step's expressions read, by the names they use. PlaybookError where one is malformed."""
        start = [self.start.not_before, self.start.hard_stop] if self.start else []
        return references([self.condition, self.with_, self.for_each, self.connection, self.as_, *start])


_EXPLICIT = re.compile(r"\b(?:always|failed)\s*\(")


def waits_for_end_only(step: Step) -> bool:
    """Tell whether a step's `if` takes over the judgement of how its needs ended."""
    return isinstance(step.condition, str) and bool(_EXPLICIT.search(step.condition))


def read_by(step: Step) -> frozenset[str]:
    """Return every step that the expressions of this one name."""
    found = step.reads()
    return frozenset(step.qualified(name) for name in found.steps | found.ended)


def watched_by(step: Step) -> frozenset[str]:
    """Return every step that the `when` of this one names; it waits for none of them."""
    found = references(step.start.when if step.start else "")
    return frozenset(step.qualified(name) for name in found.steps | found.ended)


def dependencies(step: Step) -> frozenset[str]:
    """Return every step that must have ended before this one: its needs, and those that its expressions name."""
    return frozenset(step.needs) | read_by(step)
