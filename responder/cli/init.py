"""`responder init`."""

from pathlib import Path

import click

from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.cli.writing import write_text
from responder.errors import Problem, RequestError
from responder.installation import login
from responder.skeleton import files


@click.command("init", cls=Command)
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
def command(folder: Path) -> Exit:
    """Write a commented responder.yaml, and an example playbook with its scenario.

    Nothing that is there already is overwritten.
    """
    call = current()
    wanted = {folder / name: text for name, text in files(login()).items()}
    there = [path for path in wanted if path.exists()]
    if there:
        raise RequestError(
            problems=tuple(
                Problem(
                    "this file is there already; nothing was written",
                    str(path),
                    "name another folder, or move it away",
                )
                for path in there
            )
        )
    for path, text in wanted.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(
                f"The folder cannot be made: {error.strerror}",
                where=str(path.parent),
                remedy="name another folder",
            ) from None
        write_text(path, text, private=False)
    if call.json:
        call.document({"written": [str(path) for path in wanted]})
    else:
        for path in wanted:
            call.out(f"written: {path}")
        call.out("next: fill in responder.yaml, then `responder doctor`; `responder drill` shows a whole response")
    return Exit.OK
