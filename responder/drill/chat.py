"""A drill that takes place at Slack: a listener of its own, and people who begin, answer, hand over and close there."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from responder.app import App
from responder.drill.colleagues import COMMAND, Colleagues, Stuck
from responder.drill.lives import Lives
from responder.drill.world.caller import Caller
from responder.drill.world.slack import Impossible
from responder.errors import RequestError
from responder.finding import Finding

if TYPE_CHECKING:
    from responder.drill.drill import Drill

SOCKET, HTTP = "socket", "http"
"""How Slack reaches the listener: Socket Mode, or signed requests."""
_LOOK_SECONDS = 0.1
_READY_SECONDS = 12.0
"""How long a listener may take to be reached, before people try all the same."""
_BEGIN_SECONDS = 20.0
"""After how long whoever begins goes to a terminal, because Slack does not let them."""
_AFTER_SECONDS = 20.0
"""How long people take at most for what they do after the end, each thing."""
_AGAIN_SECONDS = 1.0


def check_installed(find: Callable[[str], object] = find_spec) -> None:
    """Raise RequestError where something is not installed that a drill at Slack needs."""
    missing = [name for name in ("slack_bolt", "slack_sdk", "websockets", "wsproto") if find(name) is None]
    if missing:
        raise RequestError(
            "What a drill at Slack needs is not installed",
            where=", ".join(missing),
            remedy="pip install 'responder[slack,drill]'",
        )


class Chat:
    """What happens at Slack in a drill, from the command that begins it to the one that closes it."""

    def __init__(
        self, drill: "Drill", people: App, environment: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        self._drill = drill
        self._tell = tell
        stage, options = drill.stage, drill.options
        self.people = Colleagues(
            app=people,
            clock=stage.clock,
            control=stage.urls["control"],
            seed=options.seed,
            tell=tell,
            scene=stage.scene,
        )
        door = stage.urls["control"] if options.slack == HTTP else ""
        self._lives = Lives(
            "listener", lambda life: ("--listen", str(stage.state), f"{options.seed}:{life}", door), environment,
            stage.output / "run.log", drill.faults, tell, restart=options.restart,
        )  # fmt: skip
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self.postmortem = False
        self.closing = ""
        """What Slack said when the incident was to be closed."""

    # The listener ------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            code = self._lives.live(lambda: self._drill.started + self._drill.options.seconds, self._over.is_set)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the drill is carried out
            self._failure = error
        else:
            if code > 0 and not self._over.is_set():
                self._failure = RequestError(f"The listener left with {code}", remedy="read output/run.log")

    def _listens(self) -> bool:
        """Tell whether there is a listener, or will be again; raises what went wrong with it."""
        if self._failure is not None:
            raise self._failure
        return self._thread.is_alive()

    def close(self) -> None:
        """End the listener, and let everybody go home."""
        self.people.stop()
        self._over.set()
        self._thread.join()
        self._drill.crashes, self._drill.restarts = self._lives.struck, self._lives.restarts
        self.people.app.close()

    # Beginning ---------------------------------------------------------------------------------------------------

    def begin(self, person: str, finding: Finding, leaked: str, given: dict[str, Any]) -> str:
        """Begin a response at Slack as a person would; return its run, empty where Slack does not let them."""
        self._thread.start()
        self._by(_READY_SECONDS, self._reached)
        report = finding.model_dump(mode="json", exclude={"value"}, exclude_defaults=True)
        text = json.dumps({**report, "value": leaked})
        end = time.monotonic() + _BEGIN_SECONDS
        told = ""
        while time.monotonic() < end and self._listens():
            try:
                self._through_the_modals(person, text, given)
            except (Stuck, Impossible, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    self._tell(f"Slack: it does not let {person} begin yet ({told}); {person} tries again")
            if begun := self._drill.app.runs():
                return begun[0].run
            time.sleep(_AGAIN_SECONDS)
        return ""

    def _reached(self) -> bool:
        """Tell whether Slack reaches the listener."""
        with Caller(int(self.people.control.rsplit(":", 1)[1]), "person") as caller:
            if self._drill.options.slack == HTTP:
                return bool(caller.call("POST", "/slack/app", body={})[1].get("request_url"))
            return bool(caller.call("GET", "/slack/connections")[1].get("connections"))

    def _through_the_modals(self, name: str, finding: str, given: dict[str, Any]) -> None:
        """Go from the command to the second, explicit act."""
        people, book = self.people, self._drill.options.playbook
        person = people.person(name)
        person.reload()
        outcome = person.command(COMMAND)
        if not outcome.ok:
            raise Stuck(outcome.error)
        self._tell(f"Slack: {name} types '{COMMAND}', and a form opens")
        people.fill(person, "Respond to a leak", finding=finding, playbook=book)
        self._tell(f"Slack: {name} pastes the report, chooses the playbook {book}, and presses 'Show the plan'")
        if given:
            people.fill(person, "What the playbook asks", **{key: str(value) for key, value in given.items()})
            self._tell(f"Slack: {name} says what the playbook asks: {', '.join(f'{k}={v}' for k, v in given.items())}")
        people.fill(person, "The plan")
        self._tell(f"Slack: {name} reads the plan, and presses 'Begin'")
        person.close(everything=True)

    # The course --------------------------------------------------------------------------------------------------

    def carry_out(self) -> None:
        """Let people answer until the run goes no further, then ask for the postmortem and close."""
        drill, people = self._drill, self.people
        people.incident = drill.incident
        answering = threading.Thread(target=people.live, name="people", daemon=True)
        answering.start()
        try:
            while self._listens() and not drill.app.attendance.still(drill.run):
                time.sleep(_LOOK_SECONDS)
        finally:
            drill.wall_seconds = time.time() - drill.started
            people.stop()
            answering.join()
        if self._listens():
            self._afterwards()

    def _afterwards(self) -> None:
        drill, people = self._drill, self.people
        self._by(_AFTER_SECONDS, lambda: all(row.state == "ended" for row in drill.app.runs(drill.incident)))
        channel = people.channel(drill.incident)
        if not channel:
            self._tell("Slack: the incident has no channel, so that nothing is handed over and closed there")
            return
        self._by(_AFTER_SECONDS, lambda: people.hand_over(drill.incident))
        lead = drill.app.state(drill.run).standing.lead
        self.postmortem = bool(self._asked(lead, "postmortem", channel, most=0))
        self.closing = self._asked(lead, "close", channel)
        if not self.closed:
            self._tell("Slack: the incident stays open, as it would in earnest")

    def _asked(self, name: str, word: str, channel: str, most: int = 400) -> str:
        """Type a word of the command until there is an answer to it; return that."""
        answer = ""

        def answered() -> bool:
            nonlocal answer
            try:
                answer = self.people.said(name, word, channel)
            except (Stuck, Impossible, OSError) as error:
                self._tell(f"Slack: {name} types '{COMMAND} {word}', and sees an error ({error})")
            return bool(answer)

        self._by(_AFTER_SECONDS, answered)
        if answer:
            shown = " ".join(answer[:most].split()) if most else f"{len(answer)} characters, which only {name} sees"
            self._tell(f"Slack: {name} types '{COMMAND} {word}': {shown}")
        return answer

    def _by(self, seconds: float, true: Callable[[], bool]) -> bool:
        """Wait for something, but not for longer; tell whether it came to be."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end or not self._listens():
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    @property
    def closed(self) -> bool:
        """Whether the incident is closed."""
        return self._drill.app.is_closed(self._drill.incident)

    def document(self) -> dict[str, Any]:
        """Return what happened at Slack, for the report."""
        standing = self._drill.app.state(self._drill.run).standing
        return {
            "by": self._drill.options.slack,
            "answers": self.people.answers,
            "answers_at_a_terminal": self.people.by_terminal,
            "lead": standing.lead,
            "postmortem": self.postmortem,
            "closed": self.closed,
            "closing": " ".join(self.closing.split()),
        }
