"""What `inventory check` looks at: every key of the account, and the places of the secret store."""

from collections.abc import Iterator

from responder.action import KeySeen, PlaceSeen
from responder.errors import Unavailable
from responder.providers.http.calls import PLACEHOLDER, texts
from responder.providers.http.client import Client, at, listed, word
from responder.providers.http.options import Find, ListOf

_MISSING = 404


def keys(client: Client) -> Iterator[KeySeen] | None:
    """List every key, as `keys.list` describes, else by an `issue.find` that lists them all; None without either."""
    described = client.options.keys
    if described.list is not None:
        return _all(client, described.list)
    find = described.issue.find if described.issue is not None else None
    if find is None or any(PLACEHOLDER.search(text) for text in texts([find.address, find.body])):
        return None  # a list of one name would make every other key look as if it were gone
    return _found(client, find)


def _all(client: Client, call: ListOf) -> Iterator[KeySeen]:
    place = "keys.list"
    for data in client.pages(call, place, {}, call.next or "", call.cursor):
        for item in listed(data, call.items, place):
            state = call.meaning(word(at(item, call.state)))
            owner, used = word(at(item, call.owner)), word(at(item, call.last_used))
            yield KeySeen(_id(item, call.key_id, place), state, word(at(item, call.name)), owner, used)


def _found(client: Client, find: Find) -> Iterator[KeySeen]:
    """List by what finds an orphan: which states are not live is told by the words of `keys.state`, if any."""
    place, other = "keys.issue.find", client.options.keys.state
    for data in client.pages(find, place, {}, find.next or "", find.cursor):
        for item in listed(data, find.items, place):
            told = word(at(item, find.state))
            state = "live" if told in find.live else other.meaning(told) if other is not None else "unknown"
            yield KeySeen(_id(item, find.key_id, place), state, word(at(item, find.name)))


def _id(item: object, path: str, place: str) -> str:
    key_id = word(at(item, path))
    if not key_id:
        raise Unavailable(f"The list holds a key without an id at {path!r}", where=place)
    return key_id


def place(client: Client, secret: str) -> PlaceSeen | None:
    """Look whether the store has a secret of this name; None where `secrets.read` is not described."""
    read = client.options.secrets.read
    if read is None:
        return None
    answer = client.ask(read, "secrets.read", {"name": secret}, expect=frozenset({_MISSING}))
    if answer.status == _MISSING:
        return PlaceSeen(exists=False)
    if not word(at(answer.json(), read.version)):
        raise Unavailable(f"The answer holds no version at {read.version!r}", where="secrets.read")
    return PlaceSeen(exists=True)
