"""The people of a drill at Slack: they answer there as they would at a terminal, with buttons and modals."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from responder.drill.people import People
from responder.drill.world.slack import Impossible, Outcome, Person, through_control
from responder.room import channel_of
from responder.state import RunState
from responder.unit import Ask

COMMAND = "/responder"
_LOOK_SECONDS = 0.05
_MODAL_SECONDS = 8.0
"""How long a person looks at a modal that does not show what it should, before they begin again."""
_PATIENCE_SECONDS = 20.0
"""How long a person waits for Slack to show what they are asked, before they go to a terminal."""
_NO_CHANNEL_SECONDS = 6.0
"""The same, while the incident has no channel at all."""
_AGAIN_SECONDS = 3.0
"""After how long a person tries again what did not go well."""
_WAITING = "one moment"
"""What stands in a modal that is still to be filled."""

Block = dict[str, Any]


class Stuck(Exception):
    """Slack does not show what a person waits for."""


@dataclass
class Colleagues(People):
    """Answers for everybody who may, at Slack; one at a time, so that what is told can be followed."""

    tell: Callable[[str], None] = print
    incident: str = ""
    """The incident whose lead they pass on once, after the first answer."""
    handed_over: bool = False
    answers: int = 0
    """How many answers were given at Slack."""
    by_terminal: int = 0
    """How many were given at a terminal, because Slack did not show the question."""
    _persons: dict[str, Person] = field(default_factory=dict)
    _since: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """When (monotonic) somebody first looked for a question in vain."""
    _not_before: float = 0.0

    def person(self, name: str) -> Person:
        """Return somebody with Slack open."""
        if name not in self._persons:
            port = int(self.control.rsplit(":", 1)[1])
            self._persons[name] = Person(name, through_control(port))
        return self._persons[name]

    def look_once(self) -> None:
        """Answer every question whose time has come, and pass the lead on once somebody else is there."""
        super().look_once()
        if self.answers and not self.handed_over:
            self.handed_over = self.hand_over(self.incident)

    # Answering ---------------------------------------------------------------------------------------------------

    def give(self, state: RunState, ask: Ask, reply: str) -> None:
        """Give an answer with the button and the modal; at a terminal where Slack does not show the question."""
        name = self.app.person
        mark = (state.run, ask.unit, ask.at.isoformat())
        since = self._since.setdefault(mark, time.monotonic())
        if time.monotonic() < self._not_before:
            return
        channel = self.channel(state.incident["id"])
        with self._slack(name):
            found = self._question(self.person(name), channel, mark) if channel else None
            if found is not None:
                self._press(name, channel, *found, reply)
                self._since.pop(mark, None)
                return
        if time.monotonic() - since > (_PATIENCE_SECONDS if channel else _NO_CHANNEL_SECONDS):
            self.tell(f"Slack: it does not show {name} what {ask.unit} asks; {name} answers at a terminal")
            self.by_terminal += 1
            super().give(state, ask, reply)

    def _question(self, person: Person, channel: str, mark: tuple[str, str, str]) -> tuple[Block, Block] | None:
        """Return the message that asks, and its button; None where this person does not see it."""
        if channel not in {one["id"] for one in person.channels()}:
            return None
        for message in person.messages(channel):
            for element in buttons_of(message):
                about = _value(element)
                if element["action_id"] == "answer:accept" and _mark(about) == mark:
                    return message, element
        return None

    def _press(self, name: str, channel: str, message: Block, button: Block, reply: str) -> None:
        """Press a question's button, fill the modal in, and submit it."""
        person = self.person(name)
        pressed = f"Slack: {name} presses {button['text']['text']!r} below {message['text']!r}"
        self._well(person.click("answer:accept", channel=channel, ts=message["ts"]))
        view = self._shown(person)
        title = view["title"]["text"]
        if not view.get("submit"):
            self.tell(f"{pressed}, and reads: {title}")
        else:
            for block in [block for block in view["blocks"] if block["type"] == "input"]:
                person.fill(block["block_id"], reply)
            self._well(person.submit())
            after = self._shown(person, besides=view)["title"]["text"]
            said = f" with {reply!r}" if reply else ", reads the change"
            self.tell(f"{pressed}{said}, and submits: {after}")
            self.answers += after == "Recorded"
            if after != "Recorded":
                self._not_before = time.monotonic() + _AGAIN_SECONDS
        person.close(everything=True)

    # Handing over ------------------------------------------------------------------------------------------------

    def hand_over(self, incident: str) -> bool:
        """Do what is next to pass the lead on once, and tell whether it has passed."""
        state = self.app.state(self.app.runs(incident)[0].run)
        began = str(state.started.get("requester") or "")
        lead, offered_to = state.standing.lead, state.standing.offered_to
        if lead != began:
            return True
        channel = self.channel(incident)
        if channel and time.monotonic() >= self._not_before:
            with self._slack(offered_to or lead):
                if offered_to:
                    self._take_over(offered_to, channel)
                else:
                    self._offer(lead, state, channel)
        return False

    def _offer(self, lead: str, state: RunState, channel: str) -> None:
        people = self.app.means.settings.people
        for name in state.people:
            if name == lead or "commander" not in people[name].roles:
                continue
            if channel in {one["id"] for one in self.person(name).channels()}:
                said = self.said(lead, f"handover <@{people[name].slack}>", channel)
                self.tell(f"Slack: {lead} types '{COMMAND} handover @{name}': {said}")
                return

    def _take_over(self, name: str, channel: str) -> None:
        person = self.person(name)
        for message in person.messages(channel):
            if any(element["action_id"] == "take_over" for element in buttons_of(message)):
                self._well(person.click("take_over", channel=channel, ts=message["ts"]))
                title = self._shown(person)["title"]["text"]
                person.close(everything=True)
                self.tell(f"Slack: {name} presses 'Take over' below {message['text']!r}: {title}")
                return

    # What Slack shows --------------------------------------------------------------------------------------------

    def channel(self, incident: str) -> str:
        """Return the incident's channel; empty while there is none."""
        return channel_of([self.app.state(row.run) for row in self.app.runs(incident)])

    def said(self, name: str, text: str, channel: str) -> str:
        """Type a word of the command, and return the answer that only this person sees. Stuck where none comes."""
        person = self.person(name)
        before = len(_private(person, channel))
        self._well(person.command(COMMAND, text, channel=channel))
        end = time.monotonic() + _MODAL_SECONDS
        while len(found := _private(person, channel)) <= before:
            if time.monotonic() > end:
                raise Stuck(f"no answer to {text.partition(' ')[0]!r}")
            time.sleep(_LOOK_SECONDS)
        return str(found[-1]["text"])

    def fill(self, person: Person, title: str, **given: str) -> None:
        """Wait for a modal, fill it in and submit it. Stuck where another one comes."""
        view = self._shown(person)
        if view["title"]["text"] != title:
            raise Stuck(f"{view['title']['text']}: {_words(view)}")
        for name, value in given.items():
            person.fill(name, value)
        self._well(person.submit())
        self._shown(person, besides=view)

    def _shown(self, person: Person, besides: Block | None = None) -> Block:
        """Wait until the modal on top is filled, and another one than before. Stuck where that takes too long."""
        end = time.monotonic() + _MODAL_SECONDS
        while True:
            view = person.view()
            same = besides is not None and view is not None and view["title"] == besides["title"]
            if view is not None and not same and _WAITING not in json.dumps(view):
                return view
            if time.monotonic() > end:
                raise Stuck("the modal stays as it is")
            time.sleep(_LOOK_SECONDS)

    def _well(self, outcome: Outcome) -> None:
        if not outcome.ok:
            raise Stuck(outcome.error or str(outcome.errors))

    @contextmanager
    def _slack(self, name: str) -> Iterator[None]:
        """Let a person have a go at Slack; where it does not go well, they begin again a moment later."""
        try:
            yield
        except (Stuck, Impossible, OSError, http.client.HTTPException) as error:
            self.tell(f"Slack: it shows {name} an error ({error}); {name} tries again")
            self._not_before = time.monotonic() + _AGAIN_SECONDS
            with suppress(Impossible, OSError, http.client.HTTPException):  # where there is no modal to close
                self.person(name).close(everything=True)


def buttons_of(message: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the buttons of a message."""
    for block in message.get("blocks") or ():
        if block["type"] == "actions":
            yield from block["elements"]


def _value(element: Mapping[str, Any]) -> dict[str, Any]:
    found = json.loads(element.get("value") or "{}")
    return found if isinstance(found, dict) else {}


def _mark(about: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(about.get("run")), str(about.get("step")), str(about.get("at"))


def _private(person: Person, channel: str) -> list[Block]:
    return [one for one in person.messages(channel) if one.get("is_ephemeral")]


def _words(view: Mapping[str, Any]) -> str:
    return "; ".join(str(block["text"]["text"]) for block in view["blocks"] if block["type"] == "section")[:300]
