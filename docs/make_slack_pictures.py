"""Draws every screen of the Slack part, from a response that is really played: `make slack-pictures`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from blockkit import WIDTH, Renderer
from shots import browser, shot
from slack_scenes import played

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "slack"
PLACE, THREAD, ONLY = "#inc-ivory-ibis", "Thread in #inc-ivory-ibis", "Only visible to you"
PICTURES: dict[str, dict[str, str]] = {
    "Begin": {
        "begin": "`/responder`, or the shortcut: what leaked, where, and who can see it.",
        "from-a-message": "The shortcut on a message that holds a credential: what leaked is known already.",
        "inputs": "What the playbook asks, each by its type.",
        "plan": "The plan: what would change, who is asked first, and by when. Nothing is begun yet.",
        "begun": "Begun; the incident's channel follows.",
    },
    "Decide": {
        "question-approval": "An approval: what would change, what that breaks, who may answer, and until when.",
        "answer-approval": "The approval itself: the exact change, and the beginning of its digest.",
        "decline": "Whoever declines says why.",
        "recorded": "What is written bears your name.",
        "refused": "Whoever may not approve is told why, and who may.",
        "question-two": "Two people are needed, and one has agreed.",
        "question-approval-many": "One answer for many items.",
        "question-decide": "A decision.",
        "answer-decide": "Its options, and what each means.",
        "question-task": "A task for a person.",
        "answer-task": "What was done goes on the record.",
        "question-unknown": "An answer was lost: a person says what happened.",
        "answer-unknown": "It happened, or it did not: nothing is repeated blindly.",
        "answered": "A question that was answered has no buttons any more.",
        "old-button": "Whoever presses an old button is told what happened instead.",
    },
    "Follow": {
        "card-waiting": "The pinned card: how it stands, who is awaited, and the clocks, the next one first.",
        "card-contained": "The token is proven dead; the rest goes on.",
        "card-issuing": "Three hundred holders are getting a token each.",
        "news": "What happened, told in the card's thread.",
        "status": "`/responder status`: how every response stands.",
        "timeline": "`/responder timeline`: what happened last.",
        "note": "`/responder note`: a sentence on the record.",
        "help": "`/responder help`.",
    },
    "Hand over and close": {
        "handover": "The lead is offered; it passes when it is taken.",
        "postmortem": "`/responder postmortem`: the beginning of the review.",
        "card-closed": "The card of a closed incident.",
    },
}
"""Every picture under its heading, with the sentence that tells what it shows."""
_PRIVATE = ("status", "timeline", "note", "help", "postmortem")


def page_of(name: str, shown: Any, renderer: Renderer) -> str:
    """Return a screen as a page."""
    if isinstance(shown, dict):
        return renderer.modal(shown)
    if name == "news":
        return renderer.message(shown, place=THREAD)
    above = "📌 Pinned" if name.startswith("card") else ONLY if name in _PRIVATE else ""
    return renderer.message(shown, place=PLACE, above=above)


def index() -> str:
    """Return the page that shows every picture with its sentence."""
    lines = [
        "# Screens in Slack",
        "",
        "Every screen as it is on a phone, drawn by `make slack-pictures` from the blocks of a response that was",
        "really played. How they are used: [respond from Slack](../how-to/respond-from-slack.md).",
    ]
    for heading, pictures in PICTURES.items():
        lines += ["", f"## {heading}"]
        for name, told in pictures.items():
            plain = told.replace("`", "")
            lines += ["", told, "", f"![{plain}]({name}.png)"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Play a response once, and draw what people saw; where there is no Chromium, say so and draw nothing."""
    if not browser():
        print("skipped: there is no Chromium here. Install it (as root: apt-get install chromium), and call this again")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        scenes = played(Path(temporary))
    FOLDER.mkdir(exist_ok=True)
    renderer = Renderer(scenes.names)
    missed = []
    for name in [one for pictures in PICTURES.values() for one in pictures]:
        if name not in scenes.seen:
            missed.append(name)
            continue
        (FOLDER / f"{name}.png").write_bytes(shot(page_of(name, scenes.seen[name], renderer), WIDTH))
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")
    print(f"written: {FOLDER.relative_to(ROOT)}{f'; not seen this time: {missed}' if missed else ''}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
