"""What arrives from Slack: acknowledged at once, then done in a thread of its own, and answered where it came from.

Nothing is kept here between two arrivals: what a button or a modal means travels with it, and the record decides.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from slack_bolt import Ack, Respond
from slack_bolt import App as Bolt

from responder.clock import monotonic
from responder.errors import RequestError, ResponderError
from responder.slack.blocks import Block, modal, plain, section, typed, unpacked
from responder.slack.desk import Desk
from responder.slack.forms import FOUND, INPUTS, PLAN, refused, said, working
from responder.slack.identity import Somebody, checked, somebody
from responder.slack.questions import ANSWER
from responder.slack.speaker import Later, Refused, Speaker
from responder.slack.words import HELP, told

MESSAGE, RESPOND = "respond_to_message", "respond"
"""The callbacks of the message shortcut and of the global one."""
_THREADS = 16
_AT_ONCE_SECONDS = 0.6
"""How long an acknowledgement waits for what it could show; Slack waits for three seconds, people for one."""
_ON_ITS_WAY_SECONDS = 1.0
"""How long an acknowledgement may be on its way."""
_TRIES, _AGAIN_SECONDS = 4, 3.0
"""How often a modal is tried to be filled, and how long between two tries at most."""
_log = logging.getLogger(__name__)

Body = Mapping[str, Any]


class Listener:
    """The Bolt app, and what each arrival makes us do."""

    def __init__(self, desk: Desk, speaker: Speaker, team: str, signing_secret: str = "") -> None:
        self._desk = desk
        self._speaker = speaker
        self._team = team
        self._settings = desk.app.means.settings
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="slack")
        self.bolt = Bolt(
            client=speaker.client,
            signing_secret=signing_secret,
            token_verification_enabled=False,
            raise_error_for_unhandled_request=False,
        )
        self._register()

    def close(self) -> None:
        """Do what was acknowledged, and nothing more."""
        self._pool.shutdown()

    def _register(self) -> None:
        configured = self._settings.slack
        bolt = self.bolt
        bolt.command(configured.command if configured else "/responder")(self._command)
        bolt.shortcut(RESPOND)(self._shortcut)
        bolt.shortcut(MESSAGE)(self._message_shortcut)
        desk = self._desk
        takes = {FOUND: desk.found, INPUTS: desk.inputs, PLAN: desk.begin, ANSWER: desk.answer, "note": self._note}
        for callback, take in takes.items():
            bolt.view(callback)(self._submitted(take))
        bolt.action(re.compile(f"^{ANSWER}:"))(self._open_answer)
        bolt.action("timeline")(self._open_timeline)
        bolt.action("note")(self._open_note)
        bolt.action("take_over")(self._take_over)
        bolt.action(re.compile(".*"))(_ignore)
        bolt.event("reaction_added")(self._reaction)
        bolt.event(re.compile(".*"))(_ignore)

    # Acknowledging -----------------------------------------------------------------------------------------------

    def _later(self, act: Callable[[], None]) -> None:
        """Do something after the acknowledgement; whatever goes wrong is told to whoever asked, by `act` itself."""
        self._pool.submit(_guarded, act)

    def _who(self, body: Body) -> Somebody:
        return somebody(body, self._settings, self._team)

    def _person(self, body: Body) -> str:
        return checked(self._who(body), self._speaker)

    # Modals ------------------------------------------------------------------------------------------------------

    def _open(self, body: Body, title: str, make: Callable[[], Block]) -> None:
        """Open a modal before its trigger is over, and fill it once that is known which may take longer."""
        trigger = str(body.get("trigger_id") or "")
        opened = self._speaker.write("views.open", trigger_id=trigger, view=working(title, "one moment"))
        self._fill(str((opened.get("view") or {}).get("id", "")), make)

    def _fill(self, view: str, make: Callable[[], Block]) -> None:
        """Show in a modal what comes of something, a refusal included."""
        self._show(view, self._shown(make))

    def _show(self, view: str, shown: Block) -> None:
        """Show something in a modal, later where Slack wants to wait: else it says for ever that it takes a moment."""
        for _ in range(_TRIES):
            try:
                self._speaker.write("views.update", view_id=view, view=shown)
            except Later as later:
                time.sleep(min(later.seconds, _AGAIN_SECONDS))
            else:
                return
        _log.warning("what came of something could not be shown: Slack takes no modal")

    def _shown(self, make: Callable[[], Block]) -> Block:
        """Return what comes of something as a modal, a refusal included."""
        try:
            return make()
        except ResponderError as error:
            return refused(error)
        except Exception as error:  # noqa: BLE001 - whoever asked must hear something
            _log.exception("a defect while a modal was filled")
            return said("A defect", f"Something of ours is wrong: {type(error).__name__}. What the record says holds.")

    def _submitted(self, take: Callable[[Mapping[str, Any], str], Block]) -> Callable[..., None]:
        """Return what takes a modal in: the acknowledgement shows the outcome, or that it takes a moment longer.

        What is shown later must not overtake the acknowledgement on its way, which would then take its place.
        """

        def submitted(ack: Ack, body: dict[str, Any]) -> None:
            view = body["view"]
            outcome = self._pool.submit(self._shown, lambda: take(view, self._person(body)))
            try:
                shown = outcome.result(_AT_ONCE_SECONDS)
            except TimeoutError:
                ack(response_action="update", view=working(view["title"]["text"], "one moment"))
                since = monotonic()

                def follow() -> None:
                    shown = outcome.result()
                    time.sleep(max(0.0, _ON_ITS_WAY_SECONDS - (monotonic() - since)))
                    self._show(view["id"], shown)

                self._later(follow)
            else:
                ack(response_action="update", view=self._speaker.clean(shown))

        return submitted

    def _note(self, view: Mapping[str, Any], person: str) -> Block:
        run = str(unpacked(view["private_metadata"]).get("run"))
        values = view["state"]["values"]
        text = str(values["text"]["text"]["value"])
        return said("Noted", self._desk.note(self._desk.app.row(run).incident, text, person))

    # Buttons -----------------------------------------------------------------------------------------------------

    def _open_answer(self, ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        about = unpacked(str(action.get("value") or ""))
        self._later(lambda: self._open(body, "Your answer", lambda: self._answerable(body, about)))

    def _answerable(self, body: Body, about: dict[str, Any]) -> Block:
        self._person(body)  # whoever may not answer is told so, and sees nothing of the change
        return self._desk.answer_form(about)

    def _open_timeline(self, ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        run = str(unpacked(str(action.get("value") or "")).get("run"))

        def timeline() -> Block:
            self._person(body)
            return said("Timeline", self._desk.timeline(self._desk.app.row(run).incident))

        self._later(lambda: self._open(body, "Timeline", timeline))

    def _open_note(self, ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        about = unpacked(str(action.get("value") or ""))

        def form() -> Block:
            self._person(body)
            element = {"type": "plain_text_input", "multiline": True, "action_id": "text"}
            field = {"type": "input", "block_id": "text", "label": plain("What happened?"), "element": element}
            return modal("Note", [field], callback="note", submit="Put it on record", about=about)

        self._later(lambda: self._open(body, "Note", form))

    def _take_over(self, ack: Ack, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        incident = str(unpacked(str(action.get("value") or "")).get("incident"))

        def take() -> Block:
            return said("Handed over", self._desk.take_over(incident, self._person(body)))

        self._later(lambda: self._open(body, "Handover", take))

    # Shortcuts, reactions and words --------------------------------------------------------------------------------

    def _shortcut(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self._later(lambda: self._open(body, "Respond to a leak", lambda: self._form(body, {})))

    def _form(self, body: Body, about: Mapping[str, Any]) -> Block:
        self._person(body)
        return self._desk.begin_form(about)

    def _message_shortcut(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        message, channel = body.get("message") or {}, body.get("channel") or {}
        place = f"a message in #{channel.get('name') or channel.get('id')}"

        def form() -> Block:
            person = self._person(body)
            link = f"slack://channel?team={self._team}&id={channel.get('id')}&message={message.get('ts')}"
            name = self._desk.take_message(typed(message.get("text") or ""), place, link, person)
            shown = self._form(body, {"held": name, "url": link, "kind": "private"})
            ask = section(f"Delete the message once this has begun: whoever reads {place} can read the credential.")
            return {**shown, "blocks": [ask, *shown["blocks"]]}

        self._later(lambda: self._open(body, "Respond to a leak", form))

    def _reaction(self, ack: Ack, event: dict[str, Any], body: dict[str, Any]) -> None:
        ack()
        configured = self._settings.slack
        item = event.get("item") or {}
        if configured is None or event.get("reaction") != configured.reaction or item.get("type") != "message":
            return
        names = [str(one) for one in (event.get("user"), item.get("channel"), item.get("ts"))]
        self._later(lambda: self._note_message(body, *names))

    def _note_message(self, body: Body, user: str, channel: str, ts: str) -> None:
        try:
            incident = self._desk.incident_of(channel)
        except RequestError:
            return  # people use the same reaction elsewhere, too
        try:
            person = self._person({"user": {"id": user}, "team_id": body.get("team_id")})
            found = self._message(channel, ts)
            self._desk.note_message(incident, typed(found.get("text") or ""), f"slack:{channel}:{ts}", person)
        except ResponderError as error:
            self._speaker.write("chat.postEphemeral", channel=channel, user=user, text=told(error))

    def _message(self, channel: str, ts: str) -> dict[str, Any]:
        found = self._speaker.read("conversations.replies", channel=channel, ts=ts, limit=1).get("messages") or [{}]
        return dict(found[0])

    def _command(self, ack: Ack, body: dict[str, Any], respond: Respond) -> None:
        ack()
        word, _, rest = typed(body.get("text") or "").strip().partition(" ")
        if not word:
            self._later(lambda: self._open(body, "Respond to a leak", lambda: self._form(body, {})))
            return

        def answer() -> None:
            try:
                text = self._say(word, rest.strip(), body)
            except ResponderError as error:
                text = told(error)
            respond(**self._speaker.clean({"text": text, "blocks": [section(text)], "response_type": "ephemeral"}))

        self._later(answer)

    def _say(self, word: str, rest: str, body: Body) -> str:
        """Do what a word of the command says; return what to answer."""
        person = self._person(body)
        channel = str(body.get("channel_id"))
        desk = self._desk
        if word == "status":
            return desk.status()
        acts: dict[str, Callable[[str], str]] = {
            "timeline": desk.timeline,
            "note": lambda incident: desk.note(incident, rest, person),
            "update": lambda incident: desk.update(incident, rest, person),
            "break-glass": lambda incident: desk.break_glass(incident, rest, person),
            "abort": lambda incident: desk.abort(incident, rest, person),
            "close": lambda incident: desk.close(incident, rest, person),
            "postmortem": lambda incident: desk.postmortem(incident, person),
            "handover": lambda incident: self._hand_over(incident, rest, person),
        }
        if word not in acts:
            return HELP
        return acts[word](desk.incident_of(channel))

    def _hand_over(self, incident: str, rest: str, person: str) -> str:
        found = re.search(r"<@([A-Z0-9]+)", rest)
        user = found[1] if found else rest.lstrip("@")
        receiver = next((name for name, one in self._settings.people.items() if one.slack == user), user)
        self._desk.offer(incident, receiver, person)
        return f"Offered to {receiver}. It is theirs once they press the button."


def _guarded(act: Callable[[], None]) -> None:
    try:
        act()
    except (Refused, Later) as error:
        _log.warning("an answer could not be shown: %s", error)
    except Exception:  # noqa: BLE001 - what was acknowledged comes to an end, whatever it is
        _log.exception("a defect while something from Slack was done")


def _ignore(ack: Ack) -> None:
    """Acknowledge what nobody here is interested in, so that it is not sent again."""
    ack()
