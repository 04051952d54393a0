"""Stand-ins for every provider: the same actions with the same fields, answered from the scenario's world."""

# ruff: noqa: ARG001 - the contract hands every method client, change and history, needed or not

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

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
    Observation,
    Observed,
    Observing,
    Outcome,
    Provider,
    Reading,
    Traits,
    Unchanged,
    Verdict,
)
from responder.credential import VERBS, CredentialAction, Probe
from responder.errors import PlaybookError
from responder.redaction import Secret
from responder.registry import Registry
from responder.scenario.plausible import facts_of
from responder.scenario.world import Caller, Known, World
from responder.settings import Connection, Consumer

EVERY_VERB = "issuer"
"""The provider of a scenario's credential where nothing names another: it offers every verb."""
_HESITATION_SECONDS = 0.02
REACHING_NOTHING = frozenset({"human", "incident", "finding"})
"""Their steps ask people or write into the record; they reach no system, and are the real ones."""
_LOG = "the issuer's log"


class _AnyOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Client:
    """What an action of a stand-in gets: who asks, and the world that answers."""

    def __init__(self, access: Access, world: World) -> None:
        self.access = access
        self.world = world
        self.look = ""

    def caller(self, action: Action) -> Caller:
        """Return who asks."""
        run, _, address = self.access.marker.partition("/")
        return Caller(self.world.runs.get(run, f"{run}/"), address, action.name, self.access.connection.name)

    def subject(self, action: CredentialAction) -> Known | None:
        """Return the credential that an action is about."""
        return self.world.of(action.subject.fingerprint, action.subject.key_id)


class StandIns(Registry):
    """The providers that there are, each with stand-ins for its actions."""

    def __init__(self, real: Registry, world: World) -> None:
        super().__init__()
        self._real = real
        self._world = world

    def names(self) -> list[str]:
        """Return the names of all providers, and of the one that offers every verb."""
        return sorted({*self._real.names(), EVERY_VERB})

    def verb(self, provider: str, verb: str, connection: Connection | None = None) -> type[CredentialAction]:
        """Return the stand-in for a verb. PlaybookError where the scenario says that the issuer cannot do it."""
        if verb in self._world.scenario.credential.cannot:
            raise PlaybookError(f"{provider} cannot {verb.replace('_', ' ')} a credential", where="credential.cannot")
        return super().verb(provider, verb, connection)

    def _load(self, name: str) -> Provider:
        if name == EVERY_VERB:
            return self._stand_in(name, tuple(VERBS.values()))
        real = self._real.provider(name)
        return real if name in REACHING_NOTHING else self._stand_in(name, real.actions)

    def _stand_in(self, name: str, actions: Sequence[type[Action]]) -> Provider:
        said = self._world.scenario.credential
        return Provider(
            name=name,
            actions=tuple(_answering(action) for action in actions),
            connect=lambda access: Client(access, self._world),
            identify=lambda client: Identity(
                client.access.connection.account, f"key of {client.access.connection.name}"
            ),
            options=_AnyOptions,
            offers=lambda _: frozenset(VERBS) - frozenset(said.cannot),
            traits=lambda _: Traits(said.propagation.total_seconds(), reversible="disable" not in said.cannot),
            recognise=lambda _options, _value: None,
            shape=lambda _: "leaked-[a-z0-9-]+",
        )


@cache
def _answering(real: type[Action]) -> type[Action]:
    """Return a class with the fields of an action, whose methods ask the world."""
    if issubclass(real, credential.ProveDead):
        methods: Mapping[str, Callable[..., Any]] = _PROOF
    elif issubclass(real, credential.ProveFenced):
        methods = _FENCE_PROOF
    elif issubclass(real, Observing):
        methods = {"observe": _observe}
    elif issubclass(real, Reading) or real.effect is Effect.READ:
        methods = {"read": _read, "usage": _usage, "open_doors": _open_doors, "unseen": _unseen}
    else:
        methods = {"plan": _plan, "apply": _apply, "verify": _verify}
    return type(real.__name__, (real,), {"__module__": __name__, "__doc__": real.__doc__, **methods})


# Reading ---------------------------------------------------------------------------------------------------------


def _read(self: Action, client: Client) -> Outcome:
    caller, world = client.caller(self), client.world
    _take_time(client, caller)
    world.fail(caller, "read")
    found = world.findings(caller)
    facts = {**facts_of(self, world.clock.now()), **({"found": len(found)} if found else {})}
    if isinstance(self, credential.Inspect):
        facts |= _inspected(self, client)
    elif isinstance(self, credential.Sessions):
        known = client.subject(self)
        facts |= {"open": known.sessions if known else 0}
    elif isinstance(self, credential.TestConsumer):
        facts |= {"ok": True, "key_id": self.key_id}
    facts |= _traced(self, client)
    kept = [Evidence(b"as the scenario shows it", about=str(facts.get("url", "")))] if _keeps(self) else []
    told = {name: value for name, value in world.act(caller).facts.items() if not (name == "doors" and name in facts)}
    return Outcome({**facts, **told}, findings=found, evidence=kept)


def _keeps(action: Action) -> bool:
    """Tell whether an action keeps the bytes of what it reads."""
    return action.name.startswith("evidence.")


def _inspected(action: credential.Inspect, client: Client) -> dict[str, Any]:
    known = client.subject(action)
    now = client.world.clock.now().isoformat()
    state = known.state if known else "unknown"
    key_id = known.key_id if known else action.subject.key_id
    told = {"state": state, "owner": "somebody of ours", "reach": ["api"], "last_used_at": now, "key_id": key_id}
    return {name: value for name, value in told.items() if name in credential.Inspection.model_fields}


def _traced(action: Action, client: Client) -> Mapping[str, Any]:
    """Return what records and doors show, worked out as the real actions do."""
    if isinstance(action, credential.Used):
        return credential.Used.read(action, client).facts
    if isinstance(action, credential.Consumers):
        return credential.Consumers.read(action, client).facts
    return credential.Doors.read(action, client).facts if isinstance(action, credential.Doors) else {}


def _usage(_self: Action, _client: Client, span: credential.Interval) -> credential.Records:
    """Return a log that holds everything, and in which nobody used it."""
    return credential.Records((), (span,), (_LOG,))


def _open_doors(self: Action, client: Client) -> list[credential.Door]:
    """Return the doors that the scenario gives as a fact, none where it gives none."""
    return [credential.Door.model_validate(one) for one in client.world.act(client.caller(self)).facts.get("doors", ())]


def _unseen(self: Action, client: Client) -> list[str]:
    """Return what the scenario says that could not be looked at."""
    return [str(one) for one in client.world.act(client.caller(self)).facts.get("unseen", ())]


def _observe(self: Action, client: Client, history: Sequence[Observed]) -> Observation:
    caller, world = client.caller(self), client.world
    world.fail(caller, "read")
    verdict = world.look(caller) or "ok"
    last = world.last_look(caller)
    ok = last and world.fail(caller, "verify") is None
    facts = {**facts_of(self, world.clock.now()), "verdict": verdict, **world.act(caller).facts}
    return Observation(verdict, last=last, ok=ok, wait=10.0, facts=facts)


# Proving death, and a fence: the rules of proof are the real ones ----------------------------------------------------


def _prove(
    self: credential.ProveDead | credential.ProveFenced, client: Client, history: Sequence[Observed]
) -> Observation:
    caller = client.caller(self)
    _take_time(client, caller)
    client.world.fail(caller, "read")
    client.look = client.world.look(caller)
    real = credential.ProveDead if isinstance(self, credential.ProveDead) else credential.ProveFenced
    look = real.observe(self, client, history)  # type: ignore[arg-type]  # the class is chosen by the action
    facts = {**look.facts, **(client.world.act(caller).facts if look.last else {})}
    return Observation(look.verdict, last=look.last, ok=look.ok, wait=look.wait, facts=facts)


def _present(self: credential.ProveDead, client: Client, surface: str, value: Secret) -> Probe:
    if self.subject.value != value:
        return Probe.ACCEPTED  # the known-good one
    if client.look in set(Probe):
        return Probe(client.look)
    known = client.subject(self)
    return Probe.REFUSED if known is not None and known.state != "live" else Probe.ACCEPTED


def _open_sessions(self: credential.ProveDead, client: Client) -> int | None:
    known = client.subject(self)
    return known.sessions if known else None


def _present_outside(self: credential.ProveFenced, client: Client, surface: str) -> Probe:
    if client.look in set(Probe):
        return Probe(client.look)
    known = client.subject(self)
    return Probe.REFUSED if known is not None and (known.fenced or known.state != "live") else Probe.ACCEPTED


def _path(self: credential.ProveFenced, client: Client, consumer: Consumer) -> Probe:
    """Return what a consumer meets: `stops consumer-2` is a look that refuses this one, any other one accepts."""
    return Probe.REFUSED if client.look == f"stops {consumer.id}" else Probe.ACCEPTED


def _window(self: credential.CredentialAction, client: Client) -> float:
    known = client.subject(self)
    return known.said.propagation.total_seconds() if known else 0.0


_PROOF: Mapping[str, Callable[..., Any]] = {
    "observe": _prove,
    "present": _present,
    "open_sessions": _open_sessions,
    "window": _window,
    "surfaces": lambda _self, _client: ("api",),
    "control": lambda _self, client: client.access.wire.take_in("a-known-good-value-of-the-scenario"),
}
_FENCE_PROOF: Mapping[str, Callable[..., Any]] = {
    "observe": _prove,
    "present": _present_outside,
    "path": _path,
    "window": _window,
    "surfaces": lambda _self, _client: ("api",),
}


# Changing --------------------------------------------------------------------------------------------------------


def _plan(self: Action, client: Client) -> Change | Unchanged:
    caller, world = client.caller(self), client.world
    act = world.fail(caller, "plan")
    if act is not None and act.unchanged:
        return Unchanged(act.unchanged, {**facts_of(self, world.clock.now()), **world.act(caller).facts})
    already = _already(self, client)
    if already is not None:
        return already
    return Change(
        target=_target(self, client),
        before=_before(self, client),
        after=f"{self.name} [sha256:{_digest(self)}]",
        breaks="whoever uses it" if isinstance(self, CredentialAction) else "",
    )


def _already(action: Action, client: Client) -> Unchanged | None:
    """Return what says that a change is made already: by an earlier try, or before the scenario began."""
    world = client.world
    facts = facts_of(action, world.clock.now())
    known = client.subject(action) if isinstance(action, CredentialAction) else None
    if isinstance(action, credential.Disable) and known is not None and known.state != "live":
        return Unchanged(f"key {known.key_id} is {known.state} already", {"state": known.state})
    if isinstance(action, credential.Revoke) and known is not None and known.state == "dead":
        return Unchanged(f"key {known.key_id} is dead already", {"state": "dead"})
    if isinstance(action, credential.EndSessions) and known is not None and not known.sessions:
        return Unchanged(f"no session of key {known.key_id} is open", {"open": 0})
    if isinstance(action, credential.Issue):
        issued = world.issued.get(client.access.marker)
        return Unchanged("an earlier try made it", facts, issued) if issued else None
    if action.effect is not Effect.MESSAGE and _digest(action) in world.changed:
        return Unchanged("it is so already", facts)
    if action.effect is Effect.MESSAGE and action.readback and _message(client) in world.changed:
        return Unchanged("an earlier try sent it", facts)
    return None


def _apply(self: Action, client: Client, change: Change) -> Outcome:
    caller, world = client.caller(self), client.world
    _take_time(client, caller)
    issued: list[Issued] = []
    world.write(caller, lambda: _take_effect(self, client, issued))
    facts = {**facts_of(self, world.clock.now()), **world.act(caller).facts}
    return Outcome(facts, issued=issued[0] if issued else None)


def _take_effect(action: Action, client: Client, issued: list[Issued]) -> None:
    world = client.world
    known = client.subject(action) if isinstance(action, CredentialAction) else None
    world.changed |= {_digest(action), _message(client)}
    if isinstance(action, credential.Disable) and known is not None:
        known.state = "disabled"
    elif isinstance(action, credential.Revoke) and known is not None:
        known.state = "dead"
    elif isinstance(action, credential.EndSessions) and known is not None:
        known.sessions = 0
    elif isinstance(action, credential.Fence) and known is not None:
        known.fenced = True
    elif isinstance(action, credential.Issue):
        number = len(world.issued) + 1
        claim = f"https://issuer.example/claim/{number}" if action.holder is not None else None
        value = None if claim else client.access.wire.take_in(f"issued-{number:04d}-in-the-scenario")
        world.issued[client.access.marker] = Issued(f"key-new-{number}", value=value, claim=claim)
        issued.append(world.issued[client.access.marker])


def _verify(self: Action, client: Client, change: Change) -> Verdict:
    caller, world = client.caller(self), client.world
    act = world.fail(caller, "verify")
    if act is not None and not act.holds:
        return Verdict.DOES_NOT_HOLD
    return Verdict.HOLDS if {_digest(self), _message(client)} & world.changed else Verdict.DOES_NOT_HOLD


def _take_time(client: Client, caller: Caller) -> None:
    """Take the time that the scenario says, and a moment where it says that another step comes later.

    What does not really wait for this step is then begun before it ends, and the scenario turns red.
    """
    takes = client.world.act(caller).takes
    if client.world.comes_first(caller):
        time.sleep(_HESITATION_SECONDS)
    if takes is not None:
        client.world.wait(client.access.marker.partition("/")[0], takes)


def _message(client: Client) -> str:
    return f"by {client.access.marker}"


def _digest(action: Action) -> str:
    """Return what tells one change from another: the action, what it is about, and its arguments."""
    given = {name: _plain(getattr(action, name)) for name in type(action).model_fields}
    return hashlib.sha256(json.dumps([action.name, given], sort_keys=True, default=str).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _target(action: Action, client: Client) -> str:
    known = client.subject(action) if isinstance(action, CredentialAction) else None
    if known is not None:
        return f"key {known.key_id}"
    given = next((str(value) for value in action.model_dump(mode="json").values() if isinstance(value, str)), "")
    return f"{action.name} {given}".strip()[:200]


def _before(action: Action, client: Client) -> str:
    known = client.subject(action) if isinstance(action, CredentialAction) else None
    return known.state if known else "as it was"
