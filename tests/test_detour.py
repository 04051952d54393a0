"""A notice whose channel acts with what leaked goes over another one by itself, and says so."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases.common import Gated
from cases.email import Mailbox, a_mailbox
from cases.slack import a_workspace
from conftest import OpenApp
from test_crash import answer_all, spawn
from test_run import driven, written
from test_sending import advanced, described, posts

from responder.app import App
from responder.finding import Exposure, Finding
from responder.planning import plan_lines
from responder.state import RunState

POST = """\
---
template: post
version: 1
title: A word in the channel
audience: {audience}
channel: slack
external: {external}
fields:
  what: {{type: text}}
---
It is about {{{{ what }}}}.
"""
HEAD = """\
playbook: p
title: A token is public
version: 1
roles: {commander: {}, oncall: {}}
exit: ["${{ true }}"]
"""
SAY = "  - {id: say, phase: communication, action: notice.send, connection: chat, "
TO_ROOM = 'with: {template: post, to: "#incidents", fields: {what: the token}}'
ASKED = ", approval: {role: commander, within: 1h, on_timeout: abort}"
TO = ["ida@lumen.example", "oto@lumen.example"]
LOGIN = "responder@lumen.example"
MAILED = "channel: email\nsubject: A word"
SHARED = {"id": "shared", "connection": "cw", "key_id": "k1", "known_by": "env:LEAKED"}
ROLES = ["To: ann@lumen.example", "Cc: carl@lumen.example, cora@lumen.example, hal@lumen.example"]
INSTEAD = {
    "from": "#incidents by chat",
    "to": "ida@lumen.example, oto@lumen.example by mail",
    "why": "it acts with what leaked",
}


def changed(place: Path, **parts: Any) -> None:
    """Change parts of responder.yaml: mappings are added to, all else is replaced."""
    path = place / "responder.yaml"
    settings = yaml.safe_load(path.read_text())
    for name, value in parts.items():
        settings[name] = {**settings.get(name, {}), **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(settings))


def templated(place: Path, audience: str = "responders", external: str = "false") -> None:
    (place / "templates" / "post.md.j2").write_text(POST.format(audience=audience, external=external))


@pytest.fixture
def chat(place: Path) -> Iterator[Gated]:
    """A workspace whose bot token, with which we tell people, is what leaks."""
    (place / "templates").mkdir()
    templated(place)
    with a_workspace() as live:
        (place / "bot").write_text(str(live.secret))
        bot = {"id": "bot", "connection": "chat", "known_by": f"file:{place / 'bot'}"}
        changed(place, connections={"chat": described(live, place / "bot")}, inventory=[bot])
        changed(place, audiences={"responders": TO})
        yield live


@pytest.fixture
def mail(place: Path) -> Iterator[Mailbox]:
    with a_mailbox() as box:
        (place / "password").write_text(str(box.secret))
        changed(place, connections={"mail": described(box, place / "password")})
        yield box


def found(app: App, value: str | None) -> Finding:
    secret = app.means.sealer.secret(str(value))
    return Finding(value=secret, exposure=Exposure(kind="public", url="https://x.example/"))


def responding(app: App, place: Path, live: Gated, more: str = "") -> str:
    """Begin a run for our own token that says one thing in a channel."""
    name = written(place, f"{SAY}{TO_ROOM}{more}}}\n", head=HEAD)
    return app.begin(app.library.load(name), found(app, live.secret), {}).run


def recipients(box: Mailbox) -> list[str]:
    """Return what each message says of whom it goes to."""
    lines = [line for text in box.server.taken for line in text.splitlines()]
    return [line for line in lines if line.startswith(("To:", "Cc:"))]


def planned(state: RunState, unit: str = "say") -> Any:
    return state.unit(unit).planned


def test_it_goes_by_mail_to_the_audience_and_the_leaked_token_is_not_used(
    opened: OpenApp, place: Path, chat: Gated, mail: Mailbox
) -> None:
    app = opened()

    state = driven(app, responding(app, place, chat))

    assert "done" == state.status("say"), state.unit("say").error
    assert ["To: ida@lumen.example", "Cc: oto@lumen.example"] == recipients(mail)
    assert "It is about the token." in mail.server.taken[0]
    assert [] == posts(chat)
    assert [] == list(chat.gate.seen)


def test_each_of_the_audience_gets_it_from_the_drills_own_mail_server(
    opened: OpenApp, place: Path, chat: Gated
) -> None:
    sink = chat.world.mail
    (place / "password").write_text(chat.value("smtp-password"))
    server = {"provider": "email", "host": "127.0.0.1", "port": sink.door.port, "tls": "none", "account": "127.0.0.1"}
    account = {"sender": "ir@lumen.example", "user": LOGIN, "secret": f"file:{place / 'password'}"}
    changed(place, connections={"mail": {**server, **account}})
    app = opened()

    state = driven(app, responding(app, place, chat))

    assert "done" == state.status("say"), state.unit("say").error
    assert TO == [one.to for one in sink.kept]
    assert [] == posts(chat)


def test_the_record_says_from_what_to_what_and_why(opened: OpenApp, place: Path, chat: Gated, mail: Mailbox) -> None:
    app = opened()

    state = driven(app, responding(app, place, chat))

    entry = next(one for one in app.timeline(state.incident["id"]) if one.event == "planned")
    assert INSTEAD == entry.facts["switched"]
    assert "mail" == entry.facts["connection"]
    assert (
        "not sent; switched from #incidents by chat to ida@lumen.example, oto@lumen.example by mail, "
        "because it acts with what leaked"
    ) == entry.facts["before"]
    assert [] == app.verify(state.incident["id"])


def test_the_plan_shows_it(opened: OpenApp, place: Path, chat: Gated, mail: Mailbox) -> None:
    app = opened()
    playbook = app.library.load(written(place, f"{SAY}{TO_ROOM}}}\n", head=HEAD))

    plan = app.plan(playbook, found(app, chat.secret), {})

    assert "switched from #incidents by chat to ida@lumen.example" in "\n".join(plan_lines(plan))
    assert () == plan.problems
    assert [] == mail.server.taken


def test_whoever_approves_signs_the_switch(opened: OpenApp, place: Path, chat: Gated, mail: Mailbox) -> None:
    app = opened()
    run = responding(app, place, chat, ASKED)
    advanced(app, run)
    assert "#incidents by chat" == planned(app.state(run))["preconditions"]["instead of"]

    opened("carl").approve(run, "say")

    assert "done" == driven(app, run).status("say")
    assert 1 == len(mail.server.taken)


def test_what_was_approved_before_the_token_leaked_is_asked_again(
    opened: OpenApp, place: Path, chat: Gated, mail: Mailbox
) -> None:
    app = opened()
    name = written(place, f"{SAY}{TO_ROOM}{ASKED}}}\n", head=HEAD)
    changed(place, inventory=[*yaml.safe_load((place / "responder.yaml").read_text())["inventory"], SHARED])
    app = opened()
    run = app.begin(app.library.load(name), found(app, "leaked-" + "q7Zp" * 6), {}).run
    advanced(app, run)
    carl = opened("carl")
    carl.approve(run, "say")
    assert "slack.post_message" == planned(app.state(run))["action"]
    quiet = written(place, "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n", "q", HEAD)
    app.begin(app.library.load(quiet), found(app, chat.secret), {})

    advanced(app, run)

    assert "email.send_message" == planned(app.state(run))["action"]
    assert [] == mail.server.taken
    carl.approve(run, "say")
    assert "done" == driven(app, run).status("say")
    assert 1 == len(mail.server.taken)
    assert [] == posts(chat)


def test_where_there_is_no_other_channel_it_is_refused_with_a_way_out(
    opened: OpenApp, place: Path, chat: Gated
) -> None:
    app = opened()

    state = driven(app, responding(app, place, chat))

    error = state.unit("say").error
    assert ("failed", "refused") == (state.status("say"), state.unit("say").error_kind)
    assert "#incidents has no other channel" in error
    assert "give the connection another `secret:`" in error
    assert [] == posts(chat)
    assert [] == list(chat.gate.seen)
    failed = next(one for one in app.timeline(state.incident["id"]) if one.event == "failed")
    assert ["executor"] == failed.facts["guards"]


_Row = tuple[str, str, dict[str, list[str]], list[str]]
"""A template's audience, whether it is for outsiders, the audiences of responder.yaml, and who is written to."""


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(("responders", "false", {}, ROLES), id="unlisted responders: who has a role"),
        pytest.param(("responders", "false", {"responders": ["#incidents"]}, ROLES), id="listed as a channel alone"),
        pytest.param(("partner", "false", {}, []), id="unlisted others: nobody is guessed"),
        pytest.param(("partner", "true", {"partner": TO}, []), id="outsiders do not read one another's address"),
        pytest.param(("partner", "true", {"partner": TO[:1]}, [f"To: {TO[0]}"]), id="one outsider"),
    ],
)
def test_whom_a_channel_stands_for(opened: OpenApp, place: Path, chat: Gated, mail: Mailbox, row: _Row) -> None:
    audience, external, audiences, sent = row
    templated(place, audience, external)
    settings = yaml.safe_load((place / "responder.yaml").read_text())
    settings["audiences"] = audiences
    (place / "responder.yaml").write_text(yaml.safe_dump(settings))
    app = opened()
    run = responding(app, place, chat, ASKED)
    advanced(app, run)
    if app.state(run).unit("say").ask is not None:
        opened("carl").approve(run, "say")

    driven(app, run)

    assert sent == recipients(mail)


def test_nobody_suspect_is_written_to(opened: OpenApp, place: Path, chat: Gated, mail: Mailbox) -> None:
    app = opened()
    run = responding(app, place, chat)
    opened("carl").set(run, "suspect", "person:oto@lumen.example", reason="they have it")

    driven(app, run)

    assert ["To: ida@lumen.example"] == recipients(mail)


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "not checked"])
def test_without_mail_another_bot_says_it_where_the_leaked_one_does_not_listen(
    opened: OpenApp, place: Path, chat: Gated, checked: bool
) -> None:
    (place / "next").write_text(str(chat.secret))
    (place / "bot").write_text(chat.value("deploy-bot"))
    changed(place, connections={"next": described(chat, place / "next")})
    app = opened()
    name = written(place, f"{SAY}{TO_ROOM}}}\n", head=HEAD)
    run = app.begin(app.library.load(name), found(app, chat.value("deploy-bot")), {}).run
    if checked:
        opened("carl").set(run, "checked", "incidents", reason="its bot is in no channel")

    state = driven(app, run)

    assert ("done" if checked else "failed") == state.status("say"), state.unit("say").error
    assert int(checked) == len(posts(chat))
    assert ("#incidents by next" if checked else None) == planned(state).get("switched", {}).get("to")


def test_where_the_password_of_our_mail_leaks_another_mail_server_takes_it(
    opened: OpenApp, place: Path, chat: Gated, mail: Mailbox
) -> None:
    with a_mailbox() as spare:
        (place / "spare").write_text("s5pare" + "Word" * 5)
        changed(place, connections={"spare": {**described(spare, place / "spare"), "account": "spare"}})
        known = {"id": "mail", "connection": "mail", "known_by": f"file:{place / 'password'}"}
        changed(place, inventory=[known])
        mailed = POST.format(audience="partner", external="false").replace("channel: slack", MAILED)
        (place / "templates" / "post.md.j2").write_text(mailed)
        to = 'with: {template: post, to: "pia@out.example", fields: {what: it}}'
        name = written(place, f"{SAY.replace('chat', 'mail')}{to}}}\n", head=HEAD)
        app = opened()
        run = app.begin(app.library.load(name), found(app, mail.secret), {}).run

        state = driven(app, run)

        assert "done" == state.status("say"), state.unit("say").error
        assert (0, 1) == (len(mail.server.taken), len(spare.server.taken))
        assert "pia@out.example by spare" == planned(state)["switched"]["to"]


def test_where_the_provider_takes_us_for_the_leaked_key_it_switches_too(
    opened: OpenApp, place: Path, chat: Gated, mail: Mailbox
) -> None:
    (place / "other").write_text("xoxb-" + "n0tThat" * 4)
    entry = {"id": "bot", "connection": "chat", "known_by": f"file:{place / 'other'}", "key_id": key_of_bot(opened)}
    changed(place, inventory=[entry])
    app = opened()
    name = written(place, f"{SAY}{TO_ROOM}}}\n", head=HEAD)

    state = driven(app, app.begin(app.library.load(name), found(app, "xoxb-" + "n0tThat" * 4), {}).run)

    assert "done" == state.status("say"), state.unit("say").error
    assert INSTEAD == planned(state)["switched"]
    assert [] == posts(chat)


def key_of_bot(opened: OpenApp) -> str:
    """Return as which key Slack takes us."""
    app = opened()
    access = app.means.access(app.means.connection("chat"), "run", "step")
    return app.means.identity(app.means.registry.provider("slack"), access).key_id


@pytest.mark.parametrize("more", ["", ASKED], ids=["unasked", "approved"])
def test_killed_between_plan_and_send_it_is_the_same_switch(
    opened: OpenApp, place: Path, chat: Gated, mail: Mailbox, more: str
) -> None:
    app, record = opened(), str(place / "state" / "r.db")
    run = responding(app, place, chat, more)
    carl = opened("carl")
    first = spawn(place, record, run, "before-apply", "say")
    answer_all(carl, run, place, first)
    before = planned(carl.state(run))

    second = spawn(place, record, run)
    answer_all(carl, run, place, second)

    state = carl.state(run)
    assert (-signal.SIGKILL, 0) == (first.returncode, second.returncode)
    assert "done" == state.status("say"), state.unit("say").error
    assert INSTEAD == planned(state)["switched"]
    assert json.dumps(before["switched"]) == json.dumps(planned(state)["switched"])
    assert before["digest"] == planned(state)["digest"]
    assert 1 == len(mail.server.taken)
    assert [] == posts(chat)
    assert [] == carl.verify(state.incident["id"])


def test_of_two_connections_to_slack_a_notice_takes_the_one_that_we_speak_with(
    opened: OpenApp, place: Path, chat: Gated
) -> None:
    changed(place, connections={"spare": described(chat, place / "bot")}, slack={"connection": "chat"})
    unnamed = f"{SAY.replace('connection: chat, ', '')}{TO_ROOM}}}\n"
    app = opened()
    name = written(place, unnamed, head=HEAD)

    state = driven(app, app.begin(app.library.load(name), found(app, "leaked-" + "q7Zp" * 6), {}).run)

    assert "chat" == planned(state)["connection"]
    assert 1 == len(posts(chat))
