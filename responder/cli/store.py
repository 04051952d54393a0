"""`responder store`."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Subgroup
from responder.errors import Problem, RequestError, ResponderError
from responder.installation import folder_of, location, open_record, open_store, recorded
from responder.redaction import Redactor
from responder.sealing import Sealer, share_key
from responder.store import FORMAT, Location, Store
from responder.upkeep import Inspection, copy, inspect, refuse_live


@click.group("store", cls=Subgroup)
def command() -> None:
    """Check, migrate and copy the record."""


def _opened(call: Call, record: Location, *, migrate: bool = False) -> tuple[Store, Sealer]:
    """Open a record that exists. RequestError where there is none: none of these commands makes one."""
    if not recorded(record):
        raise RequestError("There is no record yet", where=str(record), remedy=f"`{call.program} run` begins one")
    redactor = Redactor()
    call.redactor = redactor
    named = call.settings().sealing_key
    return open_record(record, redactor, os.environ, create=False, named=named, migrate=migrate)


@command.command("check")
def check_command() -> Exit:
    """Check that the record can be used: reachable, of this format, on disk, whole.

    Every chain is verified. Exit code 6 where the record must not be used as it is.
    """
    call = current()
    record = call.location()
    found: Inspection | None = None
    problems: tuple[Problem, ...]
    try:
        store, sealer = _opened(call, record)
    except ResponderError as error:
        problems = error.problems
    else:
        try:
            found = inspect(store, sealer)
            problems = found.problems
        finally:
            store.close()
    if call.json:
        call.document(_checked(record, found, problems))
    else:
        _tell(call, record, found, problems)
    return Exit.RECORD if problems else Exit.OK


def _checked(record: Location, found: Inspection | None, problems: tuple[Problem, ...]) -> dict[str, object]:
    return {
        "store": str(record),
        "kind": _kind(record),
        "usable": not problems,
        "format": FORMAT if found else None,
        "incidents": found.incidents if found else 0,
        "runs": found.runs if found else 0,
        "open_runs": found.open_runs if found else 0,
        "entries": found.entries if found else 0,
        "sealed": found.sealed if found else 0,
        "moved_to": found.moved_to if found else "",
        "problems": [one._asdict() for one in problems],
    }


def _kind(record: Location) -> str:
    return "postgresql" if record.url else "file"


def _tell(call: Call, record: Location, found: Inspection | None, problems: tuple[Problem, ...]) -> None:
    call.out(f"{_kind(record)} {record}")
    if found is not None:
        call.out(
            f"format {FORMAT}: {found.incidents} incidents, {found.runs} runs ({found.open_runs} open),"
            f" {found.entries} entries, {found.sealed} sealed values"
        )
    for one in problems:
        call.out(f"{one.where}: {one.what}" if one.where else one.what)
        if one.remedy:
            call.out(f"  next: {call.typable(one.remedy)}")
    call.out("The record must NOT be used as it is." if problems else "The record can be used.")


@command.command("migrate")
def migrate_command() -> Exit:
    """Bring the record to this version's format.

    What is written already stays as it is. A file is brought there by whatever opens it; a server's record only by
    this, because responders of other versions may work on it from other hosts.
    """
    call = current()
    record = call.location()
    store, _ = _opened(call, record, migrate=True)
    try:
        was = store.migrated_from
    finally:
        store.close()
    if call.json:
        call.document({"store": str(record), "was": was or FORMAT, "format": FORMAT, "changed": was is not None})
    elif was is None:
        call.out(f"{record} has this version's format, {FORMAT}, already; nothing was changed")
    else:
        call.out(f"{record} was brought from format {was} to {FORMAT}; no entry changed")
    return Exit.OK


@command.command("copy")
@click.argument("source")
@click.argument("target")
def copy_command(source: str, target: str) -> Exit:
    """Take the whole record from one store to another, empty one.

    SOURCE and TARGET are a file or postgresql://HOST/DATABASE, without a password. Nobody may work on a run
    meanwhile. Every chain is verified in the target; nothing is added to the source any more.
    """
    call = current()
    old, new = _from_anywhere(source), _from_anywhere(target)
    if str(old) == str(new):
        raise RequestError("Source and target are the same", where=str(new), remedy="name another target")
    store, sealer = _opened(call, old)
    try:
        refuse_live(store)
        key = _share(call, old, new)
        other = open_store(new)
        try:
            copied = copy(store, other, sealer)
        finally:
            other.close()
    finally:
        store.close()
    if call.json:
        call.document({"source": str(old), "target": str(new), "key": str(key), **asdict(copied)})
        return Exit.OK
    call.out(
        f"{copied.incidents} incidents, {copied.runs} runs and {copied.entries} entries are in {new};"
        " every chain verifies"
    )
    call.out(f"Nothing is added to {old} any more.")
    call.out(f"next: on every host, export RESPONDER_STORE={new}")
    call.out(f"next: every other host needs the sealing key, too: {key}")
    return Exit.OK


def _from_anywhere(named: str) -> Location:
    """Return where a record is, so that it is found from any folder: the one that is left says where the other is."""
    found = location(named, {})
    return found if found.path is None else Location(found.path.resolve())


def _share(call: Call, old: Location, new: Location) -> Path | str:
    """Put the sealing key where the target's users on this host look for it; return where it is."""
    named = call.settings().sealing_key
    if "RESPONDER_SEALING_KEY" in os.environ or named:
        return named or "RESPONDER_SEALING_KEY"
    return share_key(folder_of(old, os.environ) / "sealing.key", folder_of(new, os.environ) / "sealing.key")
