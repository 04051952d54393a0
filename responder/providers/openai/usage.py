"""What OpenAI counts of a key's calls: hours with numbers, without addresses."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from responder.credential import Interval
from responder.errors import ProviderError, Unavailable
from responder.providers.openai.client import READ_USAGE, Client

KINDS = ("completions", "embeddings", "moderations", "images", "audio_speeches", "audio_transcriptions")
"""What is counted by key. Vector stores and code interpreters are counted by project alone."""
_HOUR = timedelta(hours=1)
_WIDTH, _MOST_BUCKETS, _MOST_PAGES = "1h", "168", 60
SOURCE = "organization usage (calls of models, by the hour; nothing that is free, such as reading files)"


class Counted(NamedTuple):
    """The calls of one key, of one kind, in one hour."""

    key_id: str
    kind: str
    hour: Interval
    requests: int
    input_tokens: int
    output_tokens: int


def counted(client: Client, span: Interval, **narrowed: str) -> Iterator[Counted]:
    """Yield every hour in which there were calls. `narrowed` holds OpenAI's own filters, one value each."""
    for kind in KINDS:
        for bucket in _buckets(client, kind, span, narrowed):
            hour = Interval(_moment(bucket.get("start_time")), _moment(bucket.get("end_time")))
            for one in bucket.get("results") or ():
                yield Counted(
                    str(one.get("api_key_id") or ""),
                    kind,
                    hour,
                    _number(one, "num_model_requests"),
                    _number(one, "input_tokens"),
                    _number(one, "output_tokens"),
                )


def complete(span: Interval, now: datetime) -> Interval:
    """Return the part of a span that usage covers: whole hours that are over."""
    over = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return Interval(span.since, max(span.since, min(span.until, over)))


def _buckets(client: Client, kind: str, span: Interval, narrowed: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    path = f"/organization/usage/{kind}"
    start = span.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    asked = {
        "start_time": str(int(start.timestamp())),
        "end_time": str(int((span.until + _HOUR).timestamp())),
        "bucket_width": _WIDTH,
        "group_by": "api_key_id",
        "limit": _MOST_BUCKETS,
        **narrowed,
    }
    for _ in range(_MOST_PAGES):
        data = client.ask("GET", path, permission=READ_USAGE, params=asked).json()
        buckets = data.get("data") if isinstance(data, dict) else None
        if not isinstance(buckets, list):
            raise Unavailable("OpenAI's answer holds no usage", where=f"GET {path}")
        yield from buckets
        following = str(data.get("next_page") or "")
        if not following:
            return
        asked["page"] = following
    raise ProviderError(f"The usage does not end after {_MOST_PAGES} pages", where=f"GET {path}")


def _moment(seconds: Any) -> datetime:
    if not isinstance(seconds, int):
        raise Unavailable("OpenAI's answer holds a bucket without its time", where="GET /organization/usage")
    return datetime.fromtimestamp(seconds, UTC)


def _number(one: Mapping[str, Any], name: str) -> int:
    found = one.get(name)
    return found if isinstance(found, int) else 0
