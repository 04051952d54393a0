"""What is said in words alone."""

import re
from collections.abc import Iterable
from datetime import datetime

from responder.errors import ResponderError
from responder.slack.blocks import cut, moment, readable, safe

HELP = (
    "`/responder` begins a response.\nIn an incident's channel, behind it:\n• `status` how every response stands\n"
    "• `timeline` what happened last\n• `note TEXT` puts a sentence on record\n"
    "• `update TEXT` does that, and tells everybody here\n• `handover @NAME` offers the lead\n"
    "• `break-glass REASON` lets you approve containment alone; everybody is told\n"
    "• `postmortem` shows the review\n• `abort REASON` lets no further step start\n• `close` closes the incident"
)
_MOST_REVIEW = 2700
_MOST_HAPPENED = 2800
_HIDDEN = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_RULE = re.compile(r"^\|[-| ]+\|\n|^\| *\| *\|\n", re.MULTILINE)
_ROW = re.compile(r"^\| *(.+?) *\|$", re.MULTILINE)
_MORE = "_The whole review: `responder postmortem` in a terminal._"


def review(markdown: str) -> str:
    """Return the beginning of a postmortem as it is read in Slack."""
    text = safe(_RULE.sub("", _HIDDEN.sub("", markdown))).replace("**", "*")
    text = _ROW.sub(lambda found: found[1].replace(" | ", ": ", 1).replace(" | ", ", "), text)
    text = _HEADING.sub(lambda found: f"*{found[1].replace('*', '')}*", text)
    short = cut(re.sub(r"\n{3,}", "\n\n", text).strip(), _MOST_REVIEW)
    return f"{short}\n\n{_MORE}" if short.endswith("…") else short


def happened(told: Iterable[tuple[datetime, str]]) -> str:
    """Return lines of a record, each with its time; what is said again at once is said once.

    Where they do not all fit into a paragraph, the newest ones do: they are what is asked for.
    """
    lines: list[str] = []
    before = ""
    for at, line in told:
        if line != before:
            lines.append(f"{moment(at)} {readable(line)}")
        before = line
    while len(lines) > 1 and sum(map(len, lines)) + len(lines) > _MOST_HAPPENED:
        del lines[0]
    return "\n".join(lines)


def told(error: ResponderError) -> str:
    """Return what was refused, where, and what to do next."""
    return "🛑 " + "\n".join(readable(problem) for problem in error.problems)
