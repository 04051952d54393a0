"""A change is made on the account that responder.yaml says, or not at all."""

from pathlib import Path

import pytest
from guard_bench import ISSUER, assert_refused, case, effects, ran, refusals

from responder.action import Identity
from responder.settings import Connection

TURN = "  - {id: a, phase: analysis, action: clockwork.turn, with: {key: a}}\n"


@pytest.mark.parametrize(
    ("connection", "identity", "said"),
    [
        pytest.param(ISSUER, "acct", [], id="the account that it must be"),
        pytest.param(ISSUER, "other", ["the provider says that this is account 'other'"], id="another account"),
        pytest.param(ISSUER, "", ["the provider says that this is account ''"], id="a provider that does not tell"),
        pytest.param(
            Connection(name="gate", provider="http"), "", ["the connection does not say which account"], id="none said"
        ),
    ],
)
def test_which_account(connection: Connection, identity: str, said: list[str]) -> None:
    found = refusals("account", case(connection=connection, identity=Identity(identity)))

    assert len(said) == len(found)
    assert all(line.startswith(part) for part, line in zip(said, found, strict=True))


def test_from_the_command_line_nothing_is_begun(place: Path) -> None:
    (place / "world" / "account").write_text("acct-2")

    result = ran(place, TURN)

    assert_refused(result, "account", what="acct-2", place="connection cw", way_out="use the right connection")
    assert not (place / "state").exists()


def test_an_account_that_changes_while_the_run_goes_on_is_refused_by_the_runner(place: Path) -> None:
    (place / "world" / "note").write_text("")
    first = "  - {id: ask, phase: analysis, action: clockwork.nothing}\n"
    wrong = "  - {id: late, phase: analysis, action: clockwork.turn, with: {key: '${{ steps.ask.says or 1 }}'}}\n"
    (place / "world" / "account").write_text("acct-2")

    result = ran(place, first + wrong)

    assert_refused(result, "account", what="acct-2", place="connection cw", way_out="use the right connection")
    assert [] == effects(place)


def test_the_right_account_is_acted_on(place: Path) -> None:
    ran(place, TURN)

    assert ["a"] == effects(place)
