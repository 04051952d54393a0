"""`doctor` and permissions: which of those that playbooks need our own credential lacks, where its provider tells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import clockwork
import pytest
from cli_bench import document, environment
from click.testing import CliRunner

from responder.cli.call import Call
from responder.cli.group import group
from responder.errors import Denied, Unavailable
from responder.registry import Registry

STEPS = """\
playbook: {name}
title: t
version: 1
steps: [{{id: a, phase: analysis, action: clockwork.{action}, with: {{key: x}}}}]
"""


class Reading(clockwork.Look):
    """A reading that needs a permission."""

    name: ClassVar[str] = "clockwork.reading"
    permissions: ClassVar[tuple[str, ...]] = ("world:read", "none: everybody may look")


class Writing(clockwork.Turn):
    """A change that needs two."""

    name: ClassVar[str] = "clockwork.writing"
    permissions: ClassVar[tuple[str, ...]] = ("world:read", "world:write")


@dataclass
class Ward:
    """An installation whose provider tells what our credential lacks."""

    place: Path
    lacks: Callable[[Sequence[str]], Sequence[str]] | None = lambda _: ()
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def examined(self, *playbooks: str) -> tuple[int, dict[str, Any]]:
        lacks = self.lacks

        def lacking(client: Any, wanted: Sequence[str]) -> Sequence[str]:
            self.asked.append(tuple(wanted))
            return () if lacks is None else lacks(wanted)

        provider = clockwork.PROVIDER._replace(
            actions=(*clockwork.PROVIDER.actions, Reading, Writing),
            lacking=None if lacks is None else lacking,
        )
        where = ["--config", str(self.place / "responder.yaml"), "--store", str(self.place / "r.db"), "--json"]
        call = Call(providers=Registry({"clockwork": provider}))
        around = {**environment(self.place), "RESPONDER_STORE": ""}
        result = CliRunner().invoke(group, [*where, "doctor", *playbooks], obj=call, env=around)
        return result.exit_code, next(one for one in document(result)["checks"] if one["about"] == "connection")


@pytest.fixture
def ward(place: Path) -> Ward:
    path = place / "responder.yaml"
    path.write_text(path.read_text().replace("account: acct-1,", "account: acct-1, control: env:LEAKED,"))
    for name, action in (("look", "reading"), ("act", "writing")):
        (place / "playbooks" / f"{name}.yaml").write_text(STEPS.format(name=name, action=action))
    return Ward(place)


def without(*names: str) -> Callable[[Sequence[str]], Sequence[str]]:
    return lambda wanted: [one for one in wanted if one in names]


def test_who_has_every_permission_is_ready(ward: Ward) -> None:
    code, found = ward.examined("act")

    assert (0, "ok", []) == (code, found["state"], found["lacks"])
    assert "nobody tells" not in found["said"]


def test_only_what_playbooks_need_is_asked(ward: Ward) -> None:
    _, found = ward.examined("look")

    assert [("world:read",)] == ward.asked
    assert ["world:read"] == found["needs"]


@pytest.mark.parametrize("lacks", [None, lambda _: ["everything"]], ids=["no hook", "a hook"])
def test_where_playbooks_need_no_permission_nobody_is_asked(ward: Ward, lacks: Any) -> None:
    (ward.place / "playbooks" / "idle.yaml").write_text(STEPS.format(name="idle", action="look"))
    ward.lacks = lacks

    code, found = ward.examined("idle")

    assert (0, "ok", []) == (code, found["state"], ward.asked)
    assert "nobody tells" not in found["said"]


def test_a_permission_that_is_lacking_is_missing_and_named_in_the_remedy(ward: Ward) -> None:
    ward.lacks = without("world:write")

    code, found = ward.examined("act")

    assert (4, "missing", ["world:write"]) == (code, found["state"], found["lacks"])
    assert "world:write" in found["remedy"]
    assert "world:read" not in found["remedy"]
    assert ["world:read", "world:write"] == found["needs"]


def test_what_the_chosen_playbook_does_not_need_does_not_matter(ward: Ward) -> None:
    ward.lacks = without("world:write")

    assert 0 == ward.examined("look")[0]


def test_what_only_playbooks_that_ship_need_is_a_note(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "responder.cli.doctor._chosen", lambda app, _: ([app.library.load("look")], [app.library.load("act")])
    )
    ward.lacks = without("world:write")

    code, found = ward.examined()

    assert (0, "note", ["world:write"]) == (code, found["state"], found["lacks"])
    assert "world:write" in found["remedy"]


def test_what_the_provider_calls_by_another_name_counts_as_needed(ward: Ward) -> None:
    ward.lacks = lambda _: ["the role of an owner"]

    code, found = ward.examined("look")

    assert (4, "missing") == (code, found["state"])
    assert "the role of an owner" in found["remedy"]


def _raising(error: Exception) -> Callable[[Sequence[str]], Sequence[str]]:
    def lacks(_: Sequence[str]) -> Sequence[str]:
        raise error

    return lacks


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [(None, ""), (_raising(Denied("may not ask")), "may not ask"), (_raising(Unavailable("busy")), "busy")],
    ids=["no hook", "denied", "unavailable"],
)
def test_where_nobody_tells_that_is_said_and_nothing_is_missing(
    ward: Ward, lacks: Callable[[Sequence[str]], Sequence[str]] | None, reason: str
) -> None:
    ward.lacks = lacks

    code, found = ward.examined("act")

    assert (0, "ok", ["world:read", "world:write"]) == (code, found["state"], found["needs"])
    assert "nobody tells which permissions our credential has" in found["said"]
    assert found["said"].endswith(reason)


def test_a_control_and_a_permission_that_are_missing_are_both_told(ward: Ward) -> None:
    path = ward.place / "responder.yaml"
    path.write_text(path.read_text().replace(" control: env:LEAKED,", ""))
    ward.lacks = without("world:write")

    code, found = ward.examined("act")

    assert 4 == code
    assert all(word in found["said"] and word in found["remedy"] for word in ("control", "world:write"))


def test_on_another_account_permissions_tell_nothing(ward: Ward) -> None:
    (ward.place / "world" / "account").write_text("acct-2")
    ward.lacks = without("world:write")

    code, found = ward.examined("act")

    assert (4, [], []) == (code, found["lacks"], ward.asked)
