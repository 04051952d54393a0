"""Faults: how they are written, and that they really happen."""

import smtplib
import time

import httpx
import pytest
from guests import Guest, Start

from responder.drill.faults import CRASH_POINTS, Fault, check_places, check_steps, parse_faults, show_fault
from responder.drill.matrix import crash_faults, lost_answers
from responder.drill.stage import scene_of
from responder.errors import InputError, PlaybookError
from responder.library import Library


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("latency:hub=200ms", Fault("latency", "hub", 0.2)),
        ("latency:all=1.5s", Fault("latency", "all", 1.5)),
        ("429:slack", Fault("429", "slack", 3)),
        ("500:issuer=2", Fault("500", "issuer", 2)),
        ("lost-answer:issue", Fault("lost-answer", "issue", 1)),
        ("lost-answer:issue[h-001]=2", Fault("lost-answer", "issue[h-001]", 2)),
        ("lost-answer:notify[a=b:c]", Fault("lost-answer", "notify[a=b:c]", 1)),
        ("slow-propagation", Fault("slow-propagation", "issuer", 90)),
        ("slow-propagation=120", Fault("slow-propagation", "issuer", 120)),
        ("slow-propagation:issuer=45", Fault("slow-propagation", "issuer", 45)),
        ("down:mail=5", Fault("down", "mail", 5)),
        ("slack-down", Fault("slack-down", "slack", 0.0)),
        ("crash:disable:after-apply", Fault("crash", "disable", "after-apply")),
        ("crash:issue[h-001]:before-apply", Fault("crash", "issue[h-001]", "before-apply")),
    ],
)
def test_a_fault_is_read_and_shown(text: str, fault: Fault) -> None:
    assert parse_faults([text]) == (fault,)
    assert parse_faults([show_fault(fault)]) == (fault,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latncy:hub=1s", "did you mean latency"),
        ("latency:MOON=1s", "a system of the drill"),
        ("latency:hub", "a time such as 200ms"),
        ("latency:hub=99s", "at most 10s"),
        ("429:hub=0", "whole number from 1"),
        ("429:hub=²", "whole number from 1"),
        ("lost-answer", "a step, such as"),
        ("down:hub", "a time such as"),
        ("slack-down:hub", "no place and no value"),
        ("slow-propagation:edge", "only the issuer"),
        ("crash:disable", "crash:STEP:POINT"),
        ("crash:disable:sometimes", "before-apply, after-apply, after-record"),
        ("stop:disable:after-aply", "did you mean after-apply?"),
        ("", "known: latency"),
    ],
)
def test_a_wrong_fault_is_named_with_its_remedy(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_faults([text])

    assert said in str(refused.value)


def test_a_place_that_the_world_does_not_have_is_named() -> None:
    with pytest.raises(InputError) as refused:
        check_places(parse_faults(["latency:moon=1s", "down:all=5s", "429:hub"]), {"hub", "edge"})

    assert "no system 'moon'" in str(refused.value)
    assert "known: edge, hub, all" in refused.value.problems[0].remedy
    assert len(refused.value.problems) == 1


STEPS = ["look", "contain", "contain/end", "contain/late/end", "kill", "kill-late"]


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        pytest.param("kil", "did you mean kill?", id="spelled wrong"),
        pytest.param("kill-lat", "did you mean kill-late or kill?", id="like two"),
        pytest.param("end", "did you mean contain/end or contain/late/end?", id="inside sub-playbooks"),
        pytest.param("late/end", "did you mean contain/end or contain/late/end?", id="one parent left out"),
        pytest.param("kil[a]", "did you mean kill?", id="an item of none"),
        pytest.param("zebra", f"known: {', '.join(STEPS)}", id="like none"),
    ],
)
@pytest.mark.parametrize(
    "form", ["lost-answer:{}", "stop:{}:after-apply", *(f"crash:{{}}:{at}" for at in CRASH_POINTS)]
)
def test_a_step_that_there_is_not_is_named_with_the_nearest(form: str, place: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        check_steps(parse_faults([form.format(place), "crash:look:after-apply", "429:kil"]), STEPS)

    [problem] = refused.value.problems
    assert f"the playbook has no step {place.partition('[')[0]!r}" == problem.what
    assert problem.where.startswith(form.format(place))
    assert remedy == problem.remedy


@pytest.mark.parametrize("place", ["kill", "contain/late/end", "kill[h-001]", "contain/end[a/b=c]"])
def test_steps_inside_sub_playbooks_and_items_of_any_step_can_be_struck(place: str) -> None:
    check_steps(parse_faults([f"crash:{place}:before-apply", f"lost-answer:{place}=2"]), STEPS)


@pytest.mark.parametrize("name", ["shared-access-token-public", "huggingface-token"])
def test_the_founding_case_can_be_struck_in_the_run_that_it_opens_too(name: str) -> None:
    opened = Library(None).load(name)

    faults = (*crash_faults(opened), *crash_faults(opened, "stop"), *lost_answers(opened))

    assert "shared-access-token-public" == scene_of("shared-access-token-public", faults).playbook


def test_a_playbook_that_opens_no_run_cannot_be_struck_in_one() -> None:
    with pytest.raises(InputError, match=r"no step 'contain/end' \(did you mean end or late/end\?\)"):
        scene_of("leaked-credential", ("crash:contain/end:after-apply",))


@pytest.mark.parametrize("faults", [(), ("crash:kill:after-apply",)], ids=["without faults", "before its steps"])
def test_a_playbook_that_there_is_not_is_named_before_there_is_a_folder(faults: tuple[str, ...]) -> None:
    with pytest.raises(PlaybookError, match="no playbook 'github-tokn'"):
        scene_of("github-tokn", faults)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as refused:
        parse_faults(["latency:hub", "slack-down", "nothing"])

    assert len(refused.value.problems) == 2


def happened(guest: Guest) -> dict[str, bool]:
    return {each["text"]: each["happened"] for each in guest.ask("control", "GET", "/faults").json()["faults"]}


@pytest.mark.parametrize(("fault", "status"), [("429:issuer=2", 429), ("500:issuer=2", 500)])
def test_the_first_requests_are_turned_away(start: Start, fault: str, status: int) -> None:
    guest = start(fault)
    assert happened(guest) == {fault: False}
    answers = [guest.key("k", "somebody", "value") for _ in range(3)]

    assert [line["status"] for line in guest.ledger()] == [status, status, 201]
    assert "id" in answers[2]
    assert len(guest.effects("key_issued")) == 1
    assert happened(guest) == {fault: True}


def test_too_many_requests_say_when_to_try_again(start: Start) -> None:
    guest = start("429:slack=1", "429:hub=1")

    for answer in (
        guest.ask("slack", "POST", "/api/auth.test", "slack-bot"),
        guest.ask("hub", "GET", "/api/x"),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_faults_do_not_strike_the_worlds_own_people(start: Start) -> None:
    guest = start("429:edge=1", "latency:edge=9s", "down:edge=600")

    assert guest.ask("edge", "GET", "/v1/me", "shared-token", actor="public").status_code == 200


def test_latency_is_real_and_only_where_it_was_put(start: Start) -> None:
    guest = start("latency:vault=900ms")

    def took(system: str, path: str) -> float:
        began = time.monotonic()
        guest.ask(system, "GET", path)
        return time.monotonic() - began

    assert took("vault", "/v1/whoami") > 0.9
    assert took("hub", "/api/whoami-v2") < 0.9


def test_a_lost_answer_took_effect(start: Start) -> None:
    guest = start("lost-answer:issue")
    body = {"name": "early", "owner": "h-001", "delivery": "value", "scopes": []}

    with pytest.raises(httpx.TransportError):
        guest.ask("issuer", "POST", "/admin/v1/keys", "issuer-admin", body=body, step="issue[h-001]")
    assert len(guest.ask("issuer", "GET", "/admin/v1/keys?name=early", "issuer-admin").json()["keys"]) == 1
    second = guest.ask("issuer", "POST", "/admin/v1/keys", "issuer-admin", body=body, step="issue[h-002]")
    assert second.status_code == 201
    lost = guest.ledger()[0]
    assert (lost["outcome"], lost["status"], lost["step"]) == ("lost", 201, "issue[h-001]")
    assert happened(guest) == {"lost-answer:issue=1": True}


def test_a_lost_answer_concerns_the_writes_of_its_step_alone(start: Start) -> None:
    guest = start("lost-answer:issue[h-002]")
    body = {"name": "early", "owner": "h-001", "delivery": "value", "scopes": []}

    assert guest.ask("issuer", "GET", "/admin/v1/whoami", "issuer-admin", step="issue[h-002]").status_code == 200
    made = guest.ask("issuer", "POST", "/admin/v1/keys", "issuer-admin", body=body, step="issue[h-001]")
    assert made.status_code == 201
    assert guest.ask("issuer", "POST", "/admin/v1/keys", "issuer-admin", step="issue[h-002]").status_code == 400
    with pytest.raises(httpx.TransportError):
        guest.ask("issuer", "POST", "/admin/v1/keys", "issuer-admin", body=body, step="issue[h-002]")


LETTER = "Message-ID: <1@x>\r\nX-Responder-Step: run-1; notify[h-001]\r\n\r\nHello\r\n"


def smtp_of(guest: Guest) -> smtplib.SMTP:
    smtp = smtplib.SMTP("127.0.0.1", guest.world.mail.door.port, timeout=5)
    smtp.login("responder@lumen.example", guest.value("smtp-password"))
    return smtp


def test_the_answer_to_a_mail_is_lost_after_it_was_taken(start: Start) -> None:
    guest = start("lost-answer:notify")
    with smtp_of(guest) as smtp, pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)
    with smtp_of(guest) as smtp:
        smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)

    lines = [line for line in guest.ledger() if line["path"] == "DATA"]
    assert [line["outcome"] for line in lines] == ["lost", "served"]
    assert len(guest.world.mail.kept) == 2


def test_mail_is_turned_away_before_it_is_taken(start: Start) -> None:
    guest = start("429:mail=1")
    with smtp_of(guest) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)
        smtp.sendmail("r@lumen.example", ["h001@early.example"], LETTER)

    assert refused.value.smtp_code == 450
    assert len(guest.world.mail.kept) == 1


def test_a_slow_issuer_accepts_an_ended_key_for_far_longer_than_promised(start: Start) -> None:
    guest = start("slow-propagation=100")
    guest.admin("POST", f"{guest.world.ground.inventory.shared_key_id}/disable")
    guest.clock.move(100)

    assert (guest.me("issuer").status_code, guest.me("edge").status_code) == (200, 200)
    guest.clock.move(31)
    assert (guest.me("issuer").status_code, guest.me("edge").status_code) == (401, 401)
    assert list(happened(guest).values()) == [True]


def test_a_system_that_is_down_refuses_connections_and_comes_back(start: Start) -> None:
    guest = start("down:vault=30", speed=60)
    with pytest.raises(httpx.TransportError):
        guest.ask("vault", "GET", "/v1/whoami", "vault-token")
    with pytest.raises(httpx.ConnectError):
        guest.ask("vault", "GET", "/v1/whoami", "vault-token")
    assert guest.ask("hub", "GET", "/api/whoami-v2", "hub-admin").status_code == 200
    time.sleep(0.6)

    assert guest.ask("vault", "GET", "/v1/whoami", "vault-token").status_code == 200
    assert [line["outcome"] for line in guest.ledger() if line["system"] == "vault"] == ["down", "served"]


def test_mail_that_is_down_says_nothing_and_comes_back(start: Start) -> None:
    guest = start("down:mail=30", speed=60)
    with pytest.raises((smtplib.SMTPException, OSError)):
        smtp_of(guest)
    time.sleep(0.6)

    with smtp_of(guest) as smtp:
        assert smtp.noop()[0] == 250


def test_slack_can_be_down_for_the_whole_drill(start: Start) -> None:
    guest = start("slack-down", speed=1000)
    with pytest.raises(httpx.TransportError):
        guest.slack("auth.test")
    time.sleep(0.2)

    with pytest.raises(httpx.ConnectError):
        guest.slack("auth.test")
    assert happened(guest) == {"slack-down": True}
