"""No leaked credential works again; a replacement is narrower, or says why not."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import clockwork
import pytest
from cli_bench import typed
from guard_bench import (
    LEAKED,
    OURS,
    assert_refused,
    case,
    effects,
    playbook,
    ran,
    refusals,
    report,
    settings,
    state_of,
    step,
)

from responder.action import Effect
from responder.credential import CredentialAction, Issue
from responder.incident import Credential
from responder.settings import Connection
from responder.state import RunState
from responder.unit import Items

LOOK = "  - {id: look, phase: analysis, action: credential.inspect}\n"
NEW = """\
  - id: new
    phase: analysis
    action: credential.issue
    with: {label: "${{ steps.look.state }}", scopes: [%s]%s}
"""
GIVE = """\
  - {id: new, phase: analysis, action: credential.issue, with: {label: svc}}
  - id: give
    phase: containment
    action: credential.deliver
    with: {consumer: {id: site, connection: cw, secret: s}, value: "${{ steps.new.value }}"}
"""
AGAIN = "it would make a credential work again that a finding names"


class Enable(CredentialAction, clockwork.Turn):
    """Make a key work again."""

    verb: ClassVar[str] = "enable"
    name: ClassVar[str] = "clockwork.enable"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    key: str = "k"


@pytest.mark.parametrize(
    ("name", "id_", "said"),
    [
        pytest.param("credential.enable", "a", [AGAIN], id="switched on again"),
        pytest.param("credential.disable", "a", [], id="switched off"),
        pytest.param("credential.disable", "a~undo", [AGAIN], id="switching off is taken back"),
        pytest.param("credential.issue", "a~undo", [], id="issuing is taken back"),
    ],
)
def test_a_leaked_credential_never_works_again(name: str, id_: str, said: list[str]) -> None:
    one = step("credential.disable").model_copy(update={"id": id_})

    assert said == refusals("way-back", case(Enable(), one, record={"action": name}))


class EnableKey(clockwork.Turn):
    """Make a key work again by its id, as a provider's own action."""

    name: ClassVar[str] = "clockwork.enable_key"
    key_id: str
    key: str = "k"


@pytest.mark.parametrize(
    ("key_id", "by", "count"),
    [
        pytest.param("k1", "gate", 1, id="the leaked one"),
        pytest.param("k1", "also", 1, id="by another connection to the same account"),
        pytest.param("k1", "far", 0, id="of the same name at another account"),
        pytest.param("k2", "gate", 0, id="another one"),
    ],
)
def test_no_action_of_a_providers_own_revives_a_leaked_key(key_id: str, by: str, count: int) -> None:
    known = {name: Connection(name=name, provider="gate", account="acct-1") for name in ("gate", "also")}
    known["far"] = Connection(name="far", provider="gate", account="acct-2")
    action = EnableKey(key_id=key_id)
    found = case(
        action, step("clockwork.enable_key"), record={"action": "clockwork.enable_key"}, connections=known,
        connection=known[by],
    )  # fmt: skip

    assert count == len(refusals("way-back", found))


def test_a_credential_that_no_finding_names_may_be_switched_on_again() -> None:
    state = state_of()
    state.credential = Credential(connection="gate", key_id="k5")

    assert [] == refusals("way-back", case(Enable(), record={"action": "credential.enable"}, state=state))


@pytest.mark.parametrize(
    ("value", "count"), [pytest.param(OURS, 0, id="a new one"), pytest.param(LEAKED, 1, id="the leaked one")]
)
def test_which_value_may_be_handed_over(value: Any, count: int) -> None:
    assert count == len(refusals("way-back", case(clockwork.Put(key="k", value=value))))


@pytest.mark.parametrize(
    ("scopes", "wider", "reach", "said"),
    [
        pytest.param((), "", ("read", "write"), "", id="what the issuer gives by itself"),
        pytest.param(("read",), "", ("read", "write"), "", id="narrower"),
        pytest.param(("read", "admin"), "", ("read",), "reach more than the leaked credential did: admin", id="wider"),
        pytest.param(("read", "admin"), "it takes two over", ("read",), "", id="wider, with its reason"),
        pytest.param(("read",), " ", (), "nothing shows that the replacement is narrower", id="nobody has looked"),
    ],
)
def test_a_replacement_is_narrower(scopes: Any, wider: str, reach: Any, said: str) -> None:
    state = state_of()
    state.unit("look").planned = {"action": "credential.inspect"}
    state.unit("look").facts = {"reach": list(reach)}
    found = refusals("way-back", case(Issue(scopes=scopes, wider=wider), step("credential.issue"), state=state))

    assert (1 if said else 0) == len(found)
    assert all(said in line for line in found)


def swept(*sweeps: tuple[int, list[str]], decided: Mapping[str, str] | None = None, decided_at: int = 9) -> RunState:
    """Return a run with sweeps, each so many minutes after the first, and what each found; and what was decided."""
    state = state_of()
    for number, (minutes, doors) in enumerate(sweeps):
        unit = state.unit(f"sweep-{number}")
        unit.planned, unit.facts = {"action": "credential.doors"}, {"unresolved": doors, "complete": True}
        unit.began_at = unit.ended_at = datetime(2026, 5, 2, 9, minutes, tzinfo=UTC)
    for door, choice in (decided or {}).items():
        answered = state.unit(f"door[{door}]")
        answered.facts, answered.ended_at = {"choice": choice}, datetime(2026, 5, 2, 9, decided_at, tzinfo=UTC)
    return state


@pytest.mark.parametrize(
    ("state", "open_doors"),
    [
        pytest.param(swept(), "", id="nobody has looked"),
        pytest.param(swept((0, [])), "", id="none"),
        pytest.param(swept((0, ["k2", "k3"])), "k2, k3", id="unanswered"),
        pytest.param(swept((0, ["k2", "k3"]), decided={"k2": "leave-open"}), "k3", id="one of two answered"),
        pytest.param(swept((0, ["k2"]), decided={"k2": "leave-open"}), "", id="left open by its id"),
        pytest.param(swept((0, ["k2"]), decided={"k": "leave-open"}), "k2", id="another one was left open"),
        pytest.param(swept((0, ["k2"]), decided={"k2": "shut"}), "k2", id="said to be shut, and nobody has looked"),
        pytest.param(swept((0, ["k2"]), (5, []), decided={"k2": "shut"}), "", id="seen shut"),
        pytest.param(swept((5, []), (0, ["k2"])), "", id="the newest sweep counts, wherever it stands"),
        pytest.param(swept((0, []), (5, ["k2"])), "k2", id="the newest sweep counts, and it found one"),
        pytest.param(swept((0, ["k2"]), (5, ["k3"]), decided={"k2": "leave-open"}, decided_at=2), "k3", id="one came"),
        pytest.param(swept((0, ["k2"]), (5, []), decided={"k2": "leave-open"}, decided_at=2), "", id="nothing came"),
        pytest.param(
            swept((0, ["k2"]), (5, ["k2"]), decided={"k2": "leave-open"}, decided_at=2),
            "k2",
            id="changed since it was decided: the sweep that knew of it says so",
        ),
    ],
)
def test_nothing_is_issued_while_another_way_in_is_unanswered(state: RunState, open_doors: str) -> None:
    found = refusals("way-back", case(Issue(), step("credential.issue"), state=state))

    assert (
        [f"other ways lead into the same identity, and nobody has answered for them: {open_doors}"]
        if open_doors
        else []
    ) == found


SIGN_IN, OLDER = "how the owner signs in", "older keys of the same owner"


def half_seen(*unseen: str, said_of: str = "", status: str = "done", by: str = "carl") -> RunState:
    """Return a run whose newest sweep could not look everywhere, and what a person said of one such place."""
    state = swept((0, []), (5, []))
    state.unit("sweep-1").facts = {"unresolved": [], "complete": not unseen, "unseen": list(unseen)}
    state.items["unseen"] = Items({"d1g3st": said_of})
    answered = state.unit("unseen[d1g3st]")
    answered.status, answered.facts = status, {"by": by, "said": "looked, and saw nothing"} if by else {}
    return state


@pytest.mark.parametrize(
    ("state", "dark"),
    [
        pytest.param(half_seen(), "", id="everything was looked at"),
        pytest.param(half_seen(SIGN_IN), SIGN_IN, id="nobody was asked"),
        pytest.param(half_seen(SIGN_IN, said_of=SIGN_IN), "", id="somebody has looked"),
        pytest.param(half_seen(SIGN_IN, OLDER, said_of=OLDER), SIGN_IN, id="at one of two"),
        pytest.param(half_seen(SIGN_IN, said_of=SIGN_IN, status="declined"), SIGN_IN, id="they declined"),
        pytest.param(half_seen(SIGN_IN, said_of=SIGN_IN, by=""), SIGN_IN, id="no person has said so"),
        pytest.param(half_seen(SIGN_IN, said_of="how the owner"), SIGN_IN, id="of something else"),
    ],
)
def test_nothing_is_issued_while_nobody_has_looked_where_the_sweep_could_not(state: RunState, dark: str) -> None:
    found = refusals("way-back", case(Issue(), step("credential.issue"), state=state))

    assert [line.rpartition(": ")[2] for line in found] == ([dark] if dark else [])
    assert all("was not complete" in line for line in found)


def test_another_way_in_keeps_nothing_from_being_ended() -> None:
    assert [] == refusals("way-back", case(state=swept((0, ["k2"]))))


def test_a_plan_waits_for_the_step_that_will_look(place: Path) -> None:
    playbook(place, LOOK + "  - {id: new, phase: analysis, action: credential.issue, with: {scopes: [read]}}\n")

    assert 0 == typed(place, "plan", "g", "--finding", report(place)).exit_code


def test_from_the_command_line_a_wider_replacement_is_refused(place: Path) -> None:
    (place / "world" / "reach").write_text("read")

    result = ran(place, LOOK + NEW % ("read, admin", ""))

    assert_refused(result, "way-back", what="reach more", place="step new.with.scopes", way_out="say why in `wider:`")
    assert [] == effects(place)


def test_with_its_reason_it_is_made(place: Path) -> None:
    (place / "world" / "reach").write_text("read")

    ran(place, LOOK + NEW % ("read, admin", ", wider: it takes two over"))

    assert ["key live"] == effects(place)


def test_from_the_command_line_what_another_incident_found_is_not_delivered(place: Path) -> None:
    settings(place, "inventory:\n", "inventory:\n  - {id: old, connection: cw, fingerprint: 'fp:0'}\n")
    playbook(place, "  - {id: only, phase: analysis, action: clockwork.nothing}\n", "quiet")
    found = {"value": f"new-value-svc-{'x' * 20}", "exposure": {"kind": "public"}}
    (place / "other.json").write_text(json.dumps(found))
    typed(place, "run", "quiet", "--finding", str(place / "other.json"), "--yes")

    result = ran(place, GIVE)

    assert_refused(
        result, "way-back", what="one that a finding names", place="step give", way_out="hand over a new one"
    )
    assert ["key svc"] == effects(place)


def test_a_new_value_is_delivered(place: Path) -> None:
    ran(place, GIVE)

    assert 2 == len(effects(place))
