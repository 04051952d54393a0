"""The only wiring: settings, store, keys, providers and clocks put together, and what people can ask for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from responder.attendance import queue_beside
from responder.clock import Clock, Ids, random_ids
from responder.entry import Draft
from responder.errors import Overtaken, RequestError
from responder.finding import Finding
from responder.incident import Judgement
from responder.installation import clock_of, find_config, folder_of, location, login, open_record
from responder.leaks import Leaks
from responder.library import Library
from responder.links import issuing_run, linked
from responder.means import Hook, Means, no_hook
from responder.plan import Plan, make_plan
from responder.playbook import Playbook
from responder.redaction import Redactor, log_through
from responder.registry import Registry
from responder.run import Pause
from responder.settings import Settings, load_settings
from responder.sqlite import InMemory
from responder.start import assess, choose, incident_draft, prepare
from responder.state import NOTICE
from responder.store import AT_ONCE, Also, Writing
from responder.suppression import check_not_suppressed
from responder.transport import Transport
from responder.voice import MOST_TRIES, Voice

if TYPE_CHECKING:
    from responder.sending import Sending, Wanted


class Begun(NamedTuple):
    """A run that was begun, or the one that was joined because it holds the credential already."""

    run: str
    incident: str
    joined: bool = False


class App(Voice):
    """One installation of responder, as one process sees it."""

    # Beginning ---------------------------------------------------------------------------------------------------

    def playbook_for(self, finding: Finding) -> Playbook:
        """Return the only playbook that a finding selects."""
        judgement = self.assess(finding)
        check_not_suppressed(finding, judgement.credential, self.means.store, self.means.clock.now())
        return choose(finding, judgement, self.means)

    def assess(self, finding: Finding) -> Judgement:
        """Decide offline whose a found credential is."""
        return assess(finding, self.means)

    def plan(self, playbook: Playbook, finding: Finding, inputs: Mapping[str, Any]) -> Plan:
        """Return what a run would do; nothing is written."""
        means = replace(self.means, store=InMemory(self.means.store), leaks=Leaks(self.means.store))
        start = prepare(means, "plan", finding, self.assess(finding), playbook, inputs, self.person)
        with means.store.write() as writing:
            start.store(writing)
        try:
            return make_plan(start, incident_draft(finding, means, "plan", self.assess(finding)), means)
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
            self.decides(self.state(row.run))
        incident = incident or self.means.ids("inc")
        start = prepare(self.means, incident, finding, judgement, playbook, inputs, self.person)
        drafts = [incident_draft(finding, self.means, incident, judgement)] if new else []
        drafts += start.drafts
        drafts += [linked(issuer, start.run, start.credential)] if issuer is not None else []
        taken: list[str] = []

        def store(writing: Writing) -> None:
            other = writing.lock(start.credential.identifiers, start.run)
            if other is not None:
                taken.append(other)
                raise RequestError("Another run was faster", where=other)
            start.store(writing)

        try:
            if new:
                self.dispatcher.timeline(incident).append(*drafts, also=store)
            else:
                self._add_to(incident, drafts, store)
        except RequestError:
            if taken:
                return self._join(taken[0], finding)
            raise
        return Begun(start.run, incident)

    def _add_to(self, incident: str, drafts: Sequence[Draft], also: Also) -> None:
        """Write the first entries of a run of an incident; where that is closed by then, it is open again."""
        timeline = self.dispatcher.timeline(incident)
        for left in reversed(range(MOST_TRIES)):
            seen = len(timeline.entries())
            again = [Draft("reopened", {"reason": "another finding"}, actor=self.person)]
            reopening = again if self.is_closed(incident) else []
            try:  # at last a response begins all the same, whoever else writes
                timeline.append(*reopening, *drafts, also=also, after=seen if left else None)
            except Overtaken:
                continue
            return

    def _join(self, run: str, finding: Finding) -> Begun:
        """Record on the run that holds the credential that it was found once more. RequestError where it has ended."""
        row = self.row(run)
        facts = {"exposure": finding.exposure.model_dump(mode="json"), "reported_by": finding.reported_by}

        def join(writing: Writing) -> None:
            now = writing.run(run)
            if now is None or now.state == "ended":
                raise RequestError(
                    "The run that held this credential has just ended",
                    where=run,
                    remedy="begin once more: nothing holds the credential now",
                )
            writing.wake(run, AT_ONCE)

        self.take_in_secrets()
        self.dispatcher.timeline(row.incident).append(Draft("joined", facts, run, actor=self.person), also=join)
        return Begun(run, row.incident, joined=True)

    def notice(self, run: str, wanted: "Wanted") -> "Sending":
        """Return what a notice of a run's incident would say, to whom; nothing is written."""
        from responder.sending import prepare as sending  # noqa: PLC0415 - only notices need it, and a text

        state = self.state(self.row(run).run)
        if state.purpose == NOTICE:
            about = str(state.started.get("about"))
            raise RequestError("This run sends a notice itself", where=run, remedy=f"name the response: {about}")
        person = self.decides(state)
        self._check_open(state.incident["id"], [Draft("started")])
        self.dispatcher.timeline(state.incident["id"]).know_secrets()
        self.take_in_secrets()
        return sending(self.means, state, wanted, person)

    def begin_notice(self, notice: "Sending") -> Begun:
        """Write the first entries of the run that sends a notice."""
        start = notice.start
        self._check_open(start.incident, start.drafts)
        self.check_secrets()
        self.dispatcher.timeline(start.incident).append(*start.drafts, also=start.store)
        return Begun(start.run, start.incident)

    # Driving -----------------------------------------------------------------------------------------------------

    def drive(self, run: str, reason: str = "started") -> Pause:
        """Advance a run here until it has ended or cannot go on."""
        self.check_secrets()
        return self.dispatcher.drive(run, reason)

    def resume(self, run: str) -> Pause:
        """Take a run up again after a crash or a stop."""
        row = self.row(run)
        self.check_secrets()
        state = self.state(row.run)
        if state.state == "halted":
            self.say(row, Draft("resumed", {}, row.run, actor=self.decides(state)))
        return self.dispatcher.drive(row.run, "resumed")

    def hand_over(self, run: str) -> bool:
        """Let a worker go on with a run, where one is alive; tell whether one is."""
        row = self.row(run)
        state = self.state(row.run)
        if self.attendance.workers() and state.state == "halted":
            self.say(row, Draft("resumed", {}, row.run, actor=self.decides(state)))
        return self.attendance.hand_over(row.run)

    def close(self) -> None:
        """Give everything back."""
        self.dispatcher.close()
        self.means.threads.close()
        self.means.transport.close()
        self.means.store.close()
        self.attendance.close()


def open_app(
    *,
    config: Path | None = None,
    settings: Settings | None = None,
    library: Library | None = None,
    store: str | None = None,
    environment: Mapping[str, str] | None = None,
    create: bool = True,
    clock: Clock | None = None,
    ids: Ids | None = None,
    hook: Hook = no_hook,
    registry: Registry | None = None,
    debug: bool = False,
    in_memory: bool = False,
) -> App:
    """Open the installation: its configuration, its key and its store, made where `create` and missing.

    `settings` and `library`: what the configuration says and what lies beside it, where that was read already.
    `in_memory`: an empty record stands in for it, and nothing is made.
    """
    environment = os.environ if environment is None else environment
    config = config or find_config(environment)
    settings = settings or load_settings(config)
    record = location(store, environment, config, settings)
    redactor = Redactor()
    log_through(redactor, debug=debug)
    opened, sealer = open_record(
        record, redactor, environment, create=create, named=settings.sealing_key, in_memory=in_memory
    )
    library = library or Library(config.parent if config else None)
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
    jobs = None if in_memory else queue_beside(record, opened, means.clock)
    return App(means, folder_of(record, environment), settings.person_of(login()), library, jobs)
