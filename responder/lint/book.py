"""A playbook as lint reads it: its steps with their places, what they do, and what must have ended before them."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from responder.action import Action, Effect
from responder.arguments import Place, action_of
from responder.documents import Templates
from responder.errors import DocumentError, PlaybookError
from responder.notice import DraftNotice, SendNotice
from responder.playbook import Playbook, Step, dependencies
from responder.reading import Find
from responder.registry import Registry
from responder.source import Path, Source

if TYPE_CHECKING:
    from responder.documents.template import Template

NOTICES = frozenset({SendNotice.name, DraftNotice.name})


class Shelf(NamedTuple):
    """What playbooks are held against."""

    registry: Registry
    templates: Templates
    facts: Collection[str] | None = None
    """The facts that responder.yaml gives to every template; None where there is no configuration."""
    find: Find | None = None
    """Says where sub-playbooks are; None: beside the playbook."""
    to_run: bool = False
    """Whether a run is about to begin: what it does not read then need only be there."""


class Book(NamedTuple):
    """A playbook that could be read, its file, and what it is held against."""

    playbook: Playbook
    source: Source
    shelf: Shelf

    def steps(self) -> Iterator[tuple[Step, Place]]:
        """Yield the steps that the file itself says; those of sub-playbooks are judged in their own files."""
        own = (step for step in self.playbook.steps if not step.scope)
        yield from ((step, Place(self.source, number)) for number, step in enumerate(own))

    def action(self, step: Step) -> type[Action] | None:
        """Return the class of a step's action; None for a sub-playbook, and where there is no such action."""
        if step.playbook:
            return None
        try:
            return action_of(step, self.shelf.registry)
        except PlaybookError:
            return None

    def effect(self, step: Step) -> Effect | None:
        """Return what a step does to the world, where that is known."""
        action = self.action(step)
        return action.effect if action is not None else None

    def template(self, step: Step) -> "Template | None":
        """Return the template of a step that tells people something; None where there is none that can be read."""
        name = step.with_.get("template")
        if step.action not in NOTICES or not isinstance(name, str) or "${{" in name:
            return None
        try:
            return self.shelf.templates.get(name)
        except DocumentError:
            return None

    def before(self, step: Step) -> frozenset[str]:
        """Return every step that must have ended before one."""
        found: set[str] = set()
        left = list(dependencies(step))
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += dependencies(self.playbook.by_id[name])
        return frozenset(found)

    def waits_for(self, step: Step, *actions: str) -> bool:
        """Tell whether a step waits for one with any of these actions."""
        return any(self.playbook.by_id[one].action in actions for one in self.before(step))

    def has(self, *actions: str) -> bool:
        """Tell whether any step has one of these actions, those of sub-playbooks included."""
        return any(step.action in actions for step in self.playbook.steps)

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Yield every text of the file in which an expression may stand, with its place."""
        for step, place in self.steps():
            start = step.start.model_dump() if step.start is not None else {}
            held = {
                "with": step.with_, "if": step.condition, "for_each": step.for_each, "gate": step.gate, "start": start,
                "connection": step.connection, "as": step.as_,
            }  # fmt: skip
            yield from texts(held, ("steps", place.number))
        yield from texts(list(self.playbook.exit), ("exit",))
        yield from texts({name: one.condition for name, one in self.playbook.deadlines.items()}, ("deadlines",))


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every text inside a value, with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from texts(inner, (*path, number))
