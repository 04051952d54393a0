"""Servers that misbehave at each stage: whether nothing changed or nobody knows, and that no error quotes anything."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import pytest
from test_transport_limits import listening

from responder.clock import monotonic
from responder.errors import Denied, OutcomeUnknown, PermitExpired, ProviderError, ResponderError, Unavailable
from responder.redaction import Redactor, Secret
from responder.sealing import Sealer
from responder.transport import PERMIT_SECONDS, Permit, Transport, Wire

VALUE = "value-" + "hJ4z" * 8


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Sealer(b"k" * 32, Redactor()), request_seconds=0.4)
    yield made
    made.close()


@pytest.fixture
def wire(transport: Transport) -> Wire:
    return transport.wire("run-1", "step", Permit.starting_now())


@pytest.fixture
def secret(transport: Transport) -> Secret:
    return transport.sealer.secret(VALUE)


def answering(*answers: bytes, got: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """Talk HTTP: each request gets the next of these answers, the last one for ever."""

    def talk(connection: socket.socket) -> None:
        number = 0
        while True:
            request = connection.recv(65536)
            if not request:
                return
            if got is not None:
                got.append(request)
            connection.sendall(answers[min(number, len(answers) - 1)])
            number += 1

    return talk


def status(code: int, *headers: str, body: str = "{}") -> bytes:
    lines = [f"HTTP/1.1 {code} X", *headers, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def silent(connection: socket.socket) -> None:
    connection.recv(65536)
    time.sleep(1.0)


def hang_up(connection: socket.socket) -> None:
    connection.recv(65536)


def reset_at_once(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_after_reading(connection: socket.socket) -> None:
    connection.recv(65536)
    reset_at_once(connection)


def half(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def garbage(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"220 smtp.example ready\r\n")


BROKEN_ZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"


@pytest.mark.parametrize(
    ("talk", "read", "write"),
    [
        pytest.param(silent, Unavailable, OutcomeUnknown, id="no answer in time"),
        pytest.param(hang_up, Unavailable, OutcomeUnknown, id="hangs up after the request"),
        pytest.param(reset_after_reading, Unavailable, OutcomeUnknown, id="resets after the request"),
        pytest.param(reset_at_once, Unavailable, OutcomeUnknown, id="resets at once"),
        pytest.param(half, Unavailable, OutcomeUnknown, id="half an answer"),
        pytest.param(garbage, Unavailable, OutcomeUnknown, id="no HTTP at all"),
        pytest.param(answering(BROKEN_ZIP), Unavailable, OutcomeUnknown, id="a body that does not unpack"),
        pytest.param(answering(status(500)), Unavailable, OutcomeUnknown, id="500"),
        pytest.param(answering(status(503)), Unavailable, OutcomeUnknown, id="503"),
        pytest.param(answering(status(429)), Unavailable, Unavailable, id="429"),
        pytest.param(answering(status(408)), Unavailable, Unavailable, id="408"),
        pytest.param(answering(status(401)), Denied, Denied, id="401"),
        pytest.param(answering(status(403)), Denied, Denied, id="403"),
        pytest.param(answering(status(404)), ProviderError, ProviderError, id="404"),
        pytest.param(answering(status(302, "Location: /elsewhere")), ProviderError, OutcomeUnknown, id="302"),
        pytest.param(answering(status(303, "Location: /elsewhere")), ProviderError, OutcomeUnknown, id="303"),
        pytest.param(answering(status(307, "Location: /elsewhere")), ProviderError, ProviderError, id="307"),
    ],
)  # fmt: skip
def test_what_may_be_done_next(
    wire: Wire,
    secret: Secret,
    talk: Callable[[socket.socket], None],
    read: type[Exception],
    write: type[Exception],
) -> None:
    for writes, expected in ((False, read), (True, write)):
        with listening(talk) as port, pytest.raises(ResponderError) as caught:
            wire.request(
                "POST",
                f"http://user:{VALUE}@127.0.0.1:{port}/path?token={VALUE}",
                write=writes,
                bearer=secret,
                body={"value": secret},
            )

        assert expected is type(caught.value)
        assert VALUE not in f"{caught.value}{caught.value.args}{caught.value.__dict__}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("write", [pytest.param(False, id="read"), pytest.param(True, id="write")])
def test_a_refused_connection_means_that_nothing_was_sent(wire: Wire, *, write: bool) -> None:
    with pytest.raises(Unavailable, match="cannot be reached: ConnectError"):
        wire.request("POST", f"http://127.0.0.1:{closed_port()}/", write=write)


@pytest.mark.parametrize(
    ("url", "value"),
    [
        pytest.param("http://127.0.0.1:{port}/", "line\r\nX-Injected: yes", id="a secret with a line break"),
        pytest.param("http://127.0.0.1:{port}/", "Schlüssel-€-geheim", id="a secret outside of ASCII"),
        pytest.param("http://127.0.0.1:{port}0000/", VALUE, id="no port"),
        pytest.param("http://[127.0.0.1/", VALUE, id="no address"),
        pytest.param("ftp://127.0.0.1/", VALUE, id="no HTTP"),
    ],
)
def test_what_cannot_be_sent_was_not_sent_and_is_not_quoted(
    wire: Wire, transport: Transport, url: str, value: str
) -> None:
    got: list[bytes] = []
    with listening(answering(status(200), got=got)) as port, pytest.raises(ProviderError) as caught:
        wire.request("POST", url.format(port=port), write=True, bearer=transport.sealer.secret(value))

    assert [] == got
    assert value not in f"{caught.value}{caught.value.__dict__}"
    assert "Injected" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [pytest.param("<html>", id="a page"), pytest.param("[" * 100_000, id="a very deep answer")]
)
def test_an_accepted_write_whose_answer_is_no_json_has_an_unknown_outcome(wire: Wire, body: str) -> None:
    """Told as unavailable it would be sent again, and a second key would be made."""
    with listening(answering(status(201, body=body))) as port:
        written = wire.request("POST", f"http://127.0.0.1:{port}/", write=True)
        was_read = wire.request("GET", f"http://127.0.0.1:{port}/", write=False)

    with pytest.raises(OutcomeUnknown):
        written.json()
    with pytest.raises(Unavailable):
        was_read.json()


def test_no_cookie_is_kept_so_that_one_credential_opens_no_door_for_another(wire: Wire) -> None:
    got: list[bytes] = []
    with listening(answering(status(200, "Set-Cookie: session=of-the-good-one; Path=/"), got=got)) as port:
        for _ in range(2):
            wire.request("GET", f"http://127.0.0.1:{port}/", write=False)

    assert 2 == len(got)
    assert b"of-the-good-one" not in got[1]


def test_a_redirect_is_never_followed(wire: Wire, secret: Secret) -> None:
    got: list[bytes] = []
    with listening(answering(status(200), got=got)) as elsewhere:
        talk = answering(status(302, f"Location: http://127.0.0.1:{elsewhere}/"))
        with listening(talk) as port, pytest.raises(ProviderError):
            wire.request("GET", f"http://127.0.0.1:{port}/", write=False, bearer=secret)

    assert [] == got


def test_the_secret_is_revealed_at_the_send_in_header_and_body(wire: Wire, secret: Secret) -> None:
    got: list[bytes] = []
    with listening(answering(status(200), got=got)) as port:
        url = f"http://127.0.0.1:{port}/"
        wire.request(
            "POST",
            url,
            write=True,
            bearer=secret,
            headers={"x-key": secret},
            body={"deep": [{"value": secret}]},
        )

    sent = b"".join(got).decode()
    assert f"authorization: Bearer {VALUE}" in sent.replace("Authorization", "authorization")
    assert f"x-key: {VALUE}" in sent
    assert f'{{"deep":[{{"value":"{VALUE}"}}]}}' in sent


IN_FIVE_MINUTES = "in five minutes"


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        pytest.param("7", 7, 7, id="seconds"),
        pytest.param("0.5", 0.5, 0.5, id="parts of a second"),
        pytest.param(IN_FIVE_MINUTES, 200, 301, id="a date"),
        pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0, id="a date that is over"),
        pytest.param("-5", 0, 0, id="before now"),
        pytest.param("99999999999999999999", 600, 600, id="longer than anybody waits"),
        pytest.param("nan", None, None, id="not a number"),
        pytest.param("inf", None, None, id="for ever"),
        pytest.param("soon", None, None, id="a word"),
    ],
)
def test_retry_after_is_understood_and_bounded(
    wire: Wire, header: str, least: float | None, most: float | None
) -> None:
    if header == IN_FIVE_MINUTES:
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    with (
        listening(answering(status(429, f"Retry-After: {header}"))) as port,
        pytest.raises(Unavailable) as caught,
    ):
        wire.request("GET", f"http://127.0.0.1:{port}/", write=False)

    if least is None or most is None:
        assert caught.value.retry_after is None
    else:
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after <= most


def test_without_a_permit_nothing_is_written(transport: Transport) -> None:
    got: list[bytes] = []
    with listening(answering(status(200), got=got)) as port, pytest.raises(PermitExpired):
        transport.wire("run-1", "step").request("POST", f"http://127.0.0.1:{port}/", write=True)

    assert [] == got


def test_a_permit_that_ran_out_while_connecting_sends_nothing(transport: Transport) -> None:
    """The permit is judged when the connection stands, not when somebody began to look for one."""
    got: list[bytes] = []
    wire = transport.wire("run-1", "step", Permit(monotonic() + 0.2))
    with listening(answering(status(200), got=got)) as port:
        client = transport.client()
        pool = client._transport._pool  # type: ignore[attr-defined]
        backend = pool._network_backend

        class Slow:
            def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
                time.sleep(0.3)
                return backend.connect_tcp(*args, **kwargs)

        pool._network_backend = Slow()
        with pytest.raises(PermitExpired):
            wire.request("POST", f"http://127.0.0.1:{port}/", write=True)

    assert [] == got


def test_a_permit_that_runs_out_between_two_writes_leaves_the_outcome_unknown(transport: Transport) -> None:
    wire = transport.wire("run-1", "step", Permit(monotonic() + 0.2))
    with listening(answering(status(200))) as port:
        url = f"http://127.0.0.1:{port}/"
        wire.request("POST", url, write=True)
        time.sleep(0.25)
        with pytest.raises(OutcomeUnknown, match="in the middle of a change"):
            wire.request("POST", url, write=True)

    assert wire.changed


def test_a_wire_knows_whether_it_changed_anything(wire: Wire) -> None:
    with listening(answering(status(404), status(200))) as port:
        url = f"http://127.0.0.1:{port}/"
        wire.request("POST", url, write=True, expect=frozenset({404}))
        assert not wire.changed
        wire.request("GET", url, write=False)
        assert not wire.changed
        wire.request("POST", url, write=True)
        assert wire.changed


def test_a_permit_is_counted_from_before_the_intent() -> None:
    assert Permit.starting_now().until == pytest.approx(monotonic() + PERMIT_SECONDS, abs=0.1)


# Mail -----------------------------------------------------------------------------------------------------------------


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@a.example", "b@b.example", "Hello"
    message.set_content("one\n")
    return message


def mail(stage: str, answer: bytes | None, got: list[bytes]) -> Callable[[socket.socket], None]:
    """Talk SMTP, and misbehave at one stage: with another answer, or, for None, by hanging up."""

    def say(connection: socket.socket, at: str, usual: bytes) -> bool:
        words = answer if at == stage else usual
        if words is not None:
            connection.sendall(words)
        return words is not None

    def talk(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        if not say(connection, "greeting", b"220 hello\r\n"):
            return
        for line in lines:
            verb = line[:4].upper().strip().decode()
            if not say(connection, verb, b"354 go on\r\n" if verb == "DATA" else b"250 ok\r\n"):
                return
            if verb == "DATA" and stage != "DATA":
                while (part := lines.readline()) not in {b".\r\n", b""}:
                    got.append(part)
                if not say(connection, "end", b"250 taken\r\n"):
                    return

    return talk


@pytest.mark.parametrize(
    ("stage", "answer", "error"),
    [
        pytest.param("greeting", b"554 no\r\n", Denied, id="refused at the door"),
        pytest.param("greeting", b"421 busy\r\n", Unavailable, id="busy at the door"),
        pytest.param("greeting", None, Unavailable, id="hangs up at the door"),
        pytest.param("MAIL", b"550 no\r\n", Denied, id="sender refused"),
        pytest.param("MAIL", b"what?\r\n", Unavailable, id="no reply to the sender at all"),
        pytest.param("MAIL", None, Unavailable, id="hangs up at the sender"),
        pytest.param("RCPT", b"450 later\r\n", Unavailable, id="recipient later"),
        pytest.param("RCPT", b"550 unknown\r\n", Denied, id="recipient refused"),
        pytest.param("DATA", b"451 later\r\n", Unavailable, id="data later"),
        pytest.param("end", b"451 later\r\n", Unavailable, id="said to be not taken for now"),
        pytest.param("end", b"554 spam\r\n", Denied, id="said to be not taken"),
        pytest.param("end", None, OutcomeUnknown, id="hangs up after the data"),
        pytest.param("end", b"what?\r\n", OutcomeUnknown, id="no reply after the data"),
        pytest.param("end", b"354 go on\r\n", OutcomeUnknown, id="a reply that makes no sense after the data"),
    ],
)  # fmt: skip
def test_each_stage_of_a_mail(wire: Wire, stage: str, answer: bytes | None, error: type[Exception]) -> None:
    with listening(mail(stage, answer, [])) as port, pytest.raises(ResponderError) as caught:
        wire.send_mail("127.0.0.1", port, letter(), tls="none")

    assert error is type(caught.value)
    assert not wire.changed
    assert "spam" not in str(caught.value)


def test_a_mail_is_not_handed_over_once_the_permit_ran_out(transport: Transport) -> None:
    got: list[bytes] = []

    def slow(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            lines = connection.makefile("rb")
            connection.sendall(b"220 hello\r\n")
            for line in lines:
                if line.upper().startswith(b"RCPT"):
                    time.sleep(0.3)
                if line.upper().startswith(b"DATA"):
                    got.append(line)
                connection.sendall(b"250 ok\r\n")

    with listening(slow) as port, pytest.raises(PermitExpired):
        transport.wire("run-1", "step", Permit(monotonic() + 0.2)).send_mail("127.0.0.1", port, letter(), tls="none")

    assert [] == got


def test_mail_leaves_the_machine_with_tls_only(wire: Wire) -> None:
    with listening(mail("", None, [])) as port, pytest.raises(Unavailable):  # the server offers no STARTTLS
        wire.send_mail("127.0.0.1", port, letter())
    with pytest.raises(Denied, match="on loopback only"):
        wire.send_mail("mail.example", port, letter(), tls="none")


def test_all_requests_of_a_try_share_its_timeout(transport: Transport) -> None:
    wire = transport.wire("run-1", "step", seconds=0.3)
    with listening(answering(status(200))) as port:
        url = f"http://127.0.0.1:{port}/"
        assert 200 == wire.request("GET", url, write=False).status
        time.sleep(0.35)
        with pytest.raises(Unavailable, match="timeout"):
            wire.request("GET", url, write=False)


def test_a_timeout_in_the_middle_of_a_change_leaves_the_outcome_unknown(transport: Transport) -> None:
    wire = transport.wire("run-1", "step", Permit.starting_now(), seconds=0.3)
    with listening(answering(status(200))) as port:
        url = f"http://127.0.0.1:{port}/"
        wire.request("POST", url, write=True)
        time.sleep(0.35)
        with pytest.raises(OutcomeUnknown, match="timeout"):
            wire.request("POST", url, write=True)
