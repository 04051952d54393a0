"""One step, or one item of a step: plan again, intend, apply, record, verify; and read back after a crash."""

import hashlib
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from responder.action import (
    Access,
    Change,
    Changing,
    Identity,
    Observing,
    Outcome,
    Reading,
    Unchanged,
    Verdict,
    changes,
    observes,
    reads,
)
from responder.asking import ask_for_one, question
from responder.clock import monotonic
from responder.detour import around
from responder.entry import Draft, Fence
from responder.errors import (
    InputError,
    OutcomeUnknown,
    PermitExpired,
    ProviderError,
    RecordError,
    ResponderError,
    Unavailable,
    VerificationFailed,
)
from responder.guards import Moment, case_of, check_step
from responder.keeping import Place, both, kept, shredding
from responder.means import Means
from responder.modes import switching
from responder.notice import SendNotice
from responder.offspring import children_of
from responder.orphan import asks_nobody, in_words, left_behind
from responder.playbook import Step
from responder.proposal import change_of, proposed, signed
from responder.resolve import Resolved, rebuild
from responder.store import Also
from responder.suppression import suppressing
from responder.timeline import Timeline
from responder.tracking import Tracking
from responder.transport import PERMIT_SECONDS, Permit
from responder.unit import Unit

_MOST_PERMITS = 5
"""How often a change is intended again because its permit ran out before the request left."""


class Job(NamedTuple):
    """What a worker gets: a step or item, and what the record says of it."""

    step: Step
    address: str
    unit: Unit
    record: Mapping[str, Any]
    """The action as the timeline writes it; see resolve.Resolved."""
    resolved: Resolved | None = None
    """The action itself, where it was made just now."""


class Worker:
    """Does jobs of one run for one executor. Its methods run in threads; the state is only read."""

    def __init__(self, means: Means, timeline: Timeline, fence: Fence, known: Tracking, *, others_dead: bool) -> None:
        self._means = means
        self._timeline = timeline
        self._fence = fence
        self._known = known
        self._state = known.state
        self._others_dead = others_dead
        self._targets: dict[str, str] = {}  # of what was sent here; what a job was given may be older

    def do(self, job: Job) -> None:
        """Bring a job as far as it goes now. Only RecordError escapes: whatever else happens is recorded."""
        try:
            job = self._detoured(job)
            self._dispatch(job)
        except RecordError:
            raise
        except OutcomeUnknown as error:
            self._unknown(job, error)
        except Unavailable as error:
            self._later(job, error)
        except VerificationFailed as error:
            self._fail(job, error, "verification")
        except (InputError, ProviderError) as error:
            self._fail(job, error, "refused" if isinstance(error, InputError) else "denied")
        except Exception as error:  # noqa: BLE001 - a defect in a provider must not end the run
            self._fail(
                job, ResponderError(f"A defect in {job.record['action']}: {type(error).__name__}: {error}"), "defect"
            )

    def _detoured(self, job: Job) -> Job:
        """Return a notice as it may go; what was sent, or may have been, is followed up where it was sent."""
        if job.step.action != SendNotice.name or job.unit.status == "applied" or job.unit.in_flight:
            return job
        resolved = job.resolved or rebuild(job.record, job.step, self._state, self._means)
        resolved = around(resolved, job.step, self._state, self._means)
        return job._replace(record=resolved.record, resolved=resolved)

    def _dispatch(self, job: Job) -> None:
        resolved = job.resolved or rebuild(job.record, job.step, self._state, self._means)
        action = resolved.action
        if resolved.provider is None or not changes(action):
            check_step(case_of(job.step, resolved, self._state, self._means, Moment.READING))
        if resolved.provider is None:
            self._draft(job, resolved)
        elif observes(action):
            self._observe(job, resolved, action)
        elif reads(action):
            self._read(job, resolved, action)
        elif changes(action):
            self._change(job, resolved, action)
        else:
            raise ProviderError(f"{resolved.name} can neither read, observe nor change anything", where=job.address)

    def append(self, job: Job, event: str, facts: Mapping[str, Any], *more: Draft, also: Also | None = None) -> None:
        """Write an entry of this job under the executor's fence."""
        self._timeline.append(Draft(event, facts, self._fence.run, job.address), *more, fence=self._fence, also=also)

    def _leave(self, job: Job, event: str, facts: Mapping[str, Any], *more: Draft, also: Also | None = None) -> None:
        """Write what came of a job that changed nothing; soon, unless something more is kept with it."""
        if more or also is not None:
            self.append(job, event, facts, *more, also=also)
        else:
            self._known.leave(Draft(event, facts, self._fence.run, job.address))

    def _began(self, job: Job, facts: Mapping[str, Any]) -> None:
        """Note that something is read or looked at: no intent, so nothing waits until it is on disk."""
        self._leave(job, "began", facts)

    def _place(self, job: Job, resolved: Resolved) -> Place:
        """Return with what and under which names the outcome of a job is kept."""
        return Place(
            self._means.sealer, self._timeline.incident, self._fence.run, job.address, resolved.connection.name
        )

    def _access(self, job: Job, resolved: Resolved, permit: Permit | None = None) -> Access:
        seconds = job.step.timeout.total_seconds() if job.step.timeout else None
        left = max(0, job.step.retry.attempts - job.unit.tries - 1)
        return self._means.access(resolved.connection, self._fence.run, job.address, permit, seconds, tries_left=left)

    # Reading -----------------------------------------------------------------------------------------------------

    def _draft(self, job: Job, resolved: Resolved) -> None:
        """Keep a document that a person will send."""
        self._began(job, resolved.record)
        self._means.hook("before-apply", job.address)
        digest = hashlib.sha256(str(resolved.record["text"]).encode()).hexdigest()
        self._means.hook("after-apply", job.address)
        self._leave(job, "done", {"facts": {"subject": resolved.record["subject"], "sha256": digest}})
        self._means.hook("after-record", job.address)

    def _read(self, job: Job, resolved: Resolved, action: Reading) -> None:
        self._began(job, resolved.record)
        self._means.hook("before-apply", job.address)
        access = self._access(job, resolved)
        outcome = action.read(self._means.client(access))
        self._means.hook("after-apply", job.address)
        facts, also = kept(self._place(job, resolved), outcome)
        opened = children_of(outcome.findings, self._state, self._means, self._timeline.incident, job.address)
        self._leave(
            job,
            "done",
            {"facts": facts, "io_seconds": access.wire.seconds},
            *opened.drafts,
            also=both(also, opened.store if opened.starts else None),
        )
        self._means.hook("after-record", job.address)

    def _observe(self, job: Job, resolved: Resolved, action: Observing) -> None:
        """Look once; the entry says when to look again."""
        if not job.unit.looks and job.unit.began_at is None:
            self._began(job, resolved.record)
        self._means.hook("before-apply", job.address)
        access = self._access(job, resolved)
        look = action.observe(self._means.client(access), job.unit.looks)
        self._means.hook("after-apply", job.address)
        facts = {"verdict": look.verdict, "facts": dict(look.facts), "io_seconds": access.wire.seconds}
        if not look.last:
            next_at = self._means.clock.now() + timedelta(seconds=look.wait)
            self.append(job, "observed", {**facts, "next_at": next_at.isoformat()})
        elif look.ok:
            self.append(job, "done", facts)
        else:
            raise VerificationFailed(f"{job.step.id} ended with: {look.verdict}", where=job.address)
        self._means.hook("after-record", job.address)

    # Changing ----------------------------------------------------------------------------------------------------

    def _change(self, job: Job, resolved: Resolved, action: Changing) -> None:
        if job.unit.status == "applied":
            self._verify(job, resolved, action, change_of(job.unit.planned))
            return
        recovering = job.unit.in_flight
        if recovering and self._recovered_by_person(job):
            return
        if recovering and not job.unit.answer:
            self._wait_until_nothing_is_on_its_way(job, idempotent=resolved.action.idempotent)
            if not asks_nobody(resolved.action):
                self._ask_what_happened(job, "it was being sent when its executor ended, and cannot be read back")
                return
        planned = self._plan(job, resolved, action)
        if isinstance(planned, Unchanged):
            self._already(job, resolved, planned, recovering=recovering)
            return
        change, facts = planned
        if recovering and self._state.stops(job.step):  # an abort keeps it from being sent once more
            self.append(job, "not_sent", {"reason": "it did not take effect, and the run is being aborted"})
            return
        if self._needs_agreement(job, facts["digest"]):
            drafts = [Draft("planned", facts, self._fence.run, job.address)]
            if recovering:  # else it would be read back again and again, instead of waiting for people
                reason = "it did not take effect, and is asked about again"
                drafts.insert(0, Draft("not_sent", {"reason": reason}, self._fence.run, job.address))
            if "[" not in job.address:
                asked = ask_for_one(job.step, facts["digest"], self._means.clock.now())
                drafts.append(Draft("asked", asked, self._fence.run, job.address))
            self._timeline.append(*drafts, fence=self._fence)
            return
        self._apply(job, resolved, action, change, facts)

    def _plan(self, job: Job, resolved: Resolved, action: Changing) -> Unchanged | tuple[Change, dict[str, Any]]:
        """Read the live system, and let the guards judge what would change."""
        access = self._access(job, resolved)
        client = self._means.client(access)
        planned = action.plan(client)
        if isinstance(planned, Unchanged):
            return planned
        planned = signed(planned, resolved, job.unit)
        identity = self._identity(resolved, access)
        known = {"identity": identity, "ours": access.secret, "client": client}
        check_step(case_of(job.step, resolved, self._state, self._means, Moment.CHANGE, **known))
        return planned, proposed(planned, resolved, job.step, identity, access.wire.seconds)

    def _identity(self, resolved: Resolved, access: Access) -> Identity:
        return self._means.identity(resolved.provider, access) if resolved.provider else Identity("")

    def _needs_agreement(self, job: Job, digest: str) -> bool:
        return job.step.approval is not None and job.unit.approved != digest

    def _apply(self, job: Job, resolved: Resolved, action: Changing, change: Change, facts: Mapping[str, Any]) -> None:
        """Write the intent, send, and write what came of it."""
        self._targets[job.address] = change.target
        orphan = left_behind(resolved.action, job.unit, self._means)
        for _ in range(_MOST_PERMITS):
            permit = Permit.starting_now()
            intended = {"digest": facts["digest"], "target": change.target, **orphan}
            intent = Draft("intended", intended, self._fence.run, job.address)
            same_plan = job.unit.planned.get("digest") == facts["digest"]
            drafts = [intent] if same_plan else [Draft("planned", facts, self._fence.run, job.address), intent]
            self._timeline.append(*drafts, fence=self._fence)
            self._means.hook("before-apply", job.address)
            access = self._access(job, resolved, permit)
            try:
                outcome = action.apply(self._means.client(access), change)
            except PermitExpired as error:
                self.append(job, "not_sent", {"reason": error.message})
                continue
            except (InputError, ProviderError) as error:
                if access.wire.changed:  # a later part failed, after an earlier one had been accepted
                    raise OutcomeUnknown(
                        f"A part of the change was made, then: {error}", where=job.address, remedy="read back"
                    ) from error
                self.append(job, "not_sent", {"reason": str(error)})
                raise
            except (RecordError, OutcomeUnknown):
                raise
            except Exception as error:
                raise OutcomeUnknown(
                    f"A defect in {resolved.name} while it changed something: {type(error).__name__}"
                ) from error
            self._means.hook("after-apply", job.address)
            try:
                known, also = kept(self._place(job, resolved), outcome)
            except Exception as error:
                raise OutcomeUnknown(f"A defect in what {resolved.name} gave back: {type(error).__name__}") from error
            more = [*switching(self._state, action, known), *suppressing(self._state, action, known)]
            self.append(
                job, "applied", {"facts": {**known, **orphan}, "io_seconds": access.wire.seconds}, *more, also=also
            )
            self._means.hook("after-record", job.address)
            self._verify(job, resolved, action, change)
            return
        raise Unavailable(
            "The machine is too slow to send within the permit", where=job.address, remedy="nothing was sent"
        )

    def _verify(self, job: Job, resolved: Resolved, action: Changing, change: Change) -> None:
        """Read back; a write's own status code proves nothing."""
        access = self._access(job, resolved)
        verdict = action.verify(self._means.client(access), change)
        if verdict is not Verdict.HOLDS:
            raise _NotYet(f"{change.target}: {change.after!r} {verdict.value} by reading back", where=job.address)
        facts = {"target": change.target, "after": change.after, "io_seconds": access.wire.seconds}
        self._leave(job, "verified", facts, also=shredding(resolved))

    def _already(self, job: Job, resolved: Resolved, planned: Unchanged, *, recovering: bool) -> None:
        """Record that it is so already: by an earlier try of ours, or by somebody else."""
        known, also = kept(self._place(job, resolved), Outcome(planned.facts, planned.issued))
        self._means.hook("after-apply", job.address)
        facts = {**({} if recovering else resolved.record), "reason": planned.reason, "facts": known}
        more = both(also, shredding(resolved))
        if recovering:
            self.append(job, "reconciled", facts, also=more)
        else:
            self._leave(job, "unchanged", facts, also=more)
        self._means.hook("after-record", job.address)

    # Recovering --------------------------------------------------------------------------------------------------

    def _recovered_by_person(self, job: Job) -> bool:
        """Take a person's word for what cannot be read back."""
        if job.unit.answer != "happened":
            return False
        self.append(job, "reconciled", {"reason": "a person says that it happened", "facts": {}})
        return True

    def _ask_what_happened(self, job: Job, reason: str) -> None:
        role = job.step.approval.role if job.step.approval else next(iter(self._state.playbook.roles), "")
        target = self._targets.get(job.address) or job.unit.planned.get("target", job.address)
        text = f"Did this happen: {target}? {reason}"
        then = "leave it" if self._state.stops(job.step) else "do it now"
        options = {"happened": "it took effect: go on", "not-happened": f"it did not: {then}"}
        asked = question("unknown", role, due_at=None, text=text, options=options)
        self.append(job, "unknown", {"reason": reason}, Draft("asked", asked, self._fence.run, job.address))

    def _wait_until_nothing_is_on_its_way(self, job: Job, *, idempotent: bool) -> None:
        """Wait out the permit and the request of an executor that may still live: nobody can look before.

        A dead one sends nothing more; what it sent last may still be on its way, which matters to a create alone.
        """
        if job.unit.intended_by == self._fence.epoch or job.unit.intended_at is None:
            return
        patience = PERMIT_SECONDS + self._means.transport.request_seconds
        if self._others_dead:
            patience = 0.0 if idempotent else PERMIT_SECONDS
        passed = self._means.clock.real_seconds((self._means.clock.now() - job.unit.intended_at).total_seconds())
        deadline = monotonic() + max(0.0, patience - passed)
        while monotonic() < deadline:
            time.sleep(0.05)

    def _unknown(self, job: Job, error: OutcomeUnknown) -> None:
        """Follow up a write that was sent, and whose answer was lost: read back soon where possible, else ask."""
        resolved = rebuild(job.record, job.step, self._state, self._means)
        if not asks_nobody(resolved.action) or job.unit.tries + 1 >= job.step.retry.attempts:
            self._ask_what_happened(job, error.message)
            return
        pause = min(0.2 * job.step.retry.factor**job.unit.tries, job.step.retry.most.total_seconds())
        next_at = self._means.clock.now() + timedelta(seconds=self._means.clock_seconds(pause))
        reason = error.message + in_words(resolved.action, self._means)
        self.append(job, "unknown", {"reason": reason, "next_at": next_at.isoformat(), "remedy": error.remedy})

    # Failing -----------------------------------------------------------------------------------------------------

    def _later(self, job: Job, error: Unavailable) -> None:
        """Try again after a while, as often as the step says; what was applied is only read back again."""
        retry = job.step.retry
        if job.unit.tries + 1 >= retry.attempts:
            if job.unit.in_flight:
                self._ask_what_happened(job, f"it cannot be read back: {error.message}")
            elif isinstance(error, _NotYet):
                self._fail(
                    job,
                    VerificationFailed(
                        error.message, where=error.where, remedy=f"`responder retry {self._fence.run} {job.address}`"
                    ),
                    "verification",
                )
            else:
                self._fail(job, error, "unavailable")
            return
        pause = min(retry.first.total_seconds() * retry.factor**job.unit.tries, retry.most.total_seconds())
        if not isinstance(error, _NotYet):  # systems that settle do so in the clock's time, networks in real time
            pause = self._means.clock_seconds(max(pause, error.retry_after or 0.0))
        next_at = self._means.clock.now() + timedelta(seconds=pause)
        self.append(
            job, "retrying", {"error": str(error), "next_at": next_at.isoformat(), "attempt": job.unit.tries + 1}
        )

    def _fail(self, job: Job, error: ResponderError, kind: str) -> None:
        guards = sorted({problem.guard for problem in error.problems} - {""})
        self.append(job, "failed", {"error": str(error), "kind": kind, **({"guards": guards} if guards else {})})


class _NotYet(Unavailable):
    """A change was applied, and reading back does not show it yet."""
