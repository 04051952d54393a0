"""Nothing about the incident goes to whoever is suspect, and no approval, decision or role comes from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import clockwork
import pytest
from cli_bench import advanced, agreed, as_person, begun, typed
from guard_bench import assert_refused, case, effects, playbook, ran, refusals, settings, state_of

from responder.errors import PlanRefused, RequestError
from responder.expressions import evaluate
from responder.installation import login
from responder.naming import names
from responder.settings import Connection
from responder.state import RunState
from responder.suspicion import is_suspect, read_suspects

KILL = """\
  - id: kill
    phase: containment
    action: credential.disable
    approval: {role: commander, within: 1h, on_timeout: abort}
"""
TELL = """\
  - id: tell
    phase: communication
    connection: talk
    action: clockwork.tell
    needs: [look]
    with: {key: t, channel: %s}
"""
PEOPLE = {
    "ana": {"name": "Ana", "email": "Ana@lumen.example", "slack": "UANA0001", "roles": ["commander"]},
    "ben": {"name": "Ben", "email": "ben@lumen.example", "slack": "", "roles": ["commander"]},
}


class Speak(clockwork.Say):
    """Say something somewhere."""

    name: ClassVar[str] = "clockwork.speak"
    to: str = ""
    channel: str = ""
    invite: tuple[str, ...] = ()


def suspecting(*suspects: str) -> RunState:
    state = state_of(people=PEOPLE)
    state.standing.suspects = dict.fromkeys(suspects, "because")
    return state


@pytest.mark.parametrize(
    ("suspect", "told", "listeners", "count"),
    [
        pytest.param("person:ana", {"to": "ben@lumen.example"}, (), 0, id="somebody else"),
        pytest.param("person:ana", {"to": "ana@LUMEN.example"}, (), 1, id="their mail address"),
        pytest.param("person:ana", {"to": "Ana <ana@lumen.example>"}, (), 1, id="their address with a name"),
        pytest.param("person:x@out.example", {"to": "x@out.example"}, (), 1, id="an address that nobody here has"),
        pytest.param("channel:eng", {"channel": "#Eng"}, (), 1, id="a channel, however it is written"),
        pytest.param("channel:eng", {"channel": "C0123456"}, ("C0123456", "eng"), 1, id="a channel by its id"),
        pytest.param("person:ana", {"channel": "#eng"}, ("C0123456", "eng", "UANA0001"), 1, id="a member of it"),
        pytest.param(
            "person:ana", {"channel": "#eng"}, ("C0123456", "eng", "UBEN0001"), 0, id="a channel without them"
        ),
        pytest.param("person:ana", {"invite": ("UANA0001",)}, (), 1, id="an invitation"),
        pytest.param("device:laptop", {"to": "ana@lumen.example"}, (), 0, id="a device of nobody's"),
    ],
)
def test_whom_a_message_would_reach(suspect: str, told: dict[str, Any], listeners: Any, count: int) -> None:
    said = Speak(key="k", **told)
    found = refusals("suspects", case(said, state=suspecting(suspect), listeners=lambda: listeners))

    assert count == len(found)


def test_an_action_that_tells_nobody_is_no_message() -> None:
    assert [] == refusals("suspects", case(clockwork.Turn(key="k"), state=suspecting("person:ana")))


CHAT = Connection(name="chat", provider="slack", account="T1")
CHAT_TOO = Connection(name="chat-too", provider="slack", account="T1")


@pytest.mark.parametrize(
    ("alive", "reach", "checked", "count"),
    [
        pytest.param({"run-1": "gate"}, set(), set(), 0, id="the leaked key has nothing to do with the chat"),
        pytest.param({"run-1": "chat-too"}, set(), set(), 1, id="a token of the same workspace leaked"),
        pytest.param(
            {"run-1": "gate", "run-2": "chat"}, set(), set(), 1, id="another token of the incident is the chat's"
        ),
        pytest.param({"run-1": "gate"}, {"slack"}, set(), 1, id="the leaked key reaches the chat"),
        pytest.param({}, {"slack"}, set(), 0, id="everything that leaked is dead"),
        pytest.param({"run-1": "chat-too"}, set(), {"war-room"}, 0, id="somebody has looked"),
        pytest.param({"run-1": "chat-too"}, set(), {"eng"}, 1, id="somebody has looked elsewhere"),
        pytest.param({"run-1": "chat-too"}, set(), {"chat"}, 0, id="somebody has looked at all of it"),
    ],
)
def test_where_the_leaked_credential_may_be_listening(alive: Any, reach: Any, checked: Any, count: int) -> None:
    state = state_of()
    state.standing.alive, state.standing.reach, state.standing.checked = alive, reach, checked
    known = {"gate": Connection(name="gate", provider="http"), "chat": CHAT, "chat-too": CHAT_TOO}

    said = case(Speak(key="k", channel="#war-room"), state=state, connections=known, connection=CHAT)

    assert count == len(refusals("suspects", said))


@pytest.mark.parametrize(
    ("text", "added", "cleared"),
    [
        pytest.param("person:ana", ["person:ana"], [], id="one"),
        pytest.param("person:Ana, channel:#Eng", ["person:ana", "channel:eng"], [], id="several"),
        pytest.param("-device:Laptop-1,session:s1", ["session:s1"], ["device:laptop-1"], id="one cleared"),
    ],
)
def test_who_is_named(text: str, added: list[str], cleared: list[str]) -> None:
    assert (added, cleared) == read_suspects(text)


@pytest.mark.parametrize("text", ["", "ana", "robot:x", "person:", "channel:#"])
def test_a_name_without_a_kind_is_not_understood(text: str) -> None:
    with pytest.raises(RequestError):
        read_suspects(text)


def test_what_the_leaked_credential_reaches_is_suspect_and_expressions_read_it(place: Path) -> None:
    playbook(place, "  - {id: look, phase: analysis, action: credential.inspect}\n" + KILL)
    (place / "world" / "reach").write_text("read channel:#eng person:carl")
    run = begun(place, "g")
    advanced(place, run)
    app = as_person(place, "ann")
    state = app.state(run)
    read = evaluate("${{ incident.suspect }}", names(state, app.means))
    app.close()

    assert ["channel:eng", "person:carl"] == read
    assert is_suspect(state, "carl")


@pytest.fixture
def waiting(place: Path) -> str:
    playbook(place, KILL)
    run = begun(place, "g")
    advanced(place, run)
    assert 0 == typed(place, "set", run, "suspect=person:carl,channel:#eng", "--reason", "their laptop").exit_code
    return run


@pytest.mark.parametrize(
    "decide",
    [
        pytest.param(lambda app, run: app.approve(run, "kill"), id="approve"),
        pytest.param(lambda app, run: app.decline(run, "kill", "no"), id="decline"),
        pytest.param(lambda app, run: app.abort(run, "stop"), id="abort"),
        pytest.param(lambda app, run: app.set(run, "severity", "P3"), id="set"),
        pytest.param(lambda app, run: app.set(run, "suspect", "-person:carl", "it is me"), id="clear themselves"),
    ],
)
def test_nothing_is_decided_by_whoever_is_suspect(place: Path, waiting: str, decide: Callable[..., None]) -> None:
    app = as_person(place, "carl")
    with pytest.raises(PlanRefused, match="carl is suspect in this incident") as caught:
        decide(app, waiting)
    app.close()

    assert ["suspects"] == [problem.guard for problem in caught.value.problems]
    assert all(problem.where and problem.remedy for problem in caught.value.problems)


def test_whoever_is_not_suspect_decides(place: Path, waiting: str) -> None:
    agreed(place, waiting, "kill", person="cora")
    advanced(place, waiting)

    assert 1 == len(effects(place))


def test_from_the_command_line_a_suspect_cannot_approve(place: Path, waiting: str) -> None:
    settings(place, "os_user: ", "slack: ")
    settings(place, "email: carl@lumen.example,", f"email: carl@lumen.example, os_user: {login()},")

    result = typed(place, "approve", waiting, "kill")

    assert_refused(result, "suspects", what="carl is suspect", place=waiting, way_out="let somebody else do it")


def talking(place: Path) -> None:
    """Add a connection that has nothing to do with the leaked key."""
    (place / "talk").mkdir()
    (place / "talk" / "account").write_text("acct-2")
    line = f"  talk: {{provider: clockwork, account: acct-2, folder: {place / 'talk'}}}\n"
    settings(place, "inventory:\n", line + "inventory:\n")


def test_from_the_command_line_nothing_is_said_where_the_leaked_key_may_listen(place: Path) -> None:
    look = "  - {id: look, phase: analysis, action: credential.inspect}\n"
    result = ran(place, look + TELL.replace("connection: talk", "connection: cw") % "'#war-room'")

    assert_refused(result, "suspects", what="may read what is said", place="#war-room", way_out="that it was checked")
    run = next(word for word in result.stdout.split() if word.startswith("run-"))
    typed(place, "set", run, "checked=#war-room", "--reason", "three people are in it")
    typed(place, "retry", run, "tell")
    typed(place, "resume", run)
    assert ["t"] == effects(place)


def test_from_the_command_line_nothing_is_told_to_a_suspect(place: Path) -> None:
    (place / "world" / "reach").write_text("channel:#eng")
    talking(place)
    look = "  - {id: look, phase: analysis, action: credential.inspect}\n"

    result = ran(place, look + TELL % "'#eng'")

    assert_refused(result, "suspects", what="it would tell #eng", place="step tell", way_out="tell somebody else")
    assert not (place / "talk" / "effects.jsonl").exists()


def test_clearing_somebody_needs_a_commander(place: Path, waiting: str) -> None:
    def suspects() -> list[str]:
        app = as_person(place, "ann")
        found = sorted(app.state(waiting).standing.suspects)
        app.close()
        return found

    asked = typed(place, "set", waiting, "suspect=-person:carl", "--reason", "their laptop is clean")
    still = suspects()
    refused = typed(place, "approve", waiting, "incident.suspect")
    agreed(place, waiting, "incident.suspect", person="cora")

    assert 0 == asked.exit_code
    assert ["channel:eng", "person:carl"] == still
    assert "may answer: cora" in refused.stderr
    assert ["channel:eng"] == suspects()


TWO = KILL.replace("role: commander,", "role: commander, quorum: 2,")


def test_what_somebody_agreed_to_does_not_count_once_they_are_suspect(place: Path) -> None:
    settings(place, "cora@lumen.example, roles: [", "cora@lumen.example, roles: [oncall, ")
    settings(place, "roles: [oncall]}", "roles: [oncall]}\n  dora: {name: Dora, roles: [commander]}")
    playbook(place, TWO)
    run = begun(place, "g")
    advanced(place, run)
    agreed(place, run, "kill")
    typed(place, "set", run, "suspect=person:carl", "--reason", "their laptop")
    agreed(place, run, "kill", person="cora")
    advanced(place, run)
    first = effects(place)
    agreed(place, run, "kill", person="dora")
    advanced(place, run)

    assert ([], 1) == (first, len(effects(place)))


def test_what_was_agreed_to_and_not_done_is_asked_again_once_who_agreed_is_suspect(place: Path) -> None:
    playbook(place, KILL)
    run = begun(place, "g")
    advanced(place, run)
    agreed(place, run, "kill")
    typed(place, "set", run, "suspect=person:carl", "--reason", "their laptop")
    advanced(place, run)
    first = effects(place)
    agreed(place, run, "kill", person="cora")
    advanced(place, run)

    assert ([], 1) == (first, len(effects(place)))
