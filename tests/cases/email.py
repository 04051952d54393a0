"""A mail server as small as it can be."""

import contextlib
import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cases.common import ORIGIN, HandClock, connection

from responder.providers import email
from responder.settings import Connection
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Trouble


class MailServer:
    """Takes mail, unless it is told to misbehave."""

    def __init__(self) -> None:
        self.trouble = Trouble.NONE
        self.taken: list[str] = []
        outer = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    outer.talk(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Talk)

    def talk(self, lines: Any, out: Any) -> None:
        out.write(b"220 mail.example ESMTP\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                out.write(b"250-mail.example\r\n250 AUTH PLAIN\r\n")
            elif verb == b"AUTH":
                out.write(b"535 no\r\n" if self.trouble is Trouble.DENIED else b"235 welcome\r\n")
            elif verb == b"MAIL" and self.trouble is Trouble.UNAVAILABLE:
                out.write(b"451 not now\r\n")
            elif verb == b"DATA":
                out.write(b"354 go on\r\n")
                whole = "".join(iter(lambda: lines.readline().decode(), ".\r\n"))
                self.taken.append(re.sub(r"(?m)^\.", "", whole))
                if self.trouble is Trouble.ANSWER_LOST:
                    return
                out.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                out.write(b"221 bye\r\n")
                return
            else:
                out.write(b"250 ok\r\n")


@dataclass
class Mailbox:
    """A mail account that is running."""

    server: MailServer
    connection: Connection
    clock: HandClock
    secret: str | None = "p4ss" + "Word" * 5
    control: str | None = None
    account: str = "mail"

    def writes(self) -> int:
        return len(self.server.taken)

    def misbehave(self, trouble: Trouble) -> None:
        self.server.trouble = trouble


@contextlib.contextmanager
def a_mailbox() -> Iterator[Mailbox]:
    mail = MailServer()
    thread = threading.Thread(target=mail.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    port = mail.server.server_address[1]
    account = connection(
        "email", account="mail", host="127.0.0.1", port=port, tls="none", user="us", sender="ir@lumen.example"
    )
    yield Mailbox(mail, account, HandClock(0.0, ORIGIN, 1.0))
    mail.server.shutdown()
    mail.server.server_close()
    thread.join()


CASE = ProviderCase(
    email.PROVIDER,
    a_mailbox,
    (
        ActionCase(
            lambda *_: email.SendMessage(to="ada@early.example", subject="Zugang für Ada", body="Liebe Ada,\n."),
            "send_message",
        ),
    ),
    tells_account=False,
)
