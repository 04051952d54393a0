"""A leaked key: what it is, deleting it, and proving that it is dead."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel

from responder.action import Change, Outcome, Unchanged, Verdict
from responder.credential import Inspect, Inspection, Probe, ProveDead, Revoke
from responder.errors import ProviderError, Unavailable
from responder.providers.openai.client import READ, WRITE, Client, project_path
from responder.providers.openai.keys import (
    ADMIN,
    Record,
    admin_keys,
    candidates,
    keys_of_project,
    our_keys,
    record_of,
)
from responder.redaction import Secret

_ROBOT = "service_account"


class InspectKey(Inspect):
    """Present the leaked key to OpenAI, and look it up among the organisation's keys.

    It counts as dead when every place that takes such keys answers 401 with the code `invalid_api_key`. A project key
    is presented at `/me`, which OpenAI does not document, and at `/models`; an admin key at the list of projects,
    since nothing but administration takes it. The record is found by `key_id`, or by the first and last characters
    that OpenAI shows; where several look alike, `key_id` stays empty and `candidates` names them. Facts besides those
    of `credential.inspect`: `status` (of the last answer), `owner_type`, `owner_id`, `project`, `name`, `candidates`.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ,)

    def read(self, client: Client) -> Outcome:
        """Present the value where there is one, then read the lists."""
        value = self.subject.value
        state, status, reach = presented(client, value) if value is not None else ("unknown", 0, ())
        found = candidates(client, self.subject)
        record = found[0] if len(found) == 1 else None
        if record and value is None:
            state = "live"  # the lists hold enabled keys alone
        facts = {
            "status": status,
            "owner_type": record.owner_type if record else "",
            "owner_id": record.owner_id if record else "",
            "project": record.project if record else "",
            "name": record.name if record else "",
            "candidates": [one.key_id for one in found],
        }
        inspection = Inspection.model_validate(
            {
                "state": state,
                "owner": record.owner if record else "",
                "reach": (*_reach(record), *reach),
                "last_used_at": record.last_used_at if record else "",
                "key_id": record.key_id if record else "",
            }
        )
        return Outcome({**inspection.model_dump(mode="json"), **facts})


class RevokeKey(Revoke):
    """Delete the key for good.

    OpenAI deletes the key of a user by its id, and refuses to delete a single key of a service account: there, the
    service account goes, with every key that it has. Our own admin key is never deleted, and neither is anything while
    several keys look like the leaked value.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:  # noqa: ARG003 - it is the same for all
        """Return where a person deletes it."""
        return (
            f"Delete the key {key_id or '(compare its last characters)'} at https://platform.openai.com/api-keys, "
            "in its project; for a key of a service account, delete the service account; an admin key stands at "
            "https://platform.openai.com/settings/organization/admin-keys."
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Find the key's record; that no list has it means that nothing is left to delete."""
        if self.subject.value == client.our_key():
            raise _ours(client)
        record = record_of(client, self.subject)
        if record is None:
            return self._gone(client)
        if record.owner_type == ADMIN and record.key_id in {one.key_id for one in our_keys(client)}:
            raise _ours(client)
        same = _ended_with(client, record)
        used = f"; last used {record.last_used_at}" if record.last_used_at else ""
        agreed = {"key_id": record.key_id, "project": record.project}
        if record.owner_type == _ROBOT:
            others = [one.key_id for one in same if one.key_id != record.key_id]
            also = f", and of its other keys: {', '.join(others)}" if others else ""
            return Change(
                target=f"service account {record.owner_id} of project {record.project}, for key {record.key_id}",
                before=f"{record.owner_name}, with {len(same)} live keys{used}",
                after="deleted for good, with every key that it has",
                breaks=f"everything that uses key {record.key_id}{also}: OpenAI deletes no single key of a service "
                "account",
                preconditions={
                    **agreed,
                    "service_account": record.owner_id,
                    "keys": " ".join(sorted(one.key_id for one in same)),
                },
            )
        return Change(
            target=f"API key {record.key_id} of {record.project or 'the organisation'}",
            before=f"live, of {record.owner}{used}",
            after="deleted for good",
            breaks=f"everything that uses the key {record.name or record.key_id}",
            preconditions={**agreed, "keys": record.key_id},
        )

    def _gone(self, client: Client) -> Unchanged:
        """Say why nothing is to be deleted, or refuse where that cannot be told."""
        key_id, value = self.subject.key_id, self.subject.value
        state, status, _ = presented(client, value) if value is not None else ("unknown", 0, ())
        if key_id:
            taken = "; its value is still taken, for now or because the id is wrong" if state == "live" else ""
            return Unchanged(f"the organisation lists no key {key_id}{taken}", {"key_id": key_id, "state": state})
        if state == "dead":
            return Unchanged("OpenAI refuses the key, and the organisation lists none like it", {"status": status})
        if state == "unknown" and value is not None:
            raise Unavailable(f"The organisation lists no such key, and OpenAI does not say if it lives ({status})")
        raise ProviderError(
            "The organisation lists no key that looks like the leaked one",
            remedy="if the key lives, another organisation issued it: its owner deletes it at "
            "platform.openai.com/api-keys",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Delete exactly what was agreed on; what the status says is noted, and not believed."""
        agreed = change.preconditions
        answer = client.ask("DELETE", _path(agreed), permission=WRITE, write=True, missing=True)
        facts = {"key_id": agreed["key_id"], "ended": agreed["keys"].split(), "status": answer.status}
        return Outcome(facts)

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look whether any of the keys is still listed."""
        project, gone = change.preconditions["project"], change.preconditions["keys"].split()
        try:
            left = {one.key_id for one in (keys_of_project(client, project) if project else admin_keys(client))}
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.DOES_NOT_HOLD if left.intersection(gone) else Verdict.HOLDS


class ProveKeyDead(ProveDead):
    """Present the key at every place that takes its kind, until all have refused it for the propagation time.

    A project key is presented at `/me` and `/models`, an admin key at the list of projects; the connection's `control`
    must be of the same kind. Only a 401 with the code `invalid_api_key` is a refusal: addresses outside an allow-list
    get a 401, too, a spend limit answers 429, and neither kills a key.
    """

    permissions: ClassVar[tuple[str, ...]] = ("none: the leaked key and the control speak for themselves",)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the places that take a key of this kind."""
        return client.surfaces_of(self.subject.value) if self.subject.value is not None else ()

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; whatever is no plain answer is unknown."""
        try:
            return client.present(surface, value).state
        except ProviderError:
            return Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()


def presented(client: Client, value: Secret) -> tuple[str, int, tuple[str, ...]]:
    """Present a key everywhere: live where one place takes it, dead where all refuse it. With status and reach."""
    looks = []
    for surface in client.surfaces_of(value):
        try:
            looks.append(client.present(surface, value))
        except Unavailable:
            return "unknown", 0, ()
        if looks[-1].state is Probe.ACCEPTED:
            return "live", looks[-1].status, _organisations(looks[-1].data)
    dead = all(look.state is Probe.REFUSED for look in looks)
    return "dead" if dead else "unknown", looks[-1].status, ()


def _organisations(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the organisations that `/me` tells of."""
    orgs = data.get("orgs")
    listed = orgs.get("data") if isinstance(orgs, dict) else None
    named = [str(one.get("title") or one.get("id")) for one in listed or () if isinstance(one, dict)]
    return tuple(f"organisation {name}" for name in named)


def _reach(record: Record | None) -> tuple[str, ...]:
    """Say where a key works, and as whom; OpenAI lists no scopes of a key."""
    if record is None:
        return ()
    return (record.where, f"role {record.owner_role}") if record.owner_role else (record.where,)


def _ours(client: Client) -> ProviderError:
    """Return the refusal to delete the key that we act with."""
    return ProviderError(
        "The leaked key is, or looks like, the admin key that we act with",
        where=f"connections.{client.access.connection.name}.secret",
        remedy="make another admin key for the connection, and run again with it",
    )


def _ended_with(client: Client, record: Record) -> list[Record]:
    """Return every key that goes with a key: those of the same service account."""
    if record.owner_type != _ROBOT:
        return [record]
    return [one for one in keys_of_project(client, record.project) if one.owner_id == record.owner_id]


def _path(agreed: Mapping[str, str]) -> str:
    """Return the path of what was agreed on: an admin key, a service account, or a user's key."""
    if not agreed["project"]:
        return f"/organization/admin_api_keys/{quote(agreed['key_id'], safe='')}"
    if "service_account" in agreed:
        return project_path(agreed["project"], "service_accounts", agreed["service_account"])
    return project_path(agreed["project"], "api_keys", agreed["key_id"])
