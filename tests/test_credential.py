"""Proof of death: three refusals everywhere over the whole window beside a good control, and nothing like it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.action import Observation, Observed
from responder.credential import (
    REFUSALS,
    VERBS,
    Probe,
    ProveDead,
    ProveFenced,
    Subject,
    refusals_since_acceptance,
)
from responder.errors import Unavailable
from responder.redaction import Redactor, Secret
from responder.sealing import Sealer
from responder.settings import Consumer

SEALER = Sealer(b"k" * 32, Redactor())
LEAKED, GOOD = SEALER.secret("leaked-" + "a1" * 10), SEALER.secret("good-" + "b2" * 10)
START = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
ACCEPTED, REFUSED, UNKNOWN = Probe.ACCEPTED, Probe.REFUSED, Probe.UNKNOWN
NO_ANSWER = Unavailable("no answer")


@dataclass
class World:
    """What each look meets: the leaked value's reception a surface, the control's, and the sessions that are open."""

    leaked: dict[str, Any] = field(default_factory=lambda: {"api": REFUSED})
    good: Any = ACCEPTED
    sessions: int | None = 0
    control: Secret | None = GOOD
    paths: dict[str, Any] = field(default_factory=dict)
    at: datetime = START
    presented: list[tuple[str, str]] = field(default_factory=list)

    @property
    def access(self) -> Any:
        return self

    @property
    def clock(self) -> Any:
        return self

    def now(self) -> datetime:
        return self.at


class Prove(ProveDead):
    name = "world.prove_dead"

    def surfaces(self, client: World) -> Sequence[str]:
        return list(client.leaked)

    def window(self, client: World) -> float:
        return 30.0

    def control(self, client: World) -> Secret | None:
        return client.control

    def open_sessions(self, client: World) -> int | None:
        return client.sessions

    def present(self, client: World, surface: str, value: Secret) -> Probe:
        client.presented.append((surface, "leaked" if value == LEAKED else "good"))
        probe = client.leaked[surface] if value == LEAKED else client.good
        if isinstance(probe, Exception):
            raise probe
        return probe  # type: ignore[no-any-return]


def looks(*worlds: World, value: Secret | None = LEAKED) -> list[Observation]:
    """Look once at each of these worlds, in their order, and keep what the timeline would."""
    action = Prove(subject=Subject(value=value))
    history: list[Observed] = []
    seen: list[Observation] = []
    for world in worlds:
        seen.append(action.observe(world, history))
        history.append(Observed(world.at, seen[-1].verdict, seen[-1].facts))
    return seen


def at(seconds: float, **more: Any) -> World:
    return World(at=START + timedelta(seconds=seconds), **more)


@pytest.mark.parametrize(
    ("worlds", "verdicts"),
    [
        pytest.param([at(0), at(15), at(30)], ["refused", "refused", "dead"], id="three refusals over the window"),
        pytest.param(
            [at(0), at(1), at(2), at(29)], ["refused"] * 4, id="many refusals within the window are not enough"
        ),
        pytest.param([at(0), at(60)], ["refused"] * 2, id="two refusals over the window are not enough"),
        pytest.param(
            [at(0), at(15, leaked={"api": ACCEPTED}), at(30), at(45), at(60)],
            ["refused", "alive", "refused", "refused", "dead"],
            id="an acceptance starts again",
        ),
        pytest.param(
            [at(0), at(15, leaked={"api": UNKNOWN}), at(30), at(31)],
            ["refused", "unknown", "refused", "dead"],
            id="unknown neither counts nor starts again",
        ),
        pytest.param(
            [at(n * 30, leaked={"api": UNKNOWN}) for n in range(5)], ["unknown"] * 5, id="unknown never counts"
        ),
        pytest.param(
            [at(0), at(15, sessions=2), at(30), at(45), at(60)],
            ["refused", "sessions open", "refused", "refused", "dead"],
            id="open sessions start again",
        ),
        pytest.param(
            [at(n * 30, sessions=None) for n in range(4)],
            ["unknown"] * 4,
            id="sessions that cannot be counted are not none",
        ),
        pytest.param(
            [at(n * 30, good=REFUSED) for n in range(4)],
            ["unknown"] * 4,
            id="a control that is refused too proves nothing",
        ),
        pytest.param(
            [at(n * 30, good=UNKNOWN) for n in range(4)],
            ["unknown"] * 4,
            id="a control that is not answered proves nothing",
        ),
        pytest.param(
            [at(n * 30, control=None) for n in range(4)], ["unknown"] * 4, id="without a control there is no proof"
        ),
        pytest.param(
            [at(n * 30, control=LEAKED) for n in range(4)], ["unknown"] * 4, id="the leaked value is no control"
        ),
        pytest.param(
            [at(n * 30, leaked={"api": REFUSED, "git": ACCEPTED}) for n in range(4)],
            ["alive"] * 4,
            id="one surface that accepts is enough to live",
        ),
        pytest.param(
            [at(n * 30, leaked={"api": REFUSED, "git": UNKNOWN}) for n in range(4)],
            ["unknown"] * 4,
            id="every surface must refuse",
        ),
        pytest.param(
            [at(n * 30, leaked={}) for n in range(4)], ["unknown"] * 4, id="nowhere presented is nowhere refused"
        ),
        pytest.param(
            [at(n * 30, leaked={"api": NO_ANSWER}) for n in range(4)],
            ["unknown"] * 4,
            id="a surface without an answer is unknown",
        ),
        pytest.param(
            [at(n * 30, good=NO_ANSWER) for n in range(4)], ["unknown"] * 4, id="a control without an answer is unknown"
        ),
        pytest.param(
            [at(n * 30, leaked={"a": NO_ANSWER, "b": ACCEPTED}) for n in range(2)],
            ["alive"] * 2,
            id="the others are asked all the same",
        ),
    ],
)
def test_what_proves_death(worlds: list[World], verdicts: list[str]) -> None:
    seen = looks(*worlds)

    assert verdicts == [look.verdict for look in seen]
    assert ["dead" == verdict for verdict in verdicts] == [look.last for look in seen]
    assert all(look.ok for look in seen if look.last)


def test_contained_is_the_first_refusal_after_the_last_acceptance() -> None:
    seen = looks(at(0), at(10, leaked={"api": ACCEPTED}), at(20), at(40), at(60))

    assert ("dead", (START + timedelta(seconds=20)).isoformat(), 3) == (
        seen[-1].facts["verdict"], seen[-1].facts["first_refused_at"], seen[-1].facts["refusals"],
    )  # fmt: skip


def test_without_the_value_nothing_is_presented_and_nothing_is_proven() -> None:
    world = at(0)

    assert ["unknown"] == [look.verdict for look in looks(world, value=None)]
    assert [] == world.presented


def test_the_control_is_presented_on_the_same_surface_right_after() -> None:
    world = at(0, leaked={"api": REFUSED, "git": REFUSED})
    looks(world)

    assert [("api", "leaked"), ("api", "good"), ("git", "leaked"), ("git", "good")] == world.presented


def test_a_live_credential_is_looked_at_again_soon_and_a_busy_server_is_not_hammered() -> None:
    assert 5.0 >= looks(at(0, leaked={"api": ACCEPTED}))[0].wait
    assert 30.0 / REFUSALS == looks(at(0))[0].wait


def test_only_refusals_since_the_last_acceptance_count() -> None:
    history = [Observed(START, verdict, {}) for verdict in ("refused", "alive", "refused", "unknown", "refused")]

    assert 2 == len(refusals_since_acceptance(history))


class Fenced(ProveFenced):
    name = "world.prove_fenced"

    def surfaces(self, client: World) -> Sequence[str]:
        return list(client.leaked)

    def window(self, client: World) -> float:
        return 30.0

    def present(self, client: World, surface: str) -> Probe:
        return met(client.leaked[surface])

    def path(self, client: World, consumer: Consumer) -> Probe:
        return met(client.paths.get(consumer.id, ACCEPTED))


def met(probe: Any) -> Probe:
    if isinstance(probe, Exception):
        raise probe
    return probe  # type: ignore[no-any-return]


def fence_looks(*worlds: World) -> list[Observation]:
    action = Fenced(consumers=tuple(Consumer(id=name, connection="gate", secret=name) for name in ("site", "jobs")))
    history: list[Observed] = []
    seen: list[Observation] = []
    for world in worlds:
        seen.append(action.observe(world, history))
        history.append(Observed(world.at, seen[-1].verdict, seen[-1].facts))
    return seen


@pytest.mark.parametrize(
    ("worlds", "verdicts"),
    [
        pytest.param([at(0), at(15), at(30)], ["refused", "refused", "fenced"], id="three refusals over the window"),
        pytest.param([at(0), at(1), at(29)], ["refused"] * 3, id="three within the window are not enough"),
        pytest.param([at(0), at(60)], ["refused"] * 2, id="two over the window are not enough"),
        pytest.param(
            [at(0), at(15, leaked={"api": ACCEPTED}), at(30), at(45), at(60)],
            ["refused", "open", "refused", "refused", "fenced"],
            id="an outsider who is let in starts it again",
        ),
        pytest.param(
            [at(n * 30, leaked={"api": REFUSED, "git": ACCEPTED}) for n in range(4)],
            ["open"] * 4,
            id="one surface that is open is enough",
        ),
        pytest.param(
            [at(0), at(15, paths={"jobs": REFUSED}), at(30), at(45), at(60)],
            ["refused", "stops consumers", "refused", "refused", "fenced"],
            id="a consumer that it stops starts it again",
        ),
        pytest.param(
            [at(n * 30, paths={"jobs": REFUSED}) for n in range(4)],
            ["stops consumers"] * 4,
            id="one that stops a consumer is no fence",
        ),
        pytest.param(
            [at(0), at(15, leaked={"api": UNKNOWN}), at(30), at(31)],
            ["refused", "unknown", "refused", "fenced"],
            id="unknown neither counts nor starts again",
        ),
        pytest.param(
            [at(n * 30, paths={"site": UNKNOWN}) for n in range(4)],
            ["unknown"] * 4,
            id="a consumer of whom nothing is known proves nothing",
        ),
        pytest.param(
            [at(n * 30, paths={"site": UNKNOWN, "jobs": REFUSED}) for n in range(4)],
            ["unknown"] * 4,
            id="nor does one beside it",
        ),
        pytest.param(
            [at(n * 30, leaked={"api": NO_ANSWER}) for n in range(4)], ["unknown"] * 4, id="no answer outside"
        ),
        pytest.param([at(n * 30, paths={"site": NO_ANSWER}) for n in range(4)], ["unknown"] * 4, id="no answer inside"),
        pytest.param([at(n * 30, leaked={}) for n in range(4)], ["unknown"] * 4, id="nowhere presented"),
    ],
)
def test_what_proves_a_fence(worlds: list[World], verdicts: list[str]) -> None:
    seen = fence_looks(*worlds)

    assert verdicts == [look.verdict for look in seen]
    assert ["fenced" == verdict for verdict in verdicts] == [look.last for look in seen]
    assert [verdict for verdict in verdicts if verdict == "fenced"] == [
        look.facts["verdict"] for look in seen if "verdict" in look.facts
    ]


def test_whom_a_fence_stops_is_named() -> None:
    [look] = fence_looks(at(0, paths={"jobs": REFUSED}))

    assert (["jobs"], {"site": "accepted", "jobs": "refused"}) == (look.facts["newly_refused"], look.facts["paths"])


def test_every_verb_has_its_name() -> None:
    assert {f"credential.{verb}" for verb in VERBS} == {action.name for action in VERBS.values()}
