"""The modals that begin a response: the finding, what the playbook asks, the plan, and what came of it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from responder.errors import ResponderError
from responder.held import Held
from responder.incident import SEVERITIES
from responder.plan import Plan, PlannedStep
from responder.planning import summary
from responder.playbook import Input, Playbook
from responder.settings import Person
from responder.slack.blocks import (
    Block,
    asked,
    context,
    cut,
    day,
    divider,
    mention,
    modal,
    option,
    paragraphs,
    radio,
    readable,
    safe,
    section,
    select,
    text_input,
    ticks,
)

FOUND, INPUTS, PLAN = "found", "inputs", "plan"
_KINDS = (("public", "Anybody: it is public"), ("private", "Only some people"), ("unknown", "Nobody knows"))
_EFFECTS = {"final": "🔴", "reversible": "🟠", "message": "✉️", "read": "👁️"}
_OPTION = 74
_SOMEBODY = re.compile(r"\b[UW][A-Z0-9]{4,20}\b")
_TARGET, _AFTER = 60, 60
BY_MATCH = "by-match"


def finding_form(playbooks: Mapping[str, Playbook], waiting: Sequence[Held], about: Mapping[str, Any]) -> Block:
    """Return the modal in which somebody says what was found."""
    books = [option(book.title, name) for name, book in playbooks.items()]
    blocks = [] if about.get("held") else _what_leaked(waiting)
    blocks += [
        asked("playbook", "Playbook", select([option("The one that fits", BY_MATCH), *books], BY_MATCH)),
        asked("severity", "Severity", select([option(one, one) for one in SEVERITIES]), optional=True),
        asked("dry", "Dry run", ticks([option("Show the plan, and begin nothing", "dry")]), optional=True),
    ]
    return modal("Respond to a leak", blocks, callback=FOUND, submit="Show the plan", about=about)


def _what_leaked(waiting: Sequence[Held]) -> list[Block]:
    """Return the questions what leaked and where; they are not asked where a message was chosen, which says both."""
    kinds = [option(told, one) for one, told in _KINDS]
    blocks: list[Block] = []
    if waiting:
        blocks.append(
            asked(
                "held", "A finding that waits", select([option(_found(one), one.id) for one in waiting]), optional=True
            )
        )
    blocks += [
        asked(
            "finding",
            "Or paste what leaked" if waiting else "What leaked?",
            text_input(lines=True, placeholder="The leaked credential, or a report that holds it"),
            hint="It goes to responder alone, and is sealed. It never becomes a message.",
            optional=True,
        ),
        asked("url", "Where is it?", text_input(placeholder="https://…"), optional=True),
        asked("kind", "Who can see it there?", radio(kinds, "public")),
    ]
    return blocks


def _found(one: Held) -> str:
    where = one.finding.exposure.place or one.finding.exposure.url or "somewhere"
    what = one.finding.key_id or one.finding.connection or "a credential"
    return cut(f"{what} at {where}, {one.at:%H:%M}Z", _OPTION)


def inputs_form(book: Playbook, people: Mapping[str, Person], about: Mapping[str, Any]) -> Block:
    """Return the modal in which a playbook's inputs are filled in, each by its type."""
    blocks = [section(f"*{safe(book.title)}*\n{safe(cut(book.summary, 600))}")]
    blocks += [
        asked(
            name,
            _label(name),
            _field(one, people),
            hint=one.help.replace("`", ""),
            optional=not one.required,
        )
        for name, one in book.inputs.items()
    ]
    return modal("What the playbook asks", blocks, callback=INPUTS, submit="Show the plan", about=about)


def _label(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _field(one: Input, people: Mapping[str, Person]) -> Block:
    initial = "" if one.default is None else str(one.default)
    if one.type == "boolean":
        return radio([option("Yes", "true"), option("No", "false")], str(initial).lower())
    if one.type == "person":
        return select([option(person.name, name) for name, person in people.items()], initial)
    if one.type == "integer":
        more = {"initial_value": initial} if initial else {}
        return {"type": "number_input", "is_decimal_allowed": False, **more}
    return text_input(initial=initial)


def plan_form(plan: Plan, about: Mapping[str, Any]) -> Block:
    """Return the modal that shows what a run would do; to begin is a second act.

    What changes something is listed, with who is asked first; what only reads is named in a line.
    """
    blocks = [section(f"*{safe(plan.title)}*\n{safe(plan.credential)}, {safe(plan.ownership)}")]
    if plan.problems:
        blocks += paragraphs(["🛑 *It may not begin*", *(f"• {readable(problem)}" for problem in plan.problems)])
    blocks.append(context(safe(summary(plan))))
    for phase in dict.fromkeys(step.phase for step in plan.steps):
        steps = [step for step in plan.steps if step.phase == phase]
        quiet = [safe(step.id) for step in steps if _is_quiet(step)]
        shown = [_step(step) for step in steps if not _is_quiet(step)]
        shown += [f"👁️ {', '.join(quiet)}"] if quiet else []
        blocks += [divider(), *paragraphs([f"*{safe(_label(phase))}*", *shown])]
    if plan.deadlines:
        rows = sorted(plan.deadlines, key=lambda row: str(row.get("due_at") or "9"))
        blocks += [divider(), *paragraphs(["*By when*", *map(_deadline, rows)])]
    blocks.append(context("🔴 final · 🟠 can be taken back · ✉️ tells somebody · 👁️ reads · ✋ asks first"))
    if plan.problems or about.get("dry"):
        return modal("The plan", blocks, about=about)
    return modal("The plan", blocks, callback=PLAN, submit="Begin", about=about)


def _is_quiet(step: PlannedStep) -> bool:
    """Tell whether a step changes nothing, and asks nobody."""
    return step.effect == "read" and not (step.approval or step.problems or step.action.startswith("human."))


def _step(step: PlannedStep) -> str:
    count = f" ({step.items})" if step.items is not None and step.items > 1 else ""
    signed = f" · ✋ _{safe(step.approval.partition(', else')[0])}_" if step.approval else ""
    mark = "✋" if step.action.startswith("human.") else _EFFECTS.get(step.effect, "•")
    return f"{mark} *{safe(step.id)}*{count}{_would(step)}{signed}"


def _would(step: PlannedStep) -> str:
    """Return what a step would do; of a message, to whom it goes."""
    target, after = readable(cut(step.target, _TARGET)), readable(cut(step.after, _AFTER))
    if step.action.startswith("slack."):
        after = _SOMEBODY.sub(lambda found: mention(found[0]), after)
    if step.effect == "message" or not after:
        return f": {target}" if target else ""
    return f": {target} → {after}"


def _deadline(row: Mapping[str, Any]) -> str:
    due_at = row.get("due_at")
    when = day(datetime.fromisoformat(str(due_at))) if due_at else f"starts at {safe(row.get('from', ''))}"
    return f"⏱️ {safe(str(row['name']).replace('-', ' '))}: {when} ({safe(row.get('role', ''))})"


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
    lines = [f"🛑 *{readable(error.message)}*"]
    lines += [f"at {readable(error.where)}"] if error.where else []
    lines += [f"→ {readable(error.remedy)}"] if error.remedy else []
    lines += [f"• {readable(problem)}" for problem in error.problems if str(problem) != str(error)][:20]
    return modal("Refused", [section("\n".join(lines))])
