"""What the drill's people and the score may ask of the world; the responder never does."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from responder.drill.world.caller import Caller
from responder.drill.world.holders import Holders
from responder.drill.world.hub import Hub
from responder.drill.world.keys import Keys
from responder.drill.world.ledger import Effect, Line, shown_time
from responder.drill.world.mail import Mail, MailSink
from responder.drill.world.public import Public
from responder.drill.world.slack.remote import PREFIX, Remote
from responder.drill.world.slack.site import Slack
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_PROBES = (
    ("shared-token", "issuer", "/v1/me"),
    ("shared-token", "edge", "/v1/me"),
    ("space-token", "hub", "/api/whoami-v2"),
)
_STATES = {200: "alive", 401: "dead"}


@dataclass(frozen=True)
class Seen:
    """What the control looks into."""

    keys: Keys
    hub: Hub
    sink: MailSink
    public: Public
    holders: Holders
    slack: Slack


class Control(System):
    """A look into the world, a person who sends a takedown, and the final probes."""

    name = "control"
    recorded = False

    def __init__(self, ground: Ground, seen: Seen) -> None:
        self._slack = Remote(seen.slack)
        super().__init__(ground)
        self._keys = seen.keys
        self._hub = seen.hub
        self._sink = seen.sink
        self._public = seen.public
        self._holders = seen.holders
        self._finished: list[dict[str, Any]] | None = None

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("GET", "/mail", self.list_mail),
            route("GET", "/mail/find", self.find_mail),
            route("GET", "/ledger/count", self.count),
            route("GET", "/faults", self.faults),
            route("GET", "/state", self.state),
            route("POST", "/person/send", self.person_sends),
            route("POST", "/finish", self.finish),
            *self._slack.routes(),
        )

    def exchange(self, request: Request) -> bytes | None:
        """Answer; what people do at Slack waits for the app, and must not keep others waiting."""
        if request.path.startswith(PREFIX):
            return self.answer(request).bytes()
        return super().exchange(request)

    def list_mail(self, request: Request, _: dict[str, str]) -> Answer:
        """List the mails that match every given part: to, step, template."""
        wanted = {name: request.query[name] for name in ("to", "step", "template") if name in request.query}
        found = [
            mail
            for mail in list(self._sink.kept)
            if all(getattr(mail, name) == value for name, value in wanted.items())
        ]
        return Answer(body={"mail": [_shown(mail) for mail in found]})

    def find_mail(self, request: Request, _: dict[str, str]) -> Answer:
        """Find one mail by its Message-ID and recipient; raises Rejected (404)."""
        for mail in list(self._sink.kept):
            same = mail.message_id == request.query.get("message_id")
            if same and request.query.get("to") in (None, mail.to):
                return Answer(body=_shown(mail))
        raise Rejected(404, "mail_not_found")

    def count(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell how many lines the ledger has."""
        return Answer(body={"count": self.ground.ledger.count})

    def faults(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell of each fault whether it happened."""
        return Answer(body={"faults": self.ground.trouble.report()})

    def state(self, _: Request, __: dict[str, str]) -> Answer:
        """Tell how the world is now."""
        with self._keys.lock:
            shared = self._keys.get(self.ground.inventory.shared_key_id)
            known = {
                "shared_key": shared.status,
                "sessions_open": self._open_sessions(),
                "live_keys": self._keys.live_by_owner(),
            }
        return Answer(
            body=known
            | {
                "now": shown_time(self.ground.clock.now()),
                "spaces": {space.id: space.stage for space in self._hub.spaces.values()},
                "mail": len(self._sink.kept),
                "claims_pending": self._holders.pending,
                "claimed": self._holders.claimed,
                "public_served": self._public.served,
            }
        )

    def person_sends(self, request: Request, _: dict[str, str]) -> Answer:
        """Let a person send a takedown from their own mailbox to the hub's abuse address."""
        to = str(request.fields.get("to") or self.ground.inventory.abuse_address)
        about = str(request.fields.get("about") or self.ground.inventory.space)
        person = str(request.fields.get("person") or "")
        effect = Effect("takedown", about, to, {"person": person})
        labels = self.ground.labels.within(request.everything())
        line = Line("mail", "SMTP", "PERSON", actor="person", carried=labels, status=250, outcome="served", write=True)
        self.ground.ledger.write(line, effect)
        return Answer(202, {"to": to, "about": about})

    def finish(self, _: Request, __: dict[str, str]) -> Answer:
        """Present both leaked values from outside on every surface, count sessions; repeated, tell again."""
        if self._finished is None:
            self._finished = [self._probe(*probe) for probe in _PROBES]
            key = self.ground.inventory.shared_key_id
            with self._keys.lock:
                still_open = self._open_sessions()
            sessions = {"kind": "final_probe", "key": "sessions", "subject": key, "open": still_open}
            self._finished.append(sessions)
            self._write_probe("issuer", sessions)
        return Answer(body={"probes": self._finished, "faults": self.ground.trouble.report()})

    def _probe(self, label: str, system: str, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.ground.labels[label]}"}
        with Caller(self.ground.inner[system], "score") as caller:
            status, _ = caller.call("GET", path, headers=headers)
        found = {
            "kind": "final_probe",
            "key": label,
            "subject": system,
            "state": _STATES.get(status, "unknown"),
        }
        self._write_probe(system, found)
        return found

    def _write_probe(self, system: str, found: dict[str, Any]) -> None:
        facts = {name: value for name, value in found.items() if name not in ("kind", "key", "subject")}
        effect = Effect("final_probe", found["key"], found["subject"], facts)
        self.ground.ledger.write(Line(system, actor="score", outcome="served"), effect)

    def _open_sessions(self) -> int:
        shared = self._keys.get(self.ground.inventory.shared_key_id)
        return sum(self._keys.is_open(session) for session in self._keys.sessions(shared))


def _shown(mail: Mail) -> dict[str, Any]:
    return dataclasses.asdict(mail) | {"at": shown_time(mail.at)}
