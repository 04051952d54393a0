"""Mail, against a server as small as it can be."""

import email
import email.policy
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from provider_bench import bench_of

from responder.action import Verdict
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.email import PROVIDER, Options, SendMessage
from responder.testing.bench import Bench
from responder.testing.loopback import Trouble

BODY = "Liebe Ada,\n\ndein Zugang ist nicht gesperrt worden, weil du etwas falsch gemacht hast.\n\n.\nfrom us\n"
LETTER = SendMessage(
    to="ada@early.example", subject="Dein Zugang: was geschah", body=BODY, template="contributor-notice"
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("email") as made:
        yield made


def sent(bench: Bench, action: SendMessage = LETTER) -> Any:
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    return email.message_from_string(bench.live.server.taken[-1], policy=email.policy.default)


def test_a_letter_arrives_as_it_was_written(bench: Bench) -> None:
    message = sent(bench)

    assert message["Subject"] == LETTER.subject
    assert message.get_content().replace("\r\n", "\n") == BODY
    assert message["To"] == "ada@early.example"
    assert message["From"] == "ir@lumen.example"


def test_a_letter_says_which_step_sent_it_and_that_a_machine_did(bench: Bench) -> None:
    message = sent(bench)

    assert message["X-Responder-Step"] == "run-1f2e3d4c5b6a; step[item]"
    assert message["X-Responder-Template"] == "contributor-notice"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == bench.live.clock.now()
    assert "format" not in message["Content-Type"].params


def test_every_try_of_a_step_bears_one_message_id(bench: Bench) -> None:
    marked = hashlib.sha256(b"run-1f2e3d4c5b6a/step[item]").hexdigest()[:32]

    assert sent(bench)["Message-ID"] == sent(bench)["Message-ID"] == f"<{marked}@lumen.example>"


def test_what_is_approved_changes_with_every_word(bench: Bench) -> None:
    plans = [
        action.plan(bench.client())
        for action in (
            LETTER,
            LETTER.model_copy(update={"body": BODY + "!"}),
            LETTER.model_copy(update={"subject": "Other"}),
            LETTER.model_copy(update={"to": "eve@early.example"}),
            LETTER.model_copy(update={"headers": {"Reply-To": "eve@lumen.example"}}),
        )
    ]

    assert len({plan.digest("a", "b", LETTER.effect) for plan in plans}) == len(plans)
    assert bench.live.server.taken == []


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"subject": "x\r\nBcc: eve@evil.example"}, id="subject"),
        pytest.param({"to": "a@b.example\r\nBcc: eve@evil.example"}, id="to"),
        pytest.param({"to": "a@b.example, eve@evil.example"}, id="two people"),
        pytest.param({"headers": {"X-A": "x\nBcc: eve@evil.example"}}, id="header value"),
        pytest.param({"headers": {"X-A\nBcc": "eve@evil.example"}}, id="header name"),
        pytest.param({"headers": {"Bcc": "eve@evil.example"}}, id="another recipient"),
        pytest.param({"headers": {"X-Responder-Step": "other"}}, id="our own headers"),
        pytest.param({"template": "x\ny"}, id="template"),
    ],
)
def test_nothing_can_be_slipped_into_the_head(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SendMessage(**{"to": "a@b.example", "subject": "x", "body": "x", **fields})


def test_a_letter_that_seems_to_hold_a_credential_is_not_sent(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="seems to hold a credential"):
        LETTER.model_copy(update={"body": "hf_" + "Ab" * 17}).plan(bench.client())


def test_a_lost_answer_is_unknown_and_asks_for_the_servers_log(bench: Bench) -> None:
    change = LETTER.plan(bench.client())
    bench.live.misbehave(Trouble.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown) as caught:
        LETTER.apply(bench.client(may_write=True), change)

    assert "log" in caught.value.remedy
    assert not LETTER.readback
    assert not LETTER.idempotent


def test_a_letter_that_was_taken_holds(bench: Bench) -> None:
    change = LETTER.plan(bench.client())
    outcome = LETTER.apply(bench.client(may_write=True), change)

    assert LETTER.verify(bench.client(), change) is Verdict.HOLDS
    assert outcome.facts["message_id"].endswith("@lumen.example>")


def test_who_we_are_is_what_the_login_shows(bench: Bench) -> None:
    assert PROVIDER.identify(bench.client()).account == "mail"

    bench.live.misbehave(Trouble.DENIED)
    error = bench.failing(Denied, lambda: PROVIDER.identify(bench.client()))
    assert "allowed to send" in error.remedy


def test_a_server_that_is_away_says_nothing_about_us(bench: Bench) -> None:
    away = {**bench.live.connection.options, "port": 9}
    bench.live.connection = bench.live.connection.model_copy(update=away)
    bench.live.connection = type(bench.live.connection).model_validate(
        {"name": "email", "provider": "email", "secret": "env:OURS", **away}
    )
    bench.failing(Unavailable, lambda: PROVIDER.identify(bench.client()))


def test_mail_in_clear_stays_on_loopback(bench: Bench) -> None:
    options = {**bench.live.connection.options, "host": "mail.lumen.example"}
    bench.live.connection = type(bench.live.connection).model_validate(
        {"name": "email", "provider": "email", "secret": "env:OURS", **options}
    )
    bench.failing(Denied, lambda: PROVIDER.identify(bench.client()))


@pytest.mark.parametrize("sender", ["nobody", "a@b@c", "a@b\nX: y", "ü@b.example"])
def test_a_sender_is_an_address(sender: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        Options(host="mail.example", sender=sender)
