"""Advance a run: fold its record, do whatever is ready, and return when nothing is."""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from responder.asking import ask_for_many, ask_to_act, awaits_agreement, unanswered
from responder.errors import InputError, RecordError, StaleExecutor
from responder.expressions import evaluate
from responder.fold import apply
from responder.gate import Verdict, gate, judge_criterion, keyed
from responder.means import Means
from responder.naming import names
from responder.playbook import Step, waits_for_end_only
from responder.resolve import resolve
from responder.state import RunState
from responder.store import Writing
from responder.timeline import Draft, Fence, Timeline, tampered
from responder.unit import ENDED, Unit
from responder.work import Job, Worker

_THREADS = 64
_POLL_SECONDS = 0.05
"""How soon entries of other processes are seen while something is being done (real seconds)."""


@dataclass(frozen=True)
class Pause:
    """Why `advance` returned."""

    state: str
    """`waiting`, `halted` or `ended`."""
    wake_at: datetime | None = None
    """When to advance again at the latest; None while only people or other runs can move it."""


class Runner:
    """Advances one run, as one executor with one epoch."""

    def __init__(self, means: Means, timeline: Timeline, run: str, epoch: int, *, others_dead: bool) -> None:
        self.state = RunState(run)
        self._means = means
        self._timeline = timeline
        self._fence = Fence(run, epoch)
        self._position = 0
        self._looked = 0.0
        self._worker = Worker(means, timeline, self._fence, self.state, others_dead=others_dead)
        self._finished: queue.SimpleQueue[tuple[str, BaseException | None]] = queue.SimpleQueue()
        self._busy: dict[str, str] = {}
        """Addresses that a thread is working on, and their step."""
        self._untouched: dict[str, deque[str]] = {}
        """Per `for_each`, the items that nobody has looked at yet, in order."""
        self._parked: dict[str, set[str]] = {}
        """Per `for_each`, the items that were begun and wait for something."""

    def advance(self, stopping: Callable[[], bool] = lambda: False) -> Pause:
        """Do everything that is ready, in threads; return when the run waits, is halted, or has ended.

        As soon as `stopping` says so nothing more is started, and it returns when what was started has ended.
        """
        with ThreadPoolExecutor(_THREADS, thread_name_prefix=self.state.run) as pool:
            while True:
                self._catch_up()
                stopped = stopping()
                moved = not stopped and self._start_ready(pool)
                if self._busy:
                    self._collect()
                elif stopped or not (moved or self._settle()):
                    return self._pause()

    def _catch_up(self) -> None:
        """Take new entries into account; those of other processes are looked for every now and then."""
        now = time.monotonic()
        asks_store = now - self._looked >= _POLL_SECONDS or not self._busy
        if asks_store:
            self._looked = now
        entries = self._timeline.entries() if asks_store else self._timeline.own()
        if self._timeline.broken:
            raise tampered(self._timeline.broken)
        while self._position < len(entries):
            apply(self.state, entries[self._position])
            self._position += 1
        if self.state.epoch > self._fence.epoch:
            remedy = "nothing to do here: the other one goes on"
            raise StaleExecutor("Another executor has taken the run over", where=self._fence.run, remedy=remedy)

    def _collect(self) -> None:
        """Wait until a thread has finished, or others may have written; a record that cannot be written ends all."""
        try:
            address, error = self._finished.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            return
        while True:
            step = self._busy.pop(address)
            if "[" in address:
                self._parked.setdefault(step, set()).add(address)
            if error is not None:
                raise error
            try:
                address, error = self._finished.get_nowait()
            except queue.Empty:
                return

    @property
    def position(self) -> int:
        """How many entries of the chain have been taken into account."""
        return self._position

    def behind(self) -> bool:
        """Tell whether the chain holds entries that were not taken into account yet."""
        return self._timeline.count() != self._position

    def _write(self, *drafts: Draft) -> None:
        self._timeline.append(*drafts, fence=self._fence)

    def _draft(self, event: str, step: str, facts: dict[str, Any]) -> Draft:
        return Draft(event, facts, self._fence.run, step)

    # Starting what is ready --------------------------------------------------------------------------------------

    def _start_ready(self, pool: ThreadPoolExecutor) -> bool:
        """Start every step and item that may start now; tell whether anything was started or written."""
        if self.state.state not in {"open", "aborting"}:
            return False
        moved = False
        for step in self.state.playbook.steps:
            unit = self.state.unit(step.id)
            if unit.status in ENDED or step.id in self._busy:
                continue
            try:
                moved |= self._start_step(step, unit, pool)
            except RecordError:
                raise
            except InputError as error:
                self._write(self._draft("failed", step.id, {"error": str(error), "kind": "refused"}))
                moved = True
            except Exception as error:  # noqa: BLE001 - a defect in a template or provider must not end the run
                told = f"A defect while {step.id} was prepared: {type(error).__name__}: {error}"
                self._write(self._draft("failed", step.id, {"error": told, "kind": "defect"}))
                moved = True
        return moved

    def _start_step(self, step: Step, unit: Unit, pool: ThreadPoolExecutor) -> bool:
        if unit.status == "waiting":
            judged = gate(step, self.state, self._means)
            if judged.verdict is Verdict.SKIP:
                self._told(step.id, self._draft("skipped", step.id, {"reason": judged.reason}))
                return True
            if judged.verdict is not Verdict.GO:
                return False
            if step.for_each is not None:
                self._expand(step)
                return True
        if self._past_limit(step, unit) and self._over_limit(step, unit):
            return True
        if step.id in self.state.items:
            return self._start_items(step, unit, pool)
        return self._start_unit(step, unit, None, pool)

    def _told(self, address: str, draft: Draft) -> None:
        """Write an entry that is an outcome by itself, at the points where a drill may kill."""
        self._means.hook("before-apply", address)
        self._write(draft)
        self._means.hook("after-apply", address)
        self._means.hook("after-record", address)

    def _expand(self, step: Step) -> None:
        """Evaluate what a step is for, once, and key its items."""
        items = keyed(evaluate(step.for_each, names(self.state, self._means)), step.id)
        self._write(self._draft("expanded", step.id, {"items": items}))

    def _start_items(self, step: Step, parent: Unit, pool: ThreadPoolExecutor) -> bool:
        """Start as many items as may run at once; sum up when all have ended, ask when all are planned."""
        items = self.state.items[step.id]
        if step.id not in self._untouched:
            self._sort_items(step)
        if parent.ask is not None and self._expire(parent):
            return True
        if items.ended >= len(items.values) and not any(owner == step.id for owner in self._busy.values()):
            self._sum_up(step)
            return True
        moved = False
        for address in self._candidates(step):
            unit = self.state.unit(address)
            if unit.status in ENDED:
                self._parked[step.id].discard(address)
            elif self._start_unit(step, unit, items.values[_key(address)], pool):
                moved = True
        return moved or self._ask_for_all(step, parent)

    def _sort_items(self, step: Step) -> None:
        """Sort the items into those that nobody has begun and those that were begun; anew after a restart."""
        units = [self.state.unit(f"{step.id}[{key}]") for key in self.state.items[step.id].values]
        self._untouched[step.id] = deque(unit.address for unit in units if unit.status == "waiting")
        self._parked[step.id] = {
            unit.address for unit in units if unit.status not in ENDED and unit.status != "waiting"
        }

    def _candidates(self, step: Step) -> Iterator[str]:
        """Yield the items that may be started: those that were begun first, then new ones, while there is room."""
        busy = sum(owner == step.id for owner in self._busy.values())
        for address in [address for address in self._parked[step.id] if address not in self._busy]:
            if len(self._busy) and busy >= step.max_parallel:
                return
            yield address
            busy = sum(owner == step.id for owner in self._busy.values())
        untouched = self._untouched[step.id]
        while untouched and busy < step.max_parallel:
            address = untouched.popleft()
            self._parked[step.id].add(address)
            yield address
            busy = sum(owner == step.id for owner in self._busy.values())

    def _ask_for_all(self, step: Step, parent: Unit) -> bool:
        """Ask once for all items that are planned and not approved, when no item is left to plan."""
        if (
            step.approval is None
            or parent.ask is not None
            or self._untouched[step.id]
            or self._stands_still(step, parent)
        ):
            return False
        if any(owner == step.id for owner in self._busy.values()):
            return False
        units = [self.state.unit(address) for address in self._parked[step.id]]
        open_ones = {_key(unit.address): str(unit.planned["digest"]) for unit in units if awaits_agreement(step, unit)}
        if not open_ones or len(open_ones) < sum(unit.status not in ENDED and unit.next_at is None for unit in units):
            return False
        facts = ask_for_many(step, open_ones, self._means.clock.now())
        if facts["digest"] == parent.approved:  # it was agreed to; asking for the same again could go on for ever
            return False
        self._write(self._draft("asked", step.id, facts))
        return True

    def _sum_up(self, step: Step) -> None:
        """End a `for_each` as its items ended."""
        units = {key: self.state.unit(f"{step.id}[{key}]") for key in self.state.items[step.id].values}
        bad = {key: unit for key, unit in units.items() if unit.status in {"failed", "declined"}}
        del self._untouched[step.id], self._parked[step.id]
        if bad:
            shown = ", ".join(list(bad)[:5]) + (", ..." if len(bad) > 5 else "")  # noqa: PLR2004
            first = next(iter(bad.values()))
            facts = {
                "error": f"{len(bad)} of {len(units)} items failed ({shown}): {first.error}",
                "kind": first.error_kind,
            }
            self._write(self._draft("failed", step.id, facts))
        else:
            self._write(self._draft("done", step.id, {"facts": {}, "items": len(units)}))

    def _start_unit(self, step: Step, unit: Unit, item: Any, pool: ThreadPoolExecutor) -> bool:
        """Start a step or item in a thread, unless it waits for people or for a time."""
        now = self._means.clock.now()
        if unit.ask is not None:
            return self._expire(unit)
        if self._stands_still(step, unit):
            return False
        if (unit.next_at is not None and unit.next_at > now) or awaits_agreement(step, unit):
            return False
        if not unit.planned and step.action.startswith("human."):
            self._ask_person(step, unit, item)
            return True
        record = unit.planned or resolve(step, self.state, self._means, names(self.state, self._means, item)).record
        job = Job(step, unit.address, replace(unit, looks=list(unit.looks)), record)
        self._busy[unit.address] = step.id
        self._parked.get(step.id, set()).discard(unit.address)
        pool.submit(self._work, job)
        return True

    def _stands_still(self, step: Step, unit: Unit) -> bool:
        """Tell whether it goes no further: an abort or the step's limit stops whatever has not been sent yet."""
        if unit.in_flight or unit.status == "applied":
            return False
        aborted = self.state.state == "aborting" and not waits_for_end_only(step)
        return aborted or self._past_limit(step, self.state.unit(step.id))

    def _work(self, job: Job) -> None:
        error: BaseException | None = None
        try:
            self._worker.do(job)
        except BaseException as caught:  # noqa: BLE001 - it is raised again by `_collect`
            error = caught
        self._finished.put((job.address, error))

    # Asking people -----------------------------------------------------------------------------------------------

    def _ask_person(self, step: Step, unit: Unit, item: Any) -> None:
        action = resolve(step, self.state, self._means, names(self.state, self._means, item)).action
        self._told(unit.address, self._draft("asked", unit.address, ask_to_act(action, self._means.clock.now())))

    def _expire(self, unit: Unit) -> bool:
        """Carry out what the playbook says of a question that nobody answered in time."""
        told = unanswered(unit.ask, self._means.clock.now(), self._fence.run) if unit.ask is not None else []
        self._write(*told)
        return bool(told)

    def _past_limit(self, step: Step, unit: Unit) -> bool:
        return (
            step.limit is not None
            and unit.began_at is not None
            and self._means.clock.now() >= unit.began_at + step.limit
        )

    def _over_limit(self, step: Step, unit: Unit) -> bool:
        """End a step that has taken longer than its limit, once nothing of it is in a thread or in flight."""
        units = [unit, *(self.state.unit(address) for address in self._parked.get(step.id, ()))]
        if any(owner == step.id for owner in self._busy.values()) or any(one.in_flight for one in units):
            return False
        self._write(
            self._draft(
                "failed",
                step.id,
                {
                    "error": f"it took longer than its limit of {step.limit}: {unit.error or unit.status}",
                    "kind": "verification" if unit.looks else "unavailable",
                },
            )
        )
        return True

    # Ending ------------------------------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """With nothing to do and nobody to wait for, halt or end the run; tell whether anything was written."""
        state = self.state
        if state.state not in {"open", "aborting"}:
            return False
        if any(self._past_limit(step, unit) and self._over_limit(step, unit) for step, unit in self._under_way()):
            return True  # it passed its limit after it was looked at
        if self._wake_at() is not None or state.asks():
            return False
        aborting = state.state == "aborting"
        if any(child.state != "ended" for child in state.children.values()) and not aborting:
            return False
        failed = [
            step.id for step in state.playbook.steps if state.status(step.id) == "failed" and step.on_error == "block"
        ]
        if failed and not aborting:
            self._write(self._draft("halted", "", {"failed": failed, "kind": state.unit(failed[0]).error_kind}))
            return True
        left = [step for step in state.playbook.steps if state.status(step.id) not in ENDED]
        if self._under_way() and not aborting:
            return False
        if left:
            reason = "the run was aborted" if aborting else "what it needs did not end well"
            self._write(*(self._draft("skipped", step.id, {"reason": reason}) for step in left))
            return True
        self._end()
        return True

    def _under_way(self) -> list[tuple[Step, Unit]]:
        """Return the steps that were begun and have not ended: they are never skipped for having nothing to do."""
        pairs = [(step, self.state.unit(step.id)) for step in self.state.playbook.steps]
        return [(step, unit) for step, unit in pairs if unit.status not in ENDED and unit.status != "waiting"]

    def _end(self) -> None:
        """Judge the exit criteria, and give the credential's lock back."""
        criteria = [judge_criterion(text, self.state, self._means) for text in self.state.playbook.exit]
        contained = bool(criteria) and all(held for _, held, _ in criteria)
        facts = {
            "contained": contained,
            "exit": [{"criterion": text, "held": held, "why": why} for text, held, why in criteria],
        }
        self._timeline.append(self._draft("ended", "", facts), fence=self._fence, also=self._give_back)

    def _give_back(self, writing: Writing) -> None:
        writing.unlock(self._fence.run)
        row = writing.run(self._fence.run)
        if row is not None:
            writing.put_run(replace(row, state="ended", wake_at="", executor=""))
        parent = self.state.started.get("parent") or {"run": ""}
        writing.wake(str(parent["run"]), self._means.clock.now().isoformat())  # it may have waited for this one

    def _wake_at(self) -> datetime | None:
        """Return the next moment at which something is due by itself."""
        moments: list[datetime] = []
        for step in self.state.playbook.steps:
            unit = self.state.unit(step.id)
            if unit.status in ENDED or unit.status == "waiting":
                continue
            units = [self.state.unit(address) for address in (unit.address, *(self._parked.get(step.id) or ()))]
            moments += [one.next_at for one in units if one.next_at is not None and not self._stands_still(step, one)]
            if step.limit is not None and unit.began_at is not None and not self._past_limit(step, unit):
                moments.append(unit.began_at + step.limit)
        moments += [ask.due_at for ask in self.state.asks() if ask.due_at is not None]
        return min(moments, default=None)

    def _pause(self) -> Pause:
        if self.state.state in {"halted", "ended"}:
            return Pause(self.state.state)
        return Pause("waiting", self._wake_at())


def _key(address: str) -> str:
    return address.partition("[")[2][:-1]
