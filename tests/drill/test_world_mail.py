"""The mail sink, by way of smtplib."""

import hashlib
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from guests import Guest, Start

LETTER = (
    "Message-ID: <run-1.notify.h-001@lumen.example>\r\nFrom: r@lumen.example\r\nTo: h001@early.example\r\n"
    "Subject: Your access\r\nX-Responder-Template: contributor-notice\r\n"
    "X-Responder-Step: run-1; notify[h-001]\r\n"
    "\r\nDear Ada,\r\n.a line with a dot\r\n"
)


@pytest.fixture
def guest(start: Start) -> Guest:
    return start()


@pytest.fixture
def smtp(guest: Guest) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", guest.world.mail.door.port, timeout=5) as client:
        yield client


def test_several_messages_on_one_connection_are_kept(guest: Guest, smtp: smtplib.SMTP) -> None:
    smtp.login("responder@lumen.example", guest.value("smtp-password"))
    for recipient in ("h001@early.example", "h002@early.example"):
        smtp.sendmail("r@lumen.example", [recipient], LETTER)

    kept = guest.ask("control", "GET", "/mail?template=contributor-notice").json()["mail"]
    assert [mail["to"] for mail in kept] == ["h001@early.example", "h002@early.example"]
    assert ".a line with a dot" in kept[0]["body"]
    assert kept[0]["headers"]["Subject"] == "Your access"


def test_the_ledger_keeps_the_digest_and_not_the_body(guest: Guest, smtp: smtplib.SMTP) -> None:
    smtp.login("responder@lumen.example", guest.value("smtp-password"))
    smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)
    line = guest.ledger()[-1]
    body = guest.world.mail.kept[0].body

    assert (line["run"], line["step"], line["write"]) == ("run-1", "notify[h-001]", True)
    assert line["effect"]["key"] == "<run-1.notify.h-001@lumen.example>"
    assert line["effect"]["subject"] == "h001@early.example"
    assert line["effect"]["body_sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert "Dear Ada" not in str(line)


def test_each_recipient_is_an_effect(guest: Guest, smtp: smtplib.SMTP) -> None:
    smtp.login("responder@lumen.example", guest.value("smtp-password"))
    smtp.sendmail("r@lumen.example", ["a@x.example", "b@x.example"], LETTER)

    assert [effect["subject"] for effect in guest.effects("mail_sent")] == ["a@x.example", "b@x.example"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_both_ways_to_sign_in_work(guest: Guest, smtp: smtplib.SMTP, mechanism: str) -> None:
    smtp.user, smtp.password = "responder@lumen.example", guest.value("smtp-password")
    smtp.ehlo()
    ask = smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login

    assert smtp.auth(mechanism, ask)[0] == 235


def test_a_wrong_password_is_refused(guest: Guest, smtp: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        smtp.login("responder@lumen.example", "wrong")

    assert refused.value.smtp_code == 535
    assert guest.ledger()[-1]["outcome"] == "refused"


def test_nothing_is_taken_from_strangers(guest: Guest, smtp: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)

    assert refused.value.smtp_code == 530
    assert guest.world.mail.kept == []


def test_a_mail_is_found_by_message_id_and_recipient(guest: Guest, smtp: smtplib.SMTP) -> None:
    smtp.login("responder@lumen.example", guest.value("smtp-password"))
    smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)
    query = "/mail/find?message_id=%3Crun-1.notify.h-001%40lumen.example%3E&to="

    assert guest.ask("control", "GET", query + "h001@early.example").json()["subject"] == "Your access"
    assert guest.ask("control", "GET", query + "h002@early.example").status_code == 404


def test_a_value_in_a_mail_is_seen_in_any_transfer_encoding(guest: Guest, smtp: smtplib.SMTP) -> None:
    smtp.login("responder@lumen.example", guest.value("smtp-password"))
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "r@lumen.example", "h001@early.example", "x"
    message.set_content("The token is " + guest.value("shared-token"), cte="base64")
    smtp.send_message(message)

    assert guest.ledger()[-1]["carried"] == ["shared-token"]


@pytest.mark.parametrize("given", ["", " PLAIN bm8=", " PLAIN ???", " OTHER eA=="])
def test_a_sign_in_that_is_not_understood_is_told(smtp: smtplib.SMTP, given: str) -> None:
    assert smtp.docmd(f"AUTH{given}")[0] == 501
    assert smtp.docmd("TURN")[0] == 502
