"""One self-contained page that shows a run to somebody who was not there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from responder.chart import chart
from responder.documents.template import Template, render
from responder.entry import Entry
from responder.figures import Figures, figures
from responder.narrative import rows
from responder.rendition import span
from responder.story import Story


@dataclass(frozen=True)
class Tile:
    """A figure that is read first."""

    value: str
    label: str
    mood: str = ""
    """`good`, `bad` or nothing."""


def page(template: Template, entries: Sequence[Entry]) -> str:
    """Return the page of an incident as HTML: no script, nothing from elsewhere, everything escaped.

    A function of the record and the template, and of nothing else.
    """
    story, found = Story(entries), figures(entries)
    values = {
        "figures": found,
        "badge": _badge(found),
        "tiles": list(_tiles(found)),
        "chart": chart(story),
        "rows": rows(entries),
        "exit": story.main.ended.get("exit") or [],
    }
    organisation = story.main.started.get("organisation") or {}
    declared = {name: values[name] for name in template.front.fields}
    return render(template, declared, str(organisation.get("time_zone") or "UTC"))[1]


def _badge(found: Figures) -> Tile:
    """Return in two words how it stands."""
    if found.contained and found.spared:
        return Tile("closed", found.spared, "good")
    if found.contained:
        return Tile("contained", "the leaked value is refused on every surface", "good")
    if found.state == "ended":
        return Tile("not contained", "the run ended and an exit criterion did not hold", "bad")
    if found.dead_at:
        return Tile(found.state, "the leaked value is refused; the run goes on", "")
    return Tile(found.state, "the leaked value counts as live", "bad")


def _tiles(found: Figures) -> Iterator[Tile]:
    for name, label in (
        ("exposure", "exposed until refused for good"),
        ("time to disabled", "from aware to disabled"),
        ("time to proven dead", "from aware to proven dead"),
    ):
        seconds = found.span(name)
        if seconds is None and found.spared:
            continue
        yield Tile(span(seconds) if seconds is not None else "unknown", label, "" if seconds is not None else "bad")
    told = sum(notice.recipients for notice in found.notices)
    yield Tile(str(told), "messages sent" if told != 1 else "message sent")
    late = sum(deadline.on_time is False for deadline in found.deadlines)
    met = sum(deadline.on_time is True for deadline in found.deadlines)
    yield Tile(
        f"{met} of {met + late}" if met + late else "none",
        "deadlines met",
        "bad" if late else "good" if met else "",
    )
