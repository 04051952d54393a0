"""The people of a scenario: they answer what they are asked, when and as the scenario says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from responder.app import App
from responder.approval import may_answer
from responder.errors import InputError
from responder.playbook import Playbook
from responder.scenario.house import REQUESTER
from responder.scenario.model import BECAUSE, Later, Reply
from responder.scenario.world import World
from responder.state import RunState
from responder.unit import Ask

_SOON = timedelta(minutes=1)
_WITHIN_REASON = timedelta(minutes=10)


@dataclass(frozen=True)
class Due:
    """Something that a person will say."""

    at: datetime
    run: str
    step: str
    ask: Ask
    reply: Reply


@dataclass
class Crowd:
    """Everybody; who has been asked what so far, and what they will say."""

    app: App
    world: World
    playbooks: Mapping[str, Playbook]
    began: datetime
    _asked: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often a step has asked."""
    _heard: set[tuple[str, str, datetime, str, str]] = field(default_factory=set)
    _coming: list[Due] = field(default_factory=list)
    _later: list[Later] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """What could not be said or done as the scenario wants it: a key of the scenario, and why."""

    def __post_init__(self) -> None:
        self._later = sorted(self.world.scenario.meanwhile, key=lambda later: later.after)

    def listen(self, state: RunState) -> None:
        """Take every open question of a run in, and make up one's mind."""
        for ask in state.asks():
            heard = (state.run, ask.unit, ask.at, ask.role, ask.digest)
            if heard in self._heard:
                continue
            self._heard.add(heard)
            reply = self._reply(state, ask)
            if reply.says != "silent":
                patience = reply.after or (_SOON if ask.kind == "approval" else _WITHIN_REASON)
                self._coming.append(Due(ask.at + patience, state.run, ask.unit, ask, reply))

    def _reply(self, state: RunState, ask: Ask) -> Reply:
        """Return what the scenario says of a question, else what lets the run go on."""
        prefix = self.world.runs.get(state.run, f"{state.run}/")
        number = self._asked.get((state.run, ask.unit), 0)
        self._asked[state.run, ask.unit] = number + 1
        for name in (f"{prefix}{ask.unit}", f"{prefix}{ask.unit.partition('[')[0]}"):
            replies = self.world.scenario.people.get(name, ())
            if replies and ask.kind != "unknown":
                return replies[min(number, len(replies) - 1)]
            if replies and replies[-1].says in ask.options:
                return replies[-1]
        if ask.kind == "unknown":
            return Reply(says="happened" if (prefix, ask.unit) in self.world.happened else "not-happened")
        words = {"approval": "agree", "task": "done", "gate": "continue"}
        return Reply(says=words.get(ask.kind) or self._first_option(state, ask))

    def _first_option(self, state: RunState, ask: Ask) -> str:
        """Return the option that the playbook names first; the record keeps them in another order."""
        written_down = self.playbooks.get(state.playbook.playbook, state.playbook)
        step = written_down.by_id.get(ask.unit.partition("[")[0])
        written = step.with_.get("options") if step is not None else None
        return next(iter(written if isinstance(written, dict) else ask.options))

    def next_at(self) -> datetime | None:
        """Return when somebody says or does something next; None where nobody will."""
        moments = [due.at for due in self._coming]
        moments += [self.began + later.after for later in self._later[:1]]
        return min(moments, default=None)

    def speak(self, now: datetime, main: str) -> None:
        """Let everybody say and do what is due."""
        due = [one for one in self._coming if one.at <= now]
        self._coming = [one for one in self._coming if one.at > now]
        for one in sorted(due, key=lambda one: one.at):
            try:
                self._answer(one)
            except InputError as error:
                self.refused.append(("people", f"{one.step}: {error}"))
        while self._later and self.began + self._later[0].after <= now:
            try:
                self._do(self._later.pop(0), main)
            except InputError as error:
                self.refused.append(("meanwhile", str(error)))

    def _answer(self, due: Due) -> None:
        state = self.app.state(due.run)
        unit = state.units.get(due.step)
        if unit is None or unit.ask is None or unit.ask.at != due.ask.at:
            return  # it is not asked any more
        for person in [due.reply.by] if due.reply.by else self._speakers(state, unit.ask):
            self.app.person = person
            if due.reply.says == "agree":
                self.app.approve(due.run, due.step)
            elif due.reply.says == "decline":
                self.app.decline(due.run, due.step, due.reply.reason)
            elif due.reply.says == "done":
                self.app.done(due.run, due.step, due.reply.reason)
            else:
                self.app.decide(due.run, due.step, due.reply.says)

    def _speakers(self, state: RunState, ask: Ask) -> Iterator[str]:
        """Yield those who answer: one, or as many as must agree."""
        yield from may_answer(state, ask)[: ask.quorum]

    def _do(self, later: Later, main: str) -> None:
        self.app.person = later.by or REQUESTER
        for name, value in later.set.items():
            self.app.set(main, name, value, reason=BECAUSE)
        if later.retry:
            self.app.retry(main, later.retry)
        if later.abort:
            self.app.abort(main, later.abort)
