"""The cases of every provider: each stands in a file that bears the provider's name."""

import importlib
from functools import cache

from responder.registry import Registry
from responder.testing.bench import ProviderCase

ASKING = {"finding", "human", "incident"}
"""Providers that reach no system: the runner asks a person, or the record itself is what changes."""


@cache
def case_of(provider: str) -> ProviderCase:
    """Return the case of a provider. ModuleNotFoundError where it has none."""
    case = importlib.import_module(f"cases.{provider}").CASE
    assert isinstance(case, ProviderCase)
    return case


def own_providers() -> list[str]:
    """Return the providers of this package that reach a system, by name."""
    return [name for name in Registry().names() if name not in ASKING]
