"""What people can look at, and what they can say of a run, from any process: answers, notes, facts, corrections."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from responder import approval
from responder.anchors import PROVEN
from responder.attendance import Attendance
from responder.chain import verify
from responder.correction import PREFIX, Correction
from responder.deadlines import clock_view
from responder.dispatch import Dispatcher
from responder.ending import starting_over, starts_in_vain, waits_again
from responder.entry import Draft, Entry
from responder.errors import Overtaken, PlanRefused, Problem, RequestError, SettingsError
from responder.finding import moment
from responder.fold import begun, fold
from responder.guards import Closing, check_close, taken_up_again
from responder.incident import CLOCK_FIELDS
from responder.library import Library
from responder.means import Means
from responder.modes import check_mode
from responder.redaction import looks_like_credential
from responder.state import RunState
from responder.store import AT_ONCE, Also, RunRow, Writing
from responder.suspicion import refuse_suspect

if TYPE_CHECKING:
    from responder.fleet.jobs import Jobs


_AFTERTHOUGHTS = frozenset(
    {"offered", "took_over", "noted", "written", "set", "presented", "rendered", "withheld", "reopened"}
)
"""What a closed incident still takes."""

_AT_WORST = ("off", "met", "late", "pending", "running", "overdue")
"""How a deadline may stand, the worst last."""

MOST_TRIES = 50
"""How often it is looked anew for a moment in which nobody else writes."""

_TRIED_AGAIN = frozenset({"failed", "declined", "undone"})


class Voice:
    """One person's view of an installation, and their say in it."""

    def __init__(self, means: Means, folder: Path, person: str, library: Library, jobs: "Jobs | None" = None) -> None:
        self.means = means
        self.folder = folder
        self.person = person
        """Whom this login speaks for; empty: may only look."""
        self.library = library
        self.dispatcher = Dispatcher(means, folder)
        self.attendance = Attendance(means, folder, self.dispatcher, self.state, jobs)

    # Looking -----------------------------------------------------------------------------------------------------

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, oldest first."""
        return self.means.store.runs(incident)

    def row(self, name: str) -> RunRow:
        """Return a run by its id, by a unique beginning of it, or by its incident's id where that has one run."""
        _check_named(name)
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
        raise RequestError(what, where=name, remedy="`responder status --all` lists them")

    def incident(self, name: str) -> str:
        """Return an incident's id, given it, a unique beginning of it, or a run of it."""
        _check_named(name)
        known = self.means.store.incidents()
        fitting = [one for one in known if one == name] or [one for one in known if one.startswith(name)]
        return fitting[0] if len(fitting) == 1 else self.row(name).incident

    def timeline(self, incident: str) -> list[Entry]:
        """Return all entries of an incident."""
        return list(self.dispatcher.timeline(incident).entries())

    def state(self, run: str) -> RunState:
        """Return what a run has come to. RecordError where its record was altered so that it cannot be told."""
        return self._state(self.row(run))

    def _state(self, row: RunRow) -> RunState:
        return begun(fold(row.run, self.timeline(row.incident)), row.incident)

    def verify(self, incident: str, known_head: tuple[int, str] | None = None) -> list[Any]:
        """Return what is wrong with an incident's chain, the first bad entry first."""
        return verify(self.means.store, self.means.sealer, incident, known_head)

    # Our own secrets -------------------------------------------------------------------------------------------

    def check_secrets(self) -> None:
        """Refuse to act from where our own credentials cannot be read.

        SettingsError names every one; nothing changed.
        """
        problems = self.take_in_secrets()
        if problems:
            raise SettingsError(problems=tuple(problems))

    def take_in_secrets(self) -> list[Problem]:
        """Let the Redactor know our own secrets and the inventory's; return those of ours that cannot be read here."""
        problems: list[Problem] = []
        for connection in self.means.settings.connections.values():
            for reference in (connection.secret, connection.control):
                try:
                    self.means.secret(reference)
                except SettingsError as error:
                    problems.append(Problem(error.message, f"connections.{connection.name}", error.remedy))
        for entry in self.means.settings.inventory:  # what people quote may be one that nobody has reported yet
            self.means.fingerprint_of_secret(entry.known_by)
        return problems

    # Answering ---------------------------------------------------------------------------------------------------

    def approve(self, run: str, step: str, digest: str = "") -> None:
        """Agree, as this person, to what a step asks, to a correction, or to what concerns the whole incident."""
        from responder import answers  # noqa: PLC0415 - only where somebody says something

        self._answer(
            run, lambda state: answers.agreed(self._judging(state, step), self._states(run), step, self.person, digest)
        )

    def decline(self, run: str, step: str, reason: str) -> None:
        """Decline, as this person, what a step asks, a correction, or what concerns the whole incident."""
        from responder import answers  # noqa: PLC0415 - only where somebody says something

        self._answer(run, lambda state: [answers.declined(self._judging(state, step), step, self.person, reason)])

    def _judging(self, state: RunState, asked: str) -> RunState:
        """Return the run whose people may answer: for the whole incident, never one that only sends a notice."""
        about = str(state.started.get("about") or "")
        whole = asked in state.standing.motions or asked.startswith(PREFIX)
        return self.state(about) if about and whole else state

    def decide(self, run: str, step: str, option: str) -> None:
        """Choose an option of a decision, or say what became of an unknown outcome."""
        self._answer(run, lambda state: [approval.decide(state, step, self.person, option)])

    def done(self, run: str, step: str, said: str) -> None:
        """Say that a task is done."""
        self._answer(run, lambda state: [approval.report_done(state, step, self.person, said)])

    def _answer(self, run: str, make: Callable[[RunState], list[Draft]]) -> None:
        self.say_of(self.row(run), make)

    def say_of(self, row: RunRow, make: Callable[[RunState], list[Draft]]) -> None:
        """Write what a person says of a run as it stands. What concerns the whole incident counts as of one moment.

        Whether it is the last agreement, say, is judged anew where others wrote meanwhile. Overtaken where they never
        cease to.
        """
        tries = 0
        while True:
            state = self.state(row.run)
            drafts = make(state)
            whole = not all(draft.run for draft in drafts)
            try:
                return self.say(row, *drafts, after=state.seq if whole else None)
            except Overtaken:
                tries += 1
                if tries >= MOST_TRIES:
                    raise

    def somebody(self) -> str:
        """Return who speaks. RequestError where this login speaks for nobody."""
        if not self.person:
            raise RequestError(
                "This login speaks for nobody in responder.yaml; it may only look", remedy="set `os_user:` of a person"
            )
        return self.person

    def decides(self, state: RunState) -> str:
        """Return who decides something about a run. RequestError for nobody, PlanRefused for somebody suspect."""
        refuse_suspect(state, self.somebody())
        return self.person

    def say(self, row: RunRow, *drafts: Draft, also: Also | None = None, after: int | None = None) -> None:
        """Write what a person says, once the Redactor knows what must not be in it; the runs concerned go on.

        `after`: the entry that must still be the last one; Overtaken where it is not.
        """
        self.take_in_secrets()
        self._check_open(row.incident, drafts)
        shredded: list[str] = []
        for draft in drafts:
            if draft.event == "closed":
                self.check_closing(row.incident, draft.facts)
                shredded = [blob.blob for blob in self.means.store.blobs(row.incident, "leaked")]
            if draft.event == "mode":
                self._check_mode(row.incident, draft.facts)
        concerned = {draft.run for draft in drafts if draft.run}
        if not concerned:
            concerned = {one.run for one in self.runs(row.incident) if one.state != "ended"}

        def wake(writing: Writing) -> None:
            if also is not None:
                also(writing)
            for blob in shredded:
                writing.shred(blob)
            for run in sorted(concerned):
                writing.wake(run, AT_ONCE)

        self.dispatcher.timeline(row.incident).append(*drafts, also=wake, after=after)

    def is_closed(self, incident: str) -> bool:
        """Tell whether an incident is closed."""
        rows = self.runs(incident)
        return bool(rows) and self.state(rows[0].run).standing.closed

    def _check_open(self, incident: str, drafts: Sequence[Draft]) -> None:
        """Take only afterthoughts once an incident is closed."""
        late = [draft.event for draft in drafts if draft.event not in _AFTERTHOUGHTS]
        if late and self.is_closed(incident):
            raise RequestError(
                "The incident is closed: it takes notes, prose and corrections only",
                where=incident,
                remedy="a new finding reopens it: `responder run --incident`",
            )

    def check_closing(self, incident: str, facts: Mapping[str, Any]) -> None:
        """Refuse to close an incident too early. PlanRefused says what stands open."""
        states = [self._state(row) for row in self.runs(incident)]
        clocks = self._clocks(states)
        check_close(Closing(incident, tuple(states), clocks, facts["left"], str(facts.get("uncontained", ""))))

    def _clocks(self, states: Sequence[RunState]) -> dict[str, str]:
        """Return how each deadline of these runs stands, at worst; of several about one credential the last counts."""
        found: dict[str, str] = {}
        now = self.clock_line()
        for state in states:
            again = taken_up_again(state, states)
            for name, deadline in state.playbook.deadlines.items():
                if any(name in one.playbook.deadlines for one in again):
                    continue
                stands = clock_view(name, deadline, state, now).state
                found[name] = max(found.get(name, stands), stands, key=_AT_WORST.index)
        return found

    def _check_mode(self, incident: str, facts: Mapping[str, Any]) -> None:
        """Refuse a mode that fits no run of an incident by now: much may have come since it was asked about."""
        refused: list[PlanRefused] = []
        for row in self.runs(incident):
            try:
                check_mode(self.state(row.run), facts, self.clock_line())
            except PlanRefused as error:
                refused.append(error)
            else:
                return
        raise refused[0]

    def abort(self, run: str, reason: str) -> None:
        """Let no further step start, except those that say `always()` or `failed()`."""
        row = self.row(run)
        state = self.state(row.run)
        if state.state == "ended":
            raise RequestError("The run has ended", where=row.run)
        self.say(row, Draft("aborted", {"reason": reason}, row.run, actor=self.decides(state)))

    def retry(self, run: str, step: str) -> bool:
        """Let a failed, declined or undone step start over; return whether an executor is there to do it."""
        row = self.row(run)
        state = self.state(row.run)
        ended_badly = [one for one in state.units if state.status(one) in _TRIED_AGAIN and state.state != "ended"]
        if step not in ended_badly:
            raise RequestError(
                f"The step {step} is {state.standing_of(step)}; only failed, declined and undone ones are tried again",
                where=row.run,
                remedy="the run has ended"
                if state.state == "ended"
                else f"such are: {', '.join(ended_badly) or 'none'}",
            )
        over = [one for one in starting_over(step, state) if not starts_in_vain(state, one)]
        if not over:
            raise RequestError(
                f"The run is being aborted, and {step} does not start any more",
                where=row.run,
                remedy="only steps with `always()` or `failed()` still do; begin another run for the rest",
            )
        person = self.decides(state)
        again = [(one, waits_again(one, state)) for one in over]
        self.say(row, *(Draft("retried", {"again": more} if more else {}, row.run, one, person) for one, more in again))
        return self.attendance.attended(row)

    def note(self, run: str, text: str, source: str = "", next_at: datetime | None = None) -> None:
        """Add a person's words to the timeline.

        `source`: the message in which they stood, if they did; `next_at`: when they promise to say more.
        """
        row = self.row(run)
        if looks_like_credential(text):
            raise RequestError(
                "The note seems to hold a credential", remedy="leave the value out; its fingerprint is on the timeline"
            )
        more = {"source": source, "next_at": next_at.isoformat() if next_at else ""}
        facts = {"text": text, **{name: value for name, value in more.items() if value}}
        self.say(row, Draft("noted", facts, row.run, actor=self.somebody()))

    def set(self, run: str, name: str, text: str, reason: str = "") -> Correction | None:
        """Add a fact, or correct one of the incident; the old value is kept beside the new.

        A moment that would make a deadline due later does not count before its owners agree: the question is returned.
        """
        from responder import answers  # noqa: PLC0415 - only where somebody says something
        from responder.declared import DECLARED, declared  # noqa: PLC0415

        row = self.row(run)
        state = self.state(row.run)
        self.decides(state)
        if name in DECLARED:
            self.say(row, *declared(state, name, text, person=self.person, reason=reason, now=self.clock_line()))
            return None
        if name == PROVEN:
            raise RequestError(f"{name} is proven, and nobody can say it", remedy="a step with `credential.prove_dead`")
        if name in CLOCK_FIELDS:
            return self._correct(row, state, name, moment(text, name).isoformat(), reason)
        self.say(row, answers.fact(state, name, text, self.person, reason))
        return None

    def _correct(self, row: RunRow, state: RunState, name: str, value: str, reason: str) -> Correction | None:
        """Write a correction of a moment, and see that it counts or is asked."""
        from responder import correcting  # noqa: PLC0415 - only where somebody says something

        now, old = self.clock_line(), state.incident.get(name)
        draft = correcting.correct(self._states(row.run), name, old, value, self.somebody(), now, reason)
        self.say(row, draft)
        after = self.state(row.run)
        found = after.corrections.get(f"{PREFIX}{name}")
        if after.incident.get(name) != value and (found is None or found.new != value):
            raise RequestError(f"Somebody else corrected {name} at the same moment", remedy="look, and say it again")
        return found

    def _states(self, run: str) -> list[RunState]:
        """Return every run of a run's incident."""
        incident = self.row(run).incident
        return [self._state(row) for row in self.runs(incident)]

    def record_prose(self, incident: str, prose: Mapping[str, str]) -> None:
        """Keep what people wrote into a postmortem; each region's newest text counts."""
        drafts = [
            Draft("written", {"region": name, "text": text}, actor=self.somebody()) for name, text in prose.items()
        ]
        if drafts:
            self.take_in_secrets()
            self.dispatcher.timeline(incident).append(*drafts)

    def note_rendering(self, incident: str) -> None:
        """Note that the postmortem was rendered, once since the last response began, where somebody speaks."""
        rows = self.runs(incident)
        if self.person and rows and not self.state(rows[0].run).standing.rendered:
            self.dispatcher.timeline(incident).append(Draft("rendered", {"document": "postmortem"}, actor=self.person))

    def clock_line(self) -> datetime:
        """Return the present moment on this installation's clock."""
        return self.means.clock.now()


def _check_named(name: str) -> None:
    """Refuse an empty name: every id begins with it, so that a variable nobody set would stand for the only run."""
    if not name.strip():
        raise RequestError("No run is named", where=repr(name), remedy="name it: `responder status --all` lists them")
