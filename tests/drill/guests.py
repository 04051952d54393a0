"""Who asks a world in a test, and a clock that the test moves by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from responder.clock import ScaledClock
from responder.drill.world import World

ORIGIN = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class HandClock(ScaledClock):
    """A clock that stands still until the test moves it; waits are a thousandth of what they say."""

    moved: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.origin + timedelta(seconds=sum(self.moved))

    def move(self, seconds: float) -> None:
        self.moved.append(seconds)


class Guest:
    """Asks the systems of a world, as the responder does unless it says otherwise."""

    def __init__(self, world: World, client: httpx.Client, ledger: Path) -> None:
        self.world = world
        self.http = client
        self._ledger = ledger

    @property
    def clock(self) -> Any:
        return self.world.ground.clock

    def value(self, label: str) -> str:
        return self.world.ground.labels[label]

    def ask(
        self,
        system: str,
        method: str,
        path: str,
        label: str | None = None,
        *,
        body: Any = None,
        step: str = "",
        actor: str = "",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if label:
            sent["Authorization"] = f"Bearer {self.value(label)}"
        if step:
            sent["User-Agent"] = f"responder/0.1.0 (run-000000000001; {step})"
        if actor:
            sent["X-World-Actor"] = actor
        url = self.world.urls[system].removesuffix("/api/") + path
        return self.http.request(method, url, headers=sent, json=body)

    def slack(self, method: str, **fields: Any) -> dict[str, Any]:
        return self.ask("slack", "POST", f"/api/{method}", "slack-bot", body=fields).json()

    def key(self, name: str, owner: str, delivery: str = "value") -> dict[str, Any]:
        body = {"name": name, "owner": owner, "delivery": delivery, "scopes": ["gateway:generate"]}
        return self.ask("issuer", "POST", "/admin/v1/keys", "issuer-admin", body=body).json()

    def admin(self, method: str, path: str) -> httpx.Response:
        return self.ask("issuer", method, f"/admin/v1/keys/{path}", "issuer-admin")

    def me(self, system: str, label: str = "shared-token") -> httpx.Response:
        return self.ask(system, "GET", "/v1/me", label)

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._ledger.read_text(encoding="utf-8").splitlines()]

    def effects(self, kind: str) -> list[dict[str, Any]]:
        return [line["effect"] for line in self.ledger() if line["effect"] and line["effect"]["kind"] == kind]


Start = Callable[..., Guest]
"""Starts a world: faults by position, fields of the specification by name."""
