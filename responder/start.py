"""From a finding to a run: whose credential it is, which playbook, and the entries with which a run begins."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from responder.due import settings_problems
from responder.entry import Draft
from responder.errors import FindingError, InputError, Problem, RequestError, SettingsError
from responder.finding import Finding
from responder.guards import check_start
from responder.incident import Credential, Judgement, Ownership, codename, judge, selects
from responder.links import issued_by_us
from responder.means import Means
from responder.notice import DraftNotice, SendNotice
from responder.playbook import Input, Playbook
from responder.settings import Connection
from responder.state import RunState
from responder.store import AT_ONCE, FORMAT, Blob, RunRow, Writing


class Start(NamedTuple):
    """A run that can begin: its entries, and what must be stored with them."""

    run: str
    incident: str
    playbook: Playbook
    credential: Credential
    drafts: tuple[Draft, ...]
    blobs: tuple[Blob, ...]

    def state(self) -> RunState:
        """Return the run as it would begin."""
        state = RunState(self.run)
        state.started, state.playbook, state.credential = self.drafts[0].facts, self.playbook, self.credential
        state.credential_facts = {**self.credential.model_dump(mode="json"), "label": self.credential.label}
        return state

    def store(self, writing: Writing) -> None:
        """Store the run's row, lock and sealed value, in the transaction that writes its first entries."""
        if writing.run(self.run) is not None:
            raise RequestError("There is a run of this id already", where=self.run, remedy="try again")
        for blob in self.blobs:
            writing.put_blob(blob)
        writing.put_run(RunRow(self.run, self.incident, self.playbook.playbook))
        writing.wake(self.run, AT_ONCE)


def assess(finding: Finding, means: Means) -> Judgement:
    """Decide offline whose a found credential is. An id that is a secret itself is called as the record shows it."""
    wire = means.transport.wire("", "")

    def recognise(found: Finding) -> tuple[str, str] | None:
        if found.value is None:
            return None
        for connection in means.settings.connections.values():
            if not _understood(connection, means):
                continue  # its own steps will say what is wrong with it; the others need not suffer
            key_id = wire.with_value(found.value, partial(means.registry.recognise, connection))
            if key_id is not None:
                return connection.name, key_id
        return None

    judgement = judge(
        finding,
        means.settings,
        recognise,
        lambda entry: entry.fingerprint or means.fingerprint_of_secret(entry.known_by),
    )
    credential = judgement.credential
    shown = credential.model_copy(update={"key_id": means.sealer.redactor.scrub(credential.key_id)})
    return issued_by_us(judgement._replace(credential=shown), means)


def _understood(connection: Connection, means: Means) -> bool:
    """Tell whether a connection's provider exists and understands its settings."""
    try:
        means.registry.options(connection)
    except InputError:
        return False
    return True


def choose(finding: Finding, judgement: Judgement, means: Means) -> Playbook:
    """Return the playbook that a finding selects by itself. RequestError where none or several do."""
    connection = means.settings.connections.get(judgement.credential.connection)
    provider = connection.provider if connection else ""
    fitting: list[tuple[int, Playbook]] = []
    for playbook in means.playbooks().values():
        strengths = [len(match) for match in playbook.match if selects(match, finding, judgement.credential, provider)]
        if strengths:
            fitting.append((max(strengths), playbook))
    best = [playbook for strength, playbook in fitting if strength == max(one for one, _ in fitting)]
    if len(best) == 1:
        return best[0]
    names = ", ".join(playbook.playbook for playbook in best) or "none"
    raise RequestError(
        f"Not exactly one playbook fits this finding: {names}",
        where=judgement.credential.label,
        remedy="name it: `responder run PLAYBOOK`",
    )


def incident_draft(finding: Finding, means: Means, incident: str, judgement: Judgement) -> Draft:
    """Return the entry with which an incident opens; its clocks start from these facts."""
    now = means.clock.now()
    facts = {
        "codename": codename(incident),
        **_mode(judgement),
        "severity": "P2" if finding.exposure.kind == "private" else "P1",
        "aware_at": _iso(finding.aware_at or now),
        "exposed_at": _iso(finding.exposure.exposed_at),
        "reported_at": _iso(finding.reported_at or now),
        "reported_by": finding.reported_by,
        "public_coverage_at": _iso(finding.public_coverage_at),
        "exposure": {"url": finding.exposure.url, "place": finding.exposure.place, "kind": finding.exposure.kind},
        "summary": finding.summary,
    }
    return Draft("opened", facts)


def _mode(judgement: Judgement) -> dict[str, str]:
    """Return the containment mode with which an incident opens."""
    if judgement.ownership is Ownership.CANARY:
        return {"mode": "C", "mode_reason": "it is a canary: nothing depends on it"}
    return {"mode": "A1", "mode_reason": "kill is the default until people decide otherwise"}


def prepare(  # noqa: PLR0917 - in the order in which an incident learns them
    means: Means,
    incident: str,
    finding: Finding,
    judgement: Judgement,
    playbook: Playbook,
    inputs: Mapping[str, Any],
    requester: str,
    parent: Mapping[str, str] | None = None,
    run: str = "",
) -> Start:
    """Return a run that can begin. PlanRefused or FindingError where it may not."""
    check_start(judgement, playbook)
    _check_playbook(playbook, means)
    run = run or means.ids("run")
    blobs: list[Blob] = []
    credential = judgement.credential
    if finding.value is not None:
        blob = f"leaked:{run}"
        blobs.append(Blob(blob, incident, "leaked", means.sealer.seal(finding.value, blob)))
        credential = credential.model_copy(update={"blob": blob})
    embedded = playbook.model_dump(mode="json", by_alias=True)
    if means.sealer.redactor.scrub_data(embedded) != embedded:
        raise FindingError(
            "A secret that we know stands in the playbook itself",
            where=playbook.playbook,
            remedy="take it out of the playbook; "
            "or it is an ordinary word, and no secret: give the finding by `key_id`",
        )
    facts = {
        "format": FORMAT,
        "playbook": embedded,
        "digest": hashlib.sha256(json.dumps(embedded, sort_keys=True).encode()).hexdigest(),
        "templates": _used(means.templates, playbook),
        "inputs": checked_inputs(playbook.inputs, inputs, means),
        "credential": credential.model_dump(mode="json"),
        "ownership": {"verdict": judgement.ownership.value, "reason": judgement.reason},
        "exposure": finding.exposure.model_dump(mode="json"),
        **means.settings.model_dump(mode="json", include={"people", "audiences", "organisation", "holidays"}),
        "facts": dict(means.settings.facts),
        "requester": requester,
        "break_glass": list(means.settings.break_glass),
        "parent": dict(parent) if parent else None,
        "aware_at": _iso(finding.aware_at or means.clock.now()),
    }
    draft = Draft("started", facts, run, "", requester or "responder")
    return Start(run, incident, playbook, credential, (draft,), tuple(blobs))


def _used(templates: Mapping[str, str], playbook: Playbook) -> dict[str, str]:
    """Return the templates in whose words a playbook's steps and its review speak; all, where a step computes one."""
    messages = {SendNotice.name, DraftNotice.name}
    names = {str(step.with_.get("template", "")) for step in playbook.steps if step.action in messages}
    if any("${{" in name for name in names):
        return dict(templates)
    return {name: text for name, text in templates.items() if name in names | {playbook.postmortem}}


def _check_playbook(playbook: Playbook, means: Means) -> None:
    """Refuse a playbook that is only a part of others, or whose deadlines cannot be reckoned here.

    SettingsError names all that is missing.
    """
    if playbook.called:
        raise RequestError(
            f"{playbook.playbook} is a part of other playbooks, and no response by itself",
            where="playbook",
            remedy="begin a playbook that calls it",
        )
    settings = means.settings
    missing = tuple(settings_problems(playbook.deadlines, settings.organisation.time_zone, settings.holidays))
    if missing:
        raise SettingsError(problems=missing)


def checked_inputs(inputs: Mapping[str, Input], given: Mapping[str, Any], means: Means) -> dict[str, Any]:
    """Return every input with its type. FindingError names all that are missing, unknown or wrong."""
    problems = [
        Problem(f"the playbook has no input {name!r}", f"input {name}", f"known: {', '.join(inputs) or 'none'}")
        for name in given.keys() - inputs.keys()
    ]
    values: dict[str, Any] = {}
    for name, declared in inputs.items():
        value = given.get(name, declared.default)
        if value is None or value == "":
            if declared.required:
                problems.append(Problem("the input is missing", f"input {name}", f"-i {name}=... ({declared.help})"))
            values[name] = None
            continue
        try:
            values[name] = _typed(value, declared, means)
        except ValueError as error:
            problems.append(Problem(str(error), f"input {name}"))
    if problems:
        raise FindingError(problems=tuple(problems))
    return values


def _typed(value: Any, declared: Input, means: Means) -> Any:
    """Return an input as its declared type; what it looks like does not matter."""
    if declared.type == "person" and isinstance(value, Mapping) and value.get("id") in means.settings.people:
        return dict(value)  # a sub-playbook is given a person as an input of the playbook around it has it
    text = str(value)
    if declared.type == "integer":
        return int(text)
    if declared.type == "boolean":
        if text.lower() not in {"true", "false"}:
            raise ValueError(f"{text!r} is not true or false")
        return text.lower() == "true"
    if declared.type == "person":
        if text not in means.settings.people:
            raise ValueError(f"{text!r} is not among the people of responder.yaml")
        return {"id": text, **means.settings.people[text].model_dump(mode="json")}
    if declared.type == "url" and not text.startswith(("https://", "http://")):
        raise ValueError(f"{text!r} is not a URL")
    return text


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
