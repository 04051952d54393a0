"""An incident in its channel: questions first, then the pinned card, then what happened, in the card's thread.

Everything shown is made from the record, and recognised again by its metadata: a listener that starts anew reads the
channel, and goes on where the one before was.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from responder.lines import Lines
from responder.room import channel_of
from responder.settings import Connection, Settings
from responder.slack.blocks import Block, moment, packed, safe, section
from responder.slack.card import card
from responder.slack.questions import answered, handover, key, outcome, question, what
from responder.slack.sight import Sight
from responder.slack.speaker import Later, Refused, Speaker
from responder.suspicion import overheard, suspects_among, was_checked
from responder.view import AskView

EVENT = "responder_view"
"""The type of the metadata that our messages bear."""
_CARD, _NEWS = "card", "news"
UPDATE = "update"
"""The source of a note that everybody in the channel is to read."""
EVERY_SECONDS = 2.0
"""How often a card is edited at most, and news are told, all channels together: Slack takes about fifty edits a minute,
and a message a second in each channel, and questions need some of both.
"""
_CHECK_SECONDS = 30.0
_MOST_NEWS = 2800
_CANNOT_COME = frozenset({"already_in_channel", "user_not_found", "cant_invite_self", "cant_invite"})
"""Why an invitation is no matter: they are there, or Slack does not have them; the question is asked all the same."""


@dataclass
class _Shown:
    """A message that stands in the channel."""

    ts: str
    digest: str
    open: bool
    about: dict[str, Any]


class Board:
    """Keeps what one incident's channel shows in step with the record."""

    def __init__(
        self,
        speaker: Speaker,
        settings: Settings,
        connection: Connection,
        sight: Sight,
        leaked: Callable[[], bool] = lambda: False,
    ) -> None:
        """`leaked` tells whether the token that we speak with is one that a finding names."""
        self._speaker = speaker
        self._leaked = leaked
        self._settings = settings
        self._connection = connection
        self._sight = sight
        self._slack_ids = {name: person.slack for name, person in settings.people.items() if person.slack}
        self._shown: dict[str, _Shown] = {}
        self._invited: set[str] = set()
        self._channel = ""
        self._read = False
        """Whether it is known what stands in the channel."""
        self._pinned = ""
        """The card of which Slack was asked that it be pinned, and said yes or no."""
        self._upto = 0
        """Up to which entry the thread has told what happened."""
        self._edited = float("-inf")
        self.spoke = float("-inf")
        """When Slack last took something for the channel."""
        self._looked = float("-inf")
        self._heard: list[str] = []
        self.silent = ""
        """Why nothing is said in the channel; empty where it may be."""

    @property
    def channel(self) -> str:
        """The channel's id; empty while there is none."""
        return self._channel

    def update(self, every: float = EVERY_SECONDS, *, last: bool = False) -> bool:
        """Bring the channel up to date; tell whether everything was said, or some of it is said a moment later.

        Later where Slack wants to wait with what people wait for, Refused where it says no; what was not said is said
        the next time. `every`: how often card and news are told at most. `last`: there is no moment later, so that the
        card is edited now.
        """
        self._channel = channel_of(self._sight.states)
        main = self._sight.main
        self.silent = self._unsafe()
        if not self._channel or main is None or self.silent:
            return True
        if not self._read:
            self._recognise()
        waits = self._in_turn(*self._questions(), self._handover, self._updates)
        now = time.monotonic()
        told = last or now - self._edited >= every
        if told:
            self._edited = now
            told = self._in_turn(self._card, self._news) is None
        if waits is not None:
            raise waits
        return told and self._upto >= self._sight.entries[-1].seq

    def _in_turn(self, *parts: Callable[[], None]) -> Later | None:
        """Say each part; return why some of it waits. What Slack limits keeps nothing back that it takes meanwhile."""
        waits: Later | None = None
        for part in parts:
            try:
                part()
            except Later as later:
                if not later.limited:
                    raise
                waits = waits or later
        return waits

    # Whether it may be heard here --------------------------------------------------------------------------------

    def _unsafe(self) -> str:
        """Return why nothing may be said here: somebody suspect would hear it, or the leaked credential reads it."""
        main = self._sight.main
        if main is None:
            return ""
        standing = main.standing
        if self._channel and standing.suspects and time.monotonic() - self._looked > _CHECK_SECONDS:
            found = self._speaker.read("conversations.info", channel=self._channel).get("channel") or {}
            members = self._speaker.pages("conversations.members", "members", channel=self._channel)
            self._heard = [self._channel, str(found.get("name") or ""), *map(str, members)]
            self._looked = time.monotonic()
        suspects = suspects_among(main, self._heard) if standing.suspects else []
        if suspects:
            return f"{', '.join(suspects)} would hear it, and is suspect"
        connections = self._settings.connections
        names = [self._connection.name, self._channel, *self._heard[1:2]]
        if not overheard(standing, connections, self._connection):
            return ""
        if self._leaked():  # whatever was checked: whoever has our own token reads all that we say with it
            return "the leaked credential is the one that we speak with"
        if not was_checked(standing, names):
            return "the leaked credential may read what is said in this workspace"
        return ""

    # What stands there -------------------------------------------------------------------------------------------

    def _recognise(self) -> None:
        """Read our own messages back, by their metadata."""
        shown: dict[str, _Shown] = {}
        upto = 0
        read = {"channel": self._channel, "include_all_metadata": "true"}
        for message in self._speaker.pages("conversations.history", "messages", **read):
            about = _about(message)
            if about:
                shown.setdefault(str(about["marker"]), _of(message, about))
        if _CARD in shown:
            for message in self._speaker.pages("conversations.replies", "messages", ts=shown[_CARD].ts, **read):
                upto = max(upto, int(_about(message).get("upto") or 0))
        self._shown, self._upto, self._read = shown, upto, True

    def _show(self, marker: str, says: str, blocks: list[Block], about: dict[str, Any], *, still: bool = True) -> None:
        """Post a message once, and edit it when it says something else."""
        digest = hashlib.sha256(json.dumps([says, blocks], sort_keys=True).encode()).hexdigest()[:16]
        known = self._shown.get(marker)
        if known is not None and known.digest == digest:
            return
        metadata = {
            "event_type": EVENT,
            "event_payload": {"marker": marker, "digest": digest, "open": still, "about": packed(about)},
        }
        message = {"channel": self._channel, "text": says, "blocks": blocks, "metadata": metadata}
        if known is not None:
            self._write("chat.update", **message, ts=known.ts)
            self._shown[marker] = _Shown(known.ts, digest, still, about)
            return
        answer = self._write("chat.postMessage", **message, unfurl_links=False, unfurl_media=False)
        self._shown[marker] = _Shown(str(answer["ts"]), digest, still, about)

    def _write(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Say something; where it is not known whether it was said, the channel is read before anything more is."""
        try:
            answer = self._speaker.write(method, **arguments)
        except Later as later:
            self._read = self._read and later.limited
            raise
        except Refused as refused:
            if refused.code == "message_not_found":  # somebody deleted it
                self._read = False
            raise
        self.spoke = time.monotonic()
        return answer

    # What is said ------------------------------------------------------------------------------------------------

    def _questions(self) -> list[Callable[[], None]]:
        """Return what asks each question, and what takes the buttons of each away that is not asked any more."""
        open_now = {key(ask): ask for seen in self._sight.views() for ask in seen.awaiting}
        closed = [
            partial(self._answered, marker, shown)
            for marker, shown in self._shown.items()
            if marker.startswith("ask:") and shown.open and marker not in open_now
        ]
        return [*(partial(self._ask, marker, ask) for marker, ask in open_now.items()), *closed]

    def _ask(self, marker: str, ask: AskView) -> None:
        if marker not in self._shown:
            self._invite(ask)
        says, blocks = question(ask, self._slack_ids)
        self._show(marker, says, blocks, _question(ask))

    def _answered(self, marker: str, shown: _Shown) -> None:
        told = outcome(self._sight.entries, shown.about)
        says, blocks = answered(str(shown.about.get("what", "")), told)
        self._show(marker, says, blocks, shown.about, still=False)

    def _handover(self) -> None:
        """Ask whoever the lead is offered to whether they take it."""
        main = self._sight.main
        offers = [entry for entry in self._sight.entries if entry.event == "offered"]
        if main is None or not offers:
            return
        offer, receiver = offers[-1], main.standing.offered_to
        says, blocks = handover(offer.actor, str(offer.facts["to"]), self._sight.incident, self._slack_ids)
        if not receiver:
            says, blocks = answered("handover", f"{main.standing.lead} leads")
        if receiver or f"offer:{offer.seq}" in self._shown:
            self._show(f"offer:{offer.seq}", says, blocks, {})

    def _updates(self) -> None:
        """Tell what somebody wants everybody to read; each once, in the order in which it was said."""
        for entry in self._sight.entries:
            if entry.event == "noted" and entry.facts.get("source") == UPDATE and entry.seq > self._upto:
                says = safe(f"{entry.actor}: {entry.facts['text']}")
                told = [section(f"📣 *{safe(entry.actor)}* {moment(entry.at)}\n{safe(entry.facts['text'])}")]
                self._show(f"update:{entry.seq}", says, told, {})

    def _invite(self, ask: AskView) -> None:
        """Let those into the channel who are asked something there; who is suspect is never asked."""
        for one in ask.may_answer:
            user = self._slack_ids.get(one, "")
            if user and user not in self._invited:
                try:
                    self._write("conversations.invite", channel=self._channel, users=user)
                except Refused as refused:
                    if refused.code not in _CANNOT_COME:
                        raise
                self._invited.add(user)

    def _card(self) -> None:
        views, main = self._sight.views(), self._sight.main
        if main is None:
            return
        standing = main.standing
        told = [entry.facts for entry in self._sight.entries if entry.event == "noted"]
        promises = [str(facts.get("next_at") or "") for facts in told if facts.get("source") == UPDATE]
        promised = datetime.fromisoformat(promises[-1]) if promises and promises[-1] else None
        says, blocks = card(views, self._slack_ids, standing.lead, closed=standing.closed, promised=promised)
        self._show(_CARD, says, blocks, {})
        self._pin(self._shown[_CARD].ts)

    def _pin(self, ts: str) -> None:
        """Pin the card: also one that was posted before, for nobody knows what came of it where an answer was lost."""
        if ts == self._pinned:
            return
        try:
            self._write("pins.add", channel=self._channel, timestamp=ts)
        except Refused as refused:
            self._pinned = ts
            if refused.code != "already_pinned":
                raise
        self._pinned = ts

    def _news(self) -> None:
        """Tell what happened since, many lines in one message; items of a step are counted, and not listed."""
        main = self._sight.main
        entries = self._sight.entries
        if main is None or not entries or entries[-1].seq <= self._upto or _CARD not in self._shown:
            return
        lines = Lines(main.run)
        list(lines.of(entries[: self._upto], main))  # what was told already decides what is worth telling now
        told: list[str] = []
        upto = self._upto
        for entry in entries[self._upto :]:
            found = [safe(line) for line in lines.of([entry], main)]
            if sum(map(len, (*told, *found))) + len(told) > _MOST_NEWS:
                break
            told += found
            upto = entry.seq
        if told:
            text = "\n".join(told)
            metadata = {"event_type": EVENT, "event_payload": {"marker": _NEWS, "upto": upto}}
            more = {"text": text, "blocks": [section(text)], "metadata": metadata, "unfurl_links": False}
            self._write("chat.postMessage", channel=self._channel, thread_ts=self._shown[_CARD].ts, **more)
        self._upto = upto


def _question(ask: AskView) -> dict[str, Any]:
    return {"run": ask.run, "step": ask.step, "at": ask.asked_at.isoformat(), "what": what(ask)}


def _about(message: dict[str, Any]) -> dict[str, Any]:
    metadata = message.get("metadata") or {}
    return dict(metadata.get("event_payload") or {}) if metadata.get("event_type") == EVENT else {}


def _of(message: dict[str, Any], about: dict[str, Any]) -> _Shown:
    told = json.loads(str(about.get("about") or "{}"))
    return _Shown(str(message["ts"]), str(about.get("digest", "")), bool(about.get("open", True)), told)
