"""What the drill's people and the score may ask of the world; the responder never does."""

import dataclasses
from typing import Any

from responder.drill.world.caller import Caller
from responder.drill.world.cast import Cast
from responder.drill.world.ledger import Effect, Line, shown_time
from responder.drill.world.mail import Mail, MailSink
from responder.drill.world.slack.remote import PREFIX, Remote
from responder.drill.world.slack.site import Slack
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Rejected, Request, Route, route


class Control(System):
    """A look into the world, a person who sends a takedown, and the final probes."""

    name = "control"
    recorded = False

    def __init__(self, ground: Ground, cast: Cast, sink: MailSink, slack: Slack) -> None:
        self._slack = Remote(slack)
        super().__init__(ground)
        self._cast = cast
        self._sink = sink
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
            route("POST", "/person/errand", self.errand),
            route("POST", "/finish", self.finish),
            route("POST", "/site/restart", self.restart),
            route("POST", "/cast/{act}", self.act),
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
        now = {"now": shown_time(self.ground.clock.now()), "mail": len(self._sink.kept)}
        return Answer(body=self._cast.state() | now)

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

    def errand(self, request: Request, _: dict[str, str]) -> Answer:
        """Let a person do something at one of the scene's own systems."""
        return Answer(*self._cast.errand(request.fields))

    def restart(self, request: Request, _: dict[str, str]) -> Answer:
        """Let a person restart a service, through the service's own inner door."""
        with Caller(self.ground.inner["site"], "person") as caller:
            status, body = caller.call("POST", f"/restart/{request.text('id')}")
        return Answer(status, body)

    def act(self, request: Request, parts: dict[str, str]) -> Answer:
        """Let a person do by hand what the scene knows; raises Rejected."""
        return Answer(body=dict(self._cast.act(parts["act"], request.fields)))

    def finish(self, _: Request, __: dict[str, str]) -> Answer:
        """Let every leaked value be presented from outside, and sessions be counted; repeated, tell again."""
        if self._finished is None:
            self._finished = self._cast.probe()
        return Answer(body={"probes": self._finished, "faults": self.ground.trouble.report()})


def _shown(mail: Mail) -> dict[str, Any]:
    return dataclasses.asdict(mail) | {"at": shown_time(mail.at)}
