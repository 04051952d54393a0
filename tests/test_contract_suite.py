"""The contract suite finds what is wrong: one small provider, broken in one way at a time."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from responder.action import (
    Access,
    Action,
    Change,
    Effect,
    Identity,
    Lifespan,
    Outcome,
    Provider,
    Unchanged,
    Verdict,
)
from responder.clock import Clock, SystemClock
from responder.credential import Disable
from responder.errors import Denied, Unavailable
from responder.redaction import Secret
from responder.settings import Connection
from responder.testing.bench import ActionCase, ContractBroken, ProviderCase
from responder.testing.contract import checks
from responder.testing.loopback import Loopback, Reply, Seen, Trouble


@dataclass
class Lamp:
    """A lamp with a switch, behind a gate."""

    gate: Loopback
    connection: Connection
    clock: Clock
    account: str = "lamp"
    secret: str | None = "our-" + "s3cR" * 6
    control: str | None = None

    def writes(self) -> int:
        return len(self.gate.effective)

    def misbehave(self, trouble: Trouble) -> None:
        self.gate.trouble = trouble


class SwitchOff(Action):
    """Switch the lamp off."""

    name: ClassVar[str] = "lamp.off"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = ("lamp:write",)
    value: Secret

    def plan(self, client: Access) -> Change | Unchanged:
        if ask(client, "GET")["on"]:
            return Change("the lamp", "on", "off")
        return Unchanged("it is off already")

    def apply(self, client: Access, change: Change) -> Outcome:
        return Outcome(ask(client, "POST"))

    def verify(self, client: Access, change: Change) -> Verdict:
        return Verdict.DOES_NOT_HOLD if ask(client, "GET")["on"] else Verdict.HOLDS


def ask(client: Access, method: str, *, write: bool | None = None) -> Any:
    write = method == "POST" if write is None else write
    url = f"{client.connection.options['url']}/lamp"
    return client.wire.request(method, url, write=write, bearer=client.secret, permission="lamp:write").json()


def case_of(action: type[Action], account: Callable[[Access], str] = lambda _: "lamp") -> ProviderCase:
    @contextlib.contextmanager
    def open_lamp() -> Iterator[Lamp]:
        state = {"on": True}

        def answer(seen: Seen) -> Reply:
            state["on"] = state["on"] and seen.method != "POST"
            return Reply(200, dict(state))

        with Loopback(answer) as gate:
            connection = Connection.model_validate({"name": "lamp", "provider": "lamp", "url": gate.url})
            yield Lamp(gate, connection, SystemClock())

    def identify(client: Access) -> Identity:
        ask(client, "GET")
        return Identity(account(client))

    provider = Provider("lamp", (action,), connect=lambda access: access, identify=identify, options=BaseModel)
    return ProviderCase(provider, open_lamp, (ActionCase(lambda _, take: action(value=take("t4ke" * 6)), "off"),))


def broken(case: ProviderCase) -> set[str]:
    found = set()
    for check in checks(case):
        try:
            check.run()
        except ContractBroken as error:
            found.add(str(error))
    return found


class PlansByWriting(SwitchOff):
    """Switch it off while planning."""

    def plan(self, client: Access) -> Change | Unchanged:
        ask(client, "POST", write=False)
        return Change("the lamp", "on", "off")


class PlansInThePresent(SwitchOff):
    """Plan with the time in it."""

    def plan(self, client: Access) -> Change | Unchanged:
        found = super().plan(client)
        return Change("the lamp", "on", f"off at {time.time_ns()}") if isinstance(found, Change) else found


class SaysNoReason(SwitchOff):
    """Do nothing, and not say why."""

    def plan(self, client: Access) -> Change | Unchanged:
        found = super().plan(client)
        return found if isinstance(found, Change) else Unchanged(" ")


class NeverSeesThatItIsDone(SwitchOff):
    """Plan it for ever."""

    def plan(self, client: Access) -> Change | Unchanged:
        ask(client, "GET")
        return Change("the lamp", "on", "off")


class AlwaysHolds(SwitchOff):
    """Believe itself."""

    def verify(self, client: Access, change: Change) -> Verdict:
        return Verdict.HOLDS


class TellsTheSecret(SwitchOff):
    """Put the value into the facts."""

    def apply(self, client: Access, change: Change) -> Outcome:
        return Outcome({**ask(client, "POST"), "was": client.wire.with_value(self.value, str.upper).lower()})


class ComplainsWithTheSecret(SwitchOff):
    """Put our own credential into an error."""

    def apply(self, client: Access, change: Change) -> Outcome:
        try:
            return super().apply(client, change)
        except Denied as error:
            assert client.secret is not None
            value = client.wire.with_value(client.secret, str)
            raise Denied(f"{value} is refused", remedy=error.remedy) from None


class NamesNoPermission(SwitchOff):
    """Be denied without a word."""

    def apply(self, client: Access, change: Change) -> Outcome:
        try:
            return super().apply(client, change)
        except Denied:
            raise Denied("no", remedy="ask somebody") from None


class SwallowsALostAnswer(SwitchOff):
    """Take a lost answer for a failure."""

    def apply(self, client: Access, change: Change) -> Outcome:
        try:
            return Outcome(ask(client, "POST"))
        except Exception as error:
            raise Unavailable("try again") from error


class NeedsNoPermit(SwitchOff):
    """Write as if it were reading."""

    def apply(self, client: Access, change: Change) -> Outcome:
        return Outcome(ask(client, "POST", write=False))


class Undescribed(SwitchOff):
    permissions: ClassVar[tuple[str, ...]] = ()


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (PlansByWriting, "writes where there should be none"),
        (PlansInThePresent, "something volatile"),
        (SaysNoReason, "does not say why"),
        (NeverSeesThatItIsDone, "it is done, and yet it plans"),
        (AlwaysHolds, "it holds before it was applied"),
        (AlwaysHolds, "the system is silent, and verify says holds"),
        (TellsTheSecret, "a secret stands in Outcome"),
        (ComplainsWithTheSecret, "a secret stands in Denied"),
        (NamesNoPermission, "the remedy names none of"),
        (SwallowsALostAnswer, "expected OutcomeUnknown, got Unavailable"),
        (NeedsNoPermit, "expected PermitExpired"),
        (Undescribed, "no docstring of its own"),
    ],
)
def test_what_is_wrong_is_found(action: type[Action], says: str) -> None:
    assert [message for message in broken(case_of(action)) if says in message]


def test_what_is_right_passes() -> None:
    assert broken(case_of(SwitchOff)) == set()


def test_an_account_that_is_only_claimed_is_found() -> None:
    case = case_of(SwitchOff, account=lambda client: client.connection.account)

    assert [message for message in broken(case) if "identify says 'another account'" in message]


def test_an_action_without_a_case_is_found() -> None:
    case = case_of(SwitchOff)
    missing: Sequence[ActionCase] = ()
    without = ProviderCase(case.provider, case.open, missing)

    assert [message for message in broken(without) if "has no case for SwitchOff" in message]


class EndsBoth(Disable):
    """Switch it off, and the lamp beside it."""

    permissions: ClassVar[tuple[str, ...]] = ("lamp:write",)

    def plan(self, client: Access) -> Change | Unchanged:
        return Change("the lamp", "on", "off") if ask(client, "GET")["on"] else Unchanged("it is off already")

    def apply(self, client: Access, change: Change) -> Outcome:
        return Outcome(ask(client, "POST"))

    def verify(self, client: Access, change: Change) -> Verdict:
        return Verdict.DOES_NOT_HOLD if ask(client, "GET")["on"] else Verdict.HOLDS


def ending(**more: Any) -> ProviderCase:
    case = case_of(SwitchOff)
    provider = case.provider._replace(actions=(EndsBoth,))
    return ProviderCase(provider, case.open, (ActionCase(lambda *_: EndsBoth(), "off", **more),))


def test_whatever_ends_a_credential_must_show_whom_it_leaves_alone() -> None:
    assert [message for message in broken(ending()) if "needs `spares` and `gone`" in message]


def test_ending_another_credential_is_found() -> None:
    case = ending(spares=lambda live: {"the other lamp": not live.gate.effective})

    assert [message for message in broken(case) if "another credential was touched" in message]


def test_a_case_without_another_credential_shows_nothing() -> None:
    case = ending(spares=lambda live: {})

    assert [message for message in broken(case) if "no other credential that it could end" in message]


class Candle(Action):
    """Light a candle that nobody can tell from another."""

    name: ClassVar[str] = "lamp.candle"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = ("lamp:write",)
    idempotent: ClassVar[bool] = False
    readback: ClassVar[bool] = False
    orphan: ClassVar[Lifespan | None] = Lifespan(3600, "the candle's box")

    def plan(self, client: Access) -> Change | Unchanged:
        ask(client, "GET")
        return Change("a candle", "none", "lit")

    def apply(self, client: Access, change: Change) -> Outcome:
        return Outcome(ask(client, "POST"))

    def verify(self, client: Access, change: Change) -> Verdict:
        return Verdict.HOLDS


class SaysTooLittle(Candle):
    """Say that it burns down sooner than it does."""

    orphan: ClassVar[Lifespan | None] = Lifespan(60, "hope")


class SaysNotWho(Candle):
    """Say for how long, and not who says so."""

    orphan: ClassVar[Lifespan | None] = Lifespan(3600, " ")


class CanBeRecognised(Candle):
    """Say for how long an orphan burns that can be found."""

    readback: ClassVar[bool] = True


class CountsItsTries(Candle):
    """Plan another change after each."""

    def plan(self, client: Access) -> Change | Unchanged:
        ask(client, "GET")
        return Change("a candle", "none", f"lit by {time.time_ns()}")


def burning(action: type[Action], *, every: bool = True) -> ProviderCase:
    """Return a case in which each candle burns for an hour of a clock that the case moves."""
    case = case_of(action)
    passed, lit = [0.0], list[float]()

    @contextlib.contextmanager
    def open_box() -> Iterator[Lamp]:
        passed[:], lit[:] = [0.0], []

        def answer(seen: Seen) -> Reply:
            if seen.method == "POST":
                lit.append(passed[0])
            return Reply(200, {"on": True})

        with Loopback(answer) as gate:
            connection = Connection.model_validate({"name": "lamp", "provider": "lamp", "url": gate.url})
            yield Lamp(gate, connection, SystemClock())

    def wait(_: Lamp, seconds: float) -> None:
        passed[0] += seconds

    def living(_: Lamp) -> set[int]:
        return {number for number, at in enumerate(lit) if passed[0] < at + 3600}

    shown: dict[str, Any] = {"living": living, "wait": wait} if every else {}
    return ProviderCase(case.provider, open_box, (ActionCase(lambda *_: action(), "candle", **shown),))


def test_a_create_that_nobody_can_recognise_may_be_made_again_if_its_orphan_ends_by_itself() -> None:
    assert broken(burning(Candle)) == set()


@pytest.mark.parametrize(
    ("case", "says"),
    [
        pytest.param(burning(SaysTooLittle), "60 s later the orphan still works: [0]", id="lives longer than it says"),
        pytest.param(burning(SaysNotWho), "who says so", id="nobody says so"),
        pytest.param(burning(CanBeRecognised), "is no create that nobody recognises", id="can be recognised"),
        pytest.param(burning(CountsItsTries), "yet it plans another change", id="plans another change"),
        pytest.param(burning(Candle, every=False), "needs `living` and `wait`", id="the case does not show it"),
    ],
)
def test_what_is_wrong_with_an_orphans_end_is_found(case: ProviderCase, says: str) -> None:
    assert [message for message in broken(case) if says in message]
