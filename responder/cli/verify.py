"""`responder verify`."""

from dataclasses import asdict, dataclass

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.credential import Probe
from responder.errors import Problem, RequestError
from responder.probing import Looked, present
from responder.state import RESPONSE


@click.command("verify", cls=Command)
@click.argument("incident")
@click.option("--head", metavar="SEQ:HASH", help="An entry that left the house earlier; the record must still hold it.")
@click.option("--live", is_flag=True, help="Present the leaked value once more, and say whether it is refused.")
def command(incident: str, head: str | None, *, live: bool) -> Exit:
    """Check that the record is whole and unaltered.

    INCIDENT is its id, or that of a run. The check needs no network; the first bad entry is named first.
    """
    call = current()
    known = _head(head) if head else None
    with call.open_existing() as app:
        found = _verify(app, incident, known, live=live)
    if call.json:
        call.document(found.document())
    else:
        _tell(call, found)
    good = not found.problems and all(one.dead for one in found.looked)
    return Exit.OK if good else Exit.UNKNOWN


@dataclass(frozen=True)
class _Found:
    """What became of a check."""

    incident: str
    problems: list[Problem]
    looked: list[Looked]
    entries: int = 0
    last: str = ""
    """The hash of the last entry; empty where the record does not verify."""

    @property
    def head(self) -> str:
        """The last entry's number and hash, to keep elsewhere."""
        return f"{self.entries}:{self.last}" if self.last else ""

    def document(self) -> dict[str, object]:
        """Return it as plain data."""
        return {
            "incident": self.incident,
            "verified": not self.problems,
            "entries": self.entries,
            "head": self.head,
            "problems": [one._asdict() for one in self.problems],
            "live": [asdict(one) for one in self.looked],
        }


def _verify(app: App, asked: str, known: tuple[int, str] | None, *, live: bool) -> _Found:
    """Check the record first; a value is presented only where it holds."""
    name = app.incident(asked)
    problems = app.verify(name, known)
    if problems:
        return _Found(name, problems, [])
    looked = _live(app, name, asked) if live else []
    entries = app.timeline(name)
    return _Found(name, [], looked, len(entries), entries[-1].hash)


def _head(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or not digest:
        raise RequestError(
            f"{text!r} is not an entry", where="--head", remedy="write its number and its hash: 412:9f3c..."
        )
    return int(number), digest


def _live(app: App, name: str, asked: str) -> list[Looked]:
    """Present the leaked value of the run that was named, or of every response of the incident."""
    runs = [row.run for row in app.runs(name) if app.state(row.run).purpose == RESPONSE]
    return [present(app, run) for run in ([app.row(asked).run] if asked not in {name, *_beginnings(name)} else runs)]


def _beginnings(name: str) -> set[str]:
    return {name[:length] for length in range(1, len(name) + 1)}


def _tell(call: Call, found: _Found) -> None:
    for problem in found.problems:
        call.out(f"{problem.where}: {problem.what}")
    if found.problems:
        call.out(f"The record of {found.incident} does NOT verify; the first bad entry stands first.")
        call.out("next: keep this file as it is, compare it with a backup, and count what follows as unproven")
    else:
        call.out(f"The record of {found.incident} verifies: {found.entries} entries. Head {found.head}")
    for one in found.looked:
        surfaces = ", ".join(f"{surface} {probe}" for surface, probe in one.surfaces.items())
        call.out(f"{one.credential}: {surfaces or one.reason}")
        if Probe.ACCEPTED in one.surfaces.values():
            call.out(f"next: it is ALIVE; begin a response: {call.program} run")
