"""A notice besides the playbook: a run of its own, approved, sent once, recorded, and never taken for the response."""

import dataclasses
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases.common import Gated
from cases.email import Mailbox, a_mailbox
from cases.slack import a_workspace
from conftest import OpenApp, leaked_value
from test_crash import answer_all, spawn
from test_run import begun, driven, effects, when_asked, written

from responder.app import App
from responder.clock import monotonic
from responder.closing import close
from responder.errors import InputError, PlanRefused, RequestError
from responder.figures import figures
from responder.review import rows
from responder.run import Runner
from responder.sending import Wanted
from responder.testing.loopback import Trouble

HEAD = """\
playbook: p
title: A key is public
version: 1
roles: {commander: {}, comms: {}, oncall: {}}
deadlines: {contained: {from: incident.aware_at, within: 1h, role: commander}}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
"""
STEPS = """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill], meets: contained}
"""
WORD = """\
---
template: word
version: 1
title: A word on the leak
audience: partner
channel: email
external: true
subject: "About {{ what }}"
fields:
  what: {type: text, help: what it is about}
  refused_at: {type: time, from: "${{ incident.contained_at }}"}
  proof: {type: text, from: "${{ steps.dead.verdict }}"}
  extra: {type: text, optional: true}
---
It is about {{ what }}. The key is {{ proof }} and refused since {{ refused_at | when }}.
{% if what != "nothing" %}{{ extra or "" }}{% endif %}

"""
EACH = """\
---
template: each
version: 1
title: A word to each
audience: holder
channel: email
external: true
subject: Your access
fields:
  holder: {type: person, from: "${{ item }}"}
  what: {type: text}
---
Dear {{ holder.name or "colleague" }}, it is about {{ what }}.
"""
POST = """\
---
template: post
version: 1
title: A word in the channel
audience: responders
channel: slack
fields:
  what: {type: text}
---
It is about {{ what }}.
"""
PAPER = """\
---
template: paper
version: 1
title: A letter to the authority
audience: host
channel: file
external: true
subject: About a leak
fields:
  what: {type: text}
---
It is about {{ what }}.
"""


@pytest.fixture
def templates(place: Path) -> Path:
    (place / "templates").mkdir()
    for name, text in {"word": WORD, "each": EACH, "post": POST, "paper": PAPER}.items():
        (place / "templates" / f"{name}.md.j2").write_text(text)
    return place


def connected(place: Path, name: str, options: dict[str, Any]) -> None:
    """Add a connection to responder.yaml."""
    path = place / "responder.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["connections"][name] = options
    path.write_text(yaml.safe_dump(settings))


@pytest.fixture
def mailbox(templates: Path) -> Iterator[Mailbox]:
    with a_mailbox() as box:
        (templates / "password").write_text(str(box.secret))
        connected(templates, "mail", described(box, templates / "password"))
        yield box


@pytest.fixture
def workspace(templates: Path) -> Iterator[Gated]:
    with a_workspace() as live:
        (templates / "bot").write_text(str(live.secret))
        connected(templates, "chat", described(live, templates / "bot"))
        yield live


def described(live: Any, secret: Path) -> dict[str, Any]:
    known: dict[str, Any] = live.connection.model_dump(mode="json", exclude={"name", "control"})
    return {**known, "secret": f"file:{secret}"}


def responded(app: App, place: Path) -> str:
    """Carry a whole response out, and return its run."""
    run = begun(app, written(place, STEPS, head=HEAD))
    assert driven(app, run).contained
    return run


WHAT = {"what": "the key"}


def asked_for(app: App, run: str, template: str = "word", *to: str, **more: Any) -> str:
    """Begin a notice, and return its run."""
    wanted = Wanted(template, to, more.pop("fields", WHAT), more.pop("role", "comms"), **more)
    return app.begin_notice(app.notice(run, wanted)).run


def advanced(app: App, run: str) -> None:
    """Let a run go as far as it goes without anybody, and leave it there."""
    lease = app.dispatcher.adopt(run)
    timeline = app.dispatcher.timeline(app.row(run).incident)
    Runner(app.means, timeline, lease.fence, others_dead=True).advance()
    app.dispatcher.leases.give_back(lease)


def posts(live: Gated) -> list[str]:
    return [one["text"] for channel in live.world.slack.channels.values() for one in channel.messages]


# Sent once ------------------------------------------------------------------------------------------------------


def test_it_is_sent_once_when_somebody_else_has_approved_exactly_this_text(
    opened: OpenApp, place: Path, mailbox: Mailbox
) -> None:
    app = opened()
    main = responded(app, place)
    shown = app.notice(main, Wanted("word", ("partner@out.example",), WHAT, "comms"))
    run = app.begin_notice(shown).run
    cora = opened("cora")

    thread = when_asked(opened, run, "word", lambda _: cora.approve(run, "word"))
    state = driven(app, run)
    thread.join()

    assert "done" == state.status("word")
    assert 1 == len(mailbox.server.taken)
    text = shown.letters[0].document.text
    assert text == state.unit("word").planned["text"]
    assert "The key is dead and refused since" in text
    assert text.split()[-6:] == mailbox.server.taken[0].replace("=\r\n", "").split()[-6:]
    events = [entry.event for entry in app.timeline(state.incident["id"]) if entry.run == run]
    assert ["started", "adopted", "planned", "asked", "agreed", "intended", "applied", "verified", "ended"] == events


def test_whoever_asks_for_it_cannot_approve_it(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    main = responded(app, place)
    cora = opened("cora")
    run = asked_for(cora, main, "word", "partner@out.example", role="commander")
    advanced(cora, run)

    with pytest.raises(RequestError, match="asked for this run and may not approve"):
        cora.approve(run, "word")

    opened("carl").approve(run, "word")
    assert "done" == driven(cora, run).status("word")
    assert 1 == len(mailbox.server.taken)


def test_whoever_is_suspect_cannot_ask_for_it(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    main = responded(opened(), place)
    opened("carl").set(main, "suspect", "person:cora", "their laptop")

    with pytest.raises(PlanRefused, match="cora is suspect"):
        opened("cora").notice(main, Wanted("word", ("partner@out.example",), WHAT, "commander"))

    assert [] == mailbox.server.taken


def test_what_concerns_the_incident_is_answered_as_in_its_response(
    opened: OpenApp, place: Path, mailbox: Mailbox
) -> None:
    cora = opened("cora")
    main = begun(cora, written(place, STEPS, head=HEAD))
    carl = opened("carl")
    run = asked_for(carl, main, "paper")
    carl.set(main, "mode", "A2 until 4h", "300 holders")

    with pytest.raises(RequestError, match="cora asked for this run and may not approve"):
        cora.approve(run, "incident.mode")

    assert "A1" == cora.state(main).standing.mode
    assert [] == mailbox.server.taken


def test_in_a_closed_incident_none_is_begun(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened("carl")
    main = responded(app, place)
    shown = app.notice(main, Wanted("word", ("partner@out.example",), WHAT, "comms"))
    app.note_rendering(app.row(main).incident)
    close(app, app.row(main).incident, {}, "")

    for begin in (lambda: asked_for(app, main, "paper"), lambda: app.begin_notice(shown)):
        with pytest.raises(RequestError, match="The incident is closed"):
            begin()

    assert 1 == len(app.runs())
    assert [] == mailbox.server.taken


def test_silence_sends_nothing(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "word", "partner@out.example", within=timedelta(milliseconds=50))

    state = driven(app, run)

    assert ("ended", "declined") == (state.state, state.status("word"))
    assert [] == mailbox.server.taken


def test_an_agreement_to_one_text_is_none_to_another(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    main = responded(app, place)
    first = asked_for(app, main, "word", "partner@out.example")
    second = asked_for(app, main, "word", "partner@out.example", fields={"what": "another key"})
    for run in (first, second):
        advanced(app, run)
    asks = [app.state(run).unit("word").ask for run in (first, second)]
    cora = opened("cora")

    with pytest.raises(RequestError, match="another now than the one that you saw"):
        cora.approve(second, "word", asks[0].digest if asks[0] else "")

    cora.approve(first, "word")
    driven(app, first)
    assert app.state(second).unit("word").ask is not None
    assert 1 == len(mailbox.server.taken)


def test_a_change_after_the_agreement_asks_again(opened: OpenApp, place: Path, workspace: Gated) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "post", "#incidents")
    advanced(app, run)
    cora = opened("cora")
    cora.approve(run, "post")
    channels = workspace.world.slack.channels
    old = next(key for key, one in channels.items() if one.name == "incidents")
    channels["C0ANOTHER1"] = dataclasses.replace(channels.pop(old), id="C0ANOTHER1")

    advanced(app, run)

    again = app.state(run).unit("post").ask
    assert again is not None
    assert [] == posts(workspace)
    cora.approve(run, "post", again.digest)
    assert "done" == driven(app, run).status("post")
    assert ["It is about the key."] == [text.strip() for text in posts(workspace)]


def test_what_people_set_meanwhile_does_not_change_what_was_shown(
    opened: OpenApp, place: Path, mailbox: Mailbox
) -> None:
    app = opened()
    main = responded(app, place)
    app.set(main, "extra", "unknown(nobody looked, 2099-01-01T00:00Z)")
    shown = app.notice(main, Wanted("word", ("partner@out.example",), WHAT, "comms"))
    run = app.begin_notice(shown).run
    app.set(main, "extra", "All is different.")

    advanced(app, run)

    assert shown.letters[0].document.text == app.state(run).unit("word").planned["text"]
    assert "nobody looked" in shown.letters[0].document.text
    assert [] == mailbox.server.taken


def test_each_holder_gets_a_text_of_their_own_and_one_answer_is_for_all(
    opened: OpenApp, place: Path, mailbox: Mailbox
) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "each", "holders", "hugo@out.example", "partner@out.example")
    advanced(app, run)

    opened("cora").approve(run, "each")
    state = driven(app, run)

    assert "done" == state.status("each")
    to = ("hal@lumen.example", "hugo@out.example", "partner@out.example")
    found = {one: text for text in mailbox.server.taken for one in to if f"To: {one}" in text}
    assert len(found) == len(mailbox.server.taken) == len(to)
    assert ["Dear Hal", "Dear Hugo", "Dear colleague"] == [
        next(line.partition(",")[0] for line in found[one].splitlines() if line.startswith("Dear")) for one in to
    ]


def test_what_a_person_sends_is_written_and_nothing_leaves(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "paper", role="")

    state = driven(app, run)

    assert ("ended", "done") == (state.state, state.status("paper"))
    assert "It is about the key." in state.unit("paper").planned["text"]
    assert [] == mailbox.server.taken


# Killed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["before-apply", "after-apply", "after-record"])
def test_killed_and_resumed_a_post_is_found_again_and_stands_once(
    opened: OpenApp, place: Path, record: str, workspace: Gated, point: str
) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "post", "#incidents")
    cora = opened("cora")

    first = spawn(place, record, run, point, "post")
    answer_all(cora, run, place, first)
    second = spawn(place, record, run)
    answer_all(cora, run, place, second)

    assert (-signal.SIGKILL, 0) == (first.returncode, second.returncode)
    assert 1 == len(posts(workspace))
    assert "done" == cora.state(run).status("post")
    assert [] == cora.verify(cora.row(run).incident)


@pytest.mark.parametrize(
    ("point", "said", "sent"),
    [
        pytest.param("before-apply", "not-happened", 1, id="killed before it was sent"),
        pytest.param("after-apply", "happened", 1, id="killed after it was sent"),
        pytest.param("after-record", "", 1, id="killed once it was written down"),
    ],
)
def test_killed_with_a_mail_under_way_a_person_is_asked_and_it_is_sent_once(  # noqa: PLR0917 - one case
    opened: OpenApp, place: Path, record: str, mailbox: Mailbox, point: str, said: str, sent: int
) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "word", "partner@out.example")
    cora = opened("cora")
    first = spawn(place, record, run, point, "word")
    answer_all(cora, run, place, first)
    assert -signal.SIGKILL == first.returncode

    second = spawn(place, record, run)
    deadline = monotonic() + 30
    while said and cora.state(run).status("word") != "unknown" and monotonic() < deadline:
        pass
    if said:
        cora.decide(run, "word", said)
    second.wait(30)

    assert sent == len(mailbox.server.taken)
    assert "done" == cora.state(run).status("word")


def test_with_its_answer_lost_a_person_is_asked(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    run = asked_for(app, responded(app, place), "word", "partner@out.example")
    advanced(app, run)
    cora = opened("cora")
    cora.approve(run, "word")
    mailbox.misbehave(Trouble.ANSWER_LOST)

    advanced(app, run)

    assert "unknown" == app.state(run).status("word")
    cora.decide(run, "word", "happened")
    assert "done" == driven(app, run).status("word")
    assert 1 == len(mailbox.server.taken)


# Never taken for the response -----------------------------------------------------------------------------------


def test_the_figures_of_the_response_stay_as_they_were(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    main = responded(app, place)
    incident = app.row(main).incident
    before = figures(app.timeline(incident))
    run = asked_for(app, main, "word", "partner@out.example")
    advanced(app, run)
    opened("cora").approve(run, "word")
    driven(app, run)

    after = figures(app.timeline(incident))

    grown = {"notices", "answers", "entries", "head", "last_at"}
    same = {one.name for one in dataclasses.fields(before)} - grown
    assert {name: getattr(before, name) for name in same} == {name: getattr(after, name) for name in same}
    assert [("word", 1, False)] == [(one.template, one.recipients, one.drafted) for one in after.notices]
    assert ["cora"] == [one.by for one in after.answers]
    said = [row.text for row in rows(app.timeline(incident))]
    assert "notice: Oncall asked for the notice word" in said
    assert "notice: word: the notice was sent" in said
    assert 1 == sum("contained" in text for text in said if text.startswith("The run ended"))
    assert [] == mailbox.server.taken[1:]


def test_it_contains_nothing_and_holds_no_credential(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    steps = STEPS.replace("needs: [kill]", "needs: [kill, wait]")
    waiting = "  - {id: wait, phase: analysis, action: human.task, with: {role: oncall, instructions: look,"
    main = begun(app, written(place, f"{steps}{waiting} within: 1h, on_timeout: abort}}}}\n", head=HEAD))
    advanced(app, main)
    held = app.means.store.locked(main)
    word = WORD.replace("${{ incident.contained_at }}", "${{ incident.aware_at }}").replace(
        "${{ steps.dead.verdict }}", ""
    )
    (place / "templates" / "word.md.j2").write_text(word)
    app = opened()

    run = asked_for(app, main, "word", "partner@out.example", fields={**WHAT, "proof": "alive"})
    advanced(app, run)
    opened("cora").approve(run, "word")
    state = driven(app, run)

    assert ("ended", False, None) == (state.state, state.contained, state.contained_at)
    assert [] == app.means.store.locked(run)
    assert held
    assert held == app.means.store.locked(main)
    assert "open" == app.state(main).state
    incident = app.row(main).incident
    assert main == app.row(incident).run
    assert main == figures(app.timeline(incident)).run
    assert "" == state.credential.blob
    assert [main] == [row.run for row in app.runs() if app.begin(*_again(app)).run == row.run]
    assert 1 == len(mailbox.server.taken)


def _again(app: App) -> Any:
    """Return what begins another run for the same credential: it joins the response."""
    from responder.finding import Exposure, Finding  # noqa: PLC0415 - for this one

    finding = Finding(value=app.means.sealer.secret(leaked_value()), exposure=Exposure(kind="public"))
    return app.library.load("p"), finding, {}


# What is refused ------------------------------------------------------------------------------------------------


def refusals(app: App, run: str, template: str, *to: str, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        asked_for(app, run, template, *to, **more)
    return str(caught.value)


def test_everything_that_is_missing_is_said_at_once(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    run = responded(app, place)
    count = len(app.timeline(app.row(run).incident))

    said = refusals(app, run, "word", "carol", "#incidents", role="", fields={"wat": "x"})

    assert "nobody is called 'carol' (did you mean 'carl'?)" in said
    assert "the template 'word' is for email" in said
    assert "nobody is named to approve it" in said
    assert "what: is missing" in said
    assert "wat: the template has no such field (did you mean 'what'?)" in said
    assert count == len(app.timeline(app.row(run).incident))
    assert [] == mailbox.server.taken


@pytest.mark.parametrize(
    ("template", "to", "more", "told"),
    [
        pytest.param("word", (), {}, "nobody is named to send it to", id="to nobody"),
        pytest.param("nope", ("a@b.example",), {}, "There is no template 'nope'", id="an unknown template"),
        pytest.param("paper", ("a@b.example",), {}, "a person sends this text", id="what a person sends"),
        pytest.param("post", ("a@b.example",), {}, "is for slack", id="a post by mail"),
        pytest.param("word", ("a@b.example",), {"role": "nope"}, "nobody may approve it as nope", id="an unknown role"),
        pytest.param("word", ("a@b.example",), {"role": "No Pe"}, "'No Pe' cannot be a role", id="a role with a space"),
        pytest.param(
            "word", ("a@b.example",), {"fields": {"what": "${{ 1 }}"}}, "placeholder", id="an expression in a field"
        ),
        pytest.param(
            "word",
            ("a@b.example",),
            {
                "fields": {
                    "what": "nothing",
                    "extra": {"$unknown": "${{ 1 }}", "next_update_at": "2099-01-01T00:00:00+00:00"},
                }
            },
            "a field holds ${{",
            id="an expression in a reason",
        ),
        pytest.param(
            "word",
            ("a@b.example",),
            {"fields": {"what": leaked_value()}},
            "holds a secret of this incident",
            id="the leaked value",
        ),
        pytest.param(
            "word",
            ("a@b.example",),
            {"fields": {"what": "nothing", "extra": leaked_value()}},
            "a secret that we know",
            id="the leaked value in what is not shown",
        ),
    ],
)
def test_it_is_refused_before_anything_is_written(  # noqa: PLR0917 - one case
    opened: OpenApp, mailbox: Mailbox, place: Path, template: str, to: tuple[str, ...], more: dict[str, Any], told: str
) -> None:
    responding = opened()
    run = responded(responding, place)
    app = opened()  # a process of its own, which has not met the leaked value

    said = refusals(app, run, template, *to, **more)

    assert told in said
    assert leaked_value() not in said
    assert [run] == [row.run for row in app.runs()]
    assert [] == mailbox.server.taken


def test_where_nobody_could_approve_it_is_said_at_once(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    run = responded(opened(), place)

    said = refusals(opened("cora"), run, "word", "partner@out.example")

    assert "nobody may approve it as comms" in said
    assert [] == mailbox.server.taken


def test_a_notice_is_about_a_response_not_about_a_notice(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    app = opened()
    main = responded(app, place)
    run = asked_for(app, main, "word", "partner@out.example")

    said = refusals(app, run, "word", "partner@out.example")

    assert main in said
    assert ["disabled"] == [key.split()[0] for key in effects(place)]
    assert [] == mailbox.server.taken


def test_who_only_looks_asks_for_nothing(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    run = responded(opened(), place)

    assert "speaks for nobody" in refusals(opened(""), run, "word", "partner@out.example")
    assert [] == mailbox.server.taken


def test_a_takedown_waits_until_every_credential_is_dead(opened: OpenApp, place: Path, mailbox: Mailbox) -> None:
    (place / "templates" / "takedown-host.md.j2").write_text(
        WORD.replace("template: word", "template: takedown-host").replace("${{ steps.dead.verdict }}", "")
    )
    second = "second-" + "w3Xk" * 6
    app = opened()
    (place / "world" / "planted").write_text(second)
    child = "  - {id: stay, phase: analysis, action: human.task, with: {role: oncall, instructions: w,"
    written(place, f"{child} within: 9h, on_timeout: abort}}}}\n", "other", HEAD + "match: [{credential: second}]\n")
    look = "  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: '@planted'}}\n"
    run = begun(app, written(place, STEPS + look, head=HEAD))
    advanced(app, run)
    assert app.state(run).children

    fields = {**WHAT, "proof": "dead", "refused_at": "2026-05-02T09:20:00+00:00"}

    said = refusals(app, run, "takedown-host", "host@out.example", fields=fields)

    assert "another leaked credential of this incident is not dead yet" in said
    assert [] == mailbox.server.taken
