"""`responder postmortem`."""

from collections.abc import Mapping
from pathlib import Path

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.cli.writing import write_text
from responder.errors import RequestError
from responder.rendering import page_of, review_of
from responder.review import prose_of, written_prose


@click.command("postmortem", cls=Command)
@click.argument("incident")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there; what people wrote in FILE is kept.",
)
@click.option("--html", is_flag=True, help="Render the page of the run instead.")
def command(incident: str, output: Path | None, *, html: bool) -> Exit:
    """Render the review of an incident.

    INCIDENT is its id, or that of a run. Everything is rendered from the record; people write into the marked
    regions of FILE, and rendering it again keeps their words, on the timeline too.
    """
    call = current()
    with call.open_existing() as app:
        name = app.incident(incident)
        kept = 0
        if output is not None and output.exists() and not html:
            kept = _keep(app, name, output)
        entries = app.timeline(name)
        text = page_of(app, entries) if html else review_of(app, entries)
        if output is not None:
            write_text(output, call.scrub(text))
            if not html:
                app.note_rendering(name)
        _tell(call, name, text, output, kept)
    return Exit.OK


def _keep(app: App, incident: str, file: Path) -> int:
    """Record what people wrote into the file since it was rendered; return in how many regions."""
    try:
        prose = prose_of(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"The earlier review cannot be read: {type(error).__name__}",
            where=str(file),
            remedy="name another file with -o",
        ) from None
    known = written_prose(app.timeline(incident))
    new: Mapping[str, str] = {region: text for region, text in prose.items() if known.get(region) != text}
    if new:
        app.record_prose(incident, new)
    return len(new)


def _tell(call: Call, incident: str, text: str, output: Path | None, kept: int) -> None:
    if call.json:
        call.document(
            {
                "incident": incident,
                "path": str(output) if output else "",
                "recorded": kept,
                "text": "" if output else text,
            }
        )
    elif output is None:
        call.out(text.rstrip())
    else:
        call.say(
            f"written: {output}"
            + (f"; what people wrote in {kept} region{'s' if kept > 1 else ''} is on the timeline" if kept else "")
        )
