"""Slack in trouble, and we in trouble: nothing is lost, nothing comes twice, and the order is kept."""

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import leaked_value
from town import COMMAND, KILL, TWO, Build, Town, until, values_of
from websockets.exceptions import ConnectionClosed

from responder.cli.slack import _until
from responder.drill.world.slack import Person
from responder.drill.world.slack.limits import TIERS
from responder.errors import RecordError, RequestError, SettingsError
from responder.lines import Lines
from responder.slack.blocks import safe
from responder.slack.reception import Reception
from responder.slack.sockets import Socket

MANY = "".join(
    f"  - {{id: s{number}, phase: analysis, action: clockwork.nothing"
    + (f", needs: [s{number - 1}]" if number else "")
    + "}\n"
    for number in range(12)
)


def posts(town: Town, channel: str) -> list[dict[str, Any]]:
    """Return what the app posted in a channel and in its threads."""
    messages = [one for one in town.person("ines").messages(channel) if not one.get("is_ephemeral")]
    return [each for one in messages for each in (town.person("ines").messages(channel, thread_ts=one["ts"]) or [one])]


def lines(town: Town, channel: str) -> list[str]:
    """Return what the thread of the card has told, line by line."""
    told = [one["text"] for one in posts(town, channel) if one.get("thread_ts") and one["thread_ts"] != one["ts"]]
    return [line for text in told for line in text.splitlines()]


def expected(town: Town, reception: Reception) -> list[str]:
    """Return what the thread should have told, from the record alone."""
    state = town.state(reception)
    lines_of = Lines(state.run)
    return [safe(line) for entry in town.entries(reception) for line in lines_of.of([entry], state)]


def ended(town: Town, reception: Reception, channel: str) -> None:
    until(lambda: town.state(reception).state == "ended")
    until(lambda: any("the run has ended" in line for line in lines(town, channel)))


def test_a_listener_that_starts_anew_goes_on_where_the_one_before_was(town: Town) -> None:
    town.playbook(MANY + KILL.replace("action:", "needs: [s11], action:"))
    with town.listening():
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        ines = town.person("ines")
        ines.click("answer:accept", channel=channel, ts=ts)
        town.form(ines, "Approve")

    with town.listening() as reception:
        assert ines.submit().ok  # the modal was opened by a process that is gone
        town.form(ines, "Recorded")
        ended(town, reception, channel)

        texts = Counter(one["text"] for one in posts(town, channel))
        assert [] == [text for text, count in texts.items() if count > 1]
        assert expected(town, reception) == lines(town, channel)


@pytest.mark.parametrize("port", [0, 99999])
def test_where_nobody_can_listen_it_says_so(build: Build, port: int) -> None:
    app = build("http").opened()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        reception = Reception(app)
        with pytest.raises(RequestError, match="not possible to listen there"):
            reception.serve("127.0.0.1", port or taken.getsockname()[1])
        reception.close()
    app.close()


@pytest.mark.parametrize("name", ["app_token", "signing_secret"])
def test_what_is_missing_to_listen_is_what_is_told(build: Build, name: str) -> None:
    town = build()
    settings = town.place / "responder.yaml"
    settings.write_text(re.sub(rf', {name}: "env:\w+"', "", settings.read_text()))
    app = town.opened()
    reception = Reception(app)
    with pytest.raises(SettingsError, match=f"slack.{name}: .* is not named"):
        reception.listen() if name == "app_token" else reception.serve("127.0.0.1", 0)
    reception.close()
    app.close()


def test_buttons_work_after_a_connection_was_replaced(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        town.slack.courier.board.disconnect("refresh_requested", town.slack.courier.board.open[0].number)

        assert "Recorded" == town.answered("ines", channel, ts)
        ended(town, reception, channel)


def test_a_click_that_comes_on_a_connection_just_made_is_taken(build: Build) -> None:
    town = build("socket")
    with town.listening():
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        board = town.slack.courier.board
        staying, going = (each.number for each in board.open)
        board.disconnect("refresh_requested", going)
        until(lambda: len(board.open) >= 2)
        clicks = [town.person(name).click("answer:accept", channel=channel, ts=ts) for name in ("ines", "leo")]

        used = {one.connection for one in town.slack.diary.deliveries(kind="interactive")[-2:]}
        assert [True, True] == [click.ok for click in clicks]
        assert {staying, max(each.number for each in board.open)} == used


def test_connections_that_break_off_without_a_farewell_are_made_anew(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        board = town.slack.courier.board
        assert 2 == board.drop()
        until(lambda: len(board.open) >= 2)

        assert "Recorded" == town.answered("ines", channel, ts)
        ended(town, reception, channel)


def test_whoever_listens_is_told_that_slack_refuses_the_app_token_and_when_it_takes_it_again(build: Build) -> None:
    town, told, stopping = build("socket"), list[str](), threading.Event()
    call: Any = SimpleNamespace(say=told.append)
    with town.listening() as reception, ThreadPoolExecutor() as pool:
        pool.submit(_until, stopping, call, reception)
        try:
            town.slack.app.app_scopes = frozenset()
            town.slack.courier.board.drop()
            until(lambda: told)
            town.slack.app.app_scopes = frozenset({"connections:write"})
            until(lambda: len(told) == 2)
        finally:
            stopping.set()

    assert told[0].startswith("Nobody at Slack is heard: apps.connections.open: missing_scope. ")
    assert "Slack is heard again." == told[1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecordError("The record cannot be read or written: disk I/O error"), "disk I/O error"),
        (RuntimeError("can't start new thread"), "RuntimeError"),
    ],
)
def test_whoever_listens_is_told_that_no_run_goes_on_and_when_they_do_again(
    build: Build, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """A run that nobody can look at or take further stands still, and the terminal was silent."""
    monkeypatch.setattr("responder.tending._AGAIN_SECONDS", 0.1)
    town, told, stopping = build("socket"), list[str](), threading.Event()
    call: Any = SimpleNamespace(say=told.append)

    def fails() -> None:
        raise error

    with town.listening() as reception, ThreadPoolExecutor() as pool:
        pool.submit(_until, stopping, call, reception)
        try:
            with monkeypatch.context() as trouble:
                trouble.setattr(reception.tender, "look", fails)
                until(lambda: told)
            until(lambda: len(told) == 2)
        finally:
            stopping.set()

    assert told[0].startswith("A run does not go on here, and is tried again: ")
    assert said in told[0]
    assert "Runs go on again." == told[1]


def test_a_run_that_meets_a_defect_rests_and_whoever_listens_is_told(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = build("socket")

    def fails(run: str) -> None:
        raise KeyError(leaked_value())

    with town.listening() as reception, ThreadPoolExecutor() as pool:
        monkeypatch.setattr(reception.tender._dispatcher, "advance", fails)
        turn = pool.submit(reception.tender._advance, "run-1")
        until(lambda: reception.tender.trouble)
        time.sleep(0.5)
        assert not turn.done()

    assert "a defect in responder: KeyError" == reception.tender.trouble


def test_an_acknowledgement_whose_connection_ended_goes_over_another(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        ended: list[int] = []

        def heard() -> int:
            held = list(reception._sockets._open)  # type: ignore[union-attr]
            return sum(each._connection is not None and not each.done.is_set() for each in held)

        def end(next_: Callable[[], Any]) -> Any:
            if not ended:
                ended.append(town.slack.courier.board.drop(town.slack.diary.deliveries()[-1].connection))
                until(lambda: heard() < 2)
            return next_()

        until(lambda: heard() == 2)

        reception.listener.bolt.use(end)

        assert town.person("ines").command(COMMAND, "status").ok
        assert [1] == ended


def test_what_cannot_be_sent_yet_is_not_taken_for_sent() -> None:
    socket = Socket("ws://127.0.0.1:9/", None, lambda socket, message: None)

    with pytest.raises(ConnectionClosed):
        socket.send_message("{}")


def test_stopping_while_something_arrives_is_no_error(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    town = build("socket")
    with ThreadPoolExecutor() as pool:

        def go_on(person: Person) -> None:
            while person.command(COMMAND, "status").ok:
                pass

        with town.listening():
            going_on = [pool.submit(go_on, town.person(name)) for name in ("ines", "leo", "ruth")]
            until(lambda: len(town.slack.diary.deliveries(outcome="acknowledged")) > len(going_on))
        wait(going_on)

    listening = ("responder.slack.sockets", "slack_bolt", "slack_sdk", "websockets")
    assert [] == [one.getMessage() for one in caplog.records if one.name.startswith(listening)]


def test_a_storm_of_too_many_requests_loses_and_doubles_nothing(town: Town) -> None:
    town.playbook(MANY + KILL)
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        town.slack.storm(4)
        reception.desk.speaking_for("ines").approve(town.state(reception).run, "kill")
        ended(town, reception, channel)

        assert expected(town, reception) == lines(town, channel)
        until(lambda: "agreed by ines" in next(one["text"] for one in posts(town, channel) if one["ts"] == ts))


def test_a_channel_that_takes_a_message_a_second_is_not_flooded_and_questions_go_first(town: Town) -> None:
    town.slack.limits.messages = True
    town.playbook(MANY + KILL)
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        town.answered("ines", channel, ts)
        ended(town, reception, channel)

        refused = [one for one in town.slack.diary.sent(kind="call") if one.outcome == "ratelimited"]
        assert len(refused) <= 3
        assert expected(town, reception) == lines(town, channel)


def test_what_people_wait_for_does_not_wait_for_what_slack_limits(town: Town) -> None:
    town.playbook(MANY + KILL)
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        until(lambda: town.person("ines").pins(channel))
        town.slack.limits.tiers = {3: 1}  # an edit a minute, and as many looks into the channel
        desk = reception.desk.speaking_for("ines")
        desk.set(town.state(reception).run, "severity", "P3")
        until(lambda: "P3" in json.dumps(town.person("ines").pins(channel)))
        desk.set(town.state(reception).run, "severity", "P2")
        until(lambda: reception.speaker._limits["chat.update "].left)
        reception.desk.update(town.entries(reception)[0].incident, "all is well", "ines")
        until(lambda: "all is well" in town.text_of("ines", channel))
        desk.approve(town.state(reception).run, "kill")
        ended(town, reception, channel)
        town.slack.limits.tiers = {}
        reception.speaker._limits.clear()
        until(lambda: "agreed by ines" in next(one["text"] for one in posts(town, channel) if one["ts"] == ts))

        looks = town.slack.diary.sent(kind="call", name="conversations.history")
        assert [] == [one for one in looks if one.outcome == "ratelimited"]


def test_a_card_that_changes_all_the_time_leaves_most_edits_to_questions(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        run, began = town.state(reception).run, time.monotonic()
        while time.monotonic() - began < 5:
            reception.desk.speaking_for("ines").set(run, "severity", f"P{1 + int(time.monotonic() * 5) % 4}")
            time.sleep(0.1)

        edits = len(town.slack.diary.sent(kind="call", name="chat.update"))
        assert 1 <= edits <= 5 * TIERS[3] * 0.7 / 60 + 1


def test_a_channel_that_somebody_archives_keeps_no_other_waiting(town: Town) -> None:
    with town.listening() as reception:
        archived = town.begun()
        town.asked("ines", archived, "kill")
        town.slack.channels[archived].archived = True
        reception.desk.speaking_for("ruth").note(town.state(reception).run, "this channel is gone")
        until(lambda: "is_archived" in reception.keeper.trouble)

        channel = town.begun(finding=json.dumps({"connection": "cw", "key_id": "k2"}), beside=archived)
        town.answered("ines", channel, town.asked("ines", channel, "kill"))
        ended(town, reception, channel)

        town.slack.channels[archived].archived = False
        until(lambda: not reception.keeper.trouble)
        assert "this channel is gone" in town.text_of("ines", archived)


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_an_hour_without_slack_the_run_goes_on_people_are_asked_by_mail_and_slack_catches_up(
    build: Build, mode: str
) -> None:
    town = build(mode, speed=600.0)
    town.playbook(MANY + KILL.replace("action:", "needs: [s11], action:").replace("within: 1h", "within: 1d"))
    with town.listening(call_after=0.5) as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        began = town.guest.clock.now()
        town.slack.go_down(3600)
        reception.desk.speaking_for("ruth").note(town.state(reception).run, "the chat is away")
        until(lambda: reception.keeper.trouble)

        def mails() -> list[str]:
            return [mail.to for mail in town.guest.world.mail.kept if "approval of kill" in mail.subject]

        until(lambda: len(mails()) >= 2)
        reception.desk.speaking_for("ines").approve(town.state(reception).run, "kill")  # in a terminal
        until(lambda: town.state(reception).state == "ended")
        until(lambda: not reception.keeper.trouble)
        ended(town, reception, channel)

        assert town.guest.clock.now() - began >= timedelta(hours=1)
        assert ["ines@lumen.example", "leo@lumen.example"] == sorted(mails())
        assert any("the chat is away" in line for line in lines(town, channel))
        assert expected(town, reception) == lines(town, channel)


def test_a_message_whose_answer_was_lost_comes_once(town: Town) -> None:
    with town.listening() as reception:
        lost: list[str] = []
        call = reception.speaker.client.api_call

        def losing(method: str, **parts: Any) -> Any:
            answer = call(method, **parts)
            if method == "chat.postMessage" and len(lost) < 3:
                lost.append(method)
                raise TimeoutError
            return answer

        reception.speaker.client.api_call = losing  # type: ignore[method-assign] - an answer that never comes
        channel = town.begun()
        town.answered("ines", channel, town.asked("ines", channel, "kill"))
        ended(town, reception, channel)

        # The question, the card, and the first news, which may be the last ones, too: what is not known is looked up.
        until(lambda: len(lost) == 3 and not any(kept.is_behind for kept in reception.keeper._kept.values()))

        assert expected(town, reception) == lines(town, channel)
        texts = Counter(one["text"] for one in posts(town, channel))
        assert [] == [text for text, count in texts.items() if count > 1]


@pytest.mark.parametrize(("status", "said"), [(504, "no JSON: <html>"), (200, "internal_error")])
def test_a_message_that_was_posted_while_slack_says_that_it_is_broken_comes_once(
    town: Town, status: int, said: str
) -> None:
    with town.listening() as reception:
        broken: list[str] = []
        call = reception.speaker.client.api_call

        def breaking(method: str, **parts: Any) -> Any:
            answer = call(method, **parts)
            if method == "chat.postMessage" and len(broken) < 2:
                broken.append(method)
                answer.data, answer.status_code = {"ok": False, "error": said}, status
                answer.validate()
            return answer

        reception.speaker.client.api_call = breaking  # type: ignore[method-assign] - Slack did it, and fails then
        channel = town.begun()
        town.answered("ines", channel, town.asked("ines", channel, "kill"))
        ended(town, reception, channel)

        texts = Counter(one["text"] for one in posts(town, channel))
        assert [] == [text for text, count in texts.items() if count > 1]


def test_a_card_is_pinned_although_the_answer_to_that_was_lost(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        lost: list[str] = []
        call = reception.speaker.client.api_call

        def losing(method: str, **parts: Any) -> Any:
            if method == "pins.add" and not lost:
                lost.append(method)
                raise TimeoutError
            return call(method, **parts)

        reception.speaker.client.api_call = losing  # type: ignore[method-assign] - it is never asked
        channel = town.begun()
        until(lambda: town.person("ruth").pins(channel))

        assert ["pins.add"] == lost


def test_a_listener_that_leaves_leaves_no_button_whose_question_was_answered(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        reception.keeper.look = lambda: None  # type: ignore[method-assign] - it comes to nothing more by itself
        reception.desk.speaking_for("ines").approve(town.state(reception).run, "kill")  # in a terminal
        until(lambda: town.state(reception).state == "ended")
        told = expected(town, reception)

    assert [] == [value for message in posts(town, channel) for value in values_of(message)]
    assert told == lines(town, channel)
    assert "ended" in json.dumps(town.person("ines").pins(channel))


def test_a_listener_leaves_at_once_when_slack_is_away(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        reception.keeper.look = lambda: None  # type: ignore[method-assign] - it comes to nothing more by itself
        town.slack.go_down(3600)
        reception.desk.speaking_for("ruth").note(town.state(reception).run, "the chat is away")
        since = time.monotonic()

    assert time.monotonic() - since < 10


@pytest.mark.parametrize("wait", ["unreachable", "limited"])
def test_a_modal_shows_what_comes_of_it_although_slack_wants_to_wait(build: Build, wait: str) -> None:
    town = build("socket")
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        call = reception.speaker.client.api_call
        tried: list[str] = []

        def late(method: str, **parts: Any) -> Any:
            if method == "views.update" and not tried:
                tried.append(method)
                if wait == "unreachable":
                    raise TimeoutError
                town.slack.storm(1)
            return call(method, **parts)

        reception.speaker.client.api_call = late  # type: ignore[method-assign] - the first one does not get through

        assert "Recorded" == town.answered("ines", channel, ts)
        assert tried


def test_two_people_who_click_at_once_count_once_each(town: Town) -> None:
    town.playbook(TWO)
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        people = [town.person(name) for name in ("ines", "leo")]
        for person in people:
            person.click("answer:accept", channel=channel, ts=ts)
        for person in people:
            town.form(person, "Approve")
        for person in people:
            person.submit()
        ended(town, reception, channel)

        agreed = [entry.actor for entry in town.entries(reception) if entry.event == "agreed"]
        assert ["ines", "leo"] == sorted(agreed)


def test_our_own_token_is_the_leaked_one_nothing_is_said_at_slack(town: Town) -> None:
    settings = town.place / "responder.yaml"
    settings.write_text(settings.read_text() + "  - {id: bot, connection: chat, known_by: 'env:BOT'}\n")
    with town.listening() as reception:
        before = len(town.slack.diary.sent(name="chat.postMessage"))
        ruth = town.person("ruth")
        ruth.command("/responder")
        town.form(ruth, "Respond to a leak")
        ruth.fill("finding", town.guest.value("slack-bot"))
        ruth.fill("playbook", "p")
        ruth.submit()
        town.form(ruth, "The plan")
        ruth.submit()
        town.form(ruth, "Begun")

        def mails() -> list[str]:
            return [mail.to for mail in town.guest.world.mail.kept if "approval of kill" in mail.subject]

        until(lambda: len(mails()) >= 2)
        assert "the leaked credential is the one that we speak with" in reception.keeper.silent[0]
        reception.desk.speaking_for("ruth").set(town.state(reception).run, "checked", "chat", "looked, and was wrong")
        time.sleep(1.5)
        assert "the leaked credential is the one that we speak with" in reception.keeper.silent[0]
        assert len(town.slack.diary.sent(name="chat.postMessage")) == before
        assert not [one for one in ruth.channels() if one["name"].startswith("inc-")]
        assert town.guest.value("slack-bot") not in json.dumps([one.raw for one in town.slack.diary.sent()])
        assert town.state(reception).state == "open"


def test_whoever_is_suspect_hears_nothing_and_decides_nothing(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("leo", channel, "kill")
        reception.desk.speaking_for("ruth").set(town.state(reception).run, "suspect", "person:leo")
        leo = town.person("leo")
        leo.click("answer:accept", channel=channel, ts=ts)
        shown = until(lambda: (view := leo.view()) and "one moment" not in json.dumps(view) and view)
        if shown["title"]["text"] == "Approve":
            leo.submit()
            shown = town.form(leo, "Refused")
        before = len(posts(town, channel))
        reception.desk.speaking_for("ruth").note(town.state(reception).run, "leo must not read this")
        until(lambda: any(kept.board.silent for kept in reception.keeper._kept.values()))
        time.sleep(1.5)

        assert "suspect" in json.dumps(shown)
        assert len(posts(town, channel)) == before
        assert "leo must not read this" not in town.text_of("ines", channel)


def test_no_secret_is_in_anything_that_slack_was_told(town: Town) -> None:
    value = leaked_value()
    with town.listening() as reception:
        channel = town.begun()
        ruth = town.person("ruth")
        for finding in (f'{{"value": "{value}", "nonsense": 1}}', f"{value} and {value[::-1]}", f"[{value}]"):
            ruth.command("/responder")
            town.form(ruth, "Respond to a leak")
            ruth.fill("finding", finding)
            ruth.submit()
            until(lambda: (view := ruth.view()) and "one moment" not in json.dumps(view))
            ruth.close(everything=True)
        ts = town.asked("ines", channel, "kill")
        assert "credential" in town.says("ines", f"note {value}", channel) or True
        town.answered("ines", channel, ts)
        ended(town, reception, channel)
        town.says("ines", "postmortem", channel)
        town.says("ines", "timeline", channel)

        labels = town.guest.world.ground.labels
        secrets = {value, *(labels[name] for name in ("slack-bot", "slack-app", "slack-signing", "smtp-password"))}
        told = [one.raw for one in town.slack.diary.sent()]
        assert len(told) > 20
        assert [] == [secret for secret in secrets if any(secret in one for one in told)]
