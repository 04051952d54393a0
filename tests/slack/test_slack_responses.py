"""Responses from Slack alone: begun, decided, followed, handed over and closed, by whoever may."""

import json
import time

import pytest
from conftest import leaked_value
from test_world_contracts import CONTRACTS, described
from test_world_slack_contracts import as_described
from town import KILL, TWO, Build, Town, until

from responder.drill.world.slack import Impossible
from responder.errors import RequestError
from responder.finding import Exposure, Finding
from responder.held import hold, waiting
from responder.slack.identity import Somebody, checked

WATCH = "  - {id: look, phase: analysis, action: clockwork.nothing}\n"


def test_a_response_is_begun_approved_and_followed_from_slack(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")

        assert "Recorded" == town.answered("ines", channel, ts)

        until(lambda: town.state(reception).state == "ended")
        assert "done" == town.state(reception).status("kill")
        until(lambda: "agreed by ines" in town.text_of("ines", channel))
        card = town.person("ines").pins(channel)[0]
        until(lambda: "ended" in json.dumps(town.person("ines").pins(channel)))
        thread = town.person("ines").messages(channel, thread_ts=card["ts"])
        assert "ruth started p for shared" in json.dumps(thread)


def test_the_plan_is_shown_first_and_a_dry_run_begins_nothing(town: Town) -> None:
    with town.listening() as reception:
        ruth = town.person("ruth")
        ruth.command("/responder")
        town.form(ruth, "Respond to a leak")
        ruth.fill("finding", leaked_value())
        ruth.fill("playbook", "p")
        ruth.fill("dry", ["dry"])
        ruth.submit()

        plan = town.form(ruth, "The plan")

        assert "kill" in json.dumps(plan)
        assert "commander within 1h" in json.dumps(plan)
        assert "submit" not in plan or not plan["submit"]
        assert [] == reception.app.runs()


def test_inputs_are_asked_by_their_types(town: Town) -> None:
    inputs = (
        "inputs: {count: {type: integer, help: how many}, who: {type: person}, sure: {type: boolean, default: false}}\n"
    )
    path = town.place / "playbooks" / "p.yaml"
    path.write_text(path.read_text().replace("steps:\n", f"{inputs}steps:\n"))
    with town.listening() as reception:
        ruth = town.person("ruth")
        ruth.command("/responder")
        town.form(ruth, "Respond to a leak")
        ruth.fill("finding", leaked_value())
        ruth.fill("playbook", "p")
        ruth.submit()
        town.form(ruth, "What the playbook asks")
        ruth.fill("count", "3")
        ruth.fill("who", "ines")
        ruth.fill("sure", "true")
        ruth.submit()
        town.form(ruth, "The plan")
        ruth.submit()
        town.form(ruth, "Begun")

        given = town.state(reception).started["inputs"]

        assert (3, "ines", True) == (given["count"], given["who"]["id"], given["sure"])


def test_two_people_are_needed_where_the_playbook_says_so(town: Town) -> None:
    town.playbook(TWO)
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")

        assert "Recorded" == town.answered("ines", channel, ts)
        assert "open" == town.state(reception).state
        assert "Refused" == town.answered("ines", channel, ts)  # once is once
        assert "Recorded" == town.answered("leo", channel, ts)

        until(lambda: town.state(reception).state == "ended")
        agreed = [entry.actor for entry in town.entries(reception) if entry.event == "agreed"]
        assert ["ines", "leo"] == agreed


@pytest.mark.parametrize(
    ("who", "why"),
    [
        pytest.param("ruth", "asked for this run", id="the requester"),
        pytest.param("salma", "does not have the role", id="somebody without the role"),
    ],
)
def test_who_may_not_approve_is_told_so_and_nothing_is_written(town: Town, who: str, why: str) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ruth", channel, "kill")
        town.person("ruth").invite(channel, who) if who == "salma" else None
        person = town.person(who)
        person.click("answer:accept", channel=channel, ts=ts)
        town.form(person, "Approve")
        person.submit()

        assert why in json.dumps(town.form(person, "Refused"))
        assert "agreed" not in [e.event for e in town.entries(reception)]


def test_a_deactivated_account_decides_nothing(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        ines = town.person("ines")
        ines.click("answer:accept", channel=channel, ts=ts)
        town.form(ines, "Approve")
        town.slack.deactivate("ines")

        with pytest.raises(Impossible):
            ines.submit()
        # What was recorded before the account was closed, and is sent now, counts no more than that.
        with pytest.raises(RequestError, match="closed"):
            checked(Somebody("UINES", "T0LUMEN", "ines"), reception.speaker)
        assert "agreed" not in [entry.event for entry in town.entries(reception)]


def test_a_click_on_an_old_button_says_what_happened_instead(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        town.asked("leo", channel, "kill")
        town.answered("ines", channel, ts)
        until(lambda: town.state(reception).state == "ended")
        until(lambda: "agreed by ines" in town.text_of("leo", channel))
        leo = town.person("leo")

        leo.click("answer:accept", channel=channel, ts=ts, revision=0)

        assert "agreed by ines" in json.dumps(town.form(leo, "No longer asked"))


def test_declined_with_a_reason(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")

        assert "Recorded" == town.answered("ines", channel, ts, "decline", reason="it is a canary of ours")

        until(lambda: town.state(reception).status("kill") == "declined")
        until(lambda: "it is a canary of ours" in town.text_of("ines", channel))


def test_words_of_the_command(town: Town) -> None:
    town.playbook(WATCH + KILL)
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")

        assert "waiting for commander" in town.says("ines", "status", channel)
        assert "on the timeline" in town.says("ines", "note the press has called", channel)
        assert "the press has called" in town.says("ines", "timeline", channel)
        assert "no incident" in town.says("ines", "timeline", "general")
        assert "status" in town.says("ines", "help", channel)
        assert "credential" in town.says("ines", f"note it is {'ghp' + '_' + 'a1B2' * 10}", channel)
        assert "Offered to leo" in town.says("ines", "handover <@ULEO>", channel)
        town.says("ines", "abort it was a drill", channel)
        assert "aborted" in [e.event for e in town.entries(reception)]


def test_the_timeline_shows_what_happened_last_however_long_it_is(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        for number in range(25):
            reception.desk.speaking_for("ines").note(town.state(reception).run, f"{'long & ' * 30}, number {number}")
        town.says("ines", "timeline", channel)
        said = town.private("ines", channel)[-1]["blocks"][0]["text"]["text"]
        ines = town.person("ines")
        ines.click("timeline", channel=channel, ts=until(lambda: ines.pins(channel))[0]["ts"])
        shown = town.form(ines, "Timeline")["blocks"][0]["text"]["text"]

        assert said.endswith("number 24")
        assert said.startswith("<!date")
        assert said == shown


def test_the_lead_passes_when_it_is_taken(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        assert "ruth" == town.state(reception).standing.lead
        town.says("ruth", "handover <@ULEO>", channel)

        def offer() -> str:
            found = [one for one in town.person("leo").messages(channel) if one["text"] == "The lead is offered"]
            return str(found[0]["ts"]) if found else ""

        ts = str(until(offer))
        ines, leo = town.person("ines"), town.person("leo")
        ines.click("take_over", channel=channel, ts=ts)
        assert "offered to leo" in json.dumps(town.form(ines, "Refused"))
        assert "ruth" == town.state(reception).standing.lead

        leo.click("take_over", channel=channel, ts=ts)

        town.form(leo, "Handed over")
        assert "leo" == town.state(reception).standing.lead
        until(lambda: "<@ULEO>" in json.dumps(town.person("ines").pins(channel)))
        until(lambda: not any("The lead is offered" == one["text"] for one in town.person("ines").messages(channel)))


def test_a_reaction_puts_a_message_on_the_timeline_once(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        ts = town.person("ines").say(channel, "The CDN still serves it").ts

        town.person("ines").react(channel, ts, "pushpin")
        town.person("leo").react(channel, ts, "pushpin")
        town.person("leo").react(channel, ts, "eyes")

        def noted() -> list[str]:
            incident = town.state(reception).incident["id"]
            return [e.facts["text"] for e in reception.app.timeline(incident) if e.event == "noted"]

        until(noted)
        town.slack.courier.settle()
        assert ["The CDN still serves it"] == noted()


def test_what_people_write_is_on_the_record_as_they_typed_it(build: Build) -> None:
    town = build("socket")
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        ts = town.person("ines").say(channel, "a &lt; b &amp; c").ts  # as Slack passes on what was typed
        town.person("ines").react(channel, ts, "pushpin")
        town.says("ines", "note x &gt; y", channel)

        def noted() -> list[str]:
            return sorted(e.facts["text"] for e in town.entries(reception) if e.event == "noted")

        until(lambda: len(noted()) == 2)
        assert ["a < b & c", "x > y"] == noted()


def test_a_leaked_value_in_a_message_is_taken_as_it_was_typed(build: Build) -> None:
    town = build("socket")
    value = "p&ss<w0rd>" * 3
    sent = json.dumps({"value": value, "connection": "cw", "key_id": "k9"})
    with town.listening() as reception:
        ines = town.person("ines")
        ines.join("general")
        ts = ines.say("general", sent.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")).ts
        assert ines.message_shortcut("respond_to_message", "general", ts).ok
        town.form(ines, "Respond to a leak")

        found = waiting(reception.app.means)[0].finding
        assert reception.app.means.sealer.secret(value).fingerprint == found.fingerprint


def test_a_message_with_a_key_becomes_a_finding_and_its_channel_an_exposure(town: Town) -> None:
    value = "ghp" + "_" + "a1B2" * 10
    with town.listening() as reception:
        town.person("salma").join("general")
        ts = town.person("salma").say("general", f"use {value} for now").ts
        ruth = town.person("ruth")

        ruth.message_shortcut("respond_to_message", "general", ts)
        view = town.form(ruth, "Respond to a leak")
        ruth.fill("playbook", "p")
        ruth.submit()
        town.form(ruth, "The plan")
        ruth.submit()
        town.form(ruth, "Begun")

        assert "Delete the message" in json.dumps(view)
        exposure = town.state(reception).started["exposure"]
        assert ("private", "a message in #general") == (exposure["kind"], exposure["place"])
        assert [] == town.slack.diary.sent(containing=value)


def test_closing_from_slack_is_refused_while_anything_is_open(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")

        assert "open" in town.says("ines", "close", channel)

        town.answered("ines", channel, ts)
        until(lambda: town.state(reception).state == "ended")
        assert not town.state(reception).standing.closed


def test_a_stranger_may_not_even_look(town: Town) -> None:
    with town.listening():
        town.slack.add_stranger("mallory", "T0OTHER")
        told = town.says("kenji", "status", "general")

        assert "speaks for nobody" in told


def test_an_update_is_told_to_everybody_once_and_is_on_record(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")

        town.says("ines", "update 30m The token is public; we are switching it off", channel)

        until(lambda: "next update by" in json.dumps(town.person("leo").pins(channel)))
        until(lambda: [one for one in town.person("leo").messages(channel) if "switching it off" in one["text"]])
        time.sleep(1.5)
        told = [one for one in town.person("leo").messages(channel) if "switching it off" in one["text"]]
        assert 1 == len(told)
        assert "ines" in [entry.actor for entry in town.entries(reception) if entry.event == "noted"]


def test_a_message_is_seen_as_it_will_look_before_it_is_signed(town: Town) -> None:
    town.playbook(
        "  - {id: tell, phase: communication, action: email.send_message,\n"
        "     with: {to: press@lumen.example, subject: What we know, body: 'A key was public. <It> & is dead.'},\n"
        "     approval: {role: commander, within: 1h, on_timeout: abort}}\n"
    )
    with town.listening():
        channel = town.begun()
        ts = town.asked("ines", channel, "tell")
        ines = town.person("ines")

        ines.click("answer:accept", channel=channel, ts=ts)

        shown = json.dumps(town.form(ines, "Approve"))
        assert "What we know" in shown
        assert "A key was public. &lt;It&gt; &amp; is dead." in shown
        assert "press@lumen.example" in shown


def test_breaking_the_glass_lets_one_approve_containment_alone_and_tells_everybody(town: Town) -> None:
    settings = town.place / "responder.yaml"
    settings.write_text(settings.read_text() + "break_glass: [ruth]\n")
    town.playbook(
        "  - {id: kill, phase: containment, action: credential.disable,\n"
        "     approval: {role: commander, within: 1h, on_timeout: abort}}\n"
    )
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ruth", channel, "kill")
        assert "not on the list" in town.says("ines", "break-glass nobody answers", channel)

        told = town.says("ruth", "break-glass nobody answers", channel)

        assert "everybody is being told" in told
        assert "Recorded" == town.answered("ruth", channel, ts)
        until(lambda: "broke the glass" in json.dumps([mail.subject for mail in town.guest.world.mail.kept]))
        until(lambda: town.state(reception).state == "ended")


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the descriptions are not beside this repository")
def test_whatever_we_ask_of_slack_is_what_slack_describes(town: Town) -> None:
    contract = described("slack_web_oas3.json")
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        town.says("ruth", "handover <@ULEO>", channel)
        said = town.person("ines").say(channel, "The CDN still serves it").ts
        town.person("ines").react(channel, said, "pushpin")
        town.answered("ines", channel, ts)
        until(lambda: town.state(reception).state == "ended")
        until(lambda: "ended" in json.dumps(town.person("ines").pins(channel)))

    requests = [one.request for one in town.slack.diary.sent(kind="call") if one.request is not None]
    methods = {request.path.rpartition("/")[2] for request in requests}
    assert {"views.open", "views.update", "chat.postMessage", "chat.update", "pins.add", "users.info"} <= methods
    for request in requests:
        if request.path.endswith("/apps.connections.open"):
            continue  # the description leaves it out
        contract.validate_request(as_described(request))


def test_a_finding_that_waits_is_picked_and_waits_no_longer(town: Town) -> None:
    with town.listening() as reception:
        means = reception.app.means
        name = hold(means, Finding(value=means.sealer.secret(leaked_value()), exposure=Exposure(place="a gist")))
        ruth = town.person("ruth")
        ruth.command("/responder")
        town.form(ruth, "Respond to a leak")
        ruth.fill("held", name)
        ruth.fill("playbook", "p")
        ruth.fill("severity", "P2")
        ruth.submit()
        town.form(ruth, "The plan")
        ruth.submit()
        town.form(ruth, "Begun")

        assert "a gist" == town.state(reception).started["exposure"]["place"]
        assert "P2" == town.state(reception).incident["severity"]
        assert [] == waiting(means)
