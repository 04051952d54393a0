"""Taking stock of credentials that runs of the same record were issued."""

from collections.abc import Iterable
from pathlib import Path

import clockwork
import pytest
from conftest import OpenApp
from test_run import begun, driven, statuses, written

from responder.action import KeySeen
from responder.app import App
from responder.registry import Registry
from responder.state import RunState
from responder.stocktaking import Remark, take_stock

CONSUMER = "{id: site, connection: cw, secret: site}"
ISSUES = f"""
  - {{id: new, phase: recovery, action: credential.issue, with: {{label: next, consumer: {CONSUMER}}}}}
"""
DELIVERS = f"""
  - {{id: new, phase: recovery, action: credential.issue, with: {{label: next}}}}
  - id: deliver
    phase: recovery
    action: credential.deliver
    with: {{consumer: {CONSUMER}, value: "${{{{ steps.new.value }}}}"}}
"""


def stock(opened: OpenApp, *keys: KeySeen, at: str = "cw") -> list[Remark]:
    """Return what is said of credentials that an account lists and the inventory does not hold."""

    def listed(client: clockwork.World) -> Iterable[KeySeen]:
        return keys if client.access.connection.name == at else ()

    app = opened(registry=Registry({"clockwork": clockwork.PROVIDER._replace(keys=listed)}))
    found = take_stock(app.means, print).remarks
    return [one for one in found if one.kind in {"unknown", "issued"}]


def ran(app: App, place: Path, steps: str) -> RunState:
    state = driven(app, begun(app, written(place, steps)))
    assert set(statuses(state).values()) == {"done"}
    return state


def key_of(state: RunState) -> str:
    return str(state.units["new"].facts["key_id"])


def test_what_an_ended_run_issued_and_delivered_is_told_with_the_run_and_its_consumer(
    opened: OpenApp, place: Path
) -> None:
    state = ran(opened(), place, DELIVERS)

    [found] = stock(opened, KeySeen(key_of(state), "live"))

    assert "ended" == state.state
    assert ("difference", "issued", "cw", key_of(state)) == (found.weight, found.kind, found.connection, found.key_id)
    assert f"issued by run {state.run} for consumer site" in found.said
    assert "add it to the inventory" == found.remedy


def test_what_a_run_issued_and_did_not_deliver_stays_unknown_and_says_whose_it_is(opened: OpenApp, place: Path) -> None:
    state = ran(opened(), place, ISSUES)

    [found] = stock(opened, KeySeen(key_of(state), "live"))

    assert "unknown" == found.kind
    assert f"issued by run {state.run} for consumer site, and not delivered by it" in found.said
    assert "or end it" in found.remedy


@pytest.mark.parametrize("key_id", ["k-of-nobody", ""])
def test_what_no_run_issued_is_unknown(opened: OpenApp, place: Path, key_id: str) -> None:
    ran(opened(), place, DELIVERS)

    [found] = stock(opened, KeySeen(key_id, "live"))

    assert "unknown" == found.kind
    assert "issued by" not in found.said


@pytest.mark.parametrize("kept", [True, False], ids=["beside the issuing one", "instead of the issuing one"])
def test_a_key_of_another_account_that_has_the_same_id_is_unknown(opened: OpenApp, place: Path, *, kept: bool) -> None:
    state = ran(opened(), place, DELIVERS)
    settings, folder = place / "responder.yaml", place / "other"
    folder.mkdir()
    (folder / "account").write_text("acct-2")
    other = f"  other: {{provider: clockwork, account: acct-2, folder: {folder}}}\n"
    text = settings.read_text().replace("inventory:\n", f"{other}inventory:\n")
    if not kept:
        lines = [line for line in text.splitlines(keepends=True) if not line.startswith("  cw:")]
        text = "".join(lines).replace("connection: cw", "connection: other")
    settings.write_text(text)

    [found] = stock(opened, KeySeen(key_of(state), "live"), at="other")

    assert ("unknown", "other") == (found.kind, found.connection)
