"""A notice besides the playbook: a run of one step in the incident's chain, approved and sent like any other."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from responder.approval import may_answer
from responder.documents import Templates
from responder.documents.template import Document, Template, fill, render_notice
from responder.entry import Draft
from responder.errors import DocumentError, Problem, RequestError
from responder.gate import waits_for_children
from responder.means import Means
from responder.naming import names
from responder.notice import DraftNotice, SendNotice
from responder.playbook import Playbook
from responder.said import heard, kept
from responder.source import nearest
from responder.start import Start
from responder.state import NOTICE, RunState
from responder.store import FORMAT
from responder.unit import Ask

WITHIN = timedelta(hours=1)
"""How long people have to approve where neither the person nor the playbook says."""
_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_OF_ITEM = re.compile(r"\bitem\b")


@dataclass(frozen=True)
class Wanted:
    """What a person asks to be sent."""

    template: str
    to: tuple[str, ...] = ()
    """Each an address, a channel with `#`, or the id of a person, a holder or an audience; `holders` for all."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    """Who approves; empty: the role that the playbook asks about messages."""
    within: timedelta | None = None


@dataclass(frozen=True)
class Letter:
    """One text as it would leave, and where to; empty for a text that a person sends."""

    to: str
    document: Document


@dataclass(frozen=True)
class Sending:
    """A run that would send a notice, and what it would send."""

    start: Start
    letters: tuple[Letter, ...]


@dataclass(frozen=True)
class _Asked:
    """What was asked, with all that it is judged by."""

    template: Template
    wanted: Wanted
    main: RunState
    means: Means

    @property
    def given(self) -> dict[str, Any]:
        """The fields that the person gave, as templates read them."""
        return {name: heard(value) for name, value in self.wanted.fields.items()}

    @property
    def drafted(self) -> bool:
        """Whether a person sends the text: it is written, and nothing leaves by itself."""
        return self.template.front.channel == "file"


def prepare(means: Means, main: RunState, wanted: Wanted, requester: str) -> Sending:
    """Return a run that can begin. InputError names all that is wrong with the request at once.

    Every value is taken now, from the run that responds: what was shown is what is asked about and sent.
    """
    asked = _Asked(Templates(means.templates).get(wanted.template), wanted, main, means)
    problems: list[Problem] = []
    recipients = _recipients(asked, problems)
    approval = {} if asked.drafted else _approval(asked, problems)
    letters = tuple(_letters(asked, recipients, problems))
    if not problems:
        start = begin(means, main, asked.template.name, _playbook(asked, recipients, approval), requester)
        problems += [*_premature(start, main), *_unanswerable(start, means), *_unsafe(start, means)]
    if problems:
        raise RequestError(problems=tuple(problems))
    return Sending(start, letters)


# Whom it goes to ------------------------------------------------------------------------------------------------


def _recipients(asked: _Asked, problems: list[Problem]) -> list[dict[str, Any]]:
    """Return each recipient once, with `id`, `name` and `email`; a channel has its name as `email`."""
    template, to = asked.template, asked.wanted.to
    if asked.drafted:
        problems += [_wrong(one, "a person sends this text; we only write it", "leave --to out") for one in to]
        return [{}]
    if not to:
        problems.append(
            _wrong("", "nobody is named to send it to", "--to ADDRESS, PERSON, HOLDER, AUDIENCE or #CHANNEL")
        )
    found: dict[str, dict[str, Any]] = {}
    for one in to:
        for recipient in _named(one, asked, problems):
            address = str(recipient["email"])
            if not address:
                problems.append(_wrong(one, f"{recipient['id']} has no mail address", "give an address in its place"))
            elif address.startswith("#") is not (template.front.channel == "slack"):
                problems.append(_wrong(one, f"the template {template.name!r} is for {template.front.channel}"))
            found.setdefault(address.casefold(), recipient)
    return list(found.values())


def _named(one: str, asked: _Asked, problems: list[Problem]) -> list[dict[str, Any]]:
    """Return whom a word stands for."""
    if one.startswith("#") or "@" in one:
        return [{"id": one, "name": "", "email": one}]
    settings = asked.means.settings
    holders = {holder.id: holder.model_dump(mode="json") for holder in asked.main.credential.holders}
    ways: dict[str, list[dict[str, Any]]] = {}
    if one in settings.people:
        ways["a person"] = [{"id": one, **settings.people[one].model_dump(mode="json")}]
    if one in holders:
        ways["a holder"] = [holders[one]]
    if one in settings.audiences:
        ways["an audience"] = [{"id": mail, "name": "", "email": mail} for mail in settings.audiences[one]]
    if one == "holders":
        ways["all holders"] = list(holders.values())
    if len(ways) == 1:
        return next(iter(ways.values()))
    if ways:
        problems.append(_wrong(one, f"{one!r} is {' and '.join(ways)}", "give the address"))
    else:
        near = nearest(one, [*settings.people, *holders, *settings.audiences, "holders"])
        problems.append(_wrong(one, f"nobody is called {one!r}", f"did you mean {near!r}?" if near else ""))
    return []


def _wrong(one: str, what: str, remedy: str = "") -> Problem:
    return Problem(what, f"--to {one}".strip(), remedy)


# Who agrees -----------------------------------------------------------------------------------------------------


def _approval(asked: _Asked, problems: list[Problem]) -> dict[str, Any]:
    """Return whose agreement it needs: always somebody's, for it leaves the house."""
    template, wanted, main = asked.template, asked.wanted, asked.main
    asking = [step for step in main.playbook.steps if step.action == SendNotice.name and step.approval is not None]
    same = [step.approval for step in asking if step.with_.get("template") == template.name]
    known = same or [step.approval for step in asking]
    roles = sorted({approval.role for approval in known if approval is not None})
    if not wanted.role and len(roles) != 1:
        told = f"the playbook asks several roles about messages: {', '.join(roles)}" if roles else ""
        what = told or "the playbook asks nobody about messages"
        problems.append(Problem(f"nobody is named to approve it: {what}", "--role", "name who approves: --role ROLE"))
    if wanted.role and not _ROLE.fullmatch(wanted.role):
        problems.append(Problem(f"{wanted.role!r} cannot be a role", "--role", "small letters, digits, single hyphens"))
    within = wanted.within or (same[0].within if same and same[0] else WITHIN)
    role = wanted.role or next(iter(roles), "")
    return {"role": role, "within": within, "on_timeout": "abort", "reason": f"the text of {template.name}"}


def _unanswerable(start: Start, means: Means) -> Iterator[Problem]:
    """Yield a problem where nobody may approve: asking would only waste the time."""
    step = start.playbook.steps[0]
    if step.approval is None:
        return
    state = start.state()
    role = step.approval.role
    if not may_answer(state, Ask("approval", step.id, role, means.clock.now(), None, "abort")):
        what = f"nobody may approve it as {role}: whoever asks for it may not, nor may holders of the credential"
        yield Problem(what, f"--role {role}", "name another role, or give somebody this one in responder.yaml")


# What it says ---------------------------------------------------------------------------------------------------


def _letters(asked: _Asked, recipients: Sequence[Mapping[str, Any]], problems: list[Problem]) -> Iterator[Letter]:
    """Yield what each would read; nobody's text may hold another's name or address."""
    for recipient in recipients or [{}]:  # what is missing is said, even where nobody is named yet
        others = [str(one["email"]) for one in recipients if one is not recipient and "@" in str(one.get("email"))]
        reads = names(asked.main, asked.means, recipient or None)
        redactor = asked.means.sealer.redactor
        try:
            document = render_notice(asked.template, reads, asked.given, redactor, known_bad=others)
        except DocumentError as error:
            problems += [one for one in error.problems if one not in problems]
            continue
        yield Letter(str(recipient.get("email", "")), document)


def _frozen(asked: _Asked, recipients: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the value that each field has now; what differs from one to the next is left to each of them."""
    template, given = asked.template, asked.given
    values = fill(template, names(asked.main, asked.means, recipients[0] or None), given)
    own = {
        name
        for name, spec in template.front.fields.items()
        if len(recipients) > 1 and name not in given and _OF_ITEM.search(spec.from_)
    }
    return {name: kept(value) for name, value in values.items() if value is not None and name not in own}


# The run --------------------------------------------------------------------------------------------------------


def _playbook(asked: _Asked, recipients: Sequence[Mapping[str, Any]], approval: Mapping[str, Any]) -> Playbook:
    """Return the playbook of one step."""
    template = asked.template
    with_: dict[str, Any] = {"template": template.name, "fields": _frozen(asked, recipients)}
    step: dict[str, Any] = {"id": template.name, "title": template.front.title, "phase": "communication"}
    if not approval:
        step |= {"action": DraftNotice.name, "with": with_}
    elif len(recipients) == 1:
        step |= {"action": SendNotice.name, "with": {**with_, "to": recipients[0]["email"]}, "approval": approval}
    else:
        each = [dict(one) for one in recipients]
        step |= {"action": SendNotice.name, "with": {**with_, "to": "${{ item.email }}"}, "approval": approval}
        step["for_each"] = each
    roles = {approval["role"]: {"help": "approves this text"}} if approval else {}
    return Playbook.model_validate(
        {"playbook": NOTICE, "title": f"Notice: {template.front.title}", "version": 1, "roles": roles, "steps": [step]}
    )


def _premature(start: Start, main: RunState) -> Iterator[Problem]:
    """Yield a problem for what would be too early while another credential of the incident is not dead."""
    step = start.playbook.steps[0]
    if waits_for_children(step) and not all(one.state == "ended" and one.contained for one in main.children.values()):
        what = "another leaked credential of this incident is not dead yet"
        yield Problem(what, step.id, "send it when `responder status` says that it is")


def begin(means: Means, main: RunState, template: str, playbook: Playbook, requester: str) -> Start:
    """Return a run beside the response: its facts, today's people and template, and no hold on the credential."""
    embedded = playbook.model_dump(mode="json", by_alias=True)
    credential = main.credential.model_copy(update={"blob": ""})
    facts = {
        **main.started,
        "format": FORMAT,
        "purpose": NOTICE,
        "about": main.run,
        "playbook": embedded,
        "digest": hashlib.sha256(json.dumps(embedded, sort_keys=True).encode()).hexdigest(),
        "templates": {template: Templates(means.templates).get(template).text} if template else {},
        "credential": credential.model_dump(mode="json"),
        "people": {name: person.model_dump(mode="json") for name, person in means.settings.people.items()},
        "requester": requester,
    }
    run = means.ids("run")
    draft = Draft("started", facts, run, "", requester)
    return Start(run, str(main.incident["id"]), playbook, credential, (draft,), ())


def _unsafe(start: Start, means: Means) -> Iterator[Problem]:
    """Yield a problem where what was given holds a secret, or could be read as an expression once more."""
    with_ = start.playbook.steps[0].with_
    step = start.playbook.steps[0].id
    if means.sealer.redactor.scrub_data({"with": with_}) != {"with": with_}:
        yield Problem("a secret that we know stands in what it would say", step, "take it out")
    if "${{" in json.dumps(with_["fields"]):
        yield Problem("a field holds ${{", step, "give the value itself; expressions stand in playbooks and templates")
