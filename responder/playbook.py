"""A playbook: inputs, roles, deadlines and steps for one kind of leak."""

from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from responder.due import Deadline
from responder.step import Approval, Retry, Slug, Start, Step, StepId, Strict, dependencies, waits_for_end_only

__all__ = [
    "MATCH_KEYS", "Approval", "Deadline", "Input", "Part", "Playbook", "PlaybookFile", "Retry", "Role", "Start", "Step",
    "dependencies", "waits_for_end_only",
]  # fmt: skip


class Input(Strict):
    """A value that whoever starts the run gives."""

    type: Literal["string", "integer", "boolean", "person", "url"] = "string"
    help: str = ""
    required: bool = True
    default: Any = None


class Role(Strict):
    """Who may be asked; the people come from responder.yaml."""

    help: str = ""


class Part(Strict):
    """What a run must still know of a sub-playbook once its steps stand among the others."""

    playbook: Slug
    version: int
    inputs: dict[str, Input] = Field(default={})
    exit: tuple[str, ...] = ()


class PlaybookFile(Strict):
    """A response to one kind of leak, as a file says it."""

    playbook: Slug
    title: str
    version: int = Field(ge=1)
    summary: str = ""
    called: bool = False
    """Whether other playbooks call it, and no run begins with it."""
    match: tuple[dict[str, Any], ...] = ()
    inputs: dict[str, Input] = Field(default={})
    roles: dict[Slug, Role] = Field(default={})
    deadlines: dict[StepId, Deadline] = Field(default={})
    steps: tuple[Step, ...] = Field(min_length=1, max_length=500)
    exit: tuple[str, ...] = ()
    postmortem: str = "postmortem"


class Playbook(PlaybookFile):
    """A response to one kind of leak, with the steps of its sub-playbooks in their place; what a run embeds."""

    parts: dict[StepId, Part] = Field(default={})
    """The sub-playbooks that were inlined, by the step that takes them."""

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

    def inside(self, step: str) -> list[Step]:
        """Return the steps of a sub-playbook, those of its own sub-playbooks left out."""
        return [one for one in self.steps if one.scope == step]

    def whole(self, step: str) -> list[Step]:
        """Return a step, and of a sub-playbook every step in it, however deep."""
        return [one for one in self.steps if one.id == step or one.id.startswith(f"{step}/")]

    def with_steps(self, more: tuple[Step, ...]) -> "Playbook":
        """Return this playbook with more steps at its end."""
        return self._with((*self.steps, *more))

    def without_step(self, step: str) -> "Playbook":
        """Return this playbook without one of its steps."""
        return self._with(tuple(one for one in self.steps if one.id != step))

    def _with(self, steps: tuple[Step, ...]) -> "Playbook":
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return Playbook.model_construct(**{**fields, "steps": steps})


MATCH_KEYS = {"provider", "kind", "exposure", "shared", "credential"}
"""What a `match` may ask of a finding."""
