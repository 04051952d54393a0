"""The modals that begin a response: the finding, what the playbook asks, the plan, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from responder.errors import ResponderError
from responder.held import Held
from responder.plan import Plan, PlannedStep
from responder.planning import summary
from responder.playbook import Input, Playbook
from responder.settings import Person
from responder.slack.blocks import (
    Block,
    asked,
    context,
    cut,
    divider,
    modal,
    option,
    radio,
    safe,
    section,
    select,
    text_input,
    ticks,
)

FOUND, INPUTS, PLAN = "found", "inputs", "plan"
_KINDS = (("public", "anybody can see it"), ("private", "only some can see it"), ("unknown", "nobody knows"))
_EFFECTS = {"final": "🔴", "reversible": "🟠", "message": "✉️", "read": "👁️"}
_MOST_STEPS = 40
_SEVERITIES = ("P1", "P2", "P3", "P4")
BY_MATCH = "by-match"


def finding_form(playbooks: Mapping[str, Playbook], waiting: Sequence[Held], about: Mapping[str, Any]) -> Block:
    """Return the modal in which somebody says what was found."""
    chosen = str(about.get("held") or "")
    kinds = [option(one, one, told) for one, told in _KINDS]
    books = [option(book.title, name) for name, book in playbooks.items()]
    where = text_input(placeholder="https://…", initial=str(about.get("url") or ""))
    blocks: list[Block] = []
    if waiting:
        shown = [option(_found(one), one.id) for one in waiting]
        blocks.append(asked("held", "A finding that waits", select(shown, chosen), optional=True))
    blocks += [
        asked(
            "finding",
            "Or paste it, or describe it",
            text_input(lines=True, placeholder="the leaked credential, or a report that holds it"),
            hint="It goes to responder alone, and is sealed. It never becomes a message.",
            optional=True,
        ),
        asked("url", "Where is it?", where, optional=True),
        asked("kind", "Who can see it there?", radio(kinds, str(about.get("kind") or "public"))),
        asked("playbook", "Playbook", select([option("the one that fits", BY_MATCH), *books], BY_MATCH)),
        asked("severity", "Severity", select([option(one, one) for one in _SEVERITIES]), optional=True),
        asked("dry", "Dry run", ticks([option("show the plan, and begin nothing", "dry")]), optional=True),
    ]
    return modal("Respond to a leak", blocks, callback=FOUND, submit="Show the plan", about=about)


def _found(one: Held) -> str:
    where = one.finding.exposure.place or one.finding.exposure.url or "somewhere"
    what = one.finding.fingerprint or one.finding.key_id
    return f"{what} at {where}"


def inputs_form(book: Playbook, people: Mapping[str, Person], about: Mapping[str, Any]) -> Block:
    """Return the modal in which a playbook's inputs are filled in, each by its type."""
    blocks = [section(f"*{safe(book.title)}*\n{safe(cut(book.summary, 600))}")]
    blocks += [
        asked(
            name,
            name.replace("_", " "),
            _field(one, people),
            hint=one.help,
            optional=not one.required,
        )
        for name, one in book.inputs.items()
    ]
    return modal("What the playbook asks", blocks, callback=INPUTS, submit="Show the plan", about=about)


def _field(one: Input, people: Mapping[str, Person]) -> Block:
    initial = "" if one.default is None else str(one.default)
    if one.type == "boolean":
        return radio([option("yes", "true"), option("no", "false")], str(initial).lower())
    if one.type == "person":
        return select([option(person.name, name) for name, person in people.items()], initial)
    if one.type == "integer":
        more = {"initial_value": initial} if initial else {}
        return {"type": "number_input", "is_decimal_allowed": False, **more}
    return text_input(initial=initial)


def plan_form(plan: Plan, about: Mapping[str, Any]) -> Block:
    """Return the modal that shows what a run would do; to begin is a second act."""
    blocks = [
        section(f"*{safe(plan.title)}*\n{safe(plan.credential)}, {safe(plan.ownership)}"),
        context(safe(summary(plan))),
    ]
    if plan.problems:
        told = "\n".join(f"• {safe(problem)}" for problem in plan.problems)
        blocks.append(section(f"🛑 *It may not begin*\n{told}"))
    for phase in dict.fromkeys(step.phase for step in plan.steps):
        blocks.append(divider())
        shown = [_step(step) for step in plan.steps if step.phase == phase]
        blocks.append(section(f"*{safe(phase)}*\n" + "\n".join(shown)))
    if plan.deadlines:
        due = "\n".join(f"⏱️ {safe(row['name'])}: {safe(row.get('role', ''))}" for row in plan.deadlines)
        blocks += [divider(), section(due)]
    if plan.problems or about.get("dry"):
        return modal("The plan", blocks, about=about)
    return modal("The plan", blocks, callback=PLAN, submit="Begin", about=about)


def _step(step: PlannedStep) -> str:
    count = f" x {step.items}" if step.items is not None else ""
    signed = f" · _{safe(step.approval)}_" if step.approval else ""
    change = f": {safe(cut(step.target, 80))} → {safe(cut(step.after, 80))}" if step.after else ""
    return f"{_EFFECTS.get(step.effect, '•')} {safe(step.id)}{count}{change}{signed}"


def join_form(run: str, about: Mapping[str, Any]) -> Block:
    """Return the modal that says that a run responds to the credential already."""
    told = f"`{safe(run)}` responds to this credential already. It can be recorded there where else it was found."
    return modal("Under way", [section(told)], callback=PLAN, submit="Record it there", about=about)


def working(title: str, told: str) -> Block:
    """Return the modal that says that something is being done."""
    return modal(title, [section(f"⏳ {safe(told)}")])


def said(title: str, told: str) -> Block:
    """Return the modal that says what came of it."""
    return modal(title, [section(told)])


def refused(error: ResponderError) -> Block:
    """Return the modal that says what was refused, where, and what to do next."""
    lines = [f"🛑 *{safe(error.message)}*"]
    lines += [f"at {safe(error.where)}"] if error.where else []
    lines += [f"→ {safe(error.remedy)}"] if error.remedy else []
    lines += [f"• {safe(problem)}" for problem in error.problems if str(problem) != str(error)][:20]
    return modal("Refused", [section("\n".join(lines))])
