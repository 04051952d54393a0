"""What a person does when the record cannot be written: the containment steps that are left, in words."""

import inspect
from collections.abc import Iterator
from typing import NamedTuple

from responder.action import Action
from responder.errors import InputError
from responder.expressions import evaluate
from responder.means import Means
from responder.naming import names
from responder.settings import Connection
from responder.state import RunState
from responder.step import Step
from responder.unit import ENDED


class Chore(NamedTuple):
    """One containment step that nothing more is done about here."""

    title: str
    target: str
    """What it acts on, and on which account."""
    how: str
    """How it is done, in the provider's own words."""
    agrees: str
    """The role whose agreement the playbook asks for; empty for none."""
    under_way: bool
    """Whether it was being sent when the record failed: it may have happened."""


def chores(state: RunState, means: Means) -> Iterator[Chore]:
    """Yield the containment steps that have not ended. Nothing is asked of anybody, and no value is opened."""
    for step in state.playbook.steps:
        if step.phase != "containment" or state.status(step.id) in ENDED or not step.action:
            continue
        unit = state.unit(step.id)
        yield Chore(
            title=step.title or step.does,
            target=str(unit.planned.get("target") or "") or _target(step, state, means),
            how=_how(step, state, means),
            agrees=step.approval.role if step.approval and unit.approved != unit.planned.get("digest", "?") else "",
            under_way=unit.in_flight,
        )


def whose(state: RunState, means: Means) -> str:
    """Return the credential as a person finds it at its issuer: how we call it, its id there, and the account."""
    credential = state.credential
    connection = means.settings.connections.get(credential.connection)
    at = f"at {credential.connection or 'an unknown issuer'}"
    if connection is not None:
        at += f" (account {connection.account or 'unknown'} of {connection.provider})"
    key = f", key {credential.key_id}" if credential.key_id else ""
    return f"{credential.label} ({credential.kind or 'credential'}{key}) {at}"


def _target(step: Step, state: RunState, means: Means) -> str:
    """Return what a step that was not planned yet would act on, as far as that is known."""
    if step.action.startswith("credential."):
        return whose(state, means)
    try:
        given = evaluate(step.with_, names(state, means))
    except (InputError, KeyError):
        return ""
    return ", ".join(f"{name} {value}" for name, value in given.items() if isinstance(value, str | int))


def _how(step: Step, state: RunState, means: Means) -> str:
    try:
        connection = _connection(step, state, means)
        provider, _, verb = step.action.partition(".")
        registry = means.registry
        kind = registry.verb(connection.provider, verb) if provider == "credential" else registry.action(step.action)
        return kind.by_hand(registry.options(connection), state.credential.key_id) or _first_sentence(kind)
    except (InputError, KeyError):
        return ""


def _connection(step: Step, state: RunState, means: Means) -> Connection:
    provider = step.action.partition(".")[0]
    named = state.credential.connection if provider == "credential" else ""
    return means.connection(step.connection or named, provider)


def _first_sentence(kind: type[Action]) -> str:
    text = " ".join((inspect.getdoc(kind) or "").split())
    return f"{text.partition('. ')[0].removesuffix('.')}." if text else ""
