"""`responder verify`."""

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import COMMANDS, Command
from responder.credential import Probe
from responder.errors import Problem, RequestError
from responder.probing import Looked, present


@click.command("verify", cls=Command, short_help=COMMANDS["verify"])
@click.argument("incident")
@click.option(
    "--head", metavar="SEQ:HASH", help="An entry that left the house earlier; the record must still hold it."
)
@click.option(
    "--live", is_flag=True, help="Present the leaked value once more, and say whether it is refused."
)
def command(incident: str, head: str | None, *, live: bool) -> Exit:
    """Check that the record is whole and unaltered.

    INCIDENT is its id, or that of a run. The check needs no network; the first bad entry is named first.
    """
    call = current()
    known = _head(head) if head else None
    with call.open_existing() as app:
        name = app.incident(incident)
        problems = app.verify(name, known)
        looked = _live(app, name, incident) if live and not problems else []
        entries = app.timeline(name) if not problems else []
        if call.json:
            _document(call, name, problems, looked, len(entries), entries[-1].hash if entries else "")
        else:
            _tell(call, name, problems, looked, [(one.seq, one.hash) for one in entries[-1:]])
    good = not problems and all(one.dead for one in looked)
    return Exit.OK if good else Exit.UNKNOWN


def _head(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or not digest:
        raise RequestError(
            f"{text!r} is not an entry", where="--head", remedy="write its number and its hash: 412:9f3c..."
        )
    return int(number), digest


def _live(app: App, name: str, asked: str) -> list[Looked]:
    """Present the leaked value of the run that was named, or of every run of the incident."""
    runs = [row.run for row in app.runs(name)]
    return [
        present(app, run)
        for run in ([app.row(asked).run] if asked not in {name, *_beginnings(name)} else runs)
    ]


def _beginnings(name: str) -> set[str]:
    return {name[:length] for length in range(1, len(name) + 1)}


def _tell(
    call: Call, name: str, problems: list[Problem], looked: list[Looked], last: list[tuple[int, str]]
) -> None:
    for problem in problems:
        call.out(f"{problem.where}: {problem.what}")
    if problems:
        call.out(f"The record of {name} does NOT verify; the first bad entry stands first.")
        call.out(
            "next: keep this file as it is, compare it with a backup, and treat what follows that entry as unproven"
        )
    for seq, digest in last:
        call.out(f"The record of {name} verifies: {seq} entries. Head {seq}:{digest}")
    for one in looked:
        surfaces = ", ".join(f"{surface} {probe}" for surface, probe in one.surfaces.items()) or one.reason
        call.out(f"{one.credential}: {surfaces}")
        if Probe.ACCEPTED in one.surfaces.values():
            call.out(f"next: it is ALIVE; begin a response: {call.program} run")


def _document(
    call: Call, name: str, problems: list[Problem], looked: list[Looked], entries: int, head: str
) -> None:
    call.document(
        {
            "incident": name,
            "verified": not problems,
            "entries": entries,
            "head": f"{entries}:{head}" if head else "",
            "problems": [{"what": one.what, "where": one.where, "remedy": one.remedy} for one in problems],
            "live": [
                {
                    "run": one.run,
                    "credential": one.credential,
                    "surfaces": dict(one.surfaces),
                    "reason": one.reason,
                }
                for one in looked
            ],
        }
    )
