"""Every action of every provider keeps the contract; a provider without cases fails here."""

import importlib
import pkgutil

import pytest
from provider_cases import CASES

from responder import providers
from responder.testing.contract import Check, checks

ASKING = {"human", "incident"}
"""Providers that reach no system: the runner asks a person, or the record itself is what changes."""
ALL = [check for case in CASES.values() for check in checks(case)]


def test_every_provider_has_a_case() -> None:
    named = {module.name for module in pkgutil.iter_modules(providers.__path__)}

    assert named - ASKING == set(CASES)


def test_a_provider_is_named_like_its_module() -> None:
    named = {module.name for module in pkgutil.iter_modules(providers.__path__)}
    found = {importlib.import_module(f"responder.providers.{name}").PROVIDER.name for name in named}

    assert found == named


@pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in ALL])
def test_contract(check: Check) -> None:
    check.run()
