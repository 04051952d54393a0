"""Advance a run: fold its record, do whatever is ready, and return when nothing is."""

import queue
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from responder import schedule
from responder.asking import ask_to_act, awaits_agreement, unanswered
from responder.ending import (
    failed_for_good,
    judged,
    left_over,
    next_skipped,
    past_limit,
    sum_up_part,
    under_way,
    wake_at,
)
from responder.entry import Draft, Fence
from responder.errors import HostExhausted, InputError, RecordError
from responder.expressions import evaluate
from responder.fanout import FanOut, Hands
from responder.gate import ABORTED, Judged, Verdict, awaited, gate, may_run, paused
from responder.lanes import Lanes
from responder.means import Means
from responder.naming import names
from responder.resolve import resolve
from responder.start import checked_inputs
from responder.step import Step
from responder.store import AT_ONCE, Writing
from responder.timeline import Timeline
from responder.tracking import POLL_SECONDS, Tracking
from responder.undo import taking_back
from responder.unit import ENDED, Unit
from responder.work import Job, Worker


class Pause(NamedTuple):
    """Why `advance` returned."""

    state: str
    """`waiting`, `halted` or `ended`."""
    wake_at: datetime | None = None
    """When to advance again at the latest; None while only people or other runs can move it."""


class Runner:
    """Advances one run, as one executor with one epoch."""

    def __init__(self, means: Means, timeline: Timeline, fence: Fence, *, others_dead: bool) -> None:
        self._tracking = Tracking(timeline, fence)
        self.state = self._tracking.state
        self._means = means
        self._timeline = timeline
        self._fence = fence
        self._as_of = means.clock.now()
        """When it was last judged what may start; a moment that has passed since is still to come."""
        self._worker = Worker(means, timeline, self._fence, self._tracking, others_dead=others_dead)
        self._finished: queue.SimpleQueue[tuple[str, BaseException | None]] = queue.SimpleQueue()
        self._lanes = Lanes()
        hands = Hands(self._write, self._start_item, self._expire, self._stands_still)
        self._fanout = FanOut(self.state, means, self._lanes, hands)

    def advance(self, stopping: Callable[[], bool] = lambda: False) -> Pause:
        """Do everything that is ready, in threads; return when the run waits, is halted, or has ended.

        As soon as `stopping` says so nothing more is started, and it returns when what was started has ended.
        """
        try:
            while True:
                self._tracking.catch_up(look=not self._lanes)
                stopped = stopping()
                moved = not stopped and self._start_ready()
                if self._lanes:
                    self._collect()
                    if self._timeline.overdue():
                        self._means.threads.do(self._flush)  # nothing that is under way or begins waits for it
                elif (stopped or not (moved or self._settle())) and self._tracking.settled():
                    return self._pause()
        finally:
            while self._lanes:  # something went wrong: whatever else is being sent finishes first
                self._lanes.give_back(self._finished.get()[0])

    def _flush(self) -> None:
        with suppress(RecordError):  # whoever writes next hears of it
            self._timeline.flush()

    def _collect(self) -> None:
        """Wait until a thread has finished, or others may have written; a record that cannot be written ends all."""
        try:
            address, error = self._finished.get(timeout=POLL_SECONDS)
        except queue.Empty:
            self._timeline.flush()
            return
        while True:
            self._lanes.give_back(address)
            if error is not None:
                raise error
            try:
                address, error = self._finished.get_nowait()
            except queue.Empty:
                return

    @property
    def incident(self) -> str:
        """The incident on whose chain the run is."""
        return self._timeline.incident

    @property
    def position(self) -> int:
        """How many entries of the chain have been taken into account."""
        return self._tracking.position

    def behind(self) -> bool:
        """Tell whether the chain holds entries that were not taken into account yet."""
        return self._tracking.behind()

    def _write(self, *drafts: Draft) -> None:
        self._timeline.append(*drafts, fence=self._fence)

    def _draft(self, event: str, step: str, facts: dict[str, Any]) -> Draft:
        return Draft(event, facts, self._fence.run, step)

    # Starting what is ready --------------------------------------------------------------------------------------

    def _start_ready(self) -> bool:
        """Start every step and item that may start now; tell whether anything was started or written."""
        self._as_of = self._means.clock.now()
        if self.state.state not in {"open", "aborting"}:
            return False
        moved = False
        for step in self.state.playbook.steps:
            unit = self.state.unit(step.id)
            if unit.status in ENDED and (unit.status != "failed" or not self._must_undo(step)):
                continue
            if unit.status == "waiting" and self._plainly_waits(step):
                continue  # most of a long playbook: they are looked at after every step that ends
            if step.id in self._lanes:
                continue
            moved |= self._prepared(step.id, partial(self._start_step, step, unit))
        return moved

    def _prepared(self, address: str, start: Callable[[], bool]) -> bool:
        """Start a step or item; what cannot be prepared fails. Tell whether anything was started or written."""
        try:
            return start()
        except (RecordError, HostExhausted):
            raise
        except InputError as error:
            self._write(self._draft("failed", address, {"error": str(error), "kind": "refused"}))
        except Exception as error:  # noqa: BLE001 - a defect in a template or provider must not end the run
            told = f"A defect while {address} was prepared: {type(error).__name__}: {error}"
            self._write(self._draft("failed", address, {"error": told, "kind": "defect"}))
        return True

    def _plainly_waits(self, step: Step) -> bool:
        """Tell at little cost whether nothing can come of a waiting step yet: something that it needs has not ended."""
        alone = step.start is None and not step.scope and not self.state.stops(step)
        return alone and bool(awaited(step, self.state))

    def _must_undo(self, step: Step) -> bool:
        return step.on_error == "undo" and step.id not in self.state.undoing

    def _start_step(self, step: Step, unit: Unit) -> bool:
        if unit.status == "failed":
            self._write(self._draft("undoing", step.id, taking_back(step, self.state, self._means)))
            return True
        if unit.status == "waiting" and not unit.due:
            if step.start is not None:
                return self._start_when_due(step, unit)
            judgement = gate(step, self.state, self._means)
            if judgement.verdict is not Verdict.GO:
                return self._skip(step, judgement)
        if unit.status == "waiting" and (
            step.playbook or (step.for_each is not None and step.id not in self.state.items)
        ):
            if step.playbook:
                self._enter(step)
            else:
                self._fanout.expand(step)
            return True
        if step.playbook:
            return self._leave(step)
        if self._past_limit(step, unit) and self._over_limit(step, unit):
            return True
        if step.id in self.state.items:
            return self._fanout.start(step, unit)
        return self._start_alone(step, unit)

    def _start_alone(self, step: Step, unit: Unit) -> bool:
        """Start a step without items; give it up where an abort came before anything of it was sent."""
        if self.state.stops(step) and not (unit.in_flight or unit.status == "applied"):
            return self._skip(step, Judged(Verdict.SKIP, ABORTED))
        return self._start_unit(step, unit, None)

    def _skip(self, step: Step, judgement: Judged) -> bool:
        """Skip a step where its gate says so, with the reason; tell whether it did."""
        if judgement.verdict is Verdict.SKIP:
            self._told(step.id, self._draft("skipped", step.id, {"reason": judgement.reason}))
        return judgement.verdict is Verdict.SKIP

    def _start_when_due(self, step: Step, unit: Unit) -> bool:
        """Start a step with `start` when it is due; until then plan it and ask, as soon as that can be done."""
        if step.start is None:
            return False
        barred = may_run(step, self.state)
        if barred is not None:  # before its sub-playbook begins there are no inputs to read a time from
            return self._skip(step, barred)
        facts = schedule.times(step.start, step, self.state, self._means).facts(unit.schedule.get("latest"))
        if facts != unit.schedule:
            self._write(self._draft("scheduled", step.id, facts))
            return True
        judgement = schedule.due(step, self.state, self._means)
        if self._skip(step, judgement):
            return True
        if judgement.verdict is Verdict.GO:
            self._write(self._draft("came_due", step.id, schedule.came_due(step, self.state, judgement.reason)))
            return True
        agreed = bool(unit.planned) and not awaits_agreement(step, unit)
        if step.approval is None or agreed or not schedule.readable(step, self.state):
            return False
        return self._start_unit(step, unit, None)

    def _told(self, address: str, draft: Draft) -> None:
        """Write an entry that is an outcome by itself, at the points where a drill may kill."""
        self._means.hook("before-apply", address)
        self._write(draft)
        self._means.hook("after-apply", address)
        self._means.hook("after-record", address)

    def _enter(self, step: Step) -> None:
        """Begin a sub-playbook with its inputs, evaluated once."""
        given = evaluate(step.with_, self._names(step))
        inputs = checked_inputs(self.state.playbook.parts[step.id].inputs, given, self._means)
        self._write(self._draft("entered", step.id, {"inputs": inputs}))

    def _leave(self, step: Step) -> bool:
        """End a sub-playbook once nothing inside it moves any more."""
        told = sum_up_part(step, self.state, self._means)
        if told is not None:
            self._write(self._draft(told[0], step.id, told[1]))
        return told is not None

    def _names(self, step: Step, item: Any = None) -> Mapping[str, Any]:
        at_its_hard_stop = step.start is not None and self.state.unit(step.id).due
        return names(self.state, self._means, item, step.scope, early=at_its_hard_stop)

    # One step or item --------------------------------------------------------------------------------------------

    def _start_item(self, step: Step, unit: Unit, item: Any) -> bool:
        """Start an item; one that cannot be prepared fails alone, and what others have sent is followed up."""
        return self._prepared(unit.address, partial(self._start_unit, step, unit, item))

    def _start_unit(self, step: Step, unit: Unit, item: Any) -> bool:
        """Start a step or item in a thread, unless it waits for people or for a time."""
        now = self._means.clock.now()
        if unit.ask is not None:
            return self._expire(unit)
        if self._stands_still(step, unit) or self._fanout.beyond_wave(step, unit):
            return False
        if (unit.next_at is not None and unit.next_at > now) or awaits_agreement(step, unit):
            return False
        if not unit.planned and step.action.startswith("human."):
            self._ask_person(step, unit, item)
            return True
        if self._lanes.full():
            return False
        fresh = None if unit.planned else resolve(step, self.state, self._means, self._names(step, item))
        record = unit.planned if fresh is None else fresh.record
        job = Job(step, unit.address, unit.as_it_is(), record, fresh)
        self._means.threads.do(partial(self._work, job))
        self._lanes.take(unit.address, step.id)
        return True

    def _stands_still(self, step: Step, unit: Unit) -> bool:
        """Tell whether it goes no further: an abort, its limit or a linked run stops whatever has not been sent yet."""
        if unit.in_flight or unit.status == "applied":
            return False
        return self.state.stops(step) or paused(step, self.state) or self._past_limit(step, self.state.unit(step.id))

    def _work(self, job: Job) -> None:
        error: BaseException | None = None
        try:
            self._worker.do(job)
        except BaseException as caught:  # noqa: BLE001 - it is raised again by `_collect`
            error = caught
        self._finished.put((job.address, error))

    # Asking people -----------------------------------------------------------------------------------------------

    def _ask_person(self, step: Step, unit: Unit, item: Any) -> None:
        action = resolve(step, self.state, self._means, self._names(step, item)).action
        self._told(unit.address, self._draft("asked", unit.address, ask_to_act(action, self._means.clock.now())))

    def _expire(self, unit: Unit) -> bool:
        """Carry out what the playbook says of a question that nobody answered in time."""
        told = unanswered(unit.ask, self._means.clock.now(), self._fence.run) if unit.ask is not None else []
        if told:
            self._write(*told)
        return bool(told)

    def _past_limit(self, step: Step, unit: Unit) -> bool:
        return past_limit(step, unit, self._means.clock.now())

    def _over_limit(self, step: Step, unit: Unit) -> bool:
        """End a step that has taken longer than its limit, once nothing of it is in a thread or in flight."""
        units = [unit, *(self.state.unit(address) for address in self._lanes.parked(step.id))]
        if self._lanes.occupied(step.id) or any(one.in_flight for one in units):
            return False
        facts = {
            "error": f"it took longer than its limit of {step.limit}: {unit.error or unit.status}",
            "kind": "verification" if unit.looks else "unavailable",
        }
        self._write(self._draft("failed", step.id, facts))
        return True

    # Ending ------------------------------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """With nothing to do and nobody to wait for, halt or end the run; tell whether anything was written."""
        state = self.state
        if state.state not in {"open", "aborting"}:
            return False
        if any(self._past_limit(step, unit) and self._over_limit(step, unit) for step, unit in under_way(state)):
            return True  # it passed its limit after it was looked at
        if self._wake_at() is not None or state.asks():
            return False
        aborting = state.state == "aborting"
        if any(other.state != "ended" for other in state.others.values()) and not aborting:
            return False
        failed = failed_for_good(state)
        if failed and not aborting:
            self._write(self._draft("halted", "", {"failed": failed, "kind": state.unit(failed[0]).error_kind}))
            return True
        if any(not step.playbook for step, _ in under_way(state)) and not aborting:
            return False
        left = next_skipped(state)
        if left:
            reasons = [(step.id, {"reason": left_over(step, state, aborting=aborting)}) for step in left]
            self._write(*(self._draft("skipped", step, facts) for step, facts in reasons))
            return True
        self._end()
        return True

    def _end(self) -> None:
        """Judge the exit criteria, and give the credential's lock back."""
        criteria = judged(self.state.playbook.exit, self.state, self._means)
        contained = bool(criteria) and all(one["held"] for one in criteria)
        facts = {"purpose": self.state.purpose, "contained": contained, "exit": criteria}
        self._timeline.append(self._draft("ended", "", facts), fence=self._fence, also=self._give_back)

    def _give_back(self, writing: Writing) -> None:
        writing.unlock(self._fence.run)
        row = writing.run(self._fence.run)
        if row is not None:
            writing.put_run(row._replace(state="ended", wake_at="", executor=""))
        parent = self.state.started.get("parent") or {"run": ""}
        for run in sorted({str(parent["run"]), *self.state.awaited_by}):  # they may have waited for this one
            writing.wake(run, AT_ONCE)

    def _wake_at(self) -> datetime | None:
        return wake_at(self.state, self._as_of, self._lanes.parked, self._stands_still)

    def _pause(self) -> Pause:
        if self.state.state in {"halted", "ended"}:
            return Pause(self.state.state)
        return Pause("waiting", self._wake_at())
