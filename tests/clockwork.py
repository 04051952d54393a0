"""A small real provider for tests: its world is a file, so that it survives the process that acts on it."""

import base64
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from responder import credential
from responder.action import (
    Access,
    Action,
    Change,
    Effect,
    Evidence,
    Identity,
    Issued,
    Lifespan,
    Observation,
    Observed,
    Outcome,
    Provider,
    Unchanged,
    Verdict,
)
from responder.durations import Duration
from responder.errors import Denied, OutcomeUnknown, PermitExpired, Unavailable
from responder.finding import Exposure, Finding
from responder.redaction import Secret


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    folder: str
    can: tuple[str, ...] = ()


class World:
    """What the provider's world holds: every line of `effects.jsonl` is one effect."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.folder = Path(Options.model_validate(access.connection.options).folder)

    def effects(self) -> list[dict[str, Any]]:
        path = self.folder / "effects.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def happened(self, key: str) -> bool:
        return any(effect["key"] == key for effect in self.effects())

    def write(self, key: str) -> None:
        if self.access.wire._permit is None:
            raise PermitExpired("no permit")
        line = json.dumps({"key": key, "pid": os.getpid(), "marker": self.access.marker}).encode() + b"\n"
        file = os.open(self.folder / "effects.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            self.access.wire._check_permit("test://world", write=True)  # whoever is stopped after this still sends
            os.write(file, line)
        finally:
            os.close(file)
        fault = self.fault("lost", key)
        if fault:
            raise OutcomeUnknown("the answer was lost")

    def fault(self, kind: str, key: str) -> bool:
        """Use up one planned fault: a file named `<kind>-<key>` that holds how often it happens."""
        path = self.folder / f"{kind}-{key}"
        if not path.exists():
            return False
        left = int(path.read_text() or "1")
        if left <= 1:
            path.unlink()
        else:
            path.write_text(str(left - 1))
        return True


class Nothing(Action):
    """Read nothing at all."""

    name: ClassVar[str] = "clockwork.nothing"
    effect: ClassVar[Effect] = Effect.READ
    seconds: float = 0.0
    says: Any = None

    def read(self, client: World) -> Outcome:
        if self.seconds:
            time.sleep(self.seconds)
        return Outcome({"says": self.says})


class Look(Action):
    """Read a fact, which may be unavailable, denied, or hold findings."""

    name: ClassVar[str] = "clockwork.look"
    effect: ClassVar[Effect] = Effect.READ
    key: str
    find: str = ""

    def read(self, client: World) -> Outcome:
        if client.fault("unavailable", self.key):
            raise Unavailable("the world is busy")
        if client.fault("denied", self.key):
            raise Denied("the world refuses", remedy="our credential needs: world:Look")
        find = (client.folder / self.find[1:]).read_text() if self.find.startswith("@") else self.find
        findings = [Finding(value=client.access.wire.take_in(find), exposure=Exposure(kind="public"))] if find else []
        return Outcome({"state": "live", "happened": client.happened(self.key)}, findings=findings)


class Turn(Action):
    """Turn something once; reading back tells whether it was."""

    name: ClassVar[str] = "clockwork.turn"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    key: str
    note: str = ""

    def plan(self, client: World) -> Change | Unchanged:
        if client.fault("unavailable", self.key):
            raise Unavailable("the world is busy")
        if client.happened(self.key):
            return Unchanged(f"{self.key} is turned already", {"turned": True})
        note = client.folder / "note"
        return Change(self.key, "still", f"turned{self.note}{note.read_text() if note.exists() else ''}")

    def apply(self, client: World, change: Change) -> Outcome:
        if client.fault("refuse", self.key):
            raise Unavailable("not now")
        client.write(self.key)
        return Outcome({"turned": True})

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS if client.happened(self.key) else Verdict.DOES_NOT_HOLD


class Pretend(Turn):
    """Change nothing at all, as a change."""

    name: ClassVar[str] = "clockwork.pretend"

    def plan(self, client: World) -> Change | Unchanged:
        return Change(self.key, "still", "turned")

    def apply(self, client: World, change: Change) -> Outcome:
        return Outcome({})

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS


class Hide(Turn):
    """Take a page out of sight."""

    name: ClassVar[str] = "clockwork.hide"
    page: str

    def removes(self) -> str:
        return self.page


class Put(Turn):
    """Put a secret somewhere."""

    name: ClassVar[str] = "clockwork.put"
    space: str = ""
    value: Secret | None = None


class TurnBack(Turn):
    """Turn something back."""

    name: ClassVar[str] = "clockwork.turn_back"

    def plan(self, client: World) -> Change | Unchanged:
        if client.happened(f"{self.key} back"):
            return Unchanged("it is back already")
        return Change(f"{self.key} back", "turned", "still")

    def apply(self, client: World, change: Change) -> Outcome:
        if client.fault("stuck", self.key):
            raise Denied("it is stuck")
        client.write(change.target)
        return Outcome({})

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS if client.happened(change.target) else Verdict.DOES_NOT_HOLD


class Swing(Turn):
    """Turn something in a way that can be taken back."""

    name: ClassVar[str] = "clockwork.swing"

    def inverse(self, change: Change) -> Action | None:
        return None if self.note == "for good" else TurnBack(key=self.key)


class Final(Turn):
    """Turn something for good."""

    name: ClassVar[str] = "clockwork.final"
    effect: ClassVar[Effect] = Effect.FINAL


class Broken(Turn):
    """Try to turn something in a world whose answer is always lost, and which never does it."""

    name: ClassVar[str] = "clockwork.broken"

    def apply(self, client: World, change: Change) -> Outcome:
        raise OutcomeUnknown("the world fails")


class TwoParts(Turn):
    """Turn something in two parts, of which the second may be refused."""

    name: ClassVar[str] = "clockwork.two_parts"

    def apply(self, client: World, change: Change) -> Outcome:
        client.write(self.key)
        client.access.wire.changed = True
        if client.fault("half", self.key):
            raise Unavailable("too many requests")
        return Outcome({"turned": True})


class TwoWords(TwoParts):
    """Say two things that cannot be read back."""

    name: ClassVar[str] = "clockwork.two_words"
    readback: ClassVar[bool] = False


class Leak(Action):
    """Quote our own secret, and whatever is given, where a careless provider would: in facts, in an error, in a log."""

    name: ClassVar[str] = "clockwork.leak"
    effect: ClassVar[Effect] = Effect.READ
    how: str
    what: Secret | None = None

    def read(self, client: World) -> Outcome:
        values = [secret.reveal() for secret in (client.access.secret, client.access.control, self.what) if secret]
        text = " and ".join(f"{value} {base64.b64encode(value.encode()).decode()} {quote(value)}" for value in values)
        logging.getLogger("clockwork").debug("asking with %s", text)
        if self.how == "error":
            raise RuntimeError(f"could not open https://world.example/?token={text}")
        if self.how == "busy":
            raise Unavailable(f"the world says: {text}")
        if self.how == "denied":
            raise Denied("refused", remedy=f"use another than {text}")
        return Outcome(
            {"page": text, text: [text, {"deep": (text,)}]}, evidence=[Evidence(text.encode(), f"a page with {text}")]
        )


class Copy(Action):
    """Copy logs of which each drops its rows after a time of its own, or at nobody knows when."""

    name: ClassVar[str] = "clockwork.copy"
    effect: ClassVar[Effect] = Effect.READ
    logs: dict[str, Duration | None]

    def read(self, client: World) -> Outcome:
        now = client.access.clock.now()
        kept = [Evidence(about.encode(), about, now + age if age else None) for about, age in self.logs.items()]
        return Outcome({}, evidence=kept)


class Say(Action):
    """Say something that cannot be read back."""

    name: ClassVar[str] = "clockwork.say"
    effect: ClassVar[Effect] = Effect.MESSAGE
    idempotent: ClassVar[bool] = False
    readback: ClassVar[bool] = False
    key: str

    def plan(self, client: World) -> Change | Unchanged:
        return Change(self.key, "unsaid", "said")

    def apply(self, client: World, change: Change) -> Outcome:
        client.write(self.key)
        return Outcome({})

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS


class Hourly(Say):
    """Make something that nobody can recognise, and that ends by itself within the hour."""

    name: ClassVar[str] = "clockwork.hourly"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    orphan: ClassVar[Lifespan | None] = Lifespan(3600, "the clockwork's maker")


class Tell(Say):
    """Say something in a channel."""

    name: ClassVar[str] = "clockwork.tell"
    channel: str


class Watch(Action):
    """Look three times."""

    name: ClassVar[str] = "clockwork.watch"
    effect: ClassVar[Effect] = Effect.READ
    looks: int = 3
    ok: bool = True

    def observe(self, client: World, history: Sequence[Observed]) -> Observation:
        last = len(history) + 1 >= self.looks
        return Observation("seen", last=last, ok=self.ok, wait=0.02, facts={"looks": len(history) + 1})


class InspectKey(credential.Inspect):
    name: ClassVar[str] = "clockwork.inspect"

    def read(self, client: World) -> Outcome:
        dead = client.happened(f"disabled {self.subject.fingerprint}")
        reach = client.folder / "reach"
        return Outcome(
            {"state": "dead" if dead else "live", "reach": reach.read_text().split() if reach.exists() else []}
        )


class ListDoors(credential.Doors):
    name: ClassVar[str] = "clockwork.doors"

    def open_doors(self, client: World) -> Sequence[credential.Door]:
        path = client.folder / "doors"
        return [credential.Door(kind="key", id=one) for one in (path.read_text().split() if path.exists() else ())]


class DisableKey(credential.Disable):
    name: ClassVar[str] = "clockwork.disable"

    def plan(self, client: World) -> Change | Unchanged:
        key = f"disabled {self.subject.fingerprint}"
        return Unchanged("disabled already") if client.happened(key) else Change(key, "live", "disabled")

    def apply(self, client: World, change: Change) -> Outcome:
        client.write(change.target)
        return Outcome({})

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS if client.happened(change.target) else Verdict.DOES_NOT_HOLD


class IssueKey(credential.Issue):
    name: ClassVar[str] = "clockwork.issue"

    def plan(self, client: World) -> Change | Unchanged:
        marker = client.access.marker
        if any(effect["marker"] == marker for effect in client.effects()):
            return Unchanged("made already", issued=Issued(f"key of {marker}", claim=f"https://claim/{marker}"))
        return Change(f"key {self.label}", "none", "made")

    def apply(self, client: World, change: Change) -> Outcome:
        client.write(change.target)
        value = client.access.wire.take_in(f"new-value-{self.label}-{'x' * 20}")
        return Outcome({}, issued=Issued(f"key of {client.access.marker}", value=value))

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS


class ProveKeyDead(credential.ProveDead):
    name: ClassVar[str] = "clockwork.prove_dead"

    def surfaces(self, client: World) -> Sequence[str]:
        return ["api"]

    def window(self, client: World) -> float:
        return 0.0

    def control(self, client: World) -> Any:
        return client.access.wire.take_in("a-known-good-value")

    def present(self, client: World, surface: str, value: Any) -> credential.Probe:
        dead = client.happened(f"disabled {value.fingerprint}")
        return credential.Probe.REFUSED if dead else credential.Probe.ACCEPTED


class DeliverKey(credential.Deliver):
    name: ClassVar[str] = "clockwork.deliver"

    def plan(self, client: World) -> Change | Unchanged:
        key = f"delivered {self.value.fingerprint}"
        return Unchanged("delivered already") if client.happened(key) else Change(key, "old", "new")

    def apply(self, client: World, change: Change) -> Outcome:
        client.write(change.target)
        return Outcome({})

    def verify(self, client: World, change: Change) -> Verdict:
        return Verdict.HOLDS if client.happened(change.target) else Verdict.DOES_NOT_HOLD


def whoami(client: World) -> Identity:
    account, key, parent = (client.folder / name for name in ("account", "acting-key", "made-from"))
    return Identity(
        account.read_text() if account.exists() else "acct-1",
        key.read_text() if key.exists() else "",
        tuple(parent.read_text().split()) if parent.exists() else (),
    )


PROVIDER = Provider(
    name="clockwork",
    actions=(
        Nothing,
        Look,
        Turn,
        Pretend,
        Hide,
        Put,
        TurnBack,
        Swing,
        Final,
        Broken,
        TwoParts,
        TwoWords,
        Leak,
        Copy,
        Say,
        Tell,
        Hourly,
        Watch,
        InspectKey,
        ListDoors,
        DisableKey,
        IssueKey,
        DeliverKey,
        ProveKeyDead,
    ),
    connect=World,
    identify=whoami,
    options=Options,
)
