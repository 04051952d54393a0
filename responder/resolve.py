"""From a step to one action on one connection: expressions evaluated once, notices rendered, secrets as references."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from responder.action import Action, Provider
from responder.documents import Templates
from responder.errors import PlaybookError, Problem
from responder.expressions import SecretRef, evaluate
from responder.means import Means
from responder.notice import DraftNotice, SendNotice
from responder.playbook import Step
from responder.redaction import Secret
from responder.said import heard
from responder.settings import Connection
from responder.state import RunState
from responder.subject import LEAVE_OPEN, CredentialAction, Subject

A = TypeVar("A", bound=Action)

_CONSUMER_VERBS = ("credential.deliver", "credential.test_consumer")


class Resolved(NamedTuple):
    """One action, ready to be planned, and how the timeline writes it."""

    action: Action
    connection: Connection
    provider: Provider | None
    """None for a draft: nothing is asked of anybody."""
    record: Mapping[str, Any]
    """`action`, `connection`, `with`, and for a message `template`, `audience`, `external`, `subject`, `text`, `to`."""

    @property
    def name(self) -> str:
        """The action's name, as the playbook says it."""
        return str(self.record["action"])


def resolve(step: Step, state: RunState, means: Means, names: Mapping[str, Any]) -> Resolved:
    """Evaluate a step's arguments and find its action. PlaybookError or DocumentError where that cannot be."""
    given = evaluate(step.with_, names)
    executor = str(evaluate(step.as_, names)) if step.as_ else ""
    connection = str(evaluate(step.connection, names)) if step.connection else ""
    if step.action == SendNotice.name:
        record = _message(_build(SendNotice, given, step), connection, means, state, names)
    elif step.action == DraftNotice.name:
        record = _draft(_build(DraftNotice, given, step), state, means, names)
    else:
        record = {
            "action": step.action,
            "connection": _connection_name(step, given, connection, state, means),
            "with": plain(given),
        }
    if executor:
        record = {**record, **_acting_as(executor, str(record["connection"]), step, means)}
    return rebuild(record, step, state, means)


def rebuild(record: Mapping[str, Any], step: Step, state: RunState, means: Means) -> Resolved:
    """Make the action again of what the timeline holds of it; sealed secrets are opened."""
    if record["action"] == DraftNotice.name:
        return Resolved(
            _build(DraftNotice, record["with"], step), Connection(name="draft", provider="draft"), None, record
        )
    connection = means.connection(record["connection"], str(record["action"]).partition(".")[0])
    provider = means.registry.provider(connection.provider)
    kind = _class(str(record["action"]), connection, means)
    arguments = _opened(record["with"], means, f"issued:{state.run}:")
    if issubclass(kind, CredentialAction):
        arguments["subject"] = subject(state, means)
    return Resolved(_build(kind, arguments, step), connection, provider, record)


def _class(name: str, connection: Connection, means: Means) -> type[Action]:
    """Return the class of an action; a credential's verb is that of the connection's own provider."""
    provider, _, verb = name.partition(".")
    if provider == "credential":
        return means.registry.verb(connection.provider, verb, connection)
    return means.registry.action(name)


def subject(state: RunState, means: Means) -> Subject:
    """Return the run's credential as actions get it, its value opened."""
    credential = state.credential
    sealed = means.store.blob(credential.blob) if credential.blob else None
    value = means.sealer.unseal(sealed.sealed, credential.blob) if sealed and sealed.sealed.wrapped_key else None
    return Subject(
        id=credential.id,
        kind=credential.kind,
        connection=credential.connection,
        key_id=credential.key_id,
        fingerprint=credential.fingerprint,
        value=value,
        owner=next(iter(_told(state, "credential.inspect", "owner")), ""),
        issued=tuple(_told(state, "credential.issue", "key_id")),
        left_open=left_open(state),
    )


def left_open(state: RunState) -> dict[str, datetime]:
    """Return which doors somebody decided to leave open, each by its id, and when they last did."""
    found: dict[str, datetime] = {}
    for unit in state.each():
        door = unit.address.partition("[")[2].rstrip("]")
        if door and unit.facts.get("choice") == LEAVE_OPEN and unit.ended_at is not None:
            found[door] = max(unit.ended_at, found.get(door, unit.ended_at))
    return found


def _told(state: RunState, action: str, name: str) -> list[str]:
    """Return what the run's steps with an action have found under a name, each once."""
    units = [unit for unit in state.each() if unit.planned.get("action") == action]
    return sorted({str(unit.facts[name]) for unit in units if unit.facts.get(name)})


def _acting_as(executor: str, connection: str, step: Step, means: Means) -> dict[str, str]:
    """Return how the timeline writes that a step acts with another connection's credential, on the same account."""
    instead, usual = means.connection(executor), means.connection(connection)
    if (instead.provider, instead.account) != (usual.provider, usual.account):
        raise PlaybookError(
            f"`as: {executor}` is {instead.provider} account {instead.account!r}, "
            f"and the step acts on {usual.provider} account {usual.account!r}",
            where=f"step {step.id}",
            remedy="name a connection to the same account",
        )
    return {"connection": executor, "instead_of": connection}


def _connection_name(step: Step, given: Mapping[str, Any], named: str, state: RunState, means: Means) -> str:
    """Return on which connection a step acts: the one it names, its consumer's, its credential's, or the only one."""
    if named:
        return named
    provider = step.action.partition(".")[0]
    if step.action in _CONSUMER_VERBS:
        consumer = given.get("consumer")
        return str(consumer.get("connection", "")) if isinstance(consumer, Mapping) else ""
    if provider == "credential":
        return state.credential.connection
    return means.connection("", provider).name


def _message(
    notice: SendNotice, connection: str, means: Means, state: RunState, names: Mapping[str, Any]
) -> dict[str, Any]:
    """Render a notice, and turn it into the channel's own action with that immutable text."""
    document = _rendered(notice.template, notice.fields, state, means, names)
    to = notice.to.get("email") if isinstance(notice.to, Mapping) else notice.to and str(notice.to)
    if not to:
        raise PlaybookError(
            f"The notice {notice.template!r} has nobody to go to",
            remedy="give an address, or a holder or person with an `email`",
        )
    told = _told_of(document)
    if "@" in to:
        templates = _templates(tuple(state.started["templates"].items()))
        subject = document.subject or templates.get(document.template).front.title
        return email_record(told, (to,), subject, means.connection(connection, "email").name)
    return slack_record(told, to, means.connection(connection, "slack").name)


def email_record(told: Mapping[str, Any], to: Sequence[str], subject: str, connection: str) -> dict[str, Any]:
    """Return how the timeline writes a rendered notice that goes by mail: one message, whoever gets it."""
    arguments = {"to": to[0], "subject": subject, "body": told["text"], "template": told["template"]}
    if len(to) > 1:
        arguments["cc"] = list(to[1:])
    return {
        "action": "email.send_message",
        "connection": connection,
        "with": arguments,
        **told,
        "to": ", ".join(to),
    }


def slack_record(told: Mapping[str, Any], channel: str, connection: str) -> dict[str, Any]:
    """Return how the timeline writes a rendered notice that goes into a channel."""
    arguments = {"channel": channel, "text": told["text"], "template": told["template"]}
    return {"action": "slack.post_message", "connection": connection, "with": arguments, **told, "to": channel}


def _told_of(document: Any) -> dict[str, Any]:
    return {
        "template": document.template,
        "audience": document.audience,
        "external": document.external,
        "subject": document.subject,
        "text": document.text,
    }


def _draft(notice: DraftNotice, state: RunState, means: Means, names: Mapping[str, Any]) -> dict[str, Any]:
    document = _rendered(notice.template, notice.fields, state, means, names)
    return {
        "action": DraftNotice.name,
        "connection": "",
        "with": {"template": notice.template},
        **_told_of(document),
    }


def _rendered(template: str, fields: Mapping[str, Any], state: RunState, means: Means, names: Mapping[str, Any]) -> Any:
    from responder.documents.template import render_notice  # noqa: PLC0415 - Jinja takes long to import

    templates = _templates(tuple(state.started.get("templates", {}).items()))
    given = {name: heard(value) for name, value in fields.items()}
    return render_notice(templates.get(template), names, given, means.sealer.redactor)


@lru_cache(maxsize=8)
def _templates(texts: tuple[tuple[str, str], ...]) -> Templates:
    """Keep the parsed templates of the runs at hand: three hundred notices need one parse."""
    return Templates(dict(texts))


def plain(value: Any) -> Any:
    """Return a value as the timeline writes it: plain data, secrets as references, times as text."""
    if isinstance(value, SecretRef):
        return value.document()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _opened(value: Any, means: Means, mine: str) -> Any:
    """Return plain data with every reference to a sealed secret replaced by the secret: those that this run was issued.

    What a server answers may look like a reference; it opens neither the leaked value nor what is another run's.
    """
    if isinstance(value, Mapping):
        if "$secret" in value:
            return _unsealed(str(value["$secret"]), means, mine)
        return {key: _opened(inner, means, mine) for key, inner in value.items()}
    if isinstance(value, list):
        return [_opened(inner, means, mine) for inner in value]
    return value


def _unsealed(blob: str, means: Means, mine: str) -> Secret:
    if not blob.startswith(mine):
        raise PlaybookError("A step may pass on only what this run was issued", where=blob)
    sealed = means.store.blob(blob)
    if sealed is None:
        raise PlaybookError("A sealed secret that a step needs is not in the store", where=blob)
    return means.sealer.unseal(sealed.sealed, blob)


def _build(kind: type[A], arguments: Mapping[str, Any], step: Step) -> A:
    try:
        return kind.model_validate(dict(arguments))
    except ValidationError as error:
        problems = tuple(
            Problem(
                item["msg"].removeprefix("Value error, "), ".".join(["step", step.id, "with", *map(str, item["loc"])])
            )
            for item in error.errors(include_input=False, include_url=False)
        )
        raise PlaybookError(problems=problems) from None
