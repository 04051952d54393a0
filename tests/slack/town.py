"""A team at the world's Slack, an installation that listens to it, and what tests do and wait for there."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clockwork
from conftest import leaked_value
from guests import Guest

from responder.app import App, open_app
from responder.drill.world.slack import Person, Slack
from responder.entry import Entry
from responder.providers import email, human, slack
from responder.registry import Registry
from responder.slack.keeper import Keeper
from responder.slack.manifest import SCOPES
from responder.slack.reception import Reception
from responder.state import RunState

COMMAND = "/responder"
HEAD = "playbook: p\ntitle: A key is public\nversion: 1\nroles: {commander: {}, oncall: {}}\nsteps:\n"
KILL = """\
  - {id: kill, phase: containment, action: clockwork.turn, with: {key: k},
     approval: {role: commander, within: 1h, on_timeout: abort, reason: "public: kill, then ask"}}
"""
TWO = KILL.replace("role: commander,", "role: commander, quorum: 2,")
SETTINGS = """\
organisation: {{name: Lumen Labs, contact: security@lumen.example}}
people:
  ruth: {{name: Ruth, email: ruth@lumen.example, slack: URUTH, roles: [oncall, commander]}}
  ines: {{name: Ines, email: ines@lumen.example, slack: UINES, roles: [commander]}}
  leo: {{name: Leo, email: leo@lumen.example, slack: ULEO, roles: [commander]}}
  salma: {{name: Salma, email: salma@lumen.example, slack: USALMA, roles: [executive]}}
connections:
  cw: {{provider: clockwork, account: acct-1, folder: {folder}}}
  chat: {{provider: slack, account: T0LUMEN, secret: "env:BOT", base_url: "{slack}"}}
  mail: {{provider: email, account: 127.0.0.1, secret: "env:SMTP", host: 127.0.0.1, port: {port}, tls: none,
          sender: security@lumen.example, user: {login}}}
{clock}slack: {{connection: chat, app_token: "env:APP", signing_secret: "env:SIGNING"}}
inventory:
  - {{id: shared, connection: cw, key_id: k1, known_by: "env:LEAKED"}}
"""

PROVIDERS = {
    "clockwork": clockwork.PROVIDER,
    "slack": slack.PROVIDER,
    "email": email.PROVIDER,
    "human": human.PROVIDER,
}


class Town:
    """Everybody at Slack, and the installation."""

    def __init__(self, guest: Guest, place: Path, mode: str) -> None:
        self.guest = guest
        self.place = place
        self.mode = mode
        world = guest.world
        (place / "playbooks").mkdir(exist_ok=True)
        (place / "world").mkdir(exist_ok=True)
        port = world.mail.door.port
        login = world.ground.inventory.mail_login
        clock = "clock: clock.json\n" if world.ground.clock.speed != 1.0 else ""  # else real time will do
        text = SETTINGS.format(folder=place / "world", slack=world.urls["slack"], port=port, login=login, clock=clock)
        (place / "responder.yaml").write_text(text)
        self.playbook(KILL)
        self.slack.app.scopes = frozenset(SCOPES)  # what the manifest asks for is enough for everything here
        self.slack.app.events = frozenset({"reaction_added"})

    @property
    def slack(self) -> Slack:
        return self.guest.world.slack

    def playbook(self, steps: str, name: str = "p") -> None:
        (self.place / "playbooks" / f"{name}.yaml").write_text(HEAD.replace("playbook: p", f"playbook: {name}") + steps)

    def opened(self) -> App:
        labels = {"BOT": "slack-bot", "APP": "slack-app", "SIGNING": "slack-signing", "SMTP": "smtp-password"}
        environment = {name: self.guest.value(label) for name, label in labels.items()}
        return open_app(
            config=self.place / "responder.yaml",
            store=str(self.place / "r.db"),
            environment={**environment, "LEAKED": leaked_value(), "HOME": str(self.place)},
            registry=Registry(PROVIDERS),
        )

    @contextmanager
    def listening(self, call_after: float | None = None) -> Iterator[Reception]:
        """Listen as `responder slack` does, or as `responder serve`."""
        app = self.opened()
        reception = Reception(app)
        if call_after is not None:
            reception.keeper = Keeper(app, reception.speaker, reception.connection, call_after)
        reception.start()
        try:
            if self.mode == "http":
                self.slack.app.request_url = reception.serve("127.0.0.1", 0)
            else:
                reception.listen()
                until(lambda: len(self.slack.courier.board.open) >= 2)
            yield reception
        finally:
            reception.close()
            app.close()
            self.slack.app.request_url = ""

    def person(self, name: str) -> Person:
        return self.slack.person(name)

    # What people do ----------------------------------------------------------------------------------------------

    def begun(self, who: str = "ruth", **more: str) -> str:
        """Begin a response from the command to the second, explicit act; return the incident's channel.

        `beside`: the channel of the response that there is already.
        """
        beside = more.pop("beside", "")
        person = self.person(who)
        assert person.command(COMMAND).ok
        self.form(person, "Respond to a leak")
        person.fill("finding", more.pop("finding", leaked_value()))
        person.fill("playbook", more.pop("playbook", "p"))
        for name, value in more.items():
            person.fill(name, value)
        assert person.submit().ok
        self.form(person, "The plan")
        assert person.submit().ok
        self.form(person, "Begun")
        person.close(everything=True)
        return self.channel(who, beside)

    def channel(self, who: str = "ruth", beside: str = "") -> str:
        def found() -> list[str]:
            seen = [one for one in self.person(who).channels() if one["name"].startswith("inc-")]
            return [str(one["id"]) for one in seen if one["id"] != beside]

        return str(until(found)[0])

    def form(self, person: Person, title: str) -> dict[str, Any]:
        """Wait until a modal shows what it is to show."""

        def shown() -> Any:
            view = person.view()
            there = view is not None and view["title"]["text"] == title and "one moment" not in json.dumps(view)
            return view if there else None

        view: dict[str, Any] = until(shown, lambda: f"{title!r} never came: {person.view()} {person.errors()}")
        return view

    def asked(self, who: str, channel: str, step: str) -> str:
        """Wait until a step asks in the channel; return the message."""

        def found() -> str:
            for message in self.person(who).messages(channel):
                if any(json.loads(value).get("step") == step for value in values_of(message)):
                    return str(message["ts"])
            return ""

        return str(until(found))

    def answered(self, who: str, channel: str, ts: str, act: str = "accept", **fields: str) -> str:
        """Answer a question; return the title of what is shown then."""
        person = self.person(who)
        assert person.click(f"answer:{act}", channel=channel, ts=ts).ok
        view = until(lambda: (found := person.view()) and "one moment" not in json.dumps(found) and found)
        if view["title"]["text"] in {"Approve", "Decline", "Decide", "Done"}:
            for name, value in fields.items():
                person.fill(name, value)
            before = view["title"]["text"]
            assert person.submit().ok
            view = until(
                lambda: (
                    (found := person.view())
                    and "one moment" not in json.dumps(found)
                    and found["title"]["text"] != before
                    and found
                )
            )
        person.close(everything=True)
        return str(view["title"]["text"])

    def says(self, who: str, text: str, channel: str) -> str:
        """Say something by the command, and return the answer that only they see."""
        before = len(self.private(who, channel))
        assert self.person(who).command(COMMAND, text, channel=channel).ok
        return str(until(lambda: self.private(who, channel)[before:])[-1]["text"])

    def private(self, who: str, channel: str) -> list[dict[str, Any]]:
        return [one for one in self.person(who).messages(channel) if one.get("is_ephemeral")]

    def state(self, reception: Reception) -> RunState:
        """Return the response."""
        return reception.desk.states(reception.app.means.store.incidents()[-1])[0]

    def entries(self, reception: Reception) -> list[Entry]:
        """Return the record of the incident."""
        return reception.app.timeline(reception.app.means.store.incidents()[-1])

    def text_of(self, who: str, channel: str) -> str:
        """Return everything that somebody reads in a channel and the threads in it."""
        person = self.person(who)
        messages = person.messages(channel)
        threads = [person.messages(channel, thread_ts=one["ts"]) for one in messages]
        return json.dumps([messages, threads], ensure_ascii=False)


def values_of(message: Mapping[str, Any]) -> list[str]:
    """Return what the buttons of a message carry."""
    return [
        element["value"]
        for block in message.get("blocks") or ()
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"].startswith("answer:")
    ]


def until(true: Callable[[], Any], told: Callable[[], str] = lambda: "it did not come to be in time") -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + 15
    while not (found := true()):
        assert time.monotonic() < end, told()
        time.sleep(0.01)
    return found


Build = Callable[..., Town]
"""Makes a town; `mode` is socket or http."""
