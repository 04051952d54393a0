"""Servers that do not end their answer, and mail servers that part badly."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest

from responder.errors import OutcomeUnknown, Unavailable
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.transport import Permit, Transport, Wire


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                talk(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def wire() -> Iterator[Wire]:
    transport = Transport(Sealer(b"k" * 32, Redactor()), request_seconds=0.5)
    yield transport.wire("run-1", "step", Permit.starting_now())
    transport.close()


def drip(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("write", "error"),
    [
        pytest.param(False, Unavailable, id="a read has no answer"),
        pytest.param(True, OutcomeUnknown, id="a write has an unknown outcome"),
    ],
)
def test_an_answer_that_never_ends_is_lost(wire: Wire, *, write: bool, error: type[Exception]) -> None:
    with listening(drip) as port:
        started = time.perf_counter()
        with pytest.raises(error):
            wire.request("POST", f"http://127.0.0.1:{port}/", write=write)

    assert time.perf_counter() - started < 2.0


def test_who_wants_a_part_gets_what_arrived_in_time(wire: Wire) -> None:
    with listening(drip) as port:
        answer = wire.request("GET", f"http://127.0.0.1:{port}/", write=False, most_bytes=10**6, seconds=0.2)

    assert not answer.complete
    assert 0 < len(answer.body) < 100


def test_who_wants_a_part_gets_no_more_bytes_than_asked_for(wire: Wire) -> None:
    def much(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)

    with listening(much) as port:
        answer = wire.request("GET", f"http://127.0.0.1:{port}/", write=False, most_bytes=1000)

    assert (len(answer.body), answer.complete) == (1000, False)


def mail_server(got: list[bytes], farewell: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        lines = connection.makefile("rb")
        for line in lines:
            if line.upper().startswith(b"DATA"):
                connection.sendall(b"354 go on\r\n")
                for part in lines:
                    if part == b".\r\n":
                        break
                    got.append(part)
            connection.sendall(farewell if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

    return talk


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@a.example", "b@b.example", "Hello"
    message.set_content("one\n.two\n")
    return message


def test_a_mail_that_was_taken_stays_taken_however_the_server_parts(wire: Wire) -> None:
    got: list[bytes] = []

    with listening(mail_server(got, b"421 going down\r\n")) as port:
        wire.send_mail("127.0.0.1", port, letter(), tls="none")

    assert b"..two\r\n" in got


def test_every_line_of_a_mail_ends_as_the_protocol_says(wire: Wire) -> None:
    got: list[bytes] = []

    with listening(mail_server(got, b"221 bye\r\n")) as port:
        wire.send_mail("127.0.0.1", port, letter(), tls="none")

    assert [line for line in got if not line.endswith(b"\r\n")] == []
