"""What Anthropic's records show: in which hours a key was used, and which other keys its maker has."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from responder.credential import Consumers, CredentialAction, Door, Doors, Interval, Records, Use, Used
from responder.errors import ProviderError, Unavailable
from responder.providers.anthropic.client import READ, Client
from responder.providers.anthropic.keys import every_key, moment, record_of

_PATH = "/v1/organizations/usage_report/messages"
_HOUR = timedelta(hours=1)
_MOST_BUCKETS, _MOST_PAGES = "168", 60
_SOURCE = "Messages usage report (tokens by the hour; nothing that is free, such as reading files)"


class UsedKey(Used):
    """Read in which hours the key was used.

    Anthropic's report tells tokens by key and hour, and neither addresses nor programs: so nobody is recognised, and
    every use is foreign. A use stands at the end of its hour; what costs no tokens is in no report, and the hour that
    is not over yet is not covered. Nobody can write the report with a leaked key. Anthropic calls it legacy since 2026,
    and names no time after which it drops an hour.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ,)

    def usage(self, client: Client, span: Interval) -> Records:
        """Read the report."""
        return _records(self, client, span)


class ConsumersOfKey(Consumers):
    """Tell in which hours the key was used. The report tells no address, so it shows no consumer by name."""

    permissions: ClassVar[tuple[str, ...]] = (READ,)

    def usage(self, client: Client, span: Interval) -> Records:
        """Read the report."""
        return _records(self, client, span)


class DoorsOfMaker(Doors):
    """List the other keys, active ones and those that can be switched on again, of whoever the key acts for."""

    permissions: ClassVar[tuple[str, ...]] = (READ,)

    def open_doors(self, client: Client) -> Iterator[Door]:
        """Read the list."""
        record = record_of(client, self.subject)
        for one in every_key(client):
            if one.key_id != record.key_id and one.maker == record.maker and one.state != "dead":
                opened_at = moment(one.created_at)
                yield Door(kind=f"{one.status} API key", id=one.key_id, about=one.name, opened_at=opened_at)

    def unseen(self, client: Client) -> Sequence[str]:  # noqa: ARG002 - it is the same for everybody
        """Return what no API shows."""
        return ("Admin API keys, sign-ins and sessions: Anthropic lists none of them",)


def _records(action: CredentialAction, client: Client, span: Interval) -> Records:
    key_id = action.subject.key_id or record_of(client, action.subject).key_id
    uses = [
        Use(at=min(end - timedelta(seconds=1), span.until), what=f"{tokens} tokens in this hour")
        for end, tokens in _hours(client, key_id, span)
    ]
    over = client.access.clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    covered = Interval(span.since, max(span.since, min(span.until, over)))
    return Records(uses, [covered], [_SOURCE])


def _hours(client: Client, key_id: str, span: Interval) -> Iterator[tuple[datetime, int]]:
    """Yield the end of every hour in which a key was used, and the tokens."""
    start = span.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = (span.until + _HOUR).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    asked = {
        "starting_at": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "bucket_width": "1h",
        "group_by[]": "api_key_id",
        "api_key_ids[]": key_id,
        "limit": _MOST_BUCKETS,
    }
    for _ in range(_MOST_PAGES):
        data = client.ask("GET", _PATH, permission=READ, params=asked).json()
        buckets = data.get("data") if isinstance(data, dict) else None
        if not isinstance(buckets, list):
            raise Unavailable("Anthropic's answer holds no usage", where=f"GET {_PATH}")
        for bucket in buckets:
            ended = moment(str(bucket.get("ending_at") or ""))
            mine = [one for one in bucket.get("results") or () if one.get("api_key_id") == key_id]
            if mine and ended is None:
                raise Unavailable("Anthropic's answer holds a bucket without its time", where=f"GET {_PATH}")
            if mine and ended is not None:
                yield ended, sum(_tokens(one) for one in mine)
        following = str(data.get("next_page") or "")
        if not following:
            return
        asked["page"] = following
    raise ProviderError(f"The report does not end after {_MOST_PAGES} pages", where=f"GET {_PATH}")


def _tokens(one: dict[str, Any]) -> int:
    return sum(value for name, value in one.items() if name.endswith("_tokens") and isinstance(value, int))
