"""The mail sink: enough SMTP to take a message, refuse a wrong password, and lose an answer."""

import base64
import binascii
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from typing import BinaryIO

from responder.drill.world.doors import Door, drop
from responder.drill.world.ledger import Effect, Line
from responder.drill.world.system import Ground

_MOST_LINE = 65536
_BUSY = {429: ("limited", "450 4.7.1 too many messages"), 500: ("error", "451 4.3.0 local error")}
_MOST_BYTES = 4 * 1024 * 1024
_ADDRESS = re.compile(r"<([^<>\s]*)>")


@dataclass(frozen=True)
class Mail:
    """One message as one recipient got it."""

    at: datetime
    message_id: str
    to: str
    subject: str
    template: str
    run: str
    step: str
    headers: dict[str, str]
    body: str


@dataclass
class _Talk:
    """Where one conversation is."""

    reader: BinaryIO
    connection: socket.socket
    known: bool = False
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        """Answer with one or more lines."""
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str | None:
        """Return the next line, or None where the other side left."""
        line = self.reader.readline(_MOST_LINE)
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None

    def reset(self) -> None:
        """Forget the message that was begun."""
        self.sender = None
        self.recipients = []


class MailSink:
    """Takes mail and keeps it; whoever listens is told of each message."""

    name = "mail"

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.lock = threading.RLock()
        self.kept: list[Mail] = []
        self.listeners: list[Callable[[Mail], None]] = []
        self.door = Door(self._converse)

    def open(self) -> None:
        """Begin to listen."""
        self.door.open()

    def close(self) -> None:
        """End the door and its connections."""
        self.door.close()

    def _converse(self, connection: socket.socket) -> None:
        seconds = self.ground.trouble.down(self.name)
        if seconds is not None:
            self.ground.ledger.write(Line(self.name, "SMTP", "CONNECT", outcome="down"))
            self.door.shut(self.ground.clock.real_seconds(seconds) if seconds else None)
            drop(connection)
            return
        time.sleep(self.ground.trouble.delay(self.name))
        with connection.makefile("rb") as reader:
            talk = _Talk(reader, connection)
            talk.say("220 mail.lumen.example ESMTP")
            while (line := talk.hear()) is not None:
                if not self._turn(talk, line):
                    return

    def _turn(self, talk: _Talk, line: str) -> bool:
        verb, _, rest = line.partition(" ")
        turns: dict[str, Callable[[_Talk, str], None]] = {
            "EHLO": self._greet,
            "HELO": self._greet,
            "AUTH": self._authenticate,
            "MAIL": self._from,
            "RCPT": self._to,
            "RSET": self._forget,
            "NOOP": self._nothing,
        }
        verb = verb.upper()
        if verb == "QUIT":
            talk.say("221 2.0.0 bye")
            return False
        if verb == "DATA":
            return self._data(talk)
        turn = turns.get(verb)
        if turn is None:
            talk.say("502 5.5.2 not understood")
        else:
            turn(talk, rest)
        return True

    def _greet(self, talk: _Talk, _: str) -> None:
        talk.reset()
        talk.say(
            "250-mail.lumen.example",
            "250-AUTH PLAIN LOGIN",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250 SIZE 4194304",
        )

    def _forget(self, talk: _Talk, _: str) -> None:
        talk.reset()
        talk.say("250 2.0.0 forgotten")

    def _nothing(self, talk: _Talk, _: str) -> None:
        talk.say("250 2.0.0 still here")

    def _authenticate(self, talk: _Talk, rest: str) -> None:
        kind, _, given = rest.partition(" ")
        try:
            login, password = self._credentials(talk, kind.upper(), given)
        except (ValueError, binascii.Error):
            talk.say("501 5.5.2 not understood")
            return
        right = login == self.ground.inventory.mail_login and self._label(password) == "smtp-password"
        talk.known = right
        outcome, status = ("served", 235) if right else ("refused", 535)
        self.ground.ledger.write(
            Line(self.name, "SMTP", "AUTH", credential=self._label(password), status=status, outcome=outcome)
        )
        talk.say("235 2.7.0 welcome" if right else "535 5.7.8 wrong login or password")

    def _credentials(self, talk: _Talk, kind: str, given: str) -> tuple[str, str]:
        if kind == "PLAIN":
            _, login, password = _decoded(given or self._ask(talk, "334 ")).split("\0")
            return login, password
        if kind == "LOGIN":
            login = _decoded(given or self._ask(talk, "334 VXNlcm5hbWU6"))
            return login, _decoded(self._ask(talk, "334 UGFzc3dvcmQ6"))
        raise ValueError(kind)

    def _ask(self, talk: _Talk, question: str) -> str:
        talk.say(question)
        return talk.hear() or ""

    def _label(self, password: str) -> str | None:
        return self.ground.labels.of(password)

    def _from(self, talk: _Talk, rest: str) -> None:
        found = _ADDRESS.search(rest)
        if not talk.known:
            talk.say("530 5.7.0 say who you are first")
            return
        status = self.ground.trouble.rejects(self.name)
        if status is not None:
            outcome, words = _BUSY[status]
            line = Line(self.name, "SMTP", "MAIL", credential="smtp-password", status=status, outcome=outcome)
            self.ground.ledger.write(line)
            talk.say(words)
        elif found is None:
            talk.say("501 5.1.7 no address")
        else:
            talk.reset()
            talk.sender = found.group(1)
            talk.say("250 2.1.0 go on")

    def _to(self, talk: _Talk, rest: str) -> None:
        found = _ADDRESS.search(rest)
        if talk.sender is None or found is None:
            talk.say("503 5.5.1 whose mail, and to whom")
            return
        talk.recipients.append(found.group(1))
        talk.say("250 2.1.5 go on")

    def _data(self, talk: _Talk) -> bool:
        if not talk.recipients:
            talk.say("503 5.5.1 to whom")
            return True
        talk.say("354 end with a dot")
        began = self.ground.clock.now()
        content = _read_message(talk.reader)
        if content is None:
            return False
        time.sleep(self.ground.trouble.delay(self.name))
        with self.lock:
            lost = self._keep(content, talk, began)
        talk.reset()
        if lost:
            drop(talk.connection)
            return False
        talk.say("250 2.0.0 taken")
        return True

    def _keep(self, content: bytes, talk: _Talk, began: datetime) -> bool:
        mails = [_parsed(content, recipient, self.ground.clock.now()) for recipient in talk.recipients]
        first = mails[0]
        lost = self.ground.trouble.loses_answer(first.step or None)
        line = Line(
            system=self.name,
            method="SMTP",
            path="DATA",
            run=first.run or None,
            step=first.step or None,
            credential="smtp-password",
            carried=self.ground.labels.within(content.decode("utf-8", "replace") + first.body),
            status=250,
            outcome="lost" if lost else "served",
            write=True,
            began=began,
        )
        self.ground.ledger.write(line, *(_effect(mail) for mail in mails))
        self.kept.extend(mails)
        for mail in mails:
            for listener in self.listeners:
                listener(mail)
        return lost


def _effect(mail: Mail) -> Effect:
    facts = {
        "mail_subject": mail.subject,
        "template": mail.template,
        "body_sha256": hashlib.sha256(mail.body.encode()).hexdigest(),
    }
    return Effect("mail_sent", mail.message_id, mail.to, facts)


def _parsed(content: bytes, recipient: str, at: datetime) -> Mail:
    message = message_from_bytes(content, policy=policy.default)
    part = message.get_body(("plain", "html"))
    body = str(part.get_content()) if part is not None else ""
    run, semicolon, step = str(message.get("X-Responder-Step", "")).partition(";")
    return Mail(
        at=at,
        message_id=str(message.get("Message-ID", "")).strip(),
        to=recipient,
        subject=str(message.get("Subject", "")),
        template=str(message.get("X-Responder-Template", "")).strip(),
        run=run.strip() if semicolon else "",
        step=(step if semicolon else run).strip(),
        headers={name: str(value) for name, value in message.items()},
        body=body,
    )


def _read_message(reader: BinaryIO) -> bytes | None:
    lines: list[bytes] = []
    size = 0
    while line := reader.readline(_MOST_LINE):
        if line in (b".\r\n", b".\n"):
            return b"".join(lines)
        size += len(line)
        if size > _MOST_BYTES:
            return None
        lines.append(line[1:] if line.startswith(b".") else line)
    return None


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()
