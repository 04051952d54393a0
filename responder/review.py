"""The postmortem: what the record shows, and between marks what people write about it."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responder.documents.template import Template, render
from responder.entry import Entry
from responder.errors import DocumentError, Problem
from responder.figures import Figures, figures
from responder.narrative import rows
from responder.rendition import cell, exact, sentence, span
from responder.story import Story

__all__ = ["Figures", "figures", "postmortem", "prose_of", "written_prose"]

_OPENS = re.compile(r"<!-- prose:(?P<name>[a-z][a-z0-9-]*)(?: draft=(?P<draft>[0-9a-f]{12}))? -->\s*")
_CLOSES = re.compile(r"<!-- /prose -->\s*")
_LIKE_A_MARK = re.compile(r"<!--\s*/?\s*prose\b")


def postmortem(template: Template, entries: Sequence[Entry], prose: Mapping[str, str] | None = None) -> str:
    """Return the review of an incident in Markdown: a function of record, template and prose, nothing else.

    `prose` holds people's words by region; they come before those that the record holds. A region that nobody
    has written yet gets a draft from the facts.
    """
    facts = _Facts(entries)
    words = {**written_prose(entries), **(prose or {})}
    values = {
        "figures": facts.figures,
        "rows": rows(entries),
        "facts": facts.told,
        "evidence": [*facts.evidence()],
        "exit": facts.story.main.ended.get("exit") or [],
    }
    declared = {name: values[name] for name in template.front.fields}
    _, text = render(template, declared, str(facts.organisation.get("time_zone") or "UTC"))
    return _filled(text, words, facts, template)


def _filled(text: str, words: Mapping[str, str], facts: "_Facts", template: Template) -> str:
    """Put prose, or a draft, between the marks that the template sets."""
    lines: list[str] = []
    left = dict(words)
    for line in text.splitlines():
        opens = _OPENS.fullmatch(line)
        if opens is None:
            lines.append(line)
            continue
        name = opens["name"]
        if name in left:
            lines += [f"<!-- prose:{name} -->", _fit(name, left.pop(name))]
        else:
            draft = _DRAFTS.get(name, _nothing)(facts).strip()
            lines += [f"<!-- prose:{name} draft={_short(draft)} -->", draft]
    if left:
        known = ", ".join(match["name"] for match in map(_OPENS.fullmatch, text.splitlines()) if match)
        problems = (Problem(f"the template has no region {name!r}", template.file, f"known: {known}") for name in left)
        raise DocumentError(problems=tuple(problems))
    return "\n".join(lines) + "\n"


def _fit(name: str, text: str) -> str:
    if any(_LIKE_A_MARK.match(line.strip()) for line in text.splitlines()):
        raise DocumentError(
            "A region's prose holds a mark of its own", where=name, remedy="take the <!-- prose --> out"
        )
    return text.strip("\n")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def prose_of(text: str) -> dict[str, str]:
    """Return what people wrote, by region; a draft that nobody touched is not prose.

    Edits outside the regions do not matter. DocumentError, with the line, where a mark is broken.
    """
    found: dict[str, str] = {}
    drafts: dict[str, str] = {}
    inside, start, collected = "", 0, list[str]()
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        opens, closes = _OPENS.fullmatch(line.strip()), _CLOSES.fullmatch(line.strip())
        if opens and not inside and opens["name"] not in found:
            inside, start, collected = opens["name"], number, []
            drafts[inside] = opens["draft"] or ""
        elif closes and inside:
            found[inside] = "\n".join(collected).strip("\n")
            inside = ""
        elif _LIKE_A_MARK.match(line.strip()):
            problems.append(Problem(_broken(opens["name"] if opens else "", inside, found), f"line {number}"))
        elif inside:
            collected.append(line)
    if inside:
        problems.append(Problem(f"the region {inside!r} is not closed", f"line {start}", "end it with <!-- /prose -->"))
    if problems:
        raise DocumentError(problems=tuple(problems))
    return {name: prose for name, prose in found.items() if _short(prose.strip()) != drafts[name]}


def _broken(opened: str, inside: str, found: Mapping[str, str]) -> str:
    if opened and inside:
        return f"the region {opened!r} begins inside the region {inside!r}"
    if opened in found:
        return f"the region {opened!r} stands twice"
    return "a region ends here that did not begin" if not inside else "this mark is broken"


def written_prose(entries: Sequence[Entry]) -> dict[str, str]:
    """Return what people wrote into the review, as the record holds it: each region's newest text."""
    return {
        str(entry.facts["region"]): str(entry.facts["text"])
        for entry in entries
        if entry.event == "written" and not entry.withheld
    }


@dataclass(frozen=True)
class _Found:
    step: str
    name: str
    value: str
    entry: int


class _Facts:
    """What drafts are made of."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.story = Story(entries)
        self.figures = figures(entries)
        started = self.story.main.started
        self.organisation: Mapping[str, Any] = started.get("organisation") or {}
        self.told: dict[str, Any] = {**(started.get("facts") or {}), **self.story.main.given}
        self.shared = self.story.main.credential.shared

    def evidence(self) -> list[_Found]:
        """Return the hashes of what was captured, each with its entry."""
        return [
            _Found(entry.step, name, str(value), entry.seq)
            for entry in self.entries
            for name, value in (entry.facts.get("facts") or {}).items()
            if name == "sha256" and entry.event == "done"
        ]

    def terms(self) -> list[str]:
        """Return what is said of the programme's terms."""
        names = {
            "programme_payment": "Payment",
            "programme_credit": "Credit",
            "programme_approval": "Approval",
        }
        return [f"{label}: {cell(self.told[name])}" for name, label in names.items() if self.told.get(name)]

    def late(self) -> list[str]:
        """Return the names of the deadlines that were missed."""
        return [deadline.name for deadline in self.figures.deadlines if deadline.on_time is False]


def _nothing(_: _Facts) -> str:
    return "_Nobody has written this yet._"


def _summary(facts: _Facts) -> str:
    found = facts.figures
    what = "A shared credential" if facts.shared else "A credential"
    said = [f"{what} ({cell(found.credential)}) was exposed"]
    if found.exposure_seconds is not None:
        said[0] += f" for {span(found.exposure_seconds)}"
    if found.contained_at and found.dead_at:
        first, dead = exact(found.contained_at), exact(found.dead_at)
        said.append(f"It was refused for good from {first} UTC, and proven dead at {dead} UTC")
    elif found.spared:
        said.append(cell(found.spared[0].upper() + found.spared[1:]).rstrip("."))
    else:
        said.append("Its death was not proven; it counts as live")
    if found.holders:
        said.append(f"{found.holders} people held it, and lost access with it")
    said += [f"Another credential, {cell(one.label)}, was found on the way" for one in found.children]
    return ". ".join(said) + "."


def _factors(facts: _Facts) -> str:
    found, said = facts.figures, list[str]()
    if facts.shared:
        said.append(
            f"One credential was shared by {found.holders} holders. Nobody could tell their uses apart, "
            "and ending it meant ending it for all of them."
        )
    if facts.terms():
        listed = "; ".join(term.rstrip(".") for term in facts.terms())
        said.append(f"The terms of the programme, as they stood. {listed}. People had reasons; the reasons are data.")
    detection = found.span("TTD")
    if detection is not None:
        said.append(f"It took {span(detection)} from the exposure until it was reported. What would have halved that?")
    if found.children:
        said.append("Another credential stood in the same place, in an earlier version, where nobody looked.")
    if len(said) < 2:  # noqa: PLR2004 - one cause alone is a sign that the search ended early
        said.append("_A second factor: what made it possible, besides the one above?_")
    return _listed(said)


def _well(facts: _Facts) -> str:
    found, said = facts.figures, list[str]()
    if found.dead_at and found.span("time to proven dead") is not None:
        said.append(f"Death was proven {span(found.span('time to proven dead'))} after we knew.")
    met = [deadline.name for deadline in found.deadlines if deadline.on_time]
    if met:
        said.append(f"On time: {', '.join(met)}.")
    if found.takeovers:
        times = "once" if found.takeovers == 1 else f"{found.takeovers} times"
        said.append(f"The run was taken over {times}, and went on from its record.")
    return _listed(said) or _nothing(facts)


def _badly(facts: _Facts) -> str:
    said = [f"Late: {name}." for name in facts.late()]
    for one in facts.figures.troubles:
        times = f", {one.count} times" if one.count > 1 else ""
        said.append(f"{cell(one.step) or 'The run'}: {one.kind}{times} ({cell(one.what)}).")
    return _listed(said) or _nothing(facts)


def _follow_ups(facts: _Facts) -> str:
    lines = ["| Action | Owner | Due | Kind |", "|---|---|---|---|"]
    if facts.shared:
        lines.append("| Give each holder a credential of their own from the first day | _role_ | _date_ | prevent |")
    if facts.terms():
        lines.append("| Answer the concerns about the programme's terms, with dates | _role_ | _date_ | repair |")
    todo = [(f"Find out why {name} was late, and what would halve it", "improve") for name in facts.late()]
    todo += [(f"Search every place that held {cell(one.label)}", "detect") for one in facts.figures.children]
    lines += [f"| {what} | _role_ | _date_ | {kind} |" for what, kind in todo]
    return "\n".join([*lines, "| _Begin with a verb; one owner, one date_ | _role_ | _date_ | _kind_ |"])


def _contributors(facts: _Facts) -> str:
    heard = facts.told.get("concerns_heard")
    said = [
        cell(f"{sentence(one.get('concern'))} We answered: {sentence(one.get('answer'))}")
        for one in (heard if isinstance(heard, list) else [])
        if isinstance(one, Mapping)
    ]
    return _listed(said) or "_What did the people who held the credential see, and what would they have wanted?_"


def _listed(said: Sequence[str]) -> str:
    return "\n".join(f"- {one}" for one in said)


_DRAFTS: Mapping[str, Callable[[_Facts], str]] = {
    "summary": _summary,
    "contributing-factors": _factors,
    "what-went-well": _well,
    "what-did-not": _badly,
    "where-lucky": lambda _: "_Where were we lucky? What would have made it worse?_",
    "contributor-view": _contributors,
    "follow-ups": _follow_ups,
    "playbook-changes": lambda _: "_Which steps of the playbook should change, and why?_",
}
