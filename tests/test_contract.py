"""Every action of every provider keeps the contract; a provider without cases fails here."""

import importlib.util
from collections.abc import Iterator

import pytest
from cases.every import case_of, own_providers

from responder.registry import Registry
from responder.testing.contract import Check, checks


def every_check() -> Iterator[Check]:
    for name in own_providers():
        if importlib.util.find_spec(f"cases.{name}"):
            yield from checks(case_of(name))


@pytest.mark.parametrize("provider", own_providers())
def test_every_provider_has_a_case(provider: str) -> None:
    assert importlib.util.find_spec(f"cases.{provider}"), f"tests/cases/{provider}.py is missing"
    assert case_of(provider).provider.name == provider


def test_a_provider_is_named_like_its_module() -> None:
    assert all(Registry().provider(name).name == name for name in Registry().names())


@pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in every_check()])
def test_contract(check: Check) -> None:
    check.run()
