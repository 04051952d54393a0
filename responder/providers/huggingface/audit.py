"""An organisation's audit log: as evidence, and for what was done with a leaked token."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field

from responder.action import Action, Effect, Evidence, Outcome
from responder.credential import Consumers, CredentialAction, Interval, Records, Use, Used
from responder.errors import ProviderError, Unavailable
from responder.providers.huggingface.client import ADMIN, Client, Name

_READS = f"{ADMIN}, on a Team or Enterprise plan"
_MOST_EVENTS = 100_000
_MOST_BYTES = 128 * 1024 * 1024
_MOST_SHOWN = 100


class AuditLog(Action):
    """Read an organisation's audit log, and keep it sealed as evidence.

    The log holds what was changed: members, settings, secrets, repositories made and deleted. It does not hold who
    read or cloned anything, and its addresses are made less exact. An export ends with the newest 100,000 events. The
    Hub's documentation of audit logs names no time after which an event is dropped: `since` is as far as it reaches.
    Facts: `count`, `since` and `until` (the oldest and the newest event that was read), `truncated` (whether older
    ones were left out), `kinds` (how many of each), `events` (the newest hundred: `at`, `kind`, `author`, `address`,
    `token_role`).
    """

    name: ClassVar[str] = "huggingface.audit_log"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (_READS,)

    organization: Name
    query: Annotated[str, Field(pattern=r"^((author|ip|type):\S+)?$", max_length=200)] = ""
    """What to read of it: `author:NAME`, `ip:ADDRESS` or `type:KIND`, such as `type:repo.add_secret`; default: all."""

    def read(self, client: Client) -> Outcome:
        """Read the export once."""
        events, raw = _exported(client, self.organization, self.query)
        kinds: dict[str, int] = {}
        for one in events:
            kinds[str(one.get("type"))] = kinds.get(str(one.get("type")), 0) + 1
        facts = {
            "count": len(events),
            "since": str(events[-1].get("createdAt")) if events else "",
            "until": str(events[0].get("createdAt")) if events else "",
            "truncated": len(events) >= _MOST_EVENTS,
            "kinds": dict(sorted(kinds.items())),
            "events": [_shown(one) for one in events[:_MOST_SHOWN]],
        }
        return Outcome(facts, evidence=[Evidence(raw, f"audit log of {self.organization}")])


class UsedInOrganization(Used):
    """Read what was changed in the connection's `organization` with the leaked token.

    The audit log names a token by its last four letters alone, so an event may be another token's that ends alike;
    and it holds no reads, clones or pushes: `covered` is empty, for no stretch of time is known completely. An
    address in it stands for its network. `kept_since` is the oldest event that the export holds, whoever's it is.
    Facts: as `credential.used` has them.
    """

    permissions: ClassVar[tuple[str, ...]] = (_READS,)

    def usage(self, client: Client, span: Interval) -> Records:
        """Read the log over a stretch of time."""
        return _usage(self, client, span)


class ConsumersInOrganization(Consumers):
    """Unite the inventory's consumers with those that the audit log of the connection's `organization` shows.

    Whoever only reads is not in that log: that somebody does not appear means nothing. Facts: as
    `credential.consumers` has them.
    """

    permissions: ClassVar[tuple[str, ...]] = (_READS,)

    def usage(self, client: Client, span: Interval) -> Records:
        """Read the log over a stretch of time."""
        return _usage(self, client, span)


def _usage(action: CredentialAction, client: Client, span: Interval) -> Records:
    organization, value = client.options.organization, action.subject.value
    if organization is None or value is None:
        raise ProviderError(
            "The audit log names a token by its last letters, and " + ("nobody has it" if organization else "none is"),
            where=f"connections.{client.access.connection.name}",
            remedy="give the value with the finding, and `organization:` to the connection",
        )
    events, _ = _exported(client, organization, "")
    theirs = client.access.wire.with_value(value, lambda text: [one for one in events if _ending(one) == text[-4:]])
    uses = [_use(one) for one in theirs]
    return Records(
        [use for use in uses if span.since <= use.at <= span.until],
        covered=(),
        sources=[f"audit log of {organization} (changes only)"],
        kept_since=_time(events[-1]) if events else None,  # read, for the Hub documents no age at which events go
    )


def _exported(client: Client, organization: str, query: str) -> tuple[Sequence[dict[str, Any]], bytes]:
    """Return the events, newest first, and the bytes that they came in."""
    asked = f"?{urlencode({'q': query})}" if query else ""
    path = f"/api/organizations/{organization}/audit-log/export{asked}"
    answer = client.ask("GET", path, permission=_READS, most_bytes=_MOST_BYTES)
    if not answer.complete:
        raise Unavailable(
            "The audit log is too long, or comes too slowly",
            where=path.partition("?")[0],
            remedy="read a part of it, with `query`",
        )
    found = answer.json()
    if not isinstance(found, list):
        raise Unavailable("The Hub's answer holds no audit log", where=organization)
    return sorted(found, key=_time, reverse=True), answer.body


def _use(event: dict[str, Any]) -> Use:
    return Use(
        at=_time(event),
        what=str(event.get("type", "")),
        address=str(event.get("ip") or ""),
        agent=str(event.get("userAgent") or ""),
    )


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": event.get("createdAt"),
        "kind": event.get("type"),
        "author": (event.get("author") or {}).get("user"),
        "address": event.get("ip"),
        "token_role": (event.get("token") or {}).get("role"),
    }


def _ending(event: dict[str, Any]) -> str:
    return str((event.get("token") or {}).get("last4") or "")


def _time(event: dict[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(event.get("createdAt"))).astimezone(UTC)
    except ValueError:
        raise Unavailable("An event of the audit log has no time", where=json.dumps(event.get("_id"))) from None
