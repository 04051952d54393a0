"""What people ask for at Slack, done with the same means as at a terminal; whatever comes of it is shown to them."""

import copy
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from responder import lead
from responder.app import App
from responder.breaking import break_glass
from responder.closing import close
from responder.durations import duration
from responder.errors import RequestError
from responder.finding import Exposure, Finding, read_finding
from responder.held import held, hold, let_go, waiting
from responder.lines import sentence
from responder.playbook import Playbook
from responder.redaction import Secret
from responder.rendering import review_of
from responder.room import channel_of
from responder.slack.blocks import Block, moment, safe, unpacked, values
from responder.slack.board import UPDATE
from responder.slack.forms import BY_MATCH, finding_form, inputs_form, join_form, plan_form, said
from responder.slack.preview import preview
from responder.slack.questions import answering, outcome
from responder.slack.words import happened, review
from responder.state import NOTICE, RunState
from responder.view import AskView, RunView, view
from responder.words import headline

_MOST_LINES = 25


@dataclass(frozen=True)
class Desk:
    """What one person can do, by way of the installation."""

    app: App
    _noting: threading.Lock = field(default_factory=threading.Lock)

    def speaking_for(self, person: str) -> App:
        """Return the installation as one person has it."""
        theirs = copy.copy(self.app)
        theirs.person = person
        return theirs

    # Beginning ---------------------------------------------------------------------------------------------------

    def begin_form(self, about: Mapping[str, Any]) -> Block:
        """Return the modal in which somebody says what was found."""
        books = {
            name: book for name, book in self.app.library.playbooks().items() if name != NOTICE and not book.called
        }
        return finding_form(books, waiting(self.app.means)[-50:], about)

    def take_message(self, text: str, place: str, link: str, person: str) -> str:
        """Hold the credential that a message holds, and return under which id; the channel is where it was exposed."""
        found = read_finding(text, "the message", self.app.means.sealer)
        exposure = Exposure(url=link, place=place, kind="private")
        return hold(self.app.means, found.model_copy(update={"exposure": exposure, "reported_by": person}), person)

    def found(self, view_: Mapping[str, Any], person: str) -> Block:
        """Take in what the first modal says; return the next: the playbook's inputs, or the plan."""
        given, about = values(view_), unpacked(str(view_.get("private_metadata") or ""))
        name = given.get("held") or str(about.get("held") or "")
        if given.get("finding"):
            name = self._hold(given, person)
        if not name:
            raise RequestError(
                "Nothing is given that could be responded to", remedy="paste the credential, or choose one that waits"
            )
        finding = held(self.app.means, name).finding
        theirs = self.speaking_for(person)
        wanted = given.get("playbook") or BY_MATCH
        book = theirs.playbook_for(finding) if wanted == BY_MATCH else theirs.library.load(wanted)
        told = {
            "held": name,
            "playbook": book.playbook,
            "severity": given.get("severity", ""),
            "dry": given.get("dry", ""),
        }
        if book.inputs:
            return inputs_form(book, self.app.means.settings.people, told)
        return self._plan(theirs, book, finding, {}, told)

    def _hold(self, given: Mapping[str, str], person: str) -> str:
        sealer = self.app.means.sealer
        text = given["finding"].strip()
        value: Secret | None = sealer.secret(text) if _is_bare(text) else None
        found = read_finding("{}" if value else text, "the finding", sealer, value)
        more: dict[str, Any] = {"reported_by": found.reported_by or person}
        if given.get("url") or not found.exposure.url:
            more["exposure"] = found.exposure.model_copy(
                update={"url": given.get("url") or found.exposure.url, "kind": given.get("kind") or found.exposure.kind}
            )
        return hold(self.app.means, found.model_copy(update=more), person)

    def inputs(self, view_: Mapping[str, Any], person: str) -> Block:
        """Take in a playbook's inputs; return the plan."""
        about = unpacked(str(view_.get("private_metadata") or ""))
        theirs = self.speaking_for(person)
        book = theirs.library.load(str(about["playbook"]))
        given = {name: value for name, value in values(view_).items() if value}
        return self._plan(theirs, book, held(self.app.means, str(about["held"])).finding, given, about)

    def _plan(
        self, theirs: App, book: Playbook, finding: Finding, given: Mapping[str, str], about: Mapping[str, Any]
    ) -> Block:
        holder = theirs.means.store.holder(theirs.assess(finding).credential.identifiers)
        if holder is not None:
            return join_form(holder, about)
        theirs.take_in_secrets()
        return plan_form(theirs.plan(book, finding, given), {**about, "inputs": dict(given)})

    def begin(self, view_: Mapping[str, Any], person: str) -> Block:
        """Begin what the plan showed; return what to say."""
        about = unpacked(str(view_.get("private_metadata") or ""))
        theirs = self.speaking_for(person)
        finding = held(self.app.means, str(about["held"])).finding
        begun = theirs.begin(theirs.library.load(str(about["playbook"])), finding, dict(about.get("inputs") or {}))
        let_go(self.app.means, str(about["held"]))
        if about.get("severity") and not begun.joined:
            theirs.set(begun.run, "severity", str(about["severity"]))
        told = "is responded to already, and was found once more" if begun.joined else "is responded to"
        more = "" if begun.joined else "\nA private channel follows."
        return said("Begun", f"*{safe(begun.incident)}* {told}: `{safe(begun.run)}`{more}")

    # Answering ---------------------------------------------------------------------------------------------------

    def ask(self, about: Mapping[str, Any]) -> AskView | None:
        """Return the question that a button or a modal is about, if it is still asked and still the same."""
        run = self.app.row(str(about.get("run"))).run
        seen = self.seen(self.app.state(run))
        for one in seen.awaiting:
            same = one.run == about.get("run") and one.step == about.get("step") and one.digest == about.get("digest")
            if same and one.asked_at.isoformat() == about.get("at"):
                return one
        return None

    def answer_form(self, about: Mapping[str, Any]) -> Block:
        """Return the modal in which a question is answered, or what became of it."""
        asked = self.ask(about)
        if asked is None:
            return said("No longer asked", safe(self.became(about)))
        form = answering(asked, str(about.get("act") or "accept"))
        shown = preview(asked, self.app.state(asked.run))
        return {**form, "blocks": [*form["blocks"][:1], *shown, *form["blocks"][1:]]}

    def became(self, about: Mapping[str, Any]) -> str:
        """Return in words what became of a question."""
        row = self.app.row(str(about.get("run")))
        return outcome(self.app.timeline(row.incident), dict(about))

    def answer(self, view_: Mapping[str, Any], person: str) -> Block:
        """Write an answer as a person's own. InputError says why it does not count."""
        about, given = unpacked(str(view_.get("private_metadata") or "")), values(view_)
        run, step, act, kind = (str(about.get(name) or "") for name in ("run", "step", "act", "kind"))
        theirs = self.speaking_for(person)
        if self.ask(about) is None:
            return said("No longer asked", f"Nothing was written: {safe(self.became(about))}")
        if act == "decline":
            theirs.decline(run, step, given.get("reason") or "no reason given")
        elif kind == "approval":
            theirs.approve(run, step, str(about.get("digest") or ""))
        elif kind == "task":
            theirs.done(run, step, given.get("said") or "")
        else:
            theirs.decide(run, step, given.get("choice") or "")
        asked = self.ask(about)
        more = f"\n{len(asked.agreed)} of {asked.quorum} have agreed." if asked is not None and asked.quorum > 1 else ""
        return said("Recorded", f"✔️ *{safe(step)}*: written as yours.{more}")

    # Following ---------------------------------------------------------------------------------------------------

    def seen(self, state: RunState) -> RunView:
        """Return a run as people look at it, with what the runs that it opened ask."""
        offspring = [self.app.state(one.run) for one in state.children.values()]
        row = self.app.row(state.run)
        return view(state, self.app.means.clock.now(), alive=self.app.attendance.attended(row), offspring=offspring)

    def incident_of(self, channel: str) -> str:
        """Return the incident whose channel it is. RequestError where it is none's."""
        for incident in reversed(self.app.means.store.incidents()):
            if channel_of(self.states(incident)) == channel:
                return incident
        raise RequestError("This is no incident's channel", remedy="say it in the channel of an incident")

    def states(self, incident: str) -> list[RunState]:
        """Return every run of an incident, the response first."""
        return [self.app.state(row.run) for row in self.app.runs(incident)]

    def status(self) -> str:
        """Return how every open run stands, a line each."""
        lines = []
        for row in self.app.runs():
            state = self.app.state(row.run) if row.state != "ended" else None
            if state is not None and state.purpose != NOTICE:
                seen = self.seen(state)
                lines.append(f"*{safe(seen.title)}*: {safe(headline(seen))} · `{safe(row.incident)}` `{safe(row.run)}`")
        return "\n".join(lines) or "Nothing is open."

    def timeline(self, incident: str) -> str:
        """Return the newest lines of an incident's record."""
        told = [(entry.at, line) for entry in self.app.timeline(incident) if (line := sentence(entry))]
        return happened(told[-_MOST_LINES:])

    def note(self, incident: str, text: str, person: str) -> str:
        """Put a person's words onto the timeline."""
        if not text.strip():
            raise RequestError("There is nothing to note", remedy="write the sentence behind the word")
        self.speaking_for(person).note(self.app.runs(incident)[0].run, text)
        return "It is on the timeline."

    def note_message(self, incident: str, text: str, source: str, person: str) -> bool:
        """Put a message onto the timeline, once however often it is chosen; tell whether it was written now."""
        with self._noting:  # several people choose the same message, and Slack tells of it more than once
            told = [entry.facts.get("source") for entry in self.app.timeline(incident) if entry.event == "noted"]
            if source in told:
                return False
            self.speaking_for(person).note(self.app.runs(incident)[0].run, text, source=source)
        return True

    def update(self, incident: str, text: str, person: str) -> str:
        """Tell everybody in the channel how it stands, in a person's words, and put them on record.

        Where the words begin with a length of time, like `30m`, that is when the next update is due.
        """
        first, _, rest = text.strip().partition(" ")
        again = _span(first)
        if not (text if again is None else rest).strip():
            raise RequestError("There is nothing to tell", remedy="write the sentence behind the word")
        run = self.app.runs(incident)[0].run
        if again is None:
            self.speaking_for(person).note(run, text, source=UPDATE)
            return "It is on the timeline, and follows here. Say when the next one comes: `update 30m TEXT`."
        next_at = self.app.means.clock.now() + again
        self.speaking_for(person).note(run, rest, source=UPDATE, next_at=next_at)
        return f"It is on the timeline, and follows here. The next update is due at {moment(next_at)}."

    def break_glass(self, incident: str, reason: str, person: str) -> str:
        """Let a person approve containment alone, and tell everybody at once. PlanRefused where they may not."""
        theirs = self.speaking_for(person)
        run = next((row.run for row in self.app.runs(incident) if row.state != "ended"), "")
        if not run:
            raise RequestError("No run of this incident is open", where=incident)
        told = break_glass(theirs, run, "", reason).problem
        how = f", but: {told.message}: {told.remedy}." if told is not None else ", and everybody is being told."
        return f"Written down{how} You may approve containment alone now; nothing else."

    def abort(self, incident: str, reason: str, person: str) -> str:
        """Let no further step of an incident's open response start."""
        if not reason.strip():
            raise RequestError("There is no reason", remedy="write why behind the word: it goes on the record")
        theirs = self.speaking_for(person)
        stopped = [row.run for row in self.app.runs(incident) if row.state != "ended"]
        for run in stopped:
            theirs.abort(run, reason)
        return f"No further step starts in {len(stopped)} runs, but for those that clean up."

    def close(self, incident: str, uncontained: str, person: str) -> str:
        """Close an incident, and shred its leaked values. PlanRefused says what stands open."""
        theirs = self.speaking_for(person)
        if close(theirs, incident, {}, uncontained):
            return "The incident is closed, and its leaked values are shredded."
        return "Two others are asked to agree."

    def postmortem(self, incident: str, person: str) -> str:
        """Return the review of an incident, and note that it was rendered."""
        theirs = self.speaking_for(person)
        text = review_of(theirs, self.app.timeline(incident))
        theirs.note_rendering(incident)
        return review(text)

    # Handing over ------------------------------------------------------------------------------------------------

    def offer(self, incident: str, receiver: str, person: str) -> None:
        """Offer the lead of an incident to somebody, who must take it."""
        theirs = self.speaking_for(person)
        row = self.app.runs(incident)[0]
        state = self.app.state(row.run)
        theirs.say(row, lead.offered(state, theirs.decides(state), receiver))

    def take_over(self, incident: str, person: str) -> str:
        """Take the lead that was offered. RequestError where it was offered to somebody else, or to nobody."""
        theirs = self.speaking_for(person)
        row = self.app.runs(incident)[0]
        state = self.app.state(row.run)
        theirs.say(row, lead.taken(state, theirs.decides(state)))
        return f"{person} leads now."


def _span(word: str) -> timedelta | None:
    """Return the length of time that a word is; None where it is a word like any other."""
    try:
        return duration(word)
    except ValueError:
        return None


def _is_bare(text: str) -> bool:
    """Tell whether somebody pasted the value alone: one word, and no report."""
    return not text.startswith(("{", "[")) and len(text.split()) == 1
