"""A live fake of every provider's system, and a case for each of its actions.

The drill's own systems stand behind a gate that notes requests and misbehaves; where the drill has no such
system, a small fake does.
"""

import contextlib
import re
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from responder.action import Action
from responder.clock import ScaledClock
from responder.credential import Subject
from responder.drill.world import World, WorldSpec
from responder.providers import email, evidence, http, huggingface, slack
from responder.providers.http.ending import (
    DisableKey,
    EndKeySessions,
    InspectKey,
    ListSessions,
    ProveKeyDead,
    RevokeKey,
)
from responder.providers.http.issuing import IssueKey
from responder.providers.http.storing import DeliverSecret, TestUse
from responder.providers.huggingface.commits import CommitLog
from responder.providers.huggingface.spaces import (
    DeleteSecret,
    DeliverToSpace,
    PauseSpace,
    SetSecret,
    SetVisibility,
    SpaceInfo,
)
from responder.providers.huggingface.tokens import InspectToken, ProveTokenDead, RevokeToken
from responder.providers.slack.channels import OpenChannel
from responder.providers.slack.messages import PostMessage, UpdateMessage
from responder.redaction import Secret
from responder.settings import Connection, Consumer, Holder
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, Seen, Trouble, forwarding

ORIGIN = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
Take = Callable[[str], Secret]


@dataclass(frozen=True)
class HandClock(ScaledClock):
    """A clock that stands still until a case moves it."""

    moved: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.origin + timedelta(seconds=sum(self.moved))

    def move(self, seconds: float) -> None:
        self.moved.append(seconds)


@dataclass
class Gated:
    """A system behind a gate."""

    gate: Loopback
    connection: Connection
    clock: HandClock
    account: str = ""
    secret: str | None = None
    control: str | None = None
    world: Any = None

    def writes(self) -> int:
        return len(self.gate.effective)

    def misbehave(self, trouble: Trouble) -> None:
        self.gate.trouble = trouble

    def value(self, label: str) -> str:
        return str(self.world.ground.labels[label])


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    """Run a world with a silent public, on a clock that stands still."""
    with tempfile.TemporaryDirectory() as folder:
        made = ScaledClock.create(Path(folder) / "clock.json", ORIGIN, 1000.0)
        clock = HandClock(made.origin_real, made.origin, made.speed)
        spec = WorldSpec(dir=Path(folder) / "world", clock=Path(folder) / "clock.json", holders=3, public_rate=0)
        with World(spec, clock) as world:
            yield world


def connection(provider: str, **options: Any) -> Connection:
    """Make a connection as responder.yaml would describe it."""
    return Connection.model_validate({"name": provider, "provider": provider, "secret": "env:OURS", **options})


# ---- http: the drill's issuer, edge, vault and site, as one described system


def described(base: str, **more: Any) -> dict[str, Any]:
    """Describe the drill's issuer, as a team would in responder.yaml."""
    key = "/admin/v1/keys/{key_id}"
    state = {"state": "status", "live": ["active"], "disabled": ["disabled"], "dead": ["revoked"]}
    find = {
        "request": "GET /admin/v1/keys?name={name}", "items": "keys", "next": "next",
        "state": "status", "live": ["active"], "claim": "claim_url",
    }  # fmt: skip
    body = {"name": "{name}", "owner": "{owner}", "delivery": "{delivery}", "scopes": "{scopes}"}
    keys = {
        "shape": r"lum_(?P<key_id>k_[a-z0-9]{8})_[A-Za-z0-9]{32}",
        "propagation": "30s",
        "state": {"request": f"GET {key}", **state, "owner": "owner", "reach": "reach",
                  "last_used": "last_used_at", "missing": "dead"},
        "disable": {"request": f"POST {key}/disable"},
        "revoke": {"request": f"POST {key}/revoke"},
        "issue": {"request": "POST /admin/v1/keys", "body": body, "value": "value", "claim": "claim_url",
                  "find": find},
        "sessions": {"request": f"GET {key}/sessions", "items": "sessions"},
        "end_sessions": {"request": f"DELETE {key}/sessions"},
        "probe": {"surfaces": {"api": f"GET {base}/v1/me", "edge": f"GET {base}/edge/v1/me"}},
    }  # fmt: skip
    secrets = {
        "write": {"request": "PUT /v1/secrets/{name}", "body": {"value": "{value}", "marker": "{marker}"}},
        "read": {"request": "GET /v1/secrets/{name}", "version": "version", "marker": "marker"},
        "test": {"request": f"GET {base}/health", "ok": "ok", "key_id": "key_id"},
    }
    identity = {"request": "GET /admin/v1/whoami", "key_id": "key_id"}
    return {"base_url": base, "identity": identity, "keys": keys, "secrets": secrets, **more}


@contextlib.contextmanager
def described_api() -> Iterator[Gated]:
    with a_world() as world, Loopback(_dispatch(world)) as gate:
        labels, account = world.ground.labels, world.ground.inventory.account
        yield Gated(
            gate, connection("http", account=account, **described(gate.url)), world.ground.clock, account,
            labels["issuer-admin"], labels["control-token"], world,
        )  # fmt: skip


def _dispatch(world: World) -> Callable[[Seen], Reply]:
    ask = {name: forwarding(url) for name, url in world.urls.items() if name != "slack"}
    opener = f"Bearer {world.ground.labels['vault-token']}"

    def answer(seen: Seen) -> Reply:
        if seen.path.startswith("/v1/secrets"):  # the store is a system of its own, with a token of its own
            headers = {**seen.headers, "authorization": opener}
            return ask["vault"](Seen(seen.method, seen.path, seen.query, headers, seen.body, seen.target))
        if seen.path.startswith("/edge/"):
            inner = seen.target.removeprefix("/edge")
            return ask["edge"](Seen(seen.method, inner, seen.query, seen.headers, seen.body, inner))
        return ask["site" if seen.path == "/health" else "issuer"](seen)

    return answer


def shared_key(live: Gated, take: Take) -> Subject:
    """The founding case: a key that many share."""
    return Subject(
        id="early-access", connection="http", key_id=live.world.ground.inventory.shared_key_id,
        value=take(live.value("shared-token")),
    )  # fmt: skip


def on_key(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=shared_key(live, take), **fields)


def on_ended_key(action: type[Any], end: str) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, take: Take) -> Action:
        keys = live.world.keys
        getattr(keys, end)(keys.get(live.world.ground.inventory.shared_key_id))
        live.clock.move(60)
        return action(subject=shared_key(live, take))

    return make


HOLDER = Holder(id="h-001", name="Ada", email="h001@early.example")
SITE = Consumer(id="demo-site", connection="http", secret="demo-site-token")


def a_new_value(live: Gated, take: Take) -> Action:
    return DeliverSecret(subject=shared_key(live, take), consumer=SITE, value=take("new-" + "vQ8x" * 7))


HTTP = ProviderCase(
    http.PROVIDER,
    described_api,
    (
        ActionCase(on_key(InspectKey), "inspect"),
        ActionCase(on_key(DisableKey), "disable", gone=on_ended_key(DisableKey, "disable")),
        ActionCase(on_key(RevokeKey), "revoke", gone=on_ended_key(RevokeKey, "revoke")),
        ActionCase(on_key(ListSessions), "sessions"),
        ActionCase(
            on_key(EndKeySessions), "end_sessions", gone=on_ended_key(EndKeySessions, "end_sessions"),
            settle=lambda live: live.clock.move(10),
        ),
        ActionCase(on_key(IssueKey, holder=HOLDER, scopes=("read",)), "issue, claimed"),
        ActionCase(on_key(IssueKey, consumer=SITE), "issue, given to us", leaves_orphan=True),
        ActionCase(a_new_value, "deliver"),
        ActionCase(on_key(TestUse, consumer=SITE), "test_consumer"),
        ActionCase(on_key(ProveKeyDead), "prove_dead"),
    ),
)  # fmt: skip


# ---- huggingface: the drill's hub, and Space secrets that tell their descriptions, as the real ones do


@contextlib.contextmanager
def a_hub() -> Iterator[Gated]:
    with a_world() as world, Loopback(_with_descriptions(forwarding(world.urls["hub"]))) as gate:
        labels, account = world.ground.labels, world.ground.inventory.hub_account
        yield Gated(
            gate, connection("huggingface", account=account, base_url=gate.url), world.ground.clock, account,
            labels["hub-admin"], labels["hub-control"], world,
        )  # fmt: skip


def _with_descriptions(hub: Callable[[Seen], Reply]) -> Callable[[Seen], Reply]:
    kept: dict[str, dict[str, str]] = {"OLD_TOKEN": {"key": "OLD_TOKEN", "updatedAt": "2026-05-01T00:00:00Z"}}

    def answer(seen: Seen) -> Reply:
        if not seen.path.endswith("/secrets"):
            return hub(seen)
        sent = seen.json() or {}
        if seen.method == "POST":
            told = {"description": sent["description"]} if "description" in sent else {}
            kept[sent["key"]] = {"key": sent["key"], "updatedAt": ORIGIN.isoformat(), **told}
        if seen.method == "DELETE" and kept.pop(sent["key"], None) is None:
            return Reply(404, {"error": "no such secret"})
        return Reply(200, kept if seen.method == "GET" else {})

    return answer


def on_token(action: type[Any]) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=Subject(id="bot", value=take(live.value("space-token"))))


def on_dead_token(live: Gated, take: Take) -> Action:
    next(each for each in live.world.hub.accounts if each.label == "space-token").dead = True
    return on_token(RevokeToken)(live, take)


def on_own_space(action: type[Any], name: str = "space", **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, _: action(**{name: live.world.ground.inventory.own_space}, **fields)


def paused(live: Gated, _: Take) -> Action:
    space = live.world.ground.inventory.own_space
    live.world.hub.spaces[space].stage = "PAUSED"
    return PauseSpace(space=space)


def new_secret(live: Gated, take: Take) -> Action:
    return SetSecret(space=live.world.ground.inventory.own_space, key="NEW", value=take("new-" + "vQ8x" * 7))


def delivered(live: Gated, take: Take) -> Action:
    place = f"{live.world.ground.inventory.own_space}:NEW"
    consumer = Consumer(id="demo", connection="huggingface", secret=place)
    return DeliverToSpace(consumer=consumer, value=take("new-" + "vQ8x" * 7))


def the_log(live: Gated, take: Take) -> Action:
    take(live.value("space-token"))
    known = take(live.value("shared-token")).fingerprint
    shape = r"lum_(?P<key_id>k_[a-z0-9]{8})_[A-Za-z0-9]{32}"
    return CommitLog(space=live.world.ground.inventory.space, known=(known,), shapes=(shape,))


HUGGINGFACE = ProviderCase(
    huggingface.PROVIDER,
    a_hub,
    (
        ActionCase(on_token(InspectToken), "inspect", can_be_denied=False),
        ActionCase(on_token(RevokeToken), "revoke", gone=on_dead_token, can_be_denied=False),
        ActionCase(on_token(ProveTokenDead), "prove_dead", can_be_denied=False),
        ActionCase(delivered, "deliver"),
        ActionCase(on_own_space(SpaceInfo), "space_info"),
        ActionCase(on_own_space(PauseSpace), "pause_space", gone=paused),
        ActionCase(
            on_own_space(SetVisibility, "repository"), "set_visibility",
            gone=on_own_space(SetVisibility, "repository", visibility="public"),
        ),
        ActionCase(new_secret, "set_secret"),
        ActionCase(
            on_own_space(DeleteSecret, key="OLD_TOKEN"), "delete_secret",
            gone=on_own_space(DeleteSecret, key="NONE"),
        ),
        ActionCase(the_log, "commit_log"),
    ),
)  # fmt: skip


# ---- slack


@contextlib.contextmanager
def a_workspace() -> Iterator[Gated]:
    denial = Reply(200, {"ok": False, "error": "missing_scope"})
    with a_world() as world, Loopback(forwarding(world.urls["slack"]), denial=denial) as gate:
        bot = connection("slack", account="T0LUMEN", base_url=f"{gate.url}/api/")
        yield Gated(gate, bot, world.ground.clock, "T0LUMEN", world.ground.labels["slack-bot"], world=world)


def earlier_message(live: Gated, _: Take) -> Action:
    channel = next(each for each in live.world.slack.channels.values() if each.name == "incidents")
    stamp = "1777712400.000001"
    channel.messages.append({"type": "message", "user": "UBOT", "ts": stamp, "text": "before", "blocks": None})
    return UpdateMessage(channel="incidents", ts=stamp, text="after <https://lumen.example>")


SLACK = ProviderCase(
    slack.PROVIDER,
    a_workspace,
    (
        ActionCase(lambda *_: OpenChannel(channel="inc-1", invite=("ines@lumen.example", "UTOMAS")), "open_channel"),
        ActionCase(
            lambda *_: PostMessage(channel="incidents", text="We look into it.", template="internal-alert"),
            "post_message",
        ),
        ActionCase(earlier_message, "update_message"),
    ),
)


# ---- email: a mail server as small as it can be


class MailServer:
    """Takes mail, unless it is told to misbehave."""

    def __init__(self) -> None:
        self.trouble = Trouble.NONE
        self.taken: list[str] = []
        outer = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    outer.talk(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Talk)

    def talk(self, lines: Any, out: Any) -> None:
        out.write(b"220 mail.example ESMTP\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                out.write(b"250-mail.example\r\n250 AUTH PLAIN\r\n")
            elif verb == b"AUTH":
                out.write(b"535 no\r\n" if self.trouble is Trouble.DENIED else b"235 welcome\r\n")
            elif verb == b"MAIL" and self.trouble is Trouble.UNAVAILABLE:
                out.write(b"451 not now\r\n")
            elif verb == b"DATA":
                out.write(b"354 go on\r\n")
                whole = "".join(iter(lambda: lines.readline().decode(), ".\r\n"))
                self.taken.append(re.sub(r"(?m)^\.", "", whole))
                if self.trouble is Trouble.ANSWER_LOST:
                    return
                out.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                out.write(b"221 bye\r\n")
                return
            else:
                out.write(b"250 ok\r\n")


@dataclass
class Mailbox:
    """A mail account that is running."""

    server: MailServer
    connection: Connection
    clock: HandClock
    secret: str | None = "p4ss" + "Word" * 5
    control: str | None = None
    account: str = "mail"

    def writes(self) -> int:
        return len(self.server.taken)

    def misbehave(self, trouble: Trouble) -> None:
        self.server.trouble = trouble


@contextlib.contextmanager
def a_mailbox() -> Iterator[Mailbox]:
    mail = MailServer()
    thread = threading.Thread(target=mail.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    port = mail.server.server_address[1]
    account = connection(
        "email", account="mail", host="127.0.0.1", port=port, tls="none", user="us", sender="ir@lumen.example"
    )
    yield Mailbox(mail, account, HandClock(0.0, ORIGIN, 1.0))
    mail.server.shutdown()
    mail.server.server_close()
    thread.join()


EMAIL = ProviderCase(
    email.PROVIDER,
    a_mailbox,
    (
        ActionCase(
            lambda *_: email.SendMessage(to="ada@early.example", subject="Zugang für Ada", body="Liebe Ada,\n."),
            "send_message",
        ),
    ),
    tells_account=False,
)


# ---- evidence


@contextlib.contextmanager
def a_page() -> Iterator[Gated]:
    def answer(seen: Seen) -> Reply:
        return Reply(200, "<h1>An open letter</h1>", {"Content-Type": "text/html"})

    with Loopback(answer) as gate:
        nobody = Connection(name="evidence", provider="evidence")
        yield Gated(gate, nobody, HandClock(0.0, ORIGIN, 1.0))


EVIDENCE = ProviderCase(
    evidence.PROVIDER,
    a_page,
    (
        ActionCase(
            lambda live, _: evidence.CapturePage(url=f"{live.gate.url}/page"),
            "capture_page",
            can_be_denied=False,
        ),
    ),
    tells_account=False,
)

CASES = {case.provider.name: case for case in (HTTP, HUGGINGFACE, SLACK, EMAIL, EVIDENCE)}
