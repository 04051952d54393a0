"""What a run would do, read from the live systems; nothing is written anywhere."""

from dataclasses import field
from typing import Any, NamedTuple

from responder.action import Effect, Unchanged, changes
from responder.approval import group_digest
from responder.asking import ask_to_act
from responder.chain import GENESIS
from responder.detour import around
from responder.durations import show_duration
from responder.entry import Draft, Entry
from responder.errors import DocumentError, InputError, PlaybookError, Problem, ProviderError
from responder.expressions import evaluate, references
from responder.fold import fold
from responder.gate import keyed
from responder.guards import Moment, case_of, check_step
from responder.means import Means
from responder.moments import due
from responder.naming import names
from responder.playbook import Step, dependencies
from responder.proposal import signed
from responder.resolve import Resolved, resolve
from responder.start import Start, checked_inputs
from responder.state import RunState

_MOST_ITEMS = 5
"""How many items of a `for_each` are read from the live system for a plan; the rest are counted."""


class PlannedStep(NamedTuple):
    """One line of a plan."""

    id: str
    phase: str
    action: str
    target: str = ""
    before: str = ""
    after: str = ""
    effect: str = ""
    approval: str = ""
    needs: tuple[str, ...] = ()
    digest: str | None = None
    """None where what it will do depends on steps that have not run: `deferred`."""
    deferred: str = ""
    breaks: str = ""
    items: int | None = None
    condition: str = ""
    meets: str = ""
    problems: tuple[Problem, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the line as plain data, as `plan --json` prints it."""
        data = self._asdict()
        data["needs"] = list(self.needs)
        data["problems"] = [str(problem) for problem in self.problems]
        return data


class Plan(NamedTuple):
    """What a run would do, and by when."""

    playbook: str
    title: str
    credential: str
    ownership: str
    steps: tuple[PlannedStep, ...]
    deadlines: tuple[dict[str, Any], ...] = field(default=())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything for which a guard would refuse the run."""
        return tuple(problem for step in self.steps for problem in step.problems)

    def document(self) -> dict[str, Any]:
        """Return the plan as plain data, as `plan --json` prints it."""
        return {
            "playbook": self.playbook,
            "title": self.title,
            "credential": self.credential,
            "ownership": self.ownership,
            "steps": [step.document() for step in self.steps],
            "deadlines": list(self.deadlines),
        }


def make_plan(start: Start, opened: Draft, means: Means) -> Plan:
    """Read the live systems, and return what a run that began with these entries would do."""
    state = _imagined(start, opened, means)
    steps = tuple(_step(step, state, means) for step in start.playbook.steps)
    ownership = start.drafts[0].facts["ownership"]
    return Plan(
        playbook=start.playbook.playbook,
        title=start.playbook.title,
        credential=start.credential.label,
        ownership=f"{ownership['verdict']}: {ownership['reason']}",
        steps=steps,
        deadlines=tuple(_deadlines(state)),
    )


def _imagined(start: Start, opened: Draft, means: Means) -> RunState:
    """Return the state that the run would begin with, without writing anything; its value stays in memory."""
    now = means.clock.now()
    drafts = [opened, *start.drafts]
    entries = [
        Entry(n, now, start.incident, d.run, d.event, d.step, d.actor, d.facts, 0, GENESIS, GENESIS)
        for n, d in enumerate(drafts, 1)
    ]
    return fold(start.run, entries)


def _step(step: Step, state: RunState, means: Means) -> PlannedStep:
    kind = _effect(step, means)
    line: dict[str, Any] = {
        "id": step.id,
        "phase": step.phase,
        "action": step.does,
        "effect": kind,
        "approval": _approval(step),
        "needs": tuple(sorted(dependencies(step))),
        "condition": str(step.condition) if step.condition != "" else "",
        "meets": step.meets or "",
    }
    if step.scope and step.scope not in state.scopes:
        return PlannedStep(**line, deferred=f"depends on {step.scope}")
    waiting = sorted(references([step.with_, step.connection, step.as_, step.for_each]).steps)
    if waiting:
        return PlannedStep(**line, deferred=f"depends on {', '.join(waiting)}")
    try:
        line.update(_begun(step, state, means) if step.playbook else _live(step, state, means))
    except (PlaybookError, ProviderError) as error:
        line["deferred"] = f"cannot be read now: {error.problems[0]}"
    except DocumentError as error:  # what a notice says may only be known once other steps have run
        line["deferred"] = f"its text cannot be filled yet: {error.problems[0]}"
    except InputError as error:
        line["problems"] = error.problems
    return PlannedStep(**line)


def _approval(step: Step) -> str:
    """Return who must agree, and what comes of silence; nothing where nobody is asked."""
    if not step.approval:
        return ""
    within = show_duration(step.approval.within)
    return f"{step.approval.role} within {within}, else {step.approval.on_timeout}"


def _effect(step: Step, means: Means) -> str:
    """Return what a step does to the world; a notice is a message before its text is known."""
    if step.playbook:
        return Effect.READ.value
    if step.action == "notice.send":
        return Effect.MESSAGE.value
    if step.action == "notice.draft":
        return Effect.READ.value
    return means.registry.action(step.action).effect.value


def _begun(step: Step, state: RunState, means: Means) -> dict[str, Any]:
    """Imagine a sub-playbook begun with its inputs, so that its steps can be planned."""
    given = evaluate(step.with_, names(state, means, scope=step.scope))
    state.scopes[step.id] = checked_inputs(state.playbook.parts[step.id].inputs, given, means)
    return {"target": f"{len(state.playbook.inside(step.id))} steps"}


def _live(step: Step, state: RunState, means: Means) -> dict[str, Any]:
    if step.for_each is None:
        return _one(step, state, means, None)
    items = keyed(evaluate(step.for_each, names(state, means, scope=step.scope)), step.id)
    shown = {key: _one(step, state, means, item) for key, item in list(items.items())[:_MOST_ITEMS]}
    digests = {key: str(one["digest"]) for key, one in shown.items() if one.get("digest")}
    first = next(iter(shown.values()), {})
    whole = len(shown) == len(items) and len(digests) == len(shown)
    more = "" if whole else f"each of {len(items)} items is read when its turn comes"
    return {
        **first,
        "items": len(items),
        "digest": group_digest(digests) if whole and digests else None,
        "deferred": first.get("deferred") or more,
    }


def _one(step: Step, state: RunState, means: Means, item: Any) -> dict[str, Any]:
    resolved = around(resolve(step, state, means, names(state, means, item, step.scope)), step, state, means)
    action = resolved.action
    if step.action.startswith("human."):
        question = ask_to_act(action, means.clock.now())
        return {"target": f"asks {question['role']}", "after": question["text"]}
    target = str(resolved.record.get("to") or _reading_target(resolved, state))
    if not changes(action) or resolved.provider is None:
        return {"target": target}
    access = means.access(resolved.connection, state.run, step.id)
    client = means.client(access)
    planned = action.plan(client)
    if isinstance(planned, Unchanged):
        return {"target": target, "before": planned.reason, "after": "unchanged"}
    planned = signed(planned, resolved)
    identity = means.identity(resolved.provider, access)
    check_step(case_of(step, resolved, state, means, Moment.PLAN, identity=identity, ours=access.secret, client=client))
    digest = planned.digest(resolved.name, identity.account, resolved.action.effect)
    return {
        "target": planned.target,
        "before": planned.before,
        "after": planned.after,
        "breaks": planned.breaks,
        "digest": digest,
    }


def _reading_target(resolved: Resolved, state: RunState) -> str:
    given = resolved.record.get("with", {})
    named = given.get("url") or given.get("space") or given.get("template")
    return str(
        named
        or (state.credential.label if "subject" in type(resolved.action).model_fields else resolved.connection.name)
    )


def _deadlines(state: RunState) -> list[dict[str, Any]]:
    """Return each deadline, when it is due, and on what it hangs while that is not known."""
    rows: list[dict[str, Any]] = []
    for name, deadline in state.playbook.deadlines.items():
        found = due(state, deadline)
        rows.append(
            {
                "name": name,
                "from": str(deadline.from_),
                "within": str(deadline.within or ""),
                "by": str(deadline.by or ""),
                "due_at": found.at.isoformat() if found.at else None,
                "awaits": list(map(str, found.awaits)),
                "role": deadline.role,
                "owners": [one for one, person in state.people.items() if deadline.role in person["roles"]],
            }
        )
    return rows
