"""What OpenAI's records show: who used a key, what else leads in, and what was changed in the organisation."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from responder.action import Action, Effect, Evidence, Outcome
from responder.credential import Consumers, CredentialAction, Door, Doors, Interval, Records, Use, Used
from responder.errors import ProviderError
from responder.providers.openai.client import READ, READ_AUDIT, READ_USAGE, Client, Id
from responder.providers.openai.keys import ADMIN, Record, every_key, moment, our_keys, record_of
from responder.providers.openai.usage import SOURCE, Counted, complete, counted

_MOST_SHOWN = 50
_AUDIT = "organization audit log"


class UsedKey(Used):
    """Read when the key was used, by the hour, and what it changed in the organisation.

    OpenAI counts calls of models by key and hour, and tells neither addresses nor programs: so nobody is recognised,
    and every use is foreign. A use stands at the end of its hour. What costs nothing, such as listing or reading
    files, is not counted anywhere; the hour that is not over yet is not covered. The audit log adds what was done by
    an admin key. Nobody can write either with a leaked project key. OpenAI names no time after which it drops a row.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ, READ_USAGE, READ_AUDIT)

    def usage(self, client: Client, span: Interval) -> Records:
        """Read both records."""
        return _records(self, client, span)


class ConsumersOfKey(Consumers):
    """Tell in which hours the key was used. OpenAI's records tell no address, so they show no consumer by name."""

    permissions: ClassVar[tuple[str, ...]] = (READ, READ_USAGE, READ_AUDIT)

    def usage(self, client: Client, span: Interval) -> Records:
        """Read both records."""
        return _records(self, client, span)


class DoorsOfOwner(Doors):
    """List the other keys of the key's owner; for a leaked admin key, everything that it could have opened.

    An admin key can make keys, service accounts and invites: the open invites, the accepted ones since `since`, and
    every other key of administration count as doors, and so do keys and users that came since `since`. Once the key is
    deleted, OpenAI tells its owner no more, and the same wide list is given: look before, too. How somebody signs in,
    and their sessions, are shown by no API.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ,)

    def open_doors(self, client: Client) -> Iterator[Door]:
        """Read the lists."""
        record = record_of(client, self.subject)
        wide = record is None or record.owner_type == ADMIN
        ours = {one.key_id for one in our_keys(client)}
        for one in every_key(client):
            if one.key_id in ours or (record and one.key_id == record.key_id):
                continue
            if (record and one.owner_id == record.owner_id) or (wide and self._came_by(one)):
                yield _door(one)
        if wide:
            yield from self._guests(client)

    def unseen(self, client: Client) -> Sequence[str]:
        """Return what no API shows."""
        sign_in = "how the owner signs in to OpenAI, and their sessions there"
        if record_of(client, self.subject) is None:
            return (sign_in, "older keys of the same owner: OpenAI lists the key no more, and so not whose it was")
        return (sign_in,)

    def _came_by(self, one: Record) -> bool:
        return one.owner_type == ADMIN or self._is_since(one.created_at)

    def _guests(self, client: Client) -> Iterator[Door]:
        for one in client.pages("/organization/invites"):
            at, status = moment(one.get("created_at")), str(one.get("status"))
            since = self._is_since(moment(one.get("accepted_at")) or at)
            if status == "pending" or (status == "accepted" and since):
                yield Door(kind=f"{status} invite", id=str(one.get("id")), about=str(one.get("email")), opened_at=at)
        for one in client.pages("/organization/users"):
            at = moment(one.get("added_at"))
            if self._is_since(at):
                yield Door(kind="user", id=str(one.get("id")), about=str(one.get("email")), opened_at=at)

    def _is_since(self, at: datetime | None) -> bool:
        return self.since is not None and (at is None or at >= self.since)


class AuditLog(Action):
    """Copy the organisation's audit log over a stretch of time, sealed; the timeline gets a summary.

    OpenAI keeps it only where an owner has switched audit logging on, without a fixed retention and without a promise:
    this copy may be the last. A project key leaves no trace there: it can change nothing in the organisation.
    Facts: `count`, `by_type`, `by_actor` (each with `actor`, `address`, `count`), `complete`, `since`, `until`.
    """

    name: ClassVar[str] = "openai.audit_log"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (READ_AUDIT,)
    since: AwareDatetime
    until: AwareDatetime | None = None
    """Default: now."""
    events: tuple[str, ...] = ()
    """Beginnings of the types that the summary shows, such as `api_key.`; the copy always holds all of them."""
    project: Id | None = None
    """Only what belongs to this project."""
    most: int = Field(5000, ge=1, le=100_000)
    """So many entries are read, newest first."""

    def read(self, client: Client) -> Outcome:
        """Read the log, page by page."""
        span = Interval(self.since, self.until or client.access.clock.now())
        rows: list[dict[str, Any]] = []
        narrowed = {"project_ids[]": self.project} if self.project else {}
        cut = False
        for row in audited(client, span, **narrowed):
            if len(rows) == self.most:
                cut = True
                break
            rows.append(row)
        shown = [row for row in rows if not self.events or str(row.get("type")).startswith(self.events)]
        actors = Counter(_actor(row) for row in shown)
        facts = {
            "count": len(rows),
            "by_type": dict(Counter(str(row.get("type")) for row in shown).most_common(_MOST_SHOWN)),
            "by_actor": [
                {"actor": actor, "address": address, "count": count}
                for (actor, address), count in actors.most_common(_MOST_SHOWN)
            ],
            "complete": not cut,
            "since": span.since.isoformat(),
            "until": span.until.isoformat(),
        }
        return Outcome(facts, evidence=[_sealed(rows, f"audit log of {client.access.connection.account or 'OpenAI'}")])


class Usage(Action):
    """Count the calls of a key, or of every key of a project, by the hour; every hour is kept, sealed.

    Facts: `requests`, `input_tokens`, `output_tokens`, `by_key`, `by_kind`, `first_at`, `last_at`, `covered_until`.
    """

    name: ClassVar[str] = "openai.usage"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (READ_USAGE,)
    since: AwareDatetime
    until: AwareDatetime | None = None
    """Default: now."""
    key_id: Id | None = None
    project: Id | None = None
    """Without either, the connection's project; without that, the whole organisation."""

    def read(self, client: Client) -> Outcome:
        """Read every kind of usage."""
        now = client.access.clock.now()
        span = Interval(self.since, self.until or now)
        project = self.project or (None if self.key_id else client.options.project)
        narrowed = {"api_key_ids": self.key_id, "project_ids": project}
        found = [
            one
            for one in counted(client, span, **{name: value for name, value in narrowed.items() if value})
            if self.key_id in {None, one.key_id}
        ]
        facts = {
            "requests": sum(one.requests for one in found),
            "input_tokens": sum(one.input_tokens for one in found),
            "output_tokens": sum(one.output_tokens for one in found),
            "by_key": _summed(found, "key_id"),
            "by_kind": _summed(found, "kind"),
            "first_at": min((one.hour.since.isoformat() for one in found), default=""),
            "last_at": max((one.hour.until.isoformat() for one in found), default=""),
            "covered_until": complete(span, now).until.isoformat(),
        }
        rows = [{**one._asdict(), "hour": [moment.isoformat() for moment in one.hour]} for one in found]
        return Outcome(facts, evidence=[_sealed(rows, f"usage of {self.key_id or project or 'the organisation'}")])


def audited(client: Client, span: Interval, **narrowed: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of the audit log, newest first."""
    params = {
        "effective_at[gte]": str(int(span.since.timestamp())),
        "effective_at[lte]": str(int(span.until.timestamp())),
        **narrowed,
    }
    yield from client.pages("/organization/audit_logs", permission=READ_AUDIT, params=params)


def _records(action: CredentialAction, client: Client, span: Interval) -> Records:
    key_id = action.subject.key_id
    if not key_id:
        record = record_of(client, action.subject)
        key_id = record.key_id if record else ""
    if not key_id:
        raise ProviderError(
            "Nobody knows the key's id, and OpenAI counts by it",
            remedy="give `key_id` in the finding or the inventory",
        )
    uses = [_use(one, span) for one in counted(client, span, api_key_ids=key_id) if one.key_id == key_id]
    sources = [SOURCE]
    try:
        uses += [_change(row) for row in audited(client, span, **{"actor_ids[]": key_id}) if _by(row) == key_id]
        sources.append(_AUDIT)
    except ProviderError as error:
        if type(error) is not ProviderError:  # not there at all, where nobody switched it on; else it must be read
            raise
    return Records(uses, [complete(span, client.access.clock.now())], sources)


def _use(one: Counted, span: Interval) -> Use:
    """Put the calls of an hour at its end, so that none counts as earlier than it can have been."""
    at = min(one.hour.until - timedelta(seconds=1), span.until)
    return Use(at=at, what=f"{one.requests} calls of {one.kind} in this hour")


def _change(row: dict[str, Any]) -> Use:
    at = moment(row.get("effective_at"))
    if at is None:
        raise ProviderError("An entry of the audit log has no time", where="GET /organization/audit_logs")
    return Use(at=at, what=str(row.get("type")), address=_actor(row)[1])


def _by(row: dict[str, Any]) -> str:
    return str(((row.get("actor") or {}).get("api_key") or {}).get("id") or "")


def _actor(row: dict[str, Any]) -> tuple[str, str]:
    """Return who did it, and from where, as far as OpenAI tells."""
    actor = row.get("actor") or {}
    session = actor.get("session") or {}
    user = session.get("user") or {}
    who = f"key {_by(row)}" if _by(row) else str(user.get("email") or user.get("id") or "unknown")
    return who, str(session.get("ip_address") or "")


def _door(one: Record) -> Door:
    kind = "admin key" if one.owner_type == ADMIN else "API key"
    return Door(kind=kind, id=one.key_id, about=f"{one.name}, of {one.owner}", opened_at=one.created_at)


def _summed(found: Iterable[Counted], name: str) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in found:
        sums[getattr(one, name)] += one.requests
    return dict(sums.most_common(_MOST_SHOWN))


def _sealed(rows: Sequence[Any], about: str) -> Evidence:
    return Evidence(json.dumps(rows, indent=1, sort_keys=True).encode(), f"{about}, {len(rows)} rows")
