"""Documents about a whole incident, from its record and the templates that its run carries."""

from collections.abc import Sequence

from responder.app import App
from responder.documents import Templates
from responder.entry import Entry
from responder.page import page
from responder.review import postmortem


def review_of(app: App, entries: Sequence[Entry]) -> str:
    """Return the postmortem of an incident, in Markdown."""
    templates, name = _carried(app, entries)
    return postmortem(templates.get(name), entries)


def page_of(app: App, entries: Sequence[Entry]) -> str:
    """Return the page of an incident, as self-contained HTML."""
    return page(_carried(app, entries)[0].get("report"), entries)


def _carried(app: App, entries: Sequence[Entry]) -> tuple[Templates, str]:
    """Return the templates as they were when the run started, and the name of its review."""
    started = next((entry.facts for entry in entries if entry.event == "started" and not entry.facts.get("parent")), {})
    name = str(started.get("playbook", {}).get("postmortem", "postmortem"))
    return Templates({**app.library.templates(), **started.get("templates", {})}), name
