"""Whoever acts is not the credential that leaked, nor made from it."""

from pathlib import Path
from typing import Any

import pytest
from guard_bench import ISSUER, LEAKED, OURS, assert_refused, case, effects, ran, refusals, state_of, step

from responder.action import Identity
from responder.incident import Credential
from responder.settings import Connection

TURN = "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n"
ACTS = ["this connection acts with the leaked credential itself, or with one that was made from it"]


def other(account: str) -> Connection:
    return Connection(name="elsewhere", provider="http", account=account)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"ours": OURS, "identity": Identity("acct", "k-ours")}, [], id="a credential of our own"),
        pytest.param({"ours": LEAKED}, ACTS, id="the leaked value"),
        pytest.param({"ours": OURS, "identity": Identity("acct", "k1")}, ACTS, id="the leaked key"),
        pytest.param({"identity": Identity("acct", "s7", ("k1",))}, ACTS, id="a session that was made from it"),
        pytest.param({"identity": Identity("acct", "k1"), "connection": other("acct")}, ACTS, id="by another door"),
        pytest.param({"identity": Identity("acct-2", "k1"), "connection": other("acct-2")}, [], id="another issuer"),
        pytest.param({"identity": Identity("acct", "")}, [], id="a provider that tells no key id"),
        pytest.param(
            {"ours": OURS, "leaked": lambda: frozenset({OURS.fingerprint})}, ACTS, id="what leaked in another incident"
        ),
        pytest.param(
            {"identity": Identity("acct", "k7"), "leaked": lambda: frozenset({"gate:k7"})},
            ACTS,
            id="a key of another incident",
        ),
    ],
)
def test_with_what_we_act(given: dict[str, Any], said: list[str]) -> None:
    assert said == refusals("executor", case(**{"connection": ISSUER, **given}))


def test_the_replacement_is_never_ended() -> None:
    state = state_of()
    state.credential = Credential(connection="gate", key_id="k2")
    state.unit("new").planned = {"declared": "credential.issue"}
    state.unit("new").facts = {"key_id": "k2"}

    assert ["this key was issued by this very run"] == refusals("executor", case(state=state))
    assert [] == refusals("executor", case(state=state, one=step("credential.inspect")))


@pytest.mark.parametrize(("file", "key"), [("acting-key", "k1"), ("made-from", "k0 k1")])
def test_from_the_command_line_nothing_is_begun(place: Path, file: str, key: str) -> None:
    (place / "world" / file).write_text(key)

    result = ran(place, TURN)

    assert_refused(result, "executor", what=ACTS[0], place="connection cw", way_out="give the connection another")
    assert not (place / "state").exists()


def test_with_a_key_of_our_own_it_acts(place: Path) -> None:
    (place / "world" / "acting-key").write_text("k-ours")

    ran(place, TURN)

    assert ["a"] == effects(place)
