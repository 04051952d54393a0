"""Scenarios: what a file may say, what everybody answers, what is judged; and that broken playbooks turn them red."""

import copy
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from responder.cli.scenarios import exit_code
from responder.errors import PlaybookError
from responder.library import Library, built_in
from responder.playbook import Playbook
from responder.reading import load_playbook, parse_playbook
from responder.registry import Registry
from responder.scenario.files import load_scenario, scenario_files, scenario_schema
from responder.scenario.judge import Judge
from responder.scenario.play import Played, Shelf, play
from responder.skeleton import files
from responder.source import write

SHIPPED = sorted(built_in("playbooks").glob("tests/*/*.yaml"))
TITLE = "scenario: one thing\n"
SMALL = """\
playbook: small
title: t
version: 1
roles: {commander: {}, oncall: {}}
deadlines: {contained: {from: incident.aware_at, within: 1h, role: commander}}
inputs: {place: {type: string}, hero: {type: person}}
steps:
  - {id: look, phase: analysis, action: credential.inspect}
  - id: kill
    phase: containment
    action: credential.disable
    needs: [look]
    approval: {role: commander, quorum: 2, within: 5m, on_timeout: escalate(oncall), reason: r}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill], limit: 1h, meets: contained}
  - id: choice
    phase: recovery
    action: human.decide
    needs: [dead]
    with: {role: commander, question: q, options: {yes: y, no: n}, within: 2d, on_timeout: abort}
  - id: each
    phase: recovery
    action: credential.issue
    needs: [choice]
    for_each: ${{ incident.credential.consumers }}
    with: {consumer: "${{ item }}", label: "for-${{ item.id }}"}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
"""


@cache
def shelf() -> Shelf:
    library = Library(None)
    return Shelf(Registry(), library.templates(), library.playbooks())


def with_playbook(playbook: Playbook) -> Shelf:
    """Return the shelf with one more playbook, its templates parsed already."""
    made = Shelf(shelf().registry, shelf().templates, {**shelf().playbooks, playbook.playbook: playbook})
    made.__dict__["parsed"] = shelf().parsed
    return made


def small() -> Playbook:
    return parse_playbook(SMALL, "small.yaml")[0]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "small" / "one.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def judged(tmp_path: Path, text: str, playbook: Playbook | None = None) -> tuple[list[str], Played]:
    playbook = playbook or small()
    scenario, source = load_scenario(written(tmp_path, TITLE + text), playbook)
    played = play(playbook, scenario, with_playbook(playbook))
    return [str(problem) for problem in Judge(scenario, source, played, exit_code).problems()], played


def events(played: Played, step: str) -> list[str]:
    return [entry.event for entry in played.entries if entry.step == step]


# What ships ------------------------------------------------------------------------------------------------------


def held(path: Path, playbook: Playbook) -> list[str]:
    scenario, source = load_scenario(path, playbook)
    played = play(playbook, scenario, with_playbook(playbook))
    return [str(problem) for problem in Judge(scenario, source, played, exit_code).problems()]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_scenarios_that_ship_hold(path: Path) -> None:
    assert [] == held(path, shelf().playbooks[path.parent.name])


BEGUN = [name for name in Library(None).playbook_paths() if not Library(None).load(name).called]


@pytest.mark.parametrize("name", BEGUN)
def test_every_playbook_that_ships_has_a_scenario_for_each_of_its_questions(name: str) -> None:
    playbook = shelf().playbooks[name]
    silent = {
        step
        for path in scenario_files(Library(None).path(name))
        for step, replies in load_scenario(path, playbook)[0].people.items()
        if any(reply.says == "silent" for reply in replies)
    }
    asking = {step.id for step in playbook.steps if step.approval or step.action.startswith("human.")}
    optional = {"partner", "close-space", "follow-up", "contain/prepare"}

    assert asking - silent <= optional


Broken = Callable[[dict[str, Any]], None]


def step(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in data["steps"] if one["id"] == name)


def without(name: str, key: str) -> Broken:
    return lambda data: step(data, name).__delitem__(key)


def needs(name: str, *wanted: str) -> Broken:
    return lambda data: step(data, name).__setitem__("needs", list(wanted))


def swapped(first: str, second: str) -> Broken:
    """Let two steps change their places in the order."""

    def swap(data: dict[str, Any]) -> None:
        one, other = step(data, first), step(data, second)
        one["needs"], other["needs"] = [second], [need for need in one.get("needs", []) if need != second]

    return swap


def given(name: str, key: str = "with", **values: Any) -> Broken:
    """Let a step's `with` or `approval` say something else."""
    return lambda data: step(data, name)[key].update(values)


FOUNDING, SINGLE = "shared-access-token-public", "leaked-credential"
MANY, MODEL, AWS = "many-consumers-rotation", "llm-api-key", "aws-access-key"
GITHUB, SLACK, HUB = "github-token", "slack-token", "huggingface-token"
OWN, THEIRS, NONE = "responder-own-credential", "third-party-key", "false-positive"
BROKEN = {
    "the proof does not wait for the sessions": (SINGLE, needs("proof", "end")),
    "ended before it is switched off": (SINGLE, needs("end")),
    "sessions end before the key": (SINGLE, needs("close-sessions")),
    "a single one's mode that nobody agrees to stops the run": (SINGLE, without("mode", "on_error")),
    "the mode of a single one does not matter": (SINGLE, without("end", "if")),
    "a single one is fenced whatever was decided": (SINGLE, without("fence", "if")),
    "a single one is fenced without asking": (SINGLE, without("fence", "approval")),
    "the fence of a single one is not proven": (SINGLE, lambda data: step(data, "fenced").update({"if": False})),
    "the fence of a single one stays unproven": (SINGLE, lambda data: step(data, "no-fence").update({"if": False})),
    "strangers do not end an overlap": (SINGLE, lambda data: step(data, "used").update({"if": False})),
    "a single one has no hard stop": (SINGLE, lambda data: step(data, "no-more-waiting")["start"].pop("hard_stop")),
    "a commander cannot stop the waiting": (SINGLE, needs("no-more-waiting", "no-fence", "replace")),
    "a single one ends late before anybody has moved": (SINGLE, needs("late")),
    "a single one is never ended late": (SINGLE, lambda data: step(data, "late").update({"if": False})),
    "a single one is replaced before it is dead": (SINGLE, needs("prepare")),
    "a single one is replaced before a person has prepared it": (SINGLE, needs("replace")),
    "a closed case of a single one issues keys": (SINGLE, without("replace", "if")),
    "the deadline of a kill runs in an overlap": (
        SINGLE,
        lambda data: data["deadlines"]["found-credential"].pop("if"),
    ),
    "switched off without asking": (SINGLE, without("pause", "approval")),
    "ended without asking": (SINGLE, without("end", "approval")),
    "switched off though it is dead": (SINGLE, without("pause", "if")),
    "no exit": (SINGLE, lambda data: data.__delitem__("exit")),
    "the deadline is met by nobody": (SINGLE, without("proof", "meets")),
    "proof and end change places": (SINGLE, swapped("close-sessions", "proof")),
    "killed without asking": (FOUNDING, without("kill", "approval")),
    "the proof does not wait for the sessions of many": (FOUNDING, needs("dead", "kill")),
    "holders are told before it is dead": (FOUNDING, needs("tell-holders")),
    "the public is told before it is dead": (FOUNDING, needs("holding")),
    "holders are told without asking": (FOUNDING, without("tell-holders", "approval")),
    "access is decided before it is dead": (FOUNDING, needs("access", "history")),
    "access is decided before the history is read": (FOUNDING, needs("access", "dead")),
    "tokens are issued whatever was decided": (FOUNDING, without("one-token-each", "if")),
    "services get tokens before it is dead": (FOUNDING, needs("service-token")),
    "services get tokens before the history is read": (FOUNDING, needs("service-token", "dead")),
    "services are tested before delivery": (FOUNDING, needs("service-test")),
    "the takedown does not wait for the page": (FOUNDING, needs("takedown-draft", "dead", "history")),
    "the Space is paused before its page is kept": (FOUNDING, needs("close-space", "dead", "history")),
    "the Space is paused before its history is read": (FOUNDING, needs("close-space", "dead", "snapshot")),
    "the Space is paused before the token is dead": (FOUNDING, needs("close-space", "snapshot", "history")),
    "the token is ended before everybody has another": (FOUNDING, needs("retire", "dead")),
    "the token is ended before its owners have looked": (FOUNDING, needs("retire", "dead", "one-token-each")),
    "the token is ended before everybody could have another": (
        FOUNDING,
        needs("retire", "dead", "service-acknowledged"),
    ),
    "evidence holds containment up": (FOUNDING, needs("kill", "classify", "snapshot")),
    "a page that is gone stops the run": (FOUNDING, without("snapshot", "on_error")),
    "a chat that is down stops the run": (FOUNDING, without("room", "on_error")),
    "nobody is told by mail": (FOUNDING, lambda data: step(data, "alert-by-mail").update({"if": False})),
    "sessions are ended where there are none": (FOUNDING, without("sessions", "if")),
    "strangers are followed whoever used it": (SINGLE, without("strangers", "if")),
    "use records that are denied stop the run": (SINGLE, without("traces", "on_error")),
    "the overlap is not agreed to": (MANY, without("overlap", "approval")),
    "new ones are made before the overlap": (MANY, needs("new-key", "look")),
    "it is ended for good without asking": (MANY, without("retire", "approval")),
    "it is switched off without asking": (MANY, without("end", "approval")),
    "it ends before everybody has moved": (MANY, needs("end", "look")),
    "whom only the records show is not waited for": (
        MANY,
        lambda data: step(data, "no-more-waiting").update(
            {"needs": ["late"], "if": "${{ not steps.retest.all_done }}"}
        ),
    ),
    "there is no hard stop": (MANY, lambda data: step(data, "no-more-waiting")["start"].pop("hard_stop")),
    "the hard stop waits for what never ends": (MANY, needs("end", "retest", "no-more-waiting")),
    "the hard stop switches to another mode": (MANY, given("no-more-waiting", to="C")),
    "one that is not mended stops the others": (MANY, without("test", "on_error")),
    "all services are given theirs at once": (MANY, without("delivery", "waves")),
    "the cap waits for people": (MODEL, given("cap", "approval", on_timeout="abort")),
    "there is no cap": (MODEL, lambda data: step(data, "cap").update({"if": False})),
    "a cap that is refused stops the run": (MODEL, without("cap", "on_error")),
    "consumers wait for what strangers did": (SINGLE, needs("replace", "prepare", "strangers")),
    "there is a cap in private": (
        MODEL,
        lambda data: step(data, "cap").update({"if": "${{ credential.can.fence }}"}),
    ),
    "a mode that nobody agrees to stops the run": (AWS, without("mode", "on_error")),
    "the mode does not matter": (AWS, without("kill", "if")),
    "the fence goes up whatever was decided": (AWS, without("fence", "if")),
    "the fence goes up without asking": (AWS, without("fence", "approval")),
    "the fence is not proven": (AWS, lambda data: step(data, "fenced").update({"if": False})),
    "a fence that is not proven stays": (AWS, lambda data: step(data, "no-fence").update({"if": False})),
    "sessions outlive the key": (AWS, lambda data: step(data, "sessions").update({"if": False})),
    "consumers move before the sessions are over": (AWS, needs("replace", "fenced")),
    "what did not move is waited for": (AWS, lambda data: step(data, "no-more-waiting").update({"if": False})),
    "it ends late before anybody has moved": (AWS, needs("kill-late", "look")),
    "silence keeps it alive after the hard stop": (AWS, given("kill-late", "approval", on_timeout="abort")),
    "strangers do not end the overlap": (AWS, lambda data: step(data, "used").update({"if": False})),
    "a commander cannot stop waiting": (AWS, needs("no-more-waiting", "no-fence", "replace")),
    "the deadline of a kill runs in the overlap": (AWS, lambda data: data["deadlines"]["dead"].pop("if")),
    "it ends late without asking": (AWS, without("kill-late", "approval")),
    "the proof waits for consumers": (AWS, needs("proof", "kill", "sessions", "replace")),
    "a closed case issues keys": (AWS, without("replace", "if")),
    "the last sweep comes before the end": (AWS, needs("sweep", "look")),
    "nobody answers for what the last sweep finds": (
        AWS,
        needs("retire", "look", "proof", "proof-late", "replace", "left-unseen"),
    ),
    "nobody looks where the last sweep could not": (
        AWS,
        needs("retire", "look", "proof", "proof-late", "replace", "left-open"),
    ),
    "it is deleted without asking": (AWS, without("retire", "approval")),
    "the alert is closed before the token is dead": (
        GITHUB,
        lambda data: step(data, "close-alert").update(
            {
                "needs": ["places"],
                "if": "${{ inputs.alert }}",
                "with": {**step(data, "close-alert")["with"], "comment": "it is dead"},
            }
        ),
    ),
    "the alert is closed without asking": (GITHUB, without("close-alert", "approval")),
    "places that are denied stop the run": (GITHUB, without("places", "on_error")),
    "owners are asked before the app is installed": (SLACK, lambda data: step(data, "contain").pop("with")),
    "the Space of ours is paused before its page is kept": (
        HUB,
        needs("pause-space", "contain/proof", "contain/late/proof"),
    ),
    "the Space of ours is paused before the token is dead": (HUB, needs("pause-space", "snapshot")),
    "the Space of ours is paused without asking": (HUB, without("pause-space", "approval")),
    "one person switches our own off": (OWN, given("pause", "approval", quorum=1)),
    "one person ends our own": (OWN, given("end", "approval", quorum=1)),
    "one person ends the sessions of our own": (OWN, without("close-sessions", "approval")),
    "silence switches our own off": (OWN, given("pause", "approval", on_timeout="proceed")),
    "nobody is told that our own is public": (OWN, lambda data: step(data, "alert").update({"if": False})),
    "what ends our own waits for the mail server": (OWN, needs("pause", "look", "alert")),
    "our own lives on where mail is down": (OWN, without("alert", "on_error")),
    "our own ends itself": (OWN, without("end", "as")),
    "our own is renewed before it is dead": (OWN, needs("renew")),
    "our own is contained before it is renewed": (OWN, lambda data: data["exit"].pop()),
    "somebody else's is closed before it is kept": (THEIRS, needs("close-exposure")),
    "the owner's answer is not waited for": (THEIRS, lambda data: data.update(exit=["${{ 1 == 1 }}"])),
    "the owner answers before they are told": (THEIRS, needs("acknowledged", "close-exposure")),
    "a page of theirs that is gone stops the run": (THEIRS, without("snapshot", "on_error")),
    "a case is closed without asking": (NONE, without("close", "approval")),
    "a case is closed before anybody has looked": (NONE, needs("close")),
    "a case is closed before records are read": (NONE, needs("close", "look")),
    "a case is closed in another mode": (NONE, given("close", "with", to="A1")),
    "a finding is left alone before the case is closed": (NONE, needs("leave-alone")),
    "a finding is left alone without asking": (NONE, without("leave-alone", "approval")),
    "what is signed is not said": (NONE, given("close", "with", uncovered="")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_playbook_turns_a_scenario_red(name: str) -> None:
    playbook, breaking = BROKEN[name]
    path = Library(None).path(playbook)
    data = copy.deepcopy(yaml.safe_load(path.read_text()))
    breaking(data)
    broken, _ = parse_playbook(write(data), path.name, Library(None).load)
    files = sorted(scenario_files(path), key=lambda file: file.stem != "good")

    assert any(held(file, broken) for file in files)


# What a file may say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        pytest.param("expct: {contained: true}", "expct", "did you mean 'expect'?", id="unknown key"),
        pytest.param("status: {deed: done}", "deed", "did you mean 'dead'?", id="unknown step"),
        pytest.param("people: {kil: silent}", "kil", "did you mean 'kill'?", id="unknown step of people"),
        pytest.param("answers: {kil: lost}", "kil", "did you mean 'kill'?", id="unknown step of answers"),
        pytest.param("answers: {look: {finds: [other]}}", "{finds", "no credential 'other'", id="unknown credential"),
        pytest.param("order: [[kill, deed]]", "[kill", "did you mean 'dead'?", id="unknown step of an order"),
        pytest.param("order: [[kill]]", "[kill]", "should be", id="half an order"),
        pytest.param("never: [{step: kil}]", "step", "did you mean 'kill'?", id="unknown step of a never"),
        pytest.param("never: [{before: kill}]", "{before", "it names nothing", id="a never of nothing"),
        pytest.param("deadlines: {containd: met}", "containd", "did you mean 'contained'?", id="unknown deadline"),
        pytest.param("deadlines: {contained: soon}", "soon", "'pending'", id="unknown standing"),
        pytest.param("inputs: {plac: x}", "plac", "did you mean 'place'?", id="unknown input"),
        pytest.param("meanwhile: [{after: 1m}]", "{after", "nothing is done", id="nothing is done"),
        pytest.param("meanwhile: [{after: 1, retry: kill}]", "1,", "no unit", id="a span without unit"),
        pytest.param("crash: {after-apply: kil}", "after-apply", "did you mean 'kill'?", id="unknown step of a crash"),
        pytest.param("answers: {kill: {fails: denied, lost: done}}", "{fails", "exclude", id="two things at once"),
        pytest.param("answers: {dead: {looks: [refused y 3]}}", "{looks", "a look is a word", id="a strange look"),
        pytest.param("credential: {holders: -1}", "-1", "greater than or equal to 0", id="fewer than no holders"),
    ],
)
def test_an_error_stands_at_its_place_with_its_remedy(tmp_path: Path, text: str, at: str, words: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        load_scenario(written(tmp_path, TITLE + text + "\n"), small())

    [problem] = caught.value.problems
    assert f"small/one.yaml:2:{text.index(at) + 1}" == problem.where
    assert words in str(problem)


TOLD = """\
playbook: small
title: t
version: 1
roles: {commander: {}}
steps:
  - {id: part, phase: containment, playbook: inner}
  - id: choice
    phase: recovery
    action: human.decide
    with: {role: commander, question: q, options: {stay: y, go: n}, within: 2d, on_timeout: abort}
  - id: asked
    phase: recovery
    action: human.decide
    with: {role: commander, question: q, options: "${{ inputs }}", within: 2d, on_timeout: abort}
  - id: task
    phase: recovery
    action: human.task
    for_each: ${{ incident.credential.consumers }}
    with: {role: commander, instructions: i, within: 2d, on_timeout: abort}
  - {id: mode, phase: containment, action: incident.mode, with: {to: A1, reason: r}}
  - {id: alone, phase: review, action: finding.suppress, with: {days: 3, reason: r}}
  - {id: text, phase: communication, action: notice.draft, with: {template: takedown-request}}
  - id: tell
    phase: communication
    action: notice.send
    with: {template: holding-statement, to: press@house.example}
    approval: {role: commander, within: 2d, on_timeout: abort}
"""


def told() -> Playbook:
    inner, _ = parse_playbook(INNER, "inner.yaml")
    return parse_playbook(TOLD, "small.yaml", lambda _: inner)[0]


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        pytest.param("choice", "people do: write it under `people`, such as `choice: stay`", id="a decision"),
        pytest.param("asked", "such as `asked: OPTION`", id="a decision whose options are worked out"),
        pytest.param("task", "such as `task: done`", id="a task"),
        pytest.param("task[consumer-1]", "such as `task: done`", id="a task for one of several"),
        pytest.param("human.decide", "such as `STEP: done`", id="every decision"),
        pytest.param("human", "such as `STEP: done`", id="everybody"),
        pytest.param("mode", "it is written into the record", id="a mode"),
        pytest.param("incident.mode", "it is written into the record", id="every mode"),
        pytest.param("alone", "it is written into the record", id="a suppression"),
        pytest.param("finding", "it is written into the record", id="whatever is about the finding"),
        pytest.param("text", "its text is kept, and nothing is sent", id="a draft"),
        pytest.param("notice.send", "email.send_message or slack.post_message", id="every notice"),
        pytest.param("part", "it is a sub-playbook: name its steps, such as 'part/look'", id="a sub-playbook"),
    ],
)
@pytest.mark.parametrize("answer", ["lost", "{facts: {choice: go}}"])
def test_an_answer_that_no_system_gives_is_refused(tmp_path: Path, key: str, instead: str, answer: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        load_scenario(written(tmp_path, f"{TITLE}answers: {{'{key}': {answer}}}\n"), told())

    [problem] = caught.value.problems
    assert "small/one.yaml:2:11" == problem.where
    assert f"no system answers {key!r}" == problem.what
    assert instead in problem.remedy


@pytest.mark.parametrize("key", ["credential", "notice"])
def test_what_is_no_connection_answers_nothing(tmp_path: Path, key: str) -> None:
    with pytest.raises(PlaybookError, match=f"no step, action or connection '{key}'"):
        load_scenario(written(tmp_path, f"{TITLE}answers: {{{key}: denied}}\n"), told())


@pytest.mark.parametrize("key", ["tell", "email.send_message", "email", "part/look", "part/off", "credential.inspect"])
def test_what_a_system_answers_may_be_given(tmp_path: Path, key: str) -> None:
    scenario, _ = load_scenario(written(tmp_path, f"{TITLE}answers: {{{key}: denied}}\n"), told())

    assert [key] == list(scenario.answers)


def test_every_error_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError) as caught:
        load_scenario(written(tmp_path, TITLE + "status: {a: done, b: done}\ninputs: {c: 1}\n"), small())

    assert 3 == len(caught.value.problems)


def test_the_schema_takes_what_ships_and_nothing_else() -> None:
    schema = jsonschema.Draft202012Validator(scenario_schema())
    schema.check_schema(scenario_schema())

    assert [] == [error.message for path in SHIPPED for error in schema.iter_errors(yaml.safe_load(path.read_text()))]
    assert not schema.is_valid({"scenario": "x", "expct": {}})
    assert not schema.is_valid({"scenario": "x", "answers": {"a": {"fails": "sometimes"}}})


# What goes well by itself ----------------------------------------------------------------------------------------


def test_a_scenario_that_says_nothing_goes_well(tmp_path: Path) -> None:
    found, played = judged(tmp_path, "expect: {state: ended, contained: true, exit: 0}\n")

    assert [] == found
    assert ["planned", "asked", "agreed", "agreed", "intended", "applied", "verified"] == events(played, "kill")


def test_nothing_connects_to_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert [] == held(built_in("playbooks") / "tests" / FOUNDING / "good.yaml", shelf().playbooks[FOUNDING])


def test_days_pass_on_the_clock_of_the_scenario_alone(tmp_path: Path) -> None:
    _, played = judged(tmp_path, "people: {choice: {says: no, after: 47h}}\n")

    assert 47 <= (played.entries[-1].at - played.entries[0].at).total_seconds() / 3600 < 48


# What goes wrong when it is told to --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address", "wanted"),
    [
        ("answers: {look: {fails: unavailable, times: 1}}", "look", ["began", "retrying", "began", "done"]),
        ("answers: {look: denied}", "look", ["began", "failed"]),
        ("answers: {look: defect}", "look", ["began", "failed"]),
        ("answers: {kill: denied}", "kill", ["planned", "asked", "agreed", "agreed", "intended", "not_sent", "failed"]),
        ("answers: {kill: unchanged}", "kill", ["unchanged"]),
        ("answers: {kill: {fails: denied, at: plan}}", "kill", ["failed"]),
        (
            "answers: {kill: lost}",
            "kill",
            ["planned", "asked", "agreed", "agreed", "intended", "unknown", "reconciled"],
        ),
        (
            "answers: {kill: {lost: not-done}}",
            "kill",
            ["planned", "asked", "agreed", "agreed", "intended", "unknown", "intended", "applied", "verified"],
        ),
        (
            "answers: {kill: {holds: false, times: 1}}",
            "kill",
            ["planned", "asked", "agreed", "agreed", "intended", "applied", "retrying", "verified"],
        ),
        ("answers: {credential.inspect: denied}", "look", ["began", "failed"]),
        ("answers: {issuer: {fails: unavailable, times: 1}}", "look", ["began", "retrying", "began", "done"]),
        ("answers: {look: [{fails: unavailable, times: 1}, denied]}", "look", ["began", "retrying", "began", "failed"]),
        ("people: {kill: decline}", "kill", ["planned", "asked", "declined"]),
        ("people: {kill: [silent, decline]}", "kill", ["planned", "asked", "expired", "asked", "declined"]),
        ("people: {choice: silent}", "choice", ["asked", "expired"]),
        ("people: {choice: no}", "choice", ["asked", "decided"]),
        ("credential: {state: dead}", "kill", ["unchanged"]),
        (
            "crash: {before-apply: kill}",
            "kill",
            ["planned", "asked", "agreed", "agreed", "intended", "intended", "applied", "verified"],
        ),
        ("crash: {after-apply: kill}", "kill", ["planned", "asked", "agreed", "agreed", "intended", "reconciled"]),
        ("crash: {after-record: look}", "look", ["began", "done"]),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)  # fmt: skip
def test_what_the_scenario_says_is_what_happens(tmp_path: Path, text: str, address: str, wanted: list[str]) -> None:
    _, played = judged(tmp_path, text + "\n")

    assert wanted == events(played, address)


def test_a_proof_of_death_is_shown_what_the_scenario_says_and_then_what_is_so(tmp_path: Path) -> None:
    _, played = judged(tmp_path, "answers: {dead: {looks: [refused x 2, accepted, unknown]}}\n")

    looks = [entry.facts["verdict"] for entry in played.entries if entry.step == "dead" and "verdict" in entry.facts]
    assert ["refused", "refused", "alive", "unknown", "refused", "refused"] == looks[:6]
    assert "dead" == looks[-1]


def test_facts_are_those_of_the_action_and_of_the_scenario(tmp_path: Path) -> None:
    _, played = judged(tmp_path, "answers: {look: {facts: {owner: Ann}}}\n")

    assert {"state": "live", "owner": "Ann"}.items() <= played.states[""].unit("look").facts.items()


def test_a_finding_opens_a_run_whose_steps_bear_the_name_of_its_credential(tmp_path: Path) -> None:
    text = (
        "others: {second: {}}\nanswers: {look: {finds: [second]}}\npeople: {second/end: silent}\n"
        "status: {second/end: declined, second/pause: done}\n"
    )

    found, played = judged(tmp_path, text)

    assert [] == found
    assert {"", "second/"} == set(played.states)


def test_in_another_run_people_choose_what_its_playbook_names_first_as_well(tmp_path: Path) -> None:
    text = "finding: {exposure: private}\nothers: {second: {}}\nanswers: {look: {finds: [second]}}\n"

    _, played = judged(tmp_path, text)

    assert "kill" == played.states["second/"].unit("mode/how").facts["choice"]


@pytest.mark.parametrize(
    ("step", "instead"),
    [
        ("mode/how", "people do: write it under `people`, such as `mode/how: "),
        ("mode/kill-mode", "it is written into the record"),
        ("mode", "it is a sub-playbook: name its steps, such as 'mode/"),
    ],
)
def test_an_answer_that_no_system_gives_in_another_run_is_told_there(tmp_path: Path, step: str, instead: str) -> None:
    text = f"answers: {{look: {{finds: [second]}}, second/{step}: denied}}\nothers: {{second: {{}}}}\n"

    [problem] = judged(tmp_path, text)[0]

    assert problem.startswith(f"small/one.yaml:2:{text.index('second/') + 1}: no system answers 'second/{step}'")
    assert instead in problem


def test_a_slow_step_takes_its_time_and_nothing_that_does_not_need_it_waits(tmp_path: Path) -> None:
    text = SMALL + "postmortem: postmortem\n"
    text = text.replace(
        "exit:",
        "  - {id: page, phase: analysis, action: evidence.capture_page, with: {url: 'https://x.example/'}}\nexit:",
    )
    playbook, _ = parse_playbook(text, "small.yaml")

    found, _ = judged(tmp_path, "answers: {page: {takes: 30m}}\norder: [[dead, 'page:done']]\n", playbook)

    assert [] == found


def test_people_do_what_they_do_unasked(tmp_path: Path) -> None:
    text = (
        "answers: {look: denied}\nexpect: {state: ended}\n"
        "meanwhile: [{after: 5m, set: {programme: x}}, {after: 10m, abort: no more}]\n"
    )

    found, played = judged(tmp_path, text)

    assert [] == found
    assert {"set", "aborted"} <= {entry.event for entry in played.entries}


INNER = """\
playbook: inner
title: t
version: 1
roles: {commander: {}}
steps:
  - {id: look, phase: analysis, action: credential.inspect}
  - id: off
    phase: containment
    action: credential.disable
    needs: [look]
    approval: {role: commander, within: 5m, on_timeout: abort}
"""
OUTER = """\
playbook: small
title: t
version: 1
roles: {commander: {}}
steps:
  - {id: part, phase: containment, playbook: inner}
  - id: each
    phase: recovery
    action: credential.issue
    needs: [part]
    for_each: ${{ incident.credential.consumers }}
    waves: [1, 2]
    gate: ${{ steps['part/look'].state == 'dead' }}
    with: {consumer: "${{ item }}"}
  - id: later
    phase: containment
    action: credential.revoke
    start: {not_before: "incident.aware_at + 24h"}
    approval: {role: commander, within: 2d, on_timeout: abort}
"""


@pytest.mark.parametrize(
    "text",
    [
        "order: [[part/look, part/off], [part, each], [each, later]]\nstatus: {part: done, each: done, later: done}\n",
        "people: {each: stop}\nstatus: {'each[consumer-1]': done}\nnever: [{event: wave}]\n",
        "people: {part/off: decline}\nstatus: {part/off: declined}\nnever: [each]\n",
        "answers: {part/look: {facts: {state: dead}}}\nstatus: {each: done}\nnever: [{step: each, event: asked}]\n",
        "answers: {part/off: lost}\norder: [['part/off:unknown', 'part/off:reconciled']]\n",
    ],
    ids=["goes well", "stopped at the gate", "declined inside", "the gate is true", "a lost answer inside"],
)
def test_sub_playbooks_waves_and_starts_are_played_too(tmp_path: Path, text: str) -> None:
    inner, _ = parse_playbook(INNER, "inner.yaml")
    playbook, _ = parse_playbook(OUTER, "small.yaml", lambda _: inner)

    assert [] == judged(tmp_path, f"credential: {{consumers: 4}}\n{text}", playbook)[0]


def test_the_example_that_init_writes_comes_with_a_scenario_that_holds(tmp_path: Path) -> None:
    for name, text in files("me").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    example, _ = load_playbook(tmp_path / "playbooks" / "example.yaml")

    [file] = scenario_files(tmp_path / "playbooks" / "example.yaml")
    assert [] == held(file, example)


# What is judged ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("expect: {state: halted}", "halted", "it is ended"),
        ("expect: {contained: false}", "false", "expected it to be not contained"),
        ("expect: {exit: 1}", "1}", "it is 0"),
        ("expect: {says: nothing at all}", "nothing", "expected the words"),
        ("expect: {state: refused}", "refused", "it is ended"),
        ("status: {kill: skipped}", "skipped", "it is done"),
        ("status: {'each[consumer-1]': done}", "done", "it is waiting"),
        ("order: [[dead, kill]]", "[dead", "the other way round"),
        ("order: [['kill:declined', dead]]", "['kill", "it never ended"),
        ("order: [[kill, 'dead:failed']]", "[kill", "it never began"),
        ("order: [{before: dead, after: kill}]", "{before", "the other way round"),
        ("never: [kill]", "kill", "intended kill"),
        ("never: [{action: credential.disable, before: dead}]", "{action", "intended kill"),
        ("never: [{event: agreed}]", "{event", "agreed kill"),
        ("never: [{action: human.decide, after: dead}]", "{action", "asked choice"),
        ("notices: [{template: holding-statement}]", "{template", "it was never sent"),
        ("deadlines: {contained: late}", "late", "it is met"),
        ("people: {choice: maybe}", "maybe", "'maybe' is no option"),
        ("people: {choice: {says: yes, by: oncall-1}}", "{says", "oncall-1 does not have the role commander"),
        ("people: {choice: {says: yes, by: requester}}", "{says", "requester does not have the role commander"),
        ("never: [{by: commander-1}]", "{by", "agreed kill"),
    ],
)
def test_what_is_not_so_is_told_at_its_place(tmp_path: Path, text: str, at: str, words: str) -> None:
    [problem] = judged(tmp_path, text + "\n")[0]

    assert problem.startswith(f"small/one.yaml:2:{text.index(at) + 1}: ")
    assert words in problem


def test_a_refusal_is_told_and_may_be_expected(tmp_path: Path) -> None:
    said = "credential: {ownership: canary}\n"

    [problem] = judged(tmp_path, said + "expect: {contained: true}\n")[0]
    expected, _ = judged(tmp_path, said + "expect: {state: refused, exit: 3, says: canary}\n")

    assert "the run was refused: " in problem
    assert [] == expected


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        ("template: contributor-notice, count: 2", "there are 3"),
        ("template: contributor-notice, to: nobody@", "it was never sent"),
        ("template: contributor-notice, subject: outage", "expected the subject"),
        ("template: contributor-notice, says: you are all accused", "to say 'you are all accused'; it does not"),
        ("template: contributor-notice, never_says: not accused", "never to say 'not accused'; it does"),
    ],
)
def test_notices_are_judged_by_what_they_say(tmp_path: Path, notice: str, words: str) -> None:
    said = "credential: {shared: true, holders: 3}\ninputs: {host_space: a/b}\n"

    problems, _ = judged(tmp_path, f"{said}notices: [{{{notice}}}]\n", shelf().playbooks[FOUNDING])

    assert problems
    assert all(words in problem for problem in problems)


def test_what_nothing_of_the_scenario_speaks_of_is_not_judged(tmp_path: Path) -> None:
    assert [] == judged(tmp_path, "answers: {look: denied}\n")[0]
