"""Messages in channels: posted once, found again by the marker in their metadata, updated in place."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.errors import ProviderError, Unavailable
from responder.providers.slack.client import Client
from responder.redaction import Secret, looks_like_credential

EVENT = "responder_message"
_HISTORY = "channels:history"
_POST = "chat:write"
_SEEN = "channels:read"
_MOST_PAGES = 5
_MOST_MEMBER_PAGES = 50
_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
_SHOWN = 120


class _Message(Action):
    """What posting and updating have in common."""

    effect: ClassVar[Effect] = Effect.MESSAGE
    permissions: ClassVar[tuple[str, ...]] = (_POST, _HISTORY, "channels:read")

    channel: Annotated[str, Field(min_length=1, max_length=100)]
    """Its id, or its name."""
    text: Annotated[str, Field(min_length=1, max_length=12_000)]
    """The message; where there are blocks, what notifications and screen readers say."""
    blocks: tuple[dict[str, Any], ...] = ()

    def listeners(self, client: Client) -> list[str]:
        """Return the channel's id and name, and the ids of its members."""
        return listeners(client, channel_id(client, self.channel))

    def _digest(self) -> str:
        whole = json.dumps([self.text, self.blocks], sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(whole.encode()).hexdigest()

    def _after(self) -> str:
        first = self.text.strip().splitlines()[0][:_SHOWN]
        return f"{first} [sha256:{self._digest()}]"

    def _content(self) -> dict[str, Any]:
        return {"text": self.text} | ({"blocks": list(self.blocks)} if self.blocks else {})

    def _refuse_secrets(self) -> None:
        """Refuse what must never be in a channel; text that was made of secrets shows fingerprints."""
        found = "secret" if _holds_secret(self.blocks) else looks_like_credential(json.dumps(self._content()))
        if found:
            raise ProviderError(f"The message seems to hold a credential ({found})", remedy="take it out")


class PostMessage(_Message):
    """Post one message. Facts: `channel` (its id), `ts`, `sha256`."""

    name: ClassVar[str] = "slack.post_message"
    idempotent: ClassVar[bool] = False

    thread: Annotated[str, Field(pattern=r"^(\d+\.\d+)?$")] = ""
    """The `ts` of the message that it answers."""
    template: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)] = ""
    """The template that it was rendered from."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for the message of an earlier try, among the newest thousand."""
        self._refuse_secrets()
        channel = channel_id(client, self.channel)
        found = self._find(client, channel)
        if found:
            facts = {"channel": channel, "ts": found.get("ts"), "sha256": self._digest()}
            return Unchanged("an earlier try posted it", facts)
        where = f", in the thread {self.thread}" if self.thread else ""
        return Change(
            target=f"channel {self.channel}{where}",
            before="not posted",
            after=self._after(),
            breaks="it cannot be unsaid",
            preconditions={"channel": channel},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Post it, once."""
        payload = {"marker": client.access.marker, "digest": self._digest()}
        payload |= {"template": self.template} if self.template else {}
        answer = client.write(
            "chat.postMessage",
            _POST,
            channel=change.preconditions["channel"],
            **self._content(),
            **({"thread_ts": self.thread} if self.thread else {}),
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": EVENT, "event_payload": payload},
        )
        return Outcome({"channel": answer.get("channel"), "ts": answer.get("ts"), "sha256": self._digest()})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for it."""
        return read_back(lambda: bool(self._find(client, change.preconditions["channel"])))

    def _find(self, client: Client, channel: str) -> dict[str, Any] | None:
        marker = client.access.marker
        return next((one for one in messages(client, channel, self.thread) if marker_of(one) == marker), None)


class UpdateMessage(_Message):
    """Replace the text of a message that was posted earlier. Facts: `channel`, `ts`, `sha256`."""

    name: ClassVar[str] = "slack.update_message"

    ts: Annotated[str, Field(pattern=r"^\d+\.\d+$")]
    """The message, as `slack.post_message` named it."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the message; its metadata tells which text it shows, for Slack rewrites texts."""
        self._refuse_secrets()
        channel = channel_id(client, self.channel)
        found = self._find(client, channel)
        if found is None:
            raise ProviderError(
                f"There is no message {self.ts} in {self.channel}", where=self.name, remedy="post a new one"
            )
        if _payload(found).get("digest") == self._digest():
            return Unchanged("it says so already", {"channel": channel, "ts": self.ts})
        return Change(
            target=f"message {self.ts} in channel {self.channel}",
            before=str(found.get("text", ""))[:_SHOWN],
            after=self._after(),
            preconditions={"channel": channel},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Replace it; the marker of the step that posted it stays."""
        channel = change.preconditions["channel"]
        payload = {**_payload(self._find(client, channel) or {}), "digest": self._digest()}
        client.write(
            "chat.update",
            _POST,
            channel=channel,
            ts=self.ts,
            **self._content(),
            metadata={"event_type": EVENT, "event_payload": payload},
        )
        return Outcome({"channel": channel, "ts": self.ts, "sha256": self._digest()})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read it back."""
        try:
            found = self._find(client, change.preconditions["channel"])
        except Unavailable:
            return Verdict.UNKNOWN
        same = found is not None and _payload(found).get("digest") == self._digest()
        return Verdict.HOLDS if same else Verdict.DOES_NOT_HOLD

    def _find(self, client: Client, channel: str) -> dict[str, Any] | None:
        return next((one for one in messages(client, channel, self.ts) if one.get("ts") == self.ts), None)


def channel_id(client: Client, wanted: str) -> str:
    """Return a channel's id, looking its name up where it is one."""
    if _ID.fullmatch(wanted):
        return wanted
    found = client.channel(wanted.lstrip("#"))
    if found is None:
        raise ProviderError(
            f"There is no channel {wanted!r} that we see",
            where="conversations.list",
            remedy="check its name, and invite the app if it is private",
        )
    return str(found["id"])


def listeners(client: Client, channel: str) -> list[str]:
    """Return a channel's id and name, and the ids of its members."""
    found = client.channel(channel, _SEEN) or {}
    members = client.pages("conversations.members", _SEEN, "members", _MOST_MEMBER_PAGES, channel=channel)
    return [channel, str(found.get("name") or channel), *map(str, members)]


def messages(client: Client, channel: str, thread: str = "", **bounds: str) -> Iterator[dict[str, Any]]:
    """Yield the newest messages of a channel, or those of a thread, with their metadata."""
    arguments = {"channel": channel, "include_all_metadata": "true", **bounds}
    method = "conversations.replies" if thread else "conversations.history"
    arguments |= {"ts": thread} if thread else {}
    return client.pages(method, _HISTORY, "messages", _MOST_PAGES, **arguments)


def marker_of(message: dict[str, Any]) -> str:
    """Return the marker of the step that posted a message; empty where it is not one of ours."""
    return str(_payload(message).get("marker", ""))


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    metadata = message.get("metadata") or {}
    return dict(metadata.get("event_payload") or {}) if metadata.get("event_type") == EVENT else {}


def _holds_secret(data: Any) -> bool:
    if isinstance(data, dict):
        return any(_holds_secret(inner) for inner in data.values())
    if isinstance(data, list | tuple):
        return any(_holds_secret(inner) for inner in data)
    return isinstance(data, Secret)
