"""The keys that an organisation lists, and which of them a value is: Anthropic finds none by its value."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder.action import KeySeen
from responder.credential import Subject
from responder.errors import ProviderError
from responder.providers.anthropic.client import Client
from responder.redaction import Secret

_PATH = "/v1/organizations/api_keys"
_SHOWN = re.compile(r"([A-Za-z0-9_-]*?)(?:\*+|\.{2,}|…+)([A-Za-z0-9_-]+)")
_FEWEST_LAST = 3
"""So many last characters must be shown: a beginning alone is the same for all keys."""
STATES = {"active": "live", "inactive": "disabled", "archived": "dead", "expired": "dead"}


@dataclass(frozen=True)
class Record:
    """A key as its organisation lists it."""

    key_id: str
    name: str
    status: str
    """`active`, `inactive`, `archived` or `expired`."""
    hint: str
    maker: str
    """The id of the user or service account that it acts as, else of the one that made it."""
    workspace: str
    created_at: str
    expires_at: str

    @property
    def state(self) -> str:
        """How Anthropic's word is called here."""
        return STATES.get(self.status, "unknown")


def every_key(client: Client) -> Iterator[Record]:
    """Yield every key of the organisation, archived ones too."""
    for one in client.pages(_PATH):
        yield _record(one)


def key_of(client: Client, key_id: str) -> Record | None:
    """Read one key; None where the organisation has none of that id."""
    found = client.found(path_of(key_id))
    return _record(found) if found else None


def candidates(client: Client, subject: Subject) -> list[Record]:
    """Return every key that the run's key could be: the one of its id, else all that its value looks like."""
    value = subject.value
    if not subject.key_id:
        return [one for one in every_key(client) if value is not None and fits(client, one, value)]
    found = key_of(client, subject.key_id)
    if found and found.hint and value is not None and not fits(client, found, value):
        raise ProviderError(
            f"Key {found.key_id} is another one than the leaked value: Anthropic shows other characters of it",
            remedy="correct `key_id` in the finding or the inventory",
        )
    return [found] if found else []


def record_of(client: Client, subject: Subject) -> Record:
    """Return the record of the run's key. ProviderError where there is none, several, or our own."""
    if subject.value == client.our_key():
        raise ProviderError(
            "The leaked key is the Admin API key that we act with",
            where=f"connections.{client.access.connection.name}.secret",
            remedy="make another one for the connection, and delete the leaked one in the Console",
        )
    found = candidates(client, subject)
    if len(found) > 1:
        raise ProviderError(
            f"{len(found)} keys look like the leaked value: {', '.join(one.key_id for one in found)}",
            remedy="find out which one it is in the Console, and give its `key_id` with the finding",
        )
    if not found:
        raise ProviderError(
            f"The organisation has no key {subject.key_id or 'that looks like the leaked one'}",
            remedy="an Admin API key is deleted in the Console by a person; else another organisation issued it, or "
            "`key_id` is wrong: archived keys stay listed",
        )
    return found[0]


def fits(client: Client, record: Record, value: Secret) -> bool:
    """Tell whether a value begins and ends as Anthropic's hint shows a key."""
    shown = _SHOWN.fullmatch(record.hint)
    if not shown or len(shown[2]) < _FEWEST_LAST:
        return False
    first, last = shown[1], shown[2]
    return client.access.wire.with_value(
        value,
        lambda text: len(text) > len(first) + len(last) and text.startswith(first) and text.endswith(last),
    )


def seen(client: Client) -> Iterator[KeySeen]:
    """Yield every key of the organisation, for the inventory."""
    for one in every_key(client):
        yield KeySeen(one.key_id, one.state, one.name, one.maker)


def path_of(key_id: str) -> str:
    """Return the path of a key. ProviderError for what is no id."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", key_id):
        raise ProviderError(f"{key_id!r} is no id of a key", remedy="correct `key_id`")
    return f"{_PATH}/{key_id}"


def moment(text: str) -> datetime | None:
    """Read a time as Anthropic writes it; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _record(one: dict[str, Any]) -> Record:
    principal, made_by = one.get("principal") or {}, one.get("created_by") or {}
    maker = principal.get("user_id") or principal.get("service_account_id") or made_by.get("id")
    return Record(
        key_id=str(one.get("id") or ""),
        name=str(one.get("name") or ""),
        status=str(one.get("status") or ""),
        hint=str(one.get("partial_key_hint") or ""),
        maker=str(maker or ""),
        workspace=str(one.get("workspace_id") or ""),
        created_at=str(one.get("created_at") or ""),
        expires_at=str(one.get("expires_at") or ""),
    )
