"""Names to actions: providers are found lazily by the name of their module, or by an entry point of an outsider."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from responder import outsiders, providers
from responder.action import Action, Provider, Traits
from responder.errors import PlaybookError, Problem, SettingsError
from responder.settings import Connection
from responder.source import nearest
from responder.subject import CredentialAction


class Registry:
    """The providers there are. Extra ones may be given, as tests do."""

    def __init__(self, extra: Mapping[str, Provider] | None = None) -> None:
        self._loaded: dict[str, Provider] = dict(extra or {})

    def names(self) -> list[str]:
        """Return the names of all providers, without importing any."""
        own = {module.name for module in pkgutil.iter_modules(providers.__path__)}
        return sorted(own | outsiders.names() | set(self._loaded))

    def provider(self, name: str) -> Provider:
        """Return a provider, importing it when first asked for. PlaybookError where there is none."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Provider:
        if name in {module.name for module in pkgutil.iter_modules(providers.__path__)}:
            module = importlib.import_module(f"{providers.__name__}.{name}")
            return _checked(module.PROVIDER)
        outside = outsiders.place(name)
        if outside:
            return _checked(outsiders.load(outside))
        near = nearest(name, self.names())
        raise PlaybookError(
            f"There is no provider {name!r}",
            remedy=f"did you mean {near!r}?" if near else f"known: {', '.join(self.names())}",
        )

    def action(self, name: str) -> type[Action]:
        """Return the class behind `provider.verb`; for `credential.verb` the contract of the verb."""
        provider, _, verb = name.partition(".")
        if provider == "credential":
            verbs = _verbs()
            if verb in verbs:
                return verbs[verb]
            near = nearest(verb, list(verbs))
            raise PlaybookError(
                f"There is no verb {name!r}",
                remedy=f"did you mean 'credential.{near}'?" if near else f"known: {', '.join(verbs)}",
            )
        actions = self.provider(provider).actions
        found = next((action for action in actions if action.name == name), None)
        if found is None:
            known = sorted(action.name for action in actions)
            near = nearest(name, known)
            raise PlaybookError(
                f"There is no action {name!r}",
                remedy=f"did you mean {near!r}?" if near else f"known: {', '.join(known)}",
            )
        return found

    def verb(self, provider: str, verb: str, connection: Connection | None = None) -> type[CredentialAction]:
        """Return a provider's own action for a verb: that which fits the connection, where it has several.

        PlaybookError where its API cannot do it.
        """
        own = self.provider(provider)
        found = [one for one in own.actions if issubclass(one, CredentialAction) and one.verb == verb]
        if connection is not None and len(found) > 1:
            options = self.options(connection)
            found = [one for one in found if own.fits(options, one)]
        if found:
            return found[0]
        raise PlaybookError(
            f"{provider} cannot {verb.replace('_', ' ')} a credential",
            remedy=f"ask with `if: ${{{{ credential.can.{verb} }}}}`",
        )

    def options(self, connection: Connection) -> BaseModel:
        """Check a connection's own fields. SettingsError names every problem."""
        provider = self.provider(connection.provider)
        try:
            return provider.options.model_validate(connection.options)
        except ValidationError as error:
            place = f"connections.{connection.name}"
            raise SettingsError(problems=tuple(_option_problems(error, place, provider.options))) from None

    def offers(self, connection: Connection) -> frozenset[str]:
        """Return the credential verbs that a connection has."""
        provider = self.provider(connection.provider)
        implemented = frozenset(a.verb for a in provider.actions if issubclass(a, CredentialAction)) & _verbs().keys()
        if provider.offers is None:
            return implemented
        return implemented & provider.offers(self.options(connection))

    def traits(self, connection: Connection) -> Traits:
        """Return the facts about a connection's kind of credential."""
        return self.provider(connection.provider).traits(self.options(connection))

    def recognise(self, connection: Connection, value: str) -> str | None:
        """Read a key id out of a value, offline."""
        return self.provider(connection.provider).recognise(self.options(connection), value)

    def recognises(self, connection: Connection) -> bool:
        """Tell whether a connection's provider reads key ids out of values at all."""
        provider = self.provider(connection.provider)
        default = type(provider)._field_defaults["recognise"]
        return provider.recognise is not default and bool(provider.shape(self.options(connection)))

    def actions(self) -> Iterator[type[Action]]:
        """Yield every action of every provider, and every credential verb; imports them all."""
        yield from _verbs().values()
        for name in self.names():
            for action in self.provider(name).actions:
                if not action.name.startswith("credential."):
                    yield action


def _verbs() -> Mapping[str, type[CredentialAction]]:
    from responder.credential import VERBS  # noqa: PLC0415 - slow to import, and many a run has no step with a verb

    return VERBS


def _option_problems(error: ValidationError, place: str, options: type[BaseModel]) -> Iterator[Problem]:
    for item in error.errors(include_input=False, include_url=False):
        where = ".".join([place, *map(str, item["loc"])])
        if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
            near = nearest(str(item["loc"][0]), list(options.model_fields))
            yield Problem(f"unknown key {item['loc'][0]!r}", where, f"did you mean {near!r}?" if near else "")
        else:
            yield Problem(item["msg"].removeprefix("Value error, "), where)


def _checked(provider: Any) -> Provider:
    if not isinstance(provider, Provider):
        raise PlaybookError(
            f"{provider!r} is not a Provider", remedy="a provider's module exports PROVIDER = Provider(...)"
        )
    return provider
