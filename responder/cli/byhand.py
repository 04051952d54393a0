"""What is printed when the record cannot be written: what a person must do now, and how it goes on afterwards."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from responder.byhand import chores, whose
from responder.cli.call import Call
from responder.cli.given import Report
from responder.clock import SystemClock, random_ids
from responder.errors import RecordError, RecordMoved, ResponderError, StaleExecutor
from responder.installation import folder_of, location
from responder.means import Means
from responder.redaction import Redactor
from responder.sealing import Sealer, load_master_key
from responder.settings import load_settings
from responder.sqlite import SQLiteStore
from responder.start import assess, choose, prepare
from responder.state import RESPONSE, RunState
from responder.transport import Transport


def tell_by_hand(call: Call, state: RunState, means: Means, run: str = "") -> None:
    """Print the containment steps that are left, and the command that goes on; nothing for a notice."""
    if not hasattr(state, "playbook") or state.purpose != RESPONSE:
        return
    call.say("The record cannot be written, so nothing more is done. Contain it by hand, and note the times:")
    call.say(f"  {whose(state, means)}")
    left = list(chores(state, means))
    for number, chore in enumerate(left, 1):
        call.say(f"  {number}. {chore.title}: {chore.target}")
        if chore.how:
            call.say(f"     {chore.how}")
        if chore.under_way:
            call.say("     It was being sent when the record failed: look first whether it has happened.")
        if chore.agrees:
            call.say(f"     The playbook asks {chore.agrees} first.")
    if not left:
        call.say("  (every containment step has ended)")
    if run:
        call.say(f"When the record can be written again:\n    $ {call.program} resume {run}")
        call.say("It reads back what you did, and does nothing twice.")
    else:
        call.say("Nothing was begun: when the record can be written again, begin once more.")


@contextmanager
def else_by_hand(call: Call, playbook: str | None, report: Report, inputs: Mapping[str, str]) -> Iterator[None]:
    """Where not even the first entry of a run can be written, print what the run would have done."""
    try:
        yield
    except (StaleExecutor, RecordMoved):
        raise
    except RecordError:
        with suppress(ResponderError):  # what is not ours, or not known, is not for a person's hands either
            means = _aside(call)
            call.redactor = means.sealer.redactor
            found = report.finding(means.sealer)
            judgement = assess(found, means)
            book = call.library().load(playbook) if playbook else choose(found, judgement, means)
            start = prepare(means, "", found, judgement, book, inputs, "")
            tell_by_hand(call, start.state(), means)
        raise


def _aside(call: Call) -> Means:
    """Return the installation with a record in memory and, where its own cannot be read, a key of the moment."""
    settings = load_settings(call.config_path())
    try:
        record = location(call.store, os.environ, call.config_path(), settings)
        beside = folder_of(record, os.environ) / "sealing.key"
        key = load_master_key(beside, os.environ, create=False, named=settings.sealing_key)
    except ResponderError:
        key = os.urandom(32)
    sealer = Sealer(key, Redactor())
    library = call.library()
    return Means(
        store=SQLiteStore(Path(":memory:")),
        sealer=sealer,
        registry=call.registry(),
        transport=Transport(sealer),
        settings=settings,
        clock=SystemClock(),
        ids=random_ids(),
        environment=os.environ,
        templates=library.templates(),
        playbooks=library.playbooks,
    )
