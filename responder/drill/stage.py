"""The stage of a drill: folders, a clock, the world's process, and the configuration that real users would write."""

import base64
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from responder.clock import ScaledClock
from responder.drill.world import inventory_of, values_of
from responder.drill.world.values import Inventory
from responder.errors import RequestError
from responder.installation import folder_of, location, login, recorded
from responder.source import write
from responder.store import Location

ORIGIN = datetime(2026, 11, 26, 13, 47, tzinfo=UTC)
"""The moment at which every drill begins; the Space was pushed seventeen minutes earlier."""
CHAT_ACCOUNT = "T0LUMEN"
"""The id under which the world's chat knows our team."""
_SECRETS = {
    "ISSUER_ADMIN": "issuer-admin",
    "ISSUER_CONTROL": "control-token",
    "HUB_ADMIN": "hub-admin",
    "HUB_CONTROL": "hub-control",
    "SLACK_BOT": "slack-bot",
    "SLACK_APP": "slack-app",
    "SLACK_SIGNING": "slack-signing",
    "SMTP_PASSWORD": "smtp-password",
    "VAULT_TOKEN": "vault-token",
}
"""The environment variables of the runner, and the world's labels of what they hold."""


_SLACK = {"connection": "chat", "app_token": "env:SLACK_APP", "signing_secret": "env:SLACK_SIGNING"}


@dataclass(frozen=True)
class Stage:
    """Where a drill takes place."""

    folder: Path
    clock: ScaledClock
    inventory: Inventory
    urls: Mapping[str, Any]
    world: subprocess.Popen[str]
    environment: Mapping[str, str] = field(repr=False)
    """What the runner gets: secrets by their variables, the clock, and nothing of the user's own."""
    seed: int
    leaked: str = field(repr=False)
    """The leaked value, in memory only."""
    store: Location
    """Where the record is."""

    @property
    def state(self) -> Path:
        """Our own folder: configuration, store, key."""
        return self.folder / "state"

    @property
    def output(self) -> Path:
        """Where documents, pages and everything printed go."""
        return self.folder / "output"

    @property
    def config(self) -> Path:
        """The responder.yaml of the drill."""
        return self.state / "responder.yaml"

    def close(self) -> None:
        """End the world."""
        if self.world.stdin is not None:
            self.world.stdin.close()
        try:
            self.world.wait(10)
        except subprocess.TimeoutExpired:
            self.world.kill()
            self.world.wait()
        if self.world.stdout is not None:
            self.world.stdout.close()


def set_stage(
    folder: Path,
    *,
    seed: int,
    speed: float,
    faults: tuple[str, ...],
    holders: int,
    live: bool,
    store: str | None = None,
) -> Stage:
    """Start the world, and write what its users would have written. RequestError where the world does not start."""
    record = location(str(Path(store).absolute()) if store and "://" not in store else store, {})
    if record.path is None and recorded(record):
        raise RequestError("The database holds a record already", where=str(record), remedy="name an empty one")
    _clear(folder)
    for name in ("world", "state", "output"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    clock = ScaledClock.create(folder / "clock.json", ORIGIN, speed)
    inventory = inventory_of(seed, holders)
    values = values_of(seed, holders)
    world = _start_world(folder, seed, faults, holders)
    urls = _ready(world)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder / "state"),
        **({"RESPONDER_STORE": record.url} if record.path is None else {}),
        **{name: value for name, value in os.environ.items() if name.startswith("PG")},
        **{name: values[label] for name, label in _SECRETS.items()},
        "KNOWN_SHARED": values["shared-token"],
        "KNOWN_SPACE": values["space-token"],
    }
    stage = Stage(
        folder,
        clock,
        inventory,
        urls,
        world,
        environment,
        seed,
        values["shared-token"],
        record if store else Location((folder / "state" / "responder.db").absolute()),
    )
    stage.config.write_text(_configuration(stage, live=live), encoding="utf-8")
    _write_holders(stage)
    _write_key(stage)
    return stage


def _write_key(stage: Stage) -> None:
    """Write a sealing key that depends on the seed, so that fingerprints and ids are the same ones each time."""
    path = folder_of(stage.store, stage.environment) / "sealing.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(base64.b64encode(hashlib.sha256(f"drill:{stage.seed}".encode()).digest()) + b"\n")


def _clear(folder: Path) -> None:
    """Remove an earlier drill from its folder. RequestError where the folder holds anything else."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / "clock.json").is_file():
        raise RequestError(
            "The folder is not empty, and was not left by a drill", where=str(folder), remedy="name another: --keep DIR"
        )
    for name in ("world", "state", "output"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "clock.json").unlink()


def _start_world(folder: Path, seed: int, faults: tuple[str, ...], holders: int) -> subprocess.Popen[str]:
    world_faults = [fault for fault in faults if not fault.startswith(("crash", "stop"))]
    spec = {
        "dir": str(folder / "world"),
        "clock": str(folder / "clock.json"),
        "seed": seed,
        "faults": world_faults,
        "holders": holders,
    }
    command = [sys.executable, "-m", "responder.drill.world"]
    with (folder / "output" / "world.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603 - our own command
    if process.stdin is not None:
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()
    return process


def _ready(world: subprocess.Popen[str]) -> Mapping[str, Any]:
    line = world.stdout.readline() if world.stdout is not None else ""
    if not line:
        world.wait(10)
        raise RequestError("The drill's world did not start", remedy="read output/world.log in the drill's folder")
    urls: Mapping[str, Any] = json.loads(line)
    return urls


def _write_holders(stage: Stage) -> None:
    """Write the programme's list of holders; the last of them is also one of our own people."""
    with (stage.state / "holders.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "name", "email", "person"])
        for number, holder in enumerate(stage.inventory.holders):
            rows.writerow([holder.id, holder.name, holder.email, "leo" if number == 0 else ""])


def _configuration(stage: Stage, *, live: bool) -> str:
    text = write(_settings(stage, live=live))
    return "# Written by the drill: what a team would have written about its own systems.\n" + text


def _settings(stage: Stage, *, live: bool) -> dict[str, Any]:
    inventory = stage.inventory
    roles = {
        "ines": ["commander"],
        "leo": ["commander"],
        "tomas": ["comms"],
        "ruth": ["oncall", "commander"],
        "kenji": ["owner"],
        "salma": ["executive"],
    }
    me = "ines" if live else "ruth"
    people = {
        one.id: {
            "name": one.name,
            "email": one.email,
            "slack": one.chat_id,
            "roles": roles[one.id],
            **({"os_user": login()} if one.id == me else {}),
        }
        for one in inventory.staff
    }
    people["petra"] = {"name": "Petra Lang", "email": "petra@partner.example"}
    consumers = [
        {"id": one.id, "connection": "vault", "secret": one.secret_name, "owner": "kenji"}
        for one in inventory.consumers
    ]
    return {
        **({} if stage.store.password else {"store": stage.store.url or str(stage.store.path)}),
        "clock": "../clock.json",
        "organisation": {"name": "Lumen Labs", "contact": "security@lumen.example", "time_zone": "America/New_York"},
        "people": people,
        "connections": _connections(stage),
        "inventory": [
            {
                "id": "early-access-shared", "connection": "early-access", "kind": "gateway-key",
                "key_id": inventory.shared_key_id, "known_by": "env:KNOWN_SHARED", "owner": "ruth", "shared": True,
                "holders_file": "holders.csv", "consumers": consumers,
            },
            {
                "id": "space-bot", "connection": "hub", "kind": "hub-token", "known_by": "env:KNOWN_SPACE",
                "owner": "ruth",
            },
        ],
        "audiences": {
            "responders": ["ruth@lumen.example", "ines@lumen.example"],
            "executives": ["salma@lumen.example"],
            "press": ["press@lumen.example"],
        },
        "slack": _SLACK, "facts": _facts(),
    }  # fmt: skip


def _connections(stage: Stage) -> dict[str, Any]:
    """Describe every system of the world as its users would: the gateway and the store by the declarative provider."""
    urls, inventory = stage.urls, stage.inventory
    return {
        "early-access": {
            "provider": "http", "account": inventory.account, "secret": "env:ISSUER_ADMIN",
            "control": "env:ISSUER_CONTROL", "base_url": urls["issuer"],
            "identity": {"request": "GET /admin/v1/whoami", "account": "account", "key_id": "key_id"},
            "keys": _key_api(urls),
        },
        "vault": {
            "provider": "http", "account": inventory.vault_account, "secret": "env:VAULT_TOKEN",
            "base_url": urls["vault"],
            "identity": {"request": "GET /v1/whoami", "account": "account"},
            "secrets": {
                "write": {"request": "PUT /v1/secrets/{name}", "body": {"value": "{value}", "marker": "{marker}"}},
                "read": {"request": "GET /v1/secrets/{name}", "version": "version", "marker": "marker"},
                "test": {"request": f"GET {urls['site']}/health", "ok": "ok", "key_id": "key_id"},
            },
        },
        "hub": {
            "provider": "huggingface", "account": inventory.hub_account, "secret": "env:HUB_ADMIN",
            "control": "env:HUB_CONTROL", "base_url": urls["hub"],
        },
        "chat": {"provider": "slack", "account": CHAT_ACCOUNT, "secret": "env:SLACK_BOT", "base_url": urls["slack"]},
        "mail": {
            "provider": "email", "account": urls["smtp"]["host"], "secret": "env:SMTP_PASSWORD",
            "host": urls["smtp"]["host"], "port": urls["smtp"]["port"], "sender": "security@lumen.example",
            "user": inventory.mail_login, "tls": "none",
        },
    }  # fmt: skip


def _key_api(urls: Mapping[str, Any]) -> dict[str, Any]:
    key = "/admin/v1/keys/{key_id}"
    return {
        "shape": "lum_(?P<key_id>k_[a-z0-9]{8})_[A-Za-z0-9]{32}",
        "propagation": "30s",
        "state": {
            "request": f"GET {key}", "state": "status", "live": ["active"], "disabled": ["disabled"],
            "dead": ["revoked"], "owner": "owner", "reach": "reach", "last_used": "last_used_at", "missing": "dead",
        },
        "disable": {"request": f"POST {key}/disable"},
        "revoke": {"request": f"POST {key}/revoke"},
        "issue": {
            "request": "POST /admin/v1/keys",
            "body": {"name": "{name}", "owner": "{owner}", "delivery": "{delivery}", "scopes": "{scopes}"},
            "key_id": "id", "value": "value", "claim": "claim_url",
            "find": {
                "request": "GET /admin/v1/keys?name={name}", "items": "keys", "next": "next", "key_id": "id",
                "name": "name", "state": "status", "live": ["active"], "claim": "claim_url",
            },
        },
        "sessions": {"request": f"GET {key}/sessions", "items": "sessions"},
        "end_sessions": {"request": f"DELETE {key}/sessions"},
        "probe": {
            "surfaces": {"api": f"GET {urls['issuer']}/v1/me", "edge": f"GET {urls['edge']}/v1/me"},
            "accepted": [200], "refused": [401, 403],
        },
    }  # fmt: skip


def _facts() -> dict[str, Any]:
    """Return what Lumen Labs would have written down about its programme before anything happened."""
    review = (ORIGIN + timedelta(days=14)).strftime("%d %B %Y")
    return {
        "programme_name": "the Lumen early-access programme",
        "exposure_place": "a public Hugging Face Space",
        "commander": {"name": "Inês Carvalho", "email": "ines@lumen.example"},
        "signed_by": {"name": "Tomáš Dvořák", "title": "Head of the early-access programme"},
        "concerns_person": {"name": "Salma Rahman", "email": "salma@lumen.example"},
        "coordination_contact": {"name": "Ruth Adeyemi", "email": "ruth@lumen.example"},
        "contact": "press@lumen.example",
        "programme_payment": "Testing is unpaid. There is a competition with a prize.",
        "programme_credit": "Films that we show carry the name of whoever made them.",
        "programme_approval": "A film made with the programme is shown in public only after we have approved it.",
        "programme_review": "These three terms are being reviewed; "
        f"Salma Rahman writes to all testers about the outcome by {review}.",
        "concerns_heard": [
            {
                "concern": "Testing is unpaid work",
                "answer": "You are right that it is unpaid. Payment is part of the review.",
            },
            {
                "concern": "Every film needs approval before it may be shown",
                "answer": "That rule is part of the review as well.",
            },
        ],
        "changes": [
            {
                "what": "Each of you holds a token of your own, so that one can be ended without touching the others",
                "by": "from now on",
            },
            {"what": "You hear the outcome of the review of payment, credit and approval", "by": review},
        ],
        "cannot_change": [{"what": "A token must not be published", "why": "whoever finds it can act in your name"}],
        "allowed_hosts": ["127.0.0.1"],
    }
