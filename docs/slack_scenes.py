"""Every screen of the Slack part as people see it in a real drill: the blocks are those that Slack would be sent."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from responder.app import App, open_app
from responder.clock import SeededIds
from responder.drill.drill import Drill, Options, carry_out, finding, inputs
from responder.drill.scenes.house import CHAT_ACCOUNT
from responder.drill.stage import Stage, set_stage
from responder.errors import ResponderError
from responder.held import hold
from responder.lines import Lines
from responder.slack.blocks import Block, safe, section
from responder.slack.card import card
from responder.slack.desk import Desk
from responder.slack.forms import refused
from responder.slack.questions import answered, answering, handover, named, outcome, question
from responder.slack.sight import Sight
from responder.slack.words import HELP, told
from responder.view import AskView

PLAYBOOK = "shared-access-token-public"
FAULTS = ("lost-answer:partner",)
"""So that somebody is asked what happened, too."""
_SEED, _HOLDERS, _SPEED = 7, 300, 8.0
_LOOK_SECONDS = 0.05
_ITEMS, _HALF = "one-token-each", (0.3, 0.8)


@dataclass
class Scenes:
    """What was seen, by name: a modal, or the blocks of a message."""

    names: dict[str, str]
    """Who somebody is, by their Slack id."""
    seen: dict[str, Any] = field(default_factory=dict)

    def keep(self, name: str, shown: Any) -> None:
        """Keep the first sight of a screen."""
        self.seen.setdefault(name, shown)


def played(folder: Path) -> Scenes:
    """Play a response in a loopback world from the first form to its end, and return what people saw."""
    stage = set_stage(folder, seed=_SEED, speed=_SPEED, faults=FAULTS, holders=_HOLDERS, live=False)
    try:
        app = open_app(config=stage.config, environment=stage.environment, ids=SeededIds(_SEED))
        try:
            scenes = Scenes({one.slack: one.name for one in app.means.settings.people.values() if one.slack})
            _play(scenes, stage, app, folder)
        finally:
            app.close()
    finally:
        stage.close()
    return scenes


def _play(scenes: Scenes, stage: Stage, app: App, folder: Path) -> None:
    desk = Desk(app)
    _begin(scenes, desk, stage)
    incident = app.means.store.incidents()[-1]
    row = app.runs(incident)[0]
    options = Options(PLAYBOOK, folder, seed=_SEED, speed=_SPEED, faults=FAULTS)
    drill = Drill(options, stage, app, row.run, incident, (), time.time())
    sight = Sight(app, incident)
    watcher = _Watcher(scenes, desk, sight)
    desk.offer(incident, "leo", "ruth")
    scenes.keep("handover", handover("ruth", "leo", incident, watcher.slack_ids)[1])
    thread = threading.Thread(target=carry_out, args=(drill, print), daemon=True)
    thread.start()
    while thread.is_alive():
        watcher.look()
        time.sleep(_LOOK_SECONDS)
    watcher.end(incident)


def _begin(scenes: Scenes, desk: Desk, stage: Stage) -> None:
    """Go through the forms that begin a response."""
    name = hold(desk.app.means, finding(stage, desk.app), "ruth")
    form = desk.begin_form({})
    scenes.keep("begin", form)
    asked = desk.found(filled(form, {"held": name, "playbook": PLAYBOOK, "severity": "P1"}), "ruth")
    scenes.keep("inputs", asked)
    given = {key: str(value) for key, value in inputs(stage, desk.app, PLAYBOOK).items()}
    plan = desk.inputs(filled(asked, given), "ruth")
    scenes.keep("plan", plan)
    link = f"slack://channel?team={CHAT_ACCOUNT}&id=C0HELP&message=1795700820.000100"
    place = "a message in #help-platform"
    held = desk.take_message(f"use {'ghp' + '_' + 'a1B2' * 10} for now", place, link, "salma")
    shown = desk.begin_form({"held": held, "url": link, "kind": "private"})
    warning = section(f"Delete the message once this has begun: whoever reads {place} can read the credential.")
    scenes.keep("from-a-message", {**shown, "blocks": [warning, *shown["blocks"]]})
    scenes.keep("begun", desk.begin(filled(plan, {}), "ruth"))


def filled(view: Mapping[str, Any], given: Mapping[str, str]) -> Block:
    """Return a modal as Slack sends it when somebody submits it."""
    values = {name: {name: {"type": "plain_text_input", "value": value}} for name, value in given.items()}
    return {**view, "state": {"values": values}}


class _Watcher:
    """Looks at a response as the listener does, and keeps the sights that tell something."""

    def __init__(self, scenes: Scenes, desk: Desk, sight: Sight) -> None:
        self._scenes, self._desk, self._sight = scenes, desk, sight
        people = desk.app.means.settings.people
        self.slack_ids = {name: one.slack for name, one in people.items() if one.slack}
        self._old: dict[str, Any] = {}

    def look(self) -> None:
        """Look once."""
        self._sight.look()
        views, main = self._sight.views(), self._sight.main
        if main is None:
            return
        for ask in [ask for one in views for ask in one.awaiting]:
            self._question(ask)
        shown = card(views, self.slack_ids, main.standing.lead, closed=main.standing.closed)[1]
        ours = views[0]
        if any(ask.step == "kill" for ask in ours.awaiting):
            self._scenes.keep("card-waiting", shown)
        for step in ours.steps:
            share = step.items.ended / step.items.total if step.items else 0.0
            if step.id == _ITEMS and _HALF[0] < share < _HALF[1]:
                self._scenes.keep("card-issuing", shown)
        if ours.contained_at:
            self._scenes.keep("card-contained", shown)

    def _question(self, ask: AskView) -> None:
        known = self._scenes.seen
        name = f"{ask.kind}-many" if ask.items > 1 else ask.kind
        if f"question-{name}" in known:
            return
        self._scenes.keep(f"question-{name}", question(ask, self.slack_ids)[1])
        self._scenes.keep(f"answer-{name}", answering(ask, "accept"))
        if ask.step == "kill":
            self._kill(ask)
        if ask.kind == "decide":
            incident = self._sight.incident
            self._scenes.keep("status", self._said(self._desk.status()))
            self._desk.note(incident, "The press has called; Tomas talks to them.", "ines")
            self._scenes.keep("timeline", self._said(self._desk.timeline(incident)))

    def _kill(self, ask: AskView) -> None:
        """Approve the kill as somebody who may, after somebody tried who may not."""
        two = ask._replace(may_answer=("ines", "leo"), quorum=2, agreed=("ines",))
        self._scenes.keep("question-two", question(two, self.slack_ids)[1])
        self._scenes.keep("decline", answering(ask, "decline"))
        view = filled(answering(ask, "accept"), {})
        try:
            self._desk.answer(view, "ruth")
        except ResponderError as error:
            self._scenes.keep("refused", refused(error))
        self._scenes.keep("recorded", self._desk.answer(view, "ines"))
        self._old = named(ask)

    def _said(self, text: str) -> list[Block]:
        return [section(text)]

    def end(self, incident: str) -> None:
        """Keep what is seen after the end, and close the incident."""
        self._sight.look()
        entries, main = self._sight.entries, self._sight.main
        assert main is not None
        self._scenes.keep("answered", answered("kill", outcome(entries, {**self._old}))[1])
        self._scenes.keep("old-button", self._desk.answer_form({**self._old, "act": "accept"}))
        lines = [safe(line) for line in Lines(main.run).of(entries[:40], main)]
        self._scenes.keep("news", [section("\n".join(lines)[:2800])])
        self._scenes.keep("note", self._said("It is on the timeline."))
        self._scenes.keep("help", self._said(HELP))
        self._scenes.keep("postmortem", self._said(self._desk.postmortem(incident, "ines")))
        try:
            self._desk.close(incident, "", "ines")
        except ResponderError as error:
            self._scenes.keep("close-refused", [section(told(error))])
        self._sight.look()
        views = self._sight.views()
        closed = card(views, self.slack_ids, main.standing.lead, closed=main.standing.closed)[1]
        self._scenes.keep("card-closed", closed)
