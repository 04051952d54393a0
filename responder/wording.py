"""What a text that leaves may not say: credentials, inside addresses, vague times, evasions."""

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from responder.errors import Problem
from responder.fields import Front
from responder.redaction import Redactor, looks_like_credential


@dataclass(frozen=True)
class Rules:
    """What one text is held to."""

    place: str
    """Where problems are reported: the template's file."""
    external: bool
    links: Collection[str] = ()
    """Addresses that stand in the text on purpose, whatever their host."""
    allowed_hosts: Collection[str] = ()
    log_coverage: bool = False
    """Whether the text says what its logs cover."""
    forbid: Collection[str] = ()
    strangers: Collection[str] = ()
    """Names and addresses of people whom this text does not concern."""
    most_lines: int | None = None


_I = re.IGNORECASE
_URL = re.compile(r"https?://[^\s<>\"'|)]+")
_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_INSIDE_NAME = re.compile(
    r"\blocalhost\b|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:internal|local|lan|corp|intranet|localdomain)\b", _I
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC(?: \([^)]*\))?")
_LEFTOVER = re.compile(r"\$?\{\{|\}\}|\{%|\[[A-Z][A-Z _]{2,}\]|\blorem ipsum\b|\b(?:TBD|TODO)\b|<[A-Z][A-Z _]{2,}>")
_RELATIVE = re.compile(
    r"\b(?:today|yesterday|tomorrow|tonight|soon|shortly|momentarily|recently|asap|in due course"
    r"|(?:this|last|next) (?:morning|afternoon|evening|night|week|month))\b",
    _I,
)
_SPAN = r"(?:\w+ ){0,2}?(?:\d+|an?|few|couple of|several) (?:minute|hour|day|week)"
_ESTIMATE = re.compile(
    r"\bETA\b|\bestimated (?:time|resolution|restoration)\b"
    rf"|\b(?:resolved|fixed|restored|online|over|back(?: to normal)?) (?:in|within|after) {_SPAN}"
    r"|\b(?:expect|hope|aim|plan)(?:s|ed)? (?:\w+ ){0,4}(?:fixed|resolved|restored)\b",
)
_BANNED = tuple(
    re.compile(pattern, _I)
    for pattern in (
        r"\btakes? (?:\w+ ){0,3}security (?:\w+ )?seriously\b",
        r"\babundance of caution\b",
        r"\bisolated incident\b",
        r"\bno impact\b",
        r"\brogue\b",
        r"\bmalicious (?:tester|insider|user)s?\b",
        r"\bdisgruntled\b",
        r"\bcareless(?:ness|ly)?\b",
        r"\bhuman error\b",
        r"\bbetray(?:ed|al|s)?\b",
        r"\bstolen by\b",
        r"\bmistakes were made\b",
    )
)
_CLEAN_BILL = re.compile(r"\bno (?:evidence|sign|signs|indication|indications) (?:of|that)\b", _I)

_FIRST_WORDS = 25
_SENTENCE_WORDS = 30
_PARAGRAPH_WORDS = 75


def rules_for(
    front: Front,
    place: str,
    values: Mapping[str, Any],
    names: Mapping[str, Any],
    known_bad: Collection[str] = (),
) -> Rules:
    """Return what a filled template is held to."""
    meant = [value for name, value in values.items() if value and front.fields[name].type == "person"]
    return Rules(
        place=place,
        external=front.external,
        links=[value for name, value in values.items() if value and front.fields[name].type == "link"],
        allowed_hosts=(names.get("facts") or {}).get("allowed_hosts") or (),
        log_coverage=bool(values.get("log_coverage")),
        forbid=front.forbid,
        strangers=_strangers(meant, names, known_bad, everybody=not front.names_allowed),
        most_lines=front.most_lines,
    )


def _strangers(
    meant: Collection[Mapping[str, Any]],
    names: Mapping[str, Any],
    known_bad: Collection[str],
    *,
    everybody: bool,
) -> list[str]:
    """Return the names and addresses of all who must not stand in a text that means only some."""
    own = " ".join(f"{one.get('name', '')} {one.get('email', '')}" for one in meant)
    own += f" {(names.get('organisation') or {}).get('contact', '')}"
    found = set(known_bad)
    if everybody:
        credential = (names.get("incident") or {}).get("credential") or names.get("credential") or {}
        holders = credential.get("holders") or ()
        known = [*holders, *(names.get("people") or {}).values()]
        found |= {one.get("email", "") for one in holders}
        found |= {one.get("name", "") for one in known if " " in one.get("name", "")}
    return sorted(one for one in found - {""} if one not in own)


def problems_in(subject: str, text: str, rules: Rules, redactor: Redactor) -> list[Problem]:
    """Return everything for which a text may not leave; nothing where it may."""
    whole = f"{subject}\n{text}"
    found = [
        *_secrets(whole, redactor),
        *(_addresses(whole, rules) if rules.external else ()),
        *_phrases(_URL.sub("", whole), rules),
        *(f"names {stranger!r}, whom it does not concern" for stranger in rules.strangers if stranger in whole),
        *_shape(subject, text, rules),
    ]
    return [Problem(redactor.scrub(what), rules.place) for what in found]


def _secrets(whole: str, redactor: Redactor) -> Iterator[str]:
    if redactor.scrub(whole) != whole:
        yield "holds a secret of this incident"
    shape = looks_like_credential(whole)
    if shape:
        yield f"holds what looks like a credential ({shape})"


def _addresses(whole: str, rules: Rules) -> Iterator[str]:
    """Yield the inside addresses in a text for people outside."""
    for link in sorted(rules.links, key=len, reverse=True):
        whole = whole.replace(link, "")
    hosts = {_host(url) for url in _URL.findall(whole)}
    rest = _URL.sub("", whole)
    hosts |= set(_ADDRESS.findall(rest)) | {name.lower() for name in _INSIDE_NAME.findall(rest)}
    for host in sorted(hosts):
        if host not in rules.allowed_hosts and _is_inside(host):
            yield f"shows the inside address {host!r} to people outside; `facts.allowed_hosts` can allow it"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return url


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or _INSIDE_NAME.fullmatch(host) is not None


def _phrases(words: str, rules: Rules) -> Iterator[str]:
    for match in _LEFTOVER.finditer(words):
        yield f"has a blank left: {match.group()!r}"
    for match in _RELATIVE.finditer(words):
        yield f"says {match.group()!r}: name the time"
    for match in _ESTIMATE.finditer(words):
        yield f"estimates when it is over ({match.group()!r}): say when the next word comes instead"
    for pattern in (*_BANNED, *(re.compile(rf"\b{re.escape(phrase)}\b", _I) for phrase in rules.forbid)):
        for match in pattern.finditer(words):
            yield f"says {match.group()!r}, which no text of ours says"
    claim = _CLEAN_BILL.search(words)
    if claim and not rules.log_coverage:
        yield f"says {claim.group()!r} and not what the logs cover: fill the field `log_coverage`"


def _shape(subject: str, text: str, rules: Rules) -> Iterator[str]:
    """Yield what is too long to be read by somebody who is tired."""
    if len(subject.splitlines()) > 1:
        yield "has a subject of more than one line"
    lines = text.count("\n") + 1
    if rules.most_lines is not None and lines > rules.most_lines:
        yield f"has {lines} lines; {rules.most_lines} are allowed"
    paragraphs = _paragraphs(text)
    first = next((sentence for paragraph in paragraphs for sentence in _sentences(paragraph)), "")
    yield from _too_long("a first sentence", first, _FIRST_WORDS)
    for paragraph in paragraphs if rules.external else ():
        yield from _too_long("a paragraph", paragraph, _PARAGRAPH_WORDS)
        for sentence in _sentences(paragraph):
            yield from _too_long("a sentence", sentence, _SENTENCE_WORDS)


def _too_long(what: str, text: str, most: int) -> Iterator[str]:
    count = sum(1 for word in text.split() if any(letter.isalnum() for letter in word))
    if count > most:
        yield f"has {what} of {count} words ({_start(text)}); {most} are allowed"


def _paragraphs(text: str) -> list[str]:
    """Split a text into paragraphs and list items; a greeting and a heading are neither."""
    plain = _TIME.sub("TIME", _URL.sub("LINK", text))
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)", plain)
    joined = [" ".join(block.split()) for block in blocks]
    return [block for block in joined if block and not block.endswith(",") and not block.startswith("#")]


def _sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.!?])[*_\"')]*\s+(?=[A-Z0-9\"'(*_])", paragraph)


def _start(text: str) -> str:
    """Return the first words, to find the place by; nothing that could be a credential."""
    start = " ".join(text.split()[:6])
    return "…" if looks_like_credential(text) else f"{start[:60]} …"
