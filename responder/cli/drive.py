"""Driving a run: a thread advances it while the terminal shows it; and what is said when it is over."""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from responder.app import App
from responder.cli.answer import opened_by
from responder.cli.byhand import tell_by_hand
from responder.cli.call import Call, Unwritten
from responder.cli.exits import Exit, exit_for_kind
from responder.cli.follow import Follower, display, follow
from responder.errors import RecordError, RecordMoved, StaleExecutor
from responder.progress import span
from responder.run import Pause
from responder.state import NOTICE
from responder.view import RunView
from responder.words import headline

if TYPE_CHECKING:
    from responder.fleet.jobs import WorkerRow

_PATIENCE_SECONDS = 15.0
"""How long an interrupted run may take to finish what it is sending."""


class _Worker(threading.Thread):
    """Drives the run; keeps what came of it for the thread that shows it."""

    def __init__(self, work: Callable[[], Pause]) -> None:
        super().__init__(name="drive", daemon=True)
        self._work = work
        self.over = threading.Event()
        """To be waited for: unlike the thread itself, also where an interruption came while it was started."""
        self.error: BaseException | None = None

    def run(self) -> None:
        """Drive until the run ends, halts or is stopped."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is told, or raised again, below
            self.error = error
        finally:
            self.over.set()


def drive(call: Call, app: App, run: str, work: Callable[[], Pause]) -> Exit:
    """Drive a run in a thread and show it; return how it ended.

    An interruption leaves it resumable, and so does output that cannot be written: nobody would see what is asked.
    """
    follower = Follower(app, run, call.program)
    shown = display(call, run)
    worker = _Worker(work)
    try:
        worker.start()
        follow(follower, shown, worker.over.is_set, worker.over.wait)
    except (KeyboardInterrupt, Unwritten):
        shown.close()
        return _interrupted(call, app, worker, run)
    except RecordError as error:  # it cannot even be read; what is being sent may finish
        app.dispatcher.stop()
        worker.over.wait(_PATIENCE_SECONDS)
        worker.error = worker.error or error
    finally:
        shown.close()
    if isinstance(worker.error, RecordError) and not isinstance(worker.error, StaleExecutor | RecordMoved):
        tell_by_hand(call, follower.state, app.means, run)
    if worker.error is not None:
        raise worker.error
    return conclude(call, follower)


def _interrupted(call: Call, app: App, worker: _Worker, run: str) -> Exit:
    """Let what is being sent finish, and say how to go on; a second interruption leaves at once."""
    app.dispatcher.stop()
    with suppress(KeyboardInterrupt, Unwritten):
        call.say("\nInterrupted: finishing what is being sent. Once more leaves at once; the run is safe either way.")
        worker.over.wait(_PATIENCE_SECONDS)
    with suppress(Unwritten):
        call.say(f"Go on with:\n    $ {call.program} resume {run}")
    if not worker.over.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)  # its threads would be waited for; the record says what they intended
    return Exit.INTERRUPTED


def hosts(workers: "Sequence[WorkerRow]") -> str:
    """Return on which hosts workers are."""
    return ", ".join(sorted({one.worker.partition(":")[0] for one in workers}))


def accompany(call: Call, app: App, run: str) -> Exit:
    """Show a run that workers advance, until it has ended or goes no further without a person's `retry`."""
    return _watch(call, app, run, lambda follower: follower.still)


def watch(call: Call, app: App, run: str) -> Exit:
    """Show a run, whoever drives it, until it has ended."""
    return _watch(call, app, run, lambda follower: follower.over)


def _watch(call: Call, app: App, run: str, over: Callable[[Follower], bool]) -> Exit:
    follower = Follower(app, run, call.program)
    shown = display(call, follower.run, onlooking=True)
    try:
        follow(follower, shown, lambda: over(follower))
    except KeyboardInterrupt:
        shown.close()
        if app.attendance.attended(app.row(follower.run)):
            call.say("\nNo longer watching; the run goes on without this terminal.")
        else:
            again = opened_by(app, follower.run) or follower.run
            call.say(f"\nNo longer watching; nobody works on the run. Go on with:\n    $ {call.program} resume {again}")
        return Exit.INTERRUPTED
    except Unwritten:
        return Exit.INTERRUPTED
    finally:
        shown.close()
    return conclude(call, follower)


def outcome(seen: RunView) -> Exit:
    """Return the exit code of a run as it stands."""
    if seen.state == "ended":
        reached = seen.contained or seen.purpose == NOTICE
        return Exit.OK if reached and not seen.incomplete else Exit.NOT_CONTAINED
    if seen.state == "halted" or (seen.failed and not seen.awaiting):
        return exit_for_kind(seen.kind)
    if any(child.state == "halted" for child in seen.children) and not seen.awaiting:
        return Exit.NOT_CONTAINED
    return Exit.WAITING


def conclude(call: Call, follower: Follower) -> Exit:
    """Print what happened, where, and what to do next; return the exit code."""
    follower.news()
    seen = follower.view()
    with suppress(Unwritten):  # how it ended is said by the exit code, too
        if call.json:
            call.document(seen.document())
        else:
            for line in conclusion(seen, call.program):
                call.out(line)
    return outcome(seen)


def conclusion(seen: RunView, program: str) -> list[str]:
    """Return the last words on a run: how it ended, what did not go well, and what to type next."""
    lines = [f"{seen.title}: {headline(seen)}"]
    if seen.contained_at and seen.aware_at and seen.purpose != NOTICE:
        lines.append(f"  proven dead {span(seen.contained_at - seen.aware_at)} after we knew")
    lines += [
        f"  does not hold: {one.criterion}{f' ({one.why})' if one.why else ''}" for one in seen.exit if not one.held
    ]
    lines += [f"  {step.id}: {step.status}, {step.note}" for step in seen.steps if step.id in seen.failed]
    lines += [f"  {clock.name}: {clock.state}" for clock in seen.clocks if clock.state in {"overdue", "late"}]
    lines += [f"  {child.credential}: {child.state}, run {child.run}" for child in seen.children if not child.contained]
    lines += [f"  {seen.incident}  {seen.run}", *_next(seen, program)]
    return lines


def _next(seen: RunView, program: str) -> list[str]:
    if seen.state == "ended" and seen.purpose == NOTICE:
        return []
    if seen.state == "ended":
        return [f"next: {program} postmortem {seen.incident} -o postmortem.md"]
    stuck = [step for step in seen.failed if not seen.awaiting]
    if stuck:
        return [
            f"next: {program} retry {seen.run} {stuck[0]}",
            f"  or: {program} abort {seen.run} --reason TEXT",
        ]
    if seen.awaiting:
        return [f"next: {seen.awaiting[0].commands[0]}"] if seen.awaiting[0].commands else []
    return [f"next: {program} resume {seen.run}"]
