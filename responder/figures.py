"""The figures of an incident, from its record alone: when, how long, to whom, by when, what went wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from responder.anchors import Found
from responder.due import Deadline
from responder.entry import Entry
from responder.moments import due
from responder.rendition import plain
from responder.standing import Broken
from responder.state import RESPONSE
from responder.story import Answer, Span, Story, Trouble, answers, moment_or_none, spans, troubles
from responder.unit import ENDED_WELL

_CLOCKS = ("exposed_at", "reported_at", "aware_at", "public_coverage_at")


@dataclass(frozen=True)
class NoticeFigure:
    """What became of one notice to one audience."""

    template: str
    step: str
    audience: str
    recipients: int
    """To how many it went."""
    meant: int
    """To how many it should go."""
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    due_at: datetime | None
    on_time: bool | None
    drafted: bool
    """Whether it was written for a person to send, and never sent by us."""


@dataclass(frozen=True)
class DeadlineFigure:
    """A deadline and whether it was met."""

    name: str
    role: str
    step: str
    due_at: datetime | None
    met_at: datetime | None
    on_time: bool | None
    reason: str = ""
    """Why there is no due time, or nothing that met it."""


@dataclass(frozen=True)
class ChildFigure:
    """Another credential that was found, and what became of it."""

    run: str
    label: str
    step: str
    contained: bool
    dead_at: datetime | None


@dataclass(frozen=True)
class Figures:
    """Everything that can be counted or timed about an incident."""

    incident: str
    run: str
    codename: str
    severity: str
    playbook: str
    title: str
    credential: str
    holders: int
    state: str
    contained: bool
    spared: str
    """Why nothing had to be ended: it is not ours, or the case was closed (C); empty where it had to die."""
    exposed_at: datetime | None
    reported_at: datetime | None
    aware_at: datetime | None
    public_coverage_at: datetime | None
    disabled_at: datetime | None
    contained_at: datetime | None
    """The first refusal after the last acceptance, once death was proven."""
    dead_at: datetime | None
    spans: tuple[Span, ...]
    notices: tuple[NoticeFigure, ...]
    answers: tuple[Answer, ...]
    deadlines: tuple[DeadlineFigure, ...]
    troubles: tuple[Trouble, ...]
    children: tuple[ChildFigure, ...]
    broken: tuple[Broken, ...]
    """When somebody approved containment alone; to be reviewed."""
    takeovers: int
    """How often another executor took a run over: after a crash, or after a stop."""
    entries: int
    head: str
    last_at: datetime

    def span(self, name: str) -> float | None:
        """Return the seconds of a span by its name."""
        return next((span.seconds for span in self.spans if span.name == name), None)

    @property
    def exposure_seconds(self) -> float | None:
        """How long the credential could be used by whoever found it."""
        return self.span("exposure")

    def document(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        data: dict[str, Any] = plain(asdict(self))
        return {**data, "exposure_seconds": self.exposure_seconds}


def figures(entries: Sequence[Entry]) -> Figures:
    """Return the figures of an incident. RecordError where its record holds no run."""
    story = Story(entries)
    main, last = story.main, entries[-1]
    incident = main.incident
    clocks = {
        name: moment_or_none(incident.get(name))
        for name in ("exposed_at", "reported_at", "aware_at", "public_coverage_at")
    }
    return Figures(
        incident=last.incident,
        run=main.run,
        codename=str(incident.get("codename") or last.incident),
        severity=str(incident.get("severity") or ""),
        playbook=main.playbook.playbook,
        title=main.playbook.title,
        credential=main.credential.label,
        holders=len(main.credential.holders),
        state=main.state,
        contained=main.contained,
        spared=_spared(story),
        **clocks,
        disabled_at=story.disabled_at,
        contained_at=story.death(main)[0],
        dead_at=story.death(main)[1],
        spans=tuple(spans(story, clocks)),
        notices=tuple(sorted(_notices(story), key=lambda one: one.first_sent_at or last.at)),
        answers=tuple(answers(entries)),
        deadlines=tuple(_deadline(story, name, one) for name, one in main.playbook.deadlines.items()),
        troubles=tuple(troubles(entries)),
        children=tuple(
            ChildFigure(one.run, one.label, one.step, one.contained, story.death(story.states[one.run])[1])
            for one in main.children.values()
            if one.run in story.states
        ),
        broken=tuple(main.standing.broken),
        takeovers=sum(
            entry.event == "adopted" and int(entry.facts["epoch"]) > 1 and not entry.facts.get("handed_on")
            for entry in entries
            if entry.run in story.states and story.states[entry.run].purpose == RESPONSE
        ),
        entries=last.seq,
        head=last.hash,
        last_at=last.at,
    )  # fmt: skip


def _spared(story: Story) -> str:
    main = story.main
    verdict = str((main.started.get("ownership") or {}).get("verdict") or "ours")
    if story.death(main)[1] is not None:
        return ""
    if main.standing.mode == "C":
        return f"the case was closed (mode C): {main.standing.mode_reason}"
    return "" if verdict == "ours" else "nothing shows that it is ours, so it was neither presented nor ended"


def _deadline(story: Story, name: str, deadline: Deadline) -> DeadlineFigure:
    figure = _judged(story, name, deadline)
    asked = [one for one in story.main.corrections.values() if any(move.deadline == name for move in one.moves)]
    waits = [f"a correction of {one.name} waits for {', '.join(one.roles)}" for one in asked]
    return replace(figure, reason="; ".join([figure.reason, *waits] if figure.reason else waits)) if waits else figure


def _judged(story: Story, name: str, deadline: Deadline) -> DeadlineFigure:
    found = due(story.main, deadline)
    due_at = found.at
    step = next((step for step in story.main.playbook.steps if step.meets == name), None)
    if step is None:
        return DeadlineFigure(name, deadline.role, "", due_at, None, None, _unmet(found))
    state = story.main
    units = story.units(state, step)
    if all(unit.status == "skipped" for unit in units):
        return DeadlineFigure(
            name,
            deadline.role,
            step.id,
            due_at,
            None,
            None,
            f"not needed: {units[0].error}" if units else "nobody to tell",
        )
    times = [story.effective_at(state, unit) if unit.status in ENDED_WELL else None for unit in units]
    met = None if None in times else max((at for at in times if at), default=None)
    if due_at is None:
        return DeadlineFigure(name, deadline.role, step.id, None, met, None, f"{waited(found)} has not happened")
    if met is None:
        late = story.entries[-1].at > due_at
        return DeadlineFigure(
            name,
            deadline.role,
            step.id,
            due_at,
            None,
            False if late else None,
            f"{step.id} is {state.status(step.id)}",
        )
    return DeadlineFigure(name, deadline.role, step.id, due_at, met, met <= due_at)


def _unmet(found: Found) -> str:
    return "no step meets it" + ("" if found.at else f"; {waited(found)} has not happened")


def waited(found: Found) -> str:
    """Return in words what a time hangs on."""
    return " and ".join(map(str, found.awaits))


def _notices(story: Story) -> Iterator[NoticeFigure]:
    for state in story.states.values():
        for step in state.playbook.steps:
            if not step.action.startswith("notice."):
                continue
            units = story.units(state, step)
            record = next((unit.planned for unit in units if unit.planned.get("template")), None)
            if record is None:
                continue
            drafted = step.action == "notice.draft"
            sent = [
                story.effective_at(state, unit)
                for unit in units
                if unit.status in ENDED_WELL and unit.status != "skipped"
            ]
            times = sorted(at for at in sent if at)
            due_at = due(state, state.playbook.deadlines[step.meets]).at if step.meets else None
            complete = len(times) == len(units)
            on_time = times[-1] <= due_at if due_at and times and complete else None
            yield NoticeFigure(
                template=str(record["template"]),
                step=step.id,
                audience=str(record.get("audience", "")),
                recipients=0 if drafted else len(times),
                meant=len(units),
                first_sent_at=times[0] if times else None,
                last_sent_at=times[-1] if times else None,
                due_at=due_at,
                on_time=on_time,
                drafted=drafted,
            )
