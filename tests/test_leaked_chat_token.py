"""Where the leaked token is the one that would tell people about it, nothing is said with it."""

from typing import Any

from guard_bench import ISSUER, LEAKED, OURS, case, refusals, state_of

from responder.action import Identity
from responder.guards import GUARDS, Moment
from responder.incident import Credential
from responder.providers.slack.messages import PostMessage
from responder.settings import Connection
from responder.state import RunState

CHAT = Connection(name="chat", provider="slack", account="T1")
MAIL = Connection(name="mail", provider="email", account="lumen.example")
SAYS = PostMessage(channel="#war-room", text="We look into it.")
ACTS = ["this connection acts with the leaked credential itself, or with one that was made from it"]


def leaked_token(*, dead: bool = False, checked: tuple[str, ...] = ()) -> RunState:
    state = state_of()
    state.credential = Credential(connection="chat", fingerprint=LEAKED.fingerprint)
    state.standing.alive = {} if dead else {"run-1": "chat"}
    state.standing.checked = set(checked)
    return state


def told(**more: Any) -> Any:
    known = {"gate": ISSUER, "chat": CHAT, "mail": MAIL}
    given = {"connection": CHAT, "connections": known, "identity": Identity("T1", "B1"), **more}
    return case(SAYS, **{"leaked": lambda: frozenset({LEAKED.fingerprint}), **given})


def test_nothing_is_said_with_the_leaked_token_whatever_was_checked() -> None:
    said = told(state=leaked_token(checked=("war-room", "chat")), ours=LEAKED)
    executor = next(guard for guard in GUARDS if guard.name == "executor")

    assert refusals("executor", said) == ACTS
    assert {Moment.PLAN, Moment.CHANGE} <= set(executor.asked)


def test_nothing_is_said_with_it_when_it_is_dead_either() -> None:
    assert refusals("executor", told(state=leaked_token(dead=True), ours=LEAKED)) == ACTS


def test_another_token_of_the_workspace_waits_until_the_leaked_one_is_dead() -> None:
    alive, dead = told(state=leaked_token(), ours=OURS), told(state=leaked_token(dead=True), ours=OURS)

    assert refusals("executor", alive) == []
    assert refusals("suspects", alive) == ["the leaked credential may read what is said by the connection chat"]
    assert refusals("suspects", dead) == []


def test_the_apps_next_token_speaks_though_it_is_the_same_bots() -> None:
    assert refusals("executor", told(state=leaked_token(dead=True), ours=OURS)) == []


def test_a_token_of_that_bot_is_refused_where_the_inventory_calls_the_leaked_one_by_the_bots_id() -> None:
    state = leaked_token(dead=True)
    state.credential = Credential(connection="chat", key_id="B1", fingerprint=LEAKED.fingerprint)

    assert refusals("executor", told(state=state, ours=OURS)) == ACTS


def test_another_channel_is_free() -> None:
    said = told(state=leaked_token(), ours=OURS, connection=MAIL, identity=Identity("lumen.example"))

    assert refusals("executor", said) == refusals("suspects", said) == []
