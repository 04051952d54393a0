"""The keys that an organisation lists, and which of them a value is: OpenAI finds none by its value."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from responder.action import Identity, KeySeen
from responder.credential import Subject
from responder.errors import ProviderError
from responder.providers.openai.client import READ, Client, project_path
from responder.redaction import Secret

_SHOWN = re.compile(r"([A-Za-z0-9_-]*?)(?:\*+|\.{2,}|…+)([A-Za-z0-9_-]+)")
_FEWEST_LAST = 3
"""So many last characters must be shown: a beginning alone is the same for all keys."""
ADMIN = "admin"


@dataclass(frozen=True)
class Record:
    """A key as its organisation lists it."""

    key_id: str
    shown: str
    """The value as OpenAI shows it: beginning and end."""
    owner_type: str
    """`user`, `service_account`, or `admin` for a key of administration."""
    owner_id: str
    owner_name: str
    owner_role: str
    project: str = ""
    project_name: str = ""
    name: str = ""
    last_used_at: str = ""
    created_at: datetime | None = None

    @property
    def owner(self) -> str:
        """Whose it is, in words."""
        kind = {"user": "user", "service_account": "service account"}.get(self.owner_type, "user")
        return f"{kind} {self.owner_name or self.owner_id} ({self.owner_id})"

    @property
    def where(self) -> str:
        """What it belongs to, in words."""
        return f"project {self.project_name} ({self.project})" if self.project else "the whole organisation"


def projects(client: Client) -> Iterator[tuple[str, str]]:
    """Yield every project's id and name."""
    for one in client.pages("/organization/projects"):
        yield str(one.get("id", "")), str(one.get("name") or one.get("id", ""))


def keys_of_project(client: Client, project: str, name: str = "") -> Iterator[Record]:
    """Yield every enabled key of a project.

    Without `owner_project_access=any`, OpenAI leaves out the keys of people who have lost access: those of somebody
    who was removed in the same response, for one.
    """
    params = {"owner_project_access": "any"}
    for one in client.pages(project_path(project, "api_keys"), params=params):
        owner = one.get("owner") or {}
        kind = str(owner.get("type", ""))
        whose = owner.get(kind) or {}
        yield _record(one, kind, whose, project, name or project)


def admin_keys(client: Client) -> Iterator[Record]:
    """Yield every admin key of the organisation."""
    for one in client.pages("/organization/admin_api_keys"):
        yield _record(one, ADMIN, one.get("owner") or {}, "", "")


def every_key(client: Client) -> Iterator[Record]:
    """Yield every key of the organisation, those of the connection's own project first."""
    first = client.options.project
    if first:
        yield from keys_of_project(client, first)
    for project, name in projects(client):
        if project != first:
            yield from keys_of_project(client, project, name)
    yield from admin_keys(client)


def record_of(client: Client, subject: Subject) -> Record | None:
    """Return the record of the run's key; None where no list has it. ProviderError where it could be several."""
    found = candidates(client, subject)
    if len(found) > 1:
        raise ProviderError(
            f"{len(found)} keys look like the leaked value: {', '.join(one.key_id for one in found)}",
            remedy="find out which one it is at platform.openai.com/api-keys, and give its `key_id` with the finding",
        )
    return found[0] if found else None


def candidates(client: Client, subject: Subject) -> list[Record]:
    """Return every key that the run's key could be: the one of its id, else all that its value looks like."""
    if not subject.key_id:
        return [one for one in every_key(client) if subject.value is not None and fits(client, one, subject.value)]
    found = next((one for one in every_key(client) if one.key_id == subject.key_id), None)
    if found and subject.value is not None and not fits(client, found, subject.value):
        raise ProviderError(
            f"Key {found.key_id} is another one than the leaked value: OpenAI shows other characters of it",
            remedy="correct `key_id` in the finding or the inventory",
        )
    return [found] if found else []


def fits(client: Client, record: Record, value: Secret) -> bool:
    """Tell whether a value begins and ends as OpenAI shows a key."""
    shown = _SHOWN.fullmatch(record.shown)
    if not shown or len(shown[2]) < _FEWEST_LAST:
        return False
    first, last = shown[1], shown[2]
    return client.access.wire.with_value(
        value,
        lambda text: len(text) > len(first) + len(last) and text.startswith(first) and text.endswith(last),
    )


def our_keys(client: Client) -> list[Record]:
    """Return every admin key that could be ours; more than one where they look alike."""
    ours = client.our_key()
    return [one for one in admin_keys(client) if fits(client, one, ours)]


def identify(client: Client) -> Identity:
    """Read whom OpenAI takes us for, and which admin key of the list is ours.

    The account is what OpenAI names in the header `openai-organization` of its answers. Where it sends none, it is the
    connection's `organization`, once OpenAI has shown us the connection's `project`: no other organisation sees it.
    """
    answer = client.ask("GET", "/organization/admin_api_keys", permission=READ, params={"limit": "1"})
    account = answer.headers.get("openai-organization", "")
    wanted, project = client.options.organization, client.options.project
    if not account and wanted and project and client.found(project_path(project)) is not None:
        account = wanted
    ours = our_keys(client)
    return Identity(account, ours[0].key_id if len(ours) == 1 else "")


def seen(client: Client) -> Iterator[KeySeen]:
    """Yield every key of the organisation, for the inventory."""
    for one in every_key(client):
        yield KeySeen(one.key_id, "live", one.name, one.owner, one.last_used_at)


def moment(seconds: Any) -> datetime | None:
    """Read a time as OpenAI writes it; None where it is none."""
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) and seconds > 0 else None


def _record(one: dict[str, Any], kind: str, whose: dict[str, Any], project: str, project_name: str) -> Record:
    used = moment(one.get("last_used_at"))
    return Record(
        key_id=str(one.get("id", "")),
        shown=str(one.get("redacted_value") or ""),
        owner_type=kind,
        owner_id=str(whose.get("id", "")),
        owner_name=str(whose.get("email") or whose.get("name") or ""),
        owner_role=str(whose.get("role") or ""),
        project=project,
        project_name=project_name,
        name=str(one.get("name") or ""),
        last_used_at=used.isoformat() if used else "",
        created_at=moment(one.get("created_at")),
    )
