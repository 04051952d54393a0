"""The house of a scenario: people, connections, an inventory and facts, made of what the playbook needs."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder.credential import EndSessions
from responder.documents import Templates
from responder.errors import DocumentError
from responder.finding import Exposure, Finding
from responder.playbook import Playbook, Step
from responder.redaction import Secret
from responder.registry import Registry
from responder.scenario.model import Leaked, Scenario
from responder.scenario.plausible import field_of, input_of
from responder.scenario.stand_in import EVERY_VERB
from responder.scenario.world import LEAKED, Known
from responder.settings import Connection, Consumer, CredentialEntry, Holder, Organisation, Person, Settings

REQUESTER = "requester"
"""Who begins the run; they approve nothing."""
_SENDER = "sam"
"""Whom an input of the type `person` means, where the scenario names nobody."""
_ISSUER = "issuer"
_SECRETS = "secrets"
_NO_CONNECTION = {"credential", "notice", "human", "evidence"}
_CHANNELS = {"slack": "slack", "email": "email"}
ALWAYS_CONNECTED = (_ISSUER, _SECRETS, *_CHANNELS)
"""The connections of every house: the credential's issuer, the secret store of the consumers, the channels."""
_AT_LEAST = 2
"""How many people have each role: some changes need two, whatever the playbook says."""
_ROLE = re.compile(r"escalate\((.*)\)")


@dataclass(frozen=True)
class House:
    """What a scenario's run begins with."""

    settings: Settings
    finding: Finding
    inputs: Mapping[str, Any]


def furnish(
    playbook: Playbook,
    scenario: Scenario,
    known: Mapping[str, Known],
    playbooks: Mapping[str, Playbook],
    *,
    templates: Templates,
    now: datetime,
) -> House:
    """Return the house in which a playbook can run; `playbooks` are those that other credentials may open."""
    every = [playbook, *(playbooks.values() if scenario.others else ())]
    people = {
        REQUESTER: _person("Robin Example", REQUESTER),
        _SENDER: _person("Sam Example", _SENDER),
        **{name: person for one in every for name, person in _people(one)},
    }
    text = " ".join(str(one.model_dump(mode="json")) for one in every)
    lists = dict.fromkeys(re.findall(r"\baudiences\.(\w+)", text), 1) | dict(scenario.audiences)
    settings = Settings(
        organisation=Organisation(name="House Example", contact="security@house.example"),
        people=people,
        connections=_connections(every, scenario, known),
        inventory=tuple(_entry(one) for one in known.values() if one.said.ownership == "ours"),
        canaries=tuple(one.value.fingerprint for one in known.values() if one.said.ownership == "canary"),
        audiences={
            name: tuple(f"{name}-{n}@out.example" for n in range(1, count + 1)) for name, count in lists.items()
        },
        facts={**_facts(every, templates, text, now), "allowed_hosts": ["issuer.example"], **scenario.facts},
    )
    inputs = {
        name: scenario.inputs.get(name, input_of(declared, _SENDER))
        for name, declared in playbook.inputs.items()
        if name in scenario.inputs or (declared.required and declared.default is None)
    }
    return House(settings, _finding(scenario, known[LEAKED], now), inputs)


def _finding(scenario: Scenario, leaked: Known, now: datetime) -> Finding:
    found = scenario.finding
    exposure = Exposure(url=found.url, place=found.place, kind=found.exposure, exposed_at=now - found.exposed_for)
    return Finding(
        value=leaked.value if found.value else None,
        key_id=leaked.key_id,
        kind=leaked.said.kind,
        connection=_ISSUER if leaked.said.ownership == "ours" else "",
        exposure=exposure,
        reported_by="somebody",
        reported_at=now,
        aware_at=now,
        public_coverage_at=now - found.covered_for if found.covered_for else None,
    )


# People ----------------------------------------------------------------------------------------------------------


def _person(name: str, address: str, role: str = "") -> Person:
    return Person(name=name, email=f"{address}@house.example", roles=(role,) if role else ())


def _people(playbook: Playbook) -> Iterator[tuple[str, Person]]:
    """Yield enough people for every role: as its largest quorum, and never one with two roles."""
    for role, count in _roles(playbook).items():
        for number in range(1, count + 1):
            yield f"{role}-{number}", _person(f"{role.title()} Number {number}", f"{role}-{number}", role)


def _roles(playbook: Playbook) -> dict[str, int]:
    roles = dict.fromkeys(playbook.roles, _AT_LEAST)
    for step in playbook.steps:
        for role, count in _asked(step):
            roles[role] = max(roles.get(role, _AT_LEAST), count)
    return roles


def _asked(step: Step) -> Iterator[tuple[str, int]]:
    silence = [str(step.with_.get("on_timeout", ""))]
    if step.approval is not None:
        yield step.approval.role, step.approval.quorum
        silence.append(step.approval.on_timeout)
    if step.action.startswith("human.") and "${{" not in str(step.with_.get("role", "${{")):
        yield str(step.with_["role"]), 1
    quorum = step.approval.quorum if step.approval else 1
    yield from ((role, quorum) for text in silence for role in _ROLE.findall(text))


# Connections and inventory ---------------------------------------------------------------------------------------


def _connections(playbooks: list[Playbook], scenario: Scenario, known: Mapping[str, Known]) -> dict[str, Connection]:
    """Return a connection for everything that the steps act on, each on the account that it turns out to be."""
    issuer = _issuer(scenario.credential, playbooks[0])
    named = {_ISSUER: issuer, _SECRETS: EVERY_VERB, **_CHANNELS}
    for name, one in known.items():
        if name != LEAKED and one.said.provider:
            named[_issuer_name(one)] = one.said.provider
    for step in (step for playbook in playbooks for step in playbook.steps):
        provider = step.action.partition(".")[0]
        if not provider:
            continue  # a sub-playbook, whose own steps stand beside it
        if step.as_ and "${{" not in step.as_:
            named[step.as_] = issuer if provider in _NO_CONNECTION else provider
        if step.connection and "${{" not in step.connection:
            named[step.connection] = issuer if provider in _NO_CONNECTION else provider
        elif provider not in {*_NO_CONNECTION, *named.values()}:  # a second one would leave open which is meant
            named[provider] = provider
    named |= scenario.connections
    return {name: Connection(name=name, provider=provider, account="house") for name, provider in named.items()}


def _issuer(said: Leaked, playbook: Playbook) -> str:
    matched = (str(match["provider"]) for match in playbook.match if match.get("provider"))
    return said.provider or next(matched, EVERY_VERB)


def _issuer_name(known: Known) -> str:
    """Return the connection of a credential's issuer: that of the scenario's credential unless it has its own."""
    return f"issuer-of-{known.name}" if known.name != LEAKED and known.said.provider else _ISSUER


def _entry(known: Known) -> CredentialEntry:
    said = known.said
    return CredentialEntry(
        id=known.name,
        connection=_issuer_name(known),
        kind=said.kind,
        key_id=known.key_id,
        fingerprint=known.value.fingerprint,
        owner=_SENDER,
        shared=said.shared,
        holders=tuple(
            Holder(id=f"holder-{n}", name=f"Holder{n}", email=f"holder-{n}@out.example")
            for n in range(1, said.holders + 1)
        ),
        consumers=tuple(
            Consumer(id=f"consumer-{n}", connection=_SECRETS, secret=f"consumer-{n}-key", owner=_SENDER)
            for n in range(1, said.consumers + 1)
        ),
    )


def credentials(
    scenario: Scenario, playbook: Playbook, registry: Registry, take_in: Callable[[str], Secret]
) -> dict[str, Known]:
    """Return the credentials of a scenario's world; `take_in` makes secrets of values."""
    said = {LEAKED: scenario.credential, **scenario.others}
    ends_them = any(step.action == EndSessions.name for step in playbook.steps)
    issuer = _issuer(scenario.credential, playbook)
    offered = issuer == EVERY_VERB or any(issubclass(one, EndSessions) for one in registry.provider(issuer).actions)
    by_default = int(ends_them and offered and EndSessions.verb not in scenario.credential.cannot)
    known: dict[str, Known] = {}
    for name, one in said.items():
        value = take_in(f"leaked-{name}-in-the-scenario")
        sessions = by_default if one.sessions is None else one.sessions
        known[name] = Known(name, one, value, f"key-{name}", one.state, sessions)
    return known


# Facts -----------------------------------------------------------------------------------------------------------


def _facts(playbooks: list[Playbook], templates: Templates, text: str, now: datetime) -> dict[str, Any]:
    """Return a value for every fact that expressions read and templates need."""
    facts: dict[str, Any] = {name: f"the {name.replace('_', ' ')}" for name in re.findall(r"\bfacts\.(\w+)", text)}
    for step in (step for playbook in playbooks for step in playbook.steps):
        try:
            fields = templates.get(str(step.with_.get("template", ""))).front.fields
        except DocumentError:
            continue  # the step itself will say so
        needed = {name: spec for name, spec in fields.items() if not spec.from_ and not spec.optional}
        facts |= {name: field_of(name, spec, now) for name, spec in needed.items()}
    return facts
