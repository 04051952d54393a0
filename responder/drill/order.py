"""The order of a response, read from the world's ledger: what came too early, too late, or in public."""

import re
from collections.abc import Sequence
from datetime import datetime

from responder.drill.lines import (
    OURS,
    Facts,
    Line,
    accepted,
    at,
    began,
    deaths,
    is_changed,
    is_end,
    kind,
    latest,
    subject,
)

_TALK = ("mail", "slack")
_WORDS = ("message_posted", "message_updated", "mail_sent")
_SPACE_PAGE = re.compile(r"/spaces/[^/]+/[^/]+")
_FOLLOWUP = "contributor-followup"


def order_violations(lines: Sequence[Line], facts: Facts) -> list[str]:
    """Return a sentence for everything that came too early, too late, in public, or in the wrong place."""
    dead = latest(deaths(lines, facts))
    return [
        *_evidence_order(lines, facts),
        *_before_death(lines, facts, dead),
        *_public_words(lines),
        *_followups(lines, facts),
        *_strayed(lines, facts),
        *_said(lines, facts),
    ]


def said_with_leaked(lines: Sequence[Line], facts: Facts) -> list[Line]:
    """Return what we said with a leaked credential after we knew: whoever has it reads it, and could have said it."""
    labels = {leaked.label for leaked in facts.leaked}
    ours = [line for line in lines if is_changed(line) and kind(line) in _WORDS]
    return [line for line in ours if line["credential"] in labels and at(line) > facts.aware_at]


def _evidence_order(lines: Sequence[Line], facts: Facts) -> list[str]:
    ours = [line for line in lines if line["actor"] == "responder"]
    ended = next((line for line in ours if is_end(line, facts)), None)
    place = next((place for place, line in enumerate(ours) if _is_evidence(line, facts)), None)
    if ended is None or not facts.captures:
        return []
    if place is None or not any(_is_evidence(line, facts) and accepted(line) for line in ours):
        return ["the page was never captured"]
    page = ours[place]
    found = []
    earlier = sum(line["system"] != "slack" for line in ours[:place])  # a listener talks to it beside the response
    if earlier > facts.evidence_within:
        found.append(f"the page was captured only after {earlier} other requests")
    if began(page) > began(ended):
        found.append("the key was ended before the capture of the page began")
    if facts.ready_at is not None:
        waited = (at(page) - max(facts.ready_at, began(page))).total_seconds()
        if waited > facts.patience_seconds and began(ended) >= at(page):
            found.append(f"ending the key waited {waited:.0f} s for the capture of the page")
    return found


def _is_evidence(line: Line, facts: Facts) -> bool:
    if line["system"] != "hub" or line["method"] != "GET":
        return False
    if facts.evidence_path:
        return bool(line["path"] == facts.evidence_path)
    return _SPACE_PAGE.fullmatch(line["path"]) is not None


def _before_death(lines: Sequence[Line], facts: Facts, dead: datetime | None) -> list[str]:
    owners = set() if facts.overlap else {*facts.holders, *facts.consumers}
    early = [line for line in lines if kind(line) and (dead is None or at(line) < dead)]
    issued = [line for line in early if kind(line) == "key_issued" and subject(line) in owners]
    takedowns = [line for line in early if kind(line) == "takedown"]
    found = [f"a key was issued to {subject(issued[0])} before proof of death"] if issued else []
    if len(issued) > 1:
        found[0] += f" (and {len(issued) - 1} more)"
    return found + ["a takedown was sent before proof of death"] * bool(takedowns)


def _public_words(lines: Sequence[Line]) -> list[str]:
    return [f"a public discussion was opened at {subject(line)}" for line in lines if kind(line) == "public_discussion"]


def _followups(lines: Sequence[Line], facts: Facts) -> list[str]:
    ids = {address: holder for holder, address in facts.holders.items()}
    issued: set[str] = set()
    found = []
    for line in lines:
        if kind(line) == "key_issued":
            issued.add(subject(line))
        elif kind(line) == "mail_sent" and line["effect"].get("template") == _FOLLOWUP:
            holder = ids.get(subject(line), subject(line))
            if holder not in issued:
                found.append(f"{holder} was told of a new key before there was one")
    return found


def _strayed(lines: Sequence[Line], facts: Facts) -> list[str]:
    own = {leaked.label: leaked.systems for leaked in facts.leaked}
    found: dict[str, None] = {}
    for line in lines:
        if line["actor"] not in OURS:
            continue
        for label in line["carried"]:
            if label in own and line["system"] not in own[label]:
                found[f"the value of {label} was carried to {line['system']}"] = None
            elif label not in own and line["system"] in _TALK and label != line["credential"]:
                found[f"the value of {label} was carried in {line['system']}"] = None
    return list(found)


def _said(lines: Sequence[Line], facts: Facts) -> list[str]:
    places = dict.fromkeys(f"{subject(line)} with {line['credential']}" for line in said_with_leaked(lines, facts))
    return [f"something was said in {place}, after we knew that it leaked" for place in places]
