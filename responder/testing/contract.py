"""The contract that every action of every provider keeps; authors give cases, the checks are here.

A case makes a live fake and one action of each kind. `checks` turns it into named checks for any test runner:

    @pytest.mark.parametrize("check", [pytest.param(c, id=c.name) for c in checks(CASE)])
    def test_contract(check):
        check.run()
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from responder.action import (
    Action,
    Change,
    Changing,
    Effect,
    Observing,
    Outcome,
    Provider,
    Reading,
    Unchanged,
    Verdict,
)
from responder.credential import Disable, Revoke
from responder.errors import Denied, OutcomeUnknown, PermitExpired, Unavailable
from responder.testing.bench import ActionCase, Bench, ContractBroken, ProviderCase
from responder.testing.loopback import Trouble


@dataclass(frozen=True)
class Check:
    """One check of one case."""

    name: str
    run: Callable[[], None]


def complete(provider: Provider, actions: Sequence[ActionCase], bench: Bench) -> None:
    """Fail unless every action of a provider has a case, and whatever ends a credential a case that shows its aim."""
    kinds = [type(case.make(bench.live, bench.secret)) for case in actions]
    missing = sorted(action.__name__ for action in set(provider.actions) - set(kinds))
    if missing:
        raise ContractBroken(f"{provider.name} has no case for {', '.join(missing)}")
    for case, kind in zip(actions, kinds, strict=True):
        if issubclass(kind, Disable | Revoke) and not (case.spares and case.gone):
            raise ContractBroken(
                f"the case of {kind.__name__} needs `spares` and `gone`: whom it leaves alone, and when"
            )
        if kind.orphan and not (case.living and case.wait):
            raise ContractBroken(f"the case of {kind.__name__} needs `living` and `wait`: its orphan must end")


def checks(case: ProviderCase) -> Iterator[Check]:
    """Yield every check of a provider."""
    name = case.provider.name

    def on_bench(act: Callable[[Bench], None]) -> Callable[[], None]:
        def run() -> None:
            with case.open() as live:
                bench = Bench(case.provider, live)
                try:
                    act(bench)
                finally:
                    bench.transport.close()

        return run

    yield Check(f"{name}: every action has a case", on_bench(lambda b: complete(case.provider, case.actions, b)))
    yield Check(f"{name}: connecting sends nothing", on_bench(_connecting_sends_nothing))
    if case.tells_account:
        yield Check(f"{name}: a wrong account is visible", on_bench(_wrong_account_is_visible))
    for action in case.provider.actions:
        yield Check(f"{name} {action.__name__}: is described", partial(_is_described, action))
    for each in case.actions:
        with_action = _ChecksOf(each)
        for rule in with_action.rules():
            title = rule.__name__.strip("_").replace("_", " ")
            yield Check(f"{name} {each.label}: {title}", on_bench(rule))


@dataclass(frozen=True)
class _ChecksOf:
    """The rules for one action."""

    case: ActionCase

    def rules(self) -> Iterator[Callable[[Bench], None]]:
        """Yield the rules that apply; which kind an action is, its methods tell."""
        yield self.does_what_it_is_for
        yield self.is_unavailable_when_its_system_is
        if self.case.can_be_denied:
            yield self.names_the_permission_it_lacks
        if self.case.spares:
            yield self.never_ends_another_credential
        if self.case.gone:
            yield self.says_why_nothing_is_left_to_do
        yield self.tells_the_truth_after_a_lost_answer
        if self.case.living and self.case.wait:
            yield self.leaves_no_orphan_for_longer_than_it_says
        yield self.writes_only_with_a_permit

    def _action(self, bench: Bench) -> Action:
        action = self.case.make(bench.live, bench.secret)
        bench.nowhere(action)
        return action

    def does_what_it_is_for(self, bench: Bench) -> None:
        action = self._action(bench)
        if isinstance(action, Changing):
            self._changes(bench, action)
        elif isinstance(action, Reading):
            outcome = action.read(bench.client())
            _plain(outcome.facts)
            bench.nowhere(outcome)
            _wrote(bench, 0)
        elif isinstance(action, Observing):
            look = action.observe(bench.client(), [])
            _plain(look.facts)
            bench.nowhere(look)
            _wrote(bench, 0)

    def _changes(self, bench: Bench, action: Any) -> None:
        change = _planned(bench, action)
        again = _planned(bench, action)
        if _digest(action, change) != _digest(action, again):
            raise ContractBroken("two plans of one state have two digests: something volatile is in it")
        _wrote(bench, 0)
        if action.readback and action.verify(bench.client(), change) is Verdict.HOLDS:
            raise ContractBroken("it holds before it was applied")
        outcome = action.apply(bench.client(may_write=True), change)
        if not isinstance(outcome, Outcome):
            raise ContractBroken("apply returned no Outcome")
        _plain(outcome.facts)
        if outcome.issued and (outcome.issued.value is None) == (outcome.issued.claim is None):
            raise ContractBroken("issued needs either a value or a claim")
        bench.nowhere(change, outcome)
        self._settle(bench)
        if action.verify(bench.client(), change) is not Verdict.HOLDS:
            raise ContractBroken("it does not hold after it was applied")
        if action.readback and not self.case.leaves_orphan:
            _unchanged(bench, action)

    def is_unavailable_when_its_system_is(self, bench: Bench) -> None:
        action = self._action(bench)
        if isinstance(action, Changing):
            change = _planned(bench, action)
            bench.live.misbehave(Trouble.UNAVAILABLE)
            bench.failing(Unavailable, lambda: action.apply(bench.client(may_write=True), change))
            _wrote(bench, 0)
            if action.effect is not Effect.MESSAGE and action.readback:
                verdict = _verdict_or_unavailable(bench, action, change)
                if verdict is not Verdict.UNKNOWN:
                    raise ContractBroken(f"the system is silent, and verify says {verdict}")
            return
        bench.live.misbehave(Trouble.UNAVAILABLE)
        if isinstance(action, Observing):
            look = action.observe(bench.client(), [])
            if look.verdict != "unknown" or look.last:
                raise ContractBroken(f"the system is silent, and the look says {look.verdict}")
        elif isinstance(action, Reading):
            self._is_unknown(bench, action)

    def _is_unknown(self, bench: Bench, action: Reading) -> None:
        """Accept Unavailable, and a state or an answer that calls itself unknown or tells the status."""
        try:
            facts = action.read(bench.client()).facts
        except Unavailable as error:
            bench.nowhere(error)
            return
        if facts.get("state") != "unknown" and "status" not in facts:
            raise ContractBroken(f"the system is silent, and reading says {dict(facts)}")

    def names_the_permission_it_lacks(self, bench: Bench) -> None:
        action = self._action(bench)
        if isinstance(action, Changing):
            change = _planned(bench, action)
            bench.live.misbehave(Trouble.DENIED)
            error = bench.failing(Denied, lambda: action.apply(bench.client(may_write=True), change))
            _wrote(bench, 0)
        elif isinstance(action, Reading):
            bench.live.misbehave(Trouble.DENIED)
            error = bench.failing(Denied, lambda: action.read(bench.client()))
        else:
            return
        named = any(permission in error.remedy for permission in type(action).permissions)
        if not named:
            raise ContractBroken(f"the remedy names none of {type(action).permissions}: {error.remedy!r}")

    def never_ends_another_credential(self, bench: Bench) -> None:
        spared = self.case.spares or (lambda _: None)
        action: Any = self._action(bench)
        before = spared(bench.live)
        if not before:
            raise ContractBroken("there is no other credential that it could end by mistake")
        action.apply(bench.client(may_write=True), _planned(bench, action))
        self._settle(bench)
        if spared(bench.live) != before:
            raise ContractBroken(f"another credential was touched: {before} became {spared(bench.live)}")

    def says_why_nothing_is_left_to_do(self, bench: Bench) -> None:
        make = self.case.gone
        action = make(bench.live, bench.secret) if make else None
        if isinstance(action, Changing):
            before = bench.live.writes()
            _unchanged(bench, action)
            _wrote(bench, before)

    def tells_the_truth_after_a_lost_answer(self, bench: Bench) -> None:
        action = self._action(bench)
        if not isinstance(action, Changing):
            return
        change = _planned(bench, action)
        bench.live.misbehave(Trouble.ANSWER_LOST)
        bench.failing(OutcomeUnknown, lambda: action.apply(bench.client(may_write=True), change))
        bench.live.misbehave(Trouble.NONE)
        self._settle(bench)
        found = action.plan(bench.client())
        bench.nowhere(found)
        if not action.readback or isinstance(found, Unchanged):
            return
        same = _digest(action, found) == _digest(action, change)
        if same and not action.idempotent:
            raise ContractBroken("after a lost answer it plans the same change again, and is not idempotent")
        if same or self.case.leaves_orphan:
            self._finishes(bench, action, found)

    def leaves_no_orphan_for_longer_than_it_says(self, bench: Bench) -> None:
        action: Any = self._action(bench)
        living, wait = self.case.living or (lambda _: set()), self.case.wait or (lambda _, __: None)
        if action.orphan is None:
            raise ContractBroken("its case says when an orphan ends, and the action does not")
        change, before = _planned(bench, action), set(living(bench.live))
        bench.live.misbehave(Trouble.ANSWER_LOST)
        bench.failing(OutcomeUnknown, lambda: action.apply(bench.client(may_write=True), change))
        bench.live.misbehave(Trouble.NONE)
        orphans = set(living(bench.live)) - before
        if not orphans:
            raise ContractBroken("a lost answer leaves no orphan that could end")
        again = _planned(bench, action)
        if _digest(action, again) != _digest(action, change):
            raise ContractBroken("nobody can recognise its orphan, and yet it plans another change")
        self._finishes(bench, action, again)
        wait(bench.live, action.orphan.seconds)
        left = orphans & set(living(bench.live))
        if left:
            raise ContractBroken(f"{action.orphan.seconds:g} s later the orphan still works: {sorted(left)}")

    def _finishes(self, bench: Bench, action: Any, change: Change) -> None:
        """Apply what is left after the lost answer, and see that then it is done."""
        action.apply(bench.client(may_write=True), change)
        self._settle(bench)
        if action.verify(bench.client(), change) is not Verdict.HOLDS:
            raise ContractBroken("the second try does not hold")

    def writes_only_with_a_permit(self, bench: Bench) -> None:
        action = self._action(bench)
        if isinstance(action, Changing):
            change = _planned(bench, action)
            bench.failing(PermitExpired, lambda: action.apply(bench.client(), change))
            _wrote(bench, 0)

    def _settle(self, bench: Bench) -> None:
        if self.case.settle:
            self.case.settle(bench.live)


def _connecting_sends_nothing(bench: Bench) -> None:
    bench.live.misbehave(Trouble.DENIED)
    bench.client()


def _wrong_account_is_visible(bench: Bench) -> None:
    claimed = bench.live.connection.model_copy(update={"account": "another account"})
    bench.live.connection = claimed
    found = bench.provider.identify(bench.client())
    if found.account != bench.live.account:
        raise ContractBroken(f"identify says {found.account!r}; the system says {bench.live.account!r}")
    bench.nowhere(found)
    bench.live.misbehave(Trouble.DENIED)
    bench.failing(Denied, lambda: bench.provider.identify(bench.client()))


def _is_described(action: type[Action]) -> None:
    if "__doc__" not in vars(action) or not (action.__doc__ or "").strip():
        raise ContractBroken(f"{action.__name__} has no docstring of its own")
    if not action.permissions:
        raise ContractBroken(f"{action.__name__} names no permissions; say `none: ...` where it needs none")
    kinds = [kind for kind in (Changing, Reading, Observing) if _implements(action, kind)]
    if len(kinds) != 1:
        raise ContractBroken(f"{action.__name__} must either plan, apply and verify, or read, or observe")
    if action.orphan and (action.readback or action.idempotent or action.effect is not Effect.REVERSIBLE):
        raise ContractBroken(
            f"{action.__name__} says how long an orphan lives, and is no create that nobody recognises"
        )
    if action.orphan and not (action.orphan.seconds > 0 and action.orphan.source.strip()):
        raise ContractBroken(f"{action.__name__} must say how long its orphan lives, and who says so")
    if (kinds[0] is Changing) == (action.effect is Effect.READ):
        raise ContractBroken(f"{action.__name__} has the effect {action.effect}")


def _implements(action: type[Action], kind: type[Any]) -> bool:
    methods = {Changing: ("plan", "apply", "verify"), Reading: ("read",), Observing: ("observe",)}[kind]
    return all(callable(getattr(action, method, None)) for method in methods)


def _planned(bench: Bench, action: Any) -> Change:
    found = action.plan(bench.client())
    bench.nowhere(found)
    if not isinstance(found, Change):
        raise ContractBroken(f"there is nothing to do: {found!r}")
    return found


def _unchanged(bench: Bench, action: Any) -> None:
    found = action.plan(bench.client())
    bench.nowhere(found)
    if not isinstance(found, Unchanged):
        raise ContractBroken(f"it is done, and yet it plans {found!r}")
    if not found.reason.strip():
        raise ContractBroken("nothing is to be done, and it does not say why")


def _verdict_or_unavailable(bench: Bench, action: Any, change: Change) -> Verdict:
    try:
        verdict: Verdict = action.verify(bench.client(), change)
    except Unavailable as error:
        bench.nowhere(error)
        return Verdict.UNKNOWN
    return verdict


def _wrote(bench: Bench, expected: int) -> None:
    if bench.live.writes() != expected:
        raise ContractBroken(f"{bench.live.writes() - expected} writes where there should be none")


def _digest(action: Action, change: Change) -> str:
    return change.digest(type(action).name, "account", type(action).effect)


def _plain(facts: Any) -> None:
    try:
        json.dumps(dict(facts))
    except TypeError as error:
        raise ContractBroken(f"facts are no plain data: {error}") from error
