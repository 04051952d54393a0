"""What a plan looks like in a terminal."""

from datetime import datetime

from responder.clock import show_time
from responder.plan import Plan, PlannedStep

_EFFECTS = {"final": "FINAL", "message": "message", "reversible": "reversible", "read": "reads"}


def plan_lines(plan: Plan) -> list[str]:
    """Return a plan as lines: every step with what it would change, and the deadlines."""
    lines = [f"{plan.title} ({plan.playbook})", f"  credential: {plan.credential}, {plan.ownership}"]
    for phase in dict.fromkeys(step.phase for step in plan.steps):
        lines += ["", phase]
        for step in plan.steps:
            if step.phase == phase:
                lines += _step(step)
    if plan.deadlines:
        lines += ["", "deadlines"]
        lines += [_deadline(row) for row in plan.deadlines]
    return [*lines, "", summary(plan)]


def summary(plan: Plan) -> str:
    """Return in one line what a plan comes to."""
    effects = [step.effect for step in plan.steps]
    counts = ", ".join(f"{effects.count(name)} {words}" for name, words in _EFFECTS.items() if name in effects)
    asked = sum(bool(step.approval) for step in plan.steps)
    refused = f"; {len(plan.problems)} REFUSED" if plan.problems else ""
    return f"{len(plan.steps)} steps: {counts}; {asked} ask for approval{refused}"


def _step(step: PlannedStep) -> list[str]:
    count = f" x {step.items}" if step.items is not None else ""
    lines = [f"  {step.id}: {step.action}{count} [{_EFFECTS.get(step.effect, step.effect)}]"]
    change = f": {step.before or '?'} -> {step.after}" if step.before or step.after else ""
    if step.target or change:
        lines.append(f"      {' '.join(f'{step.target}{change}'.split())}")
    rows = {
        "breaks": step.breaks,
        "only if": step.condition.replace("${{", "").replace("}}", "").strip(),
        "later": step.deferred,
        "approval": step.approval,
        "after": ", ".join(step.needs),
        "meets": step.meets,
    }
    lines += [f"      {name}: {value}" for name, value in rows.items() if value]
    return lines + [f"      REFUSED: {problem}" for problem in step.problems]


def _deadline(row: dict[str, object]) -> str:
    due = row.get("due_at")
    when = f"due {show_time(datetime.fromisoformat(str(due)))}" if due else f"starts at {row['from']}"
    awaits = f" at the latest, as {row['from']} says" if due and row["awaits"] else ""
    return f"  {row['name']}: {when}{awaits}, {row['role']}"
