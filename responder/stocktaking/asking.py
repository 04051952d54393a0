"""Asking every connection at once: whom it takes us for, which credentials there are, and about each place."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from responder.action import Identity, KeySeen, Provider, reads
from responder.credential import Inspect, Subject
from responder.errors import Denied, ProviderError, ResponderError, SettingsError, Unavailable
from responder.means import WITHOUT_ACCOUNT, other_account
from responder.settings import Connection
from responder.stocktaking.known import Known
from responder.stocktaking.remark import NOTE, UNASKED, Remark, of_place

_SECONDS = 300.0
"""How long all requests to one connection may take together."""
_TOLD_AFTER = 2.0
"""After how many seconds, and how often, it is told who has not answered yet."""
_AT_ONCE = 8


@dataclass
class Told:
    """What one connection has told."""

    connection: Connection
    identity: Identity | None = None
    keys: list[KeySeen] | None = None
    """Every credential of its account; None where it has no list."""
    whole: bool = False
    """Whether everything that can be asked about its credentials was answered: nothing is missing from half a list."""
    inspected: dict[str, str] = field(default_factory=dict)
    """The states of entries that no list shows, asked one by one; `unasked` where that is denied."""
    remarks: list[Remark] = field(default_factory=list)

    def unasked(self, error: ResponderError, consumer: str = "", entry: str = "") -> None:
        """Note what could not be asked; the same trouble once."""
        first = error.problems[0]
        made = Remark(UNASKED, "unasked", first.what, first.remedy, self.connection.name, entry, consumer)
        if (made.said, made.remedy) not in {(one.said, one.remedy) for one in self.remarks}:
            self.remarks.append(made)


def ask_all(known: Known, tell: Callable[[str], None]) -> list[Told]:
    """Ask every connection, and return what they told, in the order of responder.yaml."""
    settings = known.means.settings
    connections = [one for one in settings.connections.values() if one.provider not in WITHOUT_ACCOUNT]
    asker = _Asker(known)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {pool.submit(asker.ask, one): one.name for one in connections}
        answered = {told.connection.name: told for told in _answers(asked, tell)}
    return [answered[one.name] for one in connections]


def _answers(asked: dict[Future[Told], str], tell: Callable[[str], None]) -> Iterator[Told]:
    """Yield what was answered; now and then, say whose answer is awaited."""
    waiting = set(asked)
    while waiting:
        done, waiting = wait(waiting, timeout=_TOLD_AFTER, return_when="FIRST_COMPLETED")
        yield from (one.result() for one in done)
        if not done:
            tell(f"waiting for {', '.join(sorted(asked[one] for one in waiting))} ...")


class _Asker:
    """Asks about what the inventory knows."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._means = known.means

    def ask(self, connection: Connection) -> Told:
        """Ask one connection whom it takes us for, which credentials there are, and about each place."""
        told = Told(connection)
        try:
            provider = self._means.registry.provider(connection.provider)
            self._means.registry.options(connection)
            access = self._means.access(connection, "inventory", connection.name, seconds=_SECONDS)
            client = self._means.client(access)
            identity = provider.identify(client)
        except ResponderError as error:
            told.unasked(error)
            return told
        problem = other_account(connection, identity.account)
        if problem is not None:  # its list would be that of somebody else
            told.unasked(SettingsError(f"{problem.what}: nothing was compared", remedy=problem.remedy))
            return told
        told.identity = identity
        try:
            self._ask_keys(told, provider, client)
            self._ask_places(told, provider, client)
        except Unavailable as error:
            told.unasked(error)
        return told

    def _ask_keys(self, told: Told, provider: Provider, client: Any) -> None:
        """Take the list in, and ask for each entry that it does not show. Unavailable where nobody answers any more."""
        try:
            found = provider.keys(client) if provider.keys is not None else None
            told.keys = list(found) if found is not None else None
        except Unavailable:
            raise
        except ResponderError as error:
            told.unasked(error)
            return
        if told.keys is None:
            said = "its API has no list of credentials: what the inventory does not hold stays unseen here"
            told.remarks.append(Remark(NOTE, "no list", said, "", told.connection.name))
        self._inspect(told, client)
        told.whole = True

    def _inspect(self, told: Told, client: Any) -> None:
        """Ask about entries that the list does not show by their ids alone: some lists leave kinds out."""
        listed = {key.key_id for key in told.keys or ()}
        for entry in self._known.entries_at(told.connection):
            key_id = self._known.ids[entry.id]
            if not key_id or key_id in listed or Inspect.verb not in self._means.registry.offers(told.connection):
                continue
            kind = self._means.registry.verb(told.connection.provider, Inspect.verb)
            subject = Subject(id=entry.id, kind=entry.kind, connection=entry.connection, key_id=key_id)
            action = kind(subject=subject)
            try:
                state = str(action.read(client).facts.get("state", "")) if reads(action) else ""
            except Unavailable:
                raise
            except Denied as error:
                told.unasked(error, entry=entry.id)
                state = UNASKED
            except ResponderError:  # it needs the value, or does not know the id: the list has the word
                state = ""
            told.inspected[entry.id] = state

    def _ask_places(self, told: Told, provider: Provider, client: Any) -> None:
        """Look at the place of each consumer that is here. Unavailable where nobody answers any more."""
        silent = False
        for entry, consumer in self._known.consumers_at(told.connection):
            try:
                seen = provider.place(client, consumer.secret) if provider.place is not None else None
            except Unavailable:
                raise
            except Denied as error:
                told.unasked(error, consumer.id, entry.id)
                continue
            except ProviderError as error:
                first = error.problems[0]
                told.remarks.append(of_place(entry, consumer, "no place", first.what, first.remedy))
                continue
            if seen is None:
                silent = True
            elif not seen.exists:
                said = f"its place {consumer.secret} does not exist"
                remedy = "make it there, or correct or remove the consumer: nothing new could be delivered to it"
                told.remarks.append(of_place(entry, consumer, "no place", said, remedy))
            elif seen.exposed and not consumer.exposed:
                said = f"outsiders can read its place {consumer.secret}"
                remedy = "close it, and respond as to a leak; until then set `exposed: true`"
                told.remarks.append(of_place(entry, consumer, "exposed", said, remedy))
        if silent:
            said = "its API does not show whether the places of consumers are there"
            told.remarks.append(Remark(NOTE, "no places", said, "", told.connection.name))
