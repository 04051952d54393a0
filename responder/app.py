"""The only wiring: settings, store, keys, providers and clocks put together, and what people can ask for."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from responder import answers, approval, correcting
from responder.anchors import PROVEN
from responder.chain import verify
from responder.clock import Clock, Ids, random_ids
from responder.correction import PREFIX, Correction
from responder.declared import DECLARED, declared
from responder.dispatch import Dispatcher
from responder.errors import Problem, RequestError, SettingsError
from responder.finding import Finding, moment
from responder.fold import fold
from responder.incident import CLOCK_FIELDS, Judgement
from responder.installation import clock_of, find_config, folder_of, location, login, open_record
from responder.library import Library
from responder.links import issuing_run, linked
from responder.means import Hook, Means, no_hook
from responder.plan import Plan, make_plan
from responder.playbook import Playbook
from responder.redaction import Redactor, log_through, looks_like_credential
from responder.registry import Registry
from responder.run import Pause
from responder.sending import Sending, Wanted
from responder.sending import prepare as sending
from responder.settings import load_settings
from responder.sqlite import InMemory
from responder.start import assess, choose, incident_draft, prepare
from responder.state import NOTICE, RunState
from responder.store import RunRow, Writing
from responder.suspicion import refuse_suspect
from responder.timeline import Draft, Entry
from responder.transport import Transport


@dataclass(frozen=True)
class Begun:
    """A run that was begun, or the one that was joined because it holds the credential already."""

    run: str
    incident: str
    joined: bool = False


class App:
    """One installation of responder, as one process sees it."""

    def __init__(self, means: Means, folder: Path, person: str, library: Library) -> None:
        self.means = means
        self.folder = folder
        self.person = person
        """Whom this login speaks for; empty: may only look."""
        self.library = library
        self.dispatcher = Dispatcher(means, folder)

    # Looking -----------------------------------------------------------------------------------------------------

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, oldest first."""
        return self.means.store.runs(incident)

    def row(self, name: str) -> RunRow:
        """Return a run by its id, by a unique beginning of it, or by its incident's id where that has one run."""
        rows = self.runs()
        exact = [row for row in rows if row.run == name]
        fitting = (
            exact
            or [row for row in rows if row.run.startswith(name)]
            or [row for row in rows if row.incident == name][:1]
        )
        if len(fitting) == 1:
            return fitting[0]
        what = f"{len(fitting)} runs begin with {name!r}" if fitting else f"There is no run {name!r}"
        raise RequestError(what, where=name, remedy="`responder status` lists them")

    def incident(self, name: str) -> str:
        """Return an incident's id, given it, a unique beginning of it, or a run of it."""
        known = self.means.store.incidents()
        fitting = [one for one in known if one == name] or [one for one in known if one.startswith(name)]
        return fitting[0] if len(fitting) == 1 else self.row(name).incident

    def timeline(self, incident: str) -> list[Entry]:
        """Return all entries of an incident."""
        return list(self.dispatcher.timeline(incident).entries())

    def state(self, run: str) -> RunState:
        """Return what a run has come to."""
        return fold(run, self.timeline(self.row(run).incident))

    def verify(self, incident: str, known_head: tuple[int, str] | None = None) -> list[Any]:
        """Return what is wrong with an incident's chain, the first bad entry first."""
        return verify(self.means.store, self.means.sealer, incident, known_head)

    # Beginning ---------------------------------------------------------------------------------------------------

    def playbook_for(self, name: str | None, finding: Finding) -> Playbook:
        """Return a playbook by name, else the only one that a finding selects."""
        return self.library.load(name) if name else choose(finding, self.assess(finding), self.means)

    def assess(self, finding: Finding) -> Judgement:
        """Decide offline whose a found credential is."""
        return assess(finding, self.means)

    def plan(self, playbook: Playbook, finding: Finding, inputs: Mapping[str, Any]) -> Plan:
        """Return what a run would do; nothing is written."""
        self.means.leaks.named(self.means.store)  # what it has read it keeps: the store of the plan is empty
        means = replace(self.means, store=InMemory(self.means.store))
        start = prepare(means, "plan", finding, self.assess(finding), playbook, inputs, self.person)
        with means.store.write() as writing:
            start.store(writing)
        try:
            return make_plan(start, incident_draft(finding, means, "plan"), means)
        finally:
            means.store.close()

    def begin(self, playbook: Playbook, finding: Finding, inputs: Mapping[str, Any], incident: str = "") -> Begun:
        """Write the first entries of a run, or join the run that responds to this credential already."""
        if not self.person:
            raise RequestError(
                "This login speaks for nobody in responder.yaml; it may only look", remedy="set `os_user:` of a person"
            )
        self.check_secrets()
        judgement = self.assess(finding)
        holder = self.means.store.holder(judgement.credential.identifiers)
        if holder is not None:
            return self._join(holder, finding)
        issuer = issuing_run(judgement.credential, self.means)
        if issuer is not None:  # it belongs to where it came from, and its deliveries must wait
            incident = issuer.incident
        new = not incident
        for row in self.runs(incident)[:1] if incident else ():
            self._decides(self.state(row.run))
        incident = incident or self.means.ids("inc")
        start = prepare(self.means, incident, finding, judgement, playbook, inputs, self.person)
        drafts = [incident_draft(finding, self.means, incident), *start.drafts] if new else list(start.drafts)
        drafts += [linked(issuer, start.run, start.credential)] if issuer is not None else []
        taken: list[str] = []

        def store(writing: Writing) -> None:
            other = writing.lock(start.credential.identifiers, start.run)
            if other is not None:
                taken.append(other)
                raise RequestError("Another run was faster", where=other)
            start.store(writing)

        try:
            self.dispatcher.timeline(incident).append(*drafts, also=store)
        except RequestError:
            if taken:
                return self._join(taken[0], finding)
            raise
        return Begun(start.run, incident)

    def _join(self, run: str, finding: Finding) -> Begun:
        """Record on the run that holds the credential that it was found once more."""
        row = self.row(run)
        facts = {"exposure": finding.exposure.model_dump(mode="json"), "reported_by": finding.reported_by}
        self._say(row, Draft("joined", facts, run, actor=self.person))
        return Begun(run, row.incident, joined=True)

    def notice(self, run: str, wanted: Wanted) -> Sending:
        """Return what a notice of a run's incident would say, to whom; nothing is written."""
        state = self.state(self.row(run).run)
        if state.purpose == NOTICE:
            about = str(state.started.get("about"))
            raise RequestError("This run sends a notice itself", where=run, remedy=f"name the response: {about}")
        self.dispatcher.timeline(state.incident["id"]).know_secrets()
        self._take_in_secrets()
        return sending(self.means, state, wanted, self._somebody())

    def begin_notice(self, notice: Sending) -> Begun:
        """Write the first entries of the run that sends a notice."""
        start = notice.start
        self.check_secrets()
        self.dispatcher.timeline(start.incident).append(*start.drafts, also=start.store)
        return Begun(start.run, start.incident)

    # Driving -----------------------------------------------------------------------------------------------------

    def drive(self, run: str, reason: str = "started") -> Pause:
        """Advance a run here until it has ended or cannot go on."""
        self.check_secrets()
        return self.dispatcher.drive(run, reason)

    def check_secrets(self) -> None:
        """Refuse to act from where our own credentials cannot be read.

        SettingsError names every one; nothing changed.
        """
        problems = self._take_in_secrets()
        if problems:
            raise SettingsError(problems=tuple(problems))

    def _take_in_secrets(self) -> list[Problem]:
        """Let the Redactor know our own credentials; return those that cannot be read here."""
        problems: list[Problem] = []
        for connection in self.means.settings.connections.values():
            for reference in (connection.secret, connection.control):
                try:
                    self.means.secret(reference)
                except SettingsError as error:
                    problems.append(Problem(error.message, f"connections.{connection.name}", error.remedy))
        return problems

    def resume(self, run: str) -> Pause:
        """Take a run up again after a crash or a stop."""
        row = self.row(run)
        self.check_secrets()
        state = self.state(row.run)
        if state.state == "halted":
            self._say(row, Draft("resumed", {}, row.run, actor=self._decides(state)))
        return self.dispatcher.drive(row.run, "resumed")

    def detach(self, run: str, arguments: list[str]) -> int:
        """Hand a run to a background process of this machine; return its process id."""
        log = self.folder / "logs"
        log.mkdir(parents=True, exist_ok=True)
        with (log / f"{run}.log").open("ab") as output:
            command = [sys.executable, "-m", "responder", *arguments, "resume", run]
            process = subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        return process.pid

    # Answering ---------------------------------------------------------------------------------------------------

    def approve(self, run: str, step: str, digest: str = "") -> None:
        """Agree, as this person, to what a step asks, to a correction, or to what concerns the whole incident."""
        self._answer(run, lambda state: answers.agreed(state, self._states(run), step, self.person, digest))

    def decline(self, run: str, step: str, reason: str) -> None:
        """Decline, as this person, what a step asks, a correction, or what concerns the whole incident."""
        self._answer(run, lambda state: [answers.declined(state, step, self.person, reason)])

    def decide(self, run: str, step: str, option: str) -> None:
        """Choose an option of a decision, or say what became of an unknown outcome."""
        self._answer(run, lambda state: [approval.decide(state, step, self.person, option)])

    def done(self, run: str, step: str, said: str) -> None:
        """Say that a task is done."""
        self._answer(run, lambda state: [approval.report_done(state, step, self.person, said)])

    def _answer(self, run: str, make: Callable[[RunState], list[Draft]]) -> None:
        row = self.row(run)
        self._say(row, *make(self.state(row.run)))

    def _somebody(self) -> str:
        """Return who speaks. RequestError where this login speaks for nobody."""
        if not self.person:
            raise RequestError(
                "This login speaks for nobody in responder.yaml; it may only look", remedy="set `os_user:` of a person"
            )
        return self.person

    def _decides(self, state: RunState) -> str:
        """Return who decides something about a run. RequestError for nobody, PlanRefused for somebody suspect."""
        refuse_suspect(state, self._somebody())
        return self.person

    def _say(self, row: RunRow, *drafts: Draft) -> None:
        """Write what a person says, once the Redactor knows what must not be in it; the runs concerned go on."""
        self._take_in_secrets()
        concerned = {draft.run for draft in drafts if draft.run}
        if not concerned:
            concerned = {one.run for one in self.runs(row.incident) if one.state != "ended"}

        def wake(writing: Writing) -> None:
            for run in sorted(concerned):
                writing.wake(run, self.means.clock.now().isoformat())

        self.dispatcher.timeline(row.incident).append(*drafts, also=wake)

    def abort(self, run: str, reason: str) -> None:
        """Let no further step start, except those that say `always()` or `failed()`."""
        row = self.row(run)
        state = self.state(row.run)
        if state.state == "ended":
            raise RequestError("The run has ended", where=row.run)
        self._say(row, Draft("aborted", {"reason": reason}, row.run, actor=self._decides(state)))

    def retry(self, run: str, step: str) -> bool:
        """Let a failed, declined or undone step start over; return whether an executor is there to do it."""
        row = self.row(run)
        state = self.state(row.run)
        if state.state == "ended" or state.status(step) not in {"failed", "declined", "undone"}:
            raise RequestError(
                f"The step {step} is {state.status(step)}; only failed, declined and undone ones are tried again",
                where=row.run,
            )
        self._say(row, Draft("retried", {}, row.run, step, self._decides(state)))
        return self.dispatcher.alive(row)

    def note(self, run: str, text: str) -> None:
        """Add a person's words to the timeline."""
        row = self.row(run)
        if looks_like_credential(text):
            raise RequestError(
                "The note seems to hold a credential", remedy="leave the value out; its fingerprint is on the timeline"
            )
        self._say(row, Draft("noted", {"text": text}, row.run, actor=self._somebody()))

    def set(self, run: str, name: str, text: str, reason: str = "") -> Correction | None:
        """Add a fact, or correct one of the incident; the old value is kept beside the new.

        A moment that would make a deadline due later does not count before its owners agree: the question is returned.
        """
        row = self.row(run)
        state = self.state(row.run)
        self._decides(state)
        if name in DECLARED:
            self._say(row, *declared(state, name, text, person=self.person, reason=reason))
            return None
        if name == PROVEN:
            raise RequestError(f"{name} is proven, and nobody can say it", remedy="a step with `credential.prove_dead`")
        if name in CLOCK_FIELDS:
            return self._correct(row, state, name, moment(text, name).isoformat(), reason)
        self._say(row, answers.fact(state, name, text, self.person, reason))
        return None

    def _correct(self, row: RunRow, state: RunState, name: str, value: str, reason: str) -> Correction | None:
        """Write a correction of a moment, and see that it counts or is asked."""
        now, old = self.clock_line(), state.incident.get(name)
        draft = correcting.correct(self._states(row.run), name, old, value, self._somebody(), now, reason)
        self._say(row, draft)
        after = self.state(row.run)
        found = after.corrections.get(f"{PREFIX}{name}")
        if after.incident.get(name) != value and (found is None or found.new != value):
            raise RequestError(f"Somebody else corrected {name} at the same moment", remedy="look, and say it again")
        return found

    def _states(self, run: str) -> list[RunState]:
        """Return every run of a run's incident."""
        incident = self.row(run).incident
        return [fold(row.run, self.timeline(incident)) for row in self.runs(incident)]

    def record_prose(self, incident: str, prose: Mapping[str, str]) -> None:
        """Keep what people wrote into a postmortem; each region's newest text counts."""
        drafts = [
            Draft("written", {"region": name, "text": text}, actor=self._somebody()) for name, text in prose.items()
        ]
        if drafts:
            self._take_in_secrets()
            self.dispatcher.timeline(incident).append(*drafts)

    def clock_line(self) -> datetime:
        """Return the present moment on this installation's clock."""
        return self.means.clock.now()

    def close(self) -> None:
        """Give everything back."""
        self.dispatcher.close()
        self.means.transport.close()
        self.means.store.close()


def open_app(
    *,
    config: Path | None = None,
    store: str | None = None,
    environment: Mapping[str, str] | None = None,
    create: bool = True,
    clock: Clock | None = None,
    ids: Ids | None = None,
    hook: Hook = no_hook,
    registry: Registry | None = None,
    debug: bool = False,
) -> App:
    """Open the installation: its configuration, its key and its store, made where `create` and missing."""
    environment = os.environ if environment is None else environment
    config = config or find_config(environment)
    settings = load_settings(config)
    record = location(store, environment, config, settings)
    redactor = Redactor()
    log_through(redactor, debug=debug)
    opened, sealer = open_record(record, redactor, environment, create=create, named=settings.sealing_key)
    library = Library(config.parent if config else None)
    means = Means(
        store=opened,
        sealer=sealer,
        registry=registry or Registry(),
        transport=Transport(sealer),
        settings=settings,
        clock=clock or clock_of(config, settings, environment),
        ids=ids or random_ids(),
        environment=environment,
        templates=library.templates(),
        playbooks=library.playbooks,
        hook=hook,
    )
    return App(means, folder_of(record, environment), settings.person_of(login()), library)
