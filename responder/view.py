"""A run as people look at it: plain data for the live view, `status` and `--json`."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from responder.approval import may_answer
from responder.correction import Correction
from responder.deadlines import ClockView, clock_view, seconds_left
from responder.naming import contained_at, incident_fact
from responder.playbook import Step
from responder.progress import StepView, step_view
from responder.state import RunState
from responder.unit import ENDED, Ask, Unit


class AskView(NamedTuple):
    """A question that is open, and how it is answered."""

    run: str
    """The run that asks: this one, or one that it opened."""
    step: str
    title: str
    """What the playbook calls the step; empty where it says nothing, or the whole incident is concerned."""
    kind: str
    """`approval`, `decide`, `task` or `unknown`."""
    role: str
    may_answer: tuple[str, ...]
    """The ids of those whose answer counts."""
    text: str
    options: dict[str, str]
    """Each option, and what it means."""
    target: str
    before: str
    after: str
    breaks: str
    items: int
    """How many items one answer is for; 0 for a single change."""
    digest: str
    agreed: tuple[str, ...]
    quorum: int
    asked_at: datetime
    due_at: datetime | None
    left_seconds: int | None
    on_timeout: str
    commands: tuple[str, ...]
    """What to type; one for each way to answer."""


class ChildView(NamedTuple):
    """A run that this one opened for another leaked credential."""

    run: str
    step: str
    credential: str
    state: str
    contained: bool


class CriterionView(NamedTuple):
    """An exit criterion, once the run has ended."""

    criterion: str
    held: bool
    why: str


class RunView(NamedTuple):
    """One run at one moment."""

    incident: str
    run: str
    purpose: str
    """`response`, or `notice` for a run that only sends one, and contains nothing."""
    playbook: str
    title: str
    credential: str
    severity: str
    mode: str
    """The containment mode: A1 kill, A2 fence, B overlap, C close."""
    suspect: tuple[str, ...]
    """Who and what is suspect, as `kind:name`."""
    requester: str
    state: str
    """`running, waiting, halted, aborting, ended`."""
    alive: bool
    """Whether some process works on it now, or a worker will as soon as there is something to do."""
    executor: str
    """Where it is being worked on, `host:pid`, if many hosts share the record; empty while there is nothing to do."""
    contained: bool
    contained_at: datetime | None
    aware_at: datetime | None
    now: datetime
    awaiting: tuple[AskView, ...]
    clocks: tuple[ClockView, ...]
    steps: tuple[StepView, ...]
    children: tuple[ChildView, ...]
    exit: tuple[CriterionView, ...]
    failed: tuple[str, ...]
    """Steps that failed or were declined, and are not tolerated by the playbook."""
    kind: str
    """The kind of the first such failure: `unavailable, denied, verification, refused, defect`."""
    incomplete: bool
    """Whether a step was declined, failed, or never started, beyond what the playbook's conditions skip."""

    def document(self) -> dict[str, Any]:
        """Return it as plain data; times as ISO text."""
        data: dict[str, Any] = _plain(self._asdict())
        return data


def view(
    state: RunState,
    now: datetime,
    *,
    alive: bool = False,
    executor: str = "",
    program: str = "responder",
    offspring: Sequence[RunState] = (),
) -> RunView:
    """Return what there is to see of a run.

    `program`: how the commands that answer its questions begin. `offspring`: runs that it opened, and whose
    questions are shown with its own.
    """
    asking = [one for one in (state, *offspring) if one.state != "ended"]
    failed = _failed(state)
    return RunView(
        incident=str(state.incident.get("id", "")),
        run=state.run,
        purpose=state.purpose,
        playbook=state.playbook.playbook,
        title=state.playbook.title,
        credential=state.credential.label,
        severity=str(state.incident.get("severity", "")),
        mode=state.standing.mode,
        suspect=tuple(sorted(state.standing.suspects)),
        requester=str(state.started.get("requester", "")),
        state=_state(state, asking),
        alive=alive,
        executor=executor,
        contained=state.contained,
        contained_at=contained_at(state),
        aware_at=incident_fact(state, "aware_at") if state.incident else None,
        now=now,
        awaiting=(
            *(_ask(one, ask, now, program) for one in asking for ask in one.asks()),
            *(_correction(one, state.run, program, state) for one in state.corrections.values()),
            *(_ask(state, motion.ask, now, program) for motion in state.standing.motions.values()),
        ),
        clocks=tuple(clock_view(name, deadline, state, now) for name, deadline in state.playbook.deadlines.items()),
        steps=tuple(step_view(state, step, now) for step in state.playbook.steps),
        children=tuple(ChildView(c.run, c.step, c.label, c.state, c.contained) for c in state.children.values()),
        exit=tuple(
            CriterionView(str(e["criterion"]), bool(e["held"]), str(e.get("why", "")))
            for e in state.ended.get("exit", ())
        ),
        failed=tuple(failed),
        kind=state.unit(failed[0]).error_kind if failed else "",
        incomplete=_incomplete(state),
    )


def _state(state: RunState, asking: Sequence[RunState]) -> str:
    """Return the run's state; it waits when somebody is asked and nothing moves by itself."""
    if state.state != "open":
        return state.state
    moving = any(_moves(one, unit) for one in asking for unit in one.each())
    return "waiting" if any(one.asks() for one in asking) and not moving else "running"


def _moves(state: RunState, unit: Unit) -> bool:
    """Tell whether a step or item goes on without anybody's answer."""
    if unit.status not in {"running", "applied"} or unit.ask is not None or unit.address in state.items:
        return False
    unapproved = unit.planned.get("digest") not in (None, unit.approved) and not unit.in_flight
    return not (unapproved and state.playbook.step(unit.address).approval is not None)


def _failed(state: RunState) -> list[str]:
    """Return the steps that ended badly, in the playbook's order."""
    return [step.id for step in state.playbook.steps if _ended_badly(state, step)]


def _ended_badly(state: RunState, step: Step) -> bool:
    """Tell whether somebody must look at it; a way back that failed is passed over by the others, not by people."""
    unit = state.unit(step.id)
    tolerated = step.on_error == "continue" and not unit.takes_back
    return unit.status == "declined" or (unit.status == "failed" and not tolerated)


def _incomplete(state: RunState) -> bool:
    """Tell whether a step failed, or was left out though nothing of the playbook says that it may be."""
    left_out = any(
        state.status(step.id) == "skipped" and step.condition == "" and state.status(step.scope) != "skipped"
        for step in state.playbook.steps
    )
    return left_out or bool(_failed(state))


# Questions ----------------------------------------------------------------------------------------


def _ask(state: RunState, ask: Ask, now: datetime, program: str) -> AskView:
    unit = Unit(ask.unit, planned=ask.change) if ask.change else state.unit(ask.unit)
    items = state.items.get(ask.unit)
    shown = unit
    open_items = 0
    if items is not None:
        waiting = [
            one
            for one in (state.unit(f"{ask.unit}[{key}]") for key in items.values)
            if one.status not in ENDED and one.planned
        ]
        open_items = len(waiting)
        shown = waiting[0] if waiting else unit
    planned = shown.planned
    return AskView(
        run=state.run,
        step=ask.unit,
        title=step.title if (step := state.playbook.by_id.get(ask.unit.partition("[")[0])) else "",
        kind=ask.kind,
        role=ask.role,
        may_answer=tuple(may_answer(state, ask)),
        text=ask.text,
        options=dict(ask.options),
        target=str(planned.get("target", "")),
        before=str(planned.get("before", "")),
        after=str(planned.get("after", "")),
        breaks=str(planned.get("breaks", "")),
        items=open_items,
        digest=ask.digest,
        agreed=tuple(ask.agreed),
        quorum=ask.quorum,
        asked_at=ask.at,
        due_at=ask.due_at,
        left_seconds=seconds_left(ask.due_at, now),
        on_timeout=ask.on_timeout,
        commands=_commands(state.run, ask, program),
    )


def _correction(asked: Correction, run: str, program: str, state: RunState) -> AskView:
    """Return the question about a correction, to the first owner who has not agreed; silence changes nothing."""
    ask = asked.asks()[0]
    return AskView(
        run=run,
        step=asked.address,
        title="",
        kind=ask.kind,
        role=", ".join(asked.roles),
        may_answer=tuple(dict.fromkeys(name for one in asked.asks() for name in may_answer(state, one))),
        text=asked.text,
        options={},
        target=asked.name,
        before=str(asked.old or ""),
        after=str(asked.new),
        breaks="",
        items=0,
        digest=asked.digest,
        agreed=tuple(asked.agreed),
        quorum=1,
        asked_at=asked.at,
        due_at=None,
        left_seconds=None,
        on_timeout="",
        commands=_commands(run, ask, program),
    )


def _commands(run: str, ask: Ask, program: str) -> tuple[str, ...]:
    """Return the exact commands with which a question can be answered."""
    rest = f"{run} {shlex.quote(ask.unit)}"
    if ask.kind == "approval":
        return f"{program} approve {rest}", f"{program} decline {rest} --reason TEXT"
    if ask.kind == "task":
        return (f"{program} done {rest}",)
    return tuple(f"{program} decide {rest} {shlex.quote(option)}" for option in ask.options)


# Plain data ---------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
