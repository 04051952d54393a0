"""Whether this installation could respond now: connections, accounts, permissions, people, record, key."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from responder.action import Action, Provider
from responder.app import App
from responder.clock import show_time
from responder.credential import VERBS, Deliver, ProveDead, TestConsumer
from responder.errors import InputError, PlaybookError, Problem, ProviderError, ResponderError, SettingsError
from responder.installation import login
from responder.means import WITHOUT_ACCOUNT, Means, other_account
from responder.notice import SendNotice
from responder.playbook import Playbook, Step
from responder.settings import Connection

_CHANNELS = {"email": "email.send_message", "slack": "slack.post_message"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    about: str
    """`connection`, `playbook`, `store`, `worker`, `key`, `person` or `slack`."""
    name: str
    state: str
    """`ok`, `missing` (something a playbook needs), or `note`."""
    said: str
    remedy: str = ""
    needs: tuple[str, ...] = ()
    """The permissions that the loaded playbooks' actions need there."""
    lacks: tuple[str, ...] = ()
    """Those of them that our own credential lacks, where the provider tells."""


def examine(app: App, playbooks: Sequence[Playbook], others: Sequence[Playbook] = ()) -> list[Check]:
    """Look at everything that `playbooks` need; what only `others` need is noted."""
    connections = list(app.means.settings.connections.values())
    with ThreadPoolExecutor(8) as pool:
        looked = list(pool.map(lambda one: _connection(one, app.means, playbooks, others), connections))
    return [
        *looked,
        *(check for playbook in playbooks for check in _playbook(playbook, app.means, "missing")),
        *(check for playbook in others for check in _playbook(playbook, app.means, "note")),
        *_store(app),
        *_workers(app),
        _key(app),
        _person(app),
    ]


# Connections --------------------------------------------------------------------------------------


def _connection(
    connection: Connection, means: Means, playbooks: Sequence[Playbook], others: Sequence[Playbook]
) -> Check:
    needs = permissions(connection, means, [*playbooks, *others])
    check = Check("connection", connection.name, "missing", "", needs=needs)
    try:
        provider = means.registry.provider(connection.provider)
        means.registry.options(connection)
        client = means.client(means.access(connection, "doctor", connection.name))
        account = provider.identify(client).account
        elsewhere = other_account(connection, account)
        if elsewhere is not None:  # what we may do there tells nothing of the account that is meant
            return replace(check, said=elsewhere.what, remedy=elsewhere.remedy)
        control = _control(connection, means)
        lacks, unsure = _lacking(provider, client, needs)
    except ResponderError as error:
        first = error.problems[0]
        return replace(check, said=first.what, remedy=first.remedy)
    must = set(permissions(connection, means, playbooks))
    # What the provider calls by another name than we asked for counts as needed.
    badly = [one for one in lacks if one in must or one not in needs]
    named = ", ".join(lacks)
    problems = [control] if control is not None else []
    problems += [Problem(f"our own credential lacks {named}", remedy=f"give it {named}")] if badly else []
    if problems:
        said, remedy = ("; ".join(parts) for parts in zip(*((one.what, one.remedy) for one in problems), strict=True))
        return replace(check, said=said + unsure, remedy=remedy, lacks=lacks)
    said = f"{connection.provider}, account {account}{unsure}"
    if lacks:
        said += f"; our own credential lacks {named}, which none of your own playbooks needs"
        return replace(check, state="note", said=said, remedy=f"give it {named}", lacks=lacks)
    return replace(check, state="ok", said=said)


def _lacking(provider: Provider, client: object, needs: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return which permissions our own credential lacks, and words for where nobody tells."""
    if not needs:
        return (), ""
    if provider.lacking is None:
        return (), "; nobody tells which permissions our credential has"
    try:
        return tuple(provider.lacking(client, needs)), ""
    except ProviderError as error:
        return (), f"; nobody tells which permissions our credential has: {error.problems[0].what}"


def _control(connection: Connection, means: Means) -> Problem | None:
    """Return what is missing for a proof of death: a known-good credential that shows that the path works."""
    issues = any(entry.connection == connection.name for entry in means.settings.inventory)
    if not issues or ProveDead.verb not in means.registry.offers(connection):
        return None
    if connection.control is None:
        return Problem(
            "it has no control credential: without one, a refusal proves nothing",
            remedy="add `control: env:NAME`, a known-good credential of the same kind",
        )
    try:
        means.secret(connection.control)
    except SettingsError as error:
        return error.problems[0]
    return None


def permissions(connection: Connection, means: Means, playbooks: Iterable[Playbook]) -> tuple[str, ...]:
    """Return what our own credential needs at a connection, for everything that playbooks do there."""
    found: set[str] = set()
    for playbook in playbooks:
        for step in playbook.steps:
            action = _action_at(step, connection, means)
            found |= set(action.permissions) if action is not None else set()
    return tuple(sorted(one for one in found if not one.startswith("none:")))


def _action_at(step: Step, connection: Connection, means: Means) -> type[Action] | None:
    """Return the action with which a step reaches a connection; None where it does not."""
    provider, _, verb = step.action.partition(".")
    if step.connection and "${{" not in step.connection and step.connection != connection.name:
        return None
    try:
        if step.action == SendNotice.name:
            return means.registry.action(_CHANNELS[connection.provider]) if connection.provider in _CHANNELS else None
        if provider == "credential":
            return (
                means.registry.verb(connection.provider, verb)
                if verb in VERBS and connection.name in _reached(step, means)
                else None
            )
        return means.registry.action(step.action) if provider == connection.provider else None
    except PlaybookError:
        return None


def _reached(step: Step, means: Means) -> set[str]:
    """Return the connections on which a credential's step may act: its consumers', or its issuer's."""
    inventory = means.settings.inventory
    if step.action in {Deliver.name, TestConsumer.name}:
        return {consumer.connection for entry in inventory for consumer in entry.consumers}
    return {entry.connection for entry in inventory}


# Playbooks ----------------------------------------------------------------------------------------


def _playbook(playbook: Playbook, means: Means, state: str) -> Iterator[Check]:
    known = {connection.provider for connection in means.settings.connections.values()} | WITHOUT_ACCOUNT
    providers = {step.action.partition(".")[0] for step in playbook.steps} - {"", "credential", "notice"}
    lacking = sorted(providers - known)
    if lacking:
        yield Check(
            "playbook",
            playbook.playbook,
            state,
            f"no connection of {', '.join(lacking)}",
            "add it under `connections` in responder.yaml",
        )
    nobody = [role for role in playbook.roles if not means.settings.people_in(role)]
    if nobody:
        yield Check(
            "playbook",
            playbook.playbook,
            state,
            f"nobody has the role {', '.join(nobody)}",
            "add it to `roles` of a person in responder.yaml",
        )
    touching = any(step.action.startswith("credential.") for step in playbook.steps)
    if touching and not means.settings.inventory:
        yield Check(
            "playbook",
            playbook.playbook,
            state,
            "the inventory is empty: no credential counts as ours",
            "add our credentials under `inventory`, by fingerprint, key id or known_by",
        )
    if not lacking and not nobody and (means.settings.inventory or not touching):
        yield Check("playbook", playbook.playbook, "ok", "its connections and roles are there")


# Ourselves ----------------------------------------------------------------------------------------


def _store(app: App) -> Iterator[Check]:
    store = app.means.store
    incidents = store.incidents()
    path = store.place
    for incident in incidents:
        try:
            problems = app.verify(incident)
        except InputError as error:
            problems = list(error.problems)
        if problems:
            yield Check(
                "store",
                incident,
                "missing",
                f"its record does not verify: {problems[0]}",
                f"`responder verify {incident}`",
            )
    yield Check("store", path, "ok", f"{len(incidents)} incidents" if incidents else "opens; nothing is in it yet")


def _workers(app: App) -> Iterator[Check]:
    """Return who advances the runs of a record that many hosts share."""
    if app.attendance.jobs is None:
        return
    workers = app.attendance.workers()
    for one in workers:
        said = f"alive since {show_time(one.since)}, {one.concurrency} runs at once"
        yield Check("worker", one.worker, "ok", said)
    if not workers:
        said = "none is alive: each run is advanced by whoever starts it"
        yield Check("worker", app.means.store.place, "note", said, "start `responder worker` on one host or more")


def _key(app: App) -> Check:
    if app.means.environment.get("RESPONDER_SEALING_KEY") is not None:
        return Check("key", "RESPONDER_SEALING_KEY", "ok", "from the environment")
    if app.means.settings.sealing_key:
        return Check("key", app.means.settings.sealing_key, "ok", "from the keyring")
    path: Path = app.folder / "sealing.key"
    mode = path.stat().st_mode & 0o777
    same = path.stat().st_uid == os.geteuid()
    return Check(
        "key",
        str(path),
        "ok" if same else "note",
        f"mode {mode:o}" + ("" if same else ", of another user"),
        "" if same else "let it belong to whoever runs responder",
    )


def _person(app: App) -> Check:
    if app.person:
        roles = ", ".join(app.means.settings.people[app.person].roles) or "no role"
        return Check("person", login(), "ok", f"speaks for {app.person} ({roles})")
    return Check(
        "person",
        login(),
        "note",
        "speaks for nobody: it may only look",
        "set `os_user:` of a person in responder.yaml",
    )
